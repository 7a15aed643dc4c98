//! Groups from the SCIM request to the group on the Platform: the main use cases. Membership has a module of its own.

mod members;

use entra_simulator::{Directory, Knobs};
use serde_json::json;

use crate::deployment::{Deployment, Setup, group};

const RACK: &str = "Rack Operators";

fn at(id: &str) -> String {
    format!("/Groups/{id}")
}

#[tokio::test]
async fn entra_provisions_a_group() {
    let it = Deployment::start().await;
    let query = "/Groups?excludedAttributes=members&filter=displayName+eq+%22Rack+Operators%22";
    assert_eq!(it.scim.get(query).await.expect(200)["totalResults"], 0);
    let none: [&str; 0] = [];
    let answer = it.scim.post("/Groups", &group(RACK, &none)).await;
    let location = answer.header("location").to_owned();
    let created = answer.expect(201);
    let id = created["id"].as_str().unwrap();
    assert_eq!(location, format!("{}/Groups/{id}", it.scim.base()));
    assert_eq!(
        [&created["displayName"], &created["externalId"]],
        [RACK, "external id of Rack Operators"]
    );
    assert_eq!(
        created["schemas"],
        json!(["urn:ietf:params:scim:schemas:core:2.0:Group"])
    );
    let user = it.scim.create_user("odile@kestrel.example").await;
    it.scim
        .patch(
            &at(id),
            json!({"op": "Add", "path": "members", "value": [{"$ref": null, "value": user}]}),
        )
        .await
        .expect(204);
    it.settled().await;
    assert_eq!(it.platform.group_names().await, [RACK]);
    assert_eq!(
        it.platform.members(RACK).await,
        ["odile@kestrel.example".to_owned()].into()
    );

    // R04, R05: found in any letter case, without its members; with them when they are asked for.
    let found = it.scim.get(&query.replace("Rack", "RACK")).await.expect(200);
    assert_eq!(found["Resources"][0]["id"], id);
    for brief in [
        &found["Resources"][0],
        &it.scim
            .get(&format!("{}?excludedAttributes=members", at(id)))
            .await
            .expect(200),
    ] {
        assert_eq!(brief.get("members"), None);
        assert_eq!(brief["displayName"], RACK);
    }
    let whole = it.scim.get(&at(id)).await.expect(200);
    assert_eq!(whole["members"][0]["value"], user.as_str());
    assert_eq!(whole["members"][0]["$ref"], format!("{}/Users/{user}", it.scim.base()));
    // R06, and the user's side.
    for attribute in ["members", "members.value"] {
        let found = it
            .scim
            .find("/Groups", &format!("id eq \"{id}\" and {attribute} eq \"{user}\""))
            .await;
        assert_eq!(found.len(), 1, "{attribute}");
    }
    assert_eq!(
        it.scim
            .find("/Groups", &format!("members[value eq \"{user}\"]"))
            .await
            .len(),
        1
    );
    assert_eq!(
        it.scim
            .find("/Groups", "externalId eq \"external id of Rack Operators\"")
            .await
            .len(),
        1
    );
    let shown = it.scim.get(&format!("/Users/{user}")).await.expect(200);
    assert_eq!(shown["groups"][0]["value"], id);
    assert_eq!(shown["groups"][0]["display"], RACK);
}

#[tokio::test]
async fn a_group_is_provisioned_on_demand() {
    let it = Deployment::start().await;
    let mut directory = Directory::generate(3, 12, 1);
    directory
        .users
        .values_mut()
        .for_each(|user| user.account_enabled = true);
    let wanted = directory.groups.values().next().unwrap().clone();
    let chosen: Vec<_> = wanted
        .members
        .iter()
        .take(3)
        .map(|id| directory.users[id].clone())
        .collect();
    let names: Vec<_> = chosen.iter().map(|user| user.user_principal_name.as_str()).collect();
    let mut job = it.job(Knobs::default());
    for _ in 0..2 {
        let report = job
            .provision_group_on_demand(&directory, &wanted.display_name, &names)
            .await
            .unwrap();
        assert!(report.is_success(), "{report:?}");
        it.settled().await;
        assert_eq!(it.platform.group_names().await, [&*wanted.display_name]);
        let members = it.platform.members(&wanted.display_name).await;
        assert_eq!(members, names.iter().map(|name| (*name).to_owned()).collect());
    }
    assert_eq!(
        job.client().counts().writes(),
        1 + 3 + 3,
        "the second time sends no write"
    );
}

#[tokio::test]
async fn a_group_is_renamed_in_every_shape() {
    let it = Deployment::start().await;
    let user = it.scim.create_user("odile@kestrel.example").await;
    let id = it.scim.create_group(RACK, &[&user]).await;
    it.settled().await;
    let platform_id = it.platform.group(RACK).await["ID"].clone();
    for (name, operation) in [
        ("East", json!({"op": "Replace", "path": "displayName", "value": "East"})),
        ("West", json!({"op": "replace", "value": {"displayName": "West"}})),
        ("north", json!({"op": "Add", "path": "displayName", "value": "north"})),
        (
            "Rack Operators",
            json!({"op": "replace", "value": {"externalId": "other", "displayName": "Rack Operators"}}),
        ),
    ] {
        it.scim.patch(&at(&id), operation).await.expect(204);
        it.settled().await;
        assert_eq!(it.platform.group(name).await["ID"], platform_id);
        assert_eq!(it.platform.group_names().await, [name]);
        assert_eq!(
            it.platform.members(name).await.len(),
            1,
            "a path-less replace leaves the members alone"
        );
    }
    assert_eq!(it.scim.get(&at(&id)).await.expect(200)["externalId"], "other");

    // The name is unique in any letter case, among ours; and the Platform's say counts for those that are not ours.
    let second = it.scim.create_group("Second", &[&user]).await;
    let none: [&str; 0] = [];
    for answer in [
        it.scim.post("/Groups", &group("RACK operators", &none)).await,
        it.scim
            .patch(
                &at(&second),
                json!({"op": "Replace", "path": "displayName", "value": "rack OPERATORS"}),
            )
            .await,
        it.scim.put(&at(&second), &group(RACK, &none)).await,
    ] {
        assert!(answer.error(409, "uniqueness").contains("displayName"));
    }
    it.platform.strange_group("Foreign", &[]).await;
    it.settled().await;
    it.scim
        .patch(
            &at(&second),
            json!({"op": "Replace", "path": "displayName", "value": "Foreign"}),
        )
        .await
        .expect(204);
    it.settled().await;
    assert_eq!(it.refused().await[0].resource_id, second);
    assert!(it.platform.members("Foreign").await.is_empty());
    assert_eq!(it.platform.members("Second").await.len(), 1);
}

#[tokio::test]
async fn a_deleted_group_is_gone_and_its_name_is_free() {
    let it = Deployment::start().await;
    let user = it.scim.create_user("odile@kestrel.example").await;
    let id = it.scim.create_group(RACK, &[&user]).await;
    it.settled().await;
    let platform_id = it.platform.group(RACK).await["ID"].clone();
    it.scim.delete(&at(&id)).await.expect(204);
    it.scim.delete(&at(&id)).await.error(404, "");
    assert_eq!(
        it.scim.get(&format!("/Users/{user}")).await.expect(200).get("groups"),
        None
    );
    it.settled().await;
    assert!(it.platform.group_names().await.is_empty());

    let none: [&str; 0] = [];
    let again = it.scim.create_group(RACK, &none).await;
    it.settled().await;
    assert_ne!(again, id);
    assert_ne!(it.platform.group(RACK).await["ID"], platform_id);
    assert!(it.platform.members(RACK).await.is_empty());
}

/// The Platform is away while a group is deleted and created again: there is one group in the end, with the members of
/// the new one and nobody else.
#[tokio::test]
async fn a_group_created_again_in_a_hurry_has_its_own_members_only() {
    let it = Deployment::start().await;
    let (old, new) = (
        it.scim.create_user("old@kestrel.example").await,
        it.scim.create_user("new@kestrel.example").await,
    );
    let id = it.scim.create_group(RACK, &[&old]).await;
    it.settled().await;
    it.platform.fault(json!({"method": "*", "fault": "unavailable"})).await;
    it.scim.delete(&at(&id)).await.expect(204);
    it.delivered(&id, |delivery| delivery.deleted && delivery.attempts > 0)
        .await;
    it.scim.create_group("rack operators", &[&new]).await;
    it.platform.no_faults().await;
    it.settled().await;
    assert_eq!(it.refused().await, []);
    assert_eq!(it.platform.groups().await.len(), 1);
    assert_eq!(
        it.platform.members(RACK).await,
        ["new@kestrel.example".to_owned()].into()
    );

    // And with fast hands.
    it.platform.profile(json!({"latency_ms": 3})).await;
    let mut id = it.scim.find("/Groups", "displayName eq \"Rack Operators\"").await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for round in 0..10 {
        it.scim.delete(&at(&id)).await.expect(204);
        id = it
            .scim
            .create_group(RACK, &[if round % 2 == 0 { &old } else { &new }])
            .await;
    }
    it.settled().await;
    assert_eq!(it.refused().await, []);
    assert_eq!(it.platform.groups().await.len(), 1);
    assert_eq!(
        it.platform.members(RACK).await,
        ["new@kestrel.example".to_owned()].into()
    );
}

#[tokio::test]
async fn a_group_that_exists_already_is_adopted_by_the_rules_only() {
    for (flag, adopted) in [("--adopt=never", &[][..]), ("--adopt=matching", &["Empty"][..])] {
        let it = Setup::default().identity(&[flag]).start().await;
        it.platform.strangers(&["stranger@kestrel.example"]).await;
        let empty = it.platform.strange_group("Empty", &[]).await;
        it.platform.strange_group("Full", &["stranger@kestrel.example"]).await;
        let user = it.scim.create_user("odile@kestrel.example").await;
        for name in ["Empty", "Full", "System Administrator", "Everybody"] {
            it.scim.create_group(name, &[&user]).await;
        }
        it.settled().await;
        assert_eq!(it.refused().await.len(), 4 - adopted.len(), "{flag}");
        assert_eq!(it.platform.groups().await.len(), 2, "{flag}: never doubled");
        assert_eq!(it.platform.group("Empty").await["ID"], empty.as_str());
        assert_eq!(it.platform.members("Empty").await.len(), adopted.len(), "{flag}");
        assert_eq!(
            it.platform.members("Full").await,
            ["stranger@kestrel.example".to_owned()].into(),
            "{flag}"
        );
        let admins = it.platform.state().await["groups"].clone();
        let admins = admins
            .as_array()
            .unwrap()
            .iter()
            .find(|group| group["ID"] == "sysadmin")
            .unwrap()
            .clone();
        assert_eq!(admins["Members"].as_array().unwrap().len(), 1, "{flag}");
    }
    let it = Setup::default().adopt_listed("full\n").start().await;
    it.platform.strangers(&["stranger@kestrel.example"]).await;
    it.platform.strange_group("Full", &["stranger@kestrel.example"]).await;
    let user = it.scim.create_user("odile@kestrel.example").await;
    let id = it.scim.create_group("Full", &[&user]).await;
    it.settled().await;
    assert_eq!(it.refused().await, []);
    assert_eq!(
        it.platform.members("Full").await.len(),
        2,
        "members of another's hand stay"
    );
    it.scim
        .patch(&at(&id), json!({"op": "remove", "path": "members"}))
        .await
        .expect(204);
    it.settled().await;
    assert_eq!(
        it.platform.members("Full").await,
        ["stranger@kestrel.example".to_owned()].into()
    );
}

#[tokio::test]
async fn put_replaces_the_whole_group() {
    let it = Deployment::start().await;
    let users = [
        it.scim.create_user("a@kestrel.example").await,
        it.scim.create_user("b@kestrel.example").await,
        it.scim.create_user("c@kestrel.example").await,
    ];
    let id = it.scim.create_group(RACK, &users[..2]).await;
    it.settled().await;
    let read = it.scim.get(&at(&id)).await.expect(200);
    let calls = it.platform.calls().await;
    let same = it.scim.put(&at(&id), &read).await.expect(200);
    assert_eq!(same["meta"]["version"], "W/\"1\"");
    it.settled().await;
    assert_eq!(it.platform.calls().await, calls);
    it.scim.put(&at(&id), &group("Racks", &users[1..])).await.expect(200);
    it.settled().await;
    assert_eq!(it.platform.group_names().await, ["Racks"]);
    let members = it.platform.members("Racks").await;
    assert_eq!(
        members,
        ["b@kestrel.example", "c@kestrel.example"].map(str::to_owned).into()
    );
    // Without a word about members there are none (RFC 7644 §3.5.1).
    it.scim
        .put(&at(&id), &json!({"displayName": "Racks"}))
        .await
        .expect(200);
    it.settled().await;
    assert!(it.platform.members("Racks").await.is_empty());
}
