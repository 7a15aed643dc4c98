//! A tenant's own schemas, from the file to whoever asks: the example of `docs/schemas.md` is what the services run with.

mod changes;
mod files;

use proto::{
    error::{Details, ErrorReason},
    identity::v1::{GetSchemasRequest, PatchOperation, PatchUserRequest, WatchChangesRequest},
};
use serde_json::{Value, json};
use tonic::Code;

use crate::deployment::{Deployment, Setup, TENANT, encoded, group, user};

const PAGE: &str = include_str!("../../../docs/schemas.md");
const URN: &str = "urn:ietf:params:scim:schemas:extension:kestrel:2.0:User";
const GROUP_URN: &str = "urn:ietf:params:scim:schemas:extension:kestrel:2.0:Group";

/// The first block of JSON on the page.
fn example() -> &'static str {
    let (_, rest) = PAGE.split_once("```json\n").unwrap();
    rest.split_once("```").unwrap().0
}

/// The example, and the page's ResourceType document with it.
fn example_required() -> String {
    let mut blocks = PAGE
        .split("```json\n")
        .skip(1)
        .map(|rest| rest.split_once("```").unwrap().0);
    let mut file: Value = serde_json::from_str(blocks.next().unwrap()).unwrap();
    let resource_type = serde_json::from_str(blocks.next().unwrap()).unwrap();
    file.as_array_mut().unwrap().push(resource_type);
    file.to_string()
}

async fn start() -> Deployment {
    Setup::default().schemas(example()).start().await
}

fn path(name: &str) -> String {
    format!("{URN}:{name}")
}

/// A user with this in the extension, whose URN `schemas` does not name (R07).
fn person(name: &str, extension: Value) -> Value {
    let mut user = user(name);
    user[URN] = extension;
    user
}

/// Everything that the example lets a client say.
fn everything() -> Value {
    json!({
        "badgeTier": "T1", "badgeNumber": "417", "remote": "True", "rate": 12.5, "contractEnd": "2027-03-01T00:00:00Z",
        "handbook": "https://kestrel.example/handbook", "fingerprint": "AQID", "pin": "1234", "tags": ["night", "forklift"],
        "desk": {"seat": "4b", "floor": "3"}, "sponsor": "somebody",
        "certificates": [{"type": "driving", "value": "B", "until": "2030-01-01T00:00:00Z", "primary": "True"}],
    })
}

/// As it comes back: in the table's types, without what is not shown.
fn everything_shown() -> Value {
    json!({
        "badgeTier": "T1", "badgeNumber": 417, "remote": true, "contractEnd": "2027-03-01T00:00:00Z",
        "handbook": "https://kestrel.example/handbook", "fingerprint": "AQID", "tags": ["night", "forklift"],
        "desk": {"seat": "4b", "floor": 3}, "sponsor": {"value": "somebody"},
        "certificates": [{"type": "driving", "value": "B", "until": "2030-01-01T00:00:00Z", "primary": true}],
    })
}

#[tokio::test]
async fn discovery_shows_what_is_declared() {
    let it = start().await;
    let schemas = it.scim.get("/Schemas").await.expect(200);
    let ids: Vec<_> = schemas["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|schema| schema["id"].as_str().unwrap())
        .collect();
    assert_eq!((ids.len(), &ids[4..]), (6, &[URN, GROUP_URN][..]));
    let one = it
        .scim
        .get(&format!("/Schemas/{}", URN.to_lowercase()))
        .await
        .expect(200);
    assert_eq!(one, schemas["Resources"][4]);
    assert_eq!(one["meta"]["location"], format!("{}/Schemas/{URN}", it.scim.base()));
    let declared: Value = serde_json::from_str(example()).unwrap();
    for (declared, shown) in declared[0]["attributes"]
        .as_array()
        .unwrap()
        .iter()
        .zip(one["attributes"].as_array().unwrap())
    {
        for (name, value) in declared
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| *name != "subAttributes")
        {
            assert_eq!(&shown[name], value, "{declared}");
        }
    }
    let users = it.scim.get("/ResourceTypes/User").await.expect(200);
    assert_eq!(users["schemaExtensions"][1], json!({"schema": URN, "required": false}));
    let groups = it.scim.get("/ResourceTypes/Group").await.expect(200);
    assert_eq!(
        groups["schemaExtensions"][0],
        json!({"schema": GROUP_URN, "required": false})
    );
}

#[tokio::test]
async fn the_whole_life_of_declared_attributes() {
    let it = start().await;
    let created = it
        .scim
        .post("/Users", &person("a@kestrel.example", everything()))
        .await
        .expect(201);
    let mut said = everything_shown();
    said["rate"] = json!(12.5);
    assert_eq!(
        created[URN], said,
        "RFC 7643 §7: the answer to a write shows what it said"
    );
    assert!(
        created["schemas"].as_array().unwrap().contains(&json!(URN)),
        "R07: {created}"
    );
    let id = created["id"].as_str().unwrap();
    let at = format!("/Users/{id}");
    assert_eq!(it.scim.get(&at).await.expect(200)[URN], everything_shown());

    // The default dialect (R09), then the flagged one (R10).
    let shown = format!("{at}?attributes={URN}");
    let body = it.scim.patch(
        &shown,
        json!([
            {"op": "Add", "path": path("badgeTier"), "value": "T2"},
            {"op": "Replace", "path": path("remote"), "value": "False"},
            {"op": "Replace", "path": path("desk.floor"), "value": "4"},
            {"op": "Add", "path": path("tags"), "value": ["first aid"]},
            {"op": "Remove", "path": path("tags[value eq \"NIGHT\"]")},
            {"op": "Replace", "path": path("certificates[type eq \"driving\"].value"), "value": "C"},
            {"op": "Remove", "path": path("handbook")},
        ]),
    );
    let patched = body.await.expect(200);
    let extension = &patched[URN];
    assert_eq!(
        [
            &extension["badgeTier"],
            &extension["remote"],
            &extension["desk"],
            &extension["tags"],
            &extension["certificates"][0]["value"]
        ],
        [
            &json!("T2"),
            &json!(false),
            &json!({"seat": "4b", "floor": 4}),
            &json!(["forklift", "first aid"]),
            &json!("C")
        ]
    );
    assert!(extension.get("handbook").is_none());
    let flagged = json!([{"op": "replace", "value": {
        path("badgeTier"): "T3", path("desk.seat"): "5a", path("contractEnd"): "2028-03-01T00:00:00Z", URN: {"remote": true},
    }}]);
    it.scim.patch(&at, flagged.clone()).await.expect(204);
    let user = it.scim.get(&at).await.expect(200);
    assert_eq!(
        [
            &user[URN]["badgeTier"],
            &user[URN]["desk"]["seat"],
            &user[URN]["remote"],
            &user[URN]["contractEnd"]
        ],
        [&json!("T3"), &json!("5a"), &json!(true), &json!("2028-03-01T00:00:00Z")]
    );
    it.scim.patch(&at, flagged).await.expect(204);
    assert_eq!(
        it.scim.get(&at).await.expect(200),
        user,
        "P7: said again, it changes nothing"
    );

    // PUT: what is left out goes, but for what was set once or is never seen.
    let put = it
        .scim
        .put(&at, &person("a@kestrel.example", json!({"badgeTier": "T1"})))
        .await
        .expect(200);
    assert_eq!(put[URN], json!({"badgeTier": "T1", "badgeNumber": 417}));

    // Groups have theirs, under whatever name.
    let mut body = group("Night shift", &[id]);
    body[GROUP_URN] = json!({"costCentre": 7100, "members": "12"});
    let group_id = it.scim.create("/Groups", &body).await;
    let at_group = format!("/Groups/{group_id}");
    let path = format!("{GROUP_URN}:members");
    it.scim
        .patch(&at_group, json!({"op": "Replace", "path": path, "value": "20"}))
        .await
        .expect(204);
    let group = it.scim.get(&at_group).await.expect(200);
    assert_eq!(group[GROUP_URN], json!({"costCentre": "7100", "members": 20}));
    assert_eq!(
        group["members"].as_array().unwrap().len(),
        1,
        "the members are the group's own"
    );
    it.settled().await;
    assert!(it.refused().await.is_empty());
    it.scim.delete(&at).await.expect(204);
}

#[tokio::test]
async fn declared_attributes_are_found_and_sorted_by() {
    let it = start().await;
    let mut ids = Vec::new();
    for (name, number, until, tags) in [
        ("c", 30, "2027-01-01T00:00:00+02:00", json!(["night"])),
        ("a", 9, "2026-12-31T23:00:00Z", json!(["day", "forklift"])),
        ("b", 100, "2027-06-01T00:00:00Z", json!([])),
    ] {
        let extension = json!({
            "badgeNumber": number, "contractEnd": until, "tags": tags, "remote": name == "a", "pin": "1234",
            "desk": {"seat": name}, "certificates": [{"type": "driving", "value": name}],
        });
        ids.push(
            it.scim
                .create("/Users", &person(&format!("{name}@kestrel.example"), extension))
                .await,
        );
    }
    let plain = it.scim.create_user("d@kestrel.example").await;
    let [c, a, b] = [0, 1, 2].map(|at| ids[at].as_str());
    let table = [
        ("badgeNumber gt 9", vec![c, b]),
        ("badgeNumber eq \"9\"", vec![a]),
        ("contractEnd lt \"2026-12-31T23:00:00Z\"", vec![c]),
        ("contractEnd eq \"2027-01-01T01:00:00+02:00\"", vec![a]),
        ("remote eq \"True\"", vec![a]),
        ("tags eq \"NIGHT\"", vec![c]),
        ("tags[value sw \"fork\"]", vec![a]),
        ("desk.seat eq \"B\"", vec![b]),
        ("certificates[type eq \"driving\" and value eq \"a\"]", vec![a]),
        ("badgeNumber pr", vec![c, a, b]),
    ];
    for (filter, expected) in table {
        for filter in [format!("{URN}:{filter}"), format!("userName pr and {URN}:{filter}")] {
            let found = it.scim.find("/Users", &filter).await;
            let found: Vec<_> = found.iter().map(|user| user["id"].as_str().unwrap()).collect();
            assert_eq!(found, expected, "{filter}");
        }
        let root = it
            .scim
            .get(&format!("/?filter={}", encoded(&format!("{URN}:{filter}"))))
            .await
            .expect(200);
        assert_eq!(root["totalResults"], expected.len(), "{filter}");
    }
    let sorted = async |query: String| {
        let list = it.scim.get(&format!("/Users?{query}")).await.expect(200);
        let users = list["Resources"].as_array().unwrap().iter();
        users
            .map(|user| user["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(sorted(format!("sortBy={URN}:badgeNumber")).await, [a, c, b, &plain]);
    assert_eq!(
        sorted(format!("sortBy={URN}:contractEnd&sortOrder=descending")).await,
        [&plain, b, a, c]
    );
    // What nobody sees cannot be found out by asking.
    for query in [
        format!("filter={}", encoded(&format!("{URN}:pin eq \"1234\""))),
        format!("sortBy={URN}:pin"),
    ] {
        let answer = it.scim.get(&format!("/Users?{query}")).await;
        let kind = if query.starts_with("sortBy") {
            "invalidPath"
        } else {
            "invalidFilter"
        };
        assert!(answer.error(400, kind).contains("never shown"), "{query}");
    }
}

/// In the enterprise extension and in the core these names have indexes and sets behind them.
#[tokio::test]
async fn names_that_mean_something_elsewhere_are_just_names() {
    let attributes: Vec<_> = [
        "userName",
        "id",
        "externalId",
        "displayName",
        "emails",
        "manager",
        "groups",
        "members",
        "roles",
        "password",
    ]
    .iter()
    .map(|name| json!({"name": name, "multiValued": *name == "groups"}))
    .collect();
    let file = json!([
        {"id": URN, "attributes": attributes},
        {"id": GROUP_URN, "attributes": [{"name": "members"}, {"name": "displayName"}]},
    ]);
    let it = Setup::default().schemas(&file.to_string()).start().await;
    let extension = json!({
        "userName": "u", "id": "i", "externalId": "e", "displayName": "d", "emails": "m", "manager": "x",
        "groups": ["g"], "members": "n", "roles": "r", "password": "p",
    });
    let id = it
        .scim
        .create("/Users", &person("a@kestrel.example", extension.clone()))
        .await;
    assert_eq!(it.scim.get(&format!("/Users/{id}")).await.expect(200)[URN], extension);
    for (name, value) in extension.as_object().unwrap() {
        let value = value.as_str().or(value[0].as_str()).unwrap();
        let found = it.scim.find("/Users", &format!("{URN}:{name} eq \"{value}\"")).await;
        assert_eq!(found.len(), 1, "{name}");
    }
    let mut body = group("Night shift", &[&id]);
    body[GROUP_URN] = json!({"members": "many", "displayName": "another"});
    let group_id = it.scim.create("/Groups", &body).await;
    for operation in [
        json!({"op": "add", "path": format!("{GROUP_URN}:members"), "value": "few"}),
        json!({"op": "remove", "path": format!("{GROUP_URN}:members")}),
    ] {
        it.scim
            .patch(&format!("/Groups/{group_id}"), operation)
            .await
            .expect(204);
        let group = it.scim.get(&format!("/Groups/{group_id}")).await.expect(200);
        assert_eq!(group["members"].as_array().unwrap().len(), 1);
    }
    assert_eq!(
        it.scim
            .find("/Groups", &format!("{GROUP_URN}:members ne \"x\""))
            .await
            .len(),
        1
    );
    // R13, and a password is nobody's.
    it.scim
        .patch(
            &format!("/Users/{id}"),
            json!([
                {"op": "Add", "path": "manager", "value": "m1"},
                {"op": "Replace", "value": {"password": "secret"}},
            ]),
        )
        .await
        .expect(204);
    let user = it.scim.get(&format!("/Users/{id}")).await.expect(200);
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    assert_eq!(user[enterprise]["manager"], json!({"value": "m1"}));
    assert_eq!(user[URN], extension);
}

#[tokio::test]
async fn each_characteristic_is_held_to() {
    let it = start().await;
    let id = it
        .scim
        .create("/Users", &person("a@kestrel.example", everything()))
        .await;
    let at = format!("/Users/{id}");
    // Immutable: set once.
    for operation in [
        json!({"op": "Replace", "path": path("badgeNumber"), "value": 418}),
        json!({"op": "Remove", "path": path("badgeNumber")}),
        json!({"op": "Replace", "value": {URN: {"badgeNumber": 418}}}),
    ] {
        let detail = it.scim.patch(&at, operation).await.error(400, "mutability");
        assert!(detail.contains("badgeNumber") && !detail.contains("41"), "{detail}");
    }
    let put = it
        .scim
        .put(&at, &person("a@kestrel.example", json!({"badgeNumber": 418})))
        .await;
    put.error(400, "mutability");
    it.scim
        .patch(&at, json!({"op": "Add", "path": path("badgeNumber"), "value": "417"}))
        .await
        .expect(204);
    let plain = it.scim.create_user("b@kestrel.example").await;
    let add = json!({"op": "Add", "path": path("badgeNumber"), "value": 7});
    it.scim.patch(&format!("/Users/{plain}"), add).await.expect(204);

    // Required, of a part and in an extension.
    let detail = it
        .scim
        .patch(&at, json!({"op": "Remove", "path": path("desk.seat")}))
        .await
        .error(400, "invalidValue");
    assert!(detail.contains(&path("desk.seat")), "{detail}");
    let mut body = group::<&str>("Night shift", &[]);
    body[GROUP_URN] = json!({"members": 3});
    let detail = it.scim.post("/Groups", &body).await.error(400, "invalidValue");
    assert!(detail.contains(&format!("{GROUP_URN}:costCentre")), "{detail}");

    // Types.
    for (name, value) in [
        ("badgeNumber", json!(1.5)),
        ("rate", json!("much")),
        ("remote", json!("perhaps")),
        ("contractEnd", json!("tomorrow")),
        ("fingerprint", json!("!")),
        ("badgeTier", json!({"of": "what"})),
    ] {
        let detail = it
            .scim
            .post("/Users", &person("c@kestrel.example", json!({name: value})))
            .await
            .error(400, "invalidValue");
        assert!(detail.contains(&path(name)), "{detail}");
    }

    // Returned.
    let shown = async |query: &str| it.scim.get(&format!("{at}{query}")).await.expect(200)[URN].take();
    assert_eq!(shown("").await, everything_shown());
    assert_eq!(
        shown(&format!("?attributes={}", path("rate"))).await,
        json!({"rate": 12.5})
    );
    assert_eq!(shown(&format!("?attributes={}", path("pin"))).await, Value::Null);
    assert_eq!(
        shown(&format!("?attributes={},{}", path("desk.floor"), path("tags"))).await,
        json!({"desk": {"floor": 3}, "tags": ["night", "forklift"]})
    );
    let mut without = everything_shown();
    without.as_object_mut().unwrap().remove("tags");
    assert_eq!(shown(&format!("?excludedAttributes={}", path("tags"))).await, without);
    let list = it.scim.get("/Users").await.text;
    assert!(!list.contains("\"pin\"") && !list.contains("\"rate\""), "{list}");
}

#[tokio::test]
async fn internal_services_see_the_schemas_and_the_changes() {
    let it = start().await;
    let request = |tenant: &str| GetSchemasRequest {
        tenant: tenant.to_owned(),
    };
    let answer = it.schemas().get_schemas(request(TENANT)).await.unwrap().into_inner();
    let types: Vec<_> = answer
        .extensions
        .iter()
        .map(|extension| extension.resource_type.as_str())
        .collect();
    assert_eq!(types, ["User", "Group"]);
    let document: Value = serde_json::from_str(&answer.extensions[0].document).unwrap();
    assert_eq!(document["id"], URN);
    let other = it.schemas().get_schemas(request("other")).await.unwrap_err();
    assert_eq!(Details::of(&other).unwrap().reason, ErrorReason::UnknownTenant);

    let id = it
        .scim
        .create("/Users", &person("a@kestrel.example", everything()))
        .await;
    let watch = WatchChangesRequest {
        tenant: TENANT.to_owned(),
        resume_token: None,
    };
    let mut feed = it.changes().watch_changes(watch).await.unwrap().into_inner();
    let begun = feed.message().await.unwrap().unwrap();
    assert!(begun.change.is_none(), "a watch begins with a token");
    it.scim
        .patch(
            &format!("/Users/{id}"),
            json!({"op": "Add", "path": path("badgeTier"), "value": "T2"}),
        )
        .await
        .expect(204);
    let change = feed.message().await.unwrap().unwrap().change.unwrap();
    assert_eq!(
        (change.resource_id, change.attributes),
        (id.clone(), vec![URN.to_owned()])
    );

    // A write that was read by other schemas is refused before anything is done; without a word about them it is taken.
    let patch = |hash: Option<&str>, value: &str| {
        let mut request = tonic::Request::new(PatchUserRequest {
            tenant: TENANT.to_owned(),
            id: id.clone(),
            operations: vec![PatchOperation {
                op: "replace".to_owned(),
                path: Some(path("badgeTier")),
                value: Some(json!(value).to_string()),
                ..PatchOperation::default()
            }],
            ..PatchUserRequest::default()
        });
        if let Some(hash) = hash {
            request
                .metadata_mut()
                .insert(proto::SCHEMAS_HASH, hash.parse().unwrap());
        }
        request
    };
    let refused = it.users().patch_user(patch(Some("old"), "T3")).await.unwrap_err();
    let details = Details::of(&refused).unwrap();
    assert_eq!(
        (refused.code(), details.reason),
        (Code::FailedPrecondition, ErrorReason::SchemasChanged)
    );
    assert_eq!(details.metadata["hash"], answer.hash);
    for (hash, value) in [(Some(answer.hash.as_str()), "T4"), (None, "T5")] {
        let patched = it.users().patch_user(patch(hash, value)).await.unwrap().into_inner();
        let extension: Value = serde_json::from_str(&patched.user.unwrap().extensions[URN]).unwrap();
        assert_eq!(extension["badgeTier"], value);
    }
}
