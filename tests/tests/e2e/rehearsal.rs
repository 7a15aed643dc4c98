//! The two programs that a newcomer meets, as processes: `all-in-one`, which rehearses the main job and serves, and
//! `entra-simulator`, which rehearses it against what serves. What they print, what they leave behind, and how they end.

mod ends;

use entra_simulator::SavedState;
use serde_json::json;

use crate::{
    processes::ended,
    programs::{AllInOne, Done, assert_owners_alone, run},
};

/// Every address on a free port, where `--ephemeral` is not wanted.
const FREE_PORTS: [&str; 4] = [
    "--gateway-listen=127.0.0.1:0",
    "--identity-service-listen=127.0.0.1:0",
    "--delinea-adapter-listen=127.0.0.1:0",
    "--platform-simulator-listen=127.0.0.1:0",
];

#[tokio::test]
async fn one_command_rehearses_the_main_job() {
    let done = run("all-in-one", &["--ephemeral", "--rehearse", "50", "--once"]).await;
    assert_eq!(done.code, 0, "{done:?}");
    for said in [
        "SCIM base URL        http://127.0.0.1:",
        "Bearer token         dsg_",
        "identity-service     http://127.0.0.1:",
        "delinea-adapter      http://127.0.0.1:",
        "/_sim\n",
        "users compared with SCIM and the Platform",
        "verdict: clean",
        "Directory, SCIM and Platform agree.",
    ] {
        assert!(done.out.contains(said), "{said:?} is not in\n{}", done.out);
    }
}

#[tokio::test]
async fn a_second_start_goes_on_where_the_first_ended() {
    let folder = tempfile::tempdir().unwrap();
    let data = format!("--data-dir={}", folder.path().join("data").display());
    let flags = [&FREE_PORTS[..], &["--rehearse=12", &data]].concat();
    let mut first = AllInOne::start(&folder, &flags).await;
    assert_owners_alone(&first.file);
    assert!(!folder.path().join("endpoints.json.new").exists());
    let served = first.scim().get("/ServiceProviderConfig").await;
    served.expect(200);
    first.says("Serving at ").await;
    assert!(first.output().contains("verdict: clean"), "{}", first.output());
    assert_eq!(first.interrupt().await, 0, "{}", first.output());

    assert!(!first.file.exists(), "nobody must read addresses that are no more");
    let mut second = AllInOne::start(&folder, &[&flags[..], &["--once"]].concat()).await;
    assert_eq!(ended(&mut second.child).await.code(), Some(0), "{}", second.output());
    assert_eq!(second.endpoints["bearer_token"], first.endpoints["bearer_token"]);
    assert_owners_alone(&folder.path().join("data/bearer-token"));
    let said = second.output();
    assert!(said.contains("resumed") && said.contains("verdict: clean"), "{said}");
}

#[tokio::test]
async fn a_newcomer_tries_the_entra_simulator_beside_the_rehearsal_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut served = AllInOne::start(&folder, &["--ephemeral", "--rehearse=24"]).await;
    served.says("Serving at ").await;
    assert!(served.output().contains("verdict: clean"), "{}", served.output());
    served.scim().create_user("somebody.else@kestrelworks.example").await;
    // The second finds what the first left: people under other names, and groups with other members.
    for _ in 0..2 {
        let synced = entra(&served, &["sync", "--users=30", "--groups=6"]).await;
        assert_eq!(synced.code, 0, "{}\n{}", synced.out, synced.err);
    }
    assert_eq!(served.interrupt().await, 0, "{}", served.output());
}

#[tokio::test]
async fn entra_provisions_on_demand_and_tells_a_difference() {
    let folder = tempfile::tempdir().unwrap();
    let mut served = AllInOne::start(&folder, &["--ephemeral"]).await;
    let state = folder.path().join("entra.json");
    let (users, state_file) = ("--users=12", format!("--state={}", state.display()));
    let entra = async |arguments: &[&str]| {
        let directory = [&state_file, users, "--groups=2", "--cycles=0"];
        entra(&served, &[arguments, &directory].concat()).await
    };

    let synced = entra(&["sync"]).await;
    assert_eq!(synced.code, 0, "{synced:?}");
    assert!(synced.out.contains("verdict: clean"), "{synced:?}");

    // Two who were not there when the cycles ran.
    let mut saved = SavedState::load(&state).await.unwrap().unwrap();
    let hired = saved
        .directory
        .users
        .values()
        .find(|user| user.manager.is_none())
        .unwrap();
    let mut hired = hired.clone();
    hired.object_id = "5b1c0a52-7f7e-4d0f-9d43-1f6a2f6c9a11".to_owned();
    hired.user_principal_name = "on.demand@rehearsal.example".to_owned();
    hired.mail_nickname = "on.demand".to_owned();
    let members = [hired.object_id.clone()];
    let mut founded = saved.directory.groups.values().next().unwrap().clone();
    founded.object_id = "0d6c2a61-3a51-4d0c-8a6b-6a4fd9f1c201".to_owned();
    founded.display_name = "Founded on demand".to_owned();
    founded.members = members.into();
    saved.directory.users.insert(hired.object_id.clone(), hired);
    saved.directory.groups.insert(founded.object_id.clone(), founded);
    saved.save(&state).await.unwrap();

    let missing = entra(&["verify", "--settle=0s"]).await;
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(
        missing.out.contains("user on.demand@rehearsal.example: existence"),
        "{missing:?}"
    );
    for name in ["on.demand@rehearsal.example", "Founded on demand"] {
        let provisioned = entra(&["on-demand", name]).await;
        assert_eq!(provisioned.code, 0, "{provisioned:?}");
        assert!(
            provisioned.out.contains("created") && provisioned.out.contains("SCIM id"),
            "{provisioned:?}"
        );
    }
    let verified = entra(&["verify"]).await;
    assert_eq!(verified.code, 0, "{verified:?}");

    // By another's hand.
    let platform = served.platform();
    let account = platform.account("on.demand@rehearsal.example").await;
    platform
        .edit(account["ID"].as_str().unwrap(), json!({"DisplayName": "By hand"}))
        .await;
    let differs = entra(&["verify", "--settle=0s"]).await;
    assert_eq!(differs.code, 1, "{differs:?}");
    assert!(differs.out.contains("By hand"), "{differs:?}");
    // On demand too it is looked at what arrived, and at nobody else.
    let differs = entra(&["on-demand", "on.demand@rehearsal.example", "--settle=0s"]).await;
    assert_eq!(differs.code, 1, "{differs:?}");
    assert!(differs.out.contains("By hand"), "{differs:?}");
    let mut groups = saved.directory.groups.values();
    let other = groups.find(|group| group.display_name != "Founded on demand").unwrap();
    let provisioned = entra(&["on-demand", &other.display_name]).await;
    assert_eq!(provisioned.code, 0, "{provisioned:?}");
    let unseen = entra(&[
        "on-demand",
        &other.display_name,
        "--platform-url=http://127.0.0.1:1",
        "--settle=0s",
    ])
    .await;
    assert_eq!(unseen.code, 1, "{unseen:?}");
    assert_eq!(served.interrupt().await, 0, "{}", served.output());
}

/// The Entra simulator against what serves.
async fn entra(served: &AllInOne, arguments: &[&str]) -> Done {
    let where_to = [
        format!("--base-url={}", served.endpoint("scim_base_url")),
        format!("--token={}", served.endpoint("bearer_token")),
        format!("--platform-url={}", served.endpoint("platform_url")),
        "--settle=20s".to_owned(),
    ];
    let where_to: Vec<_> = where_to.iter().map(String::as_str).collect();
    // Of a flag that is given twice the simulator takes neither, so a test's own comes instead.
    let own = |flag: &&str| {
        !arguments
            .iter()
            .any(|given| given.split('=').next() == flag.split('=').next())
    };
    let where_to: Vec<_> = where_to.into_iter().filter(own).collect();
    run("entra-simulator", &[arguments, &where_to].concat()).await
}
