// SPDX-License-Identifier: Apache-2.0

//! Evidence, from the platform itself or, where it has no TEE, over a port of the host. What comes back from there is not
//! looked at: whoever relies on it verifies it, and a host that sends something else only makes its own Keep refused.

use alloc::vec;
use alloc::vec::Vec;
use core::future::poll_fn;

use enarx_evidence::Bundle;

use crate::platform::{Platform, Proof, Stream, StreamError};
use crate::wire::{EVIDENCE_HEADER, PLATFORM_PORT, decode_evidence_header};

/// Memory for a reply grows with what has arrived, not with what was announced.
const PIECE: usize = 64 * 1024;

/// Evidence over `report_data`, or none if the platform leaves it to the host and the host gives none.
pub(crate) async fn obtain(platform: &impl Platform, report_data: &[u8; 64]) -> Option<Bundle> {
    match platform.attest(report_data) {
        Proof::Own(bundle) => Some(*bundle),
        Proof::OfHost => ask_host(platform, report_data).await,
    }
}

async fn ask_host(platform: &impl Platform, report_data: &[u8; 64]) -> Option<Bundle> {
    let mut stream = platform.connect(PLATFORM_PORT).ok()?;
    write_all(&mut stream, report_data).await.ok()?;
    let mut header = [0; EVIDENCE_HEADER];
    read_exact(&mut stream, &mut header).await.ok()?;
    let length = decode_evidence_header(header).ok()??;
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let mut piece = vec![0; PIECE.min(length - bytes.len())];
        read_exact(&mut stream, &mut piece).await.ok()?;
        bytes.append(&mut piece);
    }
    Bundle::decode(&bytes).ok()
}

async fn write_all(stream: &mut impl Stream, mut bytes: &[u8]) -> Result<(), StreamError> {
    while !bytes.is_empty() {
        let count = poll_fn(|context| stream.poll_write(context, bytes)).await?;
        bytes = bytes.get(count..).filter(|_| count > 0).ok_or(StreamError)?;
    }
    Ok(())
}

async fn read_exact(stream: &mut impl Stream, mut buffer: &mut [u8]) -> Result<(), StreamError> {
    while !buffer.is_empty() {
        let count = poll_fn(|context| stream.poll_read(context, buffer)).await?;
        if count == 0 {
            return Err(StreamError);
        }
        buffer = buffer.get_mut(count..).ok_or(StreamError)?;
    }
    Ok(())
}
