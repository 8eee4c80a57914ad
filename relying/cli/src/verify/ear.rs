// SPDX-License-Identifier: Apache-2.0

//! The result as an EAR, signed with the key of this machine's verifier.

use ed25519_dalek::{Signer as _, SigningKey};
use enarx_evidence::cose::Algorithm;
use enarx_verifier::ear::{Ear, Signer, SigningFailed, VerifierId};
use sha2::{Digest as _, Sha256};

use super::verdict::{Decision, Verdict};
use crate::failure::{Failure, Outcome};
use crate::state::State;
use crate::trust::Trust;

/// Who made the verifier.
const DEVELOPER: &str = "https://enarx.dev";

/// The key, and what relying parties find it by.
struct Key {
    key: SigningKey,
    id: [u8; 32],
}

impl Signer for Key {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDsa
    }

    fn key_id(&self) -> Option<&[u8]> {
        Some(&self.id)
    }

    fn sign(&mut self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        Ok(self.key.sign(message).to_bytes().to_vec())
    }
}

/// The token, and the public key that it verifies under, in hexadecimal.
pub(super) fn token(verdict: &Verdict, policy: Option<&Trust>) -> Outcome<(String, String)> {
    let no_policy = || {
        Failure::usage("an EAR says what a policy decided, and there is no policy")
            .hint("give one by `--policy`; `enarx policy new` writes one to start from")
    };
    let policy = policy.ok_or_else(no_policy)?;
    let verifier =
        VerifierId { developer: DEVELOPER.to_owned(), build: format!("enarx {}", env!("CARGO_PKG_VERSION")) };
    let ear = match &verdict.decision {
        Decision::Accepted(result) => Ear::of_result(result, verifier),
        Decision::Refused(refusals) => {
            Ear::of_refusals(refusals, verdict.format, policy.policy(), verdict.at, verifier)
        }
        Decision::Verified(_) => return Err(no_policy()),
    };
    let seed = State::open()?.verifier_key()?;
    let key = SigningKey::from_bytes(&seed);
    let public = key.verifying_key().to_bytes();
    let mut key = Key { key, id: Sha256::digest(public).into() };
    let token = ear.to_jwt(&mut key).map_err(Failure::usage)?;
    Ok((token, hex::encode(public)))
}
