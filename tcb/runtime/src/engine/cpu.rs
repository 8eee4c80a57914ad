// SPDX-License-Identifier: Apache-2.0

//! CPU features that compiled code may use, by the names that Cranelift, wasmtime and the statement give them.
//!
//! The set is the whole set that wasmtime 48 knows for `x86_64`, so that "all features of this machine" means the same
//! to wasmtime's own detection and to the statement.

use core::fmt;

/// One CPU feature of `x86_64` that compiled code may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CpuFeature {
    /// The name in an engine statement, which is also the name in Rust's `is_x86_feature_detected!` and the one that
    /// wasmtime asks `Config::detect_host_feature` for.
    pub name: &'static str,
    /// The name of Cranelift's setting.
    pub cranelift: &'static str,
}

/// A set of [`CpuFeature`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CpuFeatures(u32);

/// Order is the order in statements: changing it changes engine identities.
const ALL: [CpuFeature; 19] = [
    feature("cmpxchg16b", "has_cmpxchg16b"),
    feature("sse3", "has_sse3"),
    feature("ssse3", "has_ssse3"),
    feature("sse4.1", "has_sse41"),
    feature("sse4.2", "has_sse42"),
    feature("popcnt", "has_popcnt"),
    feature("avx", "has_avx"),
    feature("avx2", "has_avx2"),
    feature("fma", "has_fma"),
    feature("avxvnni", "has_avx_vnni"),
    feature("bmi1", "has_bmi1"),
    feature("bmi2", "has_bmi2"),
    feature("avx512bitalg", "has_avx512bitalg"),
    feature("avx512dq", "has_avx512dq"),
    feature("avx512f", "has_avx512f"),
    feature("avx512vl", "has_avx512vl"),
    feature("avx512vbmi", "has_avx512vbmi"),
    feature("avx512vnni", "has_avx512vnni"),
    feature("lzcnt", "has_lzcnt"),
];

const fn feature(name: &'static str, cranelift: &'static str) -> CpuFeature {
    CpuFeature { name, cranelift }
}

impl CpuFeatures {
    /// No feature beyond the architecture's baseline.
    pub const BASELINE: Self = Self(0);

    /// The features for which `present` answers yes; it is asked with [`CpuFeature::name`].
    pub fn detect(present: impl Fn(&str) -> bool) -> Self {
        let bit = |(index, feature): (usize, &CpuFeature)| u32::from(present(feature.name)) << index;
        Self(ALL.iter().enumerate().map(bit).fold(0, |set, bit| set | bit))
    }

    /// The features of the CPU this program runs on; [`CpuFeatures::BASELINE`] on another architecture.
    #[cfg(feature = "std")]
    pub fn of_this_machine() -> Self {
        Self::detect(present_here)
    }

    /// The features in the set, in the order of the statement.
    pub fn iter(self) -> impl Iterator<Item = CpuFeature> {
        ALL.into_iter()
            .enumerate()
            .filter(move |(index, _)| self.0 & (1 << index) != 0)
            .map(|(_, feature)| feature)
    }

    /// Whether the feature of this name is in the set.
    pub fn contains(self, name: &str) -> bool {
        self.iter().any(|feature| feature.name == name)
    }

    /// Reads the list that [`fmt::Display`] writes; `None` for an unknown name, a repeated one, or another order.
    pub(super) fn parse(list: &str) -> Option<Self> {
        if list == "baseline" {
            return Some(Self::BASELINE);
        }
        let mut set = 0_u32;
        for name in list.split(',') {
            let index = ALL.iter().position(|feature| feature.name == name)?;
            if set >> index != 0 {
                return None;
            }
            set |= 1 << index;
        }
        Some(Self(set))
    }
}

impl fmt::Display for CpuFeatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::BASELINE {
            return f.write_str("baseline");
        }
        for (index, feature) in self.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            f.write_str(feature.name)?;
        }
        Ok(())
    }
}

#[cfg(all(feature = "std", target_arch = "x86_64"))]
fn present_here(name: &str) -> bool {
    use std::arch::is_x86_feature_detected as detected;
    match name {
        "cmpxchg16b" => detected!("cmpxchg16b"),
        "sse3" => detected!("sse3"),
        "ssse3" => detected!("ssse3"),
        "sse4.1" => detected!("sse4.1"),
        "sse4.2" => detected!("sse4.2"),
        "popcnt" => detected!("popcnt"),
        "avx" => detected!("avx"),
        "avx2" => detected!("avx2"),
        "fma" => detected!("fma"),
        "avxvnni" => detected!("avxvnni"),
        "bmi1" => detected!("bmi1"),
        "bmi2" => detected!("bmi2"),
        "avx512bitalg" => detected!("avx512bitalg"),
        "avx512dq" => detected!("avx512dq"),
        "avx512f" => detected!("avx512f"),
        "avx512vl" => detected!("avx512vl"),
        "avx512vbmi" => detected!("avx512vbmi"),
        "avx512vnni" => detected!("avx512vnni"),
        "lzcnt" => detected!("lzcnt"),
        _ => false,
    }
}

#[cfg(all(feature = "std", not(target_arch = "x86_64")))]
fn present_here(_name: &str) -> bool {
    false
}
