// SPDX-License-Identifier: Apache-2.0

//! What an attestation document says (AWS, sections 2.2 and 3.2.2).

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::cbor::{Label, Reader};
use crate::cose::written;
use crate::{Fault, ParseError};

const FORMAT: &str = "Nitro attestation document";

/// The only digest there is.
const DIGEST: &str = "SHA384";

/// A field that need not be there. The three ways of saying nothing are told apart, because they are signed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Field {
    /// It is not there.
    #[default]
    Absent,
    /// It is there as null. AWS forbids it, and every document of theirs without the field has it.
    Null,
    /// It is there, possibly empty.
    Bytes(Vec<u8>),
}

impl Field {
    /// The bytes, if there are any, possibly none.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Absent | Self::Null => None,
            Self::Bytes(bytes) => Some(bytes),
        }
    }
}

/// The contents of a platform configuration register: 32, 48 or 64 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pcr(Vec<u8>);

impl Pcr {
    /// The contents, if they have one of the three lengths.
    pub fn new(contents: &[u8]) -> Option<Self> {
        matches!(contents.len(), 32 | 48 | 64).then(|| Self(contents.to_vec()))
    }

    /// The contents.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether nothing was measured: the contents are zero, as in an enclave that may be debugged.
    pub fn is_zero(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }
}

impl fmt::Debug for Pcr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What an attestation document says. Measurements are by SHA-384; no other digest is defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `module_id`: the enclave, with the instance that it belongs to.
    pub module_id: String,
    /// `timestamp`: when the document was made, in milliseconds since 1970.
    pub timestamp: u64,
    /// `pcrs`: the registers that are locked, by number below 32; never empty.
    pub pcrs: BTreeMap<u8, Pcr>,
    /// `certificate`: that of the key which signed the document, in DER.
    pub certificate: Vec<u8>,
    /// `cabundle`: the issuers' certificates in DER, the root first; never empty.
    pub cabundle: Vec<Vec<u8>>,
    /// `public_key` that the enclave chose.
    pub public_key: Field,
    /// `user_data` that the enclave chose.
    pub user_data: Field,
    /// `nonce` that the enclave chose.
    pub nonce: Field,
}

impl Claims {
    /// Registers have smaller numbers.
    pub const MAX_PCRS: usize = 32;
    /// Limit of a certificate in bytes.
    pub const MAX_CERTIFICATE: usize = 1024;
    /// Limit of the number of issuers. AWS states none; genuine documents have four.
    pub const MAX_CABUNDLE: usize = 8;
    /// Limit of `public_key` in bytes.
    pub const MAX_PUBLIC_KEY: usize = 1024;
    /// Limit of `user_data` in bytes: that of section 2.2, to which genuine documents go. Section 3.2.2 says 512.
    pub const MAX_USER_DATA: usize = 1024;
    /// Limit of `nonce` in bytes, likewise.
    pub const MAX_NONCE: usize = 1024;
    /// Limit of `module_id` in bytes. AWS states none; genuine ones have 39.
    pub const MAX_MODULE_ID: usize = 256;

    /// Reads the payload of a document. Every field is known, and no other may be there.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(FORMAT, bytes);
        let mut found = Found::default();
        let mut entries = reader.map("document", 9)?;
        loop {
            let at = reader.offset();
            match reader.label(&mut entries, "document")? {
                None => break,
                Some(Label::Text(name)) => found.read(name, at, &mut reader)?,
                Some(Label::Int(_)) => return Err(reader.error("document", at, Fault::Malformed)),
            }
        }
        reader.finish()?;
        let missing = |field| reader.missing(field);
        found.digest.ok_or_else(|| missing("digest"))?;
        Ok(Self {
            module_id: found.module_id.ok_or_else(|| missing("module_id"))?,
            timestamp: found.timestamp.ok_or_else(|| missing("timestamp"))?,
            pcrs: found.pcrs.ok_or_else(|| missing("pcrs"))?,
            certificate: found.certificate.ok_or_else(|| missing("certificate"))?,
            cabundle: found.cabundle.ok_or_else(|| missing("cabundle"))?,
            public_key: found.public_key,
            user_data: found.user_data,
            nonce: found.nonce,
        })
    }

    /// The claims as the payload of a document, in the order in which AWS writes them; what is parsed from it is
    /// these claims.
    pub fn encode(&self) -> Vec<u8> {
        let optional =
            [("public_key", &self.public_key), ("user_data", &self.user_data), ("nonce", &self.nonce)];
        let there = optional.iter().filter(|(_, field)| **field != Field::Absent);
        let count = there.clone().count().saturating_add(6);
        written(|encoder| {
            encoder.map(count as u64)?;
            encoder.str("module_id")?.str(&self.module_id)?;
            encoder.str("digest")?.str(DIGEST)?;
            encoder.str("timestamp")?.u64(self.timestamp)?;
            encoder.str("pcrs")?.map(self.pcrs.len() as u64)?;
            for (index, pcr) in &self.pcrs {
                encoder.u8(*index)?.bytes(pcr.as_bytes())?;
            }
            encoder.str("certificate")?.bytes(&self.certificate)?;
            encoder.str("cabundle")?.array(self.cabundle.len() as u64)?;
            for certificate in &self.cabundle {
                encoder.bytes(certificate)?;
            }
            for (name, field) in there {
                encoder.str(name)?;
                match field.bytes() {
                    Some(bytes) => encoder.bytes(bytes)?,
                    None => encoder.null()?,
                };
            }
            Ok(())
        })
    }

    /// The register with a number.
    pub fn pcr(&self, index: u8) -> Option<&Pcr> {
        self.pcrs.get(&index)
    }
}

/// The fields as far as they were found.
#[derive(Default)]
struct Found {
    module_id: Option<String>,
    digest: Option<()>,
    timestamp: Option<u64>,
    pcrs: Option<BTreeMap<u8, Pcr>>,
    certificate: Option<Vec<u8>>,
    cabundle: Option<Vec<Vec<u8>>>,
    public_key: Field,
    user_data: Field,
    nonce: Field,
}

impl Found {
    fn read(&mut self, name: &str, at: usize, reader: &mut Reader<'_>) -> Result<(), ParseError> {
        let malformed = |field| reader.error(field, at, Fault::Malformed);
        match name {
            "module_id" => {
                let empty = malformed("module_id");
                let id = reader.text("module_id", Claims::MAX_MODULE_ID)?;
                self.module_id = Some(if id.is_empty() { return Err(empty) } else { id.into() });
            }
            "digest" => {
                let other = malformed("digest");
                let known = reader.text("digest", DIGEST.len())? == DIGEST;
                self.digest = known.then_some(()).ok_or(other).map(Some)?;
            }
            "timestamp" => {
                let zero = malformed("timestamp");
                let timestamp = reader.unsigned("timestamp")?;
                self.timestamp = Some(if timestamp == 0 { return Err(zero) } else { timestamp });
            }
            "pcrs" => self.pcrs = Some(pcrs(reader)?),
            "certificate" => self.certificate = Some(certificate(reader, "certificate")?),
            "cabundle" => {
                let empty = malformed("cabundle");
                let count = reader.array("cabundle", Claims::MAX_CABUNDLE)?;
                if count == 0 {
                    return Err(empty);
                }
                let bundle = (0..count).map(|_| certificate(reader, "cabundle"));
                self.cabundle = Some(bundle.collect::<Result<_, _>>()?);
            }
            "public_key" => self.public_key = field(reader, "public_key", 1, Claims::MAX_PUBLIC_KEY)?,
            "user_data" => self.user_data = field(reader, "user_data", 0, Claims::MAX_USER_DATA)?,
            "nonce" => self.nonce = field(reader, "nonce", 0, Claims::MAX_NONCE)?,
            _ => return Err(malformed("document")),
        }
        Ok(())
    }
}

fn pcrs(reader: &mut Reader<'_>) -> Result<BTreeMap<u8, Pcr>, ParseError> {
    let start = reader.offset();
    let mut entries = reader.map("pcrs", Claims::MAX_PCRS)?;
    let mut pcrs = BTreeMap::new();
    loop {
        let at = reader.offset();
        let malformed = reader.error("pcrs", at, Fault::Malformed);
        let index = match reader.label(&mut entries, "pcrs")? {
            None => break,
            Some(Label::Int(index @ 0..=31)) => u8::try_from(index).map_err(|_| malformed.clone())?,
            Some(_) => return Err(malformed),
        };
        let contents = reader.bytes("pcrs", 64)?;
        pcrs.insert(index, Pcr::new(contents).ok_or(malformed)?);
    }
    if pcrs.is_empty() { Err(reader.error("pcrs", start, Fault::Malformed)) } else { Ok(pcrs) }
}

fn certificate(reader: &mut Reader<'_>, name: &'static str) -> Result<Vec<u8>, ParseError> {
    let at = reader.offset();
    let der = reader.bytes(name, Claims::MAX_CERTIFICATE)?;
    if der.is_empty() { Err(reader.error(name, at, Fault::Malformed)) } else { Ok(der.to_vec()) }
}

fn field(
    reader: &mut Reader<'_>,
    name: &'static str,
    least: usize,
    limit: usize,
) -> Result<Field, ParseError> {
    if reader.null() {
        return Ok(Field::Null);
    }
    let at = reader.offset();
    let bytes = reader.bytes(name, limit)?;
    if bytes.len() < least {
        return Err(reader.error(name, at, Fault::Malformed));
    }
    Ok(Field::Bytes(bytes.to_vec()))
}
