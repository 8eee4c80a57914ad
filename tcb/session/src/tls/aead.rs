// SPDX-License-Identifier: Apache-2.0

//! Record protection of TLS 1.3 (RFC 8446 section 5.2) by AEADs of `RustCrypto`.

use alloc::boxed::Box;
use core::marker::PhantomData;

use aes_gcm::aead::consts::{U12, U16, U32};
use aes_gcm::aead::{AeadInOut, KeyInit, Tag, inout::InOutBuf};
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter, Nonce,
    OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload, Tls13AeadAlgorithm,
    UnsupportedOperationError, make_tls13_aad,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion};

const KEY_LEN: usize = 32;
const TAG_LEN: usize = 16;

/// The AEADs used here: a 256-bit key, a 96-bit nonce, a 128-bit tag.
pub(super) trait Cipher:
    AeadInOut<NonceSize = U12, TagSize = U16>
    + KeyInit
    + aes_gcm::KeySizeUser<KeySize = U32>
    + Send
    + Sync
    + 'static
{
}

impl Cipher for aes_gcm::Aes256Gcm {}
impl Cipher for chacha20poly1305::ChaCha20Poly1305 {}

/// Makes the record protection of one cipher.
pub(super) struct Algorithm<C>(PhantomData<fn() -> C>);

impl<C> Algorithm<C> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<C: Cipher> Algorithm<C> {
    fn records(key: &AeadKey, iv: Iv) -> Records<C> {
        // rustls gives keys of `key_len()` bytes; any other length leaves no cipher, and then every record fails.
        Records { cipher: C::new_from_slice(key.as_ref()).ok(), iv }
    }
}

impl<C: Cipher> Tls13AeadAlgorithm for Algorithm<C> {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Self::records(&key, iv))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Self::records(&key, iv))
    }

    fn key_len(&self) -> usize {
        KEY_LEN
    }

    fn extract_keys(&self, _: AeadKey, _: Iv) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        // Nothing outside the session may have its traffic keys.
        Err(UnsupportedOperationError)
    }
}

/// One direction of one connection.
struct Records<C> {
    cipher: Option<C>,
    iv: Iv,
}

impl<C: Cipher> MessageEncrypter for Records<C> {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        seq: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let cipher = self.cipher.as_ref().ok_or(Error::EncryptError)?;
        let total = self.encrypted_payload_len(message.payload.len());
        let mut payload = PrefixedPayload::with_capacity(total);
        payload.extend_from_chunks(&message.payload);
        payload.extend_from_slice(&[u8::from(message.typ)]);
        let nonce = Nonce::new(&self.iv, seq).0;
        let tag = cipher
            .encrypt_inout_detached(&nonce.into(), &make_tls13_aad(total), InOutBuf::from(payload.as_mut()))
            .map_err(|_| Error::EncryptError)?;
        payload.extend_from_slice(&tag);
        Ok(OutboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, payload))
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        // The content type byte and the tag.
        payload_len + 1 + TAG_LEN
    }
}

impl<C: Cipher> MessageDecrypter for Records<C> {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let cipher = self.cipher.as_ref().ok_or(Error::DecryptError)?;
        let payload = &mut message.payload;
        let total = payload.len();
        let plain_len = total.checked_sub(TAG_LEN).ok_or(Error::DecryptError)?;
        let (plain, tag) = payload.split_at_mut_checked(plain_len).ok_or(Error::DecryptError)?;
        let tag = Tag::<C>::try_from(&*tag).map_err(|_| Error::DecryptError)?;
        let nonce = Nonce::new(&self.iv, seq).0;
        cipher
            .decrypt_inout_detached(&nonce.into(), &make_tls13_aad(total), InOutBuf::from(plain), &tag)
            .map_err(|_| Error::DecryptError)?;
        payload.truncate(plain_len);
        message.into_tls13_unpadded_message()
    }
}
