// SPDX-License-Identifier: Apache-2.0

//! Appraisal of any bytes. Property tests and the fuzz target `appraisal` run the same function.

use enarx_evidence::Bundle;
use enarx_verifier::{Policy, Request, TrustAnchors, UnixTime, appraise};

/// Appraises bytes that claim to be a bundle. They cannot be accepted: nobody signed them.
pub(crate) fn appraisal(bytes: &[u8]) {
    let Ok(bundle) = Bundle::decode(bytes) else { return };
    let request = Request {
        bundle: &bundle,
        report_data: &[0; 64],
        anchors: &TrustAnchors::vendors(),
        reference_values: &[],
        policy: &Policy::closed(),
        now: UnixTime(1_750_000_000),
    };
    let refusals = appraise(&request).map(|_| ()).expect_err("accepted");
    assert!(refusals.iter().count() > 0);
}
