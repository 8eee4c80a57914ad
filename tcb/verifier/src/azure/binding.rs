// SPDX-License-Identifier: Apache-2.0

//! What ties the virtual TPM to the hardware, and the quote to the TPM.

use enarx_evidence::azure::RuntimeData;
use enarx_evidence::tpm::Quote;
use enarx_evidence::x509::PublicKey;
use sha2::{Digest as _, Sha256};

use crate::claims::AzureMachine;
use crate::crypto::SignatureVerifier;
use crate::endorsements::Endorsements;
use crate::refusal::Findings;
use crate::{Verification, tpm};

/// What the report data of the hardware must be: the SHA-256 of the runtime data as they are, then zeros.
pub(super) fn report_data(runtime_data: &[u8]) -> [u8; 64] {
    let mut report_data = [0; 64];
    report_data.iter_mut().zip(Sha256::digest(runtime_data)).for_each(|(byte, digest)| *byte = digest);
    report_data
}

/// Verifies the quote with the attestation key that the runtime data name, and the certificate of that key, if there
/// is one: the hardware vouches for the key, so it needs none.
pub(super) fn machine(
    quote: &Quote,
    runtime: RuntimeData,
    endorsements: &Endorsements<'_>,
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> AzureMachine {
    let jwk = &runtime.attestation_key;
    let key = PublicKey::Rsa { modulus: &jwk.modulus, exponent: &jwk.exponent };
    let certificate = tpm::certificate_of(key, endorsements, verification.now);
    let certificate_root = certificate
        .as_ref()
        .and_then(|certificate| tpm::certified(certificate, endorsements, verification, crypto, findings));
    let quote = tpm::check_quote(quote, key, verification.report_data, crypto, findings);
    AzureMachine {
        quote,
        certificate: certificate.map(|certificate| certificate.common_name().into()),
        certificate_root,
        configuration: runtime.configuration,
        user_data: runtime.user_data,
    }
}
