// SPDX-License-Identifier: Apache-2.0

//! The back end whose Keeps are sandboxed processes of this machine.

mod child;
mod link;
mod program;

pub(crate) use child::Process;
pub(crate) use link::{FromKeep, Link, LinkError};
pub(crate) use program::Program;
