//! docs/entra-setup.md, done as it is written: its commands are run against the services and a simulated Platform, its values are
//! entered into the simulated Entra, and what it says is to be seen is seen.

mod mapping;

use std::{sync::Arc, time::Duration};

use entra_simulator::{Issuer, Placed, Rehearsal, SignIn, VerifyOptions, sync};
use serde_json::Value;

use super::commands::{Page, command_lines, of_ours, words};
use crate::{
    credentials::with_entra,
    deployment::{Deployment, Setup},
    programs::{Done, run_in},
};

const GATEWAY: &str = "https://gateway.example.com";
/// The application of a workload identity.
const APP: &str = "6e1f0c46-0b7d-4c8d-9f4e-0c0fdb6c0003";

fn page() -> Page {
    Page::read("docs/entra-setup.md")
}

/// The page's example address is this deployment's.
fn here(it: &Deployment, text: &str) -> String {
    let origin = it.scim.base().strip_suffix(gateway::BASE_PATH).unwrap();
    text.replace(GATEWAY, origin)
}

/// What is to be entered into a field of Entra, as the table of a section says.
fn field(it: &Deployment, section: &str, name: &str) -> String {
    let row = section.lines().find(|line| line.starts_with(&format!("| {name}")));
    let row = row.unwrap_or_else(|| panic!("no field {name}:\n{section}"));
    here(it, row.rsplit('`').nth(1).unwrap())
}

/// The Tenant URL that the page gives for all ways.
fn tenant_url(it: &Deployment) -> String {
    let page = page();
    let block = page.section("6. The credential").split("```\n").nth(1).unwrap();
    let url = here(it, block.trim());
    assert!(url.ends_with("/scim/v2?aadOptscim062020"), "{url}");
    url
}

/// Runs a line of the page, with what stands in place of the words in capitals; nobody is there to be asked.
async fn run(it: &Deployment, line: &str, instead: &[(&str, &str)]) -> Done {
    let line = instead
        .iter()
        .fold(line.to_owned(), |line, (word, by)| line.replace(word, by));
    let mut words = of_ours(&line).unwrap_or_else(|| panic!("not ours: {line}"));
    assert_eq!(words.remove(0), "admin", "{line}");
    if words.contains(&"revoke".to_owned()) {
        words.push("--yes".to_owned());
    }
    it.admin(0, &words.iter().map(String::as_str).collect::<Vec<_>>()).await
}

/// What a command told behind a word: `secret   …`.
fn told(done: &Done, what: &str) -> String {
    let mut lines = done.out.lines();
    let value = lines.find_map(|line| line.strip_prefix(&format!("{what} ")));
    value.unwrap_or_else(|| panic!("no {what}: {done:?}")).trim().to_owned()
}

/// A whole directory goes through by this credential, and arrives.
async fn provisions(it: &Deployment, sign_in: SignIn) {
    let rehearsal = Rehearsal {
        users: 8,
        groups: 2,
        cycles: 1,
        // Where a key is new, it is 503 until the set may be fetched again.
        retry_for: Duration::from_secs(60),
        verify: VerifyOptions {
            platform_url: Some(it.platform.url().to_owned()),
            settle: Duration::from_secs(60),
            ..VerifyOptions::default()
        },
        ..Rehearsal::new(tenant_url(it), sign_in)
    };
    let report = sync(&rehearsal, None).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

/// Waits until a bearer token is answered like that.
async fn answered(it: &Deployment, token: &str, status: u16) {
    let scim = it.scim.with_token(token);
    it.until(async |_| scim.get("/Users?count=0").await.status == status)
        .await;
}

/// What the token endpoint says to a secret.
async fn token_status(url: &str, client: &str, secret: &str) -> u16 {
    let request = reqwest::Client::new().post(url).basic_auth(client, Some(secret));
    let answer = request.form(&[("grant_type", "client_credentials")]).send().await;
    answer.unwrap().status().as_u16()
}

#[tokio::test]
async fn the_check_of_the_platform_finds_nothing_wrong() {
    let it = Deployment::start().await;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret").display().to_string();
    std::fs::write(&secret, "simulated-secret").unwrap();
    let page = page();
    let lines = command_lines(page.section("3. The Platform: a service user, and the check"));
    let export = words(&lines[0]);
    let settings: Vec<_> = export[1..].iter().map(|set| set.split_once('=').unwrap()).collect();
    let settings = settings.into_iter().map(|(name, value)| match name {
        "PLATFORM_URL" => (name, it.platform.url()),
        "PLATFORM_CLIENT_SECRET_FILE" => (name, secret.as_str()),
        _ => (name, value),
    });
    let settings: Vec<_> = settings.chain([("MAX_RPS", "0")]).collect();
    assert_eq!((export[0].as_str(), settings.len(), lines.len()), ("export", 4, 3));
    for line in &lines[1..] {
        let words = of_ours(line).unwrap();
        let arguments: Vec<_> = words[1..].iter().map(String::as_str).collect();
        let done = run_in(&words[0], &arguments, &settings).await;
        assert_eq!(done.code, 0, "{line}: {done:?}");
        for finding in ["identity_provider", "directory_policy"] {
            assert!(done.out.contains(finding), "{done:?}");
        }
    }
}

#[tokio::test]
async fn entra_signs_in_by_a_workload_identity() {
    let (issuer, it) = with_entra(Setup::default()).await;
    let page = page();
    let section = page.section("Workload identity: no secret at all");
    let [line] = &command_lines(section)[..] else {
        panic!("one command is wanted: {section}")
    };
    let trust = [
        ("ENTRA-TENANT-ID", issuer.tenant_id.as_str()),
        ("SUBJECT", issuer.subject.as_str()),
        ("APP-ID", APP),
    ];
    let client_id = told(&run(&it, line, &trust).await, "client");
    let sign_in = SignIn::Assertion {
        token_url: field(&it, section, "Token Endpoint"),
        client_id: Some(client_id),
        issuer,
        // In the token it is not as Entra shows it.
        audience: format!("api://{APP}"),
    };
    provisions(&it, sign_in).await;
}

/// What the page says of another application in the assertion.
#[tokio::test]
async fn a_workload_identity_that_names_its_own_application_is_let_in_with_that() {
    let (issuer, it) = with_entra(Setup::default()).await;
    let line =
        "admin client new entra --entra-tenant ENTRA-TENANT-ID --subject SUBJECT --audience api://APP-ID/.default";
    assert!(page().text.contains(line) && page().text.contains("`--application APP-ID`"));
    let trust = [
        ("ENTRA-TENANT-ID", issuer.tenant_id.as_str()),
        ("SUBJECT", issuer.subject.as_str()),
        ("APP-ID", APP),
    ];
    let mut claims = issuer.assertion_claims(APP);
    claims["azp"] = APP.into();
    let assertion = issuer.sign(&claims);
    for (line, status) in [
        (line.to_owned(), 401),
        (line.replace("entra ", "other ") + " --application APP-ID", 200),
    ] {
        let client_id = told(&run(&it, &line, &trust).await, "client");
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &client_id),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", &assertion),
        ];
        let answer = reqwest::Client::new().post(it.token_url()).form(&form).send().await;
        assert_eq!(answer.unwrap().status(), status, "{line}");
    }
}

#[tokio::test]
async fn entra_signs_in_by_a_client_secret_which_is_replaced_without_a_gap() {
    let it = Deployment::start().await;
    let page = page();
    let section = page.section("OAuth 2.0 client credentials");
    let [new, rotate, list, revoke] = &command_lines(section)[..] else {
        panic!("four commands are wanted: {section}")
    };
    let token_url = field(&it, section, "Token Endpoint");
    let made = run(&it, new, &[]).await;
    let (client_id, first) = (told(&made, "client"), told(&made, "secret"));
    let sign_in = |secret: &str| SignIn::ClientCredentials {
        token_url: token_url.clone(),
        client_id: client_id.clone(),
        client_secret: secret.to_owned().into(),
        placed: Placed::Header,
    };
    provisions(&it, sign_in(&first)).await;

    let second = told(&run(&it, rotate, &[]).await, "secret");
    for secret in [&first, &second] {
        assert_eq!(token_status(&token_url, &client_id, secret).await, 200);
    }
    let listed = run(&it, list, &[]).await;
    let clients = it.admin_json(0, &["client", "list"]).await;
    let secrets = clients[0]["secrets"].as_array().unwrap();
    let old = secrets
        .iter()
        .min_by_key(|secret| secret["createdAt"].as_str())
        .unwrap();
    let old = old["id"].as_str().unwrap();
    assert!(listed.out.contains(old), "{listed:?}");
    run(&it, revoke, &[("OLD-ID", old)]).await;
    it.until(async |_| token_status(&token_url, &client_id, &first).await == 401)
        .await;
    assert_eq!(token_status(&token_url, &client_id, &second).await, 200);
}

#[tokio::test]
async fn entra_signs_in_by_a_bearer_token_which_is_replaced_without_a_gap() {
    let it = Deployment::start().await;
    let page = page();
    let [new, another, list, revoke] = &command_lines(page.section("A bearer token"))[..] else {
        panic!("four commands are wanted")
    };
    let first = told(&run(&it, new, &[]).await, "token");
    provisions(&it, SignIn::Bearer(first.clone().into())).await;
    let second = told(&run(&it, another, &[]).await, "token");
    answered(&it, &second, 200).await;
    assert!(run(&it, list, &[]).await.out.contains("LAST USED"));
    run(&it, revoke, &[]).await;
    answered(&it, &first, 401).await;
    answered(&it, &second, 200).await;
}

#[tokio::test]
async fn entra_signs_in_by_its_own_token_once_its_tenant_is_set() {
    let issuer = Arc::new(Issuer::start(([127, 0, 0, 1], 0).into()).await.unwrap());
    let section = page().section("Entra's own token: for trying things out").to_owned();
    assert!(section.contains("`ENTRA_TOKEN_TENANT`"));
    let authority = issuer.authority();
    let gateway = [
        format!("--entra-authority={authority}"),
        format!("--entra-sts={authority}"),
    ];
    let gateway = [gateway[0].as_str(), gateway[1].as_str()];
    let without = Setup::default().gateway(&gateway).start().await;
    let refused = without.scim.with_token(&issuer.own_token()).get("/Users").await;
    assert!(refused.expect(401).to_string().contains("is not accepted"));
    let set = format!("--entra-token-tenant={}", issuer.tenant_id);
    let it = Setup::default().gateway(&gateway).identity(&[&set]).start().await;
    provisions(&it, SignIn::EntraToken(issuer)).await;
}

/// A `curl` of the page; what it is answered must be as the comment behind it begins: `# 200, …`.
async fn curl(it: &Deployment, line: &str, instead: &[(&str, &str)]) -> Value {
    let said = line.rsplit_once("# ").unwrap().1;
    let status: u16 = said[..3].parse().unwrap();
    let line = instead
        .iter()
        .fold(here(it, line), |line, (word, by)| line.replace(word, by));
    let words = words(&line);
    let behind = |flag: &str| words.iter().skip_while(|word| *word != flag).nth(1);
    let url = words.iter().find(|word| word.starts_with("http")).unwrap();
    let http = reqwest::Client::new();
    let mut request = match behind("-d") {
        Some(form) => http
            .post(url)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(form.clone()),
        None => http.get(url),
    };
    if let Some((name, value)) = behind("-H").and_then(|header| header.split_once(": ")) {
        request = request.header(name, value);
    }
    if let Some((user, password)) = behind("-u").and_then(|user| user.split_once(':')) {
        request = request.basic_auth(user, Some(password));
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), status, "{line}");
    answer.json().await.unwrap()
}

#[tokio::test]
async fn by_hand_the_gateway_answers_as_the_page_says() {
    let it = Deployment::start().await;
    let page = page();
    let reached = command_lines(page.section("4. The gateway: its address"));
    let tested = command_lines(page.section("7. Test Connection"));
    assert_eq!((reached.len(), tested.len()), (1, 2));
    curl(&it, &reached[0], &[]).await;
    let token = told(&run(&it, "admin token new entra", &[]).await, "token");
    let made = run(&it, "admin client new by-hand", &[]).await;
    let (id, secret) = (told(&made, "client"), told(&made, "secret"));
    let known = [
        ("$TOKEN", token.as_str()),
        ("$CLIENT_ID", &id),
        ("$CLIENT_SECRET", &secret),
    ];
    assert_eq!(curl(&it, &tested[0], &known).await["totalResults"], 0);
    assert!(curl(&it, &tested[1], &known).await["access_token"].is_string());
}

#[tokio::test]
async fn the_first_user_is_seen_by_the_commands_of_the_page() {
    let it = Deployment::start().await;
    it.scim.create_user("odile@example.com").await;
    it.settled().await;
    let page = page();
    let looks = command_lines(page.section("10. The first user, on demand"));
    assert_eq!(looks.len(), 2);
    let status = run(&it, &looks[0], &[]).await.out;
    let status: Vec<_> = status
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .collect();
    let said = looks[0].rsplit_once("# ").unwrap().1;
    for pair in said.split(", ") {
        let pair: Vec<_> = pair.split_whitespace().collect();
        assert!(status.contains(&pair), "{pair:?}: {status:?}");
    }
    let shown = run(&it, &looks[1], &[]).await;
    let account = it.platform.account("odile@example.com").await;
    assert!(
        shown.out.contains("applied") && shown.out.contains(account["ID"].as_str().unwrap()),
        "{shown:?}"
    );
    for line in command_lines(page.section("11. Start")) {
        run(&it, &line, &[]).await;
    }
}
