// SPDX-License-Identifier: Apache-2.0

//! One connection: TLS if it is on, then HTTP/1.1 with limits on size and time.

use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::admission::Admitted;
use super::{Phase, Shared, routes};

/// Longest head of a request.
const MAX_HEAD: usize = 16 * 1024;
/// Most headers of a request.
const MAX_HEADERS: usize = 64;
/// What is buffered of one connection.
const BUFFER: usize = 64 * 1024;

/// Serves one connection until it ends or the daemon is closed.
pub(super) async fn run(shared: Arc<Shared>, stream: TcpStream, admitted: Arc<Admitted>) {
    let _ = stream.set_nodelay(true);
    keep_alive(&stream);
    match &shared.tls {
        None => http(&shared, stream, admitted).await,
        Some(tls) => match timeout(shared.limits.client_timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => http(&shared, stream, admitted).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        },
    }
}

/// A peer that vanished without a word is found out within minutes, long before a control stream's idle limit.
fn keep_alive(stream: &TcpStream) {
    use rustix::net::sockopt;
    let set = sockopt::set_socket_keepalive(stream, true)
        .and_then(|()| sockopt::set_tcp_keepidle(stream, std::time::Duration::from_mins(1)))
        .and_then(|()| sockopt::set_tcp_keepintvl(stream, std::time::Duration::from_secs(15)))
        .and_then(|()| sockopt::set_tcp_keepcnt(stream, 4));
    if let Err(error) = set {
        tracing::debug!(%error, "keep-alive is not available");
    }
}

async fn http<S>(shared: &Arc<Shared>, stream: S, admitted: Arc<Admitted>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = TowerToHyperService::new(routes::router(Arc::clone(shared)));
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(&admitted));
        router.call(request)
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(shared.limits.client_timeout)
        .max_header_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .max_buf_size(BUFFER)
        // A client may have said all it has to say and still wait for its answer.
        .half_close(true);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(connection);
    let mut phase = shared.phase.clone();
    let draining = async { _ = phase.wait_for(|phase| *phase >= Phase::Draining).await };
    tokio::select! {
        result = connection.as_mut() => return done(result),
        () = draining => connection.as_mut().graceful_shutdown(),
    }
    let mut phase = shared.phase.clone();
    let closed = async { _ = phase.wait_for(|phase| *phase == Phase::Closed).await };
    tokio::select! {
        result = connection.as_mut() => done(result),
        () = closed => {}
    }
}

fn done(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}
