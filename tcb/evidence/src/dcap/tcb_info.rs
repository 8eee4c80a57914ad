// SPDX-License-Identifier: Apache-2.0

//! TCB info: what Intel thinks of every TCB of one kind of platform (PCS, "Get TCB Info", appendix A).
//!
//! Version 2 is about SGX only and names each component; version 3 has lists of components, for SGX or TDX.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Fmspc;
use super::enclave_identity::EnclaveTcbLevel;
use super::json::{self, Advisories, Date, Hex};
use super::quote::TeeType;
use super::status::TcbStatus;
use crate::{Fault, ParseError};

const FORMAT: &str = "TCB info";

/// Limit of the number of levels. Intel's documents have 21 at most.
const MAX_LEVELS: usize = 256;
/// Limit of the number of module identities. Intel's documents have two.
const MAX_IDENTITIES: usize = 32;

/// A document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcbInfo {
    /// The version of its format.
    pub version: TcbInfoVersion,
    /// Which kind of trusted execution environment it is about.
    pub tee: TeeType,
    /// `issueDate`, in seconds since 1970.
    pub issue_date: u64,
    /// `nextUpdate`, in seconds since 1970.
    pub next_update: u64,
    /// `fmspc`: which kind of platform it is about.
    pub fmspc: Fmspc,
    /// `pceId`: which provisioning certification enclave it is about.
    pub pce_id: [u8; 2],
    /// `tcbEvaluationDataNumber`: grows with every event after which Intel judged anew.
    pub evaluation_data_number: u32,
    /// `tdxModule`: what a TDX module of major version 0 must be. In every document about TDX.
    pub tdx_module: Option<TdxModule>,
    /// `tdxModuleIdentities`: what TDX modules of other major versions must be.
    pub tdx_module_identities: Vec<TdxModuleIdentity>,
    /// `tcbLevels`, from new to old: the first one that a platform reaches is its own.
    pub levels: Vec<TcbLevel>,
}

/// The version of a document's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcbInfoVersion {
    /// 2: SGX only.
    V2,
    /// 3.
    V3,
}

/// A level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcbLevel {
    /// The security versions of the SGX components.
    pub sgx_components: [u8; 16],
    /// `pcesvn`.
    pub pce_svn: u16,
    /// The security versions of the TDX components, in every document about TDX.
    pub tdx_components: Option<[u8; 16]>,
    /// `tcbDate`: the status takes account of everything known before, in seconds since 1970.
    pub date: u64,
    /// `tcbStatus`.
    pub status: TcbStatus,
    /// `advisoryIDs`: what a platform of this level is vulnerable to.
    pub advisories: Vec<String>,
}

/// Who signs the TDX module, and with which attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TdxModule {
    /// `mrsigner`.
    pub mr_signer: [u8; 48],
    /// `attributes`, as they are in memory.
    pub attributes: [u8; 8],
    /// `attributesMask`: which of them count.
    pub attributes_mask: [u8; 8],
}

/// Who signs TDX modules of one major version, and what Intel thinks of their minor versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TdxModuleIdentity {
    /// The major version: `id` is `TDX_` and this in two hexadecimal digits.
    pub major: u8,
    /// Who signs it.
    pub module: TdxModule,
    /// `tcbLevels`, from new to old; `isv_svn` is the minor version.
    pub levels: Vec<EnclaveTcbLevel>,
}

impl TcbInfo {
    /// Reads a document by its exact bytes. Nothing is verified.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        #[derive(Deserialize)]
        struct Probe {
            version: u32,
        }
        // Version 3 is what Intel serves: only what is not of that version is read twice.
        let newest = json::from_slice::<Document<'_, TcbV3>>(FORMAT, bytes);
        if let Ok(document) = newest
            && document.version == 3
        {
            return document.read(TcbInfoVersion::V3);
        }
        match json::from_slice::<Probe>(FORMAT, bytes)?.version {
            2 => json::from_slice::<Document<'_, TcbV2>>(FORMAT, bytes)?.read(TcbInfoVersion::V2),
            3 => json::from_slice::<Document<'_, TcbV3>>(FORMAT, bytes)?.read(TcbInfoVersion::V3),
            other => Err(error("version", Fault::Unsupported { found: other.into() })),
        }
    }

    /// The document as Intel writes it, without the names of components; [`TcbInfo::parse`] reads it back.
    pub fn encode(&self) -> String {
        let text = match self.version {
            TcbInfoVersion::V2 => serde_json::to_string(&Document::<TcbV2>::write(self)),
            TcbInfoVersion::V3 => serde_json::to_string(&Document::<TcbV3>::write(self)),
        };
        debug_assert!(text.is_ok(), "every date is before the year 10000");
        text.unwrap_or_default()
    }
}

/// The document with the levels of one version.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[serde(bound(deserialize = "T: Deserialize<'de>", serialize = "T: Serialize"))]
struct Document<'a, T> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    version: u32,
    issue_date: Date,
    next_update: Date,
    fmspc: Hex<6>,
    pce_id: Hex<2>,
    tcb_type: u32,
    tcb_evaluation_data_number: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tdx_module: Option<Module>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "identities")]
    tdx_module_identities: Vec<Identity>,
    #[serde(deserialize_with = "json::list::<_, _, MAX_LEVELS>")]
    tcb_levels: Vec<Level<T>>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Level<T> {
    tcb: T,
    #[serde(rename = "tcbDate")]
    date: Date,
    #[serde(rename = "tcbStatus")]
    status: TcbStatus,
    #[serde(rename = "advisoryIDs", default, skip_serializing_if = "Advisories::is_empty")]
    advisories: Advisories,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Module {
    mrsigner: Hex<48>,
    attributes: Hex<8>,
    attributes_mask: Hex<8>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Identity {
    id: Major,
    mrsigner: Hex<48>,
    attributes: Hex<8>,
    attributes_mask: Hex<8>,
    #[serde(deserialize_with = "json::list::<_, _, MAX_LEVELS>")]
    tcb_levels: Vec<EnclaveTcbLevel>,
}

fn identities<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Identity>, D::Error> {
    json::list::<_, _, MAX_IDENTITIES>(deserializer)
}

/// A major version as `TDX_03`.
struct Major(u8);

impl<'de> Deserialize<'de> for Major {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = <&str>::deserialize(deserializer)?.strip_prefix("TDX_");
        let plain = digits.filter(|digits| digits.len() == 2 && !digits.contains('+'));
        let major = plain.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        major.map(Self).ok_or_else(|| serde::de::Error::custom("not a major version"))
    }
}

impl Serialize for Major {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("TDX_{:02X}", self.0))
    }
}

/// The security versions of a level, as a version of the format has them.
trait Tcb: Sized {
    fn read(self) -> ([u8; 16], u16, Option<[u8; 16]>);
    fn write(level: &TcbLevel) -> Self;
}

/// A component: its category and type are for people.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Component {
    svn: u8,
    #[serde(default, skip_serializing)]
    #[allow(dead_code, reason = "it may be there")]
    category: Option<IgnoredAny>,
    #[serde(default, rename = "type", skip_serializing)]
    #[allow(dead_code, reason = "it may be there")]
    kind: Option<IgnoredAny>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TcbV3 {
    sgxtcbcomponents: [Component; 16],
    pcesvn: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tdxtcbcomponents: Option<[Component; 16]>,
}

impl Tcb for TcbV3 {
    fn read(self) -> ([u8; 16], u16, Option<[u8; 16]>) {
        let svns = |components: [Component; 16]| components.map(|component| component.svn);
        (svns(self.sgxtcbcomponents), self.pcesvn, self.tdxtcbcomponents.map(svns))
    }

    fn write(level: &TcbLevel) -> Self {
        let components = |svns: [u8; 16]| svns.map(|svn| Component { svn, category: None, kind: None });
        Self {
            sgxtcbcomponents: components(level.sgx_components),
            pcesvn: level.pce_svn,
            tdxtcbcomponents: level.tdx_components.map(components),
        }
    }
}

macro_rules! tcb_v2 {
    ($($component:ident)+) => {
        #[derive(Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        struct TcbV2 { $($component: u8,)+ pcesvn: u16 }

        impl Tcb for TcbV2 {
            fn read(self) -> ([u8; 16], u16, Option<[u8; 16]>) {
                ([$(self.$component),+], self.pcesvn, None)
            }

            fn write(level: &TcbLevel) -> Self {
                let [$($component),+] = level.sgx_components;
                Self { $($component,)+ pcesvn: level.pce_svn }
            }
        }
    };
}

tcb_v2!(sgxtcbcomp01svn sgxtcbcomp02svn sgxtcbcomp03svn sgxtcbcomp04svn sgxtcbcomp05svn sgxtcbcomp06svn
    sgxtcbcomp07svn sgxtcbcomp08svn sgxtcbcomp09svn sgxtcbcomp10svn sgxtcbcomp11svn sgxtcbcomp12svn
    sgxtcbcomp13svn sgxtcbcomp14svn sgxtcbcomp15svn sgxtcbcomp16svn);

impl<T: Tcb> Document<'_, T> {
    fn read(self, version: TcbInfoVersion) -> Result<TcbInfo, ParseError> {
        let tee = match (version, self.id) {
            (TcbInfoVersion::V2, None) | (TcbInfoVersion::V3, Some("SGX")) => TeeType::Sgx,
            (TcbInfoVersion::V3, Some("TDX")) => TeeType::Tdx,
            _ => return Err(error("id", Fault::Malformed)),
        };
        if self.tcb_type != 0 {
            return Err(error("tcbType", Fault::Unsupported { found: self.tcb_type.into() }));
        }
        let about_tdx = tee == TeeType::Tdx;
        if self.tdx_module.is_some() != about_tdx || !(about_tdx || self.tdx_module_identities.is_empty()) {
            return Err(error("tdxModule", if about_tdx { Fault::Missing } else { Fault::Malformed }));
        }
        let info = TcbInfo {
            version,
            tee,
            issue_date: self.issue_date.0,
            next_update: self.next_update.0,
            fmspc: self.fmspc.0,
            pce_id: self.pce_id.0,
            evaluation_data_number: self.tcb_evaluation_data_number,
            tdx_module: self.tdx_module.map(|module| module.read()),
            tdx_module_identities: self.tdx_module_identities.into_iter().map(Identity::read).collect(),
            levels: self.tcb_levels.into_iter().map(Level::read).collect(),
        };
        if info.levels.iter().any(|level| level.tdx_components.is_some() != about_tdx) {
            return Err(error("tdxtcbcomponents", if about_tdx { Fault::Missing } else { Fault::Malformed }));
        }
        let majors = info.tdx_module_identities.iter().map(|identity| identity.major);
        let distinct = majors.collect::<alloc::collections::BTreeSet<_>>().len();
        if distinct == info.tdx_module_identities.len() {
            Ok(info)
        } else {
            Err(error("tdxModuleIdentities", Fault::Duplicate))
        }
    }

    fn write(info: &TcbInfo) -> Self {
        let (id, version) = match (info.version, info.tee) {
            (TcbInfoVersion::V2, _) => (None, 2),
            (TcbInfoVersion::V3, TeeType::Sgx) => (Some("SGX"), 3),
            (TcbInfoVersion::V3, TeeType::Tdx) => (Some("TDX"), 3),
        };
        Self {
            id,
            version,
            issue_date: Date(info.issue_date),
            next_update: Date(info.next_update),
            fmspc: Hex(info.fmspc),
            pce_id: Hex(info.pce_id),
            tcb_type: 0,
            tcb_evaluation_data_number: info.evaluation_data_number,
            tdx_module: info.tdx_module.as_ref().map(Module::write),
            tdx_module_identities: info.tdx_module_identities.iter().map(Identity::write).collect(),
            tcb_levels: info.levels.iter().map(Level::write).collect(),
        }
    }
}

impl<T: Tcb> Level<T> {
    fn read(self) -> TcbLevel {
        let (sgx_components, pce_svn, tdx_components) = self.tcb.read();
        TcbLevel {
            sgx_components,
            pce_svn,
            tdx_components,
            date: self.date.0,
            status: self.status,
            advisories: self.advisories.0,
        }
    }

    fn write(level: &TcbLevel) -> Self {
        Self {
            tcb: T::write(level),
            date: Date(level.date),
            status: level.status,
            advisories: Advisories(level.advisories.clone()),
        }
    }
}

impl Module {
    fn read(&self) -> TdxModule {
        let (mr_signer, attributes) = (self.mrsigner.0, self.attributes.0);
        TdxModule { mr_signer, attributes, attributes_mask: self.attributes_mask.0 }
    }

    fn write(module: &TdxModule) -> Self {
        Self {
            mrsigner: Hex(module.mr_signer),
            attributes: Hex(module.attributes),
            attributes_mask: Hex(module.attributes_mask),
        }
    }
}

impl Identity {
    fn read(self) -> TdxModuleIdentity {
        let Self { id, mrsigner, attributes, attributes_mask, tcb_levels } = self;
        let module = Module { mrsigner, attributes, attributes_mask }.read();
        TdxModuleIdentity { major: id.0, module, levels: tcb_levels }
    }

    fn write(identity: &TdxModuleIdentity) -> Self {
        let Module { mrsigner, attributes, attributes_mask } = Module::write(&identity.module);
        let (id, tcb_levels) = (Major(identity.major), identity.levels.clone());
        Self { id, mrsigner, attributes, attributes_mask, tcb_levels }
    }
}

impl TdxModuleIdentity {
    /// The identifier: `TDX_03`.
    pub fn id(&self) -> String {
        format!("TDX_{:02X}", self.major)
    }
}

fn error(field: &'static str, fault: Fault) -> ParseError {
    ParseError { format: FORMAT, field, offset: 0, fault }
}
