// SPDX-License-Identifier: Apache-2.0

//! The engine that compiled code is made for, described once for the Keep that runs it and the tenant that compiles it.
//!
//! A Keep states its engine in one line of text ([`EngineSpec::to_statement`]) whose digest ([`EngineSpec::id`])
//! is part of the report data, so the statement is as trustworthy as the evidence. The tenant's compiler builds
//! the same [`config`] from it. A difference would be found by wasmtime when the code is loaded (it records
//! target, settings and WebAssembly features in what it compiles), never by running wrong code.

mod config;
mod cpu;
mod spec;

pub use config::{DEFAULT_STACK_BYTES, MAX_STACK_BYTES, MIN_STACK_BYTES, config, limit_stack};
pub use cpu::{CpuFeature, CpuFeatures};
pub use spec::{EngineSpec, MAX_STATEMENT_LEN, StatementError, Target, WASMTIME_VERSION};
