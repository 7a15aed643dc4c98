//! How tokens are checked. Whose they are is identity-service's to say.

use std::time::Duration;

use http::Uri;
use service_runtime::is_this_machine;
use service_runtime::settings::parse_duration;

use crate::Error;

/// The most that clocks may differ.
const MOST_SKEW: Duration = Duration::from_secs(300);

/// How tokens are checked.
#[derive(clap::Args, Clone, Debug)]
pub struct AuthArgs {
    /// Where Entra publishes the keys that it signs with, and the beginning of its newer issuers; another in sovereign clouds.
    #[arg(
        long,
        env = "ENTRA_AUTHORITY",
        value_name = "URL",
        default_value = "https://login.microsoftonline.com"
    )]
    pub entra_authority: String,
    /// The beginning of Entra's older issuers; another in sovereign clouds.
    #[arg(
        long,
        env = "ENTRA_STS",
        value_name = "URL",
        default_value = "https://sts.windows.net"
    )]
    pub entra_sts: String,
    /// How far the clocks of those who issue tokens may differ from ours, up to 5m: for so long a token is good before it begins and after
    /// it has ended.
    #[arg(long, env = "CLOCK_SKEW", value_name = "DURATION", default_value = "5m", value_parser = skew)]
    pub clock_skew: Duration,
}

impl Default for AuthArgs {
    fn default() -> Self {
        Self {
            entra_authority: "https://login.microsoftonline.com".to_owned(),
            entra_sts: "https://sts.windows.net".to_owned(),
            clock_skew: MOST_SKEW,
        }
    }
}

impl AuthArgs {
    /// Whether the settings can be used: keys that come over plain http are anybody's, but on this machine.
    pub(crate) fn check(&self) -> Result<(), Error> {
        for (setting, url) in [
            ("--entra-authority", &self.entra_authority),
            ("--entra-sts", &self.entra_sts),
        ] {
            let uri: Option<Uri> = url.parse().ok();
            let fits = uri.as_ref().is_some_and(|uri| {
                let host = uri.host().unwrap_or_default();
                match uri.scheme_str() {
                    Some("https") => !host.is_empty(),
                    Some("http") => is_this_machine(host),
                    _ => false,
                }
            });
            if !fits {
                return Err(Error::setting(setting, "must be of the form https://host"));
            }
        }
        Ok(())
    }

    /// Whether keys come from this machine, where no proxy leads to.
    pub(super) fn is_beside_us(&self) -> bool {
        let uri: Option<Uri> = self.entra_authority.parse().ok();
        uri.is_some_and(|uri| uri.host().is_some_and(is_this_machine))
    }
}

fn skew(text: &str) -> Result<Duration, String> {
    let skew = parse_duration(text)?;
    if skew > MOST_SKEW {
        return Err("must be 5m at most".to_owned());
    }
    Ok(skew)
}
