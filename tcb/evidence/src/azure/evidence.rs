// SPDX-License-Identifier: Apache-2.0

//! Evidence of the formats `azure-snp` and `azure-tdx`: one deterministic CBOR map (RFC 8949, section 4.2.1).
//!
//! ```text
//! evidence = { 0: HCL report (byte string), 1: quote, ? 2: TD quote (byte string) }
//! ```
//!
//! `quote` is that of [`crate::tpm::TpmEvidence`], by the attestation key that the HCL report names. The TD quote is
//! there exactly if the HCL report is one of TDX.

use alloc::vec::Vec;

use super::{HardwareReport, HclReport};
use crate::cbor::{Label, Reader};
use crate::cose::written;
use crate::tpm::Quote;
use crate::{Fault, ParseError};

const FORMAT: &str = "Azure evidence";

const KEY_HCL_REPORT: Label<'_> = Label::Int(0);
const KEY_QUOTE: Label<'_> = Label::Int(1);
const KEY_TD_QUOTE: Label<'_> = Label::Int(2);

/// Limit of a TD quote in bytes. Genuine ones have about 5000, and services may fill up to 8000 with zeros.
const MAX_TD_QUOTE: usize = 32 * 1024;

/// What a confidential virtual machine of Azure proves itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureEvidence {
    /// The report of hardware and paravisor.
    pub hcl_report: HclReport,
    /// The quote of the virtual TPM.
    pub quote: Quote,
    /// On TDX, the quote of the hardware.
    pub td_quote: Option<Vec<u8>>,
}

impl AzureEvidence {
    /// The evidence as bytes.
    pub fn encode(&self) -> Vec<u8> {
        written(|encoder| {
            encoder.map(if self.td_quote.is_some() { 3 } else { 2 })?;
            encoder.u8(0)?.bytes(&self.hcl_report.encode())?.u8(1)?;
            self.quote.encode(encoder)?;
            if let Some(td_quote) = &self.td_quote {
                encoder.u8(2)?.bytes(td_quote)?;
            }
            Ok(())
        })
    }

    /// Reads evidence; the inverse of [`AzureEvidence::encode`], and of nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(FORMAT, bytes);
        let mut entries = reader.map("evidence", 3)?;
        let (mut hcl_report, mut quote, mut td_quote) = (None, None, None);
        let mut at = reader.offset();
        while let Some(label) = reader.label(&mut entries, "evidence")? {
            match label {
                KEY_HCL_REPORT => {
                    hcl_report = Some(HclReport::parse(reader.bytes("HCL report", HclReport::MAX_LEN)?)?);
                }
                KEY_QUOTE => quote = Some(Quote::read(&mut reader)?),
                KEY_TD_QUOTE => td_quote = Some(reader.bytes("TD quote", MAX_TD_QUOTE)?.to_vec()),
                _ => return Err(reader.error("evidence", at, Fault::Malformed)),
            }
            at = reader.offset();
        }
        let hcl_report = hcl_report.ok_or_else(|| reader.missing("HCL report"))?;
        let quote = quote.ok_or_else(|| reader.missing("quote"))?;
        match (&hcl_report.hardware, &td_quote) {
            (HardwareReport::Snp(_), None) | (HardwareReport::Tdx(_), Some(_)) => {}
            (HardwareReport::Snp(_), Some(_)) => return Err(reader.error("TD quote", at, Fault::Malformed)),
            (HardwareReport::Tdx(_), None) => return Err(reader.missing("TD quote")),
        }
        let evidence = Self { hcl_report, quote, td_quote };
        reader.finish_as(bytes, &evidence.encode())?;
        Ok(evidence)
    }
}
