// SPDX-License-Identifier: Apache-2.0

//! What owner and workload have to say to each other.

use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{CborLen, Decode, Encode};

use super::text::{cut, decode_path, path_is_clean};
use super::{DATA_LEN, PATH_LIMIT};

/// What the owner sends to its Keep.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Command {
    /// Bytes for the workload's stdin, within the room that the Keep gave.
    #[n(0)]
    Stdin(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// The workload's stdin ends.
    #[n(1)]
    StdinEnd,
    /// End the workload and the Keep.
    #[n(2)]
    Stop,
    /// Send what the workload printed so far and, with `follow`, what it will print.
    #[n(3)]
    Logs {
        /// Go on until the workload ends.
        #[n(0)]
        follow: bool,
    },
    /// Say how the workload is.
    #[n(4)]
    Status,
    /// Send the files that the workload changed.
    #[n(5)]
    FetchFiles,
    /// The certificate that [`Message::CertificateRequest`] asks for, DER.
    #[n(6)]
    Certificate(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
}

/// What the Keep sends to its owner.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Message {
    /// The workload printed.
    #[n(0)]
    Output {
        /// Where.
        #[n(0)]
        stream: StdStream,
        /// What.
        #[cbor(n(1), with = "minicbor::bytes")]
        bytes: Vec<u8>,
    },
    /// The workload took this many bytes of its stdin: there is room for as many more.
    #[n(1)]
    StdinTaken(#[n(0)] u32),
    /// The workload ended.
    #[n(2)]
    Exited(#[n(0)] Exit),
    /// The workload printed this earlier, or prints it while a log is followed.
    #[n(3)]
    Log {
        /// Where.
        #[n(0)]
        stream: StdStream,
        /// What.
        #[cbor(n(1), with = "minicbor::bytes")]
        bytes: Vec<u8>,
    },
    /// The log that was asked for ends here.
    #[n(4)]
    LogsEnd,
    /// How the workload is.
    #[n(5)]
    Status(#[n(0)] Status),
    /// A file that the workload changed; its bytes follow.
    #[n(6)]
    File(#[n(0)] FileEntry),
    /// The next bytes of the last [`Message::File`].
    #[n(7)]
    FileBytes(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// All changed files have been sent.
    #[n(8)]
    FilesEnd,
    /// The Keep's listeners need a certificate for this request (PKCS #10, DER).
    #[n(9)]
    CertificateRequest(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
}

/// One of the two streams that a workload prints to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(index_only)]
pub enum StdStream {
    /// Results.
    #[n(1)]
    Out,
    /// Everything else.
    #[n(2)]
    Err,
}

/// How a workload ended.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Exit {
    /// By its own will.
    #[n(0)]
    Exited(#[n(0)] u32),
    /// By a trap.
    #[n(1)]
    Trapped(#[n(0)] Trap),
    /// By a limit of its manifest.
    #[n(2)]
    LimitExceeded(#[n(0)] LimitExceeded),
    /// By its owner.
    #[n(3)]
    Stopped,
    /// It never started: what was delivered is not a program that this Keep can run.
    #[n(4)]
    NotStarted(#[n(0)] String),
}

/// What a WebAssembly program did that it must not do.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct Trap {
    /// A stable name of the kind, such as `unreachable`.
    #[n(0)]
    pub kind: String,
    /// The sentence for people.
    #[n(1)]
    pub message: String,
    /// Where, innermost first.
    #[n(2)]
    pub backtrace: Vec<Frame>,
}

/// One frame of a WebAssembly backtrace.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct Frame {
    /// The module's name, where it has one.
    #[n(0)]
    pub module: Option<String>,
    /// The function's name, where names are in the program.
    #[n(1)]
    pub function: Option<String>,
    /// The function's index.
    #[n(2)]
    pub index: u32,
    /// The offset in the module, where it is known.
    #[n(3)]
    pub offset: Option<u64>,
}

/// Which limit a workload ran into.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct LimitExceeded {
    /// The limit's name in the manifest.
    #[n(0)]
    pub limit: String,
    /// The sentence for people.
    #[n(1)]
    pub detail: String,
}

/// How a workload is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct Status {
    /// Milliseconds since the workload started.
    #[n(0)]
    pub run_time_ms: u64,
    /// How it ended; none while it runs.
    #[n(1)]
    pub exit: Option<Exit>,
}

/// A file, directory or link that the workload made, changed or removed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct FileEntry {
    /// Relative to the workload's root, of plain components only.
    #[cbor(n(0), decode_with = "decode_path")]
    pub path: String,
    /// What it is now.
    #[n(1)]
    pub kind: EntryKind,
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum EntryKind {
    /// A file of this many bytes.
    #[n(0)]
    File(#[n(0)] u64),
    /// A directory.
    #[n(1)]
    Dir,
    /// A symbolic link to this text, which nobody checked.
    #[n(2)]
    Symlink(#[n(0)] String),
    /// Nothing any more.
    #[n(3)]
    Removed,
}

const NAME_LIMIT: usize = 256;
const SENTENCE_LIMIT: usize = 4096;
const BACKTRACE_LIMIT: usize = 64;

impl Message {
    /// Cuts what cannot fit into one frame: names, sentences and backtraces. Bytes are split by the session instead.
    pub(crate) fn fitted(mut self) -> Option<Self> {
        match &mut self {
            Self::Exited(exit) | Self::Status(Status { exit: Some(exit), .. }) => exit.fit(),
            Self::File(FileEntry { path, kind }) => {
                let target_fits = !matches!(kind, EntryKind::Symlink(target) if target.len() > PATH_LIMIT);
                return (path_is_clean(path) && target_fits).then_some(self);
            }
            _ => {}
        }
        Some(self)
    }

    /// The same in pieces that fit into a frame each. No bytes, no pieces.
    pub(crate) fn pieces(self) -> Vec<Self> {
        match self {
            Self::Output { stream, bytes } => {
                split(&bytes).map(|bytes| Self::Output { stream, bytes }).collect()
            }
            Self::Log { stream, bytes } => split(&bytes).map(|bytes| Self::Log { stream, bytes }).collect(),
            Self::FileBytes(bytes) => split(&bytes).map(Self::FileBytes).collect(),
            other => alloc::vec![other],
        }
    }
}

impl Command {
    /// The same in pieces that fit into a frame each. No bytes, no pieces.
    pub(crate) fn pieces(self) -> Vec<Self> {
        match self {
            Self::Stdin(bytes) => split(&bytes).map(Self::Stdin).collect(),
            other => alloc::vec![other],
        }
    }
}

impl Exit {
    fn fit(&mut self) {
        match self {
            Self::Exited(_) | Self::Stopped => {}
            Self::NotStarted(why) => cut(why, SENTENCE_LIMIT),
            Self::LimitExceeded(LimitExceeded { limit, detail }) => {
                cut(limit, NAME_LIMIT);
                cut(detail, SENTENCE_LIMIT);
            }
            Self::Trapped(Trap { kind, message, backtrace }) => {
                cut(kind, NAME_LIMIT);
                cut(message, SENTENCE_LIMIT);
                backtrace.truncate(BACKTRACE_LIMIT);
                for Frame { module, function, .. } in backtrace {
                    for name in [module, function].into_iter().flatten() {
                        cut(name, NAME_LIMIT);
                    }
                }
            }
        }
    }
}

fn split(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    bytes.chunks(DATA_LEN).map(<[u8]>::to_vec)
}
