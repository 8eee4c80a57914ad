// SPDX-License-Identifier: Apache-2.0

//! Sorting what the host sent: certificates and lists, DER or PEM, in any order, some of them twice, some for
//! other machines.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use enarx_evidence::x509::{Certificate, Document, RevocationList, documents};
use enarx_evidence::{Bundle, Endorsements as Items};

use crate::Code;
use crate::refusal::{Findings, Subject};

/// Limit of all certificates and lists together: it bounds the number of signatures that are verified.
const MAX_DOCUMENTS: usize = Bundle::MAX_ENDORSEMENTS;

/// Everything readable that the host sent.
pub(crate) struct Endorsements<'a> {
    pub(crate) certificates: Vec<Certificate<'a>>,
    pub(crate) lists: Vec<RevocationList<'a>>,
}

/// The documents in DER, each once.
pub(crate) fn open<'a>(items: &'a Items, findings: &mut Findings) -> Vec<Cow<'a, [u8]>> {
    let mut opened = Vec::new();
    for item in &items.items {
        let room = MAX_DOCUMENTS.saturating_sub(opened.len());
        if room == 0 || item.len() > Bundle::MAX_ENDORSEMENT {
            let expected = format_args!(
                "at most {MAX_DOCUMENTS} documents of at most {} bytes",
                Bundle::MAX_ENDORSEMENT
            );
            findings.refuse(Subject::Endorsements, Code::EndorsementsTooMany, expected, "more");
            break;
        }
        match documents(item, room) {
            Ok(documents) => opened.extend(documents),
            Err(error) => malformed(error, findings),
        }
    }
    opened.sort_unstable();
    opened.dedup();
    opened
}

impl<'a> Endorsements<'a> {
    /// Reads each document.
    pub(crate) fn read(opened: &'a [Cow<'_, [u8]>], findings: &mut Findings) -> Self {
        let mut endorsements = Self { certificates: Vec::new(), lists: Vec::new() };
        for der in opened {
            match Document::parse(der) {
                Ok(Document::Certificate(certificate)) => endorsements.certificates.push(certificate),
                Ok(Document::RevocationList(list)) => endorsements.lists.push(list),
                Err(error) => malformed(error, findings),
            }
        }
        endorsements
    }
}

/// Notes that something the host sent cannot be read.
pub(crate) fn malformed(error: impl core::fmt::Display, findings: &mut Findings) {
    let expected = "certificates and revocation lists";
    findings.refuse(Subject::Endorsements, Code::EndorsementMalformed, expected, error);
}
