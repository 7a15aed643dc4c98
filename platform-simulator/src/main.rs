//! The simulated Platform as a process of its own. The first signal drains and ends it, the second leaves at once.

use std::io::Write;

use anyhow::Context;
use clap::{Parser, Subcommand};
use platform_simulator::Config;
use service_runtime::{EX_START, EX_USAGE, TelemetryArgs, healthcheck, telemetry};
use tokio::signal::unix::{SignalKind, signal};

/// A stand-in for the Delinea Platform that speaks its real protocol, with faults on request
#[derive(Parser)]
#[command(version)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Ask the running simulator on PLATFORM_SIMULATOR_LISTEN whether it answers
    Healthcheck,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::try_parse().unwrap_or_else(|error| {
        let _ = error.print();
        std::process::exit(if error.use_stderr() { EX_USAGE } else { 0 })
    });
    if let Some(Command::Healthcheck) = options.command {
        return Ok(healthcheck(options.config.listen).await?);
    }
    let telemetry = telemetry::init("platform-simulator", &options.telemetry).context("cannot start telemetry")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let mut running = match platform_simulator::start(options.config).await {
        Err(error) if error.is_setting() => {
            let _ = writeln!(std::io::stderr(), "{:#}", anyhow::Error::from(error));
            std::process::exit(EX_USAGE);
        }
        started => started?,
    };
    // Whoever started it may wait for these lines, or may not read at all.
    let mut out = std::io::stdout();
    let _ = writeln!(
        out,
        "Delinea Platform (simulated)  {0}\npage                          {0}/_sim",
        running.url()
    );
    let _ = out.flush();
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = running.ended() => anyhow::bail!("serving ended"),
    }
    let stopped = tokio::select! {
        stopped = running.stop() => stopped,
        _ = interrupt.recv() => std::process::exit(EX_START),
        _ = terminate.recv() => std::process::exit(EX_START),
    };
    telemetry.shutdown();
    Ok(stopped?)
}
