// SPDX-License-Identifier: Apache-2.0

//! Reading recorded evidence.
//!
//! It is looked for where the environment variable `ENARX_VECTORS` says, otherwise in `../shared/vectors` beside the
//! workspace. Where it is absent a test prints a line that starts with `skipped: ` and ends.

use std::path::{Path, PathBuf};
use std::{env, fs};

use base64ct::{Base64, Encoding as _};
use enarx_evidence::Format;
use toml::{Table, Value};

use crate::{Case, Item};

/// All recorded evidence.
pub struct Vectors {
    dir: PathBuf,
    manifest: Table,
}

impl Vectors {
    /// Opens them, if they are there.
    pub fn find() -> Option<Self> {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
        let dir = env::var_os("ENARX_VECTORS").map_or(beside, PathBuf::from);
        let Ok(text) = fs::read_to_string(dir.join("manifest.toml")) else {
            println!("skipped: no recorded evidence in {}", dir.display());
            return None;
        };
        Some(Self { manifest: text.parse().unwrap(), dir })
    }

    /// Quotes of SGX and TDX, those that Azure's virtual machines carry included.
    pub fn quotes(&self) -> Vec<Case> {
        let kinds = [("tdx", Format::Tdx), ("sgx", Format::Sgx)];
        let mut cases = kinds.iter().flat_map(|(tee, format)| self.cases(tee, *format)).collect::<Vec<_>>();
        for table in self.tables("azure-tdx-vtpm") {
            let file = Path::new(text(table, "file"));
            let quote = self.read(&file.with_file_name("td_quote.bin"));
            let mut case = self.case(table, Format::Tdx);
            case.report_data =
                enarx_evidence::dcap::Quote::parse(&quote).map_or([0; 64], |quote| *quote.body.report_data());
            case.evidence = quote;
            case.items.retain(|item| !item.name.starts_with("ak_"));
            cases.push(case);
        }
        cases
    }

    /// SEV-SNP reports.
    pub fn reports(&self) -> Vec<Case> {
        let mut cases = self.cases("snp", Format::SevSnp);
        for item in cases.iter_mut().flat_map(|case| &mut case.items) {
            // `sev` wants one certificate, where a file has the others behind it.
            let end = b"-----END CERTIFICATE-----\n";
            if let Some(start) = item.bytes.windows(end.len()).position(|window| window == end) {
                item.bytes.truncate(start + end.len());
            }
        }
        // A case that is only a certificate stands in for its namesake in another one.
        for position in 0..cases.len() {
            if cases[position].evidence.starts_with(b"-----BEGIN") {
                let bytes = cases[position].evidence.clone();
                let mut whole =
                    cases.iter().find(|case| case.name == "genoa-v3-tsm-veraison").unwrap().clone();
                whole.name.clone_from(&cases[position].name);
                whole.items.iter_mut().find(|item| item.name == "genoa-ask.pem").unwrap().bytes = bytes;
                cases[position] = whole;
            }
        }
        cases
    }

    fn cases(&self, tee: &str, format: Format) -> Vec<Case> {
        self.tables(tee).map(|table| self.case(table, format)).collect()
    }

    fn tables(&self, tee: &str) -> impl Iterator<Item = &Table> {
        let tables = self.manifest["case"].as_array().unwrap().iter().filter_map(Value::as_table);
        tables.filter(move |table| table["tee"].as_str() == Some(tee))
    }

    fn case(&self, table: &Table, format: Format) -> Case {
        let evidence = self.read(Path::new(text(table, "file")));
        let evidence = match text(table, "format") {
            "hex" => hex::decode(evidence.trim_ascii()).unwrap(),
            "base64" => Base64::decode_vec(std::str::from_utf8(evidence.trim_ascii()).unwrap()).unwrap(),
            _ => evidence,
        };
        let report_data = table.get("report_data").and_then(Value::as_str).unwrap_or_default();
        let time = table["verify_time"].as_datetime().unwrap().to_string();
        let paths = |key: &str| {
            table.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        };
        let items = paths("certs").chain(paths("collateral"));
        let items = items.map(|path| {
            let path = Path::new(path);
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // A file that is marked bad is meant to stand in for its namesake.
            let bad = path.with_file_name(name.replace('.', "_bad."));
            let is_bad = paths("other_files").any(|other| Path::new(other) == bad);
            Item { bytes: self.read(if is_bad { &bad } else { path }), name }
        });
        Case {
            name: text(table, "name").to_owned(),
            format,
            evidence,
            report_data: hex::decode(report_data).unwrap().try_into().unwrap_or([0; 64]),
            items: items.collect(),
            now: time.parse::<der::DateTime>().unwrap().unix_duration().as_secs(),
        }
    }

    fn read(&self, path: &Path) -> Vec<u8> {
        fs::read(self.dir.join(path)).unwrap()
    }
}

fn text<'a>(table: &'a Table, key: &str) -> &'a str {
    table[key].as_str().unwrap()
}
