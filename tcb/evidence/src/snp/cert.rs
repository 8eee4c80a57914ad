// SPDX-License-Identifier: Apache-2.0

//! The extensions of VCEK and VLEK certificates (57230, chapter 3): for which product, TCB version and chip, or
//! for which cloud provider, a report signing key was made.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use const_oid::ObjectIdentifier;

use super::TcbVersion;
use crate::{Fault, ParseError};

const FORMAT: &str = "VCEK or VLEK certificate";

/// AMD's arc of the extensions.
const STRUCT_VERSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.1");
const PRODUCT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.2");
const BL_SPL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.1");
const TEE_SPL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.2");
const SNP_SPL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.3");
const SPL_4: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.4");
const SPL_5: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.5");
const SPL_6: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.6");
const SPL_7: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.7");
const UCODE_SPL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.8");
const FMC_SPL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.9");
const HWID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.4");
const CSP_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.5");

const TAG_INTEGER: u8 = 0x02;
const TAG_OCTET_STRING: u8 = 0x04;
const TAG_UTF8_STRING: u8 = 0x0c;
const TAG_IA5_STRING: u8 = 0x16;

/// Longest product name or provider identifier.
const MAX_TEXT: usize = 127;

/// What a certificate says its key was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyExtensions {
    /// `structVersion`: 0 up to Genoa, 1 on Turin.
    pub struct_version: u8,
    /// `productName`, such as `Milan-B0` or `Genoa`.
    pub product_name: String,
    /// The security patch levels (`blSPL`, `teeSPL`, `snpSPL`, `ucodeSPL`, `fmcSPL`).
    pub tcb: TcbVersion,
    /// `hwID`, in a VCEK's certificate: 64 bytes, or 8 on Turin.
    pub hwid: Option<Vec<u8>>,
    /// `cspID`, in a VLEK's certificate: whom the key was loaded for.
    pub csp_id: Option<String>,
}

/// An extension as an X.509 certificate holds it, never critical.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedExtension {
    /// `extnID`.
    pub oid: ObjectIdentifier,
    /// The contents of `extnValue`.
    pub value: Vec<u8>,
}

impl KeyExtensions {
    /// Whether an extension is one of AMD's that are read here.
    pub fn knows(oid: &ObjectIdentifier) -> bool {
        [
            STRUCT_VERSION,
            PRODUCT_NAME,
            BL_SPL,
            TEE_SPL,
            SNP_SPL,
            SPL_4,
            SPL_5,
            SPL_6,
            SPL_7,
            UCODE_SPL,
            FMC_SPL,
            HWID,
            CSP_ID,
        ]
        .contains(oid)
    }

    /// Reads the extensions out of all extensions of a certificate. `None` if it has none of AMD's, as those of
    /// AMD's authorities.
    pub fn parse<'a>(
        extensions: impl Iterator<Item = (ObjectIdentifier, &'a [u8])>,
    ) -> Result<Option<Self>, ParseError> {
        let mut found = Found::default();
        for (oid, value) in extensions {
            found.take(oid, value)?;
        }
        found.finish()
    }

    /// The extensions for a certificate, in the order AMD's have them; the inverse of [`KeyExtensions::parse`].
    pub fn encode(&self) -> Vec<EncodedExtension> {
        let TcbVersion { fmc, bootloader, tee, snp, microcode } = self.tcb;
        let mut out = vec![
            extension(STRUCT_VERSION, integer(self.struct_version)),
            extension(PRODUCT_NAME, text(&self.product_name)),
        ];
        if let Some(fmc) = fmc {
            out.push(extension(FMC_SPL, integer(fmc)));
        }
        out.push(extension(BL_SPL, integer(bootloader)));
        out.push(extension(TEE_SPL, integer(tee)));
        out.push(extension(SNP_SPL, integer(snp)));
        if fmc.is_none() {
            out.push(extension(SPL_4, integer(0)));
        }
        for reserved in [SPL_5, SPL_6, SPL_7] {
            out.push(extension(reserved, integer(0)));
        }
        out.push(extension(UCODE_SPL, integer(microcode)));
        if let Some(hwid) = &self.hwid {
            out.push(extension(HWID, hwid.clone()));
        }
        if let Some(csp_id) = &self.csp_id {
            out.push(extension(CSP_ID, text(csp_id)));
        }
        out
    }
}

#[derive(Default)]
struct Found {
    any: bool,
    struct_version: Option<u8>,
    product_name: Option<String>,
    bootloader: Option<u8>,
    tee: Option<u8>,
    snp: Option<u8>,
    reserved: [Option<u8>; 4],
    microcode: Option<u8>,
    fmc: Option<u8>,
    hwid: Option<Vec<u8>>,
    csp_id: Option<String>,
}

impl Found {
    fn take(&mut self, oid: ObjectIdentifier, value: &[u8]) -> Result<(), ParseError> {
        let [spl4, spl5, spl6, spl7] = &mut self.reserved;
        match oid {
            STRUCT_VERSION => once(&mut self.struct_version, "structVersion", parse_integer(value))?,
            PRODUCT_NAME => once(&mut self.product_name, "productName", parse_text(value))?,
            BL_SPL => once(&mut self.bootloader, "blSPL", parse_integer(value))?,
            TEE_SPL => once(&mut self.tee, "teeSPL", parse_integer(value))?,
            SNP_SPL => once(&mut self.snp, "snpSPL", parse_integer(value))?,
            SPL_4 => once(spl4, "spl4", parse_integer(value))?,
            SPL_5 => once(spl5, "spl5", parse_integer(value))?,
            SPL_6 => once(spl6, "spl6", parse_integer(value))?,
            SPL_7 => once(spl7, "spl7", parse_integer(value))?,
            UCODE_SPL => once(&mut self.microcode, "ucodeSPL", parse_integer(value))?,
            FMC_SPL => once(&mut self.fmc, "fmcSPL", parse_integer(value))?,
            HWID => once(&mut self.hwid, "hwID", parse_hwid(value))?,
            CSP_ID => once(&mut self.csp_id, "cspID", parse_text(value))?,
            _ => return Ok(()),
        }
        self.any = true;
        Ok(())
    }

    fn finish(self) -> Result<Option<KeyExtensions>, ParseError> {
        if !self.any {
            return Ok(None);
        }
        if self.reserved.into_iter().flatten().any(|level| level != 0) {
            return Err(error("spl4 to spl7", Fault::Reserved));
        }
        let tcb = TcbVersion {
            fmc: self.fmc,
            bootloader: needed(self.bootloader, "blSPL")?,
            tee: needed(self.tee, "teeSPL")?,
            snp: needed(self.snp, "snpSPL")?,
            microcode: needed(self.microcode, "ucodeSPL")?,
        };
        Ok(Some(KeyExtensions {
            struct_version: needed(self.struct_version, "structVersion")?,
            product_name: needed(self.product_name, "productName")?,
            tcb,
            hwid: self.hwid,
            csp_id: self.csp_id,
        }))
    }
}

fn once<T>(slot: &mut Option<T>, field: &'static str, value: Option<T>) -> Result<(), ParseError> {
    let value = value.ok_or_else(|| error(field, Fault::Malformed))?;
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(error(field, Fault::Duplicate)),
    }
}

fn needed<T>(slot: Option<T>, field: &'static str) -> Result<T, ParseError> {
    slot.ok_or_else(|| error(field, Fault::Missing))
}

/// A DER INTEGER from 0 to 255.
fn parse_integer(value: &[u8]) -> Option<u8> {
    match *value {
        [TAG_INTEGER, 1, level @ 0..=0x7f] | [TAG_INTEGER, 2, 0, level @ 0x80..=0xff] => Some(level),
        _ => None,
    }
}

fn integer(level: u8) -> Vec<u8> {
    if level < 0x80 { vec![TAG_INTEGER, 1, level] } else { vec![TAG_INTEGER, 2, 0, level] }
}

fn parse_text(value: &[u8]) -> Option<String> {
    let [TAG_IA5_STRING | TAG_UTF8_STRING, len, text @ ..] = value else { return None };
    let printable = text.iter().all(|byte| matches!(byte, b' '..=b'~'));
    if usize::from(*len) != text.len() || text.len() > MAX_TEXT || !printable {
        return None;
    }
    core::str::from_utf8(text).ok().map(String::from)
}

/// An `IA5String`, cut at the longest that can be read again.
fn text(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let len = bytes.len().min(MAX_TEXT);
    let mut out = vec![TAG_IA5_STRING, u8::try_from(len).unwrap_or(0)];
    out.extend(bytes.iter().take(len));
    out
}

/// AMD's key server puts the identifier into `extnValue` as it is; the specification's text allows an OCTET
/// STRING around it. The two cannot be confused: they differ by two bytes in length.
fn parse_hwid(value: &[u8]) -> Option<Vec<u8>> {
    let hwid = match *value {
        [TAG_OCTET_STRING, 64, ref hwid @ ..] if hwid.len() == 64 => hwid,
        [TAG_OCTET_STRING, 8, ref hwid @ ..] if hwid.len() == 8 => hwid,
        ref hwid => hwid,
    };
    matches!(hwid.len(), 8 | 64).then(|| hwid.to_vec())
}

fn extension(oid: ObjectIdentifier, value: Vec<u8>) -> EncodedExtension {
    EncodedExtension { oid, value }
}

fn error(field: &'static str, fault: Fault) -> ParseError {
    ParseError { format: FORMAT, field, offset: 0, fault }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_that_mean_nothing_yet_are_zero_and_said_once() {
        let tcb = TcbVersion { fmc: None, bootloader: 4, tee: 0, snp: 27, microcode: 219 };
        let product_name = String::from("Milan-B0");
        let made = KeyExtensions { struct_version: 0, product_name, tcb, hwid: None, csp_id: None };
        let sound = made.encode();
        let parse = |extensions: &[EncodedExtension]| {
            KeyExtensions::parse(
                extensions.iter().map(|extension| (extension.oid, extension.value.as_slice())),
            )
        };
        assert_eq!(parse(&sound), Ok(Some(made)));
        for level in [SPL_4, SPL_5, SPL_6, SPL_7] {
            let mut changed = sound.clone();
            let found = changed.iter_mut().find(|extension| extension.oid == level).unwrap();
            found.value = integer(1);
            assert_eq!(parse(&changed).unwrap_err().fault, Fault::Reserved, "{level}");
            let mut twice = sound.clone();
            twice.push(EncodedExtension { oid: level, value: integer(0) });
            assert_eq!(parse(&twice).unwrap_err().fault, Fault::Duplicate, "{level}");
            let mut malformed = sound.clone();
            malformed.retain(|extension| extension.oid != level);
            malformed.push(EncodedExtension { oid: level, value: text("0") });
            assert_eq!(parse(&malformed).unwrap_err().fault, Fault::Malformed, "{level}");
        }
    }
}
