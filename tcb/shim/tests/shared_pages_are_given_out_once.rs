// SPDX-License-Identifier: Apache-2.0

//! The pages that a device may see are given out once at a time, and never those of the GHCB.

use std::collections::BTreeSet;

use enarx_shim::snp::SHARED_PAGES;
use enarx_shim::snp::pool::{PAGES, Pool};
use proptest::prelude::*;

#[test]
fn pages_are_given_out_until_there_are_none() {
    let mut pool = Pool::new();
    assert_eq!(pool.take(0), None);
    assert_eq!(pool.take(PAGES + 1), None);
    assert_eq!(pool.take(u64::MAX), None);
    assert_eq!(pool.take(PAGES), Some(64));
    assert_eq!(pool.take(1), None);
    assert!(!pool.give_back(63, 1), "the pages before are not the device's");
    assert!(!pool.give_back(64, PAGES + 1));
    assert!(!pool.give_back(65, u64::MAX));
    assert!(pool.give_back(70, 2));
    assert!(!pool.give_back(70, 2), "they are free already");
    assert!(!pool.give_back(69, 2), "one of them is free already");
    assert_eq!(pool.take(3), None);
    assert_eq!(pool.take(2), Some(70));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_page_has_two_owners(steps in proptest::collection::vec((1_u64..40, any::<bool>()), 1..120)) {
        let mut pool = Pool::new();
        let mut held: Vec<(u64, u64)> = Vec::new();
        for (count, give) in steps {
            if give && !held.is_empty() {
                let (first, count) = held.swap_remove(usize::try_from(count).unwrap() % held.len());
                prop_assert!(pool.give_back(first, count));
            } else if let Some(first) = pool.take(count) {
                held.push((first, count));
            }
            let pages: Vec<_> = held.iter().flat_map(|(first, count)| *first..first + count).collect();
            prop_assert!(pages.iter().all(|page| (64..SHARED_PAGES).contains(page)));
            prop_assert_eq!(pages.iter().collect::<BTreeSet<_>>().len(), pages.len());
        }
    }
}
