// SPDX-License-Identifier: Apache-2.0

//! Files: reading, writing, appending, cutting, times, and what stays of a file that lost its name.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

mod files;

use bytes::Bytes;
use enarx_runtime::vfs::{Access, FileType, OpenNode, OpenOptions, SetTime, Vfs, VfsError};
use files::{NEW_YEAR, time, vfs};

const CREATE: OpenOptions = OpenOptions {
    follow: true,
    write: true,
    create: true,
    exclusive: false,
    truncate: false,
    directory: false,
};

fn create(vfs: &Vfs, path: &str) -> OpenNode {
    vfs.root().open(path, &CREATE).unwrap()
}

fn content(node: &OpenNode) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(node.stat().unwrap().size).unwrap() + 1];
    let len = node.read_at(0, &mut bytes).unwrap();
    bytes.truncate(len);
    bytes
}

#[test]
fn what_is_written_is_read() {
    let file = create(&vfs(), "file");
    assert_eq!(file.write_at(0, b"hello world"), Ok(11));
    assert_eq!(file.write_at(6, b"there"), Ok(5));
    assert_eq!(content(&file), b"hello there");
    let mut part = [0; 3];
    assert_eq!(file.read_at(4, &mut part), Ok(3));
    assert_eq!(&part, b"o t");
    assert_eq!(file.read_at(11, &mut part), Ok(0));
    assert_eq!(file.read_at(u64::MAX, &mut part), Ok(0));
}

#[test]
fn a_write_behind_the_end_leaves_zeros() {
    let file = create(&vfs(), "file");
    file.write_at(0, b"ab").unwrap();
    file.write_at(200_000, b"z").unwrap();
    let bytes = content(&file);
    assert_eq!(bytes.len(), 200_001);
    assert_eq!(&bytes[..2], b"ab");
    assert!(bytes[2..200_000].iter().all(|byte| *byte == 0));
    assert_eq!(bytes[200_000], b'z');
}

#[test]
fn a_file_that_was_cut_and_grows_again_has_zeros() {
    let file = create(&vfs(), "file");
    file.write_at(0, &vec![7; 150_000]).unwrap();
    file.set_len(70_000).unwrap();
    file.set_len(150_000).unwrap();
    let bytes = content(&file);
    assert!(bytes[..70_000].iter().all(|byte| *byte == 7));
    assert!(bytes[70_000..].iter().all(|byte| *byte == 0));
    assert_eq!(bytes.len(), 150_000);
}

#[test]
fn appending_starts_at_the_end_as_it_is_then() {
    let vfs = vfs();
    let (one, two) = (create(&vfs, "log"), create(&vfs, "log"));
    assert_eq!(one.append(b"one "), Ok((4, 4)));
    assert_eq!(two.append(b"two "), Ok((4, 8)));
    assert_eq!(one.append(b"one"), Ok((3, 11)));
    assert_eq!(content(&two), b"one two one");
}

#[test]
fn seeds_are_shared_until_written_and_the_payload_stays_as_it_was() {
    let vfs = vfs();
    let seed = Bytes::from(vec![1; 300_000]);
    vfs.seed_file("/data/seed", seed.clone(), Access::ReadWrite).unwrap();
    let file = vfs.root().open("data/seed", &CREATE).unwrap();
    file.write_at(100_000, &[2; 10]).unwrap();
    let bytes = content(&file);
    assert!(bytes[100_000..100_010].iter().all(|byte| *byte == 2));
    assert_eq!(bytes.iter().map(|byte| usize::from(*byte == 1)).sum::<usize>(), 299_990);
    assert!(seed.iter().all(|byte| *byte == 1));
}

#[test]
fn an_unlinked_file_lives_while_it_is_open_and_counts() {
    let vfs = vfs();
    let file = create(&vfs, "file");
    file.write_at(0, &[1; 1000]).unwrap();
    let again = file.clone();
    vfs.root().unlink("file").unwrap();
    assert_eq!(vfs.root().stat_at("file", true), Err(VfsError::NotFound));
    assert_eq!(file.stat().unwrap().links, 0);
    assert_eq!(content(&file).len(), 1000);
    file.append(b"x").unwrap();
    assert_eq!((vfs.usage().bytes, vfs.usage().entries), (1001, 1));
    drop(file);
    assert_eq!((vfs.usage().bytes, vfs.usage().entries), (1001, 1));
    drop(again);
    assert_eq!((vfs.usage().bytes, vfs.usage().entries), (0, 0));
}

#[test]
fn a_file_with_two_names_is_one_file() {
    let vfs = vfs();
    let root = vfs.root();
    create(&vfs, "a").write_at(0, b"same").unwrap();
    root.link("a", false, &root, "b").unwrap();
    let (a, b) = (root.stat_at("a", true).unwrap(), root.stat_at("b", true).unwrap());
    assert_eq!((a.inode, a.links), (b.inode, 2));
    root.unlink("a").unwrap();
    assert_eq!(content(&root.open("b", &CREATE).unwrap()), b"same");
    // Renaming one name to the other of the same file does nothing, as POSIX says.
    root.link("b", false, &root, "c").unwrap();
    root.rename("b", &root, "c").unwrap();
    assert!(root.stat_at("b", true).is_ok() && root.stat_at("c", true).is_ok());
}

#[test]
fn open_flags_do_what_they_say() {
    let vfs = vfs();
    let root = vfs.root();
    create(&vfs, "file").write_at(0, b"content").unwrap();
    root.create_directory("directory").unwrap();
    let open = |path, options| root.open(path, &options).map(|node| node.stat().unwrap().size);
    let plain = OpenOptions { follow: true, ..OpenOptions::default() };
    assert_eq!(open("none", plain), Err(VfsError::NotFound));
    assert_eq!(open("file", plain), Ok(7));
    assert_eq!(open("file", CREATE), Ok(7));
    assert_eq!(open("file", OpenOptions { exclusive: true, ..CREATE }), Err(VfsError::Exists));
    assert_eq!(open("file", OpenOptions { directory: true, ..plain }), Err(VfsError::NotDirectory));
    assert_eq!(open("file/", plain), Err(VfsError::NotDirectory));
    assert_eq!(open("new/", CREATE), Err(VfsError::IsDirectory));
    assert_eq!(open("directory", OpenOptions { truncate: true, ..plain }), Err(VfsError::IsDirectory));
    assert_eq!(open("directory", CREATE), Err(VfsError::IsDirectory));
    assert_eq!(open("directory", plain), Ok(0));
    assert_eq!(open("file", OpenOptions { truncate: true, ..CREATE }), Ok(0));
    assert_eq!(open("file/below", CREATE), Err(VfsError::NotDirectory));
    assert_eq!(open("none/below", CREATE), Err(VfsError::NotFound));
    assert_eq!(open("", CREATE), Err(VfsError::NotFound));
    assert_eq!(open("a\0b", CREATE), Err(VfsError::Invalid));
}

#[test]
fn times_follow_the_clock_and_can_be_set() {
    let (clock, time) = time();
    let vfs = Vfs::new(vfs().quota(), time);
    let file = create(&vfs, "file");
    assert_eq!(file.stat().unwrap().modified, NEW_YEAR);
    clock.advance(5);
    file.write_at(0, b"x").unwrap();
    clock.advance(5);
    file.read_at(0, &mut [0]).unwrap();
    let stat = file.stat().unwrap();
    assert_eq!((stat.accessed, stat.modified, stat.changed), (NEW_YEAR, NEW_YEAR + 5, NEW_YEAR + 5));
    file.set_times(SetTime::To(42), SetTime::Keep).unwrap();
    let stat = file.stat().unwrap();
    assert_eq!((stat.accessed, stat.modified, stat.changed), (42, NEW_YEAR + 5, NEW_YEAR + 10));
    vfs.root().set_times_at("file", true, SetTime::Keep, SetTime::Now).unwrap();
    assert_eq!(file.stat().unwrap().modified, NEW_YEAR + 10);
    assert_eq!(vfs.root().stat().unwrap().modified, NEW_YEAR);
}

#[test]
fn offsets_beyond_what_a_file_can_have_are_refused() {
    let file = create(&vfs(), "file");
    assert_eq!(file.write_at(u64::MAX, b"x"), Err(VfsError::FileTooLarge));
    assert_eq!(file.write_at(i64::MAX as u64, b"x"), Err(VfsError::FileTooLarge));
    assert_eq!(file.set_len(u64::MAX), Err(VfsError::FileTooLarge));
    assert_eq!(file.write_at(u64::MAX, b""), Ok(0));
    assert_eq!(file.stat().unwrap().size, 0);
}

#[test]
fn files_and_directories_are_not_confused() {
    let vfs = vfs();
    let root = vfs.root();
    let file = create(&vfs, "file");
    assert_eq!(root.file_type(), FileType::Directory);
    assert_eq!(root.read_at(0, &mut [0]), Err(VfsError::IsDirectory));
    assert_eq!(root.write_at(0, b"x"), Err(VfsError::IsDirectory));
    assert_eq!(root.set_len(1), Err(VfsError::IsDirectory));
    assert_eq!(file.entries(0, 1), Err(VfsError::NotDirectory));
    assert_eq!(file.create_directory("x"), Err(VfsError::NotDirectory));
    assert_eq!(root.unlink("file/"), Err(VfsError::NotDirectory));
    assert_eq!(root.remove_directory("file"), Err(VfsError::NotDirectory));
    assert_eq!(root.read_link("file"), Err(VfsError::Invalid));
}
