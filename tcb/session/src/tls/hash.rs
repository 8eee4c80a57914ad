// SPDX-License-Identifier: Apache-2.0

//! Hash and HMAC of the TLS 1.3 key schedule (RFC 8446 section 7.1), by `RustCrypto`.

use alloc::boxed::Box;
use core::marker::PhantomData;

use hmac::{EagerHash, Hmac, KeyInit, Mac};
use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use rustls::crypto::hmac::{Hmac as TlsHmac, Key, Tag};
use sha2::{Digest, Sha256, Sha384};

pub(super) static SHA256: Algorithm<Sha256> = Algorithm { name: HashAlgorithm::SHA256, digest: PhantomData };
pub(super) static SHA384: Algorithm<Sha384> = Algorithm { name: HashAlgorithm::SHA384, digest: PhantomData };

/// A hash, and HMAC over it.
pub(super) struct Algorithm<D> {
    name: HashAlgorithm,
    digest: PhantomData<fn() -> D>,
}

impl<D: Digest + Clone + Send + Sync + 'static> Hash for Algorithm<D> {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Running(D::new()))
    }

    fn hash(&self, data: &[u8]) -> Output {
        Output::new(&D::digest(data))
    }

    fn output_len(&self) -> usize {
        <D as Digest>::output_size()
    }

    fn algorithm(&self) -> HashAlgorithm {
        self.name
    }
}

struct Running<D>(D);

impl<D: Digest + Clone + Send + Sync + 'static> Context for Running<D> {
    fn fork_finish(&self) -> Output {
        Output::new(&self.0.clone().finalize())
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self(self.0.clone()))
    }

    fn finish(self: Box<Self>) -> Output {
        Output::new(&self.0.finalize())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

impl<D> TlsHmac for Algorithm<D>
where
    D: EagerHash + Digest + 'static,
    Hmac<D>: Clone + Mac + KeyInit + Send + Sync,
{
    fn with_key(&self, key: &[u8]) -> Box<dyn Key> {
        // HMAC takes keys of any length (RFC 2104 section 2); without a key every tag is empty and no peer agrees.
        Box::new(Keyed(<Hmac<D> as KeyInit>::new_from_slice(key).ok()))
    }

    fn hash_output_len(&self) -> usize {
        <D as Digest>::output_size()
    }
}

struct Keyed<M>(Option<M>);

impl<M: Mac + Clone + Send + Sync> Key for Keyed<M> {
    fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> Tag {
        let Some(mut mac) = self.0.clone() else { return Tag::new(&[]) };
        mac.update(first);
        for piece in middle {
            mac.update(piece);
        }
        mac.update(last);
        Tag::new(&mac.finalize().into_bytes())
    }

    fn tag_len(&self) -> usize {
        M::output_size()
    }
}
