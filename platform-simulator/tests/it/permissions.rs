use super::*;

const CALLS: [&str; 3] = ["Report/RunReport", "CDirectoryService/CreateUser", "Roles/StoreRole"];

#[tokio::test]
async fn a_service_user_without_a_right_is_told_so() {
    for (right, denied) in [("read", 0), ("user_management", 1), ("role_management", 2)] {
        let texts = json!({ "denied": "Not for you: {}." });
        let profile = json!({ "missing_permissions": [right], "scim": true, "texts": texts });
        let sim = Sim::with_profile(profile).await;
        for (n, method) in CALLS.into_iter().enumerate() {
            let envelope = sim.call(method, json!({ "Name": "x@example.com" })).await;
            let message = envelope["Message"].as_str().unwrap_or_default();
            assert_eq!(
                message == format!("Not for you: {method}."),
                n == denied,
                "{right}: {message}"
            );
        }
        let scim = [("GET", "Users"), ("POST", "Users"), ("POST", "Groups")];
        for (n, (verb, path)) in scim.into_iter().enumerate() {
            let answer = sim.scim(verb, path, json!({ "displayName": "x" })).await;
            assert_eq!(
                answer.status() == StatusCode::FORBIDDEN,
                n == denied,
                "{right}: {verb} {path}"
            );
        }
    }
}

#[tokio::test]
async fn or_finds_nothing_there() {
    let profile = json!({
        "missing_permissions": ["user_management", "role_management"],
        "missing_permission_answer": "404",
        "scim": true,
    });
    let sim = Sim::with_profile(profile).await;
    for (method, status) in CALLS.into_iter().zip([200, 404, 404]) {
        let answer = sim.try_call(method, json!({ "ID": "user_all" })).await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{method}");
    }
    let answer = sim.scim("POST", "Groups", json!({ "displayName": "x" })).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(answer.bytes().await.unwrap().len(), 0);
}
