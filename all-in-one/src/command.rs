//! The process: settings, telemetry, start, rehearsal, serve, exit status.

use std::{
    error::Error as StdError,
    io::{self, Write},
    process::ExitCode,
};

use clap::error::ErrorKind;
use service_runtime::{Chain, EX_START, EX_USAGE, Signals, install_crypto_provider, settings, telemetry};

use crate::{Endpoints, Error, Settings, rehearsal::rehearse, start};

/// Runs the all-in-one. Exit codes: 0 for a clean stop or a clean rehearsal, 1 for a failed start or differences, 64 for
/// settings that cannot be used.
pub fn main() -> ExitCode {
    install_crypto_provider();
    let command = settings::ignoring_empty_variables(Settings::command()).arg(
        clap::Arg::new("check")
            .long("check")
            .action(clap::ArgAction::SetTrue)
            .help("Print the effective settings and exit"),
    );
    let matches = match command.clone().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            // Standard error may be closed; then nobody reads it.
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked { ExitCode::SUCCESS } else { code(EX_USAGE) };
        }
    };
    let settings = match Settings::read(&matches) {
        Ok(settings) => settings,
        Err(error) => {
            let _ = error.print();
            return code(EX_USAGE);
        }
    };
    if let Err(error) = settings.check() {
        failed(&error);
        return code(EX_USAGE);
    }
    if matches.get_flag("check") {
        return match settings::print(&Settings::effective(&command, &matches), &mut io::stdout()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        };
    }
    run(settings)
}

fn run(settings: Settings) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let telemetry = {
        let _inside = runtime.enter();
        telemetry::init("all-in-one", &settings.gateway.telemetry)
    };
    let telemetry = match telemetry {
        Ok(telemetry) => telemetry,
        Err(error) => {
            failed(&error);
            return code(EX_USAGE);
        }
    };
    let outcome = runtime.block_on(Box::pin(serve(settings)));
    telemetry.shutdown();
    runtime.shutdown_background();
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => code(EX_START),
        Err(error) if error.is_usage() => {
            failed(&error);
            code(EX_USAGE)
        }
        Err(error) => failed(&error),
    }
}

/// `true` is a good end.
async fn serve(settings: Settings) -> Result<bool, Error> {
    let options = settings.options.clone();
    // From here on a signal waits until somebody looks.
    let mut signals = Signals::new()?;
    if let Some(path) = &options.endpoints_file {
        Endpoints::remove(path)?;
    }
    let ended = Box::pin(run_whole(settings, &mut signals)).await;
    if let Some(path) = &options.endpoints_file {
        Endpoints::remove(path)?;
    }
    ended
}

async fn run_whole(settings: Settings, signals: &mut Signals) -> Result<bool, Error> {
    let (options, real) = (settings.options.clone(), settings.serves_real_tenant());
    let data_dir = (!options.ephemeral).then(|| settings.data_dir().to_owned());
    let deployment = tokio::select! {
        started = start(settings) => started?,
        signal = signals.next() => {
            tracing::info!(signal = signal?, "stopped before it had started");
            return Ok(!options.once);
        }
    };
    if let Some(path) = &options.endpoints_file {
        deployment.endpoints.write(path)?;
    }
    say(&greeting(&deployment.endpoints, real))?;

    let mut good = true;
    if options.rehearse > 0 && !real {
        say(&format!(
            "\nRehearsing with a simulated Entra directory of {} users …\n",
            options.rehearse
        ))?;
        let rehearsed = tokio::select! {
            rehearsed = rehearse(options.rehearse, &deployment, data_dir.as_deref()) => rehearsed,
            // A cycle that was cut off leaves its objects to the next one, as a crash of Entra's would. With `once` the
            // verdict was asked for, and there is none.
            signal = signals.next() => {
                tracing::info!(signal = signal?, "the rehearsal was cut off");
                let drained = deployment.stop(signals).await?;
                return Ok(drained && !options.once);
            }
        };
        match rehearsed {
            Ok(report) => {
                good = report.is_clean();
                let verdict = if good {
                    "Directory, SCIM and Platform agree."
                } else {
                    "There are differences; see above."
                };
                say(&format!("\n{report}\n{verdict}\n"))?;
            }
            Err(error) if !options.once => say(&format!("\n{}\n", Chain(&error)))?,
            Err(error) => {
                deployment.stop(signals).await?;
                return Err(error);
            }
        }
    }
    if options.once {
        let drained = deployment.stop(signals).await?;
        return Ok(good && drained);
    }
    say(&format!(
        "\nServing at {}. Ctrl-C stops.\n",
        deployment.endpoints.scim_base_url
    ))?;
    deployment.run_until_stopped(signals).await
}

fn greeting(endpoints: &Endpoints, real: bool) -> String {
    let Endpoints {
        scim_base_url,
        bearer_token,
        oauth_token_url,
        oauth_client_id,
        oauth_client_secret,
        identity_grpc,
        adapter_grpc,
        platform_url,
    } = endpoints;
    let platform = if platform_url.is_empty() {
        "Delinea Platforms    those of TENANTS_FILE".to_owned()
    } else if real {
        format!("Delinea Platform     {platform_url}")
    } else {
        format!("Simulated Platform   {platform_url}/_sim")
    };
    let client = match (oauth_client_id, oauth_client_secret) {
        (Some(id), Some(secret)) => {
            format!("Client Identifier    {id}\nClient Secret        {secret}\n")
        }
        _ => String::new(),
    };
    let token = match bearer_token.as_str() {
        "" => "Credentials          those of TENANTS_FILE; `admin token new` makes more\n".to_owned(),
        token => format!("Bearer token         {token}\n"),
    };
    format!(
        "SCIM base URL        {scim_base_url}\n\
         {token}\
         Token Endpoint       {oauth_token_url}\n\
         {client}\
         identity-service     {identity_grpc} (gRPC)\n\
         delinea-adapter      {adapter_grpc} (gRPC)\n\
         {platform}\n"
    )
}

fn say(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Error::Output)
}

fn failed(error: &(dyn StdError + 'static)) -> ExitCode {
    let _ = writeln!(io::stderr(), "all-in-one: {}", Chain(error));
    code(EX_START)
}

fn code(code: i32) -> ExitCode {
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}
