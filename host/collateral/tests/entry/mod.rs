// SPDX-License-Identifier: Apache-2.0

//! One entry for each parser: any bytes are refused, or read and written back as they were. Property tests and
//! fuzz targets (`fuzz/`) run the same functions.
#![allow(dead_code, reason = "each fuzz target uses one")]

use enarx_collateral::{OfflineBundle, Proxy, Template, Url, What};

pub(crate) fn bundle(bytes: &[u8]) {
    if let Ok(bundle) = OfflineBundle::decode(bytes) {
        assert_eq!(bundle.encode(), bytes);
        assert!(OfflineBundle::looks_like(bytes));
    }
}

pub(crate) fn what(text: &str) {
    if let Ok(what) = text.parse::<What>() {
        assert_eq!(what.to_string(), text);
    }
}

pub(crate) fn url(text: &str) {
    if let Ok(url) = text.parse::<Url>() {
        let again = url.to_string().parse::<Url>();
        assert_eq!(again.as_ref(), Ok(&url));
    }
}

pub(crate) fn proxy(text: &str) {
    if let Ok(proxy) = Proxy::parse(text) {
        assert!(format!("{proxy:?}").contains("Proxy"));
    }
}

pub(crate) fn template(text: &str) {
    if let Ok(template) = text.parse::<Template>() {
        assert!(text.contains('{'), "{template:?}");
    }
}
