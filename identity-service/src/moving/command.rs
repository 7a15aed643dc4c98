//! The commands `export` and `import`: their arguments, and what they say at the end.

use std::{
    error::Error as StdError,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::{Counts, export, import};
use crate::{Config, id::Tenant, start::open_store};

const EXPORT: &str = "export";
const IMPORT: &str = "import";
/// Standard output, as the name of a file.
const STDOUT: &str = "-";

#[derive(Debug, Args)]
struct ExportArgs {
    /// File to write, for its owner alone since it holds personal data; `-` is standard output. Run again, an export that was
    /// cut off goes on.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Args)]
struct ImportArgs {
    /// File to read. Run again, an import that was cut off goes on.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
}

/// The commands, for `service_runtime::main`.
pub(crate) fn commands() -> Vec<Command> {
    let export = ExportArgs::augment_args(Command::new(EXPORT));
    let import = ImportArgs::augment_args(Command::new(IMPORT));
    vec![
        export.about("Write everything that the store holds of the tenant to a file of JSON lines; see docs/moving.md"),
        import.about("Put such a file into a store that the tenant has never used"),
    ]
}

/// Runs one of the commands.
pub(crate) async fn run(name: &str, arguments: &ArgMatches, config: &Config) -> Result<(), Box<dyn StdError>> {
    let tenant = Tenant::new(&config.tenant);
    match name {
        EXPORT => {
            let file = ExportArgs::from_arg_matches(arguments)?.file;
            let path = Some(file.as_path()).filter(|path| *path != Path::new(STDOUT));
            let (store, origin) = open_store(config).await?;
            let counts = export(store.as_ref(), &tenant, origin, path).await?;
            // Where the lines go there is no room for anything else.
            let out: &mut dyn Write = if path.is_some() {
                &mut io::stdout()
            } else {
                &mut io::stderr()
            };
            say(out, "exported", &counts)
        }
        _ => {
            let file = ImportArgs::from_arg_matches(arguments)?.file;
            let (store, _) = open_store(config).await?;
            let counts = import(store.as_ref(), &tenant, &file).await?;
            say(&mut io::stdout(), "imported, and counted in the store", &counts)
        }
    }
}

fn say(out: &mut dyn Write, done: &str, counts: &Counts) -> Result<(), Box<dyn StdError>> {
    write!(out, "{done}:\n{counts}")?;
    Ok(())
}
