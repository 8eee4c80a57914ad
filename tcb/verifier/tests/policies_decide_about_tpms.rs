// SPDX-License-Identifier: Apache-2.0

//! What policies say about TPM quotes, also those of Azure's virtual machines.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod machines;

use enarx_simulator::{SimulatedMachine, SimulatedTpm};
use enarx_verifier::policy::{Policy, Switch};
use enarx_verifier::{Claims, Code, Tee, Vendor};
use machines::{MEASUREMENT, REPORT_DATA, Relying, local, policy, set};

#[test]
fn what_is_left_out_is_the_default() {
    let [default, spelt, accepting] = ["", "[tpm]\nsha1 = \"refuse\"\n", "[tpm]\nsha1 = \"accept\"\n"]
        .map(|more| policy(|text| format!("{text}{more}")));
    assert_eq!(default.tpm().sha1, Switch::Refuse);
    assert_eq!(accepting.tpm().sha1, Switch::Accept);
    assert_eq!(default.digest(), spelt.digest());
    assert_ne!(default.digest(), accepting.digest());
    let rule = "[[allow]]\nid = \"a\"\nvendor = \"tpm\"\ntee = \"tpm\"\n";
    let text = format!("version = 1\n[keep]\nmeasurements = [\"a\"]\n{rule}[tpm]\nsha2 = \"accept\"\n");
    let unknown = Policy::parse(&text).unwrap_err();
    assert_eq!(unknown.message, "unknown key `sha2` in `tpm`");
}

#[test]
fn rules_tell_machines_apart() {
    let tpm = local().attest_tpm(&SimulatedTpm::default(), &REPORT_DATA, |_| {}).unwrap();
    let (platform, machine) = ("amd/milan".parse().unwrap(), SimulatedMachine::default());
    let (data, image) = (&REPORT_DATA, &MEASUREMENT);
    let amd = local().attest_azure_snp(&platform, &machine, data, image, |_| {}).unwrap();
    let intel = local().attest_azure_tdx(&machine, data, image, |_| {}, |_| {}).unwrap();
    let all = [(&tpm, "tpms"), (&amd, "machines-on-amd"), (&intel, "machines-on-intel")];
    for (refused, rule) in all {
        let others = Relying::under(policy(|text| without_rule(&text, rule)));
        for (bundle, _) in all {
            let expected: &[Code] = if bundle == refused { &[Code::PlatformNotAllowed] } else { &[] };
            // A product that no rule allows needs no minimum.
            assert_eq!(others.codes(bundle), set(expected), "without `{rule}`");
        }
    }
}

#[test]
fn registers_named_for_one_kind_of_machine_say_nothing_about_others() {
    let tpm = local().attest_tpm(&SimulatedTpm::default(), &REPORT_DATA, |_| {}).unwrap();
    let (platform, machine) = ("amd/milan".parse().unwrap(), SimulatedMachine::default());
    let azure = local().attest_azure_snp(&platform, &machine, &REPORT_DATA, &MEASUREMENT, |_| {}).unwrap();
    for (table, [of_tpm, of_azure]) in [
        ("registers", [&[][..], &[]]),
        ("registers.tpm", [&[], &[Code::RegisterNotAccepted]]),
        ("registers.azure-snp", [&[Code::RegisterNotAccepted], &[]]),
    ] {
        let relying = Relying::under(policy(|text| text.replace("keep.registers", &format!("keep.{table}"))));
        assert_eq!(relying.codes(&tpm), set(of_tpm), "{table}");
        assert_eq!(relying.codes(&azure), set(of_azure), "{table}");
    }
    // What is named for a kind of machine has to be in its quotes, and in no others.
    let more = |table: &str| {
        Relying::under(policy(|text| format!("{text}[keep.registers.{table}]\npcr30 = [\"x\"]\n")))
    };
    assert!(more("tpm").codes(&tpm).contains(&Code::RegisterNotQuoted));
    assert!(!more("azure-snp").codes(&tpm).contains(&Code::RegisterNotQuoted));
}

/// The policy without one of its rules, which is not the last.
fn without_rule(text: &str, id: &str) -> String {
    let rules = text.split("[[allow]]").filter(|rule| !rule.contains(&format!("id = \"{id}\"")));
    rules.collect::<Vec<_>>().join("[[allow]]")
}

#[test]
fn an_accepted_machine_says_what_it_is() {
    let relying = Relying::party();
    let platform = "amd/milan".parse().unwrap();
    let (data, image, machine) = (&REPORT_DATA, &MEASUREMENT, SimulatedMachine::default());
    let amd = local().attest_azure_snp(&platform, &machine, data, image, |_| {}).unwrap();
    let result = relying.appraise(&amd).unwrap();
    assert_eq!((result.tee(), result.vendor(), result.product()), (Tee::AzureSnp, Vendor::Amd, "milan"));
    assert_eq!((result.measurement(), result.report_data()), (&MEASUREMENT[..], &REPORT_DATA));
    let Claims::AzureSnp(claims) = result.claims() else { panic!("another TEE") };
    assert!(claims.machine.configuration.secure_boot);
    let registers = claims.machine.quote.registers();
    assert_eq!(registers[&4].1, SimulatedTpm::register(registers[&4].0, 4));
    let json = serde_json::to_value(&result).unwrap();
    assert_eq!(json["claims"]["tee"], "azure-snp");
    assert_eq!(json["claims"]["machine"]["secure_boot"], true);
    assert_eq!(json["claims"]["hardware"]["generation"], "milan");
    let digits = &json["claims"]["machine"]["quote"]["registers"]["sha256"]["pcr17"];
    assert_eq!(*digits, "ff".repeat(32));
}
