// SPDX-License-Identifier: Apache-2.0

//! The messages inside TLS: frames of a 4-byte big-endian length and one CBOR value each.
//!
//! Public so that both ends, the fuzz targets and hostile peers in tests speak of the same types. Decoding checks sizes
//! and paths; what a message may do in which state is decided by [`crate::keep`] and [`crate::tenant`].

mod content;
mod message;
mod text;

pub use content::{
    Command, EntryKind, Exit, FileEntry, Frame, LimitExceeded, Message, Status, StdStream, Trap,
};
pub use message::{Header, Limits, OfferMessage, OwnerProof, Refusal, Running, ToKeep, ToTenant};

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use minicbor::{CborLen, Decode, Encode};
use zeroize::Zeroizing;

/// Bytes of stdin, output, files, logs and payload in one message.
pub const DATA_LEN: usize = 60 * 1024;

/// The longest frame but for offers.
pub const FRAME_LIMIT: usize = 64 * 1024;

/// The longest frame to a tenant that asked for evidence: evidence with all its endorsements, and statements.
pub const OFFER_LIMIT: usize = 4 * 1024 * 1024;

/// The longest engine statement and the longest launch configuration.
pub const STATEMENT_LIMIT: usize = 16 * 1024;

/// The longest path of a file that comes back, in bytes.
pub const PATH_LIMIT: usize = 4096;

/// Bytes of stdin that a tenant may have sent before the workload took them.
pub const STDIN_WINDOW: usize = 256 * 1024;

/// The payload that a Keep accepts unless it is told otherwise.
pub const PAYLOAD_LIMIT: u64 = 2 * 1024 * 1024 * 1024;

/// Bytes of the peer that are not what this protocol says. Nobody's decision: nothing was understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A frame announces more bytes than its kind may have.
    #[error("the peer sent a frame of {length} bytes where {limit} are allowed")]
    FrameTooLong {
        /// What the frame announces.
        length: u64,
        /// What is allowed here.
        limit: usize,
    },
    /// A frame is not one CBOR value of the expected type.
    #[error("the peer sent a malformed {what}: {detail}")]
    Malformed {
        /// The type that was expected.
        what: &'static str,
        /// What the decoder found.
        detail: String,
    },
    /// A message that is well formed has no place here.
    #[error("the peer sent `{message}` {state}")]
    Unexpected {
        /// The message.
        message: &'static str,
        /// When it came.
        state: &'static str,
    },
    /// The stream ended within a frame or within a payload.
    #[error("the peer closed before all was said")]
    Incomplete,
}

impl ToKeep {
    /// The bytes of one frame, without its length.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        encode(self)
    }

    /// Decodes what [`Self::encode`] makes.
    pub fn decode(frame: &[u8]) -> Result<Self, WireError> {
        decode(frame, "message to a Keep")
    }
}

impl ToTenant {
    /// The bytes of one frame, without its length.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        encode(self)
    }

    /// Decodes what [`Self::encode`] makes.
    pub fn decode(frame: &[u8]) -> Result<Self, WireError> {
        decode(frame, "message to a tenant")
    }
}

fn encode<T: Encode<()> + CborLen<()>>(message: &T) -> Zeroizing<Vec<u8>> {
    let mut frame = Zeroizing::new(Vec::with_capacity(minicbor::len(message)));
    // A `Vec` takes every write, and these types have no errors of their own; no peer would accept an empty frame.
    if minicbor::encode(message, &mut *frame).is_err() {
        frame.clear();
    }
    frame
}

fn decode<'b, T: Decode<'b, ()>>(frame: &'b [u8], what: &'static str) -> Result<T, WireError> {
    let malformed = |detail: String| WireError::Malformed { what, detail };
    let mut decoder = minicbor::Decoder::new(frame);
    let message = decoder.decode().map_err(|error| malformed(error.to_string()))?;
    if decoder.position() != frame.len() {
        return Err(malformed("bytes after its end".into()));
    }
    Ok(message)
}
