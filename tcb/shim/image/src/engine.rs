// SPDX-License-Identifier: Apache-2.0

//! What wasmtime asks of a machine without an operating system: a place for one pointer, memory that becomes executable,
//! stacks with a guard page.

use alloc::alloc::{Layout, alloc, dealloc};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::ops::Range;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use wasmtime::{Config, CustomCodeMemory, Error, StackCreator, StackMemory};

use crate::paging::{Rights, protect};
use crate::processor;

const PAGE: usize = 4096;

/// wasmtime's pointer of the one thread there is.
static POINTER: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

#[unsafe(no_mangle)]
extern "C" fn wasmtime_tls_get(_slot: usize) -> *mut u8 {
    POINTER.load(Ordering::Relaxed)
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_tls_set(_slot: usize, pointer: *mut u8) {
    POINTER.store(pointer, Ordering::Relaxed);
}

/// Adds what this machine vouches for.
pub(crate) fn configure(config: &mut Config) {
    // SAFETY: the function says of a feature that it is there only if the CPU announces it and its registers are on.
    unsafe { config.detect_host_feature(processor::has_feature) };
    config.with_custom_code_memory(Some(Arc::new(CodePages)));
    config.with_host_stack(Arc::new(GuardedStacks));
}

/// Compiled code stands in the heap, in pages of its own that cannot be written while they can be executed.
struct CodePages;

impl CustomCodeMemory for CodePages {
    fn required_alignment(&self) -> usize {
        PAGE
    }

    fn publish_executable(&self, start: *const u8, len: usize) -> Result<(), Error> {
        protect(&pages(start, len), Rights::Code);
        Ok(())
    }

    fn unpublish_executable(&self, start: *const u8, len: usize) -> Result<(), Error> {
        protect(&pages(start, len), Rights::Data);
        Ok(())
    }
}

fn pages(start: *const u8, len: usize) -> Range<u64> {
    let start = start as u64;
    start..start + len.next_multiple_of(PAGE) as u64
}

/// Makes stacks for workloads.
struct GuardedStacks;

// SAFETY: the stacks are page-aligned memory of their own of the size that was asked for, with a page below that is
// mapped nowhere.
unsafe impl StackCreator for GuardedStacks {
    fn new_stack(&self, size: usize, zeroed: bool) -> Result<Box<dyn StackMemory>, Error> {
        let size = size.checked_next_multiple_of(PAGE).filter(|size| *size < 1 << 40);
        let whole = size.and_then(|size| Layout::from_size_align(size + PAGE, PAGE).ok());
        let whole = whole.ok_or_else(|| Error::msg("the stack is too large"))?;
        // SAFETY: the size is not zero.
        let base = unsafe { alloc(whole) };
        if base.is_null() {
            return Err(Error::msg("no memory is left for a stack"));
        }
        if zeroed {
            // SAFETY: this memory was just given to us, all of it.
            unsafe { base.write_bytes(0, whole.size()) };
        }
        protect(&pages(base, PAGE), Rights::None);
        Ok(Box::new(GuardedStack { base: base as usize, whole }))
    }
}

/// One stack and the page below it.
struct GuardedStack {
    base: usize,
    whole: Layout,
}

// SAFETY: as for the creator.
unsafe impl StackMemory for GuardedStack {
    fn top(&self) -> *mut u8 {
        (self.base + self.whole.size()) as *mut u8
    }

    fn range(&self) -> Range<usize> {
        self.base + PAGE..self.base + self.whole.size()
    }

    fn guard_range(&self) -> Range<*mut u8> {
        self.base as *mut u8..(self.base + PAGE) as *mut u8
    }
}

impl Drop for GuardedStack {
    fn drop(&mut self) {
        let base = self.base as *mut u8;
        protect(&pages(base, PAGE), Rights::Data);
        // SAFETY: this memory was given to us with this layout, and nobody runs on the stack any more.
        unsafe { dealloc(base, self.whole) };
    }
}
