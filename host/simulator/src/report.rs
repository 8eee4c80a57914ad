// SPDX-License-Identifier: Apache-2.0

//! Reports as the firmware of the secure processor fills them in.

use aws_lc_rs::rand;
use enarx_evidence::snp::{
    FirmwareVersion, Generation, GuestPolicy, KeyInfo, Layout, Mitigations, PlatformInfo, RawTcb, Report,
    Signature, SigningKey, TcbVersion, Version,
};
use sha2::{Digest as _, Sha512};

use crate::{SimulatedPlatform, SimulatorError};

/// The firmware of platforms with the default TCB.
const FIRMWARE: FirmwareVersion = FirmwareVersion { build: 0x31, minor: 55, major: 1 };

/// What recorded reports of version 5 have at least: the first mitigation verified.
const MITIGATIONS: Mitigations = Mitigations { launch: 1, current: 1 };

/// SMT on, ECC memory, alias check complete: what recorded reports of public clouds have.
const PLATFORM_INFO: PlatformInfo = PlatformInfo(0b10_0101);

/// What a report says about the guest that asked for it.
pub(crate) struct Guest<'a> {
    pub(crate) report_data: &'a [u8; 64],
    pub(crate) measurement: &'a [u8; 48],
    pub(crate) host_data: &'a [u8; 32],
}

/// The report, complete but for its signature.
pub(crate) fn unsigned(
    platform: &SimulatedPlatform,
    chip_id: [u8; 64],
    guest: &Guest<'_>,
) -> Result<Report, SimulatorError> {
    let generation = platform.product.generation();
    let tcb = |tcb| raw_tcb(generation, tcb);
    let vcek = platform.signing_key == SigningKey::Vcek;
    Ok(Report {
        version: platform.report_version,
        guest_svn: 0,
        policy: GuestPolicy::SMT_ONLY
            .with_smt(platform.smt)
            .with_debug(platform.debug)
            .with_migrate_ma(platform.migration),
        family_id: [0; 16],
        image_id: [0; 16],
        vmpl: platform.vmpl,
        signature_algo: Report::ECDSA_P384_SHA384,
        current_tcb: tcb(platform.current_tcb)?,
        platform_info: PLATFORM_INFO,
        key_info: KeyInfo {
            author_key_en: false,
            mask_chip_key: platform.signing_key == SigningKey::None,
            signing_key: platform.signing_key,
        },
        report_data: *guest.report_data,
        measurement: *guest.measurement,
        host_data: *guest.host_data,
        id_key_digest: [0; 48],
        author_key_digest: [0; 48],
        report_id: random()?,
        // All ones if there is no migration agent.
        report_id_ma: if platform.migration { random()? } else { [0xff; 32] },
        reported_tcb: tcb(platform.reported_tcb)?,
        cpuid: (platform.report_version >= Version::V3).then(|| platform.product.cpuid()),
        chip_id: if vcek && !platform.hidden_chip { chip_id } else { [0; 64] },
        committed_tcb: tcb(platform.committed_tcb)?,
        current: FIRMWARE,
        committed: FIRMWARE,
        launch_tcb: tcb(platform.launch_tcb)?,
        mitigations: (platform.report_version >= Version::V5).then_some(MITIGATIONS),
        signature: Signature { r: [0; 48], s: [0; 48] },
    })
}

/// The identity of the simulated vendor's one chip of a generation.
pub(crate) fn default_chip_id(generation: Generation, root_spki: &[u8]) -> [u8; 64] {
    let digest: [u8; 64] =
        Sha512::new().chain_update("enarx simulated chip").chain_update(root_spki).finalize().into();
    let mut chip_id = [0; 64];
    for (to, from) in chip_id.iter_mut().zip(digest).take(generation.chip_id_len()) {
        *to = from;
    }
    chip_id
}

fn raw_tcb(generation: Generation, tcb: TcbVersion) -> Result<RawTcb, SimulatorError> {
    let layout = generation.tcb_layout();
    if tcb.fmc.is_some() == (layout == Layout::Turin) {
        return Ok(tcb.encode(layout));
    }
    let problem =
        format!("its TCB `{tcb}` is not one of `{generation}`, since exactly Turin has an FMC level");
    Err(SimulatorError::Impossible { problem })
}

fn random<const N: usize>() -> Result<[u8; N], SimulatorError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| SimulatorError::Crypto { action: "get random numbers" })?;
    Ok(bytes)
}
