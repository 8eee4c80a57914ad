// SPDX-License-Identifier: Apache-2.0

//! Any file, and any file that is nearly an image, is read or refused.

mod elf;
mod entry;

use elf::{Elf, PAGES};
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_bytes(bytes: Vec<u8>) {
        entry::image(&bytes);
    }

    #[test]
    fn any_change_of_an_image(changes: Vec<(prop::sample::Index, u8)>, cut: prop::sample::Index) {
        let mut file = Elf { code: vec![0xf4; 40], pages: vec![PAGES.to_vec()], ..Elf::default() }.build();
        for (place, byte) in changes.into_iter().take(8) {
            let place = place.index(file.len());
            file.get_mut(place).map(|place| *place = byte).unwrap_or_default();
        }
        entry::image(&file);
        entry::image(file.get(..cut.index(file.len())).unwrap_or_default());
    }
}
