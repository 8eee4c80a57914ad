// SPDX-License-Identifier: Apache-2.0

//! Typed reading of TOML tables that knows where everything stands.
//!
//! Deriving `Deserialize` would be shorter, but its messages name neither the value that was expected
//! nor the key that was meant, and it forgets positions, which the analysis of contradictions needs.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{PolicyError, quoted};
use super::model::Vocabulary;

/// Longest identifier, name or reason in a policy.
const MAX_TEXT_BYTES: usize = 1024;

/// A value and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) offset: usize,
}

/// A table of the policy in which only the keys given to [`Table::section`] and its like may stand.
pub(super) struct Table<'d> {
    text: &'d str,
    path: String,
    /// Where the table stands, for what is missing in it.
    pub(super) offset: usize,
    entries: &'d DeTable<'d>,
}

impl<'d> Table<'d> {
    /// The whole document.
    pub(super) fn root(text: &'d str, entries: &'d DeTable<'d>, known: &[&str]) -> Result<Self, PolicyError> {
        Self { text, path: String::new(), offset: 0, entries }.with_known_keys(known)
    }

    /// An error at a place in the policy.
    pub(super) fn error(&self, offset: usize, message: impl Into<String>) -> PolicyError {
        PolicyError::at(self.text, offset, message)
    }

    /// The error that a required key is missing.
    pub(super) fn missing(&self, key: &str) -> PolicyError {
        self.error(self.offset, format!("`{}` is missing", self.name(key)))
    }

    /// A table inside this one.
    pub(super) fn section(&self, key: &str, known: &[&str]) -> Result<Option<Self>, PolicyError> {
        self.get(key).map(|value| self.inner(key, value, known)).transpose()
    }

    /// An array of tables inside this one.
    pub(super) fn sections(&self, key: &str, known: &[&str]) -> Result<Vec<Self>, PolicyError> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let DeValue::Array(items) = value.get_ref() else {
            let hint = format!("write `[[{}]]` above each of them", self.name(key));
            return Err(self.wrong_type(key, value, "an array of tables").hint(hint));
        };
        items.iter().map(|item| self.inner(key, item, known)).collect()
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
        let mut seen = alloc::collections::BTreeSet::new();
        for item in items {
            let text = self.as_text(key, item)?;
            if !seen.insert(text.value) {
                let message = format!("`{}` is twice in `{}`", text.value, self.name(key));
                return Err(self.error(text.offset, message));
            }
            texts.push(text);
        }
        Ok(Some(texts))
    }

    /// A word of a vocabulary.
    pub(super) fn word<T: Vocabulary>(&self, key: &str) -> Result<Option<T>, PolicyError> {
        self.text(key)?.map(|text| self.as_word(key, text)).transpose()
    }

    /// A list of words of a vocabulary, none of them twice.
    pub(super) fn words<T: Vocabulary>(&self, key: &str) -> Result<Option<Vec<T>>, PolicyError> {
        let texts = self.texts(key)?;
        texts.map(|texts| texts.into_iter().map(|text| self.as_word(key, text)).collect()).transpose()
    }

    /// The word of a vocabulary that a text is.
    pub(super) fn as_word<T: Vocabulary>(&self, key: &str, text: At<&str>) -> Result<T, PolicyError> {
        T::ALL.iter().copied().find(|word| word.name() == text.value).ok_or_else(|| {
            let known: Vec<&str> = T::ALL.iter().map(|word| word.name()).collect();
            let message = format!("`{}` is not a value of `{}`", text.value, self.name(key));
            self.error(text.offset, message).did_you_mean(text.value, &known)
        })
    }

    /// True or false.
    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>, PolicyError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.get_ref().as_bool().map(Some).ok_or_else(|| self.wrong_type(key, value, "`true` or `false`"))
    }

    /// A number from 0 to `max`.
    pub(super) fn number(&self, key: &str, max: u8) -> Result<Option<u8>, PolicyError> {
        self.get(key).map(|value| self.as_number(key, value, max)).transpose()
    }

    /// A number from 0 to `max`, which may be above 255.
    pub(super) fn wide_number(&self, key: &str, max: u32) -> Result<Option<u32>, PolicyError> {
        self.get(key).map(|value| self.as_wide_number(key, value, max)).transpose()
    }

    /// A list of numbers from 0 to `max`.
    pub(super) fn numbers(&self, key: &str, max: u8) -> Result<Option<Vec<u8>>, PolicyError> {
        let Some(items) = self.list(key, "a list of numbers")? else { return Ok(None) };
        items.iter().map(|item| self.as_number(key, item, max)).collect::<Result<_, _>>().map(Some)
    }

    fn get(&self, key: &str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.entries.get(key)
    }

    fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn inner(&self, key: &str, value: &'d Spanned<DeValue<'d>>, known: &[&str]) -> Result<Self, PolicyError> {
        let DeValue::Table(entries) = value.get_ref() else {
            let hint = format!("write `[{}]` above its keys", self.name(key));
            return Err(self.wrong_type(key, value, "a table").hint(hint));
        };
        Self { text: self.text, path: self.name(key), offset: value.span().start, entries }
            .with_known_keys(known)
    }

    fn with_known_keys(self, known: &[&str]) -> Result<Self, PolicyError> {
        let unknown = self.keys().filter(|key| !known.contains(&key.value)).min_by_key(|key| key.offset);
        unknown.map_or(Ok(()), |key| {
            let message = match self.path.as_str() {
                "" => format!("unknown key `{}`", key.value),
                path => format!("unknown key `{}` in `{path}`", key.value),
            };
            Err(self.error(key.offset, message).did_you_mean(key.value, known))
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

    fn as_number(&self, key: &str, value: &Spanned<DeValue<'d>>, max: u8) -> Result<u8, PolicyError> {
        let number = self.as_wide_number(key, value, max.into())?;
        Ok(u8::try_from(number).unwrap_or(max))
    }

    fn as_wide_number(&self, key: &str, value: &Spanned<DeValue<'d>>, max: u32) -> Result<u32, PolicyError> {
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
