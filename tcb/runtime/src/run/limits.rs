// SPDX-License-Identifier: Apache-2.0

//! What one workload may use, and the accountant that wasmtime asks.

use core::fmt;

use wasmtime::ResourceLimiter;

use crate::engine::DEFAULT_STACK_BYTES;

/// What a workload may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all linear memories together.
    pub memory_bytes: u64,
    /// Linear memories.
    pub memories: u32,
    /// Elements of all tables together.
    pub table_elements: u64,
    /// Tables.
    pub tables: u32,
    /// Instances of core modules; a component has several.
    pub instances: u32,
    /// The stack that the engine was configured with ([`crate::engine::limit_stack`]), to say so when it is used up.
    pub stack_bytes: u64,
    /// Nanoseconds of run time, waiting included.
    pub run_time: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 1 << 30,
            memories: 16,
            table_elements: 1 << 20,
            tables: 64,
            instances: 64,
            stack_bytes: DEFAULT_STACK_BYTES as u64,
            run_time: None,
        }
    }
}

impl Limits {
    /// The limit that wasmtime names in `message`, its only word on counts of instances, memories and tables:
    /// `resource limit exceeded: instance count too high at 65`.
    pub(super) fn exceeded_by(&self, message: &str) -> Option<Exceeded> {
        let (what, asked) =
            message.strip_prefix("resource limit exceeded: ")?.split_once(" count too high at ")?;
        let (limit, value) = match what {
            "instance" => (Limit::Instances, self.instances),
            "memory" => (Limit::Memories, self.memories),
            "table" => (Limit::Tables, self.tables),
            _ => return None,
        };
        Some(Exceeded { limit, value: u64::from(value), asked: asked.parse().ok() })
    }
}

/// One of the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::memory_bytes`]
    Memory,
    /// [`Limits::memories`]
    Memories,
    /// [`Limits::table_elements`]
    TableElements,
    /// [`Limits::tables`]
    Tables,
    /// [`Limits::instances`]
    Instances,
    /// [`Limits::stack_bytes`]
    Stack,
    /// [`Limits::run_time`]
    RunTime,
}

impl Limit {
    /// A stable name: the key of the limit in a workload's manifest. Tables have none.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Memories => "memories",
            Self::TableElements => "table_elements",
            Self::Tables => "tables",
            Self::Instances => "instances",
            Self::Stack => "stack",
            Self::RunTime => "time",
        }
    }
}

/// A limit, its value, and what was asked beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Which limit.
    pub limit: Limit,
    /// Its value.
    pub value: u64,
    /// What the workload would have come to; `None` where it would just have gone on (stack, run time).
    pub asked: Option<u64>,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = self.asked.unwrap_or(0);
        let value = self.value;
        match self.limit {
            Limit::Memory => write!(f, "asked for {asked} bytes of memory, the limit is {value}"),
            Limit::Memories => write!(f, "asked for {asked} linear memories, the limit is {value}"),
            Limit::TableElements => write!(f, "asked for {asked} table elements, the limit is {value}"),
            Limit::Tables => write!(f, "asked for {asked} tables, the limit is {value}"),
            Limit::Instances => write!(f, "asked for {asked} instances, the limit is {value}"),
            Limit::Stack => write!(f, "used up its stack of {value} bytes"),
            Limit::RunTime => {
                write!(
                    f,
                    "ran longer than its limit of {}.{:03} s",
                    value / 1_000_000_000,
                    value / 1_000_000 % 1000
                )
            }
        }
    }
}

/// Keeps count for wasmtime and remembers the last refusal.
///
/// Growth that was allowed and then failed for lack of real memory stays counted: wasmtime also reports failures that it
/// never asked about, so taking back would let a program lower its own count.
pub(crate) struct Accountant {
    limits: Limits,
    memory_bytes: u64,
    table_elements: u64,
    pub(crate) refused: Option<Exceeded>,
}

impl Accountant {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, memory_bytes: 0, table_elements: 0, refused: None }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    fn refuse(&mut self, limit: Limit, value: u64, asked: u64) -> bool {
        self.refused = Some(Exceeded { limit, value, asked: Some(asked) });
        false
    }
}

impl ResourceLimiter for Accountant {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = (desired as u64).saturating_sub(current as u64);
        let asked = self.memory_bytes.saturating_add(growth);
        // Beyond its own maximum a program is refused by the standard, not by us.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        if asked > self.limits.memory_bytes {
            return Ok(self.refuse(Limit::Memory, self.limits.memory_bytes, asked));
        }
        self.memory_bytes = asked;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = (desired as u64).saturating_sub(current as u64);
        let asked = self.table_elements.saturating_add(growth);
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        if asked > self.limits.table_elements {
            return Ok(self.refuse(Limit::TableElements, self.limits.table_elements, asked));
        }
        self.table_elements = asked;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.limits.instances as usize
    }

    fn tables(&self) -> usize {
        self.limits.tables as usize
    }

    fn memories(&self) -> usize {
        self.limits.memories as usize
    }
}
