// SPDX-License-Identifier: Apache-2.0

//! A service as Intel's and a cache as data centres run it, for collateral of the right form that nobody signed.

use enarx_collateral::{PcsVersion, Source, Url};

use super::der::revocation_list;
use super::{Reply, Request, Server};

/// 2040-01-01 and 2040-01-31, when simulated authorities of today are still valid, as lists and as documents write them.
const LIST_DATES: (&str, &str) = ("400101000000Z", "400131000000Z");
const DATES: &str = r#""issueDate":"2040-01-01T00:00:00Z","nextUpdate":"2040-01-31T00:00:00Z""#;
/// The same in seconds since 1970.
pub(crate) const VALID: (u64, u64) = (2_208_988_800, 2_211_580_800);

pub(crate) const FMSPC: &str = "b0c06f000000";

/// A TCB info; Intel writes the FMSPC in upper case.
pub(crate) fn tcb_info(tee: &str, fmspc: &str) -> String {
    let zeros = "0".repeat(96);
    let components = format!("[{}]", [r#"{"svn":1}"#; 16].join(","));
    let module = format!(
        r#""tdxModule":{{"mrsigner":"{zeros}","attributes":"0000000000000000","attributesMask":"FFFFFFFFFFFFFFFF"}},"#
    );
    let (module, tdx) = match tee {
        "tdx" => (module, format!(r#","tdxtcbcomponents":{components}"#)),
        _ => (String::new(), String::new()),
    };
    let (id, fmspc) = (tee.to_uppercase(), fmspc.to_uppercase());
    let level = format!(
        r#"{{"tcb":{{"sgxtcbcomponents":{components},"pcesvn":11{tdx}}},"tcbDate":"2025-08-13T00:00:00Z","tcbStatus":"UpToDate"}}"#
    );
    let signature = "1".repeat(128);
    format!(
        r#"{{"tcbInfo":{{"id":"{id}","version":3,{DATES},"fmspc":"{fmspc}","pceId":"0000","tcbType":0,"tcbEvaluationDataNumber":20,{module}"tcbLevels":[{level}]}},"signature":"{signature}"}}"#
    )
}

/// The identity of a quoting enclave: `QE` or `TD_QE`.
pub(crate) fn identity(id: &str) -> String {
    let (attributes, signer) = ("11000000000000000000000000000000", "dc".repeat(32));
    let level = r#"{"tcb":{"isvsvn":4},"tcbDate":"2025-05-14T00:00:00Z","tcbStatus":"UpToDate"}"#;
    let signature = "2".repeat(128);
    format!(
        r#"{{"enclaveIdentity":{{"id":"{id}","version":2,{DATES},"tcbEvaluationDataNumber":19,"miscselect":"00000000","miscselectMask":"FFFFFFFF","attributes":"{attributes}","attributesMask":"FBFFFFFFFFFFFFFF0000000000000000","mrsigner":"{signer}","isvprodid":2,"tcbLevels":[{level}]}},"signature":"{signature}"}}"#
    )
}

pub(crate) fn list(issuer: &str) -> Vec<u8> {
    revocation_list(issuer, LIST_DATES.0, LIST_DATES.1)
}

/// A text as Intel's service puts it into headers: everything but letters, digits, `-`, `_`, `.`, `~` encoded.
pub(crate) fn percent_encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// How a service says things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Intel's own, version 4.
    Pcs,
    /// A cache's, version 3: lists in hexadecimal digits.
    Pccs3,
    /// A cache's, version 4.
    Pccs4,
}

impl Dialect {
    pub(crate) fn source(self, server: &Server) -> Source {
        let base = server.url();
        match self {
            Self::Pcs => {
                let root_crl = Url::parse(&format!("{base}IntelSGXRootCA.der")).unwrap();
                Source::Pcs { base, version: PcsVersion::V4, root_crl, early: false }
            }
            Self::Pccs3 => Source::Pccs { base, version: PcsVersion::V3 },
            Self::Pccs4 => Source::Pccs { base, version: PcsVersion::V4 },
        }
    }

    /// Answers as such a service does; the issuers are the same for everything.
    pub(crate) fn answer(self, request: &Request, issuers: &str) -> Reply {
        let version = if self == Self::Pccs3 { "v3" } else { "v4" };
        let digits =
            |list: Vec<u8>| Reply::ok(hex::encode(list)).with("Content-Type", "application/pkix-crl");
        let der = |list: Vec<u8>| Reply::ok(list).with("Content-Type", "application/pkix-crl");
        let target = request.target.as_str();
        if self == Self::Pcs && target == "/IntelSGXRootCA.der" {
            return der(list("Intel SGX Root CA"));
        }
        let Some((tee, path)) = target.strip_prefix('/').and_then(|target| {
            let (tee, rest) = target.split_once("/certification/")?;
            Some((tee, rest.strip_prefix(version)?.strip_prefix('/')?))
        }) else {
            return Reply::status(404);
        };
        if self == Self::Pccs3 && tee == "tdx" {
            return Reply::status(404);
        }
        let issuers = percent_encode(issuers);
        let tcb_header =
            if self == Self::Pccs3 { "SGX-TCB-Info-Issuer-Chain" } else { "TCB-Info-Issuer-Chain" };
        match path {
            "tcb?fmspc=b0c06f000000" => Reply::ok(tcb_info(tee, FMSPC)).with(tcb_header, issuers),
            "qe/identity" => {
                let id = if tee == "tdx" { "TD_QE" } else { "QE" };
                Reply::ok(identity(id)).with("SGX-Enclave-Identity-Issuer-Chain", issuers)
            }
            "pckcrl?ca=platform&encoding=der" | "pckcrl?ca=processor&encoding=der" if tee == "sgx" => {
                let platform = path.contains("platform");
                let list =
                    list(if platform { "Intel SGX PCK Platform CA" } else { "Intel SGX PCK Processor CA" });
                let reply = if self == Self::Pccs3 { digits(list) } else { der(list) };
                reply.with("SGX-PCK-CRL-Issuer-Chain", issuers)
            }
            "rootcacrl" if self != Self::Pcs && tee == "sgx" => digits(list("Intel SGX Root CA")),
            _ => Reply::status(404),
        }
    }
}
