// SPDX-License-Identifier: Apache-2.0

//! What is sealed to a Keep: everything the Keep needs to run the workload, and nothing else.
//!
//! On the wire a bundle is one CBOR array (RFC 8949) of definite lengths:
//!
//! ```text
//! [ version = 1, program kind, [limit, …], [argument, …], [[name, value], …],
//!   [[descriptor kind, name], …], [[path, entry kind, contents], …], compiled code ]
//! ```
//!
//! A descriptor that is a socket has a third item, `[address, port, protocol, whether clients need a certificate, path of
//! trust anchors or null, [name, …]]`.
//!
//! The numbers for kinds are those of the workload digest (`docs/workload-digest.md`). The code comes last and is not
//! copied by [`Bundle::decode`], which says where it lies in the input instead.

mod decode;
mod encode;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::limits::{LimitError, Limits};
use crate::path::PathError;
use crate::secret::Secret;
use crate::stdio::Descriptor;
use crate::tree::{FileTree, TreeError};

/// The one version of the encoding.
pub const VERSION: u64 = 1;
/// Longest compiled code.
pub const MAX_CODE_BYTES: usize = 1 << 30;

/// A workload that is ready to run. `Code` is the compiled code, or its place in the decoded bytes.
#[derive(Clone)]
pub struct Bundle<Code = Vec<u8>> {
    /// Whether the code is a module or a component.
    pub program: ProgramKind,
    /// The argument vector, the program's own name (`main.wasm`) first.
    pub args: Vec<String>,
    /// The environment, names sorted. Every value is kept as a secret, because some are.
    pub env: Vec<(String, Secret)>,
    /// The open descriptors, from number 0.
    pub stdio: Vec<Descriptor>,
    /// What the in-Keep file system starts from.
    pub files: FileTree,
    /// What the workload may use.
    pub limits: Limits,
    /// Compiled code for the engine that the Keep stated.
    pub code: Code,
}

/// A bundle as a Keep sees it: the code stays where the owner's bytes are.
pub type DecodedBundle = Bundle<Range<usize>>;

/// The two kinds of WebAssembly program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramKind {
    /// A core module, which uses WASI preview 1.
    Module,
    /// A component, which uses WASI 0.2.
    Component,
}

/// Bytes that are not a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("workload bundle: {problem} at byte {offset}")]
pub struct BundleError {
    /// What is wrong.
    pub problem: BundleProblem,
    /// Where the wrong item ends.
    pub offset: usize,
}

/// What can be wrong with the bytes of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleProblem {
    /// The bytes end too early, or are not CBOR of the expected type.
    #[error("expected {expected}")]
    Malformed {
        /// What belongs there.
        expected: &'static str,
    },
    /// Made by another version.
    #[error("version {found} is not version {VERSION}")]
    Version {
        /// The version found.
        found: u64,
    },
    /// A number that stands for nothing.
    #[error("{what} {found} is not known")]
    Unknown {
        /// What it should stand for.
        what: &'static str,
        /// The number.
        found: u64,
    },
    /// More than a maximum.
    #[error("{what}: {found} is more than {maximum}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// How much there may be.
        maximum: u64,
    },
    /// A text that an argument, a name or a value cannot be.
    #[error("{why}")]
    Text {
        /// The rule it breaks.
        why: &'static str,
    },
    /// Two variables of one name.
    #[error("a variable is there twice")]
    VariableTwice,
    /// A limit out of its range.
    #[error(transparent)]
    Limit(LimitError),
    /// A path that is not absolute and normalised.
    #[error(transparent)]
    Path(PathError),
    /// Files that cannot exist together.
    #[error(transparent)]
    Tree(TreeError),
    /// More bytes after the end.
    #[error("bytes after the end")]
    Trailing,
}

// Arguments may be private, and megabytes of code say nothing to a reader.
impl<Code> fmt::Debug for Bundle<Code> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle")
            .field("program", &self.program)
            .field("args", &format_args!("{} arguments", self.args.len()))
            .field("env", &self.env)
            .field("stdio", &self.stdio)
            .field("files", &self.files)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl ProgramKind {
    fn to_number(self) -> u8 {
        match self {
            Self::Module => 0,
            Self::Component => 1,
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Module),
            1 => Some(Self::Component),
            _ => None,
        }
    }
}
