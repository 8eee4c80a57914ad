// SPDX-License-Identifier: Apache-2.0

//! The identity of the firmware for which a device's key was made, in the certificate of that key (*DICE
//! Attestation Architecture*, sections 6.1.1 and 6.1.3).

use alloc::vec::Vec;

use ::der::asn1::AnyRef;
use ::der::{Decode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};
use const_oid::ObjectIdentifier;

use crate::x509::Extensions;

/// `tcg-dice-TcbInfo`, a `DiceTcbInfo`.
const TCB_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.5.4.1.1");
/// `tcg-dice`, here with a `CompositeDeviceID` of an earlier draft.
const COMPOSITE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.5.4.1");
/// `fwids` in a `DiceTcbInfo`: `[6] IMPLICIT SEQUENCE OF FWID`.
const FWIDS: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(6) };
/// SHA-384.
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");

/// The SHA-384 digest of the firmware, if the certificate has one that is well-formed.
///
/// Blackwell names several digests in a `DiceTcbInfo`, of which the first counts; Hopper one, the last
/// member of the structure.
pub fn firmware_id<'a>(extensions: &Extensions<'a>) -> Option<&'a [u8; 48]> {
    let mut found = extensions.iter().filter(|extension| [TCB_INFO, COMPOSITE].contains(&extension.oid));
    let extension = found.next()?;
    if found.next().is_some() {
        return None;
    }
    let members = members(extension.value)?;
    let fwid = if extension.oid == TCB_INFO {
        let fwids = members.into_iter().flatten().find(|member| member.tag() == FWIDS)?;
        first(fwids.value())?
    } else {
        members.into_iter().flatten().last()?
    };
    digest(fwid)
}

/// The extension of a key that was made for a firmware, as Blackwell has it, with one digest; the inverse of
/// [`firmware_id`].
pub fn encode_firmware_id(digest: &[u8; 48]) -> (ObjectIdentifier, Vec<u8>) {
    /// `DiceTcbInfo`, `fwids`, FWID, the number of SHA-384, and an OCTET STRING of 48 bytes.
    const HEAD: [u8; 19] = [
        0x30, 0x41, 0xa6, 0x3f, 0x30, 0x3d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02,
        0x04, 0x30,
    ];
    (TCB_INFO, [&HEAD[..], digest].concat())
}

/// Members of a SEQUENCE; more than these are not read, and then there is no answer.
type Members<'a> = [Option<AnyRef<'a>>; 16];

fn members(sequence: &[u8]) -> Option<Members<'_>> {
    let outer = AnyRef::from_der(sequence).ok()?;
    if outer.tag() != Tag::Sequence {
        return None;
    }
    let mut reader = SliceReader::new(outer.value()).ok()?;
    let mut members: Members<'_> = [None; 16];
    for slot in &mut members {
        if reader.is_finished() {
            return Some(members);
        }
        *slot = Some(reader.decode().ok()?);
    }
    reader.is_finished().then_some(members)
}

fn first(sequence_of: &[u8]) -> Option<AnyRef<'_>> {
    SliceReader::new(sequence_of).ok()?.decode().ok()
}

/// `FWID`: a hash function and a digest.
fn digest<'a>(fwid: AnyRef<'a>) -> Option<&'a [u8; 48]> {
    let mut reader = SliceReader::new(fwid.value()).ok()?;
    let algorithm: AnyRef<'a> = reader.decode().ok()?;
    let value: AnyRef<'a> = reader.decode().ok()?;
    let oid = ObjectIdentifier::from_bytes(algorithm.value()).ok()?;
    let sha384 = algorithm.tag() == Tag::ObjectIdentifier && oid == SHA384;
    if !sha384 || value.tag() != Tag::OctetString || !reader.is_finished() {
        return None;
    }
    value.value().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: [u8; 48] = [0x46; 48];

    /// The FWID in what [`encode_firmware_id`] makes, with one byte replaced.
    fn changed(at: usize, byte: u8) -> Vec<u8> {
        let (_, mut value) = encode_firmware_id(&DIGEST);
        value.drain(..4);
        *value.get_mut(at).unwrap() = byte;
        value
    }

    fn read(fwid: &[u8]) -> Option<&[u8; 48]> {
        digest(AnyRef::from_der(fwid).ok()?)
    }

    #[test]
    fn a_digest_is_of_sha_384_and_nothing_else() {
        let sound = changed(0, 0x30);
        assert_eq!(read(&sound), Some(&DIGEST));
        // The last arc of the number of the hash function: 1 is SHA-256, 3 SHA-512.
        assert_eq!(sound.get(2), Some(&0x06));
        for arc in [1, 3] {
            assert_eq!(read(&changed(12, arc)), None, "another hash function");
        }
        assert_eq!(read(&changed(2, 0x04)), None, "the number in a string of bytes");
        assert_eq!(read(&changed(13, 0x0c)), None, "the digest in another kind of string");
        assert_eq!(read(&changed(14, 0x2f)), None, "a digest that is too short, and more behind it");
    }
}
