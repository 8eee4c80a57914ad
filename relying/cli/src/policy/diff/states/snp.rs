// SPDX-License-Identifier: Apache-2.0

//! States of SEV-SNP: levels of the TCB, and what a guest was launched to allow.

use std::collections::BTreeSet;

use enarx_evidence::snp::{Cpuid, GuestPolicy, PlatformInfo, SigningKey, TcbVersion};
use enarx_verifier::SnpClaims;
use enarx_verifier::policy::{Feature, Features, Floor, Product, TcbKind, Vocabulary as _};

use super::super::Pair;
use super::{State, bits, common, value};

/// Components of a TCB version, as `enarx … --simulate` calls them.
const COMPONENTS: [&str; 5] = ["fmc", "bootloader", "tee", "snp", "microcode"];

/// A key that no policy names.
const UNKNOWN_KEY: [u8; 48] = [0xee; 48];

/// Makes the platform the one that has these features.
pub(super) fn place(claims: &mut SnpClaims, features: &Features) {
    if let Some(chip) = value(features, Feature::ChipIds) {
        claims.report.chip_id = [0; 64];
        claims.report.chip_id.iter_mut().zip(chip).for_each(|(to, from)| *to = *from);
    }
    if let Some(cpuid) = &mut claims.report.cpuid {
        let number = |feature, told: u8| match value(features, feature) {
            Some([number]) => *number,
            _ => told,
        };
        *cpuid = Cpuid {
            family: number(Feature::Families, cpuid.family),
            model: number(Feature::Models, cpuid.model),
            stepping: number(Feature::Steppings, cpuid.stepping),
        };
    }
}

/// The states of a platform in which two policies may differ: all is well but for one thing.
pub(super) fn states(claims: &SnpClaims, policies: &Pair<'_>) -> Vec<State<SnpClaims>> {
    let well = well(claims, policies);
    let mut states = vec![State::new("", well.clone())];
    let mut but = |label: &str, change: &dyn Fn(&mut SnpClaims)| {
        let mut claims = well.clone();
        change(&mut claims);
        states.push(State::new(label, claims));
    };
    let set = |claims: &mut SnpClaims, mask: u64| claims.report.policy.0 |= mask;
    let clear = |claims: &mut SnpClaims, guest: u64, platform: u64| {
        claims.report.policy.0 &= !guest;
        claims.report.platform_info.0 &= !platform;
    };
    let Masks { debug, migration, smt, cxl, socket, rapl, hiding, rapl_off, hides, checked } = Masks::new();
    but("debug", &|claims| set(claims, debug));
    but("migration", &|claims| set(claims, migration));
    but("smt", &|claims| set(claims, smt));
    but("cxl", &|claims| set(claims, cxl));
    but("several sockets", &|claims| clear(claims, socket, 0));
    but("power readings", &|claims| clear(claims, rapl, rapl_off));
    but("ciphertext visible", &|claims| clear(claims, hiding, hides));
    but("aliases unchecked", &|claims| clear(claims, 0, checked));
    but("vlek", &|claims| claims.report.key_info.signing_key = SigningKey::Vlek);
    for level in 0..=3 {
        but(&format!("vmpl={level}"), &|claims| claims.report.vmpl = level);
    }
    let named = |both: [&BTreeSet<[u8; 48]>; 2]| {
        both.into_iter().flatten().copied().chain([UNKNOWN_KEY]).collect::<BTreeSet<_>>()
    };
    for key in named([&policies.old.snp().id_keys, &policies.new.snp().id_keys]) {
        but(&format!("ID key {}", shown(&key)), &|claims| claims.report.id_key_digest = key);
    }
    for key in named([&policies.old.snp().author_keys, &policies.new.snp().author_keys]) {
        but(&format!("author key {}", shown(&key)), &|claims| {
            claims.report.key_info.author_key_en = true;
            claims.report.author_key_digest = key;
        });
    }
    levels(&well, policies, &mut states);
    states
}

fn shown(key: &[u8; 48]) -> String {
    if *key == UNKNOWN_KEY { "that no policy names".to_owned() } else { hex::encode(key) }
}

/// The bits of guest policy and platform information, by what they mean.
struct Masks {
    debug: u64,
    migration: u64,
    smt: u64,
    cxl: u64,
    socket: u64,
    rapl: u64,
    hiding: u64,
    rapl_off: u64,
    hides: u64,
    checked: u64,
}

impl Masks {
    fn new() -> Self {
        Self {
            debug: bits(|word| GuestPolicy(word).debug()),
            migration: bits(|word| GuestPolicy(word).migrate_ma()),
            smt: bits(|word| GuestPolicy(word).smt()),
            cxl: bits(|word| GuestPolicy(word).cxl_allow()),
            socket: bits(|word| GuestPolicy(word).single_socket()),
            rapl: bits(|word| GuestPolicy(word).rapl_dis()),
            hiding: bits(|word| GuestPolicy(word).ciphertext_hiding()),
            rapl_off: bits(|word| PlatformInfo(word).rapl_disabled()),
            hides: bits(|word| PlatformInfo(word).ciphertext_hiding()),
            checked: bits(|word| PlatformInfo(word).alias_check_complete()),
        }
    }
}

/// The platform as nobody could wish it better, at a privilege level that both policies accept.
fn well(claims: &SnpClaims, policies: &Pair<'_>) -> SnpClaims {
    let mut claims = claims.clone();
    if let Some(level) = common(&policies.old.guest().vmpl, &policies.new.guest().vmpl) {
        claims.report.vmpl = level.into();
    }
    let Masks { debug, migration, smt, cxl, socket, rapl, hiding, rapl_off, hides, checked } = Masks::new();
    let report = &mut claims.report;
    report.policy.0 = report.policy.0 & !(debug | migration | smt | cxl) | socket | rapl | hiding;
    report.platform_info.0 |= rapl_off | hides | checked;
    (report.id_key_digest, report.author_key_digest) = ([0; 48], [0; 48]);
    report.key_info.author_key_en = false;
    for kind in TcbKind::ALL {
        let tcb = version(&mut claims, *kind);
        let fmc = tcb.fmc.map(|_| u8::MAX);
        *tcb = TcbVersion { fmc, bootloader: u8::MAX, tee: u8::MAX, snp: u8::MAX, microcode: u8::MAX };
    }
    claims
}

fn version(claims: &mut SnpClaims, kind: TcbKind) -> &mut TcbVersion {
    match kind {
        TcbKind::Current => &mut claims.current_tcb,
        TcbKind::Committed => &mut claims.committed_tcb,
        TcbKind::Launch => &mut claims.launch_tcb,
        TcbKind::Reported => &mut claims.reported_tcb,
    }
}

/// Levels around what either policy asks for: exactly that, one less of each, and none at all.
fn levels(well: &SnpClaims, policies: &Pair<'_>, states: &mut Vec<State<SnpClaims>>) {
    let Some(product) = well.product.map(Product::from) else { return };
    for floor in [policies.old.floor(product), policies.new.floor(product)].into_iter().flatten() {
        let mut claims = well.clone();
        for kind in TcbKind::ALL {
            *version(&mut claims, *kind) = *floor.of(*kind);
        }
        states.push(State::new(format!("every level as low as {}", floor.general), claims));
        for kind in TcbKind::ALL {
            below(well, floor, *kind, states);
        }
    }
    let mut claims = well.clone();
    for kind in TcbKind::ALL {
        let tcb = version(&mut claims, *kind);
        *tcb = TcbVersion { fmc: tcb.fmc.map(|_| 0), bootloader: 0, tee: 0, snp: 0, microcode: 0 };
    }
    states.push(State::new("every level 0", claims));
}

/// One component of one version, as low as a floor and one lower.
fn below(well: &SnpClaims, floor: &Floor, kind: TcbKind, states: &mut Vec<State<SnpClaims>>) {
    let asked = floor.of(kind);
    let asked = [asked.fmc.unwrap_or(0), asked.bootloader, asked.tee, asked.snp, asked.microcode];
    for (index, (name, asked)) in COMPONENTS.into_iter().zip(asked).enumerate() {
        for level in [Some(asked), asked.checked_sub(1)].into_iter().flatten() {
            let mut claims = well.clone();
            let tcb = version(&mut claims, kind);
            match index {
                0 => tcb.fmc = tcb.fmc.map(|_| level),
                1 => tcb.bootloader = level,
                2 => tcb.tee = level,
                3 => tcb.snp = level,
                _ => tcb.microcode = level,
            }
            states.push(State::new(format!("{kind}.{name}={level}"), claims));
        }
    }
}
