//! The gateway's settings. What operators tune for SCIM itself is a struct of its own, [`ScimArgs`], so that a process
//! which runs several services can offer it beside theirs.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use proto::LARGEST_PAGE;
use service_runtime::settings::{parse_bytes, parse_duration};
use service_runtime::{GrpcCallArgs, OpsArgs, TelemetryArgs};

use crate::Error;
use crate::acme::AcmeArgs;
use crate::auth::AuthArgs;
use crate::edge::EdgeArgs;
use crate::limits::LimitArgs;
use crate::location::Base;

/// Every setting of the gateway.
#[derive(clap::Args, Clone, Debug)]
pub struct Config {
    /// Address that SCIM is served on; port 0 lets the system choose.
    #[arg(long, env = "LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Address of identity-service, as `http://host:port` or `https://host:port`.
    #[arg(
        long,
        env = "IDENTITY_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:50051"
    )]
    pub identity_url: String,
    /// How identity-service is called.
    #[command(flatten)]
    pub grpc: GrpcCallArgs,
    /// How tokens are checked.
    #[command(flatten)]
    pub auth: AuthArgs,
    /// How SCIM is served.
    #[command(flatten)]
    pub scim: ScimArgs,
    /// How clients reach us.
    #[command(flatten)]
    pub edge: EdgeArgs,
    /// Certificates that we get by ourselves.
    #[command(flatten)]
    pub acme: AcmeArgs,
    /// How much they may ask for.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Logs, traces and metrics.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
    /// The operators' side.
    #[command(flatten)]
    pub ops: OpsArgs,
}

/// How SCIM is served: the public address, the limits of size and time, the pages.
#[derive(clap::Args, Clone, Debug)]
pub struct ScimArgs {
    /// Address by which clients reach this gateway, such as `https://scim.example.com`; `/scim/v2` is added unless it ends
    /// so. Goes into Location and meta.location. Without it these say what TRUSTED_PROXIES tell, or else the request's Host
    /// header, with https where the gateway speaks TLS itself.
    #[arg(long, env = "PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Time for a whole request, such as 30s; what takes longer is answered with 504. 0 means no limit.
    #[arg(long, env = "REQUEST_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    pub request_timeout: Duration,
    /// Time in which a request's body must have arrived, such as 10s; slower ones are answered with 408. 0 means no limit of its own.
    #[arg(long, env = "BODY_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    pub body_timeout: Duration,
    /// Largest body of a write to a user, such as 1MiB; larger ones are answered with 413.
    #[arg(long, env = "MAX_USER_BODY", value_name = "BYTES", default_value = "1MiB", value_parser = parse_bytes)]
    pub max_user_body: u64,
    /// Largest body of a write to a group, members included, such as 10MiB; larger ones are answered with 413.
    #[arg(long, env = "MAX_GROUP_BODY", value_name = "BYTES", default_value = "10MiB", value_parser = parse_bytes)]
    pub max_group_body: u64,
    /// Largest body of a bulk request, such as 10MiB; larger ones are answered with 413. Told as maxPayloadSize.
    #[arg(long, env = "MAX_BULK_BODY", value_name = "BYTES", default_value = "10MiB", value_parser = parse_bytes)]
    pub max_bulk_body: u64,
    /// Most operations of a bulk request; more are answered with 413. Told as maxOperations.
    #[arg(long, env = "MAX_BULK_OPERATIONS", value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub max_bulk_operations: u16,
    /// Resources on a page of a list when the client asks for no `count`.
    #[arg(long, env = "PAGE_SIZE", value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i32).range(1..=i64::from(LARGEST_PAGE)))]
    pub page_size: i32,
    /// Most resources on a page of a list, whatever `count` the client asks for.
    #[arg(long, env = "MAX_PAGE_SIZE", value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(i32).range(1..=i64::from(LARGEST_PAGE)))]
    pub max_page_size: i32,
}

impl Default for ScimArgs {
    fn default() -> Self {
        Self {
            public_url: None,
            request_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            max_user_body: 1 << 20,
            max_group_body: 10 << 20,
            max_bulk_body: 10 << 20,
            max_bulk_operations: 1000,
            page_size: 100,
            max_page_size: 1000,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            identity_url: "http://127.0.0.1:50051".to_owned(),
            grpc: GrpcCallArgs::default(),
            auth: AuthArgs::default(),
            scim: ScimArgs::default(),
            edge: EdgeArgs::default(),
            acme: AcmeArgs::default(),
            limits: LimitArgs::default(),
            telemetry: TelemetryArgs::default(),
            ops: OpsArgs::default(),
        }
    }
}

impl Config {
    /// Whether clients reach the gateway by TLS that it speaks itself.
    pub fn serves_tls(&self) -> bool {
        self.edge.serves_tls() || self.acme.is_on()
    }

    /// Checks the settings together; gives the public address.
    pub(crate) fn check(&self) -> Result<Option<Base>, Error> {
        self.auth.check()?;
        self.grpc.check().map_err(Error::Grpc)?;
        // An empty value is how deployment files say "not set".
        let public = self.scim.public_url.as_deref().filter(|url| !url.is_empty());
        let public = public.map(Base::from_setting).transpose()?;
        self.edge.check()?;
        self.acme.check()?;
        if self.acme.is_on() && self.edge.serves_tls() {
            let reason = "is given beside --tls-cert-file; a certificate comes from one of them";
            return Err(Error::setting("--acme-domains", reason));
        }
        self.limits.check()?;
        Ok(public)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn the_defaults_are_the_same_with_and_without_a_command_line() {
        let parsed = Command::parse_from(["gateway"]).config;
        assert_eq!(format!("{parsed:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn what_cannot_be_served_is_refused() {
        let table: [(&[&str], &str); 18] = [
            (&["--public-url", "scim.example.com"], "--public-url"),
            (&["--public-url", "https://a/?b"], "--public-url"),
            (&["--entra-authority", "http://login.example"], "--entra-authority"),
            (&["--entra-authority", "login.example"], "--entra-authority"),
            (&["--entra-sts", "ftp://sts.example"], "--entra-sts"),
            (&["--tls-cert-file", "cert.pem"], "--tls-cert-file"),
            (&["--tls-key-file", "key.pem"], "--tls-key-file"),
            (&["--tls-client-ca-file", "ca.pem"], "--tls-client-ca-file"),
            (&["--rate-limit", "24"], "--rate-limit"),
            (&["--acme-domains", "a.example"], "--acme-accept-terms"),
            (
                &["--acme-domains", "*.a.example", "--acme-accept-terms"],
                "--acme-domains",
            ),
            (
                &["--acme-domains", "a.example,192.0.2.1", "--acme-accept-terms"],
                "--acme-domains",
            ),
            (
                &["--acme-domains", "localhost", "--acme-accept-terms"],
                "--acme-domains",
            ),
            (
                &["--acme-domains", "a.b", "--acme-accept-terms", "--acme-contact", "me"],
                "--acme-contact",
            ),
            (
                &[
                    "--acme-domains",
                    "a.b",
                    "--acme-accept-terms",
                    "--acme-directory-url",
                    "http://a/dir",
                ],
                "--acme-directory-url",
            ),
            (&["--max-url-size", "1MiB"], "--max-url-size"),
            (&["--max-header-size", "100"], "--max-header-size"),
            (&["--trusted-proxies", "10.0.0.0/8,0.0.0.0/0"], "--trusted-proxies"),
        ];
        for (arguments, setting) in table {
            let config = Command::parse_from([&["gateway"], arguments].concat()).config;
            let error = config.check().map(drop).unwrap_err().to_string();
            assert!(error.starts_with(setting), "{arguments:?}: {error}");
        }
        Command::parse_from(["gateway"]).config.check().map(drop).unwrap();
    }
}
