// SPDX-License-Identifier: Apache-2.0

//! Talks to a host daemon. Nothing the host answers is trusted: sizes and times are limited, and all that matters
//! happens in the attested session that runs through the byte stream opened here.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONNECTION, HOST, UPGRADE};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use enarx_hostd::api;

use crate::failure::{Cause, Failure, Outcome, chain};
use crate::terminal::printable;

const CONNECT_TIME: Duration = Duration::from_secs(10);
/// Creating a Keep starts a process or a virtual machine, so an answer may take a while.
const ANSWER_TIME: Duration = Duration::from_secs(30);
const DEFAULT_PORT: u16 = 7070;

/// A byte stream through the host to the control port of a Keep.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// The address of a host daemon.
#[derive(Debug, Clone)]
pub(crate) struct HostAddress {
    text: String,
    name: String,
    port: u16,
    tls: bool,
}

impl HostAddress {
    pub(crate) fn parse(text: &str) -> Outcome<Self> {
        let wrong = |why: &str| {
            Failure::usage(format!("`{text}` is not the address of a host: {why}"))
                .hint("give it as http://HOST:PORT or https://HOST:PORT")
        };
        let uri: Uri = text.parse().map_err(|error| wrong(&format!("{error}")))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("it must begin with http:// or https://")),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("it must end after the port"));
        }
        let name = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("the name is missing"))?;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err(wrong("it must have no user and no password"));
        }
        let port = match authority.strip_prefix(name).and_then(|rest| rest.strip_prefix(':')) {
            None => DEFAULT_PORT,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(|| wrong("its port must be a number from 1 to 65535"))?,
        };
        Ok(Self { text: text.trim_end_matches('/').to_owned(), name: name.to_owned(), port, tls })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    fn authority(&self) -> String {
        format!("{}:{}", self.name, self.port)
    }
}

/// Asks the host for a new Keep.
pub(crate) async fn create(host: &HostAddress) -> Outcome<api::KeepInfo> {
    let mut sender = open(host).await?;
    let response = ask(host, &mut sender, request(host, Method::POST, api::KEEPS_PATH)?).await?;
    json(host, response, StatusCode::CREATED).await
}

/// Asks the host about a Keep that runs, or ended lately.
pub(crate) async fn info(host: &HostAddress, id: api::KeepId) -> Outcome<api::KeepInfo> {
    let mut sender = open(host).await?;
    let response = ask(host, &mut sender, request(host, Method::GET, &api::keep_path(id))?).await?;
    json(host, response, StatusCode::OK).await
}

/// Opens a byte stream to a Keep's control port.
pub(crate) async fn control(host: &HostAddress, id: api::KeepId) -> Outcome<Box<dyn Stream>> {
    let mut sender = open(host).await?;
    let mut upgrade = request(host, Method::GET, &api::control_path(id))?;
    let headers = upgrade.headers_mut();
    headers.insert(CONNECTION, hyper::header::HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, hyper::header::HeaderValue::from_static(api::CONTROL_PROTOCOL));
    let response = ask(host, &mut sender, upgrade).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(unexpected(host, response).await);
    }
    let upgraded = timeout(ANSWER_TIME, hyper::upgrade::on(response))
        .await
        .map_err(|_| silent(host))?
        .map_err(|error| broken(host, &error))?;
    Ok(Box::new(TokioIo::new(upgraded)))
}

fn request(host: &HostAddress, method: Method, path: &str) -> Outcome<Request<Empty<Bytes>>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, host.authority())
        .body(Empty::new())
        .map_err(|error| Failure::usage(format!("`{path}` cannot be asked for: {error}")))
}

async fn open(host: &HostAddress) -> Outcome<SendRequest<Empty<Bytes>>> {
    let unreachable = |why: String| {
        Failure::unreachable(format!("could not reach the host {}: {why}", host.text))
            .hint("is `enarx host serve` running there, and is this its address and port?")
            .because(Cause::HostUnreachable)
    };
    let name = host.name.trim_start_matches('[').trim_end_matches(']');
    let stream = timeout(CONNECT_TIME, TcpStream::connect((name, host.port)))
        .await
        .map_err(|_| unreachable(format!("no answer within {} seconds", CONNECT_TIME.as_secs())))?
        .map_err(|error| unreachable(error.to_string()))?;
    // Small messages go back and forth during the handshake; waiting to fill packets would only slow it.
    let _ = stream.set_nodelay(true);
    let stream: Box<dyn Stream> =
        if host.tls { Box::new(encrypt(host, stream).await?) } else { Box::new(stream) };
    let (sender, connection) = timeout(ANSWER_TIME, http1::handshake(TokioIo::new(stream)))
        .await
        .map_err(|_| silent(host))?
        .map_err(|error| broken(host, &error))?;
    // Ends by itself when the sender and the upgraded stream are gone.
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}

/// HTTPS to the host keeps others from seeing whom one talks to. It proves nothing about Keeps.
async fn encrypt(host: &HostAddress, stream: TcpStream) -> Outcome<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    // Named, since a program may have several providers and rustls then takes none by itself.
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Failure::unreachable(format!("no HTTPS: {error}")))?;
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(host.name.clone())
        .map_err(|_| Failure::usage(format!("`{}` is not a name that a certificate can have", host.name)))?;
    timeout(CONNECT_TIME, TlsConnector::from(Arc::new(config)).connect(name, stream))
        .await
        .map_err(|_| silent(host))?
        .map_err(|error| {
            Failure::unreachable(format!("no HTTPS with the host {}: {error}", host.text))
                .hint("set SSL_CERT_FILE to its certificate authority, or use http://: the session inside is protected")
        })
}

async fn ask(
    host: &HostAddress,
    sender: &mut SendRequest<Empty<Bytes>>,
    request: Request<Empty<Bytes>>,
) -> Outcome<Response<Incoming>> {
    timeout(ANSWER_TIME, sender.send_request(request))
        .await
        .map_err(|_| silent(host))?
        .map_err(|error| broken(host, &error))
}

async fn json<T: DeserializeOwned>(
    host: &HostAddress,
    response: Response<Incoming>,
    expected: StatusCode,
) -> Outcome<T> {
    if response.status() != expected {
        return Err(unexpected(host, response).await);
    }
    let bytes = body(host, response).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::unreachable(format!("the host {} sent an answer that is none: {error}", host.text))
    })
}

async fn body(host: &HostAddress, response: Response<Incoming>) -> Outcome<Bytes> {
    let collected = timeout(ANSWER_TIME, Limited::new(response.into_body(), api::MAX_REPLY_BODY).collect());
    match collected.await {
        Err(_) => Err(silent(host)),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) => {
            Err(Failure::unreachable(format!("the host {} sent a bad answer: {error}", host.text)))
        }
    }
}

/// An answer with another status: the host's own words, if they are ours, are worth showing.
async fn unexpected(host: &HostAddress, response: Response<Incoming>) -> Failure {
    let status = response.status();
    let said = match body(host, response).await {
        Ok(bytes) => serde_json::from_slice::<api::ErrorReply>(&bytes).ok(),
        Err(failure) => return failure,
    };
    let Some(api::ErrorReply { error }) = said else {
        return Failure::unreachable(format!("the host {} answered {status}", host.text))
            .hint("is it an Enarx host?")
            .because(Cause::HostUnreachable);
    };
    let failure =
        Failure::unreachable(format!("the host {} said no: {}", host.text, printable(&error.message)));
    let gone = matches!(error.code.as_str(), "keep-ended" | "unknown-keep");
    let failure = if gone { failure.because(Cause::KeepGone) } else { failure };
    match error.hint {
        Some(hint) => failure.hint(printable(&hint)),
        None => failure,
    }
}

fn silent(host: &HostAddress) -> Failure {
    Failure::unreachable(format!("the host {} did not answer in time", host.text))
        .because(Cause::HostUnreachable)
}

fn broken(host: &HostAddress, error: &hyper::Error) -> Failure {
    Failure::unreachable(format!("the host {} does not speak as an Enarx host: {}", host.text, chain(error)))
        .because(Cause::HostUnreachable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_scheme_name_and_port() {
        let address = HostAddress::parse("http://127.0.0.1:7000/").unwrap();
        assert_eq!((address.authority().as_str(), address.tls), ("127.0.0.1:7000", false));
        assert_eq!(HostAddress::parse("https://host.example").unwrap().authority(), "host.example:7070");
        for wrong in ["host.example:7070", "ftp://host", "http://", "http://host/path", "http://host/?a"] {
            assert_eq!(HostAddress::parse(wrong).unwrap_err().code(), crate::failure::USAGE, "{wrong}");
        }
    }
}
