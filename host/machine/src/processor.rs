// SPDX-License-Identifier: Apache-2.0

//! The processor, as `/proc/cpuinfo` tells it: the bits of CPUID by the names that Linux gives them.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::files::Files;

/// Which instructions it has, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// x86 of AMD's.
    Amd,
    /// x86 of Intel's.
    Intel,
    /// Arm.
    Arm,
    /// Another one, or one that could not be told.
    Other,
}

/// The first processor of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Processor {
    /// Which instructions it has.
    pub architecture: Architecture,
    /// What it calls itself.
    pub name: Option<String>,
    /// The product as policies call it, where it is one with a TEE.
    pub product: Option<&'static str>,
    /// CPUID family, with the extended family added.
    pub family: Option<u32>,
    /// CPUID model, with the extended model.
    pub model: Option<u32>,
    /// CPUID stepping.
    pub stepping: Option<u32>,
    /// The version of its microcode, as the kernel writes it.
    pub microcode: Option<String>,
    #[serde(skip)]
    flags: BTreeSet<String>,
}

impl Processor {
    pub(crate) fn read(files: &Files) -> Self {
        let text = files.text("proc/cpuinfo").unwrap_or_default();
        // What follows the first empty line is about the next processor.
        let first: Vec<_> = text
            .lines()
            .skip_while(|line| line.trim().is_empty())
            .take_while(|line| !line.trim().is_empty())
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim(), value.trim()))
            .collect();
        let value = |wanted: &str| first.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let number = |name: &str| value(name).and_then(|value| value.parse().ok());
        let architecture = match value("vendor_id") {
            Some("AuthenticAMD") => Architecture::Amd,
            Some("GenuineIntel") => Architecture::Intel,
            _ if value("CPU implementer").is_some() => Architecture::Arm,
            _ => Architecture::Other,
        };
        let (family, model, stepping) = (number("cpu family"), number("model"), number("stepping"));
        let printable = |text: &str| text.chars().filter(|c| !c.is_control()).take(120).collect::<String>();
        Self {
            architecture,
            name: value("model name").map(printable),
            product: product(architecture, family, model, stepping),
            family,
            model,
            stepping,
            microcode: value("microcode").map(printable),
            flags: value("flags").unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
        }
    }

    /// Whether it has a bit of CPUID, by the name that Linux gives it.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.contains(flag)
    }
}

/// AMD's by family and model (56860, section 2.2, and 57230, chapter 3); Intel's by the same of family 6.
fn product(
    architecture: Architecture,
    family: Option<u32>,
    model: Option<u32>,
    stepping: Option<u32>,
) -> Option<&'static str> {
    match (architecture, family?, model?) {
        (Architecture::Amd, 0x19, 0x00..=0x0f) => Some("milan"),
        (Architecture::Amd, 0x19, 0x10..=0x1f) => Some("genoa"),
        (Architecture::Amd, 0x19, 0xa0..=0xaf) => Some("siena"),
        (Architecture::Amd, 0x1a, 0x00..=0x11) => Some("turin"),
        (Architecture::Intel, 6, 0x9e) if stepping? >= 0xa => Some("coffee-lake"),
        (Architecture::Intel, 6, 0x8e) if stepping? == 0xa => Some("coffee-lake"),
        (Architecture::Intel, 6, 0x7a) => Some("gemini-lake"),
        (Architecture::Intel, 6, 0x7d | 0x7e) => Some("ice-lake"),
        (Architecture::Intel, 6, 0x6a | 0x6c) => Some("ice-lake-sp"),
        (Architecture::Intel, 6, 0xa7) => Some("rocket-lake"),
        (Architecture::Intel, 6, 0x8f) => Some("sapphire-rapids"),
        (Architecture::Intel, 6, 0xcf) => Some("emerald-rapids"),
        (Architecture::Intel, 6, 0xad | 0xae) => Some("granite-rapids"),
        (Architecture::Intel, 6, 0xaf) => Some("sierra-forest"),
        _ => None,
    }
}
