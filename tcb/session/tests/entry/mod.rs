// SPDX-License-Identifier: Apache-2.0

//! Frames of any bytes: they are refused, or mean the same when they are written again. Property tests and the fuzz target
//! `session_frame` run the same function.

use enarx_session::wire::{ToKeep, ToTenant};

#[allow(dead_code, reason = "each test runs one of the functions here")]
pub(crate) fn frame(bytes: &[u8]) {
    if let Ok(message) = ToKeep::decode(bytes) {
        assert_eq!(ToKeep::decode(&message.encode()).as_ref(), Ok(&message));
    }
    if let Ok(message) = ToTenant::decode(bytes) {
        assert_eq!(ToTenant::decode(&message.encode()).as_ref(), Ok(&message));
    }
}

/// Any bytes as a request for a certificate and as trust anchors: nothing but a refusal or a certificate.
#[allow(dead_code, reason = "each test runs one of the functions here")]
pub(crate) fn certificate_request(bytes: &[u8]) {
    use enarx_session::web::Anchors;
    use enarx_session::web::certificate::{Authority, Statement};
    let statement = Statement {
        workload: [0; 32],
        manifest: [0; 32],
        policy: [0; 32],
        owner: [0; 32],
        tee: String::new(),
        simulated: true,
        measurement: Vec::new(),
    };
    if let Ok(authority) = Authority::from_secret(&[7; 32]) {
        let _ = authority.certify(bytes, ["a"].into_iter(), &statement, 1_800_000_000);
    }
    let _ = Anchors::from_pem(bytes);
}
