// SPDX-License-Identifier: Apache-2.0

//! The one configuration of wasmtime, with everything said that decides whether compiled code can be loaded.
//!
//! wasmtime's defaults depend on the features it was compiled with and on the machine, and the two sides differ in
//! both; so nothing is left to a default.

use wasmtime::{Config, Inlining, ModuleVersionStrategy, WasmBacktraceDetails, WasmFeatures};

#[cfg(feature = "std")]
use super::cpu::CpuFeatures;
use super::spec::{EngineSpec, Target};

/// Stack of a workload that asks for no other.
pub const DEFAULT_STACK_BYTES: usize = 1 << 20;
/// The smallest stack that [`limit_stack`] sets: less does not carry a call from the host.
pub const MIN_STACK_BYTES: usize = 64 << 10;
/// The largest stack that [`limit_stack`] sets.
pub const MAX_STACK_BYTES: usize = 256 << 20;

/// Host functions run on the workload's stack, below what WebAssembly may use of it.
const HOST_STACK_BYTES: usize = 512 << 10;

/// In a process every address that 32 bits can name is set aside, so that what is beyond the memory faults and
/// nothing has to be compared; that is address space, not memory. A 64-bit memory is moved when it has grown by this.
const PROCESS_RESERVATION_BYTES: u64 = 4 << 30;
/// What is set aside behind it for the constant offsets of accesses; larger ones are compared.
const PROCESS_GUARD_BYTES: u64 = 32 << 20;
/// An interpreter compares anyway. Memory is moved when it grows beyond what was set aside, which avoids copying.
const INTERPRETER_GROWTH_BYTES: u64 = 256 << 20;

/// The proposals that are on: WebAssembly 2.0 (with `simd`) plus what LLVM and other compilers emit today.
///
/// Left out: garbage collection, typed function references and exceptions (they need a collector in the Keep), threads
/// (one thread per Keep), and everything that is not finished.
const WASM_FEATURES: WasmFeatures = WasmFeatures::WASM2
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::MEMORY64)
    .union(WasmFeatures::RELAXED_SIMD)
    .union(WasmFeatures::COMPONENT_MODEL)
    .difference(WasmFeatures::GC_TYPES);

/// The configuration for `spec`, for the Keep that runs code and for the tenant that compiles it.
///
/// The Keep adds [`limit_stack`], and the unikernel what only it can vouch for (`detect_host_feature`, code memory,
/// stacks); none of that changes compiled code.
///
/// The compiler (a build of wasmtime with Cranelift) gets native code with **all features of this machine** when `spec` is
/// this very machine's, and code for the architecture's baseline otherwise: wasmtime loads both, since
/// the features used are a subset of the features stated. To use the stated features of another machine
/// the compiler side would have to turn on [`super::CpuFeature::cranelift`] of each, which wasmtime declares `unsafe`.
pub fn config(spec: &EngineSpec) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    if !is_this_machine(*spec) {
        config.target(spec.target().triple())?;
    }
    config.module_version(ModuleVersionStrategy::Custom(EngineSpec::version()))?;
    set_code_generation(&mut config, spec.target());
    set_memory(&mut config, spec.target());
    set_diagnostics(&mut config);
    limit_stack(&mut config, DEFAULT_STACK_BYTES);
    Ok(config)
}

/// Limits what WebAssembly may use of the stack, between [`MIN_STACK_BYTES`] and [`MAX_STACK_BYTES`]; more ends
/// in a stack overflow trap. Returns the limit that is in force.
pub fn limit_stack(config: &mut Config, bytes: usize) -> usize {
    let bytes = bytes.clamp(MIN_STACK_BYTES, MAX_STACK_BYTES);
    config.max_wasm_stack(bytes);
    config.async_stack_size(bytes.saturating_add(HOST_STACK_BYTES));
    bytes
}

/// Where a target is named, wasmtime assumes nothing about the CPU; where none is, it detects all of its features. Code
/// for Linux and code for the unikernel have the same ABI.
#[cfg(feature = "std")]
fn is_this_machine(spec: EngineSpec) -> bool {
    let here = EngineSpec::new(spec.target(), CpuFeatures::of_this_machine());
    spec.target() != Target::Pulley64 && Some(spec) == here
}

#[cfg(not(feature = "std"))]
fn is_this_machine(_spec: EngineSpec) -> bool {
    false
}

/// What the code is. In a process, what WebAssembly must not do faults, and the engine's handlers of signals make a trap
/// of it; that costs nothing until it happens. In the unikernel, where an exception is the end, and in the interpreter
/// traps are explicit checks, and Spectre mitigations of those are off (wasmtime has them only with signals): the
/// workload and the Keep around it belong to the same owner.
fn set_code_generation(config: &mut Config, target: Target) {
    config.signals_based_traps(target == Target::X86_64Linux);
    config.wasm_features(WasmFeatures::all().difference(WASM_FEATURES), false);
    config.wasm_features(WASM_FEATURES, true);
    config.relaxed_simd_deterministic(false);
    config.concurrency_support(false);
    config.shared_memory(false);
    config.epoch_interruption(true);
    config.consume_fuel(false);
    config.table_lazy_init(true);
    // Inlined functions would be missing in backtraces, and compilers of the source language have inlined already.
    config.compiler_inlining(Inlining::No);
    config.wasm_branch_hinting(false);
}

/// How linear memories lie. The unikernel's are exactly as large as they are: it has no addresses without memory.
fn set_memory(config: &mut Config, target: Target) {
    let (reservation, guard, growth) = match target {
        Target::X86_64Linux => (PROCESS_RESERVATION_BYTES, PROCESS_GUARD_BYTES, PROCESS_RESERVATION_BYTES),
        Target::Pulley64 => (0, 0, INTERPRETER_GROWTH_BYTES),
        Target::X86_64Unikernel => (0, 0, 0),
    };
    config.memory_reservation(reservation);
    config.memory_guard_size(guard);
    config.memory_reservation_for_growth(growth);
    config.memory_may_move(true);
    config.guard_before_linear_memory(false);
    config.memory_init_cow(false);
    config.gc_heap_reservation(0);
    config.gc_heap_guard_size(0);
    config.gc_heap_reservation_for_growth(0);
    config.gc_heap_may_move(true);
    config.gc_heap_initial_size(0);
    config.async_stack_zeroing(false);
}

/// Traps name functions and offsets in the WebAssembly file; that needs the address map and the name section (which
/// wasmtime always keeps), and no debug information.
fn set_diagnostics(config: &mut Config) {
    config.generate_address_map(true);
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config.debug_info(false);
    config.debug_symbols(false);
    config.native_unwind_info(false);
    config.debug_adapter_modules(false);
    config.metadata_for_internal_asserts(false);
    config.metadata_for_gc_heap_corruption(false);
}
