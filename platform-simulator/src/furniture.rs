//! What a tenant has before anybody makes anything.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::platform::{ADMIN_ID, CALLER_ID};
use crate::profile::Profile;
use crate::records::{EVERYBODY, Kind, Member, SYSADMIN, User};
use crate::state::{Op, State};

/// What every tenant has, where it is missing: the caller with this login name, an administrator, and the built-in groups.
pub(crate) fn furniture(client_id: &str, state: &State) -> Vec<Op> {
    let suffix = client_id.rsplit_once('@').map_or("example.com", |(_, suffix)| suffix);
    let account = |id: &str, name: String, display_name: &str, service_user| User {
        id: id.to_owned(),
        mail: name.clone(),
        name,
        display_name: display_name.to_owned(),
        state: "None".to_owned(),
        service_user,
        oauth_client: service_user,
        source_ds: "CDS".to_owned(),
        built_in: true,
        create_date: Timestamp::now().as_millisecond(),
        version: 1,
        ..User::default()
    };
    let group = |id: &str, name: &str, description: &str| Op::Group {
        id: id.to_owned(),
        name: name.to_owned(),
        description: description.to_owned(),
        built_in: true,
    };
    let mut ops = Vec::new();
    if state.group(EVERYBODY).is_none() {
        ops.push(group(EVERYBODY, "Everybody", "All users"));
    }
    if state.group(SYSADMIN).is_none() {
        ops.push(group(SYSADMIN, "System Administrator", "Full access to the tenant"));
    }
    match state.user(CALLER_ID) {
        // The settings name the service user; what an old folder calls it is of no use to anybody.
        Some(caller) if caller.name != client_id => {
            let caller = User {
                name: client_id.to_owned(),
                mail: client_id.to_owned(),
                version: caller.version + 1,
                ..User::clone(caller)
            };
            ops.push(Op::User(Arc::new(caller)));
        }
        Some(_) => {}
        None => {
            let caller = account(CALLER_ID, client_id.to_owned(), "SCIM Gateway", true);
            ops.push(Op::User(Arc::new(caller)));
        }
    }
    if state.user(ADMIN_ID).is_none() {
        let admin = account(ADMIN_ID, format!("cloudadmin@{suffix}"), "Cloud Administrator", false);
        ops.push(Op::User(Arc::new(User {
            in_everybody_role: true,
            ..admin
        })));
        let member = Member {
            guid: ADMIN_ID.to_owned(),
            kind: Kind::User,
        };
        for group in [EVERYBODY, SYSADMIN] {
            ops.push(Op::Members {
                group: group.to_owned(),
                add: vec![member.clone()],
                remove: Vec::new(),
            });
        }
    }
    ops
}

/// Makes the accounts that the profile's federation has, where they are missing.
pub(crate) fn federated(profile: &Profile, state: &State) -> Vec<Op> {
    let missing = profile
        .federated_accounts
        .iter()
        .filter(|name| state.namesake(name, false).is_none());
    let account = |name: &String| {
        Op::User(Arc::new(User {
            id: Uuid::new_v4().to_string(),
            name: name.clone(),
            mail: name.clone(),
            display_name: name.split('@').next().unwrap_or_default().replace('.', " "),
            state: "None".to_owned(),
            source_ds: "FDS".to_owned(),
            create_date: Timestamp::now().as_millisecond(),
            version: 1,
            ..User::default()
        }))
    };
    missing.map(account).collect()
}
