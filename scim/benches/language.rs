//! Micro-benchmarks of the language: what a gateway does for each of Entra's requests, and what the worst filter costs.
//! `make bench` runs them; docs/performance.md has the figures.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use scim::{
    Filter, MAX_EXPRESSION_BYTES, PatchRequest, Projection, Schemas, URN_ENTERPRISE_USER, apply, canonicalize,
    list_response, steps,
};
use serde_json::{Value, json};

/// How many users the worst filter is asked of.
const MANY: usize = 20_000;
/// How many comparisons it makes of each.
const CLAUSES: usize = 300;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    parse_filters(&mut criterion);
    parse_is_linear(&mut criterion);
    canonicalize_a_user(&mut criterion);
    patch_a_user(&mut criterion);
    render_a_list(&mut criterion);
    evaluate_the_worst_filter(&mut criterion);
    criterion.final_summary();
}

/// What Entra looks users and groups up by (R01, R03, R06).
fn parse_filters(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse a filter");
    let employee = format!("{URN_ENTERPRISE_USER}:employeeNumber eq \"K-0417\"");
    for (name, text) in [
        ("userName", r#"userName eq "odile.marchetti@kestrelworks.example""#),
        (
            "work mail",
            r#"emails[type eq "work"].value eq "odile@kestrelworks.example""#,
        ),
        ("employee number by URN", &employee),
        (
            "reference",
            r#"id eq "0190d6f2-7b5c-7cc0-8d21-3c5e8a1f0b77" and manager eq "0190d6f2-7b5c-7cc0-8d21-3c5e8a1f0b78""#,
        ),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| Filter::parse(black_box(text)).unwrap()));
    }
    group.finish();
}

/// The same time for each byte, whether there are 1 KiB or as many as are read at all.
fn parse_is_linear(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse a long filter");
    for bytes in [1024, 8 * 1024, MAX_EXPRESSION_BYTES] {
        // Long enough that the number of comparisons is not what bounds it.
        let clause = r#"userName eq "odile.marchetti.of.the.halls.and.racks@subsidiary.kestrelworks.example" or "#;
        let mut text = clause.repeat(bytes / clause.len());
        text.truncate(text.len() - " or ".len());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(bytes), &text, |bencher, text| {
            bencher.iter(|| Filter::parse(black_box(text)).unwrap());
        });
    }
    group.finish();
}

fn canonicalize_a_user(criterion: &mut Criterion) {
    let schemas = Schemas::builtin();
    criterion.bench_function("canonicalize a POST of Entra", |bencher| {
        bencher.iter_batched(
            || user(417),
            |body| canonicalize(schemas.user(), body).unwrap(),
            BatchSize::SmallInput,
        );
    });
}

/// From the body to the changed user, in both dialects (R09, R10).
fn patch_a_user(criterion: &mut Criterion) {
    let department = format!("{URN_ENTERPRISE_USER}:department");
    let default = json!({"Operations": [
        {"op": "Replace", "path": "displayName", "value": "Odile M. Roy"},
        {"op": "Replace", "path": "name.familyName", "value": "Roy"},
        {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "odile.roy@kestrelworks.example"},
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "Replace", "path": department, "value": "Halls East"},
    ]});
    let flagged = json!({"Operations": [
        {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "odile.roy@kestrelworks.example"},
        {"op": "replace", "value": {
            "displayName": "Odile M. Roy", "name.familyName": "Roy", "active": false, department: "Halls East",
        }},
    ]});
    let schemas = Schemas::builtin();
    let user = canonicalize(schemas.user(), user(417)).unwrap();
    let mut group = criterion.benchmark_group("patch a user");
    for (name, body) in [("default dialect", default), ("flagged dialect", flagged)] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || (user.clone(), body.clone()),
                |(user, body)| {
                    let request = PatchRequest::from_json(body).unwrap();
                    let steps = steps(schemas.user(), request.operations).unwrap();
                    apply(schemas.user(), user, &steps).unwrap()
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// A page of a list: projection, and JSON text.
fn render_a_list(criterion: &mut Criterion) {
    let schemas = Schemas::builtin();
    let mut group = criterion.benchmark_group("render a list of 100");
    let brief = Projection::parse(Some("userName,emails.value"), None).unwrap();
    for (name, projection) in [("all attributes", Projection::default()), ("two attributes", brief)] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || users(100),
                |mut users| {
                    for user in &mut users {
                        projection.apply(schemas.user(), user);
                    }
                    list_response(100, 1, 100, users).to_string()
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

/// As many comparisons as a client is likely ever to send, of as many users, and nobody is found.
fn evaluate_the_worst_filter(criterion: &mut Criterion) {
    let schemas = Schemas::builtin();
    let users = users(MANY);
    let mut group = criterion.benchmark_group("evaluate 300 clauses over 20,000 users");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .throughput(Throughput::Elements((MANY * CLAUSES) as u64));
    for (name, clause) in [
        ("userName eq", r#"userName eq "nobody""#),
        ("emails.value co", r#"emails[type eq "work"].value co "nobody""#),
    ] {
        let filter = Filter::parse(&vec![clause; CLAUSES].join(" or ")).unwrap();
        let matcher = filter.matcher(schemas.user());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let found = users.iter().filter(|user| matcher.matches(user)).count();
                assert_eq!(found, 0);
            });
        });
    }
    group.finish();
}

fn users(count: usize) -> Vec<Value> {
    let schemas = Schemas::builtin();
    let users = (0..count).map(|number| {
        let mut user = canonicalize(schemas.user(), user(number)).unwrap();
        user["id"] = format!("0190d6f2-7b5c-7cc0-8d21-{number:012}").into();
        user["meta"] = json!({
            "resourceType": "User", "created": "2026-11-23T10:00:00Z", "lastModified": "2026-11-23T10:00:00Z",
            "location": format!("https://gw.example/scim/v2/Users/0190d6f2-7b5c-7cc0-8d21-{number:012}"), "version": "W/\"1\"",
        });
        user
    });
    users.collect()
}

/// A user as Entra creates one (R07).
fn user(number: usize) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", URN_ENTERPRISE_USER],
        "externalId": format!("omarchetti{number}"),
        "userName": format!("odile.marchetti{number}@kestrelworks.example"),
        "active": true,
        "displayName": "Odile Marchetti",
        "title": "Rack technician",
        "preferredLanguage": "fr-CA",
        "name": {"formatted": "Odile Marchetti", "givenName": "Odile", "familyName": "Marchetti"},
        "emails": [{"primary": true, "type": "work", "value": format!("odile{number}@kestrelworks.example")}],
        "addresses": [{"type": "work", "primary": false, "formatted": "Hall 3", "locality": "Laval"}],
        "phoneNumbers": [{"type": "work", "value": "5145550117"}, {"type": "mobile", "value": "5145550118"}],
        "roles": [],
        URN_ENTERPRISE_USER: {"employeeNumber": format!("K-{number:04}"), "department": "Halls"},
        "meta": {"resourceType": "User"},
    })
}
