//! What the gateway answers by itself, over real sockets, with an identity-service that cannot be reached: every
//! refusal is a SCIM error of its right status, and what would need identity-service is 503, never 4xx.

use std::time::Duration;

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use service_runtime::Running;
use service_runtime::health::{Report, State};

mod bulk;
mod client;
mod edge;
mod limits;

use client::ask;

use super::*;
use crate::auth::Credentials;
use crate::auth::book::of_one_token;
use crate::schemas::{Tables, builtin};
use crate::{Config, ScimArgs};

const TOKEN: &str = "dsg_test";
/// Longer than any test.
const FOR_EVER: Duration = Duration::from_secs(24 * 3600);
const USER: &str =
    r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"odile@kestrelworks.example"}"#;

fn config() -> Config {
    Config {
        listen: ([127, 0, 0, 1], 0).into(),
        // Port 1 of this host refuses connections.
        identity_url: "http://127.0.0.1:1".to_owned(),
        scim: ScimArgs {
            max_user_body: 1024,
            max_group_body: 4096,
            ..ScimArgs::default()
        },
        ..Config::default()
    }
}

/// A gateway that has had verifiers and schema table of its identity-service once.
async fn start(config: Config) -> Running {
    let identity = service_runtime::connect(&config.identity_url, config.scim.request_timeout).unwrap();
    let tables = Tables::default();
    tables.put("default", builtin().into());
    let credentials = Credentials::new(&config.auth, Some(of_one_token("default", TOKEN)), FOR_EVER).unwrap();
    crate::begin(config, identity, tables, credentials).await.unwrap()
}

async fn gateway() -> Running {
    start(config()).await
}

#[tokio::test]
async fn before_it_is_known_who_may_call_nothing_is_401() {
    let running = crate::start(config()).await.unwrap();
    for line in [
        "GET /scim/v2/Users",
        "DELETE /scim/v2/Users/1",
        "GET /scim/v2/Schemas",
        "GET /scim/v2/Nothing",
    ] {
        let answer = ask(line).of(&running).await;
        let (_, detail) = answer.error(503);
        assert_eq!(answer.header("retry-after"), Some("5"), "{line}");
        assert!(detail.contains("Who may call"), "{line}: {detail}");
    }
    // What needs nobody's word is as ever.
    ask("GET /scim/v2/Users")
        .without("Authorization")
        .of(&running)
        .await
        .error(401);
    let unready = |report: &Report| {
        let state = |name: &str| matches!(&report.dependencies[name], State::NotReady(reason) if reason.contains("identity-service"));
        state("credentials") && state("schemas")
    };
    let mut reports = running.readiness().subscribe();
    let reached = tokio::time::timeout(Duration::from_secs(20), reports.wait_for(unready)).await;
    reached.unwrap().unwrap();
}

#[tokio::test]
async fn while_nobody_can_say_who_may_call_no_request_waits_for_all_others() {
    let running = crate::start(Config {
        scim: ScimArgs {
            request_timeout: Duration::from_secs(10),
            ..config().scim
        },
        ..config()
    })
    .await
    .unwrap();
    // One after the other they would take longer than a request may.
    let answers = (0..100).map(|_| ask("GET /scim/v2/Users").of(&running));
    for answer in futures_util::future::join_all(answers).await {
        answer.error(503);
    }
}

#[tokio::test]
async fn before_the_schemas_are_known_scim_is_503() {
    let config = config();
    let identity = service_runtime::connect(&config.identity_url, config.scim.request_timeout).unwrap();
    let credentials = Credentials::new(&config.auth, Some(of_one_token("default", TOKEN)), FOR_EVER).unwrap();
    let running = crate::begin(config, identity, Tables::default(), credentials)
        .await
        .unwrap();
    for line in [
        "GET /scim/v2/Users",
        "GET /scim/v2/Groups/1",
        "DELETE /scim/v2/Users/1",
        "GET /scim/v2/Schemas",
        "GET /scim/v2/ResourceTypes/User",
        "GET /scim/v2/ServiceProviderConfig",
        "GET /scim/v2",
    ] {
        let answer = ask(line).of(&running).await;
        let (_, detail) = answer.error(503);
        assert_eq!(answer.header("retry-after"), Some("5"), "{line}");
        assert!(detail.contains("schemas"), "{line}: {detail}");
    }
    let answer = ask("POST /scim/v2/Users").body(USER).of(&running).await;
    answer.error(503);
    // What needs no schema is as ever.
    ask("GET /scim/v2/Nothing").of(&running).await.error(404);
    ask("PUT /scim/v2/Users").of(&running).await.error(405);
    let unready = |report: &Report| {
        let state = &report.dependencies["schemas"];
        matches!(state, State::NotReady(reason) if reason.contains("schema table"))
    };
    let mut reports = running.readiness().subscribe();
    let reached = tokio::time::timeout(Duration::from_secs(20), reports.wait_for(unready)).await;
    reached.unwrap().unwrap();
}

#[tokio::test]
async fn every_route_wants_a_credential_and_reads_no_body_before_it() {
    let running = gateway().await;
    let lines = [
        "GET /scim/v2/Users",
        "GET /scim/v2/ServiceProviderConfig",
        "GET /scim/v2/Schemas",
        "GET /scim/v2/Nothing",
        "POST /scim/v2/Bulk",
        "TRACE /scim/v2/Users",
        "GET /",
    ];
    for line in lines {
        let answer = ask(line).without("Authorization").of(&running).await;
        answer.error(401);
        assert_eq!(
            answer.header("www-authenticate"),
            Some(r#"Bearer realm="scim""#),
            "{line}"
        );
        let answer = ask(line)
            .with("Authorization", "Bearer of-another-maker")
            .of(&running)
            .await;
        answer.error(401);
        assert_eq!(
            answer.header("www-authenticate"),
            Some(r#"Bearer realm="scim", error="invalid_token""#),
            "{line}"
        );
    }
    // The body is announced and never sent: whoever waited for it would not answer.
    let waiting = ask("POST /scim/v2/Users")
        .without("Authorization")
        .with("Content-Length", "100");
    tokio::time::timeout(Duration::from_secs(8), waiting.of(&running))
        .await
        .unwrap()
        .error(401);
}

#[tokio::test]
async fn unknown_routes_and_methods_are_scim_errors() {
    let running = gateway().await;
    for path in [
        "/",
        "/scim",
        "/scim/v2/.search/1",
        "/scim/v2/Nothing",
        "/scim/v2/Users/1/2",
        "/scim/v2x/Users",
        "/Users",
    ] {
        let (_, detail) = ask(&format!("GET {path}")).of(&running).await.error(404);
        let below = path.starts_with("/scim/v2") && !path.contains('x');
        assert_eq!(detail.contains("/Users"), below, "{path}: {detail}");
    }
    for path in [
        "/scim/v2/Users/%ff",
        "/scim/v2/Groups/%00",
        &format!("/scim/v2/Users/{}", "a".repeat(300)),
    ] {
        ask(&format!("GET {path}")).of(&running).await.error(404);
    }
    let table = [
        ("PUT /scim/v2/Users", "GET,HEAD,POST"),
        ("DELETE /scim/v2/Groups/", "GET,HEAD,POST"),
        ("POST /scim/v2/Users/1", "GET,HEAD,PUT,PATCH,DELETE"),
        ("POST /scim/v2/Schemas", "GET,HEAD"),
        ("POST /scim/v2", "GET,HEAD"),
        ("GET /scim/v2/Users/.search", "POST"),
        ("PUT /scim/v2/.search/", "POST"),
        ("GET /scim/v2/Bulk", "POST"),
        ("TRACE /scim/v2//ServiceProviderConfig", "GET,HEAD"),
        ("BREW /scim/v2/Users", "GET,HEAD,POST"),
    ];
    for (line, allow) in table {
        let answer = ask(line).of(&running).await;
        let (_, detail) = answer.error(405);
        let sorted = |list: &str| {
            let mut methods: Vec<String> = list.split(',').map(|method| method.trim().to_owned()).collect();
            methods.sort();
            methods
        };
        assert_eq!(sorted(answer.header("allow").unwrap()), sorted(allow), "{line}");
        assert!(detail.contains(line.split(' ').next().unwrap()), "{detail}");
    }
}

#[tokio::test]
async fn options_tell_what_can_be_done() {
    let running = gateway().await;
    for (path, allow) in [
        ("", &["GET", "HEAD"][..]),
        ("/Users", &["GET", "HEAD", "POST"]),
        ("/Groups/1/", &["DELETE", "GET", "HEAD", "PATCH", "PUT"]),
        ("/.search", &["POST"]),
        ("/Schemas/x", &["GET", "HEAD"]),
    ] {
        let answer = ask(&format!("OPTIONS /scim/v2{path}")).of(&running).await;
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{path}");
        let mut methods: Vec<_> = answer.header("allow").unwrap().split(',').collect();
        methods.sort_unstable();
        assert_eq!(methods, allow, "{path}");
    }
    ask("OPTIONS /scim/v2/Nothing").of(&running).await.error(404);
    ask("OPTIONS /scim/v2/Users")
        .without("Authorization")
        .of(&running)
        .await
        .error(401);
}

#[tokio::test]
async fn me_is_not_offered() {
    let running = gateway().await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let (scim_type, detail) = ask(&format!("{method} /scim/v2/Me")).of(&running).await.error(501);
        assert_eq!(scim_type, None);
        assert!(detail.contains("/Users"), "{detail}");
    }
}

#[tokio::test]
async fn discovery_refuses_a_write_before_it_reads_the_body() {
    let running = gateway().await;
    for path in [
        "ServiceProviderConfig",
        "ResourceTypes",
        "ResourceTypes/User",
        "Schemas",
        "Schemas/x",
    ] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            // The body is announced and never sent: whoever waited for it would not answer.
            let line = format!("{method} /scim/v2/{path}");
            let waiting = ask(&line).with("Content-Length", "100");
            let answer = tokio::time::timeout(Duration::from_secs(8), waiting.of(&running)).await;
            answer.unwrap().error(405);
        }
    }
}

#[tokio::test]
async fn large_answers_are_packed_for_whom_it_suits() {
    let running = gateway().await;
    let plain = ask("GET /scim/v2/Schemas").of(&running).await;
    assert_eq!(plain.header("content-encoding"), None);
    for (accepted, packed) in [
        ("gzip", true),
        ("br;q=1.0, GZIP;q=0.8, *;q=0.1", true),
        ("identity", false),
        ("gzip;q=0", false),
        ("br", false),
    ] {
        let answer = ask("GET /scim/v2/Schemas")
            .with("Accept-Encoding", accepted)
            .of(&running)
            .await;
        assert_eq!(
            answer.header("content-encoding"),
            packed.then_some("gzip"),
            "{accepted}"
        );
        assert_eq!(
            answer.body.windows(2).any(|pair| pair == [0x1f, 0x8b]),
            packed,
            "{accepted}"
        );
        assert_eq!(answer.body.len() < plain.body.len() / 2, packed, "{accepted}");
    }
    let small = ask("GET /scim/v2/Nothing")
        .with("Accept-Encoding", "gzip")
        .of(&running)
        .await;
    assert_eq!(small.header("content-encoding"), None);
    small.error(404);
    let head = ask("HEAD /scim/v2/Schemas")
        .with("Accept-Encoding", "gzip")
        .of(&running)
        .await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn refused_bodies_say_what_is_wrong() {
    let running = gateway().await;
    let deep = format!(r#"{{"userName":{}{}}}"#, "[".repeat(400), "]".repeat(400));
    let large = format!(r#"{{"userName":"odile","title":"{}"}}"#, "x".repeat(1024));
    let members = format!(
        r#"{{"displayName":"Rack Operators","members":[{}]}}"#,
        vec![r#"{"value":"x"}"#; 400].join(",")
    );
    type Row<'a> = (&'a str, &'a [u8], u16, Option<&'a str>, &'a str);
    let long = format!(r#"{{"filter":"{}"}}"#, "x".repeat(256 << 10));
    let table: [Row<'_>; 23] = [
        ("POST /scim/v2/.search", b"", 400, Some("invalidSyntax"), "empty"),
        (
            "POST /scim/v2/Users/.search",
            br#"{"filter":["a pr"]}"#,
            400,
            Some("invalidValue"),
            "filter",
        ),
        (
            "POST /scim/v2/.search",
            br#"{"filter":"userNme eq \"odile\""}"#,
            400,
            Some("invalidFilter"),
            "`userNme`",
        ),
        (
            "POST /scim/v2/Groups/.search",
            long.as_bytes(),
            413,
            None,
            "262144 bytes",
        ),
        ("POST /scim/v2/Users", b"", 400, Some("invalidSyntax"), "empty"),
        (
            "POST /scim/v2/Users",
            b"{\"userName\":",
            400,
            Some("invalidSyntax"),
            "line 1 column 12",
        ),
        (
            "POST /scim/v2/Users",
            b"{\"userName\":\"a\xff\"}",
            400,
            Some("invalidSyntax"),
            "UTF-8",
        ),
        (
            "PUT /scim/v2/Users/1",
            deep.as_bytes(),
            400,
            Some("invalidSyntax"),
            "recursion",
        ),
        (
            "POST /scim/v2/Users",
            br#"{"userName":"a","userName":"b"}"#,
            400,
            Some("invalidSyntax"),
            "twice",
        ),
        (
            "POST /scim/v2/Users",
            br#"{"title":"Rack technician"}"#,
            400,
            Some("invalidValue"),
            "userName",
        ),
        (
            "PUT /scim/v2/Users/1",
            br#"{"userName":"  "}"#,
            400,
            Some("invalidValue"),
            "userName",
        ),
        (
            "POST /scim/v2/Groups",
            br#"{"members":[]}"#,
            400,
            Some("invalidValue"),
            "displayName",
        ),
        ("POST /scim/v2/Users", large.as_bytes(), 413, None, "1024 bytes"),
        ("PATCH /scim/v2/Users/1", large.as_bytes(), 413, None, "1024 bytes"),
        ("POST /scim/v2/Groups", members.as_bytes(), 413, None, "4096 bytes"),
        (
            "PATCH /scim/v2/Users/1",
            br#"{"Operations":[{"op":"merge","path":"title","value":"x"}]}"#,
            400,
            Some("invalidSyntax"),
            "op",
        ),
        (
            "POST /scim/v2/Users",
            br#"{"userName":"a","USERNAME":"b"}"#,
            400,
            Some("invalidSyntax"),
            "userName",
        ),
        (
            "PUT /scim/v2/Users/1",
            br#"{"userName":"a","name":{"familyName":"b","FamilyName":"c"}}"#,
            400,
            Some("invalidSyntax"),
            "name.familyName",
        ),
        (
            "PATCH /scim/v2/Users/1",
            br#"{"Operations":[{"op":"replace","value":{"title":"a","Title":"b"}}]}"#,
            400,
            Some("invalidSyntax"),
            "operation 1: `title`",
        ),
        (
            "PATCH /scim/v2/Users/1",
            br#"{"Operations":[],"operations":[{"op":"remove","path":"title"}]}"#,
            400,
            Some("invalidSyntax"),
            "Operations",
        ),
        (
            "PATCH /scim/v2/Users/1",
            br#"{"Operations":[{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:Group:displayName","value":"x"}]}"#,
            400,
            Some("invalidPath"),
            "Group",
        ),
        (
            "PATCH /scim/v2/Users/1",
            br#"{"Operations":[{"op":"replace","value":{"emails[type eq \"work\".value":"a@x"}}]}"#,
            400,
            Some("invalidPath"),
            "position",
        ),
        (
            "PATCH /scim/v2/Users/1",
            br#"{"Operations":[{"op":"add","path":"title[","value":"x"}]}"#,
            400,
            Some("invalidPath"),
            "",
        ),
    ];
    for (line, body, status, scim_type, part) in table {
        let (given, detail) = ask(line).body(body).of(&running).await.error(status);
        assert_eq!(given.as_deref(), scim_type, "{line}: {detail}");
        assert!(detail.contains(part), "{line}: {detail}");
    }
    let huge = vec![b' '; 4 << 20];
    ask("POST /scim/v2/Users").body(&huge).of(&running).await.error(413);
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/xml"] {
        ask("POST /scim/v2/Users")
            .body(USER)
            .with("Content-Type", media_type)
            .of(&running)
            .await
            .error(415);
    }
    ask("POST /scim/v2/Users")
        .body(USER)
        .with("Content-Encoding", "gzip")
        .of(&running)
        .await
        .error(415);
}

#[tokio::test]
async fn refused_questions_say_what_is_wrong() {
    let running = gateway().await;
    let table = [
        ("GET /scim/v2/Users?filter=", "invalidFilter"),
        ("GET /scim/v2/Users?count=ten", "invalidValue"),
        ("GET /scim/v2/Groups?startIndex=first", "invalidValue"),
        ("GET /scim/v2/Users?filter=%ff", "invalidValue"),
        ("GET /scim/v2?sortBy=displayName", "invalidValue"),
        ("GET /scim/v2?cursor=x", "invalidCursor"),
        ("GET /scim/v2/Users?cursor=&count=0", "invalidCount"),
        ("GET /scim/v2/?filter=userName+eq", "invalidFilter"),
        ("GET /scim/v2?filter=userName.part+pr", "invalidFilter"),
    ];
    for (line, scim_type) in table {
        assert_eq!(
            ask(line).of(&running).await.error(400).0.as_deref(),
            Some(scim_type),
            "{line}"
        );
    }
    let unclear = ask("DELETE /scim/v2/Users/1").with("If-Match", "7").of(&running).await;
    assert!(unclear.error(400).1.contains("If-Match"));
    ask("GET /scim/v2/Schemas?filter=id+pr").of(&running).await.error(403);
    for (line, status) in [
        // RFC 7644 §4: what asks for a page or an order is ignored here, readable or not.
        (
            "GET /scim/v2/Schemas?count=ten&startIndex=x&sortBy=&attributes=a%5B",
            200,
        ),
        ("GET /scim/v2/ResourceTypes?count=0&cursor", 200),
        ("GET /scim/v2/ServiceProviderConfig?count=ten", 200),
        ("GET /scim/v2/Schemas?count=ten&Filter=", 403),
        ("GET /scim/v2/ResourceTypes/User?filter=%ff", 403),
    ] {
        assert_eq!(ask(line).of(&running).await.status, status, "{line}");
    }
    ask("GET /scim/v2/ResourceTypes?filter=id+pr")
        .of(&running)
        .await
        .error(403);
}

#[tokio::test]
async fn without_identity_service_the_answer_is_503_and_when_to_try_again() {
    let running = gateway().await;
    let patch = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                    "Operations":[{"op":"Replace","path":"active","value":"False"}]}"#;
    let group = r#"{"displayName":"Rack Operators","members":[]}"#;
    let asks = [
        ask("GET /scim/v2/Users?filter=userName+eq+%22odile%22&aadOptscim062020"),
        ask("GET /scim/v2/Users/?filter=userName+eq+%22odile%22"),
        ask("GET /scim/v2//Users/0190d6f2-7b5c-7cc0-8d21-3c5e8a1f0b77"),
        ask("GET /scim/v2/Groups?excludedAttributes=members"),
        ask("GET /scim/v2/Groups/1"),
        ask("GET /scim/v2?filter=displayName+pr"),
        ask("POST /scim/v2/.search").body(r#"{"filter":"displayName pr","count":1}"#),
        ask("POST /scim/v2/Users/.search").body("{}"),
        ask("POST /scim/v2/Groups/.search/").body("{}"),
        ask("POST /scim/v2/Users").body(USER),
        ask("POST /scim/v2/Users").body(USER).without("Content-Type"),
        ask("POST /scim/v2/Users")
            .body(USER)
            .with("Content-Type", "Application/JSON; Charset=UTF-8"),
        ask("PUT /scim/v2/Users/1").body(USER).with("If-Match", "*"),
        ask("PATCH /scim/v2/Users/1").body(patch),
        ask("DELETE /scim/v2/Users/1").with("If-Match", r#"W/"7""#),
        ask("POST /scim/v2/Groups").body(group),
        ask("DELETE /scim/v2/Groups/1"),
    ];
    for asked in asks {
        let answer = asked.of(&running).await;
        let (scim_type, detail) = answer.error(503);
        assert_eq!(scim_type, None);
        assert!(!detail.contains("127.0.0.1"), "{detail}");
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
    assert!(
        !running.readiness().report().is_ready(),
        "a gateway without identity-service is not ready"
    );
}

#[tokio::test]
async fn discovery_tells_what_works() {
    let running = gateway().await;
    let answer = ask("GET /scim/v2/ServiceProviderConfig/").of(&running).await;
    let config = answer.json();
    let flags =
        ["patch", "bulk", "filter", "changePassword", "sort", "etag"].map(|name| config[name]["supported"].clone());
    assert_eq!(
        json!(flags),
        json!([true, true, true, false, true, true]),
        "in the order of RFC 7643 §5"
    );
    assert_eq!(config["filter"]["maxResults"], json!(1000));
    assert_eq!(
        config["pagination"],
        json!({"cursor": true, "index": true, "defaultPaginationMethod": "index", "defaultPageSize": 100, "maxPageSize": 1000})
    );
    assert_eq!(config["authenticationSchemes"][0]["type"], json!("oauthbearertoken"));
    assert_eq!(
        config["meta"]["location"],
        json!("http://gw.example/scim/v2/ServiceProviderConfig")
    );
    for (folder, ids) in [
        ("ResourceTypes", vec!["User", "Group"]),
        (
            "Schemas",
            vec![
                "urn:ietf:params:scim:schemas:core:2.0:User",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
                "urn:ietf:params:scim:schemas:core:2.0:Group",
            ],
        ),
    ] {
        let list = ask(&format!("GET /scim/v2/{folder}?count=1")).of(&running).await.json();
        let resources = list["Resources"].as_array().unwrap();
        assert_eq!(list["totalResults"], json!(resources.len()), "{folder}");
        for id in ids {
            let at = format!("http://gw.example/scim/v2/{folder}/{id}");
            let found = resources
                .iter()
                .find(|resource| resource["meta"]["location"] == json!(at));
            let one = ask(&format!("GET /scim/v2/{folder}/{id}")).of(&running).await;
            assert_eq!((one.status, Some(&one.json())), (200, found), "{folder}/{id}");
        }
        let text = list.to_string();
        assert!(!text.contains("null") && !text.contains("password"), "{text}");
        ask(&format!("GET /scim/v2/{folder}/nothing"))
            .of(&running)
            .await
            .error(404);
    }
    let head = ask("HEAD /scim/v2/Schemas").of(&running).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-type"), Some("application/scim+json"));
}

#[tokio::test]
async fn a_request_keeps_its_id_and_gets_one_if_it_has_none() {
    let running = gateway().await;
    let answer = ask("GET /scim/v2/Nothing")
        .with("X-Request-Id", "entra-7.1")
        .of(&running)
        .await;
    assert_eq!(answer.header("x-request-id"), Some("entra-7.1"));
    for unusable in [None, Some("a b"), Some(""), Some("{\"a\":1}")] {
        let asked = ask("GET /scim/v2/Nothing");
        let asked = unusable
            .into_iter()
            .fold(asked, |asked, id| asked.with("X-Request-Id", id));
        let answer = asked.without("Authorization").of(&running).await;
        Uuid::parse_str(answer.header("x-request-id").unwrap()).unwrap();
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    let mut config = config();
    config.scim.body_timeout = Duration::from_millis(50);
    let running = start(config).await;
    let answer = ask("POST /scim/v2/Users")
        .with("Content-Length", "100")
        .of(&running)
        .await;
    answer.error(408);
}

#[tokio::test]
async fn an_identity_service_that_does_not_answer_is_504() {
    // The system accepts connections for it; nobody ever reads them.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config();
    config.identity_url = format!("http://{}", silent.local_addr().unwrap());
    config.scim.request_timeout = Duration::from_millis(200);
    let running = start(config).await;
    for line in [
        "GET /scim/v2/Users/1",
        "GET /scim/v2/Groups?filter=displayName+eq+%22a%22",
        "DELETE /scim/v2/Groups/1",
    ] {
        ask(line).of(&running).await.error(504);
    }
}

#[tokio::test]
async fn readiness_follows_the_health_of_identity_service() {
    // A server with health, but without users: what a wrong address might lead to.
    let lifecycle = service_runtime::Lifecycle::start("test", &Config::default().ops)
        .await
        .unwrap();
    let store = lifecycle.readiness.dependency("store");
    let routes = service_runtime::grpc_routes(Default::default(), &lifecycle.readiness, &[]).unwrap();
    let listener = service_runtime::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let other = service_runtime::serve_grpc(listener, routes, service_runtime::Access::open(), lifecycle).unwrap();
    let mut config = config();
    config.identity_url = format!("http://{}", other.addr);
    let running = start(config).await;

    let is_ready = |ready: bool| {
        let mut reports = running.readiness().subscribe();
        async move {
            let reached = reports.wait_for(|report| report.is_ready() == ready);
            tokio::time::timeout(Duration::from_secs(20), reached)
                .await
                .unwrap()
                .unwrap();
        }
    };
    is_ready(false).await;
    store.ready();
    is_ready(true).await;
    ask("GET /scim/v2/Users/1").of(&running).await.error(500);
    store.not_ready("the disk is full");
    is_ready(false).await;
    assert!(running.stop(Duration::from_secs(10)).await);
}

#[tokio::test]
async fn a_panic_is_a_scim_error_too() {
    async fn answer(router: Router, path: &str) -> (StatusCode, Value) {
        let request = Request::builder().uri(path).body(axum::body::Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(router, request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }
    let panicking = Router::new()
        .route("/", get(|| async { panic!("a test") as () }))
        .layer(CatchPanicLayer::custom(panicked as fn(Box<dyn Any + Send>) -> Response));
    let (status, body) = answer(panicking, "/").await;
    assert_eq!(
        (status, &body["status"]),
        (StatusCode::INTERNAL_SERVER_ERROR, &json!("500"))
    );
    assert!(!body.to_string().contains("a test"));
}

#[test]
fn paths_are_brought_into_one_form() {
    let table = [
        ("/", "/"),
        ("//", "/"),
        ("/scim/v2/Users", "/scim/v2/Users"),
        ("/scim/v2/Users/", "/scim/v2/Users"),
        ("//scim//v2///Users//?filter=a//b/", "/scim/v2/Users?filter=a//b/"),
        ("/scim/v2/Users?a=/", "/scim/v2/Users?a=/"),
        ("/scim/v2/Users/%2F/", "/scim/v2/Users/%2F"),
        ("http://gw.example/scim/v2//Users", "http://gw.example/scim/v2/Users"),
    ];
    for (given, expected) in table {
        let request = Request::builder()
            .method(Method::GET)
            .uri(given)
            .body(axum::body::Body::new(Full::default()))
            .unwrap();
        assert_eq!(in_one_form(request).uri(), expected, "{given}");
    }
}
