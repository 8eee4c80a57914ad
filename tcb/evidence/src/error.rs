// SPDX-License-Identifier: Apache-2.0

//! The one error of all parsers: which format, which field, at which byte, and what is wrong with it.

/// Bytes that are not what their format says.
///
/// It names the innermost format (`SNP attestation report`, `X.509 certificate`) and the offset within the
/// bytes of that format, so that a report of a problem can be checked with a hex dump.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{format}: `{field}` at byte {offset}: {fault}")]
pub struct ParseError {
    /// The format that was being parsed.
    pub format: &'static str,
    /// The field, as the format's specification calls it.
    pub field: &'static str,
    /// Where it is, counted from the first byte of the format.
    pub offset: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What can be wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The input ends inside the field.
    #[error("the input ends here")]
    Truncated,
    /// The input goes on after the last field.
    #[error("{count} bytes too many")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// The specification reserves these bytes or bits, and they are not zero.
    #[error("reserved, but not zero")]
    Reserved,
    /// A value that the specification does not define, or not for this version.
    #[error("unsupported value {found}")]
    Unsupported {
        /// The value.
        found: u64,
    },
    /// More or longer than anything genuine is.
    #[error("larger than the limit of {limit}")]
    TooLarge {
        /// The limit, in bytes or in items.
        limit: usize,
    },
    /// It appears twice.
    #[error("appears more than once")]
    Duplicate,
    /// It must be there and is not.
    #[error("missing")]
    Missing,
    /// Not the encoding (CBOR, DER, PEM, text) that the format prescribes.
    #[error("malformed")]
    Malformed,
}
