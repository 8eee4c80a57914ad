// SPDX-License-Identifier: Apache-2.0

//! The host stream: packets, some of which carry a stream.

use std::io::{IoSlice, IoSliceMut, Stdin, stdin};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use enarx_keep::wire::MAX_PACKET;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Standard input.
pub struct HostStream {
    socket: Rc<Stdin>,
}

/// A packet from the host.
pub struct Incoming {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The descriptor that came with it.
    pub stream: Option<OwnedFd>,
}

/// Why there is no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPacket {
    /// There is none yet.
    Yet,
    /// The host closed its end.
    Gone,
    /// The host sent what it must not send.
    Broken,
}

impl HostStream {
    /// The stream that the host started this process with.
    #[allow(clippy::new_without_default, reason = "it is not a value but what stands at descriptor 0")]
    pub fn new() -> Self {
        Self { socket: Rc::new(stdin()) }
    }

    /// What to wait for.
    pub fn descriptor(&self) -> Rc<dyn AsFd> {
        self.socket.clone()
    }

    /// The next packet if it is there.
    pub fn receive(&self) -> Result<Incoming, NoPacket> {
        self.receive_with(RecvFlags::DONTWAIT)
    }

    /// The next packet, waiting for it.
    pub fn receive_blocking(&self) -> Result<Incoming, NoPacket> {
        self.receive_with(RecvFlags::empty())
    }

    fn receive_with(&self, flags: RecvFlags) -> Result<Incoming, NoPacket> {
        let mut bytes = vec![0; MAX_PACKET];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let mut buffers = [IoSliceMut::new(&mut bytes)];
            match recvmsg(&*self.socket, &mut buffers, &mut ancillary, flags | RecvFlags::CMSG_CLOEXEC) {
                Ok(received) => break received,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Err(NoPacket::Yet),
                Err(_) => return Err(NoPacket::Gone),
            }
        };
        let mut streams: Vec<OwnedFd> = ancillary
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(streams) => Some(streams),
                _ => None,
            })
            .flatten()
            .collect();
        let stream = streams.pop();
        if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) || !streams.is_empty() {
            return Err(NoPacket::Broken);
        }
        if received.bytes == 0 {
            return Err(NoPacket::Gone);
        }
        bytes.truncate(received.bytes);
        Ok(Incoming { bytes, stream })
    }

    /// Sends a packet, if the host takes it at once.
    pub fn send(&self, packet: &[u8], stream: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if let Some(stream) = &stream {
            ancillary.push(SendAncillaryMessage::ScmRights(std::slice::from_ref(stream)));
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        loop {
            match sendmsg(&*self.socket, &[IoSlice::new(packet)], &mut ancillary, flags) {
                Err(Errno::INTR) => {}
                outcome => return outcome.map(|_| ()),
            }
        }
    }
}
