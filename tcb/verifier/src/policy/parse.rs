// SPDX-License-Identifier: Apache-2.0

//! From TOML to a [`Policy`].

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use core::cell::Cell;

use enarx_evidence::snp::TcbVersion;
use toml::de::DeTable;

use super::canonical;
use super::collateral;
use super::error::PolicyError;
use super::extend::{self, Chain};
use super::guest::{Cca, Guest, Snp, Tpm, Workload};
use super::intel::{digests, prefixed};
use super::model::{
    DigestAlgorithm, Floor, Measurement, Product, SimulatedRoot, Switch, TcbKind, Vocabulary,
};
use super::place::Source;
use super::reader::{At, File, MAX_ITEMS, Sets, Table};
use super::{LANGUAGE_VERSION, MAX_POLICY_BYTES, Policy, analysis, intel, narrow, places, registers, rules};

const KEEP_HINT: &str =
    "write the Keeps that may run your workloads, such as `measurements = [\"release\"]` under `[keep]`";

/// Reads a policy and those that it extends.
pub(super) fn parse(name: Option<&str>, text: &str, chain: &mut Chain<'_>) -> Result<Policy, PolicyError> {
    let source = Source::new(name, text);
    if text.len() > MAX_POLICY_BYTES {
        let message = format!("the policy has {} bytes, more than {MAX_POLICY_BYTES}", text.len());
        return Err(PolicyError::at(&source.at(0), message));
    }
    let document = DeTable::parse(&source.text).map_err(|error| {
        PolicyError::at(&source.at(error.span().map_or(0, |span| span.start)), error.message())
    })?;
    let (none, items_left) = (Sets::new(), Cell::new(MAX_ITEMS));
    let file = File { source: &source, sets: &none, items_left: &items_left };
    let root = Table::root(file, document.get_ref())?;
    version(&root)?;
    let base = extend::base(&root, chain)?;
    let inherited = base.clone().unwrap_or_else(Policy::closed);
    let mut sets = inherited.sets.clone();
    sets.append(&mut root.sets("sets")?);
    let root = Table::root(File { sets: &sets, ..file }, document.get_ref())?;
    let mut policy = read(&root, inherited, base.is_some())?;
    policy.places.extend(places::of(&source, document.get_ref()));
    policy.source = Some(Arc::clone(&source));
    policy.sets = sets.clone();
    if let Some(base) = &base {
        narrow::check(base, &policy)?;
        policy.deny.extend(base.deny.iter().map(|(id, rule)| (id.clone(), rule.clone())));
    }
    analysis::check(&policy, &source)?;
    policy.digest = canonical::digest(&policy);
    Ok(policy)
}

/// Reads every section; what is not said is as in `inherited`.
fn read(root: &Table<'_>, inherited: Policy, extends: bool) -> Result<Policy, PolicyError> {
    let (measurements, registers) = match keep(root, extends)? {
        Some((measurements, registers)) => (
            measurements.unwrap_or_else(|| inherited.measurements.clone()),
            registers.unwrap_or_else(|| inherited.registers.clone()),
        ),
        None => (inherited.measurements.clone(), inherited.registers.clone()),
    };
    let intel = intel::read(root, &inherited.intel)?;
    // Enclaves may be named by their signer instead.
    if measurements.is_empty()
        && intel.signers.is_empty()
        && let Some(keep) = root.section("keep")?
    {
        let message = "`keep.measurements` is empty, so no Keep is acceptable";
        return Err(keep.error(keep.offset_of("measurements"), message).hint(KEEP_HINT));
    }
    let allow = rules::allow(root)?;
    let deny = rules::deny(root, &allow)?;
    Ok(Policy {
        measurements,
        registers,
        simulated_roots: simulated_roots(root, &inherited.simulated_roots)?,
        allow: if allow.is_empty() { inherited.allow } else { allow },
        deny,
        minimum_tcb: minimum_tcb(root, inherited.minimum_tcb)?,
        guest: guest(root, &inherited.guest)?,
        snp: snp(root, &inherited.snp)?,
        intel,
        cca: cca(root, &inherited.cca)?,
        tpm: tpm(root, inherited.tpm)?,
        workload: workload(root, &inherited.workload)?,
        collateral: collateral::read(root, inherited.collateral)?,
        on_refusal: root.word("on_refusal")?.unwrap_or(inherited.on_refusal),
        sets: inherited.sets,
        source: inherited.source,
        places: inherited.places,
        digest: inherited.digest,
    })
}

fn version(root: &Table<'_>) -> Result<(), PolicyError> {
    let hint = format!("write `version = {LANGUAGE_VERSION}` at the top");
    match root.number("version")? {
        Some(LANGUAGE_VERSION) => Ok(()),
        None => Err(root.missing("version").hint(hint)),
        Some(other) => {
            let message = format!("version {other} of the policy language is not known");
            Err(root.error(root.offset_of("version"), message).hint(hint))
        }
    }
}

/// Measurements of the Keep, and those of what is started after it, as far as they are said. They have to be, unless the
/// policy extends another one.
#[allow(clippy::type_complexity, reason = "two parts of one section, each of which may be absent")]
fn keep(
    root: &Table<'_>,
    extends: bool,
) -> Result<Option<(Option<BTreeSet<Measurement>>, Option<registers::Registers>)>, PolicyError> {
    let Some(keep) = root.section("keep")? else {
        return if extends { Ok(None) } else { Err(root.missing("keep").hint(KEEP_HINT)) };
    };
    let texts = keep.texts("measurements")?;
    if texts.is_none() && !extends {
        return Err(keep.missing("measurements").hint(KEEP_HINT));
    }
    let distinct_measurements =
        |texts: vec::Vec<At<&str>>| distinct(&keep, &texts, |text| measurement(&keep, text));
    let measurements = texts.map(distinct_measurements).transpose()?;
    let Some(table) = keep.section("registers")? else {
        return Ok(Some((measurements, None)));
    };
    Ok(Some((measurements, Some(registers::read(&table)?))))
}

pub(super) fn measurement(table: &Table<'_>, text: At<&str>) -> Result<Measurement, PolicyError> {
    let spelt = |algorithm: &DigestAlgorithm| {
        let digits = text.value.strip_prefix(algorithm.name())?.strip_prefix(':')?;
        Some((*algorithm, digits))
    };
    let Some((algorithm, digits)) = DigestAlgorithm::ALL.iter().find_map(spelt) else {
        return Ok(Measurement::Reference(name(table, text)?.to_owned()));
    };
    let mut digest = vec![0; algorithm.digest_len()];
    decode(table, text, digits, &mut digest)?;
    Ok(Measurement::Digest { algorithm, digest })
}

fn simulated_roots(
    root: &Table<'_>,
    inherited: &BTreeSet<SimulatedRoot>,
) -> Result<BTreeSet<SimulatedRoot>, PolicyError> {
    let Some(simulated) = root.section("simulated")? else {
        return Ok(inherited.clone());
    };
    let accept = simulated.boolean("accept")?.ok_or_else(|| simulated.missing("accept"))?;
    let texts = simulated.texts("roots")?.unwrap_or_default();
    match (accept, texts.is_empty()) {
        (true, true) => Err(simulated
            .error(simulated.offset_of("roots"), "simulated platforms are accepted, but `roots` names none")
            .hint("name the root to accept, such as `roots = [\"local\"]`")),
        (false, false) => Err(simulated
            .error(simulated.offset_of("accept"), "`roots` are named, but simulated platforms are refused")
            .hint("write `accept = true`, or remove `roots`")),
        _ => distinct(&simulated, &texts, |text| {
            Ok(match text.value.strip_prefix("sha256:") {
                Some(digits) => SimulatedRoot::Sha256(digest(&simulated, text, digits)?),
                None => SimulatedRoot::Named(name(&simulated, text)?.to_owned()),
            })
        }),
    }
}

fn minimum_tcb(
    root: &Table<'_>,
    mut floors: BTreeMap<Product, Floor>,
) -> Result<BTreeMap<Product, Floor>, PolicyError> {
    let Some(table) = root.section("minimum_tcb")? else { return Ok(floors) };
    for &product in Product::ALL.iter().filter(|product| product.has_minimum_tcb()) {
        let Some(levels) = table.section(product.name())? else { continue };
        let general = tcb_version(&levels, product, None)?;
        let mut own = BTreeMap::new();
        for &kind in TcbKind::ALL {
            let Some(levels) = levels.section(kind.name())? else { continue };
            let floor = tcb_version(&levels, product, Some(&general))?;
            // Levels that are the general ones say nothing.
            if floor != general {
                own.insert(kind, floor);
            }
        }
        floors.insert(product, Floor { general, own });
    }
    Ok(floors)
}

/// The levels of a table. Those that it does not say are the general ones.
fn tcb_version(
    levels: &Table<'_>,
    product: Product,
    general: Option<&TcbVersion>,
) -> Result<TcbVersion, PolicyError> {
    let level = |key, general: Option<u8>| {
        levels.number(key)?.or(general).ok_or_else(|| {
            levels.missing(key).hint(format!("write `{key} = 0` if any level of it is acceptable"))
        })
    };
    let fmc = || level("fmc", general.and_then(|general| general.fmc));
    Ok(TcbVersion {
        fmc: product.has_fmc().then(fmc).transpose()?,
        bootloader: level("bootloader", general.map(|general| general.bootloader))?,
        tee: level("tee", general.map(|general| general.tee))?,
        snp: level("snp", general.map(|general| general.snp))?,
        microcode: level("microcode", general.map(|general| general.microcode))?,
    })
}

fn guest(root: &Table<'_>, inherited: &Guest) -> Result<Guest, PolicyError> {
    let Some(table) = root.section("guest")? else { return Ok(inherited.clone()) };
    let vmpl = table.numbers("vmpl")?.map_or_else(
        || inherited.vmpl.clone(),
        |levels| levels.into_iter().map(|level| level.value).collect(),
    );
    if vmpl.is_empty() {
        return Err(table
            .error(table.offset_of("vmpl"), "`guest.vmpl` is empty, so no guest is acceptable")
            .hint("write `vmpl = [0]` for the most privileged level only"));
    }
    let switch = |key, inherited| Ok(table.word::<Switch>(key)?.unwrap_or(inherited));
    Ok(Guest {
        debug: switch("debug", inherited.debug)?,
        migration: switch("migration", inherited.migration)?,
        vmpl,
        vlek: switch("vlek", inherited.vlek)?,
        smt: switch("smt", inherited.smt)?,
        several_sockets: switch("several_sockets", inherited.several_sockets)?,
        ciphertext_visible: switch("ciphertext_visible", inherited.ciphertext_visible)?,
        aliases_unchecked: switch("aliases_unchecked", inherited.aliases_unchecked)?,
        power_readings: switch("power_readings", inherited.power_readings)?,
        cxl: switch("cxl", inherited.cxl)?,
        launch_keys: switch("launch_keys", inherited.launch_keys)?,
    })
}

fn snp(root: &Table<'_>, inherited: &Snp) -> Result<Snp, PolicyError> {
    let Some(table) = root.section("snp")? else { return Ok(inherited.clone()) };
    Ok(Snp {
        id_keys: digests(&table, "id_keys", &inherited.id_keys)?,
        author_keys: digests(&table, "author_keys", &inherited.author_keys)?,
    })
}

fn cca(root: &Table<'_>, inherited: &Cca) -> Result<Cca, PolicyError> {
    let Some(table) = root.section("cca")? else { return Ok(inherited.clone()) };
    let (software, signers) = (table.texts("software")?, table.texts("signers")?);
    if let (None, None, true) = (&software, &signers, inherited == &Cca::default()) {
        return Err(table.missing("software"));
    }
    let read = |texts: Option<vec::Vec<At<&str>>>, inherited: &BTreeSet<Measurement>| match texts {
        Some(texts) => distinct(&table, &texts, |text| measurement(&table, text)),
        None => Ok(inherited.clone()),
    };
    let signers_at = table.offset_of("signers");
    let cca =
        Cca { software: read(software, &inherited.software)?, signers: read(signers, &inherited.signers)? };
    if let Some(Measurement::Reference(name)) =
        cca.signers.iter().find(|signer| matches!(signer, Measurement::Reference(_)))
    {
        let message = format!("`{name}` is not a digest");
        return Err(table.error(signers_at, message).hint("write `sha256:` and 64 hexadecimal digits"));
    }
    Ok(cca)
}

fn tpm(root: &Table<'_>, inherited: Tpm) -> Result<Tpm, PolicyError> {
    let Some(table) = root.section("tpm")? else { return Ok(inherited) };
    Ok(Tpm { sha1: table.word("sha1")?.unwrap_or(inherited.sha1) })
}

fn workload(root: &Table<'_>, inherited: &Workload) -> Result<Workload, PolicyError> {
    let Some(table) = root.section("workload")? else { return Ok(inherited.clone()) };
    let read = |key: &str, inherited: &BTreeSet<[u8; 32]>, prefix: &str| {
        let Some(texts) = table.texts(key)? else { return Ok(inherited.clone()) };
        if texts.is_empty() {
            let message = format!("`workload.{key}` is empty, so nothing is acceptable");
            let hint = "remove it to accept any, or write which";
            return Err(table.error(table.offset_of(key), message).hint(hint));
        }
        distinct(&table, &texts, |text| prefixed(&table, text, prefix))
    };
    Ok(Workload {
        digests: read("digests", &inherited.digests, "sha256:")?,
        owners: read("owners", &inherited.owners, "")?,
    })
}

/// Names of rules, reference values and roots: what refusals quote and command lines take.
pub(super) fn name<'d>(table: &Table<'_>, text: At<&'d str>) -> Result<&'d str, PolicyError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.value.chars().all(plain) {
        return Ok(text.value);
    }
    let message = format!("`{}` is not a name", text.value);
    let hint = "names consist of letters, digits, `-`, `_` and `.`; digests begin with `sha256:`, `sha384:` or `sha512:`";
    Err(table.error(text.offset, message).hint(hint))
}

pub(super) fn digest<const N: usize>(
    table: &Table<'_>,
    text: At<&str>,
    digits: &str,
) -> Result<[u8; N], PolicyError> {
    let mut digest = [0; N];
    decode(table, text, digits, &mut digest)?;
    Ok(digest)
}

pub(super) fn decode(
    table: &Table<'_>,
    text: At<&str>,
    digits: &str,
    digest: &mut [u8],
) -> Result<(), PolicyError> {
    hex::decode_to_slice(digits, digest).map_err(|_| {
        let count = digest.len().saturating_mul(2);
        table.error(text.offset, format!("`{}` does not have {count} hexadecimal digits", text.value))
    })
}

/// Items as a set; two spellings of the same item are an error.
pub(super) fn distinct<T: Ord>(
    table: &Table<'_>,
    texts: &[At<&str>],
    mut item: impl FnMut(At<&str>) -> Result<T, PolicyError>,
) -> Result<BTreeSet<T>, PolicyError> {
    let mut set = BTreeSet::new();
    for &text in texts {
        if !set.insert(item(text)?) {
            return Err(table.error(text.offset, format!("`{}` is there already", text.value)));
        }
    }
    Ok(set)
}
