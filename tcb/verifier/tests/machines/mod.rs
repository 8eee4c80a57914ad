// SPDX-License-Identifier: Apache-2.0

//! Simulated TPMs, virtual machines of Azure and devices of NVIDIA for one test program, and requests about them.

#![allow(dead_code, reason = "each test uses its own part")]

#[allow(clippy::duplicate_mod, reason = "a test may use several of these folders")]
#[path = "../../../../host/simulator/tests/common/kept.rs"]
mod kept;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use enarx_evidence::Bundle;
use enarx_evidence::snp::Generation;
use enarx_evidence::tpm::HashAlgorithm;
use enarx_simulator::{SimulatedTpm, Simulator};
use enarx_verifier::crypto::{RustCrypto, SignatureVerifier, Signed};
use enarx_verifier::{
    AttestationResult, Code, Policy, ReferenceValue, Refusals, Request, TrustAnchors, UnixTime, appraise_with,
};
use sha2::{Digest as _, Sha256, Sha384};

pub(crate) const REPORT_DATA: [u8; 64] = [0x11; 64];
pub(crate) const MEASUREMENT: [u8; 48] = [0x22; 48];

/// A policy that accepts every sound machine and device; the registers of the firmware are added to it.
const POLICY: &str = r#"
version = 1
[keep]
measurements = ["paravisor", "quoted", "firmware"]
[simulated]
accept = true
roots = ["local"]
[[allow]]
id = "tpms"
vendor = "tpm"
tee = "tpm"
[[allow]]
id = "machines-on-amd"
vendor = "amd"
tee = "azure-snp"
products = ["milan"]
[[allow]]
id = "machines-on-intel"
vendor = "intel"
tee = "azure-tdx"
[[allow]]
id = "devices"
vendor = "nvidia"
tee = "nvgpu"
[minimum_tcb.milan]
bootloader = 4
tee = 0
snp = 27
microcode = 219
"#;

pub(crate) fn policy(change: impl Fn(String) -> String) -> Policy {
    let mut text = format!("{POLICY}[keep.registers]\n");
    (0..8).for_each(|number| writeln!(text, "pcr{number} = [\"pcr{number}\"]").unwrap());
    Policy::parse(&change(text)).unwrap_or_else(|error| panic!("{error}"))
}

/// The vendor that the anchors know as `local`.
pub(crate) fn local() -> &'static Simulator {
    static LOCAL: OnceLock<Simulator> = OnceLock::new();
    LOCAL.get_or_init(|| kept::simulator("local"))
}

/// Another one with the same names, which nobody knows.
pub(crate) fn stranger() -> &'static Simulator {
    static STRANGER: OnceLock<Simulator> = OnceLock::new();
    STRANGER.get_or_init(|| kept::simulator("stranger"))
}

pub(crate) fn anchors() -> TrustAnchors {
    let roots = [
        local().tpm_root_spki_sha256(),
        local().root_spki_sha256(Generation::Milan),
        local().dcap_root_spki_sha256(),
        local().gpu_root_spki_sha256(),
    ];
    let add = |anchors: TrustAnchors, root: [u8; 32]| anchors.with_simulated("local", root);
    roots.map(Result::unwrap).into_iter().fold(TrustAnchors::vendors(), add)
}

pub(crate) fn now() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}

/// The digest of all registers of banks, as a signature with SHA-256 or SHA-384 has it.
pub(crate) fn quoted(banks: &[HashAlgorithm]) -> [Vec<u8>; 2] {
    let register = |bank: &HashAlgorithm| {
        let bank = *bank;
        (0..24).flat_map(move |number| SimulatedTpm::register(bank, number))
    };
    let all = banks.iter().flat_map(register).collect::<Vec<u8>>();
    [Sha256::digest(&all).to_vec(), Sha384::digest(&all).to_vec()]
}

fn reference_values() -> Vec<ReferenceValue> {
    let value = |name: &str, measurement: &[u8]| ReferenceValue {
        name: name.to_owned(),
        measurement: measurement.to_vec(),
    };
    let one = |index: u8| [&[index, 0, 0, 0, 0, 0, 0, 0, 48][..], &[index; 48]].concat();
    let measured = (1..=64).flat_map(one).collect::<Vec<u8>>();
    let mut values = vec![value("paravisor", &MEASUREMENT), value("firmware", &Sha384::digest(measured))];
    let both = [HashAlgorithm::Sha1, HashAlgorithm::Sha256];
    for banks in [&both[..1], &both[1..], &both, &[HashAlgorithm::Sha384]] {
        values.extend(quoted(banks).iter().map(|digest| value("quoted", digest)));
    }
    for bank in HashAlgorithm::ALL {
        let register = |number| value(&format!("pcr{number}"), &SimulatedTpm::register(bank, number));
        values.extend((0..8).map(register));
    }
    values
}

pub(crate) fn set(codes: &[Code]) -> BTreeSet<Code> {
    codes.iter().copied().collect()
}

/// Asks about bundles, remembering which signatures are good: a test asks about one thousands of times.
pub(crate) struct Relying {
    pub(crate) policy: Policy,
    pub(crate) anchors: TrustAnchors,
    pub(crate) now: UnixTime,
    pub(crate) reference_values: Vec<ReferenceValue>,
    memory: RefCell<Memory>,
}

impl Relying {
    pub(crate) fn party() -> Self {
        Self::under(policy(|text| text))
    }

    pub(crate) fn under(policy: Policy) -> Self {
        let (anchors, reference_values) = (anchors(), reference_values());
        Self { policy, anchors, now: now(), reference_values, memory: RefCell::default() }
    }

    pub(crate) fn appraise(&self, bundle: &Bundle) -> Result<AttestationResult, Refusals> {
        let request = Request {
            bundle,
            report_data: &REPORT_DATA,
            anchors: &self.anchors,
            reference_values: &self.reference_values,
            policy: &self.policy,
            advisories: &[],
            now: self.now,
        };
        appraise_with(&request, &mut *self.memory.borrow_mut())
    }

    /// The codes of a refusal; empty if accepted.
    pub(crate) fn codes(&self, bundle: &Bundle) -> BTreeSet<Code> {
        self.appraise(bundle).map_or_else(|refusals| refusals.codes().collect(), |_| BTreeSet::new())
    }

    /// Changes bytes of an endorsement, every fifth of them. A change is refused for what it did to the endorsement.
    pub(crate) fn bytes_of(&self, bundle: &Bundle, endorsement: usize, reasons: &[Code]) {
        for at in (0..bundle.endorsements.items[endorsement].len()).step_by(5) {
            let mut changed = bundle.clone();
            changed.endorsements.items[endorsement][at] ^= 1;
            let codes = self.codes(&changed);
            let reason = codes.iter().any(|code| reasons.contains(code));
            assert!(reason, "byte {at} of endorsement {endorsement}: {codes:?}");
        }
    }
}

#[derive(Default)]
struct Memory {
    answers: HashMap<String, bool>,
}

impl SignatureVerifier for Memory {
    fn verify(&mut self, signed: &Signed<'_>) -> bool {
        *self.answers.entry(format!("{signed:?}")).or_insert_with(|| RustCrypto.verify(signed))
    }
}
