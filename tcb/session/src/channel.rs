// SPDX-License-Identifier: Apache-2.0

//! Frames over TLS: the layer under both ends, which knows nothing of evidence, owners or workloads.
//!
//! A channel alone says only that the peer holds *some* key. [`crate::tenant`] and [`crate::keep`] say the rest.

use alloc::vec::Vec;

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use crate::tls::{Connected, Link, TlsError};
use crate::wire::{OFFER_LIMIT, WireError};
use crate::{KeepId, SessionError, keep};

/// Plain bytes that may wait at a Keep before the caller must take frames.
const KEEP_HOLDS: usize = 1024 * 1024;

/// The same at a tenant, who waits for offers.
const TENANT_HOLDS: usize = 2 * OFFER_LIMIT;

const LENGTH_LEN: usize = 4;

/// One end of one connection.
pub struct Channel {
    link: Link,
    holds: usize,
}

/// What [`Channel::receive`] found.
#[derive(Debug)]
pub enum Received {
    /// A whole frame.
    Frame(Zeroizing<Vec<u8>>),
    /// Nothing yet.
    Nothing,
    /// The peer said that nothing more comes.
    Closed,
}

impl Channel {
    /// The tenant's end: to `expected`, or to whoever answers.
    pub fn connect(expected: Option<KeepId>) -> Result<Self, SessionError> {
        Ok(Self { link: Link::client(expected)?, holds: TENANT_HOLDS })
    }

    /// The Keep's end.
    pub fn accept(identity: &keep::Identity) -> Result<Self, SessionError> {
        Self::accept_with(identity.signing_key())
    }

    pub(crate) fn accept_with(identity: &SigningKey) -> Result<Self, SessionError> {
        Ok(Self { link: Link::server(identity)?, holds: KEEP_HOLDS })
    }

    /// Takes bytes from the transport. What is wrong with them is said by [`Self::receive`], after the frames that came
    /// before, so that it does not matter how a stream is cut into pieces.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        if self.link.plain().len() > self.holds {
            return Err(SessionError::Overrun { limit: self.holds });
        }
        self.link.push(bytes);
        Ok(())
    }

    /// The transport brings no more bytes.
    pub fn end(&mut self) {
        self.link.end();
    }

    /// Takes the bytes for the transport.
    pub fn pull(&mut self) -> Option<Vec<u8>> {
        self.link.pull()
    }

    /// Bytes for the transport that nobody took yet.
    pub fn backlog(&self) -> usize {
        self.link.backlog()
    }

    /// What the handshake gave, once it is complete.
    pub fn connected(&self) -> Option<&Connected> {
        self.link.connected()
    }

    /// Sends one frame.
    pub fn send(&mut self, frame: &[u8]) -> Result<(), SessionError> {
        let length = u32::try_from(frame.len())
            .map_err(|_| TlsError::Internal { detail: "a frame of 4 GiB".into() })?;
        let mut whole = Zeroizing::new(Vec::with_capacity(LENGTH_LEN + frame.len()));
        whole.extend_from_slice(&length.to_be_bytes());
        whole.extend_from_slice(frame);
        Ok(self.link.write(&whole)?)
    }

    /// The next frame, which may be `limit` bytes long.
    pub fn receive(&mut self, limit: usize) -> Result<Received, SessionError> {
        let plain = self.link.plain();
        if let Some((length, rest)) = plain.split_first_chunk::<LENGTH_LEN>() {
            let length = u32::from_be_bytes(*length);
            let wanted = usize::try_from(length).ok().filter(|wanted| *wanted <= limit);
            let wanted = wanted.ok_or(WireError::FrameTooLong { length: length.into(), limit })?;
            if let Some(frame) = rest.get(..wanted) {
                let frame = Zeroizing::new(frame.to_vec());
                self.link.consume(LENGTH_LEN + wanted);
                return Ok(Received::Frame(frame));
            }
        }
        if let Some(error) = self.link.failed() {
            return Err(error.clone().into());
        }
        match (self.link.peer_closed(), self.link.plain().is_empty()) {
            (false, _) => Ok(Received::Nothing),
            (true, true) => Ok(Received::Closed),
            (true, false) => Err(WireError::Incomplete.into()),
        }
    }

    /// Says to the peer that nothing more comes.
    pub fn close(&mut self) {
        self.link.close();
    }
}
