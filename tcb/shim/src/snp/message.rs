// SPDX-License-Identifier: Apache-2.0

//! Guest messages (56860, chapter 8, "Guest messages"): how this guest and the secure processor talk past the hypervisor that
//! carries their words. AES-256-GCM under VMPCK0; the header but its first 48 bytes is authenticated with them.
//!
//! The sequence number is the nonce, so none is ever used for two messages: a request is sealed once and the very same
//! bytes are sent until there is an answer. An answer that is not right, and the end of the numbers, are the end.

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};

use super::bytes::{array, long, put};
use super::secrets::Vmpck;

/// Bytes of the page that a message fills.
pub const LEN: usize = 4096;
/// Bytes of its header.
pub const HEADER: usize = 0x60;
/// Most bytes in a message.
pub const MAX_PAYLOAD: usize = LEN - HEADER;

/// Where fields of the header stand (56860, table "Message header format").
const SEQUENCE: usize = 0x20;
const ALGORITHM: usize = 0x30;
const SIZE: usize = 0x36;
const TAG: usize = 16;

/// What the authenticated part begins with: AES-256-GCM, version 1 of the header and its length.
const FORM: [u8; 4] = [1, 1, 0x60, 0];
/// Every message here has this version.
const VERSION: u8 = 1;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// `MSG_KEY_REQ`
    KeyRequest = 3,
    /// `MSG_KEY_RSP`
    KeyResponse = 4,
    /// `MSG_REPORT_REQ`
    ReportRequest = 5,
    /// `MSG_REPORT_RSP`
    ReportResponse = 6,
}

/// Why there is no more talking to the secure processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// All sequence numbers were used.
    #[error("no sequence number for guest messages is left")]
    Exhausted,
    /// An earlier message failed, and its sequence number must not be used again.
    #[error("guest messages ended with one that failed")]
    Ended,
    /// More than fits.
    #[error("a guest message has {length} bytes; the most is {MAX_PAYLOAD}")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// A header that is not one of an answer to this request.
    #[error("the answer's `{field}` is not that of an answer to this request")]
    Header {
        /// The field.
        field: &'static str,
    },
    /// It was not the secure processor that said this, or not to this guest.
    #[error("the answer is not authentic")]
    NotAuthentic,
    /// The payload is not of the size that it must have.
    #[error("the answer's payload has {length} bytes")]
    Size {
        /// How many.
        length: usize,
    },
    /// The secure processor refused.
    #[error("the secure processor refused the request: status {status:#x}")]
    Status {
        /// Its status.
        status: u32,
    },
    /// The report says something else than was asked for, or than this guest knows about itself.
    #[error("the report's `{field}` is not that of this guest")]
    Report {
        /// The field.
        field: &'static str,
    },
}

/// One end of the talk.
pub struct Talk {
    cipher: Aes256Gcm,
    /// Messages so far, those of both ends counted
    count: u64,
    ended: bool,
}

/// A request that was sealed, and waits for its answer.
pub struct Sealed {
    bytes: [u8; LEN],
    sequence: u64,
    expected: Kind,
}

impl Talk {
    /// The first message of this guest's life is number 1.
    pub fn new(key: &Vmpck) -> Self {
        Self { cipher: Aes256Gcm::new(key.bytes().into()), count: 0, ended: false }
    }

    /// Seals a request. Until its answer was opened there is no other one.
    pub fn seal(&mut self, kind: Kind, expected: Kind, payload: &[u8]) -> Result<Sealed, MessageError> {
        if self.ended {
            return Err(MessageError::Ended);
        }
        // Whatever happens from here on, this number is used up.
        self.ended = true;
        // The answer has the number after it.
        let sequence = self.count.checked_add(1).filter(|number| *number < u64::MAX);
        let sequence = sequence.ok_or(MessageError::Exhausted)?;
        let too_long = MessageError::TooLong { length: payload.len() };
        if payload.len() > MAX_PAYLOAD {
            return Err(too_long);
        }
        let size = u16::try_from(payload.len()).map_err(|_| too_long)?;
        let mut bytes = [0; LEN];
        put(&mut bytes, SEQUENCE, &sequence.to_le_bytes());
        put(&mut bytes, ALGORITHM, &FORM);
        put(&mut bytes, ALGORITHM + 4, &[kind as u8, VERSION]);
        put(&mut bytes, SIZE, &size.to_le_bytes());
        put(&mut bytes, HEADER, payload);
        let authenticated: [u8; HEADER - ALGORITHM] = array(&bytes, ALGORITHM);
        let text = bytes.get_mut(HEADER..HEADER.saturating_add(payload.len())).ok_or(too_long)?;
        let sealed =
            self.cipher.encrypt_inout_detached(&nonce(sequence), &authenticated, InOutBuf::from(text));
        let tag = sealed.map_err(|_| too_long)?;
        put(&mut bytes, 0, &tag);
        Ok(Sealed { bytes, sequence, expected })
    }

    /// Opens the answer to a request: `answer` is a copy that the hypervisor can no longer change. Gives the payload's
    /// length; the payload stands in `answer` from [`HEADER`] on.
    pub fn open(&mut self, request: &Sealed, answer: &mut [u8; LEN]) -> Result<usize, MessageError> {
        let sequence = request.sequence.saturating_add(1);
        let length = check_header(answer, sequence, request.expected)?;
        let authenticated: [u8; HEADER - ALGORITHM] = array(answer, ALGORITHM);
        let tag: Tag<_> = array::<TAG>(answer, 0).into();
        let text = answer.get_mut(HEADER..HEADER.saturating_add(length));
        let text = text.ok_or(MessageError::Size { length })?;
        self.cipher
            .decrypt_inout_detached(&nonce(sequence), &authenticated, InOutBuf::from(text), &tag)
            .map_err(|_| MessageError::NotAuthentic)?;
        self.count = sequence;
        self.ended = false;
        Ok(length)
    }
}

impl Sealed {
    /// What goes over.
    pub fn bytes(&self) -> &[u8; LEN] {
        &self.bytes
    }
}

/// Says how long the payload is.
fn check_header(answer: &[u8; LEN], sequence: u64, expected: Kind) -> Result<usize, MessageError> {
    let header: &[u8; HEADER] = answer.first_chunk().ok_or(MessageError::Header { field: "length" })?;
    let wrong = |field| Err(MessageError::Header { field });
    if long(header, SEQUENCE) != sequence {
        return wrong("MSG_SEQNO");
    }
    if array(header, ALGORITHM) != FORM {
        return wrong("ALGO");
    }
    let [kind, version, size @ ..]: [u8; 4] = array(header, ALGORITHM + 4);
    if kind != expected as u8 {
        return wrong("MSG_TYPE");
    }
    if version != VERSION {
        return wrong("MSG_VERSION");
    }
    if header.get(0x3c) != Some(&0) {
        return wrong("MSG_VMPCK");
    }
    let length = usize::from(u16::from_le_bytes(size));
    if length > MAX_PAYLOAD { Err(MessageError::Size { length }) } else { Ok(length) }
}

/// The sequence number in 96 bits.
fn nonce(sequence: u64) -> Nonce<aes_gcm::aead::consts::U12> {
    let mut nonce = [0; 12];
    put(&mut nonce, 0, &sequence.to_le_bytes());
    nonce.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_sequence_number_is_the_end() {
        let mut page = [0; super::super::secrets::LEN];
        put(&mut page, 0, &[3]);
        put(&mut page, 0x20, &[7; 32]);
        let mut talk = Talk::new(&Vmpck::take(&mut page).unwrap());
        // A request would have the last number, and its answer none.
        talk.count = u64::MAX - 1;
        let refused = |talk: &mut Talk| talk.seal(Kind::ReportRequest, Kind::ReportResponse, b"").err();
        assert_eq!(refused(&mut talk), Some(MessageError::Exhausted));
        assert_eq!(refused(&mut talk), Some(MessageError::Ended));
    }
}
