// SPDX-License-Identifier: Apache-2.0

//! The version of the kernel, and since when it can do what.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::Finding;
use crate::files::Files;

/// A version of Linux.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelVersion {
    /// The first two numbers.
    pub release: (u32, u32),
    /// All of it, as the kernel says it.
    pub text: String,
}

impl KernelVersion {
    pub(crate) fn read(files: &Files) -> Option<Self> {
        let text = files.line("proc/sys/kernel/osrelease")?;
        let mut numbers = text.split(|c: char| !c.is_ascii_digit());
        let release = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        Some(Self { release, text })
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for KernelVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// Whether the kernel is new enough. Distributions carry changes back to older ones, so that an old version alone
/// rules out nothing where the device that comes with the change is there.
pub(crate) fn at_least(
    kernel: Option<&KernelVersion>,
    (major, minor): (u32, u32),
    what: &str,
    there: bool,
) -> Finding {
    const ID: &str = "kernel";
    let Some(kernel) = kernel else { return Finding::unknown(ID, "the kernel does not say its version") };
    if kernel.release >= (major, minor) {
        Finding::present(ID, format!("Linux {kernel}, which {what} since {major}.{minor}"))
    } else if there {
        Finding::present(ID, format!("Linux {kernel}, to which this was carried back from {major}.{minor}"))
    } else {
        let found = format!("Linux {kernel}, which is older than {major}.{minor}");
        Finding::missing(ID, found, format!("use Linux {major}.{minor} or later, which {what}"))
    }
}
