// SPDX-License-Identifier: Apache-2.0

//! From a manifest to a bundle: what has to be read, and what is made of it.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::{Data, FD_COUNT, FD_NAMES, Manifest, SecretSource};
use crate::bundle::{Bundle, ProgramKind};
use crate::limits::FIELDS;
use crate::path::GuestPath;
use crate::secret::Secret;
use crate::socket::{ClientAuth, FileKind, Protocol};
use crate::stdio::{Descriptor, Stdio};
use crate::tree::FileTree;
use crate::variable;

/// First argument of every program, as in Enarx 0.7, so that a workload does not learn the file names of its tenant.
const PROGRAM_NAME: &str = "main.wasm";

/// Something that the caller reads on the tenant's machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input<'a> {
    /// The program.
    Program {
        /// Path relative to the manifest.
        path: &'a str,
    },
    /// A file, or a directory with all that is in it.
    Data(&'a Data),
    /// The value of a secret.
    Secret {
        /// The variable that will hold it.
        name: &'a str,
        /// Where it is.
        source: &'a SecretSource,
    },
}

/// What the caller read and compiled.
#[derive(Debug)]
pub struct Resolved {
    /// Whether the program is a module or a component.
    pub program: ProgramKind,
    /// The program, compiled for the engine that the Keep stated.
    pub code: Vec<u8>,
    /// The data, at its paths in the Keep.
    pub files: FileTree,
    /// The values of the secrets, by the variable that will hold them.
    pub secrets: BTreeMap<String, Secret>,
}

/// Why a manifest and what was read do not make a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// A socket that cannot be what it is asked to be.
    #[error("descriptor {number} (`{name}`): {why}")]
    Socket {
        /// Number of the descriptor.
        number: usize,
        /// Its name.
        name: String,
        /// What is missing or makes no sense.
        why: SocketProblem,
    },
    /// Sockets for a component, which opens its own.
    #[error(
        "descriptor {number} (`{name}`) is a socket, and the program is a component, which has no descriptors"
    )]
    SocketForComponent {
        /// Number of the descriptor.
        number: usize,
        /// Its name.
        name: String,
    },
    /// A standard stream under a number that this version does not connect it to.
    #[error("descriptor {number} (`{name}`) cannot be {}", .kind.default_name())]
    DescriptorUnsupported {
        /// Number of the descriptor.
        number: usize,
        /// Its name.
        name: String,
        /// What it should be.
        kind: Stdio,
    },
    /// A Steward of Enarx 0.7.
    #[error("`steward` is not supported: no service stands between a tenant and its Keep")]
    StewardUnsupported,
    /// A secret without a value.
    #[error("the secret `{name}` has no value")]
    SecretMissing {
        /// The variable that should hold it.
        name: String,
    },
    /// A value for something that the manifest does not call a secret.
    #[error("the manifest has no secret `{name}`")]
    SecretUnknown {
        /// The variable.
        name: String,
    },
    /// A value that a variable cannot have.
    #[error("the secret `{name}` cannot be used: {why}")]
    SecretValue {
        /// The variable that should hold it.
        name: String,
        /// The rule it breaks.
        why: &'static str,
    },
    /// Secrets, arguments and variables are too long together.
    #[error("arguments, variables and secrets have more than {} bytes", variable::MAX_TOTAL_BYTES)]
    TooMuchText,
    /// A file that is not below any data entry.
    #[error("`{path}` is in no `[[data]]` of the manifest")]
    FileOutsideData {
        /// The file.
        path: GuestPath,
    },
    /// More data than the workload's own limit.
    #[error("the data is more than the limit `{key}` of {limit}")]
    DataOverLimit {
        /// The limit's key.
        key: &'static str,
        /// Its value.
        limit: String,
    },
}

/// What is wrong with a socket of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SocketProblem {
    /// Plain TCP.
    #[error("`prot = \"tcp\"` is not supported: the host and the network could read and change all traffic")]
    Plaintext,
    /// TLS to a peer that nobody could vouch for.
    #[error("a TLS connection needs `anchors`, the certificates that vouch for its peer")]
    NoAnchors,
    /// Clients must show certificates, and nobody says whose.
    #[error("`client_auth = \"required\"` needs `anchors`, the certificates that vouch for clients")]
    NoClientAnchors,
    /// A setting that would have no effect.
    #[error("`anchors` has no meaning for a listener that asks its clients for nothing")]
    NoEffect,
    /// Anchors that the Keep would not have.
    #[error("`anchors` is in no `[[data]]` of the manifest")]
    AnchorsOutsideData,
}

impl SocketProblem {
    fn hint(self) -> &'static str {
        match self {
            Self::Plaintext => "leave `prot` away for TLS, which ends in the Keep",
            Self::NoAnchors | Self::NoClientAnchors | Self::AnchorsOutsideData => {
                "bring a file of certificates (PEM) into the Keep by `[[data]]`, and name its `guest` path in `anchors`"
            }
            Self::NoEffect => "add `client_auth = \"required\"`",
        }
    }
}

impl ResolveError {
    /// What the tenant can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Socket { why, .. } => why.hint().to_string(),
            Self::SocketForComponent { .. } => {
                "sockets of `[[files]]` are for core modules (wasm32-wasip1)".to_string()
            }
            Self::DescriptorUnsupported { .. } => {
                "0 can be `stdin` or `null`, 1 and 2 `stdout`, `stderr` or `null`, and the rest are sockets"
                    .to_string()
            }
            Self::StewardUnsupported => {
                "remove `steward`: the tenant's own machine verifies the Keep".to_string()
            }
            Self::SecretMissing { name } => {
                format!("set its source in `[secrets]`, for example the variable `{name}`")
            }
            Self::DataOverLimit { key, .. } => format!("raise `{key}` under `[limits]`"),
            _ => return None,
        })
    }
}

impl Manifest {
    /// All that has to be read: the program if the manifest names it, then data, then secrets.
    pub fn inputs(&self) -> impl Iterator<Item = Input<'_>> {
        let program = self.program().map(|path| Input::Program { path });
        let data = self.data().iter().map(Input::Data);
        let secrets = self.secrets().iter().map(|(name, source)| Input::Secret { name, source });
        program.into_iter().chain(data).chain(secrets)
    }

    /// Whether this version can run the workload at all, before anything is read or compiled.
    pub fn check_supported(&self) -> Result<(), ResolveError> {
        if self.steward.is_some() {
            return Err(ResolveError::StewardUnsupported);
        }
        self.stdio().map(drop)
    }

    /// Puts together what a Keep gets.
    pub fn bundle(&self, resolved: Resolved) -> Result<Bundle, ResolveError> {
        self.check_supported()?;
        self.check_files(&resolved.files)?;
        let stdio = self.stdio()?;
        let socket = stdio.iter().position(|descriptor| descriptor.kind.socket().is_some());
        if let (ProgramKind::Component, Some(number)) = (resolved.program, socket) {
            let name = stdio.get(number).map(|descriptor| descriptor.name.clone()).unwrap_or_default();
            return Err(ResolveError::SocketForComponent { number, name });
        }
        let mut args = Vec::with_capacity(self.args().len() + 1);
        args.push(PROGRAM_NAME.to_string());
        args.extend_from_slice(self.args());
        let env = self.environment(resolved.secrets)?;
        let bytes: usize = args.iter().map(String::len).sum::<usize>()
            + env.iter().map(|(name, value)| name.len() + value.expose().len()).sum::<usize>();
        if bytes > variable::MAX_TOTAL_BYTES
            || args.len() > variable::MAX_STRINGS
            || env.len() > variable::MAX_STRINGS
        {
            return Err(ResolveError::TooMuchText);
        }
        Ok(Bundle {
            program: resolved.program,
            args,
            env,
            stdio,
            files: resolved.files,
            limits: *self.limits(),
            code: resolved.code,
        })
    }

    fn stdio(&self) -> Result<Vec<Descriptor>, ResolveError> {
        let Some(files) = self.files() else {
            return Ok(Stdio::standard());
        };
        let descriptor = |(number, file): (usize, &super::File)| {
            let name = String::from(file.name());
            let kind = file.kind.clone();
            match (number, &file.kind) {
                (_, FileKind::Listen(_) | FileKind::Connect(_)) => match self.socket_problem(&file.kind) {
                    Some(why) => Err(ResolveError::Socket { number, name, why }),
                    None => Ok(Descriptor { name, kind }),
                },
                (0, FileKind::Stdio(Stdio::Null | Stdio::Stdin))
                | (1 | 2, FileKind::Stdio(Stdio::Null | Stdio::Stdout | Stdio::Stderr)) => {
                    Ok(Descriptor { name, kind })
                }
                (_, FileKind::Stdio(kind)) => {
                    Err(ResolveError::DescriptorUnsupported { number, name, kind: *kind })
                }
            }
        };
        files.iter().enumerate().map(descriptor).collect()
    }

    fn socket_problem(&self, kind: &FileKind) -> Option<SocketProblem> {
        let (protocol, anchors) = kind.socket()?;
        let required = matches!(kind, FileKind::Listen(listen) if listen.client_auth == ClientAuth::Required);
        match (protocol, kind, anchors) {
            (Protocol::Tcp, ..) => Some(SocketProblem::Plaintext),
            (Protocol::Tls, FileKind::Connect(_), None) => Some(SocketProblem::NoAnchors),
            (Protocol::Tls, _, None) => required.then_some(SocketProblem::NoClientAnchors),
            (Protocol::Tls, FileKind::Listen(_), Some(_)) if !required => Some(SocketProblem::NoEffect),
            (Protocol::Tls, _, Some(path)) => {
                let brought = self.data().iter().any(|data| data.guest.contains(path));
                (!brought).then_some(SocketProblem::AnchorsOutsideData)
            }
        }
    }

    fn check_files(&self, files: &FileTree) -> Result<(), ResolveError> {
        for entry in files {
            let declared = self
                .data()
                .iter()
                .any(|data| data.guest.contains(&entry.path) || entry.path.contains(&data.guest));
            if !declared {
                return Err(ResolveError::FileOutsideData { path: entry.path.clone() });
            }
        }
        let used = [("files", files.bytes()), ("file_count", files.entries().len() as u64)];
        for field in &FIELDS {
            let limit = (field.get)(self.limits());
            if used.iter().any(|(key, used)| *key == field.key && *used > limit) {
                return Err(ResolveError::DataOverLimit { key: field.key, limit: field.format(limit) });
            }
        }
        Ok(())
    }

    /// Variables, secrets and, where the manifest lists its descriptors, what Enarx 0.7 says about them.
    fn environment(
        &self,
        mut secrets: BTreeMap<String, Secret>,
    ) -> Result<Vec<(String, Secret)>, ResolveError> {
        let mut env: BTreeMap<String, Secret> =
            self.env().iter().map(|(name, value)| (name.clone(), Secret::new(value.clone()))).collect();
        for name in self.secrets().keys() {
            let value =
                secrets.remove(name).ok_or_else(|| ResolveError::SecretMissing { name: name.clone() })?;
            if let Some(why) = variable::value_problem(value.expose()) {
                return Err(ResolveError::SecretValue { name: name.clone(), why });
            }
            env.insert(name.clone(), value);
        }
        if let Some((name, _)) = secrets.pop_first() {
            return Err(ResolveError::SecretUnknown { name });
        }
        if let Some(files) = self.files() {
            let names: Vec<&str> = files.iter().map(super::File::name).collect();
            env.insert(FD_COUNT.to_string(), Secret::new(files.len().to_string()));
            env.insert(FD_NAMES.to_string(), Secret::new(names.join(":")));
        }
        Ok(env.into_iter().collect())
    }
}
