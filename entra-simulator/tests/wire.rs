//! What goes over the wire: a listener writes down every request and gives the answers a test has written for it. It
//! knows nothing of SCIM; whole rehearsals run against the real gateway in the workspace's end-to-end tests.

#![allow(
    clippy::unwrap_used,
    reason = "a test's helpers too may stop at whatever they did not expect"
)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use entra_simulator::{
    Acknowledged, Action, Client, CycleReport, Dialect, Directory, Error, Failure, Group, Job, Knobs, QueryCoding,
    RequestKind, SavedState, TenantUrl, User, VerifyOptions, verify,
};
use serde_json::{Value, json};

/// A request as it arrived.
#[derive(Debug, Clone)]
struct Recorded {
    line: String,
    headers: HeaderMap,
    body: Value,
}

type Script = Arc<dyn Fn(&Recorded) -> (u16, Value) + Send + Sync>;

#[derive(Clone)]
struct Listener {
    seen: Arc<Mutex<Vec<Recorded>>>,
    script: Script,
}

impl Listener {
    /// Listens on a free port; returns the base URL too.
    async fn start(script: impl Fn(&Recorded) -> (u16, Value) + Send + Sync + 'static) -> (Self, String) {
        let listener = Self {
            seen: Arc::default(),
            script: Arc::new(script),
        };
        let app = Router::new().fallback(answer).with_state(listener.clone());
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/scim/v2", socket.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(socket, app).await });
        (listener, url)
    }

    fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// The request lines since the last look, without the connection tests.
    fn lines(&self) -> Vec<String> {
        let lines = self.take().into_iter().map(|request| request.line);
        lines.filter(|line| !is_test(line)).collect()
    }
}

async fn answer(State(listener): State<Listener>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = to_bytes(body, 1 << 20).await.unwrap();
    let line = format!("{} {}", parts.method, parts.uri);
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let recorded = Recorded {
        line,
        headers: parts.headers,
        body,
    };
    let (status, body) = (listener.script)(&recorded);
    listener.seen.lock().unwrap().push(recorded);
    let status = StatusCode::from_u16(status).unwrap();
    // As a server does whose resources have versions.
    let etag = body["meta"]["version"].as_str().unwrap_or("W/\"9\"").to_owned();
    let headers = [("etag", etag)];
    if body.is_null() {
        (status, headers).into_response()
    } else {
        (status, headers, body.to_string()).into_response()
    }
}

fn list(resources: &Value) -> (u16, Value) {
    let total = resources.as_array().unwrap().len();
    let schemas = ["urn:ietf:params:scim:api:messages:2.0:ListResponse"];
    (
        200,
        json!({"schemas": schemas, "totalResults": total, "Resources": resources}),
    )
}

fn error(status: u16, detail: &str) -> (u16, Value) {
    let schemas = ["urn:ietf:params:scim:api:messages:2.0:Error"];
    (
        status,
        json!({"schemas": schemas, "status": status.to_string(), "detail": detail}),
    )
}

/// Connection tests look for a random UUID, which no test's data holds.
fn is_test(line: &str) -> bool {
    let value = line.split("+eq+%22").nth(1).unwrap_or_default();
    value.trim_end_matches("%22").len() == 36 && value.matches('-').count() == 4
}

fn user(object_id: &str, name: &str) -> User {
    let template = Directory::generate(1, 1, 0);
    let user = template.users.into_values().next().unwrap();
    User {
        object_id: object_id.to_owned(),
        user_principal_name: format!("{name}@kestrelworks.example"),
        account_enabled: true,
        ..user
    }
}

fn directory(users: &[User], groups: &[Group]) -> Directory {
    let mut directory = Directory::generate(1, 0, 0);
    directory
        .users
        .extend(users.iter().map(|user| (user.object_id.clone(), user.clone())));
    directory
        .groups
        .extend(groups.iter().map(|group| (group.object_id.clone(), group.clone())));
    directory
}

fn job(url: &str, knobs: Knobs) -> Job {
    Job::new(Client::new(TenantUrl::parse(url).unwrap(), &"secret-token".into(), knobs).unwrap())
}

/// Finds nothing, creates everything under an id made of the name's first letter, and answers writes without a body.
fn empty_endpoint(request: &Recorded) -> (u16, Value) {
    match request.line.split(' ').next().unwrap() {
        "GET" => list(&json!([])),
        "POST" => {
            let mut created = request.body.clone();
            let name = created["userName"]
                .as_str()
                .or(created["displayName"].as_str())
                .unwrap()
                .to_owned();
            created["id"] = json!(format!("id-{}", &name[..1]));
            created.as_object_mut().unwrap().remove("members");
            (201, created)
        }
        _ => (204, Value::Null),
    }
}

const ALICE: &str = "GET /scim/v2/Users?filter=userName+eq+%22alice%40kestrelworks.example%22";

#[tokio::test]
async fn a_cycle_has_entras_order_and_habits() {
    let (listener, url) = Listener::start(empty_endpoint).await;
    let (alice, bob) = (
        user("1", "alice"),
        User {
            manager: Some("1".to_owned()),
            ..user("2", "bob")
        },
    );
    let group = Group {
        object_id: "3".to_owned(),
        display_name: "Night + R&D".to_owned(),
        members: ["1".to_owned(), "2".to_owned()].into(),
    };
    let directory = directory(&[alice, bob], &[group]);
    let mut job = job(
        &format!("{url}/?aadOptscim062020"),
        Knobs {
            object_width: 1,
            member_width: 1,
            ..Knobs::default()
        },
    );
    let report = job.cycle(&directory).await.unwrap();
    assert_eq!((report.managers, report.members_added, report.writes), (1, 2, 6));
    assert_eq!(report.users, [(Action::Created, 2)].into());

    let seen = listener.take();
    assert!(seen[0].line.starts_with("GET /scim/v2/Users?filter=userName+eq+%22") && is_test(&seen[0].line));
    assert!(is_test(&seen[1].line), "{}", seen[1].line);
    assert!(
        seen[1]
            .line
            .starts_with("GET /scim/v2/Groups?excludedAttributes=members&filter=displayName+eq+%22")
    );
    let lines: Vec<&str> = seen[2..].iter().map(|request| request.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            ALICE,
            "POST /scim/v2/Users",
            "GET /scim/v2/Users?filter=userName+eq+%22bob%40kestrelworks.example%22",
            "POST /scim/v2/Users",
            "GET /scim/v2/Groups?excludedAttributes=members&filter=displayName+eq+%22Night+%2B+R%26D%22",
            "POST /scim/v2/Groups",
            "PATCH /scim/v2/Users/id-b",
            "PATCH /scim/v2/Groups/id-N",
            "PATCH /scim/v2/Groups/id-N",
        ]
    );
    let manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";
    let operations: Vec<&Value> = seen[8..].iter().map(|request| &request.body["Operations"][0]).collect();
    assert_eq!(
        operations,
        [
            &json!({"op": "Add", "path": manager, "value": "id-a"}),
            &json!({"op": "Add", "path": "members", "value": [{"$ref": null, "value": "id-a"}]}),
            &json!({"op": "Add", "path": "members", "value": [{"$ref": null, "value": "id-b"}]}),
        ]
    );
    for request in &seen {
        let header = |name: &str| request.headers.get(name).map(|value| value.to_str().unwrap());
        let is_get = request.line.starts_with("GET");
        assert_eq!(header("user-agent"), None, "{}", request.line);
        assert_eq!(header("authorization"), Some("Bearer secret-token"));
        assert_eq!(
            header("content-type"),
            (!is_get).then_some("application/scim+json; charset=utf-8")
        );
        assert!(header("adscimversion").is_some());
    }

    // Nothing changed: the connection tests and no more, however often.
    for _ in 0..2 {
        assert_eq!(job.cycle(&directory).await.unwrap().requests, 2);
        assert_eq!(listener.lines(), [""; 0]);
    }
}

#[tokio::test]
async fn queries_can_be_written_with_percent_and_the_version_left_away() {
    let (listener, url) = Listener::start(empty_endpoint).await;
    let knobs = Knobs {
        query_coding: QueryCoding::Percent,
        ad_scim_version: None,
        ..Knobs::default()
    };
    job(&url, knobs)
        .cycle(&directory(&[user("1", "alice")], &[]))
        .await
        .unwrap();
    let seen = listener.take();
    assert!(
        seen.iter().any(|request| request.line == ALICE.replace('+', "%20")),
        "{seen:?}"
    );
    assert!(
        seen.iter()
            .all(|request| !request.headers.contains_key("adscimversion"))
    );
}

/// An endpoint that has one user, whose resource the test can change.
async fn endpoint_with(resource: &Arc<Mutex<Value>>) -> (Listener, String) {
    let resource = resource.clone();
    Listener::start(move |request| {
        let mut held = resource.lock().unwrap();
        let (verb, path) = request.line.split_once(' ').unwrap();
        match verb {
            "GET" if path.contains("?filter") || path.contains("&filter") => {
                let wanted = held["userName"].as_str().unwrap_or("nobody").replace('@', "%40");
                if path.contains(&wanted) {
                    list(&json!([held.clone()]))
                } else {
                    list(&json!([]))
                }
            }
            "GET" if held.is_null() => error(404, "gone"),
            "GET" => (200, held.clone()),
            "POST" => {
                *held = request.body.clone();
                held["id"] = json!("id-new");
                (201, held.clone())
            }
            _ => (204, Value::Null),
        }
    })
    .await
}

#[tokio::test]
async fn a_restart_reads_everything_and_writes_what_is_not_echoed() {
    let held = Arc::new(Mutex::new(Value::Null));
    let (listener, url) = endpoint_with(&held).await;
    let mut alice = user("1", "alice");
    alice.job_title = Some("Buyer".to_owned());
    let directory = directory(&[alice], &[]);
    let mut job = job(&url, Knobs::of(Dialect::Flagged));
    job.cycle(&directory).await.unwrap();
    assert_eq!(listener.lines(), [ALICE, "POST /scim/v2/Users"]);

    job.restart();
    assert_eq!(job.cycle(&directory).await.unwrap().writes, 0);
    assert_eq!(listener.lines(), [ALICE, "GET /scim/v2/Users/id-new"]);

    // A server that drops a value is told again, at every evaluation.
    held.lock().unwrap().as_object_mut().unwrap().remove("title");
    for _ in 0..2 {
        job.restart();
        job.cycle(&directory).await.unwrap();
        let seen = listener.take();
        let patch = seen.last().unwrap();
        assert_eq!(patch.line, "PATCH /scim/v2/Users/id-new");
        assert_eq!(
            patch.body["Operations"],
            json!([{"op": "add", "path": "title", "value": "Buyer"}])
        );
    }
}

#[tokio::test]
async fn what_is_acknowledged_is_told_and_nothing_else() {
    let (_listener, url) = Listener::start(|request| match request.line.split(' ').next().unwrap() {
        "POST" if request.body["userName"] == "bert@kestrelworks.example" => error(503, "away"),
        "POST" => {
            let (status, mut created) = empty_endpoint(request);
            created["meta"] = json!({"version": "W/\"1\""});
            (status, created)
        }
        _ => empty_endpoint(request),
    })
    .await;
    let told: Arc<Mutex<Vec<Acknowledged>>> = Arc::default();
    let mut client = Client::new(
        TenantUrl::parse(&url).unwrap(),
        &"secret-token".into(),
        Knobs::default(),
    )
    .unwrap();
    let heard = told.clone();
    client.on_acknowledged(Arc::new(move |acknowledged| heard.lock().unwrap().push(acknowledged)));
    let mut directory = directory(&[user("1", "alice"), user("2", "bert")], &[]);
    let mut job = Job::new(client);
    job.cycle(&directory).await.unwrap();
    directory.users.remove("2");
    directory.users.get_mut("1").unwrap().job_title = Some("Buyer".to_owned());
    job.cycle(&directory).await.unwrap();
    directory.users.remove("1");
    job.cycle(&directory).await.unwrap();
    let told: Vec<_> = told.lock().unwrap().drain(..).collect();
    let acknowledged = |kind, version: &str| Acknowledged {
        kind,
        id: "id-a".to_owned(),
        etag: Some(version.to_owned()),
    };
    assert_eq!(
        told,
        [
            acknowledged(RequestKind::CreateUser, "W/\"1\""),
            acknowledged(RequestKind::UpdateUser, "W/\"9\""),
            acknowledged(RequestKind::DeleteUser, "W/\"9\""),
        ]
    );
}

#[tokio::test]
async fn a_void_link_is_dropped_and_the_user_matched_and_created_again() {
    let held = Arc::new(Mutex::new(Value::Null));
    let (listener, url) = endpoint_with(&held).await;
    let mut directory = directory(&[user("1", "alice")], &[]);
    let mut job = job(&url, Knobs::default());
    job.cycle(&directory).await.unwrap();
    // The answer to this PATCH has no body, so that the next change begins with a read.
    directory.users.get_mut("1").unwrap().job_title = Some("Buyer".to_owned());
    job.cycle(&directory).await.unwrap();
    listener.take();

    *held.lock().unwrap() = Value::Null;
    directory.users.get_mut("1").unwrap().job_title = Some("Auditor".to_owned());
    let report = job.cycle(&directory).await.unwrap();
    assert_eq!(
        listener.lines(),
        ["GET /scim/v2/Users/id-new", ALICE, "POST /scim/v2/Users"]
    );
    assert_eq!(report.users, [(Action::Created, 1)].into());
    assert!(report.escrow.is_empty());
}

#[tokio::test]
async fn a_lost_answer_to_a_create_is_followed_by_a_match_even_after_a_rename_or_a_purge() {
    for purged in [false, true] {
        let held = Arc::new(Mutex::new(Value::Null));
        let stored = held.clone();
        let (listener, url) = Listener::start(move |request| {
            let mut held = stored.lock().unwrap();
            match request.line.split(' ').next().unwrap() {
                // Written, and then the answer is lost.
                "POST" => {
                    *held = request.body.clone();
                    held["id"] = json!("id-1");
                    (503, Value::Null)
                }
                "GET" if request.line.contains("alice%40") && !held.is_null() => list(&json!([held.clone()])),
                "GET" => list(&json!([])),
                _ => (204, Value::Null),
            }
        })
        .await;
        let mut directory = directory(&[user("1", "alice")], &[]);
        let mut job = job(&url, Knobs::default());
        let report = job.cycle(&directory).await.unwrap();
        assert!(
            matches!(report.escrow[0].reason, Failure::Unavailable { status: 503, .. }),
            "{report:?}"
        );
        assert_eq!(listener.lines(), [ALICE, "POST /scim/v2/Users"]);

        if purged {
            directory.purge_user("1");
        } else {
            directory.users.get_mut("1").unwrap().user_principal_name = "alicia@kestrelworks.example".to_owned();
        }
        let report = job.cycle(&directory).await.unwrap();
        assert!(report.escrow.is_empty(), "{report:?}");
        let expected: &[&str] = if purged {
            &[ALICE, "DELETE /scim/v2/Users/id-1"]
        } else {
            let renamed = "GET /scim/v2/Users?filter=userName+eq+%22alicia%40kestrelworks.example%22";
            &[renamed, ALICE, "PATCH /scim/v2/Users/id-1"]
        };
        assert_eq!(listener.lines(), expected);
    }
}

#[tokio::test]
async fn whoever_leaves_is_disabled_read_back_and_found_again_on_return() {
    let held = Arc::new(Mutex::new(Value::Null));
    let stored = held.clone();
    let (listener, url) = Listener::start(move |request| {
        let mut held = stored.lock().unwrap();
        let operation = &request.body["Operations"][0];
        match request.line.split(' ').next().unwrap() {
            "POST" => {
                *held = request.body.clone();
                held["id"] = json!("id-1");
                (201, held.clone())
            }
            "PATCH" => {
                held["active"] = json!(operation["value"] == "True");
                (204, Value::Null)
            }
            "GET" if request.line.contains("/id-1") => (200, held.clone()),
            "GET" if request.line.contains("alice") && !held.is_null() => list(&json!([held.clone()])),
            _ => list(&json!([])),
        }
    })
    .await;
    let mut directory = directory(&[user("1", "alice")], &[]);
    let mut job = job(&url, Knobs::default());
    job.cycle(&directory).await.unwrap();
    listener.take();

    directory.users.get_mut("1").unwrap().assigned = false;
    let report = job.cycle(&directory).await.unwrap();
    assert_eq!(report.users, [(Action::Disabled, 1)].into());
    let seen = listener.take();
    assert_eq!(
        seen[2].body["Operations"],
        json!([{"op": "Replace", "path": "active", "value": "False"}])
    );
    assert_eq!(seen[3].line, "GET /scim/v2/Users/id-1");
    assert_eq!(job.linked("1"), None);

    directory.users.get_mut("1").unwrap().assigned = true;
    job.cycle(&directory).await.unwrap();
    assert_eq!(listener.lines(), [ALICE, "PATCH /scim/v2/Users/id-1"]);
    assert_eq!(held.lock().unwrap()["active"], true);

    // Blocked, not unassigned: the link stays, and the purge deletes.
    directory.users.get_mut("1").unwrap().soft_deleted = true;
    job.cycle(&directory).await.unwrap();
    assert_eq!(job.linked("1"), Some("id-1"));
    listener.take();
    directory.purge_user("1");
    let report = job.cycle(&directory).await.unwrap();
    assert_eq!(report.users, [(Action::Deleted, 1)].into());
    assert_eq!(listener.lines(), ["DELETE /scim/v2/Users/id-1"]);
    assert_eq!(job.cycle(&directory).await.unwrap().requests, 2);
}

/// The answer to a change is lost, and before it is sent again the user leaves the scope: what the endpoint made of it stays.
#[tokio::test]
async fn what_became_of_a_change_without_a_verdict_is_seen_when_its_user_leaves() {
    for taken in [true, false] {
        let held = Arc::new(Mutex::new(Value::Null));
        let stored = held.clone();
        let (_listener, url) = Listener::start(move |request| {
            let mut held = stored.lock().unwrap();
            match request.line.split(' ').next().unwrap() {
                "POST" => {
                    *held = request.body.clone();
                    held["id"] = json!("id-1");
                    (201, held.clone())
                }
                "PATCH" => {
                    let operation = &request.body["Operations"][0];
                    if operation["path"] == "active" {
                        held["active"] = json!(false);
                        return (204, Value::Null);
                    }
                    if taken {
                        held["title"] = operation["value"].clone();
                    }
                    error(503, "the answer is lost")
                }
                "GET" if request.line.contains("/id-1") => (200, held.clone()),
                "GET" if request.line.contains("startIndex") && request.line.contains("Users") => {
                    let (status, mut page) = list(&json!([held.clone()]));
                    page["startIndex"] = json!(1);
                    (status, page)
                }
                _ => list(&json!([])),
            }
        })
        .await;
        let mut alice = user("1", "alice");
        alice.job_title = Some("Buyer".to_owned());
        let mut directory = directory(&[alice], &[]);
        let mut job = job(&url, Knobs::default());
        job.cycle(&directory).await.unwrap();
        directory.users.get_mut("1").unwrap().job_title = Some("Auditor".to_owned());
        assert_eq!(job.cycle(&directory).await.unwrap().escrow.len(), 1);
        directory.users.get_mut("1").unwrap().assigned = false;
        let report = job.cycle(&directory).await.unwrap();
        assert_eq!(report.users, [(Action::Disabled, 1)].into());

        let options = VerifyOptions {
            settle: Duration::ZERO,
            ..VerifyOptions::default()
        };
        let verification = verify(&job, &directory, &options, None).await.unwrap();
        assert_eq!(verification.differences, [], "taken: {taken}");
        // Any other value is one that nobody sent.
        held.lock().unwrap()["title"] = json!("Owner");
        let verification = verify(&job, &directory, &options, None).await.unwrap();
        assert_eq!(verification.differences[0].attribute, "title", "taken: {taken}");
    }
}

/// Entra looks for the name that a user has now. One whose new name got no verdict before he left the scope, and who comes back, is made
/// anew; what was released stays where it is, and is no difference.
#[tokio::test]
async fn who_left_under_an_earlier_name_is_made_anew_and_the_earlier_one_stays_behind() {
    let held = Arc::new(Mutex::new(Vec::<Value>::new()));
    let stored = held.clone();
    let (_listener, url) = Listener::start(move |request| {
        let mut held = stored.lock().unwrap();
        match request.line.split(' ').next().unwrap() {
            "POST" => {
                let mut user = request.body.clone();
                user["id"] = json!(format!("id-{}", held.len()));
                held.push(user.clone());
                (201, user)
            }
            "PATCH" if request.body["Operations"][0]["path"] == "active" => {
                held[0]["active"] = json!(false);
                (204, Value::Null)
            }
            "PATCH" => error(503, "nothing is taken"),
            "GET" if request.line.contains("/id-0") => (200, held[0].clone()),
            "GET" if request.line.contains("startIndex") && request.line.contains("Users") => {
                let (status, mut page) = list(&json!(*held));
                page["startIndex"] = json!(1);
                (status, page)
            }
            _ => list(&json!([])),
        }
    })
    .await;
    let mut directory = directory(&[user("1", "alice")], &[]);
    let mut job = job(&url, Knobs::default());
    job.cycle(&directory).await.unwrap();
    let alice = |directory: &mut Directory, assigned: bool| {
        let alice = directory.users.get_mut("1").unwrap();
        alice.user_principal_name = "alice.new@x.test".to_owned();
        alice.assigned = assigned;
    };
    alice(&mut directory, true);
    assert_eq!(job.cycle(&directory).await.unwrap().escrow.len(), 1);
    alice(&mut directory, false);
    assert_eq!(
        job.cycle(&directory).await.unwrap().users,
        [(Action::Disabled, 1)].into()
    );
    alice(&mut directory, true);
    assert_eq!(
        job.cycle(&directory).await.unwrap().users,
        [(Action::Created, 1)].into()
    );
    assert_eq!(held.lock().unwrap().len(), 2);

    let options = VerifyOptions {
        settle: Duration::ZERO,
        ..VerifyOptions::default()
    };
    let saved = SavedState::of(&directory, &job);
    let (directory, job) = saved.resume(job.client().clone());
    let verification = verify(&job, &directory, &options, None).await.unwrap();
    assert_eq!(verification.differences, []);
    // Anybody else is.
    let mut stranger = held.lock().unwrap()[0].clone();
    (stranger["id"], stranger["userName"]) = (json!("id-2"), json!("mallory@x.test"));
    held.lock().unwrap().push(stranger);
    let verification = verify(&job, &directory, &options, None).await.unwrap();
    assert_eq!(verification.differences[0].attribute, "existence");
}

#[tokio::test]
async fn members_follow_the_directory_in_the_chosen_dialect_and_batches() {
    let (listener, url) = Listener::start(|request| match request.line.split(' ').next().unwrap() {
        "GET" if request.line.contains("Groups/") => {
            (200, json!({"id": "id-G", "displayName": "Group", "externalId": "g"}))
        }
        _ => empty_endpoint(request),
    })
    .await;
    let users = ["alice", "bob", "carol", "dave"].map(|name| user(&name[..1], name));
    let group = |members: &[&str]| Group {
        object_id: "g".to_owned(),
        display_name: "Group".to_owned(),
        members: members.iter().map(|id| (*id).to_owned()).collect(),
    };
    let knobs = Knobs {
        members_per_patch: 3,
        member_width: 1,
        redundant_adds: true,
        ..Knobs::of(Dialect::Flagged)
    };
    let mut job = job(&url, knobs);
    let mut directory = directory(&users, &[group(&["a", "b", "c", "d"])]);
    let blocked = User {
        account_enabled: false,
        ..users[3].clone()
    };
    directory.users.insert("d".to_owned(), blocked);
    job.cycle(&directory).await.unwrap();
    let patches = |seen: Vec<Recorded>| -> Vec<Value> {
        let patches = seen
            .into_iter()
            .filter(|request| request.line == "PATCH /scim/v2/Groups/id-G");
        patches.map(|request| request.body["Operations"].clone()).collect()
    };
    let members = |ids: &[&str]| {
        ids.iter()
            .map(|id| json!({"$ref": null, "value": id}))
            .collect::<Vec<_>>()
    };
    // A blocked user was not created, so its membership waits.
    assert_eq!(
        patches(listener.take()),
        [json!([{"op": "add", "path": "members", "value": members(&["id-a", "id-b", "id-c"])}])]
    );

    directory.users.get_mut("d").unwrap().account_enabled = true;
    directory.groups.insert("g".to_owned(), group(&["c", "d"]));
    let report = job.cycle(&directory).await.unwrap();
    assert_eq!((report.members_added, report.members_removed), (1, 2));
    assert_eq!(
        patches(listener.take()),
        [
            json!([{"op": "add", "path": "members", "value": members(&["id-d"])}]),
            json!([
                {"op": "remove", "path": "members[value eq \"id-a\"]"},
                {"op": "remove", "path": "members[value eq \"id-b\"]"},
            ]),
            // Entra is known to add again who stays.
            json!([{"op": "add", "path": "members", "value": members(&["id-c"])}]),
        ]
    );
    // A full restart sends no membership again.
    job.restart();
    let report = job.cycle(&directory).await.unwrap();
    assert_eq!((report.members_added, report.members_removed), (0, 0));
}

#[tokio::test]
async fn failures_are_kept_apart_and_judged() {
    type Row = (
        fn(&Recorded) -> (u16, Value),
        fn(&Result<CycleReport, Error>) -> bool,
        u64,
    );
    let rows: Vec<Row> = vec![
        (
            |request| {
                if request.line.starts_with("POST") {
                    error(409, "taken")
                } else {
                    list(&json!([]))
                }
            },
            |result| matches!(&result.as_ref().unwrap().escrow[0].reason, Failure::Conflict(text) if text == "taken"),
            0,
        ),
        (
            |request| {
                if request.line.starts_with("POST") {
                    (400, json!({"oops": 1}))
                } else {
                    list(&json!([]))
                }
            },
            |result| {
                matches!(
                    result.as_ref().unwrap().escrow[0].reason,
                    Failure::Refused { status: 400, .. }
                )
            },
            1,
        ),
        (
            |request| {
                if request.line.starts_with("POST") {
                    (201, json!({"userName": "x"}))
                } else {
                    list(&json!([]))
                }
            },
            |result| matches!(result.as_ref().unwrap().escrow[0].reason, Failure::Incompatible(_)),
            0,
        ),
        (
            |request| {
                let twins = json!([{"id": "1"}, {"id": "2"}]);
                if request.line == ALICE {
                    list(&twins)
                } else {
                    list(&json!([]))
                }
            },
            |result| {
                let report = result.as_ref().unwrap();
                report.escrow[0].reason == Failure::DuplicateTarget(2) && report.writes == 0
            },
            0,
        ),
        (
            |request| {
                if request.line.starts_with("POST") {
                    error(401, "no")
                } else {
                    list(&json!([]))
                }
            },
            |result| matches!(result, Err(Error::Quarantined)),
            0,
        ),
        (
            |_| error(401, "no"),
            |result| matches!(result, Err(Error::Quarantined)),
            0,
        ),
        (
            |_| (404, Value::Null),
            |result| matches!(result, Err(Error::ConnectionTest(Failure::NotFound(_)))),
            1,
        ),
        (
            |_| (200, json!({})),
            |result| matches!(result, Err(Error::ConnectionTest(Failure::Incompatible(_)))),
            0,
        ),
        (
            |_| list(&json!([{"id": "1"}])),
            |result| matches!(result, Err(Error::ConnectionTest(Failure::Incompatible(_)))),
            0,
        ),
    ];
    for (number, (script, is_right, without_scim_error)) in rows.into_iter().enumerate() {
        let (_listener, url) = Listener::start(script).await;
        let mut job = job(&url, Knobs::default());
        let result = job.cycle(&directory(&[user("1", "alice")], &[])).await;
        assert!(is_right(&result), "row {number}: {result:?}");
        assert_eq!(
            job.client().counts().without_scim_error(),
            without_scim_error,
            "row {number}"
        );
    }
}

#[tokio::test]
async fn on_demand_speaks_the_default_dialect_and_takes_five_members() {
    let (listener, url) = Listener::start(empty_endpoint).await;
    let group = Group {
        object_id: "g".to_owned(),
        display_name: "Group".to_owned(),
        members: ["1".to_owned()].into(),
    };
    let directory = directory(&[user("1", "alice")], &[group]);
    let mut job = job(&url, Knobs::of(Dialect::Flagged));
    let report = job
        .provision_group_on_demand(&directory, "group", &["alice@kestrelworks.example"])
        .await
        .unwrap();
    assert!(report.is_success(), "{report:?}");
    let seen = listener.take();
    let lines: Vec<&str> = seen[2..].iter().map(|request| request.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "GET /scim/v2/Groups?excludedAttributes=members&filter=displayName+eq+%22Group%22",
            "POST /scim/v2/Groups",
            ALICE,
            "POST /scim/v2/Users",
            "PATCH /scim/v2/Groups/id-G",
        ]
    );
    assert_eq!(seen[6].body["Operations"][0]["op"], "Add");
    let six = ["alice@kestrelworks.example"; 6];
    let refused = job.provision_group_on_demand(&directory, "group", &six).await;
    assert!(matches!(refused, Err(Error::TooManyMembers { limit: 5, asked: 6 })));
    let refused = job.provision_user_on_demand(&directory, "nobody").await;
    assert!(matches!(refused, Err(Error::NoSuchObject { .. })));
}

/// Users that fill two pages and a bit, and a Platform that gets the last account only after some looks.
fn pages_and_a_late_account(users: Vec<Value>, late_by: usize) -> impl Fn(&Recorded) -> (u16, Value) {
    let looks = AtomicUsize::new(0);
    move |request| {
        let number = |name: &str| -> Option<usize> {
            let value = request.line.split(name).nth(1)?;
            value.split('&').next()?.parse().ok()
        };
        if request.line.ends_with("/_sim/state") {
            let delivered = users.len() - usize::from(looks.fetch_add(1, Ordering::Relaxed) < late_by);
            let accounts = users[..delivered].iter().map(|user| {
                let phone = |kind: &str| {
                    let phones = user["phoneNumbers"].as_array().cloned().unwrap_or_default();
                    phones
                        .into_iter()
                        .find(|phone| phone["type"] == kind)
                        .map(|phone| phone["value"].clone())
                };
                json!({
                    "ID": user["id"], "Name": user["userName"], "DisplayName": user["displayName"], "State": "None",
                    "Mail": user["emails"].get(0).map_or(&user["userName"], |mail| &mail["value"]),
                    "OfficeNumber": phone("work"), "MobileNumber": phone("mobile"),
                    "PreferredCulture": user["preferredLanguage"], "ReportsTo": null, "ServiceUser": false,
                })
            });
            let state = json!({
                "users": accounts.collect::<Vec<_>>(),
                "groups": [{"ID": "1", "Name": "Everybody", "Description": null, "BuiltIn": true, "Members": []}],
                "calls": {"CreateUser": 7, "GetUser": 5}, "writes": 7,
            });
            return (200, state);
        }
        let held: &[Value] = if request.line.contains("/Users") { &users } else { &[] };
        let (start, count) = (number("startIndex=").unwrap(), number("&count=").unwrap());
        let page: Vec<&Value> = held.iter().skip(start - 1).take(count).collect();
        (
            200,
            json!({"totalResults": held.len(), "startIndex": start, "itemsPerPage": page.len(), "Resources": page}),
        )
    }
}

/// The bodies that a first cycle over this directory POSTs, with ids: what a faithful server would show.
async fn posted(directory: &Directory) -> Vec<Value> {
    let (listener, url) = Listener::start(empty_endpoint).await;
    job(&url, Knobs::default()).cycle(directory).await.unwrap();
    let posts = listener
        .take()
        .into_iter()
        .filter(|request| request.line.starts_with("POST"));
    let with_id = |(number, request): (usize, Recorded)| {
        let mut user = request.body;
        user["id"] = json!(format!("id-{number}"));
        user
    };
    posts.enumerate().map(with_id).collect()
}

#[tokio::test]
async fn the_comparison_reads_all_pages_and_waits_for_the_platform() {
    let mut directory = Directory::generate(9, 230, 0);
    for user in directory.users.values_mut() {
        (user.manager, user.account_enabled) = (None, true);
    }
    let users = posted(&directory).await;
    assert_eq!(users.len(), 230);
    let late = users[229]["userName"].as_str().unwrap().to_owned();
    let (listener, url) = Listener::start(pages_and_a_late_account(users, 3)).await;
    let job = job(&url, Knobs::default());
    let options = |seconds| VerifyOptions {
        platform_url: Some(url.trim_end_matches("/scim/v2").to_owned()),
        settle: Duration::from_secs(seconds),
        ..VerifyOptions::default()
    };
    let at_once = verify(&job, &directory, &options(0), None).await.unwrap();
    assert_eq!((at_once.users, at_once.platform_calls), (230, Some((12, 7))));
    let lines: Vec<String> = at_once.differences.iter().map(ToString::to_string).collect();
    let existence = r#"existence: expected "one"; SCIM has "one"; Platform has nothing"#;
    assert_eq!(lines, [format!("user {late}: {existence}")]);
    let asked: Vec<String> = listener.take().into_iter().map(|request| request.line).collect();
    let pages = ["1", "101", "201"].map(|start| format!("GET /scim/v2/Users?startIndex={start}&count=100"));
    assert_eq!(asked[..3], pages);

    let later = verify(&job, &directory, &options(30), None).await.unwrap();
    assert_eq!(later.differences, []);
    assert!(!later.waited.is_zero());

    directory
        .users
        .values_mut()
        .for_each(|user| user.job_title = Some("Astronaut".to_owned()));
    let moved = verify(&job, &directory, &options(0), None).await.unwrap();
    assert_eq!(moved.differences.len(), 230);
}

#[tokio::test]
async fn a_listing_that_cannot_be_right_is_no_basis_for_a_comparison() {
    type Row = fn(&Recorded) -> (u16, Value);
    let rows: [Row; 4] = [
        |_| (200, json!({"totalResults": 3, "startIndex": 1, "Resources": []})),
        |_| {
            (
                200,
                json!({"totalResults": 1, "startIndex": 2, "Resources": [{"id": "1"}]}),
            )
        },
        |_| (200, json!({"Resources": []})),
        |_| (500, Value::Null),
    ];
    for (number, script) in rows.into_iter().enumerate() {
        let (_listener, url) = Listener::start(script).await;
        let options = VerifyOptions {
            settle: Duration::ZERO,
            ..VerifyOptions::default()
        };
        let result = verify(&job(&url, Knobs::default()), &directory(&[], &[]), &options, None).await;
        assert!(
            matches!(result, Err(Error::Unreadable { system: "SCIM", .. })),
            "row {number}: {result:?}"
        );
    }
}
