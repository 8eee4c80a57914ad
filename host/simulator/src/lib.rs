// SPDX-License-Identifier: Apache-2.0

//! A simulated vendor of trusted execution environments.
//!
//! It gives out what AMD's hardware and key server give out for SEV-SNP: attestation reports, certificates of
//! the keys that sign them, revocation lists, in the real formats and under a root of its own; and likewise
//! quotes of Intel SGX and TDX with Intel's collateral, attestation documents of AWS Nitro Enclaves, tokens of
//! Arm CCA, quotes of TPMs, also of Azure's virtual machines, and reports of NVIDIA's devices. So the whole path
//! from evidence to release of a secret runs where there is no such hardware, and a policy can be rehearsed
//! against platforms that one does not have. What it says about a platform is whatever it is told to say: it
//! protects nothing, its roots are built into nothing, and its names say that it is simulated.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use enarx_simulator::{Launched, Rehearsal, Simulator};
//!
//! let simulator = Simulator::open("/home/me/.local/state/enarx/simulator".as_ref())?;
//! let platform: Rehearsal = "intel/sapphire-rapids@status=OutOfDate,debug".parse()?;
//! let launched = Launched { sha384: [1; 48], sha256: [2; 32], host_data: [3; 32] };
//! let bundle = simulator.rehearse(&platform, &[4; 64], &launched)?;
//! # Ok(()) }
//! ```

mod azure;
mod cca;
mod dcap;
mod error;
mod keys;
mod nitro;
mod nvgpu;
mod pki;
mod platform;
mod rehearsal;
mod report;
mod store;
mod tpm;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use enarx_evidence::snp::{Generation, Report};
use enarx_evidence::{Bundle, Endorsements, Evidence, Format};
use sha2::{Digest, Sha256};

pub use azure::{AzureContent, SimulatedMachine};
pub use cca::{KeyForm, SimulatedRealm};
pub use dcap::{DcapContent, PckAuthority, SimulatedQuote};
pub use error::SimulatorError;
pub use keys::Curve;
pub use nitro::SimulatedEnclave;
pub use nvgpu::{GpuContent, SimulatedGpu};
pub use platform::{PlatformError, SimulatedPlatform};
pub use rehearsal::{
    IMAGE_REGISTER, KnownPlatform, Launched, PlatformOption, Rehearsal, RehearsalError, SIMULATED_PARAVISOR,
};
pub use tpm::{SimulatedTpm, TpmContent, TpmKey};

use pki::{Authority, Leaf, LeafId, Role};
use store::Store;

/// What identifies a root of a simulator.
type RootOf = fn(&Simulator) -> Result<[u8; 32], SimulatorError>;

/// Where roots beside those of AMD's generations are kept, and what gives their digests. Arm has no root: the key of a
/// platform stands for itself, or its manufacturer for it.
const OTHER_ROOTS: [(&str, RootOf); 7] = [
    ("dcap/root", Simulator::dcap_root_spki_sha256),
    ("nitro/root", Simulator::nitro_root_spki_sha256),
    ("cca/platform-p256", |simulator| simulator.cca_platform_spki_sha256(Curve::P256)),
    ("cca/platform-p384", |simulator| simulator.cca_platform_spki_sha256(Curve::P384)),
    ("cca/manufacturer", Simulator::cca_manufacturer_spki_sha256),
    ("tpm/root", Simulator::tpm_root_spki_sha256),
    ("nvgpu/root", Simulator::gpu_root_spki_sha256),
];

/// The simulated vendor, whose keys and certificates are in a directory.
///
/// Each is made when it is first needed; the authorities of a generation take about a second once.
pub struct Simulator {
    store: Store,
    authorities: Cache<(Generation, Role), Authority>,
    leaves: Cache<String, Leaf>,
}

impl Simulator {
    /// Opens the state directory, making it if it is not there. Several processes may have it open.
    pub fn open(dir: &Path) -> Result<Self, SimulatorError> {
        Ok(Self { store: Store::open(dir)?, authorities: Cache::default(), leaves: Cache::default() })
    }

    /// What identifies the roots that a state directory has already. Makes nothing, not even the directory.
    pub fn roots(dir: &Path) -> Result<Vec<[u8; 32]>, SimulatorError> {
        if !dir.exists() {
            return Ok(Vec::new());
        }
        let simulator = Self::open(dir)?;
        let made =
            Generation::ALL.iter().filter(|generation| simulator.store.has(&Role::Root.entry(**generation)));
        let mut roots: Vec<_> =
            made.map(|generation| simulator.root_spki_sha256(*generation)).collect::<Result<_, _>>()?;
        for (entry, root) in OTHER_ROOTS {
            if simulator.store.has(entry) {
                roots.push(root(&simulator)?);
            }
        }
        Ok(roots)
    }

    /// What identifies the root of a generation to those who want to trust it: the SHA-256 of its subject
    /// public key info.
    pub fn root_spki_sha256(&self, generation: Generation) -> Result<[u8; 32], SimulatorError> {
        let root = self.authority(generation, Role::Root)?;
        Ok(Sha256::digest(root.spki()?).into())
    }

    /// The certificate of the root of a generation, DER.
    pub fn root_der(&self, generation: Generation) -> Result<Vec<u8>, SimulatorError> {
        Ok(self.authority(generation, Role::Root)?.certificate.clone())
    }

    /// What the hardware of such a platform and its host would give out for a guest: a report over the report
    /// data, the chip's certificate, its authorities, and their revocation list.
    pub fn attest(
        &self,
        platform: &SimulatedPlatform,
        report_data: &[u8; 64],
        measurement: &[u8; 48],
        host_data: &[u8; 32],
    ) -> Result<Bundle, SimulatorError> {
        let generation = platform.product.generation();
        let root = self.authority(generation, Role::Root)?;
        let chip_id = match platform.chip_id {
            Some(chip_id) => chip_id,
            None => report::default_chip_id(generation, &root.spki()?),
        };
        let guest = report::Guest { report_data, measurement, host_data };
        let mut report = report::unsigned(platform, chip_id, &guest)?;
        let mut items = Vec::new();
        if let Some(id) = LeafId::of(platform, &chip_id) {
            let issuer = self.authority(generation, id.issuer())?;
            let leaf = self.leaves.get_or_make(id.entry(), || Leaf::load(&self.store, &id, &issuer))?;
            let unsigned = report.encode();
            let (content, _) = unsigned.split_at(Report::SIGNED_LEN);
            report.signature = leaf.key.sign(content)?;
            items.extend([leaf.certificate.clone(), issuer.certificate.clone()]);
        }
        items.extend([root.certificate.clone(), pki::revocation_list(&self.store, &root)?]);
        Ok(Bundle {
            evidence: Evidence { format: Format::SevSnp, bytes: report.encode().to_vec() },
            endorsements: Endorsements { items },
        })
    }

    fn authority(&self, generation: Generation, role: Role) -> Result<Arc<Authority>, SimulatorError> {
        let issuer = match role {
            Role::Root => None,
            Role::ChipKeys | Role::LoadedKeys => Some(self.authority(generation, Role::Root)?),
        };
        self.authorities.get_or_make((generation, role), || {
            Authority::load(&self.store, generation, role, issuer.as_deref())
        })
    }
}

impl fmt::Debug for Simulator {
    /// Without keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").field("store", &self.store).finish_non_exhaustive()
    }
}

/// What was read from the store once.
struct Cache<K, V>(Mutex<BTreeMap<K, Arc<V>>>);

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }
}

impl<K: Ord, V> Cache<K, V> {
    /// The mutex stays locked meanwhile, so that two threads do not make the same keys.
    fn get_or_make(
        &self,
        key: K,
        make: impl FnOnce() -> Result<V, SimulatorError>,
    ) -> Result<Arc<V>, SimulatorError> {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = cached.get(&key) {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(make()?);
        cached.insert(key, Arc::clone(&value));
        Ok(value)
    }
}
