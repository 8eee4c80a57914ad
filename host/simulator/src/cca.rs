// SPDX-License-Identifier: Apache-2.0

//! Attestation tokens as an Arm CCA platform and its realm manager give them out.

use std::time::Duration;

use aws_lc_rs::digest;
use enarx_evidence::cca::{
    HashAlgorithm, Lifecycle, Measurement, MecPolicy, PlatformClaims, PlatformProfile, RealmClaims,
    RealmProfile, SoftwareComponent, Token, Wrapping,
};
use enarx_evidence::cose::{self, Algorithm, Sign1, to_be_signed};
use enarx_evidence::{Bundle, Endorsements, Evidence, Format};

use sha2::{Digest as _, Sha256};

use crate::keys::{Curve, EcKey};
use crate::pki::{EcAuthority, Subject, Use, now};
use crate::store::Entry;
use crate::{Simulator, SimulatorError};

const KEY: &str = "key.der";
const MANUFACTURER: &str = "Simulated CCA manufacturer";
const YEAR: Duration = Duration::from_hours(365 * 24);

/// How the key of a platform is endorsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// The key as a `COSE_Key`.
    Cose,
    /// The key as a `SubjectPublicKeyInfo` in DER.
    Spki,
    /// A certificate of the key, and that of the manufacturer who issued it.
    Certificate,
    /// The same two in the header of the platform token, and no endorsement.
    Header,
}

/// A simulated platform with a realm on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedRealm {
    /// How the two tokens are put together.
    pub wrapping: Wrapping,
    /// What the platform's claims follow.
    pub platform_profile: PlatformProfile,
    /// What the realm's claims follow. Without a profile its attestation key is a bare point, and on P-384.
    pub realm_profile: RealmProfile,
    /// The curve of the platform's key.
    pub platform_curve: Curve,
    /// How the platform names the realm's attestation key.
    pub key_hash: HashAlgorithm,
    /// How the platform's own key is endorsed.
    pub key_form: KeyForm,
    /// How far the platform has got in its life.
    pub lifecycle: Lifecycle,
}

impl Default for SimulatedRealm {
    fn default() -> Self {
        Self {
            wrapping: Wrapping::Cmw,
            platform_profile: PlatformProfile::V1,
            realm_profile: RealmProfile::V2,
            platform_curve: Curve::P384,
            key_hash: HashAlgorithm::Sha256,
            key_form: KeyForm::Cose,
            lifecycle: Lifecycle(0x3000),
        }
    }
}

impl SimulatedRealm {
    /// The digests of the firmware of simulated platforms, each by the name of its component.
    pub const SOFTWARE: [(&str, [u8; 32]); 3] =
        [("BL2", [0xb2; 32]), ("MONITOR", [0x31; 32]), ("RMM", [0xcc; 32])];
}

impl Simulator {
    /// What identifies the key of simulated platforms: the SHA-256 of its subject public key info.
    pub fn cca_platform_spki_sha256(&self, curve: Curve) -> Result<[u8; 32], SimulatorError> {
        Ok(Sha256::digest(&self.platform_key(curve)?.spki()?).into())
    }

    /// What identifies the manufacturer who certifies the keys of simulated platforms, likewise.
    pub fn cca_manufacturer_spki_sha256(&self) -> Result<[u8; 32], SimulatorError> {
        Ok(Sha256::digest(&self.manufacturer()?.spki()?).into())
    }

    /// What a realm would get from its manager, with the report data as challenge. `change` may change what the
    /// tokens say before they are signed.
    pub fn attest_realm(
        &self,
        realm: &SimulatedRealm,
        report_data: &[u8; 64],
        measurement: &[u8; 48],
        change: impl FnOnce(&mut PlatformClaims, &mut RealmClaims),
    ) -> Result<Bundle, SimulatorError> {
        let attestation_key = EcKey::generate(Curve::P384)?;
        let platform_key = self.platform_key(realm.platform_curve)?;
        let mut realm_claims = realm_claims(realm, report_data, measurement, &attestation_key)?;
        let mut platform_claims = platform_claims(realm, &realm_claims)?;
        change(&mut platform_claims, &mut realm_claims);
        let endorsements = self.endorse(realm.key_form, &platform_key)?;
        let (header, items) = match realm.key_form {
            KeyForm::Header => (Some(Sign1::certificates_header(&endorsements)), Vec::new()),
            _ => (None, endorsements),
        };
        let platform = sign(&platform_key, &platform_claims.encode(), header.as_deref())?;
        let token = sign(&attestation_key, &realm_claims.encode(), None)?;
        Ok(Bundle {
            evidence: Evidence { format: Format::Cca, bytes: Token::wrap(realm.wrapping, &platform, &token) },
            endorsements: Endorsements { items },
        })
    }

    fn platform_key(&self, curve: Curve) -> Result<EcKey, SimulatorError> {
        let name = match curve {
            Curve::P256 => "cca/platform-p256",
            Curve::P384 => "cca/platform-p384",
        };
        let read = |entry: &Entry| {
            let key = EcKey::from_pkcs8(curve, &entry.read(KEY)?);
            key.map(Some).ok_or_else(|| entry.damaged(&format!("`{KEY}` is not a key")))
        };
        self.store.read_or_make(name, read, || Ok(vec![(KEY, EcKey::generate(curve)?.to_pkcs8()?)]))
    }

    fn manufacturer(&self) -> Result<EcAuthority, SimulatorError> {
        EcAuthority::root(&self.store, "cca/manufacturer", Curve::P384, MANUFACTURER)
    }

    fn endorse(&self, form: KeyForm, key: &EcKey) -> Result<Vec<Vec<u8>>, SimulatorError> {
        match form {
            KeyForm::Cose => Ok(vec![public(key)?.encode()]),
            KeyForm::Spki => Ok(vec![key.spki()?]),
            KeyForm::Certificate | KeyForm::Header => {
                let manufacturer = self.manufacturer()?;
                let certificate = manufacturer.certify(
                    &Subject {
                        common_name: "Simulated CCA platform",
                        used_for: Use::Data,
                        from: now().saturating_sub(Duration::from_hours(1)),
                        valid_for: YEAR,
                    },
                    key,
                )?;
                Ok(vec![certificate, manufacturer.certificate])
            }
        }
    }
}

fn realm_claims(
    realm: &SimulatedRealm,
    report_data: &[u8; 64],
    measurement: &[u8; 48],
    key: &EcKey,
) -> Result<RealmClaims, SimulatorError> {
    let recent = realm.realm_profile == RealmProfile::V2;
    Ok(RealmClaims {
        profile: realm.realm_profile.clone(),
        challenge: *report_data,
        instance_id: recent.then_some(instance_id(0x02)),
        personalization: [0; 64],
        initial: digest_of(measurement)?,
        extensible: [digest_of(&[0; 48])?; 4],
        hash: HashAlgorithm::Sha384,
        public_key: match realm.realm_profile {
            RealmProfile::Legacy => key.point().to_vec(),
            _ => public(key)?.encode(),
        },
        public_key_hash: realm.key_hash,
        mec_policy: recent.then_some(MecPolicy::Private),
    })
}

fn platform_claims(
    realm: &SimulatedRealm,
    realm_claims: &RealmClaims,
) -> Result<PlatformClaims, SimulatorError> {
    let algorithm = match realm.key_hash {
        HashAlgorithm::Sha256 => &digest::SHA256,
        HashAlgorithm::Sha384 => &digest::SHA384,
        HashAlgorithm::Sha512 => &digest::SHA512,
    };
    let component = |(kind, measurement): (&str, [u8; 32])| {
        Ok(SoftwareComponent {
            kind: Some(kind.into()),
            measurement: digest_of(&measurement)?,
            version: Some("1.0".into()),
            signer: digest_of(&[0x51; 32])?,
            hash: None,
        })
    };
    Ok(PlatformClaims {
        profile: realm.platform_profile.clone(),
        challenge: digest_of(digest::digest(algorithm, &realm_claims.public_key).as_ref())?,
        implementation_id: [0x1d; 32],
        instance_id: instance_id(0x01),
        config: vec![0xcf; 4],
        lifecycle: realm.lifecycle,
        components: SimulatedRealm::SOFTWARE
            .into_iter()
            .map(component)
            .collect::<Result<_, SimulatorError>>()?,
        service: Some("https://simulated.invalid/verification".into()),
        hash: HashAlgorithm::Sha256,
        client_id: (realm.platform_profile == PlatformProfile::V2).then_some(1),
        manufacturing_config: None,
        extension: None,
        tbb_rotpk: None,
        peer_signers: None,
    })
}

fn sign(key: &EcKey, payload: &[u8], header: Option<&[u8]>) -> Result<Vec<u8>, SimulatorError> {
    let algorithm = match key.curve {
        Curve::P256 => Algorithm::Es256,
        Curve::P384 => Algorithm::Es384,
    };
    let protected = algorithm.protected_header();
    let signature = key.sign_fixed(&to_be_signed(&protected, payload))?;
    let message = Sign1::new(&protected, payload, &signature);
    Ok(Sign1 { unprotected: header.unwrap_or(message.unprotected), ..message }.encode())
}

fn public(key: &EcKey) -> Result<cose::EcKey, SimulatorError> {
    cose::EcKey::from_point(key.point()).ok_or(SimulatorError::Crypto { action: "encode a public key" })
}

fn digest_of(bytes: &[u8]) -> Result<Measurement, SimulatorError> {
    Measurement::new(bytes).ok_or(SimulatorError::Crypto { action: "compute a digest" })
}

/// A UEID of type RAND.
fn instance_id(byte: u8) -> [u8; 33] {
    let mut id = [byte; 33];
    id[0] = PlatformClaims::UEID_RAND;
    id
}
