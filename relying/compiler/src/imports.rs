// SPDX-License-Identifier: Apache-2.0

//! What a Keep provides to a program, to tell a tenant on the first try everything that is missing.
//!
//! The Keep links programs itself and refuses what it does not know; nothing here is a matter of trust.

use std::fmt;

/// WASI preview 1.
const PREVIEW1: &str = "wasi_snapshot_preview1";
const PREVIEW1_FUNCTIONS: &[&str] = &[
    "args_get",
    "args_sizes_get",
    "clock_res_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_advise",
    "fd_allocate",
    "fd_close",
    "fd_datasync",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_fdstat_set_rights",
    "fd_filestat_get",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_pwrite",
    "fd_read",
    "fd_readdir",
    "fd_renumber",
    "fd_seek",
    "fd_sync",
    "fd_tell",
    "fd_write",
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_link",
    "path_open",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
    "poll_oneoff",
    "proc_exit",
    "proc_raise",
    "random_get",
    "sched_yield",
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
];

/// Version of the interfaces below; any patch version is compatible.
const INTERFACE_VERSION: &str = "0.2.";
const INTERFACES: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Longest name that is repeated in a message.
const MAX_SHOWN_BYTES: usize = 200;
/// Most names in a message.
const MAX_LISTED: usize = 20;

/// Something that a program imports and a Keep does not provide.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MissingImport {
    /// The module of a core module's import, or the whole name of a component's.
    pub module: String,
    /// The item of a core module's import.
    pub item: Option<String>,
}

impl MissingImport {
    pub(crate) fn item(module: &str, item: &str) -> Self {
        Self { module: module.to_owned(), item: Some(item.to_owned()) }
    }

    pub(crate) fn interface(name: &str) -> Self {
        Self { module: name.to_owned(), item: None }
    }

    pub(crate) fn is_provided(&self) -> bool {
        match &self.item {
            Some(item) => self.module == PREVIEW1 && PREVIEW1_FUNCTIONS.contains(&item.as_str()),
            None => self.module.split_once('@').is_some_and(|(name, version)| {
                INTERFACES.contains(&name) && version.starts_with(INTERFACE_VERSION)
            }),
        }
    }
}

impl fmt::Display for MissingImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let full = match &self.item {
            Some(item) => format!("{}.{item}", self.module),
            None => self.module.clone(),
        };
        write!(f, "`{}`", shown(&full))
    }
}

/// What a program is free to choose, fit for a terminal: without control characters and not longer than a few lines.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        if shown.len() >= MAX_SHOWN_BYTES {
            shown.push('…');
            break;
        }
        if character == '\'' || character == '"' {
            shown.push(character);
        } else {
            shown.extend(character.escape_debug());
        }
    }
    shown
}

/// In the order of their names, each once.
pub(crate) fn sorted(mut missing: Vec<MissingImport>) -> Vec<MissingImport> {
    missing.sort();
    missing.dedup();
    missing
}

pub(crate) fn list(missing: &[MissingImport]) -> String {
    let mut names: Vec<String> = missing.iter().take(MAX_LISTED).map(ToString::to_string).collect();
    if let Some(more @ 1..) = missing.len().checked_sub(MAX_LISTED) {
        names.push(format!("and {more} more"));
    }
    names.join(", ")
}

/// What the missing imports have in common with those of others who were surprised.
pub(crate) fn hint(missing: &[MissingImport]) -> Option<&'static str> {
    let any = |prefixes: &[&str]| {
        missing.iter().any(|import| prefixes.iter().any(|prefix| import.module.starts_with(prefix)))
    };
    if any(&["wasi:sockets/", "wasi:http/"]) {
        Some("networked workloads are not supported yet by this version")
    } else if any(&["__wbindgen", "wbg", "./"]) {
        Some("the program was built for a browser (wasm-bindgen): build it for the target `wasm32-wasip1`")
    } else if missing.iter().any(|import| import.module == "wasi" || import.item.as_deref() == Some("memory"))
    {
        Some(
            "the program was built for threads (wasi-threads), and a Keep has one thread: \
             build it for the target `wasm32-wasip1`",
        )
    } else if any(&["env"]) {
        Some(
            "imports of `env` come from code that was declared and not linked, or from Emscripten: build for WASI",
        )
    } else if any(&["wasi_unstable"]) {
        Some("`wasi_unstable` came before WASI preview 1: build the program again with a toolchain of today")
    } else {
        None
    }
}
