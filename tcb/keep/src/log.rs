// SPDX-License-Identifier: Apache-2.0

//! What the workload wrote: a bounded memory of it, and readers that each go through it at their own pace.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;

use enarx_session::wire::StdStream;

/// How far the workload may be ahead of the session that it is attached to.
const AHEAD: u64 = 256 * 1024;

/// Output in the order in which it was written. Old output makes room for new, except for what the attached reader
/// has not had yet: then the workload waits.
pub(crate) struct Log {
    pieces: VecDeque<Piece>,
    /// Bytes ever written before the first piece, and up to the end
    start: u64,
    end: u64,
    capacity: u64,
    /// How far the attached reader is; none when nobody is attached
    attached: Option<u64>,
    open_streams: u8,
}

struct Piece {
    stream: StdStream,
    bytes: Vec<u8>,
}

/// A reader's place.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursor(u64);

impl Log {
    /// Remembers about `capacity` bytes of two streams.
    pub(crate) fn new(capacity: u64, attached: bool) -> Self {
        let attached = attached.then_some(0);
        Self { pieces: VecDeque::new(), start: 0, end: 0, capacity, attached, open_streams: 2 }
    }

    /// Whether the workload may write more.
    pub(crate) fn has_room(&self) -> bool {
        self.attached.is_none_or(|place| self.end - place < AHEAD)
    }

    pub(crate) fn append(&mut self, stream: StdStream, bytes: Vec<u8>) {
        self.end += bytes.len() as u64;
        self.pieces.push_back(Piece { stream, bytes });
        // The attached reader is never further behind than AHEAD and one piece, so this stays bounded.
        let keep_from = self.end.saturating_sub(self.capacity).min(self.attached.unwrap_or(u64::MAX));
        while let Some(piece) = self.pieces.front() {
            let after = self.start + piece.bytes.len() as u64;
            if after > keep_from {
                break;
            }
            self.start = after;
            self.pieces.pop_front();
        }
    }

    /// One of the two streams has ended.
    pub(crate) fn close_stream(&mut self) {
        self.open_streams = self.open_streams.saturating_sub(1);
    }

    /// Whether nothing more will be written.
    pub(crate) fn is_closed(&self) -> bool {
        self.open_streams == 0
    }

    /// The attached reader is gone; the workload no longer waits for it.
    pub(crate) fn detach(&mut self) {
        self.attached = None;
    }

    /// The next output for a reader. `attached` marks the reader that the workload waits for.
    pub(crate) fn read(&mut self, cursor: &mut Cursor, attached: bool) -> Option<(StdStream, Vec<u8>)> {
        if cursor.0 < self.start {
            let lost = self.start - cursor.0;
            cursor.0 = self.start;
            return Some((
                StdStream::Err,
                format!("[{lost} bytes of older output were dropped]\n").into_bytes(),
            ));
        }
        let mut at = self.start;
        for piece in &self.pieces {
            let after = at + piece.bytes.len() as u64;
            if cursor.0 < after {
                let skip = usize::try_from(cursor.0 - at).unwrap_or(usize::MAX);
                let bytes = piece.bytes.get(skip..).unwrap_or_default().to_vec();
                let stream = piece.stream;
                cursor.0 = after;
                if attached && self.attached.is_some() {
                    self.attached = Some(after);
                }
                return Some((stream, bytes));
            }
            at = after;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn old_output_makes_room_and_a_late_reader_is_told() {
        let mut log = Log::new(10, false);
        for byte in 0..4 {
            log.append(StdStream::Out, vec![byte; 5]);
        }
        let mut cursor = Cursor::default();
        let (stream, told) = log.read(&mut cursor, false).unwrap();
        assert_eq!(
            (stream, told.as_slice()),
            (StdStream::Err, b"[10 bytes of older output were dropped]\n".as_slice())
        );
        assert_eq!(log.read(&mut cursor, false).unwrap().1, [2; 5]);
        assert_eq!(log.read(&mut cursor, false).unwrap().1, [3; 5]);
        assert!(log.read(&mut cursor, false).is_none());
    }

    #[test]
    fn the_workload_waits_for_the_attached_reader_and_nothing_is_dropped() {
        let mut log = Log::new(10, true);
        let mut written = 0;
        while log.has_room() {
            log.append(StdStream::Out, vec![1; 1000]);
            written += 1000;
        }
        assert!(written < AHEAD + 1001);
        let mut cursor = Cursor::default();
        let mut read = 0;
        while let Some((_, bytes)) = log.read(&mut cursor, true) {
            read += bytes.len() as u64;
        }
        assert_eq!(read, written);
        assert!(log.has_room());
    }
}
