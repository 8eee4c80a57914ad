// SPDX-License-Identifier: Apache-2.0

//! Images of any bytes. Property tests and fuzz targets run the same function.

#![allow(dead_code, reason = "each test and fuzz target uses one")]

use enarx_measure::{Image, Launch, PAGE, snp, tdx};

/// Reads an image, and launches and measures what is one.
pub(crate) fn image(bytes: &[u8]) {
    let Ok(image) = Image::parse(bytes.to_vec()) else { return };
    let mut end = 0;
    for segment in image.segments() {
        assert!(segment.address >= end, "segments overlap");
        end = segment.address + segment.size;
        assert!(image.contents(segment).len() as u64 <= segment.size, "more in the file than in memory");
    }
    // Measuring takes as long as it does for many zeros, which is for another test.
    if end > 32 << 20 {
        return;
    }
    for launch in [Launch::snp(&image), Launch::tdx(&image)].into_iter().flatten() {
        let addresses: Vec<_> = launch.pages().map(|page| page.address).collect();
        assert!(addresses.is_sorted_by(|first, second| first < second), "a page twice");
        assert!(addresses.iter().all(|address| address.is_multiple_of(PAGE)), "part of a page");
    }
    assert_eq!(snp::launch_digest(&image).is_ok(), tdx::mrtd(&image).is_ok(), "one TEE and not the other");
}
