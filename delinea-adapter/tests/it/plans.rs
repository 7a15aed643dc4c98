//! What would be written is what is written: each plan is looked at, carried out, and then has nothing left.

use proto::{
    adapter::v1::{Adoption, ApplyGroupRequest, ApplyUserRequest, RemovalMode},
    error::ErrorReason,
    resource::v1::User,
};
use serde_json::json;
use tonic::Code;

use crate::world::{
    World, anna, confirmed, failed, fresh, group_removal, intended, link, linked, linked_group, removal, wanted,
    wanted_group,
};

const CREATE: &str = "CDirectoryService/CreateUser";
const CHANGE: &str = "CDirectoryService/ChangeUser";
const STATE: &str = "CDirectoryService/SetUserState";

#[tokio::test]
async fn an_account_is_planned_as_it_is_then_made_and_changed() {
    let world = World::new().await;
    let off = User {
        active: Some(false),
        ..anna()
    };
    let steps = world.plan_user(wanted(&off)).await.unwrap().steps();
    assert_eq!(steps, ["create the account", "disable the account"]);
    assert_eq!(world.accounts("anna@example.com").await.len(), 0);
    let id = world.provision(&off).await;
    assert_eq!((world.calls(CREATE).await, world.calls(STATE).await), (1, 1));
    let matches = world.plan_user(linked(&off, &id)).await.unwrap().applied();
    assert_eq!(matches.link, Some(link(&id)));

    let other = User {
        user_name: Some("anna.b@example.com".to_owned()),
        display_name: Some("Anna B".to_owned()),
        active: Some(true),
        ..anna()
    };
    let steps = world.plan_user(linked(&other, &id)).await.unwrap().steps();
    assert_eq!(steps, ["change Name, DisplayName of the account", "enable the account"]);
    world.apply_user(linked(&other, &id)).await.unwrap().applied();
    assert_eq!((world.calls(CHANGE).await, world.calls(STATE).await), (1, 2));
    world.plan_user(linked(&other, &id)).await.unwrap().applied();

    for (mode, words) in [(RemovalMode::Disable, "disable"), (RemovalMode::Remove, "delete")] {
        let request = ApplyUserRequest {
            link: Some(link(&id)),
            ..removal(mode)
        };
        let steps = world.plan_user(request.clone()).await.unwrap().steps();
        assert_eq!(steps, [format!("{words} the account {id}")]);
        world.apply_user(request.clone()).await.unwrap().applied();
        world.plan_user(request).await.unwrap().applied();
    }
}

#[tokio::test]
async fn what_would_be_refused_is_refused_in_a_plan() {
    let world = World::with(&["--protected-names=chief@example.com", "--allow-rename=false"]).await;
    world.profile(json!({"suffixes": ["example.com"]})).await;
    let chief = world.strangers(json!([{"Name": "chief@example.com"}])).await.remove(0);
    let named = |name: &str| User {
        user_name: Some(name.to_owned()),
        ..anna()
    };
    for adoption in [Adoption::Never, Adoption::Matching] {
        let request = ApplyUserRequest {
            adoption: adoption.into(),
            ..wanted(&named("chief@example.com"))
        };
        let refused = failed(world.plan_user(request.clone()).await);
        assert_eq!(refused, (Code::AlreadyExists, ErrorReason::PlatformObjectExists));
        assert_eq!(failed(world.apply_user(request).await), refused);
    }
    let request = ApplyUserRequest {
        adoption: Adoption::Listed.into(),
        ..wanted(&named("chief@example.com"))
    };
    let steps = world.plan_user(request).await.unwrap().steps();
    assert_eq!(steps[0], format!("take over the account {chief}"));
    assert!(
        steps[1].starts_with("change ") && !steps[1].contains("Anna"),
        "{steps:?}"
    );

    let gone = ApplyUserRequest {
        link: Some(link(&chief)),
        ..removal(RemovalMode::Remove)
    };
    assert_eq!(failed(world.plan_user(gone).await).1, ErrorReason::PlatformProtected);
    let renamed = linked(&named("boss@example.com"), &chief);
    assert_eq!(failed(world.plan_user(renamed).await).1, ErrorReason::PlatformRefused);
    let unknown = wanted(&named("anna@nowhere.example"));
    assert_eq!(failed(world.plan_user(unknown).await).1, ErrorReason::PlatformRefused);
}

/// A create may have been sent before the dry run began: whose it is, is asked as ever.
#[tokio::test]
async fn what_stands_under_an_intent_is_asked_about_in_a_plan() {
    let world = World::new().await;
    let id = world.provision(&anna()).await;
    let request = intended(&anna(), &["anna@example.com"]);
    let found = world.plan_user(request.clone()).await.unwrap().found();
    assert_eq!(found.platform_id, id);
    let request = ApplyUserRequest {
        intents: request.intents.as_ref().map(|intents| confirmed(intents, &found)),
        ..request
    };
    let applied = world.plan_user(request).await.unwrap().applied();
    assert_eq!(applied.link, Some(link(&id)));
    // Even an intent that is fresh creates nothing.
    let roy = User {
        user_name: Some("roy@example.com".to_owned()),
        ..anna()
    };
    let steps = world.plan_user(fresh(&roy, "roy@example.com")).await.unwrap().steps();
    assert_eq!(steps, ["create the account"]);
}

#[tokio::test]
async fn a_group_is_planned_with_its_members() {
    let world = World::new().await;
    let id = world.provision(&anna()).await;
    let request = ApplyGroupRequest {
        members_in: vec![id.clone()],
        ..wanted_group("Halls")
    };
    let steps = world.plan_group(request).await.unwrap().steps();
    assert_eq!(steps, ["create the group", "put 1 member in"]);
    let halls = world.provision_group("Halls", std::slice::from_ref(&id)).await;
    world.plan_group(linked_group("Halls", &halls)).await.unwrap().applied();

    let request = ApplyGroupRequest {
        members_out: vec![id, "another".to_owned()],
        ..linked_group("Racks", &halls)
    };
    let steps = world.plan_group(request).await.unwrap().steps();
    assert_eq!(steps, ["change Name of the group", "take 2 members out"]);

    let theirs = world.sim("POST", "groups", json!([{"Name": "Theirs"}])).await;
    let theirs = theirs[0]["ID"].as_str().unwrap();
    let adopting = |adoption: Adoption| ApplyGroupRequest {
        adoption: adoption.into(),
        ..wanted_group("Theirs")
    };
    let steps = world.plan_group(adopting(Adoption::Matching)).await.unwrap().steps();
    assert_eq!(steps, [format!("take over the group {theirs}")]);
    let refused = failed(world.plan_group(adopting(Adoption::Never)).await);
    assert_eq!(refused.1, ErrorReason::PlatformObjectExists);

    let steps = world.plan_group(group_removal(&halls)).await.unwrap().steps();
    assert_eq!(steps, [format!("delete the group {halls}")]);
    world.apply_group(group_removal(&halls)).await.unwrap();
    assert_eq!(
        world.plan_group(group_removal(&halls)).await.unwrap().applied().link,
        None
    );
}
