// SPDX-License-Identifier: Apache-2.0

//! A bundle is the same after the way to the Keep, and bytes that are no bundle are refused without harm.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails where something cannot be set up"
)]

use std::ops::Range;

use enarx_package::bundle::BundleProblem;
use enarx_package::limits::FIELDS;
use enarx_package::{
    Bundle, BundleError, Descriptor, Entry, EntryKind, FileKind, FileTree, GuestPath, Limits, ProgramKind,
    Secret, Stdio,
};
use minicbor::Encoder;
use proptest::prelude::*;

fn bundle() -> Bundle {
    let entry = |path: &str, kind| Entry { path: GuestPath::parse(path).unwrap(), kind };
    Bundle {
        program: ProgramKind::Component,
        args: vec!["main.wasm".into(), "ü".into()],
        env: vec![("TOKEN".into(), Secret::new("hunter2".into()))],
        stdio: Stdio::standard(),
        files: FileTree::new([
            entry("/data/a", EntryKind::File(vec![0, 255])),
            entry("/data/empty", EntryKind::Directory),
            entry("/data/link", EntryKind::Symlink("../data/a".into())),
        ])
        .unwrap(),
        limits: Limits { run_time_ms: 5000, ..Limits::default() },
        code: b"compiled".to_vec(),
    }
}

fn with_code(decoded: Bundle<Range<usize>>, bytes: &[u8]) -> Bundle {
    let Bundle { program, args, env, stdio, files, limits, code } = decoded;
    Bundle { program, args, env, stdio, files, limits, code: bytes[code].to_vec() }
}

#[test]
fn a_bundle_arrives_as_it_was_sent() {
    let sent = bundle();
    let bytes = sent.encode();
    let arrived = with_code(Bundle::decode(&bytes).unwrap(), &bytes);
    assert_eq!(arrived.program, sent.program);
    assert_eq!(arrived.args, sent.args);
    assert_eq!(arrived.env[0].0, "TOKEN");
    assert_eq!(arrived.env[0].1.expose(), "hunter2");
    assert_eq!(arrived.stdio, sent.stdio);
    assert_eq!(arrived.files, sent.files);
    assert_eq!(arrived.limits, sent.limits);
    assert_eq!(arrived.code, b"compiled");
    assert_eq!(*arrived.encode(), *bytes);
}

#[test]
fn the_buffer_never_grows_and_so_leaves_no_copies() {
    let bytes = bundle().encode();
    assert_eq!(bytes.capacity(), bytes.len());
}

#[test]
fn secrets_and_contents_are_not_printed() {
    let text = format!("{:?}", bundle());
    assert!(text.contains("[redacted]"), "{text}");
    assert!(!text.contains("hunter2") && !text.contains("255"), "{text}");
}

#[test]
fn every_truncation_and_extension_is_refused() {
    let bytes = bundle().encode();
    for length in 0..bytes.len() {
        let problem = Bundle::decode(&bytes[..length]).unwrap_err().problem;
        assert!(matches!(problem, BundleProblem::Malformed { .. }), "cut at {length}: {problem}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(Bundle::decode(&longer).unwrap_err().problem, BundleProblem::Trailing);
}

/// A bundle written field by field, so that one field can be wrong.
struct Raw {
    version: u64,
    program: u64,
    limits: Limits,
    args: Vec<String>,
    env: Vec<(String, String)>,
    stdio: Vec<(u64, String)>,
    files: Vec<(String, u64)>,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            version: 1,
            program: 0,
            limits: Limits::default(),
            args: Vec::new(),
            env: Vec::new(),
            stdio: Vec::new(),
            files: Vec::new(),
        }
    }
}

impl Raw {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut out = Encoder::new(&mut bytes);
        out.array(8).unwrap().u64(self.version).unwrap().u64(self.program).unwrap();
        out.array(FIELDS.len() as u64).unwrap();
        for field in &FIELDS {
            out.u64((field.get)(&self.limits)).unwrap();
        }
        out.array(self.args.len() as u64).unwrap();
        for arg in &self.args {
            out.str(arg).unwrap();
        }
        out.array(self.env.len() as u64).unwrap();
        for (name, value) in &self.env {
            out.array(2).unwrap().str(name).unwrap().str(value).unwrap();
        }
        out.array(self.stdio.len() as u64).unwrap();
        for (kind, name) in &self.stdio {
            out.array(2).unwrap().u64(*kind).unwrap().str(name).unwrap();
        }
        out.array(self.files.len() as u64).unwrap();
        for (path, kind) in &self.files {
            out.array(3).unwrap().str(path).unwrap().u64(*kind).unwrap();
            match kind {
                0 => out.null().unwrap(),
                1 => out.bytes(b"contents").unwrap(),
                _ => out.str("target").unwrap(),
            };
        }
        out.bytes(b"code").unwrap();
        bytes
    }

    fn refusal(&self) -> String {
        Bundle::decode(&self.encode()).unwrap_err().problem.to_string()
    }
}

#[test]
fn the_raw_bundle_is_right_until_a_field_is_changed() {
    assert!(Bundle::decode(&Raw::default().encode()).is_ok());
}

#[test]
fn wrong_numbers_are_refused() {
    assert_eq!(Raw { version: 2, ..Raw::default() }.refusal(), "version 2 is not version 1");
    assert_eq!(Raw { program: 2, ..Raw::default() }.refusal(), "program kind 2 is not known");
    let stdio = vec![(256, "x".into())];
    assert_eq!(Raw { stdio, ..Raw::default() }.refusal(), "descriptor kind 256 is not known");
    let files = vec![("/a".into(), 3)];
    assert_eq!(Raw { files, ..Raw::default() }.refusal(), "entry kind 3 is not known");
    let limits = Limits { memory_bytes: u64::MAX, ..Limits::default() };
    assert_eq!(
        Raw { limits, ..Raw::default() }.refusal(),
        "limit `memory` is 18446744073709551615B, and must be from 64KiB to 64GiB"
    );
}

#[test]
fn paths_are_normalised_and_make_a_tree() {
    let refusal = |files: &[(&str, u64)]| {
        let files = files.iter().map(|(path, kind)| ((*path).to_owned(), *kind)).collect();
        Raw { files, ..Raw::default() }.refusal()
    };
    let normalised = "a path inside the Keep has no empty, `.` or `..` component and no `/` at its end";
    assert_eq!(refusal(&[("a", 1)]), "a path inside the Keep begins with `/`");
    assert_eq!(refusal(&[("/../a", 1)]), normalised);
    assert_eq!(refusal(&[("/a//b", 1)]), normalised);
    assert_eq!(refusal(&[("/a/.", 0)]), normalised);
    assert_eq!(refusal(&[("/a\0", 1)]), "a path inside the Keep has no control characters");
    assert_eq!(refusal(&[("/", 0)]), "`/` is always a directory");
    assert_eq!(refusal(&[("/a", 1), ("/a", 1)]), "`/a` is there twice");
    assert_eq!(refusal(&[("/a", 1), ("/a/b", 1)]), "`/a` has entries below it and is not a directory");
    // The order does not help, nor does what stands between them in the alphabet.
    assert_eq!(
        refusal(&[("/a/b/c", 0), ("/a-", 1), ("/a", 2)]),
        "`/a` has entries below it and is not a directory"
    );
    let deep = "/x".repeat(65);
    assert_eq!(refusal(&[(&deep, 1)]), "a path inside the Keep has at most 64 components");
    let long = format!("/{}", "x".repeat(256));
    assert_eq!(refusal(&[(&long, 1)]), "a component of a path inside the Keep has at most 255 bytes");
    let longer = format!("/{}", "x".repeat(4096));
    assert_eq!(refusal(&[(&longer, 1)]), "a path inside the Keep has at most 4096 bytes");
}

#[test]
fn variables_are_checked_as_in_a_manifest() {
    let refusal = |env: &[(&str, &str)]| {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Raw { env, ..Raw::default() }.refusal()
    };
    assert_eq!(refusal(&[("A", "1"), ("A", "2")]), "a variable is there twice");
    assert_eq!(refusal(&[("", "1")]), "the name of a variable is not empty");
    assert_eq!(
        refusal(&[("A=", "1")]),
        "the name of a variable has no `=`, no space and no control character"
    );
    assert_eq!(refusal(&[("A", "\0")]), "an argument or value has no NUL");
    assert_eq!(
        Raw { args: vec!["\0".into()], ..Raw::default() }.refusal(),
        "an argument or value has no NUL"
    );
}

#[test]
fn what_is_too_much_is_refused_by_its_count() {
    let args = vec![String::new(); 4097];
    assert_eq!(Raw { args, ..Raw::default() }.refusal(), "arguments: 4097 is more than 4096");
    let args = vec!["x".repeat(128 * 1024); 9];
    assert_eq!(
        Raw { args, ..Raw::default() }.refusal(),
        "bytes of arguments and variables: 1179648 is more than 1048576"
    );
    let args = vec!["x".repeat(128 * 1024 + 1)];
    assert_eq!(Raw { args, ..Raw::default() }.refusal(), "an argument or value has at most 128 KiB");
    let stdio = vec![(0, "x".into()); 65];
    assert_eq!(Raw { stdio, ..Raw::default() }.refusal(), "descriptors: 65 is more than 64");
    let files = vec![("/a".into(), 1), ("/b".into(), 1)];
    let limits = Limits { files_bytes: 15, ..Limits::default() };
    assert_eq!(
        Raw { files: files.clone(), limits, ..Raw::default() }.refusal(),
        "bytes of files: 16 is more than 15"
    );
    let limits = Limits { file_count: 1, ..Limits::default() };
    assert_eq!(Raw { limits, files, ..Raw::default() }.refusal(), "files: 2 is more than 1");
    // Two entries, and two directories that they imply.
    let files = vec![("/a/b".into(), 1), ("/c/d".into(), 1)];
    let limits = Limits { file_count: 3, ..Limits::default() };
    assert_eq!(Raw { limits, files, ..Raw::default() }.refusal(), "files: 4 is more than 3");
}

#[test]
fn a_length_of_its_own_choice_reserves_nothing() {
    // An array of 2^60 arguments, and a text of 2^60 bytes.
    let start = {
        let bytes = Raw::default().encode();
        let args = bytes.iter().rposition(|byte| *byte == 0x80).unwrap() - 3;
        assert_eq!(
            &bytes[args..args + 4],
            [0x80; 4],
            "arguments, variables, descriptors and files are empty"
        );
        bytes[..args].to_vec()
    };
    let huge = (1_u64 << 60).to_be_bytes();
    let array = [&start[..], &[0x9b], &huge].concat();
    assert_eq!(
        Bundle::decode(&array).unwrap_err().problem.to_string(),
        "arguments: 1152921504606846976 is more than 4096"
    );
    let text = [&start[..], &[0x81, 0x7b], &huge].concat();
    assert_eq!(Bundle::decode(&text).unwrap_err().problem, BundleProblem::Malformed { expected: "a text" });
    let indefinite = [&start[..], &[0x9f, 0xff]].concat();
    assert_eq!(
        Bundle::decode(&indefinite).unwrap_err().problem,
        BundleProblem::Malformed { expected: "arguments" }
    );
}

#[test]
fn an_error_says_where() {
    let error = Bundle::decode(&[0x88, 0x02]).unwrap_err();
    assert_eq!(error, BundleError { problem: BundleProblem::Version { found: 2 }, offset: 2 });
    assert_eq!(error.to_string(), "workload bundle: version 2 is not version 1 at byte 2");
}

fn bundles() -> impl Strategy<Value = Bundle> {
    let args = proptest::collection::vec("[^\0]{0,12}", 0..5);
    let env = proptest::collection::btree_map("[A-Z]{1,5}", "[^\0]{0,12}", 0..5);
    let stdio = proptest::collection::vec((0..4_usize, "[a-z]{1,5}"), 0..5);
    let files = proptest::collection::btree_map(
        "(/[a-c]{1,2}){1,4}",
        proptest::collection::vec(any::<u8>(), 0..9),
        0..8,
    );
    let code = proptest::collection::vec(any::<u8>(), 0..300);
    (args, env, stdio, files, code, any::<bool>()).prop_filter_map("files are no tree", |parts| {
        let (args, env, stdio, files, code, module) = parts;
        let kinds = [Stdio::Null, Stdio::Stdin, Stdio::Stdout, Stdio::Stderr];
        let file = |(path, contents): (String, _)| Entry {
            path: GuestPath::parse(&path).unwrap(),
            kind: EntryKind::File(contents),
        };
        Some(Bundle {
            program: if module { ProgramKind::Module } else { ProgramKind::Component },
            args,
            env: env.into_iter().map(|(name, value)| (name, Secret::new(value))).collect(),
            stdio: stdio
                .into_iter()
                .map(|(kind, name)| Descriptor { name, kind: FileKind::Stdio(kinds[kind]) })
                .collect(),
            files: FileTree::new(files.into_iter().map(file)).ok()?,
            limits: Limits::default(),
            code,
        })
    })
}

proptest! {
    #[test]
    fn decoding_gives_back_what_was_encoded(sent in bundles()) {
        let bytes = sent.encode();
        let arrived = with_code(Bundle::decode(&bytes).unwrap(), &bytes);
        prop_assert_eq!(&arrived.args, &sent.args);
        prop_assert_eq!(&arrived.files, &sent.files);
        prop_assert_eq!(&arrived.code, &sent.code);
        prop_assert_eq!(&*arrived.encode(), &*bytes);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Bundle::decode(&bytes);
    }

    #[test]
    fn a_damaged_bundle_is_decoded_or_refused(
        sent in bundles(), index: prop::sample::Index, byte: u8,
    ) {
        let mut bytes = sent.encode();
        let place = index.index(bytes.len());
        bytes[place] = byte;
        if let Ok(decoded) = Bundle::decode(&bytes) {
            prop_assert!(decoded.code.end == bytes.len());
        }
    }
}
