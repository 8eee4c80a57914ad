// SPDX-License-Identifier: Apache-2.0

//! The digest of a workload: its name in provisioning headers, certificates and policies.
//!
//! `docs/workload-digest.md` defines it byte for byte; this module and that page change together, and only by
//! a new label.

use alloc::vec::Vec;
use core::fmt;

use sha2::{Digest as _, Sha256};

use crate::limits;
use crate::manifest::{File, FileKind, Manifest, Protocol};
use crate::tree::{EntryKind, FileTree};

const LABEL: &str = "enarx workload digest 1";

/// The digest of program, manifest and data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadDigest(pub [u8; 32]);

impl WorkloadDigest {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for WorkloadDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

impl fmt::Debug for WorkloadDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Names a workload: the program as its author built it, what its manifest means, and its data.
///
/// Values of secrets are not in it, their names are. Neither is where the tenant's machine finds things.
pub fn digest(program: &[u8], manifest: &Manifest, files: &FileTree) -> WorkloadDigest {
    let mut hash = Sha256::new();
    hash.update((LABEL.len() as u64).to_be_bytes());
    hash.update(LABEL);
    hash.update(Sha256::digest(program));
    hash.update(Sha256::digest(manifest_encoding(manifest)));
    hash.update(Sha256::digest(files_encoding(files)));
    WorkloadDigest(hash.finalize().into())
}

fn manifest_encoding(manifest: &Manifest) -> Vec<u8> {
    let mut out = Encoding(Vec::new());
    out.list(manifest.args(), |out, arg| out.text(arg));
    out.list(manifest.env(), |out, (name, value)| {
        out.text(name);
        out.text(value);
    });
    match manifest.files() {
        None => out.byte(0),
        Some(files) => {
            out.byte(1);
            out.list(files, Encoding::file);
        }
    }
    let mut guests: Vec<_> = manifest.data().iter().map(|data| &data.guest).collect();
    guests.sort();
    out.list(guests, |out, guest| out.text(guest.as_str()));
    out.list(manifest.secrets().keys(), |out, name| out.text(name));
    for field in &limits::FIELDS {
        out.number((field.get)(manifest.limits()));
    }
    out.0
}

fn files_encoding(files: &FileTree) -> Vec<u8> {
    let mut out = Encoding(Vec::new());
    out.list(files, |out, entry| {
        out.text(entry.path.as_str());
        match &entry.kind {
            EntryKind::Directory => out.byte(0),
            EntryKind::File(contents) => {
                out.byte(1);
                out.number(contents.len() as u64);
                out.0.extend_from_slice(&Sha256::digest(contents));
            }
            EntryKind::Symlink(target) => {
                out.byte(2);
                out.text(target);
            }
        }
    });
    out.0
}

/// Every field has a length or a fixed size, so that no two values have the same bytes.
struct Encoding(Vec<u8>);

impl Encoding {
    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn list<I>(&mut self, items: I, mut each: impl FnMut(&mut Self, I::Item))
    where
        I: IntoIterator<IntoIter: ExactSizeIterator>,
    {
        let items = items.into_iter();
        self.number(items.len() as u64);
        for item in items {
            each(self, item);
        }
    }

    fn file(&mut self, file: &File) {
        let (kind, peer) = match &file.kind {
            FileKind::Stdio(kind) => (kind.to_number(), None),
            FileKind::Listen { addr, port, protocol } => (4, Some((addr, port, protocol))),
            FileKind::Connect { host, port, protocol } => (5, Some((host, port, protocol))),
        };
        self.byte(kind);
        self.text(file.name());
        if let Some((address, port, protocol)) = peer {
            self.text(address);
            self.0.extend_from_slice(&port.to_be_bytes());
            self.byte(match protocol {
                Protocol::Tls => 0,
                Protocol::Tcp => 1,
            });
        }
    }
}
