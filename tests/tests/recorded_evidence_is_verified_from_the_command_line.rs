// SPDX-License-Identifier: Apache-2.0

//! `enarx verify` of everything that was recorded on real hardware: each case of the manifest, given as its files are.
//!
//! The records are not part of this project. They are looked for where the environment variable `ENARX_VECTORS` says,
//! otherwise in `../shared/vectors` beside the workspace; where they are absent the test says that it was skipped.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it skipped")]

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use enarx_tests::{Tenant, code, finish, stderr, stdout};
use serde_json::Value as Json;
use toml::{Table, Value};

/// The codes by which each is refused, and no others.
const REFUSED: &[(&str, &[&str])] = &[
    ("milan-v2-vcek-invalid-legacy", FOREIGN_CERTIFICATE),
    ("milan-v2-vcek-invalid-new", FOREIGN_CERTIFICATE),
    ("milan-v2-cmc-bad-signature", &["report-signature-invalid"]),
    ("milan-v4-gcp-openpcc", &["key-certificate-missing"]),
    ("genoa-ask-revoked", &["certificate-signature-invalid", "certificate-revoked"]),
    ("v4-spr-go-tdx-guest", &["tcb-level-missing"]),
    ("v5-emr-no-matching-level-phala", &["tcb-level-missing"]),
    ("v5-emr-trustee", &["tcb-level-missing"]),
    ("v4-spr-tcbinfo-tampered-cmc", &["tcb-info-signature-invalid", "tcb-info-expired"]),
    ("v4-preproduction-root-cc-api", &["certificate-signature-invalid"]),
    ("v4-emr-collateral-expired-phala", &["crl-expired", "tcb-info-expired", "qe-identity-expired"]),
    ("v4-emr-fmspc-mismatch-mixed", &["fmspc-mismatch"]),
    ("v4-emr-sgx-qe-identity-mixed", &["qe-identity-mismatch"]),
    ("v3-coffeelake-corrupted-fortanix", &["quote-signature-invalid"]),
    ("v3-encrypted-ppid-fortanix", &["pck-certificate-missing"]),
    ("v3-coffeelake-bad-report-oe", &["issuer-missing"]),
    ("v3-icelake-bad-tcb-signing-cert-oasis", &["tcb-signer-missing"]),
    ("rak-binding-mismatch-rust", &["realm-key-mismatch"]),
    ("expired-fortanix", &["certificate-expired"]),
    ("tampered-signature-fortanix", &["report-signature-invalid"]),
    ("tampered-certificate-fortanix", &["endorsement-malformed"]),
    ("unknown-ca-fortanix", &["root-not-trusted"]),
    ("selfsigned-blocky", &["evidence-malformed"]),
    ("ak-cert-bad-signature-cmc", &["tpm-signature-invalid"]),
    // A certificate without a quote: that of another machine is refused for its signature and nothing else.
    ("gce-ak-certificate", &["tpm-signature-invalid"]),
    ("azure-snp-vtpm/ak-mismatch-mixed", &["tpm-signature-invalid"]),
    ("azure-tdx-vtpm/ak-mismatch-mixed", &["tpm-signature-invalid"]),
    ("hopper-bad-signature", &["report-signature-invalid", "firmware-id-mismatch"]),
    ("switch-ls10-bad-signature", &["report-signature-invalid"]),
    ("hopper-bad-chain-case2", &["key-certificate-missing"]),
    ("hopper-bad-chain-case3", &["root-missing"]),
    ("hopper-bad-chain-case4", &["key-certificate-missing"]),
];

const FOREIGN_CERTIFICATE: &[&str] =
    &["certificate-signature-invalid", "tcb-mismatch", "chip-id-mismatch", "report-signature-invalid"];

struct Case {
    vectors: PathBuf,
    table: Table,
}

impl Case {
    fn text(&self, key: &str) -> &str {
        self.table.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn name(&self) -> &str {
        self.text("name")
    }

    fn tee(&self) -> &str {
        self.text("tee")
    }

    fn paths(&self, key: &str) -> Vec<String> {
        let paths = self.table.get(key).and_then(Value::as_array).into_iter().flatten();
        paths.map(|path| path.as_str().unwrap().to_owned()).collect()
    }

    /// The file of the case with this name.
    fn other(&self, name: &str) -> Option<String> {
        self.paths("other_files").into_iter().find(|path| path.rsplit('/').next() == Some(name))
    }

    fn is_recorded(&self, name: &str) -> bool {
        self.paths("collateral").iter().any(|path| path.ends_with(name))
    }

    /// The codes that must refuse it; none if it is valid.
    fn expected(&self) -> &'static [&'static str] {
        let qualified = format!("{}/{}", self.tee(), self.name());
        let named = |name: &str| name == self.name() || name == qualified;
        REFUSED.iter().find(|(name, _)| named(name)).map_or(&[], |(_, codes)| codes)
    }

    /// The options of `enarx verify` for it.
    fn options(&self) -> Vec<String> {
        let mut options = self.evidence();
        let mut option = |name: &str, value: &str| options.extend([format!("--{name}"), value.to_owned()]);
        option("at", &self.table["verify_time"].as_datetime().unwrap().to_string());
        for root in self.trust_roots() {
            option("trust-root", &self.path(&root));
        }
        for file in self.endorsements() {
            option("endorsement", &self.path(&file));
        }
        let (kind, bound) = self.binding();
        match kind {
            "" => options.push("--accept-unbound".to_owned()),
            kind => option(kind, &bound),
        }
        options.extend(self.given_up().into_iter().map(str::to_owned));
        options
    }

    /// The evidence and its parts.
    fn evidence(&self) -> Vec<String> {
        let parts = |file: &str, others: &[&str]| {
            let others = others.iter().filter_map(|name| self.other(name));
            let with = others.flat_map(|path| ["--with".to_owned(), self.path(&path)]);
            [self.path(file)].into_iter().chain(with).collect()
        };
        match (self.tee(), self.name()) {
            (_, "genoa-ask-revoked") => vec![self.path("snp/genoa-v3-tsm-veraison/report.bin")],
            (_, "gce-ak-certificate") => {
                let machine = "tpm/gce-cos85-nonce";
                let [quote, signature, values] = ["quote_sha256.msg", "quote_sha256.sig", "pcrs_sha256.json"]
                    .map(|name| self.path(&format!("{machine}/{name}")));
                vec![quote, "--with".to_owned(), signature, "--with".to_owned(), values]
            }
            (_, "gce-cos85-nonce") => {
                let quote = self.other("quote_sha256.msg").unwrap();
                parts(&quote, &["quote_sha256.sig", "pcrs_sha256.json", "ak_public.tpmt"])
            }
            ("azure-snp-vtpm" | "azure-tdx-vtpm", _) if self.text("format") == "raw" => {
                let names = ["tpm_quote.msg", "tpm_quote.sig", "pcrs_sha256.json", "td_quote.bin"];
                parts(self.text("file"), &names)
            }
            ("tpm", _) if self.text("format") == "raw" => parts(self.text("file"), &["quote.sig"]),
            _ => vec![self.path(self.text("file"))],
        }
    }

    /// Whose keys no vendor vouches for.
    fn trust_roots(&self) -> Vec<String> {
        match (self.tee(), self.name()) {
            ("cca", _) | (_, "unknown-ca-fortanix") => self.paths("certs"),
            (_, "gce-ak-certificate") => Vec::new(),
            ("tpm", _) => {
                let keys = ["ca.pem", "ak_public.tpmt", "ak_public.der"];
                keys.iter().find_map(|name| self.other(name)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn endorsements(&self) -> Vec<String> {
        let mut files = match self.name() {
            "genoa-ask-revoked" => {
                vec!["snp/genoa-v3-tsm-veraison/vcek.der".to_owned(), self.text("file").to_owned()]
            }
            "gce-ak-certificate" => vec![self.text("file").to_owned()],
            _ => Vec::new(),
        };
        files.extend(self.paths("certs"));
        if self.table.contains_key("ak_certs") {
            files.extend(self.paths("ak_certs"));
            files.push("roots/azure/vtpm-root-2023.pem".to_owned());
        }
        files.extend(self.other("ak_cert.pem"));
        for path in self.paths("collateral") {
            // A file that is marked bad is meant to stand in for its namesake.
            let bad = path.replace(".pem", "_bad.pem");
            let replaced = bad != path && self.paths("other_files").contains(&bad);
            files.push(if replaced { bad } else { path });
        }
        files
    }

    /// What it is bound to: nothing where enclaves of Nitro were given nothing, or not 64 bytes.
    fn binding(&self) -> (&'static str, String) {
        match (self.tee(), self.name()) {
            (_, "genoa-ask-revoked" | "gce-ak-certificate") => ("", String::new()),
            // No nonce at all is one of zeros.
            (_, "gce-windows-sha1") => ("report-data", "00".repeat(64)),
            ("snp" | "tdx" | "sgx", _) => ("report-data", self.text("report_data").to_owned()),
            ("nitro", _) if self.text("user_data").len() == 128 => {
                ("report-data", self.text("user_data").to_owned())
            }
            ("nitro", _) => ("", String::new()),
            _ => ("nonce", self.text("nonce").to_owned()),
        }
    }

    /// What was not recorded, and so has to be done without.
    fn given_up(&self) -> Vec<&'static str> {
        let (mut given_up, name) = (Vec::new(), self.name());
        let lists = match self.tee() {
            "snp" | "azure-snp-vtpm" => self.table.contains_key("collateral"),
            "tdx" | "sgx" | "azure-tdx-vtpm" => {
                let both = self.is_recorded("pck_crl.der") && self.is_recorded("root_ca_crl.der");
                both && !self.table.contains_key("ak_certs")
            }
            // NVIDIA answers by OCSP, and publishes no list.
            "nvgpu" => false,
            _ => name != "gce-ak-certificate",
        };
        let documents = self.is_recorded("tcb_info.json") && self.is_recorded("qe_identity.json");
        if !lists {
            given_up.push("--accept-absent-crl");
        }
        if ["tdx", "sgx", "azure-tdx-vtpm"].contains(&self.tee()) && !documents {
            given_up.push("--accept-absent-tcb-info");
        }
        given_up
    }

    fn path(&self, path: &str) -> String {
        self.vectors.join(path).display().to_string()
    }
}

fn cases() -> Option<Vec<Case>> {
    let beside = enarx_tests::root().join("../shared/vectors");
    let vectors = env::var_os("ENARX_VECTORS").map_or(beside, PathBuf::from);
    let Ok(text) = std::fs::read_to_string(vectors.join("manifest.toml")) else {
        println!("skipped: no recorded evidence in {}", vectors.display());
        return None;
    };
    let manifest: Table = text.parse().unwrap();
    let tables = manifest["case"].as_array().unwrap().iter().filter_map(Value::as_table);
    Some(tables.map(|table| Case { vectors: vectors.clone(), table: table.clone() }).collect())
}

fn codes(answer: &Json) -> BTreeSet<&str> {
    let refusals = answer["refusals"].as_array().unwrap().iter();
    refusals.map(|refusal| refusal["code"].as_str().unwrap()).collect()
}

fn run(mut command: Command) -> (i32, String, String) {
    let output = finish(&mut command, b"");
    (code(&output), stdout(&output), stderr(&output))
}

#[test]
fn every_case_gets_its_verdict() {
    let Some(cases) = cases() else { return };
    let tenant = Tenant::new();
    let (mut wrong, mut not_yet, mut counted) = (Vec::new(), Vec::new(), [0; 2]);
    for case in &cases {
        let mut command = tenant.enarx();
        command.args(["verify", "--format", "json"]).args(case.options());
        let (code, told, error) = run(command);
        let answer: Json = serde_json::from_str(&told).unwrap_or_default();
        let name = format!("{}/{}", case.tee(), case.name());
        if answer["refusals"][0]["code"] == "evidence-format-unsupported" {
            not_yet.push(case.tee().to_owned());
            continue;
        }
        let (expected, verdict) = match case.expected() {
            [] => ((0, BTreeSet::new()), "verified"),
            codes => ((3, codes.iter().copied().collect()), "refused"),
        };
        let valid = case.text("expected") == "valid" && case.name() != "gce-ak-certificate";
        assert_eq!(valid, expected.0 == 0, "{name}: which refusal?");
        if answer.is_null() || (code, codes(&answer)) != expected || answer["verdict"] != verdict {
            wrong.push(format!("{name}: {code} {:?}\n{error}", answer["refusals"]));
        }
        if let (true, Some(status)) = (valid, case.table.get("tcb_status")) {
            let with_tcb = ["tdx", "sgx", "azure-tdx-vtpm"].contains(&case.tee());
            if with_tcb && answer["tcb_status"] != *status.as_str().unwrap() {
                wrong.push(format!("{name}: TCB status {} and not {status:?}", answer["tcb_status"]));
            }
        }
        counted[usize::from(!valid)] += 1;
    }
    not_yet.dedup();
    println!("{} valid, {} invalid; not supported yet: {not_yet:?}", counted[0], counted[1]);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(not_yet.is_empty(), "{not_yet:?}");
}

#[test]
fn every_case_is_explained_and_shown_in_80_columns() {
    let Some(cases) = cases() else { return };
    let tenant = Tenant::new();
    for case in &cases {
        let name = format!("{}/{}", case.tee(), case.name());
        let mut command = tenant.enarx();
        command.arg("explain").args(case.options());
        let (code, told, error) = run(command);
        assert_eq!(code, if case.expected().is_empty() { 0 } else { 3 }, "{name}: {error}");
        assert!(told.lines().all(|line| line.chars().count() <= 80), "{name}:\n{told}");
        assert!(case.expected().iter().all(|code| told.contains(code)), "{name}:\n{told}");
        let malformed =
            case.expected() == ["evidence-malformed"] || case.name().starts_with("tampered-certificate");
        let mut command = tenant.enarx();
        command.args(["evidence", "show"]).args(case.evidence());
        let (code, told, error) = run(command);
        assert_eq!(code, if malformed { 2 } else { 0 }, "{name}: {error}");
        assert!(told.lines().all(|line| line.chars().count() <= 80), "{name}:\n{told}");
    }
}

#[test]
fn collateral_is_shown_whatever_it_is() {
    let Some(cases) = cases() else { return };
    let tenant = Tenant::new();
    let files: BTreeSet<String> = cases
        .iter()
        .flat_map(|case| case.paths("collateral").into_iter().map(|path| case.path(&path)))
        .collect();
    for file in files {
        let mut command = tenant.enarx();
        command.args(["evidence", "show", "--format", "json", &file]);
        let (code, told, error) = run(command);
        assert_eq!(code, 0, "{}: {error}", Path::new(&file).display());
        let shown: Json = serde_json::from_str(&told).unwrap();
        assert!(!shown["records"].as_array().unwrap().is_empty(), "{file}");
    }
}
