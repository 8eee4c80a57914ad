// SPDX-License-Identifier: Apache-2.0

//! Hosts that are not there, are slow, hang up, talk nonsense or never stop talking: one clear message each, exit
//! code 4, and never a hang.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use enarx_tests::{LOCAL_SIMULATOR, PATIENCE, Tenant, code, example, finish, interrupt, stderr, until, wait};

/// A host that does with every connection what it is told to.
fn host(behave: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(behave));
    format!("http://{address}")
}

fn deploy(url: &str) -> (i32, String) {
    let mut command = Tenant::new().enarx();
    command.args(["deploy", "--policy", LOCAL_SIMULATOR, "--to", url]).arg(example("cat"));
    let output = finish(&mut command, b"");
    (code(&output), stderr(&output))
}

fn answer(body: &str, status: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[track_caller]
fn lost(url: &str, message: &str) {
    let (code, told) = deploy(url);
    assert_eq!(code, 4, "{told}");
    assert!(told.contains(message), "`{message}` is missing in:\n{told}");
}

#[test]
fn a_host_that_is_not_there() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    lost(&format!("http://{free}"), "could not reach the host");
}

#[test]
fn a_host_that_hangs_up() {
    lost(&host(drop), "does not speak as an Enarx host");
}

#[test]
fn a_host_that_talks_nonsense() {
    let url = host(|mut stream| {
        let _ = stream.write_all(b"220 mail.example ESMTP\r\n");
        thread::sleep(Duration::from_millis(200));
    });
    lost(&url, "does not speak as an Enarx host");
}

#[test]
fn a_host_that_answers_with_another_service() {
    let url = host(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(answer("<html>", "404 Not Found").as_bytes());
    });
    lost(&url, "answered 404 Not Found");
}

#[test]
fn a_host_that_never_stops_answering() {
    let url = host(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n");
        while stream.write_all(b"1000\r\n").is_ok() && stream.write_all(&[b'a'; 0x1002]).is_ok() {}
    });
    lost(&url, "sent a bad answer");
}

#[test]
fn a_host_that_sends_endless_headers() {
    let url = host(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 201 Created\r\n");
        while stream.write_all(b"x-more: and more\r\n").is_ok() {}
    });
    lost(&url, "does not speak as an Enarx host");
}

#[test]
fn a_host_that_never_answers_can_be_interrupted() {
    let (reached, connected) = mpsc::channel();
    let url = host(move |stream| {
        let _ = reached.send(());
        thread::sleep(Duration::from_mins(2));
        drop(stream);
    });
    let tenant = Tenant::new();
    let mut command = tenant.enarx();
    command.args(["deploy", "--policy", LOCAL_SIMULATOR, "--to", &url]).arg(example("cat"));
    let mut child = command.spawn().unwrap();
    // Before that it is still reading its files, and ends like any program.
    connected.recv_timeout(PATIENCE).unwrap();
    let started = Instant::now();
    thread::sleep(Duration::from_millis(500));
    interrupt(child.id());
    assert_eq!(wait(&mut child).code(), Some(130));
    assert!(started.elapsed() < Duration::from_secs(10));
}

/// A host that says yes to everything and then plays the Keep as `play` does.
fn false_keep(play: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> String {
    host(move |mut stream| {
        let play = play.clone();
        thread::spawn(move || {
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            if request[..length].starts_with(b"POST") {
                let keep = r#"{"id":"00112233445566778899aabbccddeeff","state":"running","tee":"sev-snp","platform":"amd/genoa","simulated":true,"sandbox":[]}"#;
                let _ = stream.write_all(answer(keep, "201 Created").as_bytes());
                let _ = stream.read(&mut request);
            } else {
                let _ = stream.write_all(
                    b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: enarx-control\r\n\r\n",
                );
                play(stream);
            }
        });
    })
}

#[test]
fn a_keep_that_is_garbage() {
    let url = false_keep(|mut stream| {
        let _ = stream.write_all(&vec![0x42; 1 << 16]);
        thread::sleep(Duration::from_millis(500));
    });
    lost(&url, "session");
}

#[test]
fn a_keep_that_sends_endless_data() {
    let url = false_keep(|mut stream| while stream.write_all(&vec![0x16; 1 << 16]).is_ok() {});
    lost(&url, "session");
}

#[test]
fn a_keep_that_hangs_up_during_the_handshake() {
    lost(&false_keep(drop), "the connection was cut off");
}

#[test]
fn a_keep_killed_in_the_middle_is_told_at_once() {
    let tenant = Tenant::new();
    let host = tenant.host(&[]);
    let child = tenant.deploy(example("spin"), &host).spawn().unwrap();
    until("the Keep runs", || !host.keeps().is_empty());
    thread::sleep(Duration::from_millis(1500));
    for pid in host.keeps() {
        let _ = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("error: the Keep was killed in the middle, its host says: signal 9"), "{told}");
    until("the host has reaped it", || host.keeps().is_empty());
}

#[test]
fn a_local_keep_killed_in_the_middle_is_told_apart_from_a_lost_connection() {
    let tenant = Tenant::new();
    let child = tenant.run(example("spin")).spawn().unwrap();
    until("the Keep runs", || !enarx_tests::descendants(child.id()).is_empty());
    thread::sleep(Duration::from_millis(1500));
    for pid in enarx_tests::descendants(child.id()) {
        let _ = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("error: the Keep was killed in the middle, its host says: signal 9"), "{told}");
}

#[test]
fn ctrl_c_ends_the_local_keep_and_leaves_nothing_behind() {
    let tenant = Tenant::new();
    let mut child = tenant.run(example("spin")).spawn().unwrap();
    until("the Keep runs", || !enarx_tests::descendants(child.id()).is_empty());
    thread::sleep(Duration::from_millis(500));
    let keeps = enarx_tests::descendants(child.id());
    interrupt(child.id());
    assert_eq!(wait(&mut child).code(), Some(130));
    until("every process of the Keep is gone", || {
        keeps.iter().all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists())
    });
}
