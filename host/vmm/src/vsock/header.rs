// SPDX-License-Identifier: Apache-2.0

//! The header of a vsock packet to the guest: VIRTIO 1.2, section 5.10.6.

/// Bytes of a header.
pub(super) const HEADER: usize = 44;

/// The host's address.
pub const HOST_CID: u64 = 2;
/// The guest's address, always.
pub const GUEST_CID: u64 = 3;

/// The one kind of socket there is.
pub(super) const STREAM: u16 = 1;

pub(super) const REQUEST: u16 = 1;
pub(super) const RESPONSE: u16 = 2;
pub(super) const RESET: u16 = 3;
pub(super) const SHUTDOWN: u16 = 4;
pub(super) const DATA: u16 = 5;
pub(super) const CREDIT_UPDATE: u16 = 6;
pub(super) const CREDIT_REQUEST: u16 = 7;

/// Flag of [`SHUTDOWN`]: the sender receives no more.
pub(super) const NO_RECEIVE: u32 = 1;
/// Flag of [`SHUTDOWN`]: the sender sends no more.
pub(super) const NO_SEND: u32 = 2;
/// Both.
pub(super) const NOTHING: u32 = NO_RECEIVE | NO_SEND;

/// The two ports that make a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ports {
    pub(super) host: u32,
    pub(super) guest: u32,
}

/// A header from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) ports: Ports,
    pub(super) operation: u16,
    pub(super) flags: u32,
    pub(super) length: u32,
    pub(super) buffer: u32,
    pub(super) forwarded: u32,
}

impl Header {
    /// Says that there is no such connection.
    pub(super) fn reset(ports: Ports) -> Self {
        Self { ports, operation: RESET, flags: 0, length: 0, buffer: 0, forwarded: 0 }
    }

    pub(super) fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let fields = (HOST_CID.to_le_bytes().into_iter())
            .chain(GUEST_CID.to_le_bytes())
            .chain(self.ports.host.to_le_bytes())
            .chain(self.ports.guest.to_le_bytes())
            .chain(self.length.to_le_bytes())
            .chain(STREAM.to_le_bytes())
            .chain(self.operation.to_le_bytes())
            .chain(self.flags.to_le_bytes())
            .chain(self.buffer.to_le_bytes())
            .chain(self.forwarded.to_le_bytes());
        for (place, byte) in bytes.iter_mut().zip(fields) {
            *place = byte;
        }
        bytes
    }
}
