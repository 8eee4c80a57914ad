// SPDX-License-Identifier: Apache-2.0

//! `enarx evidence show`: every field by name, as the specification calls it. Nothing is verified.

mod azure;
mod cca;
mod dcap;
mod endorsement;
mod nitro;
mod nvgpu;
mod snp;
mod tpm;

use std::fmt::Display;

use enarx_evidence::azure::HclReport;
use enarx_evidence::tpm::{Attest, Public, Signature};
use enarx_evidence::{Evidence, Format, ParseError};
use serde_json::{Value, json};

use super::gather;
use super::open::{self, open};
use super::recognise::{Part, Piece};
use crate::args::{EvidenceArgs, Format as OutputFormat, OutputOptions};
use crate::failure::{Failure, Outcome};
use crate::layout;
use crate::terminal::{print_json, print_text};

/// Width of the column of names; longer ones move their value to the right.
const NAME_WIDTH: usize = 24;

/// A structure and its fields in order.
pub(super) struct Record {
    title: String,
    section: &'static str,
    fields: Vec<(String, Value)>,
}

impl Record {
    /// A structure, and where it is specified.
    pub(super) fn new(title: impl Into<String>, section: &'static str) -> Self {
        Self { title: title.into(), section, fields: Vec::new() }
    }

    /// A field.
    pub(super) fn field(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.fields.push((name.into(), value.into()));
    }

    /// A field of bytes.
    pub(super) fn bytes(&mut self, name: impl Into<String>, bytes: impl AsRef<[u8]>) {
        self.field(name, hex::encode(bytes));
    }

    /// A field that has a text of its own.
    pub(super) fn text(&mut self, name: impl Into<String>, value: impl Display) {
        self.field(name, value.to_string());
    }

    fn to_json(&self) -> Value {
        let field = |(name, value): &(String, Value)| json!({ "name": name, "value": value });
        json!({
            "title": self.title,
            "section": self.section,
            "fields": self.fields.iter().map(field).collect::<Vec<_>>(),
        })
    }

    fn to_text(&self) -> String {
        let mut text = layout::paragraph(0, &format!("{} ({})", self.title, self.section));
        for (name, value) in &self.fields {
            text.push_str(&layout::entry(2, name, NAME_WIDTH, &words(value)));
        }
        text
    }
}

/// A value for people.
fn words(value: &Value) -> String {
    match value {
        Value::Null => "absent".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => one_line(text),
        other => other.to_string(),
    }
}

/// Lines of evidence are not lines of ours.
fn one_line(text: &str) -> String {
    text.replace('\n', "\u{fffd}")
}

/// `enarx evidence show`
pub(super) fn show(args: &EvidenceArgs, output: &OutputOptions) -> Outcome<()> {
    let mut records = Vec::new();
    let content = gather::read(&args.file)?;
    let mut pieces = open(&content);
    if let (true, Some(format)) = (pieces.is_empty(), args.tee.format()) {
        pieces.push(Piece::Evidence(Evidence { format, bytes: open::decode(&content) }));
    }
    for file in &args.with {
        pieces.extend(gather::some(file, "of evidence")?);
    }
    if pieces.is_empty() {
        let message = format!("{}: nothing was recognised in it", args.file.display());
        let hint = "if you know what it is, say so by `--tee`: then you learn what is wrong with it";
        return Err(Failure::usage(message).hint(hint));
    }
    for piece in pieces {
        let shown = piece_records(&piece, &mut records);
        shown.map_err(|error| Failure::usage(format!("{}: {error}", args.file.display())))?;
    }
    match output.format {
        OutputFormat::Json => {
            let records: Vec<_> = records.iter().map(Record::to_json).collect();
            print_json(&json!({ "verified": false, "records": records }))
        }
        OutputFormat::Text | OutputFormat::Ear => {
            let mut text: Vec<_> = records.iter().map(Record::to_text).collect();
            text.push("nothing of this was verified\n".to_owned());
            print_text(&text.join("\n"))
        }
    }
}

fn piece_records(piece: &Piece, records: &mut Vec<Record>) -> Result<(), ParseError> {
    match piece {
        Piece::Evidence(evidence) => evidence_records(evidence, records),
        Piece::Part(part) => part_records(part, records),
        Piece::Endorsement(item) => endorsement::records(item, records),
        Piece::Key(key) => {
            records.push(endorsement::public_key(key)?);
            Ok(())
        }
        Piece::Bundle(bundle) => {
            evidence_records(&bundle.evidence, records)?;
            bundle.endorsements.items.iter().try_for_each(|item| endorsement::records(item, records))
        }
    }
}

fn evidence_records(evidence: &Evidence, records: &mut Vec<Record>) -> Result<(), ParseError> {
    match evidence.format {
        Format::SevSnp => snp::records(&evidence.bytes, records),
        Format::Tdx | Format::Sgx => dcap::records(&evidence.bytes, records),
        Format::Cca => cca::records(&evidence.bytes, records),
        Format::Nitro => nitro::records(&evidence.bytes, records),
        Format::Tpm => tpm::records(&evidence.bytes, records),
        Format::AzureSnp | Format::AzureTdx => azure::records(&evidence.bytes, records),
        Format::NvGpu => nvgpu::records(&evidence.bytes, records),
        other => {
            let mut record = Record::new(format!("{other} evidence"), "not known here");
            record.bytes("bytes", &evidence.bytes);
            records.push(record);
            Ok(())
        }
    }
}

fn part_records(part: &Part, records: &mut Vec<Record>) -> Result<(), ParseError> {
    match part {
        Part::HclReport(bytes) => azure::hcl_report(&HclReport::parse(bytes)?, records)?,
        Part::Quote(bytes) => records.push(tpm::attest(&Attest::parse(bytes)?)),
        Part::Signature(bytes) => records.push(tpm::signature(&Signature::parse(bytes)?)),
        Part::BareSignature(bytes) => {
            let mut record = Record::new("bytes as long as an RSA signature", "RFC 8017, section 8");
            record.bytes("bytes", bytes);
            records.push(record);
        }
        Part::SignedQuote(bytes, signature) => {
            records.push(tpm::attest(&Attest::parse(bytes)?));
            part_records(signature, records)?;
        }
        Part::Public(bytes) => records.push(tpm::public(&Public::parse(bytes)?)),
        Part::Registers(values) => records.push(tpm::registers(values)),
    }
    Ok(())
}
