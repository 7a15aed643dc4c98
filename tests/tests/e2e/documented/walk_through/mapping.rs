//! The tables of mappings: each row is of Entra's default mapping, and leads to the field of the account that it says, or to none.

use std::collections::BTreeSet;

use entra_simulator::{Directory, Knobs};
use serde_json::{Value, json};

use super::{super::commands::Page, page};
use crate::deployment::Deployment;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const NONE: &str = "–";

struct Row {
    scim: String,
    platform: String,
    to_do: String,
}

fn rows(page: &Page, heading: &str) -> Vec<Row> {
    let lines = page.section(heading).lines().filter(|line| line.starts_with("| `"));
    let rows = lines.map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [_, scim, platform, to_do] = cells[..] else {
            panic!("four cells are wanted: {line}");
        };
        Row {
            scim: scim.trim_matches('`').to_owned(),
            platform: platform.to_owned(),
            to_do: to_do.trim_matches('|').trim().to_owned(),
        }
    });
    rows.collect()
}

/// The paths at which a user has values.
fn paths(user: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (name, value) in user.as_object().unwrap() {
        match value {
            _ if ["schemas", "id", "meta", "roles", "groups"].contains(&name.as_str()) || name.contains("Delivery") => {
            }
            Value::Array(elements) => all.extend(elements.iter().flat_map(|element| {
                let parts = element.as_object().unwrap().keys();
                let parts = parts.filter(|part| !["type", "primary"].contains(&part.as_str()));
                let kind = element["type"].as_str().unwrap();
                parts.map(move |part| format!("{name}[type eq \"{kind}\"].{part}"))
            })),
            Value::Object(parts) if name == ENTERPRISE => {
                all.extend(parts.keys().map(|part| format!("{name}:{part}")));
            }
            Value::Object(parts) => all.extend(parts.keys().map(|part| format!("{name}.{part}"))),
            _ => {
                all.insert(name.clone());
            }
        }
    }
    all
}

#[tokio::test]
async fn the_table_of_users_is_entras_default_mapping() {
    let it = Deployment::start().await;
    let mut directory = Directory::generate(7, 2, 0);
    let ids: Vec<_> = directory.users.keys().cloned().collect();
    for (user, boss) in directory.users.values_mut().zip(ids.iter().rev()) {
        (user.account_enabled, user.assigned, user.soft_deleted) = (true, true, false);
        user.manager = Some(boss.clone());
        for value in [
            &mut user.mail,
            &mut user.job_title,
            &mut user.department,
            &mut user.employee_id,
            &mut user.telephone_number,
            &mut user.mobile,
            &mut user.facsimile,
            &mut user.office,
            &mut user.street_address,
            &mut user.city,
            &mut user.state,
            &mut user.postal_code,
            &mut user.country,
            &mut user.preferred_language,
        ] {
            value.get_or_insert_with(|| "fr".to_owned());
        }
    }
    let mut job = it.job(Knobs::default());
    job.cycle(&directory).await.unwrap();
    let found = it.scim.get("/Users").await.expect(200);
    let table: BTreeSet<_> = rows(&page(), "Provision Microsoft Entra ID Users")
        .into_iter()
        .map(|row| row.scim)
        .collect();
    assert_eq!(paths(&found["Resources"][0]), table);
}

/// A value that the attribute takes.
fn value(path: &str) -> &'static str {
    match path {
        "userName" => "renamed@example.com",
        "preferredLanguage" => "fr-CA",
        path if path.ends_with("country") => "CA",
        path if path.starts_with("emails") => "odile.roy@example.com",
        path if path.starts_with("phoneNumbers") => "+1 514 555 0117",
        _ => "Something else",
    }
}

/// The account, without the number that counts its changes.
async fn account(it: &Deployment, id: &str) -> Value {
    it.settled().await;
    let accounts = it.platform.accounts().await;
    let mut account = accounts.into_iter().find(|account| account["ID"] == id).unwrap();
    account.as_object_mut().unwrap().remove("Version");
    account
}

#[tokio::test]
async fn each_row_of_users_changes_the_field_that_it_says_and_no_other() {
    let it = Deployment::start().await;
    // What is made of the login name where there is nothing else would change with it.
    let odile = json!({
        "userName": "odile@example.com",
        "displayName": "Odile Marchetti",
        "emails": [{"type": "work", "value": "odile.marchetti@example.com"}],
    });
    let user = it.scim.create("/Users", &odile).await;
    let boss = it.scim.create_user("boss@example.com").await;
    it.settled().await;
    let id = it.platform.account("odile@example.com").await["ID"]
        .as_str()
        .unwrap()
        .to_owned();
    let boss_account = it.platform.account("boss@example.com").await["ID"].clone();
    for row in rows(&page(), "Provision Microsoft Entra ID Users") {
        let is_kept = row.platform != NONE;
        let is_removed = row.to_do == "remove";
        assert!(
            is_kept != is_removed || row.scim == "externalId",
            "{}: {}",
            row.scim,
            row.to_do
        );
        let new = match row.scim.as_str() {
            "active" => json!("False"),
            path if path.ends_with(":manager") => json!(boss),
            path => json!(value(path)),
        };
        let before = account(&it, &id).await;
        let operation = json!([{"op": "Replace", "path": row.scim, "value": new}]);
        let path = format!("/Users/{user}");
        let patched = it.scim.patch(&path, operation).await;
        assert!(patched.status.is_success(), "{}: {patched:?}", row.scim);
        let read = it.scim.get(&path).await.expect(200);
        assert!(
            paths(&read).iter().any(|path| path.starts_with(&row.scim)),
            "{}: {read}",
            row.scim
        );
        let after = account(&it, &id).await;
        let changed: Vec<_> = before
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| before[*key] != after[*key])
            .map(|key| match key.as_str() {
                "State" => "state: enabled or disabled",
                key => key,
            })
            .collect();
        let field = row.platform.split(',').next().unwrap().trim_matches('`');
        let expected: &[&str] = if is_kept { &[field] } else { &[] };
        assert_eq!(changed, expected, "{}", row.scim);
        if field == "ReportsTo" {
            assert_eq!(after["ReportsTo"], boss_account);
        }
    }
}

#[tokio::test]
async fn the_table_of_groups_is_what_arrives() {
    let table = rows(&page(), "Provision Microsoft Entra ID Groups");
    let said: Vec<_> = table
        .iter()
        .map(|row| (row.scim.as_str(), row.platform.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            ("displayName", "the group's name"),
            ("externalId", NONE),
            ("members", "the group's members")
        ]
    );
    let it = Deployment::start().await;
    let user = it.scim.create_user("odile@example.com").await;
    let body = json!({"displayName": "Rack", "externalId": "6c0f", "members": [{"value": user}]});
    it.scim.create("/Groups", &body).await;
    it.settled().await;
    let group = it.platform.group("Rack").await;
    assert!(!group.to_string().contains("6c0f"), "{group}");
    assert_eq!(
        it.platform.members("Rack").await,
        ["odile@example.com".to_owned()].into()
    );
}
