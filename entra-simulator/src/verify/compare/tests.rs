//! Differences on small states: each row breaks one thing and names the one line that must come of it.

use serde_json::json;

use super::*;
use crate::{
    directory::{Directory, Group, User},
    mapping::{new_group, new_user, tests::odile},
    verify::held::PlatformMember,
};

/// A directory of two users, one of whom manages the other, and one group; with what a perfect server would hold.
struct World {
    expected: Expected,
    scim: ScimState,
    platform: PlatformState,
}

fn world() -> World {
    let boss = User {
        object_id: "boss".to_owned(),
        user_principal_name: "Boss@kestrelworks.example".to_owned(),
        mail_nickname: "boss".to_owned(),
        mail: None,
        ..odile()
    };
    let odile = User {
        manager: Some("boss".to_owned()),
        ..odile()
    };
    let group = Group {
        object_id: "g1".to_owned(),
        display_name: "Rack Operators".to_owned(),
        members: [odile.object_id.clone()].into(),
    };
    let knobs = crate::knobs::Knobs::default();
    let mut users = vec![new_user(&boss, &knobs), new_user(&odile, &knobs)];
    users[0]["id"] = json!("u0");
    users[1]["id"] = json!("u1");
    users[1][mapping::ENTERPRISE_URN]["manager"] = json!({"value": "u0"});
    let mut scim_group = new_group(&group);
    scim_group["members"] = json!([{"value": "u1"}]);
    let account = |id: &str, user: &User| Account {
        id: id.to_owned(),
        name: user.user_principal_name.to_uppercase(),
        mail: Some(user.mail.clone().unwrap_or(user.user_principal_name.clone())),
        display_name: Some(user.display_name.clone()),
        state: Some("None".to_owned()),
        office_number: user.telephone_number.clone(),
        mobile_number: user.mobile.clone(),
        preferred_culture: user.preferred_language.clone(),
        ..Account::default()
    };
    let platform = PlatformState {
        users: vec![
            account("p0", &boss),
            Account {
                reports_to: Some("P0".to_owned()),
                ..account("p1", &odile)
            },
            Account {
                name: "scim-gateway@example.com".to_owned(),
                service_user: true,
                ..Account::default()
            },
        ],
        groups: vec![
            PlatformGroup {
                name: "Rack Operators".to_owned(),
                built_in: false,
                members: vec![PlatformMember {
                    guid: "p1".to_owned(),
                    kind: "User".to_owned(),
                }],
            },
            PlatformGroup {
                name: "Everybody".to_owned(),
                built_in: true,
                members: Vec::new(),
            },
        ],
        ..PlatformState::default()
    };
    let mut directory = Directory::generate(1, 0, 0);
    directory
        .users
        .extend([(boss.object_id.clone(), boss), (odile.object_id.clone(), odile)]);
    directory.groups.insert(group.object_id.clone(), group);
    let client = crate::client::Client::new(
        crate::endpoint::TenantUrl::parse("http://127.0.0.1:1").unwrap(),
        &"token".into(),
        knobs,
    );
    let expected = Expected::of(&crate::job::Job::new(client.unwrap()), &directory);
    World {
        expected,
        scim: ScimState {
            users,
            groups: vec![scim_group],
        },
        platform,
    }
}

fn lines(world: &World) -> Vec<String> {
    let found = differences(
        &world.expected,
        &world.scim,
        Some(&world.platform),
        &VerifyOptions::default(),
    );
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_perfect_server_differs_in_nothing() {
    let world = world();
    assert_eq!(lines(&world), [""; 0]);
    assert!(differences(&world.expected, &world.scim, None, &VerifyOptions::default()).is_empty());
}

#[test]
fn each_flaw_is_named_once() {
    type Row = (&'static str, fn(&mut World), &'static str);
    let user = "user odile.marchetti@kestrelworks.example";
    let rows: Vec<Row> = vec![
        (
            "a wrong value on SCIM",
            |world| world.scim.users[1]["title"] = json!("Buyer"),
            r#"title: expected "Rack technician"; SCIM has "Buyer"; Platform has (not compared)"#,
        ),
        (
            "a dropped value on the Platform",
            |world| world.platform.users[1].office_number = None,
            r#"phoneNumbers[type eq "work"].value: expected "5145550117"; SCIM has "5145550117"; Platform has nothing"#,
        ),
        (
            "an account that stayed enabled while SCIM says otherwise",
            |world| world.scim.users[1]["active"] = json!(false),
            r#"active: expected "true"; SCIM has "false"; Platform has "true""#,
        ),
        (
            "a boolean echoed as text",
            |world| world.scim.users[1]["active"] = json!("True"),
            r#"active: expected "true"; SCIM has "\"True\""; Platform has "true""#,
        ),
        (
            "a disabled account",
            |world| world.platform.users[1].state = Some("Disabled, Locked".to_owned()),
            r#"active: expected "true"; SCIM has "true"; Platform has "false""#,
        ),
        (
            "no manager on the Platform",
            |world| world.platform.users[1].reports_to = Some(String::new()),
            r#"manager: expected "boss@kestrelworks.example"; SCIM has "boss@kestrelworks.example"; Platform has nothing"#,
        ),
        (
            "a user who is missing on the Platform",
            |world| {
                world.platform.users.remove(1);
                world.platform.groups[0].members.clear();
                world.scim.groups[0]["members"] = json!([]);
                world.expected.groups[0].members.clear();
            },
            r#"existence: expected "one"; SCIM has "one"; Platform has nothing"#,
        ),
        (
            "a doubled user on SCIM",
            |world| {
                let twin = world.scim.users[1].clone();
                world.scim.users.push(twin);
            },
            r#"existence: expected "one"; SCIM has "2 of them"; Platform has "one""#,
        ),
    ];
    for (name, spoil, line) in rows {
        let mut world = world();
        spoil(&mut world);
        assert_eq!(lines(&world), [format!("{user}: {line}")], "{name}");
    }
}

#[test]
fn groups_members_and_strangers_are_compared() {
    type Row = (&'static str, fn(&mut World), &'static str);
    let rows: Vec<Row> = vec![
        (
            "a member who is missing on the Platform",
            |world| world.platform.groups[0].members.clear(),
            r#"group Rack Operators: members: odile.marchetti@kestrelworks.example: expected "1 membership"; SCIM has "1 membership"; Platform has nothing"#,
        ),
        (
            "a member too many on SCIM",
            |world| world.scim.groups[0]["members"] = json!([{"value": "u1"}, {"value": "u0"}]),
            r#"group Rack Operators: members: boss@kestrelworks.example: expected nothing; SCIM has "1 membership"; Platform has nothing"#,
        ),
        (
            "a member twice",
            |world| world.scim.groups[0]["members"] = json!([{"value": "u1"}, {"value": "u1"}]),
            r#"group Rack Operators: members: odile.marchetti@kestrelworks.example: expected "1 membership"; SCIM has "2 membership"; Platform has "1 membership""#,
        ),
        (
            "a lost externalId",
            |world| world.scim.groups[0]["externalId"] = json!(null),
            r#"group Rack Operators: externalId: expected "g1"; SCIM has nothing; Platform has (not compared)"#,
        ),
        (
            "a stranger on the Platform",
            |world| {
                world.platform.users.push(Account {
                    name: "Stranger".to_owned(),
                    ..Account::default()
                });
            },
            r#"user stranger: existence: expected nothing; SCIM has nothing; Platform has "one""#,
        ),
        (
            "a group left over",
            |world| world.platform.groups[1].built_in = false,
            r#"group everybody: existence: expected nothing; SCIM has nothing; Platform has "one""#,
        ),
    ];
    for (name, spoil, line) in rows {
        let mut world = world();
        spoil(&mut world);
        assert_eq!(lines(&world), [line], "{name}");
    }
}

#[test]
fn what_was_there_before_is_ignored() {
    let mut world = world();
    world.platform.users.push(Account {
        name: "Stranger".to_owned(),
        ..Account::default()
    });
    world.scim.users.push(json!({"id": "u9", "userName": "Elder"}));
    world.scim.groups[0]["members"] = json!([{"value": "u1"}, {"value": "u9"}]);
    world.scim.groups[0]["id"] = json!("g1");
    let left =
        |options: &VerifyOptions| differences(&world.expected, &world.scim, Some(&world.platform), options).len();
    assert_eq!(left(&VerifyOptions::default()), 3);
    let options = VerifyOptions {
        ignore: vec!["STRANGER".to_owned()],
        before: Before {
            names: ["elder".to_owned()].into(),
            memberships: [("g1".to_owned(), "u9".to_owned())].into(),
        },
        ..VerifyOptions::default()
    };
    assert_eq!(left(&options), 0);
}

#[test]
fn where_the_platform_holds_no_manager_scim_shows_it_all_the_same() {
    let mut world = world();
    world.platform.users[1].reports_to = None;
    let options = VerifyOptions {
        without_manager: ["odile.marchetti@kestrelworks.example".to_owned()].into(),
        ..VerifyOptions::default()
    };
    let left = |world: &World| differences(&world.expected, &world.scim, Some(&world.platform), &options).len();
    assert_eq!((lines(&world).len(), left(&world)), (1, 0));
    world.scim.users[1][mapping::ENTERPRISE_URN]["manager"] = json!({});
    assert_eq!(left(&world), 1);
}
