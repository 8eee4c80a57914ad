// SPDX-License-Identifier: Apache-2.0

//! `enarx keep`: what the owner of Keeps that were left running can do.

mod inputs;
mod redeploy;
mod watch;

use enarx_session::tenant::{Event, Peer, Session};
use enarx_session::wire::{Command, Exit, Message, Running, Status};
use enarx_session::{KeepId, OwnerKey};
use enarx_verifier::AttestationResult;
use serde_json::{Value, json};

use crate::args::{Format, KeepCommand, OutputOptions};
use crate::connect::{self, HostAddress};
use crate::failure::{Cause, Failure, Outcome, REFUSED};
use crate::policy::PolicyFile;
use crate::progress::Progress;
use crate::provision::{short, verdict};
use crate::run::{describe, ended, interruptible, remedy};
use crate::state::{Flag, KeepRecord, State};
use crate::stdio::Outputs;
use crate::terminal::{print_json, print_text};
use crate::trust::{Release, Trust};
use crate::wire::{Link, broken, out_of_turn};

pub(crate) async fn perform(command: KeepCommand, output: &OutputOptions) -> Outcome<u8> {
    let state = State::open()?;
    let owner = state.owner_key()?;
    let watching = matches!(command, KeepCommand::Watch(_));
    let work = async {
        match command {
            KeepCommand::Ls => list(&state, &owner, output).await,
            KeepCommand::Logs { keep, follow } => logs(&state.find(&keep)?, &owner, follow, output).await,
            KeepCommand::Attest { keep, policy } => {
                let record = state.find(&keep)?;
                let policy = match policy {
                    Some(file) => PolicyFile::read(Some(&file))?,
                    None => record.policy_file()?,
                };
                let trust = Trust::new(policy, &state, Release::measure(None))?;
                attest(&record, &owner, &trust, output).await
            }
            KeepCommand::Forget { keep } => {
                let record = state.find(&keep)?;
                state.forget(&record)?;
                let mut progress = Progress::new(output);
                let text =
                    format!("{}: if it still runs, it can no longer be reached from here", record.name());
                progress.step("forgotten", &text, json!({ "keep": record.keep }));
                Ok(0)
            }
            KeepCommand::Stop { keep } => stop(&state, &state.find(&keep)?, &owner, output).await,
            KeepCommand::Watch(args) => watch::watch(&args, &state, &owner, output).await,
        }
    };
    // Watching ends in its own way.
    if watching { work.await } else { interruptible(work).await }
}

async fn list(state: &State, owner: &OwnerKey, output: &OutputOptions) -> Outcome<u8> {
    let records = state.keeps()?;
    let text = output.format != Format::Json;
    if text && !output.quiet {
        if records.is_empty() {
            tell!("no Keeps; `enarx deploy --detach` leaves one running");
        } else {
            print_text(&line("NAME", "STATE", "WORKLOAD", "HOST", "NOTE"))?;
        }
    }
    for record in &records {
        let found = Found::of(record, owner).await;
        if text {
            print_text(&found.row(record))?;
        } else {
            print_json(&found.to_json(record))?;
        }
    }
    Ok(0)
}

/// What became of a Keep, as far as that can be known from here.
struct Found {
    state: String,
    /// What explains the state, where something has to be explained
    why: Option<String>,
    details: Value,
}

impl Found {
    async fn of(record: &KeepRecord, owner: &OwnerKey) -> Self {
        if record.watched.flag.as_ref().is_some_and(|flag| flag.stopped) {
            return Self::ended(&Exit::Stopped);
        }
        let failure = match status(record, owner).await {
            Ok(Status { exit: None, run_time_ms }) => {
                let details = json!({ "run_time_ms": run_time_ms });
                return Self { state: "running".to_owned(), why: None, details };
            }
            Ok(Status { exit: Some(exit), .. }) => return Self::ended(&exit),
            Err(failure) => failure,
        };
        let (state, why) = match failure.cause() {
            Cause::HostUnreachable => ("host unreachable", failure.message().to_owned()),
            Cause::KeepGone => ("gone", gone(record).await.unwrap_or_else(|| failure.message().to_owned())),
            Cause::KeepRefused => ("refused", failure.message().to_owned()),
            Cause::ConnectionLost | Cause::Other => ("no session", failure.message().to_owned()),
        };
        Self { state: state.to_owned(), details: json!({ "why": why }), why: Some(why) }
    }

    fn ended(exit: &Exit) -> Self {
        let state = match exit {
            Exit::Exited(status) => format!("exited {status}"),
            Exit::Trapped(_) => "trapped".to_owned(),
            Exit::LimitExceeded(_) => "limit exceeded".to_owned(),
            Exit::Stopped => "stopped".to_owned(),
            Exit::NotStarted(_) => "not started".to_owned(),
        };
        let explains = !matches!(exit, Exit::Exited(_) | Exit::Stopped);
        let why = explains.then(|| ended(exit).1.lines().next().unwrap_or_default().to_owned());
        Self { state, why, details: describe(exit) }
    }

    fn row(&self, record: &KeepRecord) -> String {
        let simulated = record.simulated.then(|| "SIMULATED".to_owned());
        let refused = |flag: &Flag| {
            let moved = flag.redeployed.as_deref().map(|keep| format!("; redeployed as {}", short(keep)));
            format!("REFUSED by its policy: {}{}", flag.codes.join(" "), moved.unwrap_or_default())
        };
        let refused = record.watched.flag.as_ref().map(refused);
        let note: Vec<String> = simulated.into_iter().chain(refused).chain(self.why.clone()).collect();
        line(record.name(), &self.state, &record.workload, &record.host, &note.join("; "))
    }

    fn to_json(&self, record: &KeepRecord) -> Value {
        json!({
            "keep": record.keep,
            "state": self.state,
            "details": self.details,
            "workload": record.workload,
            "workload_digest": record.workload_digest,
            "host": record.host,
            "simulated": record.simulated,
            "deployed_at": record.deployed_at,
            "accepted_at": record.watched.accepted_at,
            "refused": record.watched.flag,
        })
    }
}

fn line(name: &str, state: &str, workload: &str, host: &str, note: &str) -> String {
    format!("{}\n", format!("{name:<12}  {state:<16}  {workload:<20}  {host:<24}  {note}").trim_end())
}

/// How the process of a Keep ended, if its host still knows.
async fn gone(record: &KeepRecord) -> Option<String> {
    let address = HostAddress::parse(&record.host).ok()?;
    let exit = connect::info(&address, record.host_id.parse().ok()?).await.ok()?.exit?;
    Some(format!("the host says that the Keep ended: {exit}"))
}

async fn status(record: &KeepRecord, owner: &OwnerKey) -> Outcome<Status> {
    let mut link = admitted(record, owner).await?;
    link.session().send(Command::Status).map_err(|error| broken(&error))?;
    let Event::Message(Message::Status(status)) = link.soon().await? else { return Err(out_of_turn()) };
    link.close().await;
    Ok(status)
}

async fn logs(record: &KeepRecord, owner: &OwnerKey, follow: bool, output: &OutputOptions) -> Outcome<u8> {
    let mut link = admitted(record, owner).await?;
    link.session().send(Command::Logs { follow }).map_err(|error| broken(&error))?;
    let mut outputs = Outputs::open();
    loop {
        match link.next().await? {
            Event::Message(Message::Log { stream, bytes }) => outputs.write(stream, &bytes).await?,
            Event::Message(Message::LogsEnd) => break,
            // The end of the workload is the log's end too, which comes next.
            Event::Message(Message::Exited(_)) => {}
            Event::Closed => return Err(Failure::unreachable("the Keep ended before its log did")),
            _ => return Err(out_of_turn()),
        }
    }
    link.session().send(Command::Status).map_err(|error| broken(&error))?;
    if let Event::Message(Message::Status(Status { exit: Some(exit), .. })) = link.soon().await? {
        tell_end(&exit, output);
    }
    link.close().await;
    Ok(0)
}

/// A log that just stops does not say that its workload trapped.
fn tell_end(exit: &Exit, output: &OutputOptions) {
    match output.format {
        Format::Json => {
            let mut event = describe(exit);
            if let Value::Object(event) = &mut event {
                event.insert("event".to_owned(), json!("ended"));
            }
            tell_json!(&event);
        }
        Format::Text | Format::Ear if matches!(exit, Exit::Exited(0)) || output.quiet => {}
        Format::Text | Format::Ear => tell!("{}{}", ended(exit).1, remedy(exit)),
    }
}

async fn attest(record: &KeepRecord, owner: &OwnerKey, trust: &Trust, output: &OutputOptions) -> Outcome<u8> {
    let (result, running) = attested(record, owner, trust).await?;
    match output.format {
        Format::Text | Format::Ear => {
            print_text(&format!("{}\nworkload sha256:{}\n", verdict(&result), record.workload_digest))?;
        }
        Format::Json => {
            let mut answer = serde_json::to_value(&result).map_err(Failure::usage)?;
            if let Value::Object(answer) = &mut answer {
                answer.insert("keep".to_owned(), json!(record.keep));
                answer.insert("workload_digest".to_owned(), json!(hex::encode(running.workload)));
                answer.insert("owner".to_owned(), json!(hex::encode(running.owner.0)));
            }
            print_json(&answer)?;
        }
    }
    Ok(0)
}

/// Asks a Keep for fresh evidence and appraises it.
async fn attested(
    record: &KeepRecord,
    owner: &OwnerKey,
    trust: &Trust,
) -> Outcome<(AttestationResult, Running)> {
    let session = Session::observe(Some(identity(record)?)).map_err(|error| broken(&error))?;
    let mut link = connect(record, session).await?;
    let Event::Offer(offer) = link.soon().await? else { return Err(out_of_turn()) };
    let refused = |failure: Failure| {
        failure.saying(
            "the Keep is refused by the trust policy; it still has what it was given when it was deployed",
        )
    };
    let result = trust.appraise(&offer.bundle, &offer.report_data).map_err(refused)?;
    link.close().await;
    let running = offer.running.ok_or_else(|| other("it runs nothing"))?;
    if running.owner != owner.id() {
        return Err(other("it has another owner"));
    }
    if hex::encode(running.workload) != record.workload_digest {
        return Err(other("it runs another workload"));
    }
    Ok((result, running))
}

/// Evidence that is good and speaks of something else than what was deployed.
fn other(what: &str) -> Failure {
    Failure::with_code(
        REFUSED,
        format!("the evidence is good, but the Keep is not the one that was deployed: {what}"),
    )
}

async fn stop(state: &State, record: &KeepRecord, owner: &OwnerKey, output: &OutputOptions) -> Outcome<u8> {
    let how = end(record, owner).await?;
    state.forget(record)?;
    let mut progress = Progress::new(output);
    progress.step("stopped", &format!("{}: {how}", record.name()), json!({ "keep": record.keep }));
    Ok(0)
}

/// Ends a Keep; how its workload ended.
async fn end(record: &KeepRecord, owner: &OwnerKey) -> Outcome<String> {
    let mut link = admitted(record, owner).await?;
    link.session().send(Command::Stop).map_err(|error| broken(&error))?;
    let mut how = None;
    // The Keep says how the workload ended, then goodbye; or it is gone before it could.
    while let Ok(event) = link.soon().await {
        if let Event::Message(Message::Exited(exit)) = event {
            how = Some(ended(&exit).1);
        }
    }
    Ok(how.unwrap_or_else(|| "the Keep is ended".to_owned()))
}

/// A session in which the Keep knows its owner.
async fn admitted(record: &KeepRecord, owner: &OwnerKey) -> Outcome<Link> {
    let session = Session::new(owner, Peer::Known(identity(record)?)).map_err(|error| broken(&error))?;
    let mut link = connect(record, session).await?;
    match link.soon().await? {
        Event::Admitted => Ok(link),
        _ => Err(out_of_turn()),
    }
}

async fn connect(record: &KeepRecord, session: Session) -> Outcome<Link> {
    let address = HostAddress::parse(&record.host)?;
    let id = record
        .host_id
        .parse()
        .map_err(|error| Failure::usage(format!("the record of {}: {error}", record.name())))?;
    let stream = connect::control(&address, id).await?;
    let mut link = Link::new(session, stream);
    link.connected().await?;
    Ok(link)
}

fn identity(record: &KeepRecord) -> Outcome<KeepId> {
    let mut key = [0; 32];
    hex::decode_to_slice(&record.keep, &mut key)
        .map_err(|_| Failure::usage(format!("the record of {} has no valid key", short(&record.keep))))?;
    Ok(KeepId(key))
}
