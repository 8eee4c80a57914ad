// SPDX-License-Identifier: Apache-2.0

//! Image files of every kind of wrongness, each with its own refusal.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod elf;

use elf::{BASE, Elf, PAGES};
use enarx_measure::{GuestPages, Image, ImageError, MAX_IMAGE, boot};

const MIB: u64 = 1 << 20;

#[test]
fn an_image_is_read_as_it_is() {
    let image =
        Image::parse(Elf { code: vec![0xf4; 10], more: vec![(8 * MIB, 100)], ..Elf::default() }.build());
    let image = image.unwrap();
    assert_eq!(image.entry(), BASE);
    let segments: Vec<_> = image.segments().iter().map(|it| (it.address, it.size, it.executable)).collect();
    assert_eq!(segments, [(MIB, 10, true), (8 * MIB, 100, false)]);
    assert_eq!(image.contents(&image.segments()[0]), [0xf4; 10]);
    assert_eq!(image.contents(&image.segments()[1]), [0; 0]);
    assert!(image.check_fits(8 * MIB + 100).is_ok());
    let memory = 8 * MIB + 99;
    assert_eq!(image.check_fits(memory), Err(ImageError::Memory { end: 8 * MIB + 100, memory }));
}

#[test]
fn every_wrong_image_is_refused_for_its_own_reason() {
    let good = || Elf { code: vec![0xf4; 10], ..Elf::default() };
    let patched = |at: usize, byte: u8| {
        let mut file = good().build();
        file[at] = byte;
        file
    };
    let segment = |what| ImageError::Segment { number: 0, what };
    let cases = [
        ("empty", vec![], ImageError::Truncated { what: "header" }),
        ("too large", vec![0; MAX_IMAGE + 1], ImageError::Size { bytes: MAX_IMAGE + 1 }),
        ("another magic number", patched(0, b'M'), ImageError::Format { what: "beginning" }),
        ("32 bits", patched(4, 1), ImageError::Format { what: "beginning" }),
        ("big endian", patched(5, 2), ImageError::Format { what: "beginning" }),
        ("a shared object", patched(16, 3), ImageError::Format { what: "type" }),
        ("for ARM", patched(18, 183), ImageError::Format { what: "machine" }),
        ("other headers", patched(54, 55), ImageError::Format { what: "size of program headers" }),
        ("no headers", patched(56, 0), ImageError::Headers { number: 0 }),
        ("many headers", patched(56, 65), ImageError::Headers { number: 65 }),
        ("headers behind the end", patched(33, 0xff), ImageError::Truncated { what: "program headers" }),
        (
            "headers at the end of the world",
            patched(39, 0xff),
            ImageError::Truncated { what: "program headers" },
        ),
        ("an interpreter", patched(64 + 56, 3), ImageError::Interpreter),
        ("a segment behind the end", patched(64 + 9, 0xff), ImageError::Truncated { what: "segments" }),
        ("notes behind the end", patched(64 + 56 + 9, 0xff), ImageError::Truncated { what: "notes" }),
        ("a name that is too long", patched(64 + 112 + 3, 0xff), ImageError::Truncated { what: "notes" }),
        (
            "larger in the file",
            Elf { memory: Some(9), ..good() }.build(),
            segment("is larger in the file than in memory"),
        ),
        ("too low", Elf { address: MIB - 1, ..good() }.build(), segment("begins below 1 MiB")),
        (
            "among the devices",
            Elf { memory: Some(3 << 30), ..good() }.build(),
            segment("ends where devices are"),
        ),
        (
            "around the end of the world",
            Elf { address: u64::MAX - 5, ..good() }.build(),
            segment("ends where devices are"),
        ),
        (
            "overlapping",
            Elf { memory: Some(4097), more: vec![(MIB + 4096, 1)], ..good() }.build(),
            ImageError::Overlap { address: MIB + 4096 },
        ),
        ("within a page", Elf { address: MIB + 9, ..good() }.build(), segment("begins within a page")),
        ("no note", Elf { notes: 0, ..good() }.build(), ImageError::Note { what: "has no" }),
        ("two notes", Elf { notes: 2, ..good() }.build(), ImageError::Note { what: "has more than one" }),
        (
            "an entry elsewhere",
            Elf { entry: BASE + 10, ..good() }.build(),
            ImageError::Entry { entry: u64::from(BASE) + 10 },
        ),
        (
            "an entry into data",
            Elf { flags: 6, ..good() }.build(),
            ImageError::Entry { entry: u64::from(BASE) },
        ),
    ];
    for (what, file, expected) in cases {
        assert_eq!(Image::parse(file).map(|_| ()), Err(expected), "{what}");
    }
}

#[test]
fn the_pages_of_a_guest_are_read_or_refused() {
    let with = |pages: Vec<Vec<u32>>| Elf { code: vec![0xf4], pages, ..Elf::default() }.build();
    let image = Image::parse(with(vec![PAGES.to_vec()])).unwrap();
    let expected = GuestPages { cpuid: 0x4000, secrets: 0x5000, host: 0x1000..0x4000 };
    assert_eq!(image.guest_pages(), Some(&expected));
    assert_eq!(Image::parse(with(vec![])).unwrap().guest_pages(), None);
    for (pages, what) in [
        (vec![PAGES.to_vec(), PAGES.to_vec()], "is there twice"),
        (vec![PAGES[..3].to_vec()], "has another size"),
        (vec![[&PAGES[..], &[0]].concat()], "has another size"),
        (vec![vec![]], "has another size"),
        (vec![vec![0x4001, 0x5000, 0x1000, 0x4000]], "names an address within a page"),
        (vec![vec![0x4000, 0x5fff, 0x1000, 0x4000]], "names an address within a page"),
        (vec![vec![0x4000, 0x5000, 0x1004, 0x4000]], "names an address within a page"),
        (vec![vec![0x4000, 0x5000, 0x1000, 0x4008]], "names an address within a page"),
        (vec![vec![0x10_0000, 0x5000, 0x1000, 0x4000]], "names a page from 1 MiB on"),
        (vec![vec![0x4000, 0xffff_f000, 0x1000, 0x4000]], "names a page from 1 MiB on"),
        (vec![vec![0x4000, 0x5000, 0x6000, 0x10_1000]], "names a page from 1 MiB on"),
        (vec![vec![0x4000, 0x5000, 0x1000, 0x1000]], "leaves the host no page"),
        (vec![vec![0x4000, 0x5000, 0x4000, 0x1000]], "leaves the host no page"),
        (vec![vec![0x4000, 0x4000, 0x1000, 0x4000]], "names a page twice"),
        (vec![vec![0x1000, 0x5000, 0x1000, 0x4000]], "names a page twice"),
        (vec![vec![0x4000, 0x3000, 0x1000, 0x4000]], "names a page twice"),
    ] {
        let refused = Image::parse(with(pages.clone())).map(|_| ());
        assert_eq!(refused, Err(ImageError::GuestPages { what }), "{pages:x?}");
    }
}

#[test]
fn no_beginning_and_no_changed_byte_of_an_image_is_a_panic() {
    let whole = Elf { code: vec![0xf4; 4], pages: vec![PAGES.to_vec()], ..Elf::default() }.build();
    for length in 0..whole.len() {
        assert!(Image::parse(whole[..length].to_vec()).is_err(), "{length}");
    }
    for at in 0..whole.len() {
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let mut changed = whole.clone();
            changed[at] = byte;
            let _ = Image::parse(changed);
        }
    }
}

#[test]
fn memory_leaves_out_where_devices_are() {
    let pieces = |memory: u64| boot::map(memory).iter().map(|it| (it.start, it.size)).collect::<Vec<_>>();
    assert_eq!(pieces(16 * MIB), [(0, 0xa_0000), (MIB, 15 * MIB)]);
    assert_eq!(pieces(4 << 30), [(0, 0xa_0000), (MIB, boot::LOW_MEMORY_END - MIB), (1 << 32, MIB << 10)]);
    let all: u64 = boot::memory(65_536 * MIB).iter().map(|piece| piece.size).sum();
    assert_eq!(all, 65_536 * MIB);
}

#[test]
fn boot_data_are_what_pvh_says() {
    let data = boot::data(boot::BOOT_DATA, 16 * MIB, "hello").unwrap();
    let word = |at: usize| u32::from_le_bytes(data[at..at + 4].try_into().unwrap());
    let long = |at: usize| u64::from_le_bytes(data[at..at + 8].try_into().unwrap());
    // Magic, version, flags, modules.
    assert_eq!([word(0), word(4), word(8), word(12)], [0x336e_c578, 1, 0, 0]);
    let place = |address: u64| usize::try_from(address - boot::BOOT_DATA).unwrap();
    assert_eq!(&data[place(long(24))..], b"hello\0");
    // No modules, no ACPI; a map with two entries, the second from 1 MiB.
    assert_eq!([long(16), long(32)], [0, 0]);
    assert_eq!(word(48), 2);
    let second = place(long(40)) + 24;
    assert_eq!((long(second), long(second + 8), word(second + 16)), (MIB, 15 * MIB, 1));

    assert!(boot::data(boot::BOOT_DATA, 16 * MIB, "a\0b").is_none());
    assert!(boot::data(boot::BOOT_DATA, 16 * MIB, &"a".repeat(boot::MAX_COMMAND_LINE + 1)).is_none());
    let longest = boot::data(boot::BOOT_DATA, 65_536 * MIB, &"a".repeat(boot::MAX_COMMAND_LINE)).unwrap();
    assert_eq!(longest.len() as u64, boot::MAX_SIZE);
    const { assert!(boot::BOOT_DATA + boot::MAX_SIZE < 0xa_0000) };
}
