// SPDX-License-Identifier: Apache-2.0

//! Policies in files, and those that they extend.

use std::fs;
use std::path::{Path, PathBuf};

use enarx_verifier::policy::{self, Base, Bases, Policy, SimulatedRoot};

use crate::failure::{Failure, Outcome};
use crate::input;
use crate::trust::LOCAL;

/// A policy and what it consists of, word for word.
#[derive(Clone)]
pub(crate) struct PolicyFile {
    policy: Policy,
    text: String,
    bases: Vec<Base>,
}

impl PolicyFile {
    /// Reads a policy from a file, with those that it extends; without one, the built-in policy applies, which accepts
    /// nothing simulated.
    pub(crate) fn read(file: Option<&Path>) -> Outcome<Self> {
        let Some(file) = file else {
            return Self::parse("the built-in policy", policy::template().to_owned(), Vec::new());
        };
        let text = input::text(file)?;
        let name = file.display().to_string();
        let mut files = Files::around(file, &name);
        let policy = parse(&name, &text, &mut files)?;
        Ok(Self { policy, text, bases: files.read })
    }

    /// A policy whose text is at hand, and so are the texts of those that it extends, in turn.
    pub(crate) fn parse(name: &str, text: String, bases: Vec<Base>) -> Outcome<Self> {
        let mut remaining = bases.iter();
        let mut next = |_: &str, _: Option<&str>| {
            remaining.next().cloned().ok_or_else(|| "it was not kept with this one".to_owned())
        };
        let policy = parse(name, &text, &mut next)?;
        Ok(Self { policy, text, bases })
    }

    /// Refuses names of simulated roots that mean nothing on this machine: the policy would refuse what it seems to
    /// accept, and the refusal would not say why.
    pub(crate) fn with_known_roots(self) -> Outcome<Self> {
        let unknown = self.policy.simulated_roots().iter().find_map(|root| match root {
            SimulatedRoot::Named(name) if name != LOCAL => Some(name),
            _ => None,
        });
        match unknown {
            None => Ok(self),
            Some(name) => Err(Failure::usage(format!(
                "the policy accepts the simulated root `{name}`, and the only one that has a name here is `{LOCAL}`"
            ))
            .hint("name a host's root by its key, as that host prints it: roots = [\"sha256:…\"]")),
        }
    }

    /// Whether platforms that protect nothing are acceptable to it.
    pub(crate) fn accepts_simulated(&self) -> bool {
        !self.policy.simulated_roots().is_empty()
    }

    /// What it means.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Its text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The policies that it extends, each of which the one before names.
    pub(crate) fn bases(&self) -> &[Base] {
        &self.bases
    }
}

/// Parses a policy; mistakes are told with file, line and column.
fn parse(name: &str, text: &str, bases: &mut dyn Bases) -> Outcome<Policy> {
    Policy::parse_with(name, text, bases).map_err(|error| {
        let file = error.file.as_deref().unwrap_or(name);
        let failure = Failure::usage(format!("{file}:{}:{}: {}", error.line, error.column, error.message));
        match error.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}

/// Reads policies by paths beside the file that names them.
struct Files {
    /// Every file that was read, by the path that means it alone, and what it is called.
    known: Vec<(PathBuf, String)>,
    /// Those beside the first.
    read: Vec<Base>,
}

impl Files {
    fn around(file: &Path, name: &str) -> Self {
        let known = fs::canonicalize(file).map(|path| (path, name.to_owned()));
        Self { known: known.into_iter().collect(), read: Vec::new() }
    }
}

impl Bases for Files {
    fn find(&mut self, name: &str, from: Option<&str>) -> Result<Base, String> {
        // The same words mean the same file wherever the policy is looked at.
        let foreign = name.starts_with('/') || name.contains(['\\', ':']) || name.contains('\0');
        if foreign {
            return Err(
                "it must be a path beside the policy that names it, with `/` between its parts".to_owned()
            );
        }
        let folder = from.and_then(|from| Path::new(from).parent()).unwrap_or(Path::new(""));
        let path = folder.join(name);
        let real = fs::canonicalize(&path).map_err(|error| error.to_string())?;
        if let Some((_, known)) = self.known.iter().find(|(known, _)| *known == real) {
            return Ok(Base { name: known.clone(), text: String::new() });
        }
        if !fs::metadata(&real).map_err(|error| error.to_string())?.is_file() {
            return Err("it is not a file".to_owned());
        }
        let limit = policy::MAX_POLICY_BYTES as u64;
        let bytes = input::bytes(&real, limit).map_err(|failure| failure.message().to_owned())?;
        let text = String::from_utf8(bytes).map_err(|error| format!("it is not UTF-8: {error}"))?;
        let base = Base { name: path.display().to_string(), text };
        self.known.push((real, base.name.clone()));
        self.read.push(base.clone());
        Ok(base)
    }
}
