// SPDX-License-Identifier: Apache-2.0

//! What a manifest says is what the typed value holds, for old files and for new keys.

use enarx_package::manifest::{File, Manifest, SecretSource};
use enarx_package::{ClientAuth, Connect, FileKind, Listen, Protocol};
use enarx_package::{Input, Limits, Stdio};

#[test]
fn the_template_means_the_same_as_nothing() {
    assert_eq!(Manifest::parse(Manifest::template()).unwrap(), Manifest::default());
    assert_eq!(Manifest::parse("").unwrap(), Manifest::default());
}

#[test]
fn the_template_with_its_examples_switched_on_is_valid() {
    let is_example = |code: &&str| {
        code.starts_with('[') || code.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '))
    };
    let examples: Vec<&str> =
        Manifest::template().lines().filter_map(|line| line.strip_prefix("# ")).filter(is_example).collect();
    let examples = examples.join("\n");
    let manifest = Manifest::parse(&examples).unwrap();
    assert_eq!(manifest.program(), Some("target/wasm32-wasip1/release/hello.wasm"));
    assert_eq!(manifest.args(), ["--verbose", "input.csv"]);
    assert_eq!(manifest.files().unwrap().len(), 4);
    assert_eq!(manifest.secrets().len(), 2);
    let default = Limits::default();
    assert_eq!(manifest.limits(), &Limits { run_time_ms: 30_000, ..default });
}

#[test]
fn a_file_of_enarx_0_7_keeps_its_meaning() {
    let manifest = Manifest::parse(
        r#"
        args = ["--argument1", "--argument2=foo"]
        steward = "https://attest.example.com"
        [env]
        VAR1 = "var1"
        [[files]]
        kind = "stdin"
        [[files]]
        name = "X"
        kind = "listen"
        prot = "tcp"
        port = 9000
        [[files]]
        kind = "null"
        [[files]]
        kind = "connect"
        host = "example.com"
        [[files]]
        kind = "connect"
        host = "::1"
        port = 0x10
        name = "six"
        "#,
    )
    .unwrap();
    assert_eq!(manifest.args(), ["--argument1", "--argument2=foo"]);
    assert_eq!(manifest.env()["VAR1"], "var1");
    let files = manifest.files().unwrap();
    let names: Vec<_> = files.iter().map(File::name).collect();
    assert_eq!(names, ["stdin", "X", "null", "example.com", "six"]);
    assert_eq!(files[0].kind, FileKind::Stdio(Stdio::Stdin));
    let protocol = Protocol::Tcp;
    let (names, client_auth, anchors) = (Vec::new(), ClientAuth::None, None);
    let listen = Listen { addr: "::".into(), port: 9000, protocol, names, client_auth, anchors };
    assert_eq!(files[1].kind, FileKind::Listen(listen));
    let connect = |host: &str, port| {
        let (host, protocol) = (host.into(), Protocol::Tls);
        FileKind::Connect(Connect { host, port, protocol, server_name: None, anchors: None })
    };
    assert_eq!(files[3].kind, connect("example.com", 443));
    assert_eq!(files[4].kind, connect("::1", 16));
}

#[test]
fn inputs_lists_everything_that_has_to_be_read() {
    let manifest = Manifest::parse(
        r#"
        program = "p.wasm"
        data = [{ host = "in", guest = "/data" }]
        [secrets]
        A = { env = "B" }
        C = { file = "d" }
        "#,
    )
    .unwrap();
    let inputs: Vec<_> = manifest.inputs().collect();
    assert_eq!(inputs.len(), 4);
    assert_eq!(inputs[0], Input::Program { path: "p.wasm" });
    assert!(matches!(inputs[1], Input::Data(data) if data.host == "in" && data.guest.as_str() == "/data"));
    assert_eq!(inputs[2], Input::Secret { name: "A", source: &SecretSource::Variable("B".into()) });
    assert_eq!(inputs[3], Input::Secret { name: "C", source: &SecretSource::File("d".into()) });
}

#[test]
fn limits_have_units() {
    let manifest = Manifest::parse(
        "[limits]\nmemory = \"256MiB\"\ntime = \"2h\"\nfiles = 4096\nfile_count = 7\nlog = \"64 KiB\"\n",
    )
    .unwrap();
    let expected = Limits {
        memory_bytes: 256 << 20,
        run_time_ms: 7_200_000,
        files_bytes: 4096,
        file_count: 7,
        output_log_bytes: 64 << 10,
        ..Limits::default()
    };
    assert_eq!(manifest.limits(), &expected);
}
