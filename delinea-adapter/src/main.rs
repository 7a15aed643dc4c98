//! The process `delinea-adapter`.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_runtime::main::<delinea_adapter::DelineaAdapter>()
}
