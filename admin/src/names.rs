//! What people call a resource, and its id: one from the other, as identity-service knows them.

use futures_util::{StreamExt, stream};
use proto::identity::v1::{Delivery, GetGroupRequest, GetUserRequest, ListGroupsRequest, ListUsersRequest};
use tonic::Code;

use crate::{error::Error, service::Service};

/// How many names are asked for at a time.
const AT_A_TIME: usize = 16;

/// The delivery of each of these resources, which are named by people. Fails with the first that there is not.
pub(crate) async fn find(service: &Service, resources: &[String]) -> Result<Vec<Delivery>, Error> {
    let mut found: Vec<Delivery> = Vec::new();
    for resource in resources {
        let delivery = service.delivery(&id_of(service, resource).await?).await?;
        // The same one may be named twice.
        if found.iter().all(|known| known.resource_id != delivery.resource_id) {
            found.push(delivery);
        }
    }
    Ok(found)
}

/// The id of what a person calls so.
pub(crate) async fn id_of(service: &Service, resource: &str) -> Result<String, Error> {
    if is_id(resource) {
        return Ok(resource.to_ascii_lowercase());
    }
    // A filter's text is a JSON string (RFC 7644 §3.4.2.2).
    let filter = |attribute: &str| Some(format!("{attribute} eq {}", serde_json::Value::from(resource)));
    let users = ListUsersRequest {
        tenant: service.tenant.clone(),
        filter: filter("userName"),
        page_size: Some(2),
        ..ListUsersRequest::default()
    };
    let groups = ListGroupsRequest {
        tenant: service.tenant.clone(),
        filter: filter("displayName"),
        page_size: Some(2),
        ..ListGroupsRequest::default()
    };
    let users = service.answer(service.users().list_users(users).await)?.users;
    let groups = service.answer(service.groups().list_groups(groups).await)?.groups;
    let users = users.into_iter().filter_map(|user| Some(("User", user.id?)));
    let groups = groups.into_iter().filter_map(|group| Some(("Group", group.id?)));
    let mut found: Vec<_> = users.chain(groups).collect();
    match (found.pop(), found.as_slice()) {
        (None, _) => Err(Error::NotFound(format!(
            "no user or group is called {resource:?}; what was deleted goes by its id"
        ))),
        (Some((_, id)), []) => Ok(id),
        (Some(last), others) => {
            let all = others.iter().chain([&last]);
            let all: Vec<_> = all.map(|(kind, id)| format!("{kind} {id}")).collect();
            let all = all.join(", ");
            Err(Error::Usage(format!(
                "{resource:?} is the name of more than one: {all}; say which by its id"
            )))
        }
    }
}

/// Whether it has the form of an id: a UUID with its hyphens.
fn is_id(text: &str) -> bool {
    let hyphens = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match byte {
            b'-' => hyphens.contains(&place),
            _ => byte.is_ascii_hexdigit() && !hyphens.contains(&place),
        })
}

/// What each of these is called, in the same order; empty for what is gone.
pub(crate) async fn of(service: &Service, deliveries: &[Delivery]) -> Result<Vec<String>, Error> {
    let names = stream::iter(deliveries).map(|delivery| name(service, delivery));
    let names: Vec<_> = names.buffered(AT_A_TIME).collect().await;
    names.into_iter().collect()
}

/// What it is called; empty when it is gone.
pub(crate) async fn name(service: &Service, delivery: &Delivery) -> Result<String, Error> {
    if delivery.deleted {
        return Ok(String::new());
    }
    of_resource(service, &delivery.resource_type, &delivery.resource_id).await
}

/// What a resource of that type is called; empty when it is gone.
pub(crate) async fn of_resource(service: &Service, resource_type: &str, id: &str) -> Result<String, Error> {
    let (tenant, id) = (service.tenant.clone(), id.to_owned());
    let name = if resource_type == "Group" {
        let answer = service.groups().get_group(GetGroupRequest { tenant, id }).await;
        answer.map(|answer| answer.into_inner().group.and_then(|group| group.display_name))
    } else {
        let include_groups = false;
        let request = GetUserRequest {
            tenant,
            id,
            include_groups,
        };
        let answer = service.users().get_user(request).await;
        answer.map(|answer| answer.into_inner().user.and_then(|user| user.user_name))
    };
    match name {
        Ok(name) => Ok(name.unwrap_or_default()),
        // It went since it was listed.
        Err(status) if status.code() == Code::NotFound => Ok(String::new()),
        Err(status) => Err(service.failed(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_told_from_a_name() {
        assert!(is_id("01890a5d-ac96-774b-bcce-b302099a8057"));
        assert!(is_id("01890A5D-AC96-774B-BCCE-B302099A8057"));
        for name in [
            "",
            "odile@kestrel.example",
            "01890a5dac96774bbcceb302099a8057",
            "01890a5d-ac96-774b-bcce-b302099a805g",
            "01890a5d-ac96-774b-bcce-b302099a80-7",
        ] {
            assert!(!is_id(name), "{name}");
        }
    }
}
