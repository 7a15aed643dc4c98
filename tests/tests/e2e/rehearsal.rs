//! The two programs that a newcomer meets, as processes: `all-in-one`, which rehearses the main job and serves, and
//! `entra-simulator`, which rehearses it against what serves. What they print, what they leave behind, and how they end.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use entra_simulator::SavedState;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, process::Child, time::Instant};

use crate::{
    deployment::{Platform, Scim},
    processes::{PATIENCE, command, ended, spawn, tail},
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

    fs::remove_file(&first.file).unwrap();
    let mut second = AllInOne::start(&folder, &[&flags[..], &["--once"]].concat()).await;
    assert_eq!(ended(&mut second.child).await.code(), Some(0), "{}", second.output());
    assert_eq!(second.endpoints["bearer_token"], first.endpoints["bearer_token"]);
    assert_owners_alone(&folder.path().join("data/bearer-token"));
    let said = second.output();
    assert!(said.contains("resumed") && said.contains("verdict: clean"), "{said}");
}

#[tokio::test]
async fn entra_provisions_on_demand_and_tells_a_difference() {
    let folder = tempfile::tempdir().unwrap();
    let mut served = AllInOne::start(&folder, &["--ephemeral"]).await;
    let state = folder.path().join("entra.json");
    let text = |name: &str| served.endpoints[name].as_str().unwrap().to_owned();
    let entra = async |arguments: &[&str]| {
        let where_to = [
            format!("--base-url={}", text("scim_base_url")),
            format!("--token={}", text("bearer_token")),
            format!("--platform-url={}", text("platform_url")),
            format!("--state={}", state.display()),
            "--users=12".to_owned(),
            "--groups=2".to_owned(),
            "--cycles=0".to_owned(),
        ];
        let where_to: Vec<_> = where_to.iter().map(String::as_str).collect();
        run("entra-simulator", &[arguments, &where_to].concat()).await
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
    let platform = Platform::at(text("platform_url"));
    let account = platform.account("on.demand@rehearsal.example").await;
    platform
        .edit(account["ID"].as_str().unwrap(), json!({"DisplayName": "By hand"}))
        .await;
    let differs = entra(&["verify", "--settle=0s"]).await;
    assert_eq!(differs.code, 1, "{differs:?}");
    assert!(differs.out.contains("By hand"), "{differs:?}");
    assert_eq!(served.interrupt().await, 0, "{}", served.output());
}

#[tokio::test]
async fn settings_that_cannot_be_used_end_with_64() {
    for (flags, said) in [
        (&["--backoff-base=soon"][..], "is not a duration"),
        (&["--no-such-setting"], "--no-such-setting"),
        (&["--ephemeral", "--log==,="], "LOG"),
        (&["--ephemeral", "--delivery-lease=1s"], "DELIVERY_LEASE"),
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

/// How a program ended, and what it had written.
#[derive(Debug)]
struct Done {
    code: i32,
    out: String,
    err: String,
}

/// Runs a program of this workspace to its end.
async fn run(program: &str, arguments: &[&str]) -> Done {
    let ended = tokio::time::timeout(PATIENCE, command(program).args(arguments).output()).await;
    let Output { status, stdout, stderr } = ended
        .unwrap_or_else(|_| panic!("{program} {arguments:?} goes on"))
        .unwrap();
    Done {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

#[track_caller]
fn assert_owners_alone(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{}", path.display());
}

/// An `all-in-one` that serves.
struct AllInOne {
    child: Child,
    log: PathBuf,
    file: PathBuf,
    endpoints: Value,
}

impl AllInOne {
    /// Starts it, and waits for its endpoints. Whoever sees the file sees all of it.
    async fn start(folder: &TempDir, flags: &[&str]) -> Self {
        service_runtime::install_crypto_provider();
        let [log, file] = ["all-in-one.log", "endpoints.json"].map(|name| folder.path().join(name));
        let mut arguments: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        arguments.push(format!("--endpoints-file={}", file.display()));
        let mut child = spawn("all-in-one", &arguments, File::create(&log).unwrap());
        let began = Instant::now();
        let text = loop {
            if let Ok(text) = fs::read_to_string(&file) {
                break text;
            }
            let goes_on = child.try_wait().unwrap().is_none() && began.elapsed() < PATIENCE;
            assert!(goes_on, "no endpoints:\n{}", fs::read_to_string(&log).unwrap());
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        let endpoints: Value = serde_json::from_str(&text).unwrap();
        let keys: Vec<_> = endpoints.as_object().unwrap().keys().map(String::as_str).collect();
        let documented = [
            "adapter_grpc",
            "bearer_token",
            "identity_grpc",
            "platform_url",
            "scim_base_url",
        ];
        assert_eq!(keys, documented);
        Self {
            child,
            log,
            file,
            endpoints,
        }
    }

    fn scim(&self) -> Scim {
        let text = |name: &str| self.endpoints[name].as_str().unwrap();
        Scim::at(text("scim_base_url"), text("bearer_token"))
    }

    /// All that it wrote.
    fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until it has written this.
    async fn says(&mut self, said: &str) {
        let began = Instant::now();
        while !self.output().contains(said) {
            let goes_on = self.child.try_wait().unwrap().is_none() && began.elapsed() < PATIENCE;
            assert!(goes_on, "{said:?} was not said:\n{}", tail(&self.output()));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ctrl-C; gives the exit status.
    async fn interrupt(&mut self) -> i32 {
        let id = self.child.id().unwrap();
        let sent = command_line(&format!("kill -INT {id}")).await;
        assert!(sent, "the signal was not sent");
        ended(&mut self.child).await.code().unwrap()
    }
}

/// The shell sends the signal: the standard library cannot.
async fn command_line(line: &str) -> bool {
    let status = tokio::process::Command::new("sh").args(["-c", line]).status().await;
    status.unwrap().success()
}
