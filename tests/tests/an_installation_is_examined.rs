// SPDX-License-Identifier: Apache-2.0

//! `enarx doctor` finds what is wrong with an installation, and `enarx platform` is right on whatever machine this is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use enarx_tests::{LOCAL_SIMULATOR, Tenant, code, finish, stderr, stdout};
use serde_json::Value;

fn doctor(tenant: &Tenant) -> Command {
    let mut command = tenant.enarx();
    command.args(["doctor", "--format", "json"]);
    command
}

/// What it says, and its exit code.
fn examine(command: &mut Command) -> (Vec<Value>, i32) {
    let output = finish(command, b"");
    let lines = stdout(&output);
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")));
    (lines.collect(), code(&output))
}

/// The checks that failed, with what to do.
fn failed(command: &mut Command) -> Vec<(String, String)> {
    let (lines, code) = examine(command);
    let failed: Vec<_> = lines
        .iter()
        .filter(|line| line["state"] == "fail")
        .map(|line| {
            let fix = line["fix"].as_str().unwrap_or_else(|| panic!("nothing to do: {line}"));
            assert!(!fix.is_empty(), "{line}");
            (line["check"].as_str().unwrap().to_owned(), fix.to_owned())
        })
        .collect();
    assert_eq!(code, if failed.is_empty() { 0 } else { 4 }, "{lines:?}");
    failed
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_fresh_installation_is_in_order_and_so_is_one_in_use() {
    let tenant = Tenant::new();
    set_mode(&tenant.state(), 0o700);
    assert_eq!(failed(&mut doctor(&tenant)), []);
    assert_eq!(code(&finish(tenant.enarx().args(["keep", "ls"]), b"")), 0);
    let (lines, _) = examine(&mut doctor(&tenant));
    let checks: Vec<_> = lines.iter().map(|line| line["check"].as_str().unwrap()).collect();
    for check in ["keep-program", "state-folder", "key", "keep-records", "cache-folder", "clock", "policy"] {
        assert!(checks.contains(&check), "{check}: {checks:?}");
    }
    let keys = lines[0].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys, ["check", "fix", "found", "state"]);
    let text = finish(tenant.enarx().arg("doctor"), b"");
    assert!(stdout(&text).starts_with("keep-program      ok: "), "{}", stdout(&text));
}

#[test]
fn a_missing_keep_program_is_named() {
    let tenant = Tenant::new();
    set_mode(&tenant.state(), 0o700);
    let failed = failed(doctor(&tenant).args(["--keep-program", "/nowhere/enarx-keep"]));
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0].0, "keep-program");
    assert!(failed[0].1.contains("ENARX_KEEP"), "{failed:?}");
}

#[test]
fn keys_that_others_can_read_are_told() {
    let tenant = Tenant::new();
    set_mode(&tenant.state(), 0o700);
    finish(tenant.enarx().args(["keep", "ls"]), b"");
    let key = tenant.state().join("owner.key");
    set_mode(&key, 0o640);
    let told = failed(&mut doctor(&tenant));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].0 == "key" && told[0].1.starts_with("`chmod 600 "), "{told:?}");
    set_mode(&key, 0o600);
    set_mode(&tenant.state(), 0o755);
    let told = failed(&mut doctor(&tenant));
    assert!(
        told.len() == 1 && told[0].0 == "state-folder" && told[0].1.starts_with("`chmod 700 "),
        "{told:?}"
    );
}

#[test]
fn damaged_records_and_a_damaged_simulator_are_told() {
    let tenant = Tenant::new();
    set_mode(&tenant.state(), 0o700);
    tenant.file("state/keeps/00.json", "no record");
    fs::write(tenant.state().join("simulator/milan/ark/certificate.der"), "no certificate").unwrap();
    let told: Vec<_> = failed(&mut doctor(&tenant)).into_iter().map(|(check, _)| check).collect();
    assert_eq!(told, ["keep-records", "simulator"]);
}

#[test]
fn a_policy_is_checked_and_one_that_accepts_simulation_is_warned_of() {
    let tenant = Tenant::new();
    set_mode(&tenant.state(), 0o700);
    let bad = tenant.file("bad.toml", "version = 1\n");
    let told = failed(doctor(&tenant).arg("--policy").arg(&bad));
    assert_eq!(told[0].0, "policy");
    let (lines, code) = examine(doctor(&tenant).args(["--policy", LOCAL_SIMULATOR]));
    let policy = lines.iter().find(|line| line["check"] == "policy").unwrap();
    assert_eq!((policy["state"].as_str(), code), (Some("warn"), 0));
}

#[test]
fn a_proxy_that_is_none_is_told() {
    let tenant = Tenant::new();
    set_mode(&tenant.state(), 0o700);
    let told = failed(doctor(&tenant).env("https_proxy", "gopher://x"));
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, "proxies");
}

#[test]
fn this_machine_is_told_whatever_it_is() {
    let tenant = Tenant::new();
    let output = finish(tenant.enarx().args(["platform", "--format", "json"]), b"");
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["tees"].as_array().unwrap().len(), 10);
    let snp = serde_json::json!({ "tee": "sev-snp", "backend": "snp", "run_on_hardware": false });
    assert_eq!(report["keeps"]["in_tees"], serde_json::json!([snp]));
    for arguments in [&["platform"][..], &["platform", "--all"]] {
        let text = finish(tenant.enarx().args(arguments), b"");
        let told = stdout(&text);
        assert!(told.starts_with("processor "), "{told}");
        assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
    }
}

/// Somebody who signs feeds, and a tenant who listens.
struct Issuer<'a> {
    tenant: &'a Tenant,
    key: PathBuf,
    public: String,
}

impl<'a> Issuer<'a> {
    fn new(tenant: &'a Tenant) -> Self {
        let key = tenant.path("issuer.key");
        let made = finish(tenant.enarx().args(["advisory", "key", "--new"]).arg(&key), b"");
        Self { tenant, key, public: stdout(&made).trim().to_owned() }
    }

    /// The signed feed, in a file.
    fn sign(&self, body: &str) -> PathBuf {
        let body = self.tenant.file("feed.toml", body);
        let mut sign = self.tenant.enarx();
        let signed = finish(sign.args(["advisory", "sign"]).arg(body).arg("--key").arg(&self.key), b"");
        self.tenant.file("signed.feed", signed.stdout)
    }

    fn import(&self, body: &str, options: &[&str]) {
        let mut import = self.tenant.enarx();
        import.args(["advisory", "import", "--issuer", &self.public]).args(options).arg(self.sign(body));
        let output = finish(&mut import, b"");
        assert_eq!(code(&output), 0, "{}", stderr(&output));
    }
}

/// A feed without advisories, version 1.
fn feed(expires: &str) -> String {
    format!("feed = \"warnings\"\nversion = 1\nissued = \"2026-01-01\"\n{expires}issuer = \"A group\"\n")
}

/// What is said about feeds.
fn of_feeds(tenant: &Tenant, state: &str) -> Vec<String> {
    let (lines, _) = examine(&mut doctor(tenant));
    let of_feeds = lines.into_iter().filter(|line| line["check"] == "advisories" && line["state"] == state);
    of_feeds.map(|line| line["found"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_list_of_feeds_that_was_put_back_is_told() {
    let tenant = Tenant::new();
    set_mode(&tenant.state(), 0o700);
    let issuer = Issuer::new(&tenant);
    let (list, folder) = (tenant.state().join("advisories.json"), tenant.state().join("advisories"));
    issuer.import(&feed(""), &[]);
    let only = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let before = [&list, &only].map(|file| (file.clone(), fs::read(file).unwrap()));
    let newer = feed("").replace("version = 1", "version = 2");
    issuer.import(&newer, &[]);
    assert_eq!(of_feeds(&tenant, "fail"), [""; 0]);
    for (file, bytes) in before {
        fs::write(file, bytes).unwrap();
    }
    let told = of_feeds(&tenant, "fail");
    let expected = "version 2 of `warnings` was here, and the list remembers version 1 as the newest";
    assert!(told.len() == 1 && told[0].starts_with(expected), "{told:?}");
    // What it says to do helps.
    issuer.import(&newer, &[]);
    assert_eq!((of_feeds(&tenant, "fail"), of_feeds(&tenant, "warn")), (vec![], vec![]));
    // An older version, or anything else, is in nobody's way.
    fs::copy(issuer.sign(&feed("")), folder.join("aa.feed")).unwrap();
    fs::write(folder.join("bb.feed"), b"\0").unwrap();
    let told = of_feeds(&tenant, "warn");
    assert!(told[0].ends_with("aa.feed, version 1 of `warnings`, is not looked at"), "{told:?}");
    assert!(told[1].ends_with("bb.feed is no feed of an issuer of yours, and is not looked at"), "{told:?}");
    assert_eq!(told.len(), 2);
}

#[test]
fn feeds_of_advisories_that_are_past_their_day_or_damaged_are_told() {
    let tenant = Tenant::new();
    set_mode(&tenant.state(), 0o700);
    let issuer = Issuer::new(&tenant);
    let import = |body: String, options: &[&str]| issuer.import(&body, options);
    let told = |state: &str| of_feeds(&tenant, state);
    assert_eq!(told("ok"), ["you listen to no feed"]);
    import(feed("expires = \"2026-02-01\"\n"), &["--when-expired", "warn"]);
    let stale = "`warnings`, version 1, had its last day on 2026-02-01; what became known since is missing";
    assert_eq!(
        (told("ok"), told("warn")),
        (vec!["you listen to one feed".to_owned()], vec![stale.to_owned()])
    );
    import(feed("").replace("version = 1", "version = 2"), &[]);
    assert_eq!(told("ok"), ["you listen to one feed", "`warnings`, version 2, which never expires"]);
    import(
        feed("expires = \"2026-02-01\"\n").replace("version = 1", "version = 3"),
        &["--when-expired", "refuse"],
    );
    let failed_checks = failed(&mut doctor(&tenant));
    assert_eq!(failed_checks.len(), 1, "{failed_checks:?}");
    assert!(
        failed_checks[0].1.starts_with("import its next version by `enarx advisory import`"),
        "{failed_checks:?}"
    );

    let list = tenant.state().join("advisories.json");
    set_mode(&list, 0o622);
    assert_eq!(told("fail").len(), 2);
    set_mode(&list, 0o600);
    fs::remove_file(&list).unwrap();
    let gone = told("fail");
    assert_eq!(gone.len(), 1, "{gone:?}");
    assert!(gone[0].ends_with("the list of your feeds of advisories, is gone"), "{gone:?}");
}
