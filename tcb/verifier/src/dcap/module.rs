// SPDX-License-Identifier: Apache-2.0

//! The TDX module: that it is Intel's (PCS, TCB info version 3, `tdxModule` and `tdxModuleIdentities`).

use enarx_evidence::dcap::{TcbInfo, TdReport, TdxModuleIdentity};

use crate::Code;
use crate::refusal::{Findings, Subject};

/// The identity of modules of a major version.
pub(super) fn identity(info: &TcbInfo, major: u8) -> Option<&TdxModuleIdentity> {
    info.tdx_module_identities.iter().find(|identity| identity.major == major)
}

/// Signer and attributes of the module are what Intel says of its major version. A module that Intel says nothing
/// about is refused where its level is looked for.
pub(super) fn check(report: &TdReport, info: &TcbInfo, findings: &mut Findings) {
    let [_, major, ..] = report.tee_tcb_svn;
    let module = match major {
        0 => info.tdx_module.as_ref(),
        major => identity(info, major).map(|identity| &identity.module),
    };
    let Some(module) = module else { return };

    let same = module.mr_signer == report.mr_signer_seam;
    let (expected, found) = (hex::encode(module.mr_signer), hex::encode(report.mr_signer_seam));
    findings.check(Subject::ModuleSigner, Code::TdxModuleSignerMismatch, same, expected, found);

    let attributes = report.seam_attributes;
    let mask = u64::from_le_bytes(module.attributes_mask);
    let same = attributes.0 & mask == u64::from_le_bytes(module.attributes) && attributes.unknown() == 0;
    let expected = format_args!("{}, and none that is not defined", hex::encode(module.attributes));
    let found = hex::encode(attributes.0.to_le_bytes());
    findings.check(Subject::ModuleAttributes, Code::TdxModuleAttributesMismatch, same, expected, found);
}
