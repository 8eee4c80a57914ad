// SPDX-License-Identifier: Apache-2.0

//! What decisions about Keeps depend on beside their evidence, watched by looking at it from time to time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::policy::PolicyFile;
use crate::release;
use crate::state::State;

/// How files were when they were looked at. One that is not there has no state.
type Files = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

/// What was there at some time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inputs {
    policy: Files,
    advisories: Files,
    keep_program: Files,
    keeps: Vec<String>,
}

impl Inputs {
    pub(super) fn look(state: &State, policy: Option<&Path>) -> Self {
        // A list that cannot be read is reported by the round that needs it.
        let keeps = state.keeps().unwrap_or_default();
        Self {
            policy: files(policy.map(policies).unwrap_or_default()),
            advisories: files(state.advisories().files()),
            keep_program: files(release::installed()),
            keeps: keeps.into_iter().map(|record| record.keep).collect(),
        }
    }

    /// The first that is no longer what it was.
    pub(super) fn changed_since(&self, before: &Self) -> Option<&'static str> {
        let new_keep = self.keeps.iter().any(|keep| !before.keeps.contains(keep));
        let changes = [
            (self.policy != before.policy, "policy"),
            (self.advisories != before.advisories, "advisories"),
            (self.keep_program != before.keep_program, "keep program"),
            (new_keep, "new keep"),
        ];
        changes.into_iter().find(|(changed, _)| *changed).map(|(_, what)| what)
    }
}

/// A policy and those that it extends, as far as it can be read.
fn policies(policy: &Path) -> Vec<PathBuf> {
    let bases = PolicyFile::read(Some(policy)).map(|file| file.bases().to_vec()).unwrap_or_default();
    let bases = bases.into_iter().map(|base| PathBuf::from(base.name));
    [policy.to_owned()].into_iter().chain(bases).collect()
}

fn files(paths: impl IntoIterator<Item = PathBuf>) -> Files {
    let look = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    paths.into_iter().map(|path| (path.clone(), look(&path))).collect()
}
