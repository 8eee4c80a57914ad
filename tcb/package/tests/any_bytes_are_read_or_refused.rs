// SPDX-License-Identifier: Apache-2.0

//! No bytes make a parser panic, and what is accepted can be written and read again.

mod entry;

use enarx_package::Manifest;
use proptest::prelude::*;

/// Fragments of manifests, so that random texts come close to real ones.
const FRAGMENTS: &[&str] = &[
    "args",
    "env",
    "[[files]]\n",
    "kind",
    "\"stdin\"",
    "\"listen\"",
    "[[data]]\n",
    "host",
    "guest",
    "\"/a\"",
    "[secrets]\n",
    "[limits]\n",
    "memory",
    "\"1GiB\"",
    "time",
    "\"5s\"",
    "=",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\n",
    "1",
    "-",
    "0x",
    "\"\"",
    "'",
    "\"",
    "\"\"\"",
    "#",
    ".",
    "true",
    "1979-05-27",
    "name",
    "port",
    "prot",
    "program",
    "ü",
    "\\u0000",
    " ",
];

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        entry::manifest(&bytes);
        entry::workload_bundle(&bytes);
    }

    #[test]
    fn almost_manifests(fragments in proptest::collection::vec(prop::sample::select(FRAGMENTS), 0..40)) {
        entry::manifest(fragments.concat().as_bytes());
    }

    #[test]
    fn the_template_with_a_part_replaced(from: prop::sample::Index, length in 0..30_usize, text in ".{0,10}") {
        let template = Manifest::template().replace("\n# ", "\n");
        let mut bytes = template.into_bytes();
        let start = from.index(bytes.len());
        let end = bytes.len().min(start + length);
        bytes.splice(start..end, text.bytes());
        entry::manifest(&bytes);
    }
}
