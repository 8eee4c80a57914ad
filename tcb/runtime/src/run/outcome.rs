// SPDX-License-Identifier: Apache-2.0

//! How a workload ended, read from what wasmtime reports.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};

use wasmtime::{FrameInfo, Trap, WasmBacktrace};

use super::limits::{Exceeded, Limit, Limits};
use super::state::Exit;

/// The longest function or module name in a backtrace, in bytes. Names are the program's and may be anything.
pub const MAX_NAME_LEN: usize = 512;

/// How a workload ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It returned (0) or left with this status.
    Exited(u32),
    /// WebAssembly stopped it.
    Trapped(Trapped),
    /// It needed more than it may have.
    LimitExceeded {
        /// Which limit, its value, and what was asked.
        exceeded: Exceeded,
        /// Where it was, innermost first; empty where it was not running.
        backtrace: Vec<Frame>,
    },
    /// Its owner ended it.
    Stopped,
}

/// A trap and where it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trapped {
    /// What kind of trap.
    pub kind: TrapKind,
    /// In words, without the backtrace.
    pub message: String,
    /// The calls that led there, innermost first. Functions without a name in the program's name section have none here.
    pub backtrace: Vec<Frame>,
}

/// Kinds of traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TrapKind {
    /// The `unreachable` instruction, which is how panics and aborts end in most languages.
    Unreachable,
    /// An access outside of linear memory.
    MemoryOutOfBounds,
    /// An access outside of a table.
    TableOutOfBounds,
    /// An indirect call of nothing.
    IndirectCallToNull,
    /// An indirect call with another signature than the function's.
    BadSignature,
    /// Overflow in an integer division.
    IntegerOverflow,
    /// Division by zero.
    IntegerDivisionByZero,
    /// A float that no integer can hold.
    BadConversionToInteger,
    /// A rule of the component model was broken.
    ComponentModel,
    /// A WASI function was called in a way that WASI answers with a trap, such as a pointer outside of memory.
    Wasi,
}

/// One function in a backtrace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The module's name, where it has one.
    pub module: Option<String>,
    /// The function's name, demangled if it is a Rust name.
    pub function: Option<String>,
    /// The function's index in its module.
    pub index: u32,
    /// Where in the WebAssembly file.
    pub offset: Option<u64>,
}

impl TrapKind {
    /// A stable name for machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::MemoryOutOfBounds => "memory-out-of-bounds",
            Self::TableOutOfBounds => "table-out-of-bounds",
            Self::IndirectCallToNull => "indirect-call-to-null",
            Self::BadSignature => "bad-signature",
            Self::IntegerOverflow => "integer-overflow",
            Self::IntegerDivisionByZero => "integer-division-by-zero",
            Self::BadConversionToInteger => "bad-conversion-to-integer",
            Self::ComponentModel => "component-model",
            Self::Wasi => "wasi",
        }
    }

    fn of(trap: Trap) -> Self {
        match trap {
            Trap::UnreachableCodeReached => Self::Unreachable,
            Trap::MemoryOutOfBounds | Trap::HeapMisaligned => Self::MemoryOutOfBounds,
            Trap::TableOutOfBounds => Self::TableOutOfBounds,
            Trap::IndirectCallToNull | Trap::NullReference => Self::IndirectCallToNull,
            Trap::BadSignature => Self::BadSignature,
            Trap::IntegerOverflow => Self::IntegerOverflow,
            Trap::IntegerDivisionByZero => Self::IntegerDivisionByZero,
            Trap::BadConversionToInteger => Self::BadConversionToInteger,
            _ => Self::ComponentModel,
        }
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(offset) = self.offset {
            write!(f, "{offset:#8x} - ")?;
        }
        if let Some(module) = &self.module {
            write!(f, "{module}!")?;
        }
        match &self.function {
            Some(function) => f.write_str(function),
            None => write!(f, "<function {}>", self.index),
        }
    }
}

impl Status {
    /// The end that `error` stands for, if the program itself was running.
    ///
    /// `None` means that wasmtime could not start the program, and why is in `error`.
    pub(super) fn of_error(error: &wasmtime::Error, limits: &Limits) -> Option<Self> {
        if let Some(Exit(status)) = error.downcast_ref() {
            return Some(Self::Exited(*status));
        }
        let backtrace = error.downcast_ref().map(frames).unwrap_or_default();
        match error.downcast_ref::<Trap>() {
            Some(Trap::StackOverflow) => {
                let exceeded = Exceeded { limit: Limit::Stack, value: limits.stack_bytes, asked: None };
                Some(Self::LimitExceeded { exceeded, backtrace })
            }
            Some(trap) => {
                let message = without_prefix(&trap.to_string());
                Some(Self::Trapped(Trapped { kind: TrapKind::of(*trap), message, backtrace }))
            }
            // An error of a host function carries the backtrace of the program that called it.
            None if !backtrace.is_empty() => {
                let message = error.root_cause().to_string();
                Some(Self::Trapped(Trapped { kind: TrapKind::Wasi, message, backtrace }))
            }
            None => None,
        }
    }
}

fn without_prefix(message: &str) -> String {
    message.strip_prefix("wasm trap: ").unwrap_or(message).to_string()
}

fn frames(backtrace: &WasmBacktrace) -> Vec<Frame> {
    backtrace.frames().iter().map(frame).collect()
}

fn frame(info: &FrameInfo) -> Frame {
    Frame {
        module: info.module().name().map(|name| bounded(&name)),
        function: info.func_name().map(|name| match rustc_demangle::try_demangle(name) {
            // The alternate form leaves out the hash at the end.
            Ok(demangled) => bounded(&format_args!("{demangled:#}")),
            Err(_) => bounded(&name),
        }),
        index: info.func_index(),
        offset: info.module_offset().map(|offset| offset as u64),
    }
}

/// Formats at most [`MAX_NAME_LEN`] bytes of printable text; a short mangled name may stand for a very long one.
fn bounded(name: &dyn fmt::Display) -> String {
    struct Bounded(String);
    impl Write for Bounded {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for character in text.chars() {
                if self.0.len() + character.len_utf8() > MAX_NAME_LEN {
                    return Err(fmt::Error);
                }
                self.0.push(if character.is_control() { '\u{fffd}' } else { character });
            }
            Ok(())
        }
    }
    let mut bounded = Bounded(String::new());
    // Too long a name ends where the limit is.
    let _cut = write!(bounded, "{name}");
    bounded.0
}
