// SPDX-License-Identifier: Apache-2.0

//! The exporter of TLS 1.3 (RFC 8446 section 7.5).
//!
//! Without std rustls has only its unbuffered connections, and those have no exporter. The exporter secret is therefore
//! taken where rustls hands it out, at the key log of this one connection, and everything else is never logged.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use hkdf::Hkdf;
use rustls::{CipherSuite, KeyLog};
use sha2::{Digest, Sha256, Sha384};
use spin::Mutex;
use zeroize::Zeroizing;

/// The name of the secret in the NSS key log format, which rustls uses.
const EXPORTER_SECRET: &str = "EXPORTER_SECRET";

/// Where the exporter secret of one connection lands.
#[derive(Default)]
pub(super) struct Cell(Mutex<Option<Zeroizing<Vec<u8>>>>);

impl Cell {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The exporter value for `label` and `context`. The secret is erased: there is one value per session.
    pub(super) fn export(&self, suite: CipherSuite, label: &[u8], context: &[u8]) -> Option<[u8; 32]> {
        let secret = self.0.lock().take()?;
        match suite {
            CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => {
                let derived = expand::<32>(&Hash::Sha256, &secret, label, &Sha256::digest([]))?;
                expand(&Hash::Sha256, derived.as_slice(), b"exporter", &Sha256::digest(context))
            }
            CipherSuite::TLS13_AES_256_GCM_SHA384 => {
                let derived = expand::<48>(&Hash::Sha384, &secret, label, &Sha384::digest([]))?;
                expand(&Hash::Sha384, derived.as_slice(), b"exporter", &Sha384::digest(context))
            }
            _ => None,
        }
        .map(|value| *value)
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cell([redacted])")
    }
}

impl KeyLog for Cell {
    fn log(&self, label: &str, _: &[u8], secret: &[u8]) {
        if self.will_log(label) {
            *self.0.lock() = Some(Zeroizing::new(secret.to_vec()));
        }
    }

    fn will_log(&self, label: &str) -> bool {
        label == EXPORTER_SECRET
    }
}

enum Hash {
    Sha256,
    Sha384,
}

/// HKDF-Expand-Label of RFC 8446 section 7.1.
fn expand<const N: usize>(
    hash: &Hash,
    secret: &[u8],
    label: &[u8],
    context: &[u8],
) -> Option<Zeroizing<[u8; N]>> {
    let length = u16::try_from(N).ok()?.to_be_bytes();
    let label_len = [u8::try_from(b"tls13 ".len() + label.len()).ok()?];
    let context_len = [u8::try_from(context.len()).ok()?];
    let info: [&[u8]; 6] = [&length, &label_len, b"tls13 ", label, &context_len, context];
    let mut out = Zeroizing::new([0; N]);
    match hash {
        Hash::Sha256 => {
            Hkdf::<Sha256>::from_prk(secret).ok()?.expand_multi_info(&info, out.as_mut_slice()).ok()?;
        }
        Hash::Sha384 => {
            Hkdf::<Sha384>::from_prk(secret).ok()?.expand_multi_info(&info, out.as_mut_slice()).ok()?;
        }
    }
    Some(out)
}
