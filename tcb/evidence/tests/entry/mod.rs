// SPDX-License-Identifier: Apache-2.0

//! One entry for each parser: any bytes are refused, or read and written back as they were. Property tests and
//! fuzz targets (`fuzz/`) run the same functions.

#![allow(dead_code, reason = "each fuzz target uses one")]

use enarx_evidence::azure::{AzureEvidence, HclReport, RuntimeData};
use enarx_evidence::cca::{PlatformClaims, RealmClaims, Token};
use enarx_evidence::cmw::Cmw;
use enarx_evidence::cose::{EcKey, Sign1};
use enarx_evidence::dcap::{Collateral, EnclaveIdentity, PckExtensions, Quote, TcbInfo};
use enarx_evidence::endorsement::{Document, documents};
use enarx_evidence::nitro::{Claims as NitroClaims, Document as NitroDocument};
use enarx_evidence::snp::cert::KeyExtensions;
use enarx_evidence::snp::{CertTable, Report};
use enarx_evidence::tpm::{Attest, Public, Signature, TpmEvidence};
use enarx_evidence::x509::{Certificate, EcdsaSignature, PublicKey};
use enarx_evidence::{Bundle, nvgpu};

pub(crate) fn report(bytes: &[u8]) {
    if let Ok(report) = Report::parse(bytes) {
        assert_eq!(report.encode().as_slice(), bytes);
    }
}

pub(crate) fn bundle(bytes: &[u8]) {
    if let Ok(bundle) = Bundle::decode(bytes) {
        assert_eq!(bundle.encode(), bytes);
    }
}

pub(crate) fn certificate_table(bytes: &[u8]) {
    if let Ok(table) = CertTable::parse(bytes) {
        assert_eq!(CertTable::parse(&table.encode()), Ok(table));
    }
}

pub(crate) fn cose_sign1(bytes: &[u8]) {
    if let Ok(message) = Sign1::parse(bytes) {
        assert_eq!(message.encode(), bytes);
        assert!(message.algorithm().is_ok());
        let _ = message.certificates();
    }
}

pub(crate) fn cose_key(bytes: &[u8]) {
    if let Ok(key) = EcKey::parse(bytes) {
        assert_eq!(EcKey::parse(&key.encode()), Ok(key));
        assert_eq!(EcKey::from_spki(&key.spki()), Some(key));
    }
    if let Ok(key) = EcKey::from_jwk(bytes) {
        assert_eq!(EcKey::parse(&key.encode()), Ok(key));
    }
    if let Some(key) = EcKey::from_spki(bytes) {
        assert_eq!(key.spki(), bytes);
    }
}

pub(crate) fn cca_token(bytes: &[u8]) {
    if let Ok(token) = Token::parse(bytes) {
        assert_eq!(token.encode(), bytes);
        assert!(token.realm_claims.attestation_key().is_ok());
        let (platform, realm) = (&token.platform_claims, &token.realm_claims);
        assert_eq!(PlatformClaims::parse(&platform.encode()).as_ref(), Ok(platform));
        assert_eq!(RealmClaims::parse(&realm.encode()).as_ref(), Ok(realm));
    }
}

/// The claims of a CCA token without the signed messages around them, which random bytes hardly get past.
pub(crate) fn cca_claims(bytes: &[u8]) {
    if let Ok(claims) = PlatformClaims::parse(bytes) {
        assert_eq!(PlatformClaims::parse(&claims.encode()), Ok(claims));
    }
    if let Ok(claims) = RealmClaims::parse(bytes) {
        assert_eq!(RealmClaims::parse(&claims.encode()), Ok(claims));
    }
}

pub(crate) fn nitro_document(bytes: &[u8]) {
    if let Ok(document) = NitroDocument::parse(bytes) {
        assert_eq!(document.encode(), bytes);
        nitro_claims(document.message.payload);
    }
}

/// The claims of a Nitro document without the signed message around them.
pub(crate) fn nitro_claims(bytes: &[u8]) {
    if let Ok(claims) = NitroClaims::parse(bytes) {
        assert_eq!(NitroClaims::parse(&claims.encode()), Ok(claims));
    }
}

pub(crate) fn quote(bytes: &[u8]) {
    if let Ok(quote) = Quote::parse(bytes) {
        assert_eq!(quote.encode(), bytes);
        assert_eq!(bytes.get(..quote.signed_len()), Some(&*quote.encode_signed()));
    }
}

pub(crate) fn pck_extension(bytes: &[u8]) {
    if let Ok(extensions) = PckExtensions::parse(bytes) {
        assert_eq!(PckExtensions::parse(&extensions.encode()), Ok(extensions));
    }
}

pub(crate) fn collateral(bytes: &[u8]) {
    if let Ok(collateral) = Collateral::parse(bytes) {
        assert_eq!(Collateral::parse(&collateral.encode()).as_ref(), Ok(&collateral));
    }
    if let Ok(info) = TcbInfo::parse(bytes) {
        assert_eq!(TcbInfo::parse(info.encode().as_bytes()), Ok(info));
    }
    if let Ok(identity) = EnclaveIdentity::parse(bytes) {
        assert_eq!(EnclaveIdentity::parse(identity.encode().as_bytes()), Ok(identity));
    }
}

pub(crate) fn cmw(bytes: &[u8]) {
    if let Ok(cmw) = Cmw::parse(bytes) {
        let cbor = cmw.to_cbor();
        assert_eq!(Cmw::parse(&cbor).as_ref(), Ok(&cmw));
        if let Some(json) = cmw.to_json() {
            assert_eq!(Cmw::parse(json.as_bytes()).as_ref(), Ok(&cmw));
        }
    }
}

pub(crate) fn endorsement(bytes: &[u8]) {
    for der in documents(bytes, Bundle::MAX_ENDORSEMENTS).into_iter().flatten() {
        match Document::parse(&der) {
            Ok(Document::Certificate(certificate)) => read_certificate(&certificate),
            Ok(Document::RevocationList(list)) => {
                assert_eq!(list.der, &*der);
                let _ =
                    (list.revoked().count(), list.issuer_common_name(), list.extensions.unknown_critical());
            }
            Ok(Document::TcbInfo(info)) => {
                assert_eq!(TcbInfo::parse(info.content.encode().as_bytes()), Ok(info.content));
            }
            Ok(Document::EnclaveIdentity(identity)) => {
                let again = EnclaveIdentity::parse(identity.content.encode().as_bytes());
                assert_eq!(again, Ok(identity.content));
            }
            Ok(Document::ReferenceManifest(manifest)) => assert!(!manifest.content.is_empty()),
            Err(_) => {}
        }
    }
}

fn read_certificate(certificate: &Certificate<'_>) {
    let extensions = certificate.extensions;
    let _ = nvgpu::firmware_id(&extensions);
    let _ = (certificate.common_name(), certificate.issuer_common_name());
    let _ = (extensions.basic_constraints(), extensions.key_usage(), extensions.unknown_critical());
    if let Ok(Some(pck)) = PckExtensions::find(&extensions) {
        assert_eq!(PckExtensions::parse(&pck.encode()), Ok(pck));
    }
    let _ = (extensions.extended_key_usage(), EcdsaSignature::<32>::from_der(certificate.signature));
    if let Ok(Some(key)) = KeyExtensions::parse(extensions.iter().map(|found| (found.oid, found.value))) {
        let encoded = key.encode();
        let pairs = encoded.iter().map(|extension| (extension.oid, extension.value.as_slice()));
        assert_eq!(KeyExtensions::parse(pairs), Ok(Some(key)));
    }
}

pub(crate) fn tpm_evidence(bytes: &[u8]) {
    let _ = PublicKey::from_spki(bytes).map(|key| key.to_spki());
    if let Ok(attest) = Attest::parse(bytes) {
        assert_eq!(attest.encode(), bytes);
    }
    if let Ok(signature) = Signature::parse(bytes) {
        assert_eq!(signature.encode(), bytes);
    }
    if let Ok(public) = Public::parse(bytes) {
        assert_eq!(public.encode(), bytes);
    }
    if let Ok(evidence) = TpmEvidence::decode(bytes) {
        assert_eq!(evidence.encode(), bytes);
    }
}

pub(crate) fn azure_evidence(bytes: &[u8]) {
    if let Ok(report) = HclReport::parse(bytes) {
        assert_eq!(report.encode(), bytes);
    }
    if let Ok(data) = RuntimeData::parse(bytes) {
        assert_eq!(RuntimeData::parse(&data.to_json()), Ok(data));
    }
    if let Ok(evidence) = AzureEvidence::decode(bytes) {
        assert_eq!(evidence.encode(), bytes);
    }
}

pub(crate) fn reference_manifest(bytes: &[u8]) {
    if let Ok(rim) = nvgpu::Rim::parse(bytes) {
        assert!(nvgpu::Rim::looks_like(bytes));
        // What is canonical stays as it is.
        assert!(
            rim.content.len() <= 2 * nvgpu::Rim::MAX_LEN && rim.signed_info.len() <= 2 * nvgpu::Rim::MAX_LEN
        );
    }
}

pub(crate) fn gpu_report(bytes: &[u8]) {
    if let Ok(report) = nvgpu::Report::parse(bytes) {
        assert_eq!(report.encode(), bytes);
    }
}
