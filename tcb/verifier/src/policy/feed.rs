// SPDX-License-Identifier: Apache-2.0

//! Reads feeds of advisories, which say what is denied in the words of policies. What they mean is told in
//! [`crate::advisory`].

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::Cell;

use toml::de::DeTable;

use super::error::PolicyError;
use super::keys::FEED;
use super::parse::{decode, distinct, name};
use super::place::Source;
use super::reader::{At, File, MAX_ITEMS, Sets, Table};
use super::rules::matcher;
use super::{DigestAlgorithm, Matcher, Vendor, Vocabulary as _};
use crate::advisory::{Advisory, Affects, Contents, Day, TcbLevels};

/// Longest name of a feed.
const MAX_NAME_BYTES: usize = 64;

/// Reads the body of a feed, which is not longer than a feed may be.
pub(crate) fn read(body: &str) -> Result<Contents, PolicyError> {
    let source = Source::new(None, body);
    readable(&source)?;
    let document = DeTable::parse(body).map_err(|error| {
        PolicyError::at(&source.at(error.span().map_or(0, |span| span.start)), error.message())
    })?;
    let (sets, items_left) = (Sets::new(), Cell::new(MAX_ITEMS));
    let file = File { source: &source, sets: &sets, items_left: &items_left };
    let root = Table::document(file, FEED, document.get_ref())?;
    let feed = root.text("feed")?.ok_or_else(|| root.missing("feed").hint("give the feed a short name"))?;
    name(&root, feed)?;
    if feed.value.len() > MAX_NAME_BYTES {
        return Err(root.error(feed.offset, format!("`feed` must have 1 to {MAX_NAME_BYTES} bytes")));
    }
    let version = root.wide_number("version")?.filter(|version| *version > 0);
    let version = version.ok_or_else(|| {
        let hint = "write `version = 1`, and a greater number each time that the feed is issued anew";
        root.error(root.offset_of("version"), "`version` must be a number from 1 on").hint(hint)
    })?;
    let issued =
        day(&root, "issued")?.ok_or_else(|| root.missing("issued").hint("write the day of today"))?;
    let expires = day(&root, "expires")?;
    if expires.is_some_and(|expires| expires < issued) {
        let message = "`expires` is before `issued`, so the feed is never fresh";
        return Err(root.error(root.offset_of("expires"), message));
    }
    let issuer =
        required(&root, "issuer", "say who you are; a group may have one name for all of its members")?;
    let mut ids = BTreeSet::new();
    let mut advisories = Vec::new();
    for table in root.sections("advisory")? {
        let advisory = advisory(&table, issued)?;
        if !ids.insert(advisory.id.clone()) {
            let message = format!("there is another advisory with the id `{}`", advisory.id);
            return Err(table.error(table.offset_of("id"), message).hint("give each an id of its own"));
        }
        advisories.push(advisory);
    }
    Ok(Contents { feed: feed.value.to_owned(), version, issued, expires, issuer, advisories })
}

/// Whoever reads a feed must see what is signed: lines end in one way, and nothing in them is invisible or changes
/// the order of what is shown.
fn readable(source: &Arc<Source>) -> Result<(), PolicyError> {
    let body = &source.text;
    let blank = |c: char| c == '\n' || c == '\t';
    if let Some((offset, hidden)) = body.char_indices().find(|(_, c)| hidden(*c) && !blank(*c)) {
        let message = format!("U+{:04X} is not readable text", u32::from(hidden));
        return Err(PolicyError::at(&source.at(offset), message)
            .hint("end lines with a line feed alone, and remove it"));
    }
    if !body.ends_with('\n') {
        return Err(PolicyError::at(&source.at(body.len()), "the last line does not end"));
    }
    Ok(())
}

/// Control characters, and those that format text without being seen.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn advisory(table: &Table<'_>, issued: Day) -> Result<Advisory, PolicyError> {
    let id = table.text("id")?.ok_or_else(|| {
        table.missing("id").hint("refusals name the advisory that decided: write the number of the bulletin")
    })?;
    name(table, id)?;
    let since = day(table, "since")?.ok_or_else(|| table.missing("since"))?;
    if since > issued {
        let hint = "what is to be trusted until then is denied when it no longer is: by the next version";
        let message = format!("`since` is after {issued}, on which the feed was issued");
        return Err(table.error(table.offset_of("since"), message).hint(hint));
    }
    let because = required(table, "because", "say in a sentence what is wrong")?;
    let references = references(table)?;
    let affects = table.sections("affects")?;
    if affects.is_empty() {
        let hint = "write `[[advisory.affects]]` below it, and what it is about";
        return Err(table.missing("affects").hint(hint));
    }
    let affects = affects.iter().map(|table| self::affects(table)).collect::<Result<_, _>>()?;
    Ok(Advisory { id: id.value.to_owned(), since, because, references, affects })
}

fn references(table: &Table<'_>) -> Result<Vec<String>, PolicyError> {
    let texts = table.texts("references")?.unwrap_or_default();
    if texts.is_empty() {
        let hint = "say where to read more, such as `references = [\"https://...\"]`";
        return Err(table.error(table.offset_of("references"), "`references` names nothing").hint(hint));
    }
    for text in &texts {
        let graphic = text.value.bytes().all(|byte| byte.is_ascii_graphic());
        if !graphic || !text.value.starts_with("https://") {
            let error = table.error(text.offset, format!("`{}` is not a reference", text.value));
            return Err(error.hint("write an address that begins with `https://`"));
        }
    }
    Ok(texts.into_iter().map(|text| text.value.to_owned()).collect())
}

fn affects(table: &Table<'_>) -> Result<Affects, PolicyError> {
    let platforms = if table.keys().all(|key| key.value == "keeps") { None } else { Some(matcher(table)?) };
    let affects = Affects {
        tcb_below: tcb_below(table, platforms.as_ref())?,
        tcb_date_before: day(table, "tcb_date_before")?,
        tdx_modules: digests(table, "tdx_modules")?,
        components: digests(table, "components")?,
        keeps: digests(table, "keeps")?,
        platforms,
    };
    let Some(platforms) = &affects.platforms else {
        if affects.keeps.is_empty() {
            let hint = "name a `vendor`, or measurements of Keeps by `keeps`";
            return Err(table.error(table.offset, "nothing says what is affected").hint(hint));
        }
        return Ok(affects);
    };
    for (key, vendor) in [
        ("tcb_below", Vendor::Amd),
        ("tcb_date_before", Vendor::Intel),
        ("tdx_modules", Vendor::Intel),
        ("components", Vendor::Arm),
    ] {
        let asked = table.keys().any(|present| present.value == key);
        if asked && platforms.vendor != vendor {
            let message = format!("evidence of `{}` says nothing about `{key}`", platforms.vendor);
            return Err(table.error(table.offset_of(key), message).hint("remove the key"));
        }
    }
    Ok(affects)
}

fn tcb_below(table: &Table<'_>, platforms: Option<&Matcher>) -> Result<Option<TcbLevels>, PolicyError> {
    let Some(levels) = table.section("tcb_below")? else { return Ok(None) };
    let products = platforms.and_then(|platforms| platforms.products.as_ref()).ok_or_else(|| {
        let message = "`tcb_below` needs `products`: each has levels of its own";
        levels.error(levels.offset, message)
    })?;
    let level = |key| levels.number(key);
    let below = TcbLevels {
        fmc: level("fmc")?,
        bootloader: level("bootloader")?,
        tee: level("tee")?,
        snp: level("snp")?,
        microcode: level("microcode")?,
    };
    if below == TcbLevels::default() {
        let hint = "write the first level that is safe, such as `tcb_below = { snp = 27 }`";
        return Err(levels.error(levels.offset, "`tcb_below` names no level").hint(hint));
    }
    if let Some(product) = products.iter().find(|product| below.fmc.is_some() && !product.has_fmc()) {
        return Err(levels.error(levels.offset_of("fmc"), format!("`{product}` has no `fmc`")));
    }
    Ok(Some(below))
}

/// Measurements: where there is a list, it names something.
fn digests(table: &Table<'_>, key: &str) -> Result<BTreeSet<Vec<u8>>, PolicyError> {
    let Some(texts) = table.texts(key)? else { return Ok(BTreeSet::new()) };
    if texts.is_empty() {
        let message = format!("`{key}` is empty, so nothing is affected");
        return Err(table.error(table.offset_of(key), message).hint("remove it to mean any"));
    }
    distinct(table, &texts, |text| digest(table, text))
}

fn digest(table: &Table<'_>, text: At<&str>) -> Result<Vec<u8>, PolicyError> {
    let spelt = |algorithm: &DigestAlgorithm| {
        let digits = text.value.strip_prefix(algorithm.name())?.strip_prefix(':')?;
        Some((algorithm.digest_len(), digits))
    };
    let Some((len, digits)) = DigestAlgorithm::ALL.iter().find_map(spelt) else {
        let error = table.error(text.offset, format!("`{}` is not a measurement", text.value));
        return Err(error.hint("write `sha256:`, `sha384:` or `sha512:` and hexadecimal digits"));
    };
    let mut bytes = alloc::vec![0; len];
    decode(table, text, digits, &mut bytes)?;
    Ok(bytes)
}

fn day(table: &Table<'_>, key: &str) -> Result<Option<Day>, PolicyError> {
    let Some(text) = table.text(key)? else { return Ok(None) };
    Day::parse(text.value).map(Some).ok_or_else(|| {
        let error = table.error(text.offset, format!("`{}` is not a date", text.value));
        error.hint("write it as `2024-03-13`")
    })
}

/// Text of one line.
fn required(table: &Table<'_>, key: &str, hint: &str) -> Result<String, PolicyError> {
    let text = table.text(key)?.ok_or_else(|| table.missing(key).hint(hint))?;
    // An escape sequence of TOML can stand for what cannot stand in the file itself.
    if text.value.contains(hidden) {
        return Err(table.error(text.offset, format!("`{key}` must be readable text of one line")));
    }
    Ok(text.value.to_owned())
}
