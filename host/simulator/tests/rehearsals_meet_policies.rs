// SPDX-License-Identifier: Apache-2.0

//! Every platform that can be rehearsed with before the real verifier: accepted by a policy that names it, and refused,
//! with the right codes, by each policy that should refuse it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::SystemTime;

use common::simulator;
use enarx_evidence::{Bundle, Format};
use enarx_simulator::{KnownPlatform, Launched, Rehearsal, SIMULATED_PARAVISOR};
use enarx_verifier::policy::Policy;
use enarx_verifier::{
    AttestationResult, ReferenceValue, Refusals, Request, TrustAnchors, UnixTime, appraise,
};
use sha2::{Digest as _, Sha256, Sha384};

const REPORT_DATA: [u8; 64] = [1; 64];
const PROGRAM: &[u8] = b"a Keep";

fn launched() -> Launched {
    Launched {
        sha384: Sha384::digest(PROGRAM).into(),
        sha256: Sha256::digest(PROGRAM).into(),
        host_data: [3; 32],
    }
}

/// What a tenant knows of the program, computed from the program and from nothing that the simulator says.
fn reference_values() -> Vec<ReferenceValue> {
    let sha256 = Sha256::digest(PROGRAM).to_vec();
    let register = Sha256::digest([vec![0; 32], sha256.clone()].concat()).to_vec();
    let quote = Sha256::digest(&register).to_vec();
    let release = [Sha384::digest(PROGRAM).to_vec(), sha256, register, quote];
    let named = |name: &str, measurement: Vec<u8>| ReferenceValue { name: name.into(), measurement };
    let mut values: Vec<_> = release.into_iter().map(|value| named("release", value)).collect();
    values.push(named("simulated-paravisor", SIMULATED_PARAVISOR.to_vec()));
    values
}

/// What a policy calls a platform: vendor, TEE, product.
fn words(platform: &KnownPlatform, format: Format) -> (&'static str, &'static str, &'static str) {
    let name = platform.name;
    match format {
        Format::SevSnp => ("amd", "sev-snp", if name == "amd/bergamo" { "siena" } else { &name[4..] }),
        Format::Tdx => ("intel", "tdx", &name[6..]),
        Format::Sgx => ("intel", "sgx", &name[6..]),
        Format::Cca => ("arm", "cca", "cca-platform"),
        Format::Nitro => ("aws", "nitro", "nitro-system"),
        Format::Tpm => ("tpm", "tpm", "tpm2"),
        Format::AzureSnp => ("amd", "azure-snp", "milan"),
        Format::AzureTdx => ("intel", "azure-tdx", "sapphire-rapids"),
        other => panic!("{other} has no Keeps"),
    }
}

const SIMULATED: &str = "[simulated]\naccept = true\nroots = [\"local\"]\n";
const MINIMUM: &str = "bootloader = 1\ntee = 0\nsnp = 4\nmicrocode = 27\n";

/// A policy that accepts exactly one sound product.
fn accepting(platform: &str) -> String {
    let (known, rehearsal) = known(platform);
    let (vendor, tee, product) = words(known, rehearsal.format());
    let machine = matches!(rehearsal.format(), Format::Tpm | Format::AzureSnp | Format::AzureTdx);
    let measured = match rehearsal.format() {
        Format::AzureSnp | Format::AzureTdx => "simulated-paravisor",
        _ => "release",
    };
    let registers = if machine { "[keep.registers]\npcr11 = [\"release\"]\n" } else { "" };
    let floor = match vendor {
        "amd" if product == "turin" => format!("[minimum_tcb.turin]\nfmc = 1\n{MINIMUM}"),
        "amd" => format!("[minimum_tcb.{product}]\n{MINIMUM}"),
        "arm" => format!("[cca]\nsoftware = [{}]\n", firmware()),
        _ => String::new(),
    };
    format!(
        "version = 1\n[keep]\nmeasurements = [\"{measured}\"]\n{registers}{SIMULATED}[[allow]]\nid = \"this\"\n\
         vendor = \"{vendor}\"\ntee = \"{tee}\"\nproducts = [\"{product}\"]\n{floor}"
    )
}

fn firmware() -> String {
    let digests = enarx_simulator::SimulatedRealm::SOFTWARE.map(|(_, digest)| hex::encode(digest));
    digests.map(|digest| format!("\"sha256:{digest}\"")).join(", ")
}

fn known(platform: &str) -> (&'static KnownPlatform, Rehearsal) {
    let name = platform.split('@').next().unwrap();
    let known = Rehearsal::known().iter().find(|known| known.name == name).unwrap();
    (known, platform.parse().unwrap_or_else(|error| panic!("{error}")))
}

fn bundle(platform: &str) -> Bundle {
    simulator().rehearse(&known(platform).1, &REPORT_DATA, &launched()).unwrap()
}

fn anchors(name: &str) -> TrustAnchors {
    let roots = enarx_simulator::Simulator::roots(&common::state()).unwrap();
    roots.into_iter().fold(TrustAnchors::vendors(), |anchors, root| anchors.with_simulated(name, root))
}

fn judge(bundle: &Bundle, anchors: &TrustAnchors, policy: &str) -> Result<AttestationResult, Refusals> {
    let policy = Policy::parse(policy).unwrap_or_else(|error| panic!("{error}:\n{policy}"));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    appraise(&Request {
        bundle,
        report_data: &REPORT_DATA,
        anchors,
        reference_values: &reference_values(),
        policy: &policy,
        advisories: &[],
        now: UnixTime(now),
    })
}

fn codes(platform: &str, policy: &str) -> BTreeSet<&'static str> {
    codes_with(&bundle(platform), &anchors("local"), policy)
}

fn codes_with(bundle: &Bundle, anchors: &TrustAnchors, policy: &str) -> BTreeSet<&'static str> {
    match judge(bundle, anchors, policy) {
        Ok(_) => BTreeSet::new(),
        Err(refusals) => refusals.codes().map(enarx_verifier::Code::as_str).collect(),
    }
}

/// The policy with one piece replaced.
fn with(policy: &str, from: &str, to: &str) -> String {
    assert!(policy.contains(from), "`{from}` is not in the policy:\n{policy}");
    policy.replacen(from, to, 1)
}

#[test]
fn every_platform_is_accepted_by_a_policy_that_names_it() {
    for platform in Rehearsal::known() {
        let (_, rehearsal) = known(platform.name);
        assert_eq!(rehearsal.format(), platform.format, "{}", platform.name);
        let bundle = bundle(platform.name);
        assert_eq!(bundle.evidence.format, platform.format, "{}", platform.name);
        let result = judge(&bundle, &anchors("local"), &accepting(platform.name))
            .unwrap_or_else(|refusals| panic!("{}: {refusals}", platform.name));
        let (vendor, _, product) = words(platform, platform.format);
        assert_eq!(result.simulated(), Some("local"), "{}", platform.name);
        assert_eq!((result.vendor().to_string().as_str(), result.product()), (vendor, product));
        assert_eq!(rehearsal.name(), platform.name);
        let root = simulator().rehearsal_root_spki_sha256(&rehearsal).unwrap();
        assert!(format!("{:?}", result.root()).contains(&format!("{root:?}")), "{}", platform.name);
    }
}

#[test]
fn what_is_launched_is_told_as_a_policy_would_compare_it() {
    for platform in Rehearsal::known() {
        let (_, rehearsal) = known(platform.name);
        let told = rehearsal.measurement(&launched());
        assert!(reference_values().iter().any(|value| value.measurement == told), "{}", platform.name);
    }
}

#[test]
fn every_platform_is_refused_by_every_policy_that_means_another() {
    for platform in Rehearsal::known() {
        let (name, bundle) = (platform.name, bundle(platform.name));
        let (policy, local) = (accepting(name), anchors("local"));
        let (vendor, tee, product) = words(platform, platform.format);
        let refused = |policy: &str, anchors: &TrustAnchors| codes_with(&bundle, anchors, policy);
        let only = |code| BTreeSet::from([code]);

        // Another vendor.
        let rule = policy.find("[[allow]]").map(|at| policy.split_at(at)).unwrap().0;
        let (other, another) = if vendor == "aws" { ("arm", "cca") } else { ("aws", "nitro") };
        let stranger =
            format!("{rule}[[allow]]\nid = \"other\"\nvendor = \"{other}\"\ntee = \"{another}\"\n");
        assert_eq!(refused(&stranger, &local), only("platform-not-allowed"), "{name}");

        // A denied product.
        let denied = format!(
            "{stranger}[[deny]]\nid = \"no\"\nvendor = \"{vendor}\"\ntee = \"{tee}\"\nproducts = [\"{product}\"]\n"
        );
        let both = BTreeSet::from(["platform-not-allowed", "product-denied"]);
        assert_eq!(refused(&denied, &local), both, "{name}");

        // Nothing simulated, and another simulator.
        let closed = with(&policy, SIMULATED, "");
        assert_eq!(refused(&closed, &local), only("simulated-not-accepted"), "{name}");
        let elsewhere = with(&policy, "roots = [\"local\"]", "roots = [\"elsewhere\"]");
        assert_eq!(refused(&elsewhere, &local), only("simulated-not-accepted"), "{name}");
        assert_eq!(refused(&policy, &anchors("elsewhere")), only("simulated-not-accepted"), "{name}");
        let unknown = refused(&policy, &TrustAnchors::vendors());
        let known = ["simulated-not-accepted", "root-not-trusted", "tpm-key-not-endorsed"];
        assert!(unknown.len() == 1 && known.contains(unknown.first().unwrap()), "{name}: {unknown:?}");

        // Another program.
        let digest = format!("sha384:{}", "00".repeat(47) + "01");
        let measured =
            if policy.contains("[\"simulated-paravisor\"]") { "simulated-paravisor" } else { "release" };
        let other = with(&policy, &format!("[\"{measured}\"]"), &format!("[\"{digest}\"]"));
        assert_eq!(refused(&other, &local), only("measurement-not-accepted"), "{name}");
        if policy.contains("pcr11") {
            let other = with(&policy, "pcr11 = [\"release\"]", &format!("pcr11 = [\"{digest}\"]"));
            assert_eq!(refused(&other, &local), only("register-not-accepted"), "{name}");
        }
    }
}

/// Platform, what is replaced in the policy that accepts a sound one, and the codes.
type Row = (&'static str, Option<(&'static str, &'static str)>, &'static [&'static str]);

const ALLOWED: &str = "[[allow]]";
const DEBUG: Option<(&str, &str)> = Some((ALLOWED, "[guest]\ndebug = \"accept\"\n[[allow]]"));
const MIGRATION: Option<(&str, &str)> = Some((ALLOWED, "[guest]\nmigration = \"accept\"\n[[allow]]"));
const NO_SMT: Option<(&str, &str)> = Some((ALLOWED, "[guest]\nsmt = \"refuse\"\n[[allow]]"));
const NO_LISTS: Option<(&str, &str)> = Some((ALLOWED, "[collateral]\ncrl = \"absent-accepted\"\n[[allow]]"));

const TABLE: &[Row] = &[
    // AMD
    ("amd/genoa@debug", None, &["debug-allowed"]),
    ("amd/genoa@debug", DEBUG, &[]),
    ("amd/bergamo@migration", None, &["migration-allowed"]),
    ("amd/bergamo@migration", MIGRATION, &[]),
    ("amd/bergamo@microcode=26", None, &["tcb-too-old"]),
    ("amd/siena@committed.snp=3", None, &["tcb-too-old"]),
    ("amd/turin@fmc=0", None, &["tcb-too-old"]),
    ("amd/milan", NO_SMT, &["smt-allowed"]),
    ("amd/milan@no-smt", NO_SMT, &[]),
    ("amd/milan@vlek", None, &["vlek-not-accepted"]),
    ("amd/milan@no-crl", None, &["crl-missing"]),
    ("amd/milan@no-crl", NO_LISTS, &[]),
    // Intel, TDX
    ("intel/sapphire-rapids@status=OutOfDate", None, &["tcb-status-not-accepted"]),
    ("intel/sapphire-rapids@status=SWHardeningNeeded", None, &["tcb-status-not-accepted"]),
    ("intel/emerald-rapids@status=ConfigurationNeeded", None, &["tcb-status-not-accepted"]),
    ("intel/granite-rapids@status=Revoked", None, &["tcb-status-not-accepted"]),
    (
        "intel/sapphire-rapids@status=SWHardeningNeeded",
        Some((ALLOWED, "[intel]\ntcb_status = [\"UpToDate\", \"SWHardeningNeeded\"]\n[[allow]]")),
        &[],
    ),
    ("intel/sapphire-rapids@advisories=INTEL-SA-00837+INTEL-SA-00960", None, &["advisory-not-accepted"]),
    (
        "intel/sapphire-rapids@advisories=INTEL-SA-00837",
        Some((ALLOWED, "[intel]\nadvisories_accepted = [\"INTEL-SA-00837\"]\n[[allow]]")),
        &[],
    ),
    (
        "intel/sapphire-rapids@date=2024-03-12",
        Some((ALLOWED, "[intel]\nminimum_tcb_date = \"2024-03-13\"\n[[allow]]")),
        &["tcb-date-too-old"],
    ),
    (
        "intel/sapphire-rapids@date=2026-03-13",
        Some((ALLOWED, "[intel]\nminimum_tcb_date = \"2026-03-13\"\n[[allow]]")),
        &[],
    ),
    (
        "intel/emerald-rapids@evaluation=16",
        Some((ALLOWED, "[intel]\nminimum_tcb_evaluation_data_number = 17\n[[allow]]")),
        &["tcb-evaluation-too-old"],
    ),
    ("intel/sapphire-rapids@debug", None, &["debug-allowed"]),
    ("intel/sapphire-rapids@debug", DEBUG, &[]),
    ("intel/sapphire-rapids@migration", None, &["migration-allowed"]),
    ("intel/sapphire-rapids@migration", MIGRATION, &[]),
    ("intel/sapphire-rapids@sept-ve", None, &["sept-ve-enabled"]),
    ("intel/sapphire-rapids", NO_SMT, &["smt-allowed"]),
    ("intel/sapphire-rapids@no-smt", NO_SMT, &[]),
    ("intel/sapphire-rapids@module=1.3", None, &["advisory-not-accepted", "tcb-status-not-accepted"]),
    // Nobody says whether an unknown module is up to date.
    ("intel/sapphire-rapids@module=7.1", None, &["tcb-status-not-accepted", "tdx-module-unknown"]),
    ("intel/sapphire-rapids@revoked", None, &["certificate-revoked"]),
    ("intel/sapphire-rapids@no-crl", None, &["crl-missing"]),
    ("intel/sapphire-rapids@no-crl", NO_LISTS, &[]),
    (
        "intel/sapphire-rapids@no-tcb-info",
        None,
        &["qe-identity-missing", "tcb-info-missing", "tcb-status-not-accepted"],
    ),
    ("intel/sierra-forest@version=4", None, &[]),
    // Intel, SGX
    ("intel/granite-rapids@tee=sgx", None, &[]),
    ("intel/granite-rapids@tee=sgx,status=OutOfDate", None, &["tcb-status-not-accepted"]),
    ("intel/ice-lake-sp@status=SWHardeningNeeded", None, &["tcb-status-not-accepted"]),
    ("intel/ice-lake-sp@debug", None, &["debug-allowed"]),
    ("intel/ice-lake-sp@debug", DEBUG, &[]),
    ("intel/coffee-lake@advisories=INTEL-SA-00615", None, &["advisory-not-accepted"]),
    ("intel/coffee-lake@revoked", None, &["certificate-revoked"]),
    // Arm
    ("arm/cca@debug", None, &["debug-allowed"]),
    ("arm/cca@debug", DEBUG, &[]),
    ("arm/cca@lifecycle=root-debug", None, &["lifecycle-not-secured"]),
    ("arm/cca@lifecycle=decommissioned", None, &["lifecycle-not-secured"]),
    ("arm/cca@rmm=00", None, &["platform-software-not-accepted"]),
    ("arm/cca@profile=2", None, &[]),
    ("arm/cca@implementation=abcd", None, &[]),
    // AWS
    ("aws/nitro@debug", None, &["debug-allowed", "measurement-not-accepted"]),
    ("aws/nitro@pcr5=01", None, &["register-not-accepted"]),
    ("aws/nitro@module=i-0-enc0", None, &[]),
    // Azure
    ("azure/snp@debug", None, &["debug-allowed"]),
    ("azure/snp@snp=3", None, &["tcb-too-old"]),
    ("azure/snp@product=genoa", None, &["platform-not-allowed"]),
    ("azure/snp@pcr7=01", None, &["register-not-accepted"]),
    ("azure/snp@vmpl=1", None, &["vmpl-not-accepted"]),
    ("azure/tdx@status=OutOfDate", None, &["tcb-status-not-accepted"]),
    ("azure/tdx@debug", None, &["debug-allowed"]),
    ("azure/tdx@family=emerald-rapids", None, &["platform-not-allowed"]),
    ("azure/tdx@pcr7=01", None, &["register-not-accepted"]),
    ("azure/tdx@no-crl", None, &["crl-missing"]),
    // TPM
    ("tpm@sha1", None, &["measurement-not-accepted", "register-not-accepted", "weak-hash-not-accepted"]),
    ("tpm@pcr7=01", None, &["measurement-not-accepted", "register-not-accepted"]),
    ("tpm@key=rsa-pss", None, &[]),
    ("tpm@key=p256", None, &[]),
    ("tpm@uncertified", None, &["tpm-key-not-endorsed"]),
    ("tpm@no-crl", None, &["crl-missing"]),
];

#[test]
fn each_property_is_refused_with_its_code() {
    let mut wrong = Vec::new();
    for (platform, replaced, expected) in TABLE {
        let policy = accepting(platform);
        let policy = replaced.map_or(policy.clone(), |(from, to)| with(&policy, from, to));
        let (found, expected) = (codes(platform, &policy), expected.iter().copied().collect());
        if found != expected {
            wrong.push(format!("{platform} {replaced:?}: {found:?} and not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_vulnerable_generation_is_refused_and_everything_else_goes_on() {
    let mut policy = format!(
        "version = 1\n[keep]\nmeasurements = [\"release\"]\n{SIMULATED}\
         [[deny]]\nid = \"no-sapphire-rapids\"\nvendor = \"intel\"\nproducts = [\"sapphire-rapids\"]\n"
    );
    for (vendor, tee) in
        [("amd", "sev-snp"), ("intel", "tdx"), ("intel", "sgx"), ("arm", "cca"), ("aws", "nitro")]
    {
        let any = if matches!(vendor, "amd" | "arm") { "minimum_tcb = \"not-checked\"\n" } else { "" };
        writeln!(policy, "[[allow]]\nid = \"{tee}\"\nvendor = \"{vendor}\"\ntee = \"{tee}\"\n{any}").unwrap();
    }
    for platform in Rehearsal::known()
        .iter()
        .filter(|platform| !matches!(platform.format, Format::Tpm | Format::AzureSnp | Format::AzureTdx))
    {
        let denied = platform.name == "intel/sapphire-rapids";
        let expected = if denied { BTreeSet::from(["product-denied"]) } else { BTreeSet::new() };
        assert_eq!(codes(platform.name, &policy), expected, "{}", platform.name);
    }
    let enclave = codes("intel/sapphire-rapids@tee=sgx", &policy);
    assert_eq!(enclave, BTreeSet::from(["product-denied"]));
}
