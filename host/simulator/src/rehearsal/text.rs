// SPDX-License-Identifier: Apache-2.0

//! The texts that name platforms: settings, and what is said about wrong ones.

use std::fmt;

use enarx_evidence::snp::Product;
use thiserror::Error;

use super::catalog::{KnownPlatform, PLATFORMS};
use crate::{PlatformError, SimulatedPlatform};

/// The text is not a platform that can be rehearsed with.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RehearsalError {
    /// The name is not known.
    #[error("unknown platform `{}`{}, expected one of {}", found.escape_default(), Meant(*meant), Names(PLATFORMS))]
    UnknownPlatform {
        /// What was found.
        found: String,
        /// What it looks like.
        meant: Option<&'static str>,
    },
    /// The platform has no such option.
    #[error(
        "unknown option `{}` for `{}`{}, expected one of {}",
        found.escape_default(), platform.name, Meant(*meant), Options(platform)
    )]
    UnknownOption {
        /// What was found.
        found: String,
        /// For which platform.
        platform: &'static KnownPlatform,
        /// What it looks like.
        meant: Option<&'static str>,
    },
    /// The option's value cannot be understood.
    #[error("`{option}` must be {expected}, not `{}`", found.escape_default())]
    BadValue {
        /// The option.
        option: String,
        /// What it takes.
        expected: &'static str,
        /// What was found.
        found: String,
    },
}

/// One option: `debug` or `vmpl=2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setting<'a> {
    pub(super) name: &'a str,
    pub(super) value: Option<&'a str>,
}

impl<'a> Setting<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        text.split_once('=').map_or(Self::flag(text), |(name, value)| Self { name, value: Some(value) })
    }

    pub(super) const fn flag(name: &'a str) -> Self {
        Self { name, value: None }
    }

    /// Whether it says which platform it is, and not what is the matter with it.
    pub(super) fn selects(self) -> bool {
        matches!((self.name, self.value), ("product" | "family" | "tee", Some(_)))
    }

    /// The value as something else, or the error that says what was expected.
    pub(super) fn read<T>(self, expected: &'static str, value: Option<T>) -> Result<T, RehearsalError> {
        value.ok_or_else(|| RehearsalError::BadValue {
            option: self.name.to_owned(),
            expected,
            found: self.value.unwrap_or_default().to_owned(),
        })
    }

    /// Digits for the beginning of something that ends with zeros.
    pub(super) fn padded<const N: usize>(self, digits: &str) -> Result<[u8; N], RehearsalError> {
        let read = || {
            let bytes = hex::decode(digits).ok().filter(|bytes| !bytes.is_empty())?;
            let mut padded = [0; N];
            padded.get_mut(..bytes.len())?.copy_from_slice(&bytes);
            Some(padded)
        };
        self.read("an even number of hexadecimal digits that fits", read())
    }

    /// The number of a register, if the setting is about one in the range.
    pub(super) fn register(self, range: std::ops::RangeInclusive<u8>) -> Option<u8> {
        let digits = self.name.strip_prefix("pcr")?;
        digits.parse().ok().filter(|number: &u8| range.contains(number) && number.to_string() == digits)
    }
}

impl fmt::Display for Setting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Some(value) => write!(f, "{}={value}", self.name),
            None => f.write_str(self.name),
        }
    }
}

/// Sets an option of AMD's platforms; `false` if there is none of this name.
pub(super) fn amd(platform: &mut SimulatedPlatform, setting: Setting<'_>) -> Result<bool, RehearsalError> {
    match platform.set(&setting.to_string()) {
        Ok(()) => Ok(true),
        Err(PlatformError::BadValue { option, expected, found }) => {
            Err(RehearsalError::BadValue { option, expected, found })
        }
        Err(PlatformError::UnknownOption { .. } | PlatformError::UnknownPlatform { .. }) => Ok(false),
    }
}

/// Sets the processor under a machine of Azure's, with the levels of a sound one.
pub(super) fn product(
    platform: &mut SimulatedPlatform,
    setting: Setting<'_>,
) -> Result<bool, RehearsalError> {
    let Setting { name: "product", value: Some(name) } = setting else { return Ok(false) };
    let product = Product::ALL.into_iter().find(|product| product.name() == name);
    let product = setting.read("milan, genoa, siena or turin", product)?;
    *platform = SimulatedPlatform::new(product);
    Ok(true)
}

pub(super) fn unknown_platform(found: &str) -> RehearsalError {
    let meant = nearest(found, PLATFORMS.iter().map(|platform| platform.name));
    RehearsalError::UnknownPlatform { found: found.to_owned(), meant }
}

pub(super) fn unknown_option(setting: Setting<'_>, platform: &'static KnownPlatform) -> RehearsalError {
    let found = setting.name.to_owned();
    // The right name in the wrong form: a flag with a value, or an option without.
    let same = platform.options().find(|option| option.name() == found).map(|option| option.usage);
    let meant = same.or_else(|| {
        let near = nearest(&found, platform.options().map(super::PlatformOption::name))?;
        platform.options().find(|option| option.name() == near).map(|option| option.usage)
    });
    RehearsalError::UnknownOption { found, platform, meant }
}

/// The name that is at most a third of its letters away.
fn nearest(found: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    const LONGEST: usize = 64;
    if found.len() > LONGEST {
        return None;
    }
    let distances = names.map(|name| (distance(found, name), name));
    let (distance, name) = distances.min()?;
    (distance.saturating_mul(3) <= name.len()).then_some(name)
}

/// How many letters have to be put in, taken out or replaced (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut left = i.saturating_add(1);
        let mut above_left = std::mem::replace(row.first_mut().unwrap_or(&mut 0), left);
        for (above, b) in row.iter_mut().skip(1).zip(other.chars()) {
            let replaced = above_left.saturating_add(usize::from(a != b));
            left = replaced.min(left.saturating_add(1)).min(above.saturating_add(1));
            above_left = std::mem::replace(above, left);
        }
    }
    row.last().copied().unwrap_or_default()
}

struct Meant(Option<&'static str>);

impl fmt::Display for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |name| write!(f, " (did you mean `{name}`?)"))
    }
}

struct Names(&'static [KnownPlatform]);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, self.0.iter().map(|platform| platform.name))
    }
}

struct Options<'a>(&'a KnownPlatform);

impl fmt::Display for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, self.0.options().map(|option| option.usage))
    }
}

fn list<'a>(f: &mut fmt::Formatter<'_>, names: impl Iterator<Item = &'a str>) -> fmt::Result {
    for (number, name) in names.enumerate() {
        write!(f, "{}`{name}`", if number == 0 { "" } else { ", " })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_letters() {
        for (one, other, expected) in
            [("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0), ("abc", "axc", 1), ("milna", "milan", 2)]
        {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn every_option_has_a_meaning_and_every_name_is_there_once() {
        let mut names: Vec<_> = PLATFORMS.iter().map(|platform| platform.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PLATFORMS.len());
        for platform in PLATFORMS {
            let mut options: Vec<_> = platform.options().map(super::super::PlatformOption::name).collect();
            options.sort_unstable();
            options.dedup();
            assert_eq!(options.len(), platform.options().count(), "{}", platform.name);
        }
    }
}
