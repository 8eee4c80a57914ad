// SPDX-License-Identifier: Apache-2.0

//! Directories: listing while they change, moving, removing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

mod files;

use enarx_runtime::vfs::{OpenNode, OpenOptions, Vfs, VfsError};
use files::vfs;

const CREATE: OpenOptions = OpenOptions {
    follow: true,
    write: true,
    create: true,
    exclusive: false,
    truncate: false,
    directory: false,
};

fn touch(directory: &OpenNode, path: &str) {
    directory.open(path, &CREATE).unwrap();
}

fn names(directory: &OpenNode) -> Vec<String> {
    directory.entries(0, usize::MAX).unwrap().iter().map(|entry| entry.name.to_string()).collect()
}

fn with(names: &[&str]) -> (Vfs, OpenNode) {
    let vfs = vfs();
    let root = vfs.root();
    for name in names {
        touch(&root, name);
    }
    (vfs, root)
}

#[test]
fn a_listing_goes_on_although_names_go() {
    let (_vfs, root) = with(&["c", "a", "b", "d"]);
    assert_eq!(names(&root), ["c", "a", "b", "d"]);
    // As `rm -r` does: remove each entry as it is found.
    let mut cookie = 0;
    let mut seen = Vec::new();
    while let Some(entry) = root.entries(cookie, 1).unwrap().pop() {
        root.unlink(&entry.name).unwrap();
        cookie = entry.cookie;
        seen.push(entry.name.to_string());
    }
    assert_eq!(seen, ["c", "a", "b", "d"]);
    assert!(names(&root).is_empty());
}

#[test]
fn a_listing_shows_new_names_later_and_old_ones_once() {
    let (_vfs, root) = with(&["a", "b"]);
    let first = root.entries(0, 1).unwrap().pop().unwrap();
    touch(&root, "0");
    let rest: Vec<_> =
        root.entries(first.cookie, 10).unwrap().iter().map(|entry| entry.name.to_string()).collect();
    assert_eq!(rest, ["b", "0"]);
    assert!(root.entries(u64::MAX, 10).unwrap().is_empty());
    assert_eq!(root.entries(2, 10).unwrap().len(), 3);
}

#[test]
fn only_empty_directories_go() {
    let (_vfs, root) = with(&[]);
    root.create_directory("a").unwrap();
    root.create_directory("a/b").unwrap();
    assert_eq!(root.remove_directory("a"), Err(VfsError::NotEmpty));
    assert_eq!(root.unlink("a"), Err(VfsError::IsDirectory));
    assert_eq!(root.remove_directory("a/b/."), Err(VfsError::Invalid));
    assert_eq!(root.remove_directory("."), Err(VfsError::Invalid));
    root.remove_directory("a/b/").unwrap();
    root.remove_directory("a").unwrap();
    assert_eq!(root.remove_directory("a"), Err(VfsError::NotFound));
    assert_eq!(root.create_directory("."), Err(VfsError::Exists));
}

#[test]
fn a_removed_directory_that_is_open_takes_nothing_new() {
    let (vfs, root) = with(&["file"]);
    root.create_directory("gone").unwrap();
    let gone = root.open("gone", &OpenOptions { directory: true, ..OpenOptions::default() }).unwrap();
    root.remove_directory("gone").unwrap();
    assert_eq!(gone.create_directory("x"), Err(VfsError::NotFound));
    assert_eq!(gone.open("x", &CREATE).err(), Some(VfsError::NotFound));
    assert_eq!(gone.symlink("x", "y"), Err(VfsError::NotFound));
    assert_eq!(root.rename("file", &gone, "file"), Err(VfsError::NotFound));
    assert_eq!(root.link("file", false, &gone, "file"), Err(VfsError::NotFound));
    assert_eq!(gone.entries(0, 10), Ok(vec![]));
    assert_eq!(names(&root), ["file"]);
    assert_eq!(vfs.usage().entries, 2);
    drop(gone);
    assert_eq!(vfs.usage().entries, 1);
}

#[test]
fn a_directory_does_not_move_into_itself() {
    let (_vfs, root) = with(&[]);
    for path in ["a", "a/b", "a/b/c", "other"] {
        root.create_directory(path).unwrap();
    }
    for target in ["a/x", "a/b/x", "a/b/c/x"] {
        assert_eq!(root.rename("a", &root, target), Err(VfsError::Invalid), "{target}");
    }
    assert_eq!(root.rename("a", &root, "a/b"), Err(VfsError::Invalid));
    assert_eq!(root.rename(".", &root, "x"), Err(VfsError::Busy));
    assert_eq!(root.rename("a", &root, "other/.."), Err(VfsError::Busy));
    root.rename("a", &root, "a").unwrap();
    root.rename("a/b", &root, "other/b").unwrap();
    assert!(root.stat_at("other/b/c", true).is_ok());
    // The tree above counts, not the path that was used.
    root.symlink("../other", "a/link").unwrap();
    assert_eq!(root.rename("other", &root, "a/link/b/x"), Err(VfsError::Invalid));
}

#[test]
fn moving_over_something_follows_posix() {
    let (vfs, root) = with(&["file", "file2"]);
    root.create_directory("empty").unwrap();
    root.create_directory("full").unwrap();
    touch(&root, "full/x");
    assert_eq!(root.rename("file", &root, "empty"), Err(VfsError::IsDirectory));
    assert_eq!(root.rename("empty", &root, "file"), Err(VfsError::NotDirectory));
    assert_eq!(root.rename("empty", &root, "full"), Err(VfsError::NotEmpty));
    assert_eq!(root.rename("none", &root, "file"), Err(VfsError::NotFound));
    assert_eq!(root.rename("file", &root, "none/file"), Err(VfsError::NotFound));
    let replaced = root.open("file2", &CREATE).unwrap();
    root.rename("file", &root, "file2").unwrap();
    root.rename("full", &root, "empty").unwrap();
    assert_eq!(names(&root), ["file2", "empty"]);
    assert!(root.stat_at("empty/x", true).is_ok());
    assert_eq!(replaced.stat().unwrap().links, 0);
    drop(replaced);
    assert_eq!(vfs.usage().entries, 3);
    // A link is moved, not what it leads to.
    root.symlink("file2", "link").unwrap();
    root.rename("link", &root, "link2").unwrap();
    assert_eq!(root.read_link("link2"), Ok("file2".into()));
}

#[test]
fn directories_have_one_name() {
    let (_vfs, root) = with(&[]);
    root.create_directory("a").unwrap();
    assert_eq!(root.link("a", false, &root, "b"), Err(VfsError::NotPermitted));
    assert_eq!(root.stat_at("a", true).unwrap().links, 1);
}

#[test]
fn two_file_systems_are_two() {
    let (_one, root) = with(&["file"]);
    let (_two, other) = with(&["file"]);
    assert_eq!(root.rename("file", &other, "x"), Err(VfsError::Invalid));
    assert_eq!(root.link("file", true, &other, "x"), Err(VfsError::Invalid));
    assert!(!root.is_same(&other));
}
