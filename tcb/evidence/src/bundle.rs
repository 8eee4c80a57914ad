// SPDX-License-Identifier: Apache-2.0

//! What travels from an untrusted host to a relying party: evidence, and the endorsements for it.
//!
//! One deterministic CBOR map (RFC 8949, section 4.2.1):
//!
//! ```text
//! { 0: format (unsigned), 1: evidence (byte string), 2: [ endorsement (byte string), … ] }
//! ```

use alloc::vec::Vec;
use core::fmt;

use minicbor::{Decoder, Encoder};

use crate::{Fault, ParseError};

const FORMAT: &str = "evidence bundle";

/// Which kind of evidence it is, and so which parser and which rules of verification apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Format {
    /// An AMD SEV-SNP attestation report as the firmware signed it; see [`crate::snp::Report`].
    SevSnp,
    /// A quote about an Intel TD; see [`crate::dcap::Quote`].
    Tdx,
    /// A quote about an Intel SGX enclave; see [`crate::dcap::Quote`].
    Sgx,
    /// An Arm CCA attestation token; see [`crate::cca::Token`].
    Cca,
    /// An attestation document of AWS Nitro Enclaves; see [`crate::nitro::Document`].
    Nitro,
    /// A TPM 2.0 quote with the values of its registers; see [`crate::tpm::TpmEvidence`].
    Tpm,
    /// A virtual machine of Azure on AMD SEV-SNP; see [`crate::azure::AzureEvidence`].
    AzureSnp,
    /// A virtual machine of Azure on Intel TDX; see [`crate::azure::AzureEvidence`].
    AzureTdx,
    /// The measurements of an NVIDIA GPU or switch; see [`crate::nvgpu::Report`].
    NvGpu,
}

impl Format {
    /// The name in policies, results and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SevSnp => "sev-snp",
            Self::Tdx => "tdx",
            Self::Sgx => "sgx",
            Self::Cca => "cca",
            Self::Nitro => "nitro",
            Self::Tpm => "tpm",
            Self::AzureSnp => "azure-snp",
            Self::AzureTdx => "azure-tdx",
            Self::NvGpu => "nvgpu",
        }
    }

    /// The number in a bundle. Numbers are never reused.
    const fn number(self) -> u64 {
        match self {
            Self::SevSnp => 1,
            Self::Tdx => 2,
            Self::Sgx => 3,
            Self::Cca => 4,
            Self::Nitro => 5,
            Self::Tpm => 6,
            Self::AzureSnp => 7,
            Self::AzureTdx => 8,
            Self::NvGpu => 9,
        }
    }

    const fn from_number(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::SevSnp),
            2 => Some(Self::Tdx),
            3 => Some(Self::Sgx),
            4 => Some(Self::Cca),
            5 => Some(Self::Nitro),
            6 => Some(Self::Tpm),
            7 => Some(Self::AzureSnp),
            8 => Some(Self::AzureTdx),
            9 => Some(Self::NvGpu),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a trusted execution environment says about itself, signed by its hardware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// How to read the bytes.
    pub format: Format,
    /// The evidence exactly as the hardware gave it out.
    pub bytes: Vec<u8>,
}

/// What a vendor says about its hardware, as the host collected it: certificates, revocation lists and signed
/// documents, in any order ([`crate::endorsement`]). Who collected them does not matter, since each carries its
/// issuer's signature.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Endorsements {
    /// One document, or any number of certificates and lists in PEM, per item.
    pub items: Vec<Vec<u8>>,
}

/// Evidence together with the endorsements it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// What the hardware says.
    pub evidence: Evidence,
    /// What its vendor says.
    pub endorsements: Endorsements,
}

impl Bundle {
    /// Limit of the evidence in bytes. The largest genuine kind, a TDX quote, is below 9 KiB.
    pub const MAX_EVIDENCE: usize = 64 * 1024;
    /// Limit of the number of endorsements. A complete AMD set has four, an Intel one eight.
    pub const MAX_ENDORSEMENTS: usize = 32;
    /// Limit of one endorsement in bytes. AMD's certificates and revocation lists are below 3 KiB, Intel's lists
    /// below 4 KiB and its TCB info below 11 KiB.
    pub const MAX_ENDORSEMENT: usize = 64 * 1024;

    /// The bundle as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new());
        let written = self.encode_to(&mut encoder);
        debug_assert!(written.is_ok(), "a vector takes every byte");
        encoder.into_writer()
    }

    /// Reads a bundle; the inverse of [`Bundle::encode`], and of nothing else: no other order, no
    /// indefinite lengths, no trailing bytes, nothing above the limits.
    pub fn decode(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut input = Input { decoder: Decoder::new(bytes) };
        let bundle = input.bundle()?;
        let end = input.decoder.position();
        match bytes.len().saturating_sub(end) {
            // CBOR has several encodings of one number, and only the shortest is deterministic.
            0 if bundle.encode() == bytes => Ok(bundle),
            0 => Err(error("bundle", 0, Fault::Malformed)),
            count => Err(error("end", end, Fault::Trailing { count })),
        }
    }

    fn encode_to(
        &self,
        encoder: &mut Encoder<Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<core::convert::Infallible>> {
        encoder.map(3)?;
        encoder.u8(KEY_FORMAT)?.u64(self.evidence.format.number())?;
        encoder.u8(KEY_EVIDENCE)?.bytes(&self.evidence.bytes)?;
        encoder.u8(KEY_ENDORSEMENTS)?.array(self.endorsements.items.len() as u64)?;
        for item in &self.endorsements.items {
            encoder.bytes(item)?;
        }
        Ok(())
    }
}

const KEY_FORMAT: u8 = 0;
const KEY_EVIDENCE: u8 = 1;
const KEY_ENDORSEMENTS: u8 = 2;

/// CBOR input with this format's names in its errors.
struct Input<'a> {
    decoder: Decoder<'a>,
}

impl Input<'_> {
    fn bundle(&mut self) -> Result<Bundle, ParseError> {
        let entries = self.read("bundle", Decoder::map)?;
        if entries != Some(3) {
            return Err(error("bundle", 0, Fault::Malformed));
        }
        self.key("format", KEY_FORMAT)?;
        let at = self.decoder.position();
        let number = self.read("format", Decoder::u64)?;
        let format = Format::from_number(number)
            .ok_or_else(|| error("format", at, Fault::Unsupported { found: number }))?;

        self.key("evidence", KEY_EVIDENCE)?;
        let bytes = self.bytes("evidence", Bundle::MAX_EVIDENCE)?;

        self.key("endorsements", KEY_ENDORSEMENTS)?;
        let items = self.items()?;
        Ok(Bundle { evidence: Evidence { format, bytes }, endorsements: Endorsements { items } })
    }

    fn items(&mut self) -> Result<Vec<Vec<u8>>, ParseError> {
        let at = self.decoder.position();
        let count = self
            .read("endorsements", Decoder::array)?
            .ok_or_else(|| error("endorsements", at, Fault::Malformed))?;
        if count > Bundle::MAX_ENDORSEMENTS as u64 {
            return Err(error("endorsements", at, Fault::TooLarge { limit: Bundle::MAX_ENDORSEMENTS }));
        }
        (0..count).map(|_| self.bytes("endorsement", Bundle::MAX_ENDORSEMENT)).collect()
    }

    fn key(&mut self, field: &'static str, key: u8) -> Result<(), ParseError> {
        let at = self.decoder.position();
        if self.read(field, Decoder::u8)? == key { Ok(()) } else { Err(error(field, at, Fault::Malformed)) }
    }

    fn bytes(&mut self, field: &'static str, limit: usize) -> Result<Vec<u8>, ParseError> {
        let at = self.decoder.position();
        let bytes = self.read(field, Decoder::bytes)?;
        if bytes.len() > limit {
            return Err(error(field, at, Fault::TooLarge { limit }));
        }
        Ok(bytes.to_vec())
    }
}

impl<'a> Input<'a> {
    fn read<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&mut Decoder<'a>) -> Result<T, minicbor::decode::Error>,
    ) -> Result<T, ParseError> {
        let at = self.decoder.position();
        read(&mut self.decoder).map_err(|cause| {
            let fault = if cause.is_end_of_input() { Fault::Truncated } else { Fault::Malformed };
            error(field, at, fault)
        })
    }
}

fn error(field: &'static str, offset: usize, fault: Fault) -> ParseError {
    ParseError { format: FORMAT, field, offset, fault }
}
