// SPDX-License-Identifier: Apache-2.0

//! Who gives out what, and how it is asked for.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use enarx_evidence::snp::TcbVersion;

use crate::error::ConfigError;
use crate::http::Url;
use crate::what::{IntelTee, What};

const KDS: &str = "https://kdsintf.amd.com";
const PCS: &str = "https://api.trustedservices.intel.com";
const PCS_ROOT_CRL: &str = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";

/// AMD asks not to be asked about the same chip more often than that.
const SAME_CHIP: Duration = Duration::from_secs(10);

/// Somebody who gives out what vendors say about their hardware.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// AMD's Key Distribution Service (57230, chapter 4), or a server with the same paths.
    Kds {
        /// What comes before `/vcek/v1`.
        base: Url,
    },
    /// Intel's Provisioning Certification Service, or a server with the same paths.
    Pcs {
        /// What comes before `/sgx/certification`.
        base: Url,
        /// The version of its interface.
        version: PcsVersion,
        /// Where the revocation list of Intel's root is.
        root_crl: Url,
        /// Whether to ask for what is valid early after new vulnerabilities: `update=early`.
        early: bool,
    },
    /// A Provisioning Certificate Caching Service, as data centres run it before Intel's.
    Pccs {
        /// What comes before `/sgx/certification`.
        base: Url,
        /// The version of its interface.
        version: PcsVersion,
    },
    /// Any server that gives out files, such as a bucket.
    Template(Template),
}

/// A version of the interface of Intel's service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PcsVersion {
    /// 3: SGX only.
    V3,
    /// 4: SGX and TDX.
    V4,
}

/// An address with `{…}` in it. What is put there:
///
/// - `{what}`: the canonical name ([`What`]);
/// - `{path}`: path and query as the vendor's own service has them, without the first `/`;
/// - `{generation}`, `{hwid}`, `{tcb}`: of a chip's key; `{generation}` of AMD's authorities and lists too;
/// - `{tee}`, `{fmspc}`: of a TCB info; `{tee}` of an identity too.
///
/// What a template has no value for is not asked of it. The answer is the document, or a bundle with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
}

/// How one thing is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) url: Url,
    /// The header with the certificates of the issuers.
    pub(crate) issuers: Option<&'static str>,
    /// Whether an answer without them is of no use.
    pub(crate) issuers_needed: bool,
    /// Requests with the same text are spaced.
    pub(crate) pace: String,
    /// By so much.
    pub(crate) spacing: Duration,
    /// Whether the answer may be a bundle.
    pub(crate) bundle: bool,
}

impl Source {
    /// AMD's own service.
    pub fn kds() -> Self {
        Self::Kds { base: fixed(KDS) }
    }

    /// Intel's own service, version 4.
    pub fn pcs() -> Self {
        Self::Pcs { base: fixed(PCS), version: PcsVersion::V4, root_crl: fixed(PCS_ROOT_CRL), early: false }
    }

    /// How to ask for something; `None` if this source does not have it.
    pub(crate) fn ask(&self, what: &What) -> Option<Ask> {
        match self {
            Self::Kds { base } => {
                let path = kds_path(what)?;
                let pace = match what {
                    What::ChipKey { hwid, .. } => format!("{} {}", base, hex::encode(hwid)),
                    _ => base.join(&path).to_string(),
                };
                Some(Ask { pace, spacing: SAME_CHIP, ..plain(base.join(&path)) })
            }
            Self::Pcs { base, version, root_crl, early } => {
                if *what == What::IntelRootRevocationList {
                    return Some(plain(root_crl.clone()));
                }
                let path = pcs_path(what, *version, *early)?;
                Some(Ask {
                    issuers: issuers_header(what, *version),
                    issuers_needed: true,
                    ..plain(base.join(&path))
                })
            }
            Self::Pccs { base, version } => {
                let root = || format!("sgx/certification/{}/rootcacrl", version.name());
                let root = (*what == What::IntelRootRevocationList).then(root);
                let path = root.or_else(|| pcs_path(what, *version, false))?;
                let issuers = issuers_header(what, *version);
                Some(Ask { issuers, issuers_needed: issuers.is_some(), ..plain(base.join(&path)) })
            }
            Self::Template(template) => {
                let url = template.fill(what)?;
                Some(Ask { issuers: issuers_header(what, PcsVersion::V4), bundle: true, ..plain(url) })
            }
        }
    }
}

impl fmt::Display for Source {
    /// The kind and the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kds { base } => write!(f, "kds {base}"),
            Self::Pcs { base, version, .. } => write!(f, "pcs {base} {}", version.name()),
            Self::Pccs { base, version } => write!(f, "pccs {base} {}", version.name()),
            Self::Template(template) => write!(f, "template {}", template.text),
        }
    }
}

impl PcsVersion {
    /// The name in paths.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V3 => "v3",
            Self::V4 => "v4",
        }
    }
}

impl Template {
    /// Reads a template; one without any `{…}` would give the same for everything.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let template = Self { text: text.to_owned() };
        let parts = template.parts().ok_or_else(|| ConfigError::new(text, "has a `{` without its `}`"))?;
        let mut placeholders = 0_usize;
        let mut filled = String::new();
        for part in parts {
            match part {
                Piece::Text(text) => filled.push_str(text),
                Piece::Value(name) => {
                    if !VALUES.contains(&name) {
                        let known = VALUES.join("}`, `{");
                        return Err(ConfigError::new(text, format!("has other values than `{{{known}}}`")));
                    }
                    placeholders = placeholders.saturating_add(1);
                    filled.push('x');
                }
            }
        }
        if placeholders == 0 {
            return Err(ConfigError::new(text, "has no `{what}` or another value in it"));
        }
        Url::parse(&filled)?;
        Ok(template)
    }

    fn fill(&self, what: &What) -> Option<Url> {
        let mut filled = String::new();
        for part in self.parts()? {
            match part {
                Piece::Text(text) => filled.push_str(text),
                Piece::Value(name) => filled.push_str(&value(name, what)?),
            }
        }
        Url::parse(&filled).ok()
    }

    fn parts(&self) -> Option<Vec<Piece<'_>>> {
        let mut parts = Vec::new();
        let mut rest = self.text.as_str();
        while let Some((text, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}')?;
            parts.extend([Piece::Text(text), Piece::Value(name)]);
            rest = after;
        }
        parts.push(Piece::Text(rest));
        Some(parts)
    }
}

impl FromStr for Template {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        Self::parse(text)
    }
}

enum Piece<'a> {
    Text(&'a str),
    Value(&'a str),
}

const VALUES: &[&str] = &["what", "path", "generation", "hwid", "tcb", "tee", "fmspc"];

fn value(name: &str, what: &What) -> Option<String> {
    Some(match (name, what) {
        ("what", _) => what.to_string(),
        ("path", _) => kds_path(what).or_else(|| pcs_path(what, PcsVersion::V4, false))?,
        (
            "generation",
            What::ChipKey { generation, .. }
            | What::AmdAuthorities { generation, .. }
            | What::AmdRevocationList { generation, .. },
        ) => generation.to_string(),
        ("hwid", What::ChipKey { hwid, .. }) => hex::encode(hwid),
        ("tcb", What::ChipKey { tcb, .. }) => tcb.to_string(),
        ("tee", What::TcbInfo { tee, .. } | What::QeIdentity { tee }) => tee.name().to_owned(),
        ("fmspc", What::TcbInfo { fmspc, .. }) => hex::encode(fmspc),
        _ => return None,
    })
}

/// Path and query at AMD's service (57230, section 4.1).
fn kds_path(what: &What) -> Option<String> {
    Some(match what {
        What::ChipKey { generation, hwid, tcb } => {
            let TcbVersion { fmc, bootloader, tee, snp, microcode } = tcb;
            let fmc = fmc.map_or_else(String::new, |fmc| format!("fmcSPL={fmc:02}&"));
            let product = generation.product_name();
            let levels =
                format!("blSPL={bootloader:02}&teeSPL={tee:02}&snpSPL={snp:02}&ucodeSPL={microcode:02}");
            format!("vcek/v1/{product}/{}?{fmc}{levels}", hex::encode(hwid))
        }
        What::AmdAuthorities { generation, key } => {
            format!("{}/v1/{}/cert_chain", key.name(), generation.product_name())
        }
        What::AmdRevocationList { generation, key } => {
            format!("{}/v1/{}/crl", key.name(), generation.product_name())
        }
        _ => return None,
    })
}

/// Path and query at Intel's service (PCS, "Get TCB Info", "Get Quoting Enclave Identity", "Get Revocation List").
fn pcs_path(what: &What, version: PcsVersion, early: bool) -> Option<String> {
    let served = |tee: IntelTee| tee == IntelTee::Sgx || version == PcsVersion::V4;
    let number = version.name();
    Some(match what {
        What::TcbInfo { tee, fmspc } if served(*tee) => {
            let update = if early { "&update=early" } else { "" };
            format!("{}/certification/{number}/tcb?fmspc={}{update}", tee.name(), hex::encode(fmspc))
        }
        What::QeIdentity { tee } if served(*tee) => {
            let update = if early { "?update=early" } else { "" };
            format!("{}/certification/{number}/qe/identity{update}", tee.name())
        }
        What::PckRevocationList { authority } => {
            format!("sgx/certification/{number}/pckcrl?ca={}&encoding=der", authority.name())
        }
        _ => return None,
    })
}

/// The header with the certificates of those who signed an answer.
fn issuers_header(what: &What, version: PcsVersion) -> Option<&'static str> {
    match (what, version) {
        (What::TcbInfo { .. }, PcsVersion::V3) => Some("SGX-TCB-Info-Issuer-Chain"),
        (What::TcbInfo { .. }, PcsVersion::V4) => Some("TCB-Info-Issuer-Chain"),
        (What::QeIdentity { .. }, _) => Some("SGX-Enclave-Identity-Issuer-Chain"),
        (What::PckRevocationList { .. }, _) => Some("SGX-PCK-CRL-Issuer-Chain"),
        _ => None,
    }
}

fn plain(url: Url) -> Ask {
    let pace = url.to_string();
    Ask { url, issuers: None, issuers_needed: false, pace, spacing: Duration::ZERO, bundle: false }
}

/// An address that is written in this file.
fn fixed(text: &str) -> Url {
    #[allow(clippy::expect_used, reason = "the tests read each of them")]
    Url::parse(text).expect("an address in this file is one")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(source: &Source, what: &str) -> Option<String> {
        source.ask(&what.parse().unwrap()).map(|ask| ask.url.to_string())
    }

    #[test]
    fn amd_is_asked_as_its_specification_says() {
        let kds = Source::kds();
        let milan = format!("amd/milan/vcek/{}/bootloader=4,tee=0,snp=27,microcode=219", "ab".repeat(64));
        let expected = format!(
            "https://kdsintf.amd.com/vcek/v1/Milan/{}?blSPL=04&teeSPL=00&snpSPL=27&ucodeSPL=219",
            "ab".repeat(64)
        );
        assert_eq!(asked(&kds, &milan).unwrap(), expected);
        let turin = "amd/turin/vcek/0102030405060708/fmc=1,bootloader=1,tee=1,snp=4,microcode=81";
        let expected = "https://kdsintf.amd.com/vcek/v1/Turin/0102030405060708\
                        ?fmcSPL=01&blSPL=01&teeSPL=01&snpSPL=04&ucodeSPL=81";
        assert_eq!(asked(&kds, turin).unwrap(), expected);
        let chain = "https://kdsintf.amd.com/vlek/v1/Genoa/cert_chain";
        assert_eq!(asked(&kds, "amd/genoa/vlek-authorities").unwrap(), chain);
        assert_eq!(asked(&kds, "amd/milan/vcek-crl").unwrap(), "https://kdsintf.amd.com/vcek/v1/Milan/crl");
        assert_eq!(asked(&kds, "intel/root-crl"), None);
    }

    #[test]
    fn intel_is_asked_as_its_specification_says() {
        let pcs = Source::pcs();
        let base = "https://api.trustedservices.intel.com";
        let expected = [
            ("intel/sgx/tcb-info/00906ed50000", "/sgx/certification/v4/tcb?fmspc=00906ed50000"),
            ("intel/tdx/tcb-info/b0c06f000000", "/tdx/certification/v4/tcb?fmspc=b0c06f000000"),
            ("intel/sgx/qe-identity", "/sgx/certification/v4/qe/identity"),
            ("intel/tdx/qe-identity", "/tdx/certification/v4/qe/identity"),
            ("intel/pck-crl/platform", "/sgx/certification/v4/pckcrl?ca=platform&encoding=der"),
        ];
        for (what, path) in expected {
            assert_eq!(asked(&pcs, what).unwrap(), format!("{base}{path}"));
        }
        assert_eq!(asked(&pcs, "intel/root-crl").unwrap(), PCS_ROOT_CRL);
        assert_eq!(asked(&pcs, "amd/milan/vcek-crl"), None);
    }

    #[test]
    fn a_cache_of_version_3_knows_sgx_only() {
        let pccs = Source::Pccs { base: Url::parse("https://pccs:8081").unwrap(), version: PcsVersion::V3 };
        let root = "https://pccs:8081/sgx/certification/v3/rootcacrl";
        assert_eq!(asked(&pccs, "intel/root-crl").unwrap(), root);
        assert_eq!(asked(&pccs, "intel/tdx/qe-identity"), None);
        let info = pccs.ask(&"intel/sgx/tcb-info/00906ed50000".parse().unwrap()).unwrap();
        assert_eq!(info.issuers, Some("SGX-TCB-Info-Issuer-Chain"));
    }

    #[test]
    fn templates_are_filled() {
        let fill = |template: &str, what: &str| asked(&Source::Template(template.parse().unwrap()), what);
        let bucket = "https://bucket.s3.example/c/{what}";
        assert_eq!(fill(bucket, "intel/root-crl").unwrap(), "https://bucket.s3.example/c/intel/root-crl");
        let mirror = "http://mirror/{path}";
        assert_eq!(fill(mirror, "amd/milan/vcek-crl").unwrap(), "http://mirror/vcek/v1/Milan/crl");
        let tcb_info = "http://mirror/{tee}/{fmspc}.json";
        assert_eq!(
            fill(tcb_info, "intel/sgx/tcb-info/00906ed50000").unwrap(),
            "http://mirror/sgx/00906ed50000.json"
        );
        assert_eq!(fill(tcb_info, "intel/sgx/qe-identity"), None);
        for wrong in
            ["http://mirror/", "http://mirror/{what", "http://mirror/{who}", "{what}", "ftp://m/{what}"]
        {
            assert!(Template::parse(wrong).is_err(), "{wrong}");
        }
    }
}
