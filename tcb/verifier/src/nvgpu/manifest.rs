// SPDX-License-Identifier: Apache-2.0

//! Reference manifests of driver and VBIOS, if the host sent them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use enarx_evidence::nvgpu::{Report, Rim};
use enarx_evidence::x509::{Certificate, PublicKey};
use sha2::{Digest as _, Sha384};

use crate::chain::{self, Profile, Proved, Revocable};
use crate::crypto::{Hash, Remembering, Scheme, SignatureVerifier, Signed};
use crate::endorsements::{Endorsements, malformed};
use crate::refusal::{Findings, Subject};
use crate::{Code, Root, Verification};

/// The chains of keys that sign manifests: signer, chip, family, root. Authorities say in their own certificate where
/// the list is that could revoke them.
const CHAIN: Profile = Profile {
    max_intermediates: 2,
    revocable: Revocable::WhoeverNamesAList,
    root: |root| matches!(root, Root::NvidiaManifests),
};

/// How many manifests are verified at most: that of the driver and that of the VBIOS, and room for a second signer.
const MAX_MANIFESTS: usize = 4;

/// Verifies each manifest and compares the measurements with it; the versions that they are about. For a device that is
/// not simulated only NVIDIA can say what it should measure.
pub(super) fn verify(
    report: &Report,
    versions: [Option<&str>; 2],
    device: Option<&Root>,
    endorsements: &Endorsements<'_>,
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Vec<String> {
    if endorsements.manifests.len() > MAX_MANIFESTS {
        let expected = format_args!("at most {MAX_MANIFESTS} reference manifests");
        let found = endorsements.manifests.len();
        findings.refuse(Subject::Endorsements, Code::EndorsementsTooMany, expected, found);
        return Vec::new();
    }
    // The chains of driver and VBIOS share their authorities.
    let crypto: &mut dyn SignatureVerifier = &mut Remembering::new(crypto);
    for manifest in &endorsements.manifests {
        let signer = genuine(manifest, endorsements, verification, crypto, findings);
        if let Some(root) = signer.filter(|root| !may_judge(root, device)) {
            let expected = "a manifest of NVIDIA for a device of NVIDIA";
            findings.refuse(Subject::Manifest, Code::SimulatedNotAccepted, expected, root);
        }
        let version = manifest.version.as_str();
        let known = versions.iter().flatten().any(|own| own.eq_ignore_ascii_case(version));
        let own = versions.into_iter().flatten().collect::<Vec<_>>().join(" or ");
        let expected = format_args!("a manifest of {own}");
        findings.check(
            Subject::Manifest,
            Code::ManifestForeign,
            known,
            expected,
            format_args!("`{version}`"),
        );
        measurements(report, manifest, findings);
    }
    endorsements.manifests.iter().map(|manifest| manifest.version.clone()).collect()
}

/// Whether manifests under a root say what a device under another one should measure.
fn may_judge(manifest: &Root, device: Option<&Root>) -> bool {
    let simulated = |root: &Root| matches!(root, Root::Simulated { .. });
    !simulated(manifest) || device.is_none_or(simulated)
}

/// The content is what the signature is about, the signature is good, and so is the chain of its key, which ends in the
/// root that is returned.
fn genuine(
    manifest: &Rim,
    endorsements: &Endorsements<'_>,
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<Root> {
    let digest: [u8; 48] = Sha384::digest(&manifest.content).into();
    let (same, expected) = (digest == manifest.digest, hex::encode(manifest.digest));
    findings.check(Subject::Manifest, Code::ManifestDigestMismatch, same, expected, hex::encode(digest));
    let mut certificates = Vec::new();
    for der in &manifest.certificates {
        match Certificate::parse(der) {
            Ok(certificate) => certificates.push(certificate),
            Err(error) => malformed(error, findings),
        }
    }
    let signed = |certificate: &&Certificate<'_>, crypto: &mut dyn SignatureVerifier| {
        matches!(certificate.key, PublicKey::P384(_))
            && crypto.verify_endorsement(&Signed {
                key: certificate.key,
                scheme: Scheme::Ecdsa(Hash::Sha384),
                message: &manifest.signed_info,
                signature: &manifest.signature,
            })
    };
    let ca = |certificate: &&Certificate<'_>| {
        certificate.extensions.basic_constraints().is_some_and(|constraints| constraints.ca)
    };
    let mut leaves = certificates.iter().filter(|certificate| !ca(certificate));
    let signer = leaves.find(|leaf| signed(leaf, crypto)).copied();
    let expected = "a signature by the key of a certificate in the manifest";
    let found = signer.as_ref().map_or("none that verifies", Certificate::common_name);
    findings.check(Subject::Manifest, Code::ManifestSignatureInvalid, signer.is_some(), expected, found);
    let signer = signer?;
    let own = Endorsements {
        certificates,
        lists: endorsements.lists.clone(),
        tcb_infos: Vec::new(),
        identities: Vec::new(),
        manifests: Vec::new(),
        proved: Proved::default(),
    };
    chain::verify(&signer, &own, &CHAIN, verification, crypto, findings)
}

/// Every measurement that the manifest says something about is one of its values.
fn measurements(report: &Report, manifest: &Rim, findings: &mut Findings) {
    let differs = |(index, values): (&u8, &Vec<[u8; 48]>)| {
        let found = report.measurements.get(index);
        let same = found.is_some_and(|found| values.iter().any(|value| *value == *found.value));
        (!same).then(|| format!("{index}"))
    };
    let differ = manifest.references.iter().filter_map(differs).collect::<Vec<_>>().join(", ");
    let same = differ.is_empty();
    let count = manifest.references.len();
    let expected = format_args!("{count} measurements as the manifest of {} has them", manifest.version);
    let found = if same { String::from("they are") } else { format!("others at {differ}") };
    let code = Code::ManifestMeasurementMismatch;
    findings.check(Subject::ManifestMeasurements, code, same, expected, found);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_vendor_judges_simulated_devices_alone() {
        let simulated = Root::Simulated { name: "local".into(), spki_sha256: [0; 32] };
        assert!(may_judge(&Root::NvidiaManifests, Some(&Root::Nvidia)));
        assert!(may_judge(&simulated, Some(&simulated)));
        assert!(may_judge(&Root::NvidiaManifests, Some(&simulated)));
        assert!(!may_judge(&simulated, Some(&Root::Nvidia)));
    }
}
