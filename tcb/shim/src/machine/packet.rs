// SPDX-License-Identifier: Apache-2.0

//! Packets of virtio-vsock (Virtual I/O Device 1.2, section 5.10.6).

/// Bytes of a header.
pub const HEADER: usize = 44;
/// A stream; the device has other types, which are not used.
const STREAM: u16 = 1;
/// The sender of a SHUTDOWN receives nothing more.
const NO_RECEIVE: u32 = 1;
/// The sender of a SHUTDOWN sends nothing more.
const NO_SEND: u32 = 2;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// Which machine.
    pub cid: u64,
    /// Which port of it.
    pub port: u32,
}

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Asks for a connection.
    Request,
    /// Accepts one.
    Response,
    /// Ends or refuses one.
    Reset,
    /// Closes one or both directions, as seen by the sender.
    Shutdown {
        /// It receives nothing more.
        receive: bool,
        /// It sends nothing more.
        send: bool,
    },
    /// Carries bytes.
    Data,
    /// Says how much room there is.
    CreditUpdate,
    /// Asks how much room there is.
    CreditRequest,
}

/// A header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Who sends it.
    pub from: Address,
    /// Who is to get it.
    pub to: Address,
    /// What it is for.
    pub operation: Operation,
    /// Bytes that follow.
    pub length: u32,
    /// Bytes that the sender keeps for what it receives.
    pub room: u32,
    /// Bytes that the sender has taken out of that in all, modulo 2^32.
    pub taken: u32,
}

impl Header {
    /// Splits a packet. `None` for anything else: shorter than it says, of another type, with an operation that does not
    /// exist, with bytes where there are none.
    pub fn decode(packet: &[u8]) -> Option<(Self, &[u8])> {
        let (header, body) = packet.split_first_chunk::<HEADER>()?;
        let (long, word, half) = (reader::<8>(header), reader::<4>(header), reader::<2>(header));
        let (long, word) = (|at| u64::from_le_bytes(long(at)), |at| u32::from_le_bytes(word(at)));
        let half = |at| u16::from_le_bytes(half(at));
        let flags = word(32);
        let operation = match half(30) {
            1 => Operation::Request,
            2 => Operation::Response,
            3 => Operation::Reset,
            4 => Operation::Shutdown { receive: flags & NO_RECEIVE != 0, send: flags & NO_SEND != 0 },
            5 => Operation::Data,
            6 => Operation::CreditUpdate,
            7 => Operation::CreditRequest,
            _ => return None,
        };
        let header = Self {
            from: Address { cid: long(0), port: word(16) },
            to: Address { cid: long(8), port: word(20) },
            operation,
            length: word(24),
            room: word(36),
            taken: word(40),
        };
        let body = body.get(..usize::try_from(header.length).ok()?)?;
        (half(28) == STREAM && (body.is_empty() || operation == Operation::Data)).then_some((header, body))
    }

    /// The bytes of the header.
    pub fn encode(&self) -> [u8; HEADER] {
        let (operation, flags) = match self.operation {
            Operation::Request => (1_u16, 0),
            Operation::Response => (2, 0),
            Operation::Reset => (3, 0),
            Operation::Shutdown { receive, send } => {
                (4, (NO_RECEIVE * u32::from(receive)) | (NO_SEND * u32::from(send)))
            }
            Operation::Data => (5, 0),
            Operation::CreditUpdate => (6, 0),
            Operation::CreditRequest => (7, 0),
        };
        let mut bytes = [0; HEADER];
        let fields: [&[u8]; 10] = [
            &self.from.cid.to_le_bytes(),
            &self.to.cid.to_le_bytes(),
            &self.from.port.to_le_bytes(),
            &self.to.port.to_le_bytes(),
            &self.length.to_le_bytes(),
            &STREAM.to_le_bytes(),
            &operation.to_le_bytes(),
            &flags.to_le_bytes(),
            &self.room.to_le_bytes(),
            &self.taken.to_le_bytes(),
        ];
        for (place, byte) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
            *place = *byte;
        }
        bytes
    }
}

/// Reads `N` bytes at an offset that the header has.
fn reader<const N: usize>(header: &[u8; HEADER]) -> impl Fn(usize) -> [u8; N] {
    |at| header.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
}
