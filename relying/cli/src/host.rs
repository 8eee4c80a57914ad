// SPDX-License-Identifier: Apache-2.0

//! The host on this machine: embedded for `enarx run`, or as the daemon of `enarx host serve`.

use std::io::IsTerminal as _;

use enarx_hostd::serve::{ServeConfig, TlsFiles};
use enarx_hostd::{Host, HostConfig, HostError, NetworkRules};
use serde_json::json;
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

use crate::args::{Format, OutputOptions, PlatformArgs, ServeArgs};
use crate::backend;
use crate::failure::{Failure, Outcome, chain};
use crate::progress::Progress;
use crate::state::State;

/// Makes a host of this machine.
pub(crate) fn open(
    args: &PlatformArgs,
    network: NetworkRules,
    state: &State,
    progress: &mut Progress,
) -> Outcome<(Host, HostConfig)> {
    let backend = backend::choose(args, progress)?;
    let mut config = HostConfig::new(backend, state.simulator_folder(), args.simulate.clone());
    config.require_sandbox = args.require_sandbox;
    config.network = network;
    if !config.simulator_dir.exists() {
        progress.step("simulator", "first use: making the keys of a simulated vendor", json!({}));
    }
    let host = Host::new(config.clone()).map_err(|error| failed(&error))?;
    Ok((host, config))
}

/// `enarx host serve`
pub(crate) async fn serve(args: ServeArgs, output: &OutputOptions) -> Outcome<()> {
    log(output);
    let state = State::open()?;
    let mut progress = Progress::new(output);
    let network = NetworkRules { listen: args.allow_listen, connect: args.allow_connect };
    let (_, mut config) = open(&args.platform, network, &state, &mut progress)?;
    config.limits.max_keeps = args.max_keeps;
    let program = config.backend.executed().to_owned();
    let host = Host::new(config).map_err(|error| failed(&error))?;
    host.rehearse().await.map_err(|error| {
        let cause = chain(&error);
        failed(&error).saying(format!("no Keep can be made with {}: {cause}", program.display()))
    })?;
    let platform = host.platform().await.map_err(|error| failed(&error))?;
    let (bound, listening) = oneshot::channel();
    let mut serving = ServeConfig::new(args.listen);
    serving.bound = Some(bound);
    let scheme = if args.tls_cert.is_some() { "https" } else { "http" };
    if let (Some(certificates), Some(key)) = (args.tls_cert, args.tls_key) {
        serving.tls = Some(TlsFiles { certificates, key });
    }
    let server = enarx_hostd::serve(host, serving, async {
        // When no signal can be waited for, the default action of the signal ends the daemon.
        if enarx_hostd::serve::termination().await.is_err() {
            std::future::pending::<()>().await;
        }
    });
    let announce = async {
        if let Ok(address) = listening.await {
            let root = platform.simulated_root_spki_sha256.as_deref().unwrap_or("none");
            let what = if platform.simulated {
                format!("{} (SIMULATED, root sha256:{root})", platform.platform)
            } else {
                format!("{} of {}", platform.tee, platform.platform)
            };
            let mut text =
                format!("{scheme}://{address}\nplatform {what}\nKeep measurement {}", platform.measurement);
            if let Some(caveat) = &platform.caveat {
                text.push_str("\nCAUTION: ");
                text.push_str(caveat);
            }
            progress.step(
                "listening",
                &text,
                json!({ "url": format!("{scheme}://{address}"), "platform": platform }),
            );
        }
    };
    let (served, ()) = tokio::join!(server, announce);
    served.map_err(|error| Failure::unreachable(format!("the host ended: {}", chain(&error))))?;
    progress.finish("all Keeps are ended", &json!({}));
    Ok(())
}

/// Sends the log of the daemon to standard error: one line for every Keep and every refusal, or what `RUST_LOG` asks
/// for. There is nothing in it about workloads but their sizes.
fn log(output: &OutputOptions) {
    let usual = if output.quiet { "warn" } else { "info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let terminal = std::io::stderr().is_terminal();
    // A log that was set up before stays: the program is used by somebody who wants it elsewhere.
    let _ = match output.format {
        Format::Json => log.json().flatten_event(true).try_init(),
        Format::Text | Format::Ear => log.with_ansi(terminal).with_target(false).try_init(),
    };
}

/// What a host says when it cannot do something.
pub(crate) fn failed(error: &HostError) -> Failure {
    let failure = Failure::unreachable(chain(error));
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
