// SPDX-License-Identifier: Apache-2.0

//! Attestation documents as the Nitro hypervisor gives them out.

use std::collections::BTreeMap;
use std::time::Duration;

use enarx_evidence::cose::{Algorithm, Sign1, to_be_signed};
use enarx_evidence::nitro::{Claims, Field, Pcr};
use enarx_evidence::{Bundle, Endorsements, Evidence, Format};

use sha2::{Digest as _, Sha256};

use crate::keys::{Curve, EcKey};
use crate::pki::{EcAuthority, Subject, Use, now};
use crate::{Simulator, SimulatorError};

const ROOT: &str = "Simulated aws.nitro-enclaves";

const HOUR: Duration = Duration::from_hours(1);
/// Clocks of instances differ a little.
const BACKDATED: Duration = Duration::from_secs(5);

/// A simulated enclave. Documents and everything below the root are made anew for each document, as they are by AWS
/// within hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedEnclave {
    /// The enclave, with the instance that it belongs to.
    pub module_id: String,
    /// It was launched in debug mode, so that its image is not measured.
    pub debug: bool,
    /// Registers beside those of the image, by their numbers.
    pub registers: BTreeMap<u8, [u8; 48]>,
    /// The message is tagged, which those of AWS are not.
    pub tagged: bool,
    /// The enclave's certificate is that of an authority, as no sound one is.
    pub authority: bool,
}

impl Default for SimulatedEnclave {
    fn default() -> Self {
        Self {
            module_id: "i-0123456789abcdef0-enc0123456789abcdef".into(),
            debug: false,
            registers: BTreeMap::from([(3, [0x33; 48]), (4, [0x44; 48])]),
            tagged: false,
            authority: false,
        }
    }
}

/// A key that signs documents, and whose it is.
struct Identity {
    /// The certificates of the issuers, root first.
    chain: Vec<Vec<u8>>,
    certificate: Vec<u8>,
    key: EcKey,
}

impl Simulator {
    /// What identifies the root of simulated enclaves: the SHA-256 of its subject public key info.
    pub fn nitro_root_spki_sha256(&self) -> Result<[u8; 32], SimulatorError> {
        Ok(Sha256::digest(&self.nitro_root()?.spki()?).into())
    }

    /// What an enclave would get from its hypervisor, with the report data as user data. `change` may change what the
    /// document says before it is signed.
    pub fn attest_enclave(
        &self,
        enclave: &SimulatedEnclave,
        report_data: &[u8; 64],
        measurement: &[u8; 48],
        change: impl FnOnce(&mut Claims),
    ) -> Result<Bundle, SimulatorError> {
        let Identity { chain, certificate, key } = self.identity(enclave)?;
        let mut claims = Claims {
            module_id: enclave.module_id.clone(),
            timestamp: u64::try_from(now().as_millis()).unwrap_or(u64::MAX),
            pcrs: registers(enclave, measurement),
            certificate,
            cabundle: chain,
            public_key: Field::Null,
            user_data: Field::Bytes(report_data.to_vec()),
            nonce: Field::Null,
        };
        change(&mut claims);
        let (protected, payload) = (Algorithm::Es384.protected_header(), claims.encode());
        let signature = key.sign_fixed(&to_be_signed(&protected, &payload))?;
        let message = Sign1 { tagged: enclave.tagged, ..Sign1::new(&protected, &payload, &signature) };
        Ok(Bundle {
            evidence: Evidence { format: Format::Nitro, bytes: message.encode() },
            endorsements: Endorsements::default(),
        })
    }

    fn nitro_root(&self) -> Result<EcAuthority, SimulatorError> {
        EcAuthority::root(&self.store, "nitro/root", Curve::P384, ROOT)
    }

    fn identity(&self, enclave: &SimulatedEnclave) -> Result<Identity, SimulatorError> {
        let from = now().saturating_sub(BACKDATED);
        let root = self.nitro_root()?;
        let mut chain = vec![root.certificate.clone()];
        let mut issuer = root;
        for (name, hours, path_len) in [("region", 20 * 24, 2), ("zone", 6 * 24, 1), ("instance", 24, 0)] {
            let common_name = format!("Simulated {name}.aws.nitro-enclaves");
            issuer = issuer.below(&Subject {
                common_name: &common_name,
                used_for: Use::Authority { path_len: Some(path_len) },
                from,
                valid_for: HOUR * hours,
            })?;
            chain.push(issuer.certificate.clone());
        }
        let key = EcKey::generate(Curve::P384)?;
        let used_for = if enclave.authority { Use::Authority { path_len: None } } else { Use::Data };
        let common_name = format!("Simulated {}", enclave.module_id);
        let subject = Subject { common_name: &common_name, used_for, from, valid_for: HOUR * 3 };
        let certificate = issuer.certify(&subject, &key)?;
        Ok(Identity { chain, certificate, key })
    }
}

fn registers(enclave: &SimulatedEnclave, measurement: &[u8; 48]) -> BTreeMap<u8, Pcr> {
    let image = if enclave.debug { [[0; 48]; 3] } else { [*measurement, [0x01; 48], [0x02; 48]] };
    let image = (0..).zip(image);
    let beside = (3..16).map(|index| (index, enclave.registers.get(&index).copied().unwrap_or([0; 48])));
    let locked =
        enclave.registers.iter().filter(|(index, _)| **index >= 16).map(|(index, value)| (*index, *value));
    let all = image.chain(beside).chain(locked);
    all.filter_map(|(index, value)| Some((index, Pcr::new(&value)?))).collect()
}
