//! Several services' settings on one command line. Settings that each service has for itself (its address) carry the
//! service's name, `--gateway-listen` and `GATEWAY_LISTEN`; all others keep theirs, and a name that several services
//! know is one setting for all of them. Each service still reads its own settings by its own definition.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command};

/// Adds a service's settings to a command. `own` are the ids (the fields' names) of those it has for itself.
pub fn join<C: Args>(command: Command, service: &str, own: &[&str]) -> Command {
    settings_of::<C>().get_arguments().fold(command, |command, argument| {
        let id = argument.get_id().as_str();
        let joined = if own.contains(&id) {
            renamed(argument, service)
        } else {
            argument.clone()
        };
        let known = command.get_arguments().any(|known| known.get_id() == joined.get_id());
        if known { command } else { command.arg(joined) }
    })
}

/// A service's settings out of a command line that [`join`] has prepared with the same `service` and `own`.
pub fn part<C: Args>(matches: &ArgMatches, service: &str, own: &[&str]) -> Result<C, clap::Error> {
    // Variables have been read under their joined names; under their plain names they are not this service's.
    let command = settings_of::<C>()
        .no_binary_name(true)
        .mut_args(|argument| argument.env(None::<&'static str>));
    let mut line = Vec::new();
    for argument in command.get_arguments() {
        let id = argument.get_id().as_str();
        let joined = if own.contains(&id) {
            joined_id(service, id)
        } else {
            id.to_owned()
        };
        let source = matches.value_source(&joined);
        let given = matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable));
        let Some(long) = argument.get_long().filter(|_| given) else {
            continue;
        };
        let values = matches.get_raw(&joined).into_iter().flatten();
        if argument.get_action().takes_values() {
            line.extend(values.map(|value| {
                let mut text = std::ffi::OsString::from(format!("--{long}="));
                text.push(value);
                text
            }));
        } else if matches.get_flag(&joined) {
            line.push(format!("--{long}").into());
        }
    }
    C::from_arg_matches(&command.try_get_matches_from(line)?)
}

fn settings_of<C: Args>() -> Command {
    C::augment_args(Command::new("settings"))
        .disable_help_flag(true)
        .disable_version_flag(true)
}

fn joined_id(service: &str, id: &str) -> String {
    format!("{}_{id}", service.replace('-', "_"))
}

fn renamed(argument: &Arg, service: &str) -> Arg {
    // Clap wants names that live as long as the process, which these do: a handful, made once at start.
    let mut renamed = argument
        .clone()
        .id(&*joined_id(service, argument.get_id().as_str()).leak());
    if let Some(long) = argument.get_long() {
        renamed = renamed.long(&*format!("{service}-{long}").leak());
    }
    if let Some(variable) = argument.get_env() {
        let service = service.replace('-', "_").to_uppercase();
        renamed = renamed.env(&*format!("{service}_{}", variable.to_string_lossy()).leak());
    }
    renamed
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::{OpsArgs, TelemetryArgs};

    #[derive(clap::Args)]
    struct One {
        /// Address.
        #[arg(long, env = "LISTEN", default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Names.
        #[arg(long, value_delimiter = ',')]
        names: Vec<String>,
        /// Switch.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        ops: OpsArgs,
        #[command(flatten)]
        telemetry: TelemetryArgs,
    }

    const OWN: &[&str] = &["listen", "ops_listen"];

    #[test]
    fn each_service_has_its_address_and_all_share_the_rest() {
        let command = join::<One>(
            join::<One>(Command::new("all"), "gateway", OWN),
            "identity-service",
            OWN,
        );
        command.clone().debug_assert();
        let variable = |id| {
            let argument = command
                .get_arguments()
                .find(|argument| argument.get_id() == id)
                .unwrap();
            argument.get_env().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(variable("gateway_listen"), "GATEWAY_LISTEN");
        assert_eq!(variable("identity_service_ops_listen"), "IDENTITY_SERVICE_OPS_LISTEN");

        let line = "all --gateway-listen 127.0.0.1:1 --identity-service-ops-listen 127.0.0.1:2 --names a,b --dry-run --log warn";
        let matches = command.get_matches_from(line.split(' '));
        let gateway = part::<One>(&matches, "gateway", OWN).unwrap();
        let identity = part::<One>(&matches, "identity-service", OWN).unwrap();
        assert_eq!(gateway.listen.port(), 1);
        assert_eq!(gateway.ops.ops_listen, None);
        assert_eq!(identity.listen.port(), 0);
        assert_eq!(identity.ops.ops_listen.unwrap().port(), 2);
        for service in [gateway, identity] {
            assert_eq!(service.names, ["a", "b"]);
            assert!(service.dry_run);
            assert_eq!(service.telemetry.log, "warn");
        }
    }
}
