// SPDX-License-Identifier: Apache-2.0

//! Sorting what the host sent: certificates, lists and signed documents, in any encoding and order, some of them
//! twice, some for other machines.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use enarx_evidence::dcap::{EnclaveIdentity, Signed, TcbInfo};
use enarx_evidence::endorsement::{Document, documents};
use enarx_evidence::nvgpu::Rim;
use enarx_evidence::x509::{Certificate, RevocationList};
use enarx_evidence::{Bundle, Endorsements as Items};

use crate::Code;
use crate::chain::Proved;
use crate::refusal::{Findings, Subject};

/// Limit of all documents together: it bounds the number of signatures that are verified.
const MAX_DOCUMENTS: usize = Bundle::MAX_ENDORSEMENTS;

/// Everything readable that the host sent.
pub(crate) struct Endorsements<'a> {
    pub(crate) certificates: Vec<Certificate<'a>>,
    pub(crate) lists: Vec<RevocationList<'a>>,
    pub(crate) tcb_infos: Vec<Signed<'a, TcbInfo>>,
    pub(crate) identities: Vec<Signed<'a, EnclaveIdentity>>,
    pub(crate) manifests: Vec<Rim>,
    /// What was verified of the signatures under certificates and lists.
    pub(crate) proved: Proved<'a>,
}

/// The documents, in DER or JSON, each once.
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
        let mut endorsements = Self {
            certificates: Vec::new(),
            lists: Vec::new(),
            tcb_infos: Vec::new(),
            identities: Vec::new(),
            manifests: Vec::new(),
            proved: Proved::default(),
        };
        for document in opened {
            match Document::parse(document) {
                Ok(Document::Certificate(certificate)) => endorsements.certificates.push(certificate),
                Ok(Document::RevocationList(list)) => endorsements.lists.push(list),
                Ok(Document::TcbInfo(info)) => endorsements.tcb_infos.push(*info),
                Ok(Document::EnclaveIdentity(identity)) => endorsements.identities.push(*identity),
                Ok(Document::ReferenceManifest(manifest)) => endorsements.manifests.push(*manifest),
                Err(error) => malformed(error, findings),
            }
        }
        endorsements
    }
}

/// Notes that something the host sent cannot be read.
pub(crate) fn malformed(error: impl core::fmt::Display, findings: &mut Findings) {
    let expected = "certificates, revocation lists and signed documents";
    findings.refuse(Subject::Endorsements, Code::EndorsementMalformed, expected, error);
}
