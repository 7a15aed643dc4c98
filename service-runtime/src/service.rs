//! The `main` of every service: settings, telemetry, start, run, drain, and what the exit code says. A service states
//! its name, its settings and how it starts; nothing here knows what it does.

use std::error::Error as StdError;
use std::ffi::OsString;
use std::future::Future;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::shutdown::{Hangups, Signals, run_with};
use crate::{
    Chain, EX_START, EX_USAGE, Error, OpsArgs, Running, TelemetryArgs, healthcheck, install_crypto_provider, settings,
    telemetry,
};

/// A service that [`main`] can run.
pub trait Service {
    /// The name it has in logs, traces and on the command line.
    const NAME: &'static str;
    /// What it does, in a sentence for the help text.
    const ABOUT: &'static str;
    /// Its settings.
    type Config: Args;
    /// What keeps it from starting.
    type Error: StdError + Send + Sync + 'static;

    /// The telemetry settings among its settings.
    fn telemetry(config: &Self::Config) -> &TelemetryArgs;

    /// The operators' settings among its settings.
    fn ops(config: &Self::Config) -> &OpsArgs;

    /// Whether the settings fit together, without opening anything. An error here is the operator's to mend.
    fn check(_config: &Self::Config) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Starts the service; what it listens on is bound when this returns.
    fn start(config: Self::Config) -> impl Future<Output = Result<Running, Self::Error>> + Send;

    /// Commands that do something else than serve, each with arguments of its own. Settings that they share with the service
    /// are global arguments of its own.
    fn commands() -> Vec<Command> {
        Vec::new()
    }

    /// Runs one of [`Self::commands`] with its arguments. A signal ends it wherever it is.
    fn run_command(
        _name: &str,
        _arguments: &ArgMatches,
        _config: Self::Config,
    ) -> impl Future<Output = Result<(), Box<dyn StdError>>> {
        async { Ok(()) }
    }
}

/// Runs `S` as this process. Exit codes: 0 for a clean stop, 1 for a failed start or an unclean stop, 64 for settings
/// that cannot be used.
pub fn main<S: Service>() -> ExitCode {
    main_from::<S, _>(std::env::args_os())
}

/// As [`main`], with a command line that is given and not the process's own.
pub fn main_from<S: Service, A: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = A>) -> ExitCode {
    install_crypto_provider();
    let command = settings::ignoring_empty_variables(command::<S>());
    match command.clone().try_get_matches_from(arguments) {
        Ok(matches) => exit::<S>(run::<S>(&command, &matches)),
        Err(error) => {
            // Standard error may be closed; then nobody reads it.
            let _ = error.print();
            if error.use_stderr() {
                code(EX_USAGE)
            } else {
                ExitCode::SUCCESS
            }
        }
    }
}

/// Why the process ends other than cleanly.
enum Failure {
    Usage(Box<dyn StdError>),
    Run(Box<dyn StdError>),
    /// The stop was not clean; the log has said why.
    Unclean,
}

fn exit<S: Service>(outcome: Result<(), Failure>) -> ExitCode {
    let say = |error: &dyn StdError| {
        let _ = writeln!(io::stderr(), "{}: {}", S::NAME, Chain(error));
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(error)) => {
            say(&*error);
            code(EX_USAGE)
        }
        Err(Failure::Run(error)) => {
            say(&*error);
            code(EX_START)
        }
        Err(Failure::Unclean) => code(EX_START),
    }
}

fn code(code: i32) -> ExitCode {
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// A service's command line, as clap knows it.
pub fn command<S: Service>() -> Command {
    let check = Arg::new("check")
        .long("check")
        .action(ArgAction::SetTrue)
        .help("Print the effective settings and exit");
    S::Config::augment_args(Command::new(S::NAME).version(env!("CARGO_PKG_VERSION")))
        // After the settings: their own documentation would stand for the service's otherwise.
        .about(S::ABOUT)
        .arg(check)
        .subcommand_negates_reqs(true)
        .subcommand(Command::new("healthcheck").about("Ask the running service on OPS_LISTEN whether it is ready"))
        .subcommands(S::commands())
}

fn run<S: Service>(command: &Command, matches: &ArgMatches) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Run(Error::Runtime(error).into()))?;
    if matches.subcommand_matches("healthcheck").is_some() {
        let ops = OpsArgs::from_arg_matches(matches).map_err(|error| Failure::Usage(error.into()))?;
        let unset = || Error::setting("OPS_LISTEN", "must be set for a health check");
        let addr = ops.ops_listen.ok_or_else(|| Failure::Usage(unset().into()))?;
        return runtime
            .block_on(healthcheck(addr))
            .map_err(|error| Failure::Run(error.into()));
    }
    let config = S::Config::from_arg_matches(matches).map_err(|error| Failure::Usage(error.into()))?;
    if let Some((name, arguments)) = matches.subcommand() {
        return runtime.block_on(Box::pin(run_command::<S>(name, arguments, config)));
    }
    S::ops(&config).check().map_err(|error| Failure::Usage(error.into()))?;
    S::check(&config).map_err(|error| Failure::Usage(error.into()))?;
    if matches.get_flag("check") {
        let settings = settings::effective(command, matches);
        return settings::print(&settings, &mut io::stdout()).map_err(|error| Failure::Run(error.into()));
    }
    let telemetry = {
        let _inside = runtime.enter();
        telemetry::init(S::NAME, S::telemetry(&config)).map_err(|error| Failure::Usage(error.into()))?
    };
    let outcome = runtime.block_on(Box::pin(serve::<S>(config)));
    telemetry.shutdown();
    // Blocking work that does not end is left behind.
    runtime.shutdown_background();
    outcome
}

async fn run_command<S: Service>(name: &str, arguments: &ArgMatches, config: S::Config) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(|error| Failure::Run(error.into()))?;
    tokio::select! {
        done = S::run_command(name, arguments, config) => done.map_err(Failure::Run),
        signal = signals.next() => Err(Failure::Run(match signal {
            Ok(signal) => Error::Interrupted(signal).into(),
            Err(error) => error.into(),
        })),
    }
}

async fn serve<S: Service>(config: S::Config) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(|error| Failure::Run(error.into()))?;
    // It asks for files to be read anew, and ends no service, whether it has such files or not.
    let _hangups = Hangups::new().map_err(|error| Failure::Run(error.into()))?;
    let grace = S::ops(&config).drain_limit;
    let running = tokio::select! {
        started = S::start(config) => started.map_err(|error| Failure::Run(error.into()))?,
        _ = signals.next() => {
            tracing::info!(service = S::NAME, "stopped before it had started");
            return Ok(());
        }
    };
    let ops = running.ops_addr.map(tracing::field::display);
    tracing::info!(service = S::NAME, version = env!("CARGO_PKG_VERSION"), addr = %running.addr, ops, "serving");
    match run_with(&mut signals, vec![running], grace).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::Unclean),
        Err(error) => Err(Failure::Run(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener};

    use super::*;
    use crate::{Lifecycle, bind, serve_http};

    struct Echo;

    #[derive(clap::Args)]
    struct EchoConfig {
        /// What must be given.
        #[arg(long)]
        token: String,
        #[command(flatten)]
        ops: OpsArgs,
        #[command(flatten)]
        telemetry: TelemetryArgs,
    }

    impl Service for Echo {
        const NAME: &'static str = "echo";
        const ABOUT: &'static str = "Answers";
        type Config = EchoConfig;
        type Error = Error;

        fn telemetry(config: &EchoConfig) -> &TelemetryArgs {
            &config.telemetry
        }

        fn ops(config: &EchoConfig) -> &OpsArgs {
            &config.ops
        }

        async fn start(config: EchoConfig) -> Result<Running, Error> {
            let life = Lifecycle::start("test", &config.ops).await?;
            serve_http(
                bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?,
                axum::Router::new(),
                life,
            )
        }

        fn commands() -> Vec<Command> {
            vec![Command::new("say").arg(Arg::new("word"))]
        }

        async fn run_command(name: &str, arguments: &ArgMatches, config: EchoConfig) -> Result<(), Box<dyn StdError>> {
            let word = arguments.get_one::<String>("word").map(String::as_str);
            match (name, config.token.as_str(), word) {
                ("say", "t", Some("hello")) => Ok(()),
                _ => Err("nothing to say".into()),
            }
        }
    }

    fn outcome(arguments: &[&str]) -> Result<Result<(), Failure>, clap::Error> {
        let command = command::<Echo>();
        let matches = command.clone().try_get_matches_from(arguments)?;
        Ok(run::<Echo>(&command, &matches))
    }

    #[test]
    fn the_command_line_decides_what_is_done() {
        assert!(outcome(&["echo"]).is_err(), "a required setting is missing");
        assert!(matches!(outcome(&["echo", "--token", "t", "--check"]), Ok(Ok(()))));
        let no_address = outcome(&["echo", "healthcheck"]);
        assert!(
            matches!(no_address, Ok(Err(Failure::Usage(_)))),
            "a health check needs no other setting"
        );
        assert!(matches!(outcome(&["echo", "--token", "t", "say", "hello"]), Ok(Ok(()))));
        let silent = outcome(&["echo", "--token", "t", "say"]);
        assert!(matches!(silent, Ok(Err(Failure::Run(_)))));
        assert!(outcome(&["echo", "--token", "t", "shout"]).is_err());
        let nobody = outcome(&["echo", "--ops-listen", "127.0.0.1:1", "healthcheck"]);
        assert!(matches!(nobody, Ok(Err(Failure::Run(_)))));
        let broken_filter = outcome(&["echo", "--token", "t", "--log", "=,="]);
        assert!(matches!(broken_filter, Ok(Err(Failure::Usage(_)))));
        let no_scheme = outcome(&["echo", "--token", "t", "--otlp-endpoint", "collector:4317"]);
        assert!(matches!(no_scheme, Ok(Err(Failure::Usage(_)))));
        let long_linger = outcome(&["echo", "--token", "t", "--drain-linger", "6s", "--check"]);
        assert!(matches!(long_linger, Ok(Err(Failure::Usage(_)))));
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let failed_start = outcome(&["echo", "--token", "t", "--ops-listen", &address]);
        assert!(matches!(failed_start, Ok(Err(Failure::Run(_)))));
    }
}
