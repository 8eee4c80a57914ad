// SPDX-License-Identifier: Apache-2.0

//! The report of an SGX enclave (SDM, volume 3D, section 34.15; SGX Quoting, table 5): of the quoting enclave in
//! every quote, and of the enclave that a quote of SGX is about.

use super::attributes::{MiscSelect, SgxAttributes};
use crate::ParseError;
use crate::cursor::Cursor;

/// What an enclave is, without the MAC that only its own platform can check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SgxReport {
    /// `CPUSVN`: the security version of processor and microcode, to be compared as a whole.
    pub cpu_svn: [u8; 16],
    /// `MISCSELECT`.
    pub misc_select: MiscSelect,
    /// `ISVEXTPRODID`: the extended product identifier, with KSS.
    pub isv_ext_prod_id: [u8; 16],
    /// `ATTRIBUTES`.
    pub attributes: SgxAttributes,
    /// `MRENCLAVE`: the measurement of the enclave's code and data.
    pub mr_enclave: [u8; 32],
    /// `MRSIGNER`: SHA-256 of the key that signed the enclave.
    pub mr_signer: [u8; 32],
    /// `CONFIGID`: the configuration that it was launched with, with KSS.
    pub config_id: [u8; 64],
    /// `ISVPRODID`: which of the signer's products.
    pub isv_prod_id: u16,
    /// `ISVSVN`: the security version of that product.
    pub isv_svn: u16,
    /// `CONFIGSVN`: the security version of the configuration, with KSS.
    pub config_svn: u16,
    /// `ISVFAMILYID`: the product family, with KSS.
    pub isv_family_id: [u8; 16],
    /// `REPORTDATA`: what the enclave bound the report to.
    pub report_data: [u8; 64],
}

impl SgxReport {
    /// The length in bytes.
    pub const LEN: usize = 384;

    pub(super) fn read(input: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let cpu_svn = input.array("CPUSVN")?;
        let misc_select = MiscSelect(input.u32("MISCSELECT")?);
        input.zeros::<12>("RESERVED1")?;
        let isv_ext_prod_id = input.array("ISVEXTPRODID")?;
        let attributes = SgxAttributes::from_bytes(input.array("ATTRIBUTES")?);
        let mr_enclave = input.array("MRENCLAVE")?;
        input.zeros::<32>("RESERVED2")?;
        let mr_signer = input.array("MRSIGNER")?;
        input.zeros::<32>("RESERVED3")?;
        let config_id = input.array("CONFIGID")?;
        let isv_prod_id = input.u16("ISVPRODID")?;
        let isv_svn = input.u16("ISVSVN")?;
        let config_svn = input.u16("CONFIGSVN")?;
        input.zeros::<42>("RESERVED4")?;
        let isv_family_id = input.array("ISVFAMILYID")?;
        let report_data = input.array("REPORTDATA")?;
        Ok(Self {
            cpu_svn,
            misc_select,
            isv_ext_prod_id,
            attributes,
            mr_enclave,
            mr_signer,
            config_id,
            isv_prod_id,
            isv_svn,
            config_svn,
            isv_family_id,
            report_data,
        })
    }

    /// The bytes, which are what is signed.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let parts: [&[u8]; 16] = [
            &self.cpu_svn,
            &self.misc_select.0.to_le_bytes(),
            &[0; 12],
            &self.isv_ext_prod_id,
            &self.attributes.to_bytes(),
            &self.mr_enclave,
            &[0; 32],
            &self.mr_signer,
            &[0; 32],
            &self.config_id,
            &self.isv_prod_id.to_le_bytes(),
            &self.isv_svn.to_le_bytes(),
            &self.config_svn.to_le_bytes(),
            &[0; 42],
            &self.isv_family_id,
            &self.report_data,
        ];
        let mut out = [0; Self::LEN];
        let bytes = parts.into_iter().flatten();
        out.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        out
    }
}
