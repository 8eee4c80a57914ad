// SPDX-License-Identifier: Apache-2.0

//! The pages and the processor that a guest begins with, and what they measure to, against the specifications written
//! out by hand. `tests/differential` compares the same with other people's calculations.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod elf;

use elf::{BASE, Elf, PAGES};
use enarx_measure::{Guest, Image, ImageError, Launch, MAX_LAUNCHED, PageKind, snp, tdx};
use proptest::prelude::*;
use sha2::{Digest as _, Sha384};

const MIB: u64 = 1 << 20;

/// Code of a page and a bit, two pages and a bit of zeros behind it, and one page elsewhere.
fn image() -> Image {
    let code: Vec<u8> = (0..4100_u32).map(|n| n.to_le_bytes()[0] | 1).collect();
    let elf = Elf {
        code,
        memory: Some(4096 * 3 + 5),
        more: vec![(8 * MIB, 1)],
        pages: vec![PAGES.to_vec()],
        ..Elf::default()
    };
    Image::parse(elf.build()).unwrap()
}

fn pages(launch: &Launch<'_>) -> Vec<(u64, PageKind)> {
    launch.pages().map(|page| (page.address, page.kind)).collect()
}

#[test]
fn a_launch_is_every_page_by_ascending_address() {
    let image = image();
    let low = [(0x1000, PageKind::Host), (0x2000, PageKind::Host), (0x3000, PageKind::Host)];
    let special = [(0x4000, PageKind::Cpuid), (0x5000, PageKind::Secrets)];
    let code = [MIB, MIB + 0x1000, MIB + 0x2000, MIB + 0x3000, 8 * MIB].map(|it| (it, PageKind::Measured));
    let reset = [(0xffff_f000, PageKind::Measured)];
    assert_eq!(pages(&Launch::snp(&image).unwrap()), [&low[..], &special, &code].concat());
    assert_eq!(pages(&Launch::tdx(&image).unwrap()), [&low[..], &code, &reset].concat());

    let launch = Launch::snp(&image).unwrap();
    let contents: Vec<_> = launch.pages().map(|page| page.contents()).collect();
    let segment = image.contents(&image.segments()[0]);
    assert_eq!(contents[5], segment[..4096]);
    assert_eq!(contents[6][..4], segment[4096..]);
    assert!(contents[6][4..].iter().all(|byte| *byte == 0));
    for zero in [0, 1, 2, 3, 4, 7, 8, 9] {
        assert_eq!(contents[zero], [0; 4096], "{zero}");
    }
}

#[test]
fn the_processor_starts_as_pvh_says_and_is_told_what_it_stands_on() {
    let image = image();
    let vcpu = Launch::snp(&image).unwrap().vcpu().unwrap();
    assert_eq!((vcpu.rip, vcpu.rbx, vcpu.rdx), (u64::from(BASE), 0x1000, 0));
    assert_eq!(vcpu.rsi, u64::from(u32::from_be_bytes(*b"SNP1")));
    assert_eq!(Guest::Tdx.magic(), u32::from_be_bytes(*b"TDX1"));
    // Protected mode without paging; 32-bit flat segments.
    assert_eq!(vcpu.cr0 & 0x8000_0001, 1);
    for table in [vcpu.cs, vcpu.ds, vcpu.ss] {
        assert_eq!((table.base, table.limit, table.attributes & 0xc90), (0, u32::MAX, 0xc90));
    }
}

#[test]
fn a_td_begins_with_three_instructions() {
    let image = image();
    let launch = Launch::tdx(&image).unwrap();
    let reset = launch.pages().last().unwrap().contents();
    assert!(reset[..0xff0].iter().all(|byte| *byte == 0));
    // mov esi, "TDX1"; mov ebx, 0x1000; jmp 0x100000, from 0xffffffff.
    let code =
        [0xbe, b'1', b'X', b'D', b'T', 0xbb, 0x00, 0x10, 0x00, 0x00, 0xe9, 0x01, 0x00, 0x10, 0x00, 0x00];
    assert_eq!(reset[0xff0..], code);
}

#[test]
fn the_digest_of_snp_is_the_chain_of_its_specification() {
    let image = image();
    let launch = Launch::snp(&image).unwrap();
    let mut digest = vec![0; 48];
    let mut add = |kind: u8, contents: [u8; 48], address: u64| {
        let mut info = digest.clone();
        info.extend_from_slice(&contents);
        info.extend_from_slice(&[0x70, 0, kind, 0, 0, 0, 0, 0]);
        info.extend_from_slice(&address.to_le_bytes());
        assert_eq!(info.len(), 0x70);
        digest = Sha384::digest(&info).to_vec();
    };
    for address in [0x1000, 0x2000, 0x3000] {
        add(4, [0; 48], address);
    }
    add(6, [0; 48], 0x4000);
    add(5, [0; 48], 0x5000);
    for page in launch.pages().skip(5) {
        add(1, Sha384::digest(page.contents()).into(), page.address);
    }
    let vmsa = snp::vmsa(&launch.vcpu().unwrap(), 1);
    add(2, Sha384::digest(vmsa).into(), 0xffff_ffff_f000);
    assert_eq!(snp::launch_digest(&image).unwrap().to_vec(), digest);
}

#[test]
fn the_measurement_of_tdx_is_the_hash_of_its_specification() {
    let image = image();
    let launch = Launch::tdx(&image).unwrap();
    let mut all = Vec::new();
    let block = |name: &[u8], address: u64| {
        let mut block = name.to_vec();
        block.resize(16, 0);
        block.extend_from_slice(&address.to_le_bytes());
        block.resize(128, 0);
        block
    };
    for page in launch.pages() {
        all.extend(block(b"MEM.PAGE.ADD", page.address));
        let measured = page.kind == PageKind::Measured;
        for chunk in (0..16_usize).filter(|_| measured) {
            all.extend(block(b"MR.EXTEND", page.address + 256 * chunk as u64));
            all.extend_from_slice(&page.contents()[256 * chunk..256 * (chunk + 1)]);
        }
    }
    assert_eq!(tdx::mrtd(&image).unwrap(), <[u8; 48]>::from(Sha384::digest(&all)));
}

#[test]
fn what_is_not_made_for_a_tee_has_no_measurement_of_one() {
    let with = |elf: Elf| Image::parse(Elf { code: vec![0xf4], ..elf }.build()).unwrap();
    for (elf, expected) in [
        (Elf::default(), ImageError::NotForTees),
        (
            Elf { pages: vec![vec![0x4000, 0x5000, 0x1000, 0x2000]], ..Elf::default() },
            ImageError::GuestPages { what: "leaves no room for boot data" },
        ),
        (
            Elf { memory: Some(MAX_LAUNCHED), pages: vec![PAGES.to_vec()], ..Elf::default() },
            ImageError::Launched { bytes: MAX_LAUNCHED + 0x3000 },
        ),
    ] {
        let image = with(elf);
        let snp = Launch::snp(&image).and_then(|launch| launch.vcpu()).map(|_| ());
        assert_eq!(snp, Err(expected.clone()));
        assert_eq!(snp::launch_digest(&image), Err(expected.clone()));
        assert_eq!(tdx::mrtd(&image), Err(expected));
    }
}

#[test]
fn an_id_block_is_encoded_as_it_is_signed() {
    let block = snp::IdBlock {
        launch_digest: [1; 48],
        family_id: [2; 16],
        image_id: [3; 16],
        guest_svn: 0x0405_0607,
        policy: 0x3_0000,
    };
    let expected = [&[1; 48][..], &[2; 16], &[3; 16], &[1, 0, 0, 0, 7, 6, 5, 4], &[0, 0, 3, 0, 0, 0, 0, 0]];
    assert_eq!(block.encode().to_vec(), expected.concat());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A change of any byte of the image is another measurement.
    #[test]
    fn every_byte_of_the_image_counts(at in 0..4100_usize, flip in 1..=255_u8) {
        let elf = |code| Elf { code, pages: vec![PAGES.to_vec()], ..Elf::default() }.build();
        let mut code = vec![0x90; 4100];
        let before = Image::parse(elf(code.clone())).unwrap();
        code[at] ^= flip;
        let after = Image::parse(elf(code)).unwrap();
        prop_assert_ne!(snp::launch_digest(&before).unwrap(), snp::launch_digest(&after).unwrap());
        prop_assert_ne!(tdx::mrtd(&before).unwrap(), tdx::mrtd(&after).unwrap());
    }
}
