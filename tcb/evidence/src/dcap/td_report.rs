// SPDX-License-Identifier: Apache-2.0

//! The report of a TD as quotes have it (TDX Quoting, A.3.2 and A.3.3).

use alloc::vec::Vec;

use super::attributes::{SeamAttributes, TdAttributes, Xfam};
use crate::ParseError;
use crate::cursor::Cursor;

/// What a TD is: version 1.0, or 1.5 with an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TdReport {
    /// `TEE_TCB_SVN` when the TD was launched: `[0]` the module's minor version, `[1]` its major version,
    /// `[2]` microcode, the rest reserved.
    pub tee_tcb_svn: [u8; 16],
    /// `MRSEAM`: the measurement of the TDX module.
    pub mr_seam: [u8; 48],
    /// `MRSIGNERSEAM`: the signer of the TDX module; zero for Intel's.
    pub mr_signer_seam: [u8; 48],
    /// `SEAMATTRIBUTES`.
    pub seam_attributes: SeamAttributes,
    /// `TDATTRIBUTES`.
    pub td_attributes: TdAttributes,
    /// `XFAM`.
    pub xfam: Xfam,
    /// `MRTD`: the measurement of the TD's initial memory.
    pub mr_td: [u8; 48],
    /// `MRCONFIGID`: configuration that is not the owner's.
    pub mr_config_id: [u8; 48],
    /// `MROWNER`: the owner, by the owner's own words.
    pub mr_owner: [u8; 48],
    /// `MROWNERCONFIG`: configuration of the owner's.
    pub mr_owner_config: [u8; 48],
    /// `RTMR0` to `RTMR3`: what the TD measured while it ran.
    pub rtmr: [[u8; 48]; 4],
    /// `REPORTDATA`: what the TD bound the report to.
    pub report_data: [u8; 64],
    /// What version 1.5 adds.
    pub extension: Option<TdReportExtension>,
}

/// What a report of version 1.5 adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TdReportExtension {
    /// `TEE_TCB_SVN_2`: the current TCB, which differs if the TDX module was updated while the TD ran.
    pub tee_tcb_svn_2: [u8; 16],
    /// `MRSERVICETD`: a digest of the service TDs that are bound to this one, such as a migration TD; zero
    /// without any.
    pub mr_service_td: [u8; 48],
}

impl TdReport {
    /// The length of version 1.0 in bytes.
    pub const LEN_1_0: usize = 584;
    /// The length of version 1.5 in bytes.
    pub const LEN_1_5: usize = 648;

    /// Reads either version.
    pub(super) fn read(input: &mut Cursor<'_>, extended: bool) -> Result<Self, ParseError> {
        Ok(Self {
            tee_tcb_svn: input.array("TEE_TCB_SVN")?,
            mr_seam: input.array("MRSEAM")?,
            mr_signer_seam: input.array("MRSIGNERSEAM")?,
            seam_attributes: SeamAttributes(input.u64("SEAMATTRIBUTES")?),
            td_attributes: TdAttributes(input.u64("TDATTRIBUTES")?),
            xfam: Xfam(input.u64("XFAM")?),
            mr_td: input.array("MRTD")?,
            mr_config_id: input.array("MRCONFIGID")?,
            mr_owner: input.array("MROWNER")?,
            mr_owner_config: input.array("MROWNERCONFIG")?,
            rtmr: [
                input.array("RTMR0")?,
                input.array("RTMR1")?,
                input.array("RTMR2")?,
                input.array("RTMR3")?,
            ],
            report_data: input.array("REPORTDATA")?,
            extension: if extended { Some(TdReportExtension::read(input)?) } else { None },
        })
    }

    pub(super) const fn encoded_len(&self) -> usize {
        if self.extension.is_some() { Self::LEN_1_5 } else { Self::LEN_1_0 }
    }

    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        let (seam, td, xfam) = (
            self.seam_attributes.0.to_le_bytes(),
            self.td_attributes.0.to_le_bytes(),
            self.xfam.0.to_le_bytes(),
        );
        let fixed: [&[u8]; 10] = [
            &self.tee_tcb_svn,
            &self.mr_seam,
            &self.mr_signer_seam,
            &seam,
            &td,
            &xfam,
            &self.mr_td,
            &self.mr_config_id,
            &self.mr_owner,
            &self.mr_owner_config,
        ];
        let mut out = fixed.concat();
        out.extend_from_slice(self.rtmr.as_flattened());
        out.extend_from_slice(&self.report_data);
        if let Some(extension) = &self.extension {
            out.extend_from_slice(&extension.tee_tcb_svn_2);
            out.extend_from_slice(&extension.mr_service_td);
        }
        out
    }
}

impl TdReportExtension {
    fn read(input: &mut Cursor<'_>) -> Result<Self, ParseError> {
        Ok(Self { tee_tcb_svn_2: input.array("TEE_TCB_SVN_2")?, mr_service_td: input.array("MRSERVICETD")? })
    }
}
