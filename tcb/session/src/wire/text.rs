// SPDX-License-Identifier: Apache-2.0

//! Texts and bytes of bounded length: what this end sends is cut to fit, what it receives is refused if it does not.

use alloc::string::String;

use minicbor::decode::{Decoder, Error};

use super::PATH_LIMIT;

/// `text` cut to at most `limit` bytes at a character boundary.
pub(super) fn cut(text: &mut String, limit: usize) {
    if text.len() > limit {
        let mut end = limit;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
}

/// Whether a path stays where it is put: relative, of plain components only, and without a character that is a
/// separator or a terminator somewhere.
pub(super) fn path_is_clean(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= PATH_LIMIT
        && !path.contains(['\0', '\\'])
        && path.split('/').all(|component| !matches!(component, "" | "." | ".."))
}

/// For `#[cbor(decode_with)]`: a path that [`path_is_clean`].
pub(super) fn decode_path<C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<String, Error> {
    let path = decoder.str()?;
    if path_is_clean(path) {
        Ok(path.into())
    } else {
        Err(Error::message("a path that is not a clean relative one"))
    }
}
