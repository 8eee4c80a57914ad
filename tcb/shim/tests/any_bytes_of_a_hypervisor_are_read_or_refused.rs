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

/// A start info that is one, with a memory map after it of regions that may touch, overlap or lie beside the image.
fn boot_data() -> impl Strategy<Value = Vec<u8>> {
    let edge = (0_u64..0x600).prop_map(|page| page << 12);
    let size = prop_oneof![(0_u64..0x4000).prop_map(|page| page << 12), any::<u64>()];
    let regions = proptest::collection::vec((edge, size, 1_u32..3, any::<u8>()), 0..6);
    (regions, any::<u16>()).prop_map(|(regions, spoiled)| {
        let mut bytes = vec![0; 1024];
        bytes[..8].copy_from_slice(&[0x78, 0xc5, 0x6e, 0x33, 1, 0, 0, 0]);
        bytes[40..48].copy_from_slice(&0x1100_u64.to_le_bytes());
        bytes[48] = regions.len() as u8;
        for (place, (start, size, kind, odd)) in bytes[256..].chunks_mut(24).zip(regions) {
            let start = start + u64::from(odd) % 8;
            place[..8].copy_from_slice(&start.to_le_bytes());
            place[8..16].copy_from_slice(&size.to_le_bytes());
            place[16..20].copy_from_slice(&kind.to_le_bytes());
        }
        if let Some(byte) = bytes.get_mut(usize::from(spoiled)) {
            *byte ^= 0x40;
        }
        bytes
    })
}

proptest! {
    #[test]
    fn data_at_start(bytes in boot_data()) {
        entry::boot_data(&bytes);
    }

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
