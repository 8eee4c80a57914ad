// SPDX-License-Identifier: Apache-2.0

//! `enarx collateral`: what evidence needs is fetched once, packed, and enough for `enarx verify` without a network.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use enarx_evidence::x509::documents;
use enarx_tests::{Tenant, code, finish, stderr, stdout};
use serde_json::Value;

const NONCE: &str = "0123456789abcdef";

/// A server with the paths of AMD's key distribution service, for one chip of the simulator.
struct Kds {
    url: String,
    asked: Arc<AtomicUsize>,
    open: Arc<Mutex<bool>>,
}

impl Kds {
    /// Certificate of the chip, its authority, the root, and their list, each in DER.
    fn start(documents: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(true)));
        let (count, gate) = (Arc::clone(&asked), Arc::clone(&open));
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let request = lines.next().unwrap_or_default();
                // Until the empty line after the headers.
                lines.find(String::is_empty);
                count.fetch_add(1, Ordering::SeqCst);
                let path = request.split(' ').nth(1).unwrap_or_default();
                let body = match path {
                    _ if !*gate.lock().unwrap() => None,
                    path if path.ends_with("/cert_chain") => Some(pem(&documents[1..3])),
                    path if path.ends_with("/crl") => Some(documents[3].clone()),
                    path if path.starts_with("/vcek/v1/Genoa/") => Some(documents[0].clone()),
                    _ => None,
                };
                let status = if body.is_some() { "200 OK" } else { "404 Not Found" };
                let body = body.unwrap_or_default();
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                // The client may be gone; that is its right.
                let _ = stream.write_all(&[head.as_bytes(), &body].concat());
            }
        });
        Self { url, asked, open }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn close(&self) {
        *self.open.lock().unwrap() = false;
    }
}

fn pem(certificates: &[Vec<u8>]) -> Vec<u8> {
    let text =
        |der: &Vec<u8>| pem_rfc7468::encode_string("CERTIFICATE", pem_rfc7468::LineEnding::LF, der).unwrap();
    certificates.iter().map(text).collect::<String>().into_bytes()
}

struct Desk {
    tenant: Tenant,
    kds: Kds,
}

impl Desk {
    fn new() -> Self {
        let tenant = Tenant::new();
        let path = |name: &str| tenant.path(name).display().to_string();
        let mut command = tenant.enarx();
        command.args(["evidence", "simulate", "--nonce", NONCE, "--out", &path("report")]);
        command.args(["--endorsements-out", &path("chain.pem")]);
        let output = finish(&mut command, b"");
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let chain = std::fs::read(path("chain.pem")).unwrap();
        let items =
            documents(&chain, 8).unwrap().into_iter().map(std::borrow::Cow::into_owned).collect::<Vec<_>>();
        std::fs::write(path("root.der"), &items[2]).unwrap();
        Self { kds: Kds::start(items), tenant }
    }

    fn path(&self, name: &str) -> String {
        self.tenant.path(name).display().to_string()
    }

    fn run(&self, options: &[&str]) -> Output {
        let mut command = self.tenant.enarx();
        // Nothing here is fetched through a proxy.
        for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(name);
        }
        finish(command.args(options), b"")
    }

    fn fetch(&self, out: &str, more: &[&str]) -> Output {
        let (report, out) = (self.path("report"), self.path(out));
        self.run(&[&["collateral", "fetch", &report, "--kds", &self.kds.url, "--out", &out], more].concat())
    }

    fn verify(&self, bundle: &str) -> Output {
        let (report, root, bundle) = (self.path("report"), self.path("root.der"), self.path(bundle));
        let options = ["verify", &report, "--nonce", NONCE, "--trust-root", &root, "--format", "json"];
        self.run(&[&options[..], &["--collateral-bundle", &bundle]].concat())
    }
}

#[test]
fn what_was_fetched_is_enough_to_verify_without_a_network() {
    let desk = Desk::new();
    let output = desk.fetch("platform", &[]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(desk.kds.asked(), 3);
    let output = desk.verify("platform");
    let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((code(&output), &answer["verdict"]), (0, &Value::from("verified")), "{answer}");
    assert_eq!(desk.kds.asked(), 3, "to verify needs no network");

    let output = desk.run(&["collateral", "show", &desk.path("platform"), "--format", "json"]);
    let shown: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let whats: Vec<_> =
        shown["items"].as_array().unwrap().iter().map(|item| item["what"].as_str().unwrap()).collect();
    assert_eq!(whats.len(), 3, "{whats:?}");
    assert!(
        whats.contains(&"amd/genoa/vcek-authorities") && whats.contains(&"amd/genoa/vcek-crl"),
        "{whats:?}"
    );
    assert!(shown["items"].as_array().unwrap().iter().all(|item| item["valid_now"] == true));
    let output = desk.run(&["collateral", "show", &desk.path("platform")]);
    assert!(stdout(&output).lines().all(|line| line.chars().count() <= 80), "{}", stdout(&output));
}

#[test]
fn what_was_fetched_before_is_not_asked_for_again() {
    let desk = Desk::new();
    assert_eq!(code(&desk.fetch("first", &[])), 0);
    desk.kds.close();
    for (name, options) in [("second", &[][..]), ("third", &["--offline"][..])] {
        let output = desk.fetch(name, options);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert_eq!(code(&desk.verify(name)), 0);
    }
    assert_eq!(desk.kds.asked(), 3);
    let output = desk.run(&["collateral", "bundle", "--out", &desk.path("everything")]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(code(&desk.verify("everything")), 0);
    let (first, second) = (desk.path("first"), desk.path("second"));
    let output = desk.run(&["collateral", "bundle", &first, &second, "--out", &desk.path("both")]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(std::fs::read(desk.path("both")).unwrap(), std::fs::read(&first).unwrap());
}

#[test]
fn what_could_not_be_had_is_named() {
    let desk = Desk::new();
    desk.kds.close();
    let output = desk.fetch("nothing", &["--offline"]);
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    let told = stderr(&output);
    assert!(told.contains("not everything that the evidence needs could be had"), "{told}");
    assert!(told.contains("the network must not be used") && told.contains("\n\nhint: "), "{told}");
    assert_eq!(desk.kds.asked(), 0);
    assert!(!desk.tenant.path("nothing").exists());
    let output = desk.verify("report");
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("it is no bundle of collateral"), "{}", stderr(&output));
}
