// SPDX-License-Identifier: Apache-2.0

//! `Enarx.toml`: what the author of a workload says about it.
//!
//! The keys of Enarx 0.7 keep their meaning. A [`Manifest`] is always valid: it comes from [`Manifest::parse`],
//! which names line and column of a mistake, or from methods that check as much.

mod error;
mod read;
mod resolve;
mod suggest;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

pub use error::{ManifestError, Problem};
pub use resolve::{Input, ResolveError, Resolved, SocketProblem};

use crate::limits::Limits;
use crate::path::GuestPath;
use crate::socket::{self, Connect, Listen};
pub use crate::socket::{FileKind, Protocol};
use crate::stdio;
use crate::variable;

/// Longest manifest.
pub const MAX_MANIFEST_BYTES: usize = 1024 * 1024;
/// Most `[[data]]` entries.
pub const MAX_DATA: usize = 1024;
/// Longest path on the tenant's machine.
pub const MAX_HOST_PATH_BYTES: usize = 4096;

/// Variables that tell a program about its descriptors, set from `[[files]]`.
pub(crate) const FD_COUNT: &str = "FD_COUNT";
pub(crate) const FD_NAMES: &str = "FD_NAMES";

/// A checked manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    program: Option<String>,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    files: Option<Vec<File>>,
    data: Vec<Data>,
    secrets: BTreeMap<String, SecretSource>,
    limits: Limits,
    steward: Option<String>,
}

/// One `[[files]]` entry: a descriptor that is open when the program starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    name: String,
    /// What it is connected to.
    pub kind: FileKind,
}

/// One `[[data]]` entry: a file or directory of the tenant's machine that the Keep gets a copy of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// Path on the tenant's machine, relative to the manifest. Not part of the workload's digest.
    pub host: String,
    /// Where it is in the Keep.
    pub guest: GuestPath,
}

/// Where the tenant's machine finds the value of a secret. Not part of the workload's digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// A variable of the tenant's environment.
    Variable(String),
    /// A file, relative to the manifest.
    File(String),
}

impl File {
    /// The given name, or the one that Enarx 0.7 gives: the kind, or for connections the host.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Manifest {
    /// Name of the file that holds a manifest.
    pub const FILE_NAME: &'static str = "Enarx.toml";

    /// Reads a manifest.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        read::manifest(text)
    }

    /// A commented manifest to start from; it means the same as an empty one.
    pub fn template() -> &'static str {
        include_str!("template.toml")
    }

    /// The program's path, relative to the manifest.
    pub fn program(&self) -> Option<&str> {
        self.program.as_deref()
    }

    /// Arguments after the program's own name.
    pub fn args(&self) -> &[String] {
        &self.args
    }

    /// Environment variables.
    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// The descriptors, if the manifest says anything about them.
    pub fn files(&self) -> Option<&[File]> {
        self.files.as_deref()
    }

    /// The data, in the order of the manifest.
    pub fn data(&self) -> &[Data] {
        &self.data
    }

    /// Secrets, by the variable that will hold them.
    pub fn secrets(&self) -> &BTreeMap<String, SecretSource> {
        &self.secrets
    }

    /// What the workload may use.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Adds an argument.
    pub fn push_arg(&mut self, arg: &str) -> Result<(), Problem> {
        check_value(arg)?;
        self.check_room(self.args.len(), arg.len(), 0)?;
        self.args.push(arg.into());
        Ok(())
    }

    /// Replaces all arguments.
    pub fn set_args<'a>(&mut self, args: impl IntoIterator<Item = &'a str>) -> Result<(), Problem> {
        let mut changed = Self { args: Vec::new(), ..self.clone() };
        for arg in args {
            changed.push_arg(arg)?;
        }
        *self = changed;
        Ok(())
    }

    /// Sets an environment variable, in place of one of the same name.
    pub fn set_env(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        check_name(name)?;
        check_value(value)?;
        if self.secrets.contains_key(name) {
            return Err(Problem::VariableTwice { name: name.into() });
        }
        let replaced = self.env.get(name).map(|old| name.len() + old.len());
        let count = self.env.len() - usize::from(replaced.is_some());
        self.check_room(count, name.len() + value.len(), replaced.unwrap_or(0))?;
        self.env.insert(name.into(), value.into());
        Ok(())
    }

    /// Adds a secret that becomes an environment variable.
    pub fn add_secret(&mut self, name: &str, source: SecretSource) -> Result<(), Problem> {
        check_name(name)?;
        if self.env.contains_key(name) || self.secrets.contains_key(name) {
            return Err(Problem::VariableTwice { name: name.into() });
        }
        match &source {
            SecretSource::Variable(variable) => check_name(variable)?,
            SecretSource::File(path) => check_host_path(path)?,
        }
        self.check_room(self.secrets.len(), name.len(), 0)?;
        self.secrets.insert(name.into(), source);
        Ok(())
    }

    /// Adds a file or directory of the tenant's machine.
    pub fn add_data(&mut self, host: &str, guest: &str) -> Result<(), Problem> {
        check_host_path(host)?;
        let guest = GuestPath::parse(guest).map_err(|why| Problem::Path { path: guest.into(), why })?;
        if let Some(other) =
            self.data.iter().find(|data| data.guest.contains(&guest) || guest.contains(&data.guest))
        {
            return Err(Problem::DataOverlaps { guest, other: other.guest.clone() });
        }
        if self.data.len() >= MAX_DATA {
            return Err(Problem::TooMany { what: "data", maximum: MAX_DATA });
        }
        self.data.push(Data { host: host.into(), guest });
        Ok(())
    }

    /// Counts arguments and variables as the Keep will.
    fn check_room(&self, count: usize, more: usize, less: usize) -> Result<(), Problem> {
        if count >= variable::MAX_STRINGS {
            return Err(Problem::TooMany { what: "arguments or variables", maximum: variable::MAX_STRINGS });
        }
        let args = self.args.iter().map(String::len);
        let env = self.env.iter().map(|(name, value)| name.len() + value.len());
        let bytes: usize = args.chain(env).sum();
        if bytes + more - less > variable::MAX_TOTAL_BYTES {
            return Err(Problem::TooMany {
                what: "bytes of arguments and variables",
                maximum: variable::MAX_TOTAL_BYTES,
            });
        }
        Ok(())
    }

    fn add_file(&mut self, name: Option<&str>, kind: FileKind) -> Result<(), Problem> {
        check_socket(&kind)?;
        if let Some(why) = name.and_then(stdio::name_problem) {
            return Err(Problem::Text { text: name.unwrap_or_default().into(), why });
        }
        let name = match (&kind, name) {
            (_, Some(name)) => name.into(),
            (FileKind::Stdio(stdio), None) => stdio.default_name().into(),
            (
                FileKind::Listen(Listen { addr: address, .. })
                | FileKind::Connect(Connect { host: address, .. }),
                None,
            ) => address.clone(),
        };
        let files = self.files.get_or_insert_default();
        if files.len() >= stdio::MAX_DESCRIPTORS {
            return Err(Problem::TooMany { what: "files", maximum: stdio::MAX_DESCRIPTORS });
        }
        files.push(File { name, kind });
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), Problem> {
    if let Some(why) = variable::name_problem(name) {
        return Err(Problem::Text { text: name.into(), why });
    }
    if matches!(name, FD_COUNT | FD_NAMES) {
        let why = "this variable is set from `[[files]]`";
        return Err(Problem::Text { text: name.into(), why });
    }
    Ok(())
}

fn check_value(value: &str) -> Result<(), Problem> {
    match variable::value_problem(value) {
        // Not quoted: it may be very long, and may be something that should not be shown.
        Some(why) => Err(Problem::Value { why }),
        None => Ok(()),
    }
}

fn check_socket(kind: &FileKind) -> Result<(), Problem> {
    let (address, names) = match kind {
        FileKind::Stdio(_) => return Ok(()),
        FileKind::Listen(listen) => (&listen.addr, listen.names.as_slice()),
        FileKind::Connect(connect) => (&connect.host, connect.server_name.as_slice()),
    };
    if let Some(why) = socket::address_problem(address) {
        return Err(Problem::Value { why });
    }
    if names.len() > socket::MAX_NAMES {
        return Err(Problem::TooMany { what: "names", maximum: socket::MAX_NAMES });
    }
    match names.iter().find_map(|name| Some((name, socket::certified_problem(name)?))) {
        Some((name, why)) => Err(Problem::Text { text: name.clone(), why }),
        None => Ok(()),
    }
}

fn check_host_path(path: &str) -> Result<(), Problem> {
    if path.is_empty() || path.len() > MAX_HOST_PATH_BYTES || path.contains('\0') {
        let why = "a path on this machine is not empty, has at most 4096 bytes and no NUL";
        return Err(Problem::Value { why });
    }
    Ok(())
}
