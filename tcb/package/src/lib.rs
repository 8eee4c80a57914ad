// SPDX-License-Identifier: Apache-2.0

//! What a tenant hands to a Keep, and how it is named.
//!
//! A workload is a WebAssembly program, an optional [`Manifest`] (`Enarx.toml`) and the data that the manifest
//! names. This crate holds the three forms it takes on its way:
//!
//! - [`Manifest`]: what the author wrote, typed and checked, with line and column for every mistake;
//! - [`digest`](digest()): the one name of a workload, over program, manifest and data, the same on every machine;
//! - [`Bundle`]: what is sealed to a Keep, compiled code and resolved secrets included.
//!
//! Nothing here reads a file or an environment variable. [`Manifest::inputs`] lists what has to be read, the caller
//! reads it on the tenant's machine, and [`Manifest::bundle`] puts it together, so that the same code serves the
//! tenant, the Keep and any tool between them.
//!
//! A Keep decodes bundles that only its owner could have sealed, and still treats them as hostile: every count and
//! size has a maximum that is a named constant of this crate.
#![no_std]

extern crate alloc;

pub mod bundle;
pub mod digest;
pub mod limits;
pub mod manifest;
pub mod path;
pub mod secret;
pub mod socket;
pub mod stdio;
pub mod tree;
pub mod variable;

pub use bundle::{Bundle, BundleError, DecodedBundle, ProgramKind};
pub use digest::{WorkloadDigest, digest};
pub use limits::Limits;
pub use manifest::{Input, Manifest, ManifestError, ResolveError, Resolved, SecretSource};
pub use path::GuestPath;
pub use secret::Secret;
pub use socket::{ClientAuth, Connect, FileKind, Listen, Protocol};
pub use stdio::{Descriptor, Stdio};
pub use tree::{Entry, EntryKind, FileTree};
