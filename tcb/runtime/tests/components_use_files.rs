// SPDX-License-Identifier: Apache-2.0

//! `wasi:filesystem` on the same file system as preview 1.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

mod components;
mod harness;

use bytes::Bytes;
use components::{ErrorCode, RET, Script, run_script};
use enarx_runtime::vfs::{Access, Quota, Vfs};
use harness::{Setup, WALL, clock, preopen, time};

const ROOT: &str = "(local.get $root)";
/// Arguments of `open-at` behind the path: create a file and open it for reading and writing.
const CREATE: &str = "(i32.const 1) (i32.const 3)";
/// Open for reading.
const READ: &str = "(i32.const 0) (i32.const 1)";
/// Follow a link in the last place.
const FOLLOW: &str = "(i32.const 1)";
/// Do not.
const KEEP: &str = "(i32.const 0)";

/// A program that has the root open, and a new file in it as `$file`.
fn with_file(path: &str) -> Script {
    let mut script = Script::with_root();
    let path = script.text(path);
    script.ok("open-at", &[ROOT, FOLLOW, &path, CREATE]).keep("file");
    script
}

fn content(files: &Vfs, path: &str) -> String {
    let node = files.node(path).unwrap();
    let mut bytes = vec![0; usize::try_from(node.stat().unwrap().size).unwrap()];
    node.read_at(0, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn files_are_written_and_read_at_offsets() {
    let mut script = with_file("file");
    let (hello, there) = (script.text("hello world"), script.text("there"));
    script.ok("write", &["(local.get $file)", &hello, "(i64.const 0)"]);
    script.check(&format!("(i64.ne (i64.load (i32.const {})) (i64.const 11))", RET + 8));
    script.ok("write", &["(local.get $file)", &there, "(i64.const 6)"]);
    script.ok("set-size", &["(local.get $file)", "(i64.const 13)"]);
    script.ok("read", &["(local.get $file)", "(i64.const 7)", "(i64.const 3)"]);
    script.check(&format!("(i32.load8_u (i32.const {}))", RET + 12));
    script.print_result(4);
    script.ok("read", &["(local.get $file)", "(i64.const -1)", "(i64.const 10)"]);
    script.check(&format!("(i32.eqz (i32.load8_u (i32.const {})))", RET + 12));
    script.print_result(4);
    script.ok("read", &["(local.get $file)", "(i64.const 1)", "(i64.const -1)"]);
    script.check(&format!("(i32.load (i32.const {}))", RET + 8));
    script.error("write", &["(local.get $file)", &there, "(i64.const -1)"], ErrorCode::FileTooLarge);
    script.ok("sync", &["(local.get $file)"]).ok("sync-data", &["(local.get $file)"]);
    script.ok("advise", &["(local.get $file)", "(i64.const 0) (i64.const 9) (i32.const 3)"]);
    let ran = run_script(Setup::default(), &script);
    assert_eq!(ran.output(), "lo there\0\0");
    assert_eq!(content(&ran.files, "/file"), "hello there\0\0");
}

#[test]
fn streams_of_a_file_share_it() {
    let mut script = with_file("file");
    let (one, two, three) = (script.text("one."), script.text("two."), script.text("THREE"));
    script.ok("append-via-stream", &["(local.get $file)"]).keep("a");
    script.ok("append-via-stream", &["(local.get $file)"]).keep("b");
    script.ok("write-via-stream", &["(local.get $file)", "(i64.const 2)"]).keep("w");
    script.ok("output.blocking-write-and-flush", &["(local.get $a)", &one]);
    script.ok("output.blocking-write-and-flush", &["(local.get $b)", &two]);
    script.ok("output.blocking-write-and-flush", &["(local.get $a)", &one]);
    script.ok("output.check-write", &["(local.get $w)"]);
    script.check(&format!("(i64.lt_u (i64.load (i32.const {})) (i64.const 5))", RET + 8));
    script.ok("output.write", &["(local.get $w)", &three]);
    script.ok("read-via-stream", &["(local.get $file)", "(i64.const 1)"]).keep("r");
    // The descriptor may go before its streams.
    script.wat("(call $drop-descriptor (local.get $file))");
    script.ok("input.read", &["(local.get $r)", "(i64.const 4)"]).print_result(4);
    script.ok("output.splice", &["(local.get $stdout) (local.get $r)", "(i64.const 100)"]);
    script.call("input.blocking-read", &["(local.get $r)", "(i64.const 1)"]);
    script.check(&format!("(i32.ne (i32.load8_u (i32.const {})) (i32.const 1))", RET + 4));
    script.wat("(call $drop-input (local.get $r)) (call $drop-output (local.get $w))");
    let ran = run_script(Setup::default(), &script);
    assert_eq!(content(&ran.files, "/file"), "onTHREE.one.");
    assert_eq!(ran.output(), "nTHREE.one.");
}

#[test]
fn a_failed_stream_tells_the_code_and_is_closed() {
    let clock = clock();
    let files = Vfs::new(Quota { bytes: 6, entries: 10 }, time(&clock));
    let mut script = with_file("file");
    let four = script.text("four");
    script.ok("append-via-stream", &["(local.get $file)"]).keep("a");
    script.ok("output.blocking-write-and-flush", &["(local.get $a)", &four]);
    script.call("output.blocking-write-and-flush", &["(local.get $a)", &four]);
    script.check(&format!("(i32.load8_u (i32.const {}))", RET + 4));
    script.set("error", &format!("(i32.load (i32.const {}))", RET + 8));
    script.call("error-code", &["(local.get $error)"]);
    script.check(&format!("(i32.ne (i32.load16_u (i32.const {RET})) (i32.const 0x601))"));
    script.call("output.check-write", &["(local.get $a)"]);
    script.check(&format!("(i32.ne (i32.load8_u (i32.const {})) (i32.const 1))", RET + 8));
    let ran = run_script(Setup { clock, files, ..Setup::default() }, &script);
    assert_eq!(ran.output(), "");
    assert_eq!(content(&ran.files, "/file"), "four");
}

#[test]
fn names_are_made_moved_listed_and_removed() {
    let mut script = with_file("file");
    let t = |script: &mut Script, text: &str| script.text(text);
    let (directory, file, moved, link) = (
        t(&mut script, "directory"),
        t(&mut script, "file"),
        t(&mut script, "directory/moved"),
        t(&mut script, "link"),
    );
    script.ok("create-directory-at", &[ROOT, &directory]);
    script.error("create-directory-at", &[ROOT, &directory], ErrorCode::Exist);
    script.ok("rename-at", &[ROOT, &file, ROOT, &moved]);
    script.ok("symlink-at", &[ROOT, &moved, &link]);
    script.ok("readlink-at", &[ROOT, &link]).print_result(4);
    script.ok("link-at", &[ROOT, KEEP, &moved, ROOT, &file]);
    script.error("remove-directory-at", &[ROOT, &directory], ErrorCode::NotEmpty);
    script.error("unlink-file-at", &[ROOT, &directory], ErrorCode::IsDirectory);
    script.error("rename-at", &[ROOT, &directory, ROOT, &moved], ErrorCode::Invalid);
    script.ok("open-at", &[ROOT, FOLLOW, &link, READ]).keep("other");
    script.check("(i32.eqz (call $is-same-object (local.get $file) (local.get $other)))");
    script.check("(call $is-same-object (local.get $file) (local.get $root))");
    script.ok("unlink-file-at", &[ROOT, &moved]);
    script.ok("remove-directory-at", &[ROOT, &directory]);
    script.error("stat-at", &[ROOT, FOLLOW, &link], ErrorCode::NoEntry);
    script.ok("stat-at", &[ROOT, KEEP, &link]);
    // The type of a symbolic link is the sixth.
    script.check(&format!("(i32.ne (i32.load8_u (i32.const {})) (i32.const 5))", RET + 8));
    list(&mut script);
    assert_eq!(run_script(Setup::default(), &script).output(), "directory/movedlink.file.");
}

/// Prints the names in `$root`, each followed by a stop.
fn list(script: &mut Script) {
    let stop = script.text(".");
    script.ok("read-directory", &[ROOT]).keep("listing");
    script.wat("(block $done (loop $next");
    script.ok("read-entry", &["(local.get $listing)"]);
    script.wat(&format!("(br_if $done (i32.eqz (i32.load8_u (i32.const {}))))", RET + 4));
    script.print_result(12).print(&stop);
    script.wat("(br $next)))");
}

#[test]
fn what_leads_out_is_not_permitted() {
    let mut script = Script::with_root();
    let (out, absolute, link) = (script.text("../secret"), script.text("/secret"), script.text("link"));
    for path in [&out, &absolute] {
        script.error("open-at", &[ROOT, FOLLOW, path, READ], ErrorCode::NotPermitted);
        script.error("stat-at", &[ROOT, FOLLOW, path], ErrorCode::NotPermitted);
        script.error("unlink-file-at", &[ROOT, path], ErrorCode::NotPermitted);
    }
    script.error("symlink-at", &[ROOT, &absolute, &link], ErrorCode::NotPermitted);
    script.ok("symlink-at", &[ROOT, &out, &link]);
    script.error("open-at", &[ROOT, FOLLOW, &link, READ], ErrorCode::NotPermitted);
    script.error("open-at", &[ROOT, KEEP, &link, READ], ErrorCode::Loop);
    let setup = Setup { preopens: vec![preopen("/inner", "/")], ..Setup::default() };
    setup.files.seed_file("/secret", Bytes::from_static(b"secret"), Access::ReadWrite).unwrap();
    setup.files.seed_directory("/inner", Access::ReadWrite).unwrap();
    assert_eq!(run_script(setup, &script).output(), "");
}

#[test]
fn rights_only_get_less() {
    let mut script = with_file("file");
    let (directory, path, new) = (script.text("directory"), script.text("file"), script.text("new"));
    let (text, dot) = (script.text("x"), script.text("."));
    script.ok("create-directory-at", &[ROOT, &directory]);
    // A directory without `mutate-directory`, and what can be opened by way of it.
    script.ok("open-at", &[ROOT, FOLLOW, &dot, "(i32.const 2) (i32.const 1)"]).keep("fixed");
    let fixed = "(local.get $fixed)";
    script.error("open-at", &[fixed, FOLLOW, &new, CREATE], ErrorCode::ReadOnly);
    script.error("open-at", &[fixed, FOLLOW, &path, "(i32.const 0) (i32.const 3)"], ErrorCode::ReadOnly);
    script.error("open-at", &[fixed, FOLLOW, &path, "(i32.const 8) (i32.const 1)"], ErrorCode::ReadOnly);
    script.error(
        "open-at",
        &[fixed, FOLLOW, &directory, "(i32.const 2) (i32.const 33)"],
        ErrorCode::ReadOnly,
    );
    script.error("create-directory-at", &[fixed, &new], ErrorCode::ReadOnly);
    script.error("unlink-file-at", &[fixed, &path], ErrorCode::ReadOnly);
    script.error("symlink-at", &[fixed, &path, &new], ErrorCode::ReadOnly);
    script.error("rename-at", &[fixed, &path, ROOT, &new], ErrorCode::ReadOnly);
    script.error("link-at", &[ROOT, KEEP, &path, fixed, &new], ErrorCode::ReadOnly);
    // A file that was opened for reading, and one for writing.
    script.ok("open-at", &[fixed, FOLLOW, &path, READ]).keep("r");
    script.error("write", &["(local.get $r)", &text, "(i64.const 0)"], ErrorCode::BadDescriptor);
    script.error("append-via-stream", &["(local.get $r)"], ErrorCode::BadDescriptor);
    script.error("set-size", &["(local.get $r)", "(i64.const 0)"], ErrorCode::Invalid);
    script.error("set-times", &["(local.get $r)", NOW, NOW], ErrorCode::ReadOnly);
    script.ok("open-at", &[ROOT, FOLLOW, &path, "(i32.const 0) (i32.const 2)"]).keep("w");
    script.error("read", &["(local.get $w)", "(i64.const 1) (i64.const 0)"], ErrorCode::BadDescriptor);
    script.error("read-via-stream", &["(local.get $w)", "(i64.const 0)"], ErrorCode::BadDescriptor);
    script.error("read-directory", &["(local.get $w)"], ErrorCode::NotDirectory);
    script.error("open-at", &["(local.get $w)", FOLLOW, &path, READ], ErrorCode::NotDirectory);
    script.error("read", &[ROOT, "(i64.const 1) (i64.const 0)"], ErrorCode::IsDirectory);
    script.error("open-at", &[ROOT, FOLLOW, &directory, "(i32.const 3) (i32.const 1)"], ErrorCode::Invalid);
    assert_eq!(run_script(Setup::default(), &script).output(), "");
}

/// `new-timestamp::now`.
const NOW: &str = "(i32.const 1) (i64.const 0) (i32.const 0)";

#[test]
fn times_are_set_and_told() {
    let mut script = with_file("file");
    script.ok("set-times", &["(local.get $file)", NOW, "(i32.const 2) (i64.const 77) (i32.const 5)"]);
    script.ok("stat", &["(local.get $file)"]);
    // The record: type, links, size, then three optional times of 24 bytes.
    script.print(&format!("(i32.const {}) (i32.const 96)", RET + 8));
    let beyond = "(i32.const 2) (i64.const -1) (i32.const 0)";
    script.error("set-times", &["(local.get $file)", beyond, NOW], ErrorCode::Overflow);
    let ran = run_script(Setup::default(), &script);
    assert_eq!(ran.status(), &enarx_runtime::run::Status::Exited(0));
    let number = |at: usize| u64::from_le_bytes(ran.stdout[at..at + 8].try_into().unwrap());
    assert_eq!((ran.stdout[0], number(8), number(16)), (6, 1, 0));
    let now = WALL / 1_000_000_000;
    assert!((now..now + 60).contains(&number(32)));
    assert_eq!((number(56), number(64)), (77, 5));
}

#[test]
fn the_hash_of_metadata_changes_with_the_file() {
    let mut script = with_file("file");
    let text = script.text("x");
    let hash = format!("(i32.const {}) (i32.const 16)", RET + 8);
    script.ok("metadata-hash", &["(local.get $file)"]).print(&hash);
    script.ok("metadata-hash", &["(local.get $file)"]).print(&hash);
    script.ok("write", &["(local.get $file)", &text, "(i64.const 0)"]);
    script.ok("metadata-hash", &["(local.get $file)"]).print(&hash);
    let ran = run_script(Setup::default(), &script);
    assert_eq!(ran.stdout[..16], ran.stdout[16..32]);
    assert_ne!(ran.stdout[..16], ran.stdout[32..48]);
}

#[test]
fn a_program_that_opens_without_end_gets_an_error_and_may_go_on() {
    let mut script = with_file("file");
    let (path, done) = (script.text("file"), script.text("done"));
    script.wat("(block $full (loop $next");
    script.call("open-at", &[ROOT, FOLLOW, &path, READ]);
    script.wat(&format!("(br_if $full (i32.load8_u (i32.const {RET})))"));
    script.keep("last").wat("(br $next)))");
    let code = ErrorCode::InsufficientMemory as u32;
    script.check(&format!("(i32.ne (i32.load8_u (i32.const {})) (i32.const {code}))", RET + 4));
    script.wat("(call $drop-descriptor (local.get $last))");
    script.ok("open-at", &[ROOT, FOLLOW, &path, READ]).print(&done);
    assert_eq!(run_script(Setup::default(), &script).output(), "done");
}

#[test]
fn quotas_are_told_by_their_code() {
    let mut script = with_file("file");
    script.error("set-size", &["(local.get $file)", "(i64.const 1073741824)"], ErrorCode::Quota);
    let ran = run_script(Setup::default(), &script);
    assert_eq!(ran.output(), "");
    assert_eq!(ran.files.usage().bytes, 0);
}
