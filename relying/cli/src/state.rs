// SPDX-License-Identifier: Apache-2.0

//! What `enarx` keeps on the tenant's machine: the owner key, the simulator's state, and a record of every Keep that
//! was left running.

use std::env;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use enarx_session::OwnerKey;
use enarx_verifier::policy::Base;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::advisory::FeedStore;
use crate::failure::{Failure, Outcome};
use crate::policy::PolicyFile;

const OWNER_KEY_FILE: &str = "owner.key";
const VERIFIER_KEY_FILE: &str = "verifier.key";
const CA_KEY_FILE: &str = "ca.key";
const CA_CERTIFICATE_FILE: &str = "ca.pem";
const CACHE_KEY_FILE: &str = "cache.key";
const KEEPS_FOLDER: &str = "keeps";
/// The folder of the simulator in the state folder.
pub(crate) const SIMULATOR_FOLDER: &str = "simulator";
/// A record is a page of text and the policy with those that it extends; anything larger was not written by us.
const MAX_RECORD: u64 = 32 << 20;

/// The folder of all lasting state, readable by its user alone.
pub(crate) struct State {
    folder: PathBuf,
}

/// A Keep that runs without us, and what is needed to look after it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeepRecord {
    /// The Keep's identity key, in hexadecimal: its name
    pub(crate) keep: String,
    /// The host's address
    pub(crate) host: String,
    /// The host's name for the Keep
    pub(crate) host_id: String,
    /// What was deployed, as the tenant called it
    pub(crate) workload: String,
    /// SHA-256 digest of the workload, in hexadecimal
    pub(crate) workload_digest: String,
    /// The trust policy it was accepted under, word for word
    pub(crate) policy: String,
    /// The policies that it extends, each of which the one before names: what it is called, and its text
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) policy_bases: Vec<(String, String)>,
    /// Whether the platform was a simulated one
    pub(crate) simulated: bool,
    /// When it was deployed, seconds since 1970
    pub(crate) deployed_at: u64,
    /// Where the workload came from; those who deployed it with an earlier version did not say
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Source>,
    /// What `enarx keep watch` found out about it since
    #[serde(default)]
    pub(crate) watched: Watched,
}

/// What a workload was read from, so that it can be read again. Secrets are not in here but where Enarx.toml says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    /// The program or the folder with its Enarx.toml, absolute
    pub(crate) workload: PathBuf,
    /// Arguments that were given, if any were
    pub(crate) arguments: Vec<String>,
    /// Variables that were set
    pub(crate) environment: Vec<(String, String)>,
    /// Folders that were provisioned, absolute, and where the workload sees them
    pub(crate) folders: Vec<(PathBuf, String)>,
}

/// What became of a Keep after it was deployed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Watched {
    /// When it was last accepted again, seconds since 1970
    pub(crate) accepted_at: Option<u64>,
    /// It is no longer accepted
    pub(crate) flag: Option<Flag>,
}

/// Why a Keep is no longer accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flag {
    /// When that was noticed, seconds since 1970
    pub(crate) since: u64,
    /// The codes of the refusals, each once
    pub(crate) codes: Vec<String>,
    /// What was said first
    pub(crate) reason: String,
    /// The Keep was stopped for it
    pub(crate) stopped: bool,
    /// The Keep in which its workload was started anew for it, in hexadecimal
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) redeployed: Option<String>,
}

impl KeepRecord {
    /// Enough of its name to tell it from others.
    pub(crate) fn name(&self) -> &str {
        self.keep.get(..12).unwrap_or(&self.keep)
    }

    /// The policy that it was accepted under.
    pub(crate) fn policy_file(&self) -> Outcome<PolicyFile> {
        let base = |(name, text): &(String, String)| Base { name: name.clone(), text: text.clone() };
        let bases = self.policy_bases.iter().map(base).collect();
        PolicyFile::parse("the policy it was deployed under", self.policy.clone(), bases)
    }
}

impl State {
    /// Opens the state folder: `$ENARX_STATE_DIR`, else `enarx` in the user's state folder.
    pub(crate) fn open() -> Outcome<Self> {
        let folder = Self::place()?;
        private_folder(&folder)?;
        Ok(Self { folder })
    }

    /// Where the state folder is or will be; makes nothing.
    pub(crate) fn place() -> Outcome<PathBuf> {
        user_folder("ENARX_STATE_DIR", "XDG_STATE_HOME", ".local/state")
    }

    /// The files in the state folder that nobody else may read.
    pub(crate) const KEYS: [&str; 4] = [OWNER_KEY_FILE, VERIFIER_KEY_FILE, CACHE_KEY_FILE, CA_KEY_FILE];

    pub(crate) fn simulator_folder(&self) -> PathBuf {
        self.folder.join(SIMULATOR_FOLDER)
    }

    /// Where the key is that authenticates the cache of compiled programs.
    pub(crate) fn cache_key_file(&self) -> PathBuf {
        self.folder.join(CACHE_KEY_FILE)
    }

    /// The feeds of advisories that the tenant listens to.
    pub(crate) fn advisories(&self) -> FeedStore {
        FeedStore::new(&self.folder)
    }

    /// The owner key; made on first use.
    pub(crate) fn owner_key(&self) -> Outcome<OwnerKey> {
        let seed = self.key(OWNER_KEY_FILE)?;
        Ok(OwnerKey::from_seed(&seed))
    }

    /// The key that signs results of `enarx verify`; made on first use.
    pub(crate) fn verifier_key(&self) -> Outcome<Zeroizing<[u8; 32]>> {
        self.key(VERIFIER_KEY_FILE)
    }

    /// The secret of the tenant's certificate authority; made on first use.
    pub(crate) fn ca_key(&self) -> Outcome<Zeroizing<[u8; 32]>> {
        self.key(CA_KEY_FILE)
    }

    /// Where the authority's key is.
    pub(crate) fn ca_key_file(&self) -> PathBuf {
        self.folder.join(CA_KEY_FILE)
    }

    /// Where the authority's certificate is.
    pub(crate) fn ca_certificate_file(&self) -> PathBuf {
        self.folder.join(CA_CERTIFICATE_FILE)
    }

    fn key(&self, file: &str) -> Outcome<Zeroizing<[u8; 32]>> {
        let path = self.folder.join(file);
        match read_seed(&path)? {
            Some(seed) => Ok(seed),
            None => make_seed(&path),
        }
    }

    pub(crate) fn remember(&self, record: &KeepRecord) -> Outcome<()> {
        let folder = self.folder.join(KEEPS_FOLDER);
        private_folder(&folder)?;
        let text = serde_json::to_vec_pretty(record).map_err(Failure::usage)?;
        write_private(&folder.join(format!("{}.json", record.keep)), &text).map_err(|error| {
            Failure::usage(format!("could not record the Keep in {}: {error}", folder.display()))
        })
    }

    /// Remembers a Keep anew that was not forgotten meanwhile.
    pub(crate) fn update(&self, record: &KeepRecord) -> Outcome<()> {
        let known = self.folder.join(KEEPS_FOLDER).join(format!("{}.json", record.keep)).exists();
        if known { self.remember(record) } else { Ok(()) }
    }

    pub(crate) fn forget(&self, record: &KeepRecord) -> Outcome<()> {
        let path = self.folder.join(KEEPS_FOLDER).join(format!("{}.json", record.keep));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Failure::usage(format!("could not remove {}: {error}", path.display())))
            }
            _ => Ok(()),
        }
    }

    /// All recorded Keeps, oldest first.
    pub(crate) fn keeps(&self) -> Outcome<Vec<KeepRecord>> {
        let folder = self.folder.join(KEEPS_FOLDER);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(Failure::usage(format!("could not list {}: {error}", folder.display())));
            }
        };
        let mut records = Vec::new();
        for entry in entries.flatten().filter(|entry| entry.path().extension().is_some_and(|e| e == "json")) {
            records.push(read_record(&entry.path())?);
        }
        records.sort_by(|a, b| (a.deployed_at, &a.keep).cmp(&(b.deployed_at, &b.keep)));
        Ok(records)
    }

    /// The one Keep whose name begins with `name`.
    pub(crate) fn find(&self, name: &str) -> Outcome<KeepRecord> {
        let mut matching = self.keeps()?.into_iter().filter(|record| record.keep.starts_with(name));
        match (matching.next(), matching.next()) {
            (Some(record), None) => Ok(record),
            (None, _) => Err(Failure::usage(format!("no Keep of yours is called `{name}`"))
                .hint("`enarx keep ls` lists the Keeps that were deployed from here")),
            (Some(_), Some(_)) => Err(Failure::usage(format!("more than one Keep begins with `{name}`"))
                .hint("give more of its name; `enarx keep ls` lists them")),
        }
    }
}

/// The folder of what can be made again: compiled programs.
pub(crate) fn cache_folder() -> Outcome<PathBuf> {
    user_folder("ENARX_CACHE_DIR", "XDG_CACHE_HOME", ".cache")
}

fn user_folder(own: &str, standard: &str, below_home: &str) -> Outcome<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(path) = env::var_os(own) {
        return std::path::absolute(PathBuf::from(path))
            .map_err(|error| Failure::usage(format!("{own}: {error}")));
    }
    absolute(standard)
        .or_else(|| absolute("HOME").map(|home| home.join(below_home)))
        .map(|path| path.join("enarx"))
        .ok_or_else(|| Failure::usage("there is no home folder").hint(format!("set {own} to a folder")))
}

pub(crate) fn private_folder(path: &Path) -> Outcome<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| Failure::usage(format!("could not make the folder {}: {error}", path.display())))
}

/// A secret key in a file of the tenant's.
pub(crate) fn read_key(path: &Path) -> Outcome<Zeroizing<[u8; 32]>> {
    read_seed(path)?.ok_or_else(|| {
        Failure::usage(format!("there is no key {}", path.display()))
            .hint("`enarx advisory key --new` makes one")
    })
}

/// A new secret key in a file that is not there yet, readable by its user alone.
pub(crate) fn new_key(path: &Path) -> Outcome<Zeroizing<[u8; 32]>> {
    if path.exists() {
        return Err(Failure::usage(format!("{} is already there", path.display()))
            .hint("without `--new` its public key is printed"));
    }
    make_seed(path)
}

fn read_seed(path: &Path) -> Outcome<Option<Zeroizing<[u8; 32]>>> {
    let unreadable =
        |error: io::Error| Failure::usage(format!("could not read the key {}: {error}", path.display()));
    let file = match OpenOptions::new().read(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Failure::usage(format!(
            "the key {} is open to other users of this machine: its mode is {mode:04o}",
            path.display()
        ))
        .hint(format!(
            "`chmod 600 {0}` closes it; if others may have read it, move it away for a new key",
            path.display()
        )));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_RECORD).read_to_string(&mut text).map_err(unreadable)?;
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), seed.as_mut_slice()).map_err(|_| {
        Failure::usage(format!("{} is not a key: 64 hexadecimal digits were expected", path.display())).hint(
            "restore it from a backup; Keeps can be reached with the owner key that they know, and no other",
        )
    })?;
    Ok(Some(seed))
}

fn make_seed(path: &Path) -> Outcome<Zeroizing<[u8; 32]>> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice())
        .map_err(|error| Failure::usage(format!("the system gave no randomness: {error}")))?;
    let text = Zeroizing::new(hex::encode(seed.as_slice()));
    let temporary = temporary_beside(path);
    let written = write_new(&temporary, text.as_bytes())
        // A link instead of a rename: of two first uses at once, one key wins and both use it.
        .and_then(|()| fs::hard_link(&temporary, path));
    // Its absence is what we want.
    let _ = fs::remove_file(&temporary);
    match written {
        Ok(()) => Ok(seed),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            read_seed(path)?.ok_or_else(|| Failure::usage(format!("{} vanished", path.display())))
        }
        Err(error) => Err(Failure::usage(format!("could not write the key {}: {error}", path.display()))),
    }
}

fn read_record(path: &Path) -> Outcome<KeepRecord> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_RECORD).read_to_end(&mut bytes))
        .map_err(|error| Failure::usage(format!("could not read {}: {error}", path.display())))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::usage(format!("{} is not the record of a Keep: {error}", path.display()))
            .hint("move the file away to go on without it")
    })
}

fn temporary_beside(path: &Path) -> PathBuf {
    path.with_extension(format!("{}.new", std::process::id()))
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Replaces a file as a whole, readable by its user alone.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary_beside(path);
    write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| {
        // Nothing half written stays behind.
        let _ = fs::remove_file(&temporary);
    })
}
