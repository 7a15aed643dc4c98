//! Bearer tokens from `admin`: made, listed, used and revoked by a person.

use std::time::Duration;

use crate::deployment::{Deployment, Setup};

#[tokio::test]
async fn a_token_that_admin_made_works_at_once_and_ends_when_it_is_revoked() {
    let it = Deployment::start().await;
    let made = it.admin(0, &["token", "new", "entra-2027", "--expires=365d"]).await;
    let line = made.out.lines().last().unwrap();
    let token = line.strip_prefix("token    ").unwrap().to_owned();
    let scim = it.scim.with_token(&token);
    scim.get("/Users").await.expect(200);
    let taken = it.admin(1, &["token", "new", "entra-2027"]).await;
    assert!(taken.err.contains("CREDENTIAL_EXISTS"), "{taken:?}");

    it.until(async |it| {
        let listed = it.admin(0, &["token", "list"]).await;
        let row = listed
            .out
            .lines()
            .find(|line| line.starts_with("entra-2027"))
            .unwrap()
            .to_owned();
        !listed.out.contains(&token) && !row.contains("never")
    })
    .await;
    assert_eq!(
        it.admin(64, &["token", "revoke", "entra-2027"]).await.out,
        "",
        "nobody can be asked"
    );
    it.admin(0, &["token", "revoke", "entra-2027", "--yes"]).await;
    let refused = async {
        while scim.get("/Users").await.status != 401 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), refused).await.unwrap();
    it.admin(3, &["token", "revoke", "entra-2027", "--yes"]).await;

    let audit = it.admin(0, &["audit", "--by=hana"]).await;
    for said in ["entra-2027 was made", "entra-2027 was revoked"] {
        assert!(audit.out.contains(said), "{audit:?}");
    }
    assert!(!audit.out.contains(&token));
}

#[tokio::test]
async fn a_client_that_admin_made_has_a_secret_that_is_replaced_without_a_gap() {
    let it = Deployment::start().await;
    let made = it.admin(0, &["client", "new", "entra"]).await;
    let said = |out: &str, what: &str| {
        let line = out.lines().find_map(|line| line.strip_prefix(what).map(str::trim));
        line.unwrap_or_else(|| panic!("{what}: {out}")).to_owned()
    };
    let (id, first) = (said(&made.out, "client "), said(&made.out, "secret "));
    let second = said(&it.admin(0, &["client", "rotate", "entra"]).await.out, "secret ");
    for secret in [&first, &second] {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &id),
            ("client_secret", secret),
        ];
        let answer = reqwest::Client::new()
            .post(it.token_url())
            .form(&form)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
    }
    let listed = it.admin(0, &["client", "list"]).await;
    assert_eq!(
        listed.out.lines().filter(|line| line.starts_with("entra ")).count(),
        2,
        "{listed:?}"
    );
    assert!(!listed.out.contains(&first) && !listed.out.contains(&second));
    it.admin(0, &["client", "rotate-key", "--end-tokens"]).await;
}

#[tokio::test]
async fn what_settings_name_is_listed_and_can_only_be_changed_there() {
    let it = Setup::default().start().await;
    let listed = it.admin_json(0, &["token", "list"]).await;
    let named: Vec<_> = listed.iter().filter(|one| one["readOnly"] == true).collect();
    assert_eq!(named.len(), 2, "{listed:?}");
    let name = named[0]["name"].as_str().unwrap();
    let refused = it.admin(1, &["token", "revoke", name, "--yes"]).await;
    assert!(refused.err.contains("CREDENTIAL_READ_ONLY"), "{refused:?}");
    it.scim.get("/Users").await.expect(200);
}
