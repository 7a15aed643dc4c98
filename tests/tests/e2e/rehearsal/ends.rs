//! How `all-in-one` ends, and where it does not even begin.

use std::{path::Path, time::Duration};

use serde_json::json;
use tokio::{net::TcpListener, time::Instant};

use super::FREE_PORTS;
use crate::{
    deployment::{Platform, fault},
    processes::PATIENCE,
    programs::{AllInOne, Done, run, run_in},
};

/// How often a test looks.
const PAUSE: Duration = Duration::from_millis(10);

#[tokio::test]
async fn settings_that_cannot_be_used_end_with_64() {
    for (flags, said) in [
        (&["--backoff-base=soon"][..], "is not a duration"),
        (&["--no-such-setting"], "--no-such-setting"),
        (&["--ephemeral", "--log==,="], "LOG"),
        (&["--ephemeral", "--delivery-lease=0"], "DELIVERY_LEASE"),
        (&["--ephemeral", "--adopt=listed"], "ADOPT_LIST"),
        (&["--ephemeral", "--public-url=scim.example.com"], "--public-url"),
        (
            &["--ephemeral", "--platform-url=https://tenant.example"],
            "PLATFORM_CLIENT_ID",
        ),
    ] {
        let done = run("all-in-one", flags).await;
        assert_eq!(done.code, 64, "{flags:?}: {done:?}");
        assert!(done.err.contains(said), "{flags:?}: {done:?}");
    }
}

#[tokio::test]
async fn a_start_that_fails_ends_with_1_and_says_why() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for which in ["gateway", "identity-service", "delinea-adapter", "platform-simulator"] {
        let done = run("all-in-one", &["--ephemeral", &format!("--{which}-listen={address}")]).await;
        assert_eq!(done.code, 1, "{which}: {done:?}");
        assert!(
            done.err.contains(&address) && done.err.contains("in use"),
            "{which}: {done:?}"
        );
    }
}

#[tokio::test]
async fn an_empty_variable_counts_as_not_set() {
    let empty = [
        ("GATEWAY_OPS_LISTEN", ""),
        ("GATEWAY_LISTEN", ""),
        ("PLATFORM_URL", ""),
        ("BACKOFF_BASE", ""),
    ];
    let done = run_in("all-in-one", &["--check"], &empty).await;
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.out.contains("gateway-listen = 127.0.0.1:8080 (default)"),
        "{done:?}"
    );
    let done = run_in("identity-service", &["--check"], &[("OPS_LISTEN", "")]).await;
    assert_eq!(done.code, 0, "{done:?}");
}

#[tokio::test]
async fn the_settings_are_shown_without_secrets() {
    let flags = [
        "--check",
        "--platform-client-secret=s3cret-of-this-test",
        "--rehearse=7",
        "--delete-mode=disable",
    ];
    let done = run("all-in-one", &flags).await;
    assert_eq!(done.code, 0, "{done:?}");
    for shown in [
        "platform-client-secret = <hidden> (command line)",
        "rehearse = 7 (command line)",
        "delete-mode = disable (command line)",
        "gateway-listen = 127.0.0.1:8080 (default)",
    ] {
        assert!(done.out.contains(shown), "{shown:?} is not in\n{}", done.out);
    }
    assert!(!done.out.contains("s3cret") && !done.err.contains("s3cret"), "{done:?}");
}

#[tokio::test]
async fn a_signal_is_heard_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    // As soon as the endpoints are known, with nothing under way …
    let mut served = AllInOne::start(&folder, &["--ephemeral"]).await;
    assert_eq!(served.interrupt().await, 0, "{}", served.output());
    // … in the rehearsal …
    let mut served = AllInOne::start(&folder, &["--ephemeral", "--rehearse=500"]).await;
    assert_eq!(served.interrupt().await, 0, "{}", served.output());
    // … and in one whose verdict was asked for: there is none.
    let mut served = AllInOne::start(&folder, &["--ephemeral", "--rehearse=500", "--once"]).await;
    assert_eq!(served.interrupt().await, 1, "{}", served.output());
    assert!(!served.file.exists());
}

#[tokio::test]
async fn a_delivery_that_hangs_does_not_spoil_the_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut served = AllInOne::start(&folder, &["--ephemeral"]).await;
    let platform = served.platform();
    let mut slow = fault("CDirectoryService/CreateUser", "slow", 100);
    slow["delay_ms"] = json!(600_000);
    platform.fault(slow).await;
    served.scim().create_user("in.doubt@kestrelworks.example").await;
    let began = Instant::now();
    while platform.hits().await.iter().sum::<u64>() == 0 {
        assert!(began.elapsed() < PATIENCE, "no create call was sent");
        tokio::time::sleep(PAUSE).await;
    }
    assert_eq!(served.interrupt().await, 0, "{}", served.output());
}

#[tokio::test]
async fn neither_a_proxy_nor_a_public_address_keeps_the_rehearsal_from_this_machine() {
    let nowhere = [
        ("HTTP_PROXY", "http://127.0.0.1:1"),
        ("http_proxy", "http://127.0.0.1:1"),
        ("ALL_PROXY", "http://127.0.0.1:1"),
        ("PUBLIC_URL", "https://scim.kestrelworks.example"),
    ];
    let done = run_in("all-in-one", &["--ephemeral", "--rehearse=6", "--once"], &nowhere).await;
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.out.contains("https://scim.kestrelworks.example/scim/v2"),
        "{done:?}"
    );
}

#[tokio::test]
async fn a_real_tenant_is_served_and_nothing_is_rehearsed_there() {
    let folder = tempfile::tempdir().unwrap();
    let real = platform_simulator::start(platform_simulator::Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        ..platform_simulator::Config::default()
    });
    let real = real.await.unwrap();
    let data = folder.path().join("data");
    let tenant = tenant_flags(&real.url(), &data);
    let tenant: Vec<_> = tenant.iter().map(String::as_str).collect();
    let mut served = AllInOne::start(&folder, &[&tenant[..], &["--rehearse=5"]].concat()).await;
    assert_eq!(served.endpoint("platform_url"), real.url());
    served.says("Serving at ").await;
    served.scim().create_user("odile@kestrelworks.example").await;
    let platform = Platform::at(real.url());
    let began = Instant::now();
    while platform.names().await != ["odile@kestrelworks.example"] {
        assert!(began.elapsed() < PATIENCE, "{:?}", platform.names().await);
        tokio::time::sleep(PAUSE).await;
    }
    assert_eq!(served.interrupt().await, 0, "{}", served.output());

    // Its folder is not rehearsed with, and a rehearsal's folder is not delivered to a tenant.
    let refused: Done = run(
        "all-in-one",
        &["--rehearse=5", "--once", &format!("--data-dir={}", data.display())],
    )
    .await;
    assert_eq!(refused.code, 64, "{refused:?}");
    assert!(refused.err.contains(&real.url()), "{refused:?}");
}

/// Everything on free ports, for the tenant at that address.
fn tenant_flags(url: &str, data: &Path) -> Vec<String> {
    let tenant = [
        format!("--data-dir={}", data.display()),
        format!("--platform-url={url}"),
        "--platform-client-id=scim-gateway@example.com".to_owned(),
        "--platform-client-secret=simulated-secret".to_owned(),
    ];
    FREE_PORTS.map(str::to_owned).into_iter().chain(tenant).collect()
}
