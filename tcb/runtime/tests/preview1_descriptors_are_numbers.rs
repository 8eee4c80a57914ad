// SPDX-License-Identifier: Apache-2.0

//! The descriptors of preview 1: how they are given, moved and closed, and what they say about themselves.
#![allow(clippy::unwrap_used, reason = "a helper of a test may end the test")]

mod harness;

use bytes::Bytes;
use enarx_runtime::vfs::Access;
use harness::Setup;
use harness::script::{At, I, L, Script, u16_at};

const BADF: u32 = 8;
const INVAL: u32 = 28;
const MFILE: u32 = 33;
const NAMETOOLONG: u32 = 37;
const NOTSUP: u32 = 58;

/// The preopened root directory.
const ROOT: u32 = 3;
/// The first descriptor that a script opens.
const FIRST: u32 = 4;

const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 6;
const DIRECTORY: u32 = 2;
const APPEND: u32 = 1;
const NONBLOCK: u32 = 4;

/// Opens a path of the root directory; the descriptor's number goes to address 0.
fn open(script: &mut Script, path: &str, oflags: u32, rights: u64, fdflags: u32) -> usize {
    let [at, len] = script.text(path);
    script.call("path_open", &[I(ROOT), I(0), at, len, I(oflags), L(rights), L(0), I(fdflags), I(0)])
}

/// Reads or writes the buffer at address 4096 of this length; the count goes to address 8.
fn transfer(script: &mut Script, function: &str, fd: u32, len: u32) -> usize {
    script.raw(&format!(
        "(i32.store (i32.const 16) (i32.const 4096)) (i32.store (i32.const 20) (i32.const {len}))"
    ));
    script.call(function, &[I(fd), I(16), I(1), I(8)])
}

fn with_file(bytes: &'static [u8]) -> Setup {
    let setup = Setup::default();
    setup.files.seed_file("/f", Bytes::from_static(bytes), Access::ReadWrite).unwrap();
    setup.files.seed_file("/ro", Bytes::from_static(b"fixed"), Access::ReadOnly).unwrap();
    setup.files.seed_directory("/d", Access::ReadWrite).unwrap();
    setup
}

#[test]
fn flags_and_rights_tell_how_it_was_opened() {
    let mut script = Script::new();
    open(&mut script, "f", 0, READ, NONBLOCK);
    open(&mut script, "f", 0, WRITE, APPEND | 2);
    for (index, fd) in [FIRST, FIRST + 1, ROOT, 0, 1].into_iter().enumerate() {
        script.call("fd_fdstat_get", &[I(fd), I(64 + 24 * u32::try_from(index).unwrap())]);
    }
    script.call("fd_fdstat_set_flags", &[I(FIRST + 1), I(2)]);
    script.call("fd_fdstat_set_flags", &[I(FIRST + 1), I(16)]);
    script.call("fd_fdstat_set_flags", &[I(FIRST + 1), I(32)]);
    script.call("fd_fdstat_set_rights", &[I(FIRST), L(0), L(0)]);
    open(&mut script, "f", 0, READ, 32);
    let ran = with_file(b"01234").run(&script);
    assert_eq!(ran.results, [0, 0, 0, 0, 0, 0, 0, 0, INVAL, INVAL, NOTSUP, INVAL]);
    let stat = |index: u32| {
        (
            ran.memory[64 + 24 * index as usize],
            u16_at(&ran.memory, 66 + 24 * index),
            ran.u64(72 + 24 * index),
            ran.u64(80 + 24 * index),
        )
    };
    let (file, directory) = (0x8e0_01ff, 0x7bf_fe19_u64);
    let unwritable = WRITE | 1 << 8 | 1 << 22;
    assert_eq!(stat(0), (4, 4, file & !unwritable, 0));
    assert_eq!(stat(1), (4, 3, file & !READ, 0));
    assert_eq!(stat(2), (3, 0, directory, directory | file));
    assert_eq!(stat(3), (0, 0, READ | 1 << 3 | 1 << 21 | 1 << 27, 0));
    assert_eq!(stat(4), (0, 0, WRITE | 1 << 3 | 1 << 21 | 1 << 27, 0));
}

#[test]
fn a_descriptor_that_is_not_open_is_refused_everywhere() {
    let mut script = Script::new();
    for fd in [9, u32::MAX] {
        script.call("fd_advise", &[I(fd), L(0), L(0), I(0)]);
        script.call("fd_allocate", &[I(fd), L(0), L(1)]);
        script.call("fd_close", &[I(fd)]);
        script.call("fd_datasync", &[I(fd)]);
        script.call("fd_fdstat_get", &[I(fd), I(0)]);
        script.call("fd_fdstat_set_flags", &[I(fd), I(0)]);
        script.call("fd_fdstat_set_rights", &[I(fd), L(0), L(0)]);
        script.call("fd_filestat_get", &[I(fd), I(0)]);
        script.call("fd_filestat_set_size", &[I(fd), L(0)]);
        script.call("fd_filestat_set_times", &[I(fd), L(0), L(0), I(0)]);
        script.call("fd_pread", &[I(fd), I(0), I(0), L(0), I(0)]);
        script.call("fd_prestat_get", &[I(fd), I(0)]);
        script.call("fd_prestat_dir_name", &[I(fd), I(0), I(9)]);
        script.call("fd_pwrite", &[I(fd), I(0), I(0), L(0), I(0)]);
        script.call("fd_read", &[I(fd), I(0), I(0), I(0)]);
        script.call("fd_readdir", &[I(fd), I(0), I(0), L(0), I(0)]);
        script.call("fd_renumber", &[I(fd), I(0)]);
        script.call("fd_renumber", &[I(0), I(fd)]);
        script.call("fd_seek", &[I(fd), L(0), I(0), I(0)]);
        script.call("fd_sync", &[I(fd)]);
        script.call("fd_tell", &[I(fd), I(0)]);
        script.call("fd_write", &[I(fd), I(0), I(0), I(0)]);
        script.call("path_create_directory", &[I(fd), I(0), I(1)]);
        script.call("path_filestat_get", &[I(fd), I(0), I(0), I(1), I(0)]);
        script.call("path_filestat_set_times", &[I(fd), I(0), I(0), I(1), L(0), L(0), I(0)]);
        script.call("path_link", &[I(fd), I(0), I(0), I(1), I(ROOT), I(0), I(1)]);
        script.call("path_open", &[I(fd), I(0), I(0), I(1), I(0), L(0), L(0), I(0), I(0)]);
        script.call("path_readlink", &[I(fd), I(0), I(1), I(0), I(0), I(0)]);
        script.call("path_remove_directory", &[I(fd), I(0), I(1)]);
        script.call("path_rename", &[I(fd), I(0), I(1), I(ROOT), I(0), I(1)]);
        script.call("path_symlink", &[I(0), I(1), I(fd), I(0), I(1)]);
        script.call("path_unlink_file", &[I(fd), I(0), I(1)]);
    }
    let count = script.calls() as usize;
    assert_eq!(Setup::default().run(&script).results, vec![BADF; count]);
}

#[test]
fn a_closed_descriptor_is_free_for_the_next() {
    let mut script = Script::new();
    open(&mut script, "f", 0, READ, 0);
    open(&mut script, "f", 0, READ, 0);
    script.call("fd_close", &[I(FIRST)]);
    script.call("fd_close", &[I(FIRST)]);
    script.call("fd_close", &[I(0)]);
    open(&mut script, "f", 0, READ, 0);
    script.raw("(i32.store (i32.const 32) (i32.load (i32.const 0)))");
    open(&mut script, "f", 0, READ, 0);
    script.call("fd_tell", &[At(0), I(40)]);
    let ran = with_file(b"").run(&script);
    assert_eq!(ran.results, [0, 0, 0, BADF, 0, 0, 0, 0]);
    assert_eq!((ran.u32(32), ran.u32(0)), (0, FIRST));
}

#[test]
fn renumbering_moves_and_closes() {
    let mut script = Script::new();
    open(&mut script, "f", 0, READ, 0);
    open(&mut script, "ro", 0, READ, 0);
    script.call("fd_renumber", &[I(FIRST + 1), I(FIRST)]);
    transfer(&mut script, "fd_read", FIRST, 5);
    script.call("fd_tell", &[I(FIRST + 1), I(32)]);
    script.call("fd_renumber", &[I(FIRST), I(FIRST)]);
    script.call("fd_tell", &[I(FIRST), I(32)]);
    let ran = with_file(b"01234").run(&script);
    assert_eq!(ran.results, [0, 0, 0, 0, BADF, 0, 0]);
    assert_eq!((ran.bytes(4096, 5), ran.u64(32)), (&b"fixed"[..], 5));
}

#[test]
fn preopened_directories_have_names_and_nothing_else_has() {
    let mut script = Script::new();
    open(&mut script, "d", DIRECTORY, READ, 0);
    script.call("fd_prestat_get", &[I(ROOT), I(64)]);
    script.call("fd_prestat_dir_name", &[I(ROOT), I(80), I(9)]);
    script.call("fd_prestat_dir_name", &[I(ROOT), I(80), I(4)]);
    for fd in [0, 1, 2, FIRST, 9] {
        script.call("fd_prestat_get", &[I(fd), I(96)]);
        script.call("fd_prestat_dir_name", &[I(fd), I(96), I(9)]);
    }
    let mut setup = with_file(b"");
    setup.preopens[0].name = "/data".into();
    let ran = setup.run(&script);
    let mut expected = vec![0, 0, 0, NAMETOOLONG];
    expected.extend([BADF; 10]);
    assert_eq!(ran.results, expected);
    assert_eq!((ran.u32(64), ran.u32(68), ran.bytes(80, 6)), (0, 5, &b"/data\0"[..]));
}

#[test]
fn so_many_descriptors_and_no_more() {
    let mut script = Script::new();
    let [at, len] = script.text("f");
    let (I(at), I(len)) = (at, len) else { panic!() };
    let call = format!(
        "(call $path_open (i32.const 3) (i32.const 0) (i32.const {at}) (i32.const {len}) (i32.const 0)
         (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0))"
    );
    // Count in address 64 how often it works.
    script.raw(&format!(
        "(loop (i32.store (i32.const 68) {call}) (i32.eqz (i32.load (i32.const 68))) if
         (i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (i32.const 1))) br 1 end)"
    ));
    let ran = with_file(b"").run(&script);
    assert_eq!((ran.u32(64), ran.u32(68), ran.u32(0)), (1024 - FIRST, MFILE, 1023));
}
