use super::*;

async fn page(sim: &Sim, query: &str) -> String {
    let answer = sim.client.get(sim.url(&format!("/_sim{query}"))).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{query}");
    answer.text().await.unwrap()
}

async fn form(sim: &Sim, path: &str, fields: &[(&str, &str)]) -> Response {
    let request = sim.client.post(sim.url(&format!("/_sim/forms/{path}")));
    request
        .header("origin", sim.running.url())
        .form(fields)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn the_page_shows_the_tenant_and_escapes_it() {
    let sim = Sim::start().await;
    let users: Vec<_> = (0..60)
        .map(|n| json!({ "Name": format!("u{n:02}@example.com") }))
        .collect();
    sim.client
        .post(sim.url("/_sim/users"))
        .json(&users)
        .send()
        .await
        .unwrap();
    let evil = json!({ "Name": "<script>@example.com", "DisplayName": "\"><img src=x>" });
    sim.client
        .post(sim.url("/_sim/users"))
        .json(&evil)
        .send()
        .await
        .unwrap();
    let first = page(&sim, "").await;
    assert!(first.contains("u00@example.com") && !first.contains("u59@example.com"));
    assert!(!first.contains("<script>@") && !first.contains("<img src=x>"));
    assert!(page(&sim, "?page=3").await.contains("u59@example.com"));
    assert!(page(&sim, "?page=999").await.contains("u59@example.com"));
    let found = page(&sim, "?q=U17").await;
    assert!(found.contains("u17@example.com") && !found.contains("u18@example.com"));
    assert!(
        page(&sim, "?q=%22%3E%3Cimg")
            .await
            .contains("value=\"&#34;&#62;&#60;img\"")
    );
}

#[tokio::test]
async fn the_page_shows_calls_that_match() {
    let sim = Sim::start().await;
    sim.ok("Core/GetDirectoryServices", json!({})).await;
    sim.fails("CDirectoryService/GetUser", json!({ "ID": "nobody" })).await;
    let all = page(&sim, "").await;
    assert!(
        all.contains("<td class=\"mono\">Core/GetDirectoryServices")
            && all.contains("<td class=\"mono\">CDirectoryService/GetUser")
    );
    for (query, shows) in [
        ("?calls=getuser", "CDirectoryService/GetUser"),
        ("?failed=1", "CDirectoryService/GetUser"),
        ("?calls=core%2F", "Core/GetDirectoryServices"),
    ] {
        let some = page(&sim, query).await;
        for method in ["CDirectoryService/GetUser", "Core/GetDirectoryServices"] {
            assert_eq!(
                some.contains(&format!("<td class=\"mono\">{method}")),
                method == shows,
                "{query}: {method}"
            );
        }
    }
}

#[tokio::test]
async fn a_group_has_a_page_of_its_own() {
    let sim = Sim::start().await;
    let users: Vec<_> = (0..120)
        .map(|n| json!({ "Name": format!("u{n:03}@example.com") }))
        .collect();
    sim.client
        .post(sim.url("/_sim/users"))
        .json(&users)
        .send()
        .await
        .unwrap();
    let members: Vec<_> = (0..120).map(|n| format!("u{n:03}@example.com")).collect();
    let group = json!({ "ID": "a b/c", "Name": "<b>All</b>", "Members": members });
    sim.client
        .post(sim.url("/_sim/groups"))
        .json(&group)
        .send()
        .await
        .unwrap();
    assert!(page(&sim, "").await.contains("href=\"/_sim/group/a%20b%2Fc\""));
    let first = page(&sim, "/group/a%20b%2Fc").await;
    assert!(first.contains("u000@example.com") && !first.contains("u050@example.com"));
    assert!(!first.contains("<b>All</b>"));
    assert!(page(&sim, "/group/a%20b%2Fc?page=3").await.contains("u119@example.com"));
    let found = page(&sim, "/group/a%20b%2Fc?q=U07").await;
    assert!(found.contains("u077@example.com") && !found.contains("u080@example.com"));
    let nowhere = sim.client.get(sim.url("/_sim/group/nowhere")).send().await.unwrap();
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn forms_switch_the_profile_and_add_and_clear_faults() {
    let sim = Sim::start().await;
    assert!(
        form(&sim, "profile", &[("name", "federated")])
            .await
            .url()
            .path()
            .ends_with("/_sim")
    );
    assert_eq!(sim.see("/_sim/profile").await["extends"], "federated");
    let seen = page(&sim, "").await;
    assert!(
        seen.contains("<b>federated</b>")
            && seen.contains("role_writes: &#34;roles&#34;")
            && seen.contains("First login"),
        "{seen}"
    );
    let id = sim.user("fay.adler@example.com").await.unwrap()["ID"]
        .as_str()
        .unwrap()
        .to_owned();
    form(&sim, &format!("users/{id}/login"), &[]).await;
    assert_eq!(sim.user("fay.adler@example.com").await.unwrap()["Sessions"], 1);
    assert_eq!(
        form(&sim, "profile", &[("name", "nothing")]).await.status(),
        StatusCode::BAD_REQUEST
    );

    let fields = [
        ("method", "Core/*"),
        ("fault", "throttle"),
        ("times", "2"),
        ("probability", ""),
    ];
    form(&sim, "faults", &fields).await;
    let rule = sim.see("/_sim/faults").await[0].clone();
    assert_eq!((&rule["fault"], &rule["times"]), (&json!("throttle"), &json!(2)));
    for bad in [
        [("method", "*"), ("fault", "nothing"), ("times", "")],
        [("method", "*"), ("fault", "drop"), ("times", "x")],
        [("method", ""), ("fault", "drop"), ("times", "")],
    ] {
        assert_eq!(
            form(&sim, "faults", &bad).await.status(),
            StatusCode::BAD_REQUEST,
            "{bad:?}"
        );
    }
    form(&sim, "faults/0/remove", &[("method", "Core/*"), ("fault", "drop")]).await;
    assert_eq!(
        sim.see("/_sim/faults").await.as_array().unwrap().len(),
        1,
        "not the rule that was shown"
    );
    form(&sim, "faults/0/remove", &[("method", "Core/*"), ("fault", "throttle")]).await;
    assert_eq!(sim.see("/_sim/faults").await, json!([]));

    let from_elsewhere = sim
        .client
        .post(sim.url("/_sim/forms/profile"))
        .header("origin", "https://evil.example");
    let answer = from_elsewhere.form(&[("name", "hostile")]).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(sim.see("/_sim/profile").await["extends"], "federated");
}
