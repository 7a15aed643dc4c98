//! `delinea-adapter check`: the same findings as `CheckPlatform`, for a person at a terminal or a pipeline, without a service
//! that runs.

use std::{error::Error as StdError, io::Write, sync::Arc};

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use crate::{apply::Tenant, config::PlatformConfig};

use super::{Asked, Checked, Finding, Verdict};

pub(crate) const NAME: &str = "check";

const JSON: &str = "json";
const WRITE_PROBE: &str = "write-probe";
const DOMAINS: &str = "domains";

/// Why the command ends with 1.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    #[error("{0} of the prerequisites are not met")]
    Problems(usize),
    #[error("the findings cannot be written")]
    Output(#[source] std::io::Error),
}

/// The command and its arguments.
pub(crate) fn command() -> Command {
    let json = Arg::new(JSON)
        .long(JSON)
        .action(ArgAction::SetTrue)
        .help("Write the findings as JSON");
    let write_probe = Arg::new(WRITE_PROBE)
        .long(WRITE_PROBE)
        .action(ArgAction::SetTrue)
        .help("Also create, change, disable, enable and remove one throw-away account and group");
    let domains = Arg::new(DOMAINS)
        .long(DOMAINS)
        .value_name("DOMAIN")
        .value_delimiter(',')
        .help("Domains of the user names that will be provisioned, separated by commas: each must be a login suffix");
    Command::new(NAME)
        .about("Go through what must hold on the Platform's side, and say what to do about it; ends with 1 if something is wrong")
        .args([json, write_probe, domains])
}

/// Goes through the prerequisites and writes what was found to standard output.
pub(crate) async fn run(arguments: &ArgMatches, config: PlatformConfig) -> Result<(), Box<dyn StdError>> {
    let tenant = Tenant::new(Arc::new(config))?;
    let domains = arguments.get_many::<String>(DOMAINS);
    let asked = Asked {
        suffixes: domains.into_iter().flatten().cloned().collect(),
        write_probe: arguments.get_flag(WRITE_PROBE),
    };
    let checked = Box::pin(super::check(&tenant, &asked)).await;
    let text = if arguments.get_flag(JSON) {
        format!("{:#}\n", to_json(&checked))
    } else {
        to_text(&checked.findings)
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(CheckError::Output)?;
    let problems = checked
        .findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Problem)
        .count();
    if problems > 0 {
        return Err(CheckError::Problems(problems).into());
    }
    Ok(())
}

fn to_text(findings: &[Finding]) -> String {
    let width = findings
        .iter()
        .map(|finding| finding.name.len())
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    for Finding {
        name,
        verdict,
        found,
        todo,
    } in findings
    {
        let verdict = verdict.words();
        text += &format!("{verdict:<14}  {name:<width$}  {found}\n");
        if !todo.is_empty() {
            text += &format!("{:<14}  {:<width$}  -> {todo}\n", "", "");
        }
    }
    text
}

fn to_json(checked: &Checked) -> Value {
    let is_problem = |finding: &Finding| finding.verdict == Verdict::Problem;
    let findings: Vec<_> = checked
        .findings
        .iter()
        .map(|finding| {
            json!({
                "name": finding.name, "verdict": finding.verdict.words(), "found": finding.found, "todo": finding.todo,
            })
        })
        .collect();
    let calls = checked.capabilities.iter().flat_map(|known| &known.calls);
    let calls: serde_json::Map<_, _> = calls
        .map(|call| (call.method.to_owned(), Value::from(call.state.name())))
        .collect();
    json!({"ok": !checked.findings.iter().any(is_problem), "findings": findings, "calls": calls})
}
