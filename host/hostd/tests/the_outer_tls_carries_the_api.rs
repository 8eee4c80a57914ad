// SPDX-License-Identifier: Apache-2.0

//! TLS around the HTTP API: requests, control streams with half-close, and clients that do not speak it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use enarx_hostd::serve::{ServeConfig, ServeError, ServeLimits, TlsFiles};
use enarx_hostd::{HostLimits, serve};
use support::{Daemon, PATIENCE, host, read_all, upgrade};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::time_provider::TimeProvider;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

fn files() -> TlsFiles {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tls");
    TlsFiles { certificates: folder.join("certificate.pem"), key: folder.join("key.pem") }
}

fn config(tls: TlsFiles) -> ServeConfig {
    let limits = ServeLimits { client_timeout: Duration::from_secs(5), ..ServeLimits::default() };
    ServeConfig { tls: Some(tls), limits, ..ServeConfig::new("127.0.0.1:0".parse().unwrap()) }
}

/// The certificate is one for all machines, whatever their clocks say.
#[derive(Debug)]
struct TheYear2049;

impl TimeProvider for TheYear2049 {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_hours(24 * 365 * 80)))
    }
}

fn client() -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(files().certificates).unwrap()).unwrap();
    let config =
        ClientConfig::builder_with_details(Arc::new(ring::default_provider()), Arc::new(TheYear2049))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn a_keep_is_created_and_used_inside_tls() {
    let daemon = Daemon::with(host(HostLimits::default()), config(files())).await;
    let keep = daemon.host.create().await.unwrap();
    let stream = client().connect("localhost".try_into().unwrap(), daemon.connect().await).await;
    let mut stream = stream.unwrap();
    stream.write_all(format!("{}echo\ninside", upgrade(&keep.id.to_string())).as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut reply = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut reply)).await.unwrap().unwrap();
    assert!(reply.starts_with("HTTP/1.1 101 ") && reply.ends_with("\r\n\r\ninside"), "{reply}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_client_without_tls_is_turned_away() {
    let daemon = Daemon::with(host(HostLimits::default()), config(files())).await;
    let mut stream = daemon.connect().await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").await.unwrap();
    let mut reply = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut reply)).await.unwrap();
    assert!(!reply.starts_with(b"HTTP"));
}

#[tokio::test]
async fn a_client_that_does_not_finish_the_handshake_is_cut() {
    let limits = ServeLimits { client_timeout: Duration::from_millis(300), ..ServeLimits::default() };
    let daemon = Daemon::with(host(HostLimits::default()), ServeConfig { limits, ..config(files()) }).await;
    assert_eq!(read_all(&mut daemon.connect().await).await, "");
}

#[tokio::test]
async fn files_that_are_absent_or_wrong_are_named() {
    let refused = |tls: TlsFiles| async move {
        serve(host(HostLimits::default()), config(tls), std::future::pending()).await.unwrap_err()
    };
    let absent = TlsFiles { certificates: "/nowhere/certificate.pem".into(), ..files() };
    let error = refused(absent).await;
    assert!(
        matches!(&error, ServeError::TlsFile { path, .. } if path.ends_with("certificate.pem")),
        "{error}"
    );
    let swapped = TlsFiles { certificates: files().key, key: files().certificates };
    let error = refused(swapped).await;
    assert!(matches!(error, ServeError::TlsContent { .. }), "{error}");
}
