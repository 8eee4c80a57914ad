// SPDX-License-Identifier: Apache-2.0

//! `extends`: a policy that narrows another one. This crate reads no files: whoever asks for a policy brings those that it
//! names.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::error::PolicyError;
use super::parse;
use super::reader::Table;
use super::{MAX_EXTENDS, Policy};

/// A policy that another one names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// What it is called, in messages and to tell whether a policy extends itself: the same for the same file.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Brings the policies that others extend.
pub trait Bases {
    /// The policy called `name` in the policy called `from`; the reason if there is none, or it may not be read.
    fn find(&mut self, name: &str, from: Option<&str>) -> Result<Base, String>;
}

impl<F: FnMut(&str, Option<&str>) -> Result<Base, String>> Bases for F {
    fn find(&mut self, name: &str, from: Option<&str>) -> Result<Base, String> {
        self(name, from)
    }
}

/// Brings none.
pub(super) struct NoBases;

impl Bases for NoBases {
    fn find(&mut self, _: &str, _: Option<&str>) -> Result<Base, String> {
        Err("this policy stands alone here, and nobody brings the one it extends".to_owned())
    }
}

/// The policies that are being read, each of which extends the next.
pub(super) struct Chain<'b> {
    bases: &'b mut dyn Bases,
    names: Vec<Option<String>>,
}

impl<'b> Chain<'b> {
    pub(super) fn new(name: Option<&str>, bases: &'b mut dyn Bases) -> Self {
        Self { bases, names: Vec::from([name.map(ToOwned::to_owned)]) }
    }
}

/// Reads the policy that a document extends.
pub(super) fn base(root: &Table<'_>, chain: &mut Chain<'_>) -> Result<Option<Policy>, PolicyError> {
    let Some(extends) = root.text("extends")? else {
        return match root.text("extends_sha256")? {
            Some(pin) => Err(root
                .error(pin.offset, "`extends_sha256` pins a policy that is not named")
                .hint("write `extends`, too, or remove it")),
            None => Ok(None),
        };
    };
    if chain.names.len() > MAX_EXTENDS {
        let message = format!("more than {MAX_EXTENDS} policies extend one another");
        return Err(root.error(extends.offset, message));
    }
    let from = chain.names.last().cloned().flatten();
    let found = chain.bases.find(extends.value, from.as_deref()).map_err(|reason| {
        root.error(extends.offset, format!("could not read `{}`: {reason}", extends.value.escape_debug()))
    })?;
    if chain.names.iter().any(|name| name.as_deref() == Some(&*found.name)) {
        let message = format!("`{}` extends itself", found.name.escape_debug());
        return Err(root
            .error(extends.offset, message)
            .hint("a base policy must not extend what narrows it"));
    }
    chain.names.push(Some(found.name.clone()));
    let base = parse::parse(Some(&found.name), &found.text, chain)?;
    chain.names.pop();
    pinned(root, extends.value, &base)?;
    Ok(Some(base))
}

/// The base is the one that was meant.
fn pinned(root: &Table<'_>, name: &str, base: &Policy) -> Result<(), PolicyError> {
    let Some(pin) = root.text("extends_sha256")? else { return Ok(()) };
    let wanted: [u8; 32] = parse::digest(root, pin, pin.value)?;
    if wanted == base.digest() {
        return Ok(());
    }
    let found = hex::encode(base.digest());
    let message =
        format!("`{}` is not the policy that is pinned: its digest is {found}", name.escape_debug());
    Err(root.error(pin.offset, message).hint("look at what has changed before you pin it anew"))
}
