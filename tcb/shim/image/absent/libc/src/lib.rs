// SPDX-License-Identifier: Apache-2.0

//! Nothing. wasmtime asks for `libc` on every Unix and uses it only with an operating system; the image is built for a Unix
//! target and has none.
#![no_std]
