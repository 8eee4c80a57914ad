// SPDX-License-Identifier: Apache-2.0

//! The table of certificates that a host gives with an extended guest report (GHCB, section 4.1.8.1): entries of
//! a GUID, an offset and a length, an entry of zeros, then the certificates. Linux passes it on as the `auxblob`
//! of a configfs-tsm report.

use alloc::vec::Vec;

use crate::cursor::Cursor;
use crate::{Fault, ParseError};

const FORMAT: &str = "SNP certificate table";
const ENTRY_LEN: usize = 24;

/// A GUID as it stands in the table: the bytes of its text form, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// The chip endorsement key's certificate: `63da758d-e664-4564-adc5-f4b93be8accd`.
    pub const VCEK: Self = Self(0x63da_758d_e664_4564_adc5_f4b9_3be8_accd_u128.to_be_bytes());
    /// The loaded endorsement key's certificate: `a8074bc2-a25a-483e-aae6-39c045a0b8a1`.
    pub const VLEK: Self = Self(0xa807_4bc2_a25a_483e_aae6_39c0_45a0_b8a1_u128.to_be_bytes());
    /// The intermediate that signs VCEKs or VLEKs: `4ab7b379-bbac-4fe4-a02f-05aef327c782`.
    pub const ASK: Self = Self(0x4ab7_b379_bbac_4fe4_a02f_05ae_f327_c782_u128.to_be_bytes());
    /// The root: `c0b406a4-a803-4952-9743-3fb6014cd0ae`.
    pub const ARK: Self = Self(0xc0b4_06a4_a803_4952_9743_3fb6_014c_d0ae_u128.to_be_bytes());
    /// The root's revocation list: `92f81bc3-5811-4d3d-97ff-d19f88dc67ea`.
    pub const CRL: Self = Self(0x92f8_1bc3_5811_4d3d_97ff_d19f_88dc_67ea_u128.to_be_bytes());
}

/// A certificate table: what is in it, in order. Entries of unknown GUIDs are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CertTable {
    /// Each GUID with its bytes, DER or PEM.
    pub entries: Vec<(Guid, Vec<u8>)>,
}

impl CertTable {
    /// Limit of the number of entries.
    pub const MAX_ENTRIES: usize = 16;
    /// Limit of all bytes of a table, so that entries which overlap cannot multiply them.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// Reads a table. Bytes that no entry covers are padding: hosts fill whole pages.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(FORMAT, bytes);
        let mut entries = Vec::new();
        let mut total = 0_usize;
        loop {
            let at = cursor.offset();
            let guid = Guid(cursor.array("GUID")?);
            let (start, len) = (cursor.u32("OFFSET")? as usize, cursor.u32("LENGTH")? as usize);
            if guid.0 == [0; 16] {
                return Ok(Self { entries });
            }
            total = total.saturating_add(len);
            if entries.len() >= Self::MAX_ENTRIES {
                return Err(cursor.error("entries", at, Fault::TooLarge { limit: Self::MAX_ENTRIES }));
            }
            if total > Self::MAX_BYTES {
                return Err(cursor.error("LENGTH", at, Fault::TooLarge { limit: Self::MAX_BYTES }));
            }
            let blob = start
                .checked_add(len)
                .and_then(|end| bytes.get(start..end))
                .ok_or_else(|| cursor.error("OFFSET", at, Fault::Truncated))?;
            entries.push((guid, blob.to_vec()));
        }
    }

    /// The table as bytes, certificates in order after the entries; the inverse of [`CertTable::parse`].
    pub fn encode(&self) -> Vec<u8> {
        let mut offset = self.entries.len().saturating_add(1).saturating_mul(ENTRY_LEN);
        let mut table = Vec::new();
        for (guid, blob) in &self.entries {
            table.extend_from_slice(&guid.0);
            // Above 4 GiB the table does not parse, as it must not.
            table.extend_from_slice(&u32::try_from(offset).unwrap_or(u32::MAX).to_le_bytes());
            table.extend_from_slice(&u32::try_from(blob.len()).unwrap_or(u32::MAX).to_le_bytes());
            offset = offset.saturating_add(blob.len());
        }
        table.extend_from_slice(&[0; ENTRY_LEN]);
        for (_, blob) in &self.entries {
            table.extend_from_slice(blob);
        }
        table
    }

    /// The first entry with a GUID.
    pub fn get(&self, wanted: Guid) -> Option<&[u8]> {
        self.entries.iter().find(|(guid, _)| *guid == wanted).map(|(_, blob)| blob.as_slice())
    }
}
