// SPDX-License-Identifier: Apache-2.0

//! Names, addresses, proxies and templates: any text is read or refused, and what is read has one form.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod entry;

use proptest::prelude::*;

proptest! {
    #[test]
    fn any_text(text in "\\PC{0,300}") {
        for parse in [entry::what, entry::url, entry::proxy, entry::template] {
            parse(&text);
        }
    }

    #[test]
    fn text_that_looks_like_a_name(
        text in "(amd|intel)/(milan|genoa|turin|sgx|tdx|pck-crl|root-crl)(/(vcek|vcek-crl|vlek-authorities|tcb-info|qe-identity|platform)(/[0-9a-fA-F]{0,20}(/(fmc=1,)?bootloader=[0-9]{1,4},tee=0,snp=2,microcode=3)?)?)?"
    ) {
        entry::what(&text);
    }

    #[test]
    fn text_that_looks_like_an_address(
        text in "(https?|HTTP|ftp)://([a-zA-Z0-9.-]{0,12}@)?(\\[[0-9a-f:]{0,9}\\]|[a-zA-Z0-9.%-]{0,12})(:[0-9]{0,6})?(/[\\x21-\\x7e]{0,20})?"
    ) {
        for parse in [entry::url, entry::proxy] {
            parse(&text);
        }
    }

    #[test]
    fn text_that_looks_like_a_template(text in "https?://host/[a-z/]{0,5}(\\{(what|path|hwid|who|)\\}?[a-z{}]{0,3}){0,3}") {
        entry::template(&text);
    }

    #[test]
    fn bytes_that_look_like_a_bundle(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
        entry::bundle(&tail);
        entry::bundle(&[b"\xa3\x00\x70enarx collateral\x01\x01\x02".as_slice(), &tail].concat());
    }
}
