// SPDX-License-Identifier: Apache-2.0

//! Everything that verifiers without a network need, in one file.
//!
//! One deterministic CBOR map (RFC 8949, section 4.2.1), described in `docs/collateral.md`:
//!
//! ```text
//! { 0: "enarx collateral", 1: version, 2: [ item, … ] }
//! item = { 0: what (text), 1: part, 2: source (text), 3: fetched at, 4: valid from, 5: valid until, 6: bytes }
//! ```
//!
//! Items are in the order of `(what, part)`, and none appears twice.

use std::collections::BTreeMap;
use std::convert::Infallible;

use enarx_evidence::{Bundle, Endorsements, Evidence, Fault, ParseError};
use minicbor::{Decoder, Encoder};

use crate::content;
use crate::error::NeedsError;
use crate::item::{self, Item, Part, Validity};
use crate::needs::{candidates, needs};
use crate::what::What;

const FORMAT: &str = "collateral bundle";
const MAGIC: &str = "enarx collateral";
const VERSION: u64 = 1;
/// How every bundle begins: a map of three, the number 0, a text of sixteen bytes.
const START: &[u8] = b"\xa3\x00\x70enarx collateral";

/// A portable file of what vendors say about their hardware, for one platform or many.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OfflineBundle {
    items: BTreeMap<(String, Part), Item>,
}

impl OfflineBundle {
    /// Limit of the number of items: two hundred chips and everything above them.
    pub const MAX_ITEMS: usize = 1024;
    /// Limit of a source's length in bytes.
    pub const MAX_SOURCE: usize = 2048;
    /// Limit of a bundle's length in bytes.
    pub const MAX_BYTES: usize = 16 * 1024 * 1024;

    /// Whether bytes look like a bundle, and so can be neither DER nor PEM nor JSON.
    pub fn looks_like(bytes: &[u8]) -> bool {
        bytes.starts_with(START)
    }

    /// Adds an item; of two that say the same, the one that is valid longer stays. `false` if the bundle is full.
    pub fn add(&mut self, item: Item) -> bool {
        let key = (item.what.to_string(), item.part);
        let newer =
            |known: &Item| (known.validity.until, known.fetched_at) < (item.validity.until, item.fetched_at);
        match self.items.get(&key) {
            Some(known) if !newer(known) => true,
            None if self.items.len() >= Self::MAX_ITEMS => false,
            _ => {
                self.items.insert(key, item);
                true
            }
        }
    }

    /// All items, in order.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    /// The items that are valid at a time, in seconds since 1970.
    #[must_use]
    pub fn valid_at(&self, time: u64) -> Self {
        let valid = self.items.iter().filter(|(_, item)| item.validity.contains(time));
        Self { items: valid.map(|(key, item)| (key.clone(), item.clone())).collect() }
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The parts of one answer; empty if it is not there.
    pub fn find(&self, what: &What) -> Vec<&Item> {
        let name = what.to_string();
        let part = |part| self.items.get(&(name.clone(), part));
        let Some(answer) = part(Part::Answer) else { return Vec::new() };
        std::iter::once(answer).chain(part(Part::Issuers)).collect()
    }

    /// All documents, to be given to a verifier. A bundle for more than a few platforms has more of them than a
    /// verifier reads; then [`OfflineBundle::endorsements_for`] chooses.
    pub fn endorsements(&self) -> Endorsements {
        item::endorsements(self.items.values())
    }

    /// The documents that some evidence needs, as far as they are there; whether they are still valid, the
    /// verifier says at the time for which it is asked.
    pub fn endorsements_for(&self, evidence: &Evidence) -> Result<Endorsements, NeedsError> {
        let wanted = match needs(evidence, &Endorsements::default(), None) {
            Ok(needs) => needs.wanted,
            Err(NeedsError::ProductUnknown) => self.known_product(evidence)?,
            Err(error) => return Err(error),
        };
        Ok(item::endorsements(wanted.iter().flat_map(|what| self.find(what))))
    }

    /// What a report of an unknown product needs, if its chip is in the bundle.
    fn known_product(&self, evidence: &Evidence) -> Result<Vec<What>, NeedsError> {
        for generation in candidates(evidence) {
            let needs = needs(evidence, &Endorsements::default(), Some(*generation))?;
            if needs.wanted.first().is_some_and(|chip| !self.find(chip).is_empty()) {
                return Ok(needs.wanted);
            }
        }
        Err(NeedsError::ProductUnknown)
    }

    /// The bundle as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new());
        let written = self.encode_to(&mut encoder);
        debug_assert!(written.is_ok(), "a vector takes every byte");
        encoder.into_writer()
    }

    fn encode_to(&self, out: &mut Encoder<Vec<u8>>) -> Result<(), minicbor::encode::Error<Infallible>> {
        out.map(3)?.u8(0)?.str(MAGIC)?.u8(1)?.u64(VERSION)?;
        out.u8(2)?.array(self.items.len() as u64)?;
        for ((what, part), item) in &self.items {
            out.map(7)?.u8(0)?.str(what)?.u8(1)?.u8(part.number())?.u8(2)?.str(&item.source)?;
            out.u8(3)?.u64(item.fetched_at)?.u8(4)?.u64(item.validity.from)?;
            out.u8(5)?.u64(item.validity.until)?.u8(6)?.bytes(&item.bytes)?;
        }
        Ok(())
    }

    /// Reads a bundle; the inverse of [`OfflineBundle::encode`], and of nothing else. Each document must be what
    /// it is said to be and valid for the time that is said, so that what is shown of a bundle is what is in it.
    pub fn decode(bytes: &[u8]) -> Result<Self, ParseError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(error("bundle", 0, Fault::TooLarge { limit: Self::MAX_BYTES }));
        }
        let mut input = Input { decoder: Decoder::new(bytes) };
        let bundle = input.bundle()?;
        let end = input.decoder.position();
        match bytes.len().saturating_sub(end) {
            // CBOR has several encodings of one number, and only the shortest is deterministic.
            0 if bundle.encode() == bytes => Ok(bundle),
            0 => Err(error("bundle", 0, Fault::Malformed)),
            count => Err(error("end", end, Fault::Trailing { count })),
        }
    }
}

impl Part {
    const fn number(self) -> u8 {
        match self {
            Self::Answer => 0,
            Self::Issuers => 1,
        }
    }
}

/// CBOR input with this format's names in its errors.
struct Input<'a> {
    decoder: Decoder<'a>,
}

impl<'a> Input<'a> {
    fn bundle(&mut self) -> Result<OfflineBundle, ParseError> {
        self.map("bundle", 3)?;
        self.key("magic", 0)?;
        if self.read("magic", Decoder::str)? != MAGIC {
            return Err(error("magic", 0, Fault::Malformed));
        }
        self.key("version", 1)?;
        let at = self.decoder.position();
        match self.read("version", Decoder::u64)? {
            VERSION => {}
            found => return Err(error("version", at, Fault::Unsupported { found })),
        }
        self.key("items", 2)?;
        let at = self.decoder.position();
        let count =
            self.read("items", Decoder::array)?.ok_or_else(|| error("items", at, Fault::Malformed))?;
        if count > OfflineBundle::MAX_ITEMS as u64 {
            return Err(error("items", at, Fault::TooLarge { limit: OfflineBundle::MAX_ITEMS }));
        }
        let mut items = BTreeMap::new();
        for _ in 0..count {
            let at = self.decoder.position();
            let item = self.item()?;
            let key = (item.what.to_string(), item.part);
            match items.last_key_value() {
                Some((last, _)) if *last == key => return Err(error("item", at, Fault::Duplicate)),
                Some((last, _)) if *last > key => return Err(error("item", at, Fault::Malformed)),
                _ => items.insert(key, item),
            };
        }
        Ok(OfflineBundle { items })
    }

    fn item(&mut self) -> Result<Item, ParseError> {
        self.map("item", 7)?;
        self.key("what", 0)?;
        let at = self.decoder.position();
        let name = self.text("what", What::MAX_NAME)?;
        let what: What = name.parse().map_err(|_| error("what", at, Fault::Malformed))?;
        self.key("part", 1)?;
        let at = self.decoder.position();
        let part = match self.read("part", Decoder::u64)? {
            0 => Part::Answer,
            1 => Part::Issuers,
            found => return Err(error("part", at, Fault::Unsupported { found })),
        };
        self.key("source", 2)?;
        let source = self.text("source", OfflineBundle::MAX_SOURCE)?.to_owned();
        self.key("fetched at", 3)?;
        let fetched_at = self.read("fetched at", Decoder::u64)?;
        let validity = self.validity()?;
        self.key("bytes", 6)?;
        let at = self.decoder.position();
        let bytes = self.read("bytes", Decoder::bytes)?;
        if bytes.len() > Bundle::MAX_ENDORSEMENT {
            return Err(error("bytes", at, Fault::TooLarge { limit: Bundle::MAX_ENDORSEMENT }));
        }
        if content::check(&what, part, bytes) != Ok(validity) {
            return Err(error("bytes", at, Fault::Malformed));
        }
        Ok(Item { what, part, source, fetched_at, validity, bytes: bytes.to_vec() })
    }

    fn validity(&mut self) -> Result<Validity, ParseError> {
        self.key("valid from", 4)?;
        let from = self.read("valid from", Decoder::u64)?;
        self.key("valid until", 5)?;
        Ok(Validity { from, until: self.read("valid until", Decoder::u64)? })
    }

    /// A text that can be shown on a terminal.
    fn text(&mut self, field: &'static str, limit: usize) -> Result<&'a str, ParseError> {
        let at = self.decoder.position();
        let text = self.read(field, Decoder::str)?;
        if text.len() > limit {
            return Err(error(field, at, Fault::TooLarge { limit }));
        }
        if text.chars().any(char::is_control) { Err(error(field, at, Fault::Malformed)) } else { Ok(text) }
    }

    fn map(&mut self, field: &'static str, entries: u64) -> Result<(), ParseError> {
        let at = self.decoder.position();
        let found = self.read(field, Decoder::map)?;
        if found == Some(entries) { Ok(()) } else { Err(error(field, at, Fault::Malformed)) }
    }

    fn key(&mut self, field: &'static str, key: u8) -> Result<(), ParseError> {
        let at = self.decoder.position();
        if self.read(field, Decoder::u8)? == key { Ok(()) } else { Err(error(field, at, Fault::Malformed)) }
    }

    fn read<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&mut Decoder<'a>) -> Result<T, minicbor::decode::Error>,
    ) -> Result<T, ParseError> {
        let at = self.decoder.position();
        read(&mut self.decoder).map_err(|cause| {
            let fault = if cause.is_end_of_input() { Fault::Truncated } else { Fault::Malformed };
            error(field, at, fault)
        })
    }
}

fn error(field: &'static str, offset: usize, fault: Fault) -> ParseError {
    ParseError { format: FORMAT, field, offset, fault }
}
