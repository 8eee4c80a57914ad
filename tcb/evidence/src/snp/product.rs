// SPDX-License-Identifier: Apache-2.0

//! Which processor: the product a report was made on, and the key hierarchy that must have signed for it.

use core::fmt;

use super::Layout;

/// A hierarchy of AMD's signing keys: one ARK each, one layout of TCB versions and of hardware identifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Generation {
    /// 3rd generation EPYC.
    Milan,
    /// 4th generation EPYC, which includes Bergamo and Siena.
    Genoa,
    /// 5th generation EPYC.
    Turin,
}

impl Generation {
    /// All of them, oldest first.
    pub const ALL: [Self; 3] = [Self::Milan, Self::Genoa, Self::Turin];

    /// The name in policies and results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Milan => "milan",
            Self::Genoa => "genoa",
            Self::Turin => "turin",
        }
    }

    /// How its TCB versions are laid out (56860, section 2.2).
    pub const fn tcb_layout(self) -> Layout {
        match self {
            Self::Milan | Self::Genoa => Layout::Classic,
            Self::Turin => Layout::Turin,
        }
    }

    /// How many bytes of `CHIP_ID` identify the chip; the others are zero (57230, chapter 3).
    pub const fn chip_id_len(self) -> usize {
        match self {
            Self::Milan | Self::Genoa => 64,
            Self::Turin => 8,
        }
    }

    /// The generation that a certificate's `productName` means: `Milan-B0`, `Genoa`, `Turin`; a stepping after
    /// a hyphen is left out of account (57230, chapter 3).
    pub fn from_product_name(name: &str) -> Option<Self> {
        match name.split_once('-').map_or(name, |(product, _stepping)| product) {
            "Milan" => Some(Self::Milan),
            "Genoa" | "Bergamo" | "Siena" => Some(Self::Genoa),
            "Turin" => Some(Self::Turin),
            _ => None,
        }
    }

    /// The `productName` in this generation's certificates, without a stepping.
    pub const fn product_name(self) -> &'static str {
        match self {
            Self::Milan => "Milan",
            Self::Genoa => "Genoa",
            Self::Turin => "Turin",
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A product as finely as a report tells it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Product {
    /// 3rd generation EPYC, Zen 3.
    Milan,
    /// 4th generation EPYC, Zen 4.
    Genoa,
    /// 4th generation EPYC with Zen 4c cores: Bergamo and Siena, which have the same family and model.
    Siena,
    /// 5th generation EPYC.
    Turin,
}

impl Product {
    /// All of them, oldest first.
    pub const ALL: [Self; 4] = [Self::Milan, Self::Genoa, Self::Siena, Self::Turin];

    /// The product with a CPUID family and model, as a report of version 3 or later states them.
    pub const fn from_cpuid(cpuid: Cpuid) -> Option<Self> {
        match (cpuid.family, cpuid.model) {
            (0x19, 0x00..=0x0f) => Some(Self::Milan),
            (0x19, 0x10..=0x1f) => Some(Self::Genoa),
            (0x19, 0xa0..=0xaf) => Some(Self::Siena),
            (0x1a, 0x00..=0x11) => Some(Self::Turin),
            _ => None,
        }
    }

    /// The product of a report of version 2, which does not say more than its certificate does.
    pub const fn of_generation(generation: Generation) -> Self {
        match generation {
            Generation::Milan => Self::Milan,
            Generation::Genoa => Self::Genoa,
            Generation::Turin => Self::Turin,
        }
    }

    /// The key hierarchy it belongs to.
    pub const fn generation(self) -> Generation {
        match self {
            Self::Milan => Generation::Milan,
            Self::Genoa | Self::Siena => Generation::Genoa,
            Self::Turin => Generation::Turin,
        }
    }

    /// The name in policies and results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Milan => "milan",
            Self::Genoa => "genoa",
            Self::Siena => "siena",
            Self::Turin => "turin",
        }
    }

    /// A family, model and stepping that this product is sold with.
    pub const fn cpuid(self) -> Cpuid {
        match self {
            Self::Milan => Cpuid { family: 0x19, model: 0x01, stepping: 0x01 },
            Self::Genoa => Cpuid { family: 0x19, model: 0x11, stepping: 0x01 },
            Self::Siena => Cpuid { family: 0x19, model: 0xa0, stepping: 0x02 },
            Self::Turin => Cpuid { family: 0x1a, model: 0x02, stepping: 0x01 },
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Family, model and stepping, the extended fields added in, as CPUID function 1 gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cpuid {
    /// Combined extended and base family.
    pub family: u8,
    /// Combined extended and base model.
    pub model: u8,
    /// Stepping.
    pub stepping: u8,
}

impl fmt::Display for Cpuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "family {:02x}h model {:02x}h stepping {}", self.family, self.model, self.stepping)
    }
}
