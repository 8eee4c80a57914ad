// SPDX-License-Identifier: Apache-2.0

//! Through proxies: a tunnel for HTTPS, whole addresses for HTTP, and TLS that ends at the vendor and not before.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use enarx_collateral::{CollateralError, Config, Fetcher, HttpError, Item, Proxies, Source, Url};
use support::amd::{kds, platform};
use support::{Reply, Request, Server, config, head};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const LIST: &str = "amd/milan/vcek-crl";

async fn fetch(config: Config) -> Result<Vec<Item>, CollateralError> {
    Fetcher::new(config).unwrap().fetch(&LIST.parse().unwrap()).await
}

fn certificate() -> CertificateDer<'static> {
    CertificateDer::from_pem_file(folder().join("certificate.pem")).unwrap()
}

/// A certificate for `localhost`, `vendor.invalid` and `127.0.0.1`, from 2020 to 2120, and its key.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tls")
}

/// A vendor's server with TLS that gives everybody these bytes. Its port.
async fn vendor(body: Vec<u8>) -> u16 {
    let key = PrivateKeyDer::from_pem_file(folder().join("key.pem")).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let tls = builder.with_no_client_auth().with_single_cert(vec![certificate()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, body) = (acceptor.clone(), body.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
                let _ = stream.shutdown().await;
            });
        }
    });
    port
}

/// A proxy that answers `CONNECT` with a status, and tunnels to a port here if it is 200, whatever the name.
/// Its address, and what it was asked.
async fn proxy(status: u16, port: u16) -> (String, Arc<Mutex<Vec<Request>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let Some(request) = head(&mut stream).await else { return };
                log.lock().unwrap().push(request);
                let reply = format!("HTTP/1.1 {status} Words\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(reply.as_bytes()).await.unwrap();
                if status == 200 {
                    let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    let _ = copy_bidirectional(&mut stream, &mut server).await;
                }
            });
        }
    });
    (address, asked)
}

fn through(variables: &[(&str, &str)], sources: Vec<Source>) -> Config {
    let get =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let proxies = Proxies::from_variables(get).unwrap();
    Config { proxies, tls_roots: vec![certificate().to_vec()], ..config(sources) }
}

fn https(authority: &str) -> Source {
    Source::Kds { base: Url::parse(&format!("https://{authority}")).unwrap() }
}

#[tokio::test]
async fn https_goes_through_a_tunnel() {
    let list = platform("amd/milan").list;
    let port = vendor(list.clone()).await;
    let (proxy, asked) = proxy(200, port).await;
    let proxy = format!("http://user:pass%20word@{proxy}");
    // The name cannot be resolved here: it is the proxy that knows it.
    let items = fetch(through(&[("HTTPS_PROXY", &proxy)], vec![https("vendor.invalid")])).await.unwrap();
    assert_eq!(items[0].bytes, list);
    assert_eq!(items[0].source, "https://vendor.invalid/vcek/v1/Milan/crl");
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].method.as_str(), asked[0].target.as_str()), ("CONNECT", "vendor.invalid:443"));
    assert_eq!(asked[0].header("Host"), Some("vendor.invalid:443"));
    // `user:pass word`
    assert_eq!(asked[0].header("Proxy-Authorization"), Some("Basic dXNlcjpwYXNzIHdvcmQ="));
}

#[tokio::test]
async fn names_in_no_proxy_are_reached_directly() {
    let port = vendor(platform("amd/milan").list).await;
    let (proxy, asked) = proxy(502, port).await;
    let variables = [("https_proxy", proxy.as_str()), ("no_proxy", "127.0.0.0/8")];
    fetch(through(&variables, vec![https(&format!("127.0.0.1:{port}"))])).await.unwrap();
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named() {
    for (status, retryable, requests) in [(407, false, 1), (403, false, 1), (502, true, 3)] {
        let (proxy, asked) = proxy(status, 0).await;
        let error =
            fetch(through(&[("ALL_PROXY", &proxy)], vec![https("vendor.invalid")])).await.unwrap_err();
        let words = format!("the proxy `{proxy}` answered {status} when asked for `vendor.invalid:443`");
        assert_eq!(error.to_string(), words);
        assert_eq!(error.is_retryable(), retryable);
        assert_eq!(asked.lock().unwrap().len(), requests);
    }
}

#[tokio::test]
async fn http_through_a_proxy_names_the_whole_address() {
    let list = platform("amd/milan").list;
    let server = Server::start(move |_| Reply::ok(list.clone())).await;
    let proxy = format!("http://me:@{}", server.address);
    let base = Url::parse("http://vendor.invalid:8080/mirror").unwrap();
    fetch(through(&[("http_proxy", &proxy)], vec![Source::Kds { base }])).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests[0].target, "http://vendor.invalid:8080/mirror/vcek/v1/Milan/crl");
    assert_eq!(requests[0].header("Host"), Some("vendor.invalid:8080"));
    assert_eq!(requests[0].header("Proxy-Authorization"), Some("Basic bWU6"));
}

#[tokio::test]
async fn whoever_is_not_the_vendor_is_not_spoken_to() {
    let port = vendor(platform("amd/milan").list).await;
    let (proxy, _) = proxy(200, port).await;
    let variables = [("HTTPS_PROXY", proxy.as_str())];
    // A name that the certificate does not have.
    let error = fetch(through(&variables, vec![https("other.invalid")])).await.unwrap_err();
    assert!(
        matches!(&error, CollateralError::Http(HttpError::Tls { server, .. }) if server == "other.invalid:443"),
        "{error}"
    );
    assert!(!error.is_retryable());
    // An authority that nobody trusts.
    let untrusting = Config { tls_roots: Vec::new(), ..through(&variables, vec![https("vendor.invalid")]) };
    let error = fetch(untrusting).await.unwrap_err();
    assert!(matches!(&error, CollateralError::Http(HttpError::Tls { .. })), "{error}");
    // A server without TLS.
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = plain.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = plain.accept().await.unwrap();
            stream.read_u8().await.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let error = fetch(config(vec![https(&address)])).await.unwrap_err();
    assert!(matches!(&error, CollateralError::Http(HttpError::Tls { .. })), "{error}");
}

#[tokio::test]
async fn requests_say_who_asks_and_nothing_else() {
    let list = platform("amd/milan").list;
    let server = Server::start(move |_| Reply::ok(list.clone())).await;
    fetch(config(vec![kds(&server)])).await.unwrap();
    let mut headers = server.requests()[0].headers.clone();
    for (name, _) in &mut headers {
        name.make_ascii_lowercase();
    }
    headers.sort();
    let agent = concat!("enarx/", env!("CARGO_PKG_VERSION")).to_owned();
    let expected =
        [("accept", "*/*".to_owned()), ("host", server.address.to_string()), ("user-agent", agent)];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value)));
}
