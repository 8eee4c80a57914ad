// SPDX-License-Identifier: Apache-2.0

//! Records every byte that a host relays, passes and stores, and looks for the workload in it: program, data,
//! arguments, environment, secrets, input and output.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use enarx_hostd::api::KeepId;
use enarx_hostd::serve::ServeConfig;
use enarx_hostd::{Backend, Channel, Direction, Host, HostConfig, Recorder};
use enarx_tests::{LOCAL_SIMULATOR, Tenant, code, finish, program, stderr, stdout};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// Everything of the workload that a host must not see, each in a word that occurs nowhere else.
const PROGRAM: &str = "word-of-the-program-7c1e";
const DATA: &str = "word-of-the-data-52ab";
const FILE_NAME: &str = "name-of-a-file-90fd";
const ARGUMENT: &str = "word-of-the-arguments-e0a7";
const VARIABLE: &str = "word-of-the-environment-11c3";
const SECRET: &str = "word-of-a-secret-c5d9";
const INPUT: &str = "word-of-the-input-84b2";
const OUTPUT: &str = "word-of-the-output-3f66";
const CONTROL: &str = "word-of-the-positive-control-ab12";

#[derive(Default)]
struct Witness(Mutex<Vec<u8>>);

impl Recorder for Witness {
    fn record(&self, _: KeepId, _: Channel, _: Direction, bytes: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(bytes);
    }
}

impl Witness {
    fn saw(&self, word: &str) -> bool {
        contains(&self.0.lock().unwrap(), word)
    }
}

/// Looks for a word as it is, in hexadecimal, and in base64 at any of its three alignments.
fn contains(haystack: &[u8], word: &str) -> bool {
    let find = |needle: &[u8]| haystack.windows(needle.len()).any(|window| window == needle);
    let hexadecimal: Vec<String> = word.bytes().map(|byte| format!("{byte:02x}")).collect();
    let hexadecimal = hexadecimal.concat();
    find(word.as_bytes()) || find(hexadecimal.as_bytes()) || (0..3).any(|skip| find(&base64_core(word, skip)))
}

/// The characters of base64 that depend on nothing but the word, when `skip` bytes stand before it in its group.
fn base64_core(word: &str, skip: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let whole = &word.as_bytes()[(3 - skip) % 3..];
    whole
        .chunks_exact(3)
        .flat_map(|group| {
            let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
            [18, 12, 6, 0].map(|shift| ALPHABET[(bits >> shift) as usize & 63])
        })
        .collect()
}

/// Everything in the files below a folder.
fn stored(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                bytes.extend(entry.file_name().into_encoded_bytes());
                bytes.extend(fs::read(entry.path()).unwrap());
            }
        }
    }
    bytes
}

/// A program that writes a word of its own, its arguments, its environment, and a file, and copies its input.
const SOURCE: &str = r#"
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "word-of-the-program-7c1e word-of-the-output-3f66\n")
  (func $print (param $at i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $length))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start")
    (call $print (i32.const 1024) (i32.const 49))
    (drop (call $args (i32.const 2048) (i32.const 4096)))
    (call $print (i32.const 4096) (i32.const 1024))
    (drop (call $environ (i32.const 2048) (i32.const 8192)))
    (call $print (i32.const 8192) (i32.const 1024))
    (i32.store (i32.const 0) (i32.const 16384)) (i32.store (i32.const 4) (i32.const 4096))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (call $print (i32.const 16384) (i32.load (i32.const 8)))))
"#;

#[test]
fn nothing_of_it_is_in_what_the_host_relays_or_stores() {
    let (tenant, operator) = (Tenant::new(), Tenant::new());
    tenant.file("app/app.wat", SOURCE);
    tenant.file(
        "app/Enarx.toml",
        format!(
            "program = \"app.wat\"\nargs = [{ARGUMENT:?}]\n[env]\nVARIABLE = {VARIABLE:?}\n[secrets]\n\
             SECRET = {{ env = \"SECRET_OF_THE_TENANT\" }}\n[[data]]\nhost = \"data\"\nguest = \"/data\"\n"
        ),
    );
    tenant.file(&format!("app/data/{FILE_NAME}"), DATA);

    let witness = Arc::new(Witness::default());
    let mut config = HostConfig::new(
        Backend::Process { program: program("enarx-keep") },
        operator.state().join("simulator"),
        "amd/genoa".parse().unwrap(),
    );
    config.recorder = Some(witness.clone());
    let (bound, address) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = thread::spawn(move || {
        Runtime::new().unwrap().block_on(async {
            let host = Host::new(config).unwrap();
            let mut serving = ServeConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)));
            serving.bound = Some(bound);
            enarx_hostd::serve(host, serving, async { drop(stopped.await) }).await.unwrap();
        });
    });
    let url = format!("http://{}", address.blocking_recv().unwrap());

    let mut command = tenant.enarx();
    command.args(["deploy", "--policy", LOCAL_SIMULATOR, "--to", &url]).arg(tenant.path("app"));
    command.args(["--format", "json"]).env("SECRET_OF_THE_TENANT", SECRET);
    let output = finish(&mut command, INPUT.as_bytes());
    assert_eq!(code(&output), 0, "{}", stderr(&output));

    // The workload had all of it, so what the host did not see was there to be seen.
    let printed = stdout(&output);
    for word in [PROGRAM, OUTPUT, ARGUMENT, VARIABLE, SECRET, INPUT] {
        assert!(printed.contains(word), "`{word}` is missing in what the workload printed");
    }
    for word in [PROGRAM, DATA, FILE_NAME, ARGUMENT, VARIABLE, SECRET, INPUT, OUTPUT] {
        assert!(!witness.saw(word), "the host relayed `{word}` in the clear");
        assert!(!contains(&stored(&operator.state()), word), "the host stored `{word}`");
    }
    let provisioned = provisioned_bytes(&stderr(&output));
    assert!(witness.0.lock().unwrap().len() > provisioned, "the witness saw less than was provisioned");

    // The positive control: a word that is sent through the host in the clear is found.
    send_in_the_clear(&url);
    assert!(witness.saw(CONTROL), "the witness does not see what passes through the host");
    fs::write(operator.state().join("control"), CONTROL).unwrap();
    assert!(contains(&stored(&operator.state()), CONTROL));
    drop(stop);
    server.join().unwrap();
}

/// How much was sealed and sent, according to the tenant.
fn provisioned_bytes(events: &str) -> usize {
    let events = events.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let step = events.into_iter().find(|event| event["step"] == "provisioned").expect("the step");
    usize::try_from(step["bytes"].as_u64().unwrap()).unwrap()
}

/// Speaks to a new Keep as no tenant would: without a session.
fn send_in_the_clear(url: &str) {
    use std::io::{Read, Write};
    let address = url.strip_prefix("http://").unwrap();
    let exchange = |request: String| {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = vec![0; 16 * 1024];
        let length = stream.read(&mut answer).unwrap();
        (stream, String::from_utf8_lossy(&answer[..length]).into_owned())
    };
    let (_, created) =
        exchange("POST /v1/keeps HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n".to_owned());
    let body = created.split("\r\n\r\n").nth(1).unwrap_or_else(|| panic!("no body in {created}"));
    let keep: serde_json::Value = serde_json::from_str(body).unwrap();
    let id = keep["id"].as_str().unwrap();
    let (mut stream, upgraded) = exchange(format!(
        "GET /v1/keeps/{id}/control HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: enarx-control\r\n\r\n"
    ));
    assert!(upgraded.starts_with("HTTP/1.1 101"), "{upgraded}");
    stream.write_all(CONTROL.as_bytes()).unwrap();
    // The Keep closes a session that is none; by then the host has relayed the word.
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn the_detector_finds_words_in_any_encoding_it_claims_to_know() {
    assert!(contains(b"..word-of-the-data-52ab..", DATA));
    assert!(contains(b"776f72642d6f662d7468652d646174612d35326162", DATA));
    for prefix in ["", "a", "ab"] {
        let text = format!("{prefix}{DATA}--");
        let encoded = base64_core(&text, 0);
        assert!(contains(&encoded, DATA), "base64 after `{prefix}`");
    }
    assert!(!contains(b"something else entirely", DATA));
}
