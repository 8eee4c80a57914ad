// SPDX-License-Identifier: Apache-2.0

//! The canonical encoding of a policy, whose SHA-256 is the policy's digest.
//!
//! It is a sequence of fields. A field is its name and its value, each preceded by its length as
//! 32 bits, big-endian. First comes the field `enarx trust policy` with the language version, then the
//! fields below in the order of [`encode`]. A list is the field of its name with the number of its items as
//! 64 bits, big-endian, followed by the fields of each item. Words and texts are UTF-8, numbers below
//! 256 one byte, absent options the empty value. Rules are in the order of their ids, sets in the order of
//! their items, and defaults are written out: comments, formatting, order and spelled-out defaults make no
//! difference, nor does where something stands; everything else does. What the language gained after its first form is
//! left out where it says its default, so that a policy keeps its digest when the language grows. A policy that extends
//! another one is encoded as what both together mean.

use alloc::collections::BTreeSet;
use alloc::string::String;

use enarx_evidence::snp::TcbVersion;
use sha2::{Digest, Sha256};

use super::Policy;
use super::collateral::Freshness;
use super::guest::{Guest, Tpm};
use super::intel::{Intel, TcbInfo};
use super::model::{Measurement, OnRefusal, SimulatedRoot, Vocabulary};
use super::rule::Matcher;
use crate::UnixTime;

/// The SHA-256 of the canonical encoding.
pub(super) fn digest(policy: &Policy) -> [u8; 32] {
    let mut fields = Fields(Sha256::new());
    encode(policy, &mut fields);
    fields.0.finalize().into()
}

fn encode(policy: &Policy, fields: &mut Fields) {
    fields.field("enarx trust policy", &[super::LANGUAGE_VERSION]);
    fields.measurements("measurements", &policy.measurements);
    if !policy.registers.is_empty() {
        fields.list("registers", policy.registers.len());
        for (name, accepted) in &policy.registers {
            fields.field("register", name.as_bytes());
            fields.measurements("values", accepted);
        }
    }
    fields.list("simulated roots", policy.simulated_roots.len());
    for root in &policy.simulated_roots {
        match root {
            SimulatedRoot::Named(name) => fields.field("named", name.as_bytes()),
            SimulatedRoot::Sha256(digest) => fields.field("sha256", digest),
        }
    }
    fields.list("allow", policy.allow.len());
    for rule in policy.allow.values() {
        fields.rule(&rule.id, rule.reason.as_ref(), &rule.platforms, rule.expires);
        fields.word("minimum tcb", rule.minimum_tcb);
    }
    fields.list("deny", policy.deny.len());
    for rule in policy.deny.values() {
        fields.rule(&rule.id, rule.reason.as_ref(), &rule.platforms, rule.expires);
    }
    fields.list("minimum tcb", policy.minimum_tcb.len());
    for (&product, floor) in &policy.minimum_tcb {
        fields.word("product", product);
        fields.tcb(floor.general);
        if !floor.own.is_empty() {
            fields.list("own tcb", floor.own.len());
            for (&kind, floor) in &floor.own {
                fields.word("tcb", kind);
                fields.tcb(*floor);
            }
        }
    }
    fields.word("debug", policy.guest.debug);
    fields.word("migration", policy.guest.migration);
    fields.list("vmpl", policy.guest.vmpl.len());
    for &level in &policy.guest.vmpl {
        fields.field("level", &[level]);
    }
    fields.word("vlek", policy.guest.vlek);
    fields.word("smt", policy.guest.smt);
    fields.later_guest(&policy.guest);
    fields.digests("id keys", &policy.snp.id_keys);
    fields.digests("author keys", &policy.snp.author_keys);
    if !policy.cca.software.is_empty() {
        fields.measurements("cca software", &policy.cca.software);
    }
    if !policy.cca.signers.is_empty() {
        fields.measurements("cca signers", &policy.cca.signers);
    }
    if policy.tpm != Tpm::default() {
        fields.word("tpm sha1", policy.tpm.sha1);
    }
    fields.word("crl", policy.collateral.crl);
    if policy.intel != Intel::default() {
        fields.intel(&policy.intel);
    }
    if policy.collateral.tcb_info != TcbInfo::Required {
        fields.word("tcb info", policy.collateral.tcb_info);
    }
    let freshness = policy.collateral.freshness;
    if freshness != Freshness::default() {
        let age = freshness.maximum_age_days.map(u32::to_be_bytes);
        fields.field("maximum age", age.as_ref().map_or(&[], |age| age));
        fields.field("expired accepted", &freshness.expired_accepted_for_days.to_be_bytes());
    }
    fields.digests("workloads", &policy.workload.digests);
    fields.digests("owners", &policy.workload.owners);
    if policy.on_refusal != OnRefusal::Flag {
        fields.word("on refusal", policy.on_refusal);
    }
}

struct Fields(Sha256);

impl Fields {
    fn field(&mut self, name: &str, value: &[u8]) {
        for part in [name.as_bytes(), value] {
            // A policy is at most 1 MiB long, and so is each of its parts.
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            self.0.update(length.to_be_bytes());
            self.0.update(part);
        }
    }

    fn list(&mut self, name: &str, items: usize) {
        self.field(name, &(items as u64).to_be_bytes());
    }

    fn measurements(&mut self, name: &str, measurements: &BTreeSet<Measurement>) {
        self.list(name, measurements.len());
        for measurement in measurements {
            match measurement {
                Measurement::Reference(name) => self.field("reference", name.as_bytes()),
                Measurement::Digest { algorithm, digest } => self.field(algorithm.name(), digest),
            }
        }
    }

    fn word<T: Vocabulary>(&mut self, name: &str, word: T) {
        self.field(name, word.name().as_bytes());
    }

    fn intel(&mut self, intel: &Intel) {
        self.list("intel tcb status", intel.tcb_status.len());
        for &status in &intel.tcb_status {
            self.word("status", status);
        }
        self.word("advisories", intel.advisories);
        self.list("advisories accepted", intel.advisories_accepted.len());
        for advisory in &intel.advisories_accepted {
            self.field("advisory", advisory.as_bytes());
        }
        self.field("evaluation", &intel.minimum_tcb_evaluation_data_number.to_be_bytes());
        self.field("date", &intel.minimum_tcb_date.0.to_be_bytes());
        self.word("sept ve enabled", intel.sept_ve_enabled);
        for (name, digests) in [("service tds", &intel.service_tds), ("tdx modules", &intel.tdx_modules)] {
            self.list(name, digests.len());
            for digest in digests {
                self.field("sha384", digest);
            }
        }
        self.list("signers", intel.signers.len());
        for signer in &intel.signers {
            self.field("mr signer", &signer.mr_signer);
            self.field("isv prod id", &signer.isv_prod_id.to_be_bytes());
            self.field("minimum isv svn", &signer.minimum_isv_svn.to_be_bytes());
        }
        self.later_intel(intel);
    }

    /// What the section gained after its first form.
    fn later_intel(&mut self, intel: &Intel) {
        let safe = Intel::default();
        if !intel.advisories_refused.is_empty() {
            self.list("advisories refused", intel.advisories_refused.len());
            for advisory in &intel.advisories_refused {
                self.field("advisory", advisory.as_bytes());
            }
        }
        let (version, svn) = intel.minimum_tdx_module;
        let numbers = [
            ("out of date accepted", intel.out_of_date_accepted_for_days),
            ("minimum pce svn", intel.minimum_pce_svn.into()),
            ("minimum qe svn", intel.minimum_qe_svn.into()),
            ("minimum tdx module", u16::from_be_bytes([version, svn]).into()),
        ];
        for (name, number) in numbers.into_iter().filter(|(_, number)| *number != 0) {
            self.field(name, &number.to_be_bytes());
        }
        if intel.td_attributes != safe.td_attributes {
            self.words("td attributes", &intel.td_attributes);
        }
        if intel.extended_states != safe.extended_states {
            self.words("extended states", &intel.extended_states);
        }
        self.digests("tdx module signers", &intel.tdx_module_signers);
    }

    /// What the section gained after its first form: every switch but the first four.
    fn later_guest(&mut self, guest: &Guest) {
        let defaults = Guest::default();
        let later = guest.switches().into_iter().zip(defaults.switches()).skip(4);
        for ((name, switch), _) in later.filter(|(mine, default)| mine != default) {
            self.field("guest", name.as_bytes());
            self.word("switch", switch);
        }
    }

    fn words<T: Vocabulary>(&mut self, name: &str, words: &BTreeSet<T>) {
        self.list(name, words.len());
        for &word in words {
            self.word("word", word);
        }
    }

    /// Digests of which none is the default.
    fn digests<const N: usize>(&mut self, name: &str, digests: &BTreeSet<[u8; N]>) {
        if !digests.is_empty() {
            self.list(name, digests.len());
            for digest in digests {
                self.field("digest", digest);
            }
        }
    }

    fn tcb(&mut self, tcb: TcbVersion) {
        self.field("fmc", tcb.fmc.as_slice());
        self.field("components", &[tcb.bootloader, tcb.tee, tcb.snp, tcb.microcode]);
    }

    fn rule(&mut self, id: &str, reason: Option<&String>, platforms: &Matcher, expires: Option<UnixTime>) {
        self.field("id", id.as_bytes());
        self.field("reason", reason.map_or(&[], |reason| reason.as_bytes()));
        self.word("vendor", platforms.vendor);
        self.field("tee", platforms.tee.map_or(&[], |tee| tee.name().as_bytes()));
        // "Any product" and "these products, which happen to be all that are known" are different rules.
        self.field("products", if platforms.products.is_some() { b"listed" } else { b"any" });
        self.list("products", platforms.products.iter().flatten().count());
        for &product in platforms.products.iter().flatten() {
            self.word("product", product);
        }
        for (&feature, values) in &platforms.features {
            self.list(feature.name(), values.len());
            for value in values {
                self.field("value", value);
            }
        }
        if let Some(UnixTime(expires)) = expires {
            self.field("expires", &expires.to_be_bytes());
        }
    }
}
