//! What comparing needs: the members of a group, and what the Platform would list for what is wanted.

use proto::{
    adapter::v1::{
        ExpectGroupsRequest, ExpectUsersRequest, ListPlatformGroupMembersRequest, ListPlatformUsersRequest,
        PlatformUser, RemovePlatformGroupMembersRequest,
    },
    error::ErrorReason,
    resource::v1::{Group, User},
};
use serde_json::json;
use tonic::{Code, Status};

use crate::world::{World, anna, fault, linked, reason};

const TENANT: &str = "default";

/// A group's members, and how many are no accounts.
async fn members(world: &World, group: &str) -> Result<(Vec<String>, i32), Status> {
    let request = ListPlatformGroupMembersRequest {
        tenant: TENANT.to_owned(),
        platform_id: group.to_owned(),
    };
    let stream = world.client.clone().list_platform_group_members(request).await?;
    let (mut stream, mut ids, mut others) = (stream.into_inner(), Vec::new(), 0);
    while let Some(batch) = stream.message().await? {
        assert!(batch.user_ids.len() <= 500, "{}", batch.user_ids.len());
        ids.extend(batch.user_ids);
        others += batch.others;
    }
    ids.sort_unstable();
    Ok((ids, others))
}

/// A group of so many accounts, made by hand; gives its id and theirs.
async fn group_of(world: &World, count: usize) -> (String, Vec<String>) {
    let people: Vec<_> = (0..count)
        .map(|n| json!({"Name": format!("p{n:04}@example.com")}))
        .collect();
    let mut ids = world.strangers(json!(people)).await;
    let made = world
        .sim("POST", "groups", json!([{"Name": "Sales", "Members": ids}]))
        .await;
    ids.sort_unstable();
    (made[0]["ID"].as_str().unwrap().to_owned(), ids)
}

#[tokio::test]
async fn all_members_are_listed_page_by_page() {
    let world = World::with(&["--page-size=100"]).await;
    let (group, ids) = group_of(&world, 1201).await;
    assert_eq!(members(&world, &group).await.unwrap(), (ids.clone(), 0));
    assert_eq!(world.calls("Roles/GetPagedRoleMembers").await, 13);
    world.profile(json!({"full_count": false})).await;
    assert_eq!(
        members(&world, &group).await.unwrap(),
        (ids.clone(), 0),
        "without a count"
    );
    // Where there are no pages, one answer has all.
    world
        .fault(json!({"method": "Roles/GetPagedRoleMembers", "fault": "bare404"}))
        .await;
    assert_eq!(members(&world, &group).await.unwrap(), (ids, 0));
}

#[tokio::test]
async fn what_is_no_account_is_only_counted() {
    let world = World::new().await;
    let (group, ids) = group_of(&world, 3).await;
    let inner = world.provision_group("Inner", &[]).await;
    let nested = json!([{"Guid": inner, "Type": "Role"}]);
    world.sim("POST", &format!("groups/{group}/members"), nested).await;
    assert_eq!(members(&world, &group).await.unwrap(), (ids, 1));
    let empty = world.provision_group("Empty", &[]).await;
    assert_eq!(members(&world, &empty).await.unwrap(), (vec![], 0));
}

#[tokio::test]
async fn a_page_that_fails_is_asked_for_again_and_no_list_passes_for_whole() {
    let world = World::with(&["--page-size=2"]).await;
    let (group, ids) = group_of(&world, 5).await;
    world.fault(fault("Roles/GetPagedRoleMembers", "unavailable", 1)).await;
    assert_eq!(members(&world, &group).await.unwrap(), (ids, 0));
    let gone = members(&world, "nowhere").await.unwrap_err();
    assert_eq!(
        (gone.code(), reason(&gone).0),
        (Code::FailedPrecondition, ErrorReason::PlatformRefused)
    );
    let unnamed = members(&world, " ").await.unwrap_err();
    assert_eq!(reason(&unnamed).0, ErrorReason::InvalidRequest);
    for method in ["Roles/GetPagedRoleMembers", "SaasManage/GetRoleMembers"] {
        world.fault(json!({"method": method, "fault": "bare404"})).await;
    }
    let untold = members(&world, &group).await.unwrap_err();
    assert_eq!(reason(&untold).0, ErrorReason::PlatformNotExposed);
}

#[tokio::test]
async fn accounts_are_taken_out_but_for_our_own_and_protected_ones() {
    let world = World::with(&["--protected-names=p0001@example.com", "--member-batch=2"]).await;
    let (group, ids) = group_of(&world, 5).await;
    let state = world.state().await;
    let users = state["users"].as_array().unwrap();
    let of = |name: &str| {
        let user = users.iter().find(|user| user["Name"] == name).unwrap();
        user["ID"].as_str().unwrap().to_owned()
    };
    let caller = of("scim-gateway@example.com");
    let own = json!([{"Guid": caller, "Type": "User"}]);
    world.sim("POST", &format!("groups/{group}/members"), own).await;
    let kept = of("p0002@example.com");
    let mut out: Vec<_> = ids.iter().filter(|id| **id != kept).cloned().collect();
    out.extend([caller.clone(), "nobody".to_owned()]);
    let request = RemovePlatformGroupMembersRequest {
        tenant: TENANT.to_owned(),
        resource_id: "crew".to_owned(),
        platform_id: group.clone(),
        user_ids: out,
    };
    let mut expected = [kept, caller, of("p0001@example.com")];
    expected.sort_unstable();
    for _ in 0..2 {
        let answer = world
            .client
            .clone()
            .remove_platform_group_members(request.clone())
            .await;
        let mut refused: Vec<_> = answer.unwrap().into_inner().refused;
        refused.sort_unstable_by(|one, other| one.platform_id.cmp(&other.platform_id));
        let ids: Vec<_> = refused.iter().map(|one| &one.platform_id).collect();
        assert_eq!(ids.len(), 2, "{refused:#?}");
        assert!(ids.iter().all(|id| expected.contains(id)), "{refused:#?}");
        assert_eq!(members(&world, &group).await.unwrap().0, expected);
    }
    let nowhere = RemovePlatformGroupMembersRequest {
        platform_id: "nowhere".to_owned(),
        ..request
    };
    let answer = world
        .client
        .clone()
        .remove_platform_group_members(nowhere)
        .await
        .unwrap();
    assert_eq!(answer.into_inner().refused, [], "in what is not there nobody is");
}

async fn expected(world: &World, users: &[User]) -> Vec<Option<PlatformUser>> {
    let request = ExpectUsersRequest {
        tenant: TENANT.to_owned(),
        users: users.to_vec(),
    };
    let answer = world.client.clone().expect_users(request).await.unwrap().into_inner();
    answer.expected.into_iter().map(|expected| expected.account).collect()
}

#[tokio::test]
async fn what_is_expected_is_what_is_listed_once_it_is_applied() {
    let world = World::with(&["--default-suffix=example.com"]).await;
    let bare = User {
        user_name: Some("bert".to_owned()),
        active: Some(false),
        ..User::default()
    };
    let impossible = User::default();
    let ids = [world.provision(&anna()).await, world.provision(&bare).await];
    world.apply_user(linked(&bare, &ids[1])).await.unwrap().applied();
    let calls = world.state().await["reads"].clone();
    let expected = expected(&world, &[anna(), impossible, bare]).await;
    assert_eq!(world.state().await["reads"], calls, "nothing is called");
    assert_eq!(expected[1], None);

    for without_list in [false, true] {
        if without_list {
            world
                .fault(json!({"method": "entities/localusers", "fault": "bare404"}))
                .await;
        }
        let request = ListPlatformUsersRequest {
            tenant: TENANT.to_owned(),
        };
        let stream = world.client.clone().list_platform_users(request).await.unwrap();
        let (mut stream, mut listed) = (stream.into_inner(), Vec::new());
        while let Some(batch) = stream.message().await.unwrap() {
            listed.extend(batch.users);
        }
        for (id, expected) in ids.iter().zip([&expected[0], &expected[2]]) {
            let listed = listed.iter().find(|user| user.platform_id == *id).unwrap();
            let expected = PlatformUser {
                platform_id: id.clone(),
                ..expected.clone().unwrap()
            };
            assert_eq!(*listed, expected);
        }
    }
}

#[tokio::test]
async fn groups_are_expected_by_their_names_and_few_at_a_time() {
    let world = World::new().await;
    let group = |name: Option<&str>| Group {
        display_name: name.map(str::to_owned),
        ..Group::default()
    };
    let request = |groups| ExpectGroupsRequest {
        tenant: TENANT.to_owned(),
        groups,
    };
    let ask = request(vec![group(Some(" Sales ")), group(None)]);
    let answer = world.client.clone().expect_groups(ask).await.unwrap().into_inner();
    let names: Vec<_> = answer
        .expected
        .into_iter()
        .map(|expected| expected.group.map(|group| group.name))
        .collect();
    assert_eq!(names, [Some("Sales".to_owned()), None]);
    let many = request(vec![group(Some("x")); 501]);
    let refused = world.client.clone().expect_groups(many).await.unwrap_err();
    assert_eq!(reason(&refused).0, ErrorReason::InvalidRequest);
}
