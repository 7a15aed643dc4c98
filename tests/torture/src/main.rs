//! The fault campaign's command line.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use fault_campaign::{NAMES, Outcome, Plan, Profile, Settings, Store, campaign};

#[derive(Debug, Parser)]
#[command(
    about = "Kills the services and lets the Platform fail, as seeds have it, and proves that nothing came of it"
)]
struct Arguments {
    /// The first seed; a random one when absent.
    #[arg(long)]
    seed: Option<u64>,
    /// How many seeds, counted from the first.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// What identity-service keeps its state in.
    #[arg(long, value_enum, default_value_t = Stores::Both)]
    store: Stores,
    /// Which kind of tenant the Platform is, by a name of the simulator's profiles.
    #[arg(long, value_parser = profile, default_value_t = Profile::Default)]
    profile: Profile,
    /// How many tenants the deployment has; each has an Entra and a Platform of its own.
    #[arg(long, default_value_t = 1, value_parser = tenants)]
    tenants: usize,
    /// Show the plans, and do nothing.
    #[arg(long)]
    plan: bool,
    /// Folder that gets one for each campaign; what went well is removed.
    #[arg(long, default_value = "target/torture")]
    out: PathBuf,
    /// Leave the folders also of what went well.
    #[arg(long)]
    keep: bool,
    /// Which log records the services write, as a filter.
    #[arg(long, default_value = "info,opentelemetry=warn")]
    log: String,
    /// Folder of the programs; that of this program when absent.
    #[arg(long)]
    programs: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Stores {
    Embedded,
    Redis,
    Both,
}

impl Stores {
    fn list(self) -> Vec<Store> {
        match self {
            Self::Embedded => vec![Store::Embedded],
            Self::Redis => vec![Store::Redis],
            Self::Both => Store::BOTH.to_vec(),
        }
    }
}

fn profile(name: &str) -> Result<Profile, String> {
    let known = Profile::ALL.into_iter().find(|profile| profile.name() == name);
    known.ok_or_else(|| format!("it is one of {}", Profile::ALL.map(Profile::name).join(", ")))
}

fn tenants(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=NAMES.len()).contains(number));
    number.ok_or_else(|| format!("it is a number from 1 to {}", NAMES.len()))
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    // Short enough to be typed again.
    let first = arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u16>()));
    let program = std::env::current_exe()?;
    let beside = program.parent().context("this program is in no folder")?.to_owned();
    let settings = Settings {
        programs: arguments.programs.unwrap_or(beside),
        out: std::path::absolute(&arguments.out)?,
        keep: arguments.keep,
        log: arguments.log,
    };
    let mut failed = Vec::new();
    for seed in first..first.saturating_add(arguments.seeds) {
        for store in arguments.store.list() {
            let plan = Plan::of(seed, store, arguments.profile, arguments.tenants);
            if arguments.plan {
                write!(io::stdout(), "{plan}")?;
                continue;
            }
            if !run(plan, &settings).await? {
                let of_several = match arguments.tenants {
                    1 => String::new(),
                    several => format!(" TENANTS={several}"),
                };
                failed.push(format!(
                    "SEED={seed} STORE={store} PROFILE={}{of_several}",
                    arguments.profile
                ));
            }
        }
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = io::stdout();
    writeln!(out, "failed; to play it again:")?;
    for which in failed {
        writeln!(out, "    {which} make torture")?;
    }
    Ok(ExitCode::FAILURE)
}

/// Runs one, and tells what came of it.
async fn run(plan: Plan, settings: &Settings) -> Result<bool> {
    let mut out = io::stdout();
    let Plan {
        seed, store, profile, ..
    } = plan;
    let where_to = settings.clone();
    // A task of its own: what panics in it is a failure of this seed.
    let ran = tokio::spawn(async move { campaign(&plan, &where_to).await }).await;
    let Outcome {
        summary,
        took,
        findings,
        story,
        folder,
    } = match ran.map_err(anyhow::Error::from).and_then(|outcome| outcome) {
        Ok(outcome) => outcome,
        Err(error) => {
            writeln!(out, "seed {seed:>5} {store:<8} {profile:<14} could not run: {error:#}")?;
            return Ok(false);
        }
    };
    let took = took.as_secs_f64();
    if findings.is_empty() {
        writeln!(
            out,
            "seed {seed:>5} {store:<8} {profile:<14} {took:3.0} s  equal; {summary}"
        )?;
        return Ok(true);
    }
    writeln!(
        out,
        "seed {seed:>5} {store:<8} {profile:<14} {took:3.0} s  {} findings; {summary}",
        findings.len()
    )?;
    writeln!(out, "the end of what happened:")?;
    for line in story {
        writeln!(out, "    {line}")?;
    }
    writeln!(out, "what was found:")?;
    for finding in findings {
        writeln!(out, "    {finding}")?;
    }
    writeln!(out, "plan, story and logs are in {}", folder.display())?;
    Ok(false)
}
