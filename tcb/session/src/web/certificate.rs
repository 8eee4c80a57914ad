// SPDX-License-Identifier: Apache-2.0

//! Certificates of Keeps: the Keep's request, the tenant's authority, and what it states about a Keep.
//!
//! `docs/networking.md` has the ASN.1 of the statement. A request has one form only, byte for byte, so that nothing in
//! it is left to interpretation: an empty subject, a key, a signature. Everything that a certificate says is what the
//! tenant knows by itself.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use super::der::{
    BIT_STRING, BOOLEAN, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, UTF8_STRING, bits, element,
    sequence, take,
};
use crate::EntropyError;
use crate::entropy::random;

/// `AlgorithmIdentifier` of ECDSA with SHA-256 (RFC 5758 section 3.2).
const ECDSA_SHA256: [u8; 12] = [0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/// `SubjectPublicKeyInfo` of a P-256 key up to the point (RFC 5480 section 2).
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const POINT_LEN: usize = 65;
/// The extension with the statement: 1.3.6.1.4.1.58270.2.1.
const STATEMENT: [u8; 10] = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xc7, 0x1e, 0x02, 0x01];
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 0x13];
const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x0f];
const EXTENDED_KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x25];
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 0x11];
const SUBJECT_KEY_ID: [u8; 3] = [0x55, 0x1d, 0x0e];
const AUTHORITY_KEY_ID: [u8; 3] = [0x55, 0x1d, 0x23];
const SERVER_AUTH: [u8; 10] = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];

/// Clocks differ a little, so that validity begins before now.
const BACKDATED: u64 = 3600;
/// How long the certificate of a Keep is valid: 24 hours.
pub const KEEP_VALIDITY: u64 = 24 * 3600;
/// How long the authority is valid: 10 years.
const AUTHORITY_VALIDITY: u64 = 3652 * 24 * 3600;

/// A certificate that cannot be issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A request in another form, or not signed by its own key.
    #[error("the Keep sent a certificate request that is none")]
    Request,
    /// No randomness for a serial number.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// A time that certificates cannot express.
    #[error("certificates cannot express this time")]
    Time,
    /// Not the secret of a key.
    #[error("not the secret of a P-256 key")]
    Key,
}

/// What a certificate says about the Keep that holds its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Digest of the workload.
    pub workload: [u8; 32],
    /// Digest of its manifest alone.
    pub manifest: [u8; 32],
    /// Digest of the policy under which the Keep was accepted.
    pub policy: [u8; 32],
    /// The owner's public key.
    pub owner: [u8; 32],
    /// The class of TEE, such as `sev-snp`.
    pub tee: String,
    /// Whether it is a simulated one.
    pub simulated: bool,
    /// The measurement of the Keep.
    pub measurement: Vec<u8>,
}

impl Statement {
    fn encode(&self) -> Vec<u8> {
        let octets = |bytes: &[u8]| element(OCTET_STRING, &[bytes]);
        sequence(&[
            &element(INTEGER, &[&[1]]),
            &octets(&self.workload),
            &octets(&self.manifest),
            &octets(&self.policy),
            &octets(&self.owner),
            &element(UTF8_STRING, &[self.tee.as_bytes()]),
            &element(BOOLEAN, &[&[if self.simulated { 0xff } else { 0 }]]),
            &octets(&self.measurement),
        ])
    }
}

/// The tenant's certificate authority.
pub struct Authority(SigningKey);

impl Authority {
    /// The authority with this secret, a scalar of P-256.
    pub fn from_secret(secret: &[u8; 32]) -> Result<Self, CertificateError> {
        SigningKey::from_slice(secret).map(Self).map_err(|_| CertificateError::Key)
    }

    /// Its own certificate, DER, for a new authority.
    pub fn certificate(&self, now: u64) -> Result<Vec<u8>, CertificateError> {
        let key = point(&self.0);
        let extensions = [
            extension(
                &BASIC_CONSTRAINTS,
                true,
                &sequence(&[&element(BOOLEAN, &[&[0xff]]), &element(INTEGER, &[&[0]])]),
            ),
            // keyCertSign and cRLSign
            extension(&KEY_USAGE, true, &element(BIT_STRING, &[&[1, 0x06]])),
            extension(&SUBJECT_KEY_ID, false, &element(OCTET_STRING, &[&key_id(&key)])),
        ];
        let name = self.name();
        self.issue(&name, &key, now, AUTHORITY_VALIDITY, &extensions)
    }

    /// A certificate, DER, for the Keep that sent `request`.
    pub fn certify<'a>(
        &self,
        request: &[u8],
        names: impl Iterator<Item = &'a str>,
        statement: &Statement,
        now: u64,
    ) -> Result<Vec<u8>, CertificateError> {
        let key = requested(request).ok_or(CertificateError::Request)?;
        let names: Vec<u8> = names.flat_map(general_name).collect();
        let extensions = [
            extension(&BASIC_CONSTRAINTS, true, &sequence(&[])),
            // digitalSignature
            extension(&KEY_USAGE, true, &element(BIT_STRING, &[&[7, 0x80]])),
            extension(&EXTENDED_KEY_USAGE, false, &sequence(&[&SERVER_AUTH])),
            // The subject is named here alone.
            extension(&SUBJECT_ALT_NAME, false, &sequence(&[&names])),
            extension(&AUTHORITY_KEY_ID, false, &sequence(&[&element(0x80, &[&key_id(&point(&self.0))])])),
            extension(&STATEMENT, false, &statement.encode()),
        ];
        let subject = common_name("Enarx Keep");
        self.issue(&subject, &key, now, KEEP_VALIDITY, &extensions)
    }

    fn issue(
        &self,
        subject: &[u8],
        key: &[u8; POINT_LEN],
        now: u64,
        validity: u64,
        extensions: &[Vec<u8>],
    ) -> Result<Vec<u8>, CertificateError> {
        let mut serial = random::<16>()?;
        // Positive, and of one length.
        if let Some(first) = serial.first_mut() {
            *first = (*first & 0x3f) | 0x40;
        }
        let begin = time(now.saturating_sub(BACKDATED))?;
        let end = time(now.saturating_add(validity))?;
        let content = sequence(&[
            &element(0xa0, &[&element(INTEGER, &[&[2]])]),
            &element(INTEGER, &[serial.as_slice()]),
            &ECDSA_SHA256,
            &self.name(),
            &sequence(&[&begin, &end]),
            subject,
            &spki(key),
            &element(0xa3, &[&sequence(&[&extensions.concat()])]),
        ]);
        Ok(signed(&self.0, &content))
    }

    /// Whether a certificate (DER) is one of this authority's key, which stands in it as it is.
    pub fn owns(&self, certificate: &[u8]) -> bool {
        let key = point(&self.0);
        certificate.windows(POINT_LEN).any(|part| part == key)
    }

    /// Every authority has a name of its own, so that clients never mistake one for another.
    fn name(&self) -> Vec<u8> {
        let id = key_id(&point(&self.0));
        let [a, b, c, d, ..] = id;
        common_name(&alloc::format!("Enarx tenant {a:02x}{b:02x}{c:02x}{d:02x}"))
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority([redacted])")
    }
}

/// The request of the Keep that holds `key`.
pub(super) fn request(key: &SigningKey) -> Vec<u8> {
    signed(key, &request_info(&point(key)))
}

/// The key that a request is for, if it is one and signed with it.
fn requested(request: &[u8]) -> Option<[u8; POINT_LEN]> {
    let (inner, _) = take(request, SEQUENCE)?;
    let (info, rest) = take(inner, SEQUENCE)?;
    let at = info.windows(SPKI_PREFIX.len()).position(|window| window == SPKI_PREFIX)?;
    let key: [u8; POINT_LEN] = info.get(at + SPKI_PREFIX.len()..)?.get(..POINT_LEN)?.try_into().ok()?;
    let (bits_of_signature, _) = take(rest.strip_prefix(&ECDSA_SHA256)?, BIT_STRING)?;
    let signature = bits_of_signature.strip_prefix(&[0])?;
    let info = request_info(&key);
    // There is one way to write a request; what is in another is no request.
    if request != sequence(&[&info, &ECDSA_SHA256, &bits(signature)]) {
        return None;
    }
    let signature = Signature::from_der(signature).ok()?;
    VerifyingKey::from_sec1_bytes(&key).ok()?.verify(&info, &signature).ok()?;
    Some(key)
}

fn request_info(key: &[u8; POINT_LEN]) -> Vec<u8> {
    sequence(&[&element(INTEGER, &[&[0]]), &sequence(&[]), &spki(key), &element(0xa0, &[])])
}

/// `SubjectPublicKeyInfo` of a point.
pub(super) fn spki(point: &[u8]) -> Vec<u8> {
    [&SPKI_PREFIX, point].concat()
}

fn signed(key: &SigningKey, content: &[u8]) -> Vec<u8> {
    let signature: Signature = key.sign(content);
    sequence(&[content, &ECDSA_SHA256, &bits(signature.to_der().as_bytes())])
}

fn point(key: &SigningKey) -> [u8; POINT_LEN] {
    let point = key.verifying_key().to_sec1_point(false);
    // An uncompressed point of this curve has this length; zeros are no point, and nobody would accept them.
    point.as_bytes().try_into().unwrap_or([0; POINT_LEN])
}

/// RFC 7093 section 2, method 1: the leftmost 160 bits of SHA-256 of the key.
fn key_id(key: &[u8; POINT_LEN]) -> [u8; 20] {
    let digest: [u8; 32] = Sha256::digest(key).into();
    digest.first_chunk().copied().unwrap_or_default()
}

fn common_name(name: &str) -> Vec<u8> {
    let attribute =
        sequence(&[&element(OBJECT_IDENTIFIER, &[&COMMON_NAME]), &element(UTF8_STRING, &[name.as_bytes()])]);
    sequence(&[&element(SET, &[&attribute])])
}

fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { element(BOOLEAN, &[&[0xff]]) } else { Vec::new() };
    sequence(&[&element(OBJECT_IDENTIFIER, &[id]), &critical, &element(OCTET_STRING, &[value])])
}

/// `GeneralName` (RFC 5280 section 4.2.1.6): an address or a DNS name.
fn general_name(name: &str) -> Vec<u8> {
    match name.parse() {
        Ok(IpAddr::V4(address)) => element(0x87, &[&address.octets()]),
        Ok(IpAddr::V6(address)) => element(0x87, &[&address.octets()]),
        Err(_) => element(0x82, &[name.as_bytes()]),
    }
}

/// RFC 5280 section 4.1.2.5: two digits of the year until 2049, four from then on.
fn time(seconds: u64) -> Result<Vec<u8>, CertificateError> {
    use ::der::Encode as _;
    let since = Duration::from_secs(seconds);
    let short = ::der::asn1::UtcTime::from_unix_duration(since).and_then(|time| time.to_der());
    short
        .or_else(|_| ::der::asn1::GeneralizedTime::from_unix_duration(since).and_then(|time| time.to_der()))
        .map_err(|_| CertificateError::Time)
}
