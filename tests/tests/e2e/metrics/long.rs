//! That two hundred people, and whatever a client may ask for, make no more series than three do.

use std::collections::BTreeSet;

use http::Method;

use super::text::{Metrics, Series};
use crate::processes::Services;

#[tokio::test]
async fn nothing_that_clients_choose_makes_more_series() {
    let services = Services::start(&[]).await;
    let scim = services.scim();
    let round = async |number: usize| {
        let id = scim.create_user(&format!("user{number}@kestrel.example")).await;
        services.settled().await;
        scim.get(&format!("/Users/{id}")).await.expect(200);
        let of_number = |pattern: &str| pattern.replace('N', &number.to_string());
        for (method, path) in [
            ("GET", "/NoSuchN"),
            ("GET", "/Users/noSuchN/deepN"),
            ("ODDN", "/Users"),
            ("GET", "/Users/N"),
            ("PROPFIND", "/GroupsN"),
        ] {
            let method = Method::from_bytes(of_number(method).as_bytes()).unwrap();
            scim.raw(method, &of_number(path), "").await;
        }
        let anybody = scim.with_token(&format!("dsg_nobody-{number}"));
        anybody.get("/Users").await.expect(401);
        let other = reqwest::Client::new()
            .get(scim.base().replace("/scim/v2", &of_number("/elsewhereN")))
            .header("Host", format!("host{number}.example"));
        other.send().await.unwrap();
    };
    // What the services do of themselves meanwhile, such as steps of the store and questions for credentials, is not of a client's choice.
    let told = async || -> BTreeSet<String> {
        let all = services.scrape().await;
        let of_clients = |series: &Series| {
            let (name, identity) = (series.name(), series.identity());
            let begins = |one: &&str| name.starts_with(*one);
            let is_own = ["CredentialService/", "SchemaService/"]
                .iter()
                .any(|one| identity.contains(one));
            ["http_", "rpc_server", "scim_", "platform_call"].iter().any(begins) && !is_own
        };
        let series = all.values().flat_map(Metrics::all).filter(|series| of_clients(series));
        series.map(Series::identity).collect()
    };
    for number in 0..3 {
        round(number).await;
    }
    let before = told().await;
    for number in 3..200 {
        round(number).await;
    }
    let after = told().await;
    let new: Vec<_> = after.difference(&before).collect();
    assert!(new.is_empty(), "{new:#?}");
}
