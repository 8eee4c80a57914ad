// SPDX-License-Identifier: Apache-2.0

//! The statement of an engine is one canonical line, and nothing else is read as one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test may end the test")]

use enarx_runtime::engine::{CpuFeatures, EngineSpec, StatementError, Target, WASMTIME_VERSION, config};
use proptest::prelude::*;

fn spec() -> EngineSpec {
    EngineSpec::new(Target::X86_64Linux, CpuFeatures::detect(|name| ["sse3", "avx2", "fma"].contains(&name)))
        .unwrap()
}

fn malformed(statement: &str) -> &'static str {
    match EngineSpec::parse(statement) {
        Err(StatementError::Malformed { field }) => field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_statement_has_one_form() {
    let expected = "enarx-engine wasmtime=48.0.8-2 target=x86_64-unknown-linux-gnu cpu=sse3,avx2,fma";
    assert_eq!(spec().to_statement(), expected);
    assert_eq!(EngineSpec::parse(expected), Ok(spec()));
    assert_eq!(EngineSpec::parse(&EngineSpec::pulley().to_statement()), Ok(EngineSpec::pulley()));
}

#[test]
fn the_stated_version_is_the_one_in_use() {
    let lock = include_str!("../../../Cargo.lock");
    assert!(lock.contains(&format!("name = \"wasmtime\"\nversion = \"{WASMTIME_VERSION}\"")));
}

#[test]
fn the_id_is_the_digest_of_the_statement() {
    use sha2::Digest as _;
    assert_eq!(spec().id()[..], sha2::Sha256::digest(spec().to_statement())[..]);
    assert_ne!(spec().id(), EngineSpec::pulley().id());
}

#[test]
fn anything_but_the_canonical_form_is_refused() {
    let text = spec().to_statement();
    assert_eq!(malformed(""), "enarx-engine");
    assert_eq!(malformed(&text.replace("enarx-engine", "enarx-engine2")), "enarx-engine");
    assert_eq!(malformed(&text.replace("linux", "windows")), "target=");
    assert_eq!(malformed(&text.replace("sse3,avx2", "avx2,sse3")), "cpu=");
    assert_eq!(malformed(&text.replace("sse3,avx2", "sse3,sse3,avx2")), "cpu=");
    assert_eq!(malformed(&text.replace("sse3", "sse9")), "cpu=");
    assert_eq!(malformed(&text.replace("cpu=", "cpu=,")), "cpu=");
    assert_eq!(malformed(&text.replace(" target", "  target")), "target=");
    assert_eq!(malformed(&format!("{text} ")), "end");
    assert_eq!(malformed(&format!("{text}\n")), "cpu=");
    assert_eq!(malformed(&text.replace("48.0.8", "48\u{1b}[2J")), "wasmtime=");
}

#[test]
fn a_long_statement_is_not_looked_at() {
    assert_eq!(EngineSpec::parse(&"x".repeat(513)), Err(StatementError::TooLong { len: 513 }));
}

#[test]
fn another_version_is_named() {
    let text = spec().to_statement().replace("48.0.8-2", "49.0.0-2");
    assert_eq!(EngineSpec::parse(&text), Err(StatementError::OtherEngine { found: "49.0.0-2".into() }));
}

#[test]
fn an_engine_that_cannot_work_is_not_described() {
    assert_eq!(EngineSpec::new(Target::Pulley64, spec().cpu()), None);
}

#[test]
fn every_target_has_a_configuration_that_wasmtime_accepts() {
    for spec in
        [EngineSpec::pulley(), spec(), EngineSpec::new(Target::X86_64Linux, CpuFeatures::BASELINE).unwrap()]
    {
        wasmtime::Engine::new(&config(&spec).unwrap()).unwrap();
    }
}

#[cfg(feature = "std")]
#[test]
fn this_machine_runs_what_is_compiled_for_it_and_for_the_baseline() {
    let baseline = EngineSpec::new(Target::of_this_build(), CpuFeatures::BASELINE).unwrap();
    for spec in [EngineSpec::of_this_machine(), baseline, EngineSpec::pulley()] {
        let engine = wasmtime::Engine::new(&config(&spec).unwrap()).unwrap();
        let float = "(module (func (param f32) (result f32) (f32.ceil (local.get 0))))";
        wasmtime::Module::new(&engine, float).unwrap();
    }
}

proptest! {
    #[test]
    fn what_is_read_is_written_back(mask in any::<u32>(), native in any::<bool>()) {
        let mut index = 0_u32;
        let cpu = CpuFeatures::detect(|_| false);
        prop_assert_eq!(cpu, CpuFeatures::BASELINE);
        let names: Vec<_> = CpuFeatures::detect(|_| true).iter().map(|feature| feature.name).collect();
        let chosen: Vec<_> = names.into_iter().filter(|_| { index += 1; mask >> index & 1 == 1 }).collect();
        let cpu = CpuFeatures::detect(|name| chosen.contains(&name));
        let target = if native { Target::X86_64Linux } else { Target::X86_64Unikernel };
        if let Some(spec) = EngineSpec::new(target, cpu) {
            prop_assert_eq!(EngineSpec::parse(&spec.to_statement()), Ok(spec));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(enarx-engine|wasmtime=|48.0.8-2|target=|pulley64|cpu=|[ -~]){0,12}") {
        if let Ok(spec) = EngineSpec::parse(&text) {
            prop_assert_eq!(spec.to_statement(), text);
        }
    }
}
