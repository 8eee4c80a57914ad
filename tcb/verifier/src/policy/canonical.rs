// SPDX-License-Identifier: Apache-2.0

//! The canonical encoding of a policy, whose SHA-256 is the policy's digest.
//!
//! It is a sequence of fields. A field is its name and its value, each preceded by its length as
//! 32 bits, big-endian. First comes the field `enarx trust policy` with the language version, then the
//! fields below in the order of [`encode`]. A list is the field of its name with the number of its items as
//! 64 bits, big-endian, followed by the fields of each item. Words and texts are UTF-8, numbers below
//! 256 one byte, absent options the empty value. Rules are in the order of their ids, sets in the order of
//! their items, and defaults are written out: comments, formatting, order and spelled-out defaults make no
//! difference, everything else does. Only what the language gained after its first form (`registers`, `cca`, `tpm`,
//! `intel`, `tcb info`, `on refusal`) is left out where it says its default, so that a policy keeps its digest when the language grows.

use alloc::collections::BTreeSet;
use alloc::string::String;

use sha2::{Digest, Sha256};

use super::Policy;
use super::intel::{Intel, TcbInfo};
use super::model::{Matcher, Measurement, OnRefusal, SimulatedRoot, Tpm, Vocabulary};

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
        fields.rule(&rule.id, rule.reason.as_ref(), &rule.platforms);
        fields.word("minimum tcb", rule.minimum_tcb);
    }
    fields.list("deny", policy.deny.len());
    for rule in policy.deny.values() {
        fields.rule(&rule.id, rule.reason.as_ref(), &rule.platforms);
    }
    fields.list("minimum tcb", policy.minimum_tcb.len());
    for (&product, floor) in &policy.minimum_tcb {
        fields.word("product", product);
        fields.field("fmc", floor.fmc.as_slice());
        fields.field("components", &[floor.bootloader, floor.tee, floor.snp, floor.microcode]);
    }
    fields.word("debug", policy.guest.debug);
    fields.word("migration", policy.guest.migration);
    fields.list("vmpl", policy.guest.vmpl.len());
    for &level in &policy.guest.vmpl {
        fields.field("level", &[level]);
    }
    fields.word("vlek", policy.guest.vlek);
    fields.word("smt", policy.guest.smt);
    if !policy.platform_software.is_empty() {
        fields.measurements("cca software", &policy.platform_software);
    }
    if policy.tpm != Tpm::default() {
        fields.word("tpm sha1", policy.tpm.sha1);
    }
    fields.word("crl", policy.crl);
    if policy.intel != Intel::default() {
        fields.intel(&policy.intel);
    }
    if policy.tcb_info != TcbInfo::Required {
        fields.word("tcb info", policy.tcb_info);
    }
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
    }

    fn rule(&mut self, id: &str, reason: Option<&String>, platforms: &Matcher) {
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
    }
}
