// SPDX-License-Identifier: Apache-2.0

//! What a Keep gets is what the manifest says, with secrets filled in, or a clear error on the tenant's machine.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where something cannot be set up")]

use enarx_package::manifest::{Problem, SecretSource};
use enarx_package::{
    Bundle, Entry, EntryKind, FileKind, FileTree, GuestPath, Manifest, ProgramKind, Resolved, Secret, Stdio,
    digest,
};
use zeroize::Zeroizing;

fn resolved(files: &[&str], secrets: &[(&str, &str)]) -> Resolved {
    let file =
        |path: &&str| Entry { path: GuestPath::parse(path).unwrap(), kind: EntryKind::File(vec![0; 10]) };
    let secret = |(name, value): &(&str, &str)| ((*name).to_owned(), Secret::new((*value).to_owned()));
    Resolved {
        program: ProgramKind::Module,
        code: b"code".to_vec(),
        files: FileTree::new(files.iter().map(file)).unwrap(),
        secrets: secrets.iter().map(secret).collect(),
    }
}

fn bundle(manifest: &str, resolved: Resolved) -> Bundle {
    Manifest::parse(manifest).unwrap().bundle(resolved).unwrap()
}

/// The message, and the hint after a line break if there is one.
fn refusal(manifest: &str, resolved: Resolved) -> String {
    let error = Manifest::parse(manifest).unwrap().bundle(resolved).unwrap_err();
    error.hint().map_or_else(|| error.to_string(), |hint| format!("{error}\n{hint}"))
}

fn env(bundle: &Bundle) -> Vec<(&str, &str)> {
    bundle.env.iter().map(|(name, value)| (name.as_str(), value.expose())).collect()
}

#[test]
fn an_empty_manifest_gives_the_standard_streams_and_no_environment() {
    let bundle = bundle("", resolved(&[], &[]));
    assert_eq!(bundle.args, ["main.wasm"]);
    assert_eq!(env(&bundle), []);
    assert_eq!(bundle.stdio, Stdio::standard());
    let kinds: Vec<_> = bundle.stdio.iter().map(|descriptor| descriptor.kind.clone()).collect();
    assert_eq!(kinds, [Stdio::Stdin, Stdio::Stdout, Stdio::Stderr].map(FileKind::Stdio));
    assert_eq!(bundle.code, b"code");
}

#[test]
fn secrets_become_variables() {
    let manifest = "args = [\"x\"]\n[env]\nZ = \"1\"\n[secrets]\nTOKEN = { env = \"T\" }";
    let bundle = bundle(manifest, resolved(&[], &[("TOKEN", "hunter2")]));
    assert_eq!(bundle.args, ["main.wasm", "x"]);
    assert_eq!(env(&bundle), [("TOKEN", "hunter2"), ("Z", "1")]);
}

#[test]
fn listed_descriptors_are_told_to_the_program_as_enarx_0_7_did() {
    let manifest = "[[files]]\nkind = \"null\"\n[[files]]\nkind = \"stderr\"\nname = \"log\"";
    let bundle = bundle(manifest, resolved(&[], &[]));
    assert_eq!(env(&bundle), [("FD_COUNT", "2"), ("FD_NAMES", "null:log")]);
    assert_eq!(bundle.stdio[0].kind, FileKind::Stdio(Stdio::Null));
    assert_eq!(
        (&bundle.stdio[1].kind, bundle.stdio[1].name.as_str()),
        (&FileKind::Stdio(Stdio::Stderr), "log")
    );
}

#[test]
fn sockets_keep_their_numbers_and_settings() {
    let manifest = "[[data]]\nhost = \"ca\"\nguest = \"/ca\"\n[[files]]\nkind = \"stdin\"\n[[files]]\nkind = \"listen\"\n\
                    name = \"web\"\nport = 8443\nnames = [\"a.example\", \"::1\"]\nclient_auth = \"required\"\nanchors = \"/ca/c.pem\"\n\
                    [[files]]\nkind = \"connect\"\nhost = \"db\"\nanchors = \"/ca/d.pem\"\nserver_name = \"db.example\"";
    let bundle = bundle(manifest, resolved(&[], &[]));
    assert_eq!(env(&bundle), [("FD_COUNT", "3"), ("FD_NAMES", "stdin:web:db")]);
    let arrived = Bundle::decode(&bundle.encode()).unwrap();
    assert_eq!(arrived.stdio, bundle.stdio);
    let FileKind::Listen(listen) = &bundle.stdio[1].kind else { panic!("{:?}", bundle.stdio[1]) };
    assert_eq!(listen.certified().collect::<Vec<_>>(), ["a.example", "::1"]);
    let FileKind::Connect(connect) = &bundle.stdio[2].kind else { panic!("{:?}", bundle.stdio[2]) };
    assert_eq!(connect.expected_name(), "db.example");
}

#[test]
fn sockets_that_promise_what_they_do_not_keep_are_refused_before_anything_leaves_the_machine() {
    let plain = "`prot = \"tcp\"` is not supported: the host and the network could read and change all traffic\n\
                 leave `prot` away for TLS, which ends in the Keep";
    let anchors = "bring a file of certificates (PEM) into the Keep by `[[data]]`, and name its `guest` path in `anchors`";
    let effect = "`anchors` has no meaning for a listener that asks its clients for nothing\n\
                  add `client_auth = \"required\"`";
    let cases = [
        ("kind = \"listen\"\nname = \"a\"\nprot = \"tcp\"", plain.to_owned()),
        ("kind = \"connect\"\nname = \"a\"\nhost = \"h\"\nprot = \"tcp\"", plain.to_owned()),
        (
            "kind = \"connect\"\nname = \"a\"\nhost = \"h\"",
            format!("a TLS connection needs `anchors`, the certificates that vouch for its peer\n{anchors}"),
        ),
        (
            "kind = \"listen\"\nname = \"a\"\nclient_auth = \"required\"",
            format!(
                "`client_auth = \"required\"` needs `anchors`, the certificates that vouch for clients\n{anchors}"
            ),
        ),
        (
            "kind = \"connect\"\nname = \"a\"\nhost = \"h\"\nanchors = \"/ca.pem\"",
            format!("`anchors` is in no `[[data]]` of the manifest\n{anchors}"),
        ),
        ("kind = \"listen\"\nname = \"a\"\nanchors = \"/ca.pem\"", effect.to_owned()),
    ];
    for (socket, expected) in cases {
        let manifest = format!("[[files]]\n{socket}\n");
        assert_eq!(
            refusal(&manifest, resolved(&[], &[])),
            format!("descriptor 0 (`a`): {expected}"),
            "{socket}"
        );
        assert!(Manifest::parse(&manifest).unwrap().check_supported().is_err());
    }
    let component = Resolved { program: ProgramKind::Component, ..resolved(&[], &[]) };
    let refused = refusal("[[files]]\nkind = \"listen\"\nname = \"a\"", component);
    assert!(
        refused.starts_with("descriptor 0 (`a`) is a socket, and the program is a component"),
        "{refused}"
    );
}

#[test]
fn streams_are_refused_under_numbers_that_are_not_theirs() {
    let files = |kinds: &[&str]| {
        let files: Vec<String> = kinds.iter().map(|kind| format!("{{ kind = \"{kind}\" }}")).collect();
        format!("files = [{}]", files.join(","))
    };
    let hint = "0 can be `stdin` or `null`, 1 and 2 `stdout`, `stderr` or `null`, and the rest are sockets";
    let refusal = |kinds: &[&str]| refusal(&files(kinds), resolved(&[], &[]));
    assert_eq!(refusal(&["stdout"]), format!("descriptor 0 (`stdout`) cannot be stdout\n{hint}"));
    assert_eq!(refusal(&["null", "stdin"]), format!("descriptor 1 (`stdin`) cannot be stdin\n{hint}"));
    let four = ["stdin", "stdout", "stderr", "null"];
    assert_eq!(refusal(&four), format!("descriptor 3 (`null`) cannot be null\n{hint}"));
    let merged = bundle(&files(&["null", "stderr", "stderr"]), resolved(&[], &[]));
    assert_eq!(merged.stdio.len(), 3);
    assert_eq!(bundle("files = []", resolved(&[], &[])).stdio, []);
}

#[test]
fn a_steward_is_refused() {
    assert_eq!(
        refusal("steward = \"https://attest.example.com\"", resolved(&[], &[])),
        "`steward` is not supported: no service stands between a tenant and its Keep\n\
         remove `steward`: the tenant's own machine verifies the Keep"
    );
}

#[test]
fn every_secret_has_exactly_one_value() {
    let manifest = "[secrets]\nTOKEN = { env = \"T\" }";
    assert_eq!(
        refusal(manifest, resolved(&[], &[])),
        "the secret `TOKEN` has no value\nset its source in `[secrets]`, for example the variable `TOKEN`"
    );
    assert_eq!(
        refusal(manifest, resolved(&[], &[("TOKEN", "x"), ("OTHER", "y")])),
        "the manifest has no secret `OTHER`"
    );
    assert_eq!(
        refusal(manifest, resolved(&[], &[("TOKEN", "a\0b")])),
        "the secret `TOKEN` cannot be used: an argument or value has no NUL"
    );
}

#[test]
fn secrets_count_towards_the_total() {
    let names: Vec<String> = (0..9).map(|number| format!("S{number}")).collect();
    let sources: Vec<String> = names.iter().map(|name| format!("{name} = {{ env = \"X\" }}")).collect();
    let sources = sources.join(",");
    let value = "x".repeat(128 * 1024);
    let secrets: Vec<_> = names.iter().map(|name| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        refusal(&format!("secrets = {{ {sources} }}"), resolved(&[], &secrets)),
        "arguments, variables and secrets have more than 1048576 bytes"
    );
}

#[test]
fn data_is_below_what_the_manifest_declares_and_within_the_limits() {
    let manifest = "data = [{ host = \"x\", guest = \"/a/b\" }]";
    assert_eq!(bundle(manifest, resolved(&["/a/b/c", "/a/b/d/e"], &[])).files.entries().len(), 5);
    assert_eq!(refusal(manifest, resolved(&["/a/c"], &[])), "`/a/c` is in no `[[data]]` of the manifest");
    let small = format!("{manifest}\nlimits = {{ files = 19 }}");
    assert_eq!(
        refusal(&small, resolved(&["/a/b/c", "/a/b/d"], &[])),
        "the data is more than the limit `files` of 19B\nraise `files` under `[limits]`"
    );
    let few = format!("{manifest}\nlimits = {{ file_count = 3 }}");
    assert_eq!(
        refusal(&few, resolved(&["/a/b/c", "/a/b/d"], &[])),
        "the data is more than the limit `file_count` of 3\nraise `file_count` under `[limits]`"
    );
}

#[test]
fn changes_on_the_command_line_are_checked_like_the_manifest() {
    let mut manifest =
        Manifest::parse("args = [\"a\"]\nenv = { A = \"1\" }\nsecrets = { S = { env = \"S\" } }").unwrap();
    manifest.set_env("A", "2").unwrap();
    manifest.set_env("B", "3").unwrap();
    manifest.set_args(["x", "y"]).unwrap();
    manifest.add_data("here", "/there").unwrap();
    assert_eq!(manifest.env()["A"], "2");
    assert_eq!(manifest.args(), ["x", "y"]);
    assert_eq!(manifest.set_env("S", "x"), Err(Problem::VariableTwice { name: "S".into() }));
    assert!(matches!(manifest.set_env("A=B", "x"), Err(Problem::Text { .. })));
    assert!(matches!(manifest.add_data("x", "/there/too"), Err(Problem::DataOverlaps { .. })));
    assert!(matches!(manifest.add_data("x", "relative"), Err(Problem::Path { .. })));
    assert_eq!(manifest.set_args(["\0"]), Err(Problem::Value { why: "an argument or value has no NUL" }));
    // A refused change changes nothing.
    assert_eq!(manifest.args(), ["x", "y"]);
    let big = "x".repeat(128 * 1024);
    for number in 0..7 {
        manifest.set_env(&format!("BIG{number}"), &big).unwrap();
    }
    assert!(matches!(manifest.set_env("BIG7", &big), Err(Problem::TooMany { .. })));
    // In place of one as long, there is room.
    manifest.set_env("BIG6", &big).unwrap();
}

#[test]
fn the_digest_is_the_same_for_every_value_of_a_secret() {
    let manifest = Manifest::parse("[secrets]\nS = { env = \"S\" }").unwrap();
    let mut other = Manifest::default();
    other.add_secret("S", SecretSource::File("elsewhere".into())).unwrap();
    let files = FileTree::default();
    assert_eq!(digest(b"p", &manifest, &files), digest(b"p", &other, &files));
}

#[test]
fn a_secret_from_a_file_loses_one_line_ending() {
    let secret = |bytes: &[u8]| Secret::from_file_contents(&Zeroizing::new(bytes.to_vec()));
    let exposed = |bytes: &[u8]| secret(bytes).unwrap().expose().to_owned();
    assert_eq!(exposed(b"word\n"), "word");
    assert_eq!(exposed(b"word\r\n"), "word");
    assert_eq!(exposed(b"word\n\n"), "word\n");
    assert_eq!(exposed(b" word\r"), " word\r");
    assert!(secret(b"\xff").is_none());
    let shown = secret(b"word").unwrap();
    assert_eq!((format!("{shown}"), format!("{shown:?}")), ("[redacted]".into(), "[redacted]".into()));
}
