//! What one request comes to as a whole.

use serde_json::json;

use crate::entra::{ODILE, Person};

#[tokio::test]
async fn q40_one_invalid_operation_undoes_the_whole_patch() {
    let person = Person::new().await;
    let before = person.read().await;
    let good = json!({"op": "Replace", "path": "displayName", "value": "Must not be"});
    for bad in [
        json!({"op": "Replace", "path": "title[value eq \"x\"]", "value": "x"}),
        json!({"op": "Replace", "path": "active", "value": "perhaps"}),
        json!({"op": "Remove", "path": "userName"}),
        json!({"op": "Remove"}),
        json!({"op": "Replace", "path": "emails[type eq", "value": "x"}),
        json!({"op": "Replace", "path": "id", "value": "x"}),
        json!({"op": "move", "path": "title", "value": "x"}),
    ] {
        for operations in [json!([good, bad]), json!([bad, good])] {
            let answer = person.patch(operations.clone()).await;
            assert_eq!(answer.status, 400, "{operations}");
            assert_eq!(person.read().await, before, "{operations}");
        }
    }
    assert_eq!(person.account().await["DisplayName"], "The person odile");
}

#[tokio::test]
async fn q41_add_replaces_what_has_one_value() {
    let adds = json!([
        {"op": "Add", "path": "active", "value": "False"},
        {"op": "Add", "path": "externalId", "value": "new"},
        {"op": "Add", "path": "displayName", "value": "New"},
        {"op": "Add", "path": "name.familyName", "value": "Roy"},
    ]);
    let person = Person::new().await;
    let after = person.after(adds).await;
    assert_eq!(
        [&after["active"], &after["externalId"], &after["displayName"]],
        [&json!(false), &json!("new"), &json!("New")]
    );
    assert_eq!(
        after["name"],
        json!({"formatted": "odile", "givenName": "Some", "familyName": "Roy"})
    );
    let account = person.account().await;
    assert_eq!([&account["State"], &account["DisplayName"]], ["Disabled", "New"]);
}

#[tokio::test]
async fn q42_a_merged_replacement_leaves_everything_else_as_it_was() {
    let person = Person::new().await;
    let mut expected = person.read().await;
    let mut after = person.after(json!({"op": "replace", "value": {"active": false}})).await;
    expected["active"] = json!(false);
    expected["meta"] = after["meta"].take();
    after["meta"] = expected["meta"].clone();
    assert_eq!(after, expected);
    assert_eq!(person.account().await["Name"], ODILE);
}
