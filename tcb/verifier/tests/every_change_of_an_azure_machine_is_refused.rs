// SPDX-License-Identifier: Apache-2.0

//! Accepted evidence of simulated virtual machines of Azure with one thing changed: what paravisor and TPM say, before
//! or after it is signed, each byte of it, and parts of two machines put together.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod machines;

use std::collections::BTreeSet;

use enarx_evidence::azure::{AzureEvidence, HardwareReport, RuntimeData, TdReport};
use enarx_evidence::dcap::Body;
use enarx_evidence::{Bundle, Format};
use enarx_simulator::{AzureContent, DcapContent, SimulatedMachine, Simulator};
use enarx_verifier::Code;
use machines::{MEASUREMENT, REPORT_DATA, Relying, local, set, stranger};

const FORGED: Code = Code::TpmSignatureInvalid;

fn on_amd(simulator: &Simulator, platform: &str, change: impl FnOnce(&mut AzureContent)) -> Bundle {
    let (platform, machine) = (platform.parse().unwrap(), SimulatedMachine::default());
    simulator.attest_azure_snp(&platform, &machine, &REPORT_DATA, &MEASUREMENT, change).unwrap()
}

fn on_intel(
    simulator: &Simulator,
    change: impl FnOnce(&mut AzureContent),
    change_quote: impl FnOnce(&mut DcapContent),
) -> Bundle {
    let machine = SimulatedMachine::default();
    simulator.attest_azure_tdx(&machine, &REPORT_DATA, &MEASUREMENT, change, change_quote).unwrap()
}

/// One machine of each kind that say the same.
fn both(change: fn(&mut AzureContent)) -> [Bundle; 2] {
    [on_amd(local(), "amd/milan", change), on_intel(local(), change, |_| {})]
}

fn read(bundle: &Bundle) -> AzureEvidence {
    AzureEvidence::decode(&bundle.evidence.bytes).unwrap()
}

/// The evidence with something changed after everything was signed.
fn with(bundle: &Bundle, change: impl FnOnce(&mut AzureEvidence)) -> Bundle {
    let mut evidence = read(bundle);
    change(&mut evidence);
    let mut changed = bundle.clone();
    changed.evidence.bytes = evidence.encode();
    changed
}

fn rewrite(evidence: &mut AzureEvidence, change: impl FnOnce(&mut RuntimeData)) {
    let mut runtime = RuntimeData::parse(&evidence.hcl_report.runtime_data).unwrap();
    change(&mut runtime);
    evidence.hcl_report.runtime_data = runtime.to_json();
}

#[test]
fn sound_machines_are_accepted() {
    let relying = Relying::party();
    for bundle in both(|_| {}) {
        assert_eq!(relying.codes(&bundle), set(&[]));
    }
    // With the certificate of the attestation key, which then is checked.
    let machine = SimulatedMachine { certified: true };
    let (data, image) = (&REPORT_DATA, &MEASUREMENT);
    let platform = "amd/milan".parse().unwrap();
    let certified = local().attest_azure_snp(&platform, &machine, data, image, |_| {}).unwrap();
    assert_eq!(relying.codes(&certified), set(&[]));
    let certified = local().attest_azure_tdx(&machine, data, image, |_| {}, |_| {}).unwrap();
    assert_eq!(relying.codes(&certified), set(&[]));
    let revoked = local()
        .attest_azure_snp(&platform, &machine, data, image, |content| content.tpm.authority_revoked = true)
        .unwrap();
    assert_eq!(relying.codes(&revoked), set(&[Code::CertificateRevoked]));
}

/// A change of what the TPM says, and what it is refused for.
type Change = (fn(&mut AzureContent), &'static [Code]);

#[test]
fn what_the_tpm_says() {
    let relying = Relying::party();
    let changes: [Change; 4] = [
        (|content| content.tpm.attest.extra_data[0] ^= 1, &[Code::ReportDataMismatch]),
        (|content| content.tpm.attest.pcr_digest[0] ^= 1, &[Code::PcrDigestMismatch]),
        (|content| content.tpm.values.banks.clear(), &[Code::PcrValuesMissing]),
        (
            |content| content.tpm.attest.pcr_select[0].registers ^= 1 << 7,
            &[Code::PcrDigestMismatch, Code::RegisterNotQuoted],
        ),
    ];
    for (change, expected) in changes {
        for bundle in both(change) {
            assert_eq!(relying.codes(&bundle), set(expected));
        }
    }
    for bundle in both(|_| {}) {
        let forged = with(&bundle, |evidence| evidence.quote.attest.clock.clock += 1);
        assert_eq!(relying.codes(&forged), set(&[FORGED]));
    }
}

#[test]
fn what_the_paravisor_says() {
    let relying = Relying::party();
    // Another key than the TPM's, for which the hardware vouches nevertheless.
    let key: fn(&mut AzureContent) = |content| content.runtime.attestation_key.modulus[17] ^= 1;
    for bundle in both(key) {
        assert_eq!(relying.codes(&bundle), set(&[FORGED]));
    }
    let exponent: fn(&mut AzureContent) = |content| content.runtime.attestation_key.exponent = vec![3];
    for bundle in both(exponent) {
        assert_eq!(relying.codes(&bundle), set(&[FORGED]));
    }
    for bundle in both(|_| {}) {
        // Changed after the hardware vouched for it, whether it matters or not.
        let changed = with(&bundle, |evidence| rewrite(evidence, |data| data.user_data = "ff".repeat(64)));
        assert_eq!(relying.codes(&changed), set(&[Code::RuntimeDataMismatch]));
        let changed = with(&bundle, |evidence| {
            rewrite(evidence, |data| data.configuration.secure_boot = false);
        });
        assert_eq!(relying.codes(&changed), set(&[Code::RuntimeDataMismatch]));
        let changed = with(&bundle, |evidence| evidence.hcl_report.runtime_data.push(b' '));
        assert_eq!(relying.codes(&changed), set(&[Code::RuntimeDataMismatch]));
        let changed = with(&bundle, |evidence| {
            rewrite(evidence, |data| data.attestation_key.modulus[17] ^= 1);
        });
        assert_eq!(relying.codes(&changed), set(&[Code::RuntimeDataMismatch, FORGED]));
        let changed = with(&bundle, |evidence| evidence.hcl_report.runtime_data.truncate(20));
        assert_eq!(relying.codes(&changed), set(&[Code::EvidenceMalformed]));
    }
}

#[test]
fn a_report_that_the_guest_asked_for() {
    // A guest of a lower level has a report made about a key of its own, and signs with that.
    let relying = Relying::party();
    for level in 1..=3 {
        let bundle = on_amd(local(), &format!("amd/milan@vmpl={level}"), |_| {});
        assert_eq!(relying.codes(&bundle), set(&[Code::VmplNotAccepted]));
    }
    // A policy cannot give that up.
    let text = |text| format!("{text}[guest]\nvmpl = [0, 1, 2, 3]\n");
    let accepting = Relying::under(machines::policy(text));
    let bundle = on_amd(local(), "amd/milan@vmpl=2", |_| {});
    assert_eq!(accepting.codes(&bundle), set(&[Code::VmplNotAccepted]));
}

#[test]
fn the_platform_below_counts_as_it_does_alone() {
    let relying = Relying::party();
    let platforms: [(&str, &[Code]); 4] = [
        ("amd/milan@debug", &[Code::DebugAllowed]),
        ("amd/milan@migration", &[Code::MigrationAllowed]),
        ("amd/milan@current.microcode=1", &[Code::TcbTooOld]),
        ("amd/genoa", &[Code::PlatformNotAllowed, Code::SimulatedNotAccepted]),
    ];
    for (platform, expected) in platforms {
        assert_eq!(relying.codes(&on_amd(local(), platform, |_| {})), set(expected), "{platform}");
    }
    let td = |change: fn(&mut enarx_evidence::dcap::TdReport)| {
        on_intel(
            local(),
            |_| {},
            |content| match &mut content.quote.body {
                Body::Td(report) => change(report),
                Body::Sgx(_) => panic!("not a TD"),
            },
        )
    };
    let debug = td(|report| report.td_attributes.0 |= 1);
    assert_eq!(relying.codes(&debug), set(&[Code::DebugAllowed]));
    let extended = td(|report| report.rtmr[2] = [7; 48]);
    assert_eq!(relying.codes(&extended), set(&[Code::RegisterNotAccepted]));
    let other = td(|report| report.mr_td = [7; 48]);
    assert_eq!(relying.codes(&other), set(&[Code::MeasurementNotAccepted]));
    let bound = td(|report| report.report_data[0] ^= 1);
    assert_eq!(relying.codes(&bound), set(&[Code::RuntimeDataMismatch]));
}

#[test]
fn parts_of_two_machines() {
    let relying = Relying::party();
    let of_stranger = [on_amd(stranger(), "amd/milan", |_| {}), on_intel(stranger(), |_| {}, |_| {})];
    for (own, foreign) in both(|_| {}).iter().zip(&of_stranger) {
        assert_eq!(relying.codes(foreign), set(&[Code::SimulatedNotAccepted]));
        let quote = with(own, |evidence| evidence.quote = read(foreign).quote);
        assert_eq!(relying.codes(&quote), set(&[FORGED]));
        let runtime = with(own, |evidence| {
            evidence.hcl_report.runtime_data = read(foreign).hcl_report.runtime_data;
        });
        assert_eq!(relying.codes(&runtime), set(&[Code::RuntimeDataMismatch, FORGED]));
        let both = with(own, |evidence| {
            evidence.hcl_report.runtime_data = read(foreign).hcl_report.runtime_data;
            evidence.quote = read(foreign).quote;
        });
        assert_eq!(relying.codes(&both), set(&[Code::RuntimeDataMismatch]));
    }
    // Another vendor's evidence under a wrong name.
    let [mut amd, mut intel] = both(|_| {});
    (amd.evidence.format, intel.evidence.format) = (Format::AzureTdx, Format::AzureSnp);
    assert_eq!(relying.codes(&amd), set(&[Code::EvidenceMalformed]));
    assert_eq!(relying.codes(&intel), set(&[Code::EvidenceMalformed]));
}

/// Fields that both a `TDREPORT` and a quote have.
type Field = fn(&mut TdReport);

#[test]
fn a_td_report_that_is_not_of_the_quote() {
    let relying = Relying::party();
    let bundle = on_intel(local(), |_| {}, |_| {});
    let fields: [Field; 12] = [
        |report| report.tee_tcb_svn[0] ^= 1,
        |report| report.mr_seam[0] ^= 1,
        |report| report.mr_signer_seam[0] ^= 1,
        |report| report.attributes[1] ^= 1,
        |report| report.xfam[1] ^= 1,
        |report| report.mr_td[0] ^= 1,
        |report| report.mr_config_id[0] ^= 1,
        |report| report.mr_owner[0] ^= 1,
        |report| report.mr_owner_config[0] ^= 1,
        |report| report.rtmr[0][0] ^= 1,
        |report| report.rtmr[3][0] ^= 1,
        |report| report.report_data[0] ^= 1,
    ];
    for (number, change) in fields.into_iter().enumerate() {
        let changed = with(&bundle, |evidence| {
            let HardwareReport::Tdx(report) = &mut evidence.hcl_report.hardware else { panic!("not TDX") };
            change(report);
        });
        assert_eq!(relying.codes(&changed), set(&[Code::TdReportMismatch]), "field {number}");
    }
}

/// Changes each byte up to an end; which of them change nothing.
fn unread(relying: &Relying, bundle: &Bundle, end: usize) -> BTreeSet<usize> {
    let changed = |at: &usize| {
        let mut changed = bundle.clone();
        changed.evidence.bytes[*at] ^= if at.is_multiple_of(2) { 0x01 } else { 0x80 };
        relying.codes(&changed).is_empty()
    };
    (0..end).filter(changed).collect()
}

#[test]
fn each_byte_of_the_evidence() {
    let relying = Relying::party();
    let [amd, mut intel] = both(|_| {});
    assert_eq!(unread(&relying, &amd, amd.evidence.bytes.len()), BTreeSet::new());
    // The quote of the hardware has a test of its own.
    let quote = read(&intel).td_quote.unwrap();
    let end = intel.evidence.bytes.len() - quote.len();
    let short = with(&intel, |evidence| evidence.td_quote = Some(quote[..8].to_vec()));
    assert_eq!(relying.codes(&short), set(&[Code::EvidenceMalformed]));
    let found = unread(&relying, &intel, end);
    // What a TDREPORT says beside what the quote says is not used: CPUSVN, digests and MAC, VALID, attributes of the
    // module and TEE_TCB_SVN2, SERVTD_HASH. REPORTTYPE has one bit of that kind. Before it is the head of the HCL report
    // and of the map.
    let start = intel.evidence.bytes.windows(4).position(|bytes| bytes == b"HCLA").unwrap() + 32;
    let at = |range: std::ops::Range<usize>| range.map(|at| start + at).collect::<BTreeSet<_>>();
    let ranges = [16..128, 224..264, 376..400, 912..960];
    let mut expected = ranges.into_iter().flat_map(at).collect::<BTreeSet<_>>();
    expected.extend((start % 2 == 0).then_some(start + 2));
    assert_eq!(found, expected);
    intel.evidence.bytes.push(0);
    assert_eq!(relying.codes(&intel), set(&[Code::EvidenceMalformed]));
}
