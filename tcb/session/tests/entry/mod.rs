// SPDX-License-Identifier: Apache-2.0

//! Frames of any bytes: they are refused, or mean the same when they are written again. Property tests and the fuzz target
//! `session_frame` run the same function.

use enarx_session::wire::{ToKeep, ToTenant};

pub(crate) fn frame(bytes: &[u8]) {
    if let Ok(message) = ToKeep::decode(bytes) {
        assert_eq!(ToKeep::decode(&message.encode()).as_ref(), Ok(&message));
    }
    if let Ok(message) = ToTenant::decode(bytes) {
        assert_eq!(ToTenant::decode(&message.encode()).as_ref(), Ok(&message));
    }
}
