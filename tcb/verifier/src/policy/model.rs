// SPDX-License-Identifier: Apache-2.0

//! What a trust policy says, once it was read and found free of contradictions.
//!
//! Every switch is an enumeration whose variant names what is given up: there is no field that means
//! "not checked" by being absent.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use enarx_evidence::snp;

/// A closed vocabulary: the words that a policy may use in one place.
pub trait Vocabulary: Copy + Eq + 'static {
    /// Every word, in the order of their meaning.
    const ALL: &'static [Self];

    /// The word as it stands in a policy.
    fn name(self) -> &'static str;
}

macro_rules! vocabulary {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type { $($(#[$variant_doc])* $variant),+ }

        impl Vocabulary for $type {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

vocabulary! {
    /// Who makes the CPU and holds the root of its endorsements.
    Vendor {
        /// Advanced Micro Devices.
        Amd = "amd",
        /// Intel.
        Intel = "intel",
        /// Arm, whose architecture several makers build; the relying party endorses their keys itself.
        Arm = "arm",
        /// Amazon Web Services, for Nitro.
        Aws = "aws",
        /// NVIDIA.
        Nvidia = "nvidia",
        /// Whoever made a TPM; the relying party endorses its key, or who certified it, itself.
        Tpm = "tpm",
    }
}

vocabulary! {
    /// A kind of trusted execution environment.
    Tee {
        /// AMD Secure Encrypted Virtualization with Secure Nested Paging.
        SevSnp = "sev-snp",
        /// Intel Trust Domain Extensions.
        Tdx = "tdx",
        /// Intel Software Guard Extensions.
        Sgx = "sgx",
        /// Arm Confidential Compute Architecture.
        Cca = "cca",
        /// An enclave of the AWS Nitro hypervisor.
        Nitro = "nitro",
        /// A machine measured by a TPM 2.0, which hides nothing from its operator.
        Tpm = "tpm",
        /// SEV-SNP under Azure's paravisor, seen through its virtual TPM.
        AzureSnp = "azure-snp",
        /// TDX under Azure's paravisor, seen through its virtual TPM.
        AzureTdx = "azure-tdx",
        /// A GPU or switch of NVIDIA in confidential mode.
        NvGpu = "nvgpu",
    }
}

vocabulary! {
    /// A product family of a vendor, as far as evidence tells it.
    ///
    /// Evidence that cannot tell two products apart (SEV-SNP reports of version 2 say only which
    /// hierarchy of keys signed them) counts as both: it is denied when either is denied and has
    /// to reach the minimum of both.
    Product {
        /// EPYC 7003: family 19h, models 0x00 to 0x0f.
        Milan = "milan",
        /// EPYC 9004: family 19h, models 0x10 to 0x1f.
        Genoa = "genoa",
        /// EPYC 8004 and 97x4 (Siena and Bergamo, alike to CPUID): family 19h, models 0xa0 to 0xaf.
        /// Endorsed by the keys of Genoa, with microcode levels of its own.
        Siena = "siena",
        /// EPYC 9005: family 1Ah, models 0x00 to 0x11.
        Turin = "turin",
        /// Xeon E and Core of the 8th and 9th generation.
        CoffeeLake = "coffee-lake",
        /// Pentium Silver and Celeron J/N 4000.
        GeminiLake = "gemini-lake",
        /// Core of the 10th generation.
        IceLake = "ice-lake",
        /// Xeon Scalable of the 3rd generation, one or two sockets.
        IceLakeSp = "ice-lake-sp",
        /// Xeon E-2300 and Core of the 11th generation.
        RocketLake = "rocket-lake",
        /// Xeon Scalable of the 4th generation.
        SapphireRapids = "sapphire-rapids",
        /// Xeon Scalable of the 5th generation.
        EmeraldRapids = "emerald-rapids",
        /// Xeon 6 with performance cores.
        GraniteRapids = "granite-rapids",
        /// Xeon 6 with efficient cores.
        SierraForest = "sierra-forest",
        /// A processor of Intel whose family (FMSPC) is not known here.
        IntelOther = "intel-other",
        /// A platform of the Arm Confidential Compute Architecture.
        CcaPlatform = "cca-platform",
        /// A machine with the Nitro system.
        NitroSystem = "nitro-system",
        /// A TPM 2.0, in silicon or virtual.
        Tpm2 = "tpm2",
        /// NVIDIA H100 and its like.
        Hopper = "hopper",
        /// NVIDIA B100 and its like.
        Blackwell = "blackwell",
        /// A switch of NVIDIA.
        NvSwitch = "nvswitch",
    }
}

vocabulary! {
    /// Whether a property of a guest or platform is acceptable.
    Switch {
        /// Evidence with this property is refused.
        Refuse = "refuse",
        /// Evidence with this property is acceptable.
        Accept = "accept",
    }
}

vocabulary! {
    /// Whether the products that a rule allows must reach the minimum TCB.
    MinimumTcb {
        /// The minimum of the product applies; the policy must state one.
        Checked = "checked",
        /// Any TCB is acceptable, however old and vulnerable.
        NotChecked = "not-checked",
    }
}

vocabulary! {
    /// What is asked of certificate revocation lists.
    Crl {
        /// A missing or expired list refuses.
        Required = "required",
        /// Without a list, revocation is not checked. A list that is there is checked.
        AbsentAccepted = "absent-accepted",
    }
}

vocabulary! {
    /// One of the TCB versions in a report of SEV-SNP (56860, section 2.2).
    TcbKind {
        /// What runs now.
        Current = "current",
        /// What the host can roll back to.
        Committed = "committed",
        /// What the guest was launched under.
        Launch = "launch",
        /// What the signing key is for.
        Reported = "reported",
    }
}

/// The least patch levels of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    /// For each TCB version that has no levels of its own.
    pub general: snp::TcbVersion,
    /// For single TCB versions, where they differ.
    pub own: BTreeMap<TcbKind, snp::TcbVersion>,
}

impl Floor {
    /// The least levels of a TCB version.
    pub fn of(&self, kind: TcbKind) -> &snp::TcbVersion {
        self.own.get(&kind).unwrap_or(&self.general)
    }
}

vocabulary! {
    /// What happens to a Keep that runs and is no longer accepted, from the mildest to the strictest.
    OnRefusal {
        /// Its owner is told, and it goes on.
        Flag = "flag",
        /// Its owner is told, nothing new is sent to it, and it may end what it has begun.
        Drain = "drain",
        /// Its owner is told, its workload starts anew in a Keep of another host that is accepted, and it is stopped.
        Redeploy = "redeploy",
        /// Its owner is told, and it is stopped.
        Stop = "stop",
    }
}

impl Product {
    /// The vendor that makes the product.
    pub fn vendor(self) -> Vendor {
        match self {
            Self::Milan | Self::Genoa | Self::Siena | Self::Turin => Vendor::Amd,
            Self::CoffeeLake
            | Self::GeminiLake
            | Self::IceLake
            | Self::IceLakeSp
            | Self::RocketLake
            | Self::SapphireRapids
            | Self::EmeraldRapids
            | Self::GraniteRapids
            | Self::SierraForest
            | Self::IntelOther => Vendor::Intel,
            Self::CcaPlatform => Vendor::Arm,
            Self::NitroSystem => Vendor::Aws,
            Self::Tpm2 => Vendor::Tpm,
            Self::Hopper | Self::Blackwell | Self::NvSwitch => Vendor::Nvidia,
        }
    }

    /// Whether the product has this kind of TEE.
    pub fn has(self, tee: Tee) -> bool {
        match self {
            Self::Milan | Self::Genoa | Self::Siena | Self::Turin => {
                matches!(tee, Tee::SevSnp | Tee::AzureSnp)
            }
            Self::CoffeeLake | Self::GeminiLake | Self::IceLake | Self::IceLakeSp | Self::RocketLake => {
                tee == Tee::Sgx
            }
            Self::SapphireRapids
            | Self::EmeraldRapids
            | Self::GraniteRapids
            | Self::SierraForest
            | Self::IntelOther => matches!(tee, Tee::Sgx | Tee::Tdx | Tee::AzureTdx),
            Self::CcaPlatform => tee == Tee::Cca,
            Self::NitroSystem => tee == Tee::Nitro,
            Self::Tpm2 => tee == Tee::Tpm,
            Self::Hopper | Self::Blackwell | Self::NvSwitch => tee == Tee::NvGpu,
        }
    }

    /// Whether a policy states the least patch levels of the product: AMD's are numbers of the report, other vendors
    /// publish what is up to date.
    pub fn has_minimum_tcb(self) -> bool {
        self.vendor() == Vendor::Amd
    }

    /// Whether its TCB has a separate level for the first mutable code (SEV-SNP ABI, section 2.2).
    pub fn has_fmc(self) -> bool {
        self == Self::Turin
    }
}

impl From<snp::Product> for Product {
    fn from(product: snp::Product) -> Self {
        match product {
            snp::Product::Milan => Self::Milan,
            snp::Product::Genoa => Self::Genoa,
            snp::Product::Siena => Self::Siena,
            snp::Product::Turin => Self::Turin,
        }
    }
}

vocabulary! {
    /// A hash function of measurements.
    DigestAlgorithm {
        /// SHA-256: 32 bytes.
        Sha256 = "sha256",
        /// SHA-384: 48 bytes.
        Sha384 = "sha384",
        /// SHA-512: 64 bytes.
        Sha512 = "sha512",
    }
}

impl DigestAlgorithm {
    /// How many bytes its digests have.
    pub fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// An acceptable measurement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measurement {
    /// The reference value of this name, which the relying party supplies.
    Reference(String),
    /// Exactly this one.
    Digest {
        /// How it was made.
        algorithm: DigestAlgorithm,
        /// As many bytes as the algorithm has.
        digest: Vec<u8>,
    },
}

/// A root of simulated platforms that the policy accepts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SimulatedRoot {
    /// The trust anchor that the relying party supplies under this name.
    Named(String),
    /// The root whose subject public key info has this SHA-256.
    Sha256([u8; 32]),
}
