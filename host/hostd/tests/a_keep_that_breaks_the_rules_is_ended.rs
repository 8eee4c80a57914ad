// SPDX-License-Identifier: Apache-2.0

//! A Keep runs a stranger's program, so the host holds against whatever a Keep does.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::time::Duration;

use enarx_hostd::api::KeepExit;
use enarx_hostd::{Host, HostConfig, HostError, HostLimits};
use support::{PATIENCE, command, config, host, rude_keep_that};
use tokio::time::timeout;

const KILLED: KeepExit = KeepExit { code: None, signal: Some(9) };

async fn error_of(start: &str, change: impl FnOnce(&mut HostConfig)) -> HostError {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(rude_keep_that(&folder, start));
    change(&mut config);
    let host = Host::new(config).unwrap();
    let error = timeout(PATIENCE, host.create()).await.unwrap().unwrap_err();
    assert!(host.list().is_empty());
    assert!(host.metrics_text().contains("enarx_keeps_failed_total 1\n"));
    error
}

#[tokio::test]
async fn a_keep_that_never_gets_ready_is_given_up() {
    let soon = Duration::from_millis(300);
    let error = error_of("silent", |config| config.limits.start_timeout = soon).await;
    assert!(matches!(error, HostError::StartTimeout { after } if after == soon), "{error}");
}

#[tokio::test]
async fn a_keep_that_ends_before_it_is_ready_is_reported_with_its_status() {
    let error = error_of("early", |_| ()).await;
    assert_eq!(error.to_string(), "the Keep ended before it was ready (exit code 3): this kernel is too old");
}

#[tokio::test]
async fn a_keep_that_begins_with_garbage_is_refused() {
    let error = error_of("garbage", |_| ()).await;
    assert_eq!(
        error.to_string(),
        "the Keep broke the host stream protocol: a packet of kind 0x09 is not known"
    );
}

#[tokio::test]
async fn a_sandbox_report_that_is_none_is_refused() {
    let error = error_of("nonsense", |_| ()).await;
    assert_eq!(
        error.to_string(),
        "the Keep broke the host stream protocol: a sandbox report is not as documented"
    );
}

#[tokio::test]
async fn a_missing_layer_is_an_error_only_where_all_are_required() {
    let error = error_of("bare", |config| config.require_sandbox = true).await;
    assert_eq!(
        error.to_string(),
        "the sandbox of the Keep lacks landlock (not in this kernel), and all layers are required"
    );
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(config(rude_keep_that(&folder, "bare"))).unwrap();
    let keep = host.create().await.unwrap();
    let missing: Vec<_> =
        keep.sandbox.iter().filter(|layer| !layer.active).map(|layer| &layer.name).collect();
    assert_eq!(missing, ["landlock"]);
}

#[tokio::test]
async fn a_packet_of_no_known_kind_ends_the_keep() {
    let host = host(HostLimits::default());
    let keep = host.create().await.unwrap();
    command(&mut host.control(keep.id).await.unwrap(), "violate").await;
    assert_eq!(timeout(PATIENCE, host.ended(keep.id)).await.unwrap().unwrap(), KILLED);
    assert!(host.metrics_text().contains("enarx_protocol_violations_total 1\n"));
}

#[tokio::test]
async fn a_keep_that_closes_its_host_stream_and_stays_is_ended() {
    let host = host(HostLimits::default());
    let keep = host.create().await.unwrap();
    let mut stream = host.control(keep.id).await.unwrap();
    command(&mut stream, "close-host-stream").await;
    assert_eq!(timeout(PATIENCE, host.ended(keep.id)).await.unwrap().unwrap(), KILLED);
}

#[tokio::test]
async fn a_port_that_the_host_does_not_have_is_refused() {
    let host = host(HostLimits::default());
    let keep = host.create().await.unwrap();
    assert_eq!(command(&mut host.control(keep.id).await.unwrap(), "connect 7").await, b"refused");
}

#[tokio::test]
async fn evidence_is_refused_beyond_its_rate() {
    let limits = HostLimits { evidence_burst: 2, evidence_per_minute: 0, ..HostLimits::default() };
    let host = host(limits);
    let keep = host.create().await.unwrap();
    let mut answer = &command(&mut host.control(keep.id).await.unwrap(), "evidence 4").await[..];
    let mut lengths = Vec::new();
    while let Some((length, rest)) = answer.split_first_chunk() {
        lengths.push(u32::from_le_bytes(*length));
        answer = &rest[lengths.last().copied().unwrap() as usize..];
    }
    assert_eq!(lengths.len(), 4);
    assert!(lengths[0] > 0 && lengths[1] > 0);
    assert_eq!(lengths[2..], [0, 0]);
    assert!(host.metrics_text().contains("enarx_evidence_made_total 2\n"));
    assert!(host.metrics_text().contains("enarx_evidence_refused_total 2\n"));
}
