// SPDX-License-Identifier: Apache-2.0

//! The secrets page (56860, section 8.17, page type SECRETS): the keys with which a guest and the secure processor talk past
//! the hypervisor.

use zeroize::Zeroize;

use super::bytes::{array, word};

/// Bytes of the page.
pub const LEN: usize = 4096;
/// Versions whose layout of keys is known: 2 is the first that was published, later ones use bytes that were reserved.
pub const VERSIONS: core::ops::RangeInclusive<u32> = 2..=4;
/// Bytes of a key.
pub const KEY: usize = 32;

/// The first key, for the most privileged level. Three more follow, which a guest on that level has no use for.
const FIRST_KEY: usize = 0x20;
const KEYS_END: usize = 0xa0;

/// A secrets page that a Keep does not start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretsError {
    /// Another version.
    #[error("the secrets page has version {version}; versions 2 to 4 are known")]
    Version {
        /// The version.
        version: u32,
    },
    /// Flags that are not known, or the one (bit 0) that says that the guest was made for a migration agent to fill.
    #[error("the secrets page has flags {flags:#x}")]
    Flags {
        /// The flags.
        flags: u32,
    },
    /// The key for the most privileged level is not there: this guest runs on another one, or the page was used up.
    #[error("the secrets page has no key for VMPL 0")]
    NoKey,
}

/// The key VMPCK0: for messages of VMPL 0. Erased when it goes.
pub struct Vmpck([u8; KEY]);

impl Vmpck {
    /// Takes the key out of a page, and all keys are erased from it, whatever the result.
    pub fn take(page: &mut [u8; LEN]) -> Result<Self, SecretsError> {
        let (version, flags) = (word(page, 0), word(page, 4));
        let key = Self(array(page, FIRST_KEY));
        if let Some(keys) = page.get_mut(FIRST_KEY..KEYS_END) {
            keys.zeroize();
        }
        if !VERSIONS.contains(&version) {
            return Err(SecretsError::Version { version });
        }
        if flags != 0 {
            return Err(SecretsError::Flags { flags });
        }
        if key.0 == [0; KEY] {
            return Err(SecretsError::NoKey);
        }
        Ok(key)
    }

    pub(super) fn bytes(&self) -> &[u8; KEY] {
        &self.0
    }
}

impl Drop for Vmpck {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl core::fmt::Debug for Vmpck {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[redacted]")
    }
}
