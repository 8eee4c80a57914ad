// SPDX-License-Identifier: Apache-2.0

//! What is brought back to the tenant after a run: added, changed and removed entries.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

mod files;

use bytes::Bytes;
use enarx_runtime::vfs::ChangeKind::{Added, Changed, Removed};
use enarx_runtime::vfs::FileType::{Directory, Regular, Symlink};
use enarx_runtime::vfs::{Access, ChangeKind, FileType, OpenOptions, SetTime, Vfs};
use files::vfs;

const CREATE: OpenOptions = OpenOptions {
    follow: true,
    write: true,
    create: true,
    exclusive: false,
    truncate: false,
    directory: false,
};

fn seeded() -> Vfs {
    let vfs = vfs();
    for path in ["/data/a", "/data/b", "/data/sub/c", "/other/d"] {
        vfs.seed_file(path, Bytes::from_static(b"seed"), Access::ReadWrite).unwrap();
    }
    vfs.seed_symlink("/data/link", "a", Access::ReadWrite).unwrap();
    vfs.seal();
    vfs
}

fn changes(vfs: &Vfs) -> Vec<(String, ChangeKind, FileType)> {
    vfs.changes().into_iter().map(|change| (change.path, change.kind, change.file_type)).collect()
}

fn write(vfs: &Vfs, path: &str) {
    vfs.root().open(path, &CREATE).unwrap().write_at(0, b"new").unwrap();
}

#[test]
fn reading_changes_nothing() {
    let vfs = seeded();
    vfs.root().open("data/a", &CREATE).unwrap().read_at(0, &mut [0; 4]).unwrap();
    vfs.root().set_times_at("data/a", true, SetTime::Now, SetTime::To(0)).unwrap();
    assert_eq!(changes(&vfs), []);
}

#[test]
fn writing_adding_and_removing_are_told_in_the_order_of_paths() {
    let vfs = seeded();
    let root = vfs.root();
    write(&vfs, "data/a");
    write(&vfs, "data/new");
    root.create_directory("data/new directory").unwrap();
    root.symlink("a", "data/new link").unwrap();
    root.unlink("data/sub/c").unwrap();
    root.remove_directory("data/sub").unwrap();
    root.unlink("other/d").unwrap();
    let expected = [
        ("/data/a", Changed, Regular),
        ("/data/new", Added, Regular),
        ("/data/new directory", Added, Directory),
        ("/data/new link", Added, Symlink),
        ("/data/sub", Removed, Directory),
        ("/data/sub/c", Removed, Regular),
        ("/other/d", Removed, Regular),
    ];
    assert_eq!(changes(&vfs), expected.map(|(path, kind, file_type)| (path.to_string(), kind, file_type)));
}

#[test]
fn a_file_that_was_replaced_is_changed() {
    let vfs = seeded();
    let root = vfs.root();
    write(&vfs, "data/temporary");
    root.rename("data/temporary", &root, "data/a").unwrap();
    root.unlink("data/link").unwrap();
    root.symlink("b", "data/link").unwrap();
    assert_eq!(
        changes(&vfs),
        [("/data/a".to_string(), Changed, Regular), ("/data/link".to_string(), Changed, Symlink)]
    );
}

#[test]
fn a_file_that_became_a_directory_is_changed_to_that() {
    let vfs = seeded();
    vfs.root().unlink("data/a").unwrap();
    vfs.root().create_directory("data/a").unwrap();
    write(&vfs, "data/a/below");
    assert_eq!(
        changes(&vfs),
        [("/data/a".to_string(), Changed, Directory), ("/data/a/below".to_string(), Added, Regular)]
    );
}

#[test]
fn a_moved_directory_is_removed_there_and_added_here() {
    let vfs = seeded();
    vfs.root().rename("other", &vfs.root(), "moved").unwrap();
    let expected = [
        ("/moved", Added, Directory),
        ("/moved/d", Added, Regular),
        ("/other", Removed, Directory),
        ("/other/d", Removed, Regular),
    ];
    assert_eq!(changes(&vfs), expected.map(|(path, kind, file_type)| (path.to_string(), kind, file_type)));
    let mut bytes = [0; 4];
    assert_eq!(vfs.node("/moved/d").unwrap().read_at(0, &mut bytes), Ok(4));
    assert_eq!(&bytes, b"seed");
}
