// SPDX-License-Identifier: Apache-2.0

//! A server on this machine that behaves as vendors' do, or as they should not, and simulated hardware.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod amd;
pub(crate) mod der;
pub(crate) mod intel;
pub(crate) mod recorded;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use enarx_collateral::{Config, HttpLimits, Patience, Source, Url};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// What a server does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Answers.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8> },
    /// Promises more than it sends, and hangs up.
    Truncated(Vec<u8>),
    /// Never stops to send.
    Endless,
    /// Sends a byte now and then.
    Trickle,
    /// Says nothing.
    Silent,
    /// Sends these bytes and hangs up.
    Raw(Vec<u8>),
}

impl Reply {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::Answer { status: 200, headers: Vec::new(), body: body.into() }
    }

    pub(crate) fn status(status: u16) -> Self {
        let body = format!("status {status}").into_bytes();
        Self::Answer { status, headers: Vec::new(), body }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }
}

/// A server. It ends with the test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(handle: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (handle, log) = (Arc::new(handle), Arc::clone(&requests));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (handle, log) = (Arc::clone(&handle), Arc::clone(&log));
                tokio::spawn(async move {
                    let mut stream = stream;
                    let Some(request) = head(&mut stream).await else { return };
                    log.lock().unwrap().push(request.clone());
                    perform(&mut stream, handle(&request)).await;
                });
            }
        });
        Self { address, requests, task }
    }

    pub(crate) fn url(&self) -> Url {
        Url::parse(&format!("http://{}", self.address)).unwrap()
    }

    /// The targets of all requests so far.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|request| request.target.clone()).collect()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// The head of a request; `None` if the client hung up.
pub(crate) async fn head(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    let text = String::from_utf8(bytes).unwrap();
    let mut lines = text.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Some(Request { method, target, headers })
}

/// Does what a reply says; that the client hangs up meanwhile is no fault.
pub(crate) async fn perform(stream: &mut TcpStream, reply: Reply) {
    match reply {
        Reply::Answer { status, headers, body } => {
            let mut head = format!("HTTP/1.1 {status} Words\r\nContent-Length: {}\r\n", body.len());
            for (name, value) in headers {
                head.extend([name, ": ", &value, "\r\n"]);
            }
            head.push_str("Connection: close\r\n\r\n");
            let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
        }
        Reply::Truncated(body) => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len() + 1);
            let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
        }
        Reply::Endless => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
        }
        Reply::Trickle => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Reply::Silent => tokio::time::sleep(Duration::from_mins(10)).await,
        Reply::Raw(bytes) => {
            let _ = stream.write_all(&bytes).await;
        }
    }
    let _ = stream.shutdown().await;
}

/// A configuration that asks nobody, and has little patience.
pub(crate) fn config(sources: Vec<Source>) -> Config {
    Config {
        sources,
        limits: HttpLimits {
            connect_time: Duration::from_secs(5),
            answer_time: Duration::from_secs(20),
            max_body: 256 * 1024,
        },
        patience: Patience {
            attempts: 3,
            total_time: Duration::from_secs(20),
            first_wait: Duration::from_millis(5),
            longest_wait: Duration::from_millis(20),
            spaced: false,
        },
        ..Config::default()
    }
}
