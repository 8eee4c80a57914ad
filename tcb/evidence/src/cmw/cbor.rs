// SPDX-License-Identifier: Apache-2.0

//! Wrappers in CBOR.

use alloc::vec::Vec;
use core::convert::Infallible;

use minicbor::Encoder;

use super::{COLLECTION_TYPE, Cmw, Collection, FORMAT, Indicator, Kind, Label, Record, Tag};
use crate::cbor::{self, Entries, Reader};
use crate::cose::written;
use crate::{Fault, ParseError};

pub(super) fn parse(bytes: &[u8]) -> Result<Cmw, ParseError> {
    let mut reader = Reader::new(FORMAT, bytes);
    let cmw = read(&mut reader, Cmw::MAX_DEPTH)?;
    reader.finish()?;
    Ok(cmw)
}

fn read(reader: &mut Reader<'_>, depth: u8) -> Result<Cmw, ParseError> {
    if reader.is_map() {
        return collection(reader, depth).map(Cmw::Collection);
    }
    let at = reader.offset();
    if let Some(found) = reader.optional_tag("tag")? {
        let format = Tag::format(found);
        let format = format.ok_or_else(|| reader.error("tag", at, Fault::Unsupported { found }))?;
        let value = reader.bytes("value", Cmw::MAX_BYTES)?.to_vec();
        return Ok(Cmw::Tag(Tag { format, value }));
    }
    record(reader).map(Cmw::Record)
}

fn record(reader: &mut Reader<'_>) -> Result<Record, ParseError> {
    let at = reader.offset();
    let fields = reader.array("record", 3)?;
    if fields < 2 {
        return Err(reader.error("record", at, Fault::Malformed));
    }
    let kind = kind(reader)?;
    let value = reader.bytes("value", Cmw::MAX_BYTES)?.to_vec();
    let indicator = if fields == 3 { Some(indicator(reader)?) } else { None };
    Ok(Record { kind, value, indicator })
}

fn kind(reader: &mut Reader<'_>) -> Result<Kind, ParseError> {
    let at = reader.offset();
    let malformed = reader.error("type", at, Fault::Malformed);
    if reader.is_text() {
        let text = reader.text("type", Cmw::MAX_TEXT)?;
        return if Kind::is_media_type(text) { Ok(Kind::MediaType(text.into())) } else { Err(malformed) };
    }
    u16::try_from(reader.unsigned("type")?).map(Kind::ContentFormat).map_err(|_| malformed)
}

fn indicator(reader: &mut Reader<'_>) -> Result<Indicator, ParseError> {
    let at = reader.offset();
    let found = reader.unsigned("ind")?;
    let bits = u32::try_from(found).ok().filter(|bits| *bits != 0);
    bits.map(Indicator).ok_or_else(|| reader.error("ind", at, Fault::Unsupported { found }))
}

fn collection(reader: &mut Reader<'_>, depth: u8) -> Result<Collection, ParseError> {
    let at = reader.offset();
    let limit = usize::from(Cmw::MAX_DEPTH);
    let depth =
        depth.checked_sub(1).ok_or_else(|| reader.error("collection", at, Fault::TooLarge { limit }))?;
    // One more for the type of the collection.
    let mut entries = reader.map("collection", Cmw::MAX_ITEMS.saturating_add(1))?;
    let (mut kind, mut items) = (None, Vec::new());
    while let Some(label) = label(reader, &mut entries)? {
        match label {
            Label::Text(text) if text == COLLECTION_TYPE => {
                kind = Some(reader.text(COLLECTION_TYPE, Cmw::MAX_TEXT)?.into());
            }
            label => items.push((label, read(reader, depth)?)),
        }
    }
    if items.is_empty() {
        Err(reader.error("collection", at, Fault::Missing))
    } else if items.len() > Cmw::MAX_ITEMS {
        Err(reader.error("collection", at, Fault::TooLarge { limit: Cmw::MAX_ITEMS }))
    } else {
        Ok(Collection { kind, items })
    }
}

fn label<'a>(reader: &mut Reader<'a>, entries: &mut Entries<'a>) -> Result<Option<Label>, ParseError> {
    let at = reader.offset();
    Ok(match reader.label(entries, "label")? {
        None => None,
        Some(cbor::Label::Int(number)) => Some(Label::Int(number)),
        Some(cbor::Label::Text(text)) if text.len() <= Cmw::MAX_TEXT => Some(Label::Text(text.into())),
        Some(cbor::Label::Text(_)) => {
            return Err(reader.error("label", at, Fault::TooLarge { limit: Cmw::MAX_TEXT }));
        }
    })
}

pub(super) fn encode(cmw: &Cmw) -> Vec<u8> {
    written(|encoder| write(cmw, encoder))
}

fn write(cmw: &Cmw, encoder: &mut Encoder<Vec<u8>>) -> Result<(), minicbor::encode::Error<Infallible>> {
    match cmw {
        Cmw::Record(record) => {
            encoder.array(if record.indicator.is_some() { 3 } else { 2 })?;
            match &record.kind {
                Kind::MediaType(text) => encoder.str(text)?,
                Kind::ContentFormat(number) => encoder.u16(*number)?,
            };
            encoder.bytes(&record.value)?;
            if let Some(indicator) = record.indicator {
                encoder.u32(indicator.0)?;
            }
        }
        Cmw::Tag(tag) => {
            // A format without a tag is refused on reading, since 0 is a tag of something else.
            let number = Tag::number(tag.format).unwrap_or_default();
            encoder.tag(minicbor::data::Tag::new(number))?.bytes(&tag.value)?;
        }
        Cmw::Collection(collection) => {
            let count = collection.items.len().saturating_add(usize::from(collection.kind.is_some()));
            encoder.map(count as u64)?;
            if let Some(kind) = &collection.kind {
                encoder.str(COLLECTION_TYPE)?.str(kind)?;
            }
            for (label, item) in &collection.items {
                match label {
                    Label::Int(number) => encoder.i64(*number)?,
                    Label::Text(text) => encoder.str(text)?,
                };
                write(item, encoder)?;
            }
        }
    }
    Ok(())
}
