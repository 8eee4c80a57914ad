// SPDX-License-Identifier: Apache-2.0

//! Programs that call functions of WASI one after the other and show what came of it.
//!
//! A script becomes a module in the text format. Each call's result is kept in the program's memory; at the end the
//! program writes its whole memory to standard output, where the test reads results and buffers.

use std::fmt::Write as _;

/// Where results are kept, four bytes each.
const RESULTS: u32 = 0x8000;
/// The size of the memory.
pub const MEMORY: usize = 0x1_0000;
/// Where the final write keeps its own arguments.
const DUMP: u32 = 0xfff0;

/// An argument.
#[derive(Clone, Copy, Debug)]
pub enum Arg {
    /// A number of 32 bits.
    I(u32),
    /// A number of 64 bits.
    L(u64),
    /// The 32 bits at this address, when the call is made.
    At(u32),
}

pub use Arg::{At, I, L};

/// The parameters of every function: `i` for 32 bits, `l` for 64.
pub const SIGNATURES: &[(&str, &str)] = &[
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "ili"),
    ("fd_advise", "illi"),
    ("fd_allocate", "ill"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "ill"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "il"),
    ("fd_filestat_set_times", "illi"),
    ("fd_pread", "iiili"),
    ("fd_prestat_get", "ii"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_pwrite", "iiili"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiili"),
    ("fd_renumber", "ii"),
    ("fd_seek", "ilii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiilli"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiillii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("poll_oneoff", "iiii"),
    ("proc_raise", "i"),
    ("random_get", "ii"),
    ("sched_yield", ""),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

/// A program under construction.
#[derive(Default)]
pub struct Script {
    data: String,
    body: String,
    calls: u32,
    text_at: u32,
}

impl Script {
    pub fn new() -> Self {
        Self { text_at: 0x4000, ..Self::default() }
    }

    /// Bytes that are in memory at the start.
    pub fn bytes(&mut self, at: u32, bytes: &[u8]) -> &mut Self {
        let escaped: String = bytes.iter().fold(String::new(), |mut text, byte| {
            write!(text, "\\{byte:02x}").unwrap();
            text
        });
        writeln!(self.data, "(data (i32.const {at}) \"{escaped}\")").unwrap();
        self
    }

    /// A text in memory: its address and length as arguments.
    pub fn text(&mut self, text: &str) -> [Arg; 2] {
        let at = self.text_at;
        self.bytes(at, text.as_bytes());
        self.text_at += u32::try_from(text.len()).unwrap();
        [I(at), I(u32::try_from(text.len()).unwrap())]
    }

    /// An array of buffers at `at`.
    pub fn iovecs(&mut self, at: u32, buffers: &[(u32, u32)]) -> &mut Self {
        let bytes: Vec<u8> =
            buffers.iter().flat_map(|(at, len)| [at.to_le_bytes(), len.to_le_bytes()].concat()).collect();
        self.bytes(at, &bytes)
    }

    /// Calls a function. The returned number finds the result in [`super::Ran::results`].
    pub fn call(&mut self, name: &str, args: &[Arg]) -> usize {
        let signature = SIGNATURES.iter().find(|(function, _)| *function == name).unwrap().1;
        assert_eq!(signature.len(), args.len(), "{name}");
        let mut text = format!("(i32.store (i32.const {}) (call ${name}", RESULTS + 4 * self.calls);
        for (parameter, arg) in signature.chars().zip(args) {
            match (parameter, arg) {
                ('i', I(value)) => write!(text, " (i32.const {value})"),
                ('i', At(address)) => write!(text, " (i32.load (i32.const {address}))"),
                ('l', L(value)) => write!(text, " (i64.const {value})"),
                _ => panic!("{name}"),
            }
            .unwrap();
        }
        writeln!(self.body, "{text}))").unwrap();
        self.calls += 1;
        usize::try_from(self.calls).unwrap() - 1
    }

    /// Instructions of WebAssembly as they are.
    pub fn raw(&mut self, instructions: &str) -> &mut Self {
        writeln!(self.body, "{instructions}").unwrap();
        self
    }

    /// The module.
    pub fn wat(&self) -> String {
        let mut imports = String::new();
        for (name, signature) in SIGNATURES {
            let parameters: Vec<&str> =
                signature.chars().map(|c| if c == 'i' { "i32" } else { "i64" }).collect();
            writeln!(
                imports,
                "(import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} (param {}) (result i32)))",
                parameters.join(" ")
            )
            .unwrap();
        }
        format!(
            "(module {imports}
             (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $proc_exit (param i32)))
             (memory (export \"memory\") 1)
             {}
             (func $dump
               (i32.store (i32.const {DUMP}) (i32.const 0))
               (i32.store (i32.const {}) (i32.const {MEMORY}))
               (drop (call $fd_write (i32.const 1) (i32.const {DUMP}) (i32.const 1) (i32.const {}))))
             (func (export \"_start\") {} (call $dump)))",
            self.data,
            DUMP + 4,
            DUMP + 8,
            self.body
        )
    }

    pub fn calls(&self) -> u32 {
        self.calls
    }
}

/// The results of a script's calls, from its memory.
pub fn results(memory: &[u8], calls: u32) -> Vec<u32> {
    (0..calls).map(|call| u32_at(memory, RESULTS + 4 * call)).collect()
}

pub fn u16_at(memory: &[u8], at: u32) -> u16 {
    u16::from_le_bytes(memory[at as usize..][..2].try_into().unwrap())
}

pub fn u32_at(memory: &[u8], at: u32) -> u32 {
    u32::from_le_bytes(memory[at as usize..][..4].try_into().unwrap())
}

pub fn u64_at(memory: &[u8], at: u32) -> u64 {
    u64::from_le_bytes(memory[at as usize..][..8].try_into().unwrap())
}
