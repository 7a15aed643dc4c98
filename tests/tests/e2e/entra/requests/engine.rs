//! R16 to R18: roles, account discovery, and provisioning on demand.

use entra_simulator::{Dialect, Directory, Knobs};
use serde_json::json;

use crate::deployment::{Deployment, encoded, user};
use crate::entra::{ODILE, each_on_a_new_user};

#[tokio::test]
async fn r16_roles_arrive_in_the_form_of_every_role_expression() {
    let packed = |value: &str, name: &str| json!({"id": "r", "value": value, "displayName": name}).to_string();
    let kind = "WindowsAzureActiveDirectoryRole";
    let both = json!([{"value": "auditor", "display": "Auditor"}, {"value": "operator", "display": "Operator"}]);
    each_on_a_new_user(
        &user(ODILE),
        vec![
            (
                json!([{"op": "Add", "path": "roles", "value": [{"value": packed("auditor", "Auditor")}]}]),
                json!({"roles": [{"value": "auditor", "display": "Auditor"}]}),
            ),
            (
                json!([
                    {"op": "Add", "path": "roles", "value": [{"value": packed("auditor", "Auditor")}]},
                    {"op": "Add", "path": "roles", "value": [{"value": packed("operator", "Operator")}]},
                ]),
                json!({"roles": both}),
            ),
            (
                json!([
                    {"op": "Add", "path": "roles", "value": [{"value": "gone"}]},
                    {"op": "replace", "path": "roles", "value": both},
                ]),
                json!({"roles": both}),
            ),
            (
                json!([
                    {"op": "Add", "path": "roles[primary eq \"True\"].value", "value": "auditor"},
                    {"op": "Add", "path": "roles[primary eq \"True\"].type", "value": kind},
                    {"op": "Replace", "path": "roles[primary eq \"True\"].display", "value": "Auditor"},
                ]),
                json!({"roles": [{"primary": true, "value": "auditor", "type": kind, "display": "Auditor"}]}),
            ),
        ],
    )
    .await;
    // And as they stand in a POST.
    let it = Deployment::start().await;
    for (n, (sent, shown)) in [
        (
            json!([{"primary": true, "type": kind, "value": "auditor"}]),
            json!([{"primary": true, "type": kind, "value": "auditor"}]),
        ),
        (
            json!([{"primary": false, "value": "auditor", "displayName": "Auditor"}, {"primary": false, "value": "operator", "display": "Operator"}]),
            json!([{"primary": false, "value": "auditor", "display": "Auditor"}, {"primary": false, "value": "operator", "display": "Operator"}]),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = user(&format!("user{n}@kestrel.example"));
        body["roles"] = sent;
        assert_eq!(it.scim.post("/Users", &body).await.expect(201)["roles"], shown);
    }
}

#[tokio::test]
async fn r17_account_discovery_reads_every_page_once() {
    let it = Deployment::start().await;
    const N: usize = 23;
    for n in 0..N {
        it.scim.create_user(&format!("user{n}@kestrel.example")).await;
    }
    for count in [1, 5, 10, 23, 100] {
        let (mut start, mut seen) = (1, Vec::new());
        loop {
            let page = it
                .scim
                .get(&format!("/Users?startIndex={start}&count={count}"))
                .await
                .expect(200);
            let users = page["Resources"].as_array().unwrap();
            assert_eq!([&page["totalResults"], &page["startIndex"]], [N, start]);
            assert_eq!(page["itemsPerPage"], users.len());
            if users.is_empty() {
                break;
            }
            assert_eq!(
                users.len(),
                count.min(N + 1 - start),
                "no page is shorter than was asked for"
            );
            seen.extend(users.iter().map(|user| user["userName"].as_str().unwrap().to_owned()));
            start += users.len();
        }
        let expected: Vec<_> = (0..N).map(|n| format!("user{n}@kestrel.example")).collect();
        assert_eq!(seen, expected, "{count}");
    }
    let filter = encoded("userName eq \"USER7@kestrel.example\"");
    assert_eq!(
        it.scim.get(&format!("/Users?filter={filter}")).await.expect(200)["itemsPerPage"],
        1
    );
}

#[tokio::test]
async fn r18_on_demand_speaks_the_default_dialect_whatever_the_flag_says() {
    let it = Deployment::start().await;
    let mut directory = Directory::generate(7, 12, 1);
    directory
        .users
        .values_mut()
        .for_each(|user| user.account_enabled = true);
    let mut job = it.job(Knobs::of(Dialect::Flagged));
    // The cycle in one dialect, and then one change on demand in the other: they agree.
    job.cycle(&directory).await.unwrap();
    let person = directory.users.values_mut().next().unwrap();
    person.display_name = "Changed for the demonstration".into();
    let name = person.user_principal_name.clone();
    let report = job.provision_user_on_demand(&directory, &name).await.unwrap();
    assert!(report.is_success(), "{report:?}");
    it.settled().await;
    assert_eq!(
        it.platform.account(&name).await["DisplayName"],
        "Changed for the demonstration"
    );
    let group = directory.groups.values().next().unwrap().clone();
    let members: Vec<_> = group
        .members
        .iter()
        .take(5)
        .map(|id| directory.users[id].user_principal_name.clone())
        .collect();
    let members: Vec<_> = members.iter().map(String::as_str).collect();
    assert!(
        job.provision_group_on_demand(&directory, &group.display_name, &members)
            .await
            .unwrap()
            .is_success()
    );
    let writes = job.client().counts().writes();
    assert_eq!(job.cycle(&directory).await.unwrap().writes, 0);
    assert_eq!(job.client().counts().writes(), writes);
}
