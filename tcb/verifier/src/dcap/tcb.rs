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
    levels: &'b [EnclaveTcbLevel],
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
            behind_since: behind_since(info.levels.iter().map(|level| level.date), level.date),
        },
        module: module.map(|(level, levels)| judged_enclave(level, levels, info.evaluation_data_number)),
        quoting_enclave: enclave.zip(identity).map(|(level, identity)| {
            judged_enclave(level, &identity.levels, identity.evaluation_data_number)
        }),
    })
}

/// The oldest date among levels after the one that is reached.
fn behind_since(dates: impl Iterator<Item = u64>, reached: u64) -> Option<UnixTime> {
    dates.filter(|date| *date > reached).min().map(UnixTime)
}

fn judged_enclave(
    level: &EnclaveTcbLevel,
    levels: &[EnclaveTcbLevel],
    evaluation_data_number: u32,
) -> JudgedTcb {
    JudgedTcb {
        status: level.status,
        date: UnixTime(level.date),
        advisories: level.advisories.clone(),
        evaluation_data_number,
        behind_since: behind_since(levels.iter().map(|level| level.date), level.date),
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

type Judged<'b> = (TcbStatus, &'b TcbLevel, Option<(&'b EnclaveTcbLevel, &'b [EnclaveTcbLevel])>);

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
    Ok((status, level, module.level.map(|level| (level, module.levels))))
}

/// The level of the module of which a TD was launched: of major version 0 the platform's level says it.
fn module_of<'b>(svn: &[u8; 16], info: &'b TcbInfo) -> Result<Module<'b>, Unknown> {
    let [minor, major, ..] = *svn;
    if major == 0 {
        return Ok(Module { level: None, levels: &[] });
    }
    let levels = known_module(major, info)?;
    let level = levels.iter().find(|level| u16::from(minor) >= level.isv_svn);
    level.map(|level| Module { level: Some(level), levels }).ok_or_else(|| Unknown {
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
    let enclave_is_old = enclave.is_some_and(|level| is_old(level.status));
    let module_is_old = module.level.is_some_and(|level| level.status == TcbStatus::OutOfDate);
    module_is_old && !enclave_is_old && !is_old(sgx) && is_old(td) && td != TcbStatus::Revoked
}

fn is_old(status: TcbStatus) -> bool {
    matches!(status, TcbStatus::OutOfDate | TcbStatus::OutOfDateConfigurationNeeded | TcbStatus::Revoked)
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
    let Some(platform) = info.levels.first() else { return Ok(status) };
    let Some([newest_minor, _, newest_microcode, ..]) = platform.tdx_components else { return Ok(status) };
    let newest = match major {
        0 => Some((u16::from(newest_minor), platform.status)),
        major => known_module(major, info)?.first().map(|level| (level.isv_svn, level.status)),
    };
    // Where even the newest is out of date, launching again does not help.
    let is_new = newest.is_some_and(|(newest, judged)| u16::from(minor) >= newest && !is_old(judged))
        && microcode >= newest_microcode
        && !is_old(platform.status);
    Ok(match (is_new, sgx.needs_configuration() || status.needs_configuration()) {
        (false, _) => status,
        (true, false) => TcbStatus::TdRelaunchAdvised,
        (true, true) => TcbStatus::TdRelaunchAdvisedConfigurationNeeded,
    })
}

/// The status of something of which two parts have these: everything that is wrong with either is wrong with it.
pub(crate) fn merge(one: TcbStatus, other: TcbStatus) -> TcbStatus {
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
    use alloc::vec;
    use alloc::vec::Vec;

    use enarx_evidence::dcap::{TcbInfoVersion, TdxModule, TdxModuleIdentity, TeeType};

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

    /// TCB info of which the newest level, and the newest level of its module of major version 3, have these.
    fn info(platform: TcbStatus, module: TcbStatus) -> TcbInfo {
        let module = EnclaveTcbLevel { isv_svn: 4, date: 0, status: module, advisories: Vec::new() };
        let zero = TdxModule { mr_signer: [0; 48], attributes: [0; 8], attributes_mask: [0; 8] };
        TcbInfo {
            version: TcbInfoVersion::V3,
            tee: TeeType::Tdx,
            issue_date: 0,
            next_update: 0,
            fmspc: [0; 6],
            pce_id: [0; 2],
            evaluation_data_number: 0,
            tdx_module: Some(zero),
            tdx_module_identities: vec![TdxModuleIdentity { major: 3, module: zero, levels: vec![module] }],
            levels: vec![TcbLevel {
                sgx_components: [0; 16],
                pce_svn: 0,
                tdx_components: Some([5, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
                date: 0,
                status: platform,
                advisories: Vec::new(),
            }],
        }
    }

    #[test]
    fn launching_again_is_advised_where_what_runs_is_the_newest_and_good() {
        use TcbStatus::{OutOfDate, TdRelaunchAdvised, UpToDate};
        let cases = [
            ([4, 3, 2], UpToDate, UpToDate, TdRelaunchAdvised),
            ([5, 0, 2], UpToDate, UpToDate, TdRelaunchAdvised),
            // Not the newest.
            ([3, 3, 2], UpToDate, UpToDate, OutOfDate),
            ([4, 3, 1], UpToDate, UpToDate, OutOfDate),
            ([4, 0, 2], UpToDate, UpToDate, OutOfDate),
            // The newest is out of date itself.
            ([4, 3, 2], UpToDate, OutOfDate, OutOfDate),
            ([4, 3, 2], OutOfDate, UpToDate, OutOfDate),
            ([5, 0, 2], OutOfDate, UpToDate, OutOfDate),
        ];
        for ([minor, major, microcode], platform, module, expected) in cases {
            let svn = [minor, major, microcode, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            let found = relaunched(&svn, UpToDate, OutOfDate, &info(platform, module)).ok();
            assert_eq!(found, Some(expected), "{svn:?}, {platform}, {module}");
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
