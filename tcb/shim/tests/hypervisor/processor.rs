// SPDX-License-Identifier: Apache-2.0

//! The secure processor's half of guest messages (56860, chapters 7 and 8), with AES-GCM of the same library and nothing
//! else in common with the guest's.

use std::collections::BTreeSet;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use enarx_evidence::snp::Report;

pub const KEY: [u8; 32] = [0x5e; 32];
pub const HOST_DATA: [u8; 32] = [0x4d; 32];
pub const DERIVED: [u8; 32] = [0xd7; 32];

type Change = Option<Box<dyn FnMut(&mut Vec<u8>)>>;

#[derive(Default)]
pub struct SecureProcessor {
    /// Messages so far
    pub count: u64,
    /// Nonces that a guest used, which it must never use twice for different messages
    pub nonces: BTreeSet<Vec<u8>>,
    /// What the hypervisor kept back
    pub waiting: Vec<Vec<u8>>,
    /// Changes the answer before it is sealed: header from 0x30 on, and payload
    pub change_header: Change,
    pub change_payload: Change,
    /// Changes the sequence number of the answer
    pub skew: u64,
    /// Changes the sealed answer
    pub change_sealed: Change,
}

impl SecureProcessor {
    /// Answers a message, or gives the status of the command.
    pub fn answer(&mut self, message: &[u8]) -> Result<Vec<u8>, u32> {
        // What was kept back under this number was the very same message.
        assert!(self.waiting.iter().all(|waiting| waiting == message), "a number was used for two messages");
        self.waiting.clear();
        let sequence = u64::from_le_bytes(message[0x20..0x28].try_into().unwrap());
        if sequence != self.count + 1 {
            return Err(0x20);
        }
        assert_eq!(message[0x28..0x30], [0; 8]);
        assert_eq!(message[0x30..0x34], [1, 1, 0x60, 0], "algorithm, header version, header size");
        assert_eq!(message[0x38..0x60], [0; 40], "reserved, VMPCK 0");
        assert_eq!(message[16..32], [0; 16], "the tag has 16 bytes");
        let size = usize::from(u16::from_le_bytes([message[0x36], message[0x37]]));
        assert!(message[0x60 + size..].iter().all(|byte| *byte == 0), "bytes after the message");
        let sealed = [&message[0x60..0x60 + size], &message[..16]].concat();
        let nonce = nonce(sequence);
        assert!(self.nonces.insert(nonce.clone()), "a nonce twice");
        let cipher = Aes256Gcm::new(&KEY.into());
        let payload = cipher.decrypt(
            &Nonce::try_from(nonce.as_slice()).unwrap(),
            Payload { msg: &sealed, aad: &message[0x30..0x60] },
        );
        let payload = payload.expect("a message that is not authentic");
        let (kind, mut answer) = match message[0x34] {
            5 => (6, report(&payload)),
            3 => (4, derived_key(&payload)),
            other => panic!("message type {other}"),
        };
        assert_eq!(message[0x35], 1, "message version");
        if let Some(change) = &mut self.change_payload {
            change(&mut answer);
        }
        let mut header = vec![0; 48];
        header[..6].copy_from_slice(&[1, 1, 0x60, 0, kind, 1]);
        header[6..8].copy_from_slice(&u16::try_from(answer.len()).unwrap().to_le_bytes());
        if let Some(change) = &mut self.change_header {
            change(&mut header);
        }
        let number = sequence + 1 + self.skew;
        let nonce = self::nonce(number);
        let nonce = Nonce::try_from(nonce.as_slice()).unwrap();
        let sealed = cipher.encrypt(&nonce, Payload { msg: &answer, aad: &header }).unwrap();
        let (text, tag) = sealed.split_at(answer.len());
        let mut page = vec![0; 4096];
        page[..16].copy_from_slice(tag);
        page[0x20..0x28].copy_from_slice(&number.to_le_bytes());
        page[0x30..0x60].copy_from_slice(&header);
        page[0x60..0x60 + text.len()].copy_from_slice(text);
        if let Some(change) = &mut self.change_sealed {
            change(&mut page);
        }
        self.count = sequence + 1;
        Ok(page)
    }
}

fn nonce(sequence: u64) -> Vec<u8> {
    [&sequence.to_le_bytes()[..], &[0; 4]].concat()
}

/// `MSG_REPORT_REQ` to `MSG_REPORT_RSP`.
fn report(request: &[u8]) -> Vec<u8> {
    assert_eq!(request.len(), 96);
    assert_eq!(request[64..], [0; 32], "VMPL 0, the key of the host's choice, reserved");
    let mut report = vec![0; Report::LEN];
    // Version 3; the signature's algorithm at 34h.
    report[0] = 3;
    report[0x34] = 1;
    report[0x50..0x90].copy_from_slice(&request[..64]);
    report[0xc0..0xe0].copy_from_slice(&HOST_DATA);
    let mut answer = vec![0; 32];
    answer[4..8].copy_from_slice(&u32::try_from(Report::LEN).unwrap().to_le_bytes());
    answer.extend_from_slice(&report);
    answer
}

/// `MSG_KEY_REQ` to `MSG_KEY_RSP`.
fn derived_key(request: &[u8]) -> Vec<u8> {
    assert_eq!(request.len(), 32);
    assert_eq!(request[..8], [0; 8], "the CPU's root key, reserved");
    assert_eq!(request[16..20], [0; 4], "VMPL 0");
    [&[0; 32][..], &DERIVED].concat()
}
