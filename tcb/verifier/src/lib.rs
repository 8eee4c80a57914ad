// SPDX-License-Identifier: Apache-2.0

//! Decides whether evidence is to be trusted: a pure function without clock, network or disk.
#![no_std]

extern crate alloc;

pub mod policy;
