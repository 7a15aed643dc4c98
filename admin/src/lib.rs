//! The operator's command line: what has reached the Platform and what has not, and why; try again, let go, take back, pause. And who may call SCIM.
//!
//! It is a client of identity-service like any other: it knows the gRPC contract, and nothing of what is behind it. It logs
//! nothing and keeps nothing. The Platform's words may name people: they are shown to whoever asks, and go nowhere else.

mod arguments;
mod commands;
mod confirm;
mod error;
mod json;
mod names;
mod output;
mod service;
mod table;

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory, FromArgMatches};
use service_runtime::{Chain, settings};

use crate::{
    arguments::{AdoptCommand, Cli, ClientCommand, Command, DriftCommand, RelinkCommand, TokenCommand},
    commands::credentials,
    error::{EX_USAGE, Error},
    output::Output,
    service::Service,
};

/// The command line, as clap knows it.
pub fn command() -> clap::Command {
    // As with all settings of ours, they may stand before and behind the command.
    Cli::command().mut_args(|argument| match argument.get_id().as_str().starts_with("grpc_") {
        true => argument.global(true),
        false => argument,
    })
}

/// Runs the program with these arguments, the first of which is its name. The exit codes are those that `--help` tells.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command = settings::ignoring_empty_variables(command());
    let cli = command
        .try_get_matches_from(arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match cli {
        Ok(cli) => cli,
        Err(error) => {
            // Standard error may be closed; then nobody reads it.
            let _ = error.print();
            let code = if error.use_stderr() { EX_USAGE } else { 0 };
            return ExitCode::from(code);
        }
    };
    match dispatch(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is_silent() {
                let _ = writeln!(io::stderr(), "admin: {}", Chain(&error));
            }
            ExitCode::from(error.exit_code())
        }
    }
}

async fn dispatch(cli: Cli) -> Result<(), Error> {
    let output = Output::new(cli.json);
    if let Command::Completion { shell } = cli.command {
        return output.completion(shell, &mut command());
    }
    let unusable = |error| Error::Usage(Chain(&error).to_string());
    cli.grpc.check().map_err(unusable)?;
    let service = Service::new(&cli.identity_url, &cli.grpc, cli.tenant, cli.by, cli.timeout)?;
    match cli.command {
        Command::Status(arguments) => commands::status(&service, &output, &arguments).await,
        Command::Pending(arguments) => commands::list(&service, &output, commands::PENDING, &arguments).await,
        Command::Refused(arguments) => commands::list(&service, &output, commands::REFUSED, &arguments).await,
        Command::Held(arguments) => commands::list(&service, &output, commands::HELD, &arguments).await,
        Command::Planned(arguments) => commands::list(&service, &output, commands::PLANNED, &arguments).await,
        Command::Show { resource } => commands::show(&service, &output, &resource).await,
        Command::Retry { resources } => commands::retry(&service, &output, &resources).await,
        Command::Release(arguments) => commands::release(&service, &output, &arguments).await,
        Command::Discard(arguments) => commands::discard(&service, &output, &arguments).await,
        Command::Pause(arguments) => commands::pause(&service, &output, &arguments).await,
        Command::Resume => commands::resume(&service, &output).await,
        Command::Drift { command } => match command {
            DriftCommand::Plan(arguments) => commands::drift_plan(&service, &output, &arguments).await,
            DriftCommand::Apply(arguments) => commands::drift_apply(&service, &output, &arguments).await,
        },
        Command::Relink(RelinkCommand::Plan) => commands::relink::plan(&service, &output).await,
        Command::Relink(RelinkCommand::Apply(arguments)) => {
            commands::relink::apply(&service, &output, &arguments).await
        }
        Command::Adopt(AdoptCommand::Plan) => commands::relink::adoption(&service, &output).await,
        Command::Token(command) => match command {
            TokenCommand::New(arguments) => credentials::new_token(&service, &output, &arguments).await,
            TokenCommand::List => credentials::list(&service, &output).await,
            TokenCommand::Revoke(arguments) => credentials::revoke(&service, &output, &arguments).await,
        },
        Command::Client(command) => match command {
            ClientCommand::New(arguments) => credentials::new_client(&service, &output, arguments).await,
            ClientCommand::Rotate(arguments) => credentials::rotate(&service, &output, &arguments).await,
            ClientCommand::List => credentials::list_clients(&service, &output).await,
            ClientCommand::Revoke(arguments) => credentials::revoke(&service, &output, &arguments).await,
            ClientCommand::RotateKey { end_tokens } => credentials::rotate_key(&service, &output, end_tokens).await,
        },
        Command::Watch(arguments) => commands::watch(&service, &output, &arguments).await,
        Command::Audit(arguments) => commands::audit(&service, &output, &arguments).await,
        Command::Completion { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[tokio::test]
    async fn wrong_usage_ends_with_64_before_anything_is_asked() {
        for line in [
            "admin",
            "admin drift",
            "admin drift apply",
            "admin drift plan --limit 0",
            "admin relink",
            "admin relink apply",
            "admin relink apply 0123",
            "admin adopt apply",
            "admin token",
            "admin token new",
            "admin token new a --expires soon",
            "admin token revoke a",
            "admin client new a --entra-tenant 6e1f0c46-0b7d-4c8d-9f4e-0c0fdb6c0001",
            "admin client new a --subject 6e1f0c46-0b7d-4c8d-9f4e-0c0fdb6c0001",
            "admin show",
            "admin retry",
            "admin release",
            "admin release --all somebody --yes",
            "admin pause --yes",
            "admin pending --limit 0",
            "admin watch --from a --oldest",
            "admin audit --from yesterday",
            "admin status --timeout soon",
            "admin status --identity-url identity:50051",
            "admin status --grpc-token short",
            "admin completion odd-shell",
        ] {
            let arguments = line.split(' ').map(OsString::from);
            assert_eq!(Box::pin(run(arguments)).await, ExitCode::from(EX_USAGE), "{line}");
        }
    }
}
