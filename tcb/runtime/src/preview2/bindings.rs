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
    },
    imports: {
        default: trappable,
    },
    exports: {
        default: async,
    },
});
