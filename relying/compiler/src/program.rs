// SPDX-License-Identifier: Apache-2.0

//! What a program is and what it needs, read from its sections without compiling anything.
//!
//! This looks for what a person has to be told in plain words. Whether the program is valid WebAssembly is decided by
//! wasmtime, which compiles it.

use enarx_package::ProgramKind;
use wasmparser::{Chunk, Encoding, Imports, Parser, Payload};

use crate::CompileError;
use crate::imports::{self, MissingImport};

/// What the linker of a core module's language exports for a program.
pub(crate) const START: &str = "_start";
/// What a component exports for a program, without its version.
pub(crate) const RUN: &str = "wasi:cli/run@0.2.";

/// Checks that a program is a command and that a Keep provides what it imports.
pub(crate) fn check(binary: &[u8]) -> Result<ProgramKind, CompileError> {
    let found = scan(binary)?;
    let missing: Vec<MissingImport> =
        found.imports.into_iter().filter(|import| !import.is_provided()).collect();
    if !missing.is_empty() {
        return Err(CompileError::MissingImports { missing: imports::sorted(missing) });
    }
    match found.kind {
        _ if found.is_command => Ok(found.kind),
        ProgramKind::Module => Err(CompileError::NotACommand { expected: "the function `_start`" }),
        ProgramKind::Component => {
            Err(CompileError::NotACommand { expected: "the interface `wasi:cli/run@0.2`" })
        }
    }
}

struct Scan {
    kind: ProgramKind,
    imports: Vec<MissingImport>,
    is_command: bool,
}

fn scan(binary: &[u8]) -> Result<Scan, CompileError> {
    let mut found = Scan { kind: ProgramKind::Module, imports: Vec::new(), is_command: false };
    let mut parser = Parser::new(0);
    let mut rest = binary;
    loop {
        let chunk = parser.parse(rest, rest.is_empty()).map_err(|error| invalid(&error))?;
        let Chunk::Parsed { consumed, payload } = chunk else {
            return Err(truncated(binary));
        };
        rest = rest.get(consumed..).unwrap_or_default();
        // What is inside of functions, inner modules and inner components does not matter here.
        let skipped = match &payload {
            Payload::ModuleSection { unchecked_range: range, .. }
            | Payload::ComponentSection { unchecked_range: range, .. } => range.len(),
            Payload::CodeSectionStart { size, .. } => {
                parser.skip_section();
                *size as usize
            }
            Payload::End(_) => return Ok(found),
            _ => 0,
        };
        rest = rest.get(skipped..).ok_or_else(|| truncated(binary))?;
        found.take(payload)?;
    }
}

impl Scan {
    fn take(&mut self, payload: Payload<'_>) -> Result<(), CompileError> {
        match payload {
            Payload::Version { encoding: Encoding::Component, .. } => self.kind = ProgramKind::Component,
            Payload::ImportSection(section) => {
                for group in section {
                    self.import(group.map_err(|error| invalid(&error))?)?;
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.map_err(|error| invalid(&error))?;
                    let function = export.kind == wasmparser::ExternalKind::Func;
                    self.is_command |= function && export.name == START;
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let name = import.map_err(|error| invalid(&error))?.name.name;
                    self.imports.push(MissingImport::interface(name));
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    self.is_command |= export.map_err(|error| invalid(&error))?.name.name.starts_with(RUN);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, group: Imports<'_>) -> Result<(), CompileError> {
        match group {
            Imports::Single(_, import) => self.imports.push(MissingImport::item(import.module, import.name)),
            Imports::Compact1 { module, items } => {
                for item in items {
                    self.imports
                        .push(MissingImport::item(module, item.map_err(|error| invalid(&error))?.name));
                }
            }
            Imports::Compact2 { module, names, .. } => {
                for name in names {
                    self.imports.push(MissingImport::item(module, name.map_err(|error| invalid(&error))?));
                }
            }
        }
        Ok(())
    }
}

fn truncated(binary: &[u8]) -> CompileError {
    CompileError::Truncated { bytes: binary.len() }
}

fn invalid(error: &wasmparser::BinaryReaderError) -> CompileError {
    CompileError::Invalid { message: error.to_string() }
}
