//! Accounts that are on the Platform already (P2, P8): refused, adopted by name or by list, and never doubled.

use serde_json::json;

use super::{ODILE, at};
use crate::deployment::{Deployment, Setup, profile, user};

#[tokio::test]
async fn never_means_refused_and_listed_with_the_reason() {
    let it = Deployment::start().await;
    let stranger = it.platform.strangers(&[ODILE]).await.remove(0);
    let before = it.platform.account(ODILE).await;
    let id = it.scim.create_user(ODILE).await;
    let other = it.scim.create_user("other@kestrel.example").await;
    it.settled().await;

    let refused = it.refused().await;
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].resource_id, id);
    assert_eq!(refused[0].last_error_reason.as_deref(), Some("PLATFORM_OBJECT_EXISTS"));
    let words = refused[0].last_error.as_deref().unwrap();
    assert!(words.contains(ODILE) && words.contains(&stranger), "{words}");
    assert_eq!(
        (refused[0].platform_id.as_deref(), refused[0].applied_version),
        (None, 0)
    );
    assert_eq!(it.platform.account(ODILE).await, before, "not touched");
    assert_eq!(
        it.delivery(&other).await.unwrap().applied_version,
        1,
        "nobody waits for it (P4)"
    );

    // Further changes do not take it either, nor does a deletion remove what is not ours.
    it.scim
        .patch(&at(&id), json!({"op": "Replace", "path": "active", "value": "False"}))
        .await
        .expect(204);
    it.settled().await;
    assert_eq!(it.platform.account(ODILE).await, before);
    it.scim.delete(&at(&id)).await.expect(204);
    it.settled().await;
    assert_eq!(it.platform.account(ODILE).await, before);
    assert_eq!(it.refused().await, []);
}

#[tokio::test]
async fn once_the_name_is_free_a_retry_creates_the_account() {
    let it = Deployment::start().await;
    let stranger = it.platform.strangers(&[ODILE]).await.remove(0);
    let id = it.scim.create_user(ODILE).await;
    it.scim.create_group("Rack Operators", &[&id]).await;
    it.delivered(&id, |delivery| delivery.last_error.is_some()).await;
    it.platform
        .control(http::Method::DELETE, &format!("users/{stranger}"), &json!(null))
        .await;
    it.retry(&id).await;
    it.settled().await;
    assert_eq!(it.refused().await, []);
    assert_ne!(it.platform.account(ODILE).await["ID"], stranger.as_str());
    assert!(
        it.platform.members("Rack Operators").await.contains(ODILE),
        "the group follows"
    );
}

#[tokio::test]
async fn matching_takes_an_ordinary_account_of_the_name() {
    let it = Setup::default().identity(&["--adopt=matching"]).start().await;
    let stranger = it.platform.strangers(&[ODILE]).await.remove(0);
    let id = it.scim.create_user("Odile@KESTREL.example").await;
    it.settled().await;
    assert_eq!(it.refused().await, []);
    let account = it.platform.account(ODILE).await;
    assert_eq!(account["ID"], stranger.as_str());
    assert_eq!(account["DisplayName"], "The person Odile");
    assert_eq!(
        it.delivery(&id).await.unwrap().platform_id.as_deref(),
        Some(stranger.as_str())
    );

    // A rename never adopts.
    it.platform.strangers(&["taken@kestrel.example"]).await;
    it.scim
        .patch(
            &at(&id),
            json!({"op": "replace", "path": "userName", "value": "taken@kestrel.example"}),
        )
        .await
        .expect(204);
    it.settled().await;
    let refused = it.refused().await;
    assert_eq!(refused.len(), 1);
    assert!(
        refused[0]
            .last_error
            .as_deref()
            .unwrap()
            .contains("taken@kestrel.example")
    );
    assert_eq!(
        it.platform.account("taken@kestrel.example").await["DisplayName"],
        "Made by hand"
    );
    assert_eq!(
        it.platform.account(ODILE).await["ID"],
        stranger.as_str(),
        "ours keeps its old name"
    );
    // Going back settles it.
    it.scim
        .patch(&at(&id), json!({"op": "replace", "path": "userName", "value": ODILE}))
        .await
        .expect(204);
    it.settled().await;
    assert_eq!(it.refused().await, []);
}

#[tokio::test]
async fn matching_never_takes_what_is_special() {
    let it = Setup::default()
        .identity(&["--adopt=matching"])
        .adapter(&["--protected-names=breakglass@kestrel.example"])
        .start()
        .await;
    it.platform.strangers(&["breakglass@kestrel.example"]).await;
    let before = it.platform.state().await["users"].clone();
    let service = json!([{"Name": "robot@kestrel.example", "ServiceUser": true}]);
    it.platform.control(http::Method::POST, "users", &service).await;
    for name in [
        "scim-gateway@example.com",
        "cloudadmin@example.com",
        "breakglass@kestrel.example",
        "robot@kestrel.example",
    ] {
        let id = it.scim.create_user(name).await;
        let delivery = it.delivered(&id, |delivery| delivery.last_error.is_some()).await;
        assert!(delivery.last_error.as_deref().unwrap().contains(name), "{delivery:?}");
        assert_eq!(delivery.platform_id, None);
        // Not even somebody who leaves: these accounts are nobody's.
        it.scim.delete(&at(&id)).await.expect(204);
    }
    it.settled().await;
    let mut after = it.platform.state().await["users"].clone();
    after
        .as_array_mut()
        .unwrap()
        .retain(|user| user["Name"] != "robot@kestrel.example");
    assert_eq!(after, before);
}

#[tokio::test]
async fn listed_takes_those_on_the_list_and_no_others() {
    let list = "# agreed with the directory team\n\n  Odile@kestrel.example \ncloudadmin@example.com\n";
    let it = Setup::default().adopt_listed(list).start().await;
    let strangers = it.platform.strangers(&[ODILE, "unlisted@kestrel.example"]).await;
    let (listed, unlisted) = (
        it.scim.create_user(ODILE).await,
        it.scim.create_user("unlisted@kestrel.example").await,
    );
    it.settled().await;
    assert_eq!(
        it.delivery(&listed).await.unwrap().platform_id,
        Some(profile::kept(&strangers[0]))
    );
    assert_eq!(it.platform.account(ODILE).await["DisplayName"], "The person odile");
    let refused = it.refused().await;
    assert_eq!(
        refused.iter().map(|delivery| &delivery.resource_id).collect::<Vec<_>>(),
        [&unlisted]
    );
    assert_eq!(
        it.platform.account("unlisted@kestrel.example").await["DisplayName"],
        "Made by hand"
    );
    assert_eq!(it.platform.names().await.len(), 2);
    // Created anew for someone who never was there.
    it.scim.create_user("new@kestrel.example").await;
    it.settled().await;
    assert_eq!(it.platform.names().await.len(), 3);
}

/// By hand, the account of one of our users gets the name that another of our users is about to need.
#[tokio::test]
async fn an_account_of_ours_is_never_taken_for_another_of_ours() {
    let it = Setup::default().identity(&["--adopt=matching"]).start().await;
    let first = it.scim.create_user(ODILE).await;
    it.settled().await;
    let account = it.platform.account(ODILE).await["ID"].as_str().unwrap().to_owned();
    it.platform
        .edit(&account, json!({"Name": "second@kestrel.example"}))
        .await;

    let second = it.scim.create_user("second@kestrel.example").await;
    it.settled().await;
    let refused = it.refused().await;
    assert_eq!(
        refused.iter().map(|delivery| &delivery.resource_id).collect::<Vec<_>>(),
        [&second]
    );
    assert_eq!(
        it.delivery(&first).await.unwrap().platform_id,
        Some(profile::kept(&account))
    );
    assert_eq!(it.platform.accounts().await.len(), 1);
    // Repaired by a person: the first gets its name back, then the second has room.
    it.retry(&first).await;
    it.settled().await;
    assert_eq!(it.platform.account(ODILE).await["ID"], account.as_str());
    it.retry(&second).await;
    it.settled().await;
    assert_eq!(it.refused().await, []);
    assert_eq!(it.platform.names().await, [ODILE, "second@kestrel.example"]);
}

#[tokio::test]
async fn what_was_changed_by_hand_is_repaired_on_request() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    it.scim.create_group("Rack Operators", &[&id]).await;
    it.settled().await;
    let account = it.platform.account(ODILE).await;
    let account_id = account["ID"].as_str().unwrap();
    it.platform
        .edit(
            account_id,
            json!({"DisplayName": "Vandal", "State": "Disabled", "OfficeNumber": ""}),
        )
        .await;
    // It is not looked at by itself.
    it.settled().await;
    assert_eq!(it.platform.account(ODILE).await["DisplayName"], "Vandal");
    it.retry(&id).await;
    it.settled().await;
    let mut repaired = it.platform.account(ODILE).await;
    repaired["Version"] = account["Version"].clone();
    assert_eq!(repaired, account);

    // Gone altogether: made anew, and put into its groups again.
    it.platform
        .control(http::Method::DELETE, &format!("users/{account_id}"), &json!(null))
        .await;
    it.retry(&id).await;
    it.settled().await;
    assert_eq!(it.refused().await, []);
    let anew = it.platform.account(ODILE).await;
    assert_ne!(anew["ID"], account["ID"]);
    assert_eq!(anew["DisplayName"], user(ODILE)["displayName"]);
    assert_eq!(it.platform.members("Rack Operators").await.len(), 1);
    // A retry of what never existed says so.
    let nobody = it.delivery("00000000-0000-4000-8000-000000000000").await.unwrap_err();
    assert_eq!(nobody.code(), tonic::Code::NotFound);
}
