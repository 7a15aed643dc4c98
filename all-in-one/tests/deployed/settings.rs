//! Settings as a deployment gives them to a service: an environment, checked as the service does before it starts.

use std::{collections::BTreeMap, error::Error};

use clap::{Args, Command, FromArgMatches, builder::Resettable};
use service_runtime::Service;

pub(crate) type Environment = BTreeMap<String, String>;

/// A token that services may share.
pub(crate) const TOKEN: &str = "a-token-of-at-least-thirty-two-characters";

/// Parses the settings, and checks them as the service does before it starts.
fn read<S: Service>(environment: &Environment) -> Result<(), Box<dyn Error>> {
    let command = S::Config::augment_args(Command::new(S::NAME));
    let line = line(&command, environment);
    // What the machine of this test has set does not count.
    let command = command.mut_args(|argument| argument.env(Resettable::Reset));
    let config = S::Config::from_arg_matches(&command.try_get_matches_from(line)?)?;
    Ok(S::check(&config)?)
}

/// The same by a service's name.
pub(crate) fn check(service: &str, environment: &Environment) -> Result<(), Box<dyn Error>> {
    match service {
        "gateway" => read::<gateway::Service>(environment),
        "identity-service" => read::<identity_service::IdentityService>(environment),
        "delinea-adapter" => read::<delinea_adapter::DelineaAdapter>(environment),
        _ => panic!("there is no service {service}"),
    }
}

/// Whether a command line of ours takes these settings.
pub(crate) fn parse(command: &Command, environment: &Environment) -> Result<(), clap::Error> {
    let line = line(command, environment);
    let command = command.clone().mut_args(|argument| argument.env(Resettable::Reset));
    command.try_get_matches_from(line).map(drop)
}

/// The settings as a command line.
#[track_caller]
fn line(command: &Command, environment: &Environment) -> Vec<String> {
    let flag = |variable: &str| {
        let mut arguments = command.get_arguments();
        let found = arguments.find(|argument| argument.get_env().is_some_and(|env| env == variable));
        let found = found.unwrap_or_else(|| panic!("{variable} is no setting of {}", command.get_name()));
        found.get_long().unwrap().to_owned()
    };
    let flags = environment.iter().map(|(name, value)| (flag(name), value));
    // An empty variable counts as not set.
    let flags = flags.filter(|(_, value)| !value.is_empty());
    let flags = flags.map(|(flag, value)| format!("--{flag}={value}"));
    [command.get_name().to_owned()].into_iter().chain(flags).collect()
}

/// The default of a setting, as the service itself has it.
#[track_caller]
pub(crate) fn default<S: Service>(variable: &str) -> String {
    let command = S::Config::augment_args(Command::new(S::NAME));
    let mut arguments = command.get_arguments();
    let argument = arguments.find(|argument| argument.get_env().is_some_and(|env| env == variable));
    let values = argument.unwrap().get_default_values();
    values.first().unwrap().to_str().unwrap().to_owned()
}

/// A duration as settings have it.
#[track_caller]
pub(crate) fn seconds(text: &str) -> f64 {
    service_runtime::settings::parse_duration(text).unwrap().as_secs_f64()
}
