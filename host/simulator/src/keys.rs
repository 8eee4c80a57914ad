// SPDX-License-Identifier: Apache-2.0

//! The two kinds of keys that AMD uses: RSA-4096 for authorities, ECDSA P-384 for reports.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PSS_2048_8192_SHA384, RSA_PSS_SHA384,
    UnparsedPublicKey,
};
use enarx_evidence::snp::Signature;

use crate::SimulatorError;

/// The key of an authority. It signs by RSA-PSS with SHA-384 and a salt of 48 bytes.
pub(crate) struct AuthorityKey(RsaKeyPair);

/// A key that signs reports.
pub(crate) struct ChipKey(EcdsaKeyPair);

impl AuthorityKey {
    pub(crate) fn generate() -> Result<Self, SimulatorError> {
        RsaKeyPair::generate(KeySize::Rsa4096).map(Self).map_err(|_| crypto("generate an RSA key"))
    }

    /// `None` if the bytes are not a key.
    pub(crate) fn from_pkcs8(pkcs8: &[u8]) -> Option<Self> {
        RsaKeyPair::from_pkcs8(pkcs8).ok().map(Self)
    }

    pub(crate) fn to_pkcs8(&self) -> Result<Vec<u8>, SimulatorError> {
        let der: Pkcs8V1Der<'_> = self.0.as_der().map_err(|_| crypto("encode an RSA key"))?;
        Ok(der.as_ref().to_vec())
    }

    pub(crate) fn spki(&self) -> Result<Vec<u8>, SimulatorError> {
        let der: PublicKeyX509Der<'_> =
            self.0.public_key().as_der().map_err(|_| crypto("encode an RSA public key"))?;
        Ok(der.as_ref().to_vec())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SimulatorError> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(&RSA_PSS_SHA384, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| crypto("sign a certificate"))?;
        Ok(signature)
    }
}

/// Whether an authority with this `RSAPublicKey` made the signature.
pub(crate) fn verify(rsa_public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA384, rsa_public_key).verify(message, signature).is_ok()
}

impl ChipKey {
    pub(crate) fn generate() -> Result<Self, SimulatorError> {
        EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING)
            .map(Self)
            .map_err(|_| crypto("generate a P-384 key"))
    }

    /// `None` if the bytes are not a key.
    pub(crate) fn from_pkcs8(pkcs8: &[u8]) -> Option<Self> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, pkcs8).ok().map(Self)
    }

    pub(crate) fn to_pkcs8(&self) -> Result<Vec<u8>, SimulatorError> {
        let der = self.0.to_pkcs8v1().map_err(|_| crypto("encode a P-384 key"))?;
        Ok(der.as_ref().to_vec())
    }

    pub(crate) fn spki(&self) -> Result<Vec<u8>, SimulatorError> {
        let der: PublicKeyX509Der<'_> =
            self.0.public_key().as_der().map_err(|_| crypto("encode a P-384 public key"))?;
        Ok(der.as_ref().to_vec())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Signature, SimulatorError> {
        let failed = || crypto("sign a report");
        let signature = self.0.sign(&SystemRandom::new(), message).map_err(|_| failed())?;
        let (r, s) = signature.as_ref().split_first_chunk::<48>().ok_or_else(failed)?;
        Ok(Signature { r: *r, s: s.try_into().map_err(|_| failed())? })
    }
}

fn crypto(action: &'static str) -> SimulatorError {
    SimulatorError::Crypto { action }
}
