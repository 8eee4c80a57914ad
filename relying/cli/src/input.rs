// SPDX-License-Identifier: Apache-2.0

//! Reads the tenant's own files, with limits.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::failure::{Failure, Outcome};

/// Longest manifest or policy; what they are parsed by has the same limit.
const MAX_TEXT: u64 = 1 << 20;

/// The bytes of a file of at most `limit` bytes.
pub(crate) fn bytes(path: &Path, limit: u64) -> Outcome<Vec<u8>> {
    let wrong =
        |error: &dyn std::fmt::Display| Failure::usage(format!("could not read {}: {error}", path.display()));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| wrong(&error))?;
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| wrong(&error))?;
    if bytes.len() as u64 > limit {
        return Err(wrong(&format!("it is longer than {limit} bytes")));
    }
    Ok(bytes)
}

/// A manifest or a policy.
pub(crate) fn text(path: &Path) -> Outcome<String> {
    String::from_utf8(bytes(path, MAX_TEXT)?)
        .map_err(|error| Failure::usage(format!("{} is not UTF-8: {error}", path.display())))
}
