// SPDX-License-Identifier: Apache-2.0

//! What can be asked of vendors, and the names by which bundles, caches and templates know it.

use std::fmt;
use std::str::FromStr;

use enarx_evidence::snp::{Generation, SigningKey, TcbVersion};
use thiserror::Error;

/// One thing that a vendor gives out.
///
/// Its text form is canonical, consists of `a` to `z`, `0` to `9` and `/ - , =`, and is read back by
/// [`What::from_str`]: `amd/milan/vcek/<chip>/bootloader=4,tee=0,snp=27,microcode=219`,
/// `amd/genoa/vlek-authorities`, `amd/turin/vcek-crl`, `intel/tdx/tcb-info/b0c06f000000`,
/// `intel/sgx/qe-identity`, `intel/pck-crl/platform`, `intel/root-crl`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum What {
    /// The certificate of a chip's key for a TCB version (VCEK).
    ChipKey {
        /// The key hierarchy.
        generation: Generation,
        /// The chip: 64 bytes, or 8 on Turin.
        hwid: Vec<u8>,
        /// The TCB version that the key was derived for.
        tcb: TcbVersion,
    },
    /// AMD's intermediate and root certificates for a kind of key.
    AmdAuthorities {
        /// The key hierarchy.
        generation: Generation,
        /// Which intermediate.
        key: AmdKey,
    },
    /// The revocation list of AMD's root.
    AmdRevocationList {
        /// The key hierarchy.
        generation: Generation,
        /// As served for which kind of key.
        key: AmdKey,
    },
    /// What Intel thinks of the TCBs of a kind of platform.
    TcbInfo {
        /// For which TEE.
        tee: IntelTee,
        /// The kind of platform.
        fmspc: [u8; 6],
    },
    /// Which quoting enclave is Intel's.
    QeIdentity {
        /// That of which TEE.
        tee: IntelTee,
    },
    /// The revocation list of an authority that certifies platforms (PCK).
    PckRevocationList {
        /// Which authority.
        authority: PckAuthority,
    },
    /// The revocation list of Intel's root.
    IntelRootRevocationList,
}

/// A kind of key that signs SNP reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AmdKey {
    /// A chip's.
    Vcek,
    /// A cloud provider's, loaded into chips.
    Vlek,
}

/// A TEE of Intel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntelTee {
    /// Enclaves.
    Sgx,
    /// Trust domains.
    Tdx,
}

/// An authority that certifies Intel's platforms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PckAuthority {
    /// Of platforms with one processor package that were never registered.
    Processor,
    /// Of registered platforms.
    Platform,
}

/// A text that names nothing a vendor gives out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` names nothing that a vendor gives out")]
pub struct WhatError {
    /// The text, cut at 200 characters.
    pub text: String,
}

impl What {
    /// Longest text form, with room to spare: a VCEK's on Milan has about 210 characters.
    pub const MAX_NAME: usize = 256;

    /// What it is, in a few words for people.
    pub fn describe(&self) -> String {
        match self {
            Self::ChipKey { generation, hwid, tcb } => {
                let chip: String = hex::encode(hwid).chars().take(16).collect();
                format!("VCEK certificate of {generation} chip {chip}… for {tcb}")
            }
            Self::AmdAuthorities { generation, key } => {
                format!("authorities of {} keys of {generation}", key.name().to_uppercase())
            }
            Self::AmdRevocationList { generation, .. } => {
                format!("revocation list of AMD's root of {generation}")
            }
            Self::TcbInfo { tee, fmspc } => {
                format!("{} TCB info of platforms {}", tee.name().to_uppercase(), hex::encode(fmspc))
            }
            Self::QeIdentity { tee } => {
                format!("identity of the {} quoting enclave", tee.name().to_uppercase())
            }
            Self::PckRevocationList { authority } => {
                format!("revocation list of Intel's PCK {} CA", authority.name())
            }
            Self::IntelRootRevocationList => "revocation list of Intel's root".to_owned(),
        }
    }
}

impl AmdKey {
    /// The name in text forms.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vcek => "vcek",
            Self::Vlek => "vlek",
        }
    }

    pub(crate) const fn of(key: SigningKey) -> Option<Self> {
        match key {
            SigningKey::Vcek => Some(Self::Vcek),
            SigningKey::Vlek => Some(Self::Vlek),
            SigningKey::None => None,
        }
    }
}

impl IntelTee {
    /// The name in text forms and in the paths of Intel's service.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sgx => "sgx",
            Self::Tdx => "tdx",
        }
    }
}

impl PckAuthority {
    /// The name in text forms and in the queries of Intel's service.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Processor => "processor",
            Self::Platform => "platform",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChipKey { generation, hwid, tcb } => {
                write!(f, "amd/{generation}/vcek/{}/{tcb}", hex::encode(hwid))
            }
            Self::AmdAuthorities { generation, key } => {
                write!(f, "amd/{generation}/{}-authorities", key.name())
            }
            Self::AmdRevocationList { generation, key } => write!(f, "amd/{generation}/{}-crl", key.name()),
            Self::TcbInfo { tee, fmspc } => {
                write!(f, "intel/{}/tcb-info/{}", tee.name(), hex::encode(fmspc))
            }
            Self::QeIdentity { tee } => write!(f, "intel/{}/qe-identity", tee.name()),
            Self::PckRevocationList { authority } => write!(f, "intel/pck-crl/{}", authority.name()),
            Self::IntelRootRevocationList => f.write_str("intel/root-crl"),
        }
    }
}

impl FromStr for What {
    type Err = WhatError;

    fn from_str(text: &str) -> Result<Self, WhatError> {
        let found = if text.len() <= Self::MAX_NAME { parse(text) } else { None };
        // One meaning has one text: no upper case, no leading zeros.
        let canonical = found.filter(|what| what.to_string() == text);
        canonical.ok_or_else(|| WhatError { text: text.chars().take(200).collect() })
    }
}

fn parse(text: &str) -> Option<What> {
    let parts: Vec<&str> = text.split('/').collect();
    Some(match *parts.as_slice() {
        ["amd", product, "vcek", hwid, tcb] => {
            let generation = generation(product)?;
            let (hwid, tcb) = (hex::decode(hwid).ok()?, parse_tcb(tcb)?);
            let fits = hwid.len() == generation.chip_id_len();
            let same = tcb.fmc.is_some() == (generation == Generation::Turin);
            (fits && same).then_some(What::ChipKey { generation, hwid, tcb })?
        }
        ["amd", product, name] => {
            let generation = generation(product)?;
            match name {
                "vcek-authorities" => What::AmdAuthorities { generation, key: AmdKey::Vcek },
                "vlek-authorities" => What::AmdAuthorities { generation, key: AmdKey::Vlek },
                "vcek-crl" => What::AmdRevocationList { generation, key: AmdKey::Vcek },
                "vlek-crl" => What::AmdRevocationList { generation, key: AmdKey::Vlek },
                _ => return None,
            }
        }
        ["intel", "pck-crl", "processor"] => What::PckRevocationList { authority: PckAuthority::Processor },
        ["intel", "pck-crl", "platform"] => What::PckRevocationList { authority: PckAuthority::Platform },
        ["intel", "root-crl"] => What::IntelRootRevocationList,
        ["intel", tee, "qe-identity"] => What::QeIdentity { tee: parse_tee(tee)? },
        ["intel", tee, "tcb-info", fmspc] => {
            What::TcbInfo { tee: parse_tee(tee)?, fmspc: hex::decode(fmspc).ok()?.try_into().ok()? }
        }
        _ => return None,
    })
}

fn generation(name: &str) -> Option<Generation> {
    Generation::ALL.into_iter().find(|generation| generation.name() == name)
}

fn parse_tee(name: &str) -> Option<IntelTee> {
    [IntelTee::Sgx, IntelTee::Tdx].into_iter().find(|tee| tee.name() == name)
}

/// The inverse of the text of a [`TcbVersion`].
fn parse_tcb(text: &str) -> Option<TcbVersion> {
    let mut tcb = TcbVersion::default();
    for part in text.split(',') {
        let (name, level) = part.split_once('=')?;
        let level = level.parse().ok()?;
        match name {
            "fmc" => tcb.fmc = Some(level),
            "bootloader" => tcb.bootloader = level,
            "tee" => tcb.tee = level,
            "snp" => tcb.snp = level,
            "microcode" => tcb.microcode = level,
            _ => return None,
        }
    }
    Some(tcb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        let turin = format!("amd/turin/vcek/{}/fmc=1,bootloader=1,tee=1,snp=4,microcode=81", "0a".repeat(8));
        let milan = format!("amd/milan/vcek/{}/bootloader=4,tee=0,snp=27,microcode=219", "ff".repeat(64));
        let names = [
            turin.as_str(),
            milan.as_str(),
            "amd/genoa/vcek-authorities",
            "amd/genoa/vlek-authorities",
            "amd/turin/vcek-crl",
            "amd/milan/vlek-crl",
            "intel/sgx/tcb-info/00906ed50000",
            "intel/tdx/tcb-info/b0c06f000000",
            "intel/sgx/qe-identity",
            "intel/tdx/qe-identity",
            "intel/pck-crl/processor",
            "intel/pck-crl/platform",
            "intel/root-crl",
        ];
        for name in names {
            assert_eq!(name.parse::<What>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        let chip = "ff".repeat(64);
        let wrong = [
            String::new(),
            "amd/rome/vcek-crl".to_owned(),
            "intel/sgx/tcb-info/00906ED50000".to_owned(),
            "intel/sgx/tcb-info/00906ed5".to_owned(),
            "intel/root-crl/".to_owned(),
            format!("amd/milan/vcek/{chip}/bootloader=04,tee=0,snp=27,microcode=219"),
            format!("amd/milan/vcek/{chip}/tee=0,bootloader=4,snp=27,microcode=219"),
            format!("amd/milan/vcek/{chip}/fmc=1,bootloader=4,tee=0,snp=27,microcode=219"),
            format!("amd/turin/vcek/{chip}/fmc=1,bootloader=4,tee=0,snp=27,microcode=219"),
        ];
        for text in wrong {
            assert!(text.parse::<What>().is_err(), "{text}");
        }
    }
}
