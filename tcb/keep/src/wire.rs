// SPDX-License-Identifier: Apache-2.0

//! What a host and a Keep in a process say to each other, as bytes: `docs/host-stream.md`.
//!
//! Both ends use this one module, so that they cannot disagree. Everything here is about getting streams in and out;
//! the streams' contents are somebody else's business, and the host sees only ciphertext in them. A Keep treats what
//! it decodes here as hostile, and so does a host.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// Longest packet on the host stream.
pub const MAX_PACKET: usize = 16 * 1024;
/// Longest launch configuration.
pub const MAX_LAUNCH: usize = 4 * 1024;
/// Most layers in a report.
pub const MAX_LAYERS: usize = 64;

/// The Keep's port to which hosts bring sessions of tenants.
pub const CONTROL_PORT: u32 = 1;
/// The host's port at which a Keep asks for evidence.
pub const PLATFORM_PORT: u32 = 2;
/// The host's port to which a Keep in a virtual machine connects to say that it has an owner. Nothing is said there.
pub const PROVISIONED_PORT: u32 = 3;

/// The host's port at which a Keep asks it to listen. The host does as long as the stream is open.
pub const LISTEN_PORT: u32 = 4;
/// The host's port at which a Keep asks for a connection, which the stream then is.
pub const CONNECT_PORT: u32 = 5;
/// The first of the Keep's ports to which hosts bring connections from outside; each listener has one.
pub const INGRESS_PORT: u32 = 256;

/// Bytes of a request on one of these ports in front of the address.
pub const NETWORK_HEADER: usize = 7;
/// Longest address in such a request.
pub const MAX_ADDRESS: usize = 253;

/// Bytes of a request on the platform port: the report data that evidence is to be about.
pub const EVIDENCE_REQUEST: usize = 64;
/// Longest evidence bundle in an answer on the platform port.
pub const MAX_EVIDENCE: usize = 4 << 20;
/// Bytes of the length in front of an evidence bundle.
pub const EVIDENCE_HEADER: usize = 4;

const LAUNCH: u8 = 0x01;
const SANDBOX: u8 = 0x02;
const OPEN: u8 = 0x03;
const CONNECT: u8 = 0x04;
const PROVISIONED: u8 = 0x05;

/// A packet that is not of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// A packet without a kind.
    #[error("an empty packet")]
    Empty,
    /// A kind that this direction does not have.
    #[error("a packet of kind {kind:#04x} is not known")]
    Kind {
        /// The first byte.
        kind: u8,
    },
    /// A packet of a known kind with a body of another length.
    #[error("a packet `{kind}` has a body of {length} bytes, which it cannot have")]
    Length {
        /// The kind.
        kind: &'static str,
        /// Bytes after the kind.
        length: usize,
    },
    /// A launch configuration that is not UTF-8.
    #[error("a launch configuration is not UTF-8 text")]
    Text,
    /// A sandbox report that is not the JSON it must be.
    #[error("a sandbox report is not as documented")]
    Report,
}

/// What a host sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToKeep<'a> {
    /// The first packet: the configuration that the Keep states in all its evidence.
    Launch(Cow<'a, str>),
    /// A connection to a port of the Keep; its stream comes with the packet.
    Open {
        /// The Keep's port.
        port: u32,
    },
}

/// What a Keep sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToHost {
    /// How the sandbox stands, once, before anything else.
    Sandbox(SandboxReport),
    /// A connection to a port of the host; its stream comes with the packet.
    Connect {
        /// The host's port.
        port: u32,
    },
    /// There is an owner from now on, and a host need not end the Keep for want of one.
    Provisioned,
}

/// Which layers of its sandbox a process Keep could put up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxReport {
    /// Every layer there is, active or not.
    pub layers: Vec<Layer>,
}

/// One layer of the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// A stable name, such as `user-namespace`.
    pub name: Cow<'static, str>,
    /// Whether it holds.
    pub active: bool,
    /// Why it does not, or what it covers; empty when there is nothing to say.
    pub detail: Cow<'static, str>,
}

impl SandboxReport {
    /// The layers that do not hold.
    pub fn missing(&self) -> impl Iterator<Item = &Layer> {
        self.layers.iter().filter(|layer| !layer.active)
    }
}

impl ToKeep<'_> {
    /// The packet's bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Launch(text) => packet(LAUNCH, text.as_bytes()),
            Self::Open { port } => packet(OPEN, &port.to_le_bytes()),
        }
    }

    /// Reads a packet.
    pub fn decode(bytes: &[u8]) -> Result<ToKeep<'_>, PacketError> {
        let (kind, body) = bytes.split_first().ok_or(PacketError::Empty)?;
        match *kind {
            LAUNCH if body.len() > MAX_LAUNCH => {
                Err(PacketError::Length { kind: "launch", length: body.len() })
            }
            LAUNCH => match str::from_utf8(body) {
                Ok(text) => Ok(ToKeep::Launch(Cow::Borrowed(text))),
                Err(_) => Err(PacketError::Text),
            },
            OPEN => Ok(ToKeep::Open { port: port("open", body)? }),
            kind => Err(PacketError::Kind { kind }),
        }
    }
}

impl ToHost {
    /// The packet's bytes. A report that does not fit loses its details, never its layers.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Sandbox(report) => packet(SANDBOX, &report.to_json()),
            Self::Connect { port } => packet(CONNECT, &port.to_le_bytes()),
            Self::Provisioned => packet(PROVISIONED, &[]),
        }
    }

    /// Reads a packet.
    pub fn decode(bytes: &[u8]) -> Result<Self, PacketError> {
        let (kind, body) = bytes.split_first().ok_or(PacketError::Empty)?;
        match *kind {
            SANDBOX if body.len() >= MAX_PACKET => {
                Err(PacketError::Length { kind: "sandbox", length: body.len() })
            }
            SANDBOX => {
                let report: SandboxReport = serde_json::from_slice(body).map_err(|_| PacketError::Report)?;
                if report.layers.len() > MAX_LAYERS {
                    return Err(PacketError::Report);
                }
                Ok(Self::Sandbox(report))
            }
            CONNECT => Ok(Self::Connect { port: port("connect", body)? }),
            PROVISIONED if body.is_empty() => Ok(Self::Provisioned),
            PROVISIONED => Err(PacketError::Length { kind: "provisioned", length: body.len() }),
            kind => Err(PacketError::Kind { kind }),
        }
    }
}

impl SandboxReport {
    fn to_json(&self) -> Vec<u8> {
        let json = |report: &Self| serde_json::to_vec(report).unwrap_or_default();
        let full = json(self);
        if full.len() < MAX_PACKET {
            return full;
        }
        let brief = |layer: &Layer| Layer {
            name: layer.name.clone(),
            active: layer.active,
            detail: Cow::Borrowed(""),
        };
        json(&Self { layers: self.layers.iter().map(brief).collect() })
    }
}

/// The answer to a request for evidence; `None` refuses, and so does a bundle that is too long for any answer.
pub fn encode_evidence(bundle: Option<&[u8]>) -> Vec<u8> {
    let bundle = bundle.filter(|bundle| bundle.len() <= MAX_EVIDENCE).unwrap_or_default();
    let length = u32::try_from(bundle.len()).unwrap_or_default();
    let mut answer = Vec::with_capacity(EVIDENCE_HEADER + bundle.len());
    answer.extend_from_slice(&length.to_le_bytes());
    answer.extend_from_slice(bundle);
    answer
}

/// How many bytes of evidence follow an answer's header; `Ok(None)` is a refusal.
pub fn decode_evidence_header(header: [u8; EVIDENCE_HEADER]) -> Result<Option<usize>, PacketError> {
    let length = usize::try_from(u32::from_le_bytes(header)).unwrap_or(usize::MAX);
    match length {
        0 => Ok(None),
        1..=MAX_EVIDENCE => Ok(Some(length)),
        _ => Err(PacketError::Length { kind: "evidence", length }),
    }
}

/// What a Keep asks for on [`LISTEN_PORT`] and [`CONNECT_PORT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkRequest {
    /// The port of the network.
    pub port: u16,
    /// The Keep's port to which connections are to be brought; 0 on [`CONNECT_PORT`].
    pub ingress: u32,
    /// The address to listen on, or the host to connect to: not empty, at most [`MAX_ADDRESS`] bytes.
    pub address: String,
}

impl NetworkRequest {
    /// The bytes; none where the address is too long.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let length =
            u8::try_from(self.address.len()).ok().filter(|length| usize::from(*length) <= MAX_ADDRESS)?;
        let mut bytes = Vec::with_capacity(NETWORK_HEADER + self.address.len());
        bytes.extend_from_slice(&self.port.to_le_bytes());
        bytes.extend_from_slice(&self.ingress.to_le_bytes());
        bytes.push(length);
        bytes.extend_from_slice(self.address.as_bytes());
        Some(bytes)
    }

    /// Port, ingress and the length of the address that follows; none for a length that no address has.
    pub fn decode_header(header: [u8; NETWORK_HEADER]) -> Option<(u16, u32, usize)> {
        let (port, rest) = header.split_first_chunk()?;
        let (ingress, length) = rest.split_first_chunk()?;
        let length = usize::from(*length.first()?);
        let fits = (1..=MAX_ADDRESS).contains(&length);
        fits.then_some((u16::from_le_bytes(*port), u32::from_le_bytes(*ingress), length))
    }
}

/// What a host answers to a [`NetworkRequest`], in one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkAnswer {
    /// It does.
    #[error("it does")]
    Granted,
    /// The operator does not allow it.
    #[error("its operator does not allow it")]
    Forbidden,
    /// Somebody else listens there.
    #[error("the port is in use")]
    InUse,
    /// There is no such address.
    #[error("it knows no such address")]
    NoAddress,
    /// Nobody listens there.
    #[error("the connection was refused")]
    Refused,
    /// Nobody answered in time.
    #[error("there was no answer in time")]
    TimedOut,
    /// The Keep has as many as it may have.
    #[error("this Keep has as many sockets as it may have")]
    TooMany,
    /// Anything else.
    #[error("it failed")]
    Failed,
}

impl NetworkAnswer {
    const ALL: [Self; 8] = [
        Self::Granted,
        Self::Forbidden,
        Self::InUse,
        Self::NoAddress,
        Self::Refused,
        Self::TimedOut,
        Self::TooMany,
        Self::Failed,
    ];

    /// The byte.
    pub fn encode(self) -> u8 {
        let place = Self::ALL.iter().position(|answer| *answer == self);
        place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
    }

    /// What a byte says, if it is one of these.
    pub fn decode(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(1 + body.len());
    packet.push(kind);
    packet.extend_from_slice(body);
    packet
}

fn port(kind: &'static str, body: &[u8]) -> Result<u32, PacketError> {
    let bytes = body.try_into().map_err(|_| PacketError::Length { kind, length: body.len() })?;
    Ok(u32::from_le_bytes(bytes))
}
