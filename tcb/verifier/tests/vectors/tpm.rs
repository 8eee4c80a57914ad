// SPDX-License-Identifier: Apache-2.0

//! Recorded TPM quotes: each producer has files of its own, from which evidence of the product's form is made.

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding as _};
use enarx_evidence::azure::{AzureEvidence, HclReport};
use enarx_evidence::tpm::{
    Attest, AttestationKey, HashAlgorithm, PcrValues, Public, Quote, Signature, TpmEvidence,
};
use enarx_evidence::{Bundle, Endorsements, Evidence};
use serde_json::Value as Json;

use super::{Case, Value};

impl Case {
    /// The nonce of a case, with zeros after it.
    pub(crate) fn padded_nonce(&self) -> [u8; 64] {
        let nonce = self.bytes("nonce").unwrap_or_default();
        let mut report_data = [0; 64];
        report_data[..nonce.len()].copy_from_slice(&nonce);
        report_data
    }

    /// A file of the case by its name, without a folder.
    pub(crate) fn file(&self, name: &str) -> Option<Vec<u8>> {
        self.own_paths()
            .into_iter()
            .find(|path| path.rsplit('/').next() == Some(name))
            .map(|path| self.read(path))
    }

    fn own_paths(&self) -> Vec<&str> {
        let others = self.table.get("other_files").and_then(Value::as_array).into_iter().flatten();
        let others = others.map(|path| path.as_str().unwrap());
        others.chain([self.text("file")]).collect()
    }

    /// Every quote of a TPM case, by its bank.
    pub(crate) fn quotes(&self) -> Vec<TpmEvidence> {
        let names = self.own_paths().into_iter().map(|path| path.rsplit('/').next().unwrap());
        let stems = names.filter_map(|name| name.strip_prefix("quote")?.strip_suffix(".msg"));
        stems.map(|stem| self.tpm_evidence(stem)).collect()
    }

    fn tpm_evidence(&self, stem: &str) -> TpmEvidence {
        let attest = self.file(&format!("quote{stem}.msg")).unwrap();
        let signature = self.file(&format!("quote{stem}.sig")).unwrap();
        let values = if let Some(bank) = stem.strip_prefix('_') {
            by_number(bank, &self.file(&format!("pcrs_{bank}.json")).unwrap())
        } else if let Some(evidence) = self.file("evidence.json") {
            in_order(&evidence)
        } else if let Some(dump) = self.file("dump.json") {
            in_dump(&dump)
        } else {
            PcrValues::default()
        };
        let public = self.file("ak_public.tpmt").map(|bytes| Public::parse(&bytes).unwrap());
        let spki = self.file("ak_public.der").map(AttestationKey::Spki);
        let key = public.map(AttestationKey::Public).or(spki);
        TpmEvidence { quote: Quote::of(&attest, &signature, values).unwrap(), key }
    }

    /// The evidence of a machine of Azure. Its producers leave of the signature only the bytes.
    pub(crate) fn azure_evidence(&self) -> AzureEvidence {
        AzureEvidence {
            hcl_report: HclReport::parse(&self.file("hcl_report.bin").unwrap()).unwrap(),
            quote: Quote {
                attest: Attest::parse(&self.file("tpm_quote.msg").unwrap()).unwrap(),
                signature: Signature::bare_rsa(&self.file("tpm_quote.sig").unwrap()),
                values: by_number("sha256", &self.file("pcrs_sha256.json").unwrap()),
            },
            td_quote: self.file("td_quote.bin"),
        }
    }

    /// The evidence together with everything that the manifest names to verify it.
    pub(crate) fn bundle_with(&self, evidence: Vec<u8>) -> Bundle {
        let keys = ["certs", "ak_certs", "collateral"];
        let mut items = keys.into_iter().flat_map(|key| self.files(key)).collect::<Vec<_>>();
        items.extend(self.file("ak_cert.pem").filter(|_| self.tee() == "tpm"));
        // Such a chain was recorded without its root.
        items.extend(self.has("ak_certs").then(|| self.read("roots/azure/vtpm-root-2023.pem")));
        let evidence = Evidence { format: self.format(), bytes: evidence };
        Bundle { evidence, endorsements: Endorsements { items } }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }
}

fn bank(name: &str) -> HashAlgorithm {
    HashAlgorithm::ALL.into_iter().find(|bank| bank.name() == name).unwrap()
}

/// `{ "0": "…", … }`, hexadecimal.
fn by_number(name: &str, json: &[u8]) -> PcrValues {
    let values: BTreeMap<String, String> = serde_json::from_slice(json).unwrap();
    let value = |(number, digits): (String, String)| (number.parse().unwrap(), hex::decode(digits).unwrap());
    PcrValues { banks: BTreeMap::from([(bank(name), values.into_iter().map(value).collect())]) }
}

/// `{ "tpm_quote": { "pcrs": [ "…", … ] } }`, SHA-256, hexadecimal, from register 0 on.
fn in_order(json: &[u8]) -> PcrValues {
    let json: Json = serde_json::from_slice(json).unwrap();
    let digits = json["tpm_quote"]["pcrs"].as_array().unwrap().iter();
    let values = digits.map(|digits| hex::decode(digits.as_str().unwrap()).unwrap());
    PcrValues { banks: BTreeMap::from([(HashAlgorithm::Sha256, (0..).zip(values).collect())]) }
}

/// `{ "Log": { "PCRs": [ { "Index": 0, "Digest": "…" }, … ] } }`, SHA-1, base64.
fn in_dump(json: &[u8]) -> PcrValues {
    let json: Json = serde_json::from_slice(json).unwrap();
    let value = |register: &Json| {
        let number = u8::try_from(register["Index"].as_u64().unwrap()).unwrap();
        (number, Base64::decode_vec(register["Digest"].as_str().unwrap()).unwrap())
    };
    let registers = json["Log"]["PCRs"].as_array().unwrap().iter().map(value).collect();
    PcrValues { banks: BTreeMap::from([(HashAlgorithm::Sha1, registers)]) }
}
