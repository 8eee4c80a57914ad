// SPDX-License-Identifier: Apache-2.0

//! `wasi:cli`: arguments, environment, streams, ways to end; older versions; imports that are not there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

mod components;
mod harness;

use components::{RET, Script, VERSION, run_bytes, run_script};
use enarx_runtime::io::pipe;
use enarx_runtime::run::{RunError, Status, TrapKind};
use harness::Setup;

/// Prints the strings of a list whose place the last call gave, each followed by a stop.
fn print_strings(script: &mut Script, first: &str, count: &str) {
    let stop = script.text(".");
    script.set("at", first).set("left", count);
    script.wat("(block $done (loop $next (br_if $done (i32.eqz (local.get $left)))");
    script.print("(i32.load (local.get $at)) (i32.load offset=4 (local.get $at))");
    script.print(&stop);
    script.set("at", "(i32.add (local.get $at) (i32.const 8))");
    script.set("left", "(i32.sub (local.get $left) (i32.const 1))");
    script.wat("(br $next)))");
}

#[test]
fn arguments_and_environment_arrive() {
    let mut script = Script::new();
    let (list, len) =
        (format!("(i32.load (i32.const {RET}))"), format!("(i32.load (i32.const {}))", RET + 4));
    script.call("get-arguments", &[]);
    print_strings(&mut script, &list, &len);
    script.call("get-environment", &[]);
    print_strings(&mut script, &list, &format!("(i32.mul (i32.const 2) {len})"));
    script.call("initial-cwd", &[]).check(&format!("(i32.load8_u (i32.const {RET}))"));
    let setup = Setup {
        args: vec!["program".into(), "ä argument".into(), String::new()],
        env: vec![("NAME".into(), "value".into()), ("EMPTY".into(), String::new())],
        ..Setup::default()
    };
    assert_eq!(run_script(setup, &script).output(), "program.ä argument..NAME.value.EMPTY..");
}

#[test]
fn standard_error_is_another_stream_and_nothing_is_a_terminal() {
    let mut script = Script::new();
    script.set("stderr", "(call $get-stderr)");
    let (out, err) = (script.text("to output"), script.text("to error"));
    script.print(&out);
    script.ok("output.blocking-write-and-flush", &["(local.get $stderr)", &err]);
    for terminal in ["get-terminal-stdin", "get-terminal-stdout", "get-terminal-stderr"] {
        script.call(terminal, &[]).check(&format!("(i32.load8_u (i32.const {RET}))"));
    }
    let ran = run_script(Setup::default(), &script);
    assert_eq!(ran.output(), "to output");
    assert_eq!(ran.stderr, b"to error");
}

/// Copies standard input to standard output until it is closed.
fn cat() -> Script {
    let mut script = Script::new();
    script.set("stdin", "(call $get-stdin)");
    script.wat("(block $end (loop $next");
    script.call("input.blocking-read", &["(local.get $stdin)", "(i64.const 1000)"]);
    // `stream-error::closed` is its second case.
    let closed = format!("(i32.eq (i32.load8_u (i32.const {})) (i32.const 1))", RET + 4);
    script.wat(&format!("(br_if $end (i32.and (i32.load8_u (i32.const {RET})) {closed}))"));
    script.check(&format!("(i32.load8_u (i32.const {RET}))"));
    script.print_result(4);
    script.wat("(br $next)))");
    script
}

#[test]
fn standard_input_is_read_to_its_end() {
    let (writer, stdin) = pipe(100_000);
    writer.try_write("line\n".repeat(1000).as_bytes()).unwrap();
    drop(writer);
    let ran = run_script(Setup { stdin, ..Setup::default() }, &cat());
    assert_eq!(ran.output(), "line\n".repeat(1000));
    assert_eq!(run_script(Setup::default(), &cat()).output(), "");
}

#[test]
fn each_way_to_end_has_its_status() {
    let ended = |wat: &str, result| {
        let mut script = Script::new();
        script.wat(wat).result(result);
        run_script(Setup::default(), &script).status().clone()
    };
    assert_eq!(ended("", 0), Status::Exited(0));
    assert_eq!(ended("", 1), Status::Exited(1));
    assert_eq!(ended("(call $exit (i32.const 0))", 1), Status::Exited(0));
    assert_eq!(ended("(call $exit (i32.const 1))", 0), Status::Exited(1));
    assert_eq!(ended("(call $exit-with-code (i32.const 42))", 0), Status::Exited(42));
    let Status::Trapped(trapped) = ended("unreachable", 0) else { panic!("it did not trap") };
    assert_eq!(trapped.kind, TrapKind::Unreachable);
}

#[test]
fn components_built_against_any_version_of_0_2_run() {
    for version in ["0.2.0", "0.2.1", "0.2.2", "0.2.3", "0.2.4", "0.2.5", "0.2.6", "0.2.9", VERSION] {
        let mut script = Script::with_root();
        let (text, path) = (script.text("hello"), script.text("."));
        script.print(&text);
        script.ok("stat-at", &["(local.get $root) (i32.const 0)", &path]);
        script.wat("(drop (call $monotonic.now)) (drop (call $random-u64)) (drop (call $insecure-u64))");
        script.wat(&format!("(call $wall.now (i32.const {RET})) (call $insecure-seed (i32.const {RET}))"));
        let ran = run_bytes(Setup::default(), &script.component_of_version(version));
        assert_eq!(ran.output(), "hello", "{version}");
    }
}

#[test]
fn every_import_that_is_missing_is_named() {
    let component = r#"(component
        (import "wasi:cli/stdout@0.3.0" (instance))
        (import "wasi:http/outgoing-handler@0.2.0" (instance))
        (import "wasi:io/poll@0.2.0" (instance))
        (import "wasi:io/streams@0.2.0-rc-2023-11-10" (instance))
        (import "wasi:sockets/tcp@0.2.0" (instance))
        (import "acme:widgets/factory" (instance))
        (import "plain-function" (func)))"#;
    let names = [
        "wasi:cli/stdout@0.3.0",
        "wasi:http/outgoing-handler@0.2.0",
        "wasi:io/streams@0.2.0-rc-2023-11-10",
        "wasi:sockets/tcp@0.2.0",
        "acme:widgets/factory",
        "plain-function",
    ];
    let ran = run_bytes(Setup::default(), component.as_bytes());
    let names = names.map(String::from).to_vec();
    assert_eq!(ran.outcome, Err(RunError::MissingImports { names }));
}

#[test]
fn a_component_that_is_no_command_is_refused() {
    let ran = run_bytes(Setup::default(), b"(component)");
    assert_eq!(ran.outcome, Err(RunError::NoEntry { expected: "wasi:cli/run@0.2" }));
}
