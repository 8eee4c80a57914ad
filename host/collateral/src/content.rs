// SPDX-License-Identifier: Apache-2.0

//! Whether bytes are what was asked for. It keeps the answers of captive portals, wrong mirrors and broken caches
//! from being stored and shipped; whether a document is genuine, its signature says to the verifier.

use enarx_evidence::dcap::{Collateral, EnclaveId, TeeType};
use enarx_evidence::snp::Generation;
use enarx_evidence::snp::cert::KeyExtensions;
use enarx_evidence::x509::{Certificate, RevocationList, documents};
use enarx_evidence::{Bundle, ParseError};

use crate::error::ContentError;
use crate::item::{Part, Validity};
use crate::what::{IntelTee, PckAuthority, What};

/// Most certificates in one answer. Genuine ones have two.
const MAX_CERTIFICATES: usize = 8;

const CERTIFICATE: &str = "a certificate in DER";
const CERTIFICATES: &str = "certificates in PEM";
const LIST: &str = "a revocation list in DER";
const TCB_INFO: &str = "a TCB info";
const IDENTITY: &str = "an enclave identity";

/// The bytes of an answer as they are stored: lists and single certificates in DER, whatever their encoding on
/// the way, everything else as it came.
pub(crate) fn normalise(what: &What, part: Part, bytes: &[u8]) -> Vec<u8> {
    let single = matches!(
        (what, part),
        (
            What::ChipKey { .. }
                | What::AmdRevocationList { .. }
                | What::PckRevocationList { .. }
                | What::IntelRootRevocationList,
            Part::Answer
        )
    );
    let trimmed = bytes.trim_ascii();
    if !single {
        return trimmed.to_vec();
    }
    // Caches of Intel's service answer in hexadecimal digits.
    if let Ok(der) = hex::decode(trimmed) {
        return der;
    }
    match documents(bytes, 1).as_deref() {
        Ok([der]) => der.to_vec(),
        _ => bytes.to_vec(),
    }
}

/// Between which times the bytes are valid, if they are what was asked for.
pub(crate) fn check(what: &What, part: Part, bytes: &[u8]) -> Result<Validity, ContentError> {
    if bytes.len() > Bundle::MAX_ENDORSEMENT {
        return Err(ContentError::TooLarge { limit: Bundle::MAX_ENDORSEMENT });
    }
    if part == Part::Issuers {
        return certificates(bytes).map(|(_, validity)| validity);
    }
    match what {
        What::ChipKey { generation, hwid, tcb } => {
            let certificate = Certificate::parse(bytes).map_err(not_that(CERTIFICATE))?;
            let extensions = certificate.extensions.iter().map(|found| (found.oid, found.value));
            let extensions = KeyExtensions::parse(extensions).map_err(not_that("a VCEK certificate"))?;
            let extensions = extensions.ok_or(nothing_like("a VCEK certificate"))?;
            let named = Generation::from_product_name(&extensions.product_name);
            let found = named.map_or(extensions.product_name, |named| named.name().to_owned());
            same("product", generation.name(), &found)?;
            let found = extensions.hwid.unwrap_or_default();
            same("chip", &hex::encode(hwid), &hex::encode(found))?;
            same("TCB", &tcb.to_string(), &extensions.tcb.to_string())?;
            Ok(Validity::ALWAYS.and(certificate.not_before, certificate.not_after))
        }
        What::AmdAuthorities { generation, .. } => authorities(*generation, bytes),
        What::AmdRevocationList { generation, .. } => list(bytes, &["ARK", generation.product_name()]),
        What::PckRevocationList { authority: PckAuthority::Processor } => list(bytes, &["Processor CA"]),
        What::PckRevocationList { authority: PckAuthority::Platform } => list(bytes, &["Platform CA"]),
        What::IntelRootRevocationList => list(bytes, &["Root CA"]),
        What::TcbInfo { tee, fmspc } => tcb_info(*tee, fmspc, bytes),
        What::QeIdentity { tee } => identity(*tee, bytes),
    }
}

fn tcb_info(tee: IntelTee, fmspc: &[u8], bytes: &[u8]) -> Result<Validity, ContentError> {
    let info = match Collateral::parse(bytes).map_err(not_that(TCB_INFO))? {
        Collateral::TcbInfo(info) => info.content,
        Collateral::EnclaveIdentity(_) => return Err(nothing_like(TCB_INFO)),
    };
    let found = match info.tee {
        TeeType::Sgx => IntelTee::Sgx,
        TeeType::Tdx => IntelTee::Tdx,
    };
    same("TEE", tee.name(), found.name())?;
    same("FMSPC", &hex::encode(fmspc), &hex::encode(info.fmspc))?;
    Ok(Validity::ALWAYS.and(info.issue_date, info.next_update))
}

fn identity(tee: IntelTee, bytes: &[u8]) -> Result<Validity, ContentError> {
    let identity = match Collateral::parse(bytes).map_err(not_that(IDENTITY))? {
        Collateral::EnclaveIdentity(identity) => identity.content,
        Collateral::TcbInfo(_) => return Err(nothing_like(IDENTITY)),
    };
    let expected = match tee {
        IntelTee::Sgx => EnclaveId::Qe,
        IntelTee::Tdx => EnclaveId::TdQe,
    };
    same("enclave", expected.name(), identity.id.name())?;
    Ok(Validity::ALWAYS.and(identity.issue_date, identity.next_update))
}

/// AMD's root, which issued itself, and what it issued, of the product.
fn authorities(generation: Generation, bytes: &[u8]) -> Result<Validity, ContentError> {
    let (certificates, validity) = certificates(bytes)?;
    let product = generation.product_name();
    let mut views = Vec::new();
    for der in &certificates {
        let certificate = Certificate::parse(der).map_err(not_that(CERTIFICATES))?;
        issued_to(certificate.common_name(), &[product])?;
        views.push(certificate);
    }
    let root = views.iter().find(|certificate| certificate.issuer == certificate.subject);
    let root = root.ok_or(nothing_like("an intermediate and its root"))?;
    let chain = views.len() >= 2 && views.iter().all(|certificate| certificate.issuer == root.subject);
    if chain { Ok(validity) } else { Err(nothing_like("an intermediate and its root")) }
}

fn certificates(bytes: &[u8]) -> Result<(Vec<Vec<u8>>, Validity), ContentError> {
    let found = documents(bytes, MAX_CERTIFICATES).map_err(not_that(CERTIFICATES))?;
    let mut validity = Validity::ALWAYS;
    for der in &found {
        let certificate = Certificate::parse(der).map_err(not_that(CERTIFICATES))?;
        validity = validity.and(certificate.not_before, certificate.not_after);
    }
    Ok((found.into_iter().map(std::borrow::Cow::into_owned).collect(), validity))
}

fn list(bytes: &[u8], issuer: &[&str]) -> Result<Validity, ContentError> {
    let list = RevocationList::parse(bytes).map_err(not_that(LIST))?;
    issued_to(list.issuer_common_name(), issuer)?;
    Ok(Validity::ALWAYS.and(list.this_update, list.next_update))
}

/// Whether a name has the words by which its vendor tells it from its siblings.
fn issued_to(name: &str, words: &[&str]) -> Result<(), ContentError> {
    if words.iter().all(|word| name.contains(word)) {
        return Ok(());
    }
    let name = name.chars().take(100).collect();
    Err(ContentError::Other { field: "authority", expected: words.join(" "), found: name })
}

fn same(field: &'static str, expected: &str, found: &str) -> Result<(), ContentError> {
    if expected == found {
        return Ok(());
    }
    Err(ContentError::Other { field, expected: expected.to_owned(), found: found.to_owned() })
}

fn not_that(expected: &'static str) -> impl Fn(ParseError) -> ContentError {
    move |source| ContentError::NotThat { expected, source: Some(source), content_type: None }
}

const fn nothing_like(expected: &'static str) -> ContentError {
    ContentError::NotThat { expected, source: None, content_type: None }
}
