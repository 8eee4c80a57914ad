// SPDX-License-Identifier: Apache-2.0

//! Certificates, revocation lists and other collateral.

use enarx_evidence::ParseError;
use enarx_evidence::cose::EcKey;
use enarx_evidence::dcap::PckExtensions;
use enarx_evidence::endorsement::{Document, documents};
use enarx_evidence::snp::cert::KeyExtensions;
use enarx_evidence::x509::{Certificate, PublicKey, RevocationList};
use enarx_verifier::UnixTime;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Record, dcap, nvgpu};

/// More documents than any text of a vendor has.
const MAX_DOCUMENTS: usize = 64;

pub(super) fn records(item: &[u8], records: &mut Vec<Record>) -> Result<(), ParseError> {
    for der in documents(item, MAX_DOCUMENTS)? {
        records.push(match Document::parse(&der)? {
            Document::Certificate(found) => certificate(&found)?,
            Document::RevocationList(found) => list(&found),
            Document::TcbInfo(found) => dcap::tcb_info(&found.content),
            Document::EnclaveIdentity(found) => dcap::enclave_identity(&found.content),
            Document::ReferenceManifest(found) => nvgpu::reference_manifest(&found),
        });
    }
    Ok(())
}

/// A certificate, also one that is inside of evidence.
pub(super) fn certificate(found: &Certificate<'_>) -> Result<Record, ParseError> {
    let mut record = Record::new("certificate", "RFC 5280, section 4.1");
    record.field("subject", found.common_name());
    record.field("issuer", found.issuer_common_name());
    record.bytes("serialNumber", found.serial);
    record.text("notBefore", UnixTime(found.not_before));
    record.text("notAfter", UnixTime(found.not_after));
    record.text("signatureAlgorithm", format_args!("{:?}", found.algorithm));
    record.field("key", key(found.key));
    record.bytes("SHA-256 of the key", Sha256::digest(found.spki));
    record.field("cA", found.extensions.basic_constraints().map(|constraints| constraints.ca));
    let extensions = found.extensions.iter().map(|found| (found.oid, found.value));
    if let Some(amd) = KeyExtensions::parse(extensions)? {
        record.field("structVersion", amd.struct_version);
        record.field("productName", amd.product_name);
        record.text("security patch levels", amd.tcb);
        record.field("hwID", amd.hwid.map(hex::encode));
        record.field("cspID", amd.csp_id);
    }
    if let Some(pck) = PckExtensions::find(&found.extensions)? {
        record.bytes("PPID", pck.ppid);
        record.bytes("FMSPC", pck.fmspc);
        record.bytes("PCE-ID", pck.pce_id);
        record.bytes("SGX components", pck.tcb.components);
        record.field("PCESVN", pck.tcb.pce_svn);
        record.bytes("CPUSVN", pck.tcb.cpu_svn);
        record.text("SGX type", format_args!("{:?}", pck.sgx_type));
        record.field("platform instance ID", pck.platform_instance_id.map(hex::encode));
    }
    Ok(record)
}

fn list(found: &RevocationList<'_>) -> Record {
    let mut record = Record::new("revocation list", "RFC 5280, section 5.1");
    record.field("issuer", found.issuer_common_name());
    record.text("thisUpdate", UnixTime(found.this_update));
    record.text("nextUpdate", UnixTime(found.next_update));
    record.text("signatureAlgorithm", format_args!("{:?}", found.algorithm));
    let revoked: Vec<Value> = found.revoked().map(|serial| Value::from(hex::encode(serial))).collect();
    record.field("revoked", revoked.len());
    if !revoked.is_empty() {
        record.field("serial numbers", revoked);
    }
    record
}

/// A public key by itself.
pub(super) fn public_key(bytes: &[u8]) -> Result<Record, ParseError> {
    let mut record = Record::new("public key", "RFC 5280, section 4.1.2.7; RFC 7517");
    let spki = if bytes.first() == Some(&b'{') { EcKey::from_jwk(bytes)?.spki() } else { bytes.to_vec() };
    record.field("key", key(PublicKey::from_spki(&spki)?));
    record.bytes("SHA-256 of the key", Sha256::digest(&spki));
    Ok(record)
}

/// What kind of key it is.
fn key(key: PublicKey<'_>) -> String {
    match key {
        PublicKey::Rsa { modulus, .. } => format!("RSA of {} bits", modulus.len().saturating_mul(8)),
        PublicKey::P256(_) => "P-256".to_owned(),
        PublicKey::P384(_) => "P-384".to_owned(),
        _ => "of another kind".to_owned(),
    }
}
