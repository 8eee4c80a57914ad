// SPDX-License-Identifier: Apache-2.0

//! `TDREPORT_STRUCT` (*Intel TDX Module Base Architecture Specification*, chapter "Measurement and attestation";
//! *Application Binary Interface*, section `TDREPORT_STRUCT`).

use crate::cursor::Cursor;
use crate::{Fault, ParseError};

const FORMAT: &str = "TDREPORT";

/// `REPORTTYPE`: a trust domain, no subtype, version 0 or 1.
const TYPE_TDX: u8 = 0x81;

/// A report that the processor made for itself. Reserved bytes are zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TdReport {
    /// The version in `REPORTTYPE`: 1 if service domains are bound.
    pub version: u8,
    /// `CPUSVN`.
    pub cpu_svn: [u8; 16],
    /// `TEE_TCB_INFO_HASH`: SHA-384 of the description of the TDX module.
    pub tee_tcb_info_hash: [u8; 48],
    /// `TEE_INFO_HASH`: SHA-384 of the description of the trust domain.
    pub tee_info_hash: [u8; 48],
    /// `REPORTDATA`.
    pub report_data: [u8; 64],
    /// `MAC`, by a key that only this processor has.
    pub mac: [u8; 32],
    /// `VALID`: which fields of the description of the TDX module are set.
    pub valid: [u8; 8],
    /// `TEE_TCB_SVN`.
    pub tee_tcb_svn: [u8; 16],
    /// `MRSEAM`.
    pub mr_seam: [u8; 48],
    /// `MRSIGNERSEAM`.
    pub mr_signer_seam: [u8; 48],
    /// `ATTRIBUTES` of the TDX module.
    pub seam_attributes: [u8; 8],
    /// `TEE_TCB_SVN2`.
    pub tee_tcb_svn_2: [u8; 16],
    /// `ATTRIBUTES` of the trust domain.
    pub attributes: [u8; 8],
    /// `XFAM`.
    pub xfam: [u8; 8],
    /// `MRTD`.
    pub mr_td: [u8; 48],
    /// `MRCONFIGID`.
    pub mr_config_id: [u8; 48],
    /// `MROWNER`.
    pub mr_owner: [u8; 48],
    /// `MROWNERCONFIG`.
    pub mr_owner_config: [u8; 48],
    /// `RTMR` 0 to 3.
    pub rtmr: [[u8; 48]; 4],
    /// `SERVTD_HASH`.
    pub servtd_hash: [u8; 48],
}

impl TdReport {
    /// The length of a report in bytes.
    pub const LEN: usize = 1024;

    /// Reads a report of exactly [`TdReport::LEN`] bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(FORMAT, bytes);
        let version = report_type(&mut cursor)?;
        cursor.zeros::<12>("RESERVED")?;
        let cpu_svn = cursor.array("CPUSVN")?;
        let (tee_tcb_info_hash, tee_info_hash) =
            (cursor.array("TEE_TCB_INFO_HASH")?, cursor.array("TEE_INFO_HASH")?);
        let report_data = cursor.array("REPORTDATA")?;
        cursor.zeros::<32>("RESERVED")?;
        let (mac, valid) = (cursor.array("MAC")?, cursor.array("VALID")?);
        let tee_tcb_svn = cursor.array("TEE_TCB_SVN")?;
        let (mr_seam, mr_signer_seam) = (cursor.array("MRSEAM")?, cursor.array("MRSIGNERSEAM")?);
        let seam_attributes = cursor.array("SEAM ATTRIBUTES")?;
        let tee_tcb_svn_2 = cursor.array("TEE_TCB_SVN2")?;
        // 95 bytes of the description of the module, 17 after it.
        cursor.zeros::<112>("RESERVED")?;
        let report = Self {
            version,
            cpu_svn,
            tee_tcb_info_hash,
            tee_info_hash,
            report_data,
            mac,
            valid,
            tee_tcb_svn,
            mr_seam,
            mr_signer_seam,
            seam_attributes,
            tee_tcb_svn_2,
            attributes: cursor.array("ATTRIBUTES")?,
            xfam: cursor.array("XFAM")?,
            mr_td: cursor.array("MRTD")?,
            mr_config_id: cursor.array("MRCONFIGID")?,
            mr_owner: cursor.array("MROWNER")?,
            mr_owner_config: cursor.array("MROWNERCONFIG")?,
            rtmr: [
                cursor.array("RTMR0")?,
                cursor.array("RTMR1")?,
                cursor.array("RTMR2")?,
                cursor.array("RTMR3")?,
            ],
            servtd_hash: cursor.array("SERVTD_HASH")?,
        };
        cursor.zeros::<64>("RESERVED")?;
        cursor.finish()?;
        Ok(report)
    }

    /// The report as bytes; the inverse of [`TdReport::parse`].
    pub fn encode(&self) -> [u8; Self::LEN] {
        let [rtmr0, rtmr1, rtmr2, rtmr3] = &self.rtmr;
        let (gap12, gap32, gap112) = ([0; 12], [0; 32], [0; 112]);
        let fields: [&[u8]; 26] = [
            &[TYPE_TDX, 0, self.version, 0],
            &gap12,
            &self.cpu_svn,
            &self.tee_tcb_info_hash,
            &self.tee_info_hash,
            &self.report_data,
            &gap32,
            &self.mac,
            &self.valid,
            &self.tee_tcb_svn,
            &self.mr_seam,
            &self.mr_signer_seam,
            &self.seam_attributes,
            &self.tee_tcb_svn_2,
            &gap112,
            &self.attributes,
            &self.xfam,
            &self.mr_td,
            &self.mr_config_id,
            &self.mr_owner,
            &self.mr_owner_config,
            rtmr0,
            rtmr1,
            rtmr2,
            rtmr3,
            &self.servtd_hash,
        ];
        let mut bytes = [0; Self::LEN];
        let room = bytes.iter_mut();
        room.zip(fields.into_iter().flatten()).for_each(|(byte, value)| *byte = *value);
        bytes
    }
}

fn report_type(cursor: &mut Cursor<'_>) -> Result<u8, ParseError> {
    let [kind, subtype, version, reserved] = cursor.array("REPORTTYPE")?;
    if kind != TYPE_TDX || subtype != 0 || version > 1 || reserved != 0 {
        let found = u64::from(u32::from_le_bytes([kind, subtype, version, reserved]));
        return Err(cursor.error("REPORTTYPE", 0, Fault::Unsupported { found }));
    }
    Ok(version)
}
