// SPDX-License-Identifier: Apache-2.0

//! The life of one Keep, from its first byte to its end.
#![no_std]

extern crate alloc;

pub mod launch;
pub mod wire;
