//! The load generator's command line.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use load_generator::{
    bench::{self, Section, Settings},
    floor,
    slice::Pace,
    system::Engine,
};
use service_runtime::settings::parse_duration;
use tokio::runtime::Builder;

#[derive(Debug, Parser)]
#[command(about = "Measures the system under the requests that Entra sends")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything, measure it, and write the tables.
    Bench(BenchArguments),
    /// Serve the floor, which `bench` compares with.
    #[command(hide = true)]
    Floor {
        /// Address to listen on.
        listen: String,
        /// The floor's redis-server.
        redis_url: String,
    },
}

#[derive(Debug, clap::Args)]
struct BenchArguments {
    /// What identity-service keeps its state in.
    #[arg(long, value_enum, default_value_t = Engine::Redis)]
    engine: Engine,
    /// Users of the large instance.
    #[arg(long, default_value_t = 20_000)]
    users: usize,
    /// Users of the small instance, and members of the small group.
    #[arg(long, default_value_t = 1_000)]
    small: usize,
    /// `appendfsync` of Redis: the first for everything, the others for the comparison with the floor.
    #[arg(long, value_delimiter = ',', default_value = "always,everysec")]
    fsync: Vec<String>,
    /// Measure with delivery paused only, so that every change stays pending: without the parts where it is on.
    #[arg(long)]
    paused: bool,
    /// Changes of each kind whose deliveries are timed.
    #[arg(long, default_value_t = 1_000)]
    changes: usize,
    /// Users that are created at once where the Platform takes five calls a second; each takes about a second.
    #[arg(long, default_value_t = 40)]
    burst: usize,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Section>,
    /// Slices of each side of a comparison.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Length of a slice.
    #[arg(long, default_value = "1s", value_parser = parse_duration)]
    slice: Duration,
    /// Threads of each service and of the floor; as many as there are cores when absent.
    #[arg(long)]
    threads: Option<usize>,
    /// Connections, with one request in flight on each.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Folder for the tables, and for the files of what is measured meanwhile.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    /// Folder of the programs; that of this program when absent.
    #[arg(long)]
    programs: Option<PathBuf>,
    /// Folder of the programs of another build: each request is also measured against the same to those.
    #[arg(long)]
    against: Option<PathBuf>,
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        // One thread: the generator takes one core at most, of the two that it shares with what it measures.
        Command::Bench(arguments) => Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(bench::run(&settings(arguments)?)),
        // As many threads as a service has.
        Command::Floor { listen, redis_url } => Builder::new_multi_thread()
            .enable_all()
            .build()?
            .block_on(floor::serve(&listen, &redis_url)),
    }
}

fn settings(arguments: BenchArguments) -> Result<Settings> {
    let program = std::env::current_exe()?;
    let beside = program.parent().context("this program is in no folder")?.to_owned();
    Ok(Settings {
        engine: arguments.engine,
        users: arguments.users,
        small: arguments.small,
        fsync: arguments.fsync,
        paused: arguments.paused,
        changes: arguments.changes,
        burst: arguments.burst,
        only: arguments.only,
        pace: Pace {
            slice: arguments.slice,
            rounds: arguments.rounds,
            connections: arguments.connections,
        },
        out: arguments.out,
        threads: arguments.threads,
        against: arguments.against,
        programs: arguments.programs.unwrap_or(beside),
        program,
    })
}
