// SPDX-License-Identifier: Apache-2.0

//! However a workload ends, the outcome says how, and nothing but the workload ends.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test may end the test")]

mod harness;

use std::sync::Arc;
use std::time::{Duration, Instant};

use enarx_runtime::run::{
    Exceeded, Limit, Limits, Outcome, Process, RunError, Status, Stop, TrapKind, Trapped, run,
};
use harness::{Setup, Ticker, block_on, engine, engine_with_stack, module};

const SECOND: u64 = 1_000_000_000;

fn outcome(wat: &str) -> Outcome {
    Setup::default().outcome(&engine(), wat, Limits::default())
}

fn trapped(wat: &str) -> Trapped {
    match outcome(wat).status {
        Status::Trapped(trapped) => trapped,
        other => panic!("{other:?}"),
    }
}

fn exceeded(wat: &str, limits: Limits) -> Exceeded {
    match Setup::default().outcome(&engine(), wat, limits).status {
        Status::LimitExceeded { exceeded, .. } => exceeded,
        other => panic!("{other:?}"),
    }
}

fn not_run(wat: &str) -> RunError {
    let setup = Setup::default();
    let clock = Arc::clone(&setup.clock);
    let program = module(&engine(), wat);
    let (process, _output, _errors) = setup.process(Limits::default());
    block_on(&clock, run(&program, process, &Stop::new())).unwrap_err()
}

fn start(body: &str) -> String {
    format!(r#"(module (memory (export "memory") 1) (func (export "_start") {body}))"#)
}

#[test]
fn returning_is_success() {
    assert_eq!(outcome(&start("")), Outcome { status: Status::Exited(0), refused: None });
}

#[test]
fn proc_exit_is_the_status() {
    for status in [0, 1, 7, 255, 256, u32::MAX] {
        let wat = format!(
            r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
               (func (export "_start") (call $exit (i32.const {status})) unreachable))"#
        );
        assert_eq!(outcome(&wat).status, Status::Exited(status));
    }
}

#[test]
fn traps_are_told_apart() {
    let cases = [
        ("unreachable", TrapKind::Unreachable),
        ("(drop (i32.load (i32.const 65536)))", TrapKind::MemoryOutOfBounds),
        ("(drop (i32.div_s (i32.const 1) (i32.load (i32.const 0))))", TrapKind::IntegerDivisionByZero),
        ("(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))", TrapKind::IntegerOverflow),
        ("(drop (i32.trunc_f32_s (f32.const nan)))", TrapKind::BadConversionToInteger),
    ];
    for (body, kind) in cases {
        assert_eq!(trapped(&start(body)).kind, kind, "{body}");
    }
    let table = |index: u32| {
        format!(
            r#"(module (type $t (func)) (table 2 funcref) (elem (i32.const 0) $f) (func $f (param i32))
               (func (export "_start") (call_indirect (type $t) (i32.const {index}))))"#
        )
    };
    assert_eq!(trapped(&table(0)).kind, TrapKind::BadSignature);
    assert_eq!(trapped(&table(1)).kind, TrapKind::IndirectCallToNull);
    assert_eq!(trapped(&table(2)).kind, TrapKind::TableOutOfBounds);
}

#[test]
fn a_backtrace_names_functions_and_places() {
    let wat = r#"(module $program
        (global $g (mut i32) (i32.const 0))
        (func $_ZN5hello5inner17h0123456789abcdefE (global.set $g (i32.const 7)) unreachable)
        (func $plain (call $_ZN5hello5inner17h0123456789abcdefE))
        (func (export "_start") (call $plain)))"#;
    let trapped = trapped(wat);
    assert_eq!(trapped.message, "wasm `unreachable` instruction executed");
    let names: Vec<_> = trapped.backtrace.iter().map(|frame| frame.function.as_deref()).collect();
    assert_eq!(names, [Some("hello::inner"), Some("plain"), None]);
    assert!(trapped.backtrace.iter().all(|frame| frame.module.as_deref() == Some("program")));
    let indices: Vec<_> = trapped.backtrace.iter().map(|frame| frame.index).collect();
    assert_eq!(indices, [0, 1, 2]);
    let offsets: Vec<_> = trapped.backtrace.iter().map(|frame| frame.offset.unwrap()).collect();
    let binary = wat::parse_str(wat).unwrap();
    // The first function's end: `i32.const 7`, `global.set 0`, `unreachable`, `end`.
    let body = binary.windows(6).position(|bytes| bytes == [0x41, 0x07, 0x24, 0x00, 0x00, 0x0b]).unwrap();
    assert_eq!(offsets[0], u64::try_from(body).unwrap() + 4);
    assert!(offsets[0] < offsets[1] && offsets[1] < offsets[2]);
    let shown = format!("{:#x} - program!hello::inner", offsets[0]);
    assert_eq!(trapped.backtrace[0].to_string().trim_start(), shown);
}

#[test]
fn a_name_in_a_backtrace_is_bounded_and_printable() {
    let name = format!("\\1b{}", "x".repeat(10_000));
    let wat =
        format!(r#"(module (func $f (@name "{name}") unreachable) (func (export "_start") (call $f)))"#);
    let function = trapped(&wat).backtrace[0].function.clone().unwrap();
    assert!(function.len() <= enarx_runtime::run::MAX_NAME_LEN);
    assert!(function.starts_with("\u{fffd}xxx"));
}

#[test]
fn a_trap_in_a_start_function_is_a_trap() {
    let wat = r#"(module (func $init unreachable) (start $init) (func (export "_start")))"#;
    assert_eq!(trapped(wat).kind, TrapKind::Unreachable);
    let data = r#"(module (memory 1) (data (i32.const 65536) "x") (func (export "_start")))"#;
    assert_eq!(trapped(data).kind, TrapKind::MemoryOutOfBounds);
}

#[test]
fn what_cannot_be_run_is_said_to_be_so() {
    assert_eq!(not_run("(module)"), RunError::NoEntry { expected: "_start" });
    let imports = r#"(module (import "env" "a" (func)) (import "wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_fly" (func)) (func (export "_start")))"#;
    let names = vec!["env::a".to_owned(), "wasi_snapshot_preview1::fd_fly".to_owned()];
    let error = not_run(imports);
    assert_eq!(
        error.to_string(),
        "the program imports what a Keep does not provide: `env::a`, `wasi_snapshot_preview1::fd_fly`"
    );
    assert_eq!(error, RunError::MissingImports { names });
    let other_type =
        r#"(module (import "wasi_snapshot_preview1" "fd_close" (func)) (func (export "_start")))"#;
    assert!(matches!(not_run(other_type), RunError::Start { .. }));
    let parameters = r#"(module (func (export "_start") (param i32)))"#;
    assert!(matches!(not_run(parameters), RunError::Start { .. }));
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let mut setup = Setup::default();
    setup.preopens[0].path = "/nowhere".into();
    let clock = Arc::clone(&setup.clock);
    let program = module(&engine(), &start(""));
    let (process, _output, _errors): (Process, _, _) = setup.process(Limits::default());
    let error = block_on(&clock, run(&program, process, &Stop::new())).unwrap_err();
    assert_eq!(error, RunError::NoDirectory { path: "/nowhere".into() });
}

#[test]
fn memory_to_start_with_beyond_the_limit_is_refused() {
    let limits = Limits { memory_bytes: 3 << 16, ..Limits::default() };
    let wat = r#"(module (memory 2) (memory 2) (func (export "_start")))"#;
    let exceeded = exceeded(wat, limits);
    assert_eq!(exceeded, Exceeded { limit: Limit::Memory, value: 3 << 16, asked: Some(4 << 16) });
    assert_eq!(exceeded.to_string(), "asked for 262144 bytes of memory, the limit is 196608");
}

#[test]
fn a_table_to_start_with_beyond_the_limit_is_refused() {
    let limits = Limits { table_elements: 10, ..Limits::default() };
    let wat = r#"(module (table 6 funcref) (table 5 funcref) (func (export "_start")))"#;
    assert_eq!(exceeded(wat, limits), Exceeded { limit: Limit::TableElements, value: 10, asked: Some(11) });
}

#[test]
fn counts_are_limited() {
    let limits = || Limits { memories: 1, tables: 1, instances: 1, ..Limits::default() };
    let memories = r#"(module (memory 0) (memory 0) (func (export "_start")))"#;
    assert_eq!(exceeded(memories, limits()), Exceeded { limit: Limit::Memories, value: 1, asked: Some(2) });
    let tables = r#"(module (table 0 funcref) (table 0 funcref) (func (export "_start")))"#;
    assert_eq!(exceeded(tables, limits()), Exceeded { limit: Limit::Tables, value: 1, asked: Some(2) });
    let none = Limits { instances: 0, ..Limits::default() };
    assert_eq!(exceeded(&start(""), none), Exceeded { limit: Limit::Instances, value: 0, asked: Some(1) });
}

#[test]
fn growth_beyond_the_limit_is_minus_one_and_explains_the_end() {
    let limits = || Limits { memory_bytes: 4 << 16, ..Limits::default() };
    let refused = Some(Exceeded { limit: Limit::Memory, value: 4 << 16, asked: Some(5 << 16) });
    let grow = "(i32.ne (memory.grow (i32.const 4)) (i32.const -1)) if unreachable end
                (i32.ne (memory.grow (i32.const 3)) (i32.const 1)) if unreachable end";
    let run = |body: &str| Setup::default().outcome(&engine(), &start(body), limits());
    let fine = run(grow);
    assert_eq!(fine, Outcome { status: Status::Exited(0), refused: None });
    let gives_up = run(&format!("{grow} unreachable"));
    assert!(matches!(gives_up.status, Status::Trapped(Trapped { kind: TrapKind::Unreachable, .. })));
    assert_eq!(gives_up.refused, refused);
}

#[test]
fn growth_that_fails_for_another_reason_does_not_lower_the_count() {
    let limits = Limits { memory_bytes: 4 << 16, ..Limits::default() };
    // 65536 more pages do not fit into 32 bits at all, which is refused without asking.
    let body = "(drop (memory.grow (i32.const 2))) (drop (memory.grow (i32.const 65535)))
                (drop (memory.grow (i32.const 65536)))
                (i32.ne (memory.grow (i32.const 2)) (i32.const -1)) if unreachable end
                (i32.ne (memory.grow (i32.const 1)) (i32.const 3)) if unreachable end";
    assert_eq!(Setup::default().outcome(&engine(), &start(body), limits).status, Status::Exited(0));
}

#[test]
fn a_program_own_maximum_is_not_our_limit() {
    let wat = r#"(module (memory (export "memory") 1 1) (func (export "_start") (drop (memory.grow (i32.const 1))) unreachable))"#;
    assert_eq!(outcome(wat).refused, None);
}

#[test]
fn table_growth_beyond_the_limit_is_minus_one() {
    let limits = Limits { table_elements: 10, ..Limits::default() };
    let wat = r#"(module (table 1 funcref) (func (export "_start")
        (i32.ne (table.grow (ref.null func) (i32.const 10)) (i32.const -1)) if unreachable end
        (i32.ne (table.grow (ref.null func) (i32.const 9)) (i32.const 1)) if unreachable end))"#;
    assert_eq!(Setup::default().outcome(&engine(), wat, limits).status, Status::Exited(0));
}

#[test]
fn a_used_up_stack_is_a_limit_with_a_backtrace() {
    let stack: u32 = 128 << 10;
    let limits = Limits { stack_bytes: u64::from(stack), ..Limits::default() };
    let wat = r#"(module (func $forever (call $forever) (call $forever)) (func (export "_start") (call $forever)))"#;
    let engine = engine_with_stack(usize::try_from(stack).unwrap());
    match Setup::default().outcome(&engine, wat, limits).status {
        Status::LimitExceeded { exceeded, backtrace } => {
            assert_eq!(exceeded, Exceeded { limit: Limit::Stack, value: u64::from(stack), asked: None });
            assert_eq!(exceeded.to_string(), "used up its stack of 131072 bytes");
            assert_eq!(backtrace[0].function.as_deref(), Some("forever"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_endless_loop_ends_at_its_run_time() {
    let engine = engine();
    let _ticker = Ticker::start(&engine);
    let limits = Limits { run_time: Some(SECOND / 10), ..Limits::default() };
    let started = Instant::now();
    let outcome = Setup::default().outcome(&engine, &start("(loop (br 0))"), limits);
    match outcome.status {
        Status::LimitExceeded { exceeded, backtrace } => {
            assert_eq!(exceeded, Exceeded { limit: Limit::RunTime, value: SECOND / 10, asked: None });
            assert_eq!(exceeded.to_string(), "ran longer than its limit of 0.100 s");
            assert!(backtrace.is_empty());
        }
        other => panic!("{other:?}"),
    }
    assert!(started.elapsed() >= Duration::from_millis(100));
}

#[test]
fn waiting_counts_as_run_time() {
    let setup = Setup { stdin: enarx_runtime::io::pipe(1).1, ..Setup::default() };
    let (writer, reader) = enarx_runtime::io::pipe(1);
    let setup = Setup { stdin: reader, ..setup };
    let limits = Limits { run_time: Some(SECOND / 20), ..Limits::default() };
    let outcome = setup.outcome(&engine(), READS_FOREVER, limits);
    drop(writer);
    assert!(matches!(
        outcome.status,
        Status::LimitExceeded { exceeded: Exceeded { limit: Limit::RunTime, .. }, .. }
    ));
}

const READS_FOREVER: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 4) "\04")
    (func (export "_start") (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

fn stopped_after(wat: &str, delay: Duration) -> (Status, Duration) {
    let engine = engine();
    let _ticker = Ticker::start(&engine);
    let (_writer, stdin) = enarx_runtime::io::pipe(1);
    let setup = Setup { stdin, ..Setup::default() };
    let clock = Arc::clone(&setup.clock);
    let program = module(&engine, wat);
    let (process, _output, _errors) = setup.process(Limits::default());
    let stop = Stop::new();
    let requester = stop.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(delay);
        requester.request();
        Instant::now()
    });
    let outcome = block_on(&clock, run(&program, process, &stop)).unwrap();
    let ended = Instant::now();
    (outcome.status, ended.saturating_duration_since(thread.join().unwrap()))
}

#[test]
fn a_stop_request_ends_an_endless_loop_promptly() {
    let (status, took) = stopped_after(&start("(loop (br 0))"), Duration::from_millis(30));
    assert_eq!(status, Status::Stopped);
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_stop_request_ends_a_program_that_waits() {
    let (status, took) = stopped_after(READS_FOREVER, Duration::from_millis(30));
    assert_eq!(status, Status::Stopped);
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_stop_request_before_the_start_is_kept() {
    let setup = Setup::default();
    let clock = Arc::clone(&setup.clock);
    let program = module(&engine(), &start("unreachable"));
    let (process, _output, _errors) = setup.process(Limits::default());
    let stop = Stop::new();
    stop.request();
    let outcome = block_on(&clock, run(&program, process, &stop)).unwrap();
    assert_eq!(outcome, Outcome { status: Status::Stopped, refused: None });
}

#[test]
fn a_computing_workload_lets_others_run_on_its_thread() {
    let engine = engine();
    let _ticker = Ticker::start(&engine);
    let setup = Setup::default();
    let clock = Arc::clone(&setup.clock);
    let time = harness::time(&clock);
    let program = module(&engine, &start("(loop (br 0))"));
    let (process, _output, _errors) = setup.process(Limits::default());
    let stop = Stop::new();
    // Another task of the same executor does three things while the program computes, and then ends it.
    let other = async {
        for _ in 0..3 {
            time.sleep_until(time.monotonic() + SECOND / 100).await;
        }
        stop.request();
    };
    let (outcome, ()) = block_on(&clock, futures_util::future::join(run(&program, process, &stop), other));
    assert_eq!(outcome.unwrap().status, Status::Stopped);
}

#[test]
fn a_program_with_a_bad_pointer_is_told_what_it_did() {
    let wat = |pointer: &str| {
        format!(
            r#"(module (import "wasi_snapshot_preview1" "clock_time_get" (func $f (param i32 i64 i32) (result i32)))
            (memory (export "memory") 1)
            (func $bad (drop (call $f (i32.const 0) (i64.const 0) (i32.const {pointer}))))
            (func (export "_start") (call $bad)))"#
        )
    };
    let outside = trapped(&wat("0xfffffff8"));
    assert_eq!(outside.kind, TrapKind::Wasi);
    assert_eq!(
        outside.message,
        "clock_time_get: a pointer to 8 bytes at 0xfffffff8 is outside of the memory"
    );
    assert_eq!(outside.backtrace[0].function.as_deref(), Some("bad"));
    let misaligned = trapped(&wat("4"));
    assert_eq!(misaligned.message, "clock_time_get: the pointer 0x4 is not aligned to 8 bytes");
}

#[test]
fn a_program_without_memory_cannot_call_functions() {
    let wat = r#"(module (import "wasi_snapshot_preview1" "fd_close" (func $f (param i32) (result i32)))
        (func (export "_start") (drop (call $f (i32.const 0)))))"#;
    assert_eq!(trapped(wat).message, "a function of WASI was called by a program without a memory");
}
