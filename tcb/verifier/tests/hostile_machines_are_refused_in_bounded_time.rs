// SPDX-License-Identifier: Apache-2.0

//! Whatever claims to be evidence of a TPM, of a virtual machine of Azure or of a device of NVIDIA is refused, after a
//! bounded number of signatures.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod entry;
mod machines;

use enarx_evidence::{Bundle, Endorsements, Evidence, Format};
use enarx_simulator::{SimulatedGpu, SimulatedMachine, SimulatedTpm};
use enarx_verifier::crypto::{RustCrypto, SignatureVerifier, Signed};
use enarx_verifier::{Request, appraise_with};
use machines::{MEASUREMENT, REPORT_DATA, Relying, local};
use proptest::collection::vec;
use proptest::prelude::*;

const FORMATS: [Format; 4] = [Format::Tpm, Format::AzureSnp, Format::AzureTdx, Format::NvGpu];

/// One sound bundle of each format.
fn sound() -> [Bundle; 4] {
    let (data, image, machine) = (&REPORT_DATA, &MEASUREMENT, SimulatedMachine { certified: true });
    let undescribed = SimulatedTpm { described: false, ..SimulatedTpm::default() };
    let platform = "amd/milan".parse().unwrap();
    [
        local().attest_tpm(&undescribed, data, |_| {}).unwrap(),
        local().attest_azure_snp(&platform, &machine, data, image, |_| {}).unwrap(),
        local().attest_azure_tdx(&machine, data, image, |_| {}, |_| {}).unwrap(),
        local().attest_gpu(&SimulatedGpu::default(), data, |_| {}).unwrap(),
    ]
}

/// Counts what is asked.
struct Counting(usize);

impl SignatureVerifier for Counting {
    fn verify(&mut self, signed: &Signed<'_>) -> bool {
        self.0 += 1;
        RustCrypto.verify(signed)
    }
}

fn signatures(bundle: &Bundle) -> usize {
    let relying = Relying::party();
    let request = Request {
        bundle,
        report_data: &REPORT_DATA,
        anchors: &relying.anchors,
        reference_values: &relying.reference_values,
        policy: &relying.policy,
        advisories: &[],
        now: relying.now,
    };
    let mut counting = Counting(0);
    let _ = appraise_with(&request, &mut counting);
    counting.0
}

proptest! {
    #[test]
    fn any_evidence_and_endorsements(
        format in prop::sample::select(FORMATS.to_vec()),
        bytes in vec(any::<u8>(), 0..3000),
        items in vec(vec(any::<u8>(), 0..200), 0..6),
    ) {
        let evidence = Evidence { format, bytes };
        entry::appraisal(&Bundle { evidence, endorsements: Endorsements { items } }.encode());
    }
}

#[test]
fn any_few_changes_at_once() {
    let sound = sound();
    let relying = Relying::party();
    let changes = vec((0..8_usize, any::<prop::sample::Index>(), any::<u8>()), 1..4);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(60));
    let run = runner.run(&(0..sound.len(), changes), |(which, changes)| {
        let mut bundle = sound[which].clone();
        for (item, at, byte) in changes {
            let bytes = match bundle.endorsements.items.get_mut(item) {
                Some(item) => item,
                None => &mut bundle.evidence.bytes,
            };
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        // Nothing here panics, whatever it says; changes of endorsements that are not needed may be accepted.
        let _ = relying.codes(&bundle);
        Ok(())
    });
    run.unwrap();
}

#[test]
fn copies_of_certificates_cost_bounded_work() {
    for bundle in sound() {
        let honest = signatures(&bundle);
        assert!(honest <= 16, "{honest} signatures");
        for endorsement in 0..bundle.endorsements.items.len() {
            let mut many = bundle.clone();
            let original = many.endorsements.items[endorsement].clone();
            let room = Bundle::MAX_ENDORSEMENTS - many.endorsements.items.len();
            // Other signatures on what is otherwise the same.
            many.endorsements.items.extend((1..=room).map(|copy| {
                let mut bytes = original.clone();
                *bytes.last_mut().unwrap() ^= u8::try_from(copy).unwrap();
                bytes
            }));
            let count = signatures(&many);
            // Each may have signed the evidence, and the way up is searched within its own budget.
            let most = 2 * (Bundle::MAX_ENDORSEMENTS + 64);
            assert!(count <= most, "{count} signatures for endorsement {endorsement}");
        }
    }
}
