// SPDX-License-Identifier: Apache-2.0

//! How much a workload may use, and the most that may be asked for.
//!
//! Every limit is one row of [`FIELDS`]; the manifest, the bundle, the digest and the documentation follow that table,
//! so that a limit cannot be forgotten in one of them.

use alloc::format;
use alloc::string::String;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What a workload may use inside its Keep. Going over a limit ends the workload, not the Keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory, all memories together.
    pub memory_bytes: u64,
    /// Elements of each table.
    pub table_elements: u64,
    /// Core instances; a component has several.
    pub instances: u64,
    /// Linear memories.
    pub memories: u64,
    /// Native stack of the workload.
    pub stack_bytes: u64,
    /// Time from start to end; zero is no limit.
    pub run_time_ms: u64,
    /// Contents of the in-Keep file system.
    pub files_bytes: u64,
    /// Files, directories and links of the in-Keep file system.
    pub file_count: u64,
    /// Output that the Keep holds for an owner who is not connected.
    pub output_log_bytes: u64,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes, written with `B`, `KiB`, `MiB` or `GiB`.
    Bytes,
    /// Things, written as a number.
    Count,
    /// Time, written with `ms`, `s`, `m`, `h` or `d`.
    Milliseconds,
}

/// One limit: its key under `[limits]`, its unit and its range.
#[derive(Debug)]
pub struct Field {
    /// Key in `Enarx.toml`.
    pub key: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// Value when the manifest does not say.
    pub default: u64,
    /// Least value that may be written.
    pub minimum: u64,
    /// Most that may be asked for.
    pub maximum: u64,
    /// Reads it.
    pub get: fn(&Limits) -> u64,
    /// Writes it.
    pub set: fn(&mut Limits, u64),
}

macro_rules! field {
    ($key:literal, $name:ident, $unit:ident, $default:expr, $minimum:expr, $maximum:expr) => {
        Field {
            key: $key,
            unit: Unit::$unit,
            default: $default,
            minimum: $minimum,
            maximum: $maximum,
            get: |limits| limits.$name,
            set: |limits, value| limits.$name = value,
        }
    };
}

/// All limits, in the order in which bundle and digest carry them.
pub const FIELDS: [Field; 9] = [
    field!("memory", memory_bytes, Bytes, GIB, 64 * KIB, 64 * GIB),
    field!("table_elements", table_elements, Count, 1_000_000, 1, 10_000_000),
    field!("instances", instances, Count, 256, 1, 4096),
    field!("memories", memories, Count, 64, 1, 1024),
    field!("stack", stack_bytes, Bytes, MIB, 64 * KIB, 16 * MIB),
    field!("time", run_time_ms, Milliseconds, 0, 1, 366 * DAY_MS),
    field!("files", files_bytes, Bytes, 256 * MIB, 0, 16 * GIB),
    field!("file_count", file_count, Count, 16_384, 1, 1_048_576),
    field!("log", output_log_bytes, Bytes, MIB, 0, 64 * MIB),
];

impl Default for Limits {
    fn default() -> Self {
        let mut limits = Self {
            memory_bytes: 0,
            table_elements: 0,
            instances: 0,
            memories: 0,
            stack_bytes: 0,
            run_time_ms: 0,
            files_bytes: 0,
            file_count: 0,
            output_log_bytes: 0,
        };
        for field in &FIELDS {
            (field.set)(&mut limits, field.default);
        }
        limits
    }
}

/// A value that a limit cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// Not a number with one of the units.
    #[error("`{text}` is not {expected}")]
    Syntax {
        /// What was written.
        text: String,
        /// What the limit takes.
        expected: &'static str,
    },
    /// Outside of the range.
    #[error("limit `{key}` is {value}, and must be from {minimum} to {maximum}")]
    Range {
        /// The limit's key.
        key: &'static str,
        /// What was asked for.
        value: String,
        /// Least value.
        minimum: String,
        /// Most that may be asked for.
        maximum: String,
    },
}

impl Field {
    /// What may be written for this limit, for messages.
    pub fn expected(&self) -> &'static str {
        match self.unit {
            Unit::Bytes => "a size such as `64KiB`, `256MiB` or `1GiB`",
            Unit::Count => "a whole number",
            Unit::Milliseconds => "a time such as `500ms`, `30s`, `5m`, `2h` or `1d`",
        }
    }

    /// Reads a value with its unit.
    pub fn parse(&self, text: &str) -> Result<u64, LimitError> {
        let wrong = || LimitError::Syntax { text: text.into(), expected: self.expected() };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let factor = match (self.unit, unit.trim_start_matches(' ')) {
            (Unit::Bytes, "B") | (Unit::Milliseconds, "ms") | (Unit::Count, "") => 1,
            (Unit::Bytes, "KiB") => KIB,
            (Unit::Bytes, "MiB") => MIB,
            (Unit::Bytes, "GiB") => GIB,
            (Unit::Milliseconds, "s") => 1000,
            (Unit::Milliseconds, "m") => 60 * 1000,
            (Unit::Milliseconds, "h") => 60 * 60 * 1000,
            (Unit::Milliseconds, "d") => DAY_MS,
            _ => return Err(wrong()),
        };
        // A product that does not fit is over every maximum.
        self.check(number.saturating_mul(factor))
    }

    /// Checks the range of a value that was written by hand.
    pub fn check(&self, value: u64) -> Result<u64, LimitError> {
        if (self.minimum..=self.maximum).contains(&value) {
            return Ok(value);
        }
        Err(self.out_of_range(self.format(value)))
    }

    pub(crate) fn out_of_range(&self, value: String) -> LimitError {
        let (minimum, maximum) = (self.format(self.minimum), self.format(self.maximum));
        LimitError::Range { key: self.key, value, minimum, maximum }
    }

    /// The value in its largest whole unit.
    pub fn format(&self, value: u64) -> String {
        let units: &[(u64, &str)] = match self.unit {
            Unit::Bytes => &[(GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB"), (1, "B")],
            Unit::Count => &[(1, "")],
            Unit::Milliseconds => {
                &[(DAY_MS, "d"), (60 * 60 * 1000, "h"), (60 * 1000, "m"), (1000, "s"), (1, "ms")]
            }
        };
        let whole = |(factor, _): &&(u64, &str)| value >= *factor && value.is_multiple_of(*factor);
        let (factor, unit) = units.iter().find(whole).or(units.last()).unwrap_or(&(1, ""));
        format!("{}{unit}", value / factor)
    }
}

impl Limits {
    /// Checks every limit: what [`Field::check`] accepts, or the default.
    pub fn check(&self) -> Result<(), LimitError> {
        for field in &FIELDS {
            let value = (field.get)(self);
            if value != field.default {
                field.check(value)?;
            }
        }
        Ok(())
    }
}
