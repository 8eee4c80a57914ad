// SPDX-License-Identifier: Apache-2.0

//! Tables of cases for policies. What is refused is refused at a place in the text.
#![no_main]

#[path = "../../relying/cli/src/policy/test/table/syntax.rs"]
#[allow(dead_code, reason = "what cases mean is understood elsewhere")]
mod syntax;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(misplaced) = syntax::read(text) {
        assert!(text.get(misplaced.offset..).is_some());
    }
});
