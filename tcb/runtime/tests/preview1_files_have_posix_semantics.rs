// SPDX-License-Identifier: Apache-2.0

//! Preview 1 on files: positions, sizes, times, flags, and the refusals of each function.
#![allow(clippy::unwrap_used, reason = "a helper of a test may end the test")]

mod harness;

use bytes::Bytes;
use enarx_runtime::vfs::Access;
use harness::script::{I, L, Script};
use harness::{Ran, Setup, WALL};

const BADF: u32 = 8;
const DQUOT: u32 = 19;
const FBIG: u32 = 22;
const INVAL: u32 = 28;
const ISDIR: u32 = 31;
const NOTDIR: u32 = 54;
const ROFS: u32 = 69;
const SPIPE: u32 = 70;

/// The preopened root directory.
const ROOT: u32 = 3;
/// The first descriptor that a script opens.
const FIRST: u32 = 4;

const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 6;
const CREAT: u32 = 1;
const TRUNC: u32 = 8;
const APPEND: u32 = 1;

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

fn content(ran: &Ran, path: &str) -> Vec<u8> {
    let node = ran.files.node(path).unwrap();
    let mut bytes = vec![0; usize::try_from(node.stat().unwrap().size).unwrap()];
    assert_eq!(node.read_at(0, &mut bytes).unwrap(), bytes.len());
    bytes
}

fn with_file(bytes: &'static [u8]) -> Setup {
    let setup = Setup::default();
    setup.files.seed_file("/f", Bytes::from_static(bytes), Access::ReadWrite).unwrap();
    setup.files.seed_file("/ro", Bytes::from_static(b"fixed"), Access::ReadOnly).unwrap();
    setup.files.seed_directory("/d", Access::ReadWrite).unwrap();
    setup
}

#[test]
fn writing_and_reading_move_the_position() {
    let mut script = Script::new();
    script
        .bytes(4096, b"hello world")
        .iovecs(64, &[(4096, 5), (4200, 0), (4101, 6)])
        .iovecs(96, &[(256, 3), (300, 100)]);
    open(&mut script, "new", CREAT, READ | WRITE, 0);
    script.call("fd_write", &[I(FIRST), I(64), I(3), I(8)]);
    script.call("fd_tell", &[I(FIRST), I(32)]);
    script.call("fd_seek", &[I(FIRST), L(2), I(0), I(40)]);
    script.call("fd_read", &[I(FIRST), I(96), I(2), I(12)]);
    script.call("fd_read", &[I(FIRST), I(96), I(2), I(24)]);
    let ran = Setup::default().run(&script);
    assert_eq!(ran.results, [0; 6]);
    assert_eq!((ran.u32(0), ran.u32(8), ran.u64(32), ran.u64(40)), (FIRST, 11, 11, 2));
    assert_eq!((ran.u32(12), ran.u32(24)), (9, 0));
    assert_eq!((ran.bytes(256, 3), ran.bytes(300, 6)), (&b"llo"[..], &b" world"[..]));
    assert_eq!(content(&ran, "/new"), b"hello world");
}

#[test]
fn positioned_transfers_leave_the_position() {
    let mut script = Script::new();
    script.bytes(4096, b"XY").iovecs(64, &[(4096, 2)]).iovecs(96, &[(256, 4)]);
    open(&mut script, "f", 0, READ | WRITE, 0);
    script.call("fd_pwrite", &[I(FIRST), I(64), I(1), L(8), I(8)]);
    script.call("fd_pread", &[I(FIRST), I(96), I(1), L(3), I(12)]);
    script.call("fd_tell", &[I(FIRST), I(32)]);
    script.call("fd_pread", &[I(FIRST), I(96), I(1), L(100), I(24)]);
    script.call("fd_pread", &[I(FIRST), I(96), I(1), L(1 << 63), I(24)]);
    script.call("fd_pwrite", &[I(FIRST), I(64), I(1), L(1 << 63), I(24)]);
    let ran = with_file(b"01234").run(&script);
    assert_eq!(ran.results, [0, 0, 0, 0, 0, INVAL, INVAL]);
    assert_eq!((ran.u32(8), ran.u32(12), ran.u64(32), ran.u32(24)), (2, 4, 0, 0));
    assert_eq!(ran.bytes(256, 4), b"34\0\0");
    assert_eq!(content(&ran, "/f"), b"01234\0\0\0XY");
}

#[test]
fn appending_goes_to_the_end_wherever_the_position_is() {
    let mut script = Script::new();
    script.bytes(4096, b"abc");
    open(&mut script, "f", 0, READ | WRITE, APPEND);
    script.call("fd_seek", &[I(FIRST), L(1), I(0), I(40)]);
    transfer(&mut script, "fd_write", FIRST, 3);
    script.call("fd_tell", &[I(FIRST), I(32)]);
    script.call("fd_fdstat_set_flags", &[I(FIRST), I(0)]);
    script.call("fd_seek", &[I(FIRST), L(0), I(0), I(40)]);
    transfer(&mut script, "fd_write", FIRST, 2);
    let ran = with_file(b"01234").run(&script);
    assert_eq!(ran.results, [0; 7]);
    assert_eq!(ran.u64(32), 8);
    assert_eq!(content(&ran, "/f"), b"ab234abc");
}

#[test]
fn seeking_has_three_origins_and_no_place_before_the_start() {
    let mut script = Script::new();
    open(&mut script, "f", 0, READ, 0);
    script.call("fd_seek", &[I(FIRST), L((-2_i64).cast_unsigned()), I(2), I(32)]);
    script.call("fd_seek", &[I(FIRST), L(10), I(1), I(40)]);
    script.call("fd_seek", &[I(FIRST), L((-14_i64).cast_unsigned()), I(1), I(48)]);
    script.call("fd_seek", &[I(FIRST), L(0), I(3), I(48)]);
    script.call("fd_seek", &[I(FIRST), L(i64::MAX.cast_unsigned()), I(1), I(48)]);
    script.call("fd_tell", &[I(FIRST), I(56)]);
    let ran = with_file(b"01234").run(&script);
    assert_eq!(ran.results, [0, 0, 0, INVAL, INVAL, INVAL, 0]);
    assert_eq!((ran.u64(32), ran.u64(40), ran.u64(56)), (3, 13, 13));
}

#[test]
fn a_file_is_used_only_for_what_it_was_opened_for() {
    let mut script = Script::new();
    open(&mut script, "f", 0, READ, 0);
    open(&mut script, "f", 0, WRITE, 0);
    transfer(&mut script, "fd_write", FIRST, 1);
    transfer(&mut script, "fd_read", FIRST + 1, 1);
    script.call("fd_filestat_set_size", &[I(FIRST), L(0)]);
    script.call("fd_allocate", &[I(FIRST), L(0), L(100)]);
    script.call("fd_pwrite", &[I(FIRST), I(16), I(1), L(0), I(8)]);
    script.call("fd_pread", &[I(FIRST + 1), I(16), I(1), L(0), I(8)]);
    let ran = with_file(b"01234").run(&script);
    assert_eq!(ran.results, [0, 0, BADF, BADF, INVAL, BADF, BADF, BADF]);
    assert_eq!(content(&ran, "/f"), b"01234");
}

#[test]
fn what_was_provisioned_read_only_stays() {
    let mut script = Script::new();
    open(&mut script, "ro", 0, WRITE, 0);
    open(&mut script, "ro", TRUNC, READ, 0);
    open(&mut script, "ro", 0, READ, 0);
    transfer(&mut script, "fd_read", FIRST, 5);
    let ran = with_file(b"").run(&script);
    assert_eq!(ran.results, [ROFS, ROFS, 0, 0]);
    assert_eq!(ran.bytes(4096, 5), b"fixed");
}

#[test]
fn sizes_are_set_and_allocated() {
    let mut script = Script::new();
    open(&mut script, "f", 0, READ | WRITE, 0);
    script.call("fd_filestat_set_size", &[I(FIRST), L(3)]);
    script.call("fd_allocate", &[I(FIRST), L(1), L(1)]);
    script.call("fd_filestat_get", &[I(FIRST), I(64)]);
    script.call("fd_allocate", &[I(FIRST), L(4), L(4)]);
    script.call("fd_filestat_get", &[I(FIRST), I(128)]);
    script.call("fd_allocate", &[I(FIRST), L(0), L(0)]);
    script.call("fd_allocate", &[I(FIRST), L(u64::MAX), L(2)]);
    script.call("fd_filestat_set_size", &[I(FIRST), L(1 << 63)]);
    script.call("fd_filestat_set_size", &[I(FIRST), L(1 << 40)]);
    let ran = with_file(b"01234").run(&script);
    assert_eq!(ran.results, [0, 0, 0, 0, 0, 0, INVAL, FBIG, FBIG, DQUOT]);
    assert_eq!((ran.u64(64 + 32), ran.u64(128 + 32)), (3, 8));
    assert_eq!(content(&ran, "/f"), b"012\0\0\0\0\0");
}

#[test]
fn a_write_beyond_the_quota_is_refused_whole() {
    let mut script = Script::new();
    script.bytes(4096, b"x").iovecs(64, &[(4096, 1)]);
    open(&mut script, "f", 0, READ | WRITE, 0);
    script.call("fd_pwrite", &[I(FIRST), I(64), I(1), L((1 << 20) - 6), I(8)]);
    script.call("fd_pwrite", &[I(FIRST), I(64), I(1), L(1 << 20), I(8)]);
    let ran = with_file(b"01234").run(&script);
    assert_eq!(ran.results, [0, 0, DQUOT]);
    assert_eq!(content(&ran, "/f").len(), (1 << 20) - 5);
}

#[test]
fn attributes_of_a_file() {
    let mut script = Script::new();
    open(&mut script, "f", 0, READ, 0);
    script.call("fd_filestat_get", &[I(FIRST), I(64)]);
    script.call("fd_filestat_set_times", &[I(FIRST), L(11), L(22), I(1 | 4)]);
    script.call("fd_filestat_get", &[I(FIRST), I(128)]);
    script.call("fd_filestat_set_times", &[I(FIRST), L(0), L(0), I(2)]);
    script.call("fd_filestat_get", &[I(FIRST), I(192)]);
    for flags in [1 | 2, 4 | 8, 16] {
        script.call("fd_filestat_set_times", &[I(FIRST), L(0), L(0), I(flags)]);
    }
    let ran = with_file(b"01234").run(&script);
    assert_eq!(ran.results, [0, 0, 0, 0, 0, 0, INVAL, INVAL, INVAL]);
    // Device, type, links, size.
    assert_eq!((ran.u64(64), ran.memory[80], ran.u64(88), ran.u64(96)), (1, 4, 1, 5));
    let recent = WALL..WALL + 60_000_000_000;
    assert!([104, 112, 120].into_iter().all(|time| recent.contains(&ran.u64(time))));
    assert_eq!((ran.u64(128 + 40), ran.u64(128 + 48)), (11, 22));
    assert!(recent.contains(&ran.u64(192 + 40)));
    assert_eq!(ran.u64(192 + 48), 22);
}

#[test]
fn advice_and_synchronisation_are_accepted_where_they_make_sense() {
    let mut script = Script::new();
    open(&mut script, "f", 0, READ, 0);
    let mut expected = vec![0];
    for (fd, advise, sync) in [(FIRST, 0, 0), (ROOT, BADF, 0), (0, SPIPE, INVAL), (9, BADF, BADF)] {
        script.call("fd_advise", &[I(fd), L(0), L(0), I(5)]);
        script.call("fd_sync", &[I(fd)]);
        script.call("fd_datasync", &[I(fd)]);
        expected.extend([advise, sync, sync]);
    }
    for (offset, advice) in [(0, 6), (1 << 63, 0)] {
        script.call("fd_advise", &[I(FIRST), L(offset), L(0), I(advice)]);
        expected.push(INVAL);
    }
    assert_eq!(with_file(b"").run(&script).results, expected);
}

#[test]
fn directories_and_streams_are_not_files() {
    let mut script = Script::new();
    let mut expected = Vec::new();
    for (fd, directory) in [(ROOT, true), (0, false)] {
        let one = |file: u32, stream: u32| if directory { file } else { stream };
        transfer(&mut script, "fd_write", fd, 1);
        expected.push(BADF);
        script.call("fd_pread", &[I(fd), I(16), I(1), L(0), I(8)]);
        expected.push(one(ISDIR, SPIPE));
        script.call("fd_pwrite", &[I(fd), I(16), I(1), L(0), I(8)]);
        expected.push(one(BADF, SPIPE));
        script.call("fd_seek", &[I(fd), L(0), I(0), I(8)]);
        expected.push(one(BADF, SPIPE));
        script.call("fd_tell", &[I(fd), I(8)]);
        expected.push(one(BADF, SPIPE));
        script.call("fd_allocate", &[I(fd), L(0), L(1)]);
        expected.push(one(BADF, SPIPE));
        script.call("fd_filestat_set_size", &[I(fd), L(0)]);
        expected.push(one(BADF, INVAL));
        script.call("fd_filestat_set_times", &[I(fd), L(0), L(0), I(1)]);
        expected.push(one(0, BADF));
        script.call("fd_readdir", &[I(fd), I(0), I(0), L(0), I(8)]);
        expected.push(one(0, NOTDIR));
        script.call("fd_filestat_get", &[I(fd), I(64)]);
        expected.push(0);
    }
    transfer(&mut script, "fd_read", ROOT, 1);
    expected.push(ISDIR);
    transfer(&mut script, "fd_read", 1, 1);
    expected.push(BADF);
    let ran = with_file(b"").run(&script);
    assert_eq!(ran.results, expected);
    assert_eq!(ran.bytes(64, 64), [0; 64]);
}

#[test]
fn too_many_buffers_are_refused() {
    let mut script = Script::new();
    open(&mut script, "f", 0, READ | WRITE, 0);
    script.call("fd_read", &[I(FIRST), I(4096), I(1025), I(0)]);
    script.call("fd_write", &[I(FIRST), I(4096), I(u32::MAX), I(0)]);
    script.call("fd_read", &[I(FIRST), I(4096), I(1024), I(0)]);
    assert_eq!(with_file(b"").run(&script).results, [0, INVAL, INVAL, 0]);
}
