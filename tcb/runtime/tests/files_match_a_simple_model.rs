// SPDX-License-Identifier: Apache-2.0

//! Random sequences of operations do to the file system what they do to a model that is too simple to be wrong: a
//! map from paths to what is there, every file a plain vector.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

mod files;

use std::collections::BTreeMap;

use bytes::Bytes;
use enarx_runtime::vfs::{Access, FileType, OpenNode, OpenOptions, Usage, VfsError};
use files::vfs_of;
use proptest::prelude::*;

const BYTES: u64 = 300_000;
const ENTRIES: u64 = 12;
const MAX_LINKS: u32 = 40;

type Path = Vec<String>;

#[derive(Clone, Debug, PartialEq)]
enum Thing {
    File(usize),
    Directory,
    Link(String),
}

/// Files by number, so that two names can lead to one; paths to things. The root is not in the map.
#[derive(Default)]
struct Model {
    files: Vec<Vec<u8>>,
    things: BTreeMap<Path, Thing>,
}

#[derive(Clone, Debug)]
enum Operation {
    Write { path: String, offset: u64, len: usize, byte: u8 },
    Append { path: String, len: usize, byte: u8 },
    SetLen { path: String, len: u64 },
    Mkdir(String),
    Unlink(String),
    Rmdir(String),
    Rename(String, String),
    Link(String, String),
    Symlink(String, String),
    Stat { path: String, follow: bool },
}

type Done<T = ()> = Result<T, VfsError>;

impl Model {
    fn used(&self) -> Usage {
        let mut seen = std::collections::BTreeSet::new();
        let bytes = self.things.values().map(|thing| match thing {
            Thing::File(number) if seen.insert(*number) => self.files[*number].len(),
            Thing::Link(target) => target.len(),
            _ => 0,
        });
        Usage { bytes: bytes.sum::<usize>() as u64, entries: self.things.len() as u64 }
    }

    fn room(&self, bytes: u64, entries: u64) -> Done {
        let used = self.used();
        if used.entries + entries > ENTRIES {
            return Err(VfsError::EntriesExceeded);
        }
        if used.bytes + bytes > BYTES { Err(VfsError::BytesExceeded) } else { Ok(()) }
    }

    /// The directory and the full path that a path leads to. Every step starts over from the root.
    fn find(&self, path: &str, follow: bool, links: &mut u32) -> Done<Path> {
        let mut at = Path::new();
        let names: Vec<&str> = path.split('/').collect();
        for (i, name) in names.iter().enumerate() {
            if !at.is_empty() && self.things.get(&at) != Some(&Thing::Directory) {
                return Err(if self.things.contains_key(&at) {
                    VfsError::NotDirectory
                } else {
                    VfsError::NotFound
                });
            }
            if *name == ".." {
                at.pop().ok_or(VfsError::NotPermitted)?;
                continue;
            }
            let mut next = at.clone();
            next.push((*name).to_string());
            if let Some(Thing::Link(target)) = self.things.get(&next)
                && (follow || i + 1 < names.len())
            {
                *links += 1;
                if *links > MAX_LINKS {
                    return Err(VfsError::Loop);
                }
                let above = at.iter().map(String::as_str);
                let whole: Vec<&str> =
                    above.chain([target.as_str()]).chain(names[i + 1..].iter().copied()).collect();
                // Going down plain directories again passes no links, so counting goes on rightly.
                return self.find(&whole.join("/"), follow, links);
            }
            at = next;
        }
        Ok(at)
    }

    fn entry(&self, path: &str, follow: bool) -> Done<(Path, Option<Thing>)> {
        let at = self.find(path, follow, &mut 0)?;
        let thing = if at.is_empty() { Some(Thing::Directory) } else { self.things.get(&at).cloned() };
        Ok((at, thing))
    }

    /// A path whose last name is not `..`, which the rules for changing names treat apart.
    fn named(&self, path: &str, otherwise: VfsError) -> Done<(Path, Option<Thing>)> {
        let entry = self.entry(path, false)?;
        if path.ends_with("..") { Err(otherwise) } else { Ok(entry) }
    }

    fn open(&mut self, path: &str) -> Done<usize> {
        match self.entry(path, true)? {
            (_, Some(Thing::File(number))) => Ok(number),
            (_, Some(_)) => Err(VfsError::IsDirectory),
            (at, None) => {
                self.room(0, 1)?;
                self.files.push(Vec::new());
                self.things.insert(at, Thing::File(self.files.len() - 1));
                Ok(self.files.len() - 1)
            }
        }
    }

    fn write(&mut self, path: &str, offset: Option<u64>, len: usize, byte: u8) -> Done {
        let number = self.open(path)?;
        let old = self.files[number].len();
        let start = offset.map_or(old, |offset| usize::try_from(offset).unwrap());
        if len == 0 {
            return Ok(());
        }
        self.room((start + len).saturating_sub(old) as u64, 0)?;
        let file = &mut self.files[number];
        file.resize(old.max(start + len), 0);
        file[start..start + len].fill(byte);
        Ok(())
    }

    fn has_entries(&self, path: &Path) -> bool {
        self.things.keys().any(|other| other.len() > path.len() && other.starts_with(path))
    }

    fn apply(&mut self, operation: &Operation) -> Done<Option<(FileType, u64)>> {
        match operation {
            Operation::Write { path, offset, len, byte } => self.write(path, Some(*offset), *len, *byte)?,
            Operation::Append { path, len, byte } => self.write(path, None, *len, *byte)?,
            Operation::SetLen { path, len } => {
                let number = self.open(path)?;
                self.room(len.saturating_sub(self.files[number].len() as u64), 0)?;
                self.files[number].resize(usize::try_from(*len).unwrap(), 0);
            }
            Operation::Mkdir(path) => self.create(path, Thing::Directory, 0)?,
            Operation::Symlink(target, path) => {
                self.create(path, Thing::Link(target.clone()), target.len() as u64)?;
            }
            Operation::Unlink(path) => match self.named(path, VfsError::IsDirectory)? {
                (_, None) => return Err(VfsError::NotFound),
                (_, Some(Thing::Directory)) => return Err(VfsError::IsDirectory),
                (at, _) => drop(self.things.remove(&at)),
            },
            Operation::Rmdir(path) => match self.named(path, VfsError::Invalid)? {
                (_, None) => return Err(VfsError::NotFound),
                (at, Some(Thing::Directory)) if self.has_entries(&at) => return Err(VfsError::NotEmpty),
                (at, Some(Thing::Directory)) => drop(self.things.remove(&at)),
                _ => return Err(VfsError::NotDirectory),
            },
            Operation::Rename(from, to) => self.rename(from, to)?,
            Operation::Link(from, to) => {
                let thing = self.entry(from, false)?.1.ok_or(VfsError::NotFound)?;
                if thing == Thing::Directory {
                    return Err(VfsError::NotPermitted);
                }
                // The model has no links to links; the sequences are made without them.
                self.create(to, thing, 0)?;
            }
            Operation::Stat { path, follow } => {
                return Ok(Some(match self.entry(path, *follow)?.1.ok_or(VfsError::NotFound)? {
                    Thing::File(number) => (FileType::Regular, self.files[number].len() as u64),
                    Thing::Directory => (FileType::Directory, 0),
                    Thing::Link(target) => (FileType::Symlink, target.len() as u64),
                }));
            }
        }
        Ok(None)
    }

    fn create(&mut self, path: &str, thing: Thing, bytes: u64) -> Done {
        let (at, None) = self.named(path, VfsError::Exists)? else { return Err(VfsError::Exists) };
        self.room(0, 1)?;
        self.room(bytes, 1)?;
        self.things.insert(at, thing);
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Done {
        let (from, thing) = self.named(from, VfsError::Busy)?;
        let thing = thing.ok_or(VfsError::NotFound)?;
        let (to, replaced) = self.named(to, VfsError::Busy)?;
        if thing == Thing::Directory && to.len() > from.len() && to.starts_with(&from) {
            return Err(VfsError::Invalid);
        }
        match (&thing, &replaced) {
            _ if from == to => return Ok(()),
            (Thing::File(one), Some(Thing::File(other))) if one == other => return Ok(()),
            (Thing::Directory, Some(Thing::Directory)) if self.has_entries(&to) => {
                return Err(VfsError::NotEmpty);
            }
            (Thing::Directory, Some(Thing::File(_) | Thing::Link(_))) => return Err(VfsError::NotDirectory),
            (Thing::File(_) | Thing::Link(_), Some(Thing::Directory)) => return Err(VfsError::IsDirectory),
            _ => {}
        }
        let moved: Vec<_> = self.things.keys().filter(|path| path.starts_with(&from)).cloned().collect();
        for path in moved {
            let thing = self.things.remove(&path).unwrap();
            self.things.insert(to.iter().chain(&path[from.len()..]).cloned().collect(), thing);
        }
        Ok(())
    }
}

fn apply(root: &OpenNode, operation: &Operation) -> Done<Option<(FileType, u64)>> {
    let options = OpenOptions { follow: true, write: true, create: true, ..OpenOptions::default() };
    match operation {
        Operation::Write { path, offset, len, byte } => {
            assert_eq!(root.open(path, &options)?.write_at(*offset, &vec![*byte; *len])?, *len);
        }
        Operation::Append { path, len, byte } => {
            assert_eq!(root.open(path, &options)?.append(&vec![*byte; *len])?.0, *len);
        }
        Operation::SetLen { path, len } => root.open(path, &options)?.set_len(*len)?,
        Operation::Mkdir(path) => root.create_directory(path)?,
        Operation::Unlink(path) => root.unlink(path)?,
        Operation::Rmdir(path) => root.remove_directory(path)?,
        Operation::Rename(from, to) => root.rename(from, root, to)?,
        Operation::Link(from, to) => root.link(from, false, root, to)?,
        Operation::Symlink(target, path) => root.symlink(target, path)?,
        Operation::Stat { path, follow } => {
            let stat = root.stat_at(path, *follow)?;
            return Ok(Some((stat.file_type, stat.size)));
        }
    }
    Ok(None)
}

/// Everything under a directory, by path, with content.
fn collect(directory: &OpenNode, path: &Path, into: &mut BTreeMap<Path, (FileType, Vec<u8>)>) {
    for entry in directory.entries(0, usize::MAX).unwrap() {
        let mut path = path.clone();
        path.push(entry.name.to_string());
        let content = match entry.file_type {
            FileType::Symlink => directory.read_link(&entry.name).unwrap().into_bytes(),
            FileType::Regular => {
                let file = directory.open(&entry.name, &OpenOptions::default()).unwrap();
                let mut bytes = vec![0xee; usize::try_from(file.stat().unwrap().size).unwrap()];
                assert_eq!(file.read_at(0, &mut bytes), Ok(bytes.len()));
                bytes
            }
            FileType::Directory => {
                let below = directory.open(&entry.name, &OpenOptions::default()).unwrap();
                collect(&below, &path, into);
                Vec::new()
            }
        };
        into.insert(path, (entry.file_type, content));
    }
}

fn path() -> impl Strategy<Value = String> {
    let name = prop_oneof![8 => "[ab]", 3 => "c", 1 => Just("..".to_string())];
    prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"))
}

fn operation() -> impl Strategy<Value = Operation> {
    let offset = prop_oneof![0..100_u64, 65_000..66_000_u64, 0..200_000_u64];
    let len = prop_oneof![0..50_usize, 65_000..66_000_usize, 0..150_000_usize];
    prop_oneof![
        (path(), offset.clone(), len.clone(), any::<u8>())
            .prop_map(|(path, offset, len, byte)| Operation::Write { path, offset, len, byte }),
        (path(), len, any::<u8>()).prop_map(|(path, len, byte)| Operation::Append { path, len, byte }),
        (path(), offset).prop_map(|(path, len)| Operation::SetLen { path, len }),
        path().prop_map(Operation::Mkdir),
        path().prop_map(Operation::Unlink),
        path().prop_map(Operation::Rmdir),
        (path(), path()).prop_map(|(from, to)| Operation::Rename(from, to)),
        (path(), path()).prop_map(|(from, to)| Operation::Link(from, to)),
        (path(), path()).prop_map(|(target, path)| Operation::Symlink(target, path)),
        (path(), any::<bool>()).prop_map(|(path, follow)| Operation::Stat { path, follow }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn operations_do_what_the_model_does(operations in prop::collection::vec(operation(), 1..60)) {
        let vfs = vfs_of(BYTES, ENTRIES);
        vfs.seed_file("/a/seed", Bytes::from(vec![9; 100_000]), Access::ReadWrite).unwrap();
        let root = vfs.root();
        let mut model = Model { files: vec![vec![9; 100_000]], things: BTreeMap::new() };
        model.things.insert(vec!["a".into()], Thing::Directory);
        model.things.insert(vec!["a".into(), "seed".into()], Thing::File(0));
        for operation in &operations {
            // Links to links are left out, see the model.
            if let Operation::Link(from, _) = operation
                && matches!(model.entry(from, false), Ok((_, Some(Thing::Link(_))))) {
                continue;
            }
            prop_assert_eq!(apply(&root, operation), model.apply(operation), "{:?}", operation);
            prop_assert_eq!(vfs.usage(), model.used(), "{:?}", operation);
        }
        let mut found = BTreeMap::new();
        collect(&root, &Path::new(), &mut found);
        let expected: BTreeMap<_, _> = model.things.iter().map(|(path, thing)| (path.clone(), match thing {
            Thing::File(number) => (FileType::Regular, model.files[*number].clone()),
            Thing::Directory => (FileType::Directory, Vec::new()),
            Thing::Link(target) => (FileType::Symlink, target.clone().into_bytes()),
        })).collect();
        prop_assert_eq!(found, expected);
    }
}
