// SPDX-License-Identifier: Apache-2.0

//! Quotes as TPMs give them out, with the certificate of the attestation key.

use std::time::Duration;

use aws_lc_rs::digest;
use enarx_evidence::tpm::{
    Attest, AttestationKey, Attributes, ClockInfo, HashAlgorithm, KeyScheme, PcrSelection, PcrValues, Public,
    PublicId, Quote, RsaPadding, Signature, TpmEvidence,
};
use enarx_evidence::x509::PublicKey;
use enarx_evidence::{Bundle, Endorsements, Evidence, Format};
use sha2::{Digest as _, Sha256};

use crate::keys::{Curve, EcKey, RsaKey};
use crate::pki::{EcAuthority, Subject, Use, distribution_point, now};
use crate::{Simulator, SimulatorError};

const ROOT: &str = "Simulated TPM Root CA";
const LIST: &str = "http://simulated.invalid/tpm-root.crl";

const YEAR: Duration = Duration::from_hours(365 * 24);
/// Clocks of host and tenant differ a little.
const BACKDATED: Duration = Duration::from_hours(24);
/// How long revocation lists are current.
const CURRENT: Duration = Duration::from_hours(30 * 24);

/// The registers that a PC's firmware extends.
const FIRMWARE: std::ops::Range<u8> = 0..8;

/// The kind of an attestation key, and how it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TpmKey {
    /// RSA of 2048 bits: RSASSA-PKCS1-v1_5 with SHA-256.
    RsaSsa,
    /// RSA of 2048 bits: RSASSA-PSS with SHA-256.
    RsaPss,
    /// ECDSA, with the hash function of the curve.
    Ecdsa(Curve),
}

/// A simulated TPM. Its attestation keys stay; certificates below the root are made anew for each quote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedTpm {
    /// Which attestation key signs.
    pub key: TpmKey,
    /// The banks that are quoted, with all their registers.
    pub banks: Vec<HashAlgorithm>,
    /// What the TPM says about the key is sent along.
    pub described: bool,
    /// The certificate of the key is sent along.
    pub certified: bool,
}

impl Default for SimulatedTpm {
    fn default() -> Self {
        let banks = vec![HashAlgorithm::Sha256];
        Self { key: TpmKey::RsaSsa, banks, described: true, certified: true }
    }
}

/// Everything that is in a quote, before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmContent {
    /// What is signed.
    pub attest: Attest,
    /// What is sent beside it.
    pub values: PcrValues,
    /// What the TPM says about the key.
    pub public: Public,
    /// The certificate says that the key is for certificates.
    pub authority: bool,
    /// The authority that certified the key is revoked.
    pub authority_revoked: bool,
}

/// An attestation key.
pub(crate) enum Key {
    Rsa(RsaPadding, RsaKey),
    Ec(EcKey),
}

impl SimulatedTpm {
    /// The value of a register as the simulated firmware leaves it.
    pub fn register(bank: HashAlgorithm, number: u8) -> Vec<u8> {
        match number {
            number if FIRMWARE.contains(&number) => hash(bank, format!("simulated pcr{number}").as_bytes()),
            17..=22 => vec![0xff; bank.digest_len()],
            _ => vec![0; bank.digest_len()],
        }
    }

    /// The registers of all banks that are quoted.
    fn values(&self) -> PcrValues {
        let registers = |bank| (0..24).map(|number| (number, Self::register(bank, number))).collect();
        PcrValues { banks: self.banks.iter().map(|bank| (*bank, registers(*bank))).collect() }
    }
}

impl Simulator {
    /// What identifies the root of simulated TPMs: the SHA-256 of its subject public key info.
    pub fn tpm_root_spki_sha256(&self) -> Result<[u8; 32], SimulatorError> {
        Ok(Sha256::digest(&self.tpm_root()?.spki()?).into())
    }

    /// What identifies an attestation key to those who endorse the key itself.
    pub fn tpm_key_spki_sha256(&self, kind: TpmKey) -> Result<[u8; 32], SimulatorError> {
        Ok(Sha256::digest(self.tpm_key(kind)?.spki()?).into())
    }

    /// What a machine with such a TPM would give out: a quote bound to the report data, and as endorsements, in this
    /// order, the certificates of key, authority and root, and the list of the root. `change` may change what is said
    /// before it is signed.
    pub fn attest_tpm(
        &self,
        tpm: &SimulatedTpm,
        report_data: &[u8; 64],
        change: impl FnOnce(&mut TpmContent),
    ) -> Result<Bundle, SimulatorError> {
        let key = self.tpm_key(tpm.key)?;
        let mut content = content(tpm, &key, report_data)?;
        change(&mut content);
        let items = if tpm.certified { self.certificates(&key, &content)? } else { Vec::new() };
        let quote = key.quote(&content)?;
        let key = tpm.described.then_some(AttestationKey::Public(content.public));
        let bytes = TpmEvidence { quote, key }.encode();
        Ok(Bundle { evidence: Evidence { format: Format::Tpm, bytes }, endorsements: Endorsements { items } })
    }

    pub(crate) fn tpm_key(&self, kind: TpmKey) -> Result<Key, SimulatorError> {
        match kind {
            TpmKey::RsaSsa => Ok(Key::Rsa(RsaPadding::Pkcs1, RsaKey::load(&self.store, "tpm/rsa")?)),
            TpmKey::RsaPss => Ok(Key::Rsa(RsaPadding::Pss, RsaKey::load(&self.store, "tpm/rsa")?)),
            TpmKey::Ecdsa(curve) => {
                let name = if curve == Curve::P256 { "tpm/p256" } else { "tpm/p384" };
                Ok(Key::Ec(EcKey::load(&self.store, name, curve)?))
            }
        }
    }

    fn tpm_root(&self) -> Result<EcAuthority, SimulatorError> {
        EcAuthority::root(&self.store, "tpm/root", Curve::P384, ROOT)
    }

    /// The certificate of a key, the authorities above it, and the root's list.
    pub(crate) fn certificates(
        &self,
        key: &Key,
        content: &TpmContent,
    ) -> Result<Vec<Vec<u8>>, SimulatorError> {
        let (root, from) = (self.tpm_root()?, now().saturating_sub(BACKDATED));
        let used_for = Use::Authority { path_len: Some(0) };
        let common_name = "Simulated TPM CA 1";
        let subject = Subject { common_name, used_for, from, valid_for: YEAR * 5 };
        let authority = root.below_with(&subject, vec![distribution_point(LIST)?])?;
        let used_for = if content.authority { Use::Authority { path_len: None } } else { Use::Data };
        let subject = Subject { common_name: "Simulated AK", used_for, from, valid_for: YEAR };
        let certificate = authority.certify_spki(&subject, &key.spki()?, Vec::new())?;
        let revoked =
            if content.authority_revoked { vec![authority.certificate.as_slice()] } else { Vec::new() };
        let list = root.revocation_list(&revoked, from, CURRENT)?;
        Ok(vec![certificate, authority.certificate, root.certificate, list])
    }
}

/// What the TPM would say, before anything of it is changed.
pub(crate) fn content(
    tpm: &SimulatedTpm,
    key: &Key,
    report_data: &[u8; 64],
) -> Result<TpmContent, SimulatorError> {
    let values = tpm.values();
    let all = (0..24).collect::<Vec<_>>();
    let pcr_select = tpm.banks.iter().map(|bank| PcrSelection::of(*bank, &all)).collect::<Vec<_>>();
    let quoted = pcr_select.iter().flat_map(|selection| {
        selection.numbers().filter_map(|number| values.get(selection.bank, number)).flatten().copied()
    });
    let attest = Attest {
        qualified_signer: qualified_signer(key)?,
        extra_data: Sha256::digest(report_data).to_vec(),
        clock: ClockInfo { clock: 3_600_000, reset_count: 7, restart_count: 1, safe: true },
        firmware_version: 0x0001_0002_0003_0004,
        pcr_digest: hash(key.hash(), &quoted.collect::<Vec<_>>()),
        pcr_select,
    };
    let public = key.public()?;
    Ok(TpmContent { attest, values, public, authority: false, authority_revoked: false })
}

/// The name of a key that stands directly below the endorsement hierarchy (*TPM 2.0, part 1*, sections 16 and 26.5).
fn qualified_signer(key: &Key) -> Result<Vec<u8>, SimulatorError> {
    const ENDORSEMENT: u32 = 0x4000_000b;
    let number = HashAlgorithm::Sha256.number().to_be_bytes();
    let name = [&number[..], &Sha256::digest(key.public()?.encode())].concat();
    let above = Sha256::digest([&ENDORSEMENT.to_be_bytes()[..], &name].concat());
    Ok([&number[..], &above].concat())
}

impl Key {
    /// The subject public key info, DER.
    pub(crate) fn spki(&self) -> Result<Vec<u8>, SimulatorError> {
        match self {
            Self::Rsa(_, key) => key.spki(),
            Self::Ec(key) => key.spki(),
        }
    }

    fn hash(&self) -> HashAlgorithm {
        match self {
            Self::Ec(key) if key.curve == Curve::P384 => HashAlgorithm::Sha384,
            _ => HashAlgorithm::Sha256,
        }
    }

    /// The quote, signed.
    pub(crate) fn quote(&self, content: &TpmContent) -> Result<Quote, SimulatorError> {
        let (hash, message) = (self.hash(), content.attest.encode());
        let signature = match self {
            Self::Rsa(padding, key) => {
                let signature = key.sign(*padding == RsaPadding::Pss, &message)?;
                Signature::Rsa { padding: *padding, hash, signature }
            }
            Self::Ec(key) => {
                let signature = key.sign_fixed(&message)?;
                let (r, s) = signature.split_at(signature.len() / 2);
                Signature::Ecdsa { hash, r: r.to_vec(), s: s.to_vec() }
            }
        };
        Ok(Quote { attest: content.attest.clone(), signature, values: content.values.clone() })
    }

    /// What a TPM would say about the key.
    fn public(&self) -> Result<Public, SimulatorError> {
        use enarx_evidence::tpm::Curve as TpmCurve;
        let failed = || SimulatorError::Crypto { action: "encode a public key" };
        let spki = self.spki()?;
        let (scheme, id) = match (self, PublicKey::from_spki(&spki).map_err(|_| failed())?) {
            (Self::Rsa(padding, _), PublicKey::Rsa { modulus, .. }) => {
                let scheme = match padding {
                    RsaPadding::Pkcs1 => KeyScheme::RsaSsa(self.hash()),
                    RsaPadding::Pss => KeyScheme::RsaPss(self.hash()),
                };
                (scheme, PublicId::Rsa { bits: 2048, exponent: 0, modulus: modulus.to_vec() })
            }
            (Self::Ec(key), _) => {
                let curve = if key.curve == Curve::P256 { TpmCurve::P256 } else { TpmCurve::P384 };
                let (_, point) = key.point().split_first().ok_or_else(failed)?;
                let (x, y) = point.split_at(curve.coordinate_len());
                (KeyScheme::Ecdsa(self.hash()), PublicId::Ecc { curve, x: x.to_vec(), y: y.to_vec() })
            }
            (Self::Rsa(..), _) => return Err(failed()),
        };
        let (name_alg, attributes) = (HashAlgorithm::Sha256, Attributes::ATTESTATION_KEY);
        Ok(Public { name_alg, attributes, auth_policy: Vec::new(), scheme, id })
    }
}

fn hash(algorithm: HashAlgorithm, message: &[u8]) -> Vec<u8> {
    let algorithm = match algorithm {
        HashAlgorithm::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        HashAlgorithm::Sha256 => &digest::SHA256,
        HashAlgorithm::Sha384 => &digest::SHA384,
        HashAlgorithm::Sha512 => &digest::SHA512,
    };
    digest::digest(algorithm, message).as_ref().to_vec()
}
