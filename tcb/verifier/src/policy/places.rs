// SPDX-License-Identifier: Apache-2.0

//! Where each entry of a policy stands, by its path, such as `guest.debug`. Rules know their places themselves.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::place::{Place, Source};

/// Places by paths.
pub(super) type Places = BTreeMap<String, Place>;

/// How deep tables are: `minimum_tcb.turin.launch.snp`.
const DEPTH: usize = 4;

/// The places of all entries of a document.
pub(super) fn of(source: &Arc<Source>, document: &DeTable<'_>) -> Places {
    let mut places = Places::new();
    add(source, document, "", DEPTH, &mut places);
    places
}

fn add(source: &Arc<Source>, table: &DeTable<'_>, path: &str, depth: usize, places: &mut Places) {
    let Some(below) = depth.checked_sub(1) else { return };
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        if let DeValue::Table(inner) = value.get_ref() {
            add(source, inner, &path, below, places);
        }
        places.insert(path, source.at(key.span().start));
    }
}
