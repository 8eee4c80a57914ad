// SPDX-License-Identifier: Apache-2.0

//! `wasi:clocks` on the tenant's time base, waiting by `wasi:io/poll`, and `wasi:random`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

mod components;
mod harness;

use components::{RET, Script, run_script};
use enarx_runtime::io::pipe;
use enarx_runtime::run::Status;
use harness::{Setup, WALL};

#[test]
fn wall_time_is_the_tenants() {
    let mut script = Script::new();
    script.wat(&format!("(call $wall.now (i32.const {RET}))"));
    script.print(&format!("(i32.const {RET}) (i32.const 8)"));
    let ran = run_script(Setup::default(), &script);
    assert_eq!(ran.status(), &Status::Exited(0));
    let seconds = u64::from_le_bytes(ran.stdout.try_into().unwrap());
    let base = WALL / 1_000_000_000;
    assert!((base..base + 60).contains(&seconds), "{seconds}");
}

#[test]
fn a_timer_waits_at_least_as_long_as_asked() {
    let mut script = Script::new();
    script.wat("(i64.store (i32.const 512) (call $monotonic.now))");
    script.set("timer", "(call $subscribe-duration (i64.const 20000000))");
    script.check("(call $pollable.ready (local.get $timer))");
    script.wat("(call $pollable.block (local.get $timer))");
    script
        .check("(i64.lt_u (i64.sub (call $monotonic.now) (i64.load (i32.const 512))) (i64.const 20000000))");
    script.check("(i32.eqz (call $pollable.ready (local.get $timer)))");
    script.wat("(call $drop-pollable (local.get $timer))");
    // A time in the past is there at once.
    script.set("timer", "(call $subscribe-instant (i64.const 0))");
    script.check("(i32.eqz (call $pollable.ready (local.get $timer)))");
    script.wat("(call $pollable.block (local.get $timer))");
    assert_eq!(run_script(Setup::default(), &script).output(), "");
}

#[test]
fn polling_tells_which_of_several_are_ready() {
    let mut script = Script::new();
    script.set("stdin", "(call $get-stdin)");
    script.wat("(i32.store (i32.const 512) (call $input.subscribe (local.get $stdin)))");
    script.wat("(i32.store (i32.const 516) (call $subscribe-duration (i64.const 5000000)))");
    script.wat("(i32.store (i32.const 520) (call $subscribe-duration (i64.const -1)))");
    script.wat(&format!("(call $poll (i32.const 512) (i32.const 3) (i32.const {RET}))"));
    let list = format!("(i32.load (i32.const {RET}))");
    script.print(&format!("{list} (i32.mul (i32.const 4) (i32.load (i32.const {})))", RET + 4));
    // Nobody writes to standard input, but it is not closed either.
    let (_writer, stdin) = pipe(10);
    let ran = run_script(Setup { stdin, ..Setup::default() }, &script);
    assert_eq!(ran.status(), &Status::Exited(0));
    assert_eq!(ran.stdout, 1_u32.to_le_bytes());
}

#[test]
fn random_bytes_are_as_many_as_asked_and_differ() {
    let mut script = Script::new();
    for function in ["random-bytes", "insecure-bytes", "random-bytes"] {
        script.wat(&format!("(call ${function} (i64.const 64) (i32.const {RET}))"));
        script.print_result(0);
    }
    script.wat(&format!("(call $random-bytes (i64.const 0) (i32.const {RET}))"));
    script.check(&format!("(i32.load (i32.const {}))", RET + 4));
    script.check("(i64.eq (call $random-u64) (call $random-u64))");
    script.check("(i64.eq (call $insecure-u64) (call $insecure-u64))");
    let ran = run_script(Setup::default(), &script);
    assert_eq!(ran.status(), &Status::Exited(0));
    let parts: Vec<&[u8]> = ran.stdout.chunks(64).collect();
    assert_eq!(parts.len(), 3);
    assert!(parts[0] != parts[1] && parts[1] != parts[2] && parts[0] != parts[2]);
}

#[test]
fn more_randomness_than_a_call_gives_is_a_trap_and_takes_no_memory() {
    let mut script = Script::new();
    script.wat(&format!("(call $random-bytes (i64.const -1) (i32.const {RET}))"));
    let ran = run_script(Setup::default(), &script);
    let Status::Trapped(trapped) = ran.status() else { panic!("{:?}", ran.status()) };
    assert_eq!(trapped.message, "more than 4194304 random bytes were asked for at once");
}
