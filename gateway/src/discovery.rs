//! What the gateway says of itself (RFC 7644 §4): its abilities, resource types and schemas. The schemas are the table
//! that bodies are checked against, so that what is published is what works.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::{self, Paged};
use crate::call::{Call, Discovery, Id};
use crate::error::Problem;

pub(crate) async fn service_provider_config(Discovery(call): Discovery) -> Result<Response, Problem> {
    refuse_filter(&call)?;
    let settings = &call.gateway.settings;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": {
            "supported": true,
            "maxOperations": settings.max_bulk_operations,
            "maxPayloadSize": settings.max_bulk_body,
        },
        "filter": { "supported": true, "maxResults": settings.max_page_size },
        "changePassword": { "supported": false },
        "sort": { "supported": true },
        "etag": { "supported": true },
        // RFC 9865. Cursors do not expire, so no time is told for them.
        "pagination": {
            "cursor": true,
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": settings.page_size.min(settings.max_page_size),
            "maxPageSize": settings.max_page_size,
        },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A bearer token made for this gateway, in the Authorization header",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": { "resourceType": "ServiceProviderConfig", "location": call.base.at("ServiceProviderConfig") },
    });
    Ok(answer::json(StatusCode::OK, &body))
}

pub(crate) async fn resource_types(Discovery(call): Discovery) -> Result<Response, Problem> {
    list(&call, "ResourceTypes", call.schemas().resource_types())
}

pub(crate) async fn resource_type(Discovery(call): Discovery, Id(name): Id) -> Result<Response, Problem> {
    one(&call, "ResourceTypes", call.schemas().resource_types(), &name)
}

pub(crate) async fn schemas(Discovery(call): Discovery) -> Result<Response, Problem> {
    list(&call, "Schemas", call.schemas().documents())
}

pub(crate) async fn schema(Discovery(call): Discovery, Id(urn): Id) -> Result<Response, Problem> {
    one(&call, "Schemas", call.schemas().documents(), &urn)
}

/// All of them, whatever page is asked for: there are few.
fn list(call: &Call, folder: &str, documents: Vec<Value>) -> Result<Response, Problem> {
    refuse_filter(call)?;
    let documents: Vec<Value> = documents
        .into_iter()
        .map(|document| located(call, folder, document))
        .collect();
    let total = i64::try_from(documents.len()).unwrap_or(i64::MAX);
    Ok(answer::json(
        StatusCode::OK,
        &answer::list(total, &Paged::Index(1), documents),
    ))
}

fn one(call: &Call, folder: &str, documents: Vec<Value>, name: &str) -> Result<Response, Problem> {
    refuse_filter(call)?;
    let found = documents
        .into_iter()
        .find(|document| key(document).eq_ignore_ascii_case(name));
    let document = found.ok_or_else(|| Problem::not_found(format!("There is no such document below /{folder}.")))?;
    Ok(answer::json(StatusCode::OK, &located(call, folder, document)))
}

/// RFC 7644 §4: a filter on these endpoints is answered with 403, so that nobody takes the whole for a selection.
fn refuse_filter(call: &Call) -> Result<(), Problem> {
    match call.query.filter {
        Some(_) => Err(Problem::forbidden(
            "Discovery documents cannot be filtered; leave the filter out.",
        )),
        None => Ok(()),
    }
}

/// A schema is known by its URN, a resource type by its name; both call it `id`, where a resource type has one.
fn key(document: &Value) -> &str {
    document
        .get("id")
        .or_else(|| document.get("name"))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn located(call: &Call, folder: &str, mut document: Value) -> Value {
    let location = call.base.at(&format!("{folder}/{}", key(&document)));
    document["meta"]["location"] = location.into();
    document
}
