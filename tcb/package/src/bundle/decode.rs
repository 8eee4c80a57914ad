// SPDX-License-Identifier: Apache-2.0

//! Reading a bundle: bytes that an owner sealed, and that are not believed for it.
//!
//! Counts are checked against named maxima before anything is reserved for them, and contents are copied only out
//! of bytes that are there, so memory stays in proportion to the input.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::data::Type;
use minicbor::decode::{Decoder, Error};

use super::{Bundle, BundleError, BundleProblem, DecodedBundle, MAX_CODE_BYTES, ProgramKind, VERSION};
use crate::limits::{self, Limits};
use crate::path::GuestPath;
use crate::secret::Secret;
use crate::socket::{self, CONNECT, ClientAuth, Connect, FileKind, LISTEN, Listen, Protocol};
use crate::stdio::{self, Descriptor, Stdio};
use crate::tree::{Entry, EntryKind, FileTree};
use crate::variable;

impl Bundle {
    /// Checks and takes apart the bytes of a bundle.
    pub fn decode(bytes: &[u8]) -> Result<DecodedBundle, BundleError> {
        let mut input = Input { cbor: Decoder::new(bytes), text_bytes: 0 };
        input.read_bundle().map_err(|problem| BundleError { problem, offset: input.cbor.position() })
    }
}

struct Input<'a> {
    cbor: Decoder<'a>,
    /// Arguments and variables so far.
    text_bytes: usize,
}

type Read<T> = Result<T, BundleProblem>;

impl<'a> Input<'a> {
    fn read_bundle(&mut self) -> Read<DecodedBundle> {
        self.array(8, "an array of 8 items")?;
        let version = self.cbor.u64().map_err(expected("a version"))?;
        if version != VERSION {
            return Err(BundleProblem::Version { found: version });
        }
        let program = self.number("program kind", ProgramKind::from_number)?;
        let limits = self.read_limits()?;
        let args = self.read_args()?;
        let env = self.read_env()?;
        let stdio = self.read_stdio()?;
        let files = self.read_files(&limits)?;
        let code = self.cbor.bytes().map_err(expected("compiled code"))?.len();
        at_most("bytes of code", code as u64, MAX_CODE_BYTES as u64)?;
        let end = self.cbor.position();
        if end != self.cbor.input().len() {
            return Err(BundleProblem::Trailing);
        }
        let start = end.checked_sub(code).ok_or(BundleProblem::Trailing)?;
        Ok(Bundle { program, args, env, stdio, files, limits, code: start..end })
    }

    fn read_limits(&mut self) -> Read<Limits> {
        self.array(limits::FIELDS.len() as u64, "an array of limits")?;
        let mut values = Limits::default();
        for field in &limits::FIELDS {
            (field.set)(&mut values, self.cbor.u64().map_err(expected("a limit"))?);
        }
        values.check().map_err(BundleProblem::Limit)?;
        Ok(values)
    }

    fn read_args(&mut self) -> Read<Vec<String>> {
        let count = self.count("arguments", variable::MAX_STRINGS as u64)?;
        (0..count).map(|_| self.value().map(String::from)).collect()
    }

    fn read_env(&mut self) -> Read<Vec<(String, Secret)>> {
        let count = self.count("variables", variable::MAX_STRINGS as u64)?;
        let mut names = BTreeSet::new();
        let mut env = Vec::new();
        for _ in 0..count {
            self.array(2, "a name and a value")?;
            let name = self.text()?;
            if let Some(why) = variable::name_problem(name) {
                return Err(BundleProblem::Text { why });
            }
            self.count_text(name)?;
            if !names.insert(name) {
                return Err(BundleProblem::VariableTwice);
            }
            env.push((String::from(name), Secret::new(String::from(self.value()?))));
        }
        Ok(env)
    }

    fn read_stdio(&mut self) -> Read<Vec<Descriptor>> {
        let count = self.count("descriptors", stdio::MAX_DESCRIPTORS as u64)?;
        let mut descriptors = Vec::new();
        for _ in 0..count {
            descriptors.push(self.read_descriptor()?);
        }
        Ok(descriptors)
    }

    fn read_descriptor(&mut self) -> Read<Descriptor> {
        let items = self.count("items of a descriptor", 3)?;
        let kind = self.number("descriptor kind", |number| {
            let socket = matches!(number, LISTEN | CONNECT);
            (socket || Stdio::from_number(number).is_some()).then_some(number)
        })?;
        let name = self.text()?;
        if let Some(why) = stdio::name_problem(name) {
            return Err(BundleProblem::Text { why });
        }
        let name = String::from(name);
        let kind = match (Stdio::from_number(kind), items) {
            (Some(stdio), 2) => FileKind::Stdio(stdio),
            (None, 3) => self.read_socket(kind)?,
            _ => return Err(BundleProblem::Malformed { expected: "a descriptor and its name" }),
        };
        Ok(Descriptor { name, kind })
    }

    fn read_socket(&mut self, kind: u8) -> Read<FileKind> {
        self.array(6, "the settings of a socket")?;
        let address = self.address(socket::address_problem)?;
        let port = self.cbor.u16().map_err(expected("a port"))?;
        let protocol = self.number("protocol", |number| match number {
            0 => Some(Protocol::Tls),
            1 => Some(Protocol::Tcp),
            _ => None,
        })?;
        let required = self.cbor.bool().map_err(expected("whether clients need a certificate"))?;
        let client_auth = if required { ClientAuth::Required } else { ClientAuth::None };
        let anchors = match self.cbor.datatype() {
            Ok(Type::Null) => {
                self.cbor.null().map_err(expected("no path"))?;
                None
            }
            _ => Some(GuestPath::parse(self.text()?).map_err(BundleProblem::Path)?),
        };
        let count = self.count("names", socket::MAX_NAMES as u64)?;
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(self.address(socket::certified_problem)?);
        }
        match kind {
            LISTEN => {
                Ok(FileKind::Listen(Listen { addr: address, port, protocol, names, client_auth, anchors }))
            }
            _ if required || names.len() > 1 => {
                Err(BundleProblem::Malformed { expected: "the settings of a connection" })
            }
            _ => {
                let server_name = names.pop();
                Ok(FileKind::Connect(Connect { host: address, port, protocol, server_name, anchors }))
            }
        }
    }

    fn address(&mut self, problem: fn(&str) -> Option<&'static str>) -> Read<String> {
        let text = self.text()?;
        match problem(text) {
            Some(why) => Err(BundleProblem::Text { why }),
            None => Ok(String::from(text)),
        }
    }

    fn read_files(&mut self, limits: &Limits) -> Read<FileTree> {
        let count = self.count("files", limits.file_count)?;
        let mut entries = Vec::new();
        let mut bytes: u64 = 0;
        for _ in 0..count {
            self.array(3, "a path, a kind and contents")?;
            let path = GuestPath::parse(self.text()?).map_err(BundleProblem::Path)?;
            let kind = self.number("entry kind", |number| (number <= 2).then_some(number))?;
            let kind = match kind {
                0 => self.cbor.null().map(|()| EntryKind::Directory),
                1 => self.cbor.bytes().map(|contents| EntryKind::File(Vec::from(contents))),
                _ => self.cbor.str().map(|target| EntryKind::Symlink(String::from(target))),
            }
            .map_err(expected("the contents of an entry"))?;
            if let EntryKind::File(contents) = &kind {
                bytes = bytes.saturating_add(contents.len() as u64);
                at_most("bytes of files", bytes, limits.files_bytes)?;
            }
            entries.push(Entry { path, kind });
        }
        let tree = FileTree::new(entries).map_err(BundleProblem::Tree)?;
        // Once more with the directories and link targets that only the tree counts.
        at_most("files", tree.entries().len() as u64, limits.file_count)?;
        at_most("bytes of files", tree.bytes(), limits.files_bytes)?;
        Ok(tree)
    }

    fn value(&mut self) -> Read<&'a str> {
        let value = self.text()?;
        if let Some(why) = variable::value_problem(value) {
            return Err(BundleProblem::Text { why });
        }
        self.count_text(value)?;
        Ok(value)
    }

    fn count_text(&mut self, text: &str) -> Read<()> {
        self.text_bytes = self.text_bytes.saturating_add(text.len());
        at_most("bytes of arguments and variables", self.text_bytes as u64, variable::MAX_TOTAL_BYTES as u64)
    }

    fn text(&mut self) -> Read<&'a str> {
        self.cbor.str().map_err(expected("a text"))
    }

    fn number<T>(&mut self, what: &'static str, known: impl FnOnce(u8) -> Option<T>) -> Read<T> {
        let found = self.cbor.u64().map_err(expected(what))?;
        u8::try_from(found).ok().and_then(known).ok_or(BundleProblem::Unknown { what, found })
    }

    fn array(&mut self, length: u64, what: &'static str) -> Read<()> {
        match self.cbor.array() {
            Ok(Some(found)) if found == length => Ok(()),
            _ => Err(BundleProblem::Malformed { expected: what }),
        }
    }

    fn count(&mut self, what: &'static str, maximum: u64) -> Read<u64> {
        let count = self.cbor.array().map_err(expected(what))?;
        let count = count.ok_or(BundleProblem::Malformed { expected: what })?;
        at_most(what, count, maximum)?;
        Ok(count)
    }
}

fn expected(what: &'static str) -> impl Fn(Error) -> BundleProblem {
    move |_| BundleProblem::Malformed { expected: what }
}

fn at_most(what: &'static str, found: u64, maximum: u64) -> Read<()> {
    if found > maximum { Err(BundleProblem::TooMany { what, found, maximum }) } else { Ok(()) }
}
