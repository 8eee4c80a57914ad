// SPDX-License-Identifier: Apache-2.0

//! What two policies say, entry by entry: everything that counts in their digests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use enarx_evidence::dcap::TcbStatus;
use enarx_verifier::Policy;
use enarx_verifier::policy::{Matcher, Measurement, OnRefusal, Product, SimulatedRoot, Vocabulary as _};

/// The values of an entry that only one of the two policies has.
pub(super) struct Setting {
    /// The entry, such as `guest.smt`.
    pub(super) path: String,
    pub(super) no_longer: Vec<String>,
    pub(super) now: Vec<String>,
}

/// The entries that differ, in the order of their names.
pub(super) fn compare(old: &Policy, new: &Policy) -> Vec<Setting> {
    let (old, new) = (Settings::of(old), Settings::of(new));
    let paths: BTreeSet<&String> = old.0.keys().chain(new.0.keys()).collect();
    let none = BTreeSet::new();
    let differs = |path: &String| {
        let [old, new] = [&old, &new].map(|settings| settings.0.get(path).unwrap_or(&none));
        let only = |one: &BTreeSet<String>, other| one.difference(other).cloned().collect::<Vec<_>>();
        let setting = Setting { path: path.clone(), no_longer: only(old, new), now: only(new, old) };
        (old != new).then_some(setting)
    };
    paths.into_iter().filter_map(differs).collect()
}

/// Every entry with its values.
struct Settings(BTreeMap<String, BTreeSet<String>>);

impl Settings {
    fn of(policy: &Policy) -> Self {
        let mut settings = Self(BTreeMap::new());
        settings.rules(policy);
        settings.general(policy);
        settings.minimums(policy);
        settings.guest(policy);
        settings.intel(policy);
        settings
    }

    fn put(&mut self, path: impl Into<String>, values: impl IntoIterator<Item = impl Display>) {
        let values = values.into_iter().map(|value| value.to_string()).collect();
        self.0.insert(path.into(), values);
    }

    fn one(&mut self, path: &str, value: impl Display) {
        self.put(path, [value]);
    }

    /// A list that asks for nothing where it is empty.
    fn any_or(&mut self, path: &str, values: impl Iterator<Item = String>) {
        let values: Vec<String> = values.collect();
        if values.is_empty() { self.one(path, "any") } else { self.put(path, values) }
    }

    fn rules(&mut self, policy: &Policy) {
        for rule in policy.allow_rules() {
            let tcb = Some(format!("minimum_tcb = {}", rule.minimum_tcb));
            let until = rule.expires.map(|end| format!("expires = {end}"));
            let reason = rule.reason.as_ref().map(|reason| format!("reason = {reason}"));
            let rest = [tcb, until, reason].into_iter().flatten();
            self.put(format!("allow.{}", rule.id), matcher(&rule.platforms).into_iter().chain(rest));
        }
        for rule in policy.deny_rules() {
            let until = rule.expires.map(|end| format!("expires = {end}"));
            let reason = rule.reason.as_ref().map(|reason| format!("reason = {reason}"));
            let rest = [until, reason].into_iter().flatten();
            self.put(format!("deny.{}", rule.id), matcher(&rule.platforms).into_iter().chain(rest));
        }
    }

    fn general(&mut self, policy: &Policy) {
        self.put("keep.measurements", policy.measurements().iter().map(measurement));
        for (name, accepted) in policy.registers() {
            self.put(format!("keep.registers.{name}"), accepted.iter().map(measurement));
        }
        self.any_or("workload.digests", policy.workload().digests.iter().map(hex::encode));
        self.any_or("workload.owners", policy.workload().owners.iter().map(hex::encode));
        let root = |root: &SimulatedRoot| match root {
            SimulatedRoot::Named(name) => name.clone(),
            SimulatedRoot::Sha256(digest) => format!("sha256:{}", hex::encode(digest)),
        };
        self.put("simulated.roots", policy.simulated_roots().iter().map(root));
        let on_refusal: OnRefusal = policy.on_refusal();
        self.one("on_refusal", on_refusal);
        self.put("cca.software", policy.cca().software.iter().map(measurement));
        self.put("cca.signers", policy.cca().signers.iter().map(measurement));
        self.one("tpm.sha1", policy.tpm().sha1);
        let collateral = policy.collateral();
        self.one("collateral.crl", collateral.crl);
        self.one("collateral.tcb_info", collateral.tcb_info);
        let age = collateral.freshness.maximum_age_days;
        let age = age.map_or_else(|| "until they expire".to_owned(), |days| days.to_string());
        self.one("collateral.maximum_age_days", age);
        let expired = collateral.freshness.expired_accepted_for_days;
        self.one("collateral.expired_accepted_for_days", expired);
    }

    fn minimums(&mut self, policy: &Policy) {
        for product in Product::ALL {
            let Some(floor) = policy.floor(*product) else { continue };
            self.one(&format!("minimum_tcb.{product}"), floor.general);
            for (kind, own) in &floor.own {
                self.one(&format!("minimum_tcb.{product}.{kind}"), own);
            }
        }
    }

    fn guest(&mut self, policy: &Policy) {
        let guest = policy.guest();
        for (name, switch) in guest.switches() {
            self.one(&format!("guest.{name}"), switch);
        }
        self.put("guest.vmpl", &guest.vmpl);
        self.put("snp.id_keys", policy.snp().id_keys.iter().map(hex::encode));
        self.put("snp.author_keys", policy.snp().author_keys.iter().map(hex::encode));
    }

    fn intel(&mut self, policy: &Policy) {
        let intel = policy.intel();
        self.put("intel.tcb_status", intel.tcb_status.iter().map(|status: &TcbStatus| status.name()));
        self.one("intel.out_of_date_accepted_for_days", intel.out_of_date_accepted_for_days);
        self.one("intel.advisories", intel.advisories);
        self.put("intel.advisories_accepted", &intel.advisories_accepted);
        self.put("intel.advisories_refused", &intel.advisories_refused);
        let number = intel.minimum_tcb_evaluation_data_number;
        self.one("intel.minimum_tcb_evaluation_data_number", number);
        self.one("intel.minimum_tcb_date", intel.minimum_tcb_date);
        self.one("intel.minimum_pce_svn", intel.minimum_pce_svn);
        self.one("intel.minimum_qe_svn", intel.minimum_qe_svn);
        let (version, svn) = intel.minimum_tdx_module;
        self.one("intel.minimum_tdx_module", format_args!("{version}.{svn}"));
        self.put("intel.td_attributes", &intel.td_attributes);
        self.put("intel.extended_states", &intel.extended_states);
        self.one("intel.sept_ve_enabled", intel.sept_ve_enabled);
        self.put("intel.service_tds", intel.service_tds.iter().map(hex::encode));
        self.any_or("intel.tdx_modules", intel.tdx_modules.iter().map(hex::encode));
        self.any_or("intel.tdx_module_signers", intel.tdx_module_signers.iter().map(hex::encode));
        let signer = |signer: &enarx_verifier::policy::Signer| {
            let (product, svn) = (signer.isv_prod_id, signer.minimum_isv_svn);
            format!("product {product} of {} from {svn} on", hex::encode(signer.mr_signer))
        };
        self.put("intel.signer", intel.signers.iter().map(signer));
    }
}

fn measurement(measurement: &Measurement) -> String {
    match measurement {
        Measurement::Reference(name) => name.clone(),
        Measurement::Digest { algorithm, digest } => format!("{algorithm}:{}", hex::encode(digest)),
    }
}

/// Which platforms a rule is about.
fn matcher(matcher: &Matcher) -> Vec<String> {
    let Matcher { vendor, tee, products, features } = matcher;
    let mut said = vec![format!("vendor = {vendor}")];
    said.extend(tee.map(|tee| format!("tee = {tee}")));
    match products {
        None => said.push("products = any".to_owned()),
        Some(products) => said.extend(products.iter().map(|product| format!("products = {product}"))),
    }
    for (feature, values) in features {
        let text =
            |value: &Vec<u8>| format!("{} = {}", feature.name(), super::points::shown(*feature, value));
        said.extend(values.iter().map(text));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"version = 1
[keep]
measurements = ["release"]
[[allow]]
id = "amd"
vendor = "amd"
tee = "sev-snp"
products = ["milan"]
[[deny]]
id = "chips"
vendor = "amd"
steppings = [1]
[minimum_tcb.milan]
bootloader = 4
tee = 0
snp = 24
microcode = 219
"#;

    /// Texts that change the policy in one entry, and what that is called.
    const CHANGES: &[(&str, &str)] = &[
        ("on_refusal = \"stop\"", "on_refusal"),
        ("keep.registers.rtmr0 = [\"release\"]", "keep.registers.rtmr0"),
        ("simulated = { accept = true, roots = [\"local\"] }", "simulated.roots"),
        ("guest.debug = \"accept\"", "guest.debug"),
        ("guest.migration = \"accept\"", "guest.migration"),
        ("guest.vmpl = [0, 1]", "guest.vmpl"),
        ("guest.vlek = \"accept\"", "guest.vlek"),
        ("guest.smt = \"refuse\"", "guest.smt"),
        ("guest.several_sockets = \"refuse\"", "guest.several_sockets"),
        ("guest.ciphertext_visible = \"refuse\"", "guest.ciphertext_visible"),
        ("guest.aliases_unchecked = \"refuse\"", "guest.aliases_unchecked"),
        ("guest.power_readings = \"refuse\"", "guest.power_readings"),
        ("guest.cxl = \"refuse\"", "guest.cxl"),
        ("guest.launch_keys = \"refuse\"", "guest.launch_keys"),
        ("intel.tcb_status = [\"OutOfDate\"]", "intel.tcb_status"),
        ("intel.out_of_date_accepted_for_days = 1", "intel.out_of_date_accepted_for_days"),
        ("intel.advisories = \"not-checked\"", "intel.advisories"),
        ("intel.advisories_accepted = [\"INTEL-SA-00001\"]", "intel.advisories_accepted"),
        ("intel.advisories_refused = [\"INTEL-SA-00001\"]", "intel.advisories_refused"),
        ("intel.minimum_tcb_evaluation_data_number = 1", "intel.minimum_tcb_evaluation_data_number"),
        ("intel.minimum_tcb_date = \"2025-01-01\"", "intel.minimum_tcb_date"),
        ("intel.minimum_pce_svn = 1", "intel.minimum_pce_svn"),
        ("intel.minimum_qe_svn = 1", "intel.minimum_qe_svn"),
        ("intel.minimum_tdx_module = { version = 1, svn = 5 }", "intel.minimum_tdx_module"),
        ("intel.td_attributes = []", "intel.td_attributes"),
        ("intel.extended_states = []", "intel.extended_states"),
        ("intel.sept_ve_enabled = \"accept\"", "intel.sept_ve_enabled"),
        ("tpm.sha1 = \"accept\"", "tpm.sha1"),
        ("collateral.crl = \"absent-accepted\"", "collateral.crl"),
        ("collateral.tcb_info = \"absent-accepted\"", "collateral.tcb_info"),
        ("collateral.maximum_age_days = 3", "collateral.maximum_age_days"),
        ("collateral.expired_accepted_for_days = 3", "collateral.expired_accepted_for_days"),
    ];

    fn parse(text: &str) -> Policy {
        Policy::parse(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
    }

    fn paths(old: &str, new: &str) -> Vec<String> {
        compare(&parse(old), &parse(new)).into_iter().map(|setting| setting.path).collect()
    }

    #[test]
    fn every_entry_that_changes_is_told() {
        for (change, path) in CHANGES {
            let changed = POLICY.replacen("version = 1\n", &format!("version = 1\n{change}\n"), 1);
            let changed = if change.starts_with("keep") {
                POLICY.replacen("[keep]\n", &format!("[keep]\n{}\n", change.trim_start_matches("keep.")), 1)
            } else {
                changed
            };
            assert_eq!(paths(POLICY, &changed), [path.to_string()], "{change}");
            assert_eq!(paths(&changed, POLICY), [path.to_string()], "{change}");
        }
    }

    #[test]
    fn lists_rules_and_levels_that_change_are_told() {
        let digest = "00".repeat(48);
        let (key, tail) = ("11".repeat(32), "microcode = 219\n");
        for (from, to, path) in [
            ("[\"release\"]", format!("[\"sha384:{digest}\"]"), "keep.measurements"),
            ("steppings = [1]", "steppings = [2]".to_owned(), "deny.chips"),
            ("\"chips\"\n", "\"chips\"\nreason = \"why\"\n".to_owned(), "deny.chips"),
            ("\"chips\"\n", "\"chips\"\nexpires = \"2030-01-01\"\n".to_owned(), "deny.chips"),
            ("\"amd\"\nvendor", "\"amd\"\nexpires = \"2030-01-01\"\nvendor".to_owned(), "allow.amd"),
            (tail, "microcode = 220\n".to_owned(), "minimum_tcb.milan"),
            (tail, format!("{tail}[minimum_tcb.milan.launch]\nsnp = 23\n"), "minimum_tcb.milan.launch"),
            (tail, format!("{tail}[workload]\ndigests = [\"sha256:{key}\"]\n"), "workload.digests"),
            (tail, format!("{tail}[workload]\nowners = [\"{key}\"]\n"), "workload.owners"),
            (tail, format!("{tail}[snp]\nid_keys = [\"sha384:{digest}\"]\n"), "snp.id_keys"),
            (tail, format!("{tail}[snp]\nauthor_keys = [\"sha384:{digest}\"]\n"), "snp.author_keys"),
            (tail, format!("{tail}[cca]\nsoftware = [\"release\"]\n"), "cca.software"),
            (tail, format!("{tail}[cca]\nsigners = [\"sha384:{digest}\"]\n"), "cca.signers"),
            (tail, format!("{tail}[intel]\nservice_tds = [\"sha384:{digest}\"]\n"), "intel.service_tds"),
            (tail, format!("{tail}[intel]\ntdx_modules = [\"sha384:{digest}\"]\n"), "intel.tdx_modules"),
            (
                tail,
                format!("{tail}[intel]\ntdx_module_signers = [\"sha384:{digest}\"]\n"),
                "intel.tdx_module_signers",
            ),
            (
                tail,
                format!(
                    "{tail}[[intel.signer]]\nmr_signer = \"sha256:{key}\"\nisv_prod_id = 1\nminimum_isv_svn = 2\n"
                ),
                "intel.signer",
            ),
        ] {
            let changed = POLICY.replacen(from, &to, 1);
            assert_eq!(paths(POLICY, &changed), [path], "{to}");
        }
        assert_eq!(paths(POLICY, POLICY), Vec::<String>::new());
    }
}
