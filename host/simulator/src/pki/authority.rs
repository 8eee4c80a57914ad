// SPDX-License-Identifier: Apache-2.0

//! The authorities of a generation and the root's revocation list.

use std::time::Duration;

use der::asn1::{Ia5String, Uint};
use der::{Decode as _, Encode as _};
use enarx_evidence::snp::Generation;
use x509_cert::crl::{CertificateList, TbsCertList};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints, CrlNumber, KeyUsage, KeyUsages,
    SubjectKeyIdentifier,
};
use x509_cert::name::Name;
use x509_cert::{Certificate, Version};

use super::x509::{self, extension};
use crate::SimulatorError;
use crate::keys::AuthorityKey;
use crate::store::{Entry, Store};

const VALIDITY: Duration = Duration::from_hours(25 * 365 * 24);
const LIST_VALIDITY: Duration = Duration::from_hours(90 * 24);
/// A list is replaced when less than this is left.
const LIST_RESERVE: Duration = Duration::from_hours(30 * 24);

const CERTIFICATE: &str = "certificate.der";
const KEY: &str = "key.der";
const LIST: &str = "list.der";

/// What an authority is for, and what AMD calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// ARK: the root of a generation.
    Root,
    /// ASK: it certifies the keys of chips.
    ChipKeys,
    /// ASVK: it certifies keys that are loaded into chips for a cloud provider.
    LoadedKeys,
}

/// An authority: its certificate and the key that signs for it.
pub(crate) struct Authority {
    pub(crate) generation: Generation,
    pub(crate) certificate: Vec<u8>,
    entry: Entry,
    parsed: Certificate,
    key: Vec<u8>,
}

impl Role {
    fn name(self, generation: Generation) -> String {
        let product = generation.product_name();
        match self {
            Self::Root => format!("Simulated ARK {product}"),
            Self::ChipKeys => format!("Simulated ASK {product}"),
            Self::LoadedKeys => format!("Simulated ASVK {product}"),
        }
    }

    /// Its place in the store.
    pub(crate) fn entry(self, generation: Generation) -> String {
        let role = match self {
            Self::Root => "ark",
            Self::ChipKeys => "ask",
            Self::LoadedKeys => "asvk",
        };
        format!("{generation}/{role}")
    }

    /// AMD numbers its authorities by generation and kind: Milan's ARK is 0x10000, its ASVK 0x10101.
    fn serial_number(self, generation: Generation) -> u32 {
        let generation = match generation {
            Generation::Milan => 0x1_0000,
            Generation::Genoa => 0x2_0000,
            Generation::Turin => 0x3_0000,
        };
        match self {
            Self::Root => generation,
            Self::ChipKeys => generation | 1,
            Self::LoadedKeys => generation | 0x101,
        }
    }
}

impl Authority {
    /// Reads an authority from the store, or makes it. The root has no issuer but itself.
    pub(crate) fn load(
        store: &Store,
        generation: Generation,
        role: Role,
        issuer: Option<&Self>,
    ) -> Result<Self, SimulatorError> {
        store.read_or_make(
            &role.entry(generation),
            |entry| Self::read(entry, generation, issuer).map(Some),
            || {
                let key = AuthorityKey::generate()?;
                let certificate = make(generation, role, &key, issuer)?;
                Ok(vec![(CERTIFICATE, certificate), (KEY, key.to_pkcs8()?)])
            },
        )
    }

    fn read(entry: &Entry, generation: Generation, issuer: Option<&Self>) -> Result<Self, SimulatorError> {
        let certificate = entry.read(CERTIFICATE)?;
        let parsed = Certificate::from_der(&certificate)
            .map_err(|_| entry.damaged(&format!("`{CERTIFICATE}` is not a certificate")))?;
        let signer = issuer.map_or(&parsed, |issuer| &issuer.parsed);
        if !x509::is_signed_by(&certificate, signer) {
            return Err(entry.damaged(&format!("`{CERTIFICATE}` is not signed by its authority")));
        }
        Ok(Self { generation, certificate, entry: entry.clone(), parsed, key: entry.read(KEY)? })
    }

    /// The subject public key info, DER.
    pub(crate) fn spki(&self) -> Result<Vec<u8>, SimulatorError> {
        Ok(self.parsed.tbs_certificate().subject_public_key_info().to_der()?)
    }

    /// Whether this authority signed the certificate or list.
    pub(super) fn signed(&self, signed: &[u8]) -> bool {
        x509::is_signed_by(signed, &self.parsed)
    }

    /// The key, which is seldom needed and so not decoded before.
    pub(super) fn key(&self) -> Result<AuthorityKey, SimulatorError> {
        let key = AuthorityKey::from_pkcs8(&self.key);
        let own = key.map(|key| Ok((key.spki()? == self.spki()?).then_some(key)));
        own.transpose().map(Option::flatten).and_then(|key| {
            key.ok_or_else(|| self.entry.damaged(&format!("`{KEY}` does not belong to `{CERTIFICATE}`")))
        })
    }

    pub(super) fn name(&self) -> &Name {
        self.parsed.tbs_certificate().subject()
    }
}

fn make(
    generation: Generation,
    role: Role,
    key: &AuthorityKey,
    issuer: Option<&Authority>,
) -> Result<Vec<u8>, SimulatorError> {
    let subject = x509::name(&role.name(generation))?;
    let spki = key.spki()?;
    let usage = match role {
        Role::Root => KeyUsages::KeyCertSign | KeyUsages::CRLSign,
        Role::ChipKeys | Role::LoadedKeys => KeyUsages::KeyCertSign.into(),
    };
    let path_len_constraint = issuer.map(|_| 0);
    let mut extensions = vec![
        extension(true, &KeyUsage(usage))?,
        extension(false, &SubjectKeyIdentifier(x509::key_id(&spki)?))?,
        extension(true, &BasicConstraints { ca: true, path_len_constraint })?,
        extension(false, &distribution_point(generation, role)?)?,
    ];
    if let Some(issuer) = issuer {
        extensions.push(authority_key_id(issuer)?);
    }
    let content = x509::Content {
        serial_number: role.serial_number(generation),
        issuer: issuer.map_or(&subject, Authority::name).clone(),
        subject,
        spki,
        validity: x509::validity(VALIDITY)?,
        extensions,
    };
    let algorithm = x509::rsa_pss_sha384(x509::Trailer::Explicit)?;
    match issuer {
        None => x509::certificate(content, algorithm, key),
        Some(issuer) => x509::certificate(content, algorithm, &issuer.key()?),
    }
}

/// The list of the authorities that the root has revoked, which is empty; current, and made anew in time.
pub(crate) fn revocation_list(store: &Store, root: &Authority) -> Result<Vec<u8>, SimulatorError> {
    let read = |entry: &Entry| {
        let list = entry.read(LIST)?;
        let parsed: CertificateList = CertificateList::from_der(&list)
            .map_err(|_| entry.damaged(&format!("`{LIST}` is not a revocation list")))?;
        if !root.signed(&list) {
            return Err(entry.damaged(&format!("`{LIST}` is not signed by its authority")));
        }
        let end = parsed.tbs_cert_list.next_update;
        Ok(end.is_some_and(|end| !x509::nearly_over(end, LIST_RESERVE)).then_some(list))
    };
    store.read_or_make(&format!("{}/crl", root.generation), read, || {
        Ok(vec![(LIST, make_revocation_list(root)?)])
    })
}

fn make_revocation_list(root: &Authority) -> Result<Vec<u8>, SimulatorError> {
    let algorithm = x509::rsa_pss_sha384(x509::Trailer::Default)?;
    let validity = x509::validity(LIST_VALIDITY)?;
    let content: TbsCertList = TbsCertList {
        version: Version::V2,
        signature: algorithm.clone(),
        issuer: root.name().clone(),
        this_update: validity.not_before,
        next_update: Some(validity.not_after),
        revoked_certificates: None,
        // Later lists have higher numbers (RFC 5280, section 5.2.3), without a counter to keep.
        crl_extensions: Some(vec![
            authority_key_id(root)?,
            extension(
                false,
                &CrlNumber(Uint::new(&validity.not_before.to_unix_duration().as_secs().to_be_bytes())?),
            )?,
        ]),
    };
    x509::sign(&content, algorithm, &root.key()?)
}

fn authority_key_id(issuer: &Authority) -> Result<Extension, SimulatorError> {
    let key_identifier = Some(x509::key_id(&issuer.spki()?)?);
    let id = AuthorityKeyIdentifier { key_identifier, ..AuthorityKeyIdentifier::default() };
    extension(false, &id)
}

/// Where AMD's certificates name the key server; nothing answers at this address (RFC 2606, section 2).
fn distribution_point(generation: Generation, role: Role) -> Result<CrlDistributionPoints, SimulatorError> {
    let kind = if role == Role::LoadedKeys { "vlek" } else { "vcek" };
    let product = generation.product_name();
    let address = Ia5String::new(&format!("https://simulated.invalid/{kind}/v1/{product}/crl"))?;
    let name = DistributionPointName::FullName(vec![GeneralName::UniformResourceIdentifier(address)]);
    Ok(CrlDistributionPoints(vec![DistributionPoint {
        distribution_point: Some(name),
        reasons: None,
        crl_issuer: None,
    }]))
}
