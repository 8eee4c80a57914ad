// SPDX-License-Identifier: Apache-2.0

//! What a hypervisor hands over at start is its own invention: it is understood wholly or the Keep does not start.

use std::cell::RefCell;
use std::ops::Range;

use enarx_shim::machine::entry::SNP_PAGES;
use enarx_shim::machine::start_info::{
    MAX_COMMAND_LINE, MAX_REGIONS, PhysicalMemory, REACHABLE, Region, StartError, StartInfo,
};
use proptest::prelude::*;

const INFO: u64 = 0x1000;
const MAP: u64 = 0x2000;
const LINE: u64 = 0x8000;
const SIZE: usize = 0x1_0000;

/// The first 64 KiB of a machine; above there is nothing, which reads as ones.
struct Memory {
    bytes: Vec<u8>,
    farthest: RefCell<u64>,
}

impl PhysicalMemory for Memory {
    fn read(&self, address: u64, buffer: &mut [u8]) {
        for (index, byte) in buffer.iter_mut().enumerate() {
            let at = address + index as u64;
            *byte = usize::try_from(at).ok().and_then(|at| self.bytes.get(at).copied()).unwrap_or(0xff);
            let mut farthest = self.farthest.borrow_mut();
            *farthest = (*farthest).max(at);
        }
    }
}

impl Memory {
    /// A start info as a hypervisor should write it: two regions and a command line.
    fn good() -> Self {
        let mut memory = Self { bytes: vec![0; SIZE], farthest: RefCell::new(0) };
        memory.word(INFO, 0x336e_c578);
        memory.word(INFO + 4, 1);
        memory.long(INFO + 24, LINE);
        memory.long(INFO + 40, MAP);
        memory.word(INFO + 48, 2);
        memory.region(0, 0, 0x9_fc00, 1);
        memory.region(1, 0x10_0000, 0x3f0_0000, 2);
        memory.line(b"enarx-launch-1 backend=vm");
        memory
    }

    fn word(&mut self, at: u64, value: u32) {
        self.put(at, &value.to_le_bytes());
    }

    fn long(&mut self, at: u64, value: u64) {
        self.put(at, &value.to_le_bytes());
    }

    fn put(&mut self, at: u64, bytes: &[u8]) {
        let at = usize::try_from(at).unwrap();
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn region(&mut self, index: u64, start: u64, size: u64, kind: u32) {
        self.long(MAP + index * 24, start);
        self.long(MAP + index * 24 + 8, size);
        self.word(MAP + index * 24 + 16, kind);
    }

    fn line(&mut self, text: &[u8]) {
        self.put(LINE, text);
        self.put(LINE + text.len() as u64, &[0]);
    }

    fn read_info(&self) -> Result<StartInfo, StartError> {
        StartInfo::read(self, INFO)
    }
}

#[test]
fn a_good_one_is_understood() {
    let info = Memory::good().read_info().unwrap();
    assert_eq!(info.command_line(), b"enarx-launch-1 backend=vm");
    assert_eq!(
        info.regions(),
        [
            Region { start: 0, size: 0x9_fc00, ram: true },
            Region { start: 0x10_0000, size: 0x3f0_0000, ram: false }
        ]
    );
}

#[test]
fn each_lie_has_its_own_refusal() {
    let refusal = |change: fn(&mut Memory)| {
        let mut memory = Memory::good();
        change(&mut memory);
        memory.read_info().unwrap_err()
    };
    assert_eq!(refusal(|memory| memory.word(INFO, 0x336e_c579)), StartError::Magic);
    assert_eq!(refusal(|memory| memory.word(INFO + 4, 0)), StartError::Version { version: 0 });
    assert_eq!(refusal(|memory| memory.word(INFO + 48, 0)), StartError::Regions { count: 0 });
    assert_eq!(refusal(|memory| memory.word(INFO + 48, 65)), StartError::Regions { count: 65 });
    assert_eq!(refusal(|memory| memory.word(INFO + 48, u32::MAX)), StartError::Regions { count: u32::MAX });
    assert_eq!(refusal(|memory| memory.region(1, u64::MAX, 1, 1)), StartError::Endless);
    let out = |what| StartError::OutOfReach { what };
    assert_eq!(refusal(|memory| memory.long(INFO + 40, 0)), out("the memory map"));
    assert_eq!(refusal(|memory| memory.long(INFO + 40, REACHABLE)), out("the memory map"));
    // The first region would end beyond what is mapped.
    assert_eq!(refusal(|memory| memory.long(INFO + 40, REACHABLE - 23)), out("the memory map"));
    assert_eq!(refusal(|memory| memory.long(INFO + 40, u64::MAX)), out("the memory map"));
    assert_eq!(refusal(|memory| memory.long(INFO + 24, REACHABLE)), out("the command line"));
    // All ones to the last byte that can be reached, and no end.
    assert_eq!(refusal(|memory| memory.long(INFO + 24, REACHABLE - 4)), out("the command line"));
    assert_eq!(refusal(|memory| memory.long(INFO + 24, SIZE as u64)), StartError::CommandLine);
    assert_eq!(StartInfo::read(&Memory::good(), REACHABLE - 55).unwrap_err(), out("the start info"));
    assert_eq!(StartInfo::read(&Memory::good(), u64::MAX).unwrap_err(), out("the start info"));
}

#[test]
fn a_command_line_may_be_absent_and_may_be_as_long_as_it_may_be() {
    let mut memory = Memory::good();
    memory.long(INFO + 24, 0);
    assert_eq!(memory.read_info().unwrap().command_line(), b"");
    let longest = [b'a'; MAX_COMMAND_LINE];
    memory.long(INFO + 24, LINE);
    memory.line(&longest);
    assert_eq!(memory.read_info().unwrap().command_line(), longest);
    memory.line(&[b'a'; MAX_COMMAND_LINE + 1]);
    assert_eq!(memory.read_info().unwrap_err(), StartError::CommandLine);
}

#[test]
fn as_many_regions_as_allowed_are_read() {
    let mut memory = Memory::good();
    memory.word(INFO + 48, u32::try_from(MAX_REGIONS).unwrap());
    assert_eq!(memory.read_info().unwrap().regions().len(), MAX_REGIONS);
}

/// A guest of SEV-SNP looks only into the pages that are the host's.
struct Handed(Memory);

impl PhysicalMemory for Handed {
    fn read(&self, address: u64, buffer: &mut [u8]) {
        assert!((0x1000..0x4000).contains(&address), "{address:#x} is not the host's");
        self.0.read(address, buffer);
    }

    fn may_hold(&self, range: &Range<u64>) -> bool {
        SNP_PAGES.are_the_hosts(range)
    }
}

#[test]
fn as_a_guest_of_snp_it_is_in_the_hosts_pages_or_nowhere() {
    let memory = |line: u64, map: u64| {
        let mut memory = Memory::good();
        memory.put(map, &Memory::good().bytes[MAP as usize..MAP as usize + 48]);
        memory.long(INFO + 24, line);
        memory.long(INFO + 40, map);
        memory.put(line, b"text\0");
        StartInfo::read(&Handed(memory), INFO)
    };
    assert_eq!(memory(0x3ffb, MAP).unwrap().command_line(), b"text");
    let out = |what| StartError::OutOfReach { what };
    // The CPUID page comes after them, the image far behind.
    assert_eq!(memory(0x3ffc, MAP).unwrap_err(), out("the command line"));
    assert_eq!(memory(0x4000, MAP).unwrap_err(), out("the command line"));
    assert_eq!(memory(0x3000, 0x3fd8).unwrap_err(), out("the memory map"));
    assert_eq!(memory(0x3000, 0x5000).unwrap_err(), out("the memory map"));
    assert_eq!(StartInfo::read(&Handed(Memory::good()), 0x3fd0).unwrap_err(), out("the start info"));
    assert_eq!(StartInfo::read(&Handed(Memory::good()), 0xff8).unwrap_err(), out("the start info"));
}

proptest! {
    #[test]
    fn whatever_is_there_is_read_or_refused_within_reach(
        bytes in proptest::collection::vec(any::<u8>(), 64),
        address in prop_oneof![0..SIZE as u64, any::<u64>(), REACHABLE - 64..REACHABLE + 64],
        pointers in proptest::array::uniform2(prop_oneof![any::<u64>(), 0..REACHABLE]),
    ) {
        let mut memory = Memory::good();
        memory.put(INFO + 8, &bytes[..16]);
        memory.put(MAP, &bytes[16..]);
        memory.long(INFO + 24, pointers[0]);
        memory.long(INFO + 40, pointers[1]);
        let _ = memory.read_info();
        let _ = StartInfo::read(&memory, address);
        prop_assert!(*memory.farthest.borrow() < REACHABLE);
    }
}
