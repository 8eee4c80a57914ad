// SPDX-License-Identifier: Apache-2.0

//! `enarx measure` tells what launching the unikernel measures to, a policy demands it, and a Keep of a machine that says
//! another is refused. The evidence is that of simulated platforms, which say what the hardware would.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

use std::path::Path;
use std::process::Output;

use enarx_tests::{Host, Tenant, code, example, finish, program, stderr, stdout};
use serde_json::Value;

/// What `enarx measure` predicts for one TEE.
fn predicted(tenant: &Tenant, image: &Path, tee: &str) -> String {
    let mut command = tenant.enarx();
    command.args(["measure", "--format", "json", "--tee", tee, "--image"]).arg(image);
    let output = finish(&mut command, b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let told: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let measurements = told["keep"]["measurements"].as_array().expect("measurements");
    // Of a file its SHA-384 comes first.
    assert_eq!(measurements.len(), if tee == "plain" { 2 } else { 1 }, "{told}");
    measurements[0].as_str().expect("text").to_owned()
}

/// The policy for this machine's simulator, which asks for one measurement and takes no other.
fn demands(tenant: &Tenant, measurement: &str) -> std::path::PathBuf {
    let policy = std::fs::read_to_string(enarx_tests::root().join("examples/policies/local-simulator.toml"));
    let policy = policy.unwrap().replace(r#"["release"]"#, &format!("[\"{measurement}\"]"));
    assert!(policy.contains(measurement));
    tenant.file("policy.toml", policy)
}

fn deploy(tenant: &Tenant, host: &Host, policy: &Path) -> Output {
    let mut command = tenant.enarx();
    command.args(["deploy", "--format", "json", "--to", &host.url, "--policy"]).arg(policy);
    finish(command.arg(example("cat")), b"in")
}

/// The codes of the refusals that a deployment ended with.
fn refusals(output: &Output) -> Vec<String> {
    assert_eq!((code(output), stdout(output).as_str()), (3, ""), "{}", stderr(output));
    let told = stderr(output);
    let last: Value = serde_json::from_str(told.lines().last().expect("an event")).expect("JSON");
    let refusals = last["refusals"].as_array().expect("refusals");
    refusals.iter().map(|refusal| refusal["code"].as_str().expect("a code").to_owned()).collect()
}

/// A host whose Keeps are virtual machines with this image.
fn host(tenant: &Tenant, image: &Path, platform: &str) -> Host {
    let image = image.to_str().expect("UTF-8");
    tenant.host(&["--backend", "qemu", "--simulate", platform, "--image", image])
}

#[test]
fn a_keep_has_the_measurement_that_was_predicted_and_no_other_image_has() {
    let Some(tenant) = Tenant::with_backend("qemu") else { return };
    let image = program("enarx-keep.elf");
    for (platform, tee) in [("amd/genoa", "snp"), ("intel/sapphire-rapids", "tdx")] {
        let policy = demands(&tenant, &predicted(&tenant, &image, tee));
        let output = deploy(&tenant, &host(&tenant, &image, platform), &policy);
        assert_eq!((code(&output), stdout(&output).as_str()), (0, "in"), "{}", stderr(&output));

        // One byte of a text in it, which changes nothing that it does.
        let mut changed = std::fs::read(&image).unwrap();
        let path = b"/cargo/registry/";
        let at = changed.windows(path.len()).position(|window| window == path).expect("a path");
        changed[at] ^= 1;
        let changed = tenant.file("changed.elf", changed);
        let output = deploy(&tenant, &host(&tenant, &changed, platform), &policy);
        assert_eq!(refusals(&output), ["measurement-not-accepted"], "{platform}");

        // What is predicted of the changed image is what its machine says.
        let policy = demands(&tenant, &predicted(&tenant, &changed, tee));
        let output = deploy(&tenant, &host(&tenant, &changed, platform), &policy);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
    }
}

#[test]
fn the_measurement_of_one_tee_is_not_taken_for_anothers() {
    let Some(tenant) = Tenant::with_backend("qemu") else { return };
    let image = program("enarx-keep.elf");
    for (platform, tee) in [("amd/genoa", "tdx"), ("intel/sapphire-rapids", "snp"), ("amd/genoa", "plain")] {
        let policy = demands(&tenant, &predicted(&tenant, &image, tee));
        let output = deploy(&tenant, &host(&tenant, &image, platform), &policy);
        assert_eq!(refusals(&output), ["measurement-not-accepted"], "{platform}: {tee}");
    }
}

#[test]
fn the_unikernel_that_came_with_enarx_is_a_release_on_each_tee() {
    let Some(tenant) = Tenant::with_backend("qemu") else { return };
    let image = program("enarx-keep.elf");
    let policy = enarx_tests::root().join("examples/policies/local-simulator.toml");
    for platform in ["amd/genoa", "intel/sapphire-rapids", "arm/cca"] {
        let output = deploy(&tenant, &host(&tenant, &image, platform), &policy);
        assert_eq!((code(&output), stdout(&output).as_str()), (0, "in"), "{}", stderr(&output));
    }
}
