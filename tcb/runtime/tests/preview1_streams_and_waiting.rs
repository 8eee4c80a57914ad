// SPDX-License-Identifier: Apache-2.0

//! Standard streams of preview 1, and `poll_oneoff` on streams, files and clocks.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper of a test may end the test")]

mod harness;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use enarx_runtime::clock::Clock as _;
use enarx_runtime::io::{Available, Reader, Writer, pipe};
use enarx_runtime::run::{Limits, Status, Stop, run};
use enarx_runtime::vfs::Access;
use harness::script::{I, L, Script, u16_at};
use harness::{Ran, Setup, WALL, block_on, engine, module};

const AGAIN: u32 = 6;
const BADF: u32 = 8;
const INVAL: u32 = 28;
const PIPE: u32 = 64;
const MILLISECOND: u64 = 1_000_000;

/// A standard input with these bytes in it, and its other end.
fn stdin(bytes: &[u8]) -> (Writer, Reader) {
    let (writer, reader) = pipe(1 << 16);
    assert_eq!(writer.try_write(bytes), Ok(bytes.len()));
    (writer, reader)
}

/// Reads from standard input into up to `len` bytes at `to`; the count goes to `count`.
fn read(script: &mut Script, to: u32, len: u32, count: u32) {
    script.raw(&format!(
        "(i32.store (i32.const 16) (i32.const {to})) (i32.store (i32.const 20) (i32.const {len}))"
    ));
    script.call("fd_read", &[I(0), I(16), I(1), I(count)]);
}

#[test]
fn standard_input_gives_what_is_there_and_then_its_end() {
    let mut script = Script::new();
    script.iovecs(64, &[(256, 2), (512, 0), (300, 100)]);
    script.call("fd_read", &[I(0), I(64), I(3), I(0)]);
    read(&mut script, 600, 10, 4);
    let (writer, reader) = stdin(b"hello");
    drop(writer);
    let ran = Setup { stdin: reader, ..Setup::default() }.run(&script);
    assert_eq!(ran.results, [0, 0]);
    assert_eq!((ran.u32(0), ran.u32(4)), (5, 0));
    assert_eq!((ran.bytes(256, 2), ran.bytes(300, 3)), (&b"he"[..], &b"llo"[..]));
}

#[test]
fn nothing_to_read_is_waited_for() {
    let mut script = Script::new();
    read(&mut script, 256, 100, 0);
    let (writer, reader) = pipe(16);
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!(writer.try_write(b"late"), Ok(4));
        writer
    });
    let ran = Setup { stdin: reader, ..Setup::default() }.run(&script);
    drop(thread.join().unwrap());
    assert_eq!((ran.results[0], ran.u32(0), ran.bytes(256, 4)), (0, 4, &b"late"[..]));
}

#[test]
fn without_waiting_nothing_to_read_is_said() {
    let mut script = Script::new();
    script.call("fd_fdstat_set_flags", &[I(0), I(4)]);
    read(&mut script, 256, 100, 0);
    read(&mut script, 256, 0, 4);
    let (_writer, reader) = pipe(16);
    let ran = Setup { stdin: reader, ..Setup::default() }.run(&script);
    assert_eq!(ran.results, [0, AGAIN, 0]);
}

/// Runs a program that writes 100 bytes to a standard output that holds 8 and is read after a while.
fn write_slowly(script: &Script, reader: impl FnOnce(Reader) + Send + 'static) -> Status {
    let setup = Setup::default();
    let clock = Arc::clone(&setup.clock);
    let program = module(&engine(), &script.wat());
    let (mut process, _output, _errors) = setup.process(Limits::default());
    let (stdout, output) = pipe(8);
    process.stdout = stdout;
    let thread = std::thread::spawn(move || reader(output));
    let outcome = block_on(&clock, run(&program, process, &Stop::new())).unwrap();
    thread.join().unwrap();
    outcome.status
}

#[test]
fn a_full_pipe_is_waited_for() {
    let mut script = Script::new();
    script.bytes(256, &[b'x'; 100]).iovecs(64, &[(256, 50), (306, 50)]);
    script.call("fd_write", &[I(1), I(64), I(2), I(0)]);
    script.raw("(if (i32.ne (i32.load (i32.const 0)) (i32.const 100)) (then unreachable)) (call $proc_exit (i32.const 9))");
    let status = write_slowly(&script, |output| {
        let clock = harness::clock();
        let mut all = Vec::new();
        while let Some(bytes) = block_on(&clock, output.read(usize::MAX)) {
            assert!(bytes.len() <= 8);
            all.extend_from_slice(&bytes);
        }
        assert_eq!(all, [b'x'; 100]);
    });
    assert_eq!(status, Status::Exited(9));
}

#[test]
fn a_pipe_that_closes_in_the_middle_says_how_far_it_came() {
    let mut script = Script::new();
    script.iovecs(64, &[(256, 100)]);
    script.call("fd_write", &[I(1), I(64), I(1), I(0)]);
    script.raw("(i32.store (i32.const 4) (i32.load (i32.const 0)))");
    script.call("fd_write", &[I(1), I(64), I(1), I(0)]);
    // The results are at 0x8000: success with 8 bytes, then a broken pipe.
    script.raw(&format!(
        "(if (i32.ne (i32.load (i32.const 4)) (i32.const 8)) (then unreachable))
         (if (i32.load (i32.const 0x8000)) (then unreachable))
         (if (i32.ne (i32.load (i32.const 0x8004)) (i32.const {PIPE})) (then unreachable))
         (call $proc_exit (i32.const 9))"
    ));
    let status = write_slowly(&script, |output| {
        std::thread::sleep(Duration::from_millis(30));
        output.close();
    });
    assert_eq!(status, Status::Exited(9));
}

#[test]
fn without_waiting_a_full_pipe_takes_what_fits() {
    let mut script = Script::new();
    script.iovecs(64, &[(256, 100)]);
    script.call("fd_fdstat_set_flags", &[I(2), I(4)]);
    script.call("fd_write", &[I(2), I(64), I(1), I(0)]);
    script.call("fd_write", &[I(2), I(64), I(1), I(4)]);
    let setup = Setup::default();
    let clock = Arc::clone(&setup.clock);
    let program = module(&engine(), &script.wat());
    let (mut process, output, _errors) = setup.process(Limits::default());
    let (stderr, _errors) = pipe(8);
    process.stderr = stderr;
    let outcome = block_on(&clock, run(&program, process, &Stop::new())).unwrap();
    assert_eq!(outcome.status, Status::Exited(0));
    let memory = harness::drain(&output);
    assert_eq!(harness::script::results(&memory, 3), [0, 0, AGAIN]);
    assert_eq!(memory[0], 8);
}

#[test]
fn closed_and_null_streams() {
    let mut script = Script::new();
    script.iovecs(64, &[(256, 100)]);
    read(&mut script, 256, 10, 0);
    script.call("fd_write", &[I(2), I(64), I(1), I(4)]);
    let setup = Setup::default();
    let clock = Arc::clone(&setup.clock);
    let program = module(&engine(), &script.wat());
    for (stderr, result, written) in [(Writer::null(), 0, 100), (Writer::closed(), PIPE, 0)] {
        let setup = Setup::default();
        let (mut process, output, _errors) = setup.process(Limits::default());
        process.stderr = stderr;
        let outcome = block_on(&clock, run(&program, process, &Stop::new())).unwrap();
        assert_eq!(outcome.status, Status::Exited(0));
        let memory = harness::drain(&output);
        assert_eq!(harness::script::results(&memory, 2), [0, result]);
        assert_eq!(harness::script::u32_at(&memory, 4), written);
    }
}

/// `$subscription` to a clock.
fn clock(userdata: u64, id: u32, timeout: u64, flags: u16) -> [u8; 48] {
    let mut bytes = [0; 48];
    bytes[..8].copy_from_slice(&userdata.to_le_bytes());
    bytes[16..20].copy_from_slice(&id.to_le_bytes());
    bytes[24..32].copy_from_slice(&timeout.to_le_bytes());
    bytes[40..42].copy_from_slice(&flags.to_le_bytes());
    bytes
}

/// `$subscription` to a descriptor.
fn descriptor(userdata: u64, eventtype: u8, fd: u32) -> [u8; 48] {
    let mut bytes = [0; 48];
    bytes[..8].copy_from_slice(&userdata.to_le_bytes());
    bytes[8] = eventtype;
    bytes[16..20].copy_from_slice(&fd.to_le_bytes());
    bytes
}

const EVENTS: u32 = 4096;

/// Polls these subscriptions once; the count goes to 0, events to 4096.
fn poll(script: &mut Script, subscriptions: &[[u8; 48]]) {
    let count = u32::try_from(subscriptions.len()).unwrap();
    script.bytes(1024, &subscriptions.concat());
    script.call("poll_oneoff", &[I(1024), I(EVENTS), I(count), I(0)]);
}

/// What happened: user data, error, type, bytes, flags.
fn events(ran: &Ran) -> Vec<(u64, u16, u8, u64, u16)> {
    let event = |index: u32| {
        let at = EVENTS + 32 * index;
        let memory = &ran.memory;
        (
            ran.u64(at),
            u16_at(memory, at + 8),
            memory[at as usize + 10],
            ran.u64(at + 16),
            u16_at(memory, at + 24),
        )
    };
    (0..ran.u32(0)).map(event).collect()
}

#[test]
fn a_clock_is_waited_for() {
    for (id, timeout, flags) in [
        (1, 50 * MILLISECOND, 0),
        (0, 50 * MILLISECOND, 0),
        (0, WALL + 50 * MILLISECOND, 1),
        (1, 50 * MILLISECOND, 1),
    ] {
        let mut script = Script::new();
        poll(&mut script, &[clock(7, id, timeout, flags), clock(8, 1, 3600 * 1_000_000_000, 0)]);
        script.call("clock_time_get", &[I(1), L(0), I(32)]);
        let started = Instant::now();
        let ran = Setup::default().run(&script);
        assert_eq!(ran.results, [0, 0]);
        assert_eq!(events(&ran), [(7, 0, 0, 0, 0)]);
        assert!(ran.u64(32) >= 50 * MILLISECOND);
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn a_time_that_is_past_is_not_waited_for() {
    let mut script = Script::new();
    poll(&mut script, &[clock(1, 0, WALL - 1, 1), clock(2, 1, 0, 0)]);
    let ran = Setup::default().run(&script);
    assert_eq!(ran.results, [0]);
    assert_eq!(events(&ran), [(1, 0, 0, 0, 0), (2, 0, 0, 0, 0)]);
}

#[test]
fn streams_and_files_that_are_ready_are_told_at_once() {
    let setup = Setup::default();
    setup.files.seed_file("/f", Bytes::from_static(b"01234"), Access::ReadWrite).unwrap();
    let mut script = Script::new();
    let [at, len] = script.text("f");
    script.call("path_open", &[I(3), I(0), at, len, I(0), L(1 << 1 | 1 << 6), L(0), I(0), I(0)]);
    script.call("fd_seek", &[I(4), L(2), I(0), I(32)]);
    poll(
        &mut script,
        &[
            descriptor(1, 1, 0),
            descriptor(2, 2, 1),
            descriptor(3, 1, 4),
            descriptor(4, 2, 4),
            clock(5, 1, u64::MAX, 0),
        ],
    );
    let (_writer, reader) = stdin(b"abc");
    let ran = Setup { stdin: reader, ..setup }.run(&script);
    assert_eq!(ran.results, [0; 3]);
    assert_eq!(events(&ran), [(1, 0, 1, 3, 0), (2, 0, 2, 65536, 0), (3, 0, 1, 3, 0), (4, 0, 2, 1, 0)]);
}

#[test]
fn the_end_of_a_stream_is_a_hangup() {
    let mut script = Script::new();
    poll(&mut script, &[descriptor(1, 1, 0)]);
    let ran = Setup::default().run(&script);
    assert_eq!((ran.results[0], events(&ran)), (0, vec![(1, 0, 1, 0, 1)]));
}

#[test]
fn whatever_comes_first_ends_the_waiting() {
    let mut script = Script::new();
    poll(&mut script, &[clock(1, 1, 3600 * 1_000_000_000, 0), descriptor(2, 1, 0)]);
    let (writer, reader) = pipe(16);
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!(writer.try_write(b"late"), Ok(4));
        writer
    });
    let ran = Setup { stdin: reader, ..Setup::default() }.run(&script);
    drop(thread.join().unwrap());
    assert_eq!((ran.results[0], events(&ran)), (0, vec![(2, 0, 1, 4, 0)]));
}

#[test]
fn a_wrong_subscription_is_an_event_of_its_own() {
    let mut script = Script::new();
    poll(
        &mut script,
        &[
            descriptor(1, 1, 99),
            descriptor(2, 1, 1),
            descriptor(3, 2, 0),
            descriptor(4, 1, 3),
            clock(5, 2, 0, 0),
            clock(6, 1, 0, 2),
            clock(7, 1, u64::MAX, 0),
        ],
    );
    let ran = Setup::default().run(&script);
    let (badf, inval) = (u16::try_from(BADF).unwrap(), u16::try_from(INVAL).unwrap());
    let expected = [
        (1, badf, 1, 0, 0),
        (2, badf, 1, 0, 0),
        (3, badf, 2, 0, 0),
        (4, badf, 1, 0, 0),
        (5, inval, 0, 0, 0),
        (6, inval, 0, 0, 0),
    ];
    assert_eq!((ran.results[0], &events(&ran)[..]), (0, &expected[..]));
}

#[test]
fn a_call_that_waits_for_nothing_is_refused() {
    let mut script = Script::new();
    script.call("poll_oneoff", &[I(1024), I(EVENTS), I(0), I(0)]);
    script.call("poll_oneoff", &[I(1024), I(EVENTS), I(4097), I(0)]);
    poll(&mut script, &[descriptor(1, 3, 0)]);
    assert_eq!(Setup::default().run(&script).results, [INVAL; 3]);
}

#[test]
fn a_program_that_sleeps_keeps_no_timers() {
    let setup = Setup::default();
    let clock = Arc::clone(&setup.clock);
    let mut script = Script::new();
    poll(&mut script, &[self::clock(1, 1, 3600 * 1_000_000_000, 0), descriptor(2, 1, 0)]);
    let (writer, reader) = pipe(16);
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        drop(writer);
    });
    Setup { stdin: reader, ..setup }.run(&script);
    thread.join().unwrap();
    assert_eq!(clock.timers().next(), None);
}

#[test]
fn output_before_the_end_of_a_program_is_not_lost() {
    let wat = r#"(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 0) "\08\00\00\00\03\00\00\00bye")
        (func (export "_start") (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 16))) unreachable))"#;
    let setup = Setup::default();
    let clock = Arc::clone(&setup.clock);
    let program = module(&engine(), wat);
    let (process, output, errors) = setup.process(Limits::default());
    let outcome = block_on(&clock, run(&program, process, &Stop::new())).unwrap();
    assert!(matches!(outcome.status, Status::Trapped(_)));
    assert_eq!(errors.try_read(100), Available::Bytes(Bytes::from_static(b"bye")));
    assert_eq!((errors.try_read(100), output.try_read(100)), (Available::End, Available::End));
}
