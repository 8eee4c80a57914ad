// SPDX-License-Identifier: Apache-2.0

//! A KVM that is not there: it accepts what Linux documents, in the order that Linux documents, and measures what is
//! launched as the firmware would.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

use enarx_measure::{Guest, Image, Vcpu, snp};
use kvm_bindings::kvm_cpuid_entry2;

use super::*;

#[path = "../../../../../tcb/measure/tests/elf/mod.rs"]
mod elf;

const MEMORY: u64 = 64 << 20;
const HOST_DATA: [u8; 32] = [7; 32];

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum State {
    Made,
    Initialised,
    Started,
    Finished([u8; 32]),
}

/// KVM, firmware and the memory of this process.
struct Fake {
    state: State,
    private: Vec<Range<u64>>,
    memory: Memory,
    launched: BTreeSet<u64>,
    kinds: Vec<(u64, u8)>,
    digest: snp::Digest,
    /// Commands that come while the kernel is busy.
    busy: u32,
    /// CPUID values that the firmware does not accept as they come.
    wrong_cpuid: u32,
}

impl Fake {
    fn new() -> Self {
        Self {
            state: State::Made,
            private: Vec::new(),
            memory: Memory::default(),
            launched: BTreeSet::new(),
            kinds: Vec::new(),
            digest: snp::Digest::default(),
            busy: 0,
            wrong_cpuid: 0,
        }
    }
}

fn refused<T>(why: &str) -> io::Result<T> {
    Err(io::Error::new(ErrorKind::InvalidInput, why.to_owned()))
}

impl Calls for Fake {
    fn init(&mut self, init: kvm_sev_init) -> io::Result<()> {
        if self.state != State::Made || init.flags != 0 || init.pad1 != 0 || init.pad2 != [0; 8] {
            return refused("init");
        }
        // The feature of SEV-SNP itself is Linux's to set, and the protocol has to be its second version at least.
        if init.vmsa_features != 0 || init.ghcb_version < 2 {
            return refused("features");
        }
        self.state = State::Initialised;
        Ok(())
    }

    fn start(&mut self, start: kvm_sev_snp_launch_start) -> io::Result<()> {
        if self.state != State::Initialised
            || start.flags != 0
            || start.pad0 != [0; 6]
            || start.pad1 != [0; 4]
        {
            return refused("start");
        }
        // Bit 17 is always set; debugging is bit 19, a migration agent bit 18, one socket bit 20.
        if start.policy & (1 << 17) == 0 || start.policy & (3 << 18) != 0 {
            return refused("policy");
        }
        self.state = State::Started;
        Ok(())
    }

    fn set_attributes(&mut self, attributes: kvm_memory_attributes) -> io::Result<()> {
        let kvm_memory_attributes { address, size, attributes, flags } = attributes;
        if size == 0 || address % 4096 != 0 || size % 4096 != 0 || flags != 0 || attributes & !8 != 0 {
            return refused("attributes");
        }
        if attributes == 8 {
            self.private.push(address..address + size);
        }
        Ok(())
    }

    fn update(&mut self, update: &mut kvm_sev_snp_launch_update) -> io::Result<()> {
        let address = update.gfn_start * 4096;
        if self.state != State::Started || update.len != 4096 || update.flags != 0 || update.pad0 != 0 {
            return refused("update");
        }
        if self.busy > 0 {
            self.busy -= 1;
            return Err(io::Error::from(ErrorKind::WouldBlock));
        }
        if !self.private.iter().any(|range| range.contains(&address)) {
            return refused("a page that is not private");
        }
        let Some(page) = self.memory.0.borrow().get(&update.uaddr).copied() else {
            return refused("no such address");
        };
        let kind = match update.type_ {
            1 => PageType::Normal,
            4 => PageType::Unmeasured,
            5 => PageType::Secrets,
            6 => PageType::Cpuid,
            _ => return refused("type"),
        };
        if kind == PageType::Cpuid && self.wrong_cpuid > 0 {
            self.wrong_cpuid -= 1;
            return refused("CPUID values");
        }
        if !self.launched.insert(address) {
            return refused("a page twice");
        }
        self.kinds.push((address, update.type_));
        self.digest.add(kind, address, &page);
        update.gfn_start += 1;
        update.uaddr += 4096;
        update.len = 0;
        Ok(())
    }

    fn finish(&mut self, finish: kvm_sev_snp_launch_finish) -> io::Result<()> {
        let kvm_sev_snp_launch_finish { id_block_en, auth_key_en, vcek_disabled, host_data, flags, .. } =
            finish;
        if self.state != State::Started || [id_block_en, auth_key_en, vcek_disabled] != [0; 3] || flags != 0 {
            return refused("finish");
        }
        self.state = State::Finished(host_data);
        Ok(())
    }
}

/// The memory of this process: pages stand where their addresses are, and a terabyte on.
#[derive(Clone, Default)]
struct Memory(Rc<RefCell<BTreeMap<u64, Bytes>>>);

impl Memory {
    fn page(&self, address: u64) -> Bytes {
        self.0.borrow()[&(address + (1 << 40))]
    }
}

impl Staging for Memory {
    fn put(&mut self, address: u64, page: &Bytes) -> io::Result<u64> {
        let place = address + (1 << 40);
        self.0.borrow_mut().insert(place, *page);
        Ok(place)
    }
}

fn launch_in(fake: &mut Fake, image: &Image, boot_data: &[u8]) -> io::Result<()> {
    let contents = Contents { memory: MEMORY, boot_data, cpuid: [9; 4096], host_data: HOST_DATA };
    let mut memory = fake.memory.clone();
    launch(fake, &mut memory, &Launch::snp(image).unwrap(), &contents)
}

fn image() -> Image {
    let code: Vec<u8> = (0..5000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let pages = vec![elf::PAGES.to_vec()];
    Image::parse(elf::Elf { code, memory: Some(9000), pages, ..elf::Elf::default() }.build()).unwrap()
}

fn initialised() -> Fake {
    let mut fake = Fake::new();
    init(&mut fake).unwrap();
    fake
}

#[test]
fn what_is_launched_measures_to_what_is_predicted() {
    let image = image();
    for busy in [0, 3, PATIENCE - 1] {
        let mut fake = Fake { busy, ..initialised() };
        launch_in(&mut fake, &image, b"boot data").unwrap();
        assert_eq!(fake.state, State::Finished(HOST_DATA));
        let vcpu = Vcpu::start(image.entry(), 0x1000, Guest::Snp);
        fake.digest.add_vmsa(&snp::vmsa(&vcpu, 1));
        assert_eq!(fake.digest.value(), snp::launch_digest(&image).unwrap());
        let low = [(0x1000, 4), (0x2000, 4), (0x3000, 4), (0x4000, 6), (0x5000, 5)];
        assert_eq!(fake.kinds[..5], low);
        assert!(fake.kinds[5..].iter().all(|(_, kind)| *kind == 1));
    }
}

#[test]
fn pages_hold_what_they_are_for() {
    let boot_data: Vec<u8> = (0..5000_u32).map(|n| (n % 251).to_le_bytes()[0]).collect();
    let mut fake = initialised();
    launch_in(&mut fake, &image(), &boot_data).unwrap();
    let page = |address| fake.memory.page(address);
    assert_eq!(page(0x1000)[..], boot_data[..4096]);
    assert_eq!(page(0x2000)[..904], boot_data[4096..]);
    assert!(page(0x2000)[904..].iter().chain(&page(0x3000)).all(|byte| *byte == 0));
    assert_eq!((page(0x4000), page(0x5000)), ([9; 4096], [0; 4096]));
}

#[test]
fn a_launch_that_the_kernel_or_the_firmware_refuses_is_not_finished() {
    let launch_with = |change: fn(&mut Fake)| {
        let mut fake = initialised();
        change(&mut fake);
        let error = launch_in(&mut fake, &image(), b"").unwrap_err();
        assert_eq!(fake.state, State::Started);
        (error.kind(), error.to_string())
    };
    let refused = |why: &str| (ErrorKind::InvalidInput, why.to_owned());
    // What the firmware corrects is tried once more, and not twice.
    assert_eq!(launch_with(|fake| fake.wrong_cpuid = 2), refused("CPUID values"));
    assert_eq!(launch_with(|fake| fake.busy = PATIENCE).0, ErrorKind::TimedOut);
    assert_eq!(launch_with(|fake| assert!(fake.launched.insert(0x5000))), refused("a page twice"));
    launch_in(&mut Fake { wrong_cpuid: 1, ..initialised() }, &image(), b"").unwrap();

    let mut fake = initialised();
    let error = launch_in(&mut fake, &image(), &[1; 3 * 4096 + 1]).unwrap_err();
    assert_eq!(error.to_string(), "the boot data do not fit into the host's pages");
    assert_eq!(fake.state, State::Started);
}

#[test]
fn nothing_is_launched_in_a_machine_that_was_not_made_for_it() {
    let mut fake = Fake::new();
    assert_eq!(launch_in(&mut fake, &image(), b"").unwrap_err().to_string(), "start");
    assert_eq!(fake.kinds, []);
    init(&mut fake).unwrap();
    assert_eq!(init(&mut fake).unwrap_err().to_string(), "init");
}

#[test]
fn cpuid_values_are_encoded_as_the_firmware_reads_them() {
    let leaf = |function, index| kvm_cpuid_entry2 {
        function,
        index,
        eax: 1,
        ebx: 2,
        ecx: 3,
        edx: 4,
        ..Default::default()
    };
    let page = cpuid_page(&[leaf(0x8000_001f, 0), leaf(0x4000_0000, 0), leaf(0xd, 1)]).unwrap();
    let word = |at: usize| u32::from_le_bytes(page[at..at + 4].try_into().unwrap());
    let words = |from: usize| (0..12).map(|number| word(from + 4 * number)).collect::<Vec<_>>();
    assert_eq!([word(0), word(4), word(8), word(12)], [2, 0, 0, 0]);
    assert_eq!(words(16), [0x8000_001f, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0]);
    assert_eq!(words(64), [0xd, 1, 1, 0, 0, 0, 1, 0x240, 3, 4, 0, 0]);
    assert!(page[112..].iter().all(|byte| *byte == 0));

    assert!(cpuid_page(&vec![leaf(1, 0); 64]).is_ok());
    let error = cpuid_page(&vec![leaf(1, 0); 65]).unwrap_err();
    assert_eq!(error.to_string(), "65 CPUID values; 64 can be");
}

#[test]
fn a_guest_shares_and_takes_back_pages_that_it_has() {
    let shared = |range| Some(Conversion { range, private: false });
    let private = |range| Some(Conversion { range, private: true });
    let call = |address, pages, how| of_hypercall([address, pages, how, 0, 0, 0], MEMORY);
    assert_eq!(call(0x20_0000, 512, 1), shared(0x20_0000..0x40_0000));
    assert_eq!(call(0x20_0000, 1, 0x10), private(0x20_0000..0x20_1000));
    assert_eq!(call(MEMORY - 4096, 1, 0), shared(MEMORY - 4096..MEMORY));
    for wrong in [
        (0x20_0001, 1, 0),
        (0x20_0000, 0, 0),
        (0x20_0000, 1, 0x20),
        (MEMORY, 1, 0),
        (MEMORY - 4096, 2, 0),
        (0, u64::MAX, 0),
        (u64::MAX - 4095, 1, 0),
        (u64::MAX - 4095, 2, 0),
        (0xfeb0_0000, 1, 0),
    ] {
        assert_eq!(call(wrong.0, wrong.1, wrong.2), None, "{wrong:x?}");
    }
    assert_eq!(of_fault(8, 0x1000, 4096, MEMORY), private(0x1000..0x2000));
    assert_eq!(of_fault(0, 0x1000, 4096, MEMORY), shared(0x1000..0x2000));
    for (flags, address, size) in [(1, 0x1000, 4096), (8, 0x1000, 100), (8, MEMORY, 4096)] {
        assert_eq!(of_fault(flags, address, size, MEMORY), None);
    }
    let attributes = shared(0x1000..0x3000).unwrap().attributes();
    assert_eq!((attributes.address, attributes.size, attributes.attributes), (0x1000, 0x2000, 0));
    assert_eq!(private(0x1000..0x3000).unwrap().attributes().attributes, 8);
}
