// SPDX-License-Identifier: Apache-2.0

//! The kinds of keys that vendors use: RSA-4096 and ECDSA P-384 of AMD, ECDSA on both curves of others.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_SHA256, RSA_PSS_SHA384, RsaEncoding,
    UnparsedPublicKey,
};
use der::Encode as _;
use der::asn1::UintRef;
use enarx_evidence::snp::Signature;

use crate::SimulatorError;
use crate::store::{Entry, Store};

/// A key that signs certificates and lists, in the form that they have.
pub(crate) trait Signer {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SimulatorError>;
}

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
}

impl Signer for AuthorityKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SimulatorError> {
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

/// An RSA key of 2048 bits, as TPMs have them.
pub(crate) struct RsaKey(RsaKeyPair);

impl RsaKey {
    const FILE: &str = "key.der";

    /// Reads a key from the store, or makes it.
    pub(crate) fn load(store: &Store, name: &str) -> Result<Self, SimulatorError> {
        let read = |entry: &Entry| {
            let key = RsaKeyPair::from_pkcs8(&entry.read(Self::FILE)?).ok();
            Ok(Some(Self(key.ok_or_else(|| entry.damaged("it has no RSA key"))?)))
        };
        let make = || {
            let key = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| crypto("generate an RSA key"))?;
            let der: Pkcs8V1Der<'_> = key.as_der().map_err(|_| crypto("encode an RSA key"))?;
            Ok(vec![(Self::FILE, der.as_ref().to_vec())])
        };
        store.read_or_make(name, read, make)
    }

    /// The subject public key info, DER.
    pub(crate) fn spki(&self) -> Result<Vec<u8>, SimulatorError> {
        let der: PublicKeyX509Der<'_> =
            self.0.public_key().as_der().map_err(|_| crypto("encode an RSA public key"))?;
        Ok(der.as_ref().to_vec())
    }

    /// A signature with SHA-256: RSASSA-PSS, or RSASSA-PKCS1-v1_5.
    pub(crate) fn sign(&self, pss: bool, message: &[u8]) -> Result<Vec<u8>, SimulatorError> {
        let padding: &dyn RsaEncoding = if pss { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
        let mut signature = vec![0; self.0.public_modulus_len()];
        let signed = self.0.sign(padding, &SystemRandom::new(), message, &mut signature);
        signed.map_err(|_| crypto("sign evidence"))?;
        Ok(signature)
    }
}

/// A curve, with the hash that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Curve {
    /// P-256, with SHA-256.
    P256,
    /// P-384, with SHA-384.
    P384,
}

impl Curve {
    fn algorithm(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            Self::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        }
    }
}

/// A key on an elliptic curve.
pub(crate) struct EcKey {
    pub(crate) curve: Curve,
    pair: EcdsaKeyPair,
}

impl EcKey {
    pub(crate) fn generate(curve: Curve) -> Result<Self, SimulatorError> {
        let pair = EcdsaKeyPair::generate(curve.algorithm());
        Ok(Self { curve, pair: pair.map_err(|_| crypto("generate a key on an elliptic curve"))? })
    }

    /// Reads a key from the store, or makes it.
    pub(crate) fn load(store: &Store, name: &str, curve: Curve) -> Result<Self, SimulatorError> {
        const FILE: &str = "key.der";
        let read = |entry: &Entry| {
            let key = Self::from_pkcs8(curve, &entry.read(FILE)?);
            Ok(Some(key.ok_or_else(|| entry.damaged("it has no key on its curve"))?))
        };
        store.read_or_make(name, read, || Ok(vec![(FILE, Self::generate(curve)?.to_pkcs8()?)]))
    }

    /// `None` if the bytes are not a key on this curve.
    pub(crate) fn from_pkcs8(curve: Curve, pkcs8: &[u8]) -> Option<Self> {
        EcdsaKeyPair::from_pkcs8(curve.algorithm(), pkcs8).ok().map(|pair| Self { curve, pair })
    }

    pub(crate) fn to_pkcs8(&self) -> Result<Vec<u8>, SimulatorError> {
        let der = self.pair.to_pkcs8v1().map_err(|_| crypto("encode a key on an elliptic curve"))?;
        Ok(der.as_ref().to_vec())
    }

    /// The uncompressed point: 04h, x, y.
    pub(crate) fn point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The subject public key info, DER.
    pub(crate) fn spki(&self) -> Result<Vec<u8>, SimulatorError> {
        let der: PublicKeyX509Der<'_> =
            self.pair.public_key().as_der().map_err(|_| crypto("encode a public key"))?;
        Ok(der.as_ref().to_vec())
    }

    /// A signature as evidence has it: r and s, big-endian, each as long as the curve's order.
    pub(crate) fn sign_fixed(&self, message: &[u8]) -> Result<Vec<u8>, SimulatorError> {
        let signature = self.pair.sign(&SystemRandom::new(), message).map_err(|_| crypto("sign evidence"))?;
        Ok(signature.as_ref().to_vec())
    }
}

impl Signer for EcKey {
    /// A signature as certificates have it (RFC 3279, section 2.2.3).
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SimulatorError> {
        let signature = self.sign_fixed(message)?;
        let (r, s) = signature.split_at(signature.len() / 2);
        Ok([UintRef::new(r)?, UintRef::new(s)?].to_vec().to_der()?)
    }
}

fn crypto(action: &'static str) -> SimulatorError {
    SimulatorError::Crypto { action }
}
