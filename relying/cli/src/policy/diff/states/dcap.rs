// SPDX-License-Identifier: Apache-2.0

//! States of SGX and TDX: what Intel thinks of a platform, and what a TD or enclave was created with.

use std::collections::BTreeSet;

use enarx_evidence::dcap::{Body, Configuration, TcbStatus, TdAttributes, Xfam};
use enarx_verifier::policy::{ExtendedState, Intel, TdAttribute, Vocabulary as _};
use enarx_verifier::{DcapClaims, DcapTcb, JudgedTcb, UnixTime};

use super::super::Pair;
use super::{State, bits, common, named_by_both};

const DAY: u64 = 24 * 60 * 60;

/// What no policy names.
const UNKNOWN_ADVISORY: &str = "INTEL-SA-99999";
const UNKNOWN_DIGEST: [u8; 48] = [0xee; 48];

/// The states of a platform in which two policies may differ: all is well but for one thing.
pub(super) fn states(claims: &DcapClaims, policies: &Pair<'_>, now: UnixTime) -> Vec<State<DcapClaims>> {
    let intel = [policies.old.intel(), policies.new.intel()];
    let mut states = States { well: well(claims, intel, now), states: Vec::new() };
    states.but("", |_| {});
    judged(&mut states, intel, now);
    versions(&mut states, intel);
    states.but("smt", |claims| smt(claims, true));
    match claims.quote.body {
        Body::Td(_) => td(&mut states, intel),
        Body::Sgx(_) => {
            let debug =
                bits(|word| enarx_evidence::dcap::SgxAttributes { flags: word, xfrm: Xfam::ALWAYS }.debug());
            states.but("debug", |claims| {
                if let Body::Sgx(report) = &mut claims.quote.body {
                    report.attributes.flags |= debug;
                }
            });
        }
    }
    for state in ExtendedState::ALL {
        let mask = bits(|word| state.is_in(Xfam(word)));
        states.but(&format!("extended state {state}"), |claims| extended(claims, |xfam| xfam.0 |= mask));
    }
    states.states
}

struct States {
    well: DcapClaims,
    states: Vec<State<DcapClaims>>,
}

impl States {
    fn but(&mut self, label: &str, change: impl FnOnce(&mut DcapClaims)) {
        let mut claims = self.well.clone();
        change(&mut claims);
        self.states.push(State::new(label, claims));
    }

    fn td(&mut self, label: &str, change: impl FnOnce(&mut enarx_evidence::dcap::TdReport)) {
        self.but(label, |claims| {
            if let Body::Td(report) = &mut claims.quote.body {
                change(report);
            }
        });
    }

    /// Differs in the platform and in what is thought of all of it.
    fn thought(&mut self, label: &str, change: impl FnOnce(&mut JudgedTcb)) {
        self.but(label, |claims| {
            if let Some(tcb) = &mut claims.tcb {
                change(&mut tcb.platform);
                tcb.status = tcb.platform.status;
            }
        });
    }
}

/// The platform as nobody could wish it better, with what both policies name where they ask for something by its name.
fn well(claims: &DcapClaims, intel: [&Intel; 2], now: UnixTime) -> DcapClaims {
    let mut claims = claims.clone();
    let [old, new] = intel;
    let best = common(&old.tcb_status, &new.tcb_status).unwrap_or(TcbStatus::UpToDate);
    let date = now.max(old.minimum_tcb_date).max(new.minimum_tcb_date);
    if let Some(DcapTcb { status, platform, module, quoting_enclave }) = &mut claims.tcb {
        *status = best;
        for part in [Some(platform), module.as_mut(), quoting_enclave.as_mut()].into_iter().flatten() {
            *part = JudgedTcb {
                status: best,
                date,
                advisories: Vec::new(),
                evaluation_data_number: u32::MAX,
                behind_since: None,
            };
        }
    }
    claims.pck.tcb.pce_svn = u16::MAX;
    claims.quote.signature.qe.report.isv_svn = u16::MAX;
    smt(&mut claims, false);
    extended(&mut claims, |xfam| *xfam = Xfam::ALWAYS);
    if let Body::Td(report) = &mut claims.quote.body {
        report.td_attributes = TdAttributes(bits(|word| TdAttributes(word).sept_ve_disable()));
        report.tee_tcb_svn = [u8::MAX; 16];
        let module = named_by_both(&old.tdx_modules, &new.tdx_modules);
        report.mr_seam = module.unwrap_or(report.mr_seam);
        let signer = named_by_both(&old.tdx_module_signers, &new.tdx_module_signers);
        report.mr_signer_seam = signer.unwrap_or(report.mr_signer_seam);
        if let Some(extension) = &mut report.extension {
            extension.mr_service_td = [0; 48];
        }
    }
    claims
}

fn smt(claims: &mut DcapClaims, on: bool) {
    let none = Configuration { dynamic_platform: None, cached_keys: None, smt_enabled: None };
    claims.pck.configuration.get_or_insert(none).smt_enabled = Some(on);
}

fn extended(claims: &mut DcapClaims, change: impl FnOnce(&mut Xfam)) {
    match &mut claims.quote.body {
        Body::Sgx(report) => change(&mut report.attributes.xfrm),
        Body::Td(report) => change(&mut report.xfam),
    }
}

/// What Intel thinks: each status, how long it has been so, dates, numbers and advisories.
fn judged(states: &mut States, intel: [&Intel; 2], now: UnixTime) {
    for status in TcbStatus::ALL.iter().copied().filter(|status| *status != TcbStatus::Revoked) {
        states.thought(&format!("status={status}"), |part| part.status = status);
    }
    let days: BTreeSet<u32> = intel.iter().map(|intel| intel.out_of_date_accepted_for_days).collect();
    for days in days.into_iter().filter(|days| *days > 0) {
        for days in [days.saturating_sub(1), days] {
            let since = UnixTime(now.0.saturating_sub(u64::from(days).saturating_mul(DAY)));
            states.thought(&format!("status=OutOfDate for {days} days"), |part| {
                part.status = TcbStatus::OutOfDate;
                part.behind_since = Some(since);
            });
        }
    }
    let named =
        intel.iter().flat_map(|intel| intel.advisories_accepted.iter().chain(&intel.advisories_refused));
    let advisories: BTreeSet<&str> = named.map(String::as_str).chain([UNKNOWN_ADVISORY]).collect();
    for advisory in advisories {
        let label = if advisory == UNKNOWN_ADVISORY { "that no policy names" } else { advisory };
        states.thought(&format!("an advisory {label}"), |part| part.advisories.push(advisory.to_owned()));
    }
    for intel in intel {
        for less in [0, 1] {
            if let Some(number) = intel.minimum_tcb_evaluation_data_number.checked_sub(less) {
                states.thought(&format!("evaluation={number}"), |part| part.evaluation_data_number = number);
            }
            if let Some(date) = intel.minimum_tcb_date.0.checked_sub(DAY.saturating_mul(u64::from(less))) {
                let date = UnixTime(date);
                states.thought(&format!("date={date}"), |part| part.date = date);
            }
        }
    }
}

/// Versions of what vouches for the platform, and of the TDX module.
fn versions(states: &mut States, intel: [&Intel; 2]) {
    for intel in intel {
        for less in [0, 1] {
            if let Some(svn) = intel.minimum_pce_svn.checked_sub(less) {
                states.but(&format!("PCE SVN {svn}"), |claims| claims.pck.tcb.pce_svn = svn);
            }
            if let Some(svn) = intel.minimum_qe_svn.checked_sub(less) {
                let label = format!("quoting enclave SVN {svn}");
                states.but(&label, |claims| claims.quote.signature.qe.report.isv_svn = svn);
            }
            let (version, svn) = intel.minimum_tdx_module;
            let module = u16::from_be_bytes([version, svn]).checked_sub(less).map(u16::to_be_bytes);
            if let Some([version, svn]) = module {
                states.td(&format!("module={version}.{svn}"), |report| {
                    report.tee_tcb_svn = [u8::MAX; 16];
                    report.tee_tcb_svn.iter_mut().zip([svn, version]).for_each(|(to, from)| *to = from);
                });
            }
        }
    }
}

/// What a TD was created with.
fn td(states: &mut States, intel: [&Intel; 2]) {
    let mask = |is_in: fn(TdAttributes) -> bool| bits(|word| is_in(TdAttributes(word)));
    let (sept_ve, migratable) = (mask(TdAttributes::sept_ve_disable), mask(TdAttributes::migratable));
    let debug = mask(TdAttributes::debug);
    states.td("debug", |report| report.td_attributes.0 |= debug);
    states.td("migration", |report| report.td_attributes.0 |= migratable);
    states.td("sept-ve", |report| report.td_attributes.0 &= !sept_ve);
    for attribute in TdAttribute::ALL {
        let mask = bits(|word| attribute.is_in(TdAttributes(word)));
        states.td(&format!("TD attribute {attribute}"), |report| report.td_attributes.0 |= mask);
    }
    let named = |list: fn(&Intel) -> &BTreeSet<[u8; 48]>| {
        intel
            .iter()
            .flat_map(|intel| list(intel).iter().copied())
            .chain([UNKNOWN_DIGEST])
            .collect::<BTreeSet<_>>()
    };
    for digest in named(|intel| &intel.tdx_modules) {
        states.td(&format!("TDX module {}", shown(&digest)), |report| report.mr_seam = digest);
    }
    for digest in named(|intel| &intel.tdx_module_signers) {
        states.td(&format!("TDX module signer {}", shown(&digest)), |report| report.mr_signer_seam = digest);
    }
    for digest in named(|intel| &intel.service_tds) {
        states.td(&format!("service TD {}", shown(&digest)), |report| {
            if let Some(extension) = &mut report.extension {
                extension.mr_service_td = digest;
            }
        });
    }
}

fn shown(digest: &[u8; 48]) -> String {
    if *digest == UNKNOWN_DIGEST { "that no policy names".to_owned() } else { hex::encode(digest) }
}
