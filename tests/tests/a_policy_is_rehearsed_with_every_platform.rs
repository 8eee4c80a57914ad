// SPDX-License-Identifier: Apache-2.0

//! A host that behaves like a platform of any vendor, before the same session and verifier as real ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

use enarx_simulator::Rehearsal;
use enarx_tests::{LOCAL_MACHINES, LOCAL_SIMULATOR, Tenant, code, example, finish, stderr, stdout};
use serde_json::Value;

/// The policy that accepts a platform.
fn policy(name: &str) -> &'static str {
    if name.starts_with("tpm") || name.starts_with("azure/") { LOCAL_MACHINES } else { LOCAL_SIMULATOR }
}

fn events(told: &str) -> Vec<Value> {
    told.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

#[test]
fn a_workload_runs_on_every_platform_and_what_is_simulated_says_so() {
    let tenant = Tenant::new();
    for platform in Rehearsal::known() {
        let run = |format: &str| {
            let mut command = tenant.enarx();
            command.args(["run", "--simulate", platform.name, "--policy", policy(platform.name)]);
            finish(command.args(["--format", format]).arg(example("cat")), b"in")
        };
        let output = run("json");
        assert_eq!((code(&output), stdout(&output).as_str()), (0, "in"), "{}", stderr(&output));
        let events = events(&stderr(&output));
        let appraised = events.iter().find(|event| event["step"] == "appraised").expect("an appraisal");
        let result = &appraised["result"];
        let expected = (&Value::from(true), &Value::from(platform.format.name()));
        assert_eq!((&result["simulated"], &result["tee"]), expected, "{}: {result}", platform.name);

        let told = stderr(&run("text"));
        assert!(told.contains("SIMULATED platform (root `local`)"), "{told}");
        assert_eq!(told.contains("HIDES NOTHING"), platform.name == "tpm", "{told}");
    }
}

#[test]
fn a_property_that_the_policy_does_not_accept_ends_the_rehearsal_before_anything_is_sent() {
    let tenant = Tenant::new();
    for (platform, expected) in [
        ("amd/bergamo@debug", &["debug-allowed"][..]),
        ("intel/sapphire-rapids@status=OutOfDate", &["tcb-status-not-accepted"]),
        ("intel/ice-lake-sp@advisories=INTEL-SA-00615", &["advisory-not-accepted"]),
        ("arm/cca@lifecycle=root-debug", &["lifecycle-not-secured"]),
        ("aws/nitro@pcr5=01", &["register-not-accepted"]),
        ("azure/snp@no-crl", &["crl-missing"]),
        ("azure/tdx@status=SWHardeningNeeded", &["tcb-status-not-accepted"]),
        ("tpm@uncertified", &["tpm-key-not-endorsed"]),
    ] {
        let mut command = tenant.enarx();
        command.args(["run", "--simulate", platform, "--policy", policy(platform), "--format", "json"]);
        let output = finish(command.arg(example("cat")), b"in");
        assert_eq!((code(&output), stdout(&output).as_str()), (3, ""), "{platform}: {}", stderr(&output));
        let told = events(&stderr(&output));
        let refusals = told.last().unwrap()["refusals"].as_array().unwrap().clone();
        let codes: Vec<_> = refusals.iter().map(|refusal| refusal["code"].as_str().unwrap()).collect();
        assert_eq!(codes, expected, "{platform}");
        assert!(told.iter().all(|event| event["step"] != "provisioned"), "{platform}");
    }
}

#[test]
fn a_host_says_which_platform_it_simulates() {
    let tenant = Tenant::new();
    for (platform, tee) in [("intel/granite-rapids@tee=sgx", "sgx"), ("arm/cca", "cca")] {
        let host = tenant.host(&["--simulate", platform]);
        let output = finish(&mut tenant.deploy(example("cat"), &host), b"in");
        assert_eq!((code(&output), stdout(&output).as_str()), (0, "in"), "{}", stderr(&output));
        assert!(stderr(&output).contains(&format!("bytes of {tee}, ")), "{}", stderr(&output));
    }
}
