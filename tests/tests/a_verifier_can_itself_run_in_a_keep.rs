// SPDX-License-Identifier: Apache-2.0

//! The verifier as a workload: what appraises evidence can be attested itself, and judges there as everywhere.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use enarx_evidence::snp::Generation;
use enarx_simulator::Simulator;
use enarx_tests::{Tenant, code, finish, root, stderr};
use serde_json::Value;

const REPORT_DATA: [u8; 64] = [7; 64];

/// Runs `examples/verifier` on a simulated Genoa; its exit code, and what it printed.
fn judge(policy: &str, report_data: &[u8; 64]) -> (i32, Value) {
    let tenant = Tenant::new();
    let simulator = Simulator::open(&tenant.state().join("simulator")).unwrap();
    let platform = "amd/genoa".parse().unwrap();
    let bundle = simulator.attest(&platform, &REPORT_DATA, &[1; 48], &[0; 32]).unwrap();
    let digits =
        simulator.root_spki_sha256(Generation::Genoa).unwrap().map(|byte| format!("{byte:02x}")).concat();
    let policies = tenant.file("policies/policy.toml", policy);
    let folder = format!("{}::/policies", policies.parent().unwrap().display());
    let mut command = tenant.run(root().join("examples/verifier"));
    command.args(["--dir", &folder, "--quiet", "--", "/policies/policy.toml"]);
    command.arg(report_data.map(|byte| format!("{byte:02x}")).concat()).arg(format!("there={digits}"));
    let output = finish(&mut command, &bundle.encode());
    let printed = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    (code(&output), printed)
}

fn policy(simulated: &str) -> String {
    let measurement = "01".repeat(48);
    format!(
        "version = 1\n[keep]\nmeasurements = [\"sha384:{measurement}\"]\n{simulated}\n[[allow]]\nid = \"genoa\"\n\
         vendor = \"amd\"\ntee = \"sev-snp\"\nproducts = [\"genoa\"]\nminimum_tcb = \"not-checked\"\n"
    )
}

#[test]
fn it_accepts_what_its_policy_accepts() {
    let (code, result) = judge(&policy("[simulated]\naccept = true\nroots = [\"there\"]"), &REPORT_DATA);
    assert_eq!((code, &result["verdict"]), (0, &Value::from("accepted")), "{result}");
    assert_eq!((&result["product"], &result["simulated"]), (&Value::from("genoa"), &Value::from(true)));
}

#[test]
fn it_refuses_for_the_same_reasons() {
    let codes = |result: &Value| {
        let refusals = result["refusals"].as_array().unwrap();
        refusals.iter().map(|refusal| refusal["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (code, result) = judge(&policy(""), &REPORT_DATA);
    assert_eq!((code, codes(&result)), (3, vec!["simulated-not-accepted".to_owned()]));
    let accepting = policy("[simulated]\naccept = true\nroots = [\"there\"]");
    let (code, result) = judge(&accepting, &[8; 64]);
    assert_eq!((code, codes(&result)), (3, vec!["report-data-mismatch".to_owned()]));
}
