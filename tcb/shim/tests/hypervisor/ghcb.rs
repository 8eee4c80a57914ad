// SPDX-License-Identifier: Apache-2.0

//! The hypervisor's half of the GHCB protocol (56421, chapters 3 and 4).

use super::{PAGE, World};

const BUFFER: usize = 0x800;

pub fn long(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes[offset..offset + 8].try_into().unwrap())
}

fn put(bytes: &mut [u8], offset: usize, value: u64) {
    bytes[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    let bit = offset / 8;
    bytes[0x3f0 + bit / 8] |= 1 << (bit % 8);
}

/// The fields that are marked as valid.
fn valid(page: &[u8]) -> Vec<usize> {
    (0..128).filter(|bit| page[0x3f0 + bit / 8] >> (bit % 8) & 1 == 1).map(|bit| bit * 8).collect()
}

pub fn exit(world: &mut World, address: u64) {
    assert_eq!(world.registered, Some(address), "a GHCB that was not registered");
    let base = usize::try_from(address - world.mapped.unwrap()).unwrap();
    let mut page = world.shared[base..base + 4096].to_vec();
    assert_eq!(page[0xffa..0xffc], [2, 0], "version 2");
    assert_eq!(page[0xffc..0x1000], [0; 4], "usage 0");
    let (code, info1, info2) = (long(&page, 0x390), long(&page, 0x398), long(&page, 0x3a0));
    let marked = valid(&page);
    world.exits.push(code);
    // Nothing is in the save area that is not marked as valid.
    for offset in (0..0x3f0).step_by(8) {
        assert!(marked.contains(&offset) || long(&page, offset) == 0, "{offset:#x} leaks");
    }
    let expect = |fields: &[usize]| {
        let mut all = [fields, &[0x390, 0x398, 0x3a0]].concat();
        all.sort_unstable();
        assert_eq!(marked, all, "the fields of exit {code:#x}");
    };
    let (rax, rbx, rcx, rdx) =
        (long(&page, 0x1f8), long(&page, 0x318), long(&page, 0x308), long(&page, 0x310));
    // The hypervisor's answer says anew what is valid.
    page[0x3f0..0x400].fill(0);
    let mut answer2 = 0;
    match code {
        0x78 => {
            expect(&[]);
            assert_eq!((info1, info2), (0, 0));
        }
        0x7c if info1 == 0 => {
            expect(&[0x308]);
            let value = world.msrs.get(&u32::try_from(rcx).unwrap()).copied().unwrap_or(0);
            put(&mut page, 0x1f8, value & 0xffff_ffff);
            put(&mut page, 0x310, value >> 32);
        }
        0x7c => {
            expect(&[0x1f8, 0x308, 0x310]);
            assert_eq!(info1, 1);
            assert!(rax >> 32 == 0 && rdx >> 32 == 0);
            world.msrs.insert(u32::try_from(rcx).unwrap(), rdx << 32 | rax);
        }
        0x8000_0001 | 0x8000_0002 => {
            expect(&[0x3a8]);
            assert_eq!(long(&page, 0x3a8), address + BUFFER as u64);
            let length = usize::try_from(info2).unwrap();
            for index in 0..length {
                let register = info1 + index as u64;
                let byte = &mut page[BUFFER + index];
                if code == 0x8000_0001 {
                    *byte = world.device.get(&register).copied().unwrap_or(0);
                } else {
                    world.device.insert(register, *byte);
                }
            }
        }
        0x8000_0010 => {
            expect(&[0x3a8]);
            assert_eq!((info1, info2), (0, 0));
            assert_eq!(long(&page, 0x3a8), address + BUFFER as u64);
            change_pages(world, &mut page);
        }
        0x8000_0011 | 0x8000_0012 => {
            let extended = code == 0x8000_0012;
            expect(if extended { &[0x1f8, 0x318] } else { &[] });
            let certificates = extended.then_some((rax, rbx));
            answer2 = guest_request(world, (info1, info2), certificates, &mut page);
        }
        other => panic!("exit {other:#x} is not on the list"),
    }
    put(&mut page, 0x398, 0);
    put(&mut page, 0x3a0, answer2);
    if let Some(change) = &mut world.change_ghcb {
        page = change(code, page);
    }
    world.shared[base..base + 4096].copy_from_slice(&page);
}

/// 56421, section 4.1.6.
fn change_pages(world: &mut World, page: &mut [u8]) {
    let header = long(page, BUFFER);
    let (current, end) = (header as u16, (header >> 16) as u16);
    assert_eq!(header >> 32, 0, "reserved");
    assert!(end < 253 && current <= end);
    let last = usize::from(end).min(usize::from(current).saturating_add(world.at_a_time - 1));
    for index in usize::from(current)..=last {
        let entry = long(page, BUFFER + 8 + 8 * index);
        assert_eq!(entry >> 57, 0, "reserved");
        assert_eq!(entry & 0xfff, 0, "nothing of the page is done");
        world.set_page(entry & 0x000f_ffff_ffff_f000, entry >> 52 & 0xf, entry >> 56 & 1 == 1);
    }
    page[BUFFER..BUFFER + 2].copy_from_slice(&u16::try_from(last + 1).unwrap().to_le_bytes());
}

/// 56421, sections 4.1.7 and 4.1.8.
fn guest_request(
    world: &mut World,
    (request, response): (u64, u64),
    certificates: Option<(u64, u64)>,
    page: &mut [u8],
) -> u64 {
    let base = world.mapped.unwrap();
    let place = |address: u64| {
        assert!(address.is_multiple_of(PAGE) && (base + PAGE..base + 512 * PAGE).contains(&address));
        usize::try_from(address - base).unwrap()
    };
    assert_ne!(request, response);
    let (request, response) = (place(request), place(response));
    if world.busy > 0 {
        world.busy -= 1;
        world.processor.waiting.push(world.shared[request..request + 4096].to_vec());
        return 2 << 32;
    }
    if let Some((address, count)) = certificates {
        let (first, needed) = (place(address), world.certificates.len().div_ceil(4096));
        place(address + (count - 1) * PAGE);
        if needed as u64 > count {
            world.processor.waiting.push(world.shared[request..request + 4096].to_vec());
            put(page, 0x318, needed as u64);
            return 1 << 32;
        }
        world.shared[first..first + world.certificates.len()].copy_from_slice(&world.certificates);
    }
    let message = world.shared[request..request + 4096].to_vec();
    match world.processor.answer(&message) {
        Ok(answer) => {
            world.shared[response..response + 4096].copy_from_slice(&answer);
            0
        }
        Err(status) => u64::from(status),
    }
}
