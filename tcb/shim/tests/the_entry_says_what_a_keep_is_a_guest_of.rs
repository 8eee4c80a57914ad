// SPDX-License-Identifier: Apache-2.0

//! Only the two values that are settled make the image a guest of a TEE; a plain machine may have anything else in that
//! register.

use enarx_shim::machine::entry::{Kind, SNP_PAGES};
use proptest::prelude::*;

#[test]
fn the_magic_values_are_four_letters() {
    assert_eq!(Kind::of(u32::from_be_bytes(*b"SNP1")), Kind::Snp);
    assert_eq!(Kind::of(u32::from_be_bytes(*b"TDX1")), Kind::Tdx);
}

#[test]
fn pages_of_the_launch_are_whole_apart_and_below_the_image() {
    let pages = [
        SNP_PAGES.host.clone(),
        SNP_PAGES.cpuid..SNP_PAGES.cpuid + 4096,
        SNP_PAGES.secrets..SNP_PAGES.secrets + 4096,
    ];
    for (number, page) in pages.iter().enumerate() {
        assert!(page.start % 4096 == 0 && page.end % 4096 == 0 && 0 < page.start && page.end <= 1 << 20);
        let others = pages.iter().skip(number + 1);
        assert!(others.clone().all(|other| page.end <= other.start || other.end <= page.start));
    }
}

proptest! {
    #[test]
    fn everything_else_is_a_plain_machine(esi: u32) {
        prop_assume!(esi != 0x534e_5031 && esi != 0x5444_5831);
        prop_assert_eq!(Kind::of(esi), Kind::Plain);
    }
}
