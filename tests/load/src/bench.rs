//! The plan of a run: what is started, which comparisons are made, and what each should come to.

mod flood;
mod groups;
mod relay;
mod size;
mod speed;
mod telemetry;
mod waiting;

use std::{collections::BTreeMap, fs, path::PathBuf, thread};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use jiff::Timestamp;

use crate::{
    client::Target,
    floor::Floor,
    report::{Figure, Figures, Report, Row, Table},
    slice::{Compared, Pace, Work, compare},
    system::{Answers, Delivery, Engine, Setup, System},
};

/// What the sizes should not change: the least ratio of the rates.
const SAME: f64 = 0.85;
/// Members of large groups, where there are enough users.
const LARGE_GROUPS: [usize; 2] = [100_000, 500_000];

/// The parts that need the small instance alone.
const SMALL: [Section; 5] = [
    Section::Floor,
    Section::Flood,
    Section::Telemetry,
    Section::Delivery,
    Section::Build,
];
/// The parts that need the large instance, too.
const LARGE: [Section; 6] = [
    Section::Size,
    Section::Members,
    Section::Pages,
    Section::Memory,
    Section::Redis,
    Section::Start,
];

/// The parts that deliver.
const DELIVERING: [Section; 5] = [
    Section::Delivery,
    Section::Rate,
    Section::Calls,
    Section::Age,
    Section::Wait,
];

/// A part of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// Each request against the floor.
    Floor,
    /// The same with delivery on, to a simulated Platform that answers at once.
    Delivery,
    /// Requests beside a flood of wrong credentials.
    Flood,
    /// Requests that are traced, against the same without a collector.
    Telemetry,
    /// Deliveries a second.
    Rate,
    /// Calls of the Platform for Entra's requests.
    Calls,
    /// The age of the oldest pending change where the Platform takes few calls.
    Age,
    /// What answers take longer because they wait for a slow Platform's verdict.
    Wait,
    /// Each request at the large size against the small one.
    Size,
    /// Members of a large group against those of a small one.
    Members,
    /// Pages of a list, at its start, middle and end.
    Pages,
    /// Resident memory under load.
    Memory,
    /// What Redis takes for a user.
    Redis,
    /// Time until ready.
    Start,
    /// The programs of `--against`.
    Build,
}

/// What a run is to be like.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The engine.
    pub engine: Engine,
    /// Users of the large instance.
    pub users: usize,
    /// Users of the small one.
    pub small: usize,
    /// `appendfsync` of Redis: the first for everything, the others for the floor's comparison.
    pub fsync: Vec<String>,
    /// Whether delivery is paused throughout.
    pub paused: bool,
    /// Changes of each kind whose deliveries are timed.
    pub changes: usize,
    /// Users that are created at once where the Platform takes few calls.
    pub burst: usize,
    /// Only these parts; all when empty.
    pub only: Vec<Section>,
    /// How long and how often.
    pub pace: Pace,
    /// Where the tables go.
    pub out: PathBuf,
    /// Where the services' programs are.
    pub programs: PathBuf,
    /// Threads of each service and of the floor.
    pub threads: Option<usize>,
    /// Programs of another build, to be compared with.
    pub against: Option<PathBuf>,
    /// This program, which serves the floor.
    pub program: PathBuf,
}

/// A run under way.
struct Run<'a> {
    settings: &'a Settings,
    report: Report,
    /// The number up to which users may have been created.
    numbers: u64,
}

/// Does it all.
pub async fn run(settings: &Settings) -> Result<()> {
    let first = settings.fsync.first().context("--fsync is empty")?;
    ensure!(settings.small >= 1000, "--small must be at least 1000");
    ensure!(settings.users >= 2 * settings.small, "--users must be twice --small");
    fs::create_dir_all(&settings.out)?;
    let folder = fs::canonicalize(&settings.out)?;
    let mut run = Run {
        settings,
        report: Report {
            conditions: conditions(settings),
            ..Report::default()
        },
        numbers: 0,
    };

    let setup = Setup {
        programs: settings.programs.clone(),
        importer: settings.programs.clone(),
        threads: settings.threads,
        folder: folder.clone(),
        engine: settings.engine,
        delivery: Delivery::Paused,
        answer_wait: None,
        tracing: None,
        appendfsync: first.clone(),
        users: settings.small,
        groups: small_groups(settings),
    };
    if SMALL.into_iter().chain(LARGE).any(|section| run.wants(section)) {
        Box::pin(run.under_load(&setup)).await?;
    }
    Box::pin(run.of_deliveries(&setup)).await?;

    let name = format!("{:?}-{}", settings.engine, settings.users).to_lowercase();
    run.report.write(&folder, &name)?;
    say(&format!("wrote {}/{name}.md and .json\n", folder.display()));
    say(&run.report.markdown());
    Ok(())
}

impl Run<'_> {
    /// Requests in a closed loop.
    async fn under_load(&mut self, setup: &Setup) -> Result<()> {
        let settings = self.settings;
        say(&format!("starting the small instance, {} users", settings.small));
        let small = System::start(setup).await?;
        if self.wants(Section::Floor) || self.wants(Section::Delivery) {
            let files = tempfile::Builder::new().prefix("floor-").tempdir_in(&setup.folder)?;
            let floor = Floor::start(&settings.program, settings.threads, files.path(), &setup.appendfsync).await?;
            if self.wants(Section::Floor) {
                self.against_floor(&small, &floor).await?;
            }
            if self.wants(Section::Delivery) {
                say(&format!("starting an instance that delivers, {} users", settings.small));
                let setup = Setup {
                    delivery: Delivery::On(Answers::default()),
                    ..setup.clone()
                };
                self.with_delivery(&System::start(&setup).await?, &floor).await?;
            }
        }
        if self.wants(Section::Flood) {
            self.flood(&small).await?;
        }
        if self.wants(Section::Telemetry) {
            self.telemetry(setup, &small).await?;
        }
        if let Some(programs) = settings.against.as_ref().filter(|_| self.wants(Section::Build)) {
            say("starting the other build");
            let setup = Setup {
                programs: programs.clone(),
                ..setup.clone()
            };
            self.builds(&small, &System::start(&setup).await?).await?;
        }
        if LARGE.into_iter().any(|section| self.wants(section)) {
            say(&format!("starting the large instance, {} users", settings.users));
            let setup = Setup {
                users: settings.users,
                groups: groups(settings),
                ..setup.clone()
            };
            let mut large = System::start(&setup).await?;
            self.large(&mut large, &small).await?;
        }
        Ok(())
    }

    /// What becomes of changes, each part on instances of its own.
    async fn of_deliveries(&mut self, setup: &Setup) -> Result<()> {
        if self.wants(Section::Rate) {
            self.rate(setup).await?;
        }
        if self.wants(Section::Calls) {
            self.calls(setup).await?;
        }
        if self.wants(Section::Age) {
            self.ages(setup).await?;
        }
        if self.wants(Section::Wait) {
            self.waits(setup).await?;
        }
        Ok(())
    }

    async fn large(&mut self, large: &mut System, small: &System) -> Result<()> {
        let filled = large.filled;
        let way = if filled.imported { "import" } else { "POSTs" };
        self.figures("Filling the large instance");
        self.figure(Figure::new(format!("by {way}"), filled.took.as_secs_f64(), "s"));
        if self.wants(Section::Redis) {
            self.redis_memory(large).await?;
        }
        if self.wants(Section::Members) {
            self.members(large).await?;
        }
        if self.wants(Section::Pages) {
            self.pages(large).await?;
        }
        if self.wants(Section::Size) {
            self.sizes(large, small).await?;
        }
        if self.wants(Section::Memory) {
            self.resident(large).await?;
        }
        if self.wants(Section::Start) {
            self.start_up(large).await?;
        }
        Ok(())
    }

    fn wants(&self, section: Section) -> bool {
        if self.settings.paused && DELIVERING.contains(&section) {
            return false;
        }
        self.settings.only.is_empty() || self.settings.only.contains(&section)
    }

    /// Compares, and measures what a request takes of the system's processes and of its redis-server; the other side has
    /// others.
    async fn compare(&self, (system, ours): (&System, &Work<'_>), other: (&Target, &Work<'_>)) -> Result<Compared> {
        let (cpu, scripts) = (system.cpu()?, scripts_run(system).await?);
        let mut compared = compare(self.settings.pace, (&system.target, ours), other).await?;
        let sent = u32::try_from(compared.sent)?.max(1);
        compared.cpu = Some((system.cpu()? - cpu) / sent);
        let run = scripts_run(system).await?.zip(scripts);
        compared.scripts = run.map(|(after, before)| (after - before) as f64 / f64::from(sent));
        Ok(compared)
    }

    fn table(&mut self, title: impl Into<String>) -> usize {
        let title = title.into();
        say(&format!("\n{title}"));
        self.report.tables.push(Table {
            title,
            rows: Vec::new(),
        });
        self.report.tables.len() - 1
    }

    fn row(&mut self, row: Row) {
        say(&row.line());
        if let Some(table) = self.report.tables.last_mut() {
            table.rows.push(row);
        }
    }

    /// Begins figures that belong together.
    fn figures(&mut self, title: impl Into<String>) {
        let title = title.into();
        say(&format!("\n{title}"));
        self.report.figures.push(Figures {
            title,
            figures: Vec::new(),
        });
    }

    fn figure(&mut self, figure: Figure) {
        say(&format!("{}: {} {}", figure.what, figure.shown(), figure.unit));
        if let Some(figures) = self.report.figures.last_mut() {
            figures.figures.push(figure);
        }
    }
}

async fn scripts_run(system: &System) -> Result<Option<u64>> {
    match &system.redis {
        Some(redis) => Ok(Some(redis.scripts_run().await?)),
        None => Ok(None),
    }
}

/// An empty group, one of the small size, and large ones.
fn groups(settings: &Settings) -> Vec<usize> {
    let mut sizes = vec![0, settings.small];
    sizes.extend(LARGE_GROUPS.into_iter().filter(|size| *size <= settings.users / 2));
    if sizes.len() == 2 {
        sizes.push(settings.users / 2);
    }
    sizes.dedup();
    sizes
}

/// Groups of the small instance, so that its users have as many as those of the large one.
fn small_groups(settings: &Settings) -> Vec<usize> {
    let of_large = groups(settings).into_iter();
    let mut sizes: Vec<_> = of_large.map(|size| size * settings.small / settings.users).collect();
    sizes.dedup();
    sizes
}

fn conditions(settings: &Settings) -> BTreeMap<&'static str, String> {
    let pace = settings.pace;
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    BTreeMap::from([
        ("at", Timestamp::now().to_string()),
        (
            "engine",
            format!("{:?}, appendfsync {}", settings.engine, settings.fsync.join(" and ")).to_lowercase(),
        ),
        ("sizes", format!("{} and {} users", settings.small, settings.users)),
        (
            "pace",
            format!(
                "{} connections, {} slices of {:?} of each side, in turn",
                pace.connections, pace.rounds, pace.slice
            ),
        ),
        ("machine", format!("{cores} cores, load before the run {}", load.trim())),
        (
            "delivery",
            "paused (DELIVERY_CONCURRENCY=0), so that changes stay pending, but where it is said to be on".to_owned(),
        ),
        (
            "threads",
            match settings.threads {
                Some(threads) => format!("{threads} in each service and in the floor"),
                None => "as many in each service as there are cores".to_owned(),
            },
        ),
        (
            "cpu",
            "CPU time of gateway and identity-service for one request, what is done beside requests included"
                .to_owned(),
        ),
        (
            "scripts",
            "run by Redis for one request of ours, with what is done beside requests meanwhile".to_owned(),
        ),
    ])
}

/// Tells whoever watches.
fn say(line: &str) {
    eprintln!("{line}");
}
