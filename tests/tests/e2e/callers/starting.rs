//! Whoever listens where other machines can reach it says who may call, or does not start.

use crate::programs::{run, run_in};

#[tokio::test]
async fn a_service_that_others_can_reach_says_who_may_call_or_does_not_start() {
    let platform = [
        "--platform-url=https://t.example",
        "--platform-client-id=a",
        "--platform-client-secret=b",
    ];
    for (program, flags) in [("identity-service", &[][..]), ("delinea-adapter", &platform[..])] {
        for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:50051"] {
            let open = [&["--check", "--listen", listen][..], flags].concat();
            let done = run(program, &open).await;
            assert_eq!(done.code, 64, "{program} {listen}: {done:?}");
            for named in [listen, "GRPC_TOKEN", "GRPC_CALLERS_FILE", "GRPC_INSECURE"] {
                assert!(done.err.contains(named), "{program} does not name {named}: {done:?}");
            }
            let token = "a-token-of-at-least-thirty-two-characters";
            for (name, value) in [("GRPC_TOKEN", token), ("GRPC_INSECURE", "true")] {
                let done = run_in(program, &open, &[(name, value)]).await;
                assert_eq!(done.code, 0, "{program} {listen} {name}: {done:?}");
                assert!(!done.out.contains(token), "{done:?}");
            }
        }
        let done = run(program, &[&["--check", "--listen", "[::1]:0"][..], flags].concat()).await;
        assert_eq!(done.code, 0, "{program} on loopback: {done:?}");
    }
}

#[tokio::test]
async fn settings_of_callers_that_cannot_be_used_end_with_64() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("callers.toml");
    std::fs::write(&file, "[callers.x]\nrights = [\"all\"]\n").unwrap();
    let file = format!("--grpc-callers-file={}", file.display());
    for flags in [
        &[&*file][..],
        &["--grpc-token=too-short"],
        &["--grpc-token-file=/no/such/file"],
        &["--grpc-callers-file=/no/such/file"],
        &[
            "--grpc-token=a-token-of-at-least-thirty-two-characters",
            "--grpc-token-file=/no/such/file",
        ],
    ] {
        let done = run("identity-service", &[&["--check"][..], flags].concat()).await;
        assert_eq!(done.code, 64, "{flags:?}: {done:?}");
        assert!(done.err.contains("GRPC_"), "{flags:?}: {done:?}");
        assert!(!done.err.contains("too-short"), "{done:?}");
    }
}
