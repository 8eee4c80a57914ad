// SPDX-License-Identifier: Apache-2.0

//! The launch configuration: what the host chose for a Keep.
//!
//! It is one line of text, `enarx-launch-1 backend=process require-sandbox=all` or
//! `enarx-launch-1 backend=vm memory-mib=512 tsc-khz=2400000`. The host writes it, so nothing in it can be believed, only
//! held against the host: the very bytes are in every offer and under every report, and a tenant sees what its Keep was
//! started with.

use alloc::string::String;
use core::ops::RangeInclusive;

const VERSION: &str = "enarx-launch-1";

/// A launch configuration that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The text as it came, which goes into offers and evidence.
    pub text: String,
    /// What kind of Keep this is to be.
    pub backend: Backend,
    /// Whether the Keep ends when a layer of its sandbox is missing.
    pub require_sandbox: bool,
    /// Memory of the virtual machine in MiB, within [`MEMORY_MIB`]; 0 for a process, which has none.
    pub memory_mib: u32,
    /// How many thousand times a second the processor's time stamp counter advances, within [`TSC_KHZ`], if the host
    /// says so. A process has other clocks.
    pub tsc_khz: Option<u32>,
}

/// What a Keep runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// A sandboxed process of the host's own operating system.
    Process,
    /// A virtual machine of Enarx's own hypervisor on KVM.
    Vm,
    /// The same virtual machine under QEMU.
    Qemu,
}

/// Memory that a virtual machine may be given, in MiB.
pub const MEMORY_MIB: RangeInclusive<u32> = 16..=65_536;
/// Rates of a time stamp counter that are taken for real, in kHz.
pub const TSC_KHZ: RangeInclusive<u32> = 100_000..=10_000_000;

/// A launch configuration that a Keep does not start with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// Another version, or another text altogether.
    #[error("a launch configuration starts with `{VERSION}`")]
    Version,
    /// A word that is not one of the settings, has a value that it cannot have, or is there twice.
    #[error("launch setting number {number} is not one that this Keep knows, or is there twice")]
    Setting {
        /// Which word after the version, from 1.
        number: usize,
    },
    /// A setting without which a Keep cannot start.
    #[error("launch setting `{name}` is missing")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// A setting that Keeps on this back end do not have.
    #[error("launch setting `{name}` is for virtual machines")]
    NotForProcess {
        /// Its name.
        name: &'static str,
    },
}

impl Launch {
    /// Reads a launch configuration. Nothing is skipped: what a Keep does not understand it does not start with.
    pub fn parse(text: &str) -> Result<Self, LaunchError> {
        let mut words = text.split(' ');
        if words.next() != Some(VERSION) {
            return Err(LaunchError::Version);
        }
        let mut backend = None;
        let mut require_sandbox = None;
        let mut memory_mib = None;
        let mut tsc_khz = None;
        for (index, word) in words.enumerate() {
            let first = match word.split_once('=') {
                Some(("backend", name)) => set(&mut backend, Backend::named(name)),
                Some(("require-sandbox", which)) => set(&mut require_sandbox, (which == "all").then_some(())),
                Some(("memory-mib", number)) => set(&mut memory_mib, within(number, &MEMORY_MIB)),
                Some(("tsc-khz", number)) => set(&mut tsc_khz, within(number, &TSC_KHZ)),
                _ => false,
            };
            if !first {
                return Err(LaunchError::Setting { number: index + 1 });
            }
        }
        let backend = backend.ok_or(LaunchError::Missing { name: "backend" })?;
        let memory_mib = match (backend, memory_mib, tsc_khz) {
            (Backend::Process, Some(_), _) => Err(LaunchError::NotForProcess { name: "memory-mib" }),
            (Backend::Process, _, Some(_)) => Err(LaunchError::NotForProcess { name: "tsc-khz" }),
            (Backend::Process, None, None) => Ok(0),
            (Backend::Vm | Backend::Qemu, Some(mib), _) => Ok(mib),
            (Backend::Vm | Backend::Qemu, None, _) => Err(LaunchError::Missing { name: "memory-mib" }),
        }?;
        let require_sandbox = require_sandbox.is_some();
        Ok(Self { text: text.into(), backend, require_sandbox, memory_mib, tsc_khz })
    }
}

impl Backend {
    /// The back end that the setting `backend` calls `name`.
    fn named(name: &str) -> Option<Self> {
        match name {
            "process" => Some(Self::Process),
            "vm" => Some(Self::Vm),
            "qemu" => Some(Self::Qemu),
            _ => None,
        }
    }
}

/// Takes down a value; `false` if there is none or there was one before.
fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    value.is_some_and(|value| place.replace(value).is_none())
}

/// A number in decimal digits without leading zeros, so that each has one spelling.
fn within(text: &str, range: &RangeInclusive<u32>) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|number| plain && range.contains(number))
}
