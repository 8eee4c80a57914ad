// SPDX-License-Identifier: Apache-2.0

//! Taking files apart whose encoding nobody named: raw, hexadecimal, base64, PEM, JSON, and these in each other.

use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding as _};
use enarx_evidence::cmw::Cmw;
use enarx_evidence::x509::documents;

use super::json;
use super::recognise::{self, Piece};

/// How deep encodings may be in each other: base64 in three objects of JSON is five.
const MAX_DEPTH: u8 = 8;
/// More pieces than any evidence and its endorsements have.
const MAX_PIECES: usize = 128;

/// Everything in a file that is recognised, in order.
pub(crate) fn open(bytes: &[u8]) -> Vec<Piece> {
    let mut opened = Opened { pieces: Vec::new() };
    opened.bytes(bytes, MAX_DEPTH);
    opened.pieces
}

/// The bytes that a text in hexadecimal or base64 stands for; other bytes stand for themselves.
pub(crate) fn decode(bytes: &[u8]) -> Vec<u8> {
    str::from_utf8(bytes).ok().and_then(decode_text).unwrap_or_else(|| bytes.to_vec())
}

/// Hexadecimal, or base64 of either alphabet with or without its padding, in one line or several.
pub(crate) fn decode_text(text: &str) -> Option<Vec<u8>> {
    let text = text.split_ascii_whitespace().collect::<String>();
    if text.is_empty() {
        return None;
    }
    hex::decode(&text).ok().or_else(|| {
        let digits = text.trim_end_matches('=');
        Base64Unpadded::decode_vec(digits).or_else(|_| Base64UrlUnpadded::decode_vec(digits)).ok()
    })
}

/// A wrapper of conceptual messages (RFC 9999) in CBOR; in JSON it is taken apart like any other.
fn wrapper(bytes: &[u8]) -> Option<Cmw> {
    let binary = str::from_utf8(bytes).is_err();
    binary.then(|| Cmw::parse(bytes).ok()).flatten()
}

/// What was recognised so far.
pub(super) struct Opened {
    pub(super) pieces: Vec<Piece>,
}

impl Opened {
    /// Takes bytes apart; `depth` levels of encoding may follow.
    pub(super) fn bytes(&mut self, bytes: &[u8], depth: u8) {
        let Some(depth) = depth.checked_sub(1).filter(|_| self.pieces.len() < MAX_PIECES) else { return };
        if let Some(pieces) = recognise::binary(bytes) {
            self.pieces.extend(pieces);
        } else if let Some(wrapper) = wrapper(bytes) {
            self.wrapped(&wrapper, depth);
        } else if let Ok(text) = str::from_utf8(bytes) {
            self.text(text.trim(), depth);
        }
    }

    /// Takes a wrapper of conceptual messages apart.
    fn wrapped(&mut self, wrapper: &Cmw, depth: u8) {
        match wrapper {
            Cmw::Record(record) => self.bytes(&record.value, depth),
            Cmw::Tag(tag) => self.bytes(&tag.value, depth),
            Cmw::Collection(collection) => {
                for (_, entry) in &collection.items {
                    self.wrapped(entry, depth);
                }
            }
        }
    }

    /// Takes a text apart.
    pub(super) fn text(&mut self, text: &str, depth: u8) {
        if text.starts_with(['{', '[']) {
            json::open(text, depth, self);
        } else if text.contains("-----BEGIN ") {
            self.pem(text);
        } else if let Some(bytes) = decode_text(text) {
            self.bytes(&bytes, depth);
        }
    }

    fn pem(&mut self, text: &str) {
        match documents(text.as_bytes(), MAX_PIECES) {
            Ok(documents) => {
                self.pieces.extend(documents.iter().map(|der| recognise::document_piece(der)));
            }
            // Damaged: the verifier says so when it is asked.
            Err(_) => self.pieces.push(Piece::Endorsement(text.as_bytes().to_vec())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_decoded_whatever_their_alphabet_and_lines() {
        for text in ["fbff00", "FBFF00", "fb ff\n00", "+/8A", "-_8A"] {
            assert_eq!(decode_text(text), Some(vec![0xfb, 0xff, 0]), "{text}");
        }
        assert_eq!(decode_text("+/8="), Some(vec![0xfb, 0xff]));
        assert_eq!(decode_text(" "), None);
        assert_eq!(decode_text("no text of that kind!"), None);
    }

    #[test]
    fn evidence_is_found_in_any_encoding() {
        let mut report = vec![0; 1184];
        report[0] = 2;
        let raw = open(&report);
        assert_eq!(raw.len(), 1);
        let digits = hex::encode(&report);
        let base64 = Base64Unpadded::encode_string(&report);
        for text in [
            digits.clone(),
            base64.clone(),
            format!("{{\"quote\": \"{digits}\"}}"),
            format!("[{{\"a\": {{\"b\": \"{base64}\"}}, \"nonce\": \"00\"}}]"),
            format!("{{\"report\": {report:?}}}"),
        ] {
            assert_eq!(open(text.as_bytes()), raw, "{text}");
        }
        assert_eq!(open(b"{\"quote\": 7}"), []);
        assert_eq!(open(b"{"), []);
        assert_eq!(open(b""), []);
    }
}
