// SPDX-License-Identifier: Apache-2.0

//! Whether the types of a program's imports and of its entry are those of a command.
//!
//! The Keep finds the same when it links the program. Here it is found before anything is sent, and told in plain
//! words. What cannot be read here is left to the compiler, which says what is wrong with it.

use enarx_package::ProgramKind;
use enarx_runtime::engine::{self, EngineSpec};
use enarx_runtime::run::Program;
use wasmparser::component_types::{ComponentDefinedType, ComponentEntityType, ComponentValType};
use wasmparser::types::{EntityType, Types, TypesRef};
use wasmparser::{Chunk, CompositeInnerType, Parser, Payload, ValidPayload, Validator, WasmFeatures};
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

use crate::CompileError;
use crate::imports::shown;
use crate::program::{RUN, START};

/// Checks the types of a valid program that is a command by the names of its imports and exports.
pub(crate) fn check(binary: &[u8], kind: ProgramKind) -> Result<(), CompileError> {
    check_imports(binary, kind)?;
    let Some((types, runs)) = types(binary) else { return Ok(()) };
    let is_entry = match kind {
        ProgramKind::Module => is_start(types.as_ref()),
        ProgramKind::Component => runs.iter().any(|name| is_run(types.as_ref(), name)),
    };
    match (is_entry, kind) {
        (true, _) => Ok(()),
        (false, ProgramKind::Module) => Err(CompileError::WrongEntry {
            entry: "the function `_start`",
            expected: "takes nothing and returns nothing",
        }),
        (false, ProgramKind::Component) => Err(CompileError::WrongEntry {
            entry: "the interface `wasi:cli/run@0.2`",
            expected: "has the function `run: func() -> result`",
        }),
    }
}

/// Links the beginning of the program, which imports all that it imports and has no code, as the Keep would.
fn check_imports(binary: &[u8], kind: ProgramKind) -> Result<(), CompileError> {
    let Some(start) = imports_only(binary) else { return Ok(()) };
    let config = engine::config(&EngineSpec::of_this_machine());
    let Ok(engine) = config.and_then(|config| Engine::new(&config)) else { return Ok(()) };
    let program = match kind {
        ProgramKind::Module => Module::new(&engine, start).map(Program::Module),
        ProgramKind::Component => Component::new(&engine, start).map(Program::Component),
    };
    let Ok(program) = program else { return Ok(()) };
    program.check_imports().map_err(|error| {
        let words: Vec<String> = error.chain().map(ToString::to_string).collect();
        CompileError::WrongImport { message: shown(&words.join(": ")) }
    })
}

/// The part of a program up to its last import that refers to nothing but types and other imports.
fn imports_only(binary: &[u8]) -> Option<&[u8]> {
    let mut parser = Parser::new(0);
    let (mut position, mut end) = (0_usize, 0);
    loop {
        let rest = binary.get(position..)?;
        let Ok(Chunk::Parsed { consumed, payload }) = parser.parse(rest, true) else { return None };
        position = position.checked_add(consumed)?;
        match payload {
            Payload::Version { .. } | Payload::ImportSection(_) | Payload::ComponentImportSection(_) => {
                end = position;
            }
            Payload::TypeSection(_)
            | Payload::CoreTypeSection(_)
            | Payload::ComponentTypeSection(_)
            | Payload::ComponentAliasSection(_)
            | Payload::CustomSection(_) => {}
            _ => return binary.get(..end),
        }
    }
}

/// The types of a valid program, and the exports of its components that may be run.
fn types(binary: &[u8]) -> Option<(Types, Vec<&str>)> {
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let (mut types, mut runs) = (None, Vec::new());
    for payload in Parser::new(0).parse_all(binary) {
        let payload = payload.ok()?;
        if let Payload::ComponentExportSection(exports) = &payload {
            let names = exports.clone().into_iter().flatten().map(|export| export.name.name);
            runs.extend(names.filter(|name| name.starts_with(RUN)));
        }
        // The insides of functions, which are most of a program, have no types that matter.
        if let ValidPayload::End(end) = validator.payload(&payload).ok()? {
            types = Some(end);
        }
    }
    types.map(|types| (types, runs))
}

fn is_start(types: TypesRef<'_>) -> bool {
    let Some(mut exports) = types.core_exports() else { return false };
    exports.any(|(name, export)| match export {
        EntityType::Func(id) if name == START => match types.get(id).map(|ty| &ty.composite_type.inner) {
            Some(CompositeInnerType::Func(start)) => start.params().is_empty() && start.results().is_empty(),
            _ => false,
        },
        _ => false,
    })
}

fn is_run(types: TypesRef<'_>, name: &str) -> bool {
    let Some(export) = types.component_item_for_export(name) else { return false };
    let ComponentEntityType::Instance(instance) = export.ty else { return false };
    let run = types.get(instance).and_then(|instance| instance.exports.get("run"));
    let Some(ComponentEntityType::Func(run)) = run.map(|run| run.ty) else { return false };
    let Some(run) = types.get(run).filter(|run| run.params.is_empty()) else { return false };
    let Some(ComponentValType::Type(result)) = run.result else { return false };
    matches!(types.get(result), Some(ComponentDefinedType::Result { ok: None, err: None, .. }))
}
