//! `docs/configuration.md` has a table for each program, between two marks, which is made of the program's own command line. `make docs`
//! writes them; without it, the test fails where the page says something else. What stands outside of the marks is written by hand.

use std::{env, fs, path::Path};

use clap::{Arg, ArgAction, Args, Command};
use service_runtime::TelemetryArgs;

use super::settings;

const BEGIN: &str = "<!-- made by `make docs` of ";
const END: &str = "<!-- end -->";

/// In which section of a tenant a setting may stand, by its id.
type SectionOf = fn(&str) -> Option<&'static str>;

/// A program, and what is to be told of it.
struct Program {
    name: &'static str,
    command: Command,
    section_of: Option<SectionOf>,
    /// It is a part of all-in-one, where a setting may have another name.
    is_joined: bool,
}

fn programs() -> Vec<Program> {
    let program = |name, command| Program {
        name,
        command,
        section_of: None,
        is_joined: false,
    };
    let service = |name, command, section_of| Program {
        name,
        command,
        section_of,
        is_joined: true,
    };
    let simulator = TelemetryArgs::augment_args(settings::<platform_simulator::Config>());
    vec![
        service("gateway", settings::<gateway::Config>(), None),
        service(
            "identity-service",
            settings::<identity_service::Config>(),
            Some(identity_service::Config::section_of),
        ),
        service(
            "delinea-adapter",
            settings::<delinea_adapter::Config>(),
            Some(delinea_adapter::Config::section_of),
        ),
        program("all-in-one", settings::<all_in_one::Options>()),
        program("platform-simulator", simulator),
        program("entra-simulator", entra_simulator::command()),
        program("admin", admin::command()),
    ]
}

#[test]
fn every_setting_is_documented_as_it_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let page = fs::read_to_string(&path).unwrap();
    let renewed = programs()
        .iter()
        .fold(page.clone(), |page, program| renew(&page, program));
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, renewed).unwrap();
        return;
    }
    let lacks = |page: &str, of: &str, sign| {
        let lines = of.lines().filter(|line| !page.lines().any(|known| known == *line));
        lines.map(|line| format!("{sign} {line}\n")).collect::<String>()
    };
    assert!(
        page == renewed,
        "docs/configuration.md is not what the settings say; `make docs` renews it:\n{}{}",
        lacks(&renewed, &page, '-'),
        lacks(&page, &renewed, '+')
    );
}

/// The page with the table of a program as it should be.
fn renew(page: &str, program: &Program) -> String {
    let begin = format!("{BEGIN}{} -->\n", program.name);
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("{begin}is missing"));
    let (_, after) = rest.split_once(END).unwrap_or_else(|| panic!("{END} is missing"));
    format!("{before}{begin}\n{}\n{END}{after}", program.table())
}

impl Program {
    fn table(&self) -> String {
        let heading = match self.section_of {
            Some(_) => "| variable | default | tenant | meaning |\n|---|---|---|---|\n",
            None => "| variable | default | meaning |\n|---|---|---|\n",
        };
        let nested = self.command.get_subcommands().flat_map(Command::get_arguments);
        let mut rows = Vec::new();
        for row in self
            .command
            .get_arguments()
            .chain(nested)
            .filter_map(|arg| self.row(arg))
        {
            // What several commands of a program take is one setting.
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        format!("{heading}{}\n", rows.join("\n"))
    }

    /// A setting's row; an argument without a variable is no setting.
    fn row(&self, argument: &Arg) -> Option<String> {
        let variable = argument.get_env()?.to_str()?;
        let id = argument.get_id().as_str();
        let mut cells = vec![format!("`{variable}`"), default(argument)];
        if let Some(section_of) = self.section_of {
            cells.push(section_of(id).map(|section| format!("`{section}`")).unwrap_or_default());
        }
        let help = argument.get_long_help().or(argument.get_help());
        let help = help.unwrap_or_else(|| panic!("{variable} has no help")).to_string();
        let mut meaning = format!("{}.", help.replace('\n', " ").trim_end_matches('.'));
        meaning += &values(argument);
        if argument.is_hide_env_values_set() {
            meaning += " *Secret.*";
        }
        let flag = argument.get_long().unwrap_or_else(|| panic!("{variable} has no flag"));
        if flag != variable.to_lowercase().replace('_', "-") {
            meaning += &format!(" Its flag is `--{flag}`.");
        }
        if self.is_joined {
            meaning += &joined(self.name, id, variable);
        }
        cells.push(meaning);
        Some(format!("| {} |", cells.join(" | ")))
    }
}

fn default(argument: &Arg) -> String {
    if argument.is_required_set() {
        return "*required*".to_owned();
    }
    let values = argument.get_default_values().iter().filter_map(|value| value.to_str());
    let values: Vec<_> = values.map(|value| format!("`{value}`")).collect();
    if values.is_empty() && matches!(argument.get_action(), ArgAction::SetTrue) {
        return "`false`".to_owned();
    }
    values.join(",")
}

fn values(argument: &Arg) -> String {
    let possible = argument.get_possible_values();
    let shown = possible.iter().filter(|value| !value.is_hide_set());
    let shown: Vec<_> = shown.map(|value| format!("`{}`", value.get_name())).collect();
    if shown.is_empty() || shown == ["`true`", "`false`"] {
        return String::new();
    }
    format!(" Values: {}.", shown.join(", "))
}

/// What a service's setting is called in all-in-one, where that is another name.
fn joined(service: &str, id: &str, variable: &str) -> String {
    let command = all_in_one::Settings::command();
    let own = format!("{}_{id}", service.replace('-', "_"));
    let named = |id: &str| command.get_arguments().find(|argument| argument.get_id() == id);
    let argument = named(&own).or_else(|| named(id));
    let argument = argument.unwrap_or_else(|| panic!("all-in-one has no {variable}"));
    match argument.get_env().and_then(|name| name.to_str()) {
        Some(name) if name == variable => String::new(),
        Some(name) => format!(" In all-in-one `{name}`."),
        None => " all-in-one sets it itself.".to_owned(),
    }
}
