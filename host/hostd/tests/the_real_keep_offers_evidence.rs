// SPDX-License-Identifier: Apache-2.0

//! The real Keep program behind the real host: its sandbox, its attested session through the host, its end.
//!
//! Needs the program: `cargo build -p enarx-shim --features process --bin enarx-keep`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use enarx_evidence::snp::Report;
use enarx_hostd::api::{KeepId, KeepState};
use enarx_hostd::serve::ServeLimits;
use enarx_hostd::{Channel, Direction, Host, HostConfig, HostLimits, Recorder, keep_program};
use enarx_session::OwnerKey;
use enarx_session::tenant::{Event, Offer, Peer, Session};
use sha2::{Digest as _, Sha256, Sha384};
use support::{Daemon, PATIENCE, config, descendants};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

fn program() -> PathBuf {
    keep_program(None).unwrap_or_else(|error| panic!("{error}; {}", error.hint().unwrap_or_default()))
}

fn real_host() -> Host {
    Host::new(config(program())).unwrap()
}

/// Speaks as a tenant until the Keep has offered evidence.
async fn offer(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Box<Offer> {
    let mut session = Session::new(&OwnerKey::generate().unwrap(), Peer::Fresh).unwrap();
    let mut bytes = vec![0; 16 * 1024];
    let talk = async {
        loop {
            while let Some(out) = session.pull() {
                stream.write_all(&out).await.unwrap();
            }
            match session.next_event().unwrap() {
                Some(Event::Offer(offer)) => return offer,
                Some(Event::Connected { .. }) => continue,
                Some(other) => panic!("unexpected {other:?}"),
                None => {}
            }
            while let Some(out) = session.pull() {
                stream.write_all(&out).await.unwrap();
            }
            let count = stream.read(&mut bytes).await.unwrap();
            assert!(count > 0, "the Keep closed its stream");
            session.push(&bytes[..count]).unwrap();
        }
    };
    timeout(PATIENCE, talk).await.expect("the Keep offers evidence")
}

#[tokio::test]
async fn evidence_names_the_program_and_the_launch_configuration() {
    let host = real_host();
    let keep = host.create().await.unwrap();
    assert!(keep.sandbox.iter().any(|layer| layer.name == "seccomp" && layer.active), "{:?}", keep.sandbox);
    let offer = offer(host.control(keep.id).await.unwrap()).await;
    let report = Report::parse(&offer.bundle.evidence.bytes).unwrap();
    assert_eq!(report.report_data, offer.report_data);
    assert_eq!(report.measurement, <[u8; 48]>::from(Sha384::digest(std::fs::read(program()).unwrap())));
    assert_eq!(offer.launch, b"enarx-launch-1 backend=process");
    assert_eq!(report.host_data, <[u8; 32]>::from(Sha256::digest(&offer.launch)));
    let platform = host.platform().await.unwrap();
    assert_eq!(platform.measurement, hex::encode(report.measurement));
}

#[tokio::test]
async fn an_attested_session_passes_through_the_daemon() {
    let daemon = Daemon::start(real_host(), ServeLimits::default()).await;
    let reply = daemon.ask("POST", "/v1/keeps", "").await;
    let id = support::body(&reply)["id"].as_str().unwrap().to_owned();
    let offer = offer(daemon.control(&id).await).await;
    let report = Report::parse(&offer.bundle.evidence.bytes).unwrap();
    assert_eq!(report.report_data, offer.report_data);
    daemon.stop().await;
}

/// What passed, by channel and direction.
#[derive(Default)]
struct Witness(Mutex<HashMap<(Channel, Direction), Vec<u8>>>);

impl Recorder for Witness {
    fn record(&self, _: KeepId, channel: Channel, direction: Direction, bytes: &[u8]) {
        self.0.lock().unwrap().entry((channel, direction)).or_default().extend_from_slice(bytes);
    }
}

#[tokio::test]
async fn a_recorder_sees_every_channel() {
    let witness = Arc::new(Witness::default());
    let host = Host::new(HostConfig { recorder: Some(witness.clone()), ..config(program()) }).unwrap();
    let keep = host.create().await.unwrap();
    let offer = offer(host.control(keep.id).await.unwrap()).await;
    let seen = witness.0.lock().unwrap();
    let has = |channel, direction, bytes: &[u8]| {
        seen[&(channel, direction)].windows(bytes.len()).any(|window| window == bytes)
    };
    assert!(has(Channel::HostStream, Direction::ToKeep, &offer.launch));
    assert!(has(Channel::HostStream, Direction::FromKeep, b"{\"layers\":"));
    assert!(has(Channel::Platform, Direction::FromKeep, &offer.report_data));
    assert!(has(Channel::Platform, Direction::ToKeep, &offer.bundle.encode()));
    // A handshake of TLS in both directions, in which the evidence does not show.
    assert!(
        has(Channel::Control, Direction::ToKeep, &[22, 3])
            && has(Channel::Control, Direction::FromKeep, &[22, 3])
    );
    assert!(!has(Channel::Control, Direction::FromKeep, &offer.report_data));
}

#[tokio::test]
async fn a_keep_killed_in_a_session_closes_it_and_is_reaped() {
    let host = real_host();
    let keep = host.create().await.unwrap();
    let mut stream = host.control(keep.id).await.unwrap();
    host.kill(keep.id).await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the stream ends");
    assert_eq!(host.info(keep.id).unwrap().state, KeepState::Ended);
}

#[tokio::test]
async fn a_session_that_provisions_nothing_does_not_keep_its_keep() {
    let limits = HostLimits { unprovisioned_timeout: Duration::from_secs(3), ..HostLimits::default() };
    let host = Host::new(HostConfig { limits, ..config(program()) }).unwrap();
    let keep = host.create().await.unwrap();
    offer(host.control(keep.id).await.unwrap()).await;
    let exit = timeout(PATIENCE, host.ended(keep.id)).await.unwrap().unwrap();
    assert_eq!(exit.signal, Some(9));
}

#[test]
fn nothing_is_left_of_real_keeps() {
    support::run_alone("nothing_is_left");
}

#[tokio::test]
#[ignore = "looks at the processes of this program, so it runs alone, started by the test above"]
async fn nothing_is_left() {
    let host = real_host();
    let first = host.create().await.unwrap();
    host.create().await.unwrap();
    let all = descendants();
    assert!(all.len() >= 2, "{all:?}");
    let left = || all.iter().filter(|number| PathBuf::from(format!("/proc/{number}")).exists()).count();
    timeout(PATIENCE, host.kill(first.id)).await.unwrap().unwrap();
    timeout(PATIENCE, host.shutdown()).await.unwrap();
    // What is inside of a namespace is reaped by whoever inherits it, a moment later.
    let gone = async {
        while left() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), gone).await.expect("every process of a Keep ends");
}
