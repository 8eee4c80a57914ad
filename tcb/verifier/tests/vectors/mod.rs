// SPDX-License-Identifier: Apache-2.0

//! Reading recorded evidence and its manifest.
//!
//! It is looked for where the environment variable `ENARX_VECTORS` says, otherwise in `../shared/vectors` beside
//! the workspace. Where it is absent a test prints a line that starts with `skipped: ` and ends.

#![allow(dead_code, reason = "each test uses its own part")]

use std::path::{Path, PathBuf};
use std::{env, fs};

use base64ct::{Base64, Encoding as _};
use enarx_evidence::{Bundle, Endorsements, Evidence, Format};
use enarx_verifier::UnixTime;
use toml::{Table, Value};

pub(crate) mod tpm;

/// All recorded evidence.
pub(crate) struct Vectors {
    dir: PathBuf,
    manifest: Table,
}

/// What a manifest says about a case.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Valid,
    Invalid,
    ParseOnly,
}

/// One recorded piece of evidence.
pub(crate) struct Case {
    dir: PathBuf,
    table: Table,
    /// A case that is only a certificate: the evidence that it is put beside, and the certificate it replaces.
    within: Option<Box<(Case, &'static str)>>,
}

impl Vectors {
    pub(crate) fn find() -> Option<Self> {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
        let dir = env::var_os("ENARX_VECTORS").map_or(beside, PathBuf::from);
        let Ok(text) = fs::read_to_string(dir.join("manifest.toml")) else {
            println!("skipped: no recorded evidence in {}", dir.display());
            return None;
        };
        Some(Self { manifest: text.parse().unwrap(), dir })
    }

    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.dir.join(path)).unwrap()
    }

    /// What the manifest says of collateral of a kind.
    pub(crate) fn collateral(&self, kind: &str) -> impl Iterator<Item = &Table> {
        let tables = self.manifest["collateral"].as_array().unwrap().iter().filter_map(Value::as_table);
        tables.filter(move |table| table["kind"].as_str() == Some(kind))
    }

    pub(crate) fn snp_cases(&self) -> impl Iterator<Item = Case> {
        self.cases("snp")
    }

    /// The cases of one kind of TEE, by its name in the manifest.
    pub(crate) fn cases(&self, tee: &str) -> impl Iterator<Item = Case> {
        let tables = self.manifest["case"].as_array().unwrap().iter().filter_map(Value::as_table);
        tables.filter(move |table| table["tee"].as_str() == Some(tee)).map(|table| self.read_case(table))
    }

    pub(crate) fn case(&self, name: &str) -> Case {
        self.snp_cases().find(|case| case.name() == name).unwrap()
    }

    fn read_case(&self, table: &Table) -> Case {
        let alone = table.get("kind").and_then(Value::as_str) == Some("certificate-only")
            && table["tee"].as_str() == Some("snp");
        let within = alone.then(|| Box::new((self.case("genoa-v3-tsm-veraison"), "roots/amd/genoa-ask.pem")));
        Case { dir: self.dir.clone(), table: table.clone(), within }
    }
}

impl Case {
    pub(crate) fn name(&self) -> &str {
        self.text("name")
    }

    pub(crate) fn tee(&self) -> &str {
        self.text("tee")
    }

    /// Whether the manifest names this file among the certificates of the case.
    pub(crate) fn names_root(&self, file: &str) -> bool {
        self.table["certs"].as_array().unwrap().iter().any(|path| path.as_str() == Some(file))
    }

    pub(crate) fn product(&self) -> &str {
        self.text("product")
    }

    pub(crate) fn measurement(&self) -> &str {
        self.text("measurement")
    }

    pub(crate) fn report_version(&self) -> u32 {
        self.text("version").parse().unwrap()
    }

    pub(crate) fn expected(&self) -> Expected {
        match self.text("expected").split(':').next().unwrap() {
            "valid" => Expected::Valid,
            "invalid" => Expected::Invalid,
            "parse-only" => Expected::ParseOnly,
            other => panic!("`{other}` is not a verdict"),
        }
    }

    pub(crate) fn verify_time(&self) -> UnixTime {
        self.time("verify_time")
    }

    pub(crate) fn valid_from(&self) -> UnixTime {
        self.time("valid_from")
    }

    pub(crate) fn valid_until(&self) -> UnixTime {
        self.time("valid_until")
    }

    pub(crate) fn has_crl(&self) -> bool {
        self.table.contains_key("collateral")
    }

    /// Whether a file of this name is among the collateral.
    pub(crate) fn has_collateral(&self, name: &str) -> bool {
        let paths = self.table.get("collateral").and_then(Value::as_array).into_iter().flatten();
        paths.filter_map(Value::as_str).any(|path| path.rsplit('/').next() == Some(name))
    }

    /// What the manifest says about something, if it does.
    pub(crate) fn said(&self, key: &str) -> Option<&Value> {
        self.table.get(key)
    }

    pub(crate) fn report_data(&self) -> [u8; 64] {
        let text = self.within.as_ref().map_or(self, |within| &within.0).text("report_data");
        hex::decode(text).unwrap().try_into().unwrap()
    }

    pub(crate) fn evidence(&self) -> Vec<u8> {
        if let Some(within) = &self.within {
            return within.0.evidence();
        }
        let bytes = self.read(self.text("file"));
        match self.text("format") {
            "raw" => bytes,
            "hex" => hex::decode(bytes.trim_ascii()).unwrap(),
            "base64" => Base64::decode_vec(std::str::from_utf8(bytes.trim_ascii()).unwrap()).unwrap(),
            other => panic!("`{other}` is not an encoding"),
        }
    }

    pub(crate) fn certificates(&self) -> Vec<Vec<u8>> {
        let Some(within) = &self.within else { return self.files("certs") };
        let (case, replaced) = &**within;
        let mut files = case.files_but("certs", replaced);
        files.push(self.read(self.text("file")));
        files
    }

    pub(crate) fn bundle(&self) -> Bundle {
        let mut items = self.certificates();
        items.extend(self.files("collateral"));
        self.bundle_of(items)
    }

    pub(crate) fn bundle_of(&self, items: Vec<Vec<u8>>) -> Bundle {
        Bundle {
            evidence: Evidence { format: self.format(), bytes: self.evidence() },
            endorsements: Endorsements { items },
        }
    }

    fn format(&self) -> Format {
        match self.text("tee") {
            "snp" => Format::SevSnp,
            "tdx" => Format::Tdx,
            "sgx" => Format::Sgx,
            "cca" => Format::Cca,
            "nitro" => Format::Nitro,
            "tpm" => Format::Tpm,
            "azure-snp-vtpm" => Format::AzureSnp,
            "azure-tdx-vtpm" => Format::AzureTdx,
            "nvgpu" => Format::NvGpu,
            other => panic!("`{other}` is not a TEE"),
        }
    }

    /// Bytes in hexadecimal digits, if the manifest has them.
    pub(crate) fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        self.table.get(key).map(|digits| hex::decode(digits.as_str().unwrap()).unwrap())
    }

    pub(crate) fn files(&self, key: &str) -> Vec<Vec<u8>> {
        self.files_but(key, "")
    }

    fn files_but(&self, key: &str, without: &str) -> Vec<Vec<u8>> {
        let paths = self.table.get(key).and_then(Value::as_array).into_iter().flatten();
        let paths = paths.map(|path| path.as_str().unwrap()).filter(|path| *path != without);
        paths.map(|path| self.read(path)).collect()
    }

    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.dir.join(path)).unwrap()
    }

    /// The files that the manifest lists under a key.
    pub(crate) fn paths(&self, key: &str) -> Vec<String> {
        let paths = self.table.get(key).and_then(Value::as_array).into_iter().flatten();
        paths.map(|path| path.as_str().unwrap().to_owned()).collect()
    }

    fn text(&self, key: &str) -> &str {
        self.table[key].as_str().unwrap()
    }

    fn time(&self, key: &str) -> UnixTime {
        let text = self.table[key].as_datetime().unwrap().to_string();
        UnixTime(text.parse::<der::DateTime>().unwrap().unix_duration().as_secs())
    }
}

pub(crate) fn earlier(time: UnixTime) -> UnixTime {
    UnixTime(time.0 - 1)
}

pub(crate) fn later(time: UnixTime) -> UnixTime {
    UnixTime(time.0 + 1)
}
