// SPDX-License-Identifier: Apache-2.0

//! `enarx keep watch`: trust does not end when a workload is deployed.
//!
//! A round asks every Keep for fresh evidence, with endorsements that its host collected now, and appraises it under
//! what is true now: the policy, the imported advisories, the measurement of the Keep program, the time. Rounds are held
//! on a schedule and as soon as one of these changes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use enarx_session::OwnerKey;
use enarx_verifier::policy::OnRefusal;
use enarx_verifier::{Refusal, UnixTime};
use futures_util::stream::{self, StreamExt as _};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::inputs::Inputs;
use super::{attested, end, redeploy};
use crate::args::{Format, OutputOptions, WatchArgs};
use crate::failure::{Failure, Outcome, REFUSED, UNREACHABLE};
use crate::policy::PolicyFile;
use crate::provision::short;
use crate::state::{Flag, KeepRecord, State};
use crate::terminal::{print_json, print_text};
use crate::trust::{self, Release, Trust};

/// How many Keeps are asked at once: one whose host is silent does not keep the others waiting.
const AT_ONCE: usize = 16;
/// How soon a change is noticed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a round found out about a Keep.
enum Finding {
    Accepted,
    Refused(Failure, Action),
    Unreachable(Failure),
}

/// What was done with a Keep that is refused.
enum Action {
    /// Its owner is told.
    Flagged,
    /// Its policy wants it drained, which this version cannot do: its owner is told, and it goes on.
    NotDrained,
    /// It was stopped.
    Stopped,
    /// It should be stopped, and its host cannot be reached any more; the next round tries again.
    NotStopped(Failure),
    /// Its workload was started anew in this Keep, and it was stopped, unless its host cannot be reached any more.
    Redeployed { keep: String, host: String, not_stopped: Option<Failure> },
    /// Its workload could not be started anew, for the first reason, and it was stopped, unless for the second.
    NotRedeployed { why: String, not_stopped: Option<Failure> },
}

impl Action {
    fn name(&self) -> &'static str {
        match self {
            Self::Flagged => "flagged",
            Self::NotDrained => "not-drained",
            Self::Stopped => "stopped",
            Self::NotStopped(_) => "not-stopped",
            Self::Redeployed { .. } => "redeployed",
            Self::NotRedeployed { .. } => "not-redeployed",
        }
    }

    /// Whether the Keep is ended now.
    fn stopped(&self) -> bool {
        match self {
            Self::Flagged | Self::NotDrained | Self::NotStopped(_) => false,
            Self::Stopped => true,
            Self::Redeployed { not_stopped, .. } | Self::NotRedeployed { not_stopped, .. } => {
                not_stopped.is_none()
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Flagged => "it goes on, as its policy says".to_owned(),
            Self::NotDrained => "it goes on: its policy says `drain`, which this version cannot do; \
                                 `--stop-instead-of-drain` stops it"
                .to_owned(),
            Self::Stopped => ended(None),
            Self::NotStopped(why) => ended(Some(why)),
            Self::Redeployed { keep, host, not_stopped } => {
                format!("redeployed as {} on {host}; {}", short(keep), ended(not_stopped.as_ref()))
            }
            Self::NotRedeployed { why, not_stopped } => {
                format!("it could NOT be redeployed: {why}; {}", ended(not_stopped.as_ref()))
            }
        }
    }
}

fn ended(not_stopped: Option<&Failure>) -> String {
    match not_stopped {
        None => "it was stopped".to_owned(),
        Some(why) => format!("it could NOT be stopped: {}", why.message()),
    }
}

/// Watches until the process is told to end.
pub(super) async fn watch(
    args: &WatchArgs,
    state: &State,
    owner: &OwnerKey,
    output: &OutputOptions,
) -> Outcome<u8> {
    let watch = Watch { args, state, owner, output };
    if args.once {
        return watch.round("asked").await;
    }
    let rounds = async {
        let mut cause = "started";
        loop {
            let (inputs, begun) = (watch.inputs(), Instant::now());
            if let Err(failure) = watch.round(cause).await {
                // Nothing is accepted as long as this is so; it may be mended while we look on.
                failure.print(output.format);
            }
            cause = watch.next(&inputs, begun).await;
        }
    };
    tokio::select! {
        () = rounds => Ok(0),
        ended = enarx_hostd::serve::termination() => match ended {
            Ok(()) => Ok(0),
            Err(error) => Err(Failure::unreachable(format!("could not wait for Ctrl-C: {error}"))),
        },
    }
}

struct Watch<'a> {
    args: &'a WatchArgs,
    state: &'a State,
    owner: &'a OwnerKey,
    output: &'a OutputOptions,
}

impl Watch<'_> {
    fn inputs(&self) -> Inputs {
        Inputs::look(self.state, self.args.policy.as_deref())
    }

    /// Waits for the time of the next round, or for a reason to hold it earlier.
    async fn next(&self, before: &Inputs, begun: Instant) -> &'static str {
        loop {
            sleep(LOOK_EVERY.min(self.args.every)).await;
            if let Some(changed) = self.inputs().changed_since(before) {
                return changed;
            }
            if begun.elapsed() >= self.args.every {
                return "schedule";
            }
        }
    }

    /// Asks every Keep once; the exit code that tells the worst that was found.
    async fn round(&self, cause: &'static str) -> Outcome<u8> {
        let records = self.records()?;
        // What every decision depends on has to be readable before the first is made.
        self.state.advisories().feeds()?;
        let asked = stream::iter(records).map(|record| self.ask(record)).buffer_unordered(AT_ONCE);
        tokio::pin!(asked);
        let (mut accepted, mut refused, mut unreachable) = (0_usize, 0_usize, 0_usize);
        while let Some(asked) = asked.next().await {
            let (record, finding) = asked?;
            let count = match finding {
                Finding::Accepted => &mut accepted,
                Finding::Refused(..) => &mut refused,
                Finding::Unreachable(_) => &mut unreachable,
            };
            *count = count.saturating_add(1);
            self.tell(&record, &finding)?;
        }
        self.tell_round(cause, accepted, refused, unreachable)?;
        Ok(match (refused, unreachable) {
            (0, 0) => 0,
            (0, _) => UNREACHABLE,
            _ => REFUSED,
        })
    }

    /// The Keeps to ask: each once, and none that was stopped.
    fn records(&self) -> Outcome<Vec<KeepRecord>> {
        let mut records = self.state.keeps()?;
        if !self.args.keeps.is_empty() {
            let named = self.args.keeps.iter().map(|name| Ok(self.state.find(name)?.keep));
            let mut named = named.collect::<Outcome<BTreeSet<_>>>()?;
            // Who watches a Keep watches what took its place, and what took the place of that.
            let successor = |record: &KeepRecord| {
                Some((record.keep.clone(), record.watched.flag.as_ref()?.redeployed.clone()?))
            };
            let mut successors: BTreeMap<String, String> = records.iter().filter_map(successor).collect();
            let mut next: Vec<_> = named.iter().filter_map(|keep| successors.remove(keep)).collect();
            while let Some(keep) = next.pop() {
                next.extend(successors.remove(&keep));
                named.insert(keep);
            }
            records.retain(|record| named.contains(&record.keep));
        }
        records.retain(|record| !record.watched.flag.as_ref().is_some_and(|flag| flag.stopped));
        Ok(records)
    }

    /// Asks a Keep, acts, and remembers what came of it.
    async fn ask(&self, mut record: KeepRecord) -> Outcome<(KeepRecord, Finding)> {
        let trust = self.trust(&record)?;
        let finding = match attested(&record, self.owner, &trust).await {
            Ok(_) => Finding::Accepted,
            Err(failure) if failure.code() == REFUSED => {
                let action = self.act(&record, &trust).await;
                Finding::Refused(failure, action)
            }
            Err(failure) => Finding::Unreachable(failure),
        };
        let before = record.watched.clone();
        match &finding {
            Finding::Accepted => {
                record.watched.flag = None;
                record.watched.accepted_at = Some(trust::now());
            }
            Finding::Refused(failure, action) => {
                record.watched.flag = Some(flag(failure, action, before.flag.as_ref()));
            }
            Finding::Unreachable(_) => {}
        }
        if record.watched != before {
            self.state.update(&record)?;
        }
        Ok((record, finding))
    }

    fn trust(&self, record: &KeepRecord) -> Outcome<Trust> {
        let policy = match &self.args.policy {
            Some(file) => PolicyFile::read(Some(file))?,
            None => record.policy_file()?,
        };
        Trust::new(policy, self.state, Release::measure(None))
    }

    async fn act(&self, record: &KeepRecord, trust: &Trust) -> Action {
        match trust.policy().on_refusal() {
            OnRefusal::Flag => Action::Flagged,
            OnRefusal::Drain if !self.args.stop_instead_of_drain => Action::NotDrained,
            OnRefusal::Redeploy
                if record.watched.flag.as_ref().is_none_or(|flag| flag.redeployed.is_none()) =>
            {
                let hosts = &self.args.redeploy_to;
                let moved = redeploy::elsewhere(record, hosts, (self.state, self.owner, trust)).await;
                let not_stopped = end(record, self.owner).await.err();
                match moved {
                    Ok(KeepRecord { keep, host, .. }) => Action::Redeployed { keep, host, not_stopped },
                    Err(why) => Action::NotRedeployed { why: why.message().to_owned(), not_stopped },
                }
            }
            OnRefusal::Drain | OnRefusal::Redeploy | OnRefusal::Stop => match end(record, self.owner).await {
                Ok(_) => Action::Stopped,
                Err(failure) => Action::NotStopped(failure),
            },
        }
    }

    fn tell(&self, record: &KeepRecord, finding: &Finding) -> Outcome<()> {
        if self.output.format == Format::Json {
            return print_json(&event(record, finding));
        }
        let text = match finding {
            Finding::Accepted if self.output.quiet => return Ok(()),
            Finding::Accepted => "accepted".to_owned(),
            Finding::Unreachable(failure) => format!("UNREACHABLE  {}", failure.message()),
            Finding::Refused(failure, action) => {
                let reasons: Vec<_> = match failure.refusals() {
                    Some(refusals) => refusals.iter().map(reason).collect(),
                    None => vec![failure.message().to_owned()],
                };
                format!("REFUSED  {}\n  {}", action.text(), reasons.join("\n  "))
            }
        };
        print_text(&format!("{}  {}  {}  {text}\n", record.name(), record.workload, record.host))
    }

    fn tell_round(&self, cause: &str, accepted: usize, refused: usize, unreachable: usize) -> Outcome<()> {
        let now = UnixTime(trust::now());
        if self.output.format == Format::Json {
            let round = json!({
                "event": "round", "cause": cause, "at": now,
                "accepted": accepted, "refused": refused, "unreachable": unreachable,
            });
            return print_json(&round);
        }
        if !self.output.quiet {
            tell!("{now}  {accepted} accepted, {refused} refused, {unreachable} unreachable ({cause})");
        }
        Ok(())
    }
}

fn reason(refusal: &Refusal) -> String {
    format!("{refusal}\n    hint: {}", refusal.hint)
}

fn flag(failure: &Failure, action: &Action, before: Option<&Flag>) -> Flag {
    let refusals = || failure.refusals().into_iter().flatten();
    let mut codes: Vec<String> = Vec::new();
    for refusal in refusals() {
        let code = refusal.code.to_string();
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    let reason = refusals().next().map_or_else(|| failure.message().to_owned(), ToString::to_string);
    let redeployed = match action {
        Action::Redeployed { keep, .. } => Some(keep.clone()),
        _ => before.and_then(|flag| flag.redeployed.clone()),
    };
    let since = before.map_or_else(trust::now, |flag| flag.since);
    Flag { since, codes, reason, stopped: action.stopped(), redeployed }
}

fn event(record: &KeepRecord, finding: &Finding) -> serde_json::Value {
    let (state, action, failure) = match finding {
        Finding::Accepted => ("accepted", None, None),
        Finding::Refused(failure, action) => ("refused", Some(action.name()), Some(failure)),
        Finding::Unreachable(failure) => ("unreachable", None, Some(failure)),
    };
    let refusals: Vec<_> = failure.and_then(Failure::refusals).into_iter().flatten().collect();
    json!({
        "event": "keep",
        "keep": record.keep,
        "state": state,
        "action": action,
        "message": failure.map(Failure::message),
        "refusals": refusals,
        "workload": record.workload,
        "host": record.host,
        "accepted_at": record.watched.accepted_at.map(UnixTime),
        "redeployed_to": record.watched.flag.as_ref().and_then(|flag| flag.redeployed.as_deref()),
        "refused_since": record.watched.flag.as_ref().map(|flag| UnixTime(flag.since)),
    })
}
