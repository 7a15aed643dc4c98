//! Persons go, the protocol stays.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn scrubbed(request: Value, body: Value) -> Exchange {
    Scrubber::default().exchange(Exchange {
        method: "POST".to_owned(),
        path: "/identity/api/CDirectoryService/CreateUser".to_owned(),
        request,
        status: 200,
        headers: Map::new(),
        body,
    })
}

#[test]
fn the_protocol_stays_and_persons_go() {
    let id = "5CA1AB1E-1111-4222-8333-444455556666";
    let exchange = scrubbed(
        json!({"Name": "anna.berg@corp.example", "Mail": "Anna.Berg@corp.example", "Password": "s3cret", "OauthClient": false}),
        json!({
            "success": false, "Result": {"ID": id, "_RowKey": id.replace('-', "_"), "DisplayName": "Anna Berg", "State": "Disabled",
            "CreateDate": "/Date(1600000000000)/", "LastLogin": "/Date(-62135596800000)/"},
            "Message": "The user name anna.berg@corp.example is already in use by Berta.", "MessageID": "_I18N_Duplicate",
        }),
    );
    let text = serde_json::to_string(&exchange).unwrap();
    for gone in ["anna", "Anna", "Berg", "Berta", "corp", "s3cret", "5CA1AB1E"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    assert_eq!(
        exchange.request["Name"], exchange.request["Mail"],
        "the same value stays the same"
    );
    assert_eq!(exchange.body["Result"]["State"], "Disabled");
    assert_eq!(exchange.body["MessageID"], "_I18N_Duplicate");
    assert_eq!(
        exchange.body["Message"],
        "The user name user-1@domain-1.example is already in use by X."
    );
    assert!(is_uuid(exchange.body["Result"]["ID"].as_str().unwrap()));
    assert!(exchange.body["Result"]["_RowKey"].as_str().unwrap().contains('_'));
    assert_eq!(exchange.path, "/identity/api/CDirectoryService/CreateUser");
}

#[test]
fn what_a_report_is_asked_for_stays_and_about_whom_goes() {
    let exchange = scrubbed(
        json!({"ID": "user_searchbyname", "Args": {"Parameters": [{"Name": "searchString", "Value": "%anna@x.example%", "ColumnType": 12}]}}),
        json!({"success": true}),
    );
    assert_eq!(exchange.request["ID"], "user_searchbyname");
    assert_eq!(exchange.request["Args"]["Parameters"][0]["Value"], ANYTHING);
    assert_eq!(exchange.request["Args"]["Parameters"][0]["Name"], "searchString");
}

#[test]
fn ids_in_paths_go_and_names_of_methods_stay() {
    let mut scrubber = Scrubber::default();
    let path =
        scrubber.path("/scim/v2/Users/5ca1ab1e-1111-4222-8333-444455556666?count=1&filter=userName+eq+%22Anna%40x%22");
    assert!(
        path.starts_with("/scim/v2/Users/00000000-") && path.contains("count=1"),
        "{path}"
    );
    assert!(!path.to_lowercase().contains("anna"), "{path}");
    assert_eq!(
        scrubber.path("/identity/api/oauth2/token/xpmplatform"),
        "/identity/api/oauth2/token/xpmplatform"
    );
}

proptest! {
    #[test]
    fn no_value_of_a_person_comes_through(name in "[A-Z][a-z]{4,9}zq", key in "(Name|DisplayName|Mail|OfficeNumber|x)") {
        let exchange = scrubbed(
            json!({key.as_str(): name, "Mail": format!("{name}@{name}.example")}),
            json!({"success": false, "Message": format!("User {name} ({name}@{name}.example) is not there"), "Result": [name]}),
        );
        let text = serde_json::to_string(&exchange).unwrap().to_lowercase();
        prop_assert!(!text.contains(&name.to_lowercase()), "{text}");
    }
}
