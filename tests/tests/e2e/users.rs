//! Users from the SCIM request to the account on the Platform: the main use cases. What concerns names that come back,
//! accounts that were there before, and the protocol itself stands in modules of its own.

mod adoption;
pub(crate) mod audit;
mod changes;
mod manager;
mod ownership;
mod protocol;
mod recreation;

use entra_simulator::{Dialect, Directory, Knobs, VerifyOptions, verify};
use serde_json::{Value, json};

use crate::deployment::{Answer, BUILT_IN, Deployment, profile, user};

const ODILE: &str = "odile@kestrel.example";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn at(id: &str) -> String {
    format!("/Users/{id}")
}

#[tokio::test]
async fn entra_provisions_a_user() {
    let it = Deployment::start().await;
    // R01, R03: a search that finds nothing is a list, never a 404.
    assert!(
        it.scim
            .find("/Users", &format!("userName eq \"{ODILE}\""))
            .await
            .is_empty()
    );

    let answer = it.scim.post("/Users", &user(ODILE)).await;
    let (location, etag) = (answer.header("location").to_owned(), answer.header("etag").to_owned());
    let created = answer.expect(201);
    let id = created["id"].as_str().unwrap();
    assert_eq!(location, format!("{}/Users/{id}", it.scim.base()));
    assert_eq!(created["meta"]["location"], location.as_str());
    assert_eq!(created["meta"]["version"], etag.as_str());
    for attribute in [
        "userName",
        "externalId",
        "active",
        "displayName",
        "title",
        "preferredLanguage",
        "name",
        ENTERPRISE,
    ] {
        assert_eq!(
            created[attribute],
            user(ODILE)[attribute],
            "{attribute} is echoed as it was sent"
        );
    }
    assert_eq!(created["emails"][0]["value"], "odile@mail.example");
    assert_eq!(created["phoneNumbers"].as_array().unwrap().len(), 2);

    it.settled().await;
    let account = it.platform.account(ODILE).await;
    let expected = json!({
        "Name": ODILE, "DisplayName": "The person odile", "Mail": "odile@mail.example", "State": "None",
        "OfficeNumber": "5145550117", "MobileNumber": "5145550118", "HomeNumber": "", "PreferredCulture": "fr-CA",
        "ReportsTo": "", "InEverybodyRole": true, "ServiceUser": false, "OauthClient": false,
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&account[field], value, "{field}");
    }
    // The next cycle finds the user by that name in any letter case, and reads what it wrote.
    let found = it.scim.find("/Users", "userName eq \"ODILE@Kestrel.Example\"").await;
    assert_eq!(found, [it.scim.get(&at(id)).await.expect(200)]);
    assert_eq!(found[0]["id"], id);
    let delivery = it.delivery(id).await.unwrap();
    assert_eq!(delivery.platform_id, account["ID"].as_str().map(profile::kept));
    assert_eq!((delivery.version, delivery.applied_version), (1, 1));
}

#[tokio::test]
async fn a_user_is_provisioned_on_demand() {
    let it = Deployment::start().await;
    let mut directory = Directory::generate(5, 8, 0);
    directory
        .users
        .values_mut()
        .for_each(|user| user.account_enabled = true);
    let person = directory
        .users
        .values()
        .find(|user| user.manager.is_some())
        .unwrap()
        .clone();
    let manager = directory.users[person.manager.as_ref().unwrap()].clone();
    let mut job = it.job(Knobs::default());

    for name in [&manager.user_principal_name, &person.user_principal_name] {
        let report = job.provision_user_on_demand(&directory, name).await.unwrap();
        assert!(report.is_success(), "{report:?}");
    }
    it.settled().await;
    let (account, boss) = (
        it.platform.account(&person.user_principal_name).await,
        it.platform.account(&manager.user_principal_name).await,
    );
    assert_eq!(account["DisplayName"], person.display_name.as_str());
    if profile::holds_managers() {
        assert_eq!(account["ReportsTo"], boss["ID"]);
    }
    assert_eq!(it.platform.names().await.len(), 2, "nobody else was provisioned");

    // Once more changes nothing: no write, and no call to the Platform (P7).
    let (writes, calls) = (job.client().counts().writes(), it.platform.calls().await);
    job.provision_user_on_demand(&directory, &person.user_principal_name)
        .await
        .unwrap();
    it.settled().await;
    assert_eq!(job.client().counts().writes(), writes);
    assert_eq!(it.platform.calls().await, calls);
}

#[tokio::test]
async fn whole_cycles_in_both_dialects_agree_and_a_second_writes_nothing() {
    for dialect in [Dialect::Default, Dialect::Flagged] {
        let it = Deployment::start().await;
        let mut directory = Directory::generate(11, 20, 4);
        let mut job = it.job(Knobs {
            dialect,
            ..Knobs::default()
        });
        let options = VerifyOptions {
            platform_url: Some(it.platform.url().to_owned()),
            ignore: BUILT_IN.map(str::to_owned).into(),
            unheld: profile::unheld(),
            ..VerifyOptions::default()
        };
        for round in 0..3 {
            let report = job.cycle(&directory).await.unwrap();
            assert!(report.escrow.is_empty(), "{dialect:?} {round}: {:?}", report.escrow);
            let verification = verify(&job, &directory, &options, None).await.unwrap();
            assert_eq!(verification.differences, [], "{dialect:?} {round}");
            it.settled().await;
            let calls = it.platform.calls().await;
            let again = job.cycle(&directory).await.unwrap();
            assert_eq!(again.writes, 0, "{dialect:?} {round}");
            assert_eq!(it.platform.calls().await, calls, "{dialect:?} {round}");
            directory.advance();
        }
    }
}

/// Path, value, field of the account, what it becomes; then what it becomes when the attribute is cleared.
const MAPPED: [(&str, &str, &str, &str); 7] = [
    ("displayName", "Odile M. Roy", "DisplayName", ODILE),
    ("emails[type eq \"work\"].value", "roy@mail.example", "Mail", ODILE),
    ("phoneNumbers[type eq \"work\"].value", "5145550200", "OfficeNumber", ""),
    (
        "phoneNumbers[type eq \"mobile\"].value",
        "5145550201",
        "MobileNumber",
        "",
    ),
    ("phoneNumbers[type eq \"home\"].value", "5145550202", "HomeNumber", ""),
    ("preferredLanguage", "de-DE", "PreferredCulture", ""),
    (
        "userName",
        "odile.roy@kestrel.example",
        "Name",
        "odile.roy@kestrel.example",
    ),
];

#[tokio::test]
async fn each_mapped_attribute_is_updated_and_cleared() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    it.settled().await;
    let account_id = it.platform.account(ODILE).await["ID"].clone();
    let account = async || {
        it.settled().await;
        let found = it.platform.accounts().await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["ID"], account_id);
        found[0].clone()
    };
    for (path, value, field, cleared) in MAPPED {
        let before = account().await;
        it.scim
            .patch(&at(&id), json!({"op": "Replace", "path": path, "value": value}))
            .await
            .expect(204);
        let after = account().await;
        assert_eq!(after[field], value, "{path}");
        let others = |account: &Value| {
            let mut account = account.clone();
            account
                .as_object_mut()
                .unwrap()
                .retain(|name, _| name != field && name != "Version");
            account
        };
        assert_eq!(others(&after), others(&before), "{path} changes nothing else");
        if path == "userName" {
            let refused = it
                .scim
                .patch(&at(&id), json!({"op": "Replace", "path": path, "value": ""}))
                .await;
            assert!(refused.error(400, "invalidValue").contains("userName"));
            continue;
        }
        // Q16: the empty string means none.
        it.scim
            .patch(&at(&id), json!({"op": "Replace", "path": path, "value": ""}))
            .await
            .expect(204);
        assert_eq!(account().await[field], cleared, "{path} cleared");
        let merged = json!({"op": "replace", "value": {
            "preferredLanguage": "fr-FR", "displayName": "Odile", "emails[type eq \"work\"].value": "odile@mail.example",
        }});
        it.scim.patch(&at(&id), merged).await.expect(204);
        let account = account().await;
        assert_eq!(
            [&account["DisplayName"], &account["PreferredCulture"]],
            ["Odile", "fr-FR"]
        );
    }
}

#[tokio::test]
async fn what_the_platform_has_no_field_for_is_kept_and_shown() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    it.settled().await;
    let before = it.platform.account(ODILE).await;
    let department = format!("{ENTERPRISE}:department");
    let operations = json!([
        {"op": "Replace", "path": "title", "value": "Hall lead"},
        {"op": "Add", "path": "addresses[type eq \"work\"].postalCode", "value": "H7N 0C2"},
        {"op": "Replace", "path": department, "value": "Halls East"},
        {"op": "Replace", "path": "externalId", "value": "oroy"},
        {"op": "replace", "value": {"nickName": "Odi", "name.familyName": "Roy"}},
    ]);
    it.scim.patch(&at(&id), operations).await.expect(204);
    it.settled().await;
    let shown = it.scim.get(&at(&id)).await.expect(200);
    assert_eq!(
        [&shown["title"], &shown["externalId"], &shown["nickName"]],
        ["Hall lead", "oroy", "Odi"]
    );
    assert_eq!(shown["addresses"][0]["postalCode"], "H7N 0C2");
    assert_eq!(shown["addresses"][0]["locality"], "Laval");
    assert_eq!(
        shown["name"],
        json!({"formatted": "odile", "givenName": "Some", "familyName": "Roy"})
    );
    assert_eq!(
        shown[ENTERPRISE],
        json!({"employeeNumber": "K-0417", "department": "Halls East"})
    );
    assert_eq!(it.platform.account(ODILE).await, before, "nothing to write");
    // A password is accepted, and seen nowhere.
    it.scim
        .patch(
            &at(&id),
            json!({"op": "replace", "path": "password", "value": "Hunter2-Hunter2"}),
        )
        .await
        .expect(204);
    let shown = it.scim.get(&at(&id)).await;
    assert!(
        !shown.text.contains("assword") && !shown.text.contains("Hunter2"),
        "{}",
        shown.text
    );
}

#[tokio::test]
async fn a_rename_keeps_the_account_and_frees_the_name() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    let group = it.scim.create_group("Rack Operators", &[&id]).await;
    it.settled().await;
    let account_id = it.platform.account(ODILE).await["ID"].clone();

    let roy = "odile.roy@kestrel.example";
    it.scim
        .patch(&at(&id), json!({"op": "replace", "value": {"userName": roy}}))
        .await
        .expect(204);
    it.settled().await;
    assert_eq!(it.platform.names().await, [roy]);
    assert_eq!(it.platform.account(roy).await["ID"], account_id);
    assert_eq!(it.platform.members("Rack Operators").await, [roy.to_owned()].into());
    assert!(
        it.scim
            .find("/Users", &format!("userName eq \"{ODILE}\""))
            .await
            .is_empty()
    );
    assert_eq!(
        it.scim.find("/Users", &format!("userName eq \"{roy}\"")).await[0]["id"],
        id.as_str()
    );

    // The old name may be another's now, and two may swap theirs, each step once the one before it is applied.
    let other = it.scim.create_user(ODILE).await;
    it.settled().await;
    assert_eq!(it.platform.names().await, [roy, ODILE]);
    for (id, name) in [(&id, "third@kestrel.example"), (&other, roy), (&id, ODILE)] {
        it.scim
            .patch(&at(id), json!({"op": "Replace", "path": "userName", "value": name}))
            .await
            .expect(204);
        it.settled().await;
    }
    assert_eq!(it.refused().await, []);
    assert_eq!(it.platform.account(ODILE).await["ID"], account_id);
    assert_eq!(it.platform.names().await, [roy, ODILE]);
    assert_eq!(
        it.scim.get(&format!("/Groups/{group}")).await.expect(200)["members"][0]["value"],
        id.as_str()
    );
}

#[tokio::test]
async fn disable_and_restore_in_every_shape() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    it.scim.create_group("Rack Operators", &[&id]).await;
    it.settled().await;
    let shapes: [fn(bool) -> Value; 6] = [
        |on| json!({"op": "Replace", "path": "active", "value": if on { "True" } else { "False" }}),
        |on| json!({"op": "Replace", "path": "active", "value": if on { "true" } else { "false" }}),
        |on| json!({"op": "replace", "path": "active", "value": on}),
        |on| json!({"op": "replace", "value": {"active": on}}),
        |on| json!({"op": "Add", "path": "active", "value": if on { "True" } else { "False" }}),
        |on| json!({"op": "Add", "path": "urn:ietf:params:scim:schemas:core:2.0:User:active", "value": [{"value": on}]}),
    ];
    for shape in shapes {
        for (active, state) in [(false, "Disabled"), (true, "None")] {
            it.scim.patch(&at(&id), shape(active)).await.expect(204);
            it.settled().await;
            assert_eq!(it.platform.account(ODILE).await["State"], state, "{}", shape(active));
            // R03, Q44: an inactive user is found, by filter and by id.
            let found = it.scim.find("/Users", &format!("userName eq \"{ODILE}\"")).await;
            assert_eq!(found.len(), 1);
            assert_eq!(found[0]["active"], active);
            assert_eq!(it.scim.get(&at(&id)).await.expect(200)["active"], active);
            // R11: Entra does not send the memberships again.
            assert!(it.platform.members("Rack Operators").await.contains(ODILE));
        }
    }
    // Somebody who never was active gets an account that cannot be used.
    let mut leaver = user("leaver@kestrel.example");
    leaver["active"] = json!("False");
    it.scim.create("/Users", &leaver).await;
    it.settled().await;
    assert_eq!(it.platform.account("leaver@kestrel.example").await["State"], "Disabled");
}

#[tokio::test]
async fn delete_removes_the_account() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    let stays = it.scim.create_user("stays@kestrel.example").await;
    let group = it.scim.create_group("Rack Operators", &[&id, &stays]).await;
    it.settled().await;
    let answer = it.scim.delete(&at(&id)).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    for answer in [it.scim.get(&at(&id)).await, it.scim.delete(&at(&id)).await] {
        assert!(answer.error(404, "").contains(&id));
    }
    assert!(
        it.scim
            .find("/Users", &format!("userName eq \"{ODILE}\""))
            .await
            .is_empty()
    );
    let members = it.scim.get(&format!("/Groups/{group}")).await.expect(200)["members"].clone();
    assert_eq!(members.as_array().unwrap().len(), 1);
    it.settled().await;
    assert_eq!(it.platform.names().await, ["stays@kestrel.example"]);
    assert_eq!(it.platform.members("Rack Operators").await.len(), 1);
    assert_eq!(it.delivery(&id).await.unwrap_err().code(), tonic::Code::NotFound);
}

#[tokio::test]
async fn two_tokens_are_valid_at_once_and_no_other() {
    use crate::deployment::NEXT_TOKEN;

    let it = Deployment::start().await;
    it.scim.get("/Users").await.expect(200);
    it.scim.with_token(NEXT_TOKEN).get("/Users").await.expect(200);
    for path in ["/Users", "/Schemas", "/ServiceProviderConfig", "/nowhere"] {
        let answer = it.scim.with_token("dsg_another").get(path).await;
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
        answer.error(401, "");
    }
    let bare = reqwest::Client::new().post(format!("{}/Users", it.scim.base()));
    Answer::of(bare.body("{")).await.error(401, "");
    assert!(it.platform.names().await.is_empty());
}
