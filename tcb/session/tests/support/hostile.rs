// SPDX-License-Identifier: Apache-2.0

//! A tenant that keeps to the wire format and to nothing else. It writes headers, signatures and seals by itself, from
//! the documentation, so that it also shows that the documentation is complete.

use std::convert::Infallible;
use std::sync::Arc;

use ed25519_dalek::{Signer, SigningKey};
use enarx_session::channel::{Channel, Received};
use enarx_session::keep::{self, Keep};
use enarx_session::wire::{Header, OFFER_LIMIT, OwnerProof, ToKeep, ToTenant};
use enarx_session::{KeepId, OwnerId, SessionError};
use hpke::aead::{AeadCtxS, ChaCha20Poly1305};
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable, Kem, OpModeS, Serializable, setup_sender_with_rng};
use sha2::{Digest, Sha256};

use super::{Seen, drain_keep, no_evidence};

pub struct Hostile {
    pub channel: Channel,
    pub session: keep::Session,
    pub seen: Seen,
    /// What the Keep said.
    pub heard: Vec<ToTenant>,
}

/// A header with its seal, each part of which a test may spoil before it is signed or sent.
pub struct Sealed {
    pub header: Header,
    pub context: AeadCtxS<ChaCha20Poly1305, HkdfSha256, XWing>,
    index: u64,
}

impl Hostile {
    pub fn new(keep: &Arc<Keep>) -> Self {
        let mut hostile = Self {
            channel: Channel::connect(None).unwrap(),
            session: keep::Session::new(keep).unwrap(),
            seen: Seen::default(),
            heard: Vec::new(),
        };
        hostile.settle();
        hostile
    }

    pub fn exporter(&self) -> [u8; 32] {
        self.channel.connected().unwrap().exporter
    }

    pub fn keep(&self) -> KeepId {
        self.channel.connected().unwrap().keep
    }

    /// Asks for evidence to learn the one-time key.
    pub fn one_time_key(&mut self) -> Vec<u8> {
        self.send(&ToKeep::EvidenceRequest([1; 32]));
        match self.heard.pop() {
            Some(ToTenant::Offer(offer)) => offer.one_time_key,
            other => panic!("{other:?} instead of an offer"),
        }
    }

    pub fn send(&mut self, message: &ToKeep) {
        self.send_frame(&message.encode());
    }

    pub fn send_frame(&mut self, frame: &[u8]) {
        self.channel.send(frame).unwrap();
        self.settle();
    }

    /// What the Keep's end came to, and what it told about it.
    pub fn outcome(mut self) -> (Option<SessionError>, Option<ToTenant>) {
        (self.seen.keep_error, self.heard.pop())
    }

    pub fn settle(&mut self) {
        loop {
            let mut still = true;
            while let Some(bytes) = self.channel.pull() {
                still = false;
                self.session.push(&bytes).unwrap();
            }
            let error = drain_keep(&mut self.session, &mut |_| Some(no_evidence()), &mut self.seen.keep);
            self.seen.keep_error = self.seen.keep_error.take().or(error);
            while let Some(bytes) = self.session.pull() {
                still = false;
                self.channel.push(&bytes).unwrap();
            }
            while let Received::Frame(frame) = self.channel.receive(OFFER_LIMIT).unwrap() {
                self.heard.push(ToTenant::decode(&frame).unwrap());
            }
            if still {
                return;
            }
        }
    }

    /// A correct header for `payload`, unsigned, and its seal.
    pub fn seal(&self, one_time_key: &[u8], owner: &SigningKey, payload: &[u8]) -> Sealed {
        let to = <XWing as Kem>::PublicKey::from_bytes(one_time_key).unwrap();
        let info = list(&[b"enarx provisioning 1", &self.exporter(), &self.keep().0]);
        let (encapsulated, context) = setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &OpModeS::Base,
            &to,
            &info,
            &mut SystemRandom,
        )
        .unwrap();
        let header = Header {
            owner: OwnerId(owner.verifying_key().to_bytes()),
            workload: [2; 32],
            policy: [3; 32],
            length: payload.len() as u64,
            sha256: Sha256::digest(payload).into(),
            attach: false,
            time_base_ms: 4,
            encapsulated: encapsulated.to_bytes().to_vec(),
            signature: [0; 64],
        };
        Sealed { header, context, index: 0 }
    }

    /// What an owner signs to provision through this session.
    pub fn to_sign(&self, one_time_key: &[u8], header: &Header) -> Vec<u8> {
        list(&[
            b"enarx provisioning 1",
            b"owner",
            &self.exporter(),
            &self.keep().0,
            one_time_key,
            &header.owner.0,
            &header.workload,
            &header.policy,
            &header.length.to_be_bytes(),
            &header.sha256,
            &[u8::from(header.attach)],
            &header.time_base_ms.to_be_bytes(),
            &header.encapsulated,
        ])
    }

    /// A provisioning of one chunk with nothing wrong with it.
    pub fn provision(&mut self, owner: &SigningKey, payload: &[u8]) {
        let key = self.one_time_key();
        let mut sealed = self.seal(&key, owner, payload);
        sealed.header.signature = owner.sign(&self.to_sign(&key, &sealed.header)).to_bytes();
        let chunk = sealed.chunk(payload, true);
        self.send(&ToKeep::Provision(Box::new(sealed.header)));
        self.send(&chunk);
    }

    /// The proof that `owner` owns this Keep, over what the test chooses.
    pub fn proof(&self, owner: &SigningKey, role: &[u8], exporter: &[u8; 32]) -> ToKeep {
        let id = OwnerId(owner.verifying_key().to_bytes());
        let signed = list(&[b"enarx owner 1", role, exporter, &self.keep().0, &id.0]);
        ToKeep::OwnerProof(OwnerProof { owner: id, signature: owner.sign(&signed).to_bytes() })
    }
}

impl Sealed {
    pub fn chunk(&mut self, plain: &[u8], last: bool) -> ToKeep {
        let mut place = self.index.to_be_bytes().to_vec();
        place.push(u8::from(last));
        self.index += 1;
        ToKeep::Chunk { last, sealed: self.context.seal(plain, &place).unwrap() }
    }
}

pub fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&enarx_session::random::<32>().unwrap())
}

/// A list as the documentation of `binding` describes it.
pub fn list(fields: &[&[u8]]) -> Vec<u8> {
    fields.iter().flat_map(|field| [&(field.len() as u64).to_be_bytes(), *field].concat()).collect()
}

struct SystemRandom;

impl TryRng for SystemRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_be_bytes(*enarx_session::random().unwrap()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_be_bytes(*enarx_session::random().unwrap()))
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
        for byte in to {
            *byte = enarx_session::random::<1>().unwrap()[0];
        }
        Ok(())
    }
}

impl TryCryptoRng for SystemRandom {}
