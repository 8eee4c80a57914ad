// SPDX-License-Identifier: Apache-2.0

//! The quotas of bytes and of entries, and the entries that were provisioned read-only.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

mod files;

use bytes::Bytes;
use enarx_runtime::vfs::{Access, OpenOptions, SetTime, Usage, VfsError};
use files::vfs_of;

const CREATE: OpenOptions = OpenOptions {
    follow: true,
    write: true,
    create: true,
    exclusive: false,
    truncate: false,
    directory: false,
};
const READ: OpenOptions = OpenOptions { create: false, write: false, ..CREATE };

#[test]
fn a_sparse_file_counts_with_all_it_claims() {
    let vfs = vfs_of(1 << 20, 10);
    let file = vfs.root().open("file", &CREATE).unwrap();
    assert_eq!(file.set_len(1 << 30), Err(VfsError::BytesExceeded));
    assert_eq!(file.write_at(1 << 30, b"x"), Err(VfsError::BytesExceeded));
    assert_eq!(file.stat().unwrap().size, 0);
    file.set_len(1 << 20).unwrap();
    assert_eq!(vfs.usage().bytes, 1 << 20);
    assert_eq!(file.append(b"x"), Err(VfsError::BytesExceeded));
    // Inside the file nothing is added.
    file.write_at((1 << 20) - 3, b"end").unwrap();
    assert_eq!(file.write_at((1 << 20) - 2, b"end"), Err(VfsError::BytesExceeded));
    file.set_len(10).unwrap();
    assert_eq!(vfs.usage().bytes, 10);
    file.append(b"x").unwrap();
    assert_eq!(vfs.usage().bytes, 11);
}

#[test]
fn a_terabyte_within_the_quota_takes_no_memory_until_it_is_written() {
    let vfs = vfs_of(1 << 42, 10);
    let file = vfs.root().open("file", &CREATE).unwrap();
    file.set_len(1 << 40).unwrap();
    file.write_at(1 << 39, b"x").unwrap();
    let mut byte = [1; 2];
    file.read_at((1 << 39) - 1, &mut byte).unwrap();
    assert_eq!(&byte, b"\0x");
    file.set_len(0).unwrap();
    assert_eq!(vfs.usage().bytes, 0);
}

#[test]
fn names_count_whatever_they_lead_to() {
    let vfs = vfs_of(1 << 20, 4);
    let root = vfs.root();
    drop(root.open("file", &CREATE).unwrap());
    root.create_directory("directory").unwrap();
    root.symlink("file", "symlink").unwrap();
    root.link("file", true, &root, "link").unwrap();
    assert_eq!(vfs.usage(), Usage { bytes: 4, entries: 4 });
    let full = Err(VfsError::EntriesExceeded);
    assert_eq!(root.open("x", &CREATE).map(drop), full);
    assert_eq!(root.create_directory("x"), full);
    assert_eq!(root.symlink("file", "x"), full);
    assert_eq!(root.link("file", true, &root, "x"), full);
    assert_eq!(vfs.usage(), Usage { bytes: 4, entries: 4 });
    root.rename("file", &root, "x").unwrap();
    root.rename("x", &root, "symlink").unwrap();
    assert_eq!(vfs.usage(), Usage { bytes: 0, entries: 3 });
    root.create_directory("x").unwrap();
    assert_eq!(root.create_directory("y"), full);
}

#[test]
fn what_is_open_without_a_name_counts() {
    let vfs = vfs_of(1 << 20, 2);
    let root = vfs.root();
    let held: Vec<_> = (0..2)
        .map(|_| {
            let file = root.open("temporary", &CREATE).unwrap();
            root.unlink("temporary").unwrap();
            file
        })
        .collect();
    assert_eq!(root.open("temporary", &CREATE).map(drop), Err(VfsError::EntriesExceeded));
    drop(held);
    root.open("temporary", &CREATE).unwrap();
}

#[test]
fn links_count_their_targets() {
    let vfs = vfs_of(10, 10);
    assert_eq!(vfs.root().symlink("01234567890", "a"), Err(VfsError::BytesExceeded));
    vfs.root().symlink("0123456789", "a").unwrap();
    assert_eq!(vfs.root().symlink("0", "b"), Err(VfsError::BytesExceeded));
    assert_eq!(vfs.usage(), Usage { bytes: 10, entries: 1 });
    vfs.root().unlink("a").unwrap();
    assert_eq!(vfs.usage(), Usage::default());
}

#[test]
fn the_seed_is_held_to_the_quota_and_to_the_rules_of_names() {
    let vfs = vfs_of(10, 3);
    let seed = |path, len| vfs.seed_file(path, Bytes::from(vec![0; len]), Access::ReadWrite);
    assert_eq!(seed("/a", 11), Err(VfsError::BytesExceeded));
    seed("/data/a", 10).unwrap();
    assert_eq!(seed("/data/b", 1), Err(VfsError::BytesExceeded));
    assert_eq!(seed("/data/a", 0), Err(VfsError::Exists));
    assert_eq!(seed("/data/a/b", 0), Err(VfsError::NotDirectory));
    assert_eq!(seed("relative", 0), Err(VfsError::Invalid));
    assert_eq!(seed("/data/..", 0), Err(VfsError::NotPermitted));
    assert_eq!(seed("/../a", 0), Err(VfsError::NotPermitted));
    assert_eq!(seed("/./a", 0), Err(VfsError::Invalid));
    assert_eq!(seed("/data/", 0), Err(VfsError::NotFound));
    seed("/data/c", 0).unwrap();
    assert_eq!(seed("/data/d", 0), Err(VfsError::EntriesExceeded));
}

#[test]
fn what_is_read_only_stays_as_it_is() {
    let vfs = vfs_of(1 << 20, 100);
    vfs.seed_file("/fixed/file", Bytes::from_static(b"content"), Access::ReadOnly).unwrap();
    vfs.seed_symlink("/fixed/link", "file", Access::ReadOnly).unwrap();
    vfs.seed_file("/open/file", Bytes::from_static(b"content"), Access::ReadOnly).unwrap();
    vfs.seed_directory("/fixed", Access::ReadOnly).unwrap();
    vfs.seal();
    let refused = Some(VfsError::ReadOnly);
    let root = vfs.root();
    for path in ["fixed/file", "fixed/link", "open/file"] {
        let file = root.open(path, &READ).unwrap();
        assert_eq!(file.read_at(0, &mut [0; 9]), Ok(7));
        assert_eq!(root.open(path, &CREATE).err(), refused);
        assert_eq!(root.open(path, &OpenOptions { truncate: true, ..READ }).err(), refused);
        assert_eq!(file.write_at(0, b"x").err(), refused);
        assert_eq!(file.append(b"x").err(), refused);
        assert_eq!(file.set_len(0).err(), refused);
        assert_eq!(file.set_times(SetTime::Now, SetTime::Now).err(), refused);
        assert_eq!(root.unlink(path).err(), refused);
        assert_eq!(root.rename(path, &root, "x").err(), refused);
        assert_eq!(root.link(path, false, &root, "x").err(), refused);
    }
    let fixed = vfs.directory("/fixed").unwrap();
    assert_eq!(fixed.open("new", &CREATE).err(), refused);
    assert_eq!(fixed.create_directory("new").err(), refused);
    assert_eq!(fixed.symlink("file", "new").err(), refused);
    assert_eq!(root.rename("open", &root, "fixed/open").err(), refused);
    // Around the fixed file, its directory is free.
    root.open("open/mine", &CREATE).unwrap();
    assert_eq!(root.rename("open/mine", &root, "open/file").err(), refused);
    root.unlink("open/mine").unwrap();
    assert_eq!(vfs.changes(), []);
}
