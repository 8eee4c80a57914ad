// SPDX-License-Identifier: Apache-2.0

//! Which processors an FMSPC is about.

use super::Fmspc;

/// A family of processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Xeon E and Core of the 8th and 9th generation.
    CoffeeLake,
    /// Pentium Silver and Celeron J/N 4000.
    GeminiLake,
    /// Core of the 10th generation.
    IceLake,
    /// Xeon Scalable of the 3rd generation, one or two sockets, and Xeon D.
    IceLakeSp,
    /// Xeon E-2300 and Core of the 11th generation.
    RocketLake,
    /// Xeon Scalable of the 4th generation.
    SapphireRapids,
    /// Xeon Scalable of the 5th generation.
    EmeraldRapids,
    /// Xeon 6 with performance cores.
    GraniteRapids,
    /// Xeon 6 with efficient cores.
    SierraForest,
}

impl Family {
    /// All of them, from old to new.
    pub const ALL: [Self; 9] = [
        Self::CoffeeLake,
        Self::GeminiLake,
        Self::IceLake,
        Self::IceLakeSp,
        Self::RocketLake,
        Self::SapphireRapids,
        Self::EmeraldRapids,
        Self::GraniteRapids,
        Self::SierraForest,
    ];

    /// The family that an FMSPC is about, if it is known here.
    ///
    /// Behind the platform type, its first four bits, stands the processor's signature as CPUID leaf 1 has it,
    /// without reserved bits: extended family and model, type and family, model, stepping.
    pub fn from_fmspc(fmspc: &Fmspc) -> Option<Self> {
        let [first, second, third, fourth, ..] = *fmspc;
        let nibbles = [first & 0xf, second >> 4, second & 0xf, third >> 4, third & 0xf, fourth >> 4];
        let [0, extended, 0, 6, model, stepping] = nibbles else { return None };
        match (extended << 4 | model, stepping) {
            (0x9e, 0xa..=0xd) | (0x8e, 0xa) => Some(Self::CoffeeLake),
            (0x7a, _) => Some(Self::GeminiLake),
            (0x7d | 0x7e, _) => Some(Self::IceLake),
            (0x6a | 0x6c, _) => Some(Self::IceLakeSp),
            (0xa7, _) => Some(Self::RocketLake),
            (0x8f, _) => Some(Self::SapphireRapids),
            (0xcf, _) => Some(Self::EmeraldRapids),
            (0xad | 0xae, _) => Some(Self::GraniteRapids),
            (0xaf, _) => Some(Self::SierraForest),
            _ => None,
        }
    }

    /// An FMSPC of the family.
    pub const fn fmspc(self) -> Fmspc {
        match self {
            Self::CoffeeLake => [0x00, 0x90, 0x6e, 0xd5, 0x00, 0x00],
            Self::GeminiLake => [0x00, 0x70, 0x6a, 0x80, 0x00, 0x00],
            Self::IceLake => [0x00, 0x70, 0x6e, 0x47, 0x00, 0x00],
            Self::IceLakeSp => [0x00, 0x60, 0x6a, 0x00, 0x00, 0x00],
            Self::RocketLake => [0x00, 0xa0, 0x67, 0x11, 0x00, 0x00],
            Self::SapphireRapids => [0x00, 0x80, 0x6f, 0x05, 0x00, 0x00],
            Self::EmeraldRapids => [0x90, 0xc0, 0x6f, 0x00, 0x00, 0x00],
            Self::GraniteRapids => [0x00, 0xa0, 0x6d, 0x08, 0x00, 0x00],
            Self::SierraForest => [0x20, 0xa0, 0x6f, 0x00, 0x00, 0x00],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_is_found_by_its_fmspc() {
        for family in Family::ALL {
            assert_eq!(Family::from_fmspc(&family.fmspc()), Some(family));
        }
        // Kaby Lake, and a processor of another family number.
        assert_eq!(Family::from_fmspc(&[0x00, 0x90, 0x6e, 0x95, 0x00, 0x00]), None);
        assert_eq!(Family::from_fmspc(&[0x00, 0x80, 0x7f, 0x05, 0x00, 0x00]), None);
    }
}
