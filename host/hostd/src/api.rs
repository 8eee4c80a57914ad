// SPDX-License-Identifier: Apache-2.0

//! The words of the HTTP API: paths, requests and replies, for the daemon and for whoever calls it.
//!
//! | Request | Reply |
//! |---|---|
//! | `POST /v1/keeps`, body empty or `{}` | 201 [`KeepInfo`] |
//! | `GET /v1/keeps/{id}` | 200 [`KeepInfo`] |
//! | `GET /v1/keeps/{id}/control`, `Connection: Upgrade`, `Upgrade: enarx-control` | 101, then raw bytes to and from the Keep |
//! | `GET /v1/platform` | 200 [`PlatformInfo`] |
//! | `GET /healthz` | 200 `ok` |
//! | `GET /metrics` | 200 Prometheus text |
//!
//! Every other outcome carries an [`ErrorReply`]. All of this is what the *host says*: a caller that relies on a Keep
//! believes only the Keep's evidence, and shows these texts to nobody without removing control characters.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where Keeps are created and found.
pub const KEEPS_PATH: &str = "/v1/keeps";
/// What the host says about its platform.
pub const PLATFORM_PATH: &str = "/v1/platform";
/// Whether the daemon answers.
pub const HEALTH_PATH: &str = "/healthz";
/// Counters as Prometheus text.
pub const METRICS_PATH: &str = "/metrics";
/// The protocol named in the `Upgrade` header of a control stream.
pub const CONTROL_PROTOCOL: &str = "enarx-control";
/// The version of this API.
pub const API_VERSION: u32 = 1;
/// Longest request body that is read.
pub const MAX_REQUEST_BODY: usize = 4 * 1024;
/// Longest reply body that a caller should read.
pub const MAX_REPLY_BODY: usize = 64 * 1024;

/// The path of one Keep.
pub fn keep_path(id: KeepId) -> String {
    format!("{KEEPS_PATH}/{id}")
}

/// The path of one Keep's control stream.
pub fn control_path(id: KeepId) -> String {
    format!("{KEEPS_PATH}/{id}/control")
}

/// The name of a Keep on its host: 128 random bits, which are also the permission to reach it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeepId([u8; 16]);

impl KeepId {
    /// A Keep name from bytes that nobody can guess.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The first digits, enough to follow a Keep in a log without giving away the permission to reach it.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(8);
        text
    }
}

impl fmt::Display for KeepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeepId({self})")
    }
}

/// A text that is no name of a Keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a Keep is named by 32 lower-case hexadecimal digits")]
pub struct KeepIdError;

impl FromStr for KeepId {
    type Err = KeepIdError;

    fn from_str(text: &str) -> Result<Self, KeepIdError> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(KeepIdError);
        }
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| KeepIdError)?;
        Ok(Self(bytes))
    }
}

impl Serialize for KeepId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeepId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A request for a new Keep. It says nothing yet; fields that the host does not know are refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateKeep {}

/// A Keep as its host describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepInfo {
    /// Its name.
    pub id: KeepId,
    /// Whether it runs.
    pub state: KeepState,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<KeepExit>,
    /// What it is made of: `process`, `vm`, `qemu` or `snp`; empty from a host that does not say.
    #[serde(default)]
    pub backend: String,
    /// The kind of TEE, such as `sev-snp`.
    pub tee: String,
    /// The platform, such as `amd/milan`.
    pub platform: String,
    /// Whether the TEE is simulated, which protects nothing from the host.
    pub simulated: bool,
    /// What holds the workload in on this host, layer by layer.
    pub sandbox: Vec<SandboxLayer>,
}

/// Whether a Keep runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeepState {
    /// It runs.
    Running,
    /// It ended; the host remembers it for a short time.
    Ended,
}

/// How the process of a Keep ended. The workload's exit status is not here: only its owner learns it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepExit {
    /// Its exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
}

impl fmt::Display for KeepExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exit code {code}"),
            (None, Some(signal)) => write!(f, "signal {signal}"),
            (None, None) => f.write_str("unknown status"),
        }
    }
}

/// One layer of a Keep's sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxLayer {
    /// Its name, such as `seccomp`.
    pub name: String,
    /// Whether it stands.
    pub active: bool,
    /// Why not, or what it holds.
    #[serde(default)]
    pub detail: String,
}

/// What a host offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformInfo {
    /// Version of this API.
    pub api: u32,
    /// Version of the daemon.
    pub version: String,
    /// What its Keeps are made of: `process`, `vm`, `qemu` or `snp`; empty from a host that does not say.
    #[serde(default)]
    pub backend: String,
    /// The kind of TEE.
    pub tee: String,
    /// The platform.
    pub platform: String,
    /// Whether the TEE is simulated.
    pub simulated: bool,
    /// What a TEE of this kind would not give even on real hardware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caveat: Option<String>,
    /// SHA-256 of the simulated root's public key, in hexadecimal: what a policy must name to accept this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulated_root_spki_sha256: Option<String>,
    /// The measurement of the Keeps it starts, in hexadecimal.
    pub measurement: String,
}

/// The body of every reply that is no success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReply {
    /// What went wrong.
    pub error: ErrorInfo,
}

/// What went wrong, for a program and for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorInfo {
    /// A stable code, such as `too-many-keeps`.
    pub code: String,
    /// One line.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keep_name_is_read_as_it_is_written() {
        let id = KeepId::from_bytes([0xa5; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.short(), "a5a5a5a5");
        for wrong in
            ["", "a5", "A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5", "zza5a5a5a5a5a5a5a5a5a5a5a5a5a5a5", "../../etc"]
        {
            assert_eq!(wrong.parse::<KeepId>(), Err(KeepIdError));
        }
    }

    #[test]
    fn a_request_with_unknown_fields_is_refused() {
        assert!(serde_json::from_str::<CreateKeep>("{}").is_ok());
        assert!(serde_json::from_str::<CreateKeep>("{\"memory\":1}").is_err());
    }
}
