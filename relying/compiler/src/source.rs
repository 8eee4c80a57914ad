// SPDX-License-Identifier: Apache-2.0

//! From a file to the bytes of a program, refusing early what cannot be one.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::{CompileError, imports};

/// Longest program.
pub const MAX_PROGRAM_BYTES: u64 = 512 << 20;

/// How much is looked at before the rest is read.
const START_BYTES: u64 = 4096;

/// Longest line of a program's text that is quoted, in characters.
const MAX_LINE: usize = 160;
/// Lines of the parser's words before the one that is quoted: what is wrong, and where.
const LINES_BEFORE_QUOTE: usize = 2;

const MAGIC: &[u8] = b"\0asm";
const HEADER_BYTES: usize = 8;
/// Version and layer of modules and of components (the latter as the component model's binary format has them).
const VERSIONS: [[u8; 4]; 2] = [[1, 0, 0, 0], [0x0d, 0, 1, 0]];

/// Why a file was not read as a program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file cannot be read.
    #[error("could not read `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A pipe, a device or a socket.
    #[error("`{}` is not a regular file", path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// The file is not a program.
    #[error("`{}` is no program", path.display())]
    Program {
        /// The file.
        path: PathBuf,
        /// What it is.
        #[source]
        source: CompileError,
    },
}

/// Reads a program. Whatever is not WebAssembly is refused after its first bytes, however long it is.
pub fn read_program(path: &Path) -> Result<Vec<u8>, ReadError> {
    let failed = |source| ReadError::Io { path: path.to_owned(), source };
    let refused = |source| ReadError::Program { path: path.to_owned(), source };
    // Opening a pipe waits for its writer, unless it is told not to; it changes nothing for a file.
    let without_waiting = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(without_waiting).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    if !metadata.is_file() {
        return Err(ReadError::NotAFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    // The size that the system tells is a hint only: a file can grow.
    let mut file = file.take(MAX_PROGRAM_BYTES + 1);
    file.by_ref().take(START_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    check_start(&bytes, metadata.len()).map_err(refused)?;
    file.read_to_end(&mut bytes).map_err(failed)?;
    check_start(&bytes, bytes.len() as u64).map_err(refused)?;
    Ok(bytes)
}

/// Looks at the first bytes and the size, and at nothing that takes longer.
pub(crate) fn check_start(start: &[u8], bytes: u64) -> Result<(), CompileError> {
    let too_large = || CompileError::TooLarge { bytes };
    if start.starts_with(MAGIC) {
        let Some(version) = start.get(MAGIC.len()..HEADER_BYTES) else {
            return Err(CompileError::Truncated { bytes: start.len() });
        };
        if !VERSIONS.iter().any(|known| known == version) {
            return Err(CompileError::UnknownVersion { version: hex::encode(version) });
        }
    } else if !looks_like_text(start) {
        return Err(CompileError::NotWasm { found: describe(start) });
    }
    if bytes > MAX_PROGRAM_BYTES { Err(too_large()) } else { Ok(()) }
}

/// The binary form of a program in either form.
pub(crate) fn to_binary(wasm: &[u8]) -> Result<Cow<'_, [u8]>, CompileError> {
    if wasm.starts_with(MAGIC) {
        return Ok(Cow::Borrowed(wasm));
    }
    wat::parse_bytes(wasm).map_err(|error| CompileError::Text { message: text_error(&error.to_string()) })
}

/// The parser's words, which quote the line that is wrong: escaped, and without the line where it is longer than one.
fn text_error(words: &str) -> String {
    let fits = words.lines().all(|line| line.chars().count() <= MAX_LINE);
    let lines = words.trim_end().lines().take(if fits { usize::MAX } else { LINES_BEFORE_QUOTE });
    lines.map(imports::shown).collect::<Vec<_>>().join("\n")
}

/// WebAssembly text begins with a parenthesis or a comment, after any white space.
fn looks_like_text(start: &[u8]) -> bool {
    let text = start.trim_ascii_start();
    text.starts_with(b"(") || text.starts_with(b";;")
}

fn describe(start: &[u8]) -> &'static str {
    match start {
        [] => "the file is empty",
        [0x7f, b'E', b'L', b'F', ..] => "it is a native program for Linux (ELF)",
        [b'M', b'Z', ..] => "it is a native program for Windows (PE)",
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => {
            "it is a native program for macOS (Mach-O)"
        }
        [b'#', b'!', ..] => "it is a script",
        [b'!', b'<', b'a', b'r', ..] => "it is a library archive",
        [0x1f, 0x8b, ..] | [b'P', b'K', ..] => "it is a compressed file",
        _ if MAGIC.starts_with(start) => "the file ends within the magic number",
        [0, 0, 0, 0, ..] => "it begins with zeros",
        _ => "it begins neither with the magic number `\\0asm` nor with WebAssembly text",
    }
}
