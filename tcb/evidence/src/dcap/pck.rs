// SPDX-License-Identifier: Apache-2.0

//! The extension of PCK certificates (PCK Profile, section 1.3.5): which platform a key belongs to, and for which
//! TCB it was certified.

use alloc::vec::Vec;

use ::der::Tag;
use const_oid::ObjectIdentifier;

use super::Fmspc;
use crate::x509::Extensions;
use crate::x509::der::{Der, oid};
use crate::{Fault, ParseError};

const FORMAT: &str = "PCK certificate extension";

const SGX_EXTENSIONS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1");
/// The contents of the identifier above; every identifier inside goes on from it.
const ARC: &[u8] = SGX_EXTENSIONS.as_bytes();

const PPID: u8 = 1;
const TCB: u8 = 2;
const PCE_ID: u8 = 3;
const FMSPC: u8 = 4;
const SGX_TYPE: u8 = 5;
const PLATFORM_INSTANCE_ID: u8 = 6;
const CONFIGURATION: u8 = 7;
const TCB_PCE_SVN: u8 = 17;
const TCB_CPU_SVN: u8 = 18;

/// What a certificate says about its platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PckExtensions {
    /// `PPID`: the identifier of the processor package.
    pub ppid: [u8; 16],
    /// `TCB`: what the key was certified for.
    pub tcb: PckTcb,
    /// `PCE-ID`: which provisioning certification enclave.
    pub pce_id: [u8; 2],
    /// `FMSPC`: which kind of platform.
    pub fmspc: Fmspc,
    /// `SGX Type`: how memory is protected.
    pub sgx_type: SgxType,
    /// `Platform Instance ID`: of platforms that are registered, which the Platform CA certifies.
    pub platform_instance_id: Option<[u8; 16]>,
    /// `Configuration`: likewise.
    pub configuration: Option<Configuration>,
}

/// A TCB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PckTcb {
    /// `SGX TCB Comp01 SVN` to `SGX TCB Comp16 SVN`.
    pub components: [u8; 16],
    /// `PCESVN`.
    pub pce_svn: u16,
    /// `CPUSVN`.
    pub cpu_svn: [u8; 16],
}

/// How memory is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SgxType {
    /// With an integrity tree.
    Standard,
    /// Without protection against who can write to DRAM.
    Scalable,
    /// With cryptographic integrity.
    ScalableWithIntegrity,
}

/// How a platform of several packages is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Configuration {
    /// `Dynamic Platform`: packages may be added.
    pub dynamic_platform: Option<bool>,
    /// `Cached Keys`: Intel keeps the platform's root keys.
    pub cached_keys: Option<bool>,
    /// `SMT Enabled`: simultaneous multi-threading is on.
    pub smt_enabled: Option<bool>,
}

impl PckExtensions {
    /// The identifier of the extension in a certificate.
    pub const OID: ObjectIdentifier = SGX_EXTENSIONS;

    /// Reads the extension out of a certificate's; `None` if there is none, as in those of Intel's authorities.
    pub fn find(extensions: &Extensions<'_>) -> Result<Option<Self>, ParseError> {
        let mut found = extensions.iter().filter(|extension| extension.oid == SGX_EXTENSIONS);
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some(extension), None) => Self::parse(extension.value).map(Some),
            (Some(_), Some(_)) => {
                Err(ParseError { format: FORMAT, field: "extension", offset: 0, fault: Fault::Duplicate })
            }
        }
    }

    /// Reads the contents of the extension. What has an identifier that the specification does not know is left
    /// out.
    pub fn parse(value: &[u8]) -> Result<Self, ParseError> {
        let mut document = Der::document(FORMAT, value)?;
        let mut items = document.sequence("SGX Extensions")?;
        document.finish("SGX Extensions")?;
        let mut found = Found::default();
        while !items.is_finished() {
            let (id, mut item) = entry(&mut items, ARC)?;
            found.take(id, &mut item)?;
            item.finish("SGX Extensions")?;
        }
        Ok(Self {
            ppid: needed(found.ppid, "PPID")?,
            tcb: needed(found.tcb, "TCB")?,
            pce_id: needed(found.pce_id, "PCE-ID")?,
            fmspc: needed(found.fmspc, "FMSPC")?,
            sgx_type: needed(found.sgx_type, "SGX Type")?,
            platform_instance_id: found.platform_instance_id,
            configuration: found.configuration,
        })
    }

    /// The contents of the extension, in the order of the specification; [`PckExtensions::parse`] reads them
    /// back.
    pub fn encode(&self) -> Vec<u8> {
        let sgx_type = match self.sgx_type {
            SgxType::Standard => 0,
            SgxType::Scalable => 1,
            SgxType::ScalableWithIntegrity => 2,
        };
        let mut items = Vec::new();
        items.extend(item(&[PPID], &tlv(OCTET_STRING, &self.ppid)));
        items.extend(item(&[TCB], &self.tcb.encode()));
        items.extend(item(&[PCE_ID], &tlv(OCTET_STRING, &self.pce_id)));
        items.extend(item(&[FMSPC], &tlv(OCTET_STRING, &self.fmspc)));
        items.extend(item(&[SGX_TYPE], &tlv(ENUMERATED, &[sgx_type])));
        if let Some(id) = &self.platform_instance_id {
            items.extend(item(&[PLATFORM_INSTANCE_ID], &tlv(OCTET_STRING, id)));
        }
        if let Some(configuration) = &self.configuration {
            items.extend(item(&[CONFIGURATION], &configuration.encode()));
        }
        tlv(SEQUENCE, &items)
    }
}

#[derive(Default)]
struct Found {
    ppid: Option<[u8; 16]>,
    tcb: Option<PckTcb>,
    pce_id: Option<[u8; 2]>,
    fmspc: Option<Fmspc>,
    sgx_type: Option<SgxType>,
    platform_instance_id: Option<[u8; 16]>,
    configuration: Option<Configuration>,
}

impl Found {
    fn take(&mut self, id: Option<u8>, item: &mut Der<'_>) -> Result<(), ParseError> {
        match id {
            Some(PPID) => once(&mut self.ppid, "PPID", octets(item, "PPID")?),
            Some(TCB) => once(&mut self.tcb, "TCB", PckTcb::read(item)?),
            Some(PCE_ID) => once(&mut self.pce_id, "PCE-ID", octets(item, "PCE-ID")?),
            Some(FMSPC) => once(&mut self.fmspc, "FMSPC", octets(item, "FMSPC")?),
            Some(SGX_TYPE) => {
                let malformed = item.error("SGX Type", Fault::Malformed);
                let sgx_type = match item.value(Tag::Enumerated, "SGX Type")? {
                    [0] => SgxType::Standard,
                    [1] => SgxType::Scalable,
                    [2] => SgxType::ScalableWithIntegrity,
                    _ => return Err(malformed),
                };
                once(&mut self.sgx_type, "SGX Type", sgx_type)
            }
            Some(PLATFORM_INSTANCE_ID) => {
                let name = "Platform Instance ID";
                once(&mut self.platform_instance_id, name, octets(item, name)?)
            }
            Some(CONFIGURATION) => once(&mut self.configuration, "Configuration", Configuration::read(item)?),
            _ => item.any("SGX Extensions").map(|_| ()),
        }
    }
}

impl PckTcb {
    fn read(item: &mut Der<'_>) -> Result<Self, ParseError> {
        let mut fields = item.sequence("TCB")?;
        let (mut components, mut pce_svn, mut cpu_svn) = ([None; 16], None, None);
        let arc = [ARC, &[TCB]].concat();
        while !fields.is_finished() {
            let (id, mut field) = entry(&mut fields, &arc)?;
            match id {
                Some(TCB_PCE_SVN) => once(&mut pce_svn, "PCESVN", number(&mut field, "PCESVN")?)?,
                Some(TCB_CPU_SVN) => once(&mut cpu_svn, "CPUSVN", octets(&mut field, "CPUSVN")?)?,
                Some(id) => {
                    let svn = number(&mut field, "SGX TCB Comp SVN")?;
                    let malformed = field.error("SGX TCB Comp SVN", Fault::Malformed);
                    let index = usize::from(id).checked_sub(1);
                    let slot = index.and_then(|index| components.get_mut(index));
                    let slot = slot.ok_or_else(|| malformed.clone())?;
                    once(slot, "SGX TCB Comp SVN", u8::try_from(svn).map_err(|_| malformed)?)?;
                }
                None => return Err(field.error("TCB", Fault::Malformed)),
            }
            field.finish("TCB")?;
        }
        let mut svns = [0; 16];
        for (svn, component) in svns.iter_mut().zip(components) {
            *svn = needed(component, "SGX TCB Comp SVN")?;
        }
        Ok(Self {
            components: svns,
            pce_svn: needed(pce_svn, "PCESVN")?,
            cpu_svn: needed(cpu_svn, "CPUSVN")?,
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut fields = Vec::new();
        for (id, svn) in (1..).zip(self.components) {
            fields.extend(item(&[TCB, id], &integer(svn.into())));
        }
        fields.extend(item(&[TCB, TCB_PCE_SVN], &integer(self.pce_svn)));
        fields.extend(item(&[TCB, TCB_CPU_SVN], &tlv(OCTET_STRING, &self.cpu_svn)));
        tlv(SEQUENCE, &fields)
    }
}

impl Configuration {
    fn read(item: &mut Der<'_>) -> Result<Self, ParseError> {
        let mut fields = item.sequence("Configuration")?;
        let mut flags = [None; 3];
        let arc = [ARC, &[CONFIGURATION]].concat();
        while !fields.is_finished() {
            let (id, mut field) = entry(&mut fields, &arc)?;
            let malformed = field.error("Configuration", Fault::Malformed);
            let flag = match field.value(Tag::Boolean, "Configuration")? {
                [0] => false,
                [0xff] => true,
                _ => return Err(malformed),
            };
            let index = id.and_then(|id| usize::from(id).checked_sub(1));
            let slot = index.and_then(|index| flags.get_mut(index)).ok_or(malformed)?;
            once(slot, "Configuration", flag)?;
            field.finish("Configuration")?;
        }
        let [dynamic_platform, cached_keys, smt_enabled] = flags;
        Ok(Self { dynamic_platform, cached_keys, smt_enabled })
    }

    fn encode(self) -> Vec<u8> {
        let flags = [self.dynamic_platform, self.cached_keys, self.smt_enabled];
        let mut fields = Vec::new();
        for (id, flag) in (1..).zip(flags) {
            if let Some(flag) = flag {
                fields.extend(item(&[CONFIGURATION, id], &tlv(BOOLEAN, &[if flag { 0xff } else { 0 }])));
            }
        }
        tlv(SEQUENCE, &fields)
    }
}

/// A SEQUENCE of an identifier below `arc` and a value; the identifier's last number if it is a direct child.
fn entry<'a>(items: &mut Der<'a>, arc: &[u8]) -> Result<(Option<u8>, Der<'a>), ParseError> {
    let mut item = items.sequence("SGX Extensions")?;
    let id = oid(&mut item, "SGX Extensions")?;
    let id = match id.as_bytes().strip_prefix(arc) {
        Some([id @ 0..=0x7f]) => Some(*id),
        _ => None,
    };
    Ok((id, item))
}

fn octets<const N: usize>(item: &mut Der<'_>, field: &'static str) -> Result<[u8; N], ParseError> {
    let malformed = item.error(field, Fault::Malformed);
    <[u8; N]>::try_from(item.value(Tag::OctetString, field)?).map_err(|_| malformed)
}

fn number(item: &mut Der<'_>, field: &'static str) -> Result<u16, ParseError> {
    let malformed = item.error(field, Fault::Malformed);
    match *item.unsigned(field)? {
        [] => Ok(0),
        [low] => Ok(low.into()),
        [high, low] => Ok(u16::from_be_bytes([high, low])),
        _ => Err(malformed),
    }
}

fn once<T>(slot: &mut Option<T>, field: &'static str, value: T) -> Result<(), ParseError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(ParseError { format: FORMAT, field, offset: 0, fault: Fault::Duplicate }),
    }
}

fn needed<T>(slot: Option<T>, field: &'static str) -> Result<T, ParseError> {
    slot.ok_or(ParseError { format: FORMAT, field, offset: 0, fault: Fault::Missing })
}

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const ENUMERATED: u8 = 0x0a;
const SEQUENCE: u8 = 0x30;

/// A DER value of less than 64 KiB.
fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(contents.len()).unwrap_or(u16::MAX).to_be_bytes();
    let header: &[u8] = match (high, low) {
        (0, 0..=0x7f) => &[tag, low],
        (0, _) => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    [header, contents].concat()
}

/// A SEQUENCE of the identifier below Intel's with these numbers and a value.
fn item(path: &[u8], value: &[u8]) -> Vec<u8> {
    let id = tlv(OBJECT_IDENTIFIER, &[ARC, path].concat());
    tlv(SEQUENCE, &[&id, value].concat())
}

/// An INTEGER, which is negative if its first bit is set.
fn integer(number: u16) -> Vec<u8> {
    match number.to_be_bytes() {
        [0, low @ 0..=0x7f] => tlv(INTEGER, &[low]),
        [0, low] => tlv(INTEGER, &[0, low]),
        [high @ 0..=0x7f, low] => tlv(INTEGER, &[high, low]),
        [high, low] => tlv(INTEGER, &[0, high, low]),
    }
}
