// SPDX-License-Identifier: Apache-2.0

//! JSON around evidence and endorsements. Whose JSON it is does not matter: every text in it that stands for something
//! is taken, whatever its name, and the answers of Intel's service and of its caches are known by their shape.

use std::collections::BTreeMap;

use enarx_evidence::tpm::{HashAlgorithm, PcrValues};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::open::{Opened, decode_text};
use super::recognise::{Part, Piece};

/// The objects that Intel signs, and by which members each is known.
const SIGNED: [(&str, &str); 2] = [("tcbInfo", "fmspc"), ("enclaveIdentity", "miscselect")];

/// The member that every JSON Web Key has (RFC 7517, section 4.1).
const KEY_TYPE: &str = "kty";

type Object<'a> = BTreeMap<String, &'a RawValue>;

/// Takes JSON apart; `depth` levels of encoding may follow.
pub(super) fn open(text: &str, depth: u8, opened: &mut Opened) {
    let Some(depth) = depth.checked_sub(1) else { return };
    if let Some(values) = registers(text) {
        opened.pieces.push(Piece::Part(Part::Registers(values)));
    } else if let Ok(object) = serde_json::from_str::<Object<'_>>(text) {
        open_object(text, &object, depth, opened);
    } else if let Ok(bytes) = serde_json::from_str::<Vec<u8>>(text) {
        opened.bytes(&bytes, depth);
    } else if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text) {
        for item in items {
            open_value(item, depth, opened);
        }
    }
}

fn open_value(value: &RawValue, depth: u8, opened: &mut Opened) {
    match serde_json::from_str::<String>(value.get()) {
        Ok(text) => opened.text(text.trim(), depth),
        Err(_) => open(value.get(), depth, opened),
    }
}

fn open_object(text: &str, object: &Object<'_>, depth: u8, opened: &mut Opened) {
    let is_signed = |(name, _): &(&str, &str)| object.contains_key(*name) && object.contains_key("signature");
    if SIGNED.iter().any(is_signed) {
        opened.pieces.push(Piece::Endorsement(text.as_bytes().to_vec()));
        return;
    }
    if object.contains_key(KEY_TYPE) {
        opened.pieces.push(Piece::Key(text.as_bytes().to_vec()));
        return;
    }
    let before = opened.pieces.len();
    for (name, value) in object {
        match signed_apart(object, name, value) {
            Some(document) => opened.pieces.push(Piece::Endorsement(document)),
            None => open_value(value, depth, opened),
        }
    }
    join_signature(opened, before);
}

/// A quote and the only signature in the same object belong together, whatever else is signed around them.
fn join_signature(opened: &mut Opened, from: usize) {
    let found = opened.pieces.get(from..).unwrap_or_default();
    let is_quote = |piece: &&Piece| matches!(piece, Piece::Part(Part::Quote(_)));
    let is_signature =
        |piece: &&Piece| matches!(piece, Piece::Part(Part::Signature(_) | Part::BareSignature(_)));
    if found.iter().filter(is_quote).count() != 1 || found.iter().filter(is_signature).count() != 1 {
        return;
    }
    let (mut quote, mut signature) = (None, None);
    for piece in opened.pieces.split_off(from) {
        match piece {
            Piece::Part(Part::Quote(attest)) => quote = Some(attest),
            Piece::Part(part @ (Part::Signature(_) | Part::BareSignature(_))) => signature = Some(part),
            other => opened.pieces.push(other),
        }
    }
    if let (Some(attest), Some(signature)) = (quote, signature) {
        opened.pieces.push(Piece::Part(Part::SignedQuote(attest, Box::new(signature))));
    }
}

/// An object whose signature is beside it, as libraries around Intel's have it: put together as Intel serves it.
fn signed_apart(object: &Object<'_>, name: &str, value: &RawValue) -> Option<Vec<u8>> {
    let signature = object.get(&format!("{name}_signature"))?;
    let signature = serde_json::from_str::<String>(signature.get()).ok()?;
    let signed = serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned());
    let members = serde_json::from_str::<Object<'_>>(&signed).ok()?;
    let (outer, _) = SIGNED.iter().find(|(_, member)| members.contains_key(*member))?;
    let digits = signature.bytes().all(|digit| digit.is_ascii_hexdigit());
    digits.then(|| format!("{{\"{outer}\":{signed},\"signature\":\"{signature}\"}}").into_bytes())
}

/// A register that says its number.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Register {
    index: u8,
    digest: String,
}

/// Values of TPM registers: by their number, or one after the other, as texts or as bytes.
fn registers(text: &str) -> Option<PcrValues> {
    let values: BTreeMap<u8, Vec<u8>> = if let Ok(named) = serde_json::from_str::<BTreeMap<u8, String>>(text)
    {
        decoded(named)?
    } else if let Ok(texts) = serde_json::from_str::<Vec<String>>(text) {
        decoded((0..).zip(texts))?
    } else if let Ok(values) = serde_json::from_str::<Vec<Vec<u8>>>(text) {
        (0..).zip(values).collect()
    } else {
        let registers = serde_json::from_str::<Vec<Register>>(text).ok()?;
        decoded(registers.into_iter().map(|register| (register.index, register.digest)))?
    };
    let len = values.values().next()?.len();
    let bank = HashAlgorithm::ALL.into_iter().find(|bank| bank.digest_len() == len)?;
    let alike = values.len() <= 32 && values.values().all(|value| value.len() == len);
    alike.then(|| PcrValues { banks: BTreeMap::from([(bank, values)]) })
}

fn decoded(texts: impl IntoIterator<Item = (u8, String)>) -> Option<BTreeMap<u8, Vec<u8>>> {
    texts.into_iter().map(|(number, text)| Some((number, decode_text(&text)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::open::open;
    use super::*;

    #[test]
    fn signed_documents_are_kept_to_the_byte() {
        let served = br#"{"tcbInfo": { "fmspc" : "00"}, "signature":"ab"}"#;
        assert_eq!(open(served), [Piece::Endorsement(served.to_vec())]);
        let apart = br#"{"tcb_info": "{ \"fmspc\" : \"00\"}", "tcb_info_signature": "ab"}"#;
        let together = br#"{"tcbInfo":{ "fmspc" : "00"},"signature":"ab"}"#;
        assert_eq!(open(apart), [Piece::Endorsement(together.to_vec())]);
        let identity = br#"{"qe": {"miscselect":"0"}, "qe_signature": "ab"}"#;
        let together = br#"{"enclaveIdentity":{"miscselect":"0"},"signature":"ab"}"#;
        assert_eq!(open(identity), [Piece::Endorsement(together.to_vec())]);
    }

    #[test]
    fn registers_are_read_in_every_form() {
        let value = vec![7; 20];
        let digits = hex::encode(&value);
        let banks = BTreeMap::from([(HashAlgorithm::Sha1, BTreeMap::from([(0, value.clone())]))]);
        for text in [
            format!("{{\"0\": \"{digits}\"}}"),
            format!("[\"{digits}\"]"),
            format!("[{value:?}]"),
            format!("[{{\"Index\": 0, \"Digest\": \"{digits}\", \"DigestAlg\": 3}}]"),
        ] {
            let expected = Piece::Part(Part::Registers(PcrValues { banks: banks.clone() }));
            assert_eq!(open(text.as_bytes()), [expected], "{text}");
        }
        assert_eq!(open(b"[\"00\"]"), []);
        assert_eq!(open(format!("[\"{digits}\", \"00\"]").as_bytes()), []);
    }

    #[test]
    fn nesting_ends() {
        assert_eq!(open("[".repeat(1000).as_bytes()), []);
        let deep = ["[".repeat(100), "]".repeat(100)].concat();
        assert_eq!(open(deep.as_bytes()), []);
    }
}
