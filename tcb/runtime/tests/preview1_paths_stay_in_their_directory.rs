// SPDX-License-Identifier: Apache-2.0

//! Preview 1 on paths: making, finding, moving and removing, and never outside of the directory they start from.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper of a test may end the test")]

mod harness;

use bytes::Bytes;
use enarx_runtime::vfs::{Access, FileType};
use harness::script::{Arg, At, I, L, Script, u16_at, u32_at, u64_at};
use harness::{Ran, Setup};

const EXIST: u32 = 20;
const ILSEQ: u32 = 25;
const INVAL: u32 = 28;
const ISDIR: u32 = 31;
const LOOP: u32 = 32;
const NAMETOOLONG: u32 = 37;
const NOENT: u32 = 44;
const NOTDIR: u32 = 54;
const NOTEMPTY: u32 = 55;
const PERM: u32 = 63;

const ROOT: u32 = 3;
const FIRST: u32 = 4;
const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 6;
const CREAT: u32 = 1;
const DIRECTORY: u32 = 2;
const EXCL: u32 = 4;
const TRUNC: u32 = 8;
const FOLLOW: u32 = 1;

fn with_files() -> Setup {
    let setup = Setup::default();
    let files = &setup.files;
    files.seed_file("/f", Bytes::from_static(b"01234"), Access::ReadWrite).unwrap();
    files.seed_file("/d/g", Bytes::from_static(b"g"), Access::ReadWrite).unwrap();
    files.seed_directory("/e", Access::ReadWrite).unwrap();
    files.seed_symlink("/to-f", "f", Access::ReadWrite).unwrap();
    files.seed_symlink("/to-d", "d", Access::ReadWrite).unwrap();
    files.seed_symlink("/out", "../x", Access::ReadWrite).unwrap();
    files.seed_symlink("/round", "round", Access::ReadWrite).unwrap();
    setup
}

fn open(script: &mut Script, dirflags: u32, path: &str, oflags: u32, rights: u64) -> usize {
    let [at, len] = script.text(path);
    script.call("path_open", &[I(ROOT), I(dirflags), at, len, I(oflags), L(rights), L(0), I(0), I(0)])
}

/// Calls a function that takes a directory and one path.
fn at_path(script: &mut Script, function: &str, path: &str) -> usize {
    let [at, len] = script.text(path);
    script.call(function, &[I(ROOT), at, len])
}

fn stat(script: &mut Script, flags: u32, path: &str, to: u32) -> usize {
    let [at, len] = script.text(path);
    script.call("path_filestat_get", &[I(ROOT), I(flags), at, len, I(to)])
}

fn two_paths(script: &mut Script, function: &str, old: &str, new: &str) -> usize {
    let [old_at, old_len] = script.text(old);
    let [new_at, new_len] = script.text(new);
    match function {
        "path_link" => script.call(function, &[I(ROOT), I(0), old_at, old_len, I(ROOT), new_at, new_len]),
        "path_rename" => script.call(function, &[I(ROOT), old_at, old_len, I(ROOT), new_at, new_len]),
        _ => script.call(function, &[old_at, old_len, I(ROOT), new_at, new_len]),
    }
}

fn file_type(ran: &Ran, path: &str) -> Option<FileType> {
    ran.files.node(path).ok().map(|node| node.file_type())
}

#[test]
fn opening_finds_makes_and_refuses() {
    let mut script = Script::new();
    let cases = [
        (0, "f", 0, READ, 0),
        (0, "nothing", 0, READ, NOENT),
        (0, "nothing/x", CREAT, READ, NOENT),
        (0, "f/x", CREAT, READ, NOTDIR),
        (0, "f/", 0, READ, NOTDIR),
        (0, "f", DIRECTORY, READ, NOTDIR),
        (0, "f", CREAT | EXCL, READ, EXIST),
        (0, "new", CREAT | EXCL, READ | WRITE, 0),
        (0, "f", TRUNC, WRITE, 0),
        (0, "d", 0, READ, 0),
        (0, "d", 0, READ | WRITE, ISDIR),
        (0, "d", DIRECTORY, READ | WRITE, 0),
        (0, "d", TRUNC, READ, ISDIR),
        (0, "d", DIRECTORY | CREAT, READ, INVAL),
        (0, "d", 16, READ, INVAL),
        (2, "f", 0, READ, INVAL),
        (0, "to-f", 0, READ, LOOP),
        (FOLLOW, "to-f", 0, READ, 0),
        (0, "to-d/g", 0, READ, 0),
        (FOLLOW, "round", 0, READ, LOOP),
        (0, "", 0, READ, NOENT),
        (0, "a\0b", CREAT, READ, INVAL),
    ];
    for (dirflags, path, oflags, rights, _) in cases {
        open(&mut script, dirflags, path, oflags, rights);
    }
    let ran = with_files().run(&script);
    for (case, result) in cases.iter().zip(&ran.results) {
        assert_eq!(*result, case.4, "{case:?}");
    }
    assert_eq!(file_type(&ran, "/new"), Some(FileType::Regular));
    assert_eq!(ran.files.node("/f").unwrap().stat().unwrap().size, 0);
}

#[test]
fn no_path_leads_out() {
    let mut script = Script::new();
    for path in ["/f", "..", "../f", "d/../../f", "d/./../..", "out/f"] {
        open(&mut script, FOLLOW, path, CREAT, READ | WRITE);
        at_path(&mut script, "path_create_directory", path);
        at_path(&mut script, "path_remove_directory", path);
        at_path(&mut script, "path_unlink_file", path);
        stat(&mut script, FOLLOW, path, 64);
    }
    open(&mut script, FOLLOW, "out", CREAT, READ | WRITE);
    stat(&mut script, FOLLOW, "out", 64);
    let refused = vec![PERM; script.calls() as usize];
    // The link itself is an entry like any other: only what it leads to is out of reach.
    stat(&mut script, 0, "out", 64);
    at_path(&mut script, "path_unlink_file", "out");
    assert_eq!(with_files().run(&script).results, [refused, vec![0, 0]].concat());
}

#[test]
fn text_that_is_not_utf8_is_no_path() {
    let mut script = Script::new();
    script.bytes(1024, b"\xff\xfe");
    script.call("path_create_directory", &[I(ROOT), I(1024), I(2)]);
    script.call("path_open", &[I(ROOT), I(0), I(1024), I(2), I(CREAT), L(READ), L(0), I(0), I(0)]);
    script.call("path_symlink", &[I(1024), I(2), I(ROOT), I(1024), I(2)]);
    assert_eq!(with_files().run(&script).results, [ILSEQ; 3]);
}

#[test]
fn long_names_are_refused() {
    let mut script = Script::new();
    at_path(&mut script, "path_create_directory", &"n".repeat(255));
    at_path(&mut script, "path_create_directory", &"n".repeat(256));
    at_path(&mut script, "path_create_directory", &"d/".repeat(2049));
    assert_eq!(with_files().run(&script).results, [0, NAMETOOLONG, NAMETOOLONG]);
}

#[test]
fn directories_are_made_and_removed() {
    let mut script = Script::new();
    for (function, path) in [
        ("path_create_directory", "n"),
        ("path_create_directory", "n"),
        ("path_create_directory", "f"),
        ("path_create_directory", "n/m"),
        ("path_create_directory", "x/y"),
        ("path_remove_directory", "n"),
        ("path_remove_directory", "n/m"),
        ("path_remove_directory", "n/"),
        ("path_remove_directory", "n"),
        ("path_remove_directory", "f"),
        ("path_remove_directory", "to-d"),
        ("path_remove_directory", "."),
    ] {
        at_path(&mut script, function, path);
    }
    let ran = with_files().run(&script);
    assert_eq!(ran.results, [0, EXIST, EXIST, 0, NOENT, NOTEMPTY, 0, 0, NOENT, NOTDIR, NOTDIR, INVAL]);
}

#[test]
fn files_are_unlinked_and_stay_while_they_are_open() {
    let mut script = Script::new();
    script.iovecs(32, &[(4096, 8)]);
    open(&mut script, 0, "f", 0, READ);
    for path in ["f", "f", "d", "to-d", "d/g/"] {
        at_path(&mut script, "path_unlink_file", path);
    }
    script.call("fd_read", &[At(0), I(32), I(1), I(8)]);
    script.call("fd_filestat_get", &[At(0), I(64)]);
    let ran = with_files().run(&script);
    assert_eq!(ran.results, [0, 0, NOENT, ISDIR, 0, NOTDIR, 0, 0]);
    assert_eq!((ran.bytes(4096, 5), ran.u64(64 + 24)), (&b"01234"[..], 0));
    assert_eq!((file_type(&ran, "/f"), file_type(&ran, "/to-d")), (None, None));
}

#[test]
fn renaming_moves_and_replaces_what_is_alike() {
    let cases = [
        ("f", "moved", 0),
        ("nothing", "x", NOENT),
        ("moved", "d", ISDIR),
        ("d", "moved", NOTDIR),
        ("d", "d/inside", INVAL),
        ("moved", "d/g", 0),
        ("e", "d", NOTEMPTY),
        ("d", "e", 0),
        ("e/g", "e/g", 0),
        ("to-f", "link", 0),
        ("e/g", "new/", NOTDIR),
    ];
    let mut script = Script::new();
    for (old, new, _) in cases {
        two_paths(&mut script, "path_rename", old, new);
    }
    let ran = with_files().run(&script);
    for (case, result) in cases.iter().zip(&ran.results) {
        assert_eq!(*result, case.2, "{case:?}");
    }
    assert_eq!(file_type(&ran, "/e/g"), Some(FileType::Regular));
    assert_eq!(ran.files.node("/e/g").unwrap().stat().unwrap().size, 5);
    assert_eq!((file_type(&ran, "/d"), file_type(&ran, "/link")), (None, Some(FileType::Symlink)));
}

#[test]
fn a_link_is_one_more_name() {
    let mut script = Script::new();
    two_paths(&mut script, "path_link", "f", "d/h");
    two_paths(&mut script, "path_link", "f", "d/h");
    two_paths(&mut script, "path_link", "d", "x");
    two_paths(&mut script, "path_link", "nothing", "x");
    two_paths(&mut script, "path_link", "to-f", "also-a-link");
    let [old, old_len] = script.text("to-f");
    let [new, new_len] = script.text("followed");
    script.call("path_link", &[I(ROOT), I(FOLLOW), old, old_len, I(ROOT), new, new_len]);
    script.call("path_link", &[I(ROOT), I(2), old, old_len, I(ROOT), new, new_len]);
    stat(&mut script, 0, "d/h", 64);
    stat(&mut script, 0, "also-a-link", 128);
    let ran = with_files().run(&script);
    assert_eq!(ran.results, [0, EXIST, PERM, NOENT, 0, 0, INVAL, 0, 0]);
    assert_eq!((ran.u64(64 + 24), ran.memory[64 + 16], ran.memory[128 + 16]), (3, 4, 7));
}

#[test]
fn symbolic_links_are_made_and_read() {
    let mut script = Script::new();
    let [long, long_len] = script.text("target/with/parts");
    let [name, name_len] = script.text("s");
    script.call("path_symlink", &[long, long_len, I(ROOT), name, name_len]);
    script.call("path_symlink", &[long, long_len, I(ROOT), name, name_len]);
    script.call("path_readlink", &[I(ROOT), name, name_len, I(256), I(64), I(0)]);
    script.call("path_readlink", &[I(ROOT), name, name_len, I(512), I(6), I(4)]);
    script.call("path_readlink", &[I(ROOT), name, name_len, I(512), I(0), I(8)]);
    two_paths(&mut script, "path_symlink", "/absolute", "a");
    two_paths(&mut script, "path_symlink", "", "empty");
    let [file, file_len] = script.text("f");
    script.call("path_readlink", &[I(ROOT), file, file_len, I(256), I(64), I(12)]);
    let [none, none_len] = script.text("none");
    script.call("path_readlink", &[I(ROOT), none, none_len, I(256), I(64), I(12)]);
    let ran = with_files().run(&script);
    assert_eq!(ran.results, [0, EXIST, 0, 0, 0, PERM, NOENT, INVAL, NOENT]);
    assert_eq!((ran.u32(0), ran.u32(4), ran.u32(8)), (17, 6, 0));
    assert_eq!((ran.bytes(256, 18), ran.bytes(512, 7)), (&b"target/with/parts\0"[..], &b"target\0"[..]));
}

#[test]
fn attributes_by_path() {
    let mut script = Script::new();
    stat(&mut script, 0, "to-f", 64);
    stat(&mut script, FOLLOW, "to-f", 128);
    stat(&mut script, 0, "d", 192);
    stat(&mut script, 0, "none", 256);
    stat(&mut script, 2, "f", 256);
    let set = |script: &mut Script, flags: u32, path: &str, fst: u32| {
        let [at, len] = script.text(path);
        script.call("path_filestat_set_times", &[I(ROOT), I(flags), at, len, L(5), L(6), I(fst)])
    };
    set(&mut script, 0, "to-f", 1 | 4);
    set(&mut script, FOLLOW, "to-f", 4);
    set(&mut script, 0, "f", 3);
    set(&mut script, 0, "none", 1);
    stat(&mut script, 0, "to-f", 320);
    stat(&mut script, 0, "f", 384);
    let ran = with_files().run(&script);
    assert_eq!(ran.results, [0, 0, 0, NOENT, INVAL, 0, 0, INVAL, NOENT, 0, 0]);
    let field = |stat: u32, field: u32| ran.u64(stat + field);
    assert_eq!((ran.memory[64 + 16], ran.memory[128 + 16], ran.memory[192 + 16]), (7, 4, 3));
    assert_eq!((field(64, 32), field(128, 32)), (1, 5));
    assert_ne!(field(64, 8), field(128, 8));
    assert_eq!((field(320, 40), field(320, 48), field(384, 48)), (5, 6, 6));
    assert_ne!(field(384, 40), 5);
}

/// The entries in a buffer that `fd_readdir` filled: cookie, type, name.
fn entries(mut bytes: &[u8]) -> Vec<(u64, u8, String)> {
    let mut entries = Vec::new();
    while bytes.len() >= 24 {
        let len = u32_at(bytes, 16) as usize;
        let Some(name) = bytes.get(24..24 + len) else { break };
        assert_eq!(u16_at(bytes, 22), 0);
        entries.push((u64_at(bytes, 0), bytes[20], String::from_utf8(name.to_vec()).unwrap()));
        bytes = &bytes[24 + len..];
    }
    entries
}

fn readdir(script: &mut Script, fd: Arg, at: u32, len: u32, cookie: u64, used: u32) {
    script.call("fd_readdir", &[fd, I(at), I(len), L(cookie), I(used)]);
}

#[test]
fn a_listing_has_every_entry_once() {
    let mut script = Script::new();
    readdir(&mut script, I(ROOT), 1024, 2048, 0, 0);
    let ran = with_files().run(&script);
    assert_eq!(ran.results, [0]);
    assert!(ran.u32(0) < 2048);
    let entries = entries(ran.bytes(1024, ran.u32(0) as usize));
    let names: Vec<_> = entries.iter().map(|(_, file_type, name)| (name.as_str(), *file_type)).collect();
    let expected = [
        (".", 3),
        ("..", 3),
        ("f", 4),
        ("d", 3),
        ("e", 3),
        ("to-f", 7),
        ("to-d", 7),
        ("out", 7),
        ("round", 7),
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_listing_goes_on_from_any_cookie_although_entries_go() {
    // First learn the cookies.
    let mut script = Script::new();
    readdir(&mut script, I(ROOT), 1024, 2048, 0, 0);
    let ran = with_files().run(&script);
    let all = entries(ran.bytes(1024, ran.u32(0) as usize));
    // Then read again from each of them, while what was read is removed.
    let mut script = Script::new();
    at_path(&mut script, "path_unlink_file", "f");
    for (index, (cookie, _, _)) in all.iter().enumerate() {
        let index = u32::try_from(index).unwrap();
        readdir(&mut script, I(ROOT), 1024 + 512 * index, 512, *cookie, 4 * index);
        if index == 2 {
            at_path(&mut script, "path_unlink_file", "to-f");
        }
    }
    let ran = with_files().run(&script);
    assert!(ran.results.iter().all(|result| *result == 0));
    for index in 0..u32::try_from(all.len()).unwrap() {
        let rest = entries(ran.bytes(1024 + 512 * index, ran.u32(4 * index) as usize));
        let removed = |name: &str| name == "f" || (index > 2 && name == "to-f");
        let expected: Vec<_> =
            all[index as usize + 1..].iter().filter(|entry| !removed(&entry.2)).cloned().collect();
        assert_eq!(rest, expected, "{index}");
    }
}

#[test]
fn a_listing_that_does_not_fit_fills_the_buffer() {
    let mut script = Script::new();
    for (index, len) in [0, 10, 25, 24 + 1 + 24 + 1].into_iter().enumerate() {
        let index = u32::try_from(index).unwrap();
        readdir(&mut script, I(ROOT), 1024 + 256 * index, len, 0, 4 * index);
    }
    let ran = with_files().run(&script);
    assert_eq!(ran.results, [0; 4]);
    assert_eq!([ran.u32(0), ran.u32(4), ran.u32(8), ran.u32(12)], [0, 10, 25, 50]);
    let dot = entries(ran.bytes(1024 + 512, 25));
    assert_eq!(dot, [(1, 3, ".".to_owned())]);
    // Entries after what is used are not touched.
    assert_eq!(ran.bytes(1024 + 768 + 50, 8), [0; 8]);
}

#[test]
fn an_opened_directory_is_a_place_to_start_from() {
    let mut script = Script::new();
    open(&mut script, 0, "d", DIRECTORY, READ);
    let [up, up_len] = script.text("../f");
    let [name, name_len] = script.text("g");
    script.call("path_open", &[At(0), I(0), name, name_len, I(0), L(READ), L(0), I(0), I(4)]);
    script.call("path_open", &[At(0), I(0), up, up_len, I(0), L(READ), L(0), I(0), I(8)]);
    script.call("path_open", &[At(4), I(0), name, name_len, I(0), L(READ), L(0), I(0), I(8)]);
    let ran = with_files().run(&script);
    assert_eq!(ran.results, [0, 0, PERM, NOTDIR]);
    assert_eq!((ran.u32(0), ran.u32(4)), (FIRST, FIRST + 1));
}

#[test]
fn moves_between_directories_of_one_file_system() {
    let mut setup = with_files();
    setup.preopens.push(harness::preopen("/d", "/other"));
    let mut script = Script::new();
    let [old, old_len] = script.text("f");
    let [new, new_len] = script.text("here");
    script.call("path_rename", &[I(ROOT), old, old_len, I(ROOT + 1), new, new_len]);
    let ran = setup.run(&script);
    assert_eq!(ran.results, [0]);
    assert_eq!((file_type(&ran, "/f"), file_type(&ran, "/d/here")), (None, Some(FileType::Regular)));
}
