// SPDX-License-Identifier: Apache-2.0

//! Revocation lists with any issuer and dates, signed by nobody: who verifies them is somewhere else.

const SEQUENCE: u8 = 0x30;

fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(contents.len()).unwrap().to_be_bytes();
    [&[tag, 0x82, high, low], contents].concat().into_iter().collect::<Vec<u8>>().shortest()
}

trait Shortest {
    fn shortest(self) -> Self;
}

impl Shortest for Vec<u8> {
    /// DER has one form of each length.
    fn shortest(self) -> Self {
        match self.as_slice() {
            [tag, 0x82, 0, low @ 0..=0x7f, rest @ ..] => [&[*tag, *low], rest].concat(),
            [tag, 0x82, 0, low, rest @ ..] => [&[*tag, 0x81, *low], rest].concat(),
            _ => self,
        }
    }
}

/// A list of nothing. Times are `YYMMDDHHMMSSZ`.
pub(crate) fn revocation_list(issuer: &str, this_update: &str, next_update: &str) -> Vec<u8> {
    // ecdsa-with-SHA256
    let algorithm = tlv(SEQUENCE, &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]);
    let common_name = [&[0x06, 0x03, 0x55, 0x04, 0x03][..], &tlv(0x0c, issuer.as_bytes())].concat();
    let name = tlv(SEQUENCE, &tlv(0x31, &tlv(SEQUENCE, &common_name)));
    let times = [tlv(0x17, this_update.as_bytes()), tlv(0x17, next_update.as_bytes())].concat();
    let tbs = tlv(SEQUENCE, &[&[0x02, 0x01, 0x01][..], &algorithm, &name, &times].concat());
    let signature = tlv(0x03, &[0, 0x30, 0x06, 0x02, 0x01, 0x05, 0x02, 0x01, 0x05]);
    tlv(SEQUENCE, &[tbs, algorithm, signature].concat())
}
