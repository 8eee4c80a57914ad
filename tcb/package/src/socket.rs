// SPDX-License-Identifier: Apache-2.0

//! The sockets that a workload finds open, and how their traffic looks outside of the Keep.

use alloc::string::String;
use alloc::vec::Vec;

use crate::path::GuestPath;
use crate::stdio::Stdio;

/// Longest address or host name: RFC 1035, section 2.3.4, as text.
pub const MAX_ADDRESS_BYTES: usize = 253;
/// Most names in a listener's certificate.
pub const MAX_NAMES: usize = 32;

/// What a descriptor is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Null device or standard stream.
    Stdio(Stdio),
    /// Socket that listens.
    Listen(Listen),
    /// Socket that is connected when the program starts.
    Connect(Connect),
}

/// A socket that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Address to listen on.
    pub addr: String,
    /// Port to listen on.
    pub port: u16,
    /// Protocol outside of the Keep.
    pub protocol: Protocol,
    /// Names and addresses in the certificate; none stands for `localhost`.
    pub names: Vec<String>,
    /// Whether clients must show a certificate of [`Self::anchors`].
    pub client_auth: ClientAuth,
    /// A file of the workload with certificates (PEM) of those who certify clients.
    pub anchors: Option<GuestPath>,
}

/// A socket that is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Host to connect to.
    pub host: String,
    /// Port to connect to.
    pub port: u16,
    /// Protocol outside of the Keep.
    pub protocol: Protocol,
    /// The name that the peer's certificate must have; none stands for [`Self::host`].
    pub server_name: Option<String>,
    /// A file of the workload with certificates (PEM) of those who certify the peer.
    pub anchors: Option<GuestPath>,
}

/// How a socket's traffic looks outside of the Keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// TLS, which ends in the Keep.
    Tls,
    /// Plain TCP, which Enarx 0.7 had and this version does not.
    Tcp,
}

/// What a listener asks of its clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// Anybody may connect.
    #[default]
    None,
    /// A certificate.
    Required,
}

impl FileKind {
    /// The socket's protocol and trust anchors; `None` for what is no socket.
    pub fn socket(&self) -> Option<(Protocol, Option<&GuestPath>)> {
        match self {
            Self::Stdio(_) => None,
            Self::Listen(listen) => Some((listen.protocol, listen.anchors.as_ref())),
            Self::Connect(connect) => Some((connect.protocol, connect.anchors.as_ref())),
        }
    }

    /// The number of the kind in bundles and digests.
    pub(crate) fn to_number(&self) -> u8 {
        match self {
            Self::Stdio(stdio) => stdio.to_number(),
            Self::Listen(_) => LISTEN,
            Self::Connect(_) => CONNECT,
        }
    }
}

impl Listen {
    /// The names and addresses that the certificate is for.
    pub fn certified(&self) -> impl Iterator<Item = &str> {
        let default = self.names.is_empty().then_some("localhost");
        self.names.iter().map(String::as_str).chain(default)
    }
}

impl Connect {
    /// The name that the peer's certificate must have.
    pub fn expected_name(&self) -> &str {
        self.server_name.as_deref().unwrap_or(&self.host)
    }
}

impl Protocol {
    pub(crate) fn to_number(self) -> u8 {
        match self {
            Self::Tls => 0,
            Self::Tcp => 1,
        }
    }
}

pub(crate) const LISTEN: u8 = 4;
pub(crate) const CONNECT: u8 = 5;

/// Why a text cannot be an address or the name of a host; `None` when it can.
pub(crate) fn address_problem(address: &str) -> Option<&'static str> {
    let wrong =
        address.is_empty() || address.len() > MAX_ADDRESS_BYTES || address.chars().any(char::is_control);
    wrong.then_some("an address is not empty, has at most 253 bytes and no control character")
}

/// Why a text cannot be a name in a certificate: an IP address, or letters, digits, `-` and dots in between.
pub(crate) fn certified_problem(name: &str) -> Option<&'static str> {
    if name.parse::<core::net::IpAddr>().is_ok() {
        return None;
    }
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let good = name.len() <= MAX_ADDRESS_BYTES && name.split('.').all(label);
    (!good).then_some("a name in a certificate is an IP address, or a DNS name without wildcards")
}
