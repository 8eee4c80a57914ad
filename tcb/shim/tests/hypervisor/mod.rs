// SPDX-License-Identifier: Apache-2.0

//! A hypervisor and a secure processor that hold a guest to the specifications: what a guest must not do fails the test. What
//! they themselves say can be changed on its way, to see whether the guest notices.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this")]

pub mod ghcb;
pub mod processor;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use enarx_shim::snp::guest::{Guest, StartError};
use enarx_shim::snp::pages::{Size, Validated};
use enarx_shim::snp::{Frame, Machine};

pub const SHARED: u64 = 0x80_0000;
pub const PRIVATE_BIT: u8 = 51;
pub const PAGE: u64 = 4096;

/// What the reverse map table says about a page of 4 KiB (APM, section 15.36.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rmp {
    pub assigned: bool,
    pub validated: bool,
    /// Part of a large page
    pub large: bool,
}

type Change<T> = Option<Box<dyn FnMut(u64, T) -> T>>;

#[derive(Default)]
pub struct World {
    pub rmp: BTreeMap<u64, Rmp>,
    pub shared: Vec<u8>,
    /// Where the guest sees the shared pages
    pub mapped: Option<u64>,
    pub registered: Option<u64>,
    pub msrs: BTreeMap<u32, u64>,
    pub device: BTreeMap<u64, u8>,
    /// Every MSR value that came, every exit code
    pub heard: Vec<u64>,
    pub exits: Vec<u64>,
    /// Large pages are kept as small ones, as a hypervisor without large pages does
    pub only_small: bool,
    /// Entries of a page state change that are done at a time
    pub at_a_time: usize,
    /// Changes an answer of the MSR protocol: what was asked, and the honest answer
    pub change_msr: Change<u64>,
    /// Changes the GHCB on its way back: the exit code and the page
    pub change_ghcb: Change<Vec<u8>>,
    /// Changes what PVALIDATE finds: the address, and the honest finding
    pub change_validated: Change<Validated>,
    /// How often the hypervisor says that it is busy
    pub busy: u32,
    pub certificates: Vec<u8>,
    pub processor: processor::SecureProcessor,
    pub reads: RefCell<BTreeMap<usize, u32>>,
}

#[derive(Clone)]
pub struct Hypervisor(pub Rc<RefCell<World>>);

impl std::fmt::Debug for Hypervisor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a hypervisor")
    }
}

impl Hypervisor {
    pub fn new() -> Self {
        let world = World { shared: vec![0xa5; 512 * 4096], at_a_time: usize::MAX, ..World::default() };
        Self(Rc::new(RefCell::new(world)))
    }

    pub fn start(&self) -> Result<Guest<Self>, StartError> {
        Guest::start(self.clone(), Frame::at(SHARED).unwrap(), PRIVATE_BIT)
    }

    pub fn change<R>(&self, change: impl FnOnce(&mut World) -> R) -> R {
        change(&mut self.0.borrow_mut())
    }
}

impl Machine for Hypervisor {
    fn vmgexit(&mut self, value: u64) -> u64 {
        let world = &mut *self.0.borrow_mut();
        world.heard.push(value);
        if value & 0xfff == 0 {
            ghcb::exit(world, value);
            return value;
        }
        let answer = world.answer(value);
        match &mut world.change_msr {
            Some(change) => change(value, answer),
            None => answer,
        }
    }

    fn map_shared(&mut self, first: Frame) {
        let world = &mut *self.0.borrow_mut();
        assert_eq!(world.mapped.replace(first.address()), None, "mapped twice");
    }

    fn write_shared(&mut self, offset: usize, bytes: &[u8]) {
        let world = &mut *self.0.borrow_mut();
        world.check_access(offset, bytes.len());
        world.shared[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn read_shared(&self, offset: usize, bytes: &mut [u8]) {
        let world = self.0.borrow();
        world.check_access(offset, bytes.len());
        *world.reads.borrow_mut().entry(offset).or_default() += 1;
        bytes.copy_from_slice(&world.shared[offset..offset + bytes.len()]);
    }

    fn pvalidate(&mut self, address: u64, size: Size) -> Validated {
        let world = &mut *self.0.borrow_mut();
        let honest = world.validate(address, size);
        match &mut world.change_validated {
            Some(change) => change(address, honest),
            None => honest,
        }
    }
}

impl World {
    fn check_access(&self, offset: usize, length: usize) {
        let mapped = self.mapped.expect("shared pages are used before they are mapped");
        assert!(offset + length <= self.shared.len(), "beyond the shared pages");
        let first = mapped + offset as u64;
        for page in (first - first % PAGE..first + length as u64).step_by(PAGE as usize) {
            let rmp = self.rmp.get(&page);
            assert!(rmp.is_some_and(|rmp| !rmp.assigned), "{page:#x} was not made shared");
        }
    }

    /// 56421, section 2.3.1. Bits that mean nothing must be zero.
    fn answer(&mut self, value: u64) -> u64 {
        match value & 0xfff {
            0x002 => {
                assert_eq!(value, 0x002);
                2 << 48 | 1 << 32 | u64::from(PRIVATE_BIT) << 24 | 0x001
            }
            0x080 => {
                assert_eq!(value, 0x080);
                0b11 << 12 | 0x081
            }
            0x012 => {
                let page = value & !0xfff;
                let rmp = self.rmp.get(&page);
                assert!(rmp.is_some_and(|rmp| !rmp.assigned), "a GHCB that is not shared");
                self.registered = Some(page);
                page | 0x013
            }
            0x014 => {
                assert_eq!(value >> 56, 0);
                self.set_page(value & 0x000f_ffff_ffff_f000, value >> 52 & 0xf, false);
                0x015
            }
            other => panic!("the guest said {other:#x}, which is not in the protocol"),
        }
    }

    /// A page state change, of a page that is none of the guest's valid ones.
    pub fn set_page(&mut self, address: u64, operation: u64, large: bool) {
        let assigned = match operation {
            1 => true,
            2 => false,
            other => panic!("no page state {other}"),
        };
        let pages = if large { 512 } else { 1 };
        assert!(address.is_multiple_of(pages * PAGE));
        for page in (0..pages).map(|index| address + index * PAGE) {
            let before =
                self.rmp.insert(page, Rmp { assigned, validated: false, large: large && !self.only_small });
            assert!(before.is_none_or(|rmp| !rmp.validated), "{page:#x} is changed while it is valid");
        }
    }

    /// APM volume 3, PVALIDATE.
    fn validate(&mut self, address: u64, size: Size) -> Validated {
        let pages = if size == Size::Large { 512 } else { 1 };
        assert!(address.is_multiple_of(pages * PAGE));
        let first = *self.rmp.get(&address).expect("PVALIDATE of a page that was never made private");
        assert!(first.assigned, "PVALIDATE of a shared page");
        if first.large != (size == Size::Large) {
            return Validated { code: 6, unchanged: false };
        }
        let unchanged = first.validated;
        for page in (0..pages).map(|index| address + index * PAGE) {
            let rmp = self.rmp.get_mut(&page).expect("a hole in a large page");
            assert!(rmp.assigned);
            rmp.validated = true;
        }
        Validated { code: 0, unchanged }
    }
}
