// SPDX-License-Identifier: Apache-2.0

//! What evidence is bound to, also where its fields are shorter than report data.
//!
//! The extra data of a TPM quote, the nonce of a GPU and the user data of a Nitro enclave are chosen by who asks, and
//! may be shorter than the 64 bytes of report data. They are bound to report data in one of two ways:
//!
//! - they are the SHA-256 of the report data, as everything of Enarx asks for;
//! - they are the report data up to where only zeros follow, for a relying party that gave a nonce of its own and
//!   puts zeros after it to have 64 bytes.

use sha2::{Digest as _, Sha256};

use crate::Code;
use crate::refusal::Subject;

/// What the report data of hardware must be, and what it means if they are not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound<'a> {
    /// What they must be.
    pub(crate) report_data: &'a [u8; 64],
    /// What this proves.
    pub(crate) subject: Subject,
    /// Why evidence with others is refused.
    pub(crate) code: Code,
}

impl<'a> Bound<'a> {
    /// Bound to the session.
    pub(crate) fn session(report_data: &'a [u8; 64]) -> Self {
        Self { report_data, subject: Subject::ReportData, code: Code::ReportDataMismatch }
    }
}

/// Whether a field carries the report data.
pub(crate) fn carries(field: &[u8], report_data: &[u8; 64]) -> bool {
    let digest: [u8; 32] = Sha256::digest(report_data).into();
    let Some((start, rest)) = report_data.split_at_checked(field.len()) else { return false };
    field == digest || (field == start && rest.iter().all(|byte| *byte == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_or_a_nonce_carries_report_data() {
        let data = [7; 64];
        let mut nonce = [0; 64];
        nonce[..4].copy_from_slice(&[1, 2, 3, 0]);
        assert!(carries(&Sha256::digest(data), &data) && carries(&data, &data));
        assert!(carries(&[1, 2, 3], &nonce) && carries(&[1, 2, 3, 0], &nonce) && carries(&nonce, &nonce));
        for wrong in [&[7; 63][..], &[7; 32], &[], &[7; 65], &Sha256::digest(nonce)] {
            assert!(!carries(wrong, &data), "{wrong:?}");
        }
        for wrong in [&[1, 2][..], &[1, 2, 3, 1], &[0; 64], &[0; 66]] {
            assert!(!carries(wrong, &nonce), "{wrong:?}");
        }
    }
}
