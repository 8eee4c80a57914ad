// SPDX-License-Identifier: Apache-2.0

//! Authorities with keys on elliptic curves: a root that stays, and below it whatever a vendor has.

use std::time::Duration;

use der::asn1::Uint;
use der::{Decode as _, Encode as _};
use x509_cert::crl::{RevokedCert, TbsCertList};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, CrlNumber, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::name::Name;
use x509_cert::time::Validity;
use x509_cert::{Certificate, Version};

use super::x509::{self, extension};
use crate::SimulatorError;
use crate::keys::{Curve, EcKey};
use crate::store::{Entry, Store};

const VALIDITY: Duration = Duration::from_hours(30 * 365 * 24);

const CERTIFICATE: &str = "certificate.der";
const KEY: &str = "key.der";

/// An authority: its certificate and the key that signs for it.
pub(crate) struct EcAuthority {
    pub(crate) certificate: Vec<u8>,
    name: Name,
    key: EcKey,
}

/// What a certified key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Certificates, with so many authorities below.
    Authority {
        /// `None` states no limit.
        path_len: Option<u8>,
    },
    /// Data, such as evidence.
    Data,
}

/// Whom an authority certifies.
pub(crate) struct Subject<'a> {
    pub(crate) common_name: &'a str,
    pub(crate) used_for: Use,
    /// Seconds since 1970.
    pub(crate) from: Duration,
    pub(crate) valid_for: Duration,
}

impl EcAuthority {
    /// Reads a root from the store, or makes it.
    pub(crate) fn root(
        store: &Store,
        name: &str,
        curve: Curve,
        common_name: &str,
    ) -> Result<Self, SimulatorError> {
        store.read_or_make(
            name,
            |entry| Self::read(entry, curve).map(Some),
            || {
                let key = EcKey::generate(curve)?;
                let subject = x509::name(common_name)?;
                let usage = Use::Authority { path_len: None };
                let spki = key.spki()?;
                let certificate =
                    make((&subject, &key), &subject, &spki, usage, x509::validity(VALIDITY)?, Vec::new())?;
                Ok(vec![(CERTIFICATE, certificate), (KEY, key.to_pkcs8()?)])
            },
        )
    }

    /// Makes an authority below this one, with a new key.
    pub(crate) fn below(&self, subject: &Subject<'_>) -> Result<Self, SimulatorError> {
        self.below_with(subject, Vec::new())
    }

    /// Makes an authority below this one, with extensions beside the usual ones.
    pub(crate) fn below_with(
        &self,
        subject: &Subject<'_>,
        extensions: Vec<Extension>,
    ) -> Result<Self, SimulatorError> {
        let key = EcKey::generate(self.key.curve)?;
        let certificate = self.certify_with(subject, &key, extensions)?;
        Ok(Self { certificate, name: x509::name(subject.common_name)?, key })
    }

    /// Certifies a key.
    pub(crate) fn certify(&self, subject: &Subject<'_>, key: &EcKey) -> Result<Vec<u8>, SimulatorError> {
        self.certify_with(subject, key, Vec::new())
    }

    /// Certifies a key, with extensions beside the usual ones.
    pub(crate) fn certify_with(
        &self,
        subject: &Subject<'_>,
        key: &EcKey,
        extensions: Vec<Extension>,
    ) -> Result<Vec<u8>, SimulatorError> {
        self.certify_spki(subject, &key.spki()?, extensions)
    }

    /// Certifies a key of any kind, by its subject public key info.
    pub(crate) fn certify_spki(
        &self,
        subject: &Subject<'_>,
        spki: &[u8],
        extensions: Vec<Extension>,
    ) -> Result<Vec<u8>, SimulatorError> {
        let validity = x509::between(subject.from, subject.valid_for)?;
        let name = x509::name(subject.common_name)?;
        make((&self.name, &self.key), &name, spki, subject.used_for, validity, extensions)
    }

    /// A list of the certificates that the authority takes back, by the certificates themselves.
    pub(crate) fn revocation_list(
        &self,
        revoked: &[&[u8]],
        from: Duration,
        valid_for: Duration,
    ) -> Result<Vec<u8>, SimulatorError> {
        let (validity, algorithm) = (x509::between(from, valid_for)?, x509::ecdsa(self.key.curve));
        let entry = |certificate: &&[u8]| {
            let certificate: Certificate = Certificate::from_der(certificate)?;
            Ok(RevokedCert {
                serial_number: certificate.tbs_certificate().serial_number().clone(),
                revocation_date: validity.not_before,
                crl_entry_extensions: None,
            })
        };
        let revoked = revoked.iter().map(entry).collect::<Result<Vec<RevokedCert>, SimulatorError>>()?;
        let key_identifier = Some(x509::key_id(&self.key.spki()?)?);
        let content: TbsCertList = TbsCertList {
            version: Version::V2,
            signature: algorithm.clone(),
            issuer: self.name.clone(),
            this_update: validity.not_before,
            next_update: Some(validity.not_after),
            revoked_certificates: (!revoked.is_empty()).then_some(revoked),
            crl_extensions: Some(vec![
                extension(false, &CrlNumber(Uint::new(&from.as_secs().to_be_bytes())?))?,
                extension(
                    false,
                    &AuthorityKeyIdentifier { key_identifier, ..AuthorityKeyIdentifier::default() },
                )?,
            ]),
        };
        x509::sign(&content, algorithm, &self.key)
    }

    /// The subject public key info, DER.
    pub(crate) fn spki(&self) -> Result<Vec<u8>, SimulatorError> {
        self.key.spki()
    }

    fn read(entry: &Entry, curve: Curve) -> Result<Self, SimulatorError> {
        let certificate = entry.read(CERTIFICATE)?;
        let parsed = Certificate::from_der(&certificate)
            .map_err(|_| entry.damaged(&format!("`{CERTIFICATE}` is not a certificate")))?;
        let tbs = parsed.tbs_certificate();
        let certified = tbs.subject_public_key_info().to_der()?;
        let key = EcKey::from_pkcs8(curve, &entry.read(KEY)?)
            .filter(|key| key.spki().is_ok_and(|spki| spki == certified))
            .ok_or_else(|| entry.damaged(&format!("`{KEY}` does not belong to `{CERTIFICATE}`")))?;
        Ok(Self { name: tbs.subject().clone(), certificate, key })
    }
}

fn make(
    (issuer, issuer_key): (&Name, &EcKey),
    subject: &Name,
    spki: &[u8],
    used_for: Use,
    validity: Validity,
    beside: Vec<Extension>,
) -> Result<Vec<u8>, SimulatorError> {
    let authority = matches!(used_for, Use::Authority { .. });
    let usage = if authority {
        KeyUsages::DigitalSignature | KeyUsages::KeyCertSign | KeyUsages::CRLSign
    } else {
        KeyUsages::DigitalSignature | KeyUsages::NonRepudiation
    };
    let path_len_constraint = match used_for {
        Use::Authority { path_len } => path_len,
        Use::Data => None,
    };
    let key_identifier = Some(x509::key_id(&issuer_key.spki()?)?);
    let content = x509::Content {
        serial_number: random_serial()?,
        issuer: issuer.clone(),
        subject: subject.clone(),
        spki: spki.to_vec(),
        validity,
        extensions: [
            vec![
                extension(true, &BasicConstraints { ca: authority, path_len_constraint })?,
                extension(true, &KeyUsage(usage))?,
                extension(false, &SubjectKeyIdentifier(x509::key_id(spki)?))?,
                extension(
                    false,
                    &AuthorityKeyIdentifier { key_identifier, ..AuthorityKeyIdentifier::default() },
                )?,
            ],
            beside,
        ]
        .concat(),
    };
    x509::certificate(content, x509::ecdsa(issuer_key.curve), issuer_key)
}

/// A serial number that no other certificate of the authority has, as good as certainly.
fn random_serial() -> Result<u32, SimulatorError> {
    let mut bytes = [0; 4];
    let filled = aws_lc_rs::rand::fill(&mut bytes);
    filled.map_err(|_| SimulatorError::Crypto { action: "get random numbers" })?;
    Ok(u32::from_be_bytes(bytes))
}
