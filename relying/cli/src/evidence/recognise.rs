// SPDX-License-Identifier: Apache-2.0

//! What bytes are, by their content: sizes, magic numbers, versions. It is only a guess at which parser to ask; what is
//! recognised may still be malformed, and it is the verifier that says so.

use enarx_evidence::azure::{AzureEvidence, HardwareReport};
use enarx_evidence::dcap::{Header, Quote};
use enarx_evidence::snp::{CertTable, Guid, Report};
use enarx_evidence::tpm::{PcrValues, Public, Signature, TpmEvidence};
use enarx_evidence::x509::PublicKey;
use enarx_evidence::{Bundle, Evidence, Fault, Format, cca, nitro, nvgpu};

/// What some bytes turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Evidence with its endorsements, as Enarx packs them.
    Bundle(Bundle),
    /// Evidence, complete.
    Evidence(Evidence),
    /// A part of evidence that comes in several.
    Part(Part),
    /// What vouches for evidence: a certificate, a revocation list, a signed document.
    Endorsement(Vec<u8>),
    /// A public key: DER, or JSON.
    Key(Vec<u8>),
}

/// A part of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// What the paravisor of Azure reports.
    HclReport(Vec<u8>),
    /// A TPM quote: `TPMS_ATTEST`.
    Quote(Vec<u8>),
    /// Its signature: `TPMT_SIGNATURE`.
    Signature(Vec<u8>),
    /// A signature without a word about how it was made, as long as one by RSA.
    BareSignature(Vec<u8>),
    /// A quote and the signature that was found beside it.
    SignedQuote(Vec<u8>, Box<Part>),
    /// The key that made it: `TPMT_PUBLIC`.
    Public(Vec<u8>),
    /// Values of registers.
    Registers(PcrValues),
}

type Recognise = fn(&[u8]) -> bool;
type Take = fn(Vec<u8>) -> Part;

/// Every kind of evidence that is one run of bytes.
const EVIDENCE: &[(Format, Recognise)] = &[
    (Format::SevSnp, is_snp_report),
    (Format::Tdx, |bytes| is_quote(bytes, TEE_TDX)),
    (Format::Sgx, |bytes| is_quote(bytes, TEE_SGX)),
    (Format::Cca, |bytes| CCA_TAGS.iter().any(|tag| bytes.starts_with(tag))),
    (Format::Nitro, |bytes| NITRO_HEADS.iter().any(|head| bytes.starts_with(head))),
    (Format::NvGpu, |bytes| bytes.starts_with(SPDM_REQUEST)),
    (Format::Tpm, |bytes| TpmEvidence::decode(bytes).is_ok()),
    (Format::AzureSnp, |bytes| is_azure(bytes, false)),
    (Format::AzureTdx, |bytes| is_azure(bytes, true)),
];

/// Every part of evidence that comes in several.
const PARTS: &[(Recognise, Take)] = &[
    (|bytes| bytes.starts_with(HCL_SIGNATURE), Part::HclReport),
    (|bytes| bytes.starts_with(TPM_QUOTE), Part::Quote),
    (|bytes| Signature::parse(bytes).is_ok(), Part::Signature),
    (|bytes| Public::parse(bytes).is_ok(), Part::Public),
    (|bytes| matches!(bytes.len(), 256 | 384 | 512), Part::BareSignature),
];

/// Room for versions that are not known yet: the verifier says that it does not know them.
const MAX_SNP_VERSION: u32 = 15;

/// `TEE_TYPE` of a quote.
const TEE_SGX: [u8; 4] = [0, 0, 0, 0];
const TEE_TDX: [u8; 4] = [0x81, 0, 0, 0];

/// SPDM 1.1, a request for all measurements, signed.
const SPDM_REQUEST: &[u8] = &[0x11, 0xe0, 0x01, 0xff];

const HCL_SIGNATURE: &[u8] = b"HCLA";
/// `TPM_GENERATED_VALUE` and `TPM_ST_ATTEST_QUOTE`.
const TPM_QUOTE: &[u8] = &[0xff, 0x54, 0x43, 0x47, 0x80, 0x18];

/// CBOR tags of the collections that a CCA token can be: 399 and 907.
const CCA_TAGS: [&[u8]; 2] = [&[0xd9, 0x01, 0x8f], &[0xd9, 0x03, 0x8b]];

/// A `COSE_Sign1` of four parts, of which the first says ES384, without and with its tag.
const NITRO_HEADS: [&[u8]; 2] =
    [&[0x84, 0x44, 0xa1, 0x01, 0x38, 0x22], &[0xd2, 0x84, 0x44, 0xa1, 0x01, 0x38, 0x22]];

/// A CBOR map of three entries, of which the first is 0.
const BUNDLE_HEAD: &[u8] = &[0xa3, 0x00];

const DER_SEQUENCE: u8 = 0x30;
/// No key, certificate or list is shorter.
const MIN_DOCUMENT: usize = 80;

/// What bytes are that are not text. `None` if nothing here knows.
pub(crate) fn binary(bytes: &[u8]) -> Option<Vec<Piece>> {
    if bytes.starts_with(BUNDLE_HEAD)
        && let Ok(bundle) = Bundle::decode(bytes)
    {
        return Some(vec![Piece::Bundle(bundle)]);
    }
    if let Some((format, _)) = EVIDENCE.iter().find(|(_, recognise)| recognise(bytes)) {
        let bytes = without_end(*format, bytes).to_vec();
        return Some(vec![Piece::Evidence(Evidence { format: *format, bytes })]);
    }
    if let Some(document) = der_document(bytes) {
        return Some(vec![document_piece(document)]);
    }
    if let Some((_, part)) = PARTS.iter().find(|(recognise, _)| recognise(bytes)) {
        return Some(vec![Piece::Part(part(bytes.to_vec()))]);
    }
    if let Some(content) = sized(bytes).filter(|content| content.starts_with(TPM_QUOTE)) {
        return Some(vec![Piece::Part(Part::Quote(content.to_vec()))]);
    }
    if let Some(content) = sized(bytes).filter(|content| Public::parse(content).is_ok()) {
        return Some(vec![Piece::Part(Part::Public(content.to_vec()))]);
    }
    certificate_table(bytes)
}

/// A DER document: a key is one, too.
pub(crate) fn document_piece(der: &[u8]) -> Piece {
    if PublicKey::from_spki(der).is_ok() {
        Piece::Key(der.to_vec())
    } else {
        Piece::Endorsement(der.to_vec())
    }
}

/// What evidence is bound to, if it can be read and is bound to anything of that size.
pub(crate) fn report_data(evidence: &Evidence) -> Option<[u8; 64]> {
    let bytes = &evidence.bytes;
    match evidence.format {
        Format::SevSnp => Report::parse(bytes).ok().map(|report| report.report_data),
        Format::Tdx | Format::Sgx => Quote::parse(bytes).ok().map(|quote| *quote.body.report_data()),
        Format::Cca => cca::Token::parse(bytes).ok().map(|token| token.realm_claims.challenge),
        Format::NvGpu => nvgpu::Report::parse(bytes).ok().and_then(|report| padded(&report.nonce)),
        Format::Tpm => {
            TpmEvidence::decode(bytes).ok().and_then(|found| padded(&found.quote.attest.extra_data))
        }
        Format::AzureSnp | Format::AzureTdx => {
            AzureEvidence::decode(bytes).ok().and_then(|found| padded(&found.quote.attest.extra_data))
        }
        Format::Nitro => {
            let document = nitro::Document::parse(bytes).ok()?;
            padded(document.claims.user_data.bytes()?)
        }
        _ => None,
    }
}

fn padded(bytes: &[u8]) -> Option<[u8; 64]> {
    let mut data = [0; 64];
    data.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(data)
}

fn is_snp_report(bytes: &[u8]) -> bool {
    let version = bytes.first_chunk().map(|version| u32::from_le_bytes(*version));
    bytes.len() == Report::LEN && version.is_some_and(|version| (1..=MAX_SNP_VERSION).contains(&version))
}

/// The header of a quote (SGX Quoting, A.4; TDX Quoting, A.3): version, key type, TEE type.
fn is_quote(bytes: &[u8], tee: [u8; 4]) -> bool {
    let Some([version, 0, 2 | 3, 0, rest @ ..]) = bytes.first_chunk::<8>() else { return false };
    (3..=5).contains(version) && *rest == tee && bytes.len() > Header::LEN
}

fn is_azure(bytes: &[u8], tdx: bool) -> bool {
    let hardware = AzureEvidence::decode(bytes).map(|found| found.hcl_report.hardware);
    hardware.is_ok_and(|hardware| matches!(hardware, HardwareReport::Tdx(_)) == tdx)
}

/// Evidence without the byte that NVIDIA's tools leave after its signature, which is not signed and means nothing.
fn without_end(format: Format, bytes: &[u8]) -> &[u8] {
    match (format, nvgpu::Report::parse(bytes).map_err(|error| error.fault)) {
        (Format::NvGpu, Err(Fault::Trailing { count })) => {
            bytes.get(..bytes.len().saturating_sub(count)).unwrap_or(bytes)
        }
        _ => bytes,
    }
}

/// The content of a `TPM2B` structure: after its length.
fn sized(bytes: &[u8]) -> Option<&[u8]> {
    let (len, content) = bytes.split_first_chunk()?;
    (usize::from(u16::from_be_bytes(*len)) == content.len()).then_some(content)
}

/// A DER document, without the zeros that fill up what it was stored in.
fn der_document(bytes: &[u8]) -> Option<&[u8]> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (len, header) = match (*first, rest) {
        (short @ 0..=0x7f, _) => (usize::from(short), 2),
        (0x81, [a, ..]) => (usize::from(*a), 3),
        (0x82, [a, b, ..]) => (usize::from(u16::from_be_bytes([*a, *b])), 4),
        (0x83, [a, b, c, ..]) => (usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).ok()?, 5),
        _ => return None,
    };
    let (document, padding) = bytes.split_at_checked(len.checked_add(header)?)?;
    let filled = padding.iter().all(|byte| *byte == 0);
    (*tag == DER_SEQUENCE && document.len() >= MIN_DOCUMENT && filled).then_some(document)
}

/// The certificates of an extended guest report of SEV-SNP.
fn certificate_table(bytes: &[u8]) -> Option<Vec<Piece>> {
    let known = [Guid::VCEK, Guid::VLEK, Guid::ASK, Guid::ARK, Guid::CRL];
    let first = bytes.first_chunk().map(|guid| Guid(*guid))?;
    let table = known.contains(&first).then(|| CertTable::parse(bytes).ok())??;
    Some(table.entries.into_iter().map(|(_, blob)| Piece::Endorsement(blob)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_may_be_followed_by_zeros_only() {
        let mut bytes = vec![DER_SEQUENCE, 0x81, 0x80];
        bytes.resize(3 + 0x80, 7);
        assert_eq!(der_document(&bytes), Some(&bytes[..]));
        let document = bytes.clone();
        bytes.extend([0; 100]);
        assert_eq!(der_document(&bytes), Some(&document[..]));
        bytes.push(1);
        assert_eq!(der_document(&bytes), None);
        assert_eq!(der_document(&document[..100]), None);
    }

    #[test]
    fn a_report_is_known_by_its_size_and_version() {
        let mut report = vec![0; Report::LEN];
        assert!(!is_snp_report(&report));
        report[0] = 5;
        assert!(is_snp_report(&report));
        report.push(0);
        assert!(!is_snp_report(&report));
    }
}
