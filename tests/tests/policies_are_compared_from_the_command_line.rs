// SPDX-License-Identifier: Apache-2.0

//! `enarx policy diff`: what a change of a policy newly refuses and newly accepts.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use enarx_tests::{Tenant, code, finish, stderr, stdout};
use serde_json::{Value, json};

const POLICY: &str = r#"version = 1
[keep]
measurements = ["release"]
[[allow]]
id = "amd"
vendor = "amd"
tee = "sev-snp"
products = ["milan", "genoa"]
[minimum_tcb.milan]
bootloader = 4
tee = 0
snp = 24
microcode = 219
[minimum_tcb.genoa]
bootloader = 10
tee = 0
snp = 27
microcode = 84
"#;

const NO_MILAN: &str = "[[deny]]\nid = \"no-milan\"\nvendor = \"amd\"\nproducts = [\"milan\"]\n";

const INTEL: &str =
    "[[allow]]\nid = \"intel\"\nvendor = \"intel\"\ntee = \"tdx\"\nproducts = [\"emerald-rapids\"]\n";

/// Compares two policies: the exit code, and what was printed, without the folder that they are in.
fn diff(old: &str, new: &str, options: &[&str]) -> (i32, String) {
    diff_of(&Tenant::new(), old, new, options)
}

fn diff_of(tenant: &Tenant, old: &str, new: &str, options: &[&str]) -> (i32, String) {
    let (old, new) = (tenant.file("old.toml", old), tenant.file("new.toml", new));
    let output = finish(tenant.enarx().args(["policy", "diff"]).arg(old).arg(new).args(options), b"");
    assert_eq!(stderr(&output), "");
    let folder = format!("{}/", tenant.path("").display()).replace("//", "/");
    (code(&output), stdout(&output).replace(&folder, ""))
}

/// The lines about verdicts.
fn verdicts(told: &str) -> Vec<&str> {
    told.lines().filter(|line| line.starts_with("newly ")).collect()
}

#[test]
fn policies_of_one_meaning_do_not_differ() {
    let reordered =
        POLICY.replace("products = [\"milan\", \"genoa\"]", "products = [\"genoa\", \"milan\"] # both");
    let (status, told) = diff(POLICY, &reordered, &[]);
    assert_eq!(status, 0);
    assert!(told.starts_with("no difference: both have the digest "), "{told}");
    assert_eq!(diff(POLICY, &reordered, &["--quiet"]), (0, String::new()));
}

#[test]
fn a_milan_that_is_denied_is_newly_refused_and_nothing_else_is() {
    let new = format!("{POLICY}{NO_MILAN}");
    let (status, told) = diff(POLICY, &new, &[]);
    assert_eq!(status, 1);
    assert_eq!(
        verdicts(&told),
        ["newly refused   amd milan (sev-snp): rule `no-milan` in line 19 of new.toml"]
    );
    let (status, told) = diff(&new, POLICY, &[]);
    assert_eq!(status, 1);
    let expected = "newly accepted  amd milan (sev-snp): rule `amd` in line 4 of new.toml, rule `no-milan` in line 19 of \
                    old.toml denied it";
    assert_eq!(verdicts(&told), [expected]);
}

#[test]
fn a_product_that_no_rule_allows_any_more_is_newly_refused() {
    let new = POLICY.replace("\"milan\", \"genoa\"", "\"genoa\"");
    let new = new.replace("[minimum_tcb.milan]\nbootloader = 4\ntee = 0\nsnp = 24\nmicrocode = 219\n", "");
    let (status, told) = diff(POLICY, &new, &[]);
    assert_eq!(status, 1);
    let expected =
        "newly refused   amd milan (sev-snp): no rule allows it, rule `amd` in line 4 of old.toml allowed it";
    assert_eq!(verdicts(&told), [expected]);
}

#[test]
fn a_level_that_is_raised_refuses_what_is_below_it() {
    let new = POLICY.replace("microcode = 84", "microcode = 86");
    let (status, told) = diff(POLICY, &new, &[]);
    assert_eq!(status, 1);
    // As low as the old floor, and of each of the four versions at 84, and at 85: one and eight.
    let expected = "newly refused   amd genoa (sev-snp) with every level as low as \
                    bootloader=10,tee=0,snp=27,microcode=84: tcb-too-old by `minimum_tcb.genoa` in line 14 of new.toml \
                    (and 8 more for the same reason)";
    assert_eq!(verdicts(&told), [expected]);
    assert!(told.contains("\nchanged         minimum_tcb.genoa was "), "{told}");
}

#[test]
fn switches_and_statuses_are_told_with_the_state_that_they_refuse() {
    let old = format!("{POLICY}{INTEL}");
    for (section, expected) in [
        (
            "[guest]\ncxl = \"refuse\"\n",
            &[
                "newly refused   amd milan (sev-snp) with cxl: cxl-allowed by `guest.cxl` in line 25 of new.toml",
                "newly refused   amd genoa (sev-snp) with cxl: cxl-allowed by `guest.cxl` in line 25 of new.toml",
            ][..],
        ),
        (
            "[intel]\ntcb_status = [\"UpToDate\", \"SWHardeningNeeded\"]\n",
            &["newly accepted  intel emerald-rapids (tdx) with status=SWHardeningNeeded: no longer \
               tcb-status-not-accepted by `intel.tcb_status` in line 25 of new.toml"],
        ),
        (
            "[intel]\nout_of_date_accepted_for_days = 14\n",
            &["newly accepted  intel emerald-rapids (tdx) with status=OutOfDate for 13 days: no longer \
               tcb-status-not-accepted by `intel.tcb_status`, which the policy leaves at its default"],
        ),
        (
            "[intel]\nminimum_pce_svn = 13\n",
            &[
                "newly refused   intel emerald-rapids (tdx) with PCE SVN 0: pce-too-old by `intel.minimum_pce_svn` in \
               line 25 of new.toml (and 1 more for the same reason)",
            ],
        ),
        // What vendors say does not stand in evidence.
        ("[collateral]\ncrl = \"absent-accepted\"\n", &[]),
    ] {
        let (status, told) = diff(&old, &format!("{old}{section}"), &[]);
        assert_eq!((status, verdicts(&told)), (1, expected.to_vec()), "{told}");
        assert_eq!(
            told.matches("\nchanged  ").count() + usize::from(told.starts_with("changed  ")),
            1,
            "{told}"
        );
    }
}

#[test]
fn single_chips_are_told() {
    let chip = "ab".repeat(64);
    let deny = format!(
        "{POLICY}[[deny]]\nid = \"chip\"\nvendor = \"amd\"\nproducts = [\"genoa\"]\nchip_ids = [\"{chip}\"]\n"
    );
    let (status, told) = diff(POLICY, &deny, &["--format", "json"]);
    assert_eq!(status, 1);
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        told[0],
        json!({
            "event": "verdict", "change": "newly refused", "vendor": "amd", "product": "genoa", "tee": "sev-snp",
            "with": "`chip_ids` not told", "because": ["rule `chip` in line 19 of new.toml"], "alike": 1,
        })
    );
    assert_eq!((&told[1]["event"], &told[1]["entry"]), (&json!("setting"), &json!("deny.chip")));
    let summary = &told[2];
    assert_eq!((&summary["different"], &summary["not_compared"]), (&json!(true), &json!([])));
    assert_eq!(told.len(), 3);
}

#[test]
fn evidence_and_tables_are_asked_about() {
    let tenant = Tenant::new();
    let simulated = "[simulated]\naccept = true\nroots = [\"local\"]\n";
    let old =
        format!("{POLICY}{simulated}").replace("\"release\"", &format!("\"sha384:{}\"", "5a".repeat(48)));
    let new = format!("{old}{NO_MILAN}");
    let made = |platform: &str| {
        let [report, chain] = ["report", "chain"].map(|name| tenant.path(&format!("{platform}.{name}")));
        let mut command = tenant.enarx();
        command.args(["evidence", "simulate", "--platform", &format!("amd/{platform}"), "--nonce", "5eed"]);
        command.args(["--measurement", &"5a".repeat(48)]);
        let output = finish(command.arg("--out").arg(&report).arg("--endorsements-out").arg(&chain), b"");
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        [report, chain].map(|path| path.display().to_string())
    };
    let ([milan, milan_chain], [genoa, genoa_chain]) = (made("milan"), made("genoa"));
    let files = [
        "--evidence",
        &milan,
        "--evidence",
        &genoa,
        "--endorsement",
        &milan_chain,
        "--endorsement",
        &genoa_chain,
    ];
    let (status, told) = diff_of(&tenant, &old, &new, &files);
    assert_eq!(status, 1);
    let expected =
        "newly refused   evidence milan.report: product-denied by `deny.no-milan` in line 22 of new.toml";
    assert_eq!(verdicts(&told).last(), Some(&expected), "{told}");
    assert_eq!(verdicts(&told).len(), 2, "{told}");

    let case = |name: &str| {
        format!(
            "[[case]]\nname = \"a {name}\"\nsimulate = \"amd/{name}\"\nmeasurement = \"{}\"\nexpect = \"accepted\"\n",
            "5a".repeat(48)
        )
    };
    let table = format!("version = 1\npolicy = \"old.toml\"\n{}{}", case("milan"), case("genoa"));
    let table = tenant.file("cases.toml", table).display().to_string();
    let (status, told) = diff_of(&tenant, &old, &new, &["--cases", &table, "--format", "json"]);
    assert_eq!(status, 1);
    let events: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let asked: Vec<&Value> = events.iter().filter(|event| event["event"] == "evidence").collect();
    assert_eq!(asked.len(), 1, "{told}");
    assert_eq!((&asked[0]["name"], &asked[0]["change"]), (&json!("a milan"), &json!("newly refused")));
}

#[test]
fn a_file_that_is_no_policy_ends_it() {
    let tenant = Tenant::new();
    let (old, new) = (tenant.file("old.toml", POLICY), tenant.file("new.toml", "version = 2"));
    let output = finish(tenant.enarx().args(["policy", "diff"]).arg(old).arg(new), b"");
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
}
