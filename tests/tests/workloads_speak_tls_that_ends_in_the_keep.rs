// SPDX-License-Identifier: Apache-2.0

//! A program for plain sockets runs in a Keep and is reached over TLS 1.3 by clients that know the tenant's authority, and
//! by nobody else. On every back end that this machine has.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use enarx_tests::{Tenant, code, example, finish, stderr, stdout, wait};
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Error, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A port that nobody listens on. Somebody may take it before we do, which is as likely as it is harmless.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A folder with the echo server for as many clients.
fn echo(tenant: &Tenant, port: u16, clients: usize, more: &str) -> PathBuf {
    let program = example("echo-server");
    tenant.file(
        "echo/Enarx.toml",
        format!(
            "program = \"{}\"\nargs = [\"{clients}\"]\n[[files]]\nkind = \"null\"\n[[files]]\nkind = \"stdout\"\n\
             [[files]]\nkind = \"stderr\"\n[[files]]\nkind = \"listen\"\nname = \"echo\"\naddr = \"127.0.0.1\"\n\
             port = {port}\n{more}\n",
            program.display()
        ),
    );
    tenant.path("echo")
}

/// A running workload that has said that it listens.
struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Server {
    fn start(tenant: &Tenant, folder: &Path) -> Self {
        let mut child = tenant.run(folder).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        if line != "listening\n" {
            let _ = child.kill();
            let mut errors = String::new();
            child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
            panic!("{line:?}: {errors}");
        }
        Self { child, output }
    }

    /// What it printed until it ended with success.
    fn end(mut self) -> String {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        assert!(wait(&mut self.child).success());
        rest
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The certificate of the tenant's authority, as text.
fn authority(tenant: &Tenant) -> String {
    let shown = tenant.enarx().args(["ca", "show"]).output().unwrap();
    assert_eq!(code(&shown), 0, "{}", stderr(&shown));
    stdout(&shown)
}

fn client(authority: &str, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    Arc::new(config.with_webpki_verifier(verifier).with_no_client_auth())
}

fn connect(config: &Arc<ClientConfig>, port: u16, name: &'static str) -> Result<Tls, Error> {
    let mut tls = ClientConnection::new(Arc::clone(config), ServerName::try_from(name).unwrap())?;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    while tls.is_handshaking() {
        if let Err(error) = tls.complete_io(&mut stream) {
            return Err(error.downcast::<Error>().unwrap_or_else(|error| panic!("{error}")));
        }
    }
    Ok(StreamOwned::new(tls, stream))
}

/// Sends something and its end, and gives back all that comes.
fn converse(mut tls: Tls, text: &[u8]) -> Vec<u8> {
    tls.write_all(text).unwrap();
    tls.conn.send_close_notify();
    tls.flush().unwrap();
    let mut answer = Vec::new();
    tls.read_to_end(&mut answer).unwrap();
    answer
}

fn echoes(backend: &'static str) {
    let Some(tenant) = Tenant::with_backend(backend) else { return };
    let port = free_port();
    let ca = authority(&tenant);
    let server = Server::start(&tenant, &echo(&tenant, port, 3, "names = [\"localhost\", \"127.0.0.1\"]"));

    // One that says nothing keeps nobody waiting.
    let silent = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let begun = Instant::now();
    let config = client(&ca, &[&TLS13]);
    assert_eq!(converse(connect(&config, port, "localhost").unwrap(), b"hello"), b"hello");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    drop(silent);

    // More than any buffer on the way holds.
    let long: Vec<u8> = (0..1_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let mut tls = connect(&config, port, "127.0.0.1").unwrap();
    assert_eq!(tls.conn.protocol_version(), Some(TLS13.version));
    let mut read = 0;
    for piece in long.chunks(50_000) {
        tls.write_all(piece).unwrap();
        let mut back = vec![0; piece.len()];
        tls.read_exact(&mut back).unwrap();
        assert_eq!(back, piece);
        read += back.len();
    }
    assert_eq!((read, converse(tls, b"")), (long.len(), Vec::new()));

    let refused = |outcome: Result<Tls, Error>| outcome.map(drop).expect_err("a refusal");
    let version = refused(connect(&client(&ca, &[&TLS12]), port, "localhost"));
    assert_eq!(version, Error::AlertReceived(AlertDescription::ProtocolVersion));
    let other = client(&authority(&Tenant::new()), &[&TLS13]);
    let stranger = refused(connect(&other, port, "localhost"));
    assert_eq!(stranger, Error::InvalidCertificate(CertificateError::UnknownIssuer));
    let name = refused(connect(&config, port, "example.com"));
    assert!(
        matches!(name, Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. })),
        "{name}"
    );

    assert_eq!(converse(connect(&config, port, "localhost").unwrap(), b"bye"), b"bye");
    assert_eq!(server.end(), "echoed 5 bytes\nechoed 1000000 bytes\nechoed 3 bytes\n");
}

#[test]
fn an_echo_server_answers_those_who_know_its_tenant() {
    echoes("process");
}

#[test]
fn an_echo_server_answers_in_a_virtual_machine() {
    echoes("qemu");
}

#[test]
fn an_authority_that_does_not_fit_together_certifies_nothing() {
    let tenant = Tenant::new();
    let first = authority(&tenant);
    let (key, certificate) = (tenant.state().join("ca.key"), tenant.state().join("ca.pem"));
    let refused = || {
        let output = tenant.enarx().args(["ca", "show"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    std::fs::rename(&key, tenant.path("key")).unwrap();
    assert!(refused().contains("is gone"), "{}", refused());
    assert!(!key.exists(), "a key was made in silence");
    // Another authority's certificate beside this one's key.
    let other = Tenant::new();
    let foreign = authority(&other);
    std::fs::rename(tenant.path("key"), &key).unwrap();
    std::fs::write(&certificate, &foreign).unwrap();
    assert!(refused().contains("is not of the key"), "{}", refused());
    std::fs::write(&certificate, "junk").unwrap();
    assert!(refused().contains("is not a certificate"), "{}", refused());
    std::fs::write(&certificate, &first).unwrap();
    assert_eq!(authority(&tenant), first);
}

#[test]
fn curl_trusts_the_tenants_authority_and_nothing_else() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: curl is not installed");
        return;
    }
    let tenant = Tenant::new();
    let (port, ca) = (free_port(), tenant.path("ca.pem"));
    std::fs::write(&ca, authority(&tenant)).unwrap();
    let _server = Server::start(&tenant, &echo(&tenant, port, 9, ""));
    let url = format!("https://localhost:{port}/");
    let curl = |options: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["-sS", "--max-time", "20", "--noproxy", "*"]).args(options).arg(&url);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        finish(&mut command, b"")
    };
    let trusted = curl(&["--cacert", ca.to_str().unwrap()]);
    // What comes back is curl's own request, which it takes for HTTP/0.9 and does not want.
    assert_eq!(code(&trusted), 1, "{}", stderr(&trusted));
    let unknown = curl(&[]);
    assert_eq!(code(&unknown), 60, "{}", stderr(&unknown));
}

#[test]
fn a_port_that_is_in_use_or_not_allowed_is_said_to_the_tenant() {
    let tenant = Tenant::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = echo(&tenant, port, 1, "");
    let output = finish(&mut tenant.run(&folder), b"");
    let said = format!(
        "error: the workload could not be started: `echo`: the host does not listen on 127.0.0.1 port {port}: the port \
         is in use\n\nhint: end what listens there, or give the listener another `port` in Enarx.toml\n"
    );
    assert_eq!(code(&output), 4);
    assert!(stderr(&output).contains(&said), "{}", stderr(&output));

    let host = tenant.host(&[]);
    let output = finish(&mut tenant.deploy(&folder, &host), b"");
    assert_eq!(code(&output), 4);
    let said = format!(
        "error: the workload could not be started: `echo`: the host does not listen on 127.0.0.1 port {port}: its \
         operator does not allow it\n\nhint: the operator of the host allows it by `enarx host serve --allow-listen PORT` \
         or `--allow-connect HOST:PORT`\n"
    );
    assert!(stderr(&output).contains(&said), "{}", stderr(&output));
}

#[test]
fn a_deployed_echo_server_goes_on_without_its_tenant() {
    let tenant = Tenant::new();
    let port = free_port();
    let host = tenant.host(&["--allow-listen", &port.to_string()]);
    let folder = echo(&tenant, port, 1, "");
    let output = finish(tenant.deploy(&folder, &host).arg("--detach"), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let config = client(&authority(&tenant), &[&TLS13]);
    let tls = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(_) => break connect(&config, port, "localhost").unwrap(),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    };
    assert_eq!(converse(tls, b"alone"), b"alone");
}

#[test]
fn a_client_that_is_cut_off_is_told_from_one_that_ends() {
    let tenant = Tenant::new();
    let port = free_port();
    let server = Server::start(&tenant, &echo(&tenant, port, 1, ""));
    let config = client(&authority(&tenant), &[&TLS13]);
    let mut tls = connect(&config, port, "localhost").unwrap();
    tls.write_all(b"half").unwrap();
    let mut back = [0; 4];
    tls.read_exact(&mut back).unwrap();
    tls.sock.shutdown(Shutdown::Write).unwrap();
    assert_eq!(server.end(), "lost a client: ConnectionReset\n");
}
