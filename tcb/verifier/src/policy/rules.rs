// SPDX-License-Identifier: Apache-2.0

//! Reads the rules about platforms.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use enarx_evidence::dcap::Family;

use super::error::PolicyError;
use super::model::{MinimumTcb, Product, Tee, Vendor, Vocabulary};
use super::parse::{decode, name};
use super::reader::{At, Table, all_words};
use super::rule::{AllowRule, DenyRule, Feature, FeatureForm, Matcher};

/// Reads the rules that allow.
pub(super) fn allow(root: &Table<'_>) -> Result<BTreeMap<String, AllowRule>, PolicyError> {
    let mut rules = BTreeMap::new();
    for table in root.sections("allow")? {
        let id = id(&table)?;
        let rule = allow_rule(&table, id.value)?;
        distinct_id(&table, id, rules.insert(id.value.to_owned(), rule).is_some())?;
    }
    Ok(rules)
}

/// Reads the rules that deny. None has the id of one that allows.
pub(super) fn deny(
    root: &Table<'_>,
    allow: &BTreeMap<String, AllowRule>,
) -> Result<BTreeMap<String, DenyRule>, PolicyError> {
    let mut rules = BTreeMap::new();
    for table in root.sections("deny")? {
        let id = id(&table)?;
        let rule = DenyRule {
            id: id.value.to_owned(),
            platforms: matcher(&table)?,
            expires: table.date("expires")?,
            reason: reason(&table)?,
            place: table.place(table.offset),
        };
        let is_there = allow.contains_key(id.value) || rules.insert(id.value.to_owned(), rule).is_some();
        distinct_id(&table, id, is_there)?;
    }
    Ok(rules)
}

fn allow_rule(table: &Table<'_>, id: &str) -> Result<AllowRule, PolicyError> {
    let platforms = matcher(table)?;
    if platforms.tee.is_none() {
        let hint = format!("write one of {} as `tee`", all_words::<Tee>());
        return Err(table.missing("tee").hint(hint));
    }
    Ok(AllowRule {
        id: id.to_owned(),
        platforms,
        minimum_tcb: table.word("minimum_tcb")?.unwrap_or(MinimumTcb::Checked),
        expires: table.date("expires")?,
        reason: reason(table)?,
        place: table.place(table.offset),
    })
}

fn distinct_id(table: &Table<'_>, id: At<&str>, is_there: bool) -> Result<(), PolicyError> {
    if is_there {
        let message = format!("there is another rule with the id `{}`", id.value);
        return Err(table.error(id.offset, message).hint("give each rule an id of its own"));
    }
    Ok(())
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

pub(super) fn matcher(table: &Table<'_>) -> Result<Matcher, PolicyError> {
    let vendor: Vendor = table.word("vendor")?.ok_or_else(|| {
        table.missing("vendor").hint(format!("write one of {} as `vendor`", all_words::<Vendor>()))
    })?;
    let tee: Option<Tee> = table.word("tee")?;
    let products: Option<Vec<Product>> =
        table.words_among("products", |product: Product| product.vendor() == vendor)?;
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
    let products = products.map(BTreeSet::from_iter);
    let matcher = Matcher { vendor, tee, products, features: features(table, vendor)? };
    if let (Some(tee), None) = (tee, matcher.platforms().next()) {
        let has =
            |tee: &&Tee| Product::ALL.iter().any(|product| product.vendor() == vendor && product.has(**tee));
        let known: Vec<&str> = Tee::ALL.iter().filter(has).map(|tee| tee.name()).collect();
        let message = format!("no platform of `{vendor}` has `{tee}`, so the rule can never match");
        let hint = format!("platforms of `{vendor}` have {}", super::error::quoted(&known));
        return Err(table.error(table.offset_of("tee"), message).hint(hint));
    }
    possible(table, &matcher)?;
    Ok(matcher)
}

/// What the rule asks beside vendor, TEE and product.
fn features(table: &Table<'_>, vendor: Vendor) -> Result<BTreeMap<Feature, BTreeSet<Vec<u8>>>, PolicyError> {
    let mut features = BTreeMap::new();
    for &feature in Feature::ALL {
        let key = feature.name();
        let Some(values) = values(table, feature)? else { continue };
        if !feature.vendors().contains(&vendor) {
            let known: Vec<&str> = feature.vendors().iter().map(|vendor| vendor.name()).collect();
            let message = format!("platforms of `{vendor}` have no `{key}`");
            let hint = format!("`{key}` is told by platforms of {}", super::error::quoted(&known));
            return Err(table.error(table.offset_of(key), message).hint(hint));
        }
        if values.is_empty() {
            let message = format!("`{key}` is empty, so the rule can never match");
            let hint = format!("write the values, or remove `{key}` to mean any");
            return Err(table.error(table.offset_of(key), message).hint(hint));
        }
        features.insert(feature, values);
    }
    Ok(features)
}

/// The values of a feature; none of them twice.
fn values(table: &Table<'_>, feature: Feature) -> Result<Option<BTreeSet<Vec<u8>>>, PolicyError> {
    let key = feature.name();
    let read = match feature.form() {
        FeatureForm::Number(_) => table.numbers(key)?.map(|numbers| {
            let value = |number: At<u8>| At { value: vec![number.value], offset: number.offset };
            Ok(numbers.into_iter().map(value).collect::<Vec<_>>())
        }),
        FeatureForm::Text => table.texts(key)?.map(|texts| {
            let value = |text: At<&str>| At { value: text.value.as_bytes().to_vec(), offset: text.offset };
            Ok(texts.into_iter().map(value).collect())
        }),
        FeatureForm::Bytes(lengths) => table.texts(key)?.map(|texts| {
            let value = |text: At<&str>| Ok(At { value: bytes(table, text, lengths)?, offset: text.offset });
            texts.into_iter().map(value).collect()
        }),
    };
    let Some(read) = read.transpose()? else { return Ok(None) };
    let mut values = BTreeSet::new();
    for At { value, offset } in read {
        if !values.insert(value) {
            return Err(table.error(offset, format!("a value is twice in `{key}`")));
        }
    }
    Ok(Some(values))
}

fn bytes(table: &Table<'_>, text: At<&str>, lengths: &[usize]) -> Result<Vec<u8>, PolicyError> {
    let fits = lengths.iter().find(|length| length.saturating_mul(2) == text.value.len());
    let mut bytes = vec![0; fits.or(lengths.first()).copied().unwrap_or_default()];
    decode(table, text, text.value, &mut bytes)?;
    Ok(bytes)
}

/// Whether a product can have what the rule asks. A rule that can never match is one whose author believes something
/// allowed or denied that is not.
fn possible(table: &Table<'_>, matcher: &Matcher) -> Result<(), PolicyError> {
    for (&feature, wanted) in &matcher.features {
        let can_have = |value: &Vec<u8>| matcher.platforms().any(|(_, product)| can(product, feature, value));
        if let Some(value) = wanted.iter().find(|value| !can_have(value)) {
            let key = feature.name();
            let value = match feature.form() {
                FeatureForm::Number(_) => format!("{:#04x}", value.first().copied().unwrap_or_default()),
                _ => hex::encode(value),
            };
            let message = format!("no product that the rule is about has `{value}` in `{key}`");
            let hint = "correct it, or name the products that have it";
            return Err(table.error(table.offset_of(key), message).hint(hint));
        }
    }
    Ok(())
}

/// Whether a product may have this value of a feature, as far as it is known.
fn can(product: Product, feature: Feature, value: &[u8]) -> bool {
    match (feature, value) {
        (Feature::Families, [family]) => match product {
            Product::Milan | Product::Genoa | Product::Siena => *family == 0x19,
            Product::Turin => *family == 0x1a,
            _ => *family == 6,
        },
        (Feature::Models, [model]) => match product {
            Product::Milan => (0x00..=0x0f).contains(model),
            Product::Genoa => (0x10..=0x1f).contains(model),
            Product::Siena => (0xa0..=0xaf).contains(model),
            Product::Turin => (0x00..=0x11).contains(model),
            _ => true,
        },
        (Feature::Fmspcs, fmspc) => match <&[u8; 6]>::try_from(fmspc) {
            Ok(fmspc) => Family::from_fmspc(fmspc).map_or(Product::IntelOther, Product::from) == product,
            Err(_) => false,
        },
        (Feature::ChipIds, id) => (id.len() == 8) == (product == Product::Turin),
        _ => true,
    }
}
