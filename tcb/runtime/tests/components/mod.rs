// SPDX-License-Identifier: Apache-2.0

//! Makes components for tests: scripts of calls to WASI 0.2, which are encoded as a core module and wrapped into a
//! component by the interfaces in `wit/`.
//!
//! A call that does not give what the script expects ends the program with the number of the call as its exit code.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::format_collect,
    unused_imports,
    reason = "support of tests"
)]

mod run;
mod signatures;

use std::fmt::Write;
use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

pub use run::{run_bytes, run_script};
use signatures::{SIGNATURES, Signature};

/// Where results of calls are put.
pub const RET: u32 = 16;
/// Where texts start.
const TEXTS: u32 = 1024;
/// Where allocations of the canonical ABI start.
const HEAP: u32 = 65536;
/// The version of the interfaces in `wit/`.
pub const VERSION: &str = "0.2.12";

/// A program.
pub struct Script {
    body: String,
    texts: Vec<u8>,
    calls: u32,
    locals: Vec<String>,
    result: u32,
}

impl Script {
    /// Starts a program that opens standard output as `$stdout`.
    pub fn new() -> Self {
        let mut script =
            Self { body: String::new(), texts: Vec::new(), calls: 0, locals: Vec::new(), result: 0 };
        script.set("stdout", "(call $get-stdout)");
        script
    }

    /// Also opens the first directory that is open from the start, as `$root`.
    pub fn with_root() -> Self {
        let mut script = Self::new();
        script.wat(&format!("(call $get-directories (i32.const {RET}))"));
        script.set("root", &format!("(i32.load (i32.load (i32.const {RET})))"));
        script
    }

    /// Adds text of WebAssembly.
    pub fn wat(&mut self, wat: &str) -> &mut Self {
        writeln!(self.body, "    {wat}").unwrap();
        self
    }

    /// Sets a local variable (i32) to an expression.
    pub fn set(&mut self, local: &str, expression: &str) -> &mut Self {
        if !self.locals.iter().any(|known| known == local) {
            self.locals.push(local.to_string());
        }
        self.wat(&format!("(local.set ${local} {expression})"))
    }

    /// A text as the two arguments that the canonical ABI makes of it.
    pub fn text(&mut self, text: impl AsRef<[u8]>) -> String {
        let text = text.as_ref();
        let at = TEXTS as usize + self.texts.len();
        self.texts.extend_from_slice(text);
        format!("(i32.const {at}) (i32.const {})", text.len())
    }

    /// Calls a function that gives a `result`, which must be `ok`.
    pub fn ok(&mut self, function: &str, arguments: &[&str]) -> &mut Self {
        self.call(function, arguments);
        self.check(&format!("(i32.load8_u (i32.const {RET}))"))
    }

    /// Calls a function that gives a `result`, which must be the `error-code` with that number.
    pub fn error(&mut self, function: &str, arguments: &[&str], code: ErrorCode) -> &mut Self {
        self.call(function, arguments);
        let at = RET + signature(function).error_at;
        self.check(&format!("(i32.eqz (i32.load8_u (i32.const {RET})))"));
        self.check(&format!("(i32.ne (i32.load8_u (i32.const {at})) (i32.const {}))", code as u32))
    }

    /// Keeps the handle that the last call gave.
    pub fn keep(&mut self, local: &str) -> &mut Self {
        self.set(local, &format!("(i32.load (i32.const {}))", RET + 4))
    }

    /// Ends the program with the number of the last call, unless `wrong` is 0.
    pub fn check(&mut self, wrong: &str) -> &mut Self {
        let call = self.calls;
        self.wat(&format!("(if {wrong} (then (call $exit-with-code (i32.const {call})) unreachable))"))
    }

    /// Calls a function with a place for its result.
    pub fn call(&mut self, function: &str, arguments: &[&str]) -> &mut Self {
        self.calls += 1;
        assert!(self.calls < 256, "calls are numbered by exit codes");
        let arguments = arguments.join(" ");
        self.wat(&format!("(call ${function} {arguments} (i32.const {RET}))"))
    }

    /// Writes bytes to standard output.
    pub fn print(&mut self, bytes: &str) -> &mut Self {
        self.ok("output.blocking-write-and-flush", &["(local.get $stdout)", bytes])
    }

    /// Writes the bytes or text whose place and length the last call gave, so many bytes after its result.
    pub fn print_result(&mut self, at: u32) -> &mut Self {
        let at = RET + at;
        self.print(&format!("(i32.load (i32.const {at})) (i32.load (i32.const {}))", at + 4))
    }

    /// What `wasi:cli/run` gives at the end: 0 for `ok`, 1 for `error`.
    pub fn result(&mut self, result: u32) -> &mut Self {
        self.result = result;
        self
    }

    /// The component.
    pub fn component(&self) -> Vec<u8> {
        self.component_of_version(VERSION)
    }

    /// The component, as built against another version of WASI.
    pub fn component_of_version(&self, version: &str) -> Vec<u8> {
        encode(&self.module(version), version)
    }

    fn module(&self, version: &str) -> String {
        let mut imports = String::new();
        for Signature { name, interface, function, types, .. } in SIGNATURES {
            if name != &"exit-with-code"
                && !self.body.contains(&format!("${name} "))
                && !self.body.contains(&format!("${name})"))
            {
                continue;
            }
            writeln!(
                imports,
                "  (import \"wasi:{interface}@{version}\" \"{function}\" (func ${name} {types}))"
            )
            .unwrap();
        }
        let texts: String = self.texts.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let locals: String = self.locals.iter().map(|local| format!("(local ${local} i32) ")).collect();
        let Self { body, result, .. } = self;
        format!(
            r#"(module
{imports}
  (memory (export "memory") 8)
  (data (i32.const {TEXTS}) "{texts}")
  (global $heap (mut i32) (i32.const {HEAP}))
  (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (local.get $at))
  (func (export "wasi:cli/run@{version}#run") (result i32) {locals}
{body}
    (i32.const {result})))"#
        )
    }
}

/// Numbers of `error-code` of `wasi:filesystem/types`.
#[derive(Clone, Copy)]
pub enum ErrorCode {
    BadDescriptor = 3,
    Busy = 4,
    Quota = 6,
    Exist = 7,
    FileTooLarge = 8,
    Invalid = 12,
    IsDirectory = 14,
    Loop = 15,
    NameTooLong = 18,
    NoEntry = 20,
    InsufficientMemory = 22,
    NotDirectory = 24,
    NotEmpty = 25,
    Overflow = 30,
    NotPermitted = 31,
    ReadOnly = 33,
}

fn signature(name: &str) -> &'static Signature {
    SIGNATURES
        .iter()
        .find(|signature| signature.name == name)
        .unwrap_or_else(|| panic!("no function `{name}`"))
}

/// Wraps a core module into a component of the world in `wit/`.
fn encode(module: &str, version: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap().replace(VERSION, version);
    for package in ["io", "clocks", "random", "filesystem", "sockets", "cli"] {
        let path = wit.join("deps").join(package).with_extension("wit");
        resolve.push_str(&path, &read(&path)).unwrap();
    }
    let path = wit.join("world.wit");
    let package = resolve.push_str(&path, &read(&path)).unwrap();
    let world = resolve.select_world(&[package], Some("command")).unwrap();
    let mut module = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}
