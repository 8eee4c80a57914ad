// SPDX-License-Identifier: Apache-2.0

//! Resolution of paths: `..`, absolute paths and links that try to get out, loops, limits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

mod files;

use bytes::Bytes;
use enarx_runtime::vfs::{Access, MAX_NAME, OpenNode, OpenOptions, Vfs, VfsError};
use files::vfs;

const FOLLOW: OpenOptions = OpenOptions {
    follow: true,
    write: false,
    create: false,
    exclusive: false,
    truncate: false,
    directory: false,
};
const CREATE: OpenOptions = OpenOptions { create: true, write: true, ..FOLLOW };

/// `/secret` outside, `/jail` with `/jail/inner/file` to work in.
fn jail() -> (Vfs, OpenNode) {
    let vfs = vfs();
    vfs.seed_file("/secret", Bytes::from_static(b"secret"), Access::ReadWrite).unwrap();
    vfs.seed_file("/jail/inner/file", Bytes::from_static(b"content"), Access::ReadWrite).unwrap();
    let jail = vfs.directory("/jail").unwrap();
    (vfs, jail)
}

#[test]
fn dots_stay_inside() {
    let (_vfs, jail) = jail();
    for path in
        ["inner/file", "./inner/./file", "inner/../inner/file", "inner//file", "inner/../inner/../inner/file"]
    {
        assert_eq!(jail.stat_at(path, true).unwrap().size, 7, "{path}");
    }
    for path in ["..", "../secret", "../jail/inner/file", "inner/../../secret", "./..", "inner/../..", "../"]
    {
        assert_eq!(jail.stat_at(path, true), Err(VfsError::NotPermitted), "{path}");
        assert_eq!(jail.open(path, &CREATE).err(), Some(VfsError::NotPermitted), "{path}");
        assert_eq!(jail.create_directory(path), Err(VfsError::NotPermitted), "{path}");
        assert_eq!(jail.unlink(path), Err(VfsError::NotPermitted), "{path}");
        assert_eq!(jail.remove_directory(path), Err(VfsError::NotPermitted), "{path}");
        assert_eq!(jail.rename(path, &jail, "x"), Err(VfsError::NotPermitted), "{path}");
        assert_eq!(jail.rename("inner", &jail, path), Err(VfsError::NotPermitted), "{path}");
        assert_eq!(jail.link(path, true, &jail, "x"), Err(VfsError::NotPermitted), "{path}");
        assert_eq!(jail.symlink("x", path), Err(VfsError::NotPermitted), "{path}");
    }
    assert_eq!(jail.stat_at("inner/file/..", true), Err(VfsError::NotDirectory));
    assert_eq!(jail.stat_at("inner/file/.", true), Err(VfsError::NotDirectory));
    assert_eq!(jail.stat_at("none/..", true), Err(VfsError::NotFound));
}

#[test]
fn absolute_paths_are_refused() {
    let (_vfs, jail) = jail();
    for path in ["/", "/secret", "//secret", "/jail/inner/file", "/inner/file"] {
        assert_eq!(jail.stat_at(path, true), Err(VfsError::NotPermitted), "{path}");
    }
    assert_eq!(jail.symlink("/secret", "link"), Err(VfsError::NotPermitted));
}

#[test]
fn links_lead_only_to_what_is_inside() {
    let (vfs, jail) = jail();
    jail.symlink("inner/file", "good").unwrap();
    jail.symlink("../inner", "inner/up").unwrap();
    jail.symlink("../secret", "out").unwrap();
    jail.symlink("../../secret", "inner/out").unwrap();
    jail.symlink("..", "parent").unwrap();
    // The tenant's own data may hold a link that is absolute; it leads nowhere.
    vfs.seed_symlink("/jail/absolute", "/secret", Access::ReadWrite).unwrap();
    assert_eq!(jail.stat_at("good", true).unwrap().size, 7);
    assert_eq!(jail.stat_at("inner/up/up/up/file", true).unwrap().size, 7);
    for path in
        ["out", "inner/out", "inner/up/out", "parent", "parent/secret", "parent/jail/inner/file", "absolute"]
    {
        assert_eq!(jail.open(path, &FOLLOW).err(), Some(VfsError::NotPermitted), "{path}");
        assert_eq!(jail.open(path, &CREATE).err(), Some(VfsError::NotPermitted), "{path}");
        assert_eq!(jail.stat_at(path, true), Err(VfsError::NotPermitted), "{path}");
    }
    assert_eq!(jail.read_link("absolute"), Err(VfsError::NotPermitted));
    assert_eq!(jail.read_link("out"), Ok("../secret".into()));
    // From further up the same links are fine.
    assert_eq!(vfs.root().stat_at("jail/parent/secret", true).unwrap().size, 6);
    assert_eq!(vfs.root().stat_at("jail/out", true).unwrap().size, 6);
}

#[test]
fn loops_end() {
    let (_vfs, jail) = jail();
    jail.symlink("a", "a").unwrap();
    jail.symlink("c", "b").unwrap();
    jail.symlink("b", "c").unwrap();
    jail.symlink("deep/x", "deep").unwrap();
    for path in ["a", "b", "c", "a/x", "deep"] {
        assert_eq!(jail.stat_at(path, true), Err(VfsError::Loop), "{path}");
        assert_eq!(jail.open(path, &CREATE).err(), Some(VfsError::Loop), "{path}");
    }
    assert!(jail.stat_at("a", false).is_ok());
    // 40 links are followed, 41 are not.
    jail.symlink("inner", "l0").unwrap();
    for i in 1..=40 {
        jail.symlink(&format!("l{}", i - 1), &format!("l{i}")).unwrap();
    }
    assert!(jail.stat_at("l39", true).is_ok());
    assert_eq!(jail.stat_at("l40", true), Err(VfsError::Loop));
}

#[test]
fn long_names_and_paths_are_refused() {
    let (_vfs, jail) = jail();
    let name = "n".repeat(MAX_NAME);
    jail.create_directory(&name).unwrap();
    assert_eq!(jail.create_directory(&"n".repeat(MAX_NAME + 1)), Err(VfsError::NameTooLong));
    assert_eq!(jail.stat_at(&"./".repeat(2049), true), Err(VfsError::NameTooLong));
    assert_eq!(jail.symlink(&"./".repeat(2049), "long"), Err(VfsError::NameTooLong));
    assert_eq!(jail.symlink("", "empty"), Err(VfsError::NotFound));
    assert_eq!(jail.create_directory("nul\0"), Err(VfsError::Invalid));
}

#[test]
fn a_last_slash_asks_for_a_directory() {
    let (_vfs, jail) = jail();
    jail.symlink("inner", "link").unwrap();
    jail.symlink("inner/file", "tofile").unwrap();
    assert!(jail.stat_at("inner/", false).is_ok());
    assert_eq!(jail.stat_at("inner/file/", true), Err(VfsError::NotDirectory));
    assert_eq!(jail.stat_at("tofile/", false), Err(VfsError::NotDirectory));
    // It also follows the link, unless the name is to be changed.
    assert_eq!(jail.stat_at("link/", false).unwrap().inode, jail.stat_at("inner", false).unwrap().inode);
    assert_eq!(jail.remove_directory("link/"), Err(VfsError::NotDirectory));
    assert_eq!(jail.unlink("link/"), Err(VfsError::NotDirectory));
    assert_eq!(jail.rename("link/", &jail, "x"), Err(VfsError::NotDirectory));
    assert_eq!(jail.create_directory("link/"), Err(VfsError::Exists));
    assert_eq!(jail.symlink("x", "new/"), Err(VfsError::NotFound));
    assert_eq!(jail.link("inner/file", false, &jail, "new/"), Err(VfsError::NotFound));
    assert_eq!(jail.rename("inner/file", &jail, "new/"), Err(VfsError::NotDirectory));
    jail.create_directory("new/").unwrap();
}

#[test]
fn a_dangling_link_is_a_place_for_a_new_file_unless_exclusive() {
    let (_vfs, jail) = jail();
    jail.symlink("inner/new", "dangling").unwrap();
    assert_eq!(jail.open("dangling", &FOLLOW).err(), Some(VfsError::NotFound));
    let exclusive = OpenOptions { exclusive: true, ..CREATE };
    assert_eq!(jail.open("dangling", &exclusive).err(), Some(VfsError::Exists));
    jail.open("dangling", &CREATE).unwrap().write_at(0, b"x").unwrap();
    assert_eq!(jail.stat_at("inner/new", false).unwrap().size, 1);
    let keep = OpenOptions { follow: false, ..FOLLOW };
    assert_eq!(jail.open("dangling", &keep).err(), Some(VfsError::Loop));
}

#[test]
fn a_directory_that_was_moved_away_is_still_its_own_limit() {
    let (vfs, jail) = jail();
    let inner = jail.open("inner", &FOLLOW).unwrap();
    vfs.root().create_directory("elsewhere").unwrap();
    jail.rename("inner", &vfs.directory("/elsewhere").unwrap(), "moved").unwrap();
    assert_eq!(inner.stat_at("file", true).unwrap().size, 7);
    assert_eq!(inner.stat_at("../..", true), Err(VfsError::NotPermitted));
    assert_eq!(jail.stat_at("inner", true), Err(VfsError::NotFound));
}
