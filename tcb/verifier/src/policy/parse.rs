// SPDX-License-Identifier: Apache-2.0

//! From TOML to a [`Policy`].

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use enarx_evidence::snp::TcbVersion;
use toml::de::DeTable;

use super::analysis::{self, Placed};
use super::error::PolicyError;
use super::intel::{self, TcbInfo};
use super::model::{
    AllowRule, Crl, DenyRule, DigestAlgorithm, Guest, Matcher, Measurement, MinimumTcb, OnRefusal, Product,
    SimulatedRoot, Switch, Tee, Tpm, Vendor, Vocabulary,
};
use super::reader::{At, Table, all_words};
use super::{LANGUAGE_VERSION, MAX_POLICY_BYTES, Policy};

/// The highest virtual machine privilege level (AMD APM volume 2, section 15.36.7: levels 0 to 3).
const MAX_VMPL: u8 = 3;

const ROOT_KEYS: &[&str] = &[
    "version",
    "on_refusal",
    "keep",
    "simulated",
    "allow",
    "deny",
    "minimum_tcb",
    "guest",
    "intel",
    "cca",
    "tpm",
    "collateral",
];

pub(super) fn parse(text: &str) -> Result<Policy, PolicyError> {
    if text.len() > MAX_POLICY_BYTES {
        let message = format!("the policy has {} bytes, more than {MAX_POLICY_BYTES}", text.len());
        return Err(PolicyError::at(text, 0, message));
    }
    let document = DeTable::parse(text)
        .map_err(|error| PolicyError::at(text, error.span().map_or(0, |span| span.start), error.message()))?;
    let root = Table::root(text, document.get_ref(), ROOT_KEYS)?;
    version(&root)?;
    let (measurements, registers) = keep(&root)?;
    let simulated_roots = simulated_roots(&root)?;
    let allow = root.sections("allow", ALLOW_KEYS)?;
    let allow = allow.iter().map(allow_rule).collect::<Result<Vec<_>, _>>()?;
    let deny = root.sections("deny", DENY_KEYS)?;
    let deny = deny.iter().map(deny_rule).collect::<Result<Vec<_>, _>>()?;
    let minimum_tcb = minimum_tcb(&root)?;
    let (crl, tcb_info) = collateral(&root)?;
    analysis::check(&root, &allow, &deny, &minimum_tcb)?;
    Ok(Policy {
        measurements,
        registers,
        simulated_roots,
        allow: allow.into_iter().map(|rule| (rule.rule.id.clone(), rule.rule)).collect(),
        deny: deny.into_iter().map(|rule| (rule.rule.id.clone(), rule.rule)).collect(),
        minimum_tcb,
        guest: guest(&root)?,
        intel: intel::read(&root)?,
        crl,
        tcb_info,
        platform_software: platform_software(&root)?,
        tpm: tpm(&root)?,
        on_refusal: root.word("on_refusal")?.unwrap_or(OnRefusal::Flag),
    })
}

fn version(root: &Table<'_>) -> Result<(), PolicyError> {
    let hint = format!("write `version = {LANGUAGE_VERSION}` at the top");
    match root.number("version", u8::MAX)? {
        Some(LANGUAGE_VERSION) => Ok(()),
        None => Err(root.missing("version").hint(hint)),
        Some(other) => {
            let message = format!("version {other} of the policy language is not known");
            Err(root.error(root.offset_of("version"), message).hint(hint))
        }
    }
}

/// Measurements of the Keep, and those of what is started after it.
type Keep = (BTreeSet<Measurement>, BTreeMap<String, BTreeSet<Measurement>>);

fn keep(root: &Table<'_>) -> Result<Keep, PolicyError> {
    let hint =
        "write the Keeps that may run your workloads, such as `measurements = [\"release\"]` under `[keep]`";
    let keep = root
        .section("keep", &["measurements", "registers"])?
        .ok_or_else(|| root.missing("keep").hint(hint))?;
    let texts = keep.texts("measurements")?.ok_or_else(|| keep.missing("measurements").hint(hint))?;
    let measurements = distinct(&keep, &texts, |text| measurement(&keep, text))?;
    let Some(table) = keep.section("registers", REGISTERS)? else {
        return Ok((measurements, BTreeMap::new()));
    };
    let mut registers = BTreeMap::new();
    for &register in REGISTERS {
        let Some(texts) = table.texts(register)? else { continue };
        let values = distinct(&table, &texts, |text| measurement(&table, text))?;
        if values.is_empty() {
            let hint = "name the values to accept, or remove the register, which then must be zero";
            let message = format!("`{register}` is empty, so nothing is acceptable");
            return Err(table.error(table.offset_of(register), message).hint(hint));
        }
        registers.insert(register.to_owned(), values);
    }
    Ok((measurements, registers))
}

/// Measurement registers by the names of their vendors: TDX, CCA, and PCRs of TPMs and Nitro.
const REGISTERS: &[&str] = &[
    "rtmr0", "rtmr1", "rtmr2", "rtmr3", "rem0", "rem1", "rem2", "rem3", "pcr0", "pcr1", "pcr2", "pcr3",
    "pcr4", "pcr5", "pcr6", "pcr7", "pcr8", "pcr9", "pcr10", "pcr11", "pcr12", "pcr13", "pcr14", "pcr15",
    "pcr16", "pcr17", "pcr18", "pcr19", "pcr20", "pcr21", "pcr22", "pcr23", "pcr24", "pcr25", "pcr26",
    "pcr27", "pcr28", "pcr29", "pcr30", "pcr31",
];

fn measurement(table: &Table<'_>, text: At<&str>) -> Result<Measurement, PolicyError> {
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

fn simulated_roots(root: &Table<'_>) -> Result<BTreeSet<SimulatedRoot>, PolicyError> {
    let Some(simulated) = root.section("simulated", &["accept", "roots"])? else {
        return Ok(BTreeSet::new());
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

const ALLOW_KEYS: &[&str] = &["id", "vendor", "tee", "products", "minimum_tcb", "reason"];

fn allow_rule(table: &Table<'_>) -> Result<Placed<AllowRule>, PolicyError> {
    let id = id(table)?;
    let platforms = matcher(table)?;
    if platforms.tee.is_none() {
        let hint = format!("write one of {} as `tee`", all_words::<Tee>());
        return Err(table.missing("tee").hint(hint));
    }
    let minimum_tcb = table.word("minimum_tcb")?.unwrap_or(MinimumTcb::Checked);
    let rule = AllowRule { id: id.value.to_owned(), platforms, minimum_tcb, reason: reason(table)? };
    Ok(Placed { rule, offset: table.offset, id_offset: id.offset })
}

const DENY_KEYS: &[&str] = &["id", "vendor", "tee", "products", "reason"];

fn deny_rule(table: &Table<'_>) -> Result<Placed<DenyRule>, PolicyError> {
    let id = id(table)?;
    let rule = DenyRule { id: id.value.to_owned(), platforms: matcher(table)?, reason: reason(table)? };
    Ok(Placed { rule, offset: table.offset, id_offset: id.offset })
}

fn id<'d>(table: &Table<'d>) -> Result<At<&'d str>, PolicyError> {
    let id = table.text("id")?.ok_or_else(|| {
        table.missing("id").hint("refusals name the rule that decided: write a short name as `id`")
    })?;
    name(table, id)?;
    Ok(id)
}

fn reason(table: &Table<'_>) -> Result<Option<String>, PolicyError> {
    Ok(table.text("reason")?.map(|reason| reason.value.to_owned()))
}

fn matcher(table: &Table<'_>) -> Result<Matcher, PolicyError> {
    let vendor: Vendor = table.word("vendor")?.ok_or_else(|| {
        table.missing("vendor").hint(format!("write one of {} as `vendor`", all_words::<Vendor>()))
    })?;
    let tee: Option<Tee> = table.word("tee")?;
    let products: Option<Vec<Product>> = table.words("products")?;
    if products.as_ref().is_some_and(Vec::is_empty) {
        return Err(table
            .error(table.offset_of("products"), "`products` is empty, so the rule can never match")
            .hint("name the products, or remove `products` to mean every one of the vendor and TEE"));
    }
    for product in products.iter().flatten() {
        let message = if product.vendor() != vendor {
            format!("`{product}` is a product of `{}`, not of `{vendor}`", product.vendor())
        } else if let Some(tee) = tee.filter(|tee| !product.has(*tee)) {
            format!("`{product}` has no `{tee}`")
        } else {
            continue;
        };
        return Err(table
            .error(table.offset_of("products"), message)
            .hint("a rule is about the products of one vendor; write another rule for the others"));
    }
    Ok(Matcher { vendor, tee, products: products.map(BTreeSet::from_iter) })
}

fn minimum_tcb(root: &Table<'_>) -> Result<BTreeMap<Product, TcbVersion>, PolicyError> {
    let with_minimum = || Product::ALL.iter().filter(|product| product.has_minimum_tcb());
    let all: Vec<&str> = with_minimum().map(|product| product.name()).collect();
    let Some(table) = root.section("minimum_tcb", &all)? else { return Ok(BTreeMap::new()) };
    let floor = |&product: &Product| Ok(floor(&table, product)?.map(|floor| (product, floor)));
    with_minimum().map(floor).filter_map(Result::transpose).collect()
}

fn floor(table: &Table<'_>, product: Product) -> Result<Option<TcbVersion>, PolicyError> {
    const KEYS: &[&str] = &["bootloader", "tee", "snp", "microcode", "fmc"];
    let known = if product.has_fmc() { KEYS } else { KEYS.split_last().map_or(KEYS, |(_, most)| most) };
    let Some(levels) = table.section(product.name(), known)? else { return Ok(None) };
    let level = |key| {
        levels.number(key, u8::MAX)?.ok_or_else(|| {
            levels.missing(key).hint(format!("write `{key} = 0` if any level of it is acceptable"))
        })
    };
    Ok(Some(TcbVersion {
        fmc: product.has_fmc().then(|| level("fmc")).transpose()?,
        bootloader: level("bootloader")?,
        tee: level("tee")?,
        snp: level("snp")?,
        microcode: level("microcode")?,
    }))
}

fn guest(root: &Table<'_>) -> Result<Guest, PolicyError> {
    let safe = Guest::default();
    let Some(table) = root.section("guest", &["debug", "migration", "vmpl", "vlek", "smt"])? else {
        return Ok(safe);
    };
    let vmpl = table.numbers("vmpl", MAX_VMPL)?.map_or(safe.vmpl, BTreeSet::from_iter);
    if vmpl.is_empty() {
        return Err(table
            .error(table.offset_of("vmpl"), "`guest.vmpl` is empty, so no guest is acceptable")
            .hint("write `vmpl = [0]` for the most privileged level only"));
    }
    let switch = |key, default| Ok(table.word::<Switch>(key)?.unwrap_or(default));
    Ok(Guest {
        debug: switch("debug", safe.debug)?,
        migration: switch("migration", safe.migration)?,
        vmpl,
        vlek: switch("vlek", safe.vlek)?,
        smt: switch("smt", safe.smt)?,
    })
}

fn platform_software(root: &Table<'_>) -> Result<BTreeSet<Measurement>, PolicyError> {
    let Some(table) = root.section("cca", &["software"])? else { return Ok(BTreeSet::new()) };
    let texts = table.texts("software")?.ok_or_else(|| table.missing("software"))?;
    distinct(&table, &texts, |text| measurement(&table, text))
}

fn collateral(root: &Table<'_>) -> Result<(Crl, TcbInfo), PolicyError> {
    let Some(table) = root.section("collateral", &["crl", "tcb_info"])? else {
        return Ok((Crl::Required, TcbInfo::Required));
    };
    let crl = table.word("crl")?.unwrap_or(Crl::Required);
    Ok((crl, table.word("tcb_info")?.unwrap_or(TcbInfo::Required)))
}

fn tpm(root: &Table<'_>) -> Result<Tpm, PolicyError> {
    let safe = Tpm::default();
    let Some(table) = root.section("tpm", &["sha1"])? else { return Ok(safe) };
    Ok(Tpm { sha1: table.word("sha1")?.unwrap_or(safe.sha1) })
}

/// Names of rules, reference values and roots: what refusals quote and command lines take.
fn name<'d>(table: &Table<'_>, text: At<&'d str>) -> Result<&'d str, PolicyError> {
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

fn decode(table: &Table<'_>, text: At<&str>, digits: &str, digest: &mut [u8]) -> Result<(), PolicyError> {
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
