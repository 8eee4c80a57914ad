// SPDX-License-Identifier: Apache-2.0

//! What a policy asks of TPM quotes: that every register it names is there, in a bank that can be trusted.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use enarx_evidence::tpm::HashAlgorithm;

use crate::Code;
use crate::claims::QuoteClaims;
use crate::policy::{Policy, Switch, Tee};
use crate::refusal::{Findings, Subject};

/// How many registers policies can name.
const REGISTERS: u8 = 32;

/// Whoever asks a TPM for a quote chooses the registers, and that is the host: what a policy names must be among
/// them, and what is among them is checked against the policy as every measurement register is.
pub(super) fn check(tee: Tee, quote: &QuoteClaims, policy: &Policy, findings: &mut Findings) {
    sha1(quote, policy, findings);
    if quote.values.is_none() {
        let expected = "the value of every register that the quote selects";
        findings.refuse(Subject::Registers, Code::PcrValuesMissing, expected, "not all of them");
        return;
    }
    let registers = quote.registers();
    for number in 0..REGISTERS {
        let name = format!("pcr{number}");
        if policy.register(tee, &name).is_some() {
            let quoted = registers.contains_key(&number);
            let found = if quoted { "it is" } else { "it is not" };
            let expected = format_args!("a quote about {name}, which the policy names");
            let (entry, code) = (policy.register_entry(tee, &name), Code::RegisterNotQuoted);
            findings.check_by(entry, Subject::Registers, code, quoted, expected, found);
        }
    }
}

fn sha1(quote: &QuoteClaims, policy: &Policy, findings: &mut Findings) {
    let accepted = policy.tpm().sha1 == Switch::Accept;
    let weak = |(number, (bank, _)): (u8, (HashAlgorithm, &[u8]))| {
        (bank == HashAlgorithm::Sha1).then(|| format!("pcr{number}"))
    };
    let mut found: Vec<String> = quote.registers().into_iter().filter_map(weak).collect();
    if quote.hash == HashAlgorithm::Sha1 {
        found.insert(0, "the signature".into());
    }
    let good = found.is_empty() || accepted;
    let expected = if accepted { "any hash function" } else { "SHA-256 or stronger" };
    let found =
        if found.is_empty() { String::from("no SHA-1") } else { format!("SHA-1 for {}", found.join(", ")) };
    let (entry, code) = (policy.entry("tpm.sha1"), Code::WeakHashNotAccepted);
    findings.check_by(entry, Subject::HashFunction, code, good, expected, found);
}
