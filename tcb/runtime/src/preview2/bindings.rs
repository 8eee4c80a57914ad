// SPDX-License-Identifier: Apache-2.0

//! Rust types and traits made from the text of the interfaces in `wit/`.

#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::pedantic,
    reason = "the code is generated; the interfaces are documented in wit/deps"
)]

wasmtime::component::bindgen!({
    path: "wit",
    world: "enarx:runtime/command",
    with: {
        "wasi:io": wasmtime_wasi_io::bindings::wasi::io,
        "wasi:cli/terminal-input.terminal-input": crate::preview2::cli::NoTerminal,
        "wasi:cli/terminal-output.terminal-output": crate::preview2::cli::NoTerminal,
        "wasi:filesystem/types.descriptor": crate::preview2::descriptor::Descriptor,
        "wasi:filesystem/types.directory-entry-stream": crate::preview2::descriptor::Listing,
    },
    trappable_error_type: {
        "wasi:filesystem/types.error-code" => crate::preview2::failure::Failure,
    },
    imports: {
        default: trappable,
    },
    exports: {
        default: async,
    },
});
