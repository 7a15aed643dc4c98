//! What `CheckPlatform` and `delinea-adapter check` find of a tenant, and that they change nothing.

use proto::adapter::v1::{CheckPlatformRequest, CheckPlatformResponse, Finding, Severity};
use serde_json::json;

use crate::world::World;

async fn checked(world: &World, suffixes: &[&str]) -> CheckPlatformResponse {
    let request = CheckPlatformRequest {
        tenant: "default".to_owned(),
        suffixes: suffixes.iter().map(|suffix| (*suffix).to_owned()).collect(),
    };
    let answer = world.client.clone().check_platform(request).await.unwrap().into_inner();
    for Finding {
        name, message, action, ..
    } in &answer.findings
    {
        assert!(!message.is_empty(), "{name}");
        let settled = found(&answer, name) == Severity::Ok;
        assert_eq!(
            action.is_empty(),
            settled,
            "{name}: what is not well comes with what to do"
        );
    }
    answer
}

fn found(answer: &CheckPlatformResponse, name: &str) -> Severity {
    let mut findings = answer.findings.iter();
    let finding = findings.find(|finding| finding.name == name);
    finding.unwrap_or_else(|| panic!("no finding {name}")).severity()
}

#[tokio::test]
async fn a_tenant_that_has_everything_is_found_so_without_a_change() {
    let world = World::new().await;
    let before = world.state().await;
    world
        .profile(json!({"suffixes": ["example.com"], "federation": true}))
        .await;
    let answer = checked(&world, &["Example.com"]).await;
    for Finding { name, message, .. } in &answer.findings {
        let expected = match name.as_str() {
            // The simulator is reached by http, and nobody has decided about the federation.
            "tls" => Severity::Warning,
            "directory_policy" => Severity::Error,
            _ => Severity::Ok,
        };
        assert_eq!(found(&answer, name), expected, "{name}: {message}");
    }
    let after = world.state().await;
    assert_eq!(
        (&before["users"], &before["groups"]),
        (&after["users"], &after["groups"])
    );
    assert_eq!(after["caller_edits"], 0);
}

/// A profile, what is not `ok` in it, and what some calls are found to be.
type Kind = (
    &'static str,
    &'static [(&'static str, Severity)],
    &'static [(&'static str, &'static str)],
);

/// What is not `ok` in each kind of tenant; `tls` never is, for the simulator is reached by http.
#[tokio::test]
async fn each_kind_of_tenant_is_found_to_be_what_it_is() {
    use Severity::{Error, Unknown, Warning};
    let tenants: [Kind; 5] = [
        (
            "modern",
            &[("identity_provider", Warning), ("suffixes", Unknown)],
            &[
                ("Roles/UpdateRole", "exposed"),
                ("SaasManage/AddUsersAndGroupsToRole", "not_exposed"),
                ("RedRock/Query", "not_exposed"),
                ("scim GET /ServiceProviderConfig", "not_exposed"),
            ],
        ),
        (
            "no-role-writes",
            &[("identity_provider", Warning), ("suffixes", Unknown)],
            &[
                ("Roles/UpdateRole", "not_exposed"),
                ("SaasManage/AddUsersAndGroupsToRole", "not_exposed"),
                ("CDirectoryService/ChangeUser", "exposed"),
                ("scim GET /ServiceProviderConfig", "exposed"),
            ],
        ),
        (
            "heritage",
            &[
                ("identity_provider", Warning),
                ("suffixes", Unknown),
                ("manage_groups", Warning),
            ],
            &[
                ("Roles/UpdateRole", "not_exposed"),
                ("SaasManage/AddUsersAndGroupsToRole", "exposed"),
                ("CDirectoryService/SetUserState", "not_exposed"),
                ("CDirectoryService/ChangeUserState", "exposed"),
                ("entities/localusers", "not_exposed"),
            ],
        ),
        (
            "scim-only",
            &[
                ("service_user", Unknown),
                ("view_permissions", Warning),
                ("state_call", Warning),
                ("identity_provider", Unknown),
                ("directory_policy", Error),
                ("suffixes", Unknown),
            ],
            &[
                ("CDirectoryService/ChangeUser", "not_exposed"),
                ("scim GET /ServiceProviderConfig", "exposed"),
            ],
        ),
        (
            "federated",
            &[("directory_policy", Error)],
            &[("Roles/UpdateRole", "exposed")],
        ),
    ];
    for (profile, wrong, calls) in tenants {
        let world = World::of(profile, &[]).await;
        let answer = checked(&world, &[]).await;
        for Finding { name, message, .. } in &answer.findings {
            let expected = wrong
                .iter()
                .find(|(wrong, _)| wrong == name)
                .map(|(_, severity)| *severity);
            let expected = expected.unwrap_or(if name == "tls" { Warning } else { Severity::Ok });
            assert_eq!(found(&answer, name), expected, "{profile} {name}: {message}");
        }
        for (method, state) in calls {
            let call = answer.calls.iter().find(|call| call.method == *method).unwrap();
            assert_eq!(call.state, *state, "{profile} {method}");
        }
    }
}

#[tokio::test]
async fn a_tenant_where_everything_goes_wrong_gets_findings_all_the_same() {
    let world = World::of("hostile", &["--platform-timeout=5s"]).await;
    let answer = checked(&world, &[]).await;
    assert!(
        answer
            .findings
            .iter()
            .all(|finding| finding.severity() != Severity::Unspecified)
    );
    assert_eq!(answer.findings[0].name, "tenant");
}

#[tokio::test]
async fn what_a_tenant_lacks_is_a_finding_with_what_to_do() {
    let world = World::with(&["--default-suffix=nowhere.example"]).await;
    world
        .profile(json!({"role_writes": "404", "federation": true, "suffixes": ["example.com"]}))
        .await;
    let answer = checked(&world, &[]).await;
    for name in ["directory_policy", "suffixes", "manage_groups"] {
        assert_eq!(found(&answer, name), Severity::Error, "{name}");
    }
    let calls = |method: &str| {
        answer
            .calls
            .iter()
            .find(|call| call.method == method)
            .unwrap()
            .state
            .clone()
    };
    assert_eq!(calls("Roles/UpdateRole"), "not_exposed");
    assert_eq!(calls("CDirectoryService/ChangeUser"), "exposed");

    world.profile(json!({"role_writes": "rpc"})).await;
    world.fault(json!({"method": "Roles/*", "fault": "bare404"})).await;
    assert_eq!(found(&checked(&world, &[]).await, "manage_groups"), Severity::Warning);
}

#[tokio::test]
async fn the_domains_of_users_are_compared_with_the_login_suffixes() {
    let world = World::with(&["--suffix-map=old.example=example.com"]).await;
    world.profile(json!({"suffixes": ["example.com"]})).await;
    assert_eq!(
        found(&checked(&world, &["old.example"]).await, "suffixes"),
        Severity::Ok
    );
    assert_eq!(
        found(&checked(&world, &["new.example"]).await, "suffixes"),
        Severity::Error
    );
}

#[tokio::test]
async fn without_a_token_nothing_else_is_told() {
    let world = World::with(&["--platform-client-secret=wrong"]).await;
    let answer = checked(&world, &[]).await;
    assert_eq!(found(&answer, "token"), Severity::Error);
    assert_eq!(found(&answer, "tenant"), Severity::Ok);
    let names: Vec<_> = answer.findings.iter().map(|finding| finding.name.as_str()).collect();
    assert_eq!(names, ["tenant", "tls", "clock", "token"]);
    assert!(answer.calls.is_empty());
}

#[tokio::test]
async fn a_tenant_that_cannot_be_reached_is_told() {
    let world = World::with(&["--platform-url=http://127.0.0.1:1"]).await;
    let answer = checked(&world, &[]).await;
    assert_eq!(found(&answer, "tenant"), Severity::Error);
    assert_eq!(found(&answer, "clock"), Severity::Unknown);
}
