// SPDX-License-Identifier: Apache-2.0

//! The descriptors that a workload finds open.

use alloc::string::String;
use alloc::vec::Vec;

use crate::socket::FileKind;

/// Most descriptors that a manifest may open.
pub const MAX_DESCRIPTORS: usize = 64;
/// Longest name of a descriptor.
pub const MAX_NAME_BYTES: usize = 256;

/// One open descriptor; its number is its place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Name, as in the variable `FD_NAMES`.
    pub name: String,
    /// What it is connected to.
    pub kind: FileKind,
}

/// The null device and the standard streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stdio {
    /// Reads end, writes vanish.
    Null,
    /// Input that the owner sends.
    Stdin,
    /// Output to the owner.
    Stdout,
    /// Diagnostics to the owner.
    Stderr,
}

impl Stdio {
    /// Standard input, output and error at 0, 1 and 2.
    pub fn standard() -> Vec<Descriptor> {
        [Self::Stdin, Self::Stdout, Self::Stderr]
            .into_iter()
            .map(|kind| Descriptor { name: kind.default_name().into(), kind: FileKind::Stdio(kind) })
            .collect()
    }

    /// The name of a descriptor that was given none.
    pub fn default_name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Stdin => "stdin",
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    pub(crate) fn to_number(self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Stdin => 1,
            Self::Stdout => 2,
            Self::Stderr => 3,
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Null,
            1 => Self::Stdin,
            2 => Self::Stdout,
            3 => Self::Stderr,
            _ => return None,
        })
    }
}

/// Why a text cannot be the name of a descriptor; `None` when it can.
pub(crate) fn name_problem(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("the name of a descriptor is not empty");
    }
    if name.len() > MAX_NAME_BYTES {
        return Some("the name of a descriptor has at most 256 bytes");
    }
    if name.contains(':') || name.chars().any(char::is_control) {
        return Some("the name of a descriptor has no `:` and no control character");
    }
    None
}
