//! Over SCIM, by each tenant's credential: what the other has is not there.

use http::Method;
use proto::{
    error::{Details, ErrorReason},
    identity::v1::{
        ApplyRelinkRequest, PlanDriftRequest, PlanRelinkRequest, apply_relink_response, plan_drift_response,
        plan_relink_response,
    },
};
use serde_json::{Value, json};
use tonic::Status;

use super::{NAMES, Two, ask, until};
use crate::{
    deployment::{encoded, user},
    programs::run,
};

const ODILE: &str = "odile@kestrel.example";

#[tokio::test]
async fn the_same_name_is_two_people_on_two_platforms() {
    let two = Two::start(&["--answer-wait=20s"], [""; 2]).await;
    let mut ids = Vec::new();
    for scim in &two.scim {
        let id = scim.create_user(ODILE).await;
        let group = scim.create_group("Sales", &[&id]).await;
        ids.push((id, group));
    }
    for (tenant, platform) in two.platforms.iter().enumerate() {
        two.settled(tenant).await;
        assert_eq!(two.names(tenant).await, [ODILE]);
        assert_eq!(platform.members("Sales").await.into_iter().collect::<Vec<_>>(), [ODILE]);
    }
    let (of_kestrel, group) = &ids[0];
    let [kestrel, merlin] = &two.scim;
    // What is the neighbour's is not there, whatever is asked.
    let body = user("taken@kestrel.example");
    let operations = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "active", "value": false}]
    });
    for (method, body) in [
        (Method::GET, &Value::Null),
        (Method::PUT, &body),
        (Method::PATCH, &operations),
        (Method::DELETE, &Value::Null),
    ] {
        let status = ask(merlin, method.clone(), &format!("/Users/{of_kestrel}"), body).await;
        assert_eq!(status, 404, "{method}");
    }
    assert_eq!(
        ask(merlin, Method::DELETE, &format!("/Groups/{group}"), &Value::Null).await,
        404
    );
    assert_eq!(
        ask(merlin, Method::GET, &format!("/Groups/{group}"), &Value::Null).await,
        404
    );
    for (endpoint, filter) in [
        ("/Users", format!("id eq \"{of_kestrel}\"")),
        ("/Groups", format!("id eq \"{group}\"")),
        ("/Groups", format!("members.value eq \"{of_kestrel}\"")),
        ("/Users", format!("groups.value eq \"{group}\"")),
    ] {
        assert_eq!(kestrel.find(endpoint, &filter).await.len(), 1, "{filter}");
        assert_eq!(merlin.find(endpoint, &filter).await, [] as [Value; 0], "{filter}");
    }
    // A member of the neighbour's is none that there is; nor is one that a bulk request names.
    let with_strange_member = crate::deployment::group("Strangers", &[of_kestrel]);
    assert_eq!(ask(merlin, Method::POST, "/Groups", &with_strange_member).await, 400);
    let bulk = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [
            {"method": "DELETE", "path": format!("/Users/{of_kestrel}")},
            {"method": "PATCH", "path": format!("/Groups/{group}"), "data": operations},
            {"method": "POST", "path": "/Groups", "bulkId": "g", "data": with_strange_member}
        ]
    });
    let done = merlin.post("/Bulk", &bulk).await.expect(200);
    let statuses: Vec<_> = done["Operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|done| done["status"].clone())
        .collect();
    assert_eq!(statuses, ["404", "404", "400"], "{done}");
    // A page that the neighbour began is not gone on with.
    kestrel.create_user("anders@kestrel.example").await;
    let page = kestrel.get("/Users?cursor&count=1").await.expect(200);
    let next = format!(
        "/Users?cursor={}&count=1",
        encoded(page["nextCursor"].as_str().unwrap())
    );
    kestrel.get(&next).await.expect(200);
    merlin.get(&next).await.error(400, "invalidCursor");

    // The neighbour goes by one's own delete, and nobody else does.
    assert_eq!(
        ask(merlin, Method::DELETE, &format!("/Users/{}", ids[1].0), &Value::Null).await,
        204
    );
    two.settled(1).await;
    assert_eq!(two.names(1).await, [] as [String; 0]);
    assert!(two.names(0).await.contains(&ODILE.to_owned()));
    kestrel.get(&format!("/Users/{of_kestrel}")).await.expect(200);
}

/// The operator's command line is about the tenant that it names.
#[tokio::test]
async fn an_operator_sees_and_stops_one_tenant() {
    let two = Two::start(&["--answer-wait=0"], [""; 2]).await;
    let id = two.scim[0].create_user(ODILE).await;
    two.settled(0).await;
    let url = format!("http://{}", two.identity.addr);
    let admin = async |code: i32, tenant: &str, line: &[&str]| {
        let line = [line, &["--tenant", tenant, "--identity-url", &url]].concat();
        let done = run("admin", &line).await;
        assert_eq!(done.code, code, "{line:?}: {done:?}");
        done
    };
    let shown = admin(0, "kestrel", &["show", &id]).await;
    assert!(shown.out.contains(&id), "{shown:?}");
    for line in [&["show", &id][..], &["show", ODILE], &["retry", &id]] {
        let missing = admin(3, "merlin", line).await;
        assert!(!missing.out.contains("applied"), "{missing:?}");
    }
    admin(0, "merlin", &["pause", "--yes", "--reason", "ours alone"]).await;
    two.scim[1].create_user(ODILE).await;
    two.scim[0].create_user("anders@kestrel.example").await;
    two.settled(0).await;
    assert_eq!(two.names(0).await, ["anders@kestrel.example", ODILE]);
    assert_eq!(two.summary(1).await.unwrap().pending, 1);
    admin(0, "merlin", &["resume"]).await;
    two.settled(1).await;
    admin(1, "nobody", &["status"]).await;
}

#[tokio::test]
async fn a_comparison_is_of_one_tenants_platform() {
    let two = Two::start(&["--answer-wait=0", "--delivery-lease=1s"], [""; 2]).await;
    for (tenant, scim) in two.scim.iter().enumerate() {
        scim.create_user(ODILE).await;
        two.settled(tenant).await;
    }
    let account = two.platforms[0].account(ODILE).await;
    two.platforms[0].delete_account(account["ID"].as_str().unwrap()).await;
    let compare = async |tenant: usize| {
        let request = PlanDriftRequest {
            tenant: NAMES[tenant].to_owned(),
        };
        let mut parts = two.drift().plan_drift(request).await.unwrap().into_inner();
        let mut differences = Vec::new();
        while let Some(part) = parts.message().await.unwrap() {
            if let plan_drift_response::Part::Difference(difference) = part.part.unwrap() {
                differences.push(difference.resource_id);
            }
        }
        differences
    };
    // What was changed at this very moment is not compared.
    until(async || compare(0).await.len() == 1).await;
    assert_eq!(compare(1).await, [] as [String; 0]);
}

#[tokio::test]
async fn a_plan_of_links_is_one_tenants() {
    let two = Two::start(&["--answer-wait=0"], [""; 2]).await;
    for (tenant, scim) in two.scim.iter().enumerate() {
        two.platforms[tenant].strangers(&[ODILE]).await;
        scim.create_user(ODILE).await;
        until(async || two.summary(tenant).await.unwrap().refused == 1).await;
    }
    let plan = async |tenant: usize| {
        let request = PlanRelinkRequest {
            tenant: NAMES[tenant].to_owned(),
            with_adoption: false,
        };
        let mut parts = two.relink().plan_relink(request).await.unwrap().into_inner();
        let mut digest = String::new();
        while let Some(part) = parts.message().await.unwrap() {
            if let plan_relink_response::Part::Summary(summary) = part.part.unwrap() {
                digest = summary.digest;
            }
        }
        digest
    };
    let apply = async |tenant: usize, digest: &str| {
        let request = ApplyRelinkRequest {
            tenant: NAMES[tenant].to_owned(),
            digest: digest.to_owned(),
        };
        let mut parts = two.relink().apply_relink(request).await?.into_inner();
        let mut linked = 0;
        while let Some(part) = parts.message().await? {
            if let apply_relink_response::Part::Summary(summary) = part.part.unwrap() {
                linked = summary.linked;
            }
        }
        Ok::<_, Status>(linked)
    };
    let (kestrel, merlin) = (plan(0).await, plan(1).await);
    assert!(!kestrel.is_empty() && kestrel != merlin);
    let crossed = apply(1, &kestrel).await.unwrap_err();
    assert_eq!(Details::of(&crossed).unwrap().reason, ErrorReason::RelinkChanged);
    assert_eq!(apply(0, &kestrel).await.unwrap(), 1);
    two.settled(0).await;
    assert_eq!(two.summary(0).await.unwrap().refused, 0);
    assert_eq!(
        two.summary(1).await.unwrap().refused,
        1,
        "the neighbour's is still a stranger"
    );
}
