//! The one moment that matters most, met each time: the Platform has done what it was asked, and whoever asked dies before
//! the answer comes. What is in doubt is found again, under its intent or its link, and never done twice or taken for
//! somebody else's (P2).

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{ADAPTER, IDENTITY, Victim};
use crate::{
    deployment::{Scim, TOKEN, group, user},
    processes::{PATIENCE, Services},
};

/// Every call by which the Platform is changed.
const WRITES: [&str; 8] = [
    "CDirectoryService/CreateUser",
    "CDirectoryService/ChangeUser",
    "CDirectoryService/SetUserState",
    "UserMgmt/RemoveUsers",
    "Roles/StoreRole",
    "Roles/UpdateRole",
    "SaasManage/AddUsersAndGroupsToRole",
    "SaasManage/DeleteRole",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_before_the_asker_died_is_not_done_twice() {
    let mut services = Services::start(&[]).await;
    let scim = Scim::at(services.scim_base(), TOKEN);
    let platform = services.platform_side();

    let rounds: [(&str, &[Victim]); 3] = [
        ("adapter", &[ADAPTER]),
        ("identity", &[IDENTITY]),
        ("both", &[IDENTITY, ADAPTER]),
    ];
    for (round, victims) in rounds {
        let name = |what: &str| format!("{what}.{round}@kills.example");
        let title = |what: &str| format!("{what} {round}");
        let renamed = scim.create_user(&name("renamed")).await;
        let disabled = scim.create_user(&name("disabled")).await;
        let deleted = scim.create_user(&name("deleted")).await;
        let joining = scim.create_user(&name("joining")).await;
        let joined = scim.create_group::<&str>(&title("joined"), &[]).await;
        let retitled = scim.create_group::<&str>(&title("retitled"), &[]).await;
        let dissolved = scim.create_group::<&str>(&title("dissolved"), &[]).await;
        services.settled().await;

        for method in WRITES {
            platform
                .fault(json!({"method": method, "fault": "slow", "delay_ms": 1500}))
                .await;
        }
        let created = scim.create("/Users", &user(&name("created"))).await;
        let founded = scim.create("/Groups", &group::<&str>(&title("founded"), &[])).await;
        let new_name = json!({"op": "Replace", "path": "userName", "value": name("anew")});
        let inactive = json!({"op": "Replace", "path": "active", "value": "False"});
        let member = json!({"op": "Add", "path": "members", "value": [{"value": joining}]});
        let new_title = json!({"op": "Replace", "path": "displayName", "value": title("anew")});
        for (path, operation) in [
            (format!("/Users/{renamed}"), new_name),
            (format!("/Users/{disabled}"), inactive),
            (format!("/Groups/{joined}"), member),
            (format!("/Groups/{retitled}"), new_title),
        ] {
            let answer = scim.patch(&path, operation).await;
            assert!(answer.status.is_success(), "{answer:?}");
        }
        for path in [format!("/Users/{deleted}"), format!("/Groups/{dissolved}")] {
            scim.delete(&path).await.expect(204);
        }

        // All eight are done, and the answers are on their way.
        let wanted = Wanted {
            users: ["created", "anew", "disabled", "joining"].map(name).into(),
            groups: ["founded", "joined", "anew"].map(title).into(),
            disabled: name("disabled"),
            joined: title("joined"),
        };
        let began = Instant::now();
        while !wanted.stands(&platform.state().await, round) {
            let patience = began.elapsed() < PATIENCE;
            assert!(patience, "{round}: {:#}", platform.state().await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for victim in victims {
            victim(&mut services).kill().await;
        }
        platform.no_faults().await;
        for victim in victims {
            victim(&mut services).start();
        }
        services.ready().await;
        services.settled().await;
        let state = platform.state().await;
        assert!(wanted.stands(&state, round), "{round}: {state:#}");

        // Both are known as ours: a later change reaches the same account and the same group.
        let known = json!({"op": "Replace", "path": "displayName", "value": title("known")});
        for path in [format!("/Users/{created}"), format!("/Groups/{founded}")] {
            let answer = scim.patch(&path, known.clone()).await;
            assert!(answer.status.is_success(), "{answer:?}");
        }
        services.settled().await;
        assert_eq!(platform.account(&name("created")).await["DisplayName"], title("known"));
        platform.group(&title("known")).await;
        assert!(!platform.group_names().await.contains(&title("founded")), "{round}");
    }
    let log = services.identity.log();
    let refused = log.lines().find(|line| line.contains(" was refused"));
    assert_eq!(refused, None);
}

/// What a round wants the Platform to hold.
struct Wanted {
    users: BTreeSet<String>,
    groups: BTreeSet<String>,
    disabled: String,
    joined: String,
}

impl Wanted {
    /// Whether the round's accounts and groups are these, each once.
    fn stands(&self, state: &Value, round: &str) -> bool {
        let of_round = |kind: &str| {
            let objects = state[kind].as_array().unwrap().iter();
            let named = objects.filter(|object| object["Name"].as_str().unwrap().contains(round));
            named.cloned().collect::<Vec<_>>()
        };
        let names = |objects: &[Value]| {
            let names = objects.iter().map(|object| object["Name"].as_str().unwrap().to_owned());
            names.collect::<Vec<_>>()
        };
        let (users, groups) = (of_round("users"), of_round("groups"));
        let once = |mut found: Vec<String>, wanted: &BTreeSet<String>| {
            found.sort_unstable();
            found.iter().eq(wanted)
        };
        let is_disabled = |user: &Value| user["State"].as_str().unwrap().contains("Disabled");
        once(names(&users), &self.users)
            && once(names(&groups), &self.groups)
            && users
                .iter()
                .all(|user| is_disabled(user) == (user["Name"] == self.disabled.as_str()))
            && groups.iter().all(|group| {
                let members = group["Members"].as_array().unwrap().len();
                members == usize::from(group["Name"] == self.joined.as_str())
            })
    }
}
