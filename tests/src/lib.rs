// SPDX-License-Identifier: Apache-2.0

//! What whole-system tests share: a tenant's machine with a state of its own, a running host, and the built examples.
//! The programs under test are the real ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test that fails here has found something"
)]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// No command of these tests takes longer unless it hangs.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The policy that accepts this machine's simulator.
pub const LOCAL_SIMULATOR: &str = "examples/policies/local-simulator.toml";

/// The policy that accepts this machine's simulator of machines with a TPM.
pub const LOCAL_MACHINES: &str = "examples/policies/local-machines.toml";

/// The folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// A built program of the workspace.
///
/// # Panics
///
/// When it was not built: `cargo xtask test` builds what the tests start.
pub fn program(name: &str) -> PathBuf {
    let test = env::current_exe().expect("the test's own path");
    let folder = test.ancestors().nth(2).expect("target/<profile>/deps/<test>");
    let path = folder.join(name);
    assert!(path.exists(), "{} is not there: run the tests by `cargo xtask test`", path.display());
    path
}

/// A built example program for preview 1, such as `cat`.
///
/// # Panics
///
/// When it was not built: `cargo xtask test` builds it.
pub fn example(name: &str) -> PathBuf {
    let path = root().join(format!("examples/programs/target/wasm32-wasip1/release/{name}.wasm"));
    assert!(path.exists(), "{} is not there: run the tests by `cargo xtask test`", path.display());
    path
}

/// A tenant's machine: fresh state and cache, removed at the end.
pub struct Tenant {
    folder: TempDir,
    backend: &'static str,
}

impl Tenant {
    /// A tenant whose machine has the simulator that all tests share: its keys take seconds to make.
    pub fn new() -> Self {
        let tenant = Self { folder: TempDir::new().expect("a temporary folder"), backend: "process" };
        copy_folder(simulator_state(), &tenant.state().join("simulator"));
        tenant
    }

    /// A tenant whose `enarx run` makes its Keeps in this way; `None`, said aloud, where this machine has not got what it
    /// takes.
    pub fn with_backend(backend: &'static str) -> Option<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        let has_qemu = env::split_paths(&path).any(|folder| folder.join("qemu-system-x86_64").is_file());
        if backend == "qemu" && !has_qemu {
            eprintln!("skipped: qemu-system-x86_64 is not installed");
            return None;
        }
        Some(Self { backend, ..Self::new() })
    }

    /// The tenant's state folder.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// A scratch path of the tenant.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a scratch file and gives its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, content).expect("a scratch file");
        path
    }

    /// `enarx` with this tenant's state, in the workspace's folder.
    pub fn enarx(&self) -> Command {
        let mut command = Command::new(program("enarx"));
        command
            .current_dir(root())
            .env("ENARX_STATE_DIR", self.state())
            .env("ENARX_CACHE_DIR", self.folder.path().join("cache"))
            .env("ENARX_KEEP", program("enarx-keep"))
            .env("ENARX_VMM", program("enarx-vmm"))
            .env_remove("RUST_BACKTRACE")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// `enarx run` under the policy for the local simulator.
    pub fn run(&self, workload: impl AsRef<Path>) -> Command {
        let mut command = self.enarx();
        command.args(["run", "--policy", LOCAL_SIMULATOR, "--backend", self.backend]).arg(workload.as_ref());
        command
    }

    /// `enarx deploy` to a host, under the policy for the local simulator.
    pub fn deploy(&self, workload: impl AsRef<Path>, host: &Host) -> Command {
        let mut command = self.enarx();
        command.args(["deploy", "--policy", LOCAL_SIMULATOR, "--to", &host.url]).arg(workload.as_ref());
        command
    }

    /// Starts `enarx host serve` on this machine, with further options.
    ///
    /// # Panics
    ///
    /// When the host does not say in time where it listens.
    pub fn host(&self, options: &[&str]) -> Host {
        let mut command = self.enarx();
        command.args(["host", "serve", "--listen", "127.0.0.1:0", "--format", "json"]).args(options);
        let mut child = command.spawn().expect("enarx host serve");
        let mut lines = BufReader::new(child.stderr.take().expect("its standard error")).lines();
        let url = loop {
            let line = lines.next().expect("the host ended").expect("UTF-8");
            let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(url) = event.get("url").and_then(serde_json::Value::as_str) {
                break url.to_owned();
            }
        };
        // Whatever else it says is read, so that it never waits for us.
        let log = Arc::<Mutex<Vec<String>>>::default();
        let reader = Arc::clone(&log);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                reader.lock().expect("the log").push(line);
            }
        });
        Host { child, url, log }
    }
}

impl Default for Tenant {
    fn default() -> Self {
        Self::new()
    }
}

/// A running host daemon; it ends with the test.
pub struct Host {
    child: Child,
    /// Where it listens
    pub url: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Host {
    /// The process id of the daemon.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The processes that the daemon has started and that still exist.
    pub fn keeps(&self) -> Vec<u32> {
        descendants(self.child.id())
    }

    /// The lines of its log so far, in JSON.
    ///
    /// # Panics
    ///
    /// When a line is no JSON.
    pub fn log(&self) -> Vec<serde_json::Value> {
        let lines = self.log.lock().expect("the log").clone();
        lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Asks the daemon to end, and waits for it.
    ///
    /// # Panics
    ///
    /// When it does not end in time.
    pub fn interrupt(mut self) -> std::process::ExitStatus {
        interrupt(self.child.id());
        wait(&mut self.child)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end with this standard input.
///
/// # Panics
///
/// When it takes longer than [`PATIENCE`].
pub fn finish(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the program");
    let mut stdin = child.stdin.take().expect("its standard input");
    let input = input.to_vec();
    // The program may end without reading; that is its right.
    let writer = thread::spawn(move || stdin.write_all(&input).is_ok());
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let status = wait(&mut child);
    let _ = writer.join();
    Output { status, stdout: stdout.join().expect("stdout"), stderr: stderr.join().expect("stderr") }
}

/// Waits for a process.
///
/// # Panics
///
/// When it takes longer than [`PATIENCE`].
pub fn wait(child: &mut Child) -> std::process::ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().expect("the process") {
            return status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("the program did not end within {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until something is so.
///
/// # Panics
///
/// When it does not come about within [`PATIENCE`].
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Sends the signal of Ctrl-C to one process.
pub fn interrupt(pid: u32) {
    let status = Command::new("kill").args(["-INT", &pid.to_string()]).status().expect("kill");
    assert!(status.success(), "could not interrupt {pid}");
}

/// All processes below `pid` that still exist.
pub fn descendants(pid: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .filter_map(|entry| {
            let child = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name in parentheses may contain anything.
            let mut rest = stat.rsplit_once(')')?.1.split_whitespace();
            let state = rest.next()?;
            let parent = rest.next()?.parse().ok()?;
            (state != "Z").then_some((child, parent))
        })
        .collect();
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
        next += 1;
    }
    found.split_off(1)
}

/// The exit code of a finished command.
///
/// # Panics
///
/// When it ended by a signal.
pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("ended by a signal: {}", stderr(output)))
}

/// What it wrote to standard output.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What it wrote to standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    let mut pipe = pipe.expect("a pipe");
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("the program's output");
        bytes
    })
}

/// A simulator's state that is made once and copied for every test.
fn simulator_state() -> &'static Path {
    static STATE: OnceLock<PathBuf> = OnceLock::new();
    STATE.get_or_init(|| {
        let folder = program("enarx").with_file_name("test-simulator");
        let simulator = enarx_simulator::Simulator::open(&folder).expect("the simulator");
        for platform in ["amd/milan", "amd/genoa", "amd/turin"] {
            let platform = platform.parse().expect("a platform");
            simulator.attest(&platform, &[0; 64], &[0; 48], &[0; 32]).expect("keys of every generation");
        }
        folder
    })
}

fn copy_folder(from: &Path, to: &Path) {
    // `cp -a` keeps the modes, which the simulator checks.
    fs::create_dir_all(to.parent().expect("a parent")).expect("a folder");
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp");
    assert!(status.success(), "could not copy {}", from.display());
}
