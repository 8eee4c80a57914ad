// SPDX-License-Identifier: Apache-2.0

//! What rustls may use: two cipher suites, one hybrid key exchange, Ed25519, the system's randomness.
//! Nothing else can be negotiated because nothing else is here.

use alloc::sync::Arc;
use alloc::vec;

use rustls::crypto::tls13::HkdfUsingHmac;
use rustls::crypto::{
    CipherSuiteCommon, CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, WebPkiSupportedAlgorithms,
};
use rustls::pki_types::{PrivateKeyDer, UnixTime};
use rustls::sign::SigningKey;
use rustls::time_provider::TimeProvider;
use rustls::{CipherSuite, Error, SupportedCipherSuite, Tls13CipherSuite};

use super::aead::Algorithm;
use super::{hash, kx};

/// ChaCha20-Poly1305 first: the tenant's order decides, and a Keep on bare metal has only portable code for AES.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![
            SupportedCipherSuite::Tls13(&CHACHA20_POLY1305_SHA256),
            SupportedCipherSuite::Tls13(&AES_256_GCM_SHA384),
        ],
        kx_groups: vec![&kx::X25519MlKem768],
        // Only X.509 paths would use these, and there are none.
        signature_verification_algorithms: WebPkiSupportedAlgorithms { all: &[], mapping: &[] },
        secure_random: &System,
        key_provider: &NoKeyFiles,
    })
}

/// Raw public keys have no dates: the session needs no clock, and a Keep has none that it could trust.
#[derive(Debug)]
pub(super) struct NoClock;

impl TimeProvider for NoClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(core::time::Duration::ZERO))
    }
}

static CHACHA20_POLY1305_SHA256: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        hash_provider: &hash::SHA256,
        // RFC 8446 section 5.5: sequence numbers wrap before this cipher's limit is reached.
        confidentiality_limit: u64::MAX,
    },
    hkdf_provider: &HkdfUsingHmac(&hash::SHA256),
    aead_alg: &Algorithm::<chacha20poly1305::ChaCha20Poly1305>::new(),
    quic: None,
};

static AES_256_GCM_SHA384: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_AES_256_GCM_SHA384,
        hash_provider: &hash::SHA384,
        // RFC 8446 section 5.5: 2^24.5 full records.
        confidentiality_limit: 1 << 24,
    },
    hkdf_provider: &HkdfUsingHmac(&hash::SHA384),
    aead_alg: &Algorithm::<aes_gcm::Aes256Gcm>::new(),
    quic: None,
};

#[derive(Debug)]
struct System;

impl SecureRandom for System {
    fn fill(&self, to: &mut [u8]) -> Result<(), GetRandomFailed> {
        getrandom::fill(to).map_err(|_| GetRandomFailed)
    }
}

#[derive(Debug)]
struct NoKeyFiles;

impl KeyProvider for NoKeyFiles {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Err(Error::General("private keys are not read from files".into()))
    }
}
