// SPDX-License-Identifier: Apache-2.0

//! The tenant's half: signs the header, then seals one piece at a time, when the transport has room for it.

use alloc::vec::Vec;

use hpke::aead::ChaCha20Poly1305;
use hpke::inout::InOutBuf;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{OpModeS, Serializable, setup_sender_with_rng};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{SealingContext, TAG_LEN, public_key};
use crate::binding::{chunk_place, provisioning, sealing_info};
use crate::entropy::Seeded;
use crate::tls::Connected;
use crate::wire::{DATA_LEN, Header, Refusal, ToKeep};
use crate::{OwnerKey, SessionError};

/// A payload on its way.
pub(crate) struct Sealer {
    context: SealingContext,
    payload: Zeroizing<Vec<u8>>,
    sent: usize,
    index: u64,
    ended: bool,
}

impl Sealer {
    /// Seals `payload` to `one_time_key`. `header` says whose it is and how it runs; the rest of it is filled in.
    pub(crate) fn new(
        session: &Connected,
        one_time_key: &[u8],
        owner: &OwnerKey,
        mut header: Header,
        payload: Zeroizing<Vec<u8>>,
    ) -> Result<(Header, Self), SessionError> {
        let to = public_key(one_time_key).ok_or(Refusal::OneTimeKey)?;
        let info = sealing_info(&session.exporter, &session.keep);
        let (encapsulated, context) = setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &OpModeS::Base,
            &to,
            &info,
            &mut Seeded::new()?,
        )
        .map_err(|_| Refusal::OneTimeKey)?;
        header.owner = owner.id();
        header.length = payload.len() as u64;
        header.sha256 = Sha256::digest(&*payload).into();
        header.encapsulated = encapsulated.to_bytes().to_vec();
        header.signature = owner.sign(&provisioning(&session.exporter, &session.keep, one_time_key, &header));
        Ok((header, Self { context, payload, sent: 0, index: 0, ended: false }))
    }

    /// The next piece; none after the last.
    pub(crate) fn next(&mut self) -> Result<Option<ToKeep>, Refusal> {
        if self.ended {
            return Ok(None);
        }
        let rest = self.payload.get(self.sent..).unwrap_or_default();
        let plain = rest.get(..DATA_LEN).unwrap_or(rest);
        let last = plain.len() == rest.len();
        let mut sealed = Vec::with_capacity(plain.len() + TAG_LEN);
        sealed.extend_from_slice(plain);
        self.sent += plain.len();
        let tag = self
            .context
            .seal_inout_detached(InOutBuf::from(sealed.as_mut_slice()), &chunk_place(self.index, last))
            .map_err(|_| Refusal::PayloadSeal)?;
        sealed.extend_from_slice(&tag.to_bytes());
        self.index += 1;
        self.ended = last;
        Ok(Some(ToKeep::Chunk { last, sealed }))
    }

    /// Bytes that were not sealed yet.
    pub(crate) fn rest(&self) -> usize {
        self.payload.len() - self.sent
    }
}
