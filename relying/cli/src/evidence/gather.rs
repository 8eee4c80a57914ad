// SPDX-License-Identifier: Apache-2.0

//! From the files that the user names to one bundle of evidence and endorsements.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use enarx_evidence::{Bundle, Endorsements, Evidence, Format};

use super::assemble::Parts;
use super::open::{self, open};
use super::recognise::{Part, Piece};
use crate::args::EvidenceArgs;
use crate::failure::{Failure, Outcome};
use crate::input;

/// Longest file with evidence or collateral: JSON around the largest genuine kinds has a tenth of it.
const MAX_FILE: u64 = 1 << 20;

const STANDARD_INPUT: &str = "-";

/// The evidence in the files that the user named, with the endorsements that came along and those in `endorsements`.
pub(crate) fn bundle(args: &EvidenceArgs, endorsements: &[PathBuf]) -> Outcome<Bundle> {
    let name = args.file.display();
    let content = read(&args.file)?;
    let mut pieces = open(&content);
    for file in &args.with {
        pieces.extend(some(file, "of evidence")?);
    }
    // What `endorsements` bring does not say what the evidence's own file is.
    let vouched = pieces.iter().any(|piece| matches!(piece, Piece::Endorsement(_)));
    for file in endorsements {
        let found = some(file, "that vouches for evidence")?;
        pieces.extend(found.into_iter().filter_map(vouching).flatten());
    }
    let Sorted { mut evidence, parts, items, keys } = Sorted::of(pieces);
    if parts.is_evidence() {
        let td_quote = evidence.iter().position(|found| found.format == Format::Tdx);
        let td_quote = td_quote.map(|position| evidence.remove(position));
        let spki: Vec<_> = keys.iter().filter(|key| key.first() != Some(&b'{')).cloned().collect();
        evidence.push(parts.assemble(&spki, td_quote)?);
    }
    let evidence = match args.tee.format() {
        Some(format) => chosen(evidence, format, &content, vouched, &args.file)?,
        None => only(evidence, vouched, &args.file)?,
    };
    // Keys vouch for nothing but tokens of Arm CCA, whose makers give out no certificates.
    let keys = if evidence.format == Format::Cca { keys } else { Vec::new() };
    let mut items = [items, keys].concat();
    items.sort_unstable();
    items.dedup();
    if evidence.bytes.len() > Bundle::MAX_EVIDENCE {
        let limit = Bundle::MAX_EVIDENCE;
        return Err(Failure::usage(format!("{name}: the evidence is longer than {limit} bytes")));
    }
    Ok(Bundle { evidence, endorsements: Endorsements { items } })
}

/// Pieces, each kind in its place.
#[derive(Default)]
struct Sorted {
    evidence: Vec<Evidence>,
    parts: Parts,
    items: Vec<Vec<u8>>,
    keys: Vec<Vec<u8>>,
}

impl Sorted {
    fn of(pieces: Vec<Piece>) -> Self {
        let mut sorted = Self::default();
        for piece in pieces {
            match piece {
                Piece::Bundle(bundle) => {
                    sorted.items.extend(bundle.endorsements.items);
                    sorted.evidence.push(bundle.evidence);
                }
                Piece::Evidence(found) => sorted.evidence.push(found),
                Piece::Part(part) => sorted.parts.add(part),
                Piece::Endorsement(item) => sorted.items.push(item),
                Piece::Key(key) => sorted.keys.push(key),
            }
        }
        sorted.evidence.dedup();
        sorted.keys.dedup();
        sorted
    }
}

/// What of a file of endorsements is one: evidence that is in it, too, was not meant.
fn vouching(piece: Piece) -> Option<Vec<Piece>> {
    match piece {
        Piece::Bundle(bundle) => {
            Some(bundle.endorsements.items.into_iter().map(Piece::Endorsement).collect())
        }
        Piece::Endorsement(_) | Piece::Key(_) | Piece::Part(Part::Public(_)) => Some(vec![piece]),
        Piece::Evidence(_) | Piece::Part(_) => None,
    }
}

/// What is in a file, of which something must be recognised.
pub(super) fn some(file: &Path, what: &str) -> Outcome<Vec<Piece>> {
    let pieces = open(&read(file)?);
    if pieces.is_empty() {
        let message = format!("{}: nothing {what} was recognised in it", file.display());
        let hint = "raw, PEM, DER, hexadecimal, base64 and JSON are read; is it the right file?";
        return Err(Failure::usage(message).hint(hint));
    }
    Ok(pieces)
}

/// The bytes of a file, or of standard input.
pub(super) fn read(file: &Path) -> Outcome<Vec<u8>> {
    let name = file.display().to_string();
    if name.starts_with("https://") || name.starts_with("http://") {
        return Err(Failure::usage(format!("`{name}` cannot be asked for its evidence yet"))
            .hint("save its evidence in a file; for Keeps that you deployed there is `enarx keep attest`"));
    }
    if name != STANDARD_INPUT {
        return input::bytes(file, MAX_FILE);
    }
    let mut bytes = Vec::new();
    let limit = MAX_FILE.saturating_add(1);
    std::io::stdin()
        .lock()
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::usage(format!("could not read standard input: {error}")))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Failure::usage(format!("standard input is longer than {MAX_FILE} bytes")));
    }
    Ok(bytes)
}

/// The evidence, where there must be no doubt which is meant.
fn only(evidence: Vec<Evidence>, vouched: bool, file: &Path) -> Outcome<Evidence> {
    let name = file.display();
    let formats = evidence.iter().map(|evidence| evidence.format.name()).collect::<Vec<_>>().join(", ");
    let mut evidence = evidence.into_iter();
    match (evidence.next(), evidence.next()) {
        (Some(evidence), None) => Ok(evidence),
        (Some(_), Some(_)) => {
            Err(Failure::usage(format!("{name}: more than one piece of evidence is in it: {formats}"))
                .hint("`--tee` chooses one kind; give each piece its own file"))
        }
        (None, _) if !vouched => {
            Err(Failure::usage(format!("{name}: no evidence of a kind that is known here was recognised"))
                .hint("if you know what it is, say so by `--tee`: then you learn what is wrong with it"))
        }
        (None, _) => Err(Failure::usage(format!(
            "{name}: certificates or other collateral are in it, and no evidence"
        ))
        .hint("`enarx evidence show` prints them; `--endorsement` takes them to verify evidence")),
    }
}

/// The evidence of a kind that the user named. Bytes that nothing recognises are taken for it, so that one learns what
/// is wrong with them.
fn chosen(
    evidence: Vec<Evidence>,
    format: Format,
    content: &[u8],
    vouched: bool,
    file: &Path,
) -> Outcome<Evidence> {
    let (wanted, others) = evidence.into_iter().partition::<Vec<_>, _>(|found| found.format == format);
    if let (true, Some(other)) = (wanted.is_empty(), others.first()) {
        let (name, found) = (file.display(), other.format);
        return Err(Failure::usage(format!("{name}: it is {found} evidence and not {format}")));
    }
    if wanted.is_empty() && !vouched {
        return Ok(Evidence { format, bytes: open::decode(content) });
    }
    only(wanted, vouched, file)
}
