// SPDX-License-Identifier: Apache-2.0

//! `enarx policy test`: a table of evidence and of what a policy should answer, for CI.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it skipped")]

use std::env;
use std::path::PathBuf;

use enarx_tests::{Tenant, code, example, finish, stderr, stdout};
use serde_json::{Value, json};

/// A policy for real hardware: nothing simulated is accepted.
const POLICY: &str = r#"version = 1
[keep]
measurements = ["release"]
[[allow]]
id = "amd"
vendor = "amd"
tee = "sev-snp"
products = ["milan", "genoa"]
[[deny]]
id = "no-milan"
vendor = "amd"
products = ["milan"]
[minimum_tcb.genoa]
bootloader = 10
tee = 0
snp = 27
microcode = 84
"#;

const HEAD: &str = "version = 1\npolicy = \"trust.toml\"\n";

const CASES: &str = r#"[[case]]
name = "genoa"
simulate = "amd/genoa"
as_genuine = true
expect = "accepted"
[[case]]
name = "milan"
simulate = "amd/milan"
as_genuine = true
expect = ["product-denied"]
[[case]]
name = "simulated"
simulate = "amd/genoa"
expect = ["simulated-not-accepted"]
"#;

/// Tests a table: the exit code, and what was printed to either stream.
fn test(cases: &str, options: &[&str]) -> (i32, String, String) {
    let tenant = Tenant::new();
    tenant.file("trust.toml", POLICY);
    let file = tenant.file("cases.toml", cases);
    let output = finish(tenant.enarx().args(["policy", "test"]).arg(file).args(options), b"");
    let folder = format!("{}/", tenant.path("").display()).replace("//", "/");
    let told = |text: String| text.replace(&folder, "");
    (code(&output), told(stdout(&output)), told(stderr(&output)))
}

#[test]
fn each_case_is_told_with_the_rule_and_the_line_that_decided() {
    let (status, told, failed) = test(&format!("{HEAD}{CASES}"), &[]);
    assert_eq!((status, failed.as_str()), (0, ""));
    let lines: Vec<&str> = told.lines().collect();
    let rehearsed = "(REHEARSED: its simulated root counted as genuine)";
    assert_eq!(
        lines[0],
        format!("passed  genoa: accepted by `allow.amd` in line 4 of trust.toml {rehearsed}")
    );
    assert_eq!(
        lines[1],
        format!(
            "passed  milan: refused: product-denied by `deny.no-milan` in line 9 of trust.toml {rehearsed}"
        )
    );
    assert!(lines[2].starts_with("passed  simulated: refused: simulated-not-accepted by "), "{}", lines[2]);
    assert!(lines[2].ends_with(" (SIMULATED)"), "{}", lines[2]);
    assert!(lines[3].starts_with("3 of 3 cases passed for trust.toml, digest "), "{}", lines[3]);
    assert_eq!(lines.len(), 4);
}

#[test]
fn a_case_that_is_not_as_expected_fails_the_table() {
    let wrong = CASES.replace("[\"product-denied\"]", "\"accepted\"");
    let (status, told, _) = test(&format!("{HEAD}{wrong}"), &["--format", "json"]);
    assert_eq!(status, 3);
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let passed: Vec<bool> = told[..3].iter().map(|case| case["passed"].as_bool().unwrap()).collect();
    assert_eq!(passed, [true, false, true]);
    assert_eq!((&told[1]["expected"], &told[1]["found"]), (&json!("accepted"), &json!(["product-denied"])));
    assert_eq!(told[1]["rehearsed_as_genuine"], json!(true));
    assert_eq!((&told[3]["cases"], &told[3]["passed"]), (&json!(3), &json!(2)));

    // A code more than those that are listed, and one less.
    for expect in ["[\"product-denied\", \"debug-allowed\"]", "[\"debug-allowed\"]"] {
        let wrong = CASES.replace("[\"product-denied\"]", expect);
        assert_eq!(test(&format!("{HEAD}{wrong}"), &[]).0, 3, "{expect}");
    }
}

#[test]
fn mistakes_are_told_where_they_are() {
    let case = "[[case]]\nname = \"a\"\n";
    for (cases, expected) in [
        (HEAD.to_owned(), "3:1: there is no `[[case]]`, so nothing would be tested"),
        (format!("version = 2\n{}", &HEAD[12..]), "1:11: `version` must be 1, not 2"),
        (format!("{HEAD}{case}expekt = 1\n"), "5:1: unknown key `expekt`"),
        (
            format!("{HEAD}{case}simulate = \"amd/genoa\"\nexpect = []\n"),
            "6:10: `expect` lists no codes: what is refused has a reason",
        ),
        (
            format!("{HEAD}{case}simulate = \"amd/genoa\"\nexpect = [\"product-denyed\"]\n"),
            "6:10: unknown code `product-denyed`",
        ),
        (format!("{HEAD}{case}expect = \"accepted\"\n"), "3:1: a case needs either `simulate` or `evidence`"),
        (format!("{HEAD}{CASES}{CASES}"), "18:8: two cases are called `genoa`"),
    ] {
        let (status, told, failed) = test(&cases, &[]);
        assert_eq!((status, told.as_str()), (2, ""), "{cases}");
        let first = failed.lines().next().unwrap();
        assert_eq!(first, format!("error: cases.toml:{expected}"), "{cases}");
    }
}

#[test]
fn what_a_rehearsal_waives_is_refused_by_everything_that_sends_something() {
    let tenant = Tenant::new();
    let policy = tenant.file("trust.toml", POLICY);
    let cases = tenant.file("cases.toml", format!("{HEAD}{CASES}"));
    let output = finish(tenant.enarx().args(["policy", "test"]).arg(cases), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));

    let host = tenant.host(&["--simulate", "amd/genoa"]);
    for arguments in [&["run", "--simulate", "amd/genoa"][..], &["deploy", "--to", &host.url]] {
        let mut command = tenant.enarx();
        command.args(arguments).args(["--format", "json", "--policy"]).arg(&policy).arg(example("cat"));
        let output = finish(&mut command, b"in");
        assert_eq!((code(&output), stdout(&output).as_str()), (3, ""), "{}", stderr(&output));
        let told: Value = serde_json::from_str(stderr(&output).lines().last().unwrap()).unwrap();
        let refusals = told["refusals"].as_array().unwrap();
        let codes: Vec<_> = refusals.iter().map(|refusal| refusal["code"].as_str().unwrap()).collect();
        assert_eq!(codes, ["simulated-not-accepted"], "{arguments:?}");
    }
}

#[test]
fn the_example_passes() {
    let tenant = Tenant::new();
    let mut command = tenant.enarx();
    let output = finish(command.args(["policy", "test", "examples/policies/no-milan.cases.toml"]), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output).matches("passed  ").count(), 5, "{}", stdout(&output));
}

/// Both reports are of real processors. The measurements are what the records say of them.
const RECORDED: &str = r#"version = 1
[keep]
measurements = [
    "sha384:a1f3930413247bb38cfc171579ea3c12d5fe4901f0c792f63fd75d98f1ef827c23500644e0e692e6be917f9050d3d38c",
    "sha384:c57729018b0a6fb90dc17bb138b0aa35e4401004283ff4a2c24d3739ff3750f52384370e77b7032862a08c440a9bc4dc",
]
[[allow]]
id = "amd"
vendor = "amd"
tee = "sev-snp"
minimum_tcb = "not-checked"
[[deny]]
id = "no-milan"
vendor = "amd"
products = ["milan"]
"#;

const RECORDED_CASES: &str = r#"
[[case]]
name = "milan"
evidence = "VECTORS/snp/milan-v2-vcek-trustee/report.bin"
endorsements = [
    "VECTORS/snp/milan-v2-vcek-trustee/vcek.der",
    "VECTORS/roots/amd/milan-ask.pem",
    "VECTORS/roots/amd/milan-ark.pem",
    "VECTORS/collateral/amd/milan-2025.crl.pem",
]
nonce = "ec6c52d7533cc2c4f45be7849cf112ab82b2009fe7bd43e71ed08c14400ad7e2"
at = "2025-05-13T12:00:00Z"
expect = ["product-denied"]
[[case]]
name = "genoa"
evidence = "VECTORS/snp/genoa-v5-oak/report.bin"
endorsements = [
    "VECTORS/snp/genoa-v5-oak/vcek.der",
    "VECTORS/roots/amd/genoa-ask.pem",
    "VECTORS/roots/amd/genoa-ark.pem",
    "VECTORS/collateral/amd/genoa-2024.crl.pem",
]
nonce = "8100555af0ad8e7525be6dffeed0af83e30bbacbf03b76e175e6894d1ed057ce"
at = "2025-08-14T17:00:00Z"
expect = "accepted"
[[case]]
name = "genoa for somebody else"
evidence = "VECTORS/snp/genoa-v5-oak/report.bin"
endorsements = [
    "VECTORS/snp/genoa-v5-oak/vcek.der",
    "VECTORS/roots/amd/genoa-ask.pem",
    "VECTORS/roots/amd/genoa-ark.pem",
]
nonce = "00"
at = "2025-08-14T17:00:00Z"
expect = ["crl-missing", "report-data-mismatch"]
"#;

#[test]
fn recorded_evidence_is_held_against_a_policy() {
    let beside = enarx_tests::root().join("../shared/vectors");
    let vectors = env::var_os("ENARX_VECTORS").map_or(beside, PathBuf::from);
    if !vectors.join("manifest.toml").exists() {
        println!("skipped: no recorded evidence in {}", vectors.display());
        return;
    }
    let tenant = Tenant::new();
    tenant.file("trust.toml", RECORDED);
    let cases = RECORDED_CASES.replace("VECTORS", &vectors.display().to_string());
    let file = tenant.file("cases.toml", format!("{HEAD}{cases}"));
    let output = finish(tenant.enarx().args(["policy", "test", "--format", "json"]).arg(file), b"");
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""), "{}", stdout(&output));
    let told: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.len(), 4);
    for case in &told[..3] {
        assert_eq!((&case["passed"], &case["simulated"]), (&json!(true), &json!(false)), "{case}");
    }
    assert_eq!(told[0]["refusals"][0]["policy"]["entry"], json!("deny.no-milan"));
    assert_eq!(told[1]["rules"][0]["entry"], json!("allow.amd"));
}
