// SPDX-License-Identifier: Apache-2.0

//! Compilation on the tenant's machine, ahead of time: there is no compiler inside a Keep.
//!
//! [`read_program`] reads a file and refuses what cannot be a program before reading all of it. [`Compiler::compile`]
//! checks the program (is it a command, does a Keep provide what it imports), compiles it for exactly the engine that
//! the Keep stated, and keeps the result for the next time.
//!
//! Compiled code is executed without further checks by design, so an entry of the cache is used only if a key that
//! never leaves this user's account says that this very compiler made it, from this very program, for this
//! very engine. Anything else is compiled again.

mod cache;
mod imports;
mod program;
mod signatures;
mod source;

use std::fmt;
use std::path::PathBuf;

use enarx_package::ProgramKind;
use enarx_runtime::engine::{self, EngineSpec};
use sha2::{Digest as _, Sha256};

pub use cache::{CacheError, DEFAULT_CACHE_BYTES};
pub use imports::MissingImport;
pub use source::{MAX_PROGRAM_BYTES, ReadError, read_program};

/// Compiles programs and remembers the results.
#[derive(Clone, Debug)]
pub struct Compiler {
    cache: Option<cache::Settings>,
}

/// A program that an engine can load.
pub struct Compiled {
    /// Whether it is a module or a component.
    pub kind: ProgramKind,
    /// The compiled code.
    pub code: Vec<u8>,
    /// Whether it came from the cache.
    pub cached: bool,
    /// Why the cache was not used, if it should have been. The result is as good.
    pub warning: Option<CacheError>,
}

/// What [`Compiler::compile`] is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Took the code from the cache.
    Reused,
    /// Compiles a program of this many bytes, which can take seconds.
    Compiling {
        /// Size of the program.
        bytes: usize,
    },
}

/// Why a program was not compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// Not WebAssembly in either form.
    #[error("not a WebAssembly program: {found}")]
    NotWasm {
        /// What it looks like.
        found: &'static str,
    },
    /// Longer than [`MAX_PROGRAM_BYTES`].
    #[error("the program has {bytes} bytes, more than {MAX_PROGRAM_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// WebAssembly that ends in the middle.
    #[error("the program is cut off: it ends at byte {bytes} in the middle of something")]
    Truncated {
        /// Its size.
        bytes: usize,
    },
    /// A version of the binary format that does not exist yet, or not any more.
    #[error("the program has version {version} of the binary format, which is not known")]
    UnknownVersion {
        /// The four bytes after the magic number.
        version: String,
    },
    /// Text that is not WebAssembly text.
    #[error("not WebAssembly text: {message}")]
    Text {
        /// The parser's words, with line and column.
        message: String,
    },
    /// WebAssembly that breaks a rule or uses what the engine does not offer.
    #[error("the program is not valid: {message}")]
    Invalid {
        /// The validator's words, with the offset.
        message: String,
    },
    /// A library.
    #[error("the program is a library, not a command: it does not export {expected}")]
    NotACommand {
        /// What a command exports.
        expected: &'static str,
    },
    /// Imports that a Keep does not provide, all of them.
    #[error("a Keep does not provide what the program imports: {}", imports::list(.missing))]
    MissingImports {
        /// The imports.
        missing: Vec<MissingImport>,
    },
    /// An import that a Keep provides with another type.
    #[error("a Keep provides something that the program imports, and in another form: {message}")]
    WrongImport {
        /// The linker's words.
        message: String,
    },
    /// An entry of another type than a command's.
    #[error("the program cannot be started: {entry} of a command {expected}, its own is different")]
    WrongEntry {
        /// What is called to start it.
        entry: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The compiler itself failed.
    #[error("the compiler failed: {message}")]
    Engine {
        /// Its words.
        message: String,
    },
}

// Megabytes of code say nothing to a reader.
impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled")
            .field("kind", &self.kind)
            .field("code", &format_args!("{} bytes", self.code.len()))
            .field("cached", &self.cached)
            .field("warning", &self.warning)
            .finish()
    }
}

impl CompileError {
    /// How to put it right, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotWasm { .. } => Some(
                "build your program for the target `wasm32-wasip1` or `wasm32-wasip2` and pass the `.wasm` file",
            ),
            Self::Truncated { .. } => Some("build or download the program again"),
            Self::NotACommand { .. } => Some(
                "build it as a program with a `main` function; in Rust, not with `crate-type = [\"cdylib\"]`",
            ),
            Self::MissingImports { missing } => imports::hint(missing),
            Self::WrongImport { .. } => Some(
                "build the program again with a toolchain of today: it has another idea of WASI than the standard",
            ),
            Self::WrongEntry { .. } => Some("build it as a program with a `main` function"),
            _ => None,
        }
    }
}

impl Compiler {
    /// A compiler that keeps its results in `cache_dir`, if one is given.
    ///
    /// The directory is made when it is first needed, for this user alone. It never makes a compilation fail.
    pub fn new(cache_dir: Option<PathBuf>) -> Self {
        Self { cache: cache_dir.map(cache::Settings::new) }
    }

    /// Keeps the key that authenticates cached results in `path` (made on first use) instead of in the cache directory.
    #[must_use]
    pub fn key_file(mut self, path: PathBuf) -> Self {
        if let Some(cache) = &mut self.cache {
            cache.key_file = path;
        }
        self
    }

    /// Keeps at most this many bytes, dropping what was not used for longest.
    #[must_use]
    pub fn cache_limit(mut self, bytes: u64) -> Self {
        if let Some(cache) = &mut self.cache {
            cache.limit = bytes;
        }
        self
    }

    /// Checks and compiles `wasm` (binary or text) for the engine of a Keep.
    pub fn compile(
        &self,
        wasm: &[u8],
        spec: &EngineSpec,
        progress: &mut dyn FnMut(Step),
    ) -> Result<Compiled, CompileError> {
        source::check_start(wasm, wasm.len() as u64)?;
        let name = cache::Name { program: Sha256::digest(wasm).into(), engine: spec.id() };
        let (cache, mut warning) = match self.cache.as_ref().map(cache::Settings::open) {
            None => (None, None),
            Some(Ok(cache)) => (Some(cache), None),
            Some(Err(error)) => (None, Some(error)),
        };
        if let Some((kind, code)) = cache.as_ref().and_then(|cache| cache.load(&name)) {
            progress(Step::Reused);
            return Ok(Compiled { kind, code, cached: true, warning });
        }
        let binary = source::to_binary(wasm)?;
        let kind = program::check(&binary)?;
        progress(Step::Compiling { bytes: binary.len() });
        let code = precompile(&binary, kind, *spec)?;
        signatures::check(&binary, kind)?;
        if let Some(cache) = &cache {
            warning = cache.store(&name, kind, &code).err();
        }
        Ok(Compiled { kind, code, cached: false, warning })
    }
}

fn precompile(binary: &[u8], kind: ProgramKind, spec: EngineSpec) -> Result<Vec<u8>, CompileError> {
    let failed = |error: wasmtime::Error| CompileError::Engine { message: format!("{error:#}") };
    let config = engine::config(&spec).map_err(failed)?;
    let engine = wasmtime::Engine::new(&config).map_err(failed)?;
    let code = match kind {
        ProgramKind::Module => engine.precompile_module(binary),
        ProgramKind::Component => engine.precompile_component(binary),
    };
    code.map_err(|error| CompileError::Invalid { message: format!("{error:#}") })
}
