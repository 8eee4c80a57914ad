// SPDX-License-Identifier: Apache-2.0

//! What a sound platform and its quoting enclave say.

use enarx_evidence::dcap::{
    Body, Certification, Configuration, Header, MiscSelect, PckExtensions, PckTcb, QeCertification, Quote,
    QuoteSignature, QuoteVersion, SeamAttributes, SgxAttributes, SgxReport, SgxType, TdAttributes, TdReport,
    TdReportExtension, TeeType, Xfam,
};
use sha2::{Digest as _, Sha256};

use super::{PckAuthority, SimulatedQuote, collateral};
use crate::SimulatorError;

/// Initialised, 64 bits.
const ENCLAVE: SgxAttributes = SgxAttributes { flags: 0b101, xfrm: Xfam::ALWAYS };
/// The same, and it may derive keys that identify the platform.
pub(super) const QUOTING_ENCLAVE: SgxAttributes = SgxAttributes { flags: 0b1_0101, xfrm: Xfam::ALWAYS };

const SEPT_VE_DISABLE: u32 = 28;
/// x87, SSE, AVX, AVX-512, protection keys, AMX.
const XFAM: Xfam = Xfam(0x6_02e7);

/// A quote with everything but its signatures and certificates.
pub(super) fn unsigned(
    platform: &SimulatedQuote,
    report_data: &[u8; 64],
    measurement: &[u8; 48],
    attestation_key: [u8; 64],
) -> Result<Quote, SimulatorError> {
    let impossible = |problem: &str| Err(SimulatorError::Impossible { problem: problem.into() });
    let body = match (platform.tee, platform.version, platform.extended) {
        (TeeType::Sgx, _, false) => Body::Sgx(Box::new(enclave(report_data, measurement))),
        (TeeType::Tdx, QuoteVersion::V4, false) | (TeeType::Tdx, QuoteVersion::V5, _) => {
            Body::Td(Box::new(td(report_data, measurement, platform.extended)))
        }
        (TeeType::Tdx, QuoteVersion::V3, _) => return impossible("quotes of version 3 are about enclaves"),
        _ => return impossible("only quotes of version 5 have a TD report of version 1.5"),
    };
    let (qe_svn, pce_svn) = if platform.version == QuoteVersion::V3 { (8, 13) } else { (0, 0) };
    let auth_data = (0..32).collect::<Vec<u8>>();
    let digest = Sha256::new().chain_update(attestation_key).chain_update(&auth_data).finalize();
    let mut named = [0; 64];
    named.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    let qe = QeCertification { report: quoting_enclave(platform.tee, named), signature: [0; 64], auth_data };
    let certification = Certification::PckChain(Vec::new());
    Ok(Quote {
        header: Header {
            version: platform.version,
            qe_svn,
            pce_svn,
            qe_vendor_id: Header::INTEL_QE,
            user_data: [0; 20],
        },
        body,
        signature: QuoteSignature { signature: [0; 64], attestation_key, qe, certification },
        // As many as quoting services leave of their buffer.
        trailing: vec![0; 70],
    })
}

fn enclave(report_data: &[u8; 64], measurement: &[u8; 48]) -> SgxReport {
    let mut mr_enclave = [0; 32];
    mr_enclave.iter_mut().zip(measurement).for_each(|(to, from)| *to = *from);
    SgxReport {
        cpu_svn: collateral::COMPONENTS,
        misc_select: MiscSelect(0),
        isv_ext_prod_id: [0; 16],
        attributes: ENCLAVE,
        mr_enclave,
        mr_signer: [0x51; 32],
        config_id: [0; 64],
        isv_prod_id: 1,
        isv_svn: 2,
        config_svn: 0,
        isv_family_id: [0; 16],
        report_data: *report_data,
    }
}

fn quoting_enclave(tee: TeeType, report_data: [u8; 64]) -> SgxReport {
    SgxReport {
        attributes: QUOTING_ENCLAVE,
        mr_signer: collateral::QE_SIGNER,
        isv_prod_id: collateral::qe_product(tee),
        isv_svn: collateral::QE_VERSION,
        ..enclave(&report_data, &[0x9e; 48])
    }
}

fn td(report_data: &[u8; 64], measurement: &[u8; 48], extended: bool) -> TdReport {
    TdReport {
        tee_tcb_svn: collateral::TEE_TCB_SVN,
        mr_seam: [0x5e; 48],
        mr_signer_seam: [0; 48],
        seam_attributes: SeamAttributes(0),
        td_attributes: TdAttributes(0).with(SEPT_VE_DISABLE, true),
        xfam: XFAM,
        mr_td: *measurement,
        mr_config_id: [0; 48],
        mr_owner: [0; 48],
        mr_owner_config: [0; 48],
        rtmr: [[0; 48]; 4],
        report_data: *report_data,
        extension: extended
            .then_some(TdReportExtension { tee_tcb_svn_2: collateral::TEE_TCB_SVN, mr_service_td: [0; 48] }),
    }
}

/// What the platform's certificate says.
pub(super) fn pck(platform: &SimulatedQuote) -> PckExtensions {
    let several = platform.authority == PckAuthority::Platform;
    PckExtensions {
        ppid: [0x99; 16],
        tcb: PckTcb {
            components: collateral::COMPONENTS,
            pce_svn: collateral::PCE_SVN,
            cpu_svn: collateral::COMPONENTS,
        },
        pce_id: [0; 2],
        fmspc: platform.family.fmspc(),
        sgx_type: if several { SgxType::Scalable } else { SgxType::Standard },
        platform_instance_id: several.then_some([0x1d; 16]),
        configuration: several.then_some(Configuration {
            dynamic_platform: Some(true),
            cached_keys: Some(true),
            smt_enabled: Some(true),
        }),
    }
}
