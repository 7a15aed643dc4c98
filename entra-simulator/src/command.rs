//! The command line: `sync`, `on-demand` and `verify`, what they print, and their exit statuses: 0 when all is well, 1
//! on any difference or failure, 64 for wrong usage.

mod arguments;
mod sign_in;

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory, Parser};
use service_runtime::error::Chain;

use crate::{
    directory::Directory,
    error::Error,
    job::{Job, OnDemandReport},
    progress::Bar,
    rehearsal::{Rehearsal, sync},
    report::table,
    state::SavedState,
    verify::{verify, verify_on_demand},
};
use arguments::{Cli, Command, OnDemandArgs, SyncArgs, VerifyArgs, rehearsal};

const USAGE: u8 = 64;
const UNCLEAN: u8 = 1;
/// As many members as Entra takes in one on-demand run.
const MEMBERS: usize = 5;

/// The command line, as clap knows it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program with these arguments, the first of which is its name.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let outcome = match cli.command {
        Command::Sync(arguments) => Box::pin(run_sync(arguments)).await,
        Command::OnDemand(arguments) => Box::pin(run_on_demand(arguments)).await,
        Command::Verify(arguments) => Box::pin(run_verify(arguments)).await,
    };
    let (text, code) = match outcome {
        Ok(Outcome { text, is_clean: true }) => (text, ExitCode::SUCCESS),
        Ok(Outcome { text, is_clean: false }) => (text, ExitCode::from(UNCLEAN)),
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {}", Chain(&*error));
            let usage = error.downcast_ref::<Error>().is_some_and(Error::is_usage)
                || error.downcast_ref::<service_runtime::Error>().is_some();
            return ExitCode::from(if usage { USAGE } else { UNCLEAN });
        }
    };
    // A reader that has gone away does not change the verdict.
    let _ = write!(io::stdout(), "{text}");
    code
}

/// What is printed, and whether the exit status is 0.
struct Outcome {
    text: String,
    is_clean: bool,
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

async fn run_sync(arguments: SyncArgs) -> Result<Outcome, Failed> {
    let mut rehearsal = rehearsal(&arguments.endpoint, &arguments.directory).await?;
    rehearsal.retry_for = arguments.retry_for;
    let bar = Bar::new();
    let report = sync(&rehearsal, bar.told()).await?;
    Ok(Outcome {
        text: report.to_string(),
        is_clean: report.is_clean(),
    })
}

async fn run_verify(arguments: VerifyArgs) -> Result<Outcome, Failed> {
    let rehearsal = rehearsal(&arguments.endpoint, &arguments.directory).await?;
    let (directory, job) = tenant(&rehearsal).await?;
    let bar = Bar::new();
    let verification = verify(&job, &directory, &rehearsal.verify, bar.told().as_ref()).await?;
    Ok(Outcome {
        text: verification.to_string(),
        is_clean: verification.differences.is_empty(),
    })
}

async fn run_on_demand(arguments: OnDemandArgs) -> Result<Outcome, Failed> {
    let rehearsal = rehearsal(&arguments.endpoint, &arguments.directory).await?;
    let (directory, mut job) = tenant(&rehearsal).await?;
    let report = on_demand(&mut job, &directory, &arguments).await?;
    if let Some(path) = &rehearsal.state {
        SavedState::of(&directory, &job).save(path).await?;
    }
    let bar = Bar::new();
    let verification = verify_on_demand(&job, &directory, &rehearsal.verify, &report, bar.told().as_ref()).await?;
    let rows: Vec<Vec<String>> = report
        .steps
        .iter()
        .map(|(step, result)| {
            let verdict = result
                .as_ref()
                .map_or_else(ToString::to_string, |action| format!("{action:?}").to_lowercase());
            vec![step.clone(), verdict]
        })
        .chain(report.scim_id.iter().map(|id| vec!["SCIM id".to_owned(), id.clone()]))
        .collect();
    Ok(Outcome {
        text: format!("{}\n{verification}", table(&rows)),
        is_clean: report.is_success() && verification.differences.is_empty(),
    })
}

async fn on_demand(job: &mut Job, directory: &Directory, arguments: &OnDemandArgs) -> Result<OnDemandReport, Error> {
    let name = &arguments.name;
    if directory.find_user(name).is_some() && arguments.members.is_empty() {
        return job.provision_user_on_demand(directory, name).await;
    }
    let Some(group) = directory.find_group(name) else {
        return Err(Error::NoSuchObject {
            kind: "user or group",
            name: name.clone(),
        });
    };
    let mut members: Vec<&str> = arguments.members.iter().map(String::as_str).collect();
    if members.is_empty() {
        let users = group.members.iter().filter_map(|id| directory.users.get(id));
        members.extend(users.take(MEMBERS).map(|user| user.user_principal_name.as_str()));
    }
    job.provision_group_on_demand(directory, name, &members).await
}

/// The directory and job of the state file or, without one, the directory as `sync` leaves it and a job without memory.
async fn tenant(rehearsal: &Rehearsal) -> Result<(Directory, Job), Error> {
    let saved = match &rehearsal.state {
        Some(path) => SavedState::load(path).await?,
        None => None,
    };
    let saved = saved.unwrap_or_else(|| {
        let mut directory = rehearsal.new_directory();
        for _ in 0..rehearsal.cycles {
            directory.advance();
        }
        SavedState::new(directory)
    });
    Ok(saved.resume(rehearsal.client()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[tokio::test]
    async fn wrong_usage_ends_with_64() {
        for line in [
            "entra-simulator",
            "entra-simulator sync",
            "entra-simulator sync --base-url http://127.0.0.1:1 --token t --settle soon",
            "entra-simulator sync --base-url http://127.0.0.1:1 --token t --dialect odd",
            "entra-simulator sync --base-url ftp://x --token t",
            "entra-simulator sync --base-url http://127.0.0.1:1",
            "entra-simulator verify --base-url http://127.0.0.1:1 --token-file /no/such/file",
            "entra-simulator sync --base-url http://127.0.0.1:1 --sign-in client-credentials --token-url http://127.0.0.1:1",
            "entra-simulator sync --base-url http://127.0.0.1:1 --sign-in assertion --token-url http://127.0.0.1:1",
            "entra-simulator on-demand nobody@nowhere --base-url http://127.0.0.1:1 --token t",
        ] {
            assert_eq!(run(arguments(line)).await, ExitCode::from(USAGE), "{line}");
        }
    }

    #[tokio::test]
    async fn an_endpoint_that_is_not_there_ends_with_1() {
        let line = "entra-simulator sync --base-url http://127.0.0.1:1 --token t --users 1 --groups 0";
        assert_eq!(run(arguments(line)).await, ExitCode::from(UNCLEAN));
        assert_eq!(run(arguments("entra-simulator --help")).await, ExitCode::SUCCESS);
    }
}
