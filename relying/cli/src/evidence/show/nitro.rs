// SPDX-License-Identifier: Apache-2.0

//! Fields of attestation documents of AWS Nitro Enclaves.

use enarx_evidence::ParseError;
use enarx_evidence::nitro::{Document, Field};
use enarx_evidence::x509::Certificate;
use enarx_verifier::UnixTime;
use serde_json::Value;

use super::{Record, endorsement};

pub(super) fn records(bytes: &[u8], records: &mut Vec<Record>) -> Result<(), ParseError> {
    let document = Document::parse(bytes)?;
    let claims = &document.claims;
    let mut record =
        Record::new("Nitro attestation document", "AWS NSM API, attestation process, section 3.1");
    record.text("algorithm", format_args!("{:?}", document.message.algorithm()?));
    record.field("module_id", claims.module_id.as_str());
    record.field("timestamp", claims.timestamp);
    record.text("timestamp is", UnixTime(claims.timestamp / 1000));
    for (number, pcr) in &claims.pcrs {
        record.bytes(format!("PCR{number}"), pcr.as_bytes());
    }
    let optional =
        [("public_key", &claims.public_key), ("user_data", &claims.user_data), ("nonce", &claims.nonce)];
    for (name, field) in optional {
        record.field(name, value(field));
    }
    record.bytes("signature", document.message.signature);
    records.push(record);
    for der in core::iter::once(&claims.certificate).chain(&claims.cabundle) {
        records.push(endorsement::certificate(&Certificate::parse(der)?)?);
    }
    Ok(())
}

fn value(field: &Field) -> Value {
    field.bytes().map_or(Value::Null, |bytes| Value::from(hex::encode(bytes)))
}
