// SPDX-License-Identifier: Apache-2.0

//! The HTTP API against clients that are wrong, greedy, slow or gone.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::time::Duration;

use enarx_hostd::HostLimits;
use enarx_hostd::serve::ServeLimits;
use support::{Daemon, PATIENCE, body, code, host, read_all, read_head, status, upgrade};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

const NOBODY: &str = "00000000000000000000000000000000";

async fn daemon() -> Daemon {
    Daemon::start(host(HostLimits::default()), ServeLimits::default()).await
}

async fn impatient() -> Daemon {
    let limits = ServeLimits { client_timeout: Duration::from_millis(400), ..ServeLimits::default() };
    Daemon::start(host(HostLimits::default()), limits).await
}

async fn new_keep(daemon: &Daemon) -> String {
    let reply = daemon.ask("POST", "/v1/keeps", "").await;
    assert_eq!(status(&reply), 201, "{reply}");
    body(&reply)["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_keep_is_created_described_and_used_over_http() {
    let daemon = daemon().await;
    let reply = daemon.ask("POST", "/v1/keeps", "{}").await;
    assert_eq!(status(&reply), 201);
    assert!(reply.to_ascii_lowercase().contains("cache-control: no-store\r\n"));
    let created = body(&reply);
    assert_eq!((created["tee"].as_str(), created["simulated"].as_bool()), (Some("sev-snp"), Some(true)));
    let id = created["id"].as_str().unwrap();
    assert_eq!(body(&daemon.ask("GET", &format!("/v1/keeps/{id}"), "").await), created);
    let mut stream = daemon.control(id).await;
    stream.write_all(b"echo\nhello").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(read_all(&mut stream).await, "hello");
    let platform = body(&daemon.ask("GET", "/v1/platform", "").await);
    assert_eq!(platform["simulated"], true);
    assert_eq!(platform["measurement"].as_str().unwrap().len(), 96);
    assert_eq!(platform["simulated_root_spki_sha256"].as_str().unwrap().len(), 64);
    assert!(daemon.ask("GET", "/healthz", "").await.ends_with("\r\n\r\nok\n"));
    let metrics = daemon.ask("GET", "/metrics", "").await;
    assert!(metrics.contains("enarx_keeps_created_total 1\n"), "{metrics}");
    assert!(metrics.contains("enarx_relayed_from_keeps_bytes_total 5\n"), "{metrics}");
}

#[tokio::test]
async fn bytes_sent_together_with_the_upgrade_reach_the_keep() {
    let daemon = daemon().await;
    let id = new_keep(&daemon).await;
    let mut stream = daemon.connect().await;
    stream.write_all(format!("{}echo\nearly", upgrade(&id)).as_bytes()).await.unwrap();
    assert_eq!(status(&read_head(&mut stream).await), 101);
    stream.shutdown().await.unwrap();
    assert_eq!(read_all(&mut stream).await, "early");
}

#[tokio::test]
async fn garbage_is_answered_and_the_connection_closed() {
    let reply = daemon().await.exchange(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").await;
    assert_eq!(status(&reply), 400);
}

#[tokio::test]
async fn endless_headers_are_cut() {
    let daemon = daemon().await;
    let long = format!("GET /healthz HTTP/1.1\r\nHost: test\r\nA: {}\r\n\r\n", "a".repeat(17 * 1024));
    assert_eq!(status(&daemon.exchange(long.as_bytes()).await), 431);
    let many = format!("GET /healthz HTTP/1.1\r\nHost: test\r\n{}\r\n", "A: a\r\n".repeat(100));
    assert_eq!(status(&daemon.exchange(many.as_bytes()).await), 431);
}

#[tokio::test]
async fn a_client_that_sends_its_headers_drop_by_drop_is_cut() {
    let daemon = impatient().await;
    let (mut reader, mut writer) = daemon.connect().await.into_split();
    let drops = async {
        writer.write_all(b"GET /healthz HTTP/1.1\r\n").await?;
        loop {
            writer.write_all(b"A: a\r\n").await?;
            sleep(Duration::from_millis(50)).await;
        }
    };
    let cut = async {
        let mut reply = Vec::new();
        let _ = reader.read_to_end(&mut reply).await;
        reply
    };
    let reply = tokio::select! {
        reply = timeout(PATIENCE, cut) => reply.unwrap(),
        error = async { let error: Result<(), std::io::Error> = drops.await; sleep(PATIENCE).await; error } => panic!("{error:?}"),
    };
    assert!(!String::from_utf8(reply).unwrap().contains("200"));
}

#[tokio::test]
async fn a_client_that_says_nothing_is_cut() {
    let daemon = impatient().await;
    let mut stream = daemon.connect().await;
    assert!(!read_all(&mut stream).await.contains("200"));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let daemon = impatient().await;
    let mut stream = daemon.connect().await;
    stream.write_all(b"POST /v1/keeps HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n{").await.unwrap();
    let reply = read_all(&mut stream).await;
    assert_eq!(status(&reply), 408, "{reply}");
    assert!(daemon.host.list().is_empty());
}

#[tokio::test]
async fn a_body_that_is_too_long_or_no_request_is_refused() {
    let daemon = daemon().await;
    let reply = daemon.ask("POST", "/v1/keeps", &" ".repeat(5000)).await;
    assert_eq!((status(&reply), code(&reply).as_str()), (413, "body-unreadable"));
    for wrong in ["nonsense", "7", "[]", " [ ]", "null", "{\"memory\": 1}"] {
        let reply = daemon.ask("POST", "/v1/keeps", wrong).await;
        assert_eq!((status(&reply), code(&reply).as_str()), (400, "body-invalid"), "{wrong}");
    }
    assert!(daemon.host.list().is_empty());
}

#[tokio::test]
async fn unknown_keeps_paths_and_methods_are_told_apart() {
    let daemon = daemon().await;
    for id in [NOBODY, "nonsense", "..%2f..%2fetc"] {
        let reply = daemon.ask("GET", &format!("/v1/keeps/{id}"), "").await;
        assert_eq!((status(&reply), code(&reply).as_str()), (404, "unknown-keep"), "{id}");
    }
    let reply =
        daemon.exchange(upgrade(NOBODY).replace("Upgrade\r\n", "Upgrade, close\r\n").as_bytes()).await;
    assert_eq!((status(&reply), code(&reply).as_str()), (404, "unknown-keep"));
    let reply = daemon.ask("GET", "/v2", "").await;
    assert_eq!((status(&reply), code(&reply).as_str()), (404, "unknown-path"));
    // Nobody may list the Keeps of others.
    let reply = daemon.ask("GET", "/v1/keeps", "").await;
    assert_eq!((status(&reply), code(&reply).as_str()), (405, "unknown-method"));
}

#[tokio::test]
async fn a_control_stream_needs_the_upgrade() {
    let daemon = daemon().await;
    let id = new_keep(&daemon).await;
    let reply = daemon.ask("GET", &format!("/v1/keeps/{id}/control"), "").await;
    assert_eq!((status(&reply), code(&reply).as_str()), (426, "upgrade-required"));
    assert!(reply.to_ascii_lowercase().contains("upgrade: enarx-control\r\n"), "{reply}");
    let other = upgrade(&id)
        .replace("enarx-control\r\n", "websocket\r\n")
        .replace("Upgrade\r\n", "Upgrade, close\r\n");
    assert_eq!(status(&daemon.exchange(other.as_bytes()).await), 426);
    let old = upgrade(&id).replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(status(&daemon.exchange(old.as_bytes()).await), 426);
}

#[tokio::test]
async fn keeps_for_one_client_are_limited() {
    let limits = HostLimits { max_keeps_per_client: 1, ..HostLimits::default() };
    let daemon = Daemon::start(host(limits), ServeLimits::default()).await;
    let id = new_keep(&daemon).await;
    let reply = daemon.ask("POST", "/v1/keeps", "").await;
    assert_eq!((status(&reply), code(&reply).as_str()), (429, "too-many-keeps-for-client"));
    daemon.host.kill(id.parse().unwrap()).await.unwrap();
    new_keep(&daemon).await;
}

#[tokio::test]
async fn keeps_in_all_are_limited() {
    let limits = HostLimits { max_keeps: 1, ..HostLimits::default() };
    let daemon = Daemon::start(host(limits), ServeLimits::default()).await;
    new_keep(&daemon).await;
    let reply = daemon.ask("POST", "/v1/keeps", "").await;
    assert_eq!((status(&reply), code(&reply).as_str()), (503, "too-many-keeps"));
}

#[tokio::test]
async fn connections_of_one_client_are_limited() {
    let limits = ServeLimits { max_connections_per_client: 2, ..ServeLimits::default() };
    let daemon = Daemon::start(host(HostLimits::default()), limits).await;
    let (first, _second) = (daemon.connect().await, daemon.connect().await);
    let refused = read_all(&mut daemon.connect().await).await;
    assert_eq!(status(&refused), 503);
    drop(first);
    let again = async {
        while status(&daemon.ask("GET", "/healthz", "").await) != 200 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn a_keep_killed_in_the_middle_closes_its_streams_at_once() {
    let daemon = daemon().await;
    let id = new_keep(&daemon).await;
    let mut stream = daemon.control(&id).await;
    stream.write_all(b"echo\nx").await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'x');
    daemon.host.kill(id.parse().unwrap()).await.unwrap();
    assert_eq!(read_all(&mut stream).await, "");
    // Not only one direction: the daemon has let go of the connection, so writing fails.
    let written = async {
        while stream.write_all(b"more").await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, written).await.unwrap();
    let reply = daemon.ask("GET", &format!("/v1/keeps/{id}"), "").await;
    assert_eq!(body(&reply)["exit"]["signal"], 9);
    assert_eq!(status(&daemon.ask("GET", &format!("/v1/keeps/{id}"), "").await), 200);
    let reply = daemon.exchange(upgrade(&id).replace("Upgrade\r\n", "Upgrade, close\r\n").as_bytes()).await;
    assert_eq!((status(&reply), code(&reply).as_str()), (410, "keep-ended"));
}

#[tokio::test]
async fn what_a_keep_said_before_it_ended_arrives() {
    let daemon = daemon().await;
    let id = new_keep(&daemon).await;
    let mut stream = daemon.control(&id).await;
    stream.write_all(b"words-and-exit\n").await.unwrap();
    assert_eq!(read_all(&mut stream).await, "last words");
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_its_keep_back() {
    let daemon = daemon().await;
    let id = new_keep(&daemon).await;
    let mut stream = daemon.control(&id).await;
    stream.write_all(b"flood\n").await.unwrap();
    let relayed = || {
        let text = daemon.host.metrics_text();
        let line = text.lines().find(|line| line.starts_with("enarx_relayed_from_keeps_bytes_total "));
        line.and_then(|line| line.split(' ').nth(1)?.parse::<u64>().ok()).unwrap()
    };
    let mut before = 0;
    let stuck = async {
        loop {
            sleep(Duration::from_millis(300)).await;
            let now = relayed();
            if now > 0 && now == before {
                return now;
            }
            before = now;
        }
    };
    // Sockets hold some megabytes; what matters is that it stops.
    let held = timeout(PATIENCE, stuck).await.unwrap();
    assert!(held < 64 << 20, "{held} bytes");
}

#[tokio::test]
async fn a_silent_control_stream_is_closed() {
    let limits = ServeLimits { stream_idle: Duration::from_millis(300), ..ServeLimits::default() };
    let daemon = Daemon::start(host(HostLimits::default()), limits).await;
    let id = new_keep(&daemon).await;
    let mut stream = daemon.control(&id).await;
    assert_eq!(read_all(&mut stream).await, "");
}

#[tokio::test]
async fn shutdown_ends_keeps_streams_and_idle_connections() {
    let daemon = daemon().await;
    let id = new_keep(&daemon).await;
    let mut stream = daemon.control(&id).await;
    let mut idle = daemon.connect().await;
    let host = daemon.host.clone();
    timeout(Duration::from_secs(4), daemon.stop()).await.expect("well within the time for draining");
    assert!(host.list().is_empty());
    assert_eq!(read_all(&mut stream).await, "");
    assert_eq!(read_all(&mut idle).await, "");
}
