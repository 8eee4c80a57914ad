// SPDX-License-Identifier: Apache-2.0

//! What preview 1 says about the process itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

mod harness;

use harness::script::{I, L, Script};
use harness::{Setup, WALL};

const INVAL: u32 = 28;
const NOTSUP: u32 = 58;
const NOTSOCK: u32 = 57;
const BADF: u32 = 8;

#[test]
fn arguments_are_strings_with_an_end() {
    let mut script = Script::new();
    script.call("args_sizes_get", &[I(0), I(4)]);
    script.call("args_get", &[I(16), I(64)]);
    let ran =
        Setup { args: vec!["prog".into(), "ä b".into(), String::new()], ..Setup::default() }.run(&script);
    assert_eq!(ran.results, [0, 0]);
    assert_eq!((ran.u32(0), ran.u32(4)), (3, 11));
    assert_eq!((ran.u32(16), ran.u32(20), ran.u32(24)), (64, 69, 74));
    assert_eq!(ran.bytes(64, 12), "prog\0ä b\0\0\0".as_bytes());
}

#[test]
fn no_arguments_are_no_strings() {
    let mut script = Script::new();
    script.bytes(0, &[0xff; 16]);
    script.call("args_sizes_get", &[I(0), I(4)]);
    script.call("args_get", &[I(8), I(12)]);
    let ran = Setup::default().run(&script);
    assert_eq!(ran.results, [0, 0]);
    assert_eq!((ran.u32(0), ran.u32(4), ran.u32(8)), (0, 0, u32::MAX));
}

#[test]
fn the_environment_is_names_and_values() {
    let mut script = Script::new();
    script.call("environ_sizes_get", &[I(0), I(4)]);
    script.call("environ_get", &[I(16), I(64)]);
    let env = vec![("A".into(), "1".into()), ("EMPTY".into(), String::new())];
    let ran = Setup { env, ..Setup::default() }.run(&script);
    assert_eq!(ran.results, [0, 0]);
    assert_eq!((ran.u32(0), ran.u32(4)), (2, 11));
    assert_eq!((ran.u32(16), ran.u32(20)), (64, 68));
    assert_eq!(ran.bytes(64, 11), b"A=1\0EMPTY=\0");
}

#[test]
fn wall_time_is_the_tenants_and_monotonic_time_goes_on() {
    let mut script = Script::new();
    script.call("clock_res_get", &[I(0), I(0)]);
    script.call("clock_res_get", &[I(1), I(8)]);
    script.call("clock_time_get", &[I(0), L(0), I(16)]);
    script.call("clock_time_get", &[I(1), L(0), I(24)]);
    script.call("clock_time_get", &[I(1), L(1_000_000), I(32)]);
    let ran = Setup::default().run(&script);
    assert_eq!(ran.results, [0; 5]);
    assert_eq!((ran.u64(0), ran.u64(8)), (1, 1));
    assert!((WALL..WALL + 60_000_000_000).contains(&ran.u64(16)));
    assert!(ran.u64(24) <= ran.u64(32));
}

#[test]
fn clocks_of_cpu_time_are_not_supported() {
    let mut script = Script::new();
    for id in [2, 3, 4, u32::MAX] {
        script.call("clock_res_get", &[I(id), I(0)]);
        script.call("clock_time_get", &[I(id), L(0), I(0)]);
    }
    assert_eq!(Setup::default().run(&script).results, [INVAL; 8]);
}

#[test]
fn random_bytes_fill_the_buffer_and_nothing_else() {
    let mut script = Script::new();
    script.call("random_get", &[I(64), I(64)]);
    script.call("random_get", &[I(512), I(0)]);
    script.call("random_get", &[I(256), I(64)]);
    let ran = Setup::default().run(&script);
    assert_eq!(ran.results, [0; 3]);
    assert_eq!(ran.bytes(0, 64), [0; 64]);
    assert_eq!(ran.bytes(128, 64), [0; 64]);
    assert_eq!(ran.u64(512), 0);
    assert_ne!(ran.bytes(64, 64), [0; 64]);
    assert_ne!(ran.bytes(64, 64), ran.bytes(256, 64));
}

#[test]
fn giving_way_comes_back() {
    let mut script = Script::new();
    script.call("sched_yield", &[]);
    assert_eq!(Setup::default().run(&script).results, [0]);
}

#[test]
fn there_are_no_signals() {
    let mut script = Script::new();
    script.call("proc_raise", &[I(6)]);
    assert_eq!(Setup::default().run(&script).results, [NOTSUP]);
}

#[test]
fn no_descriptor_is_a_socket() {
    let mut script = Script::new();
    for fd in [0, 3, 99] {
        script.call("sock_accept", &[I(fd), I(0), I(0)]);
        script.call("sock_recv", &[I(fd), I(0), I(0), I(0), I(0), I(0)]);
        script.call("sock_send", &[I(fd), I(0), I(0), I(0), I(0)]);
        script.call("sock_shutdown", &[I(fd), I(1)]);
    }
    let expected = [[NOTSOCK; 4], [NOTSOCK; 4], [BADF; 4]].concat();
    assert_eq!(Setup::default().run(&script).results, expected);
}
