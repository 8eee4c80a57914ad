// SPDX-License-Identifier: Apache-2.0

//! Simulated quotes that say something else than usual, everything properly signed: what bytes cannot be changed into.

use enarx_evidence::dcap::{Body, EnclaveTcbLevel, TcbInfo, TcbLevel, TcbStatus, TdReport};
use enarx_simulator::DcapContent;

use crate::change::Random;

/// What Intel publishes of platforms, and of enclaves and modules.
const PLATFORM: [TcbStatus; 6] = [
    TcbStatus::UpToDate,
    TcbStatus::SwHardeningNeeded,
    TcbStatus::ConfigurationNeeded,
    TcbStatus::ConfigurationAndSwHardeningNeeded,
    TcbStatus::OutOfDate,
    TcbStatus::OutOfDateConfigurationNeeded,
];
const ENCLAVE: [TcbStatus; 3] = [TcbStatus::UpToDate, TcbStatus::OutOfDate, TcbStatus::Revoked];

/// Changes one to four things.
pub fn vary(random: &mut Random, content: &mut DcapContent) {
    // Levels first, since most of what follows is judged by them.
    if random.below(2) == 0 {
        levels(random, &mut content.tcb_info);
    }
    for _ in 0..=random.below(3) {
        match random.below(4) {
            0 => platform(random, content),
            1 => enclave(random, content),
            2 => match &mut content.quote.body {
                Body::Td(report) => td(random, report),
                Body::Sgx(report) => report.attributes = report.attributes.with_debug(true),
            },
            _ => rarely(random, content),
        }
    }
}

/// Some levels around those of the platform, from new to old as Intel serves them.
fn levels(random: &mut Random, info: &mut TcbInfo) {
    let Some(model) = info.levels.first().cloned() else { return };
    let number = 1 + random.below(4);
    info.levels = (0..number)
        .map(|_| {
            let mut level = TcbLevel { status: PLATFORM[random.below(6)], ..model.clone() };
            near(random, &mut level.sgx_components[..3]);
            if random.below(3) == 0 {
                level.pce_svn = 12 + small(random, 3);
            }
            if let Some(components) = &mut level.tdx_components {
                near(random, &mut components[..3]);
            }
            level
        })
        .collect();
    info.levels
        .sort_by_key(|level| core::cmp::Reverse((level.sgx_components, level.pce_svn, level.tdx_components)));
    if random.below(16) == 0 {
        info.levels[0].status = TcbStatus::Revoked;
    }
    for identity in &mut info.tdx_module_identities {
        for level in &mut identity.levels {
            one(random, level);
        }
        identity.levels.sort_by_key(|level| core::cmp::Reverse(level.isv_svn));
    }
}

fn one(random: &mut Random, level: &mut EnclaveTcbLevel) {
    if random.below(4) == 0 {
        let kinds = if random.below(8) == 0 { 3 } else { 2 };
        level.status = ENCLAVE[random.below(kinds)];
    }
    if random.below(4) == 0 {
        level.isv_svn = 1 + small(random, 8);
    }
}

/// Moves some numbers up or down by one.
fn near(random: &mut Random, numbers: &mut [u8]) {
    for number in numbers {
        *number = match random.below(4) {
            0 => number.saturating_sub(1),
            1 => number.saturating_add(1),
            _ => *number,
        };
    }
}

fn small(random: &mut Random, limit: usize) -> u16 {
    u16::try_from(random.below(limit)).unwrap_or_default()
}

fn platform(random: &mut Random, content: &mut DcapContent) {
    let tcb = &mut content.pck.tcb;
    match random.below(3) {
        0 => tcb.pce_svn = 11 + small(random, 4),
        _ => near(random, &mut tcb.components[..4]),
    }
    // In every certificate of Intel's both say the same.
    tcb.cpu_svn = tcb.components;
}

fn enclave(random: &mut Random, content: &mut DcapContent) {
    let (report, identity) = (&mut content.quote.signature.qe.report, &mut content.identity);
    match random.below(6) {
        0 => report.isv_svn = 2 + small(random, 8),
        1 => report.isv_prod_id = small(random, 4),
        2 => report.misc_select.0 ^= 1 << random.below(32),
        3 => report.attributes.flags ^= 1 << random.below(64),
        4 => report.mr_signer[random.below(32)] ^= 1,
        _ => {
            for level in &mut identity.levels {
                one(random, level);
            }
            identity.levels.sort_by_key(|level| core::cmp::Reverse(level.isv_svn));
        }
    }
}

fn td(random: &mut Random, report: &mut TdReport) {
    match random.below(8) {
        0 => report.td_attributes.0 ^= 1 << random.below(64),
        1 => report.seam_attributes.0 ^= 1 << random.below(64),
        2 => report.mr_signer_seam[random.below(48)] ^= 1,
        3 => report.tee_tcb_svn[1] = [0, 0, 1, 2, 3][random.below(5)],
        4 | 5 => near(random, &mut report.tee_tcb_svn[..3]),
        _ => {
            if let Some(extension) = &mut report.extension {
                match random.below(4) {
                    0 => extension.tee_tcb_svn_2[1] = [0, 1, 2, 3][random.below(4)],
                    1 => extension.mr_service_td[random.below(48)] ^= 1,
                    _ => near(random, &mut extension.tee_tcb_svn_2[..3]),
                }
            }
        }
    }
}

fn rarely(random: &mut Random, content: &mut DcapContent) {
    let info = &mut content.tcb_info;
    match random.below(14) {
        0 => info.fmspc[random.below(6)] ^= 1,
        1 => info.pce_id[random.below(2)] ^= 1,
        2 => content.pck.pce_id[random.below(2)] ^= 1,
        3 => content.pck_revoked = true,
        4 => content.authority_revoked = true,
        5 => content.tcb_signer_revoked = true,
        6 => content.quote.header.qe_vendor_id[random.below(16)] ^= 1,
        7 => content.quote.header.user_data[random.below(20)] ^= 1,
        8 => content.quote.signature.qe.report.report_data[random.below(64)] ^= 1,
        9 => info.tdx_module_identities.truncate(random.below(2)),
        10 => {
            if let Some(module) = &mut info.tdx_module {
                module.attributes_mask[random.below(8)] ^= 1;
            }
        }
        11 => content.identity.attributes_mask[random.below(16)] ^= 1,
        12 => content.identity.misc_select_mask[random.below(4)] ^= 1,
        _ => info.evaluation_data_number += 1,
    }
}
