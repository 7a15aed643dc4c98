//! The calls that read accounts: one by id or by name, or all local ones as a bare array.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::Call;
use super::users::{known, local, required};
use crate::envelope::{self, Done, Failure, Outcome};
use crate::platform::Platform;
use crate::records::{Group, User};

pub(super) fn get(call: &Call<'_>) -> Outcome {
    let id = required(call, "ID")?;
    let user = call.platform.read(|state| local(state, call.profile, &id).cloned())?;
    Ok(Done::read(attributes_of(&call.platform.seen(&user))).about(&user.id))
}

pub(super) fn get_by_name(call: &Call<'_>) -> Outcome {
    let name = required(call, "username")?;
    let found = call
        .platform
        .read(|state| state.user_named(&name).filter(|user| user.is_local()).cloned());
    let user = found.ok_or_else(|| Failure::new(&call.profile.texts.unknown_user, &name))?;
    Ok(Done::read(attributes_of(&call.platform.seen(&user))).about(&user.id))
}

pub(super) fn attributes(call: &Call<'_>) -> Outcome {
    let id = required(call, "ID")?;
    let user = call.platform.read(|state| known(state, call.profile, &id).cloned())?;
    let mut attributes = attributes_of(&call.platform.seen(&user));
    if let Value::Object(attributes) = &mut attributes
        && !call.profile.attributes_identify
    {
        attributes.retain(|name, _| !matches!(name.as_str(), "ID" | "Uuid" | "Name"));
    }
    Ok(Done::read(attributes).about(&user.id))
}

pub(super) fn is_cloud_locked(call: &Call<'_>) -> Outcome {
    let id = required(call, "user")?;
    let user = call.platform.read(|state| known(state, call.profile, &id).cloned())?;
    Ok(Done::read(json!(user.cloud_locked)).about(&user.id))
}

/// The groups that an account is in directly.
pub(super) fn roles_and_rights(call: &Call<'_>) -> Outcome {
    let id = required(call, "id")?;
    let rows = call.platform.read(|state| {
        let user = known(state, call.profile, &id)?;
        let row = |group: &Arc<Group>| (group.id.clone(), json!({ "ID": group.id, "Name": group.name }));
        Ok::<Vec<_>, Failure>(state.groups_of(&user.id).map(row).collect())
    })?;
    let full_count = call.profile.full_count.then_some(rows.len());
    let columns = ["ID", "Name"].map(str::to_owned);
    Ok(Done::read(envelope::rows("Role", &columns, full_count, rows)).about(&id))
}

/// All local accounts as one bare JSON array, written piece by piece.
pub(super) fn list_local(platform: &Platform) -> Response {
    const PORTION: usize = 500;
    let users: Vec<(Arc<User>, Vec<Arc<Group>>)> = platform.read(|state| {
        let local = state.users().filter(|user| user.is_local());
        local
            .map(|user| (platform.seen(user), state.groups_of(&user.id).cloned().collect()))
            .collect()
    });
    let portions = users.len().div_ceil(PORTION).max(1);
    let pieces = stream::iter((0..portions).map(move |n| {
        let mut text = String::from(if n == 0 { "[" } else { "" });
        let end = users.len().min((n + 1) * PORTION);
        for (at, (user, groups)) in users[n * PORTION..end].iter().enumerate() {
            if n + at > 0 {
                text.push(',');
            }
            text.push_str(&entity(user, groups).to_string());
        }
        if n + 1 == portions {
            text.push(']');
        }
        Ok::<_, std::convert::Infallible>(Bytes::from(text))
    }));
    let mut response = Response::new(Body::from_stream(pieces));
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    response
}

fn entity(user: &User, groups: &[Arc<Group>]) -> Value {
    json!({
        "Uuid": user.id,
        "Name": user.name,
        "DisplayName": user.display_name,
        "Email": user.mail,
        "State": user.state,
        "CloudLockedState": if user.cloud_locked { "Locked" } else { "None" },
        "Type": "User",
        "ServiceUser": user.service_user,
        "Visibility": "Visible",
        "PlatformUserMembershipType": "Employee",
        "DistinguishedName": user.name,
        "DirectoryServiceUuid": user.directory_uuid(),
        "DirectoryServiceName": user.source_ds,
        "DirectoryInstanceName": "Delinea Directory",
        "EffectiveGroups": groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(),
        "UpdateType": "Full",
        "Stamp": user.version,
    })
}

fn attributes_of(user: &User) -> Value {
    let date = format!("/Date({})/", user.create_date);
    json!({
        "ID": user.id,
        "Uuid": user.id,
        "Name": user.name,
        "Mail": user.mail,
        "DisplayName": user.display_name,
        "Description": user.description,
        "State": user.state,
        "CloudState": user.state,
        "InEverybodyRole": user.in_everybody_role,
        "ServiceUser": user.service_user,
        "OauthClient": user.oauth_client,
        "PasswordNeverExpire": user.password_never_expire,
        "ForcePasswordChangeNext": user.force_password_change_next,
        "OfficeNumber": user.office_number,
        "HomeNumber": user.home_number,
        "MobileNumber": user.mobile_number,
        "ReportsTo": user.reports_to,
        "AccountExp": user.account_exp,
        "CmaRedirectedUser": "",
        "CmaRedirectedUserUuid": user.cma_redirected_user_uuid,
        "Alias": user.name.rsplit_once('@').map_or("", |(_, suffix)| suffix),
        "PreferredCulture": user.preferred_culture,
        "Version": user.version.to_string(),
        "directoryServiceUuid": user.directory_uuid(),
        "PictureUri": Value::Null,
        "CreateDate": date,
        "LastPasswordChangeDate": date,
        "SubjectToCloudLocks": true,
    })
}
