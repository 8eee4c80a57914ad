// SPDX-License-Identifier: Apache-2.0

//! The digest of a workload: its name in provisioning headers, certificates and policies.
//!
//! `docs/workload-digest.md` defines it byte for byte; this module and that page change together, and only by
//! a new label.

use alloc::vec::Vec;
use core::fmt;

use sha2::{Digest as _, Sha256};

use crate::limits;
use crate::manifest::{File, Manifest};
use crate::socket::{ClientAuth, Connect, FileKind, Listen};
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
    hash.update(manifest_digest(manifest));
    hash.update(Sha256::digest(files_encoding(files)));
    WorkloadDigest(hash.finalize().into())
}

/// Names what a manifest means, without program and data: the second of the three hashes in [`digest`].
pub fn manifest_digest(manifest: &Manifest) -> [u8; 32] {
    Sha256::digest(manifest_encoding(manifest)).into()
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
        let settings = settings(&file.kind);
        // What has settings that the first kinds do not have is of another kind, so that those keep their encoding.
        self.byte(file.kind.to_number() + if settings.is_some() { WITH_SETTINGS } else { 0 });
        self.text(file.name());
        let (address, port, protocol) = match &file.kind {
            FileKind::Stdio(_) => return,
            FileKind::Listen(Listen { addr, port, protocol, .. }) => (addr, port, protocol),
            FileKind::Connect(Connect { host, port, protocol, .. }) => (host, port, protocol),
        };
        self.text(address);
        self.0.extend_from_slice(&port.to_be_bytes());
        self.byte(protocol.to_number());
        if let Some(Settings { required, anchors, names }) = settings {
            self.byte(u8::from(required));
            self.text(anchors);
            self.list(names, |out, name| out.text(name));
        }
    }
}

/// What the number of a kind grows by where the socket has settings.
const WITH_SETTINGS: u8 = 2;

struct Settings<'a> {
    required: bool,
    /// A path is never empty.
    anchors: &'a str,
    names: &'a [alloc::string::String],
}

/// The settings of a socket that has any.
fn settings(kind: &FileKind) -> Option<Settings<'_>> {
    let (_, anchors) = kind.socket()?;
    let (required, names) = match kind {
        FileKind::Stdio(_) => return None,
        FileKind::Listen(listen) => (listen.client_auth == ClientAuth::Required, listen.names.as_slice()),
        FileKind::Connect(connect) => (false, connect.server_name.as_slice()),
    };
    let anchors = anchors.map_or("", |path| path.as_str());
    let any = required || !anchors.is_empty() || !names.is_empty();
    any.then_some(Settings { required, anchors, names })
}
