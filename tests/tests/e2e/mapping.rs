//! A tenant's own table of fields: from a SCIM request to the account, and to what drift expects of it. Files that cannot be
//! used keep the programs from starting.

use std::path::Path;

use proto::identity::v1::{PlanDriftRequest, plan_drift_response};
use serde_json::{Value, json};

use crate::{
    deployment::{Deployment, Setup, TENANT},
    programs::run_in,
};

const ODILE: &str = "odile@x.example";
const SCHEMA: &str = "urn:ietf:params:scim:schemas:extension:kestrel:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// A deployment whose accounts are made by this table.
async fn start(folder: &Path, table: &Value) -> Deployment {
    let file = folder.join("map.json");
    std::fs::write(&file, table.to_string()).unwrap();
    let schemas = json!([{"id": SCHEMA, "attributes": [{"name": "badgeTier", "type": "integer"}]}]);
    Setup::default()
        .identity(&["--delivery-lease=1s"])
        .adapter(&[&format!("--attribute-map-file={}", file.display())])
        .schemas(&schemas.to_string())
        .start()
        .await
}

fn table() -> Value {
    json!([
        {"platform": "DisplayName", "scim": ["nickName", "displayName"], "transform": ["upper"]},
        {"platform": "Description", "scim": [format!("{SCHEMA}:badgeTier")], "transform": [{"prefix": "Tier "}]},
        {"platform": "HomeNumber", "scim": [format!("{ENTERPRISE}:costCenter")]},
    ])
}

/// What a comparison finds: the attributes that differ; `None` while something is still on its way.
async fn drift(it: &Deployment) -> Option<Vec<String>> {
    let request = PlanDriftRequest {
        tenant: TENANT.to_owned(),
    };
    let mut parts = it.drift().plan_drift(request).await.unwrap().into_inner();
    let (mut differing, mut skipped) = (Vec::new(), 0);
    while let Some(part) = parts.message().await.unwrap() {
        match part.part.unwrap() {
            plan_drift_response::Part::Difference(difference) => differing.extend(difference.attributes),
            plan_drift_response::Part::Summary(summary) => skipped = summary.skipped,
        }
    }
    (skipped == 0).then_some(differing)
}

/// Waits until something can be said, and says it.
async fn differing(it: &Deployment) -> Vec<String> {
    it.until(async |it| drift(it).await.is_some()).await;
    drift(it).await.unwrap()
}

#[tokio::test]
async fn attributes_of_any_schema_become_fields_and_drift_compares_them_so() {
    let folder = tempfile::tempdir().unwrap();
    let it = start(folder.path(), &table()).await;
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", SCHEMA, ENTERPRISE],
        "userName": ODILE, "displayName": "Odile Roy", "nickName": "Odi", "active": true,
        SCHEMA: {"badgeTier": 3}, ENTERPRISE: {"costCenter": "K-7"},
    });
    let id = it.scim.post("/Users", &user).await.expect(201)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    it.settled().await;
    let shown = async || {
        let account = it.platform.account(ODILE).await;
        ["DisplayName", "Description", "HomeNumber"].map(|field| account[field].as_str().unwrap().to_owned())
    };
    assert_eq!(shown().await, ["ODI", "Tier 3", "K-7"]);
    assert_eq!(differing(&it).await, Vec::<String>::new());

    let changes = json!([
        {"op": "Remove", "path": "nickName"},
        {"op": "Replace", "path": format!("{SCHEMA}:badgeTier"), "value": 4},
        {"op": "Remove", "path": format!("{ENTERPRISE}:costCenter")},
    ]);
    it.scim.patch(&format!("/Users/{id}"), changes).await.expect(204);
    it.settled().await;
    assert_eq!(shown().await, ["ODILE ROY", "Tier 4", ""]);
    assert_eq!(differing(&it).await, Vec::<String>::new());

    let account = it.platform.account(ODILE).await["ID"].as_str().unwrap().to_owned();
    it.platform.edit(&account, json!({"DisplayName": "Odile Roy"})).await;
    assert_eq!(differing(&it).await, ["display_name"]);
}

#[tokio::test]
async fn files_that_cannot_be_used_are_said_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("table.json");
    let named = file.display().to_string();
    let platform = [
        ("PLATFORM_URL", "https://tenant.example"),
        ("PLATFORM_CLIENT_ID", "gateway@x.example"),
        ("PLATFORM_CLIENT_SECRET", "s"),
    ];
    let check = async |program: &str, setting: &str, content: &str| {
        std::fs::write(&file, content).unwrap();
        let environment = [&[(setting, named.as_str())][..], &platform].concat();
        run_in(program, &["--check"], &environment).await
    };
    for (setting, content, said) in [
        (
            "ATTRIBUTE_MAP_FILE",
            "[\n{\"platform\": \"State\", \"scim\": [\"title\"]}]",
            "line 2: the field State",
        ),
        ("ATTRIBUTE_MAP_FILE", "[\n\n{\"platform\": \"Mail\"\n", "line 4"),
        (
            "ERROR_MATCHERS_FILE",
            "[\n{\"regex\": \"[\", \"class\": \"other\"}]",
            "line 2: `regex`",
        ),
    ] {
        for program in ["delinea-adapter", "all-in-one"] {
            let done = check(program, setting, content).await;
            assert_eq!(done.code, 64, "{program} {content}: {}", done.err);
            assert!(done.err.contains(said) && done.err.contains(&named), "{}", done.err);
            assert!(done.err.contains(setting), "{}", done.err);
        }
    }
    let done = check("delinea-adapter", "ATTRIBUTE_MAP_FILE", &table().to_string()).await;
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains(&named), "{}", done.out);
}
