//! `delinea-adapter record`: what a real tenant answers to the questions of a check, scrubbed and kept as lines of JSON, so that the
//! simulated Platform can play it back and whoever carries on can see what a tenant really says. Secrets and tokens are not in
//! what is recorded; names and ids are replaced before anything is written.

mod scrub;

use std::{
    error::Error as StdError,
    io::Write as _,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    apply::Tenant,
    check::{self, Asked},
    config::PlatformConfig,
    platform::transport::Answer,
};

use scrub::Scrubber;

pub(crate) const NAME: &str = "record";

const OUT: &str = "out";
const WRITE_PROBE: &str = "write-probe";
/// More exchanges are not kept; a check makes a few dozen.
const MOST: usize = 10_000;

/// The header that marks an answer of which nothing was kept.
const CUT: &str = "x-recorded-cut";

/// One exchange, as a line of the transcript has it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Exchange {
    /// The HTTP method.
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    /// The body that was sent: JSON, or the fields of a form.
    pub(crate) request: Value,
    pub(crate) status: u16,
    /// Those headers of the answer that mean something to a client.
    pub(crate) headers: Map<String, Value>,
    /// The body of the answer: JSON, or its text where it is none.
    pub(crate) body: Value,
}

/// Takes exchanges in as they are made. A clone is the same recorder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<Exchange>>>);

impl Recorder {
    /// Takes one in.
    pub(crate) fn exchange(&self, request: &reqwest::Request, answer: &Answer) {
        let mut headers = Map::new();
        if let Some(wait) = answer.retry_after {
            headers.insert("retry-after".to_owned(), wait.as_secs().to_string().into());
        }
        self.keep(request, answer.status, headers, parsed(&answer.body));
    }

    /// Takes in that a list came which was not read to its end: that it was there, and nothing of it.
    pub(crate) fn cut(&self, request: &reqwest::Request, status: StatusCode) {
        let headers = Map::from_iter([(CUT.to_owned(), Value::from("true"))]);
        self.keep(request, status, headers, json!([]));
    }

    fn keep(&self, request: &reqwest::Request, status: StatusCode, headers: Map<String, Value>, body: Value) {
        let url = request.url();
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let sent = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        let exchange = Exchange {
            method: request.method().to_string(),
            path: format!("{}{query}", url.path()),
            request: parsed(sent),
            status: status.as_u16(),
            headers,
            body,
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MOST {
            kept.push(exchange);
        }
    }

    fn take(&self) -> Vec<Exchange> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A body: JSON, the fields of a form, or its text.
fn parsed(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    if let Ok(value) = serde_json::from_slice(body) {
        return value;
    }
    let text = String::from_utf8_lossy(body);
    if text.starts_with("grant_type=") {
        // The secret is among the fields: only what is no secret is taken over.
        let fields = reqwest::Url::parse(&format!("form:?{text}"));
        let known = |name: &str| matches!(name, "grant_type" | "scope");
        let fields: Map<String, Value> = fields
            .iter()
            .flat_map(|url| url.query_pairs())
            .filter(|(name, _)| known(name))
            .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
            .collect();
        return Value::Object(fields);
    }
    Value::from(text.into_owned())
}

/// The command and its arguments.
pub(crate) fn command() -> Command {
    let out = Arg::new(OUT)
        .long(OUT)
        .value_name("FILE")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help("File that the transcript is written to; one that exists is not overwritten");
    let write_probe = Arg::new(WRITE_PROBE)
        .long(WRITE_PROBE)
        .action(ArgAction::SetTrue)
        .help("Also record how one throw-away account and group are created, changed, refused twice and removed");
    Command::new(NAME)
        .about("Record what the tenant answers, scrubbed of names, ids and secrets, for platform-simulator --replay")
        .args([out, write_probe])
}

/// Asks the tenant, and writes what it answered.
pub(crate) async fn run(arguments: &ArgMatches, config: PlatformConfig) -> Result<(), Box<dyn StdError>> {
    let path = arguments.get_one::<PathBuf>(OUT).ok_or("--out is missing")?;
    // Before anything is asked: a transcript is nothing to lose.
    let mut file = std::fs::File::create_new(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let recorder = Recorder::default();
    let tenant = Tenant::recorded(Arc::new(config), &recorder)?;
    let asked = Asked {
        suffixes: Vec::new(),
        write_probe: arguments.get_flag(WRITE_PROBE),
    };
    let checked = Box::pin(check::check(&tenant, &asked)).await;
    let lines = transcript(recorder.take());
    file.write_all(lines.as_bytes())?;
    file.sync_all()?;
    let summary = json!({
        "exchanges": lines.lines().count(),
        "findings": checked.findings.len(),
        "file": path.display().to_string(),
    });
    writeln!(std::io::stdout(), "{summary}")?;
    writeln!(
        std::io::stderr(),
        "names, ids and texts were replaced; look through {} before you hand it on",
        path.display()
    )?;
    Ok(())
}

/// The lines, scrubbed.
fn transcript(exchanges: Vec<Exchange>) -> String {
    let mut scrubber = Scrubber::default();
    let mut lines = String::new();
    for exchange in exchanges {
        let line = scrubber.exchange(exchange);
        if let Ok(line) = serde_json::to_string(&line) {
            lines += &line;
            lines.push('\n');
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_recorded_without_its_secret() {
        let form = b"grant_type=client_credentials&client_id=a%40x&client_secret=s3cret&scope=xpmheadless";
        assert_eq!(
            parsed(form),
            json!({"grant_type": "client_credentials", "scope": "xpmheadless"})
        );
        assert_eq!(parsed(b""), Value::Null);
        assert_eq!(parsed(b"<html>"), json!("<html>"));
        assert_eq!(parsed(br#"{"a":1}"#), json!({"a": 1}));
    }
}
