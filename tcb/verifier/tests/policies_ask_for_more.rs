// SPDX-License-Identifier: Apache-2.0

//! What the policy language can ask beside products: features of platforms, dates, floors of single versions, switches of
//! the launch, ages of collateral, workloads. Each decides what it names and nothing else, and tells where it stands.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod quotes;
mod realms;
mod simulated;

use enarx_evidence::Bundle;
use enarx_evidence::dcap::TcbStatus;
use enarx_evidence::snp::{GuestPolicy, PlatformInfo, Report};
use enarx_simulator::{DcapContent, SimulatedQuote, SimulatedRealm};
use enarx_verifier::crypto::{SignatureVerifier, Signed};
use enarx_verifier::policy::Policy;
use enarx_verifier::{Code, PolicyEntry, ReferenceValue, Request, UnixTime, appraise_with};
use quotes::{policy_with, set, sound_td, td};
use simulated::{MEASUREMENT, POLICY, REPORT_DATA, Relying, Vendor};

const DAY: u64 = 24 * 60 * 60;

/// Takes every signature for good: reports can be changed.
struct Believing;

impl SignatureVerifier for Believing {
    fn verify(&mut self, _: &Signed<'_>) -> bool {
        true
    }
}

/// The policy of the simulated vendor with more text at its end.
fn snp_policy(more: &str) -> Policy {
    Policy::parse(&format!("{POLICY}{more}\n")).unwrap_or_else(|error| panic!("{error}: {more}"))
}

/// The codes for a report of a platform that was changed after it was signed.
fn changed_report(policy: &Policy, platform: &str, change: impl FnOnce(&mut Report)) -> Vec<Code> {
    let mut bundle = Vendor::local().attest(platform);
    let mut report = Report::parse(&bundle.evidence.bytes).unwrap();
    change(&mut report);
    bundle.evidence.bytes = report.encode().to_vec();
    codes_at(policy, &bundle, simulated::now(), &mut Believing)
}

fn codes_at(
    policy: &Policy,
    bundle: &Bundle,
    now: UnixTime,
    crypto: &mut dyn SignatureVerifier,
) -> Vec<Code> {
    let request = Request {
        bundle,
        report_data: &REPORT_DATA,
        anchors: &Vendor::local().anchors(),
        reference_values: &[ReferenceValue { name: "release".into(), measurement: MEASUREMENT.to_vec() }],
        policy,
        advisories: &[],
        now,
    };
    appraise_with(&request, crypto).map_or_else(|refusals| refusals.codes().collect(), |_| vec![])
}

/// The only refusal of a platform: its code, and what decided.
fn refusal(policy: &Policy, platform: &str) -> (Code, String, Option<PolicyEntry>) {
    let refusals = Relying::under(policy.clone()).appraise(&Vendor::local().attest(platform)).unwrap_err();
    let all = refusals.iter().collect::<Vec<_>>();
    assert_eq!(all.len(), 1, "{refusals}");
    (all[0].code, all[0].found.clone(), all[0].policy.clone())
}

fn line_of(policy: &str, text: &str) -> Option<usize> {
    policy.lines().position(|line| line == text).map(|line| line + 1)
}

#[test]
fn switches_of_the_launch() {
    let set_bits = |bits: u64| move |report: &mut Report| report.policy = GuestPolicy(report.policy.0 | bits);
    let platform_bits = |bits: u64| {
        move |report: &mut Report| report.platform_info = PlatformInfo(report.platform_info.0 | bits)
    };
    let nothing = |report: &mut Report| report.platform_info = PlatformInfo(0);
    let plain = "amd/genoa";
    let one = |key: &str| snp_policy(&format!("[guest]\n{key} = \"refuse\""));
    let several = one("several_sockets");
    assert_eq!(changed_report(&several, plain, |_| {}), [Code::SeveralSocketsAllowed]);
    assert_eq!(changed_report(&several, plain, set_bits(1 << 20)), []);
    let visible = one("ciphertext_visible");
    assert_eq!(changed_report(&visible, plain, nothing), [Code::CiphertextVisible]);
    assert_eq!(changed_report(&visible, plain, set_bits(1 << 24)), []);
    assert_eq!(changed_report(&visible, plain, platform_bits(1 << 4)), []);
    let aliases = one("aliases_unchecked");
    assert_eq!(changed_report(&aliases, plain, nothing), [Code::AliasesUnchecked]);
    assert_eq!(changed_report(&aliases, plain, platform_bits(1 << 5)), []);
    let power = one("power_readings");
    assert_eq!(changed_report(&power, plain, nothing), [Code::PowerReadingsAllowed]);
    assert_eq!(changed_report(&power, plain, set_bits(1 << 23)), []);
    assert_eq!(changed_report(&power, plain, platform_bits(1 << 3)), []);
    let cxl = one("cxl");
    assert_eq!(changed_report(&cxl, plain, |_| {}), []);
    assert_eq!(changed_report(&cxl, plain, set_bits(1 << 21)), [Code::CxlAllowed]);
    // None of them is asked for by default.
    assert_eq!(changed_report(&snp_policy(""), plain, nothing), []);
    assert_eq!(changed_report(&snp_policy(""), plain, set_bits(1 << 21)), []);
}

#[test]
fn keys_of_whoever_launched_the_keep() {
    let id = |report: &mut Report| report.id_key_digest = [7; 48];
    let both = |report: &mut Report| {
        report.id_key_digest = [7; 48];
        report.key_info.author_key_en = true;
        report.author_key_digest = [8; 48];
    };
    let refusing = "[guest]\nlaunch_keys = \"refuse\"\n";
    let (id_key, author_key) = ("07".repeat(48), "08".repeat(48));
    let named = snp_policy(&format!("{refusing}[snp]\nid_keys = [\"sha384:{id_key}\"]"));
    let all = snp_policy(&format!(
        "{refusing}[snp]\nid_keys = [\"sha384:{id_key}\"]\nauthor_keys = [\"sha384:{author_key}\"]"
    ));
    let none = snp_policy(refusing);
    assert_eq!(changed_report(&snp_policy(""), "amd/milan", both), []);
    assert_eq!(changed_report(&none, "amd/milan", |_| {}), []);
    assert_eq!(changed_report(&none, "amd/milan", id), [Code::LaunchKeyNotAccepted]);
    assert_eq!(changed_report(&none, "amd/milan", both), [Code::LaunchKeyNotAccepted; 2]);
    assert_eq!(changed_report(&named, "amd/milan", id), []);
    assert_eq!(changed_report(&named, "amd/milan", both), [Code::LaunchKeyNotAccepted]);
    assert_eq!(changed_report(&all, "amd/milan", both), []);
}

#[test]
fn steppings_and_chips() {
    let deny = |what: &str| snp_policy(&format!("[[deny]]\nid = \"no\"\nvendor = \"amd\"\n{what}"));
    let report = Report::parse(&Vendor::local().attest("amd/milan").evidence.bytes).unwrap();
    let cpuid = report.cpuid.unwrap();
    let (chip, other) = (hex::encode(report.chip_id), "00".repeat(64));
    let this = format!(
        "families = [{}]\nmodels = [{}]\nsteppings = [{}]",
        cpuid.family, cpuid.model, cpuid.stepping
    );
    let another = format!("steppings = [{}]", (cpuid.stepping + 1) % 16);
    assert_eq!(changed_report(&deny(&this), "amd/milan", |_| {}), [Code::ProductDenied]);
    assert_eq!(changed_report(&deny(&another), "amd/milan", |_| {}), []);
    // A report of version 2 does not tell them, and is not let off.
    assert_eq!(changed_report(&deny(&another), "amd/milan@version=2", |_| {}), [Code::ProductDenied]);
    let same_chip = format!("chip_ids = [\"{chip}\"]");
    assert_eq!(changed_report(&deny(&same_chip), "amd/milan", |_| {}), [Code::ProductDenied]);
    let other_chip = format!("chip_ids = [\"{other}\"]");
    assert_eq!(changed_report(&deny(&other_chip), "amd/milan", |_| {}), []);
    assert_eq!(changed_report(&deny(&other_chip), "amd/milan@hidden-chip", |_| {}), [Code::ProductDenied]);
    // A key that is not lent was lent to nobody, which is told.
    assert_eq!(changed_report(&deny("providers = [\"aws\"]"), "amd/milan", |_| {}), []);

    let allow = |what: &str| {
        let text = POLICY.replace("tee = \"sev-snp\"", &format!("tee = \"sev-snp\"\n{what}"));
        Policy::parse(&text).unwrap()
    };
    assert_eq!(changed_report(&allow(&this), "amd/milan", |_| {}), []);
    assert_eq!(changed_report(&allow(&this), "amd/milan@version=2", |_| {}), [Code::PlatformNotAllowed]);
    assert_eq!(changed_report(&allow(&same_chip), "amd/milan", |_| {}), []);
    let (code, found, entry) = refusal(&allow(&other_chip), "amd/milan");
    assert_eq!(
        (code, found.as_str()),
        (Code::PlatformNotAllowed, "none: rule `any` is about other `chip_ids`")
    );
    assert_eq!(entry.map(|entry| (entry.entry, entry.line)), Some(("allow.any".to_owned(), Some(8))));
    let (_, found, _) = refusal(&allow(&same_chip), "amd/milan@hidden-chip");
    assert_eq!(found, "none: rule `any` asks for `chip_ids`, which the evidence does not tell");
}

#[test]
fn dates_of_rules() {
    let text = POLICY.replace("tee = \"sev-snp\"", "tee = \"sev-snp\"\nexpires = \"2030-01-01\"");
    let allow = Policy::parse(&text).unwrap();
    let bundle = Vendor::local().attest("amd/milan");
    let end = UnixTime(1_893_456_000);
    let before = UnixTime(end.0 - 1);
    let at = |policy: &Policy, now| {
        let mut codes = codes_at(policy, &bundle, now, &mut Believing);
        // What else runs out by then.
        codes.retain(|code| matches!(code, Code::PlatformNotAllowed | Code::ProductDenied));
        codes
    };
    assert_eq!(at(&allow, before), []);
    assert_eq!(at(&allow, end), [Code::PlatformNotAllowed]);
    // A date that passes makes nothing trusted.
    let deny = snp_policy(
        "[[deny]]\nid = \"no\"\nvendor = \"amd\"\nproducts = [\"milan\"]\nexpires = \"2030-01-01\"",
    );
    assert_eq!(at(&deny, before), [Code::ProductDenied]);
    assert_eq!(at(&deny, end), [Code::ProductDenied]);
    let messages = |policy: &Policy, now| {
        policy
            .notices(now)
            .into_iter()
            .map(|notice| (notice.place.line(), notice.message))
            .collect::<Vec<_>>()
    };
    assert_eq!(messages(&allow, before), []);
    let line = line_of(&text, "[[allow]]").unwrap();
    assert_eq!(
        messages(&allow, end),
        [(line, "rule `any` expired on 2030-01-01 and allows nothing".to_owned())]
    );
    assert_eq!(messages(&deny, before), []);
    let deny = messages(&deny, end);
    assert_eq!(deny.len(), 1);
    assert_eq!(deny[0].1, "rule `no` was to be looked at by 2030-01-01 and still denies");
}

#[test]
fn floors_of_single_versions() {
    let with = |levels: &str| snp_policy(&format!("[minimum_tcb.milan.launch]\n{levels}"));
    let codes = |policy: &Policy, platform: &str| changed_report(policy, platform, |_| {});
    let lower = with("snp = 20");
    assert_eq!(codes(&lower, "amd/milan@launch.snp=20"), []);
    assert_eq!(codes(&lower, "amd/milan@launch.snp=19"), [Code::TcbTooOld]);
    assert_eq!(codes(&lower, "amd/milan@committed.snp=20"), [Code::TcbTooOld]);
    // What is not said is as it is for the others.
    assert_eq!(codes(&lower, "amd/milan@launch.microcode=218"), [Code::TcbTooOld]);
    let higher = with("snp = 28");
    assert_eq!(codes(&higher, "amd/milan"), [Code::TcbTooOld]);
    assert_eq!(codes(&higher, "amd/milan@launch.snp=28"), []);
    let (_, _, entry) = refusal(&higher, "amd/milan");
    assert_eq!(entry.unwrap().entry, "minimum_tcb.milan.launch");
}

#[test]
fn a_refusal_names_the_entry_and_its_line() {
    let text = format!("{POLICY}[[deny]]\nid = \"no-milan\"\nvendor = \"amd\"\nproducts = [\"milan\"]\n");
    let (code, found, entry) = refusal(&Policy::parse(&text).unwrap(), "amd/milan");
    assert_eq!((code, found.as_str()), (Code::ProductDenied, "rule `no-milan`"));
    let entry = entry.unwrap();
    assert_eq!((entry.entry.as_str(), entry.line), ("deny.no-milan", line_of(&text, "[[deny]]")));
    let (_, _, entry) = refusal(&snp_policy(""), "amd/milan@debug");
    let entry = entry.unwrap();
    assert_eq!((entry.entry.as_str(), entry.line), ("guest.debug", None));
    assert_eq!(entry.to_string(), "`guest.debug`, which the policy leaves at its default");
    let mut none = |_: &str, _: Option<&str>| Err("none".to_owned());
    let named = Policy::parse_with("team.toml", &format!("{POLICY}[guest]\ndebug = \"refuse\"\n"), &mut none)
        .unwrap();
    let (_, _, entry) = refusal(&named, "amd/milan@debug");
    let line = POLICY.lines().count() + 2;
    assert_eq!(entry.unwrap().to_string(), format!("`guest.debug` in line {line} of team.toml"));
}

#[test]
fn ages_of_revocation_lists() {
    let bundle = Vendor::local().attest("amd/milan");
    let lists = snp_policy("");
    let now = simulated::now();
    let list_codes = |policy: &Policy, now: u64| {
        let mut codes = codes_at(policy, &bundle, UnixTime(now), &mut Believing);
        codes.retain(|code| matches!(code, Code::CrlExpired | Code::CrlTooOld));
        codes.dedup();
        codes
    };
    // The first second in which the list is expired, by halving.
    let (mut good, mut bad) = (now.0, now.0 + 4000 * DAY);
    assert_eq!(list_codes(&lists, bad), [Code::CrlExpired]);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if list_codes(&lists, middle).is_empty() { good = middle } else { bad = middle }
    }
    let offline = snp_policy("[collateral]\nexpired_accepted_for_days = 3");
    assert_eq!(list_codes(&offline, bad), []);
    assert_eq!(list_codes(&offline, bad + 3 * DAY - 1), []);
    assert_eq!(list_codes(&offline, bad + 3 * DAY), [Code::CrlExpired]);
    let young = snp_policy("[collateral]\nmaximum_age_days = 2");
    assert_eq!(list_codes(&young, now.0), []);
    assert_eq!(list_codes(&young, now.0 + 3 * DAY), [Code::CrlTooOld]);
}

fn quote_codes(text: &str, change: impl FnOnce(&mut DcapContent)) -> std::collections::BTreeSet<Code> {
    let bundle = quotes::attest(&SimulatedQuote::default(), change);
    quotes::Relying::under(policy_with(text)).codes(&bundle)
}

#[test]
fn features_of_intels_platforms() {
    let td = sound_td();
    let claims = match quotes::Relying::party().appraise(&td).unwrap().claims() {
        enarx_verifier::Claims::Tdx(claims) => claims.clone(),
        other => panic!("{other:?}"),
    };
    let deny = |what: &str| {
        let policy = policy_with(&format!("[[deny]]\nid = \"no\"\nvendor = \"intel\"\n{what}"));
        quotes::Relying::under(policy).codes(&td)
    };
    let denied = set(&[Code::ProductDenied]);
    assert_eq!(deny(&format!("fmspcs = [\"{}\"]", hex::encode(claims.pck.fmspc))), denied);
    assert_eq!(deny("fmspcs = [\"00806f050000\"]"), set(&[]));
    assert_eq!(deny(&format!("ppids = [\"{}\"]", hex::encode(claims.pck.ppid))), denied);
    assert_eq!(deny(&format!("ppids = [\"{}\"]", "ee".repeat(16))), set(&[]));
    assert_eq!(deny(&format!("platform_instances = [\"{}\"]", "ee".repeat(16))), set(&[]));
    // Emerald Rapids by CPUID: family 6, model CFh; what its FMSPC says of the stepping is 0.
    assert_eq!(hex::encode(claims.pck.fmspc), "90c06f000000");
    assert_eq!(deny("families = [6]\nmodels = [0xcf]\nsteppings = [0]"), denied);
    assert_eq!(deny("models = [0x8f]"), set(&[]));
    assert_eq!(deny("steppings = [1]"), set(&[]));
}

#[test]
fn versions_of_what_vouches_for_platforms() {
    let too_old = |code: Code| set(&[code]);
    let sound = sound_td();
    let claims = match quotes::Relying::party().appraise(&sound).unwrap().claims() {
        enarx_verifier::Claims::Tdx(claims) => claims.clone(),
        other => panic!("{other:?}"),
    };
    let (pce, enclave) = (claims.pck.tcb.pce_svn, claims.quote.signature.qe.report.isv_svn);
    let codes = |text: String| quotes::Relying::under(policy_with(&format!("[intel]\n{text}"))).codes(&sound);
    assert_eq!(codes(format!("minimum_pce_svn = {pce}")), set(&[]));
    assert_eq!(codes(format!("minimum_pce_svn = {}", pce + 1)), too_old(Code::PceTooOld));
    assert_eq!(codes(format!("minimum_qe_svn = {enclave}")), set(&[]));
    assert_eq!(codes(format!("minimum_qe_svn = {}", enclave + 1)), too_old(Code::QeTooOld));
    // The simulated module is of version 1 with security version 5.
    let module =
        |version: u8, svn: u8| codes(format!("minimum_tdx_module = {{ version = {version}, svn = {svn} }}"));
    assert_eq!(module(1, 5), set(&[]));
    assert_eq!(module(0, 200), set(&[]));
    assert_eq!(module(1, 6), too_old(Code::TdxModuleTooOld));
    assert_eq!(module(2, 0), too_old(Code::TdxModuleTooOld));
    let signer = |digits: &str| codes(format!("tdx_module_signers = [\"sha384:{}\"]", digits.repeat(48)));
    assert_eq!(signer("00"), set(&[]));
    assert_eq!(signer("01"), too_old(Code::TdxModuleSignerNotAccepted));
}

#[test]
fn attributes_and_states() {
    let perfmon = |content: &mut DcapContent| {
        let report = td(content);
        report.td_attributes = report.td_attributes.with(63, true);
    };
    assert_eq!(quote_codes("", perfmon), set(&[]));
    assert_eq!(quote_codes("[intel]\ntd_attributes = [\"perfmon\"]", perfmon), set(&[]));
    let fewer = "[intel]\ntd_attributes = [\"pks\", \"lass\"]";
    assert_eq!(quote_codes(fewer, perfmon), set(&[Code::AttributeNotAccepted]));
    assert_eq!(quote_codes(fewer, |_| {}), set(&[]));
    let amx = |content: &mut DcapContent| td(content).xfam.0 = 0b11 | 0b11 << 17;
    assert_eq!(quote_codes("", amx), set(&[]));
    assert_eq!(quote_codes("[intel]\nextended_states = [\"amx\"]", amx), set(&[]));
    assert_eq!(
        quote_codes("[intel]\nextended_states = [\"avx\"]", amx),
        set(&[Code::ExtendedStateNotAccepted])
    );
    assert_eq!(quote_codes("[intel]\nextended_states = []", |content| td(content).xfam.0 = 0b11), set(&[]));
}

#[test]
fn advisories_that_refuse_by_name() {
    let vulnerable = |content: &mut DcapContent| {
        content.tcb_info.levels[0].advisories = vec!["INTEL-SA-00615".into(), "INTEL-SA-00837".into()];
    };
    let refused = set(&[Code::AdvisoryNotAccepted]);
    assert_eq!(quote_codes("[intel]\nadvisories = \"not-checked\"", vulnerable), set(&[]));
    let by_name = "[intel]\nadvisories = \"not-checked\"\nadvisories_refused = [\"INTEL-SA-00837\"]";
    assert_eq!(quote_codes(by_name, vulnerable), refused);
    let other = "[intel]\nadvisories = \"not-checked\"\nadvisories_refused = [\"INTEL-SA-00001\"]";
    assert_eq!(quote_codes(other, vulnerable), set(&[]));
    let accepted = "[intel]\nadvisories_accepted = [\"INTEL-SA-00615\", \"INTEL-SA-00837\"]";
    assert_eq!(quote_codes(accepted, vulnerable), set(&[]));
}

#[test]
fn a_short_time_out_of_date() {
    let now = quotes::now().0;
    // The platform reaches the second level only, and the first came this many days ago.
    let behind = |days: u64| {
        move |content: &mut DcapContent| {
            content.tcb_info.levels[0].pce_svn += 1;
            content.tcb_info.levels[0].date = now - days * DAY;
        }
    };
    let both = set(&[Code::TcbStatusNotAccepted, Code::AdvisoryNotAccepted]);
    assert_eq!(quote_codes("", behind(5)), both);
    let fourteen = "[intel]\nout_of_date_accepted_for_days = 14";
    assert_eq!(quote_codes(fourteen, behind(5)), set(&[]));
    assert_eq!(quote_codes(fourteen, behind(14)), both);
    // Levels between count from the oldest that is not reached.
    let between = |content: &mut DcapContent| {
        behind(5)(content);
        let mut level = content.tcb_info.levels[0].clone();
        (level.status, level.date) = (TcbStatus::OutOfDate, now - 20 * DAY);
        content.tcb_info.levels.insert(1, level);
    };
    assert_eq!(quote_codes(fourteen, between), both);
    // What is refused by name stays refused, and so does what is not out of date.
    let named = format!("{fourteen}\nadvisories_refused = [\"INTEL-SA-00001\"]");
    assert_eq!(quote_codes(&named, behind(5)), set(&[Code::AdvisoryNotAccepted]));
    let enclave_too = |content: &mut DcapContent| {
        behind(5)(content);
        content.identity.levels[0].status = TcbStatus::OutOfDate;
    };
    // Nobody says since when the quoting enclave is.
    assert_eq!(quote_codes(fourteen, enclave_too), both);
    let revoked = |content: &mut DcapContent| {
        behind(5)(content);
        content.tcb_info.levels[1].status = TcbStatus::Revoked;
    };
    assert!(quote_codes(fourteen, revoked).contains(&Code::TcbStatusNotAccepted));
    let hardening = |content: &mut DcapContent| {
        behind(5)(content);
        content.identity.levels[0].status = TcbStatus::SwHardeningNeeded;
    };
    assert_eq!(quote_codes(fourteen, hardening), set(&[Code::TcbStatusNotAccepted]));
}

#[test]
fn ages_of_intels_documents() {
    let old = |content: &mut DcapContent| content.tcb_info.issue_date -= 40 * DAY;
    assert_eq!(quote_codes("", old), set(&[]));
    assert_eq!(quote_codes("[collateral]\nmaximum_age_days = 30", old), set(&[Code::TcbInfoTooOld]));
    assert_eq!(quote_codes("[collateral]\nmaximum_age_days = 60", old), set(&[]));
    let identity = |content: &mut DcapContent| content.identity.issue_date -= 40 * DAY;
    assert_eq!(quote_codes("[collateral]\nmaximum_age_days = 30", identity), set(&[Code::QeIdentityTooOld]));
    let now = quotes::now().0;
    let expired = |content: &mut DcapContent| {
        content.tcb_info.issue_date = now - 20 * DAY;
        content.tcb_info.next_update = now - 2 * DAY;
    };
    assert_eq!(quote_codes("", expired), set(&[Code::TcbInfoExpired]));
    assert_eq!(
        quote_codes("[collateral]\nexpired_accepted_for_days = 1", expired),
        set(&[Code::TcbInfoExpired])
    );
    assert_eq!(quote_codes("[collateral]\nexpired_accepted_for_days = 3", expired), set(&[]));
}

#[test]
fn implementations_and_signers_of_realms() {
    let bundle = realms::sound();
    let anchors = realms::anchors();
    let under = |text: &str| realms::under(&Policy::parse(text).unwrap(), &anchors, &bundle);
    let policy = realms::POLICY.replace("RMM", &"cc".repeat(32));
    let bundle_of = |id: u8| {
        realms::attest(&SimulatedRealm::default(), |platform, _| platform.implementation_id = [id; 32])
    };
    let only = |id: u8| {
        let rule = format!("tee = \"cca\"\nimplementation_ids = [\"{}\"]", hex::encode([id; 32]));
        Policy::parse(&policy.replace("tee = \"cca\"", &rule)).unwrap()
    };
    assert_eq!(realms::under(&only(5), &anchors, &bundle_of(5)), []);
    assert_eq!(realms::under(&only(5), &anchors, &bundle_of(6)), [Code::PlatformNotAllowed]);
    assert_eq!(under(&policy), []);
    // Who signed a component may speak for it, and for no other.
    let signed = realms::attest(&SimulatedRealm::default(), |platform, _| {
        for component in &mut platform.components {
            component.signer = realms::digest(0x51);
        }
        platform.components[0].signer = realms::digest(0x52);
    });
    let signers = |digits: &str| {
        let software = format!("software = [\"firmware\", \"sha256:{}\"]", "cc".repeat(32));
        assert!(policy.contains(&software));
        let text = policy.replace(&software, &format!("signers = [{digits}]"));
        realms::under(&Policy::parse(&text).unwrap(), &anchors, &signed)
    };
    let (most, one) = (format!("\"sha256:{}\"", "51".repeat(32)), format!("\"sha256:{}\"", "52".repeat(32)));
    assert_eq!(signers(&format!("{most}, {one}")), []);
    assert_eq!(signers(&most), [Code::PlatformSoftwareNotAccepted]);
}

#[test]
fn workloads_and_their_owners() {
    let (digest, owner) = ([1; 32], [2; 32]);
    assert!(snp_policy("").check_workload(&digest, &owner).is_ok());
    let only = snp_policy(&format!(
        "[workload]\ndigests = [\"sha256:{}\"]\nowners = [\"{}\"]",
        hex::encode(digest),
        hex::encode(owner)
    ));
    let codes = |digest: u8, owner: u8| {
        only.check_workload(&[digest; 32], &[owner; 32])
            .map_or_else(|refusals| refusals.codes().collect(), |()| vec![])
    };
    assert_eq!(codes(1, 2), []);
    assert_eq!(codes(3, 2), [Code::WorkloadNotAccepted]);
    assert_eq!(codes(1, 3), [Code::OwnerNotAccepted]);
    assert_eq!(codes(3, 3), [Code::WorkloadNotAccepted, Code::OwnerNotAccepted]);
}

#[test]
fn what_somebody_should_look_at() {
    let messages = |more: &str| {
        let policy = snp_policy(more);
        policy.notices(simulated::now()).into_iter().map(|notice| notice.message).collect::<Vec<_>>()
    };
    assert_eq!(messages(""), Vec::<String>::new());
    assert_eq!(
        messages("[[allow]]\nid = \"also\"\nvendor = \"amd\"\ntee = \"sev-snp\"\nproducts = [\"milan\"]"),
        ["rule `also` adds nothing: rule `any` allows all of it"]
    );
    assert_eq!(messages("[guest]\nvmpl = [0, 1, 2, 3]"), ["`guest.vmpl` accepts every privilege level"]);
    let statuses = TcbStatus::ALL.into_iter().filter(|status| *status != TcbStatus::Revoked);
    let statuses = statuses.map(|status| format!("\"{status}\"")).collect::<Vec<_>>().join(", ");
    assert_eq!(
        messages(&format!("[intel]\ntcb_status = [{statuses}]")),
        ["`intel.tcb_status` accepts every status but `Revoked`"]
    );
    assert_eq!(
        messages("[intel]\nminimum_tcb_date = \"2999-01-01\""),
        ["no platform of Intel's is acceptable before 2999-01-01"]
    );
    assert_eq!(
        messages(&format!("[snp]\nid_keys = [\"sha384:{}\"]", "00".repeat(48))),
        ["`snp` names keys, but `guest.launch_keys` accepts any"]
    );
}
