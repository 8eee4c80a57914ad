// SPDX-License-Identifier: Apache-2.0

//! `enarx run`: programs, arguments, environment, standard streams, files, exit codes and traps, with the same results
//! whatever the Keep is made of.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

use std::fs;

use enarx_tests::{Tenant, code, example, finish, root, stderr, stdout};
use serde_json::Value;

fn events(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
        .collect()
}

/// Every test for every kind of Keep.
macro_rules! for_every_backend {
    ($($name:ident,)*) => {
        mod process {
            $(#[test] fn $name() { super::$name(&super::Tenant::new()); })*
        }
        mod vm {
            $(#[test]
            #[ignore = "needs a KVM that executes every instruction: `cargo xtask test-kvm` makes one"]
            fn $name() { super::$name(&super::Tenant::with_backend("vm").unwrap()); })*
        }
        mod qemu {
            $(#[test] fn $name() {
                if let Some(tenant) = super::Tenant::with_backend("qemu") { super::$name(&tenant); }
            })*
        }
    };
}

for_every_backend! {
    hello_says_hello_after_every_step_of_the_proof,
    quiet_leaves_standard_error_to_the_workload,
    json_names_the_simulation_and_every_step,
    standard_input_reaches_the_workload_whole_and_comes_back_whole,
    a_closed_standard_input_is_an_end_of_file,
    arguments_and_environment_are_those_given_and_no_others,
    a_provisioned_folder_is_a_copy_and_changed_files_come_back_on_request,
    files_that_find_no_room_are_named_and_the_others_kept,
    the_exit_code_is_the_workloads_own,
    a_trap_is_told_with_the_names_of_the_functions,
    clocks_and_randomness_work,
    a_component_runs_like_a_module,
    webassembly_text_is_a_workload_too,
    the_second_run_takes_the_compiled_program_from_the_cache,
    a_workload_that_computes_for_ever_meets_its_limit,
}

fn hello_says_hello_after_every_step_of_the_proof(tenant: &Tenant) {
    let output = finish(&mut tenant.run("examples/hello"), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("Hello, from inside a Keep!"), "{}", stdout(&output));
    let told = stderr(&output);
    let mut rest = told.as_str();
    for step in [
        "keep",
        "session",
        "evidence",
        "verified",
        "appraised",
        "compiled",
        "provisioned",
        "running",
        "finished",
    ] {
        let line = rest
            .find(&format!("{step:>11}  "))
            .unwrap_or_else(|| panic!("no step `{step}` in order:\n{told}"));
        rest = &rest[line..];
    }
    assert!(told.contains("SIMULATED"), "what is simulated must say so loudly:\n{told}");
}

fn quiet_leaves_standard_error_to_the_workload(tenant: &Tenant) {
    let output = finish(tenant.run("examples/hello").arg("--quiet"), b"");
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
}

fn json_names_the_simulation_and_every_step(tenant: &Tenant) {
    let output = finish(tenant.run("examples/hello").args(["--format", "json"]), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let events = events(&stderr(&output));
    let appraised = events.iter().find(|event| event["step"] == "appraised").expect("the step");
    assert_eq!(appraised["result"]["simulated"], true);
    assert_eq!(appraised["result"]["verdict"], "accepted");
    assert_eq!(events.last().expect("an event")["exit_code"], 0);
}

fn standard_input_reaches_the_workload_whole_and_comes_back_whole(tenant: &Tenant) {
    let input: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let output = finish(&mut tenant.run(example("cat")), &input);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(output.stdout == input, "{} of {} bytes came back", output.stdout.len(), input.len());
}

fn a_closed_standard_input_is_an_end_of_file(tenant: &Tenant) {
    let output = finish(&mut tenant.run(example("cat")), b"");
    assert_eq!((code(&output), output.stdout.len()), (0, 0), "{}", stderr(&output));
}

fn arguments_and_environment_are_those_given_and_no_others(tenant: &Tenant) {
    let mut command = tenant.run(example("args-env"));
    command.args(["--env", "GREETING=hej", "--env", "EMPTY="]).env("LEAK", "of the tenant's machine");
    let output = finish(command.args(["--", "one", "two words", "--three"]), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    for line in ["one", "two words", "--three", "GREETING=hej", "EMPTY="] {
        assert!(text.lines().any(|l| l.ends_with(line)), "`{line}` is missing in:\n{text}");
    }
    assert!(!text.contains("LEAK") && !text.contains("HOME"), "{text}");
}

fn a_provisioned_folder_is_a_copy_and_changed_files_come_back_on_request(tenant: &Tenant) {
    tenant.file("data/input.txt", "provisioned\n");
    let data = tenant.path("data");
    let out = tenant.path("out");
    let mut command = tenant.run(example("files"));
    command.arg("--dir").arg(format!("{}::/data", data.display())).arg("--out").arg(&out);
    let output = finish(&mut command, b"");
    assert_eq!(code(&output), 0, "{}\n{}", stdout(&output), stderr(&output));
    let names: Vec<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["input.txt"], "the tenant's folder was written");
    assert_eq!(fs::read_to_string(data.join("input.txt")).unwrap(), "provisioned\n");
    let written: Vec<_> =
        fs::read_dir(out.join("data")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!written.is_empty(), "the workload's files did not come back");
}

fn files_that_find_no_room_are_named_and_the_others_kept(tenant: &Tenant) {
    tenant.file("data/input.txt", "provisioned\n");
    let out = tenant.path("out");
    let names = || {
        let mut names: Vec<_> =
            fs::read_dir(out.join("data")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let mut command = tenant.run(example("files"));
    command.arg("--dir").arg(format!("{}::/data", tenant.path("data").display())).arg("--out").arg(&out);
    assert_eq!(code(&finish(&mut command, b"")), 0);
    let written = names();
    let file = written.iter().find(|name| out.join("data").join(name).is_file()).expect("a changed file");
    // Where a folder has the name of a file, it stays.
    let blocked = out.join("data").join(file);
    fs::remove_dir_all(&out).unwrap();
    fs::create_dir_all(&blocked).unwrap();

    let output = finish(&mut command, b"");
    assert_eq!(code(&output), 5, "{}", stderr(&output));
    let told = stderr(&output);
    let name = file.to_str().unwrap();
    assert!(told.contains("error: the workload exited with 0, but 1 of the "), "{told}");
    assert!(told.contains(&format!("{name}`: Is a directory")), "{told}");
    assert_eq!(names(), written, "the others are there, and nothing half written");
}

fn the_exit_code_is_the_workloads_own(tenant: &Tenant) {
    for expected in [0, 1, 42, 255] {
        let output = finish(tenant.run(example("exit-code")).args(["--", &expected.to_string()]), b"");
        assert_eq!(code(&output), expected, "{}", stderr(&output));
    }
}

fn a_trap_is_told_with_the_names_of_the_functions(tenant: &Tenant) {
    let output = finish(&mut tenant.run(example("trap")), b"");
    assert_eq!(code(&output), 134, "{}", stderr(&output));
    let told = stderr(&output);
    assert!(told.contains("unreachable"), "{told}");
    assert!(told.contains("turn_the_key"), "the function that trapped is not named:\n{told}");
}

fn clocks_and_randomness_work(tenant: &Tenant) {
    let first = finish(&mut tenant.run(example("clock-random")), b"");
    let second = finish(&mut tenant.run(example("clock-random")), b"");
    assert_eq!((code(&first), code(&second)), (0, 0), "{}", stderr(&first));
    assert_ne!(stdout(&first), stdout(&second), "two runs drew the same random bytes");
}

fn a_component_runs_like_a_module(tenant: &Tenant) {
    let path = root().join("examples/component/target/wasm32-wasip2/release/component.wasm");
    let mut command = tenant.run(path);
    let output = finish(command.args(["--env", "MODE=tested"]), b"input");
    // WASI 0.2 knows success and failure, no codes; the program asked for 3.
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(stdout(&output).contains("tested"), "{}", stdout(&output));
}

fn webassembly_text_is_a_workload_too(tenant: &Tenant) {
    let path = tenant.file(
        "exit.wat",
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
             (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 7))))"#,
    );
    assert_eq!(code(&finish(&mut tenant.run(path), b"")), 7);
}

fn the_second_run_takes_the_compiled_program_from_the_cache(tenant: &Tenant) {
    for cached in [false, true] {
        let output = finish(tenant.run(example("cat")).args(["--format", "json"]), b"");
        let events = events(&stderr(&output));
        let compiled = events.iter().find(|event| event["step"] == "compiled").expect("the step");
        assert_eq!(compiled["cached"], cached);
    }
}

fn a_workload_that_computes_for_ever_meets_its_limit(tenant: &Tenant) {
    fs::create_dir_all(tenant.path("app")).unwrap();
    fs::copy(example("spin"), tenant.path("app/spin.wasm")).unwrap();
    tenant.file("app/Enarx.toml", "program = \"spin.wasm\"\n[limits]\ntime = \"500 ms\"\n");
    let output = finish(&mut tenant.run(tenant.path("app")), b"");
    assert_eq!(code(&output), 137, "{}", stderr(&output));
    assert!(stderr(&output).contains("ran into its time limit"), "{}", stderr(&output));
}
