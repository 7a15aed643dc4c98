//! How one connection is made and looked at before anything is sent on it. Password and certificates are read anew each
//! time, so that they can be replaced without a restart.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ErrorKind, IntoConnectionInfo, ProtocolVersion,
    PushInfo, PushKind, RedisConnectionInfo, RedisError, TlsCertificates, TlsMode,
    aio::MultiplexedConnection,
    io::tcp::TcpSettings,
    sentinel::{SentinelClientBuilder, SentinelServerType},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use super::{
    Settings,
    checks::{Answers, Facts},
    error::OpenError,
    target::{Host, Target, Topology},
};

/// How many commands may wait to be written. Small, since each caller waits for its answer anyhow.
const QUEUE: usize = 1024;

/// Makes connections to one server, or to whichever is master.
#[derive(Clone)]
pub(super) struct Dialer {
    settings: Arc<Settings>,
    target: Arc<Target>,
    /// The node, in a cluster.
    node: Option<Host>,
    /// How much longer than REDIS_TIMEOUT an answer may take.
    patience: Duration,
}

impl Dialer {
    pub(super) fn new(settings: Arc<Settings>, target: Arc<Target>) -> Self {
        Self {
            settings,
            target,
            node: None,
            patience: Duration::ZERO,
        }
    }

    /// The same for one node of the cluster.
    pub(super) fn to(&self, node: &Host) -> Self {
        let node = Some(node.clone());
        Self { node, ..self.clone() }
    }

    /// The same for connections whose answers may take that much longer.
    pub(super) fn patient(&self, patience: Duration) -> Self {
        Self {
            patience,
            ..self.clone()
        }
    }

    /// How long an answer may take.
    pub(super) fn answer_within(&self) -> Duration {
        self.settings.timeout + self.patience
    }

    /// Where it connects to, for logs.
    pub(super) fn name(&self) -> String {
        match &self.node {
            Some(node) => node.to_string(),
            None => self.target.to_string(),
        }
    }

    /// Whether each file that the settings name can be read.
    pub(super) fn check_files(&self) -> Result<(), OpenError> {
        self.password()?;
        self.sentinel_password()?;
        self.certificates().map(drop)
    }

    /// Connects and looks whether the server may be used; `closed` is called when the connection has ended.
    pub(super) async fn dial(
        &self,
        closed: impl Fn() + Send + Sync + 'static,
    ) -> Result<(MultiplexedConnection, Facts), OpenError> {
        let dialing = Box::pin(self.connect_and_look(closed));
        let silent = || OpenError::Silent { target: self.name() };
        timeout(self.settings.timeout, dialing).await.map_err(|_| silent())?
    }

    async fn connect_and_look(
        &self,
        closed: impl Fn() + Send + Sync + 'static,
    ) -> Result<(MultiplexedConnection, Facts), OpenError> {
        let mut connection = self.connect(closed).await?;
        let answers = Answers::of(&mut connection).await;
        let answers = answers.map_err(|source| self.failed(source))?;
        let target = || self.name();
        if answers.is_replica() {
            return Err(OpenError::Replica { target: target() });
        }
        if answers.is_loading() {
            return Err(OpenError::Loading { target: target() });
        }
        let in_cluster = self.target.topology == Topology::Cluster;
        let facts = answers.judge(in_cluster).map_err(|source| OpenError::Refused {
            target: target(),
            source,
        })?;
        Ok((connection, facts))
    }

    /// Connects, to whatever it is.
    pub(super) async fn connect(
        &self,
        closed: impl Fn() + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection, OpenError> {
        let client = match &self.target.topology {
            Topology::Sentinel { master } => self.master(master).await?,
            Topology::Standalone | Topology::Cluster => self.client()?,
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.settings.timeout))
            .set_response_timeout(Some(self.answer_within()))
            .set_pipeline_buffer_size(QUEUE)
            .set_push_sender(move |push: PushInfo| {
                if push.kind == PushKind::Disconnection {
                    closed();
                }
                Ok::<_, redis::aio::SendError>(())
            });
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        connecting.await.map_err(|source| self.failed(source))
    }

    /// A client of the server that the URL names, or of the node.
    fn client(&self) -> Result<Client, OpenError> {
        let host = self.node.as_ref().or(self.target.hosts.first());
        let host = host.cloned().unwrap_or_else(|| Host::new("", 0));
        let mut redis = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            .set_skip_set_lib_name()
            .set_db(self.target.database);
        if let Some(user) = &self.target.user {
            redis = redis.set_username(user);
        }
        if let Some(password) = self.password()? {
            redis = redis.set_password(password.expose_secret());
        }
        let failed = |source| self.failed(source);
        let info = (host.name.as_str(), host.port).into_connection_info().map_err(failed)?;
        let info = info
            .set_addr(self.address(&host))
            .set_tcp_settings(tcp())
            .set_redis_settings(redis);
        match self.certificates()? {
            Some(certificates) => Client::build_with_tls(info, certificates),
            None => Client::open(info),
        }
        .map_err(failed)
    }

    /// A client of the master that the Sentinels name, which said itself that it is.
    async fn master(&self, name: &str) -> Result<Client, OpenError> {
        let failed = |source| self.failed(source);
        let addresses = self.target.hosts.iter().map(|host| self.address(host));
        let mut builder = SentinelClientBuilder::new(addresses, name, SentinelServerType::Master)
            .map_err(failed)?
            .set_client_to_redis_protocol(ProtocolVersion::RESP3)
            .set_client_to_redis_tcp_settings(tcp())
            .set_client_to_redis_db(self.target.database);
        if let Some(user) = &self.target.user {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = self.password()? {
            builder = builder.set_client_to_redis_password(password.expose_secret());
        }
        if let Some(password) = self.sentinel_password()? {
            builder = builder.set_client_to_sentinel_password(password.expose_secret());
        }
        if self.target.tls {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        }
        if let Some(certificates) = self.certificates()? {
            builder = builder
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates);
        }
        let mut sentinels = builder.build().map_err(failed)?;
        sentinels.async_get_client().await.map_err(failed)
    }

    fn address(&self, host: &Host) -> ConnectionAddr {
        let (host, port) = (host.name.clone(), host.port);
        match self.target.tls {
            false => ConnectionAddr::Tcp(host, port),
            true => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: false,
                tls_params: None,
            },
        }
    }

    fn password(&self) -> Result<Option<SecretString>, OpenError> {
        let (value, file) = (self.target.password.as_ref(), self.settings.password_file.as_deref());
        secret("REDIS_PASSWORD_FILE", value, file)
    }

    fn sentinel_password(&self) -> Result<Option<SecretString>, OpenError> {
        secret(
            "REDIS_SENTINEL_PASSWORD_FILE",
            None,
            self.settings.sentinel_password_file.as_deref(),
        )
    }

    /// `None` when the system's roots suffice and nobody asks who we are.
    fn certificates(&self) -> Result<Option<TlsCertificates>, OpenError> {
        let Settings {
            ca_file,
            cert_file,
            key_file,
            ..
        } = &*self.settings;
        let client_tls = match (cert_file, key_file) {
            (Some(cert), Some(key)) => Some(ClientTlsConfig {
                client_cert: read("REDIS_CERT_FILE", cert)?,
                client_key: read("REDIS_KEY_FILE", key)?,
            }),
            _ => None,
        };
        let root_cert = ca_file.as_ref().map(|file| read("REDIS_CA_FILE", file)).transpose()?;
        let is_any = self.target.tls && (client_tls.is_some() || root_cert.is_some());
        Ok(is_any.then_some(TlsCertificates { client_tls, root_cert }))
    }

    /// What an error while connecting means.
    pub(super) fn failed(&self, source: RedisError) -> OpenError {
        let target = self.name();
        match source.kind() {
            ErrorKind::AuthenticationFailed => OpenError::Credentials { target, source },
            _ if matches!(source.code(), Some("NOAUTH" | "WRONGPASS")) => OpenError::Credentials { target, source },
            _ => OpenError::Unreachable { target, source },
        }
    }
}

fn secret(setting: &str, value: Option<&SecretString>, file: Option<&Path>) -> Result<Option<SecretString>, OpenError> {
    service_runtime::settings::secret(setting, value, file).map_err(|error| OpenError::Settings(Arc::new(error)))
}

fn read(setting: &'static str, path: &PathBuf) -> Result<Vec<u8>, OpenError> {
    fs::read(path).map_err(|source| OpenError::File {
        setting,
        path: path.display().to_string(),
        source: Arc::new(source),
    })
}

/// Small writes go out at once.
fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}
