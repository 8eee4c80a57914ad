// SPDX-License-Identifier: Apache-2.0

//! Quotes of versions 3, 4 and 5 (SGX Quoting, A.4; TDX Quoting, A.3 and A.4).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::report::SgxReport;
use super::signature::QuoteSignature;
use super::td_report::TdReport;
use crate::cursor::Cursor;
use crate::{Fault, ParseError};

const FORMAT: &str = "DCAP quote";

/// ECDSA with SHA-256 under a key on P-256.
const ECDSA_P256: u16 = 2;
const TEE_SGX: u32 = 0;
const TEE_TDX: u32 = 0x81;
const BODY_SGX: u16 = 1;
const BODY_TD_1_0: u16 = 2;
const BODY_TD_1_5: u16 = 3;

/// A quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// How to read the rest, and who made it.
    pub header: Header,
    /// What the quote is about.
    pub body: Body,
    /// Who vouches for it.
    pub signature: QuoteSignature,
    /// What follows the quote: quoting services fill a buffer whose size they guessed. It is not signed and means
    /// nothing.
    pub trailing: Vec<u8>,
}

/// The header of a quote (SGX Quoting, table 3; TDX Quoting, table 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The version.
    pub version: QuoteVersion,
    /// The security version of the quoting enclave: in version 3 only, and zero in later ones.
    pub qe_svn: u16,
    /// The security version of the provisioning certification enclave: in version 3 only, and zero in later ones.
    pub pce_svn: u16,
    /// Whose quoting enclave it is.
    pub qe_vendor_id: [u8; 16],
    /// What the quoting enclave adds: an identifier of the platform, by which its certificate can be found.
    pub user_data: [u8; 20],
}

impl Header {
    /// The length in bytes.
    pub const LEN: usize = 48;
    /// The vendor identifier of Intel's quoting enclaves.
    pub const INTEL_QE: [u8; 16] =
        [0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07];
}

/// The version of a quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QuoteVersion {
    /// SGX only.
    V3,
    /// SGX, or TDX with a TD report of version 1.0.
    V4,
    /// SGX or TDX, with a descriptor before the body.
    V5,
}

impl QuoteVersion {
    /// As in the header.
    pub const fn number(self) -> u16 {
        match self {
            Self::V3 => 3,
            Self::V4 => 4,
            Self::V5 => 5,
        }
    }

    const fn from_number(number: u16) -> Option<Self> {
        match number {
            3 => Some(Self::V3),
            4 => Some(Self::V4),
            5 => Some(Self::V5),
            _ => None,
        }
    }
}

/// The kind of trusted execution environment that a quote is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TeeType {
    /// An SGX enclave.
    Sgx,
    /// A TD.
    Tdx,
}

impl TeeType {
    const fn number(self) -> u32 {
        match self {
            Self::Sgx => TEE_SGX,
            Self::Tdx => TEE_TDX,
        }
    }
}

impl fmt::Display for TeeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sgx => "SGX",
            Self::Tdx => "TDX",
        })
    }
}

/// What a quote is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// An enclave.
    Sgx(Box<SgxReport>),
    /// A TD.
    Td(Box<TdReport>),
}

impl Body {
    /// The kind of trusted execution environment.
    pub const fn tee(&self) -> TeeType {
        match self {
            Self::Sgx(_) => TeeType::Sgx,
            Self::Td(_) => TeeType::Tdx,
        }
    }

    /// What the enclave or TD bound the quote to.
    pub fn report_data(&self) -> &[u8; 64] {
        match self {
            Self::Sgx(report) => &report.report_data,
            Self::Td(report) => &report.report_data,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Sgx(_) => SgxReport::LEN,
            Self::Td(report) => report.encoded_len(),
        }
    }

    /// The number in the descriptor of version 5 (TDX Quoting, table 8).
    fn number(&self) -> u16 {
        match self {
            Self::Sgx(_) => BODY_SGX,
            Self::Td(report) if report.extension.is_none() => BODY_TD_1_0,
            Self::Td(_) => BODY_TD_1_5,
        }
    }
}

impl Quote {
    /// Length of the descriptor of the body in version 5.
    const DESCRIPTOR_LEN: usize = 6;

    /// Reads a quote and what follows it.
    ///
    /// A version, key type or TEE type that is not defined, or not for the version, is [`Fault::Unsupported`];
    /// lengths that do not agree with each other are [`Fault::Truncated`], [`Fault::Trailing`] or
    /// [`Fault::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut input = Cursor::new(FORMAT, bytes);
        let (header, tee) = header(&mut input)?;
        let body = match header.version {
            QuoteVersion::V3 | QuoteVersion::V4 => match tee {
                TeeType::Sgx => Body::Sgx(Box::new(SgxReport::read(&mut input)?)),
                TeeType::Tdx => Body::Td(Box::new(TdReport::read(&mut input, false)?)),
            },
            QuoteVersion::V5 => described_body(&mut input, tee)?,
        };
        let data = input.sized("signature data")?;
        let start = input.offset().saturating_sub(data.len());
        let signature = QuoteSignature::parse(data, header.version).map_err(|error| ParseError {
            offset: error.offset.saturating_add(start),
            format: FORMAT,
            ..error
        })?;
        Ok(Self { header, body, signature, trailing: input.rest().to_vec() })
    }

    /// The bytes, what follows the quote included.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.encode_signed();
        let data = self.signature.encode(self.header.version);
        out.extend_from_slice(&u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&data);
        out.extend_from_slice(&self.trailing);
        out
    }

    /// How many bytes, from the first one on, the attestation key signs: header and body, in version 5 with the
    /// descriptor between them.
    pub fn signed_len(&self) -> usize {
        let descriptor = match self.header.version {
            QuoteVersion::V5 => Self::DESCRIPTOR_LEN,
            QuoteVersion::V3 | QuoteVersion::V4 => 0,
        };
        Header::LEN.saturating_add(descriptor).saturating_add(self.body.len())
    }

    /// The bytes that the attestation key signs.
    pub fn encode_signed(&self) -> Vec<u8> {
        let Header { version, qe_svn, pce_svn, qe_vendor_id, user_data } = &self.header;
        let mut out = Vec::with_capacity(self.signed_len());
        out.extend_from_slice(&version.number().to_le_bytes());
        out.extend_from_slice(&ECDSA_P256.to_le_bytes());
        out.extend_from_slice(&self.body.tee().number().to_le_bytes());
        out.extend_from_slice(&qe_svn.to_le_bytes());
        out.extend_from_slice(&pce_svn.to_le_bytes());
        out.extend_from_slice(qe_vendor_id);
        out.extend_from_slice(user_data);
        if *version == QuoteVersion::V5 {
            out.extend_from_slice(&self.body.number().to_le_bytes());
            out.extend_from_slice(&u32::try_from(self.body.len()).unwrap_or(u32::MAX).to_le_bytes());
        }
        match &self.body {
            Body::Sgx(report) => out.extend_from_slice(&report.encode()),
            Body::Td(report) => out.extend_from_slice(&report.encode()),
        }
        out
    }
}

fn header(input: &mut Cursor<'_>) -> Result<(Header, TeeType), ParseError> {
    let unsupported = |input: &Cursor<'_>, field, offset, found: u64| {
        Err(input.error(field, offset, Fault::Unsupported { found }))
    };
    let number = input.u16("VERSION")?;
    let Some(version) = QuoteVersion::from_number(number) else {
        return unsupported(input, "VERSION", 0, number.into());
    };
    let key_type = input.u16("ATTESTATION_KEY_TYPE")?;
    if key_type != ECDSA_P256 {
        return unsupported(input, "ATTESTATION_KEY_TYPE", 2, key_type.into());
    }
    let tee = match (input.u32("TEE_TYPE")?, version) {
        (TEE_SGX, _) => TeeType::Sgx,
        (TEE_TDX, QuoteVersion::V4 | QuoteVersion::V5) => TeeType::Tdx,
        (found, _) => return unsupported(input, "TEE_TYPE", 4, found.into()),
    };
    let (qe_svn, pce_svn) = (input.u16("QE_SVN")?, input.u16("PCE_SVN")?);
    if version != QuoteVersion::V3 && (qe_svn, pce_svn) != (0, 0) {
        return Err(input.error("RESERVED", 8, Fault::Reserved));
    }
    let (qe_vendor_id, user_data) = (input.array("QE_VENDOR_ID")?, input.array("USER_DATA")?);
    Ok((Header { version, qe_svn, pce_svn, qe_vendor_id, user_data }, tee))
}

/// A body with its type and length before it, which must go together.
fn described_body(input: &mut Cursor<'_>, tee: TeeType) -> Result<Body, ParseError> {
    let at = input.offset();
    let number = input.u16("BODY_TYPE")?;
    let len = input.u32("BODY_SIZE")?;
    let body = match (number, tee) {
        (BODY_SGX, TeeType::Sgx) => Body::Sgx(Box::new(SgxReport::read(input)?)),
        (BODY_TD_1_0, TeeType::Tdx) => Body::Td(Box::new(TdReport::read(input, false)?)),
        (BODY_TD_1_5, TeeType::Tdx) => Body::Td(Box::new(TdReport::read(input, true)?)),
        (found, _) => return Err(input.error("BODY_TYPE", at, Fault::Unsupported { found: found.into() })),
    };
    if usize::try_from(len) == Ok(body.len()) {
        Ok(body)
    } else {
        Err(input.error("BODY_SIZE", at.saturating_add(2), Fault::Malformed))
    }
}
