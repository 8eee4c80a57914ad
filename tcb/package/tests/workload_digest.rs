// SPDX-License-Identifier: Apache-2.0

//! The digest is what `docs/workload-digest.md` says; any change of a workload changes it, and nothing else does.
#![allow(clippy::unwrap_used, reason = "a test fails where something cannot be set up")]

use enarx_package::manifest::{Manifest, SecretSource};
use enarx_package::{Entry, EntryKind, FileTree, GuestPath, digest};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

fn tree(entries: &[(&str, EntryKind)]) -> FileTree {
    let entry = |(path, kind): &(&str, EntryKind)| Entry {
        path: GuestPath::parse(path).unwrap(),
        kind: kind.clone(),
    };
    FileTree::new(entries.iter().map(entry)).unwrap()
}

fn file(text: &str) -> EntryKind {
    EntryKind::File(text.into())
}

#[test]
fn the_digest_of_nothing_but_a_program_is_as_documented() {
    let manifest = [
        &[0; 8][..], // no arguments
        &[0; 8],     // no variables
        &[0],        // the standard descriptors
        &[0; 8],     // no data
        &[0; 8],     // no secrets
        &(1_u64 << 30).to_be_bytes(),
        &1_000_000_u64.to_be_bytes(),
        &256_u64.to_be_bytes(),
        &64_u64.to_be_bytes(),
        &(1_u64 << 20).to_be_bytes(),
        &0_u64.to_be_bytes(),
        &(256_u64 << 20).to_be_bytes(),
        &16_384_u64.to_be_bytes(),
        &(1_u64 << 20).to_be_bytes(),
    ]
    .concat();
    let whole = [
        &23_u64.to_be_bytes()[..],
        b"enarx workload digest 1",
        &Sha256::digest(b"program"),
        &Sha256::digest(manifest),
        &Sha256::digest([0; 8]),
    ]
    .concat();
    let expected: [u8; 32] = Sha256::digest(whole).into();
    let found = digest(b"program", &Manifest::default(), &FileTree::default());
    assert_eq!(found.0, expected);
    assert_eq!(found.to_string(), "sha256:96e9ef48bc7bd797c1f7eea388119be2a5121f7bcca9cf7974357f1131db5590");
}

/// The second worked example of the documentation: if this value changes, every workload gets another name.
#[test]
fn the_digest_of_a_full_workload_does_not_change() {
    let manifest = Manifest::parse(FULL).unwrap();
    let files = tree(&[
        ("/data/a.txt", file("abc")),
        ("/data/sub", EntryKind::Directory),
        ("/data/link", EntryKind::Symlink("a.txt".into())),
    ]);
    assert_eq!(
        digest(b"\0asm\x01\0\0\0", &manifest, &files).to_string(),
        "sha256:a73add7ad47c229ff3fa24912bf94e4823b0219cb2a5d74345c2422c81db81b8"
    );
}

const FULL: &str = r#"
program = "p.wasm"
args = ["one", "two"]
[env]
LANG = "C"
[[files]]
kind = "stdin"
[[files]]
kind = "listen"
name = "web"
port = 8080
prot = "tcp"
[[data]]
host = "in"
guest = "/data"
[secrets]
TOKEN = { env = "TOKEN" }
[limits]
time = "30s"
"#;

#[test]
fn comments_spelling_and_places_on_the_tenants_machine_do_not_matter() {
    let same = r#"
        # The same in other words.
        limits = { time = "30000 ms", memory = 1073741824 }
        secrets = { TOKEN = { file = "/run/token" } }
        data = [{ guest = "/data", host = "/srv/elsewhere" }]
        files = [{ name = "stdin", kind = 'stdin' }, { kind = "listen", addr = "::", name = "web", port = 0x1f90, prot = "tcp" }]
        env = { "LANG" = """C""" }
        args = [
            "one", # comment
            "two",
        ]
    "#;
    let digest = |text: &str| digest(b"p", &Manifest::parse(text).unwrap(), &FileTree::default());
    assert_eq!(digest(FULL), digest(same));
}

#[test]
fn the_order_of_manifest_data_does_not_matter() {
    let digest = |text: &str| digest(b"p", &Manifest::parse(text).unwrap(), &FileTree::default());
    assert_eq!(
        digest("data = [{ host = \"x\", guest = \"/a\" }, { host = \"y\", guest = \"/b\" }]"),
        digest("data = [{ host = \"y\", guest = \"/b\" }, { host = \"x\", guest = \"/a\" }]")
    );
}

#[test]
fn directories_may_be_listed_or_implied() {
    let listed = tree(&[("/d", EntryKind::Directory), ("/d/e", EntryKind::Directory), ("/d/e/f", file("x"))]);
    let implied = tree(&[("/d/e/f", file("x"))]);
    assert_eq!(listed, implied);
}

/// One change of each kind that a manifest can have; all of the results differ.
#[test]
fn every_change_of_a_manifest_changes_the_digest() {
    let changes = [
        ("\"one\", \"two\"", "\"one\", \"three\""),
        ("\"one\", \"two\"", "\"two\", \"one\""),
        ("\"one\", \"two\"", "\"onetwo\""),
        ("\"one\", \"two\"", "\"one\""),
        ("\"one\", \"two\"", "\"one\", \"two\", \"\""),
        ("LANG = \"C\"", "LANG = \"D\""),
        ("LANG = \"C\"", "LAN = \"GC\""),
        ("LANG = \"C\"", ""),
        ("kind = \"stdin\"", "kind = \"null\"\nname = \"stdin\""),
        ("kind = \"stdin\"", "kind = \"stdin\"\nname = \"in\""),
        ("kind = \"stdin\"\n[[files]]", "kind = \"stdin\"\n[[files]]\nkind = \"stdout\"\n[[files]]"),
        ("name = \"web\"", "name = \"wed\""),
        ("name = \"web\"", "name = \"web\"\naddr = \"127.0.0.1\""),
        ("8080", "8081"),
        ("prot = \"tcp\"", "prot = \"tls\""),
        ("guest = \"/data\"", "guest = \"/other\""),
        ("TOKEN = {", "TOKEM = {"),
        ("TOKEN = { env = \"TOKEN\" }", ""),
        ("time = \"30s\"", "time = \"31s\""),
        ("time = \"30s\"", "memory = \"512MiB\""),
        ("time = \"30s\"", "stack = \"512KiB\"\ntime = \"30s\""),
    ];
    let files = FileTree::default();
    let mut digests = vec![digest(b"p", &Manifest::parse(FULL).unwrap(), &files)];
    for (from, to) in changes {
        assert!(FULL.contains(from), "{from}");
        digests.push(digest(b"p", &Manifest::parse(&FULL.replacen(from, to, 1)).unwrap(), &files));
    }
    digests.push(digest(b"q", &Manifest::parse(FULL).unwrap(), &files));
    digests.push(digest(b"p", &Manifest::default(), &files));
    digests.push(digest(b"p", &Manifest::parse("files = []").unwrap(), &files));
    let count = digests.len();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), count);
}

fn kinds() -> impl Strategy<Value = EntryKind> {
    prop_oneof![
        Just(EntryKind::Directory),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(EntryKind::File),
        "[a-z./]{1,12}".prop_map(EntryKind::Symlink),
    ]
}

/// Entries on one level, so that every set of them is a tree.
fn entries() -> impl Strategy<Value = Vec<Entry>> {
    proptest::collection::btree_map("/[a-z]{1,8}", kinds(), 1..12).prop_map(|entries| {
        let entry =
            |(path, kind): (String, EntryKind)| Entry { path: GuestPath::parse(&path).unwrap(), kind };
        entries.into_iter().map(entry).collect()
    })
}

fn manifests() -> impl Strategy<Value = Manifest> {
    let args = proptest::collection::vec("[^\0]{0,8}", 0..4);
    let env = proptest::collection::btree_map("[A-Z_]{1,6}", "[^\0]{0,8}", 0..4);
    let secrets = proptest::collection::btree_set("[a-z]{1,6}", 0..3);
    (args, env, secrets).prop_map(|(args, env, secrets)| {
        let mut manifest = Manifest::default();
        manifest.set_args(args.iter().map(String::as_str)).unwrap();
        for (name, value) in &env {
            manifest.set_env(name, value).unwrap();
        }
        for name in &secrets {
            manifest.add_secret(name, SecretSource::Variable(name.clone())).unwrap();
        }
        manifest
    })
}

proptest! {
    #[test]
    fn the_order_of_data_does_not_matter(
        (entries, shuffled) in entries().prop_flat_map(|entries| (Just(entries.clone()), Just(entries).prop_shuffle())),
    ) {
        let manifest = Manifest::default();
        let one = digest(b"p", &manifest, &FileTree::new(entries).unwrap());
        let two = digest(b"p", &manifest, &FileTree::new(shuffled).unwrap());
        prop_assert_eq!(one, two);
    }

    #[test]
    fn different_data_has_different_digests(one in entries(), two in entries()) {
        let (one, two) = (FileTree::new(one).unwrap(), FileTree::new(two).unwrap());
        let manifest = Manifest::default();
        prop_assert_eq!(one == two, digest(b"p", &manifest, &one) == digest(b"p", &manifest, &two));
    }

    #[test]
    fn one_changed_entry_changes_the_digest(entries in entries(), index: prop::sample::Index, kind in kinds()) {
        let mut changed = entries.clone();
        let place = index.index(changed.len());
        prop_assume!(changed[place].kind != kind);
        changed[place].kind = kind;
        let manifest = Manifest::default();
        let before = digest(b"p", &manifest, &FileTree::new(entries).unwrap());
        prop_assert_ne!(before, digest(b"p", &manifest, &FileTree::new(changed).unwrap()));
    }

    #[test]
    fn different_manifests_have_different_digests(one in manifests(), two in manifests()) {
        let files = FileTree::default();
        prop_assert_eq!(one == two, digest(b"p", &one, &files) == digest(b"p", &two, &files));
    }

    #[test]
    fn one_flipped_bit_of_the_program_changes_the_digest(
        program in proptest::collection::vec(any::<u8>(), 1..200), index: prop::sample::Index, bit in 0..8_u8,
    ) {
        let mut changed = program.clone();
        changed[index.index(program.len())] ^= 1 << bit;
        let (manifest, files) = (Manifest::default(), FileTree::default());
        prop_assert_ne!(digest(&program, &manifest, &files), digest(&changed, &manifest, &files));
    }
}
