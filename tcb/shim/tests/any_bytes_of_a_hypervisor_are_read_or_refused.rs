// SPDX-License-Identifier: Apache-2.0

//! The functions that the fuzz targets run, on some thousand random inputs.

mod entry;

use proptest::prelude::*;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..4200),
        // Mostly zeros, which get further.
        proptest::collection::vec((0_usize..4096, any::<u8>()), 0..40).prop_map(|places| {
            let mut bytes = vec![0; 4096];
            places.into_iter().for_each(|(place, byte)| bytes[place] = byte);
            bytes
        }),
    ]
}

proptest! {
    #[test]
    fn cpuid_pages(bytes in bytes()) {
        entry::cpuid_page(&bytes);
    }

    #[test]
    fn secrets_pages(bytes in bytes()) {
        entry::secrets_page(&bytes);
    }

    #[test]
    fn guest_messages(bytes in bytes()) {
        entry::guest_message(&bytes);
    }

    #[test]
    fn ghcb_replies(bytes in bytes()) {
        entry::ghcb_reply(&bytes);
    }
}
