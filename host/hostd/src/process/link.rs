// SPDX-License-Identifier: Apache-2.0

//! The host stream: packets between the host and one Keep, some with a descriptor.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use enarx_keep::wire::{MAX_PACKET, PacketError, SandboxReport, ToHost, ToKeep};
use rustix::net::sockopt::{socket_domain, socket_type};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use tokio::io::Interest;
use tokio::net::UnixDatagram;

use crate::recorder::Direction;
use crate::stream::Tap;

/// A packet from the Keep.
#[derive(Debug)]
pub(crate) enum FromKeep {
    /// Its sandbox stands.
    Sandbox(SandboxReport),
    /// It wants `stream` connected to the host's port `port`.
    Connect { port: u32, stream: UnixStream },
    /// It has an owner and a program from now on.
    Provisioned,
}

/// Why a packet could not be had.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LinkError {
    /// The Keep closed its end.
    #[error("the host stream is closed")]
    Closed,
    /// Its bytes are no packet.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// It is longer than any packet, or carries more descriptors.
    #[error("a packet is too long or has too many descriptors")]
    Size,
    /// It carries a descriptor that it must not have, or lacks the one that it must have.
    #[error("a packet lacks its descriptor or has one that it must not have")]
    Descriptor,
    /// Its descriptor is of another kind.
    #[error("a descriptor is no unix stream socket")]
    NoStream,
}

/// The host's end.
pub(crate) struct Link {
    /// A socket of packets, which the runtime waits for like for one of datagrams.
    socket: UnixDatagram,
    tap: Tap,
}

impl Link {
    /// Both ends; the second is the Keep's.
    pub(crate) fn pair(tap: Tap) -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let ours = std::os::unix::net::UnixDatagram::from(ours);
        ours.set_nonblocking(true)?;
        Ok((Self { socket: UnixDatagram::from_std(ours)?, tap }, theirs))
    }

    /// Sends the launch configuration, the first packet.
    pub(crate) async fn launch(&self, configuration: &str) -> io::Result<()> {
        self.send(&ToKeep::Launch(configuration.into()), None).await
    }

    /// Hands the Keep a stream to its port `port`.
    pub(crate) async fn open(&self, port: u32, stream: BorrowedFd<'_>) -> io::Result<()> {
        self.send(&ToKeep::Open { port }, Some(stream)).await
    }

    /// The next packet of the Keep.
    pub(crate) async fn receive(&self) -> Result<FromKeep, LinkError> {
        let received = self.socket.async_io(Interest::READABLE, || Ok(receive(self.socket.as_fd())?)).await;
        match received {
            Ok(packet) => {
                self.tap.note(Direction::FromKeep, &packet.bytes);
                packet.read()
            }
            Err(_) => Err(LinkError::Closed),
        }
    }

    async fn send(&self, packet: &ToKeep<'_>, stream: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let bytes = packet.encode();
        let send = || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let streams: Vec<_> = stream.into_iter().collect();
            if !streams.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&streams)) {
                return Err(io::Error::other("no room for a descriptor"));
            }
            sendmsg(&self.socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
            Ok(())
        };
        self.socket.async_io(Interest::WRITABLE, send).await?;
        self.tap.note(Direction::ToKeep, &bytes);
        Ok(())
    }
}

/// A packet as it came.
struct Packet {
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
    truncated: bool,
}

fn receive(socket: BorrowedFd<'_>) -> rustix::io::Result<Packet> {
    let mut bytes = vec![0; MAX_PACKET];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    bytes.truncate(received.bytes);
    let descriptors = control
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        })
        .flatten()
        .collect();
    let truncated = received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
    Ok(Packet { bytes, descriptors, truncated })
}

impl Packet {
    fn read(self) -> Result<FromKeep, LinkError> {
        let mut descriptors = self.descriptors.into_iter();
        let descriptor = descriptors.next();
        if self.truncated || descriptors.next().is_some() {
            return Err(LinkError::Size);
        }
        // No packet is empty; this is how the end is read.
        if self.bytes.is_empty() {
            return Err(LinkError::Closed);
        }
        match (ToHost::decode(&self.bytes)?, descriptor) {
            (ToHost::Sandbox(report), None) => Ok(FromKeep::Sandbox(report)),
            (ToHost::Provisioned, None) => Ok(FromKeep::Provisioned),
            (ToHost::Connect { port }, Some(descriptor)) => {
                Ok(FromKeep::Connect { port, stream: stream(descriptor)? })
            }
            _ => Err(LinkError::Descriptor),
        }
    }
}

/// A Keep may pass any descriptor it has; only a stream socket is one that the host can wait for.
fn stream(descriptor: OwnedFd) -> Result<UnixStream, LinkError> {
    let is_stream = matches!(socket_domain(&descriptor), Ok(AddressFamily::UNIX))
        && matches!(socket_type(&descriptor), Ok(SocketType::STREAM));
    let stream = UnixStream::from(descriptor);
    if !is_stream || stream.set_nonblocking(true).is_err() {
        return Err(LinkError::NoStream);
    }
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::Arc;

    use super::*;
    use crate::api::KeepId;
    use crate::recorder::Channel;

    /// Sends one packet as a Keep would.
    fn say(keep: &OwnedFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(descriptors.is_empty() || control.push(SendAncillaryMessage::ScmRights(descriptors)));
        sendmsg(keep, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).unwrap();
    }

    fn pair() -> (Link, OwnedFd) {
        let keep = KeepId::from_bytes([0; 16]);
        Link::pair(Tap::new(keep, Channel::HostStream, Arc::default(), None)).unwrap()
    }

    async fn error(bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> LinkError {
        let (link, keep) = pair();
        say(&keep, bytes, descriptors);
        link.receive().await.unwrap_err()
    }

    #[tokio::test]
    async fn packets_arrive_as_they_were_sent() {
        let (link, keep) = pair();
        say(&keep, b"\x02{\"layers\":[]}", &[]);
        assert!(matches!(link.receive().await, Ok(FromKeep::Sandbox(report)) if report.layers.is_empty()));
        let (stream, _other) = UnixStream::pair().unwrap();
        say(&keep, &[4, 2, 0, 0, 0], &[stream.as_fd()]);
        assert!(matches!(link.receive().await, Ok(FromKeep::Connect { port: 2, .. })));
        say(&keep, &[5], &[]);
        assert!(matches!(link.receive().await, Ok(FromKeep::Provisioned)));
        drop(keep);
        assert_eq!(link.receive().await.unwrap_err(), LinkError::Closed);
    }

    #[tokio::test]
    async fn packets_outside_the_protocol_are_refused() {
        let (stream, _other) = UnixStream::pair().unwrap();
        let file = File::open("/dev/null").unwrap();
        let (stream, file) = (stream.as_fd(), file.as_fd());
        assert_eq!(error(&[9], &[]).await, LinkError::Packet(PacketError::Kind { kind: 9 }));
        assert_eq!(error(b"\x02{}", &[]).await, LinkError::Packet(PacketError::Report));
        assert_eq!(error(&[4, 2, 0, 0, 0], &[]).await, LinkError::Descriptor);
        assert_eq!(error(&[5], &[stream]).await, LinkError::Descriptor);
        assert_eq!(error(&[4, 2, 0, 0, 0], &[file]).await, LinkError::NoStream);
        assert_eq!(error(&[4, 2, 0, 0, 0], &[stream; 4]).await, LinkError::Size);
        assert_eq!(error(&vec![2; MAX_PACKET + 1], &[]).await, LinkError::Size);
    }
}
