use super::*;
use platform_simulator::ColumnCasing;

impl Sim {
    async fn report(&self, report: &str, parameter: (&str, &str), args: Value) -> Value {
        let mut args = args;
        args["Parameters"] = json!([{ "Name": parameter.0, "Value": parameter.1, "Label": "", "Type": "string" }]);
        self.ok("Report/RunReport", json!({ "ID": report, "Args": args })).await
    }

    async fn found(&self, pattern: &str) -> Vec<String> {
        let result = self
            .report(
                "user_searchbyname",
                ("searchString", pattern),
                json!({ "PageSize": 100 }),
            )
            .await;
        rows(&result)
            .iter()
            .map(|row| row["username"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn select(&self, script: &str) -> Vec<String> {
        let result = self
            .ok("RedRock/Query", json!({ "Script": script, "Args": { "Caching": -1 } }))
            .await;
        let text = |row: &Value| {
            row.as_object()
                .unwrap()
                .values()
                .next()
                .unwrap()
                .as_str()
                .unwrap()
                .to_owned()
        };
        rows(&result).iter().map(text).collect()
    }
}

#[tokio::test]
async fn a_search_finds_more_than_was_meant() {
    let sim = Sim::start().await;
    for name in [
        "a_b@example.com",
        "aXb@example.com",
        "xa_b@example.com",
        "other@example.com",
    ] {
        sim.create(name).await;
    }
    assert_eq!(
        sim.found("%A_B@example.com%").await,
        ["a_b@example.com", "axb@example.com", "xa_b@example.com"].map(|name| name.replace("axb", "aXb"))
    );
    assert_eq!(
        sim.found("a_b@example.com").await.len(),
        2,
        "no percent sign: the whole name"
    );
    assert_eq!(sim.found("%nobody%").await.len(), 0);
    assert_eq!(sim.found("%").await.len(), 6, "with the caller and the administrator");
}

#[tokio::test]
async fn reports_page_and_tell_the_total() {
    let sim = Sim::start().await;
    let users: Vec<_> = (0..250)
        .map(|n| json!({ "Name": format!("u{n:03}@example.com") }))
        .collect();
    sim.client
        .post(sim.url("/_sim/users"))
        .json(&users)
        .send()
        .await
        .unwrap();
    let mut seen = Vec::new();
    for page in 1.. {
        let args = json!({ "PageNumber": page, "PageSize": 60, "Limit": 100000 });
        let result = sim
            .report("user_searchbyname", ("searchString", "u%@example.com"), args)
            .await;
        assert_eq!(result["FullCount"], 250);
        if rows(&result).is_empty() {
            break;
        }
        seen.extend(
            rows(&result)
                .iter()
                .map(|row| row["username"].as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(
        seen,
        (0..250).map(|n| format!("u{n:03}@example.com")).collect::<Vec<_>>()
    );
    let limited = json!({ "PageSize": 60, "Limit": 7, "SortBy": "Username", "Ascending": false });
    let result = sim.report("user_all", ("x", ""), limited).await;
    assert_eq!(rows(&result).len(), 7);
    assert_eq!(rows(&result)[0]["username"], "u249@example.com");
}

#[tokio::test]
async fn columns_are_spelled_as_the_profile_says() {
    let sim = Sim::start().await;
    let id = sim.create("ada@example.com").await;
    let row = rows(&sim.report("user_byid", ("userid", &id), json!({})).await)[0].clone();
    assert_eq!(
        (&row["ID"], &row["username"], &row["sourceds"]),
        (&json!(id), &json!("ada@example.com"), &json!("CDS"))
    );
    assert_eq!(row["directory service uuid"], "09B9A9B0-6CE8-465F-AB03-65766D33B05E");
    sim.group("Engineers").await;
    let role = rows(
        &sim.report("role_searchbyname", ("searchString", "%engin%"), json!({}))
            .await,
    )[0]
    .clone();
    assert_eq!(
        (&role["name"], &role["roletype"]),
        (&json!("Engineers"), &json!("PrincipalList"))
    );
    sim.set(|profile| profile.column_casing = ColumnCasing::Pascal).await;
    let row = rows(&sim.report("user_byid", ("userid", &id), json!({})).await)[0].clone();
    assert_eq!(
        (&row["ID"], &row["Username"], &row["CloudState"]),
        (&json!(id), &json!("ada@example.com"), &json!("None"))
    );
    sim.fails("Report/RunReport", json!({ "ID": "no_such_report" })).await;
}

#[tokio::test]
async fn queries_speak_a_little_sql() {
    let sim = Sim::start().await;
    let id = sim.create("o'neil@example.com").await;
    sim.group("Engineers").await;
    assert_eq!(
        sim.select("SELECT ID FROM User WHERE Username = 'o''neil@example.com'")
            .await,
        [id.as_str()]
    );
    assert_eq!(
        sim.select("select ID from user where username like 'O''N%'").await,
        [id.as_str()]
    );
    assert_eq!(
        sim.select("SELECT Name FROM Role WHERE Name = 'Engineers'").await,
        ["Engineers"]
    );
    let all = sim.select("SELECT ID FROM User ORDER BY ID").await;
    assert_eq!(all.len(), 3);
    assert_eq!(
        sim.select(&format!("SELECT ID FROM User WHERE ID > '{}' ORDER BY ID", all[0]))
            .await,
        all[1..]
    );
    for bad in [
        "SELECT * FROM Computer",
        "DROP TABLE User",
        "SELECT ID FROM User WHERE Username = 'o'neil'",
    ] {
        sim.fails("RedRock/Query", json!({ "Script": bad })).await;
    }
    sim.set(|profile| profile.redrock = false).await;
    let answer = sim
        .try_call("RedRock/Query", json!({ "Script": "SELECT ID FROM User" }))
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_cached_answer_is_old_unless_a_live_one_is_asked_for() {
    let sim = Sim::start().await;
    sim.set(|profile| profile.query_lag_ms = 3_600_000).await;
    let count = async |caching: i64| {
        let args = json!({ "Caching": caching });
        rows(&sim.report("user_searchbyname", ("searchString", "%ada%"), args).await).len()
    };
    assert_eq!(count(0).await, 0);
    sim.create("ada@example.com").await;
    assert_eq!(count(0).await, 0, "from the cache");
    assert_eq!(count(-2).await, 1, "past the cache");
    assert_eq!(count(0).await, 0, "still from the cache");
    assert_eq!(count(-1).await, 1, "live");
    assert_eq!(count(0).await, 1, "from the refreshed cache");
    sim.set(|profile| profile.reports_obey_caching = false).await;
    sim.create("ada.b@example.com").await;
    assert_eq!(count(-1).await, 1, "this tenant's reports do not obey");
}

#[tokio::test]
async fn local_users_are_one_bare_array() {
    let sim = Sim::start().await;
    let users: Vec<_> = (0..1200)
        .map(|n| json!({ "Name": format!("u{n}@example.com") }))
        .collect();
    sim.client
        .post(sim.url("/_sim/users"))
        .json(&users)
        .send()
        .await
        .unwrap();
    let id = sim.create("ada@example.com").await;
    let group = sim.group("Engineers").await;
    sim.ok("Roles/UpdateRole", json!({ "Name": group, "Users": { "Add": [id] } }))
        .await;
    let answer = sim
        .client
        .get(sim.url("/identity/api/entities/localusers"))
        .bearer_auth(&sim.token);
    let all: Vec<Value> = answer.send().await.unwrap().json().await.unwrap();
    assert_eq!(all.len(), 1203);
    let ada = all.iter().find(|user| user["Uuid"] == id.as_str()).unwrap();
    assert_eq!(
        (&ada["Name"], &ada["State"]),
        (&json!("ada@example.com"), &json!("None"))
    );
    let groups = ada["EffectiveGroups"].as_array().unwrap();
    assert!(groups.contains(&json!("Engineers")) && groups.contains(&json!("Everybody")));
}
