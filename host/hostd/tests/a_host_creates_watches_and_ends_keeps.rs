// SPDX-License-Identifier: Apache-2.0

//! The host as a library: Keeps are created in limits, reachable, and gone without rest when they should be.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::net::IpAddr;
use std::time::Duration;

use enarx_hostd::api::{KeepExit, KeepState};
use enarx_hostd::{Host, HostError, HostLimits};
use support::{PATIENCE, command, descendants, host};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

#[tokio::test]
async fn a_keep_is_created_described_and_killed() {
    let host = host(HostLimits::default());
    let keep = host.create().await.unwrap();
    assert_eq!((keep.tee.as_str(), keep.simulated, keep.state), ("sev-snp", true, KeepState::Running));
    assert_eq!(keep.sandbox.len(), 2);
    assert_eq!(host.info(keep.id).unwrap(), keep);
    assert_eq!(host.list(), std::slice::from_ref(&keep));
    host.kill(keep.id).await.unwrap();
    let info = host.info(keep.id).unwrap();
    assert_eq!((info.state, info.exit), (KeepState::Ended, Some(KeepExit { code: None, signal: Some(9) })));
    assert!(matches!(host.control(keep.id).await, Err(HostError::KeepEnded { .. })));
    assert!(host.list().is_empty());
}

#[tokio::test]
async fn a_keep_gets_no_environment_no_arguments_and_no_folder() {
    let host = host(HostLimits::default());
    let keep = host.create().await.unwrap();
    let answer = command(&mut host.control(keep.id).await.unwrap(), "environment").await;
    assert_eq!(String::from_utf8(answer).unwrap(), "0 / [\"enarx-keep\"]");
}

#[tokio::test]
async fn a_control_stream_keeps_half_close() {
    let host = host(HostLimits::default());
    let keep = host.create().await.unwrap();
    let mut stream = host.control(keep.id).await.unwrap();
    stream.write_all(b"echo\nthis").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, "this");
}

#[tokio::test]
async fn the_exit_code_of_a_keep_is_known() {
    let host = host(HostLimits::default());
    let keep = host.create().await.unwrap();
    assert_eq!(command(&mut host.control(keep.id).await.unwrap(), "exit 42").await, b"");
    let exit = timeout(PATIENCE, host.ended(keep.id)).await.unwrap().unwrap();
    assert_eq!(exit, KeepExit { code: Some(42), signal: None });
    assert!(host.metrics_text().contains("enarx_keeps_ended_total 1\n"));
}

#[tokio::test]
async fn a_stream_to_a_killed_keep_ends_at_once() {
    let host = host(HostLimits::default());
    let keep = host.create().await.unwrap();
    let mut stream = host.control(keep.id).await.unwrap();
    host.kill(keep.id).await.unwrap();
    assert_eq!(timeout(PATIENCE, stream.read(&mut [0; 8])).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn keeps_are_limited_in_all_and_by_client() {
    let host = host(HostLimits { max_keeps: 3, max_keeps_per_client: 1, ..HostLimits::default() });
    let one: IpAddr = "192.0.2.1".parse().unwrap();
    let first = host.create_for(Some(one)).await.unwrap();
    let error = host.create_for(Some(one)).await.unwrap_err();
    assert!(matches!(error, HostError::TooManyKeepsForClient { limit: 1 }), "{error}");
    host.create_for(Some("192.0.2.2".parse().unwrap())).await.unwrap();
    host.create().await.unwrap();
    let error = host.create().await.unwrap_err();
    assert!(matches!(error, HostError::TooManyKeeps { limit: 3 }), "{error}");
    host.kill(first.id).await.unwrap();
    host.create_for(Some(one)).await.unwrap();
}

#[tokio::test]
async fn control_streams_of_one_keep_are_limited() {
    let host = host(HostLimits { max_streams_per_keep: 1, ..HostLimits::default() });
    let keep = host.create().await.unwrap();
    let stream = host.control(keep.id).await.unwrap();
    let refused = host.control(keep.id).await.err().unwrap();
    assert!(matches!(refused, HostError::TooManyStreams { limit: 1 }), "{refused}");
    drop(stream);
    host.control(keep.id).await.unwrap();
}

#[tokio::test]
async fn a_keep_that_nobody_provisions_is_ended() {
    let limits = HostLimits { unprovisioned_timeout: Duration::from_millis(300), ..HostLimits::default() };
    let host = host(limits);
    let (owned, forgotten) = (host.create().await.unwrap(), host.create().await.unwrap());
    assert_eq!(command(&mut host.control(owned.id).await.unwrap(), "provisioned").await, b"done");
    let exit = timeout(PATIENCE, host.ended(forgotten.id)).await.unwrap().unwrap();
    assert_eq!(exit.signal, Some(9));
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(host.info(owned.id).unwrap().state, KeepState::Running);
    assert!(host.metrics_text().contains("enarx_keeps_expired_total 1\n"));
}

#[test]
fn nothing_is_left_of_a_host_that_was_shut_down_or_dropped() {
    support::run_alone("nothing_is_left");
}

#[test]
#[ignore = "counts the processes of this program, so it runs alone, started by the test above"]
fn nothing_is_left() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let three_keeps = |host: Host| async move {
        for _ in 0..3 {
            host.create().await.unwrap();
        }
        assert_eq!(descendants().len(), 3);
        host
    };
    // Shut down.
    runtime().block_on(async {
        let host = three_keeps(host(HostLimits::default())).await;
        timeout(PATIENCE, host.shutdown()).await.unwrap();
        assert!(descendants().is_empty());
        assert!(matches!(host.create().await, Err(HostError::ShuttingDown)));
    });
    // Dropped.
    runtime().block_on(async {
        drop(three_keeps(host(HostLimits::default())).await);
        assert!(descendants().is_empty());
    });
    // Dropped after its runtime.
    let running = runtime();
    let host = running.block_on(three_keeps(host(HostLimits::default())));
    drop(running);
    drop(host);
    assert!(descendants().is_empty());
    // A request for a Keep that is given up.
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new(support::config(support::rude_keep_that(&folder, "silent"))).unwrap();
        let gave_up = timeout(Duration::from_millis(200), host.create()).await;
        assert!(gave_up.is_err());
        assert!(descendants().is_empty());
    });
}
