// SPDX-License-Identifier: Apache-2.0

//! What the image's crates get who name `std`: nothing but what needs no operating system.
//!
//! wasmtime's stack switching names it on every Unix and uses it only with an operating system. The build puts this
//! crate in its place, so whatever did use it would not compile.
#![no_std]
