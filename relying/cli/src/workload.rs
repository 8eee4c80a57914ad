// SPDX-License-Identifier: Apache-2.0

//! Reads a workload on the tenant's machine: program, manifest, data and secrets.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use enarx_compiler::ReadError;
use enarx_hostd::{Destination, NetworkRules, PortRange};
use enarx_package::digest::manifest_digest;
use enarx_package::{
    Bundle, Entry, EntryKind, FileKind, FileTree, GuestPath, Input, Manifest, ProgramKind, Resolved, Secret,
    SecretSource, WorkloadDigest,
};

use zeroize::Zeroizing;

use crate::args::{Folder, WorkloadArgs};
use crate::failure::{Failure, Outcome, chain};
use crate::input;
use crate::state::Source;

const MAX_SECRET: u64 = 128 * 1024;

/// A workload that was read completely and not compiled yet.
pub(crate) struct Workload {
    /// What the tenant calls it: the file's or the folder's name
    pub(crate) name: String,
    /// The program, binary or text
    pub(crate) program: Vec<u8>,
    /// Where the program came from, for messages
    pub(crate) path: PathBuf,
    pub(crate) digest: WorkloadDigest,
    /// What it was read from
    pub(crate) source: Source,
    manifest: Manifest,
    files: FileTree,
    secrets: BTreeMap<String, Secret>,
}

impl Workload {
    pub(crate) fn read(args: &WorkloadArgs) -> Outcome<Self> {
        let given = folder_of(&args.workload);
        let folder = fs::metadata(given)
            .map_err(|error| {
                Failure::usage(format!("could not read the workload {}: {error}", given.display()))
            })?
            .is_dir();
        let (mut manifest, base) = if folder {
            (read_manifest(given)?, given.to_owned())
        } else {
            (empty_manifest(given)?, PathBuf::from("."))
        };
        let manifest_path = given.join(Manifest::FILE_NAME);
        amend(&mut manifest, args)?;
        manifest.check_supported().map_err(|error| {
            let failure = Failure::usage(format!("{}: {error}", given.display()));
            match error.hint() {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })?;
        let path = match (folder, manifest.program()) {
            (false, _) => given.to_owned(),
            (true, Some(program)) => base.join(program),
            (true, None) => {
                return Err(Failure::usage(format!("{}: `program` is missing", manifest_path.display()))
                    .hint("name the .wasm file, for example program = \"app.wasm\""));
            }
        };
        let program = read_program(&path, folder)?;
        let files = read_data(&manifest, &base, args)?;
        let secrets = read_secrets(&manifest, &base)?;
        let digest = enarx_package::digest(&program, &manifest, &files);
        let name = given.file_name().unwrap_or(given.as_os_str()).to_string_lossy().into_owned();
        let source = source(given, args)?;
        Ok(Self { name, program, path, digest, source, manifest, files, secrets })
    }

    /// The names for which listeners of the workload need certificates.
    pub(crate) fn certified_names(&self) -> Vec<String> {
        let files = self.manifest.files().unwrap_or_default();
        let listens = files.iter().filter_map(|file| match &file.kind {
            FileKind::Listen(listen) => Some(listen),
            _ => None,
        });
        listens.flat_map(|listen| listen.certified().map(str::to_owned)).collect()
    }

    /// What the manifest means, without program and data.
    pub(crate) fn manifest_digest(&self) -> [u8; 32] {
        manifest_digest(&self.manifest)
    }

    /// What the workload needs of the network: who runs it on a machine of their own allows as much.
    pub(crate) fn network(&self) -> NetworkRules {
        let mut rules = NetworkRules::default();
        for file in self.manifest.files().unwrap_or_default() {
            match &file.kind {
                FileKind::Stdio(_) => {}
                FileKind::Listen(listen) => rules.listen.push(PortRange::one(listen.port)),
                FileKind::Connect(connect) => {
                    rules.connect.push(Destination::new(&connect.host, connect.port));
                }
            }
        }
        rules
    }

    /// Puts together what the Keep gets.
    pub(crate) fn bundle(self, program: ProgramKind, code: Vec<u8>) -> Outcome<Bundle> {
        let resolved = Resolved { program, code, files: self.files, secrets: self.secrets };
        self.manifest.bundle(resolved).map_err(|error| {
            let failure = Failure::usage(format!("{}: {error}", self.path.display()));
            match error.hint() {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })
    }
}

/// What names the same wherever one stands.
fn source(given: &Path, args: &WorkloadArgs) -> Outcome<Source> {
    let absolute = |path: &Path| {
        std::path::absolute(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
    };
    let folder = |folder: &Folder| Ok((absolute(&folder.host)?, folder.guest.clone()));
    Ok(Source {
        workload: absolute(given)?,
        arguments: args.arguments.clone(),
        environment: args.environment.clone(),
        folders: args.folders.iter().map(folder).collect::<Outcome<_>>()?,
    })
}

impl From<Source> for WorkloadArgs {
    fn from(source: Source) -> Self {
        let folder = |(host, guest)| Folder { host, guest };
        Self {
            workload: source.workload,
            arguments: source.arguments,
            policy: None,
            environment: source.environment,
            folders: source.folders.into_iter().map(folder).collect(),
            out: None,
            no_cache: false,
        }
    }
}

/// The folder of a manifest that was named itself; everything else is what it is.
fn folder_of(given: &Path) -> &Path {
    match given.parent() {
        Some(folder)
            if given.file_name().is_some_and(|name| name == Manifest::FILE_NAME) && given.is_file() =>
        {
            if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            }
        }
        _ => given,
    }
}

fn read_manifest(folder: &Path) -> Outcome<Manifest> {
    let path = folder.join(Manifest::FILE_NAME);
    if !path.exists() {
        return Err(Failure::usage(format!("{} has no {}", folder.display(), Manifest::FILE_NAME))
            .hint(format!("`enarx init {}` writes a commented one", folder.display())));
    }
    let text = input::text(&path)?;
    Manifest::parse(&text).map_err(|error| {
        let place = format!("{}:{}:{}", path.display(), error.line, error.column);
        let failure = Failure::usage(format!("{place}: {}", error.problem));
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}

/// A program without a manifest runs with the defaults.
fn empty_manifest(path: &Path) -> Outcome<Manifest> {
    Manifest::parse("").map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

/// Applies what the command line says over the manifest.
fn amend(manifest: &mut Manifest, args: &WorkloadArgs) -> Outcome<()> {
    let wrong = |what: &str, problem: &enarx_package::manifest::Problem| {
        let failure = Failure::usage(format!("{what}: {problem}"));
        match problem.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    };
    if !args.arguments.is_empty() {
        manifest
            .set_args(args.arguments.iter().map(String::as_str))
            .map_err(|problem| wrong("arguments of the workload", &problem))?;
    }
    for (name, value) in &args.environment {
        manifest.set_env(name, value).map_err(|problem| wrong(&format!("--env {name}"), &problem))?;
    }
    for folder in &args.folders {
        let host = folder.host.to_str().ok_or_else(|| {
            Failure::usage(format!("--dir {}: the path is not UTF-8", folder.host.display()))
        })?;
        manifest.add_data(host, &folder.guest).map_err(|problem| {
            wrong(&format!("--dir {}::{}", folder.host.display(), folder.guest), &problem)
        })?;
    }
    Ok(())
}

fn read_program(path: &Path, built: bool) -> Outcome<Vec<u8>> {
    enarx_compiler::read_program(path).map_err(|error| {
        let failure = Failure::usage(chain(&error));
        match &error {
            ReadError::Program { source, .. } => match source.hint() {
                Some(hint) => failure.hint(hint),
                None => failure,
            },
            ReadError::NotAFile { .. } => failure.hint("write the program into a file and name that"),
            _ if built => failure.hint("build it first; `program` in Enarx.toml says where it is expected"),
            _ => failure,
        }
    })
}

/// Reads all data of the manifest; paths of the manifest are relative to it, those of `--dir` to where we are.
fn read_data(manifest: &Manifest, base: &Path, args: &WorkloadArgs) -> Outcome<FileTree> {
    let given = args.folders.len();
    let declared = manifest.data().len() - given.min(manifest.data().len());
    let mut room = Room { bytes: manifest.limits().files_bytes, entries: manifest.limits().file_count };
    let mut entries = Vec::new();
    for (number, data) in manifest.data().iter().enumerate() {
        let host = if number < declared { base.join(&data.host) } else { PathBuf::from(&data.host) };
        read_tree(&host, &data.guest, &mut room, &mut entries)?;
    }
    FileTree::new(entries).map_err(|error| Failure::usage(format!("the data does not fit together: {error}")))
}

/// What the workload's limits still leave for data.
struct Room {
    bytes: u64,
    entries: u64,
}

impl Room {
    fn take(&mut self, path: &Path, bytes: u64) -> Outcome<()> {
        let over = |key: &str| {
            Failure::usage(format!("the data is more than the limit `{key}` allows, at {}", path.display()))
                .hint(format!("raise `{key}` under [limits] of Enarx.toml"))
        };
        self.entries = self.entries.checked_sub(1).ok_or_else(|| over("file_count"))?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(|| over("files"))?;
        Ok(())
    }
}

/// Reads a file or a folder with all below it. Links stay links: they are resolved in the Keep.
fn read_tree(host: &Path, guest: &GuestPath, room: &mut Room, entries: &mut Vec<Entry>) -> Outcome<()> {
    let mut waiting = vec![(host.to_owned(), guest.clone())];
    while let Some((host, guest)) = waiting.pop() {
        let wrong = |error: &dyn std::fmt::Display| {
            Failure::usage(format!("could not read {}: {error}", host.display()))
        };
        // What is named is followed if it is a link; what is found below is not.
        let named = entries.is_empty() && waiting.is_empty();
        let metadata = if named { fs::metadata(&host) } else { fs::symlink_metadata(&host) };
        let metadata = metadata.map_err(|error| wrong(&error))?;
        let kind = if metadata.is_dir() {
            for entry in fs::read_dir(&host).map_err(|error| wrong(&error))? {
                let entry = entry.map_err(|error| wrong(&error))?;
                let path = entry.path();
                let named = |why: &dyn std::fmt::Display| {
                    let path = path.to_string_lossy();
                    Failure::usage(format!("could not take `{}` into the Keep: {why}", path.escape_debug()))
                        .hint("rename it, or give --dir a folder without it")
                };
                let name = entry.file_name().into_string().map_err(|_| named(&"its name is not UTF-8"))?;
                waiting.push((entry.path(), guest.join(&name).map_err(|error| named(&error))?));
            }
            if guest.is_root() {
                continue;
            }
            room.take(&host, 0)?;
            EntryKind::Directory
        } else if metadata.is_symlink() {
            let target = fs::read_link(&host).map_err(|error| wrong(&error))?;
            room.take(&host, 0)?;
            EntryKind::Symlink(
                target.into_os_string().into_string().map_err(|_| wrong(&"its target is not UTF-8"))?,
            )
        } else if metadata.is_file() {
            room.take(&host, metadata.len())?;
            EntryKind::File(input::bytes(&host, metadata.len())?)
        } else {
            return Err(wrong(&"it is neither a file, a folder nor a link"));
        };
        entries.push(Entry { path: guest, kind });
    }
    Ok(())
}

fn read_secrets(manifest: &Manifest, base: &Path) -> Outcome<BTreeMap<String, Secret>> {
    let mut secrets = BTreeMap::new();
    for wanted in manifest.inputs() {
        let Input::Secret { name, source } = wanted else { continue };
        let value = match source {
            SecretSource::Variable(variable) => env::var(variable).map(Secret::new).map_err(|_| {
                Failure::usage(format!(
                    "the secret `{name}` has no value: the variable `{variable}` is not set"
                ))
                .hint(format!("set {variable} in the environment of this command"))
            })?,
            SecretSource::File(path) => {
                let bytes = Zeroizing::new(input::bytes(&base.join(path), MAX_SECRET)?);
                Secret::from_file_contents(&bytes)
                    .ok_or_else(|| Failure::usage(format!("the secret `{name}` in {path} is not UTF-8")))?
            }
        };
        secrets.insert(name.to_owned(), value);
    }
    Ok(secrets)
}
