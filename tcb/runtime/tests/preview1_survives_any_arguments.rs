// SPDX-License-Identifier: Apache-2.0

//! A program may call every function with anything: it gets an error or a trap, and the Keep goes on.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test may end the test")]

mod harness;

use std::sync::Arc;

use bytes::Bytes;
use enarx_runtime::io::Writer;
use enarx_runtime::run::{Limit, Limits, Status, Stop, TrapKind, run};
use enarx_runtime::vfs::Access;
use harness::script::{Arg, I, L, SIGNATURES, Script};
use harness::{Setup, Ticker, block_on, engine, module};
use proptest::prelude::*;
use proptest::sample::select;

/// Numbers at which something changes: ends of memory, descriptors that are open, places of texts and structures.
const INTERESTING: [u32; 22] = [
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    16,
    64,
    1023,
    1024,
    1025,
    4096,
    0x4000,
    0xfff8,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fff8,
    u32::MAX,
];

fn argument(kind: char) -> BoxedStrategy<Arg> {
    let number = prop_oneof![4 => select(&INTERESTING[..]), 1 => any::<u32>()];
    match kind {
        'i' => number.prop_map(I).boxed(),
        _ => prop_oneof![
            3 => number.prop_map(|low| L(u64::from(low))),
            1 => any::<u64>().prop_map(L),
            1 => select(vec![1 << 63, u64::MAX, i64::MAX.cast_unsigned()]).prop_map(L),
        ]
        .boxed(),
    }
}

fn call() -> impl Strategy<Value = (&'static str, Vec<Arg>)> {
    select(SIGNATURES).prop_flat_map(|(name, signature): (&'static str, &'static str)| {
        let arguments: Vec<_> = signature.chars().map(argument).collect();
        (Just(name), arguments)
    })
}

/// Runs the calls and says how the program ended.
fn end(calls: &[(&str, Vec<Arg>)], seed: &[u8]) -> Status {
    let mut script = Script::new();
    script.bytes(0, seed).bytes(0x4000, b"f\0d/g../to-f");
    for (name, arguments) in calls {
        script.call(name, arguments);
    }
    let setup = Setup::default();
    setup.files.seed_file("/f", Bytes::from_static(b"01234"), Access::ReadWrite).unwrap();
    setup.files.seed_file("/d/g", Bytes::from_static(b"g"), Access::ReadOnly).unwrap();
    let clock = Arc::clone(&setup.clock);
    let engine = engine();
    let _ticker = Ticker::start(&engine);
    let program = module(&engine, &script.wat());
    let limits = Limits { run_time: Some(100_000_000), ..Limits::default() };
    let (mut process, _output, _errors) = setup.process(limits);
    process.stdout = Writer::null();
    process.stderr = Writer::closed();
    block_on(&clock, run(&program, process, &Stop::new())).unwrap().status
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_call_ends_in_a_result_or_a_trap(
        calls in prop::collection::vec(call(), 1..40),
        seed in prop::collection::vec(any::<u8>(), 0..2048),
    ) {
        match end(&calls, &seed) {
            Status::Exited(0) => {}
            Status::Trapped(trapped) => prop_assert_eq!(trapped.kind, TrapKind::Wasi),
            // It may have asked to sleep.
            Status::LimitExceeded { exceeded, .. } => prop_assert_eq!(exceeded.limit, Limit::RunTime),
            other => panic!("{other:?}"),
        }
    }
}
