// SPDX-License-Identifier: Apache-2.0

//! The functions that scripts call, as the canonical ABI lowers them.

/// One function.
pub struct Signature {
    /// Its name in scripts.
    pub name: &'static str,
    pub interface: &'static str,
    pub function: &'static str,
    /// Parameters and result of the core function.
    pub types: &'static str,
    /// Where its `result` has the `error-code`.
    pub error_at: u32,
}

const fn of(
    name: &'static str,
    interface: &'static str,
    function: &'static str,
    types: &'static str,
    error_at: u32,
) -> Signature {
    Signature { name, interface, function, types, error_at }
}

const DESCRIPTORS: &str = "filesystem/types";
const STREAMS: &str = "io/streams";

/// All of them. A `result` without a payload for `ok` has its error at 1, one with a handle or list at 4, one with a
/// 64-bit number at 8.
pub const SIGNATURES: &[Signature] = &[
    of("get-environment", "cli/environment", "get-environment", "(param i32)", 0),
    of("get-arguments", "cli/environment", "get-arguments", "(param i32)", 0),
    of("initial-cwd", "cli/environment", "initial-cwd", "(param i32)", 0),
    of("exit", "cli/exit", "exit", "(param i32)", 0),
    of("exit-with-code", "cli/exit", "exit-with-code", "(param i32)", 0),
    of("get-stdin", "cli/stdin", "get-stdin", "(result i32)", 0),
    of("get-stdout", "cli/stdout", "get-stdout", "(result i32)", 0),
    of("get-stderr", "cli/stderr", "get-stderr", "(result i32)", 0),
    of("get-terminal-stdin", "cli/terminal-stdin", "get-terminal-stdin", "(param i32)", 0),
    of("get-terminal-stdout", "cli/terminal-stdout", "get-terminal-stdout", "(param i32)", 0),
    of("get-terminal-stderr", "cli/terminal-stderr", "get-terminal-stderr", "(param i32)", 0),
    of("monotonic.now", "clocks/monotonic-clock", "now", "(result i64)", 0),
    of("monotonic.resolution", "clocks/monotonic-clock", "resolution", "(result i64)", 0),
    of("subscribe-duration", "clocks/monotonic-clock", "subscribe-duration", "(param i64) (result i32)", 0),
    of("subscribe-instant", "clocks/monotonic-clock", "subscribe-instant", "(param i64) (result i32)", 0),
    of("wall.now", "clocks/wall-clock", "now", "(param i32)", 0),
    of("random-u64", "random/random", "get-random-u64", "(result i64)", 0),
    of("random-bytes", "random/random", "get-random-bytes", "(param i64 i32)", 0),
    of("insecure-u64", "random/insecure", "get-insecure-random-u64", "(result i64)", 0),
    of("insecure-bytes", "random/insecure", "get-insecure-random-bytes", "(param i64 i32)", 0),
    of("insecure-seed", "random/insecure-seed", "insecure-seed", "(param i32)", 0),
    of("poll", "io/poll", "poll", "(param i32 i32 i32)", 0),
    of("pollable.block", "io/poll", "[method]pollable.block", "(param i32)", 0),
    of("pollable.ready", "io/poll", "[method]pollable.ready", "(param i32) (result i32)", 0),
    of("drop-pollable", "io/poll", "[resource-drop]pollable", "(param i32)", 0),
    of("drop-input", STREAMS, "[resource-drop]input-stream", "(param i32)", 0),
    of("drop-output", STREAMS, "[resource-drop]output-stream", "(param i32)", 0),
    of("input.read", STREAMS, "[method]input-stream.read", "(param i32 i64 i32)", 4),
    of("input.blocking-read", STREAMS, "[method]input-stream.blocking-read", "(param i32 i64 i32)", 4),
    of("input.subscribe", STREAMS, "[method]input-stream.subscribe", "(param i32) (result i32)", 0),
    of("output.check-write", STREAMS, "[method]output-stream.check-write", "(param i32 i32)", 8),
    of("output.write", STREAMS, "[method]output-stream.write", "(param i32 i32 i32 i32)", 4),
    of(
        "output.blocking-write-and-flush",
        STREAMS,
        "[method]output-stream.blocking-write-and-flush",
        "(param i32 i32 i32 i32)",
        4,
    ),
    of("output.splice", STREAMS, "[method]output-stream.blocking-splice", "(param i32 i32 i64 i32)", 8),
    of("get-directories", "filesystem/preopens", "get-directories", "(param i32)", 0),
    of("error-code", DESCRIPTORS, "filesystem-error-code", "(param i32 i32)", 0),
    of("drop-descriptor", DESCRIPTORS, "[resource-drop]descriptor", "(param i32)", 0),
    of("open-at", DESCRIPTORS, "[method]descriptor.open-at", "(param i32 i32 i32 i32 i32 i32 i32)", 4),
    of("read", DESCRIPTORS, "[method]descriptor.read", "(param i32 i64 i64 i32)", 4),
    of("write", DESCRIPTORS, "[method]descriptor.write", "(param i32 i32 i32 i64 i32)", 8),
    of("read-via-stream", DESCRIPTORS, "[method]descriptor.read-via-stream", "(param i32 i64 i32)", 4),
    of("write-via-stream", DESCRIPTORS, "[method]descriptor.write-via-stream", "(param i32 i64 i32)", 4),
    of("append-via-stream", DESCRIPTORS, "[method]descriptor.append-via-stream", "(param i32 i32)", 4),
    of("set-size", DESCRIPTORS, "[method]descriptor.set-size", "(param i32 i64 i32)", 1),
    of("get-type", DESCRIPTORS, "[method]descriptor.get-type", "(param i32 i32)", 1),
    of("get-flags", DESCRIPTORS, "[method]descriptor.get-flags", "(param i32 i32)", 1),
    of("sync", DESCRIPTORS, "[method]descriptor.sync", "(param i32 i32)", 1),
    of("sync-data", DESCRIPTORS, "[method]descriptor.sync-data", "(param i32 i32)", 1),
    of("advise", DESCRIPTORS, "[method]descriptor.advise", "(param i32 i64 i64 i32 i32)", 1),
    of("stat", DESCRIPTORS, "[method]descriptor.stat", "(param i32 i32)", 8),
    of("stat-at", DESCRIPTORS, "[method]descriptor.stat-at", "(param i32 i32 i32 i32 i32)", 8),
    of(
        "set-times",
        DESCRIPTORS,
        "[method]descriptor.set-times",
        "(param i32 i32 i64 i32 i32 i64 i32 i32)",
        1,
    ),
    of(
        "create-directory-at",
        DESCRIPTORS,
        "[method]descriptor.create-directory-at",
        "(param i32 i32 i32 i32)",
        1,
    ),
    of(
        "remove-directory-at",
        DESCRIPTORS,
        "[method]descriptor.remove-directory-at",
        "(param i32 i32 i32 i32)",
        1,
    ),
    of("unlink-file-at", DESCRIPTORS, "[method]descriptor.unlink-file-at", "(param i32 i32 i32 i32)", 1),
    of("symlink-at", DESCRIPTORS, "[method]descriptor.symlink-at", "(param i32 i32 i32 i32 i32 i32)", 1),
    of("readlink-at", DESCRIPTORS, "[method]descriptor.readlink-at", "(param i32 i32 i32 i32)", 4),
    of("rename-at", DESCRIPTORS, "[method]descriptor.rename-at", "(param i32 i32 i32 i32 i32 i32 i32)", 1),
    of("link-at", DESCRIPTORS, "[method]descriptor.link-at", "(param i32 i32 i32 i32 i32 i32 i32 i32)", 1),
    of("is-same-object", DESCRIPTORS, "[method]descriptor.is-same-object", "(param i32 i32) (result i32)", 0),
    of("metadata-hash", DESCRIPTORS, "[method]descriptor.metadata-hash", "(param i32 i32)", 8),
    of("read-directory", DESCRIPTORS, "[method]descriptor.read-directory", "(param i32 i32)", 4),
    of(
        "read-entry",
        DESCRIPTORS,
        "[method]directory-entry-stream.read-directory-entry",
        "(param i32 i32)",
        4,
    ),
];
