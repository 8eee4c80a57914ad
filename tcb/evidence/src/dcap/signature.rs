// SPDX-License-Identifier: Apache-2.0

//! The signature data of a quote (SGX Quoting, table 4; TDX Quoting, A.3.7 to A.3.11): the attestation key's
//! signature, and everything that leads from that key to the platform.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::quote::QuoteVersion;
use super::report::SgxReport;
use crate::cursor::Cursor;
use crate::{Fault, ParseError};

const FORMAT: &str = "signature data";

const PPID_PLAIN: u16 = 1;
const PPID_RSA_2048: u16 = 2;
const PPID_RSA_3072: u16 = 3;
const PCK_LEAF: u16 = 4;
const PCK_CHAIN: u16 = 5;
const QE_REPORT: u16 = 6;
const PLATFORM_MANIFEST: u16 = 7;

/// Who vouches for a quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuoteSignature {
    /// The attestation key's ECDSA signature over the quote up to the signature data: r and s, big-endian.
    pub signature: [u8; 64],
    /// The attestation key, a point of P-256: x and y, big-endian.
    pub attestation_key: [u8; 64],
    /// Who vouches for the attestation key.
    pub qe: QeCertification,
    /// Who vouches for the platform.
    pub certification: Certification,
}

/// The report of the quoting enclave that made the attestation key (TDX Quoting, A.3.11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QeCertification {
    /// The report. Its report data is SHA-256 of the attestation key and the authentication data, then zeros.
    pub report: SgxReport,
    /// The PCK's ECDSA signature over the report: r and s, big-endian.
    pub signature: [u8; 64],
    /// Authentication data, at most 65,535 bytes.
    pub auth_data: Vec<u8>,
}

/// Certification data: the certificate of the platform's key, or how to find it (TDX Quoting, table 10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certification {
    /// Type 3: the platform's identifier, encrypted so that only Intel can read it.
    EncryptedPpid(Box<EncryptedPpid>),
    /// Type 5: certificates in PEM, in any order, maybe with a zero at the end.
    PckChain(Vec<u8>),
    /// Type 1, 2 or 7, identifiers and a manifest, or 4, the leaf certificate alone: none is in use.
    Other {
        /// The type.
        kind: u16,
        /// The data.
        data: Vec<u8>,
    },
}

/// What is needed to ask for a platform's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptedPpid {
    /// The platform's identifier (PPID), encrypted by RSA-3072-OAEP.
    pub ciphertext: [u8; 384],
    /// `CPUSVN` of the platform.
    pub cpu_svn: [u8; 16],
    /// The security version of the provisioning certification enclave.
    pub pce_svn: u16,
    /// Which provisioning certification enclave.
    pub pce_id: u16,
}

impl QuoteSignature {
    /// Reads the signature data of a quote of a version, and nothing after it.
    pub(super) fn parse(data: &[u8], version: QuoteVersion) -> Result<Self, ParseError> {
        let mut input = Cursor::new(FORMAT, data);
        let signature = input.array("SIGNATURE")?;
        let attestation_key = input.array("ATTESTATION_KEY")?;
        if version != QuoteVersion::V3 {
            let at = input.offset();
            let kind = input.u16("CERTIFICATION_DATA_TYPE")?;
            if kind != QE_REPORT {
                let fault = Fault::Unsupported { found: kind.into() };
                return Err(input.error("CERTIFICATION_DATA_TYPE", at, fault));
            }
            let at = input.offset();
            let len = input.u32("CERTIFICATION_DATA_SIZE")?;
            let left = data.len().saturating_sub(input.offset());
            if usize::try_from(len) != Ok(left) {
                return Err(input.error("CERTIFICATION_DATA_SIZE", at, Fault::Malformed));
            }
        }
        let qe = QeCertification::read(&mut input)?;
        let certification = Certification::read(&mut input)?;
        input.finish()?;
        Ok(Self { signature, attestation_key, qe, certification })
    }

    pub(super) fn encode(&self, version: QuoteVersion) -> Vec<u8> {
        let mut qe = self.qe.encode();
        qe.extend_from_slice(&self.certification.encode());
        let mut out = [self.signature, self.attestation_key].concat();
        if version != QuoteVersion::V3 {
            out.extend_from_slice(&QE_REPORT.to_le_bytes());
            out.extend_from_slice(&len_u32(&qe));
        }
        out.extend_from_slice(&qe);
        out
    }
}

impl QeCertification {
    fn read(input: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let report = SgxReport::read(input)?;
        let signature = input.array("QE_REPORT_SIGNATURE")?;
        let len = input.u16("QE_AUTHENTICATION_DATA")?;
        let auth_data = input.take("QE_AUTHENTICATION_DATA", len.into())?.to_vec();
        Ok(Self { report, signature, auth_data })
    }

    fn encode(&self) -> Vec<u8> {
        let len = u16::try_from(self.auth_data.len()).unwrap_or(u16::MAX);
        let parts: [&[u8]; 4] = [&self.report.encode(), &self.signature, &len.to_le_bytes(), &self.auth_data];
        parts.concat()
    }
}

impl Certification {
    /// The type, as a quote numbers it.
    pub const fn kind(&self) -> u16 {
        match self {
            Self::EncryptedPpid(_) => PPID_RSA_3072,
            Self::PckChain(_) => PCK_CHAIN,
            Self::Other { kind, .. } => *kind,
        }
    }

    /// What the type is, for people.
    pub const fn name(&self) -> &'static str {
        match self.kind() {
            PPID_PLAIN => "the platform's identifier",
            PPID_RSA_2048 | PPID_RSA_3072 => "the platform's identifier, encrypted",
            PCK_LEAF => "the certificate of the platform's key, without its issuers",
            PCK_CHAIN => "the certificate chain of the platform's key",
            _ => "the platform's manifest",
        }
    }

    fn read(input: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let at = input.offset();
        let kind = input.u16("CERTIFICATION_DATA_TYPE")?;
        let data = input.sized("CERTIFICATION_DATA")?;
        match kind {
            PCK_CHAIN => Ok(Self::PckChain(data.to_vec())),
            PPID_RSA_3072 => match EncryptedPpid::parse(data) {
                Ok(ppid) => Ok(Self::EncryptedPpid(Box::new(ppid))),
                Err(error) => {
                    let start = input.offset().saturating_sub(data.len());
                    Err(input.error(error.field, error.offset.saturating_add(start), error.fault))
                }
            },
            PPID_PLAIN | PPID_RSA_2048 | PCK_LEAF | PLATFORM_MANIFEST => {
                Ok(Self::Other { kind, data: data.to_vec() })
            }
            found => {
                let fault = Fault::Unsupported { found: found.into() };
                Err(input.error("CERTIFICATION_DATA_TYPE", at, fault))
            }
        }
    }

    fn encode(&self) -> Vec<u8> {
        let data = match self {
            Self::EncryptedPpid(ppid) => ppid.encode(),
            Self::PckChain(data) | Self::Other { data, .. } => data.clone(),
        };
        let parts: [&[u8]; 3] = [&self.kind().to_le_bytes(), &len_u32(&data), &data];
        parts.concat()
    }
}

impl EncryptedPpid {
    fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let mut input = Cursor::new("encrypted PPID", data);
        let ppid = Self {
            ciphertext: input.array("ENCRYPTED_PPID")?,
            cpu_svn: input.array("CPUSVN")?,
            pce_svn: input.u16("PCE_SVN")?,
            pce_id: input.u16("PCE_ID")?,
        };
        input.finish()?;
        Ok(ppid)
    }

    fn encode(&self) -> Vec<u8> {
        let parts: [&[u8]; 4] =
            [&self.ciphertext, &self.cpu_svn, &self.pce_svn.to_le_bytes(), &self.pce_id.to_le_bytes()];
        parts.concat()
    }
}

fn len_u32(data: &[u8]) -> [u8; 4] {
    u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes()
}
