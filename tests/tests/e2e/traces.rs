//! One change is one trace, from Entra's request to the call of the Platform: in the spans that a collector receives, in
//! the logs, and in what the Platform is sent. And nobody who may read traces and logs learns from them whom they are
//! about.

mod collector;
mod hops;

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use proto::identity::v1::audit_entry::Record;
use serde_json::{Value, json};

use self::collector::{Collector, attribute, chain, hex, named};
use crate::{
    deployment::{Answer, Scim, TOKEN, patch},
    processes::Services,
    users::audit,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const LATER_TRACE: &str = "a3ce929d0e0e47364bf92f3577b34da6";
const REFUSED_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// Whatever tells of the person, or opens a door.
const PERSONAL: &[&str] = &[
    "quillfeather",
    "ottoline",
    "5145550199",
    "vitrine-keeper",
    TOKEN,
    "simulated-secret",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_one_trace_from_entra_to_the_platform() {
    let collector = Collector::start().await;
    let endpoint = format!("--otlp-endpoint={}", collector.url);
    // Our own crates say all they can.
    let log = "--log=info,service_runtime=debug,gateway=debug,identity_service=debug,delinea_adapter=debug";
    let services = Services::start(&[&endpoint, "--log-format=json", log]).await;
    let scim = Scim::at(services.scim_base(), TOKEN);
    let platform = services.platform_side();

    // A user who arrives, and one who cannot: somebody else's account has the name.
    let created = send(&scim, TRACE, Method::POST, "/Users", &user("ottoline.quillfeather")).await;
    platform.strangers(&["quillfeather@vitrine.example"]).await;
    send(&scim, REFUSED_TRACE, Method::POST, "/Users", &user("quillfeather")).await;

    // Up from the call that created the account, to the caller.
    let create = "CDirectoryService/CreateUser";
    let spans = collector
        .wait(|spans| named(spans, TRACE, create).is_some() && chain(spans, TRACE, create).last() == Some(&CALLER_SPAN))
        .await;
    let create_user = "delinea.scim.identity.v1.UserService/CreateUser";
    let apply_user = "delinea.scim.adapter.v1.AdapterService/ApplyUser";
    let expected = [
        ("delinea-adapter", SpanKind::Client, create),
        ("delinea-adapter", SpanKind::Server, apply_user),
        ("identity-service", SpanKind::Client, apply_user),
        ("identity-service", SpanKind::Internal, "deliver"),
        ("identity-service", SpanKind::Server, create_user),
        ("gateway", SpanKind::Client, create_user),
        ("gateway", SpanKind::Server, "POST /scim/v2/Users"),
        CALLER_SPAN,
    ];
    assert_eq!(chain(&spans, TRACE, create), expected);
    // Each step of the store is a part of what it was for, and says nothing of whom.
    for (step, whole) in [("write", expected[4]), ("order", expected[3]), ("settle", expected[3])] {
        let way = chain(&spans, TRACE, step);
        assert_eq!(
            way[..2],
            [("identity-service", SpanKind::Internal, step), whole],
            "{step}"
        );
        let attributes = &named(&spans, TRACE, step).unwrap().span.attributes;
        let mut told: Vec<_> = attributes.iter().map(|it| it.key.as_str()).collect();
        told.retain(|key| !key.starts_with("busy_") && !key.starts_with("idle_"));
        told.sort_unstable();
        assert_eq!(told, ["db.operation.name", "db.system.name"], "{step}");
    }

    // The Platform itself was told.
    let calls = platform.control(Method::GET, "calls", &Value::Null).await;
    let call = calls.as_array().unwrap().iter().find(|call| call["method"] == create);
    let sent = named(&spans, TRACE, create).unwrap();
    let traceparent = format!("00-{TRACE}-{}-01", hex(&sent.span.span_id));
    assert_eq!(call.unwrap()["traceparent"], traceparent, "{call:?}");

    // A later change of the same user is a trace of its own.
    let path = format!("/Users/{}", created["id"].as_str().unwrap());
    let title = json!({"op": "Replace", "path": "name.familyName", "value": "Quillfeather-Vane"});
    let mail = json!({"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "vane@quillfeather.example"});
    send(&scim, LATER_TRACE, Method::PATCH, &path, &patch(json!([title, mail]))).await;
    let change = "CDirectoryService/ChangeUser";
    let spans = collector
        .wait(|spans| {
            named(spans, LATER_TRACE, change).is_some() && outcome(spans, REFUSED_TRACE).as_deref() == Some("refused")
        })
        .await;
    assert!(named(&spans, TRACE, change).is_none(), "the first trace has ended");

    for span in &spans {
        silent(&format!("{span:?}"), "a span");
    }
    let mut logged: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for process in [&services.gateway, &services.identity, &services.adapter] {
        for line in process.log().lines() {
            silent(line, process.program());
            let record: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if let Some(trace) = record["trace_id"].as_str() {
                logged
                    .entry(trace.to_owned())
                    .or_default()
                    .insert(process.program().to_owned());
            }
        }
    }
    // The audit trail leads to each trace, from what was asked and from what came of it.
    let (mut asked, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for entry in audit::entries(services.audit()).await {
        match entry.record.unwrap() {
            Record::Change(change) => asked.extend(change.origin.and_then(|origin| origin.trace_id)),
            Record::Outcome(outcome) => ended.extend(outcome.trace_id),
            Record::OperatorAct(act) => panic!("{act:?}"),
        }
    }
    for trace in [TRACE, LATER_TRACE, REFUSED_TRACE] {
        assert!(
            asked.contains(trace) && ended.contains(trace),
            "{trace}: {asked:?} {ended:?}"
        );
        let programs: Vec<_> = logged[trace].iter().map(String::as_str).collect();
        assert_eq!(programs, ["delinea-adapter", "gateway", "identity-service"], "{trace}");
    }
}

/// What stands for the span of the caller, who exports none.
const CALLER_SPAN: (&str, SpanKind, &str) = ("caller", SpanKind::Unspecified, CALLER);

fn user(local: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": format!("{local}@vitrine.example"),
        "externalId": local,
        "active": true,
        "displayName": "Ottoline Quillfeather",
        "title": "Vitrine-Keeper",
        "name": {"givenName": "Ottoline", "familyName": "Quillfeather"},
        "emails": [{"type": "work", "value": format!("{local}@mail.vitrine.example")}],
        "phoneNumbers": [{"type": "work", "value": "5145550199"}],
    })
}

/// What came of the delivery in a trace.
fn outcome(spans: &[collector::Received], trace: &str) -> Option<String> {
    attribute(named(spans, trace, "deliver")?, "delivery.outcome")
}

/// A request of a caller that traces; it must succeed, but for the one that the Platform refuses.
async fn send(scim: &Scim, trace: &str, method: Method, path: &str, body: &Value) -> Value {
    let request = scim
        .request(method, path)
        .header("content-type", "application/scim+json")
        .header("accept", "application/scim+json")
        .header("traceparent", format!("00-{trace}-{CALLER}-01"))
        .body(body.to_string());
    let answer = Answer::of(request).await;
    assert!(answer.status.is_success() || trace == REFUSED_TRACE, "{answer:?}");
    serde_json::from_str(&answer.text).unwrap()
}

#[track_caller]
fn silent(text: &str, what: &str) {
    let lower = text.to_lowercase();
    for word in PERSONAL {
        assert!(!lower.contains(word), "{what} says {word}: {text}");
    }
}
