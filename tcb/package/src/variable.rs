// SPDX-License-Identifier: Apache-2.0

//! Arguments and environment variables: what both manifest and bundle accept.

/// Most arguments, and most variables, that a workload may be given.
pub const MAX_STRINGS: usize = 4096;
/// Longest argument or value.
pub const MAX_VALUE_BYTES: usize = 128 * 1024;
/// Longest name of a variable.
pub const MAX_NAME_BYTES: usize = 256;
/// Arguments and variables together, so that they fit every program's start-up.
pub const MAX_TOTAL_BYTES: usize = 1024 * 1024;

/// Why a text cannot be the name of a variable; `None` when it can.
pub(crate) fn name_problem(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("the name of a variable is not empty");
    }
    if name.len() > MAX_NAME_BYTES {
        return Some("the name of a variable has at most 256 bytes");
    }
    if name.contains('=') || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Some("the name of a variable has no `=`, no space and no control character");
    }
    None
}

/// Why a text cannot be an argument or a value; `None` when it can.
pub(crate) fn value_problem(value: &str) -> Option<&'static str> {
    if value.len() > MAX_VALUE_BYTES {
        return Some("an argument or value has at most 128 KiB");
    }
    if value.contains('\0') {
        return Some("an argument or value has no NUL");
    }
    None
}
