// SPDX-License-Identifier: Apache-2.0

//! `enarx measure`: what the unikernel measures to.

use std::fmt::Write as _;
use std::path::Path;

use enarx_hostd::{Wanted, locate};
use enarx_measure::{Image, ImageError, MAX_IMAGE, snp, tdx};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256, Sha384};

use crate::args::{Format, MeasureArgs, Measured, OutputOptions};
use crate::failure::{Failure, Outcome};
use crate::host::failed;
use crate::input;
use crate::layout::paragraph;
use crate::terminal::{print_json, print_text};

/// What one kind of launch measures to, as policies write it.
struct Row {
    name: &'static str,
    /// Where evidence says it.
    place: &'static str,
    measurements: Result<Vec<String>, ImageError>,
}

/// `enarx measure`
pub(crate) fn measure(args: &MeasureArgs, output: &OutputOptions) -> Outcome<()> {
    let path = locate(Wanted::Image, args.image.as_deref()).map_err(|error| failed(&error))?;
    let limit = u64::try_from(MAX_IMAGE).unwrap_or(u64::MAX);
    let image = Image::parse(input::bytes(&path, limit)?).map_err(|error| wrong(&path, &error))?;
    let wanted = |tee| args.tee == tee || args.tee == Measured::All;
    let mut rows = Vec::new();
    for (tee, row) in
        [(Measured::Snp, of_snp as fn(&Image) -> Row), (Measured::Tdx, of_tdx), (Measured::Plain, plain)]
    {
        if wanted(tee) {
            rows.push(row(&image));
        }
    }
    // Who asked for one TEE gets its measurement or an error.
    if let (Some(Row { measurements: Err(error), .. }), true) = (rows.first(), args.tee != Measured::All) {
        return Err(wrong(&path, error));
    }
    match output.format {
        Format::Json => print_json(&to_json(&path, &image, &rows)),
        Format::Text | Format::Ear => print_text(&to_text(&path, &image, &rows)),
    }
}

fn wrong(path: &Path, error: &ImageError) -> Failure {
    let failure = Failure::usage(format!("{}: {error}", path.display()));
    match error {
        ImageError::NotForTees => failure
            .hint("it is older than such guests, or not one of Enarx's; `--tee plain` measures the file"),
        _ => failure.hint("give a unikernel, as `cargo xtask image` builds it, by `--image`"),
    }
}

fn of_snp(image: &Image) -> Row {
    let measurements = snp::launch_digest(image).map(|digest| vec![sha384(&digest)]);
    Row { name: "snp", place: "SEV-SNP: MEASUREMENT in attestation reports", measurements }
}

fn of_tdx(image: &Image) -> Row {
    let measurements = tdx::mrtd(image).map(|digest| vec![sha384(&digest)]);
    Row { name: "tdx", place: "TDX: MRTD in quotes", measurements }
}

fn plain(image: &Image) -> Row {
    let file = image.file();
    let measurements =
        vec![sha384(&Sha384::digest(file)), format!("sha256:{}", hex::encode(Sha256::digest(file)))];
    Row {
        name: "plain",
        place: "the file, as other simulated platforms measure it",
        measurements: Ok(measurements),
    }
}

fn sha384(digest: &[u8]) -> String {
    format!("sha384:{}", hex::encode(digest))
}

fn to_json(path: &Path, image: &Image, rows: &[Row]) -> Value {
    let mut launches = Map::new();
    let mut all: Vec<&String> = Vec::new();
    for row in rows {
        let value = match &row.measurements {
            Ok(measurements) => {
                all.extend(measurements);
                json!({ "measurements": measurements })
            }
            Err(error) => json!({ "measurements": [], "error": error.to_string() }),
        };
        launches.insert(row.name.to_owned(), value);
    }
    json!({
        "image": path,
        "bytes": image.file().len(),
        "launches": launches,
        // The section of a policy that accepts these and nothing else.
        "keep": { "measurements": all },
    })
}

fn to_text(path: &Path, image: &Image, rows: &[Row]) -> String {
    let mut text = format!("image  {}, {} bytes\n", path.display(), image.file().len());
    for row in rows {
        let _ = write!(text, "\n{}  {}\n", row.name, row.place);
        match &row.measurements {
            Ok(measurements) => measurements.iter().for_each(|it| {
                let _ = writeln!(text, "  {it}");
            }),
            Err(error) => {
                let _ = writeln!(text, "  none: {error}");
            }
        }
    }
    text.push('\n');
    text.push_str(&paragraph(
        0,
        "To accept one of these and nothing else, name it in a policy: `measurements` under `[keep]`. `release` there \
         means all of them, of the image beside this `enarx`.",
    ));
    text
}
