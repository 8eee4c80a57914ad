// SPDX-License-Identifier: Apache-2.0

//! Connections to servers, straight or through a proxy.

use std::io;
use std::sync::Arc;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::Client;
use super::proxy::Proxy;
use super::url::Url;
use crate::error::{ConfigError, HttpError};

/// Head of an answer: Intel's have a certificate chain in a header.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 64;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection on which one request can be sent.
pub(super) struct Connection {
    pub(super) sender: SendRequest<Empty<Bytes>>,
    /// Whether the request must say the whole address, because a proxy reads it.
    pub(super) absolute: bool,
    /// What that proxy wants to know.
    pub(super) authorization: Option<HeaderValue>,
}

/// Opens a connection for a request to an address.
pub(super) async fn open(client: &Client, url: &Url) -> Result<Connection, HttpError> {
    let limit = client.limits.connect_time;
    let late = |_| HttpError::Timeout { url: url.to_string(), doing: "connect", limit };
    timeout(limit, establish(client, url)).await.map_err(late)?
}

async fn establish(client: &Client, url: &Url) -> Result<Connection, HttpError> {
    let Some(proxy) = client.proxies.of(url) else {
        let stream = reach(client, url).await?;
        return Ok(Connection { sender: http(url, stream).await?, absolute: false, authorization: None });
    };
    let stream = reach(client, &proxy.url).await?;
    if url.tls() {
        let tunnel = tunnel(proxy, url, stream).await?;
        let stream = encrypt(client, url, tunnel).await?;
        return Ok(Connection { sender: http(url, stream).await?, absolute: false, authorization: None });
    }
    let sender = http(url, stream).await?;
    Ok(Connection { sender, absolute: true, authorization: authorization(proxy) })
}

/// A byte stream to a server or proxy, encrypted if its address says so.
async fn reach(client: &Client, url: &Url) -> Result<Box<dyn Stream>, HttpError> {
    let unreachable = |source| HttpError::Connect { server: url.server(), source };
    let stream = TcpStream::connect((url.host(), url.port())).await.map_err(unreachable)?;
    let stream: Box<dyn Stream> = Box::new(stream);
    if url.tls() { encrypt(client, url, stream).await } else { Ok(stream) }
}

async fn encrypt(client: &Client, url: &Url, stream: Box<dyn Stream>) -> Result<Box<dyn Stream>, HttpError> {
    let failed = |source| HttpError::Tls { server: url.server(), source };
    let name = ServerName::try_from(url.host().to_owned())
        .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    let stream = TlsConnector::from(Arc::clone(&client.tls)).connect(name, stream).await.map_err(failed)?;
    Ok(Box::new(stream))
}

/// Lets a proxy connect to a server (RFC 9110, section 9.3.6).
async fn tunnel(proxy: &Proxy, url: &Url, stream: Box<dyn Stream>) -> Result<Box<dyn Stream>, HttpError> {
    let broken = |source| HttpError::Broken { url: proxy.url.to_string(), source };
    let mut sender = http(&proxy.url, stream).await?;
    let refused = |status| HttpError::Proxy { proxy: proxy.url.server(), server: url.server(), status };
    let mut request = Request::new(Empty::new());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = url.server().parse::<Uri>().map_err(|_| refused(400))?;
    let host = HeaderValue::from_str(&url.server()).map_err(|_| refused(400))?;
    request.headers_mut().insert(HOST, host);
    if let Some(authorization) = authorization(proxy) {
        request.headers_mut().insert(PROXY_AUTHORIZATION, authorization);
    }
    let response = sender.send_request(request).await.map_err(broken)?;
    if !response.status().is_success() {
        return Err(refused(response.status().as_u16()));
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(broken)?;
    Ok(Box::new(TokioIo::new(upgraded)))
}

async fn http(url: &Url, stream: Box<dyn Stream>) -> Result<SendRequest<Empty<Bytes>>, HttpError> {
    let broken = |source| HttpError::Broken { url: url.to_string(), source };
    let mut builder = Builder::new();
    builder.max_buf_size(MAX_HEAD).max_headers(MAX_HEADERS);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Ends by itself when the sender, the body and the tunnel are gone.
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}

fn authorization(proxy: &Proxy) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(proxy.authorization.as_deref()?).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// TLS that trusts the system's authorities and some more.
pub(crate) fn tls(more: &[Vec<u8>]) -> Result<ClientConfig, ConfigError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for der in more {
        let wrong =
            |error| ConfigError::new("a certificate authority for HTTPS", format!("cannot be used: {error}"));
        roots.add(CertificateDer::from(der.clone())).map_err(wrong)?;
    }
    // Named, since a program may have several providers and rustls then takes none by itself.
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| ConfigError::new("TLS", format!("is not there: {error}")))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
