// SPDX-License-Identifier: Apache-2.0

//! The trust policy decides, and it fails closed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

use enarx_tests::{LOCAL_SIMULATOR, Tenant, code, example, finish, stderr, stdout};
use serde_json::Value;

/// Runs the workload and gives the refusal codes, which must be the reason that nothing ran.
fn refusals(command: &mut std::process::Command) -> Vec<String> {
    let output = finish(command.args(["--format", "json"]), b"");
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert_eq!(stdout(&output), "", "a refused Keep ran something");
    let told = stderr(&output);
    let last: Value = serde_json::from_str(told.lines().last().expect("an event")).expect("JSON");
    let mut codes: Vec<_> = last["refusals"]
        .as_array()
        .expect("refusals")
        .iter()
        .map(|refusal| refusal["code"].as_str().expect("a code").to_owned())
        .collect();
    codes.sort();
    codes
}

#[test]
fn without_a_policy_that_says_so_a_simulated_platform_is_refused_with_a_hint() {
    let tenant = Tenant::new();
    let output = finish(tenant.enarx().arg("run").arg(example("cat")), b"");
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    let told = stderr(&output);
    assert!(told.contains("simulated-not-accepted"), "{told}");
    assert!(
        told.contains("hint: ") && told.contains("[simulated]"),
        "the hint must say how to say yes:\n{told}"
    );
}

#[test]
fn a_policy_that_denies_milan_refuses_milan_and_accepts_genoa_and_turin() {
    let tenant = Tenant::new();
    let run = |platform: &str| {
        let mut command = tenant.enarx();
        command.args(["run", "--policy", "examples/policies/no-milan.toml", "--simulate", platform]);
        command.arg(example("cat"));
        command
    };
    assert_eq!(refusals(&mut run("amd/milan")), ["product-denied"]);
    for accepted in ["amd/genoa", "amd/turin"] {
        let output = finish(&mut run(accepted), b"in");
        assert_eq!((code(&output), stdout(&output).as_str()), (0, "in"), "{}", stderr(&output));
    }
}

#[test]
fn old_firmware_is_refused_by_a_minimum() {
    let tenant = Tenant::new();
    let policy = std::fs::read_to_string(enarx_tests::root().join(LOCAL_SIMULATOR)).unwrap();
    let policy = policy.replacen("minimum_tcb = \"not-checked\"", "products = [\"milan\"]", 1);
    let policy = tenant.file(
        "minimum.toml",
        format!("{policy}\n[minimum_tcb.milan]\nbootloader = 4\ntee = 0\nsnp = 24\nmicrocode = 219\n"),
    );
    let run = |platform: &str| {
        let mut command = tenant.enarx();
        command.arg("run").arg("--policy").arg(&policy).args(["--simulate", platform]).arg(example("cat"));
        command
    };
    let good = finish(&mut run("amd/milan@bootloader=4,tee=0,snp=24,microcode=219"), b"");
    assert_eq!(code(&good), 0, "{}", stderr(&good));
    assert_eq!(
        refusals(&mut run("amd/milan@bootloader=4,tee=0,snp=24,microcode=218")),
        ["tcb-too-old"; 4],
        "committed, launch, current and reported"
    );
}

#[test]
fn a_keep_program_that_is_not_the_released_one_is_refused() {
    let tenant = Tenant::new();
    let changed = tenant.path("enarx-keep-changed");
    let mut bytes = std::fs::read(enarx_tests::program("enarx-keep")).unwrap();
    bytes.push(0);
    std::fs::copy(enarx_tests::program("enarx-keep"), &changed).unwrap();
    std::fs::write(&changed, bytes).unwrap();
    let host = tenant.host(&["--keep-program", changed.to_str().unwrap()]);
    assert_eq!(refusals(&mut tenant.deploy(example("cat"), &host)), ["measurement-not-accepted"]);
}

#[test]
fn the_simulator_of_another_machine_is_refused() {
    let (tenant, other) = (Tenant::new(), Tenant::new());
    std::fs::remove_dir_all(other.state().join("simulator")).unwrap();
    let host = other.host(&[]);
    assert_eq!(refusals(&mut tenant.deploy(example("cat"), &host)), ["simulated-not-accepted"]);
}

#[test]
fn who_requires_a_tee_gets_no_keep_without_one() {
    let tenant = Tenant::new();
    for backend in ["process", "vm", "qemu"] {
        let mut command = tenant.enarx();
        command.args(["run", "--require-tee", "--backend", backend]).arg(example("cat"));
        let output = finish(&mut command, b"in");
        assert_eq!((code(&output), stdout(&output).as_str()), (4, ""), "{backend}");
        let expected = "error: `--require-tee`: this back end makes no Keep in a TEE\n\nhint: ";
        assert!(stderr(&output).starts_with(expected), "{backend}: {}", stderr(&output));
    }
}
