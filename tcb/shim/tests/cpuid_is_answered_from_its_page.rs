// SPDX-License-Identifier: Apache-2.0

//! What the CPU has is what the firmware let into the CPUID page; the page is understood wholly or the Keep does not start.

use enarx_shim::snp::cpuid::{Answer, CpuidError, MAX_ENTRIES, State, Table, USED};
use enarx_shim::snp::exception::{self, Unexpected};
use proptest::prelude::*;

const STATE: State = State { osxsave: true, xcr0: 7, xss: 0 };

/// One entry: leaf, subleaf, XCR0, answer.
type Entry = (u32, u32, u64, [u32; 4]);

fn entries() -> Vec<Entry> {
    vec![
        (0, 0, 0, [0xd, 1, 2, 3]),
        (1, 0, 0, [1, 2, 1 << 28, 4]),
        (7, 0, 0, [1, 5, 6, 7]),
        (7, 1, 0, [8, 0, 0, 0]),
        (0xd, 0, 1, [7, 576, 832, 0]),
        (0xd, 0, 7, [7, 832, 832, 0]),
        (0x8000_001f, 0, 0, [0b1_1010, 51, 0, 0]),
    ]
}

fn page(entries: &[Entry]) -> Vec<u8> {
    let mut page = vec![0; 4096];
    page[..4].copy_from_slice(&u32::try_from(entries.len()).unwrap().to_le_bytes());
    for (number, (leaf, subleaf, xcr0, answer)) in entries.iter().enumerate() {
        let at = 16 + 48 * number;
        page[at..at + 4].copy_from_slice(&leaf.to_le_bytes());
        page[at + 4..at + 8].copy_from_slice(&subleaf.to_le_bytes());
        page[at + 8..at + 16].copy_from_slice(&xcr0.to_le_bytes());
        for (index, word) in answer.iter().enumerate() {
            page[at + 24 + 4 * index..at + 28 + 4 * index].copy_from_slice(&word.to_le_bytes());
        }
    }
    page
}

fn refusal(change: impl FnOnce(&mut Vec<Entry>)) -> CpuidError {
    let mut entries = entries();
    change(&mut entries);
    Table::parse(&page(&entries)).unwrap_err()
}

fn table() -> Table {
    Table::parse(&page(&entries())).unwrap()
}

fn answer(eax: u32, ebx: u32, ecx: u32, edx: u32) -> Answer {
    Answer { eax, ebx, ecx, edx }
}

#[test]
fn entries_are_found_by_what_the_cpu_looks_at() {
    let table = table();
    assert_eq!(table.private_bit(), 51);
    let ask = |leaf, subleaf| table.answer(leaf, subleaf, &STATE);
    assert_eq!(ask(0, 0), Ok(answer(0xd, 1, 2, 3)));
    // A leaf without subleaves, whatever is in ECX.
    assert_eq!(ask(0, 99), Ok(answer(0xd, 1, 2, 3)));
    assert_eq!(ask(7, 0), Ok(answer(1, 5, 6, 7)));
    assert_eq!(ask(7, 1), Ok(answer(8, 0, 0, 0)));
    // What is not there the CPU does not have.
    assert_eq!(ask(7, 2), Ok(Answer::default()));
    assert_eq!(ask(0x4000_0000, 0), Ok(Answer::default()));
}

#[test]
fn what_depends_on_registers_is_as_they_are() {
    let table = table();
    let with = |osxsave, xcr0| State { osxsave, xcr0, xss: 0 };
    assert_eq!(table.answer(1, 0, &with(false, 1)), Ok(answer(1, 2, 1 << 28, 4)));
    assert_eq!(table.answer(1, 0, &with(true, 1)), Ok(answer(1, 2, 1 << 28 | 1 << 27, 4)));
    assert_eq!(table.answer(0xd, 0, &with(true, 1)), Ok(answer(7, 576, 832, 0)));
    assert_eq!(table.answer(0xd, 0, &with(true, 7)), Ok(answer(7, 832, 832, 0)));
    // No answer is better than a wrong size of memory.
    assert_eq!(table.answer(0xd, 0, &with(true, 3)), Err(CpuidError::Unanswered { leaf: 0xd }));
    assert_eq!(table.answer(0xd, 1, &with(true, 7)), Err(CpuidError::Unanswered { leaf: 0xd }));
    let supervisor = State { xss: 1, ..STATE };
    assert_eq!(table.answer(0xd, 0, &supervisor), Err(CpuidError::Unanswered { leaf: 0xd }));
}

#[test]
fn each_fault_of_a_page_has_its_own_refusal() {
    assert_eq!(refusal(Vec::clear), CpuidError::Count { count: 0 });
    let many = |entries: &mut Vec<Entry>, count: u32| {
        entries.extend((0..count - 7).map(|leaf| (0x100 + leaf, 0, 0, [0; 4])));
    };
    let mut most = entries();
    many(&mut most, 64);
    assert!(Table::parse(&page(&most)).is_ok());
    assert_eq!(refusal(|entries| many(entries, 65)), CpuidError::Count { count: 65 });
    assert_eq!(refusal(|entries| entries.push((7, 1, 0, [0; 4]))), CpuidError::Duplicate { entry: 7 });
    assert_eq!(refusal(|entries| entries.push((0xd, 0, 7, [0; 4]))), CpuidError::Duplicate { entry: 7 });
    // ECX and XCR0 make no difference to these leaves, so they are the same question.
    assert_eq!(refusal(|entries| entries.push((1, 5, 0, [0; 4]))), CpuidError::Duplicate { entry: 7 });
    assert_eq!(refusal(|entries| entries.push((7, 1, 7, [0; 4]))), CpuidError::Duplicate { entry: 7 });
    assert_eq!(refusal(|entries| entries.truncate(6)), CpuidError::NoSnp);
    for encryption in [[0b1010, 51, 0, 0], [0b1_0010, 51, 0, 0], [0b1_1000, 51, 0, 0]] {
        assert_eq!(refusal(|entries| entries[6].3 = encryption), CpuidError::NoSnp);
    }
    for bit in [0, 31, 52, 63] {
        assert_eq!(refusal(|entries| entries[6].3[1] = bit), CpuidError::NoSnp);
    }
    for offset in [4, 8, 15, 16 + 40, 16 + 47] {
        let mut reserved = page(&entries());
        reserved[offset] = 1;
        assert_eq!(Table::parse(&reserved).unwrap_err(), CpuidError::Reserved);
    }
    assert!(Table::parse(&page(&entries())[..USED]).is_ok());
    assert_eq!(Table::parse(&page(&entries())[..USED - 1]).unwrap_err(), CpuidError::Truncated);
    assert_eq!(USED, 16 + MAX_ENTRIES * 48);
}

#[test]
fn only_cpuid_may_be_intercepted() {
    let table = table();
    let raise = |code, instruction| exception::answer(code, instruction, 7, 1, &STATE, &table);
    assert_eq!(raise(0x72, [0x0f, 0xa2]), Ok(answer(8, 0, 0, 0)));
    // RDTSC, I/O, MSR, VMMCALL, WBINVD, a page fault of the nested tables, a page that was not validated.
    for code in [0x6e, 0x7b, 0x7c, 0x81, 0x89, 0x400, 0x404, u64::MAX] {
        assert_eq!(raise(code, [0x0f, 0xa2]), Err(Unexpected::Code { code }));
    }
    // The exception was raised where there is no such instruction.
    assert_eq!(raise(0x72, [0x0f, 0xa3]), Err(Unexpected::Raised));
    assert_eq!(raise(0x72, [0x90, 0x90]), Err(Unexpected::Raised));
    let unanswered = exception::answer(0x72, [0x0f, 0xa2], 0xd, 1, &STATE, &table);
    assert_eq!(unanswered, Err(Unexpected::Cpuid(CpuidError::Unanswered { leaf: 0xd })));
}

proptest! {
    #[test]
    fn any_page_is_read_or_refused_and_read_the_same_way(
        noise in proptest::collection::vec((0_usize..USED, any::<u8>()), 0..24),
        leaf in prop_oneof![any::<u32>(), 0_u32..32],
        subleaf in 0_u32..4,
    ) {
        let mut page = page(&entries());
        for (at, byte) in noise {
            page[at] = byte;
        }
        if let Ok(table) = Table::parse(&page) {
            prop_assert!((32..52).contains(&table.private_bit()));
            prop_assert_eq!(table.answer(leaf, subleaf, &STATE), table.answer(leaf, subleaf, &STATE));
        }
    }
}
