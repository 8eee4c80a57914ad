// SPDX-License-Identifier: Apache-2.0

//! What Intel's SGX and TDX evidence says.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use enarx_evidence::dcap::{Body, Family, PckExtensions, Quote, SgxReport, TcbStatus, TdReport};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::{Register, Text};
use crate::UnixTime;
use crate::policy::{Feature, Features, Product, Vocabulary as _};

/// What a quote and the certificate of its platform say, and what Intel thinks of that platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DcapClaims {
    /// The quote.
    pub quote: Quote,
    /// What the platform's certificate says.
    pub pck: PckExtensions,
    /// What Intel thinks of the platform. `None` without TCB info about it.
    pub tcb: Option<DcapTcb>,
}

/// What Intel thinks of a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DcapTcb {
    /// Everything below together.
    pub status: TcbStatus,
    /// Of processor, microcode and firmware.
    pub platform: JudgedTcb,
    /// Of the TDX module, if its versions have levels of their own.
    pub module: Option<JudgedTcb>,
    /// Of the quoting enclave. `None` without an identity of it.
    pub quoting_enclave: Option<JudgedTcb>,
}

/// What Intel thinks of one part of a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedTcb {
    /// The status of its level.
    pub status: TcbStatus,
    /// The date of its level: it has what was known to be needed then.
    pub date: UnixTime,
    /// What the level is vulnerable to.
    pub advisories: Vec<String>,
    /// `tcbEvaluationDataNumber` of the document that says so.
    pub evaluation_data_number: u32,
    /// The date of the oldest level that is newer and that the part does not reach: since then it is out of date.
    /// `None` if it reaches the newest.
    pub behind_since: Option<UnixTime>,
}

impl DcapClaims {
    /// The processor's family.
    pub fn product(&self) -> Product {
        Family::from_fmspc(&self.pck.fmspc).map_or(Product::IntelOther, Product::from)
    }

    /// The kind of platform names the processor's signature by CPUID.
    pub(super) fn features(&self) -> Features {
        let pck = &self.pck;
        let one = |bytes: &[u8]| Vec::from([bytes.to_vec()]);
        let instance = pck.platform_instance_id.iter().map(|id| id.to_vec()).collect();
        // Family, model and stepping stand in it as in CPUID leaf 1, see `Family::from_fmspc`.
        let [first, second, third, fourth, ..] = pck.fmspc;
        let family = match third >> 4 {
            0xf => 0xf_u8.saturating_add(first & 0xf),
            family => family,
        };
        Features::from([
            (Feature::Families, one(&[family])),
            (Feature::Models, one(&[second & 0xf0 | third & 0xf])),
            (Feature::Steppings, one(&[fourth >> 4])),
            (Feature::Fmspcs, one(&pck.fmspc)),
            (Feature::Ppids, one(&pck.ppid)),
            // A platform that is not registered has none, which is not the same as not telling it.
            (Feature::PlatformInstances, instance),
        ])
    }

    /// Whether the host may debug the TD or enclave.
    pub fn debug(&self) -> bool {
        match &self.quote.body {
            Body::Sgx(report) => report.attributes.debug(),
            Body::Td(report) => report.td_attributes.under_debug(),
        }
    }

    /// `MRTD` of a TD, `MRENCLAVE` of an enclave.
    pub fn measurement(&self) -> &[u8] {
        match &self.quote.body {
            Body::Sgx(report) => &report.mr_enclave,
            Body::Td(report) => &report.mr_td,
        }
    }

    /// `rtmr0` to `rtmr3` of a TD.
    pub fn registers(&self) -> Vec<Register<'_>> {
        let Body::Td(report) = &self.quote.body else { return Vec::new() };
        let register = |(number, value)| Register { name: format!("rtmr{number}"), value };
        (0..).zip(report.rtmr.iter().map(<[u8; 48]>::as_slice)).map(register).collect::<Vec<_>>()
    }
}

impl DcapTcb {
    /// The parts of which something is known.
    pub fn parts(&self) -> impl Iterator<Item = &JudgedTcb> {
        [Some(&self.platform), self.module.as_ref(), self.quoting_enclave.as_ref()].into_iter().flatten()
    }

    /// What the platform is vulnerable to.
    pub fn advisories(&self) -> BTreeSet<&str> {
        self.parts().flat_map(|part| &part.advisories).map(String::as_str).collect()
    }

    /// The oldest date of a part.
    pub fn date(&self) -> UnixTime {
        self.parts().map(|part| part.date).min().unwrap_or(UnixTime(0))
    }

    /// The least evaluation data number of a document.
    pub fn evaluation_data_number(&self) -> u32 {
        self.parts().map(|part| part.evaluation_data_number).min().unwrap_or(0)
    }
}

impl Serialize for DcapClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { quote, pck, tcb } = self;
        let mut fields = serializer.serialize_struct("DcapClaims", 14)?;
        fields.serialize_field("quote_version", &quote.header.version.number())?;
        fields.serialize_field("product", self.product().name())?;
        fields.serialize_field("fmspc", &hex::encode(pck.fmspc))?;
        fields.serialize_field("pce_id", &hex::encode(pck.pce_id))?;
        fields.serialize_field("ppid", &hex::encode(pck.ppid))?;
        fields.serialize_field("platform_instance_id", &pck.platform_instance_id.map(hex::encode))?;
        fields.serialize_field("cpu_svn", &hex::encode(pck.tcb.cpu_svn))?;
        fields.serialize_field("tcb_components", &hex::encode(pck.tcb.components))?;
        fields.serialize_field("pce_svn", &pck.tcb.pce_svn)?;
        fields
            .serialize_field("smt", &pck.configuration.and_then(|configuration| configuration.smt_enabled))?;
        fields.serialize_field("tcb_status", &tcb.as_ref().map(|tcb| Text(tcb.status)))?;
        fields.serialize_field("tcb", tcb)?;
        match &quote.body {
            Body::Sgx(report) => fields.serialize_field("enclave", &Enclave(report))?,
            Body::Td(report) => fields.serialize_field("td", &Td(report))?,
        }
        fields.serialize_field("trailing_bytes", &quote.trailing.len())?;
        fields.end()
    }
}

impl Serialize for DcapTcb {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("DcapTcb", 3)?;
        fields.serialize_field("platform", &self.platform)?;
        fields.serialize_field("module", &self.module)?;
        fields.serialize_field("quoting_enclave", &self.quoting_enclave)?;
        fields.end()
    }
}

impl Serialize for JudgedTcb {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("JudgedTcb", 5)?;
        fields.serialize_field("status", &Text(self.status))?;
        fields.serialize_field("date", &self.date)?;
        fields.serialize_field("advisories", &self.advisories)?;
        fields.serialize_field("evaluation_data_number", &self.evaluation_data_number)?;
        fields.serialize_field("behind_since", &self.behind_since)?;
        fields.end()
    }
}

struct Enclave<'a>(&'a SgxReport);

impl Serialize for Enclave<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = self.0;
        let mut fields = serializer.serialize_struct("Enclave", 13)?;
        fields.serialize_field("mr_enclave", &hex::encode(report.mr_enclave))?;
        fields.serialize_field("mr_signer", &hex::encode(report.mr_signer))?;
        fields.serialize_field("isv_prod_id", &report.isv_prod_id)?;
        fields.serialize_field("isv_svn", &report.isv_svn)?;
        fields.serialize_field("debug", &report.attributes.debug())?;
        fields.serialize_field("attributes", &hex::encode(report.attributes.to_bytes()))?;
        fields.serialize_field("misc_select", &hex::encode(report.misc_select.0.to_le_bytes()))?;
        fields.serialize_field("cpu_svn", &hex::encode(report.cpu_svn))?;
        fields.serialize_field("config_id", &hex::encode(report.config_id))?;
        fields.serialize_field("config_svn", &report.config_svn)?;
        fields.serialize_field("isv_ext_prod_id", &hex::encode(report.isv_ext_prod_id))?;
        fields.serialize_field("isv_family_id", &hex::encode(report.isv_family_id))?;
        fields.serialize_field("provision_key", &report.attributes.provision_key())?;
        fields.end()
    }
}

struct Td<'a>(&'a TdReport);

impl Serialize for Td<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = self.0;
        let (attributes, extension) = (report.td_attributes, report.extension.as_ref());
        let mut fields = serializer.serialize_struct("Td", 17)?;
        fields.serialize_field("mr_td", &hex::encode(report.mr_td))?;
        fields.serialize_field("rtmr", &report.rtmr.map(hex::encode))?;
        fields.serialize_field("mr_config_id", &hex::encode(report.mr_config_id))?;
        fields.serialize_field("mr_owner", &hex::encode(report.mr_owner))?;
        fields.serialize_field("mr_owner_config", &hex::encode(report.mr_owner_config))?;
        let service = extension.map(|extension| hex::encode(extension.mr_service_td));
        fields.serialize_field("mr_service_td", &service)?;
        fields.serialize_field("debug", &attributes.under_debug())?;
        fields.serialize_field("migratable", &attributes.migratable())?;
        fields.serialize_field("sept_ve_disable", &attributes.sept_ve_disable())?;
        fields.serialize_field("td_attributes", &hex::encode(attributes.0.to_le_bytes()))?;
        fields.serialize_field("xfam", &hex::encode(report.xfam.0.to_le_bytes()))?;
        fields.serialize_field("tee_tcb_svn", &hex::encode(report.tee_tcb_svn))?;
        let svn_2 = extension.map(|extension| hex::encode(extension.tee_tcb_svn_2));
        fields.serialize_field("tee_tcb_svn_2", &svn_2)?;
        fields.serialize_field("mr_seam", &hex::encode(report.mr_seam))?;
        fields.serialize_field("mr_signer_seam", &hex::encode(report.mr_signer_seam))?;
        fields.serialize_field("seam_attributes", &hex::encode(report.seam_attributes.0.to_le_bytes()))?;
        fields.serialize_field("perfmon", &attributes.perfmon())?;
        fields.end()
    }
}
