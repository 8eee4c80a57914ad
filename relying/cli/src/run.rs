// SPDX-License-Identifier: Apache-2.0

//! `enarx run` and `enarx deploy`: the main job on a Keep of this machine or of another.

use enarx_hostd::HostError;
use enarx_hostd::api::{KeepInfo, SandboxLayer};
use enarx_package::limits;
use enarx_session::tenant::Event;
use enarx_session::wire::{Exit, Message};
use serde_json::{Value, json};
use tokio::signal::ctrl_c;

use crate::args::{DeployArgs, Format, OutputOptions, RunArgs};
use crate::connect::{self, HostAddress, Stream};
use crate::failure::{Cause, Failure, Outcome, STOPPED, TRAPPED, UNREACHABLE};
use crate::host;
use crate::lost::explained;
use crate::outputs::Destination;
use crate::policy::PolicyFile;
use crate::progress::Progress;
use crate::provision::{Job, Running};
use crate::state::{KeepRecord, State, Watched};
use crate::stdio;
use crate::terminal::{print_json, print_text, printable};
use crate::trust::{self, Release, Trust};
use crate::wire::{Link, out_of_turn};
use crate::workload::Workload;

/// `enarx run`
pub(crate) async fn run(args: RunArgs, output: &OutputOptions) -> Outcome<u8> {
    let mut progress = Progress::new(output);
    let state = State::open()?;
    let (owner, cache) = (state.owner_key()?, !args.workload.no_cache);
    let workload = Workload::read(&args.workload)?;
    let policy = PolicyFile::read(args.workload.policy.as_deref())?.with_known_roots()?;
    let out = args.workload.out.as_deref().map(Destination::open).transpose()?;
    let (host, config) = host::open(&args.platform, workload.network(), &state, &mut progress)?;
    let release = Release::measure(Some(config.backend.measured()));
    let work = async {
        // Asking for the platform makes the simulator's keys where there are none yet: what `local` means in a policy.
        let (platform, keep) = tokio::join!(host.platform(), host.create());
        platform.map_err(|error| host::failed(&error))?;
        let keep = keep.map_err(|error| host::failed(&error))?;
        let trust = Trust::new(policy, &state, release)?;
        created(&keep, "this machine", &mut progress);
        let job = Job { owner: &owner, trust: &trust, state: &state, attach: true, cache };
        let outcome = match host.control(keep.id).await {
            Ok(stream) => attached(Box::new(stream), workload, out.as_ref(), &job, &mut progress).await,
            Err(error @ HostError::KeepEnded { .. }) => {
                Err(host::failed(&error).because(Cause::ConnectionLost))
            }
            Err(error) => Err(host::failed(&error)),
        };
        explained(outcome, async || host.info(keep.id).ok()).await
    };
    let outcome = interruptible(work).await;
    // Whatever happened, no Keep outlives the command.
    host.shutdown().await;
    outcome
}

/// `enarx deploy`
pub(crate) async fn deploy(args: DeployArgs, output: &OutputOptions) -> Outcome<u8> {
    let mut progress = Progress::new(output);
    let state = State::open()?;
    let (owner, cache) = (state.owner_key()?, !args.workload.no_cache);
    let address = HostAddress::parse(&args.to)?;
    if args.detach {
        stdio::nothing_given()?;
    }
    let workload = Workload::read(&args.workload)?;
    let policy = PolicyFile::read(args.workload.policy.as_deref())?.with_known_roots()?;
    let trust = Trust::new(policy, &state, Release::measure(None))?;
    let out = args.workload.out.as_deref().map(Destination::open).transpose()?;
    interruptible(async {
        let keep = connect::create(&address).await?;
        created(&keep, address.as_str(), &mut progress);
        let stream = connect::control(&address, keep.id).await?;
        let job = Job { owner: &owner, trust: &trust, state: &state, attach: !args.detach, cache };
        if args.detach {
            let record = detached(stream, workload, &job, &address, &keep, &mut progress).await?;
            match output.format {
                Format::Json => {
                    print_json(&json!({ "keep": record.keep, "host": record.host }))?;
                }
                Format::Text | Format::Ear => print_text(&format!("{}\n", record.name()))?,
            }
            Ok(0)
        } else {
            let outcome = attached(stream, workload, out.as_ref(), &job, &mut progress).await;
            explained(outcome, async || connect::info(&address, keep.id).await.ok()).await
        }
    })
    .await
}

/// Ends work at Ctrl-C. Dropping it closes the session, and a Keep ends with the session it is attached to.
pub(crate) async fn interruptible<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    tokio::select! {
        outcome = work => outcome,
        signal = ctrl_c() => match signal {
            Ok(()) => Err(Failure::interrupted()),
            Err(error) => Err(Failure::unreachable(format!("could not wait for Ctrl-C: {error}"))),
        },
    }
}

/// Runs the workload to its end.
async fn attached(
    stream: Box<dyn Stream>,
    workload: Workload,
    out: Option<&Destination>,
    job: &Job<'_>,
    progress: &mut Progress,
) -> Outcome<u8> {
    let Running { mut link, certifier, .. } = job.perform(stream, workload, progress).await?;
    progress.step("running", "the workload has started; its output follows", json!({}));
    let exit = stdio::stream(&mut link, certifier.as_ref(), progress).await?;
    let (code, text) = ended(&exit);
    let first_line = text.lines().next().unwrap_or_default();
    if !matches!(exit, Exit::Exited(_)) && progress.format() == Format::Text {
        tell!("error: {text}{}", remedy(&exit));
    }
    if let Some(out) = out {
        fetch(&mut link, out, first_line, progress).await?;
    }
    link.close().await;
    let mut fields = describe(&exit);
    if let Value::Object(fields) = &mut fields {
        fields.insert("exit_code".to_owned(), json!(code));
    }
    progress.finish(first_line, &fields);
    Ok(code)
}

async fn fetch(link: &mut Link, out: &Destination, ended: &str, progress: &mut Progress) -> Outcome<()> {
    let fetched = out.fetch(link, progress).await?;
    progress.step(
        "fetched",
        &format!(
            "{} changed files, {} bytes, into {}; {} were removed by the workload",
            fetched.files,
            fetched.bytes,
            out.path().display(),
            fetched.removed
        ),
        json!({
            "files": fetched.files, "bytes": fetched.bytes, "removed": fetched.removed, "not_written": fetched.lost,
        }),
    );
    fetched.failure(ended, out.path()).map_or(Ok(()), Err)
}

/// Leaves the workload running and remembers it.
pub(crate) async fn detached(
    stream: Box<dyn Stream>,
    workload: Workload,
    job: &Job<'_>,
    address: &HostAddress,
    keep: &KeepInfo,
    progress: &mut Progress,
) -> Outcome<KeepRecord> {
    let (name, digest, source) = (workload.name.clone(), workload.digest, workload.source.clone());
    let mut running = job.perform(stream, workload, progress).await?;
    if let Some(certifier) = &running.certifier {
        match running.link.soon().await? {
            Event::Message(Message::CertificateRequest(request)) => {
                certifier.answer(&mut running.link, &request, progress)?;
            }
            _ => return Err(out_of_turn()),
        }
    }
    let file = job.trust.file();
    let record = KeepRecord {
        keep: hex::encode(running.keep.0),
        host: address.as_str().to_owned(),
        host_id: keep.id.to_string(),
        workload: name,
        workload_digest: hex::encode(digest.as_bytes()),
        policy: file.text().to_owned(),
        policy_bases: file.bases().iter().map(|base| (base.name.clone(), base.text.clone())).collect(),
        simulated: running.simulated,
        deployed_at: trust::now(),
        source: Some(source),
        watched: Watched::default(),
    };
    job.state.remember(&record)?;
    running.link.close().await;
    progress.step(
        "detached",
        &format!(
            "`enarx keep ls`, `enarx keep logs {}` and so on look after it; its standard input is empty",
            record.name()
        ),
        json!({ "keep": record.keep, "host": record.host }),
    );
    Ok(record)
}

fn created(keep: &KeepInfo, place: &str, progress: &mut Progress) {
    let standing = keep.sandbox.iter().filter(|layer| layer.active).count();
    let missing: Vec<_> = keep.sandbox.iter().filter(|layer| !layer.active).map(missing_layer).collect();
    let kind = match keep.backend.as_str() {
        "" | "process" => String::new(),
        other => format!(" with back end {}", printable(other)),
    };
    let mut text = format!(
        "created on {place}{kind}, which says it is {}; sandbox: {standing} of {} layers",
        printable(&keep.platform),
        keep.sandbox.len()
    );
    if !missing.is_empty() {
        text.push_str("\nwithout ");
        text.push_str(&missing.join(", "));
    }
    progress.step("keep", &text, json!({ "host": place, "info": keep }));
}

fn missing_layer(layer: &SandboxLayer) -> String {
    format!("{} ({})", printable(&layer.name), printable(&layer.detail))
}

/// The exit code of `enarx` and the sentence about how a workload ended.
pub(crate) fn ended(exit: &Exit) -> (u8, String) {
    match exit {
        Exit::Exited(status) => (low_byte(*status), format!("the workload exited with {status}")),
        Exit::Trapped(trap) => {
            let mut text = format!("the workload trapped: {}", printable(&trap.message));
            for (number, frame) in trap.backtrace.iter().enumerate() {
                let function =
                    frame.function.as_deref().map_or_else(|| format!("function {}", frame.index), printable);
                let module = frame.module.as_deref().map(|module| format!(" in {}", printable(module)));
                let offset = frame.offset.map(|offset| format!(" at 0x{offset:x}"));
                let (module, offset) = (module.unwrap_or_default(), offset.unwrap_or_default());
                text.push_str(&["\n  ", &number.to_string(), ": ", &function, &module, &offset].concat());
            }
            (TRAPPED, text)
        }
        Exit::LimitExceeded(limit) => (
            STOPPED,
            format!(
                "the workload ran into its {} limit: {}",
                printable(&limit.limit),
                printable(&limit.detail)
            ),
        ),
        Exit::Stopped => (STOPPED, "the workload was stopped".to_owned()),
        Exit::NotStarted(why) => {
            (UNREACHABLE, format!("the workload could not be started: {}", printable(why)))
        }
    }
}

/// What to do about an end that the tenant can do something about, to be printed after it.
pub(crate) fn remedy(exit: &Exit) -> String {
    match exit {
        Exit::NotStarted(why) if why.contains("its operator does not allow it") => {
            "\n\nhint: the operator of the host allows it by `enarx host serve --allow-listen PORT` or `--allow-connect HOST:PORT`"
                .to_owned()
        }
        Exit::NotStarted(why) if why.contains("the port is in use") => {
            "\n\nhint: end what listens there, or give the listener another `port` in Enarx.toml".to_owned()
        }
        Exit::LimitExceeded(exceeded) if limits::FIELDS.iter().any(|field| field.key == exceeded.limit) => {
            format!("\n\nhint: raise `{}` under [limits] of Enarx.toml", exceeded.limit)
        }
        _ => String::new(),
    }
}

/// The same for programs.
pub(crate) fn describe(exit: &Exit) -> Value {
    match exit {
        Exit::Exited(status) => json!({ "exit": "exited", "status": status }),
        Exit::Trapped(trap) => {
            let frames: Vec<_> = trap
                .backtrace
                .iter()
                .map(|frame| {
                    json!({ "function": frame.function, "index": frame.index, "module": frame.module, "offset": frame.offset })
                })
                .collect();
            json!({ "exit": "trapped", "kind": trap.kind, "message": trap.message, "backtrace": frames })
        }
        Exit::LimitExceeded(limit) => {
            json!({ "exit": "limit", "limit": limit.limit, "detail": limit.detail })
        }
        Exit::Stopped => json!({ "exit": "stopped" }),
        Exit::NotStarted(why) => json!({ "exit": "not-started", "why": why }),
    }
}

/// Exit codes have eight bits; what is not zero must not become zero.
fn low_byte(status: u32) -> u8 {
    match u8::try_from(status & 0xff) {
        Ok(0) | Err(_) if status != 0 => 1,
        Ok(code) => code,
        Err(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_never_becomes_a_success() {
        assert_eq!([0, 1, 255, 256, 0x1_0003, u32::MAX].map(low_byte), [0, 1, 255, 1, 3, 255]);
    }
}
