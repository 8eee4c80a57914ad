// SPDX-License-Identifier: Apache-2.0

//! One entry for each parser: any bytes are refused, or mean the same when they are written again. Property tests and
//! fuzz targets (`fuzz/`) run the same functions.

#![allow(dead_code, reason = "each fuzz target uses one")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is what is looked for")]

use enarx_package::{Bundle, FileTree, Manifest, digest};

pub(crate) fn workload_bundle(bytes: &[u8]) {
    let Ok(decoded) = Bundle::decode(bytes) else { return };
    let Bundle { program, args, env, stdio, files, limits, code } = decoded;
    let bundle = Bundle { program, args, env, stdio, files, limits, code: bytes[code].to_vec() };
    let again = bundle.encode();
    let code = Bundle::decode(&again).unwrap().code;
    assert_eq!(again[code], bundle.code);
}

pub(crate) fn manifest(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    match Manifest::parse(text) {
        Ok(manifest) => {
            let _ = (manifest.inputs().count(), manifest.check_supported().is_ok());
            let _ = digest(b"", &manifest, &FileTree::default());
        }
        Err(error) => {
            assert!(error.line >= 1 && error.line <= text.split('\n').count());
            assert!(!error.to_string().is_empty());
            let _ = error.hint();
        }
    }
}
