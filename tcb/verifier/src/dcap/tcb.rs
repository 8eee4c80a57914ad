// SPDX-License-Identifier: Apache-2.0

//! What Intel thinks of a platform: finding its level in TCB info, and putting together what that level says with
//! what is said of the TDX module and the quoting enclave (PCS, "Get TCB Info", description of `tcbLevels`).

use alloc::format;
use alloc::string::String;

use enarx_evidence::dcap::{
    Body, EnclaveIdentity, EnclaveTcbLevel, PckTcb, TcbInfo, TcbLevel, TcbStatus, TdReport,
};

use super::module;
use crate::claims::{DcapTcb, JudgedTcb};
use crate::refusal::{Findings, Subject};
use crate::{Code, UnixTime};

/// Why nothing is known about a platform.
struct Unknown {
    subject: Subject,
    code: Code,
    expected: &'static str,
    found: String,
}

/// What is known about a TD's platform beside its level.
struct Module<'b> {
    level: Option<&'b EnclaveTcbLevel>,
}

/// Judges the platform and notes how.
pub(super) fn check(
    body: &Body,
    pck: &PckTcb,
    info: &TcbInfo,
    identity: Option<&EnclaveIdentity>,
    enclave: Option<&EnclaveTcbLevel>,
    findings: &mut Findings,
) -> Option<DcapTcb> {
    let judged = match body {
        Body::Sgx(_) => sgx_level(info, pck).map(|level| (level.status, level, None)),
        Body::Td(report) => judge_td(report, pck, info, enclave),
    };
    let (status, level, module) = match judged {
        Ok(judged) => judged,
        Err(Unknown { subject, code, expected, found }) => {
            findings.refuse(subject, code, expected, found);
            return None;
        }
    };
    let status = enclave.map_or(status, |enclave| merge(status, enclave.status));
    let found = format_args!("{status} (evaluation {})", info.evaluation_data_number);
    findings.check(Subject::TcbLevel, Code::TcbLevelMissing, true, "a level of TCB info", found);
    Some(DcapTcb {
        status,
        platform: JudgedTcb {
            status: level.status,
            date: UnixTime(level.date),
            advisories: level.advisories.clone(),
            evaluation_data_number: info.evaluation_data_number,
        },
        module: module.map(|level| judged_enclave(level, info.evaluation_data_number)),
        quoting_enclave: enclave
            .zip(identity)
            .map(|(level, identity)| judged_enclave(level, identity.evaluation_data_number)),
    })
}

fn judged_enclave(level: &EnclaveTcbLevel, evaluation_data_number: u32) -> JudgedTcb {
    JudgedTcb {
        status: level.status,
        date: UnixTime(level.date),
        advisories: level.advisories.clone(),
        evaluation_data_number,
    }
}

/// The first level of which no SGX component, nor the PCE, is newer than the platform's.
fn sgx_level<'b>(info: &'b TcbInfo, pck: &PckTcb) -> Result<&'b TcbLevel, Unknown> {
    let level = info.levels.iter().find(|level| reaches_sgx(pck, level));
    level.ok_or_else(|| Unknown {
        subject: Subject::TcbLevel,
        code: Code::TcbLevelMissing,
        expected: "a level of TCB info that the platform reaches",
        found: format!("components {}, PCE {}", hex::encode(pck.components), pck.pce_svn),
    })
}

fn reaches_sgx(pck: &PckTcb, level: &TcbLevel) -> bool {
    at_least(&pck.components, &level.sgx_components) && pck.pce_svn >= level.pce_svn
}

fn at_least(found: &[u8], wanted: &[u8]) -> bool {
    found.iter().zip(wanted).all(|(found, wanted)| found >= wanted)
}

/// Whether the TDX components reach a level. From major version 1 on, the module's version has levels of its own.
fn reaches_tdx(svn: &[u8; 16], level: &TcbLevel) -> bool {
    let Some(wanted) = &level.tdx_components else { return false };
    let judged_apart = if svn[1] > 0 { 2 } else { 0 };
    let pairs = svn.iter().zip(wanted).skip(judged_apart);
    pairs.into_iter().all(|(found, wanted)| found >= wanted)
}

type Judged<'b> = (TcbStatus, &'b TcbLevel, Option<&'b EnclaveTcbLevel>);

/// The status of a TD's platform without the quoting enclave, its level, and that of its module.
fn judge_td<'b>(
    report: &TdReport,
    pck: &PckTcb,
    info: &'b TcbInfo,
    enclave: Option<&EnclaveTcbLevel>,
) -> Result<Judged<'b>, Unknown> {
    let svn = &report.tee_tcb_svn;
    let sgx = sgx_level(info, pck)?;
    let reached = |level: &&TcbLevel| reaches_sgx(pck, level) && reaches_tdx(svn, level);
    let level = info.levels.iter().find(reached).ok_or_else(|| Unknown {
        subject: Subject::TcbLevel,
        code: Code::TcbLevelMissing,
        expected: "a level of TCB info that the platform's TDX reaches",
        found: hex::encode(svn),
    })?;
    let module = module_of(svn, info)?;
    let status = module.level.map_or(level.status, |module| merge(level.status, module.status));
    let status = match &report.extension {
        Some(extension) if is_left_behind(sgx.status, status, &module, enclave) => {
            relaunched(&extension.tee_tcb_svn_2, sgx.status, status, info)?
        }
        _ => status,
    };
    Ok((status, level, module.level))
}

/// The level of the module of which a TD was launched: of major version 0 the platform's level says it.
fn module_of<'b>(svn: &[u8; 16], info: &'b TcbInfo) -> Result<Module<'b>, Unknown> {
    let [minor, major, ..] = *svn;
    if major == 0 {
        return Ok(Module { level: None });
    }
    let level = known_module(major, info)?.iter().find(|level| u16::from(minor) >= level.isv_svn);
    level.map(|level| Module { level: Some(level) }).ok_or_else(|| Unknown {
        subject: Subject::ModuleVersion,
        code: Code::TdxModuleVersionUnknown,
        expected: "a version of the TDX module that Intel knows",
        found: format!("{major}.{minor}"),
    })
}

fn known_module(major: u8, info: &TcbInfo) -> Result<&[EnclaveTcbLevel], Unknown> {
    let identity = module::identity(info, major);
    identity.map(|identity| identity.levels.as_slice()).ok_or_else(|| Unknown {
        subject: Subject::ModuleVersion,
        code: Code::TdxModuleUnknown,
        expected: "a TDX module that Intel knows",
        found: format!("one of major version {major}"),
    })
}

/// Whether only the TD and its module may be old, and nothing else is.
fn is_left_behind(
    sgx: TcbStatus,
    td: TcbStatus,
    module: &Module<'_>,
    enclave: Option<&EnclaveTcbLevel>,
) -> bool {
    let old = |status| {
        matches!(status, TcbStatus::OutOfDate | TcbStatus::OutOfDateConfigurationNeeded | TcbStatus::Revoked)
    };
    let enclave_is_old = enclave.is_some_and(|level| old(level.status));
    let module_is_old = module.level.is_some_and(|level| level.status == TcbStatus::OutOfDate);
    module_is_old && !enclave_is_old && !old(sgx) && old(td) && td != TcbStatus::Revoked
}

/// The status of a TD that was launched before its module was updated: if what runs now is the newest, launching it
/// again is enough (TDX Quoting, A.3.3, `TEE_TCB_SVN_2`).
fn relaunched(
    svn_2: &[u8; 16],
    sgx: TcbStatus,
    status: TcbStatus,
    info: &TcbInfo,
) -> Result<TcbStatus, Unknown> {
    let [minor, major, microcode, ..] = *svn_2;
    let Some([newest_minor, _, newest_microcode, ..]) =
        info.levels.first().and_then(|level| level.tdx_components)
    else {
        return Ok(status);
    };
    let newest = match major {
        0 => Some(u16::from(newest_minor)),
        major => known_module(major, info)?.first().map(|level| level.isv_svn),
    };
    let is_new = newest.is_some_and(|newest| u16::from(minor) >= newest) && microcode >= newest_microcode;
    Ok(match (is_new, sgx.needs_configuration() || status.needs_configuration()) {
        (false, _) => status,
        (true, false) => TcbStatus::TdRelaunchAdvised,
        (true, true) => TcbStatus::TdRelaunchAdvisedConfigurationNeeded,
    })
}

/// The status of something of which two parts have these: everything that is wrong with either is wrong with it.
fn merge(one: TcbStatus, other: TcbStatus) -> TcbStatus {
    use TcbStatus::{
        ConfigurationAndSwHardeningNeeded, ConfigurationNeeded, OutOfDate, OutOfDateConfigurationNeeded,
        Revoked, SwHardeningNeeded, TdRelaunchAdvised, TdRelaunchAdvisedConfigurationNeeded, UpToDate,
    };
    let either = |has: fn(TcbStatus) -> bool| has(one) || has(other);
    let revoked = either(|status| status == Revoked);
    let old = either(|status| matches!(status, OutOfDate | OutOfDateConfigurationNeeded));
    let relaunch =
        either(|status| matches!(status, TdRelaunchAdvised | TdRelaunchAdvisedConfigurationNeeded));
    let configuration = either(TcbStatus::needs_configuration);
    let hardening = either(|status| matches!(status, SwHardeningNeeded | ConfigurationAndSwHardeningNeeded));
    match (old, relaunch, configuration, hardening) {
        _ if revoked => Revoked,
        (true, _, true, _) => OutOfDateConfigurationNeeded,
        (true, _, false, _) => OutOfDate,
        (false, true, true, _) => TdRelaunchAdvisedConfigurationNeeded,
        (false, true, false, _) => TdRelaunchAdvised,
        (false, false, true, true) => ConfigurationAndSwHardeningNeeded,
        (false, false, true, false) => ConfigurationNeeded,
        (false, false, false, true) => SwHardeningNeeded,
        (false, false, false, false) => UpToDate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_beside_up_to_date_stays() {
        for status in TcbStatus::ALL {
            assert_eq!(merge(status, TcbStatus::UpToDate), status);
            assert_eq!(merge(TcbStatus::UpToDate, status), status);
            assert_eq!(merge(status, status), status);
            assert_eq!(merge(status, TcbStatus::Revoked), TcbStatus::Revoked);
        }
    }

    #[test]
    fn what_is_old_makes_the_whole_old() {
        let cases = [
            (TcbStatus::SwHardeningNeeded, TcbStatus::OutOfDate),
            (TcbStatus::ConfigurationNeeded, TcbStatus::OutOfDateConfigurationNeeded),
            (TcbStatus::ConfigurationAndSwHardeningNeeded, TcbStatus::OutOfDateConfigurationNeeded),
            (TcbStatus::OutOfDateConfigurationNeeded, TcbStatus::OutOfDateConfigurationNeeded),
            (TcbStatus::TdRelaunchAdvised, TcbStatus::OutOfDate),
        ];
        for (status, expected) in cases {
            assert_eq!(merge(status, TcbStatus::OutOfDate), expected, "{status}");
            assert_eq!(merge(TcbStatus::OutOfDate, status), expected, "{status}");
        }
    }
}
