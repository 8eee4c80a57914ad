// SPDX-License-Identifier: Apache-2.0

//! Every wrong program has its own error, which names all that is wrong with it.
#![allow(clippy::unwrap_used, reason = "a test fails where something cannot be set up")]

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};

use enarx_compiler::{CompileError, Compiled, Compiler, ReadError, Step, read_program};
use enarx_package::ProgramKind;
use enarx_runtime::engine::{CpuFeatures, EngineSpec, Target};

const COMMAND: &str = r#"(module
    (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
    (memory (export "memory") 1)
    (func (export "_start") i32.const 7 call 0))"#;

/// Without names: a name section at the end is the one part that a program can lose and be whole.
const COMPONENT: &str = r#"(component
    (import "wasi:cli/exit@0.2.3" (instance))
    (core module (func (export "run") (result i32) i32.const 0))
    (core instance (instantiate 0))
    (func (result (result)) (canon lift (core func 0 "run")))
    (instance (export "run" (func 0)))
    (export "wasi:cli/run@0.2.3" (instance 1)))"#;

fn compile(wasm: &[u8]) -> Result<Compiled, CompileError> {
    Compiler::new(None).compile(wasm, &EngineSpec::of_this_machine(), &mut |_| ())
}

fn refusal(wasm: &[u8]) -> String {
    compile(wasm).unwrap_err().to_string()
}

#[test]
fn a_module_compiles_from_text_and_from_binary() {
    let mut steps = Vec::new();
    let text = Compiler::new(None)
        .compile(COMMAND.as_bytes(), &EngineSpec::of_this_machine(), &mut |step| steps.push(step))
        .unwrap();
    let binary = wat::parse_str(COMMAND).unwrap();
    assert_eq!(steps, [Step::Compiling { bytes: binary.len() }]);
    let compiled = compile(&binary).unwrap();
    assert_eq!((compiled.kind, compiled.cached), (ProgramKind::Module, false));
    assert!(compiled.warning.is_none());
    assert_eq!(text.code, compiled.code);
}

#[test]
fn a_component_compiles() {
    assert_eq!(compile(COMPONENT.as_bytes()).unwrap().kind, ProgramKind::Component);
}

#[test]
fn code_for_another_machine_differs_from_code_for_this_one() {
    let compile = |spec| Compiler::new(None).compile(COMMAND.as_bytes(), &spec, &mut |_| ()).unwrap().code;
    let native = compile(EngineSpec::of_this_machine());
    let baseline = compile(EngineSpec::new(Target::X86_64Linux, CpuFeatures::BASELINE).unwrap());
    let pulley = compile(EngineSpec::pulley());
    assert_ne!(native, pulley);
    assert_ne!(baseline, pulley);
}

#[test]
fn the_unikernel_gets_code_for_its_own_target() {
    let compile = |target, cpu| {
        let spec = EngineSpec::new(target, cpu).unwrap();
        Compiler::new(None).compile(COMMAND.as_bytes(), &spec, &mut |_| ()).unwrap().code
    };
    // Code for Linux loads in the unikernel and the other way round: the ABI is one. What they reserve for growing
    // memory is not.
    let baseline = compile(Target::X86_64Unikernel, CpuFeatures::BASELINE);
    assert_ne!(baseline, compile(Target::X86_64Linux, CpuFeatures::BASELINE));
    assert_ne!(baseline, compile(Target::X86_64Unikernel, CpuFeatures::of_this_machine()));
}

#[test]
fn what_is_not_wasm_is_called_what_it_is() {
    assert_eq!(refusal(b""), "not a WebAssembly program: the file is empty");
    assert_eq!(
        refusal(b"\x7fELF\x02\x01"),
        "not a WebAssembly program: it is a native program for Linux (ELF)"
    );
    assert_eq!(refusal(b"#!/bin/sh\n"), "not a WebAssembly program: it is a script");
    assert_eq!(refusal(&[0; 64]), "not a WebAssembly program: it begins with zeros");
    assert_eq!(
        refusal(b"hello"),
        "not a WebAssembly program: it begins neither with the magic number `\\0asm` nor with WebAssembly text"
    );
    assert_eq!(refusal(b"\0as"), "not a WebAssembly program: the file ends within the magic number");
    assert_eq!(
        refusal(b"\0asm\x02\0\0\0"),
        "the program has version 02000000 of the binary format, which is not known"
    );
}

/// Where a section ends and another one could begin.
fn boundaries(binary: &[u8]) -> Vec<usize> {
    let mut end = 8;
    let mut boundaries = vec![end];
    while let Some([_, length, ..]) = binary.get(end..) {
        assert!(*length < 0x80, "a length of one byte");
        end += 2 + usize::from(*length);
        boundaries.push(end);
    }
    assert_eq!(boundaries.last(), Some(&binary.len()));
    boundaries
}

#[test]
fn every_truncation_of_a_program_is_refused() {
    for text in [COMMAND, COMPONENT] {
        let binary = wat::parse_str(text).unwrap();
        let boundaries = boundaries(&binary);
        for length in 8..binary.len() {
            let error = compile(&binary[..length]).unwrap_err();
            // Cut between two sections, what is left is not cut off but lacks something.
            let expected = !boundaries.contains(&length);
            assert_eq!(matches!(error, CompileError::Truncated { .. }), expected, "cut at {length}: {error}");
        }
    }
}

#[test]
fn a_mistake_in_text_has_line_and_column() {
    let error = refusal(b"(module\n  (func $f i32.cnst 1))");
    assert!(error.starts_with("not WebAssembly text: unknown operator or unexpected token"), "{error}");
    assert!(error.contains("2:12"), "{error}");
}

#[test]
fn an_invalid_program_is_refused_with_the_offset() {
    let error = refusal(br#"(module (func (export "_start") (result i32)))"#);
    assert!(error.starts_with("the program is not valid: "), "{error}");
    assert!(error.contains("offset"), "{error}");
}

#[test]
fn a_library_is_not_a_command() {
    let error = compile(br#"(module (func (export "add")))"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the program is a library, not a command: it does not export the function `_start`"
    );
    assert!(error.hint().unwrap().contains("`main`"));
    let error = compile(b"(component)").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the program is a library, not a command: it does not export the interface `wasi:cli/run@0.2`"
    );
}

#[test]
fn all_missing_imports_of_a_module_are_named_once() {
    let error = compile(
        br#"(module
            (import "env" "b" (func)) (import "env" "a" (func)) (import "env" "a" (func))
            (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "sock_open" (func))
            (import "evil\1b[31m" "x" (memory 1))
            (func (export "_start")))"#,
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "a Keep does not provide what the program imports: \
         `env.a`, `env.b`, `evil\\u{1b}[31m.x`, `wasi_snapshot_preview1.sock_open`"
    );
    assert!(error.hint().unwrap().contains("Emscripten"));
}

#[test]
fn all_missing_imports_of_a_component_are_named() {
    let error = compile(
        br#"(component
            (import "wasi:http/types@0.2.0" (instance))
            (import "wasi:cli/stdin@0.2.9" (instance))
            (import "wasi:cli/stdin@0.3.0" (instance))
            (import "acme:own/thing" (instance))
            (import "plain" (func)))"#,
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "a Keep does not provide what the program imports: \
         `acme:own/thing`, `plain`, `wasi:cli/stdin@0.3.0`, `wasi:http/types@0.2.0`"
    );
    assert_eq!(error.hint(), Some("networked workloads are not supported yet by this version"));
}

#[test]
fn an_endless_list_of_missing_imports_is_cut() {
    let mut imports = String::new();
    for number in 100..200 {
        imports.extend(["(import \"env\" \"f", &number.to_string(), "\" (func))"]);
    }
    let error = refusal(format!("(module {imports})").as_bytes());
    assert!(error.ends_with("`env.f118`, `env.f119`, and 80 more"), "{error}");
}

#[test]
fn a_program_for_threads_is_told_so() {
    for text in [
        r#"(module (import "wasi" "thread-spawn" (func (param i32) (result i32))))"#,
        r#"(module (import "env" "memory" (memory 1 1 shared)))"#,
    ] {
        assert!(compile(text.as_bytes()).unwrap_err().hint().unwrap().contains("wasi-threads"));
    }
}

#[test]
fn an_import_of_another_type_is_found_and_named() {
    let error = compile(
        br#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32)))
            (func (export "_start")))"#,
    )
    .unwrap_err();
    assert!(matches!(error, CompileError::WrongImport { .. }), "{error}");
    assert!(error.to_string().contains("`wasi_snapshot_preview1::fd_write`"), "{error}");
    assert!(error.hint().is_some());
    let global =
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (global i32)) (func (export "_start")))"#;
    assert!(refusal(global.as_bytes()).contains("`wasi_snapshot_preview1::proc_exit`"));

    let imported =
        r#"(import "wasi:cli/exit@0.2.3" (instance (export "exit" (func (param "code" string)))))"#;
    let component = COMPONENT.replace(r#"(import "wasi:cli/exit@0.2.3" (instance))"#, imported);
    assert_ne!(component, COMPONENT);
    let error = compile(component.as_bytes()).unwrap_err();
    assert!(matches!(error, CompileError::WrongImport { .. }), "{error}");
    assert!(error.to_string().contains("wasi:cli/exit@0.2.3"), "{error}");
}

#[test]
fn an_entry_of_another_type_is_found() {
    for signature in ["(param i32)", "(result i32) i32.const 0"] {
        let error = refusal(format!(r#"(module (func (export "_start") {signature}))"#).as_bytes());
        assert_eq!(
            error,
            "the program cannot be started: the function `_start` of a command takes nothing and returns nothing, \
             its own is different"
        );
    }
    let component = COMPONENT.replace("(func (result (result))", "(func (result bool)");
    assert_ne!(component, COMPONENT);
    assert_eq!(
        refusal(component.as_bytes()),
        "the program cannot be started: the interface `wasi:cli/run@0.2` of a command has the function \
         `run: func() -> result`, its own is different"
    );
}

#[test]
fn quoted_text_cannot_control_a_terminal_or_fill_it() {
    let error = refusal(b"(module \"\x1b[2J)");
    assert!(!error.contains('\x1b'), "{error:?}");
    let long = format!("(module (func $f {}i32.cnst))", "nop ".repeat(10_000));
    let error = refusal(long.as_bytes());
    assert!(error.contains("unknown operator") && error.contains(":1:"), "{error}");
    assert!(error.len() < 500, "{} bytes", error.len());
    let bidi = refusal(br#"(module (import "a\u{202e}b" "c" (func)))"#);
    assert!(bidi.contains("`a\\u{202e}b.c`"), "{bidi:?}");
}

#[test]
fn a_gibibyte_of_zeros_is_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zeros.wasm");
    File::create(&path).unwrap().set_len(1 << 30).unwrap();
    let start = Instant::now();
    let error = read_program(&path).unwrap_err();
    let ReadError::Program { source: CompileError::NotWasm { found }, .. } = error else {
        panic!("another error: {error}");
    };
    assert_eq!(found, "it begins with zeros");
    assert!(start.elapsed() < Duration::from_secs(1), "read the whole file");
}

#[test]
fn a_file_over_the_limit_is_refused_without_reading_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("huge.wasm");
    let mut file = File::create(&path).unwrap();
    file.write_all(b"\0asm\x01\0\0\0").unwrap();
    file.set_len(1 << 30).unwrap();
    let error = read_program(&path).unwrap_err();
    assert!(
        matches!(error, ReadError::Program { source: CompileError::TooLarge { bytes }, .. } if bytes == 1 << 30)
    );
}

#[test]
fn a_program_is_read_whole_and_a_missing_one_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("p.wasm");
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    bytes.resize(10_000, 0);
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(read_program(&path).unwrap(), bytes);
    let missing = directory.path().join("nothing.wasm");
    assert_eq!(
        read_program(&missing).unwrap_err().to_string(),
        format!("could not read `{}`", missing.display())
    );
    let error = read_program(directory.path()).unwrap_err();
    assert!(
        matches!(error, ReadError::Io { source, .. } if source.kind() == std::io::ErrorKind::IsADirectory)
    );
}
