//! The services as processes of their own, each at an address that stays its own, so that one can be killed at any moment
//! and comes back where the others look for it. What they write goes into files; of a test that fails the ends are shown.
//! No process outlives the test that started it.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use entra_simulator::{Client, Knobs, TenantUrl};
use identity_service::credentials::SecretHash;
use proto::identity::v1::{
    SummarizeDeliveriesRequest, audit_service_client::AuditServiceClient,
    delivery_service_client::DeliveryServiceClient,
};
use service_runtime::Connection;
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::Instant,
};

use crate::deployment::{Platform, TENANT, TOKEN};

pub(crate) use redis_for_tests::free_port;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often it looks.
const PAUSE: Duration = Duration::from_millis(10);
/// How many lines of a log a failed test shows.
const TAIL: usize = 40;

/// The three services and the simulated Platform.
pub(crate) struct Services {
    pub(crate) platform: Process,
    pub(crate) adapter: Process,
    pub(crate) identity: Process,
    pub(crate) gateway: Process,
    scim_base: String,
    platform_url: String,
    identity_url: String,
    // The last field: the processes go before their folder does.
    _folder: TempDir,
}

impl Services {
    /// Starts all four with these flags for each of the three services; they are ready when this returns. Failed
    /// deliveries are tried again soon, or a test would mostly wait.
    pub(crate) async fn start(flags: &[&str]) -> Self {
        Self::start_apart([flags; 3]).await
    }

    /// The same with flags of its own for each: gateway, identity-service, adapter.
    pub(crate) async fn start_apart([of_gateway, of_identity, of_adapter]: [&[&str]; 3]) -> Self {
        service_runtime::install_crypto_provider();
        let folder = tempfile::tempdir().unwrap();
        let at = |port: u16| format!("127.0.0.1:{port}");
        let [platform, adapter, identity, gateway] = std::array::from_fn(|_| at(free_port()));
        let data = format!("--data-dir={}", folder.path().join("identity").display());
        let mut services = Self {
            platform: Process::simulator(&platform, folder.path()),
            adapter: Process::adapter(&adapter, &platform, of_adapter, folder.path()),
            identity: Process::identity(
                &identity,
                &adapter,
                &[&[&*data][..], of_identity].concat(),
                folder.path(),
            ),
            gateway: Process::gateway(&gateway, &identity, &gateway, of_gateway, folder.path()),
            scim_base: format!("http://{gateway}{}", gateway::BASE_PATH),
            platform_url: format!("http://{platform}"),
            identity_url: format!("http://{identity}"),
            _folder: folder,
        };
        for process in services.all() {
            process.start();
        }
        services.ready().await;
        services
    }

    /// Waits until every one of them is ready.
    pub(crate) async fn ready(&mut self) {
        for process in self.all() {
            process.ready().await;
        }
    }

    /// All of them, callees before those who call them.
    fn all(&mut self) -> [&mut Process; 4] {
        [
            &mut self.platform,
            &mut self.adapter,
            &mut self.identity,
            &mut self.gateway,
        ]
    }

    /// The base URL of SCIM.
    pub(crate) fn scim_base(&self) -> &str {
        &self.scim_base
    }

    /// The base URL of the simulated Platform.
    pub(crate) fn platform_url(&self) -> &str {
        &self.platform_url
    }

    /// Where identity-service is called by gRPC.
    pub(crate) fn identity_url(&self) -> &str {
        &self.identity_url
    }

    /// The simulated Platform's own side.
    pub(crate) fn platform_side(&self) -> Platform {
        Platform::at(self.platform_url.clone())
    }

    /// Entra's client for these services.
    pub(crate) fn entra(&self, knobs: Knobs) -> Client {
        let url = TenantUrl::parse(&self.scim_base).unwrap();
        Client::new(url, &TOKEN.to_owned().into(), knobs).unwrap()
    }

    /// identity-service's audit trail by gRPC.
    pub(crate) fn audit(&self) -> AuditServiceClient<Connection> {
        AuditServiceClient::new(service_runtime::connect(&self.identity_url, PATIENCE).unwrap())
    }

    /// Waits until every delivery is done.
    pub(crate) async fn settled(&self) {
        settled(&self.identity_url).await;
    }
}

/// Waits until every delivery is done, as identity-service at that URL says.
pub(crate) async fn settled(identity_url: &str) {
    let connection = service_runtime::connect(identity_url, PATIENCE).unwrap();
    let mut client = DeliveryServiceClient::new(connection);
    let began = Instant::now();
    loop {
        let request = SummarizeDeliveriesRequest {
            tenant: TENANT.to_owned(),
        };
        let answer = client.summarize_deliveries(request).await;
        match answer.map(tonic::Response::into_inner) {
            Ok(summary) if summary.pending == 0 && summary.refused == 0 => return,
            waiting => assert!(began.elapsed() < PATIENCE, "after {PATIENCE:?}: {waiting:?}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// One program of this workspace, running or not.
pub(crate) struct Process {
    program: &'static str,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    /// Answer 200 when the process is alive, and when it is ready.
    checks: [String; 2],
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    fn new(
        program: &'static str,
        arguments: impl IntoIterator<Item = String>,
        checks: [String; 2],
        folder: &Path,
    ) -> Self {
        Self {
            program,
            arguments: arguments.into_iter().collect(),
            variables: Vec::new(),
            checks,
            log: folder.join(format!("{program}.log")),
            child: None,
        }
    }

    /// The simulated Platform.
    pub(crate) fn simulator(listen: &str, folder: &Path) -> Self {
        let flags = [
            format!("--listen={listen}"),
            format!("--data-dir={}", folder.join("platform").display()),
        ];
        let checks = ["health"; 2].map(|check| format!("http://{listen}/{check}"));
        Self::new("platform-simulator", flags, checks, folder)
    }

    /// delinea-adapter for the Platform at that address.
    pub(crate) fn adapter(listen: &str, platform: &str, flags: &[&str], folder: &Path) -> Self {
        let own: [&str; 9] = [
            &format!("--platform-url=http://{platform}"),
            "--platform-client-id=scim-gateway@example.com",
            "--platform-client-secret=simulated-secret",
            "--max-rps=0",
            // Faults that a test draws say nothing of how much is called.
            "--pace-adapts=false",
            "--platform-timeout=2s",
            "--read-back-timeout=2s",
            "--read-back-interval=20ms",
            "--max-concurrency=16",
        ];
        Self::service("delinea-adapter", listen, &[&own[..], flags].concat(), folder)
    }

    /// identity-service with the adapter at that address; the flags say where its store is.
    pub(crate) fn identity(listen: &str, adapter: &str, flags: &[&str], folder: &Path) -> Self {
        let own: [&str; 9] = [
            &format!("--adapter-url=http://{adapter}"),
            &format!("--bearer-token-sha256={}", SecretHash::of(&TOKEN.into())),
            "--backoff-base=50ms",
            "--backoff-ceiling=1s",
            "--refused-retry=2s",
            "--max-removals-per-hour=0",
            "--max-deactivations-per-hour=0",
            "--delivery-timeout=8s",
            "--delivery-lease=10s",
        ];
        Self::service("identity-service", listen, &[&own[..], flags].concat(), folder)
    }

    /// A gateway with identity-service at that address, which clients know by the public one.
    pub(crate) fn gateway(listen: &str, identity: &str, public: &str, flags: &[&str], folder: &Path) -> Self {
        let own: [&str; 2] = [
            &format!("--identity-url=http://{identity}"),
            &format!("--public-url=http://{public}"),
        ];
        Self::service("gateway", listen, &[&own[..], flags].concat(), folder)
    }

    /// A service with these flags beside its addresses.
    pub(crate) fn service(program: &'static str, listen: &str, flags: &[&str], folder: &Path) -> Self {
        let ops = format!("127.0.0.1:{}", free_port());
        let addresses = [format!("--listen={listen}"), format!("--ops-listen={ops}")];
        let flags = flags.iter().map(|flag| (*flag).to_owned());
        let checks = ["healthz", "readyz"].map(|check| format!("http://{ops}/{check}"));
        Self::new(program, addresses.into_iter().chain(flags), checks, folder)
    }

    /// Has it start with that flag in place of the one of the same name.
    pub(crate) fn set(&mut self, flag: &str) {
        let (name, _) = flag.split_once('=').unwrap();
        self.arguments.retain(|one| !one.starts_with(&format!("{name}=")));
        self.arguments.push(flag.to_owned());
    }

    /// Has it start with that in its environment.
    pub(crate) fn with(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Ends it as an orchestrator does, and starts it again.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.start();
        self.ready().await;
    }

    /// The same with that flag in place of the one of the same name.
    pub(crate) async fn restart_with(&mut self, flag: &str) {
        self.set(flag);
        self.restart().await;
    }

    /// Starts it; it is not ready yet.
    pub(crate) fn start(&mut self) {
        let log = OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let mut command = written_to(self.program, &self.arguments, log);
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        self.child = Some(command.envs(variables).spawn().unwrap());
    }

    /// Waits until it is alive; it may wait for others still.
    pub(crate) async fn alive(&mut self) {
        self.passes(0).await;
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&mut self) {
        self.passes(1).await;
    }

    /// Where it says whether it is ready.
    pub(crate) fn readyz(&self) -> &str {
        &self.checks[1]
    }

    async fn passes(&mut self, check: usize) {
        let url = &self.checks[check];
        let http = reqwest::Client::new();
        let began = Instant::now();
        loop {
            if let Ok(answer) = http.get(url).send().await
                && answer.status().is_success()
            {
                return;
            }
            let child = self.child.as_mut().unwrap();
            if let Some(status) = child.try_wait().unwrap() {
                panic!("{} ended with {status}", self.program);
            }
            assert!(began.elapsed() < PATIENCE, "{} does not pass {url}", self.program);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Ends it as `kill -9` does; it is gone when this returns.
    pub(crate) async fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        assert_eq!(child.try_wait().unwrap(), None, "{} ended by itself", self.program);
        child.kill().await.unwrap();
    }

    /// Ends it as an orchestrator does: it may finish what is under way. It must say that it did.
    pub(crate) async fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        let kill = format!("kill -TERM {}", child.id().unwrap());
        let sent = Command::new("sh").args(["-c", &kill]).status().await.unwrap();
        assert!(sent.success(), "{kill}: {sent}");
        let status = ended(&mut child).await;
        assert!(status.success(), "{}: {status}", self.program);
    }

    /// What it has counted.
    pub(crate) async fn metrics(&self) -> String {
        let url = self.checks[0].replace("healthz", "metrics");
        reqwest::get(url).await.unwrap().text().await.unwrap()
    }

    /// Its process id, while it runs.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).unwrap()
    }

    /// The program's name.
    pub(crate) fn program(&self) -> &'static str {
        self.program
    }

    /// All that it wrote since its first start.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            eprintln!("--- the end of what {} wrote:\n{}", self.program, tail(&log));
        }
    }
}

/// The last lines of a text.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

/// A program that writes into one file. It is killed when it is dropped.
pub(crate) fn spawn(program: &str, arguments: &[String], log: File) -> Child {
    written_to(program, arguments, log).spawn().unwrap()
}

fn written_to(program: &str, arguments: &[String], log: File) -> Command {
    let mut command = command(program);
    command.args(arguments);
    command.stdout(log.try_clone().unwrap()).stderr(log);
    command
}

/// Where a program of this workspace is.
pub(crate) fn path_of(program: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // target/<profile>/deps/<test> stands beside target/<profile>/<program>.
    let folder = test.parent().and_then(Path::parent).unwrap();
    let path = folder.join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.is_file(),
        "{} is missing; run `cargo build --workspace --bins` first",
        path.display()
    );
    path
}

/// A program of this workspace, without settings from this process's environment.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(path_of(program));
    let kept = std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "TMPDIR");
    command.env_clear().envs(kept).env("RUST_BACKTRACE", "1");
    // Spans shall arrive while a test waits for them.
    command.env("OTEL_BSP_SCHEDULE_DELAY", "100");
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Waits for a process to end by itself.
pub(crate) async fn ended(child: &mut Child) -> ExitStatus {
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
    ended.expect("the process goes on").unwrap()
}
