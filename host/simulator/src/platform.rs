// SPDX-License-Identifier: Apache-2.0

//! Which platform to simulate, as a value and as a text for command lines.

use std::fmt;
use std::str::FromStr;

use enarx_evidence::snp::{Product, SigningKey, TcbVersion, Version};
use thiserror::Error;

/// A platform to simulate. Everything in it can be set to what no sound platform would be, for rehearsals.
///
/// As text it is `amd/` and a product, then options after `@`, separated by commas:
///
/// ```text
/// amd/milan
/// amd/genoa@bootloader=9,tee=0,snp=20,microcode=70       all four TCB versions
/// amd/turin@fmc=0,committed.microcode=70                 one of them: current, committed, launch, reported
/// amd/milan@debug,migration,no-smt,vmpl=2,version=3      the guest and its report
/// amd/milan@vlek                                         or `unsigned`; otherwise the chip's own key signs
/// amd/milan@chip=00112233                                the chip's identity, hexadecimal, zeros after it
/// amd/milan@hidden-chip                                  a chip of which reports do not say which it is
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "the options of the text")]
pub struct SimulatedPlatform {
    /// The processor.
    pub product: Product,
    /// What runs.
    pub current_tcb: TcbVersion,
    /// What the firmware cannot be rolled back from.
    pub committed_tcb: TcbVersion,
    /// What ran when the guest was launched.
    pub launch_tcb: TcbVersion,
    /// What the signing key is derived for.
    pub reported_tcb: TcbVersion,
    /// The host may read the guest's memory.
    pub debug: bool,
    /// A migration agent is associated with the guest.
    pub migration: bool,
    /// The guest allows simultaneous multi-threading.
    pub smt: bool,
    /// The privilege level that asked for the report.
    pub vmpl: u32,
    /// Which kind of key signs the report.
    pub signing_key: SigningKey,
    /// The format of the report.
    pub report_version: Version,
    /// The chip's identity; `None` for one that belongs to the simulator's root.
    pub chip_id: Option<[u8; 64]>,
    /// Reports do not say which chip it is.
    pub hidden_chip: bool,
}

/// The text is not a platform that can be simulated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PlatformError {
    /// The vendor or product is not known.
    #[error("unknown platform `{found}`, expected one of {}", Platforms)]
    UnknownPlatform {
        /// What was found.
        found: String,
    },
    /// The option is not known, or not for this product.
    #[error("unknown option `{found}` for `{platform}`")]
    UnknownOption {
        /// What was found.
        found: String,
        /// For which platform.
        platform: String,
    },
    /// The option's value cannot be understood.
    #[error("`{option}` must be {expected}, not `{found}`")]
    BadValue {
        /// The option.
        option: String,
        /// What it takes.
        expected: &'static str,
        /// What was found.
        found: String,
    },
}

const VENDOR: &str = "amd/";

impl SimulatedPlatform {
    /// A sound platform: the levels that `enarx policy new` asks for, a guest without anything opened.
    pub fn new(product: Product) -> Self {
        let tcb = match product {
            Product::Milan => TcbVersion { fmc: None, bootloader: 4, tee: 0, snp: 27, microcode: 219 },
            Product::Genoa => TcbVersion { fmc: None, bootloader: 10, tee: 0, snp: 27, microcode: 86 },
            Product::Siena => TcbVersion { fmc: None, bootloader: 10, tee: 0, snp: 27, microcode: 27 },
            Product::Turin => TcbVersion { fmc: Some(1), bootloader: 1, tee: 1, snp: 4, microcode: 81 },
        };
        Self {
            product,
            current_tcb: tcb,
            committed_tcb: tcb,
            launch_tcb: tcb,
            reported_tcb: tcb,
            debug: false,
            migration: false,
            smt: true,
            vmpl: 0,
            signing_key: SigningKey::Vcek,
            report_version: Version::V5,
            chip_id: None,
            hidden_chip: false,
        }
    }

    /// The same platform with all four TCB versions set.
    #[must_use]
    pub fn with_tcb(self, tcb: TcbVersion) -> Self {
        Self { current_tcb: tcb, committed_tcb: tcb, launch_tcb: tcb, reported_tcb: tcb, ..self }
    }

    pub(crate) fn set(&mut self, option: &str) -> Result<(), PlatformError> {
        match option.split_once('=') {
            None => self.set_flag(option),
            Some(("vmpl", value)) => set(&mut self.vmpl, "vmpl", "a number", value.parse().ok(), value),
            Some(("version", value)) => {
                let version = value.parse().ok().and_then(Version::from_number);
                set(&mut self.report_version, "version", "a report version from 2 to 5", version, value)
            }
            Some(("chip", value)) => {
                let chip_id = parse_chip_id(value, self.product).map(Some);
                set(
                    &mut self.chip_id,
                    "chip",
                    "an even number of hexadecimal digits that fits",
                    chip_id,
                    value,
                )
            }
            Some((component, value)) => self.set_tcb(component, value),
        }
    }

    fn set_flag(&mut self, flag: &str) -> Result<(), PlatformError> {
        match flag {
            "debug" => self.debug = true,
            "migration" => self.migration = true,
            "no-smt" => self.smt = false,
            "hidden-chip" => self.hidden_chip = true,
            "vlek" => self.signing_key = SigningKey::Vlek,
            "unsigned" => self.signing_key = SigningKey::None,
            _ => return Err(self.unknown(flag)),
        }
        Ok(())
    }

    /// Sets `snp=20` in all TCB versions, or `committed.snp=20` in one.
    fn set_tcb(&mut self, path: &str, value: &str) -> Result<(), PlatformError> {
        let unknown = self.unknown(path);
        let (kind, component) = path.split_once('.').unwrap_or(("", path));
        let tcbs = match kind {
            "" => vec![
                &mut self.current_tcb,
                &mut self.committed_tcb,
                &mut self.launch_tcb,
                &mut self.reported_tcb,
            ],
            "current" => vec![&mut self.current_tcb],
            "committed" => vec![&mut self.committed_tcb],
            "launch" => vec![&mut self.launch_tcb],
            "reported" => vec![&mut self.reported_tcb],
            _ => return Err(unknown),
        };
        for tcb in tcbs {
            let level = match component {
                "fmc" => tcb.fmc.as_mut(),
                "bootloader" => Some(&mut tcb.bootloader),
                "tee" => Some(&mut tcb.tee),
                "snp" => Some(&mut tcb.snp),
                "microcode" => Some(&mut tcb.microcode),
                _ => None,
            };
            let level = level.ok_or_else(|| unknown.clone())?;
            set(level, path, "a number from 0 to 255", value.parse().ok(), value)?;
        }
        Ok(())
    }

    fn unknown(&self, option: &str) -> PlatformError {
        PlatformError::UnknownOption {
            found: option.to_owned(),
            platform: format!("{VENDOR}{}", self.product),
        }
    }
}

impl FromStr for SimulatedPlatform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let (platform, options) = text.split_once('@').map_or((text, None), |(p, o)| (p, Some(o)));
        let product = platform
            .strip_prefix(VENDOR)
            .and_then(|name| Product::ALL.into_iter().find(|product| product.name() == name))
            .ok_or_else(|| PlatformError::UnknownPlatform { found: platform.to_owned() })?;
        let mut platform = Self::new(product);
        for option in options.iter().flat_map(|options| options.split(',')) {
            platform.set(option)?;
        }
        Ok(platform)
    }
}

/// Every platform, for messages.
struct Platforms;

impl fmt::Display for Platforms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, product) in Product::ALL.iter().enumerate() {
            write!(f, "{}`{VENDOR}{product}`", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

fn set<T>(
    to: &mut T,
    option: &str,
    expected: &'static str,
    value: Option<T>,
    found: &str,
) -> Result<(), PlatformError> {
    *to = value.ok_or_else(|| PlatformError::BadValue {
        option: option.to_owned(),
        expected,
        found: found.to_owned(),
    })?;
    Ok(())
}

fn parse_chip_id(digits: &str, product: Product) -> Option<[u8; 64]> {
    let bytes = hex::decode(digits).ok().filter(|bytes| !bytes.is_empty())?;
    let mut chip_id = [0; 64];
    (bytes.len() <= product.generation().chip_id_len()).then_some(())?;
    chip_id.get_mut(..bytes.len())?.copy_from_slice(&bytes);
    Some(chip_id)
}
