// SPDX-License-Identifier: Apache-2.0

//! Everything that a decision about evidence depends on, from the command line.

use std::path::PathBuf;
use std::rc::Rc;

use enarx_evidence::{Bundle, Format};
use enarx_verifier::policy::{Crl, Freshness, TcbInfo};
use enarx_verifier::{TrustAnchors, UnixTime, Verification, appraise, verify, verify_unbound};

use super::verdict::{Decision, Verdict};
use crate::advisory;
use crate::args::{ReportData, VerifyArgs};
use crate::collateral;
use crate::evidence::{self, NamedRoot};
use crate::failure::{Failure, Outcome};
use crate::policy::PolicyFile;
use crate::state::State;
use crate::trust::{self, Release, Trust};

/// A question about evidence.
pub(super) struct Case {
    bundle: Bundle,
    /// What the evidence must repeat, or what it repeats if nobody says.
    report_data: Option<[u8; 64]>,
    bound: bool,
    anchors: TrustAnchors,
    crl: Crl,
    tcb_info: TcbInfo,
    policy: Option<Rc<Trust>>,
    now: UnixTime,
}

impl Case {
    /// Reads all files.
    pub(super) fn open(args: &VerifyArgs) -> Outcome<Self> {
        let policy = match &args.policy {
            Some(file) => {
                let (policy, state) = (PolicyFile::read(Some(file))?, State::open()?);
                let mut trust = Trust::new(policy, &state, Release::measure(None))?;
                advise(&mut trust, args, &state)?;
                Some(Rc::new(trust))
            }
            None => None,
        };
        Self::under(args, policy)
    }

    /// Reads all files but the policy, which is at hand.
    pub(super) fn under(args: &VerifyArgs, policy: Option<Rc<Trust>>) -> Outcome<Self> {
        // A root is an endorsement, too: chains end with its certificate.
        let files = [args.endorsements.as_slice(), args.trust_roots.as_slice()].concat();
        let mut bundle = evidence::bundle(&args.evidence, &files)?;
        for file in &args.collateral_bundles {
            let offline = collateral::read(file)?;
            // What cannot be chosen from is given as a whole: the verifier says what is missing.
            let chosen = offline.endorsements_for(&bundle.evidence);
            bundle.endorsements.items.extend(chosen.unwrap_or_else(|_| offline.endorsements()).items);
        }
        let (report_data, bound) = binding(args, &bundle)?;
        if policy.is_some() && report_data.is_none() {
            let what =
                "a policy cannot appraise this evidence unbound: it repeats nothing, or more than 64 bytes";
            return Err(Failure::usage(what).hint("leave `--policy` out to see what it says"));
        }
        let known = policy.as_ref().map_or_else(TrustAnchors::vendors, |policy| policy.anchors().clone());
        let anchors = match args.trust_roots.as_slice() {
            [] => known,
            files => named_roots(files, known, bundle.evidence.format)?,
        };
        let crl = if args.accept_absent_crl { Crl::AbsentAccepted } else { Crl::Required };
        let tcb_info = if args.accept_absent_tcb_info { TcbInfo::AbsentAccepted } else { TcbInfo::Required };
        let now = args.at.unwrap_or_else(|| UnixTime(trust::now()));
        Ok(Self { bundle, report_data, bound, anchors, crl, tcb_info, policy, now })
    }

    /// Decides it.
    pub(super) fn decide(&self) -> Verdict {
        // Without any, evidence is refused for what it should repeat, or nobody asks.
        let report_data = &self.report_data.unwrap_or([0; 64]);
        let decision = if let Some(policy) = &self.policy {
            let request = policy.request(&self.bundle, report_data, &self.anchors, self.now);
            appraise(&request).map_or_else(Decision::Refused, Decision::Accepted)
        } else {
            let Self { bundle, anchors, crl, tcb_info, now, .. } = self;
            let (crl, tcb_info, now) = (*crl, *tcb_info, *now);
            let verify = if self.bound { verify } else { verify_unbound };
            verify(&Verification {
                bundle,
                report_data,
                anchors,
                crl,
                tcb_info,
                freshness: Freshness::default(),
                now,
            })
            .map_or_else(Decision::Refused, Decision::Verified)
        };
        let format = self.bundle.evidence.format;
        let given_up = self.given_up();
        Verdict { decision, format, report_data: self.report_data, bound: self.bound, given_up, at: self.now }
    }

    /// The policy, if there is one.
    pub(super) fn policy(&self) -> Option<&Trust> {
        self.policy.as_deref()
    }

    /// What is not asked for, in words.
    fn given_up(&self) -> Vec<&'static str> {
        let lists = self.policy().map_or(self.crl, Trust::crl) == Crl::AbsentAccepted;
        let tcb_info = self.policy().map_or(self.tcb_info, Trust::tcb_info) == TcbInfo::AbsentAccepted;
        let intel = matches!(self.bundle.evidence.format, Format::Tdx | Format::Sgx | Format::AzureTdx);
        let late = self.policy.as_ref().map(|policy| policy.policy().collateral().freshness);
        let late = late.is_some_and(|freshness| freshness.expired_accepted_for_days > 0);
        let stale = self.policy.as_ref().and_then(|policy| policy.expired_advisories(self.now).next());
        let given_up = [
            (stale.is_some(), "what issuers of advisories found out after the last day of their feeds"),
            (late, "what vendors took back in the days for which expired lists and documents are accepted"),
            (lists, "where there is no revocation list, that nothing was revoked"),
            (
                tcb_info && intel,
                "where Intel's documents are missing, that the TCB is up to date and the quoting enclave Intel's",
            ),
        ];
        given_up.into_iter().filter(|(given_up, _)| *given_up).map(|(_, what)| what).collect()
    }
}

/// Adds the feeds that are given by name.
fn advise(trust: &mut Trust, args: &VerifyArgs, state: &State) -> Outcome<()> {
    if args.advisories.is_empty() {
        return Ok(());
    }
    let issuers = [args.advisory_issuers.clone(), advisory::named(&state.advisories())?].concat();
    for file in &args.advisories {
        let feed = advisory::read(file, &issuers, "--advisory-issuer")?;
        trust.listen_to(if args.accept_expired_advisories { feed.accepting_expired() } else { feed });
    }
    Ok(())
}

/// What the evidence has to repeat. Evidence that nobody asked for proves that such a platform once was: whoever wants
/// no more has to say so.
fn binding(args: &VerifyArgs, bundle: &Bundle) -> Outcome<(Option<[u8; 64]>, bool)> {
    if let Some(ReportData(wanted)) = args.report_data.or(args.nonce) {
        return Ok((Some(wanted), true));
    }
    if !args.accept_unbound {
        return Err(Failure::usage("nothing says whom the evidence was made for").hint(
            "give what it must repeat by `--report-data` or `--nonce`; `--accept-unbound` goes without, and then it \
             may be old, or a copy of somebody else's",
        ));
    }
    Ok((evidence::report_data(&bundle.evidence), false))
}

/// Those of the known roots that the files name, and what else they name.
fn named_roots(files: &[PathBuf], known: TrustAnchors, format: Format) -> Outcome<TrustAnchors> {
    let mut anchors = known;
    let mut named = Vec::new();
    for file in files {
        for NamedRoot { name, spki_sha256 } in evidence::roots(file)? {
            // Only for hardware whose makers publish no root is a root of somebody else more than a simulation.
            anchors = match format {
                Format::Cca | Format::Tpm => anchors.with_endorsed(&name, spki_sha256),
                _ => anchors.with_simulated(&name, spki_sha256),
            };
            named.push(spki_sha256);
        }
    }
    Ok(anchors.limited_to(&named))
}
