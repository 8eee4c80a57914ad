// SPDX-License-Identifier: Apache-2.0

//! The page of CPUID values that the firmware checks, so that a guest need not believe its hypervisor (AMD publication
//! 56860, `CPUID_FUNCTION` and "CPUID page").

use std::io;

use kvm_bindings::kvm_cpuid_entry2;

use super::Bytes;

/// Most values in the page.
const MAX: usize = 64;
/// Where the first one is, behind how many there are.
const FIRST: usize = 16;
/// The leaf about state that is saved together.
const XSAVE: u32 = 0xd;
/// Bytes of that with nothing but what every processor has: the legacy region and the header.
const XSAVE_SIZE: u32 = 0x240;

/// The page with what KVM tells a guest. What hypervisors say about themselves is left out: no firmware can check it.
pub(in crate::kvm) fn page(entries: &[kvm_cpuid_entry2]) -> io::Result<Bytes> {
    let known = |entry: &&kvm_cpuid_entry2| !(0x4000_0000..0x8000_0000).contains(&entry.function);
    let values: Vec<_> = entries.iter().filter(known).map(encode).collect();
    if values.len() > MAX {
        return Err(io::Error::other(format!("{} CPUID values; {MAX} can be", values.len())));
    }
    let mut page = [0; 4096];
    let count = u32::try_from(values.len()).unwrap_or_default().to_le_bytes();
    page.iter_mut().zip(count).for_each(|(to, from)| *to = from);
    page.iter_mut().skip(FIRST).zip(values.iter().flatten()).for_each(|(to, from)| *to = *from);
    Ok(page)
}

/// `CPUID_FUNCTION`: leaf, subleaf, XCR0, XSS, the four registers, and what is reserved.
fn encode(entry: &kvm_cpuid_entry2) -> [u8; 48] {
    let kvm_cpuid_entry2 { function, index, eax, mut ebx, ecx, edx, .. } = *entry;
    let mut xcr0 = 0;
    if function == XSAVE && index <= 1 {
        // As in the state in which processors start, in which the firmware checks it.
        (ebx, xcr0) = (XSAVE_SIZE, 1);
    }
    let words = [function, index, xcr0, 0, 0, 0, eax, ebx, ecx, edx, 0, 0];
    let mut value = [0; 48];
    value.iter_mut().zip(words.iter().flat_map(|word| word.to_le_bytes())).for_each(|(to, from)| *to = from);
    value
}
