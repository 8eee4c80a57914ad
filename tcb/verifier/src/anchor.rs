// SPDX-License-Identifier: Apache-2.0

//! Trust anchors: the keys with which every chain of endorsements has to end.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use enarx_evidence::snp::Generation;
use hex::FromHex as _;

/// SHA-256 of the `SubjectPublicKeyInfo` of AMD's root keys (ARK), one for each generation.
///
/// A key is pinned and not a certificate, because a vendor may issue a new certificate for the same key.
/// The keys are those of `https://kdsintf.amd.com/vcek/v1/{Milan,Genoa,Turin}/cert_chain` (57230, chapter 4).
const AMD_ROOTS: [(Generation, &str); 3] = [
    (Generation::Milan, "9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9"),
    (Generation::Genoa, "429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831"),
    (Generation::Turin, "4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08"),
];

/// SHA-256 of the `SubjectPublicKeyInfo` of Intel's SGX root key, which SGX and TDX share. Two certificates of it
/// are in use, valid until 2033 and 2049.
///
/// The key is that of
/// `https://certificates.trustedservices.intel.com/Intel_SGX_Provisioning_Certification_RootCA.cer`.
const INTEL_ROOT: &str = "a0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e";
/// SHA-256 of the `SubjectPublicKeyInfo` of the root of AWS's Nitro attestation keys, G1.
///
/// The key is that of `https://aws-nitro-enclaves.amazonaws.com/AWS_NitroEnclaves_Root-G1.zip`, whose SHA-256 AWS
/// publishes (*Nitro Enclaves Attestation Process*, section 2.1).
const AWS_NITRO_ROOT: &str = "f2caf5ecc6190b4a8399b78bc58a2bbcd0382375db8a1bfd78a82743874fd225";
/// The same of the roots of virtual TPMs and of NVIDIA's devices, from
/// `https://pki.goog/cloud_integrity/` ("EK/AK CA Root"), Azure's "Trusted Launch" documentation ("Azure Virtual TPM
/// Root Certificate Authority 2023") and NVIDIA's `nvtrust` tools ("NVIDIA Device Identity CA", "NVIDIA `CoRIM`
/// signing Root CA").
const DEVICE_ROOTS: [(Root, &str); 4] = [
    (Root::GoogleTpm, "56a613f57126a385dd6949294e93b0b566f96ab0573be0c2368e6f5ca779831f"),
    (Root::AzureTpm, "5cbc52672ae101263c2976736044a964c1182ce9412c39937183baddcccb8cdf"),
    (Root::Nvidia, "a90c4eb5acfd3e3d03a25db6a26b84f720ad0503196c627c21ddd48dd85b06a4"),
    (Root::NvidiaManifests, "dec1dc316477aa851eebdf51327ae9f864bc8d89254657ed1e7eb9168af1e1a3"),
];

/// A root key that a chain ended with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// AMD's, of one generation of processors.
    Amd(Generation),
    /// Intel's, of SGX and TDX.
    Intel,
    /// That of AWS's Nitro system.
    AwsNitro,
    /// Google's, of the keys of virtual TPMs of Compute Engine.
    GoogleTpm,
    /// Microsoft's, of the keys of virtual TPMs of Azure.
    AzureTpm,
    /// NVIDIA's, of GPUs and switches.
    Nvidia,
    /// NVIDIA's, of reference manifests.
    NvidiaManifests,
    /// One that the relying party vouches for itself, for hardware whose maker publishes no root: the key of an Arm
    /// CCA platform, of a TPM, or of who certifies such keys.
    Endorsed {
        /// What the relying party calls it.
        name: String,
        /// SHA-256 of its `SubjectPublicKeyInfo`.
        spki_sha256: [u8; 32],
    },
    /// Not a vendor's: whoever has it can simulate any platform.
    Simulated {
        /// What the relying party calls it.
        name: String,
        /// SHA-256 of its `SubjectPublicKeyInfo`.
        spki_sha256: [u8; 32],
    },
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Amd(generation) => write!(f, "AMD's root of {generation}"),
            Self::Intel => f.write_str("Intel's root of SGX and TDX"),
            Self::AwsNitro => f.write_str("AWS's root of Nitro Enclaves"),
            Self::GoogleTpm => f.write_str("Google's root of virtual TPMs"),
            Self::AzureTpm => f.write_str("Microsoft's root of virtual TPMs"),
            Self::Nvidia => f.write_str("NVIDIA's root of devices"),
            Self::NvidiaManifests => f.write_str("NVIDIA's root of reference manifests"),
            Self::Endorsed { name, .. } => write!(f, "the root `{name}` that you endorsed"),
            Self::Simulated { name, .. } => write!(f, "the simulated root `{name}`"),
        }
    }
}

/// The root keys that a relying party knows. Knowing a simulated root does not mean to accept it: that is up to
/// the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustAnchors {
    roots: Vec<([u8; 32], Root)>,
}

impl TrustAnchors {
    /// The vendors' roots, built in.
    pub fn vendors() -> Self {
        let amd = AMD_ROOTS.map(|(generation, digest)| (digest, Root::Amd(generation)));
        let pinned = |(digest, root)| <[u8; 32]>::from_hex(digest).ok().map(|digest| (digest, root));
        let devices = DEVICE_ROOTS.map(|(root, digest)| (digest, root));
        let single = [(INTEL_ROOT, Root::Intel), (AWS_NITRO_ROOT, Root::AwsNitro)];
        let all = amd.into_iter().chain(single).chain(devices);
        Self { roots: all.filter_map(pinned).collect() }
    }

    /// No root, not even a vendor's.
    pub fn none() -> Self {
        Self { roots: Vec::new() }
    }

    /// Adds the root of a simulated platform under a name that policies can use. A vendor's root stays the
    /// vendor's.
    #[must_use]
    pub fn with_simulated(mut self, name: &str, spki_sha256: [u8; 32]) -> Self {
        self.roots.push((spki_sha256, Root::Simulated { name: name.into(), spki_sha256 }));
        self
    }

    /// Adds a root that the relying party vouches for itself. A vendor's root stays the vendor's.
    #[must_use]
    pub fn with_endorsed(mut self, name: &str, spki_sha256: [u8; 32]) -> Self {
        self.roots.push((spki_sha256, Root::Endorsed { name: name.into(), spki_sha256 }));
        self
    }

    /// Forgets every root but those with these keys.
    #[must_use]
    pub fn limited_to(mut self, spki_sha256: &[[u8; 32]]) -> Self {
        self.roots.retain(|(digest, _)| spki_sha256.contains(digest));
        self
    }

    /// The root with this key, vendors' first.
    pub(crate) fn find(&self, spki_sha256: &[u8; 32]) -> Option<&Root> {
        self.roots.iter().find(|(digest, _)| digest == spki_sha256).map(|(_, root)| root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pinned_key_is_there() {
        let anchors = TrustAnchors::vendors();
        let roots = anchors.roots.iter().map(|(_, root)| root.clone()).collect::<Vec<_>>();
        let devices = DEVICE_ROOTS.map(|(root, _)| root);
        let amd = Generation::ALL.map(Root::Amd);
        assert_eq!(roots, [&amd[..], &[Root::Intel, Root::AwsNitro], &devices].concat());
    }

    #[test]
    fn a_vendors_root_cannot_be_renamed() {
        let milan = TrustAnchors::vendors().roots[0].0;
        let anchors = TrustAnchors::vendors().with_simulated("mine", milan);
        assert_eq!(anchors.find(&milan), Some(&Root::Amd(Generation::Milan)));
    }

    #[test]
    fn roots_can_be_left_out() {
        let [milan, genoa, _] = [0, 1, 2].map(|i| TrustAnchors::vendors().roots[i].0);
        let anchors = TrustAnchors::vendors().with_simulated("mine", [7; 32]).limited_to(&[milan, [7; 32]]);
        assert_eq!(anchors.find(&milan), Some(&Root::Amd(Generation::Milan)));
        assert!(anchors.find(&[7; 32]).is_some());
        assert_eq!(anchors.find(&genoa), None);
    }
}
