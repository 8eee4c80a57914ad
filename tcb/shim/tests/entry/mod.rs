// SPDX-License-Identifier: Apache-2.0

//! What a hypervisor, or the firmware of SEV-SNP through it, hands over: any bytes are understood or refused. Property
//! tests and fuzz targets (`fuzz/`) run the same functions.

#![allow(dead_code, reason = "each fuzz target uses one")]

use std::ops::Range;

use enarx_shim::machine::layout::{Layout, PAGE};
use enarx_shim::machine::start_info::{MAX_COMMAND_LINE, PhysicalMemory, REACHABLE, StartInfo};
use enarx_shim::snp::cpuid::{State, Table};
use enarx_shim::snp::guest::Guest;
use enarx_shim::snp::message::{HEADER, Kind, LEN, Talk};
use enarx_shim::snp::pages::{Ledger, Size, Validated};
use enarx_shim::snp::request::{read_key, read_report};
use enarx_shim::snp::secrets::{self, Vmpck};
use enarx_shim::snp::{Frame, Machine, msr};

/// Boot data of a machine whose image ends below 5 MiB, from the first byte of its second page on.
pub(crate) fn boot_data(bytes: &[u8]) {
    const START: u64 = 0x1000;
    const IMAGE: Range<u64> = 0x20_0000..0x4c_0000;
    let Ok(info) = StartInfo::read(&Handed { bytes, start: START }, START) else { return };
    assert!(info.command_line().len() <= MAX_COMMAND_LINE && !info.command_line().contains(&0));
    let Ok(layout) = Layout::plan(info.regions(), &IMAGE) else { return };
    for (index, piece) in layout.pieces().iter().enumerate() {
        assert!(piece.start < piece.end && piece.start % PAGE == 0 && piece.end % PAGE == 0);
        assert!(piece.end <= IMAGE.start || IMAGE.end <= piece.start, "the image is given away");
        let others = layout.pieces().iter().skip(index + 1);
        assert!(others.clone().all(|other| other.end <= piece.start || piece.end <= other.start));
        let holds = |start: u64, size: u64| start <= piece.start && piece.end <= start + size;
        assert!(info.regions().iter().any(|region| region.ram && holds(region.start, region.size)));
    }
}

/// Memory in which there are only these bytes.
struct Handed<'a> {
    bytes: &'a [u8],
    start: u64,
}

impl PhysicalMemory for Handed<'_> {
    fn read(&self, address: u64, buffer: &mut [u8]) {
        assert!(address != 0 && address + buffer.len() as u64 <= REACHABLE, "read where nothing is mapped");
        for (at, byte) in (address..).zip(buffer) {
            let offset = at.checked_sub(self.start).and_then(|offset| usize::try_from(offset).ok());
            *byte = offset.and_then(|offset| self.bytes.get(offset).copied()).unwrap_or(0);
        }
    }
}

pub(crate) fn cpuid_page(bytes: &[u8]) {
    if let Ok(table) = Table::parse(bytes) {
        assert!((32..52).contains(&table.private_bit()));
        for leaf in [0, 1, 7, 0xd, 0x8000_001f] {
            let state = State { osxsave: true, xcr0: 7, xss: 0 };
            assert_eq!(table.answer(leaf, 0, &state), table.answer(leaf, 0, &state));
        }
    }
}

pub(crate) fn secrets_page(bytes: &[u8]) {
    let mut page = page::<{ secrets::LEN }>(bytes);
    if Vmpck::take(&mut page).is_ok() {
        assert_eq!(page[0x20..0xa0], [0; 0x80], "keys are left");
    }
}

/// A page as the answer to a request, and the same bytes as what an answer would hold if it were authentic.
pub(crate) fn guest_message(bytes: &[u8]) {
    let mut secrets = [0; secrets::LEN];
    secrets[0] = 3;
    secrets[0x20..0x40].fill(1);
    let Ok(key) = Vmpck::take(&mut secrets) else { return };
    let mut talk = Talk::new(&key);
    let Ok(sealed) = talk.seal(Kind::ReportRequest, Kind::ReportResponse, &[0; 96]) else { return };
    let mut answer = page::<LEN>(bytes);
    assert!(talk.open(&sealed, &mut answer).is_err(), "an answer was forged");
    let answer = page::<LEN>(bytes);
    for length in [0, 3, 0x40, 0x4c0, bytes.len(), usize::MAX] {
        let _ = read_report(&answer[HEADER..], length);
        let _ = read_key(&answer[HEADER..], length);
    }
}

/// A hypervisor that gives these bytes back whatever it is asked, after an honest start.
pub(crate) fn ghcb_reply(bytes: &[u8]) {
    let shared = 0x80_0000;
    let (Some(first), Ok(mut ledger)) = (Frame::at(shared), Ledger::new(&[])) else { return };
    let lies = Lies { bytes, words: 0, exits: 0 };
    let Ok(mut guest) = Guest::start(lies, first, 51) else { return };
    let _ = guest.read_msr(0x1b);
    let _ = guest.write_msr(0x80b, 0);
    let _ = guest.read_device(0xfeb0_0000, &mut [0; 4]);
    let _ = guest.take(&(0x100_0000..0x120_1000), &mut ledger);
    for reply in bytes.as_chunks::<8>().0.iter().take(64) {
        let reply = u64::from_le_bytes(*reply);
        let _ = msr::check_sev_information(reply, 51);
        let _ = msr::check_features(reply);
        assert_eq!(msr::check_page_state(reply).is_ok(), reply == 0x015);
        assert_eq!(msr::check_registered(reply, first).is_ok(), reply == shared | 0x013);
    }
}

struct Lies<'a> {
    bytes: &'a [u8],
    words: u32,
    exits: u32,
}

impl Machine for Lies<'_> {
    fn vmgexit(&mut self, value: u64) -> u64 {
        match value & 0xfff {
            0 => self.exits += 1,
            _ => self.words += 1,
        }
        match value & 0xfff {
            0x002 => 2 << 48 | 1 << 32 | 51 << 24 | 0x001,
            0x080 => 1 << 12 | 0x081,
            0x014 => 0x015,
            0x012 => value | 1,
            _ => value,
        }
    }

    fn map_shared(&mut self, _first: Frame) {}

    fn write_shared(&mut self, _offset: usize, _bytes: &[u8]) {}

    /// Three requests make the shared pages shared: they are answered, the buffer's first bytes say how far they are.
    fn read_shared(&self, offset: usize, bytes: &mut [u8]) {
        bytes.fill(0);
        if self.exits <= 3 {
            let count: u16 = if self.exits < 3 { 253 } else { 5 };
            if let (0x800, [low, high, last_low, last_high, ..]) = (offset, bytes) {
                [*low, *high] = count.to_le_bytes();
                [*last_low, *last_high] = (count - 1).to_le_bytes();
            }
            return;
        }
        let given = self.bytes.get(offset % 0x1000..).unwrap_or_default();
        bytes.iter_mut().zip(given).for_each(|(byte, given)| *byte = *given);
    }

    fn pvalidate(&mut self, address: u64, _size: Size) -> Validated {
        let byte = self.bytes.get(usize::try_from(address >> 12 & 0xfff).unwrap_or(0)).copied().unwrap_or(0);
        Validated { code: u32::from(byte >> 1), unchanged: byte & 1 == 1 }
    }
}

fn page<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut page = [0; N];
    page.iter_mut().zip(bytes).for_each(|(byte, given)| *byte = *given);
    page
}
