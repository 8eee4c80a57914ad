// SPDX-License-Identifier: Apache-2.0

//! WASI 0.2 for components: the world `wasi:cli/command` without sockets.
//!
//! The files, streams and clocks are those of preview 1; only the way of calling them differs.

pub(crate) mod bindings;
