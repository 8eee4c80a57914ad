// SPDX-License-Identifier: Apache-2.0

//! The statement of an engine and its strict parser.

use alloc::format;
use alloc::string::{String, ToString};

use sha2::{Digest, Sha256};

use super::cpu::CpuFeatures;

/// The version of wasmtime in this program, exactly: compiled code is accepted from no other.
pub const WASMTIME_VERSION: &str = "48.0.8";

/// Raised with every change of [`super::config`] that changes compiled code.
pub(super) const SETTINGS_REVISION: u32 = 2;

/// The longest statement that is read; all features together are far shorter.
pub const MAX_STATEMENT_LEN: usize = 512;

/// What compiled code runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Target {
    /// Native code in a Linux process.
    X86_64Linux,
    /// Native code in the unikernel.
    X86_64Unikernel,
    /// Bytecode of wasmtime's interpreter, for any 64-bit little-endian machine.
    Pulley64,
}

/// The engine of a Keep, as far as compiled code depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EngineSpec {
    target: Target,
    cpu: CpuFeatures,
}

/// Why a statement was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Longer than [`MAX_STATEMENT_LEN`].
    #[error("the engine statement has {len} bytes, more than {MAX_STATEMENT_LEN}")]
    TooLong {
        /// Its length.
        len: usize,
    },
    /// Well-formed, of an engine that this program cannot compile for or run.
    #[error(
        "the Keep runs wasmtime {found}, this program has wasmtime {WASMTIME_VERSION}-{SETTINGS_REVISION}"
    )]
    OtherEngine {
        /// Its version and revision of settings.
        found: String,
    },
    /// Not what [`EngineSpec::to_statement`] writes.
    #[error("the engine statement is malformed at `{field}`")]
    Malformed {
        /// The first field that is wrong.
        field: &'static str,
    },
}

impl Target {
    const ALL: [Self; 3] = [Self::X86_64Linux, Self::X86_64Unikernel, Self::Pulley64];

    /// The target triple, which wasmtime records in compiled code and compares (architecture and operating system).
    ///
    /// The unikernel has nothing of Linux. It is built for this target without `std` because that is the one whose ABI
    /// has vector registers and whose libraries stand alone; see docs/micro-vm-keep.md.
    pub fn triple(self) -> &'static str {
        match self {
            Self::X86_64Linux => "x86_64-unknown-linux-gnu",
            Self::X86_64Unikernel => "x86_64-unknown-linux-musl",
            Self::Pulley64 => "pulley64",
        }
    }

    /// The target this program itself is built for.
    pub fn of_this_build() -> Self {
        if cfg!(all(target_arch = "x86_64", target_os = "linux", feature = "std")) {
            Self::X86_64Linux
        } else if cfg!(all(target_arch = "x86_64", target_os = "linux")) {
            Self::X86_64Unikernel
        } else {
            Self::Pulley64
        }
    }
}

impl EngineSpec {
    /// An engine for `target` whose compiled code may use `cpu`.
    ///
    /// `None` where that cannot be: bytecode uses no features.
    pub fn new(target: Target, cpu: CpuFeatures) -> Option<Self> {
        let possible = match target {
            Target::X86_64Linux | Target::X86_64Unikernel => true,
            Target::Pulley64 => cpu == CpuFeatures::BASELINE,
        };
        possible.then_some(Self { target, cpu })
    }

    /// Bytecode, which every Keep can run.
    pub fn pulley() -> Self {
        Self { target: Target::Pulley64, cpu: CpuFeatures::BASELINE }
    }

    /// Native code for this very machine with all its features, or bytecode where native code is not supported.
    #[cfg(feature = "std")]
    pub fn of_this_machine() -> Self {
        Self::new(Target::of_this_build(), CpuFeatures::of_this_machine()).unwrap_or_else(Self::pulley)
    }

    /// What the code runs on.
    pub fn target(&self) -> Target {
        self.target
    }

    /// The CPU features that the code may use.
    pub fn cpu(&self) -> CpuFeatures {
        self.cpu
    }

    /// The canonical statement: one line of ASCII without an end of line, equal for equal engines.
    ///
    /// For example `enarx-engine wasmtime=48.0.8-1 target=x86_64-unknown-linux-gnu cpu=sse3,ssse3`.
    pub fn to_statement(&self) -> String {
        format!("enarx-engine wasmtime={} target={} cpu={}", Self::version(), self.target.triple(), self.cpu)
    }

    /// Reads a statement. It comes from the other side and may be anything: only the canonical form is accepted.
    pub fn parse(statement: &str) -> Result<Self, StatementError> {
        if statement.len() > MAX_STATEMENT_LEN {
            return Err(StatementError::TooLong { len: statement.len() });
        }
        let mut fields = statement.split(' ');
        let mut field = |prefix: &'static str| {
            let value = fields.next().and_then(|field| field.strip_prefix(prefix));
            value.ok_or(StatementError::Malformed { field: prefix })
        };
        if !field("enarx-engine")?.is_empty() {
            return Err(StatementError::Malformed { field: "enarx-engine" });
        }
        let version = field("wasmtime=")?;
        if version != Self::version() {
            return Err(other_version(version));
        }
        let triple = field("target=")?;
        let target = Target::ALL.into_iter().find(|target| target.triple() == triple);
        let target = target.ok_or(StatementError::Malformed { field: "target=" })?;
        let cpu = CpuFeatures::parse(field("cpu=")?).and_then(|cpu| Self::new(target, cpu));
        if fields.next().is_some() {
            return Err(StatementError::Malformed { field: "end" });
        }
        cpu.ok_or(StatementError::Malformed { field: "cpu=" })
    }

    /// The engine's identity: SHA-256 of the statement.
    pub fn id(&self) -> [u8; 32] {
        Sha256::digest(self.to_statement().as_bytes()).into()
    }

    /// Version of wasmtime and revision of our settings, as wasmtime writes it into compiled code.
    pub(super) fn version() -> String {
        format!("{WASMTIME_VERSION}-{SETTINGS_REVISION}")
    }
}

/// Another version is named in the error only when it looks like one: it is shown to people.
fn other_version(version: &str) -> StatementError {
    let plausible = !version.is_empty()
        && version.len() <= 32
        && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte));
    if plausible {
        StatementError::OtherEngine { found: version.to_string() }
    } else {
        StatementError::Malformed { field: "wasmtime=" }
    }
}
