// SPDX-License-Identifier: Apache-2.0

//! What is said about simulated platforms: that they are up to date, and what would be older.

use enarx_evidence::dcap::{
    EnclaveId, EnclaveIdentity, EnclaveTcbLevel, TcbInfo, TcbInfoVersion, TcbLevel, TcbStatus, TdxModule,
    TdxModuleIdentity, TeeType,
};

use super::quote::QUOTING_ENCLAVE;
use super::{CURRENT, DAY, SimulatedQuote};

/// The SGX components of sound platforms.
pub(super) const COMPONENTS: [u8; 16] = [7, 9, 3, 3, 255, 255, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// The provisioning certification enclave of sound platforms.
pub(super) const PCE_SVN: u16 = 13;
/// A TDX module of version 1.5 and microcode.
pub(super) const TEE_TCB_SVN: [u8; 16] = [5, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// Who signs the quoting enclave.
pub(super) const QE_SIGNER: [u8; 32] = [0x8c; 32];
/// The version of the quoting enclave.
pub(super) const QE_VERSION: u16 = 8;

/// 2025-05-14 and 2018-01-04, in seconds since 1970.
const NEW: u64 = 1_747_180_800;
const OLD: u64 = 1_515_024_000;

const EVALUATION: u32 = 19;

/// The product number of the quoting enclave.
pub(super) fn qe_product(tee: TeeType) -> u16 {
    match tee {
        TeeType::Sgx => 1,
        TeeType::Tdx => 2,
    }
}

/// TCB info about a platform and older ones of its kind.
pub(super) fn tcb_info(platform: &SimulatedQuote, from: u64) -> TcbInfo {
    let tdx = platform.tee == TeeType::Tdx;
    let level = |pce_svn, tdx_components, date, status, advisories: &[&str]| TcbLevel {
        sgx_components: COMPONENTS,
        pce_svn,
        tdx_components: tdx.then_some(tdx_components),
        date,
        status,
        advisories: advisories.iter().map(|id| (*id).into()).collect(),
    };
    let module = TdxModule { mr_signer: [0; 48], attributes: [0; 8], attributes_mask: [0xff; 8] };
    let identity = |major, newest| TdxModuleIdentity {
        major,
        module,
        levels: vec![
            enclave_level(newest, NEW, TcbStatus::UpToDate, &[]),
            enclave_level(2, OLD, TcbStatus::OutOfDate, &["INTEL-SA-00002"]),
        ],
    };
    TcbInfo {
        version: TcbInfoVersion::V3,
        tee: platform.tee,
        issue_date: from,
        next_update: from.saturating_add(CURRENT.as_secs()),
        fmspc: platform.family.fmspc(),
        pce_id: [0; 2],
        evaluation_data_number: EVALUATION,
        tdx_module: tdx.then_some(module),
        tdx_module_identities: if tdx { vec![identity(3, 4), identity(1, 5)] } else { vec![] },
        levels: vec![
            level(PCE_SVN, [5, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], NEW, TcbStatus::UpToDate, &[]),
            level(
                5,
                [3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                OLD,
                TcbStatus::OutOfDate,
                &["INTEL-SA-00001"],
            ),
        ],
    }
}

/// The identity of the quoting enclave.
pub(super) fn identity(tee: TeeType, from: u64) -> EnclaveIdentity {
    EnclaveIdentity {
        id: match tee {
            TeeType::Sgx => EnclaveId::Qe,
            TeeType::Tdx => EnclaveId::TdQe,
        },
        issue_date: from.saturating_add(DAY.as_secs() / 2),
        next_update: from.saturating_add(CURRENT.as_secs()),
        evaluation_data_number: EVALUATION,
        misc_select: [0; 4],
        misc_select_mask: [0xff; 4],
        attributes: {
            let [flags, ..] = QUOTING_ENCLAVE.flags.to_le_bytes();
            // Without the mode, as Intel's.
            [flags & 0xfb, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        },
        attributes_mask: [0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0],
        mr_signer: QE_SIGNER,
        isv_prod_id: qe_product(tee),
        levels: vec![
            enclave_level(QE_VERSION, NEW, TcbStatus::UpToDate, &[]),
            enclave_level(4, OLD, TcbStatus::OutOfDate, &["INTEL-SA-00003"]),
        ],
    }
}

fn enclave_level(isv_svn: u16, date: u64, status: TcbStatus, advisories: &[&str]) -> EnclaveTcbLevel {
    EnclaveTcbLevel { isv_svn, date, status, advisories: advisories.iter().map(|id| (*id).into()).collect() }
}
