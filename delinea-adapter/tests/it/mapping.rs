//! What accounts are made of: the default table, a tenant's own, and what settings add.

use std::error::Error as _;

use proto::{
    adapter::v1::{ApplyUserRequest, ExpectUsersRequest, PlatformUser},
    error::ErrorReason,
    resource::v1::{EnterpriseUser, Name, User},
};
use serde_json::json;
use tonic::Code;

use crate::world::{World, anna, config, failed, fresh, linked, wanted, wanted_group};

const CREATE: &str = "CDirectoryService/CreateUser";
const CHANGE: &str = "CDirectoryService/ChangeUser";

/// A user with more than the default table takes.
fn berg() -> User {
    User {
        title: Some("Engineer".to_owned()),
        user_type: Some("Contractor".to_owned()),
        nick_name: Some("Annie".to_owned()),
        name: Some(Name {
            family_name: Some("Berg".to_owned()),
            given_name: Some("Anna".to_owned()),
            ..Name::default()
        }),
        enterprise_user: Some(EnterpriseUser {
            department: Some(" Identity and Access ".to_owned()),
            ..EnterpriseUser::default()
        }),
        extensions: [(
            "urn:kestrel:2.0:User".to_owned(),
            r#"{"badge": {"number": 4711}}"#.to_owned(),
        )]
        .into(),
        ..anna()
    }
}

const TABLE: &str = r#"[
  {"platform": "DisplayName", "scim": ["name.familyName", "displayName"], "transform": ["upper"]},
  {"platform": "Description", "scim": ["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"],
   "transform": [{"first": 8}, {"prefix": "Dept. "}], "clear": "keep"},
  {"platform": "HomeNumber", "scim": ["urn:kestrel:2.0:User:badge.number"], "when": "create"},
  {"platform": "AccountExp", "scim": ["userType"], "transform": [{"map": {"contractor": "2027-01-01", "*": null}}]},
  {"platform": "OfficeNumber", "off": true},
  {"platform": "BadgeTier", "constant": "T1", "when": "create", "comment": "no Platform is known to have it"}
]"#;

#[tokio::test]
async fn a_tenants_own_table_makes_the_account() {
    let world = World::with_file("attribute-map-file", TABLE, &[]).await;
    world.watch(CREATE, r#""BadgeTier":"T1""#).await;
    let id = world.provision(&berg()).await;
    let account = async || {
        let account = world.account("anna@example.com").await;
        let fields = [
            "DisplayName",
            "Description",
            "HomeNumber",
            "AccountExp",
            "OfficeNumber",
            "Mail",
        ];
        fields.map(|field| account[field].as_str().unwrap().to_owned())
    };
    let made = [
        "BERG",
        "Dept. Identity",
        "4711",
        "2027-01-01",
        "",
        "anna.berg@example.com",
    ];
    assert_eq!(account().await, made);
    assert_eq!(
        world.seen(r#""BadgeTier":"T1""#).await,
        1,
        "a field that is not known is sent"
    );

    let written = world.writes().await;
    world.apply_user(linked(&berg(), &id)).await.unwrap().applied();
    assert_eq!(world.writes().await, written, "nothing differs");

    // The department goes and is kept, the badge changes and is not looked at, the type goes and is cleared.
    let moved = User {
        user_type: Some("Employee".to_owned()),
        enterprise_user: None,
        extensions: [(
            "urn:kestrel:2.0:User".to_owned(),
            r#"{"badge": {"number": 1}}"#.to_owned(),
        )]
        .into(),
        name: None,
        ..berg()
    };
    let steps = world.plan_user(linked(&moved, &id)).await.unwrap().steps();
    assert_eq!(steps, ["change AccountExp, DisplayName of the account"]);
    world.apply_user(linked(&moved, &id)).await.unwrap().applied();
    let changed = ["ANNA BERG", "Dept. Identity", "4711", "", "", "anna.berg@example.com"];
    assert_eq!(account().await, changed);
    let written = world.writes().await;
    world.apply_user(linked(&moved, &id)).await.unwrap().applied();
    assert_eq!(world.writes().await, written);
}

/// What is expected is what is listed, also where the fields that lists show are made of something else; what nobody keeps up
/// is not expected to be anything.
#[tokio::test]
async fn what_is_expected_follows_the_table() {
    for (table, display_name, mail) in [
        (
            r#"[{"platform": "DisplayName", "scim": ["nickName"], "transform": ["lower"]},
                {"platform": "Mail", "scim": ["emails"], "transform": ["upper"]}]"#,
            Some("annie"),
            Some("ANNA.BERG@EXAMPLE.COM"),
        ),
        (
            r#"[{"platform": "DisplayName", "scim": ["nickName"], "when": "create"},
                {"platform": "Mail", "scim": ["emails[type eq \"home\"].value"], "constant": "nobody@example.com"}]"#,
            None,
            Some("nobody@example.com"),
        ),
    ] {
        let world = World::with_file("attribute-map-file", table, &[]).await;
        let id = world.provision(&berg()).await;
        let request = ExpectUsersRequest {
            tenant: "default".to_owned(),
            users: vec![berg()],
        };
        let answer = world.client.clone().expect_users(request).await.unwrap().into_inner();
        let expected = answer.expected.into_iter().next().unwrap().account.unwrap();
        assert_eq!(
            (expected.display_name.as_deref(), expected.mail.as_deref()),
            (display_name, mail)
        );
        let listed = world.listed().await.unwrap();
        let listed = listed.into_iter().find(|user| user.platform_id == id).unwrap();
        let with_what_is_not_expected = PlatformUser {
            platform_id: id,
            display_name: expected.display_name.clone().or(listed.display_name.clone()),
            ..expected
        };
        assert_eq!(listed, with_what_is_not_expected);
    }
}

#[tokio::test]
async fn null_clears_where_that_is_how_a_field_is_cleared() {
    for (value, clears) in [("null", true), ("empty", false)] {
        let world = World::with(&["--clear-value", value]).await;
        world.profile(json!({"clear_with": "null"})).await;
        let id = world.provision(&anna()).await;
        let without = User {
            phone_numbers: vec![],
            ..anna()
        };
        world.apply_user(linked(&without, &id)).await.unwrap().applied();
        let left = world.account("anna@example.com").await["OfficeNumber"].clone();
        assert_eq!(left, if clears { "" } else { "+1 555" }, "{value}");
    }
}

#[tokio::test]
async fn new_accounts_have_what_the_settings_add() {
    let world = World::with(&[
        "--extra-create-fields=PasswordNeverExpire=true,PlatformUserMembershipType=Vendor",
        "--force-change-field=ForcePasswordChangeNext",
        "--in-everybody=false",
    ])
    .await;
    world.watch(CREATE, r#""PlatformUserMembershipType":"Vendor""#).await;
    let id = world.provision(&anna()).await;
    let account = world.account("anna@example.com").await;
    let flags = [
        "PasswordNeverExpire",
        "ForcePasswordChangeNext",
        "InEverybodyRole",
        "ServiceUser",
    ];
    assert_eq!(
        flags.map(|flag| account[flag].as_bool().unwrap()),
        [true, true, false, false]
    );
    assert_eq!(world.seen(r#""PlatformUserMembershipType":"Vendor""#).await, 1);
    let called = User {
        display_name: Some("Anna Holm".to_owned()),
        ..anna()
    };
    for text in [
        "PasswordNeverExpire",
        "ForcePasswordChangeNext",
        "PlatformUserMembershipType",
    ] {
        world.watch(CHANGE, text).await;
    }
    world.apply_user(linked(&called, &id)).await.unwrap().applied();
    for text in [
        "PasswordNeverExpire",
        "ForcePasswordChangeNext",
        "PlatformUserMembershipType",
    ] {
        assert_eq!(world.seen(text).await, 0, "a change has none of it: {text}");
    }
    // Without the setting there is no such flag at all.
    let world = World::new().await;
    world.watch(CREATE, "ForcePasswordChange").await;
    world.provision(&anna()).await;
    assert_eq!(world.seen("ForcePasswordChange").await, 0);
}

#[tokio::test]
async fn a_change_sends_what_differs_or_the_whole_account() {
    let called = User {
        display_name: Some("Anna Holm".to_owned()),
        phone_numbers: vec![],
        ..anna()
    };
    let texts = [
        r#""Description":"by hand""#,
        r#""Name":"anna@example.com""#,
        r#""InEverybodyRole":true"#,
    ];
    for (mode, whole) in [("partial", 0), ("full", 1)] {
        let world = World::with(&["--change-user-mode", mode]).await;
        let id = world.provision(&anna()).await;
        world
            .sim("PATCH", &format!("users/{id}"), json!({"Description": "by hand"}))
            .await;
        for text in texts {
            world.watch(CHANGE, text).await;
            let written = world.writes().await;
            world.apply_user(linked(&anna(), &id)).await.unwrap().applied();
            assert_eq!(world.writes().await, written, "nothing differs, nothing is written");
            world.apply_user(linked(&called, &id)).await.unwrap().applied();
            assert_eq!(world.seen(text).await, whole, "{mode} {text}");
            let account = world.account("anna@example.com").await;
            let shown = ["DisplayName", "OfficeNumber", "Description"].map(|field| &account[field]);
            assert_eq!(shown, ["Anna Holm", "", "by hand"]);
            world.no_faults().await;
            world.apply_user(linked(&anna(), &id)).await.unwrap().applied();
        }
    }
}

/// A suffix is found whatever its case, and mapped before it is looked for.
#[tokio::test]
async fn suffixes_are_mapped_and_checked_in_any_case() {
    let world = World::with(&[
        "--default-suffix=@Corp.example",
        "--suffix-map=OLD.example=new-1.example",
    ])
    .await;
    let suffixes = json!({"suffixes": ["corp.EXAMPLE", "New-1.example", "plain.example"]});
    world.profile(suffixes).await;
    for (user_name, login_name) in [
        ("anna", Ok("anna@Corp.example")),
        ("anna@old.EXAMPLE", Ok("anna@new-1.example")),
        ("anna@Plain.Example", Ok("anna@Plain.Example")),
        (
            "anna@other.example",
            Err((Code::FailedPrecondition, ErrorReason::PlatformRefused)),
        ),
        ("anna@pl/ain", Err((Code::InvalidArgument, ErrorReason::InvalidRequest))),
    ] {
        let user = User {
            user_name: Some(user_name.to_owned()),
            ..anna()
        };
        let answer = world.apply_user(wanted(&user)).await;
        let seen = match &login_name {
            Ok(_) => Ok(answer.unwrap().intent()),
            Err(_) => Err(failed(answer)),
        };
        assert_eq!(seen, login_name.map(str::to_owned), "{user_name}");
    }
    assert_eq!(world.writes().await, 0);
}

#[tokio::test]
async fn names_too_long_for_the_platform_are_refused_before_any_call() {
    let world = World::with(&["--max-name-length=20"]).await;
    let user = User {
        user_name: Some("a.very.long.name@example.com".to_owned()),
        ..anna()
    };
    let status = world.apply_user(wanted(&user)).await.unwrap_err();
    assert!(status.message().contains("MAX_NAME_LENGTH"), "{status:?}");
    let group = wanted_group("A group with a long name");
    let status = world.apply_group(group).await.unwrap_err();
    assert!(status.message().contains("MAX_NAME_LENGTH"), "{status:?}");
    assert_eq!(world.calls("Report/RunReport").await, 0);
    let id = world.provision(&anna()).await;
    let leaves = User {
        active: Some(false),
        ..user
    };
    failed(world.apply_user(linked(&leaves, &id)).await);
    assert_eq!(
        world.account("anna@example.com").await["State"],
        "Disabled",
        "who leaves is cut off, whatever else is wrong"
    );
}

#[tokio::test]
async fn a_manager_can_be_a_name_in_place_of_an_account() {
    let table = r#"[{"platform": "ReportsTo", "off": true},
        {"platform": "Description", "scim": ["$managerAccount", "$loginName"], "transform": [{"prefix": "of "}]}]"#;
    let world = World::with_file("attribute-map-file", table, &[]).await;
    let id = world.provision(&anna()).await;
    assert_eq!(
        world.account("anna@example.com").await["Description"],
        "of anna@example.com"
    );
    let with_boss = ApplyUserRequest {
        manager_platform_id: Some("b-1".to_owned()),
        ..linked(&anna(), &id)
    };
    world.apply_user(with_boss).await.unwrap().applied();
    let account = world.account("anna@example.com").await;
    assert_eq!(
        (&account["Description"], &account["ReportsTo"]),
        (&json!("of b-1"), &json!(""))
    );
}

/// Whoever wrote the file finds the place.
#[tokio::test]
async fn what_cannot_be_meant_keeps_the_adapter_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("table.json");
    let path = file.display().to_string();
    let start = async |text: &str, arguments: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let base = [
            "adapter",
            "--listen=127.0.0.1:0",
            "--platform-url=http://127.0.0.1:1",
            "--platform-client-id=scim-gateway@example.com",
            "--platform-client-secret=s",
        ];
        let refused = delinea_adapter::start(config(&[&base[..], arguments].concat())).await;
        let error = refused.err().expect("it must not start");
        error.source().map_or_else(|| error.to_string(), ToString::to_string)
    };
    for setting in ["--attribute-map-file", "--error-matchers-file"] {
        let said = start("[\n  {\"comment\": 1}\n]", &[setting, &path]).await;
        assert!(said.contains(&path) && said.contains("line 2"), "{said}");
        let said = start("[]", &[setting, "/no/such/file"]).await;
        assert!(said.contains("/no/such/file") && said.contains("_FILE"), "{said}");
    }
    let name = "[\n\n  {\"platform\": \"Name\",\n   \"scim\": [\"displayName\"]}\n]";
    let said = start(name, &["--attribute-map-file", &path]).await;
    assert!(said.contains("line 3: the field Name cannot be mapped"), "{said}");
    let matcher = "[\n  {\"regex\": \"(\", \"class\": \"duplicate\"}\n]";
    let said = start(matcher, &["--error-matchers-file", &path]).await;
    assert!(said.contains("line 2: `regex`"), "{said}");
    for setting in ["--extra-create-fields=Mail=x@example.com", "--force-change-field=State"] {
        let said = start("[]", &[setting]).await;
        assert!(said.contains("_FIELD"), "{said}");
    }
}

/// The Platform's SCIM endpoint holds few fields: the others are neither written nor missed, and it takes no password.
#[tokio::test]
async fn the_scim_endpoint_gets_what_it_can_hold() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("table.json");
    std::fs::write(&file, TABLE).unwrap();
    let named = format!("--attribute-map-file={}", file.display());
    let settings = [
        named.as_str(),
        "--user-backend=scim",
        "--directory-policy=create_local",
        "--password-source=platform",
        "--extra-create-fields=PasswordNeverExpire=true",
        "--change-user-mode=full",
    ];
    let world = World::of("scim-only", &settings).await;
    let id = world.provision(&berg()).await;
    assert!(id.starts_with("scim:"), "{id}");
    let account = world.account("anna@example.com").await;
    let shown = ["DisplayName", "Description", "HomeNumber", "Mail"].map(|field| account[field].as_str().unwrap());
    assert_eq!(shown, ["BERG", "", "4711", "anna.berg@example.com"]);
    assert_eq!(world.calls("Core/GeneratePassword").await, 0);
    let written = world.writes().await;
    world.apply_user(linked(&berg(), &id)).await.unwrap().applied();
    assert_eq!(world.writes().await, written, "what it cannot hold is not missed");
    let called = User { name: None, ..berg() };
    world.apply_user(linked(&called, &id)).await.unwrap().applied();
    assert_eq!(world.account("anna@example.com").await["DisplayName"], "ANNA BERG");
}

/// What is found under an intent was made by the same table.
#[tokio::test]
async fn a_lost_answer_is_read_back_under_a_tenants_own_table() {
    let world = World::with_file("attribute-map-file", TABLE, &[]).await;
    let name = world.apply_user(wanted(&berg())).await.unwrap().intent();
    world
        .fault(json!({"method": CREATE, "fault": "lost_answer", "times": 1}))
        .await;
    let request = fresh(&berg(), &name);
    world.apply_found_user(request).await.unwrap();
    assert_eq!(world.accounts(&name).await.len(), 1);
    assert_eq!(world.account(&name).await["DisplayName"], "BERG");
}
