// SPDX-License-Identifier: Apache-2.0

//! Encoding and checking of signed X.509 structures (RFC 5280).

use std::str::FromStr as _;
use std::time::{Duration, SystemTime};

use const_oid::{AssociatedOid, ObjectIdentifier};
use der::asn1::{Any, BitString, Ia5String, OctetString};
use der::{DateTime, Decode as _, Encode, Sequence, Tag};
use sha2::{Digest as _, Sha256};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::Version;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::CrlDistributionPoints;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};

use crate::SimulatorError;
use crate::keys::{self, Curve, Signer};

const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");

/// Clocks of host and tenant differ a little, so that validity begins before now.
const BACKDATED: Duration = Duration::from_hours(24);

/// What a certificate of the simulator says; the rest follows from AMD's shape.
pub(super) struct Content {
    pub(super) serial_number: u32,
    pub(super) issuer: Name,
    pub(super) subject: Name,
    pub(super) spki: Vec<u8>,
    pub(super) validity: Validity,
    pub(super) extensions: Vec<Extension>,
}

/// How the trailer field of the signature's parameters is encoded, which has one legal value. DER leaves out
/// defaults; AMD's authorities have it nevertheless, its other certificates and its lists do not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trailer {
    Explicit,
    Default,
}

#[derive(Sequence)]
struct TbsCertificate {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: Version,
    serial_number: SerialNumber,
    signature: AlgorithmIdentifierOwned,
    issuer: Name,
    validity: Validity,
    subject: Name,
    subject_public_key_info: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

/// A certificate or revocation list: what is signed, how, and the signature.
#[derive(Sequence)]
struct Signed {
    content: Any,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

/// A certificate, signed by the key of its issuer.
pub(super) fn certificate(
    content: Content,
    algorithm: AlgorithmIdentifierOwned,
    key: &dyn Signer,
) -> Result<Vec<u8>, SimulatorError> {
    let tbs = TbsCertificate {
        version: Version::V3,
        serial_number: SerialNumber::from(content.serial_number),
        signature: algorithm.clone(),
        issuer: content.issuer,
        validity: content.validity,
        subject: content.subject,
        subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(&content.spki)?,
        extensions: content.extensions,
    };
    sign(&tbs, algorithm, key)
}

/// A signed structure in DER.
pub(super) fn sign(
    content: &impl Encode,
    algorithm: AlgorithmIdentifierOwned,
    key: &dyn Signer,
) -> Result<Vec<u8>, SimulatorError> {
    let content = content.to_der()?;
    let signature = BitString::from_bytes(&key.sign(&content)?)?;
    Ok(Signed { content: Any::from_der(&content)?, algorithm, signature }.to_der()?)
}

/// Whether a signed structure was signed by the issuer with this certificate.
pub(super) fn is_signed_by(signed: &[u8], issuer: &x509_cert::Certificate) -> bool {
    let Ok(signed) = Signed::from_der(signed) else { return false };
    let Ok(content) = signed.content.to_der() else { return false };
    let key = issuer.tbs_certificate().subject_public_key_info().subject_public_key.raw_bytes();
    keys::verify(key, &content, signed.signature.raw_bytes())
}

/// RSASSA-PSS with SHA-384, MGF1 with SHA-384, a salt of 48 bytes (RFC 4055, section 3.1), as in AMD's.
pub(super) fn rsa_pss_sha384(trailer: Trailer) -> Result<AlgorithmIdentifierOwned, SimulatorError> {
    let mut parameters = vec![
        0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05,
        0x00, //
        0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08, 0x30,
        0x0d, //
        0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, //
        0xa2, 0x03, 0x02, 0x01, 0x30,
    ];
    if trailer == Trailer::Explicit {
        parameters.extend([0xa3, 0x03, 0x02, 0x01, 0x01]);
    }
    Ok(AlgorithmIdentifierOwned { oid: RSASSA_PSS, parameters: Some(Any::new(Tag::Sequence, parameters)?) })
}

/// A name that nobody takes for one of AMD's.
pub(super) fn name(common_name: &str) -> Result<Name, SimulatorError> {
    Ok(Name::from_str(&format!("CN={common_name},O=Enarx simulated TEE vendor"))?)
}

/// A key identifier: the leftmost 160 bits of the SHA-256 of the key (RFC 7093, section 2, method 1).
pub(super) fn key_id(spki: &[u8]) -> Result<OctetString, SimulatorError> {
    let key = SubjectPublicKeyInfoOwned::from_der(spki)?;
    let digest: [u8; 32] = Sha256::digest(key.subject_public_key.raw_bytes()).into();
    let (id, _) = digest.split_at(20);
    Ok(OctetString::new(id)?)
}

/// How the keys on elliptic curves of the simulator sign (RFC 5758, section 3.2).
pub(super) fn ecdsa(curve: Curve) -> AlgorithmIdentifierOwned {
    let oid = match curve {
        Curve::P256 => ECDSA_SHA256,
        Curve::P384 => ECDSA_SHA384,
    };
    AlgorithmIdentifierOwned { oid, parameters: None }
}

pub(super) fn extension<T: AssociatedOid + Encode>(
    critical: bool,
    value: &T,
) -> Result<Extension, SimulatorError> {
    Ok(Extension { extn_id: T::OID, critical, extn_value: OctetString::new(value.to_der()?)? })
}

/// An extension that is not critical, by its contents.
pub(crate) fn raw_extension(oid: ObjectIdentifier, value: &[u8]) -> Result<Extension, SimulatorError> {
    Ok(Extension { extn_id: oid, critical: false, extn_value: OctetString::new(value)? })
}

/// Where the list is that could revoke a certificate.
pub(crate) fn distribution_point(url: &str) -> Result<Extension, SimulatorError> {
    let url = GeneralName::UniformResourceIdentifier(Ia5String::new(url)?);
    let point = DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(vec![url])),
        reasons: None,
        crl_issuer: None,
    };
    extension(false, &CrlDistributionPoints(vec![point]))
}

pub(super) fn validity(valid_for: Duration) -> Result<Validity, SimulatorError> {
    between(now().saturating_sub(BACKDATED), valid_for)
}

/// Valid for a time from a moment on, in seconds since 1970.
pub(super) fn between(begin: Duration, valid_for: Duration) -> Result<Validity, SimulatorError> {
    Ok(Validity::new(time(begin)?, time(begin + valid_for)?))
}

/// Whether something that ends then should be replaced, since too little of its time is left.
pub(super) fn nearly_over(end: Time, reserve: Duration) -> bool {
    end.to_unix_duration() < now() + reserve
}

fn time(since_1970: Duration) -> Result<Time, SimulatorError> {
    Ok(Time::from(DateTime::from_unix_duration(since_1970)?))
}

pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
