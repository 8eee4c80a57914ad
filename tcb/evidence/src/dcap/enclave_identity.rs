// SPDX-License-Identifier: Apache-2.0

//! Enclave identities: which enclaves are Intel's, and what Intel thinks of their versions (PCS, "Get Quoting
//! Enclave Identity", appendix A).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::json::{self, Advisories, Date, Hex};
use super::status::TcbStatus;
use crate::{Fault, ParseError};

const FORMAT: &str = "enclave identity";
const VERSION: u32 = 2;

/// Limit of the number of levels. Intel's documents have five at most.
const MAX_LEVELS: usize = 256;

/// A document, of version 2. Version 1 had no levels; Intel has not served it since 2020.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnclaveIdentity {
    /// `id`: which enclave.
    pub id: EnclaveId,
    /// `issueDate`, in seconds since 1970.
    pub issue_date: u64,
    /// `nextUpdate`, in seconds since 1970.
    pub next_update: u64,
    /// `tcbEvaluationDataNumber`: grows with every event after which Intel judged anew.
    pub evaluation_data_number: u32,
    /// `miscselect`, as it is in memory.
    pub misc_select: [u8; 4],
    /// `miscselectMask`: which bits count.
    pub misc_select_mask: [u8; 4],
    /// `attributes`, as they are in memory.
    pub attributes: [u8; 16],
    /// `attributesMask`: which bits count.
    pub attributes_mask: [u8; 16],
    /// `mrsigner`.
    pub mr_signer: [u8; 32],
    /// `isvprodid`.
    pub isv_prod_id: u16,
    /// `tcbLevels`, from new to old: the first one that an enclave reaches is its own.
    pub levels: Vec<EnclaveTcbLevel>,
}

/// Which enclave an identity is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EnclaveId {
    /// The quoting enclave of SGX.
    Qe,
    /// The quoting enclave of TDX.
    TdQe,
    /// The quote verification enclave.
    Qve,
    /// The quote appraisal enclave.
    Qae,
}

/// A level of an enclave or of a TDX module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnclaveTcbLevel {
    /// `isvsvn`.
    pub isv_svn: u16,
    /// `tcbDate`: the status takes account of everything known before, in seconds since 1970.
    pub date: u64,
    /// `tcbStatus`.
    pub status: TcbStatus,
    /// `advisoryIDs`: what this level is vulnerable to.
    pub advisories: Vec<String>,
}

impl EnclaveId {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Qe, Self::TdQe, Self::Qve, Self::Qae];

    /// The name that Intel gives it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Qe => "QE",
            Self::TdQe => "TD_QE",
            Self::Qve => "QVE",
            Self::Qae => "QAE",
        }
    }
}

impl fmt::Display for EnclaveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl EnclaveIdentity {
    /// Reads a document by its exact bytes. Nothing is verified.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let document = json::from_slice::<Document>(FORMAT, bytes)?;
        if document.version != VERSION {
            let fault = Fault::Unsupported { found: document.version.into() };
            return Err(ParseError { format: FORMAT, field: "version", offset: 0, fault });
        }
        Ok(Self {
            id: document.id,
            issue_date: document.issue_date.0,
            next_update: document.next_update.0,
            evaluation_data_number: document.tcb_evaluation_data_number,
            misc_select: document.miscselect.0,
            misc_select_mask: document.miscselect_mask.0,
            attributes: document.attributes.0,
            attributes_mask: document.attributes_mask.0,
            mr_signer: document.mrsigner.0,
            isv_prod_id: document.isvprodid,
            levels: document.tcb_levels,
        })
    }

    /// The document as Intel writes it; [`EnclaveIdentity::parse`] reads it back.
    pub fn encode(&self) -> String {
        let text = serde_json::to_string(&Document {
            id: self.id,
            version: VERSION,
            issue_date: Date(self.issue_date),
            next_update: Date(self.next_update),
            tcb_evaluation_data_number: self.evaluation_data_number,
            miscselect: Hex(self.misc_select),
            miscselect_mask: Hex(self.misc_select_mask),
            attributes: Hex(self.attributes),
            attributes_mask: Hex(self.attributes_mask),
            mrsigner: Hex(self.mr_signer),
            isvprodid: self.isv_prod_id,
            tcb_levels: self.levels.clone(),
        });
        debug_assert!(text.is_ok(), "every date is before the year 10000");
        text.unwrap_or_default()
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Document {
    id: EnclaveId,
    version: u32,
    issue_date: Date,
    next_update: Date,
    tcb_evaluation_data_number: u32,
    miscselect: Hex<4>,
    miscselect_mask: Hex<4>,
    attributes: Hex<16>,
    attributes_mask: Hex<16>,
    mrsigner: Hex<32>,
    isvprodid: u16,
    #[serde(deserialize_with = "json::list::<_, _, MAX_LEVELS>")]
    tcb_levels: Vec<EnclaveTcbLevel>,
}

impl<'de> Deserialize<'de> for EnclaveId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <&str>::deserialize(deserializer)?;
        let id = Self::ALL.into_iter().find(|id| id.name() == name);
        id.ok_or_else(|| serde::de::Error::custom("not an enclave"))
    }
}

impl Serialize for EnclaveId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Level {
    tcb: Svn,
    #[serde(rename = "tcbDate")]
    date: Date,
    #[serde(rename = "tcbStatus")]
    status: TcbStatus,
    #[serde(rename = "advisoryIDs", default, skip_serializing_if = "Advisories::is_empty")]
    advisories: Advisories,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Svn {
    isvsvn: u16,
}

impl<'de> Deserialize<'de> for EnclaveTcbLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let level = Level::deserialize(deserializer)?;
        let (isv_svn, date) = (level.tcb.isvsvn, level.date.0);
        Ok(Self { isv_svn, date, status: level.status, advisories: level.advisories.0 })
    }
}

impl Serialize for EnclaveTcbLevel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let level = Level {
            tcb: Svn { isvsvn: self.isv_svn },
            date: Date(self.date),
            status: self.status,
            advisories: Advisories(self.advisories.clone()),
        };
        level.serialize(serializer)
    }
}
