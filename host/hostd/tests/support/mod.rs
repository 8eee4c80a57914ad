// SPDX-License-Identifier: Apache-2.0

//! What the tests of the host share: the rude Keep program, hosts made of it, and a daemon with a plain client.

#![allow(dead_code, reason = "each test file uses its own part of it")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use enarx_hostd::serve::{ServeConfig, ServeError, ServeLimits};
use enarx_hostd::{Backend, ControlStream, Host, HostConfig, HostLimits};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Longer than anything takes, so that a test that hangs says so.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The rude Keep, which Cargo builds together with the tests.
pub(crate) fn rude_keep() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().and_then(Path::parent).unwrap().join("examples/rude-keep");
    assert!(path.is_file(), "`{}` is absent: cargo build -p enarx-hostd --examples", path.display());
    path
}

/// A copy of the rude Keep that starts in this way.
pub(crate) fn rude_keep_that(folder: &TempDir, start: &str) -> PathBuf {
    let path = folder.path().join(format!("rude-keep-{start}"));
    let mut program = std::fs::read(rude_keep()).unwrap();
    program.extend_from_slice(format!("\nstart={start}").as_bytes());
    std::fs::write(&path, program).unwrap();
    path
}

/// A configuration for this Keep program, with a simulated Milan whose keys are in a folder that all tests share.
pub(crate) fn config(program: PathBuf) -> HostConfig {
    let keys = Path::new(env!("CARGO_TARGET_TMPDIR")).join("simulator");
    HostConfig::new(Backend::Process { program }, keys, "amd/milan".parse().unwrap())
}

/// A host of rude Keeps.
pub(crate) fn host(limits: HostLimits) -> Host {
    Host::new(HostConfig { limits, ..config(rude_keep()) }).unwrap()
}

/// Numbers of the processes below this one, with zombies.
pub(crate) fn descendants() -> Vec<u32> {
    let processes: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            // number (name) state parent …
            let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, parent))
        })
        .collect();
    let mut found = vec![std::process::id()];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(
            processes.iter().filter(|(_, its_parent)| *its_parent == parent).map(|(number, _)| number),
        );
        next += 1;
    }
    found.split_off(1)
}

/// Runs one ignored test of this program in a process of its own, for tests that count processes.
pub(crate) fn run_alone(test: &str) {
    let program = std::env::current_exe().unwrap();
    let ran = std::process::Command::new(program)
        .args(["--exact", "--ignored", "--nocapture", test])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

/// Sends a command to a rude Keep and gives everything it answers.
pub(crate) async fn command(stream: &mut ControlStream, line: &str) -> Vec<u8> {
    let mut answer = Vec::new();
    let talk = async {
        stream.write_all(line.as_bytes()).await?;
        stream.write_all(b"\n").await?;
        stream.read_to_end(&mut answer).await
    };
    // A Keep that ends with unread input resets the stream; what it said before still counts.
    let _ = tokio::time::timeout(PATIENCE, talk).await.expect("the Keep answers");
    answer
}

/// A daemon on a free port.
pub(crate) struct Daemon {
    pub(crate) host: Host,
    pub(crate) address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Daemon {
    pub(crate) async fn start(host: Host, limits: ServeLimits) -> Self {
        Self::with(host, ServeConfig { limits, ..ServeConfig::new("127.0.0.1:0".parse().unwrap()) }).await
    }

    pub(crate) async fn with(host: Host, config: ServeConfig) -> Self {
        let (bound, address) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let config = ServeConfig { bound: Some(bound), ..config };
        let serving = enarx_hostd::serve(host.clone(), config, async { _ = stopped.await });
        let task = tokio::spawn(serving);
        Self { host, address: address.await.unwrap(), stop, task }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends raw bytes, then reads until the daemon closes.
    pub(crate) async fn exchange(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        let _ = stream.write_all(request).await;
        read_all(&mut stream).await
    }

    /// A whole request; the answer with its head.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.exchange(request.as_bytes()).await
    }

    /// A control stream after the upgrade.
    pub(crate) async fn control(&self, id: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(upgrade(id).as_bytes()).await.unwrap();
        let head = read_head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        stream
    }

    /// Ends the daemon as a signal would.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        tokio::time::timeout(PATIENCE, self.task).await.expect("the daemon ends").unwrap().unwrap();
    }
}

/// A request for a control stream.
pub(crate) fn upgrade(id: &str) -> String {
    format!(
        "GET /v1/keeps/{id}/control HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: enarx-control\r\n\r\n"
    )
}

/// Everything until the other side closes; a reset counts as closing.
pub(crate) async fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the daemon closes");
    String::from_utf8(bytes).unwrap()
}

/// The head of a reply and nothing after it.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = tokio::time::timeout(PATIENCE, stream.read_u8()).await.expect("the daemon answers");
        head.push(byte.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// The status of a reply.
pub(crate) fn status(reply: &str) -> u16 {
    reply
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("no status in `{reply}`"))
}

/// The body of a reply as JSON.
pub(crate) fn body(reply: &str) -> serde_json::Value {
    let body = reply.split_once("\r\n\r\n").unwrap().1;
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error} in `{reply}`"))
}

/// The code of a reply that is no success.
pub(crate) fn code(reply: &str) -> String {
    body(reply)["error"]["code"].as_str().unwrap().to_owned()
}
