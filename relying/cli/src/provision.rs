// SPDX-License-Identifier: Apache-2.0

//! From a connection to a running workload: attest, appraise, compile, release. The same for a Keep on this machine
//! and on any other.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use enarx_compiler::{Compiler, Step};
use enarx_runtime::engine::EngineSpec;
use enarx_session::tenant::{Event, Offer, Payload, Peer, Session};
use enarx_session::{KeepId, OwnerKey};
use enarx_verifier::{AttestationResult, Check, Tee};
use serde_json::json;

use crate::certify::Certifier;
use crate::connect::Stream;
use crate::failure::{Failure, Outcome, chain};
use crate::progress::Progress;
use crate::state::{self, State};
use crate::terminal::printable;
use crate::trust::Trust;
use crate::wire::{Link, broken, out_of_turn};
use crate::workload::Workload;

/// A workload that runs in a Keep which was accepted.
pub(crate) struct Running {
    pub(crate) link: Link,
    pub(crate) keep: KeepId,
    pub(crate) simulated: bool,
    /// Signs for the listeners of the workload, if it has any
    pub(crate) certifier: Option<Certifier>,
}

/// What is to be done with a fresh Keep.
pub(crate) struct Job<'a> {
    pub(crate) owner: &'a OwnerKey,
    pub(crate) trust: &'a Trust,
    pub(crate) state: &'a State,
    /// Whether the Keep ends with this session
    pub(crate) attach: bool,
    pub(crate) cache: bool,
}

impl Job<'_> {
    /// Proves the Keep at the other end of `stream`, and only then gives it the workload.
    pub(crate) async fn perform(
        &self,
        stream: Box<dyn Stream>,
        workload: Workload,
        progress: &mut Progress,
    ) -> Outcome<Running> {
        let session = Session::new(self.owner, Peer::Fresh).map_err(|error| broken(&error))?;
        let mut link = Link::new(session, stream);
        let keep = link.connected().await?;
        let key = hex::encode(keep.0);
        progress.step(
            "session",
            &format!("TLS 1.3 with X25519MLKEM768 ends in the Keep, whose key is {}…", short(&key)),
            json!({ "keep": key }),
        );
        let Event::Offer(offer) = link.soon().await? else { return Err(out_of_turn()) };
        let result = self.appraise(&offer, progress)?;
        let owner = self.owner.id().0;
        self.trust.policy().check_workload(workload.digest.as_bytes(), &owner).map_err(|refusals| {
            Failure::evidence_refused(
                "the trust policy is not about this workload; nothing was sent",
                refusals,
            )
        })?;
        let (code, kind) = self.compile(&workload, &offer.engine, progress)?;
        let digest = workload.digest;
        let certifier =
            Certifier::new(self.state, &workload, owner, offer.bundle.evidence.format.name(), &result)?;
        let bundle = workload.bundle(kind, code)?;
        let bytes = bundle.encode();
        // The bundle's own copies of the secrets are no longer needed.
        drop(bundle);
        let length = bytes.len();
        let payload = Payload {
            bytes,
            workload: *digest.as_bytes(),
            attach: self.attach,
            time_base_ms: time_base_ms(),
        };
        link.session().release(&result, payload).map_err(|error| broken(&error))?;
        self.provisioned(&mut link, length, progress).await?;
        let owner = hex::encode(owner);
        progress.step(
            "provisioned",
            &format!(
                "{length} bytes sealed to the Keep's one-time key (HPKE, X-Wing), signed by owner {}…\nworkload {digest}",
                short(&owner)
            ),
            json!({ "bytes": length, "owner": owner, "workload_digest": hex::encode(digest.as_bytes()) }),
        );
        Ok(Running { link, keep, simulated: result.simulated().is_some(), certifier })
    }

    /// Waits for the Keep to take everything. How long that takes depends on the size, so only silence is limited.
    async fn provisioned(&self, link: &mut Link, length: usize, progress: &Progress) -> Outcome<()> {
        let bar = progress.bar("sending", length as u64);
        let outcome = loop {
            let before = link.session().backlog();
            match link.soon().await {
                Ok(Event::Provisioned) => break Ok(()),
                Ok(_) => break Err(out_of_turn()),
                Err(_) if link.session().backlog() < before => {
                    bar.set_position((length as u64).saturating_sub(link.session().backlog() as u64));
                }
                Err(failure) => break Err(failure),
            }
        };
        bar.finish_and_clear();
        outcome
    }

    fn appraise(&self, offer: &Offer, progress: &mut Progress) -> Outcome<AttestationResult> {
        let evidence = &offer.bundle.evidence;
        progress.step(
            "evidence",
            &format!(
                "{} bytes of {}, {} endorsements, asked for with a fresh nonce\nlaunched as {}",
                evidence.bytes.len(),
                evidence.format.name(),
                offer.bundle.endorsements.items.len(),
                printable(&String::from_utf8_lossy(&offer.launch)),
            ),
            json!({ "format": evidence.format.name(), "bytes": evidence.bytes.len() }),
        );
        let result = self.trust.appraise(&offer.bundle, &offer.report_data)?;
        for feed in self.trust.expired_advisories(result.appraised_at()) {
            let name = &feed.contents().feed;
            progress
                .warning(&format!("the feed of advisories `{name}` is past its last day, which you accept"));
        }
        let checks = result.checks();
        progress.step(
            "verified",
            &format!("{} checks passed:\n{}", checks.len(), summary(checks)),
            json!({ "checks": checks }),
        );
        progress.step("appraised", &verdict(&result), json!({ "result": result }));
        Ok(result)
    }

    fn compile(
        &self,
        workload: &Workload,
        engine: &str,
        progress: &mut Progress,
    ) -> Outcome<(Vec<u8>, enarx_package::ProgramKind)> {
        let spec = EngineSpec::parse(engine).map_err(|error| {
            Failure::unreachable(format!(
                "the Keep states an engine that this version does not know: {error}"
            ))
            .hint("use the version of enarx that the Keep was built with")
        })?;
        let cache = if self.cache { Some(state::cache_folder()?) } else { None };
        let compiler = Compiler::new(cache).key_file(self.state.cache_key_file());
        let spinner = progress.spinner();
        let compiled = compiler.compile(&workload.program, &spec, &mut |step| {
            if let Step::Compiling { bytes } = step {
                spinner.set_message(format!("compiling {} ({bytes} bytes)", workload.name));
            }
        });
        spinner.finish_and_clear();
        let compiled = compiled.map_err(|error| {
            let failure = Failure::usage(format!("{}: {}", workload.path.display(), chain(&error)));
            match error.hint() {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })?;
        if let Some(warning) = &compiled.warning {
            progress.warning(&format!("the cache of compiled programs was not used: {}", chain(warning)));
        }
        let from = if compiled.cached { "from the cache" } else { "compiled now" };
        progress.step(
            "compiled",
            &format!(
                "{} to {} bytes for {}, {from}",
                workload.name,
                compiled.code.len(),
                spec.target().triple()
            ),
            json!({ "cached": compiled.cached, "bytes": compiled.code.len(), "engine": engine }),
        );
        Ok((compiled.code, compiled.kind))
    }
}

/// What was checked, each name once, in lines that fit a terminal.
fn summary(checks: &[Check]) -> String {
    const WIDTH: usize = 84;
    let mut lines = vec![String::new()];
    let mut told = BTreeSet::new();
    for check in checks.iter().filter(|check| told.insert(check.name)) {
        let Some(line) = lines.last_mut() else { break };
        if line.len() + check.name.len() + 2 > WIDTH {
            line.push(',');
            lines.push(check.name.to_owned());
        } else {
            line.push_str(if line.is_empty() { "" } else { ", " });
            line.push_str(check.name);
        }
    }
    lines.join("\n")
}

/// One or two lines about an accepted Keep; what is simulated is said loudly.
pub(crate) fn verdict(result: &AttestationResult) -> String {
    let mut text = format!("accepted {} {} by rule `{}`", result.vendor(), result.product(), result.rule());
    if result.tee() == Tee::Tpm {
        text.push_str(
            "\nCAUTION: a TPM HIDES NOTHING from whoever operates the machine; it only says what was started",
        );
    }
    match result.simulated() {
        Some(root) => format!(
            "{text}\nSIMULATED platform (root `{root}`): this Keep does not protect the workload from its host"
        ),
        None => text,
    }
}

/// The beginning of a key or digest, for people.
pub(crate) fn short(hexadecimal: &str) -> &str {
    hexadecimal.get(..12).unwrap_or(hexadecimal)
}

fn time_base_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
