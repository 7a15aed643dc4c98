//! Every hop of a change is in its trace: of a membership, of a delivery that needs three tries, and of changes that are
//! delivered together.

use std::time::Duration;

use http::Method;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;

use super::{
    CALLER_SPAN,
    collector::{Collector, Received, all, attribute, chain, chain_of, hex, in_trace, named},
    send, user,
};
use crate::{
    deployment::{Scim, TOKEN, fault, patch},
    processes::{PATIENCE, Services},
};

const CREATE: &str = "1af7651916cd43dd8448eb211c80319c";
const GROUP: &str = "2af7651916cd43dd8448eb211c80319c";
const MEMBER: &str = "3af7651916cd43dd8448eb211c80319c";
const FIRST: &str = "4af7651916cd43dd8448eb211c80319c";
const SECOND: &str = "5af7651916cd43dd8448eb211c80319c";
const THREE_TRIES: &str = "6af7651916cd43dd8448eb211c80319c";

const CORRELATION: &str = "a5f3c1d2-5b1e-4d43-9a57-3f1f0a2b9c11";

async fn traced() -> (Collector, Services, Scim) {
    let collector = Collector::start().await;
    let endpoint = format!("--otlp-endpoint={}", collector.url);
    let services = Services::start(&[&endpoint]).await;
    let scim = Scim::at(services.scim_base(), TOKEN);
    (collector, services, scim)
}

/// What a span of identity-service or delinea-adapter stands below, up to whoever asked.
fn way<'a>(rpc: &'a str, http: &'a str, adapter: &'a str) -> Vec<(&'a str, SpanKind, &'a str)> {
    vec![
        ("delinea-adapter", SpanKind::Server, adapter),
        ("identity-service", SpanKind::Client, adapter),
        ("identity-service", SpanKind::Internal, "deliver"),
        ("identity-service", SpanKind::Server, rpc),
        ("gateway", SpanKind::Client, rpc),
        ("gateway", SpanKind::Server, http),
        CALLER_SPAN,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_membership_is_one_trace_with_all_hops() {
    let (collector, _services, scim) = traced().await;
    let created = send(&scim, CREATE, Method::POST, "/Users", &user("ottoline")).await;
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "Vitrine",
        "externalId": "vitrine",
    });
    let group = send(&scim, GROUP, Method::POST, "/Groups", &group).await;
    let path = format!("/Groups/{}", group["id"].as_str().unwrap());
    let add = json!({"op": "Add", "path": "members", "value": [{"value": created["id"]}]});
    let request = scim
        .request(Method::PATCH, &path)
        .header("content-type", "application/scim+json")
        .header("traceparent", format!("00-{MEMBER}-{}-01", super::CALLER))
        .header("x-ms-correlation-id", CORRELATION)
        .body(patch(json!([add])).to_string());
    let answer = crate::deployment::Answer::of(request).await;
    assert!(answer.status.is_success(), "{answer:?}");

    let apply = "delinea.scim.adapter.v1.AdapterService/ApplyGroup";
    let patch_group = "delinea.scim.identity.v1.GroupService/PatchGroup";
    let http = "PATCH /scim/v2/Groups/{id}";
    let expected = way(patch_group, http, apply);
    let is_call = |of: &Received| of.service == "delinea-adapter" && of.span.kind() == SpanKind::Client;
    let spans = collector
        .wait(|spans| {
            let mut calls = in_trace(spans, MEMBER).filter(|of| is_call(of));
            let settled = chain(spans, MEMBER, "settle").last() == Some(&CALLER_SPAN);
            settled && calls.any(|call| chain_of(spans, call)[1..] == expected)
        })
        .await;
    for call in in_trace(&spans, MEMBER).filter(|of| is_call(of)) {
        assert_eq!(
            chain_of(&spans, call)[1..],
            expected,
            "each call of the Platform has the whole way"
        );
        assert_eq!(
            attribute(call, "http.request.method").as_deref(),
            Some("POST"),
            "{call:?}"
        );
        assert_eq!(
            attribute(call, "http.response.status_code").as_deref(),
            Some("200"),
            "{call:?}"
        );
        assert_eq!(attribute(call, "platform.outcome").as_deref(), Some("ok"), "{call:?}");
    }
    // The store's steps: the change itself below the call, and what became of it below the delivery.
    let (below_the_call, below_the_delivery) = (&expected[3..], &expected[2..]);
    for (step, below) in [("write", below_the_call), ("settle", below_the_delivery)] {
        let way = chain(&spans, MEMBER, step);
        assert_eq!(way.first(), Some(&("identity-service", SpanKind::Internal, step)));
        assert_eq!(&way[1..], below, "{step}");
        let of_step = named(&spans, MEMBER, step).unwrap();
        assert_eq!(
            attribute(of_step, "db.system.name").as_deref(),
            Some("redb"),
            "{of_step:?}"
        );
    }
    let outermost = named(&spans, MEMBER, http).unwrap();
    for (name, value) in [
        ("scim.tenant", "default"),
        ("scim.resource.type", "Group"),
        ("scim.resource.id", group["id"].as_str().unwrap()),
        ("scim.correlation_id", CORRELATION),
        ("http.request.method", "PATCH"),
        ("http.route", "/scim/v2/Groups/{id}"),
        ("network.protocol.version", "1.1"),
    ] {
        assert_eq!(
            attribute(outermost, name).as_deref(),
            Some(value),
            "{name}: {outermost:?}"
        );
    }
    // Of what was created, the answer says which it is.
    let spans = collector
        .wait(|spans| named(spans, CREATE, "POST /scim/v2/Users").is_some())
        .await;
    let create = named(&spans, CREATE, "POST /scim/v2/Users").unwrap();
    assert_eq!(attribute(create, "scim.resource.id").as_deref(), created["id"].as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_of_three_tries_is_one_trace_with_each_of_them() {
    let (collector, services, scim) = traced().await;
    let create = "CDirectoryService/CreateUser";
    services.platform_side().fault(fault(create, "unavailable", 2)).await;
    send(&scim, THREE_TRIES, Method::POST, "/Users", &user("ottoline")).await;
    services.settled().await;

    let spans = collector
        .wait(|spans| all(spans, THREE_TRIES, "deliver").count() == 3 && all(spans, THREE_TRIES, create).count() == 3)
        .await;
    let rpc = "delinea.scim.identity.v1.UserService/CreateUser";
    let expected = way(
        rpc,
        "POST /scim/v2/Users",
        "delinea.scim.adapter.v1.AdapterService/ApplyUser",
    );
    for call in all(&spans, THREE_TRIES, create) {
        assert_eq!(
            chain_of(&spans, call)[1..],
            expected,
            "each try stands below what was asked"
        );
    }
    let mut tries: Vec<_> = all(&spans, THREE_TRIES, "deliver")
        .map(|span| {
            (
                attribute(span, "delivery.attempt").unwrap(),
                attribute(span, "delivery.outcome").unwrap(),
            )
        })
        .collect();
    tries.sort();
    let expected = [("1", "later"), ("2", "later"), ("3", "applied")];
    assert_eq!(
        tries,
        expected.map(|(attempt, outcome)| (attempt.to_owned(), outcome.to_owned()))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_are_delivered_together_are_all_linked() {
    let (collector, services, scim) = traced().await;
    let created = send(&scim, CREATE, Method::POST, "/Users", &user("ottoline")).await;
    services.settled().await;
    let path = format!("/Users/{}", created["id"].as_str().unwrap());
    let change = |local: &str| {
        let mail = format!("{local}@mail.vitrine.example");
        patch(json!([{"op": "Replace", "path": "emails[type eq \"work\"].value", "value": mail}]))
    };
    // While the first is under way, two more come: they are one delivery.
    let platform = services.platform_side();
    let slow = json!({"method": "CDirectoryService/ChangeUser", "fault": "slow", "times": 1, "delay_ms": 3000});
    platform.fault(slow).await;
    let [first, second, third] = ["vane", "quill", "feather"].map(change);
    let change = |trace, body| send(&scim, trace, Method::PATCH, &path, body);
    let others = async {
        let under_way = async {
            while platform.hits().await != [1] {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, under_way).await.unwrap();
        tokio::join!(change(FIRST, &second), change(SECOND, &third))
    };
    tokio::join!(change(CREATE, &first), others);
    services.settled().await;

    // Whichever came last: its trace has the delivery, which leads to the other.
    let together = |spans: &[Received], one: &str, other: &str| {
        let leads = |span: &Received| span.span.links.iter().any(|link| hex(&link.trace_id) == other);
        all(spans, one, "deliver").any(leads) && named(spans, other, "deliver").is_none()
    };
    collector
        .wait(|spans| together(spans, FIRST, SECOND) || together(spans, SECOND, FIRST))
        .await;
}
