// SPDX-License-Identifier: Apache-2.0

//! What a policy says about platforms of Intel's decides, and nothing else: each switch, list and minimum.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod quotes;

use enarx_evidence::Bundle;
use enarx_evidence::dcap::{Family, TcbStatus, TdReport};
use enarx_simulator::{DcapContent, PckAuthority, SimulatedQuote};
use enarx_verifier::policy::{Policy, Product};
use enarx_verifier::{Claims, Code, Root, UnixTime};
use quotes::{Relying, attest, policy, policy_with, set, sound_td, td};

fn changed(change: impl FnOnce(&mut DcapContent)) -> Bundle {
    attest(&SimulatedQuote::default(), change)
}

fn svn_2(report: &mut TdReport) -> &mut [u8; 16] {
    &mut report.extension.as_mut().unwrap().tee_tcb_svn_2
}

/// The status of a platform, under a policy that accepts each.
fn status(platform: &SimulatedQuote, change: impl FnOnce(&mut DcapContent)) -> TcbStatus {
    let all = TcbStatus::ALL.into_iter().filter(|status| *status != TcbStatus::Revoked);
    let all = all.map(|status| format!("\"{status}\"")).collect::<Vec<_>>().join(",");
    let text = format!("[intel]\ntcb_status = [{all}]\nadvisories = \"not-checked\"");
    let result = Relying::under(policy_with(&text)).appraise(&attest(platform, change));
    let result = result.unwrap_or_else(|refusals| panic!("{refusals}"));
    match result.claims() {
        Claims::Tdx(claims) | Claims::Sgx(claims) => claims.tcb.as_ref().unwrap().status,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_worst_part_makes_the_status() {
    use TcbStatus::{
        ConfigurationAndSwHardeningNeeded, ConfigurationNeeded, OutOfDate, OutOfDateConfigurationNeeded,
        SwHardeningNeeded, UpToDate,
    };
    let cases = [
        (UpToDate, UpToDate, UpToDate, UpToDate),
        (SwHardeningNeeded, UpToDate, UpToDate, SwHardeningNeeded),
        (ConfigurationNeeded, UpToDate, UpToDate, ConfigurationNeeded),
        (ConfigurationAndSwHardeningNeeded, UpToDate, UpToDate, ConfigurationAndSwHardeningNeeded),
        (OutOfDate, UpToDate, UpToDate, OutOfDate),
        (UpToDate, UpToDate, OutOfDate, OutOfDate),
        (SwHardeningNeeded, UpToDate, OutOfDate, OutOfDate),
        (ConfigurationNeeded, UpToDate, OutOfDate, OutOfDateConfigurationNeeded),
        (ConfigurationAndSwHardeningNeeded, OutOfDate, UpToDate, OutOfDateConfigurationNeeded),
        (OutOfDateConfigurationNeeded, UpToDate, OutOfDate, OutOfDateConfigurationNeeded),
    ];
    for (platform, module, enclave, expected) in cases {
        let found = status(&SimulatedQuote::default(), |content| {
            content.tcb_info.levels[0].status = platform;
            content.tcb_info.tdx_module_identities[1].levels[0].status = module;
            content.identity.levels[0].status = enclave;
            // What runs now is not newer either.
            svn_2(td(content))[0] = 4;
        });
        assert_eq!(found, expected, "{platform}, {module}, {enclave}");
    }
}

#[test]
fn a_td_from_before_an_update_of_its_module_is_to_be_launched_again() {
    let platform = SimulatedQuote::default();
    let old_module = |content: &mut DcapContent| td(content).tee_tcb_svn[0] = 4;
    assert_eq!(status(&platform, old_module), TcbStatus::TdRelaunchAdvised);
    // Only if what runs now is the newest, module and microcode.
    for (at, version) in [(0, 4), (2, 1)] {
        let found = status(&platform, |content| {
            old_module(content);
            svn_2(td(content))[at] = version;
        });
        assert_eq!(found, TcbStatus::OutOfDate, "byte {at}");
    }
    let found = status(&platform, |content| {
        old_module(content);
        content.tcb_info.levels[0].status = TcbStatus::ConfigurationNeeded;
    });
    assert_eq!(found, TcbStatus::TdRelaunchAdvisedConfigurationNeeded);
    // Not if anything else is old: then launching it again does not help.
    let found = status(&platform, |content| {
        old_module(content);
        content.identity.levels[0].status = TcbStatus::OutOfDate;
    });
    assert_eq!(found, TcbStatus::OutOfDate);
    let found = status(&platform, |content| {
        old_module(content);
        content.tcb_info.levels[0].status = TcbStatus::OutOfDate;
    });
    assert_eq!(found, TcbStatus::OutOfDate);
    // A report of version 1.0 does not say what runs now.
    let older = SimulatedQuote { extended: false, ..platform.clone() };
    assert_eq!(status(&older, old_module), TcbStatus::OutOfDate);
    // What runs now must be a module that is known.
    let unknown = changed(|content| {
        old_module(content);
        svn_2(td(content))[1] = 9;
    });
    assert!(Relying::party().codes(&unknown).contains(&Code::TdxModuleUnknown));
}

#[test]
fn statuses_and_advisories() {
    let hardening = changed(|content| {
        content.tcb_info.levels[0].status = TcbStatus::SwHardeningNeeded;
        content.tcb_info.levels[0].advisories = vec!["INTEL-SA-00615".into()];
    });
    let both = set(&[Code::TcbStatusNotAccepted, Code::AdvisoryNotAccepted]);
    assert_eq!(Relying::party().codes(&hardening), both);
    let named = "tcb_status = [\"UpToDate\", \"SWHardeningNeeded\"]";
    let cases: [(&str, &[Code]); 4] = [
        ("", &[Code::AdvisoryNotAccepted]),
        ("advisories_accepted = [\"INTEL-SA-00615\"]", &[]),
        ("advisories_accepted = [\"INTEL-SA-00616\"]", &[Code::AdvisoryNotAccepted]),
        ("advisories = \"not-checked\"", &[]),
    ];
    for (text, expected) in cases {
        let relying = Relying::under(policy_with(&format!("[intel]\n{named}\n{text}")));
        assert_eq!(relying.codes(&hardening), set(expected), "{text}");
    }
    let relying = Relying::under(policy_with("[intel]\ntcb_status = [\"SWHardeningNeeded\"]"));
    assert_eq!(relying.codes(&sound_td()), set(&[Code::TcbStatusNotAccepted]));
}

#[test]
fn minimums_of_collateral() {
    let cases: [(&str, &[Code]); 4] = [
        ("minimum_tcb_evaluation_data_number = 19", &[]),
        ("minimum_tcb_evaluation_data_number = 20", &[Code::TcbEvaluationTooOld]),
        ("minimum_tcb_date = \"2025-05-14\"", &[]),
        ("minimum_tcb_date = \"2025-05-15\"", &[Code::TcbDateTooOld]),
    ];
    for (text, expected) in cases {
        let relying = Relying::under(policy_with(&format!("[intel]\n{text}")));
        assert_eq!(relying.codes(&sound_td()), set(expected), "{text}");
    }
    // Each document and each part counts.
    let relying = Relying::under(policy_with("[intel]\nminimum_tcb_evaluation_data_number = 19"));
    let bundle = changed(|content| content.identity.evaluation_data_number = 18);
    assert_eq!(relying.codes(&bundle), set(&[Code::TcbEvaluationTooOld]));
    let relying = Relying::under(policy_with("[intel]\nminimum_tcb_date = \"2025-05-14\""));
    let parts: [fn(&mut DcapContent); 3] = [
        |content| content.tcb_info.levels[0].date -= 1,
        |content| content.tcb_info.tdx_module_identities[1].levels[0].date -= 1,
        |content| content.identity.levels[0].date -= 1,
    ];
    for part in parts {
        assert_eq!(relying.codes(&changed(part)), set(&[Code::TcbDateTooOld]));
    }
}

#[test]
fn switches_accept_what_they_name_and_nothing_else() {
    let digest = "07".repeat(48);
    let (service, module) =
        (format!("service_tds = [\"sha384:{digest}\"]"), format!("tdx_modules = [\"sha384:{digest}\"]"));
    let attribute = |number, value| {
        changed(move |content| {
            let report = td(content);
            report.td_attributes = report.td_attributes.with(number, value);
        })
    };
    let service_td = changed(|content| td(content).extension.as_mut().unwrap().mr_service_td = [7; 48]);
    let cases = [
        ("[guest]\ndebug = \"accept\"", attribute(0, true), Code::DebugAllowed),
        ("[guest]\nmigration = \"accept\"", attribute(29, true), Code::MigrationAllowed),
        ("[intel]\nsept_ve_enabled = \"accept\"", attribute(28, false), Code::SeptVeEnabled),
        (&format!("[intel]\n{service}"), service_td, Code::ServiceTdNotAccepted),
    ];
    for (text, bundle, code) in &cases {
        for (other, _, _) in &cases {
            let expected = if other == text { set(&[]) } else { set(&[*code]) };
            assert_eq!(Relying::under(policy_with(other)).codes(bundle), expected, "{text}, {other}");
        }
    }
    let relying = Relying::under(policy_with(&format!("[intel]\n{module}")));
    assert_eq!(relying.codes(&sound_td()), set(&[Code::TdxModuleNotAccepted]));
    assert_eq!(relying.codes(&changed(|content| td(content).mr_seam = [7; 48])), set(&[]));
}

#[test]
fn multi_threading_counts_where_it_is_not_denied() {
    let relying = Relying::under(policy_with("[guest]\nsmt = \"refuse\""));
    assert_eq!(relying.codes(&sound_td()), set(&[Code::SmtAllowed]));
    let without = changed(|content| content.pck.configuration.as_mut().unwrap().smt_enabled = Some(false));
    assert_eq!(relying.codes(&without), set(&[]));
    // Certificates of single processors do not say.
    let single = SimulatedQuote { authority: PckAuthority::Processor, ..SimulatedQuote::default() };
    assert_eq!(relying.codes(&attest(&single, |_| {})), set(&[Code::SmtAllowed]));
}

#[test]
fn enclaves_by_their_signer() {
    let signer = |digest: &str, product: u16, version: u16| {
        let text = format!(
            "[[intel.signer]]\nmr_signer = \"sha256:{digest}\"\nisv_prod_id = {product}\nminimum_isv_svn = {version}"
        );
        let none = |text: String| text.replace("measurements = [", "measurements = [] #");
        Relying::under(policy(|policy| format!("{}\n{text}", none(policy))))
    };
    let bundle = attest(&SimulatedQuote::enclave(), |_| {});
    let known = "51".repeat(32);
    let result = signer(&known, 1, 2).appraise(&bundle).unwrap();
    assert!(result.measurement_name().starts_with("product 1 of signer"), "{}", result.measurement_name());
    let refused = set(&[Code::MeasurementNotAccepted]);
    // A signer has many products, and old versions of them.
    for other in [signer(&"52".repeat(32), 1, 2), signer(&known, 2, 2), signer(&known, 1, 3)] {
        assert_eq!(other.codes(&bundle), refused);
    }
    // It says nothing about TDs.
    assert_eq!(signer(&known, 1, 2).codes(&sound_td()), refused);
}

#[test]
fn registers_that_the_policy_names() {
    let measured = changed(|content| td(content).rtmr[1] = [7; 48]);
    let text = format!("[keep.registers]\nrtmr1 = [\"sha384:{}\"]", "07".repeat(48));
    assert_eq!(Relying::party().codes(&measured), set(&[Code::RegisterNotAccepted]));
    assert_eq!(Relying::under(policy_with(&text)).codes(&measured), set(&[]));
    assert_eq!(Relying::under(policy_with(&text)).codes(&sound_td()), set(&[Code::RegisterNotAccepted]));
}

#[test]
fn collateral_that_the_policy_does_without() {
    let relying = Relying::under(policy_with("[collateral]\ntcb_info = \"absent-accepted\""));
    let mut bundle = sound_td();
    bundle.endorsements.items.drain(..3);
    assert_eq!(relying.codes(&bundle), set(&[]));
    let mut strict = Relying::party();
    let missing = [Code::TcbInfoMissing, Code::QeIdentityMissing, Code::TcbStatusNotAccepted];
    assert_eq!(strict.codes(&bundle), set(&missing));
    // What is there is checked nevertheless.
    let revoked = changed(|content| content.tcb_info.levels[0].status = TcbStatus::Revoked);
    assert_eq!(relying.codes(&revoked), set(&[Code::TcbStatusNotAccepted]));

    // Old collateral is as good as none.
    let (mut relying, bundle) = (relying, sound_td());
    let later = UnixTime(relying.now.0 + 40 * 24 * 60 * 60);
    (relying.now, strict.now) = (later, later);
    assert_eq!(relying.codes(&bundle), set(&[Code::CrlExpired]));
    let expired = [Code::CrlExpired, Code::TcbInfoExpired, Code::QeIdentityExpired];
    assert_eq!(strict.codes(&bundle), set(&expired));
}

#[test]
fn families_are_told_apart() {
    for family in Family::ALL {
        let enclave = SimulatedQuote { family, ..SimulatedQuote::enclave() };
        let bundle = attest(&enclave, |_| {});
        let result = Relying::party().appraise(&bundle).unwrap();
        let name = Product::from(family).to_string();
        assert_eq!(result.product(), name);
        assert_eq!(
            result.root(),
            &Root::Simulated {
                name: "local".into(),
                spki_sha256: quotes::local().dcap_root_spki_sha256().unwrap(),
            }
        );
        let text = format!("[[deny]]\nid = \"no\"\nvendor = \"intel\"\nproducts = [\"{name}\"]");
        assert_eq!(Relying::under(policy_with(&text)).codes(&bundle), set(&[Code::ProductDenied]));
    }
    // A family that is not known is allowed by rules that name none.
    let other = |content: &mut DcapContent| {
        let fmspc = [0x00, 0xd0, 0x6f, 0x00, 0x00, 0x00];
        (content.pck.fmspc, content.tcb_info.fmspc) = (fmspc, fmspc);
    };
    assert_eq!(Relying::party().appraise(&changed(other)).unwrap().product(), "intel-other");
    let named =
        |text: String| text.replace("tee = \"tdx\"", "tee = \"tdx\"\nproducts = [\"emerald-rapids\"]");
    let relying = Relying::under(policy(named));
    assert_eq!(relying.codes(&changed(other)), set(&[Code::PlatformNotAllowed]));
    assert_eq!(relying.codes(&sound_td()), set(&[]));
}

#[test]
fn a_result_says_what_was_found() {
    let result = Relying::party().appraise(&sound_td()).unwrap();
    let json = serde_json::to_value(&result).unwrap();
    assert_eq!(json["tee"], "tdx");
    assert_eq!(json["vendor"], "intel");
    assert_eq!(json["claims"]["tee"], "tdx");
    assert_eq!(json["claims"]["tcb_status"], "UpToDate");
    assert_eq!(json["claims"]["fmspc"], "90c06f000000");
    assert_eq!(json["claims"]["td"]["sept_ve_disable"], true);
    assert_eq!(json["claims"]["tcb"]["platform"]["evaluation_data_number"], 19);
    let result = Relying::party().appraise(&attest(&SimulatedQuote::enclave(), |_| {})).unwrap();
    let json = serde_json::to_value(&result).unwrap();
    assert_eq!(json["claims"]["tee"], "sgx");
    assert_eq!(json["claims"]["enclave"]["isv_svn"], 2);
}

#[test]
fn what_a_policy_must_not_say() {
    let wrong = [
        ("[intel]\ntcb_status = []", "`intel.tcb_status` is empty, so no platform is acceptable"),
        (
            "[intel]\ntcb_status = [\"Revoked\"]",
            "`Revoked` cannot be accepted: what such a platform says proves nothing",
        ),
        ("[intel]\ntcb_status = [\"uptodate\"]", "`uptodate` is not a value of `intel.tcb_status`"),
        (
            "[intel]\nadvisories = \"not-checked\"\nadvisories_accepted = [\"INTEL-SA-00615\"]",
            "`intel.advisories_accepted` names some, but advisories are not checked",
        ),
        ("[intel]\nminimum_tcb_date = \"yesterday\"", "`yesterday` is not a date"),
        (
            "[intel]\nminimum_tcb_evaluation_data_number = -1",
            "`intel.minimum_tcb_evaluation_data_number` must be from 0 to 4294967295, not -1",
        ),
        ("[intel]\nservice_tds = [\"07\"]", "`07` does not begin with `sha384:`"),
        ("[intel]\ntdx_modules = [\"sha384:07\"]", "`sha384:07` does not have 96 hexadecimal digits"),
        ("[[intel.signer]]\nisv_prod_id = 1", "`intel.signer.mr_signer` is missing"),
        ("[collateral]\ntcb_info = \"absent\"", "`absent` is not a value of `collateral.tcb_info`"),
        ("[intel]\nsmt = \"accept\"", "unknown key `smt` in `intel`"),
    ];
    for (text, message) in wrong {
        let error = Policy::parse(&format!(
            "{}\n{text}",
            quotes::POLICY.replace("sha384:TD", "td").replace("sha256:ENCLAVE", "enclave")
        ))
        .unwrap_err();
        assert_eq!(error.message, message, "{text}");
    }
}

#[test]
fn the_digest_of_a_policy_knows_each_of_its_words() {
    let texts = [
        "",
        "[intel]\ntcb_status = [\"UpToDate\", \"SWHardeningNeeded\"]",
        "[intel]\nadvisories = \"not-checked\"",
        "[intel]\nadvisories_accepted = [\"INTEL-SA-00615\"]",
        "[intel]\nminimum_tcb_evaluation_data_number = 1",
        "[intel]\nminimum_tcb_date = \"2025-05-14\"",
        "[intel]\nsept_ve_enabled = \"accept\"",
        "[collateral]\ntcb_info = \"absent-accepted\"",
    ];
    let digests =
        texts.iter().map(|text| policy_with(text).digest()).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(digests.len(), texts.len());
    let defaults = "[intel]\ntcb_status = [\"UpToDate\"]\nsept_ve_enabled = \"refuse\"\n[collateral]\ntcb_info = \"required\"";
    assert_eq!(policy_with(defaults).digest(), policy_with("").digest());
}
