// SPDX-License-Identifier: Apache-2.0

//! Typed reading of TOML tables that knows where everything stands.
//!
//! Deriving `Deserialize` would be shorter, but its messages name neither the value that was expected
//! nor the key that was meant, and it forgets positions, which the analysis of contradictions needs.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::Cell;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{PolicyError, quoted};
use super::keys::{Form, Key, ROOT};
use super::model::Vocabulary;
use super::place::{Place, Source};
use crate::UnixTime;

/// Longest identifier, name or reason in a policy.
const MAX_TEXT_BYTES: usize = 1024;
/// Most items of all lists together, with what sets stand for.
pub(super) const MAX_ITEMS: usize = 100_000;

/// A value and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) offset: usize,
}

/// Lists of texts by name.
pub(super) type Sets = BTreeMap<String, Vec<String>>;

/// What all tables of a file have in common.
#[derive(Clone, Copy)]
pub(super) struct File<'d> {
    pub(super) source: &'d Arc<Source>,
    pub(super) sets: &'d Sets,
    /// How many items lists may still have. A set may stand in many places, and each costs what it stands for.
    pub(super) items_left: &'d Cell<usize>,
}

/// A table of the policy in which only the keys of the language may stand.
pub(super) struct Table<'d> {
    file: File<'d>,
    keys: &'static [Key],
    path: String,
    /// Where the table stands, for what is missing in it.
    pub(super) offset: usize,
    entries: &'d DeTable<'d>,
}

impl<'d> Table<'d> {
    /// The whole document.
    pub(super) fn root(file: File<'d>, entries: &'d DeTable<'d>) -> Result<Self, PolicyError> {
        Self::document(file, ROOT, entries)
    }

    /// The whole of another document, with keys of its own.
    pub(super) fn document(
        file: File<'d>,
        keys: &'static [Key],
        entries: &'d DeTable<'d>,
    ) -> Result<Self, PolicyError> {
        Self { file, keys, path: String::new(), offset: 0, entries }.with_known_keys()
    }

    /// An error at a place in the policy.
    pub(super) fn error(&self, offset: usize, message: impl Into<String>) -> PolicyError {
        PolicyError::at(&self.place(offset), message)
    }

    /// A place in the policy.
    pub(super) fn place(&self, offset: usize) -> Place {
        self.file.source.at(offset)
    }

    /// The error that a required key is missing.
    pub(super) fn missing(&self, key: &str) -> PolicyError {
        self.error(self.offset, format!("`{}` is missing", self.name(key)))
    }

    /// A table inside this one.
    pub(super) fn section(&self, key: &str) -> Result<Option<Self>, PolicyError> {
        self.get(key).map(|value| self.inner(key, value)).transpose()
    }

    /// An array of tables inside this one.
    pub(super) fn sections(&self, key: &str) -> Result<Vec<Self>, PolicyError> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let DeValue::Array(items) = value.get_ref() else {
            let hint = format!("write `[[{}]]` above each of them", self.name(key));
            return Err(self.wrong_type(key, value, "an array of tables").hint(hint));
        };
        items.iter().map(|item| self.inner(key, item)).collect()
    }

    /// The keys of this table and where they stand.
    pub(super) fn keys(&self) -> impl Iterator<Item = At<&'d str>> {
        self.entries.keys().map(|key| At { value: key.get_ref().as_ref(), offset: key.span().start })
    }

    /// Where the value of a key stands, or the table if there is none.
    pub(super) fn offset_of(&self, key: &str) -> usize {
        self.get(key).map_or(self.offset, |value| value.span().start)
    }

    /// A piece of text.
    pub(super) fn text(&self, key: &str) -> Result<Option<At<&'d str>>, PolicyError> {
        self.get(key).map(|value| self.as_text(key, value)).transpose()
    }

    /// A list of pieces of text, none of them twice.
    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<At<&'d str>>>, PolicyError> {
        let Some(items) = self.list(key, "a list of strings")? else { return Ok(None) };
        let mut texts: Vec<At<&str>> = Vec::new();
        let mut seen = BTreeSet::new();
        for item in items {
            let text = self.as_text(key, item)?;
            for value in self.members(text)? {
                if !seen.insert(value) {
                    let message = format!("`{value}` is twice in `{}`", self.name(key));
                    return Err(self.error(text.offset, message));
                }
                let left = self.file.items_left.get().checked_sub(1).ok_or_else(|| {
                    self.error(
                        text.offset,
                        format!("the lists of the policy have more than {MAX_ITEMS} items"),
                    )
                })?;
                self.file.items_left.set(left);
                texts.push(At { value, offset: text.offset });
            }
        }
        Ok(Some(texts))
    }

    /// The texts that a text in a list stands for: those of the set that it names, or itself.
    fn members(&self, text: At<&'d str>) -> Result<Vec<&'d str>, PolicyError> {
        let Some(name) = text.value.strip_prefix('@') else { return Ok(Vec::from([text.value])) };
        let members = self.file.sets.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.file.sets.keys().map(String::as_str).collect();
            let error = self.error(text.offset, format!("there is no set `{name}`"));
            if known.is_empty() {
                error.hint("write it under `[sets]`")
            } else {
                error.did_you_mean(name, &known)
            }
        })?;
        Ok(members.iter().map(String::as_str).collect())
    }

    /// A table in which every key is the name of a list of texts.
    pub(super) fn sets(&self, key: &str) -> Result<Sets, PolicyError> {
        let Some(table) = self.section(key)? else { return Ok(Sets::new()) };
        let mut sets = Sets::new();
        for name in table.keys() {
            let items = table.list(name.value, "a list of strings")?.unwrap_or_default();
            let texts = items.iter().map(|item| table.as_text(name.value, item));
            let texts = texts.collect::<Result<Vec<_>, _>>()?;
            if let Some(inner) = texts.iter().find(|text| text.value.starts_with('@')) {
                let error = table.error(inner.offset, format!("`{}` is in another set", inner.value));
                return Err(error.hint("write out what it stands for"));
            }
            if texts.is_empty() {
                let error = table.error(name.offset, format!("the set `{}` is empty", name.value));
                return Err(error.hint("remove it, or write what it stands for"));
            }
            let texts = texts.into_iter().map(|text| text.value.to_owned()).collect();
            sets.insert(name.value.to_owned(), texts);
        }
        Ok(sets)
    }

    /// A day, from its first second on.
    pub(super) fn date(&self, key: &str) -> Result<Option<UnixTime>, PolicyError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let date = format!("{}T00:00:00Z", text.value).parse::<der::DateTime>();
        let date = date.map(|date| Some(UnixTime(date.unix_duration().as_secs())));
        date.map_err(|_| {
            let error = self.error(text.offset, format!("`{}` is not a date", text.value));
            error.hint("write it as `2024-03-13`")
        })
    }

    /// A word of a vocabulary.
    pub(super) fn word<T: Vocabulary>(&self, key: &str) -> Result<Option<T>, PolicyError> {
        self.text(key)?.map(|text| self.as_word(key, text)).transpose()
    }

    /// A list of words of a vocabulary, none of them twice.
    pub(super) fn words<T: Vocabulary>(&self, key: &str) -> Result<Option<Vec<T>>, PolicyError> {
        self.words_among(key, |_| true)
    }

    /// The same where not every word makes sense: only those that do are suggested for one that is unknown.
    pub(super) fn words_among<T: Vocabulary>(
        &self,
        key: &str,
        makes_sense: impl Fn(T) -> bool + Copy,
    ) -> Result<Option<Vec<T>>, PolicyError> {
        let read = |text| self.as_word_among(key, text, makes_sense);
        self.texts(key)?.map(|texts| texts.into_iter().map(read).collect()).transpose()
    }

    /// The word of a vocabulary that a text is.
    pub(super) fn as_word<T: Vocabulary>(&self, key: &str, text: At<&str>) -> Result<T, PolicyError> {
        self.as_word_among(key, text, |_| true)
    }

    fn as_word_among<T: Vocabulary>(
        &self,
        key: &str,
        text: At<&str>,
        makes_sense: impl Fn(T) -> bool,
    ) -> Result<T, PolicyError> {
        T::ALL.iter().copied().find(|word| word.name() == text.value).ok_or_else(|| {
            let sensible = T::ALL.iter().filter(|word| makes_sense(**word));
            let known: Vec<&str> = sensible.map(|word| word.name()).collect();
            let message = format!("`{}` is not a value of `{}`", text.value, self.name(key));
            self.error(text.offset, message).did_you_mean(text.value, &known)
        })
    }

    /// True or false.
    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>, PolicyError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.get_ref().as_bool().map(Some).ok_or_else(|| self.wrong_type(key, value, "`true` or `false`"))
    }

    /// A number from 0 to what the language says, at most 255.
    pub(super) fn number(&self, key: &str) -> Result<Option<u8>, PolicyError> {
        let number = self.wide_number(key)?;
        Ok(number.map(|number| u8::try_from(number).unwrap_or(u8::MAX)))
    }

    /// A number from 0 to what the language says.
    pub(super) fn wide_number(&self, key: &str) -> Result<Option<u32>, PolicyError> {
        let max = match self.form(key) {
            Some(Form::Number(max)) => max,
            _ => u32::from(u8::MAX),
        };
        self.get(key).map(|value| self.as_number(key, value, max)).transpose()
    }

    /// A list of numbers from 0 to what the language says.
    pub(super) fn numbers(&self, key: &str) -> Result<Option<Vec<At<u8>>>, PolicyError> {
        let Some(Form::Numbers(max)) = self.form(key) else { return Ok(None) };
        let Some(items) = self.list(key, "a list of numbers")? else { return Ok(None) };
        let number = |item: &Spanned<DeValue<'d>>| {
            let number = self.as_number(key, item, max.into())?;
            Ok(At { value: u8::try_from(number).unwrap_or(max), offset: item.span().start })
        };
        items.iter().map(number).collect::<Result<_, _>>().map(Some)
    }

    fn form(&self, key: &str) -> Option<Form> {
        self.keys.iter().find(|known| known.name == key).map(|known| known.form)
    }

    fn get(&self, key: &str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.entries.get(key)
    }

    fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn inner(&self, key: &str, value: &'d Spanned<DeValue<'d>>) -> Result<Self, PolicyError> {
        let DeValue::Table(entries) = value.get_ref() else {
            let hint = format!("write `[{}]` above its keys", self.name(key));
            return Err(self.wrong_type(key, value, "a table").hint(hint));
        };
        let (keys, open) = match self.form(key) {
            Some(Form::Table(keys) | Form::Tables(keys)) => (keys, false),
            _ => (&[][..], true),
        };
        let offset = value.span().start;
        let table = Self { file: self.file, keys, path: self.name(key), offset, entries };
        if open { Ok(table) } else { table.with_known_keys() }
    }

    fn with_known_keys(self) -> Result<Self, PolicyError> {
        let is_known = |key: &At<&str>| self.keys.iter().any(|known| known.name == key.value);
        let unknown = self.keys().filter(|key| !is_known(key)).min_by_key(|key| key.offset);
        unknown.map_or(Ok(()), |key| {
            let message = match self.path.as_str() {
                "" => format!("unknown key `{}`", key.value),
                path => format!("unknown key `{}` in `{path}`", key.value),
            };
            let known: Vec<&str> = self.keys.iter().map(|known| known.name).collect();
            Err(self.error(key.offset, message).did_you_mean(key.value, &known))
        })?;
        Ok(self)
    }

    fn list(&self, key: &str, what: &str) -> Result<Option<&'d [Spanned<DeValue<'d>>]>, PolicyError> {
        match self.get(key).map(|value| (value, value.get_ref())) {
            None => Ok(None),
            Some((_, DeValue::Array(items))) => Ok(Some(items)),
            Some((value, _)) => Err(self.wrong_type(key, value, what)),
        }
    }

    fn as_text(&self, key: &str, value: &'d Spanned<DeValue<'d>>) -> Result<At<&'d str>, PolicyError> {
        let offset = value.span().start;
        let text = value.get_ref().as_str().ok_or_else(|| self.wrong_type(key, value, "a string"))?;
        if text.is_empty() || text.len() > MAX_TEXT_BYTES {
            let message = format!("`{}` must have 1 to {MAX_TEXT_BYTES} bytes", self.name(key));
            return Err(self.error(offset, message));
        }
        Ok(At { value: text, offset })
    }

    fn as_number(&self, key: &str, value: &Spanned<DeValue<'d>>, max: u32) -> Result<u32, PolicyError> {
        let integer = value.get_ref().as_integer().ok_or_else(|| self.wrong_type(key, value, "a number"))?;
        let number = u32::from_str_radix(integer.as_str(), integer.radix()).ok();
        number.filter(|number| *number <= max).ok_or_else(|| {
            let message = format!("`{}` must be from 0 to {max}, not {integer}", self.name(key));
            self.error(value.span().start, message)
        })
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) -> PolicyError {
        let found = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "`true` or `false`",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let message = format!("`{}` must be {expected}, not {found}", self.name(key));
        self.error(value.span().start, message)
    }
}

/// The names of a whole vocabulary, for hints.
pub(super) fn all_words<T: Vocabulary>() -> String {
    quoted(&T::ALL.iter().map(|word| word.name()).collect::<Vec<_>>())
}
