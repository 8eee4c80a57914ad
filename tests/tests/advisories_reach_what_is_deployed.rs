// SPDX-License-Identifier: Apache-2.0

//! `enarx advisory` and `enarx keep watch`: an advisory arrives, new Keeps are refused and running ones noticed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use enarx_tests::{
    Host, LOCAL_SIMULATOR, Tenant, code, example, finish, interrupt, root, stderr, stdout, until, wait,
};
use serde_json::Value;

/// A feed that is about Milan.
const MILAN: &str = r#"feed = "group-warnings"
version = 1
issued = "2026-11-23"
issuer = "A group of tenants"
[[advisory]]
id = "GROUP-2026-1"
since = "2026-11-22"
because = "one of us found a way into Keeps on these"
references = ["https://example.com/group-2026-1"]
[[advisory.affects]]
vendor = "amd"
products = ["milan"]
"#;

/// Whoever signs feeds, on a machine of their own.
struct Issuer {
    machine: Tenant,
    key: PathBuf,
}

impl Issuer {
    fn new() -> Self {
        let machine = Tenant::new();
        let key = machine.path("issuer.key");
        let made = finish(machine.enarx().args(["advisory", "key", "--new"]).arg(&key), b"");
        assert_eq!(code(&made), 0, "{}", stderr(&made));
        Self { machine, key }
    }

    fn public(&self) -> String {
        let printed = finish(self.machine.enarx().args(["advisory", "key"]).arg(&self.key), b"");
        assert_eq!(code(&printed), 0, "{}", stderr(&printed));
        stdout(&printed).trim().to_owned()
    }

    fn sign(&self, body: &str) -> Vec<u8> {
        let body = self.machine.file("feed.toml", body);
        let signed = finish(
            self.machine.enarx().args(["advisory", "sign"]).arg(body).arg("--key").arg(&self.key),
            b"",
        );
        assert_eq!(code(&signed), 0, "{}", stderr(&signed));
        signed.stdout
    }
}

fn version(number: u32) -> String {
    MILAN.replace("version = 1", &format!("version = {number}"))
}

fn import(tenant: &Tenant, feed: &[u8], options: &[&str]) -> std::process::Output {
    let file = tenant.file("signed.feed", feed);
    finish(tenant.enarx().args(["advisory", "import"]).arg(file).args(options), b"")
}

/// A tenant who listens to an issuer's feed.
fn listening(issuer: &Issuer, body: &str) -> Tenant {
    let tenant = Tenant::new();
    let imported = import(&tenant, &issuer.sign(body), &["--issuer", &issuer.public()]);
    assert_eq!(code(&imported), 0, "{}", stderr(&imported));
    tenant
}

fn policy(tenant: &Tenant, on_refusal: &str) -> PathBuf {
    let text = fs::read_to_string(root().join(LOCAL_SIMULATOR)).unwrap();
    let version = "version = 1\n";
    assert!(text.contains(version));
    let text = text.replacen(version, &format!("{version}on_refusal = \"{on_refusal}\"\n"), 1);
    tenant.file(&format!("{on_refusal}.toml"), text)
}

fn detached(tenant: &Tenant, host: &Host, policy: &Path) -> String {
    detached_program(tenant, &example("spin"), host, policy)
}

fn detached_program(tenant: &Tenant, program: &Path, host: &Host, policy: &Path) -> String {
    let mut command = tenant.enarx();
    command.args(["deploy", "--detach", "--to", &host.url, "--policy"]).arg(policy).arg(program);
    let before = keeps(tenant);
    let output = finish(&mut command, b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let new = keeps(tenant).into_iter().find(|keep| before.iter().all(|old| old["keep"] != keep["keep"]));
    new.expect("a new Keep")["keep"].as_str().unwrap().to_owned()
}

fn keeps(tenant: &Tenant) -> Vec<Value> {
    lines(tenant.enarx().args(["keep", "ls", "--format", "json"]), 0)
}

fn keep(tenant: &Tenant, name: &str) -> Value {
    keeps(tenant).into_iter().find(|keep| keep["keep"] == name).expect("the Keep")
}

/// The JSON lines that a command prints, and its exit code.
fn lines(command: &mut Command, expected: i32) -> Vec<Value> {
    let output = finish(command, b"");
    assert_eq!(code(&output), expected, "{}{}", stdout(&output), stderr(&output));
    stdout(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// What one round of watching says about a Keep: state, action and codes.
fn round(tenant: &Tenant, options: &[&str], expected: i32, name: &str) -> (String, Value, Vec<Value>) {
    let events =
        lines(tenant.enarx().args(["keep", "watch", "--once", "--format", "json"]).args(options), expected);
    let event = events.iter().find(|event| event["keep"] == name).expect("an event about the Keep");
    let codes = event["refusals"].as_array().unwrap().iter().map(|refusal| refusal["code"].clone());
    (event["state"].as_str().unwrap().to_owned(), event["action"].clone(), codes.collect())
}

/// What a command prints while it runs.
fn events(watching: &mut Child) -> impl Iterator<Item = Value> + use<> {
    let lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    lines.map(|line| serde_json::from_str(&line.expect("a line")).expect("JSON"))
}

#[test]
fn an_advisory_refuses_new_keeps_on_milan_and_accepts_those_on_genoa() {
    let issuer = Issuer::new();
    let tenant = listening(&issuer, MILAN);
    let run = |platform: &str| finish(tenant.run(example("cat")).args(["--simulate", platform]), b"in");
    let refused = run("amd/milan");
    assert_eq!((code(&refused), stdout(&refused).as_str()), (3, ""), "{}", stderr(&refused));
    let told = stderr(&refused);
    for part in [
        "advisory-denies",
        "feed `group-warnings` version 1",
        "`GROUP-2026-1`",
        "one of us found a way into Keeps on these",
        "https://example.com/group-2026-1",
        "hint: read the reference",
    ] {
        assert!(told.contains(part), "`{part}` is missing:\n{told}");
    }
    let accepted = run("amd/genoa");
    assert_eq!((code(&accepted), stdout(&accepted).as_str()), (0, "in"), "{}", stderr(&accepted));

    let removed = finish(tenant.enarx().args(["advisory", "rm", "group-warnings"]), b"");
    assert_eq!(code(&removed), 0, "{}", stderr(&removed));
    assert_eq!(code(&run("amd/milan")), 0, "nobody listens any more");
}

#[test]
fn a_running_keep_is_flagged_when_an_advisory_arrives_and_those_on_other_platforms_go_on() {
    let (issuer, tenant) = (Issuer::new(), Tenant::new());
    let (milan, genoa) =
        (tenant.host(&["--simulate", "amd/milan"]), tenant.host(&["--simulate", "amd/genoa"]));
    let flag = policy(&tenant, "flag");
    let (on_milan, on_genoa) = (detached(&tenant, &milan, &flag), detached(&tenant, &genoa, &flag));
    assert_eq!(round(&tenant, &[], 0, &on_milan), ("accepted".into(), Value::Null, vec![]));

    let imported = import(&tenant, &issuer.sign(MILAN), &["--issuer", &issuer.public()]);
    assert_eq!(code(&imported), 0, "{}", stderr(&imported));
    let expected = ("refused".to_owned(), Value::from("flagged"), vec![Value::from("advisory-denies")]);
    assert_eq!(round(&tenant, &[], 3, &on_milan), expected);
    assert_eq!(round(&tenant, &[&on_genoa], 0, &on_genoa), ("accepted".into(), Value::Null, vec![]));
    let attested = finish(tenant.enarx().args(["keep", "attest", &on_milan]), b"");
    assert_eq!(code(&attested), 3, "{}", stderr(&attested));

    let listed = keep(&tenant, &on_milan);
    assert_eq!(
        (&listed["state"], &listed["refused"]["codes"][0]),
        (&"running".into(), &"advisory-denies".into())
    );
    assert_eq!(keep(&tenant, &on_genoa)["refused"], Value::Null);
    let text = finish(tenant.enarx().args(["keep", "ls"]), b"");
    assert_eq!(
        stdout(&text).matches("REFUSED by its policy: advisory-denies").count(),
        1,
        "{}",
        stdout(&text)
    );

    // A later version no longer says so.
    let withdrawn = version(2).split("[[advisory]]").next().unwrap().to_owned();
    let imported = import(&tenant, &issuer.sign(&withdrawn), &[]);
    assert_eq!(code(&imported), 0, "{}", stderr(&imported));
    assert!(stderr(&imported).contains("withdrawn `GROUP-2026-1`"), "{}", stderr(&imported));
    assert_eq!(round(&tenant, &[], 0, &on_milan).0, "accepted");
    assert_eq!(keep(&tenant, &on_milan)["refused"], Value::Null);
}

#[test]
fn a_watched_keep_is_stopped_as_soon_as_the_advisory_is_imported_if_its_policy_says_so() {
    let (issuer, tenant) = (Issuer::new(), Tenant::new());
    let host = tenant.host(&["--simulate", "amd/milan"]);
    let name = detached(&tenant, &host, &policy(&tenant, "stop"));
    let mut watching =
        tenant.enarx().args(["keep", "watch", "--every", "6h", "--format", "json"]).spawn().expect("enarx");
    let mut events = events(&mut watching);
    let started = events.by_ref().find(|event| event["event"] == "round").expect("the first round");
    assert_eq!((&started["cause"], &started["accepted"]), (&"started".into(), &1.into()));

    let imported = import(&tenant, &issuer.sign(MILAN), &["--issuer", &issuer.public()]);
    assert_eq!(code(&imported), 0, "{}", stderr(&imported));
    let refused = events.by_ref().find(|event| event["event"] == "keep").expect("an event about the Keep");
    assert_eq!((&refused["state"], &refused["action"]), (&"refused".into(), &"stopped".into()), "{refused}");
    let round = events.by_ref().find(|event| event["event"] == "round").expect("the second round");
    assert_eq!((&round["cause"], &round["refused"]), (&"advisories".into(), &1.into()));
    until("the Keep is gone", || host.keeps().is_empty());

    interrupt(watching.id());
    assert_eq!(wait(&mut watching).code(), Some(0), "it was told to end");
    let listed = keep(&tenant, &name);
    assert_eq!((&listed["state"], &listed["refused"]["stopped"]), (&"stopped".into(), &true.into()));
}

#[test]
fn a_refused_workload_starts_anew_on_the_first_host_that_is_accepted() {
    let (issuer, tenant) = (Issuer::new(), Tenant::new());
    let [milan, other_milan, genoa] =
        ["amd/milan", "amd/milan", "amd/genoa"].map(|platform| tenant.host(&["--simulate", platform]));
    let name = detached(&tenant, &milan, &policy(&tenant, "redeploy"));
    let imported = import(&tenant, &issuer.sign(MILAN), &["--issuer", &issuer.public()]);
    assert_eq!(code(&imported), 0, "{}", stderr(&imported));
    let hosts = ["--redeploy-to", &milan.url, "--redeploy-to", &other_milan.url, "--redeploy-to", &genoa.url];
    assert_eq!(round(&tenant, &hosts, 3, &name).1, "redeployed");
    until("the old Keep is gone", || milan.keeps().is_empty());

    let old = keep(&tenant, &name);
    assert_eq!((&old["state"], &old["refused"]["stopped"]), (&"stopped".into(), &true.into()));
    let successor = old["refused"]["redeployed"].as_str().expect("the new Keep").to_owned();
    let new = keep(&tenant, &successor);
    assert_eq!((&new["state"], &new["host"]), (&"running".into(), &genoa.url.as_str().into()));
    assert_eq!(new["workload_digest"], old["workload_digest"]);
    // Who watches the old one watches the new one.
    let events = lines(tenant.enarx().args(["keep", "watch", "--once", "--format", "json", &name]), 0);
    assert_eq!((&events[0]["keep"], &events[0]["state"]), (&successor.into(), &"accepted".into()));
}

#[test]
fn what_cannot_be_redeployed_is_stopped_all_the_same() {
    let (issuer, tenant) = (Issuer::new(), Tenant::new());
    let [milan, genoa] = ["amd/milan", "amd/genoa"].map(|platform| tenant.host(&["--simulate", platform]));
    let policy = policy(&tenant, "redeploy");
    let program = tenant.path("copy.wasm");
    fs::copy(example("spin"), &program).unwrap();
    let changed = detached_program(&tenant, &program, &milan, &policy);
    let nowhere = detached(&tenant, &milan, &policy);
    let imported = import(&tenant, &issuer.sign(MILAN), &["--issuer", &issuer.public()]);
    assert_eq!(code(&imported), 0, "{}", stderr(&imported));
    let why = |name: &str, options: &[&str]| {
        let mut watch = tenant.enarx();
        let output = finish(watch.args(["keep", "watch", "--once", name]).args(options), b"");
        assert_eq!(code(&output), 3, "{}", stderr(&output));
        assert_eq!(keep(&tenant, name)["state"], "stopped");
        stdout(&output)
    };
    let told = why(&nowhere, &["--redeploy-to", &milan.url]);
    let expected = "it could NOT be redeployed: no other host is named; `--redeploy-to` does; it was stopped";
    assert!(told.contains(expected), "{told}");
    fs::copy(example("cat"), &program).unwrap();
    let told = why(&changed, &["--redeploy-to", &genoa.url]);
    assert!(told.contains("copy.wasm has changed since: it is workload "), "{told}");
    until("nothing was left where it could not start", || genoa.keeps().is_empty());
}

#[test]
fn draining_stops_a_keep_only_where_its_owner_said_so() {
    let issuer = Issuer::new();
    let tenant = Tenant::new();
    let host = tenant.host(&["--simulate", "amd/milan"]);
    let name = detached(&tenant, &host, &policy(&tenant, "drain"));
    let imported = import(&tenant, &issuer.sign(MILAN), &["--issuer", &issuer.public()]);
    assert_eq!(code(&imported), 0, "{}", stderr(&imported));
    assert_eq!(round(&tenant, &[], 3, &name).1, "not-drained");
    assert_eq!(keep(&tenant, &name)["state"], "running");
    assert_eq!(round(&tenant, &["--stop-instead-of-drain"], 3, &name).1, "stopped");
    assert_eq!(keep(&tenant, &name)["state"], "stopped");
}

#[test]
fn a_host_that_is_gone_is_told_apart_from_a_keep_that_is_refused() {
    let tenant = Tenant::new();
    let host = tenant.host(&[]);
    let name = detached(&tenant, &host, &policy(&tenant, "stop"));
    assert!(host.interrupt().success());
    assert_eq!(round(&tenant, &[], 4, &name), ("unreachable".into(), Value::Null, vec![]));
    assert_eq!(keep(&tenant, &name)["refused"], Value::Null);
}

#[test]
fn another_policy_is_applied_as_soon_as_it_is_written() {
    let tenant = Tenant::new();
    let host = tenant.host(&["--simulate", "amd/milan"]);
    let policy = policy(&tenant, "flag");
    let name = detached(&tenant, &host, &policy);
    let mut command = tenant.enarx();
    command.args(["keep", "watch", "--every", "6h", "--format", "json", &name, "--policy"]).arg(&policy);
    let mut watching = command.spawn().expect("enarx");
    let mut events = events(&mut watching);
    let accepted = events.by_ref().find(|event| event["event"] == "round").expect("the first round");
    assert_eq!((&accepted["cause"], &accepted["accepted"]), (&"started".into(), &1.into()));
    fs::copy(root().join("examples/policies/no-milan.toml"), &policy).unwrap();
    let refused = events.by_ref().find(|event| event["event"] == "keep").expect("an event about the Keep");
    assert_eq!((&refused["state"], &refused["action"]), (&"refused".into(), &"flagged".into()), "{refused}");
    assert_eq!(refused["refusals"][0]["code"], "product-denied");
    let round = events.by_ref().find(|event| event["event"] == "round").expect("the second round");
    assert_eq!(round["cause"], "policy");
    interrupt(watching.id());
    assert_eq!(wait(&mut watching).code(), Some(0), "it was told to end");
}

#[test]
fn only_a_named_issuer_counts_and_no_older_version() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let tenant = Tenant::new();
    let refused = |feed: &[u8], options: &[&str], expected: &str| {
        let output = import(&tenant, feed, options);
        assert_eq!(code(&output), 3, "{}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    };
    let accepted = |feed: &[u8], options: &[&str]| {
        let output = import(&tenant, feed, options);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
    };
    let second = issuer.sign(&version(2));
    refused(&second, &[], "which is not an issuer that you named");
    refused(&second, &["--issuer", &other.public()], "which is not an issuer that you named");
    accepted(&second, &["--issuer", &issuer.public()]);
    accepted(&second, &[]);
    refused(&issuer.sign(MILAN), &[], "version 1 of the feed `group-warnings` is older than version 2");
    let contradicting = version(2).replace("one of us", "some of us");
    refused(&issuer.sign(&contradicting), &[], "another version 2 of the feed `group-warnings`");
    refused(&other.sign(&version(3)), &["--issuer", &other.public()], "the feed `group-warnings` is that of");
    let second_feed = version(1).replace("group-warnings", "other-warnings");
    refused(&issuer.sign(&second_feed), &[], "the feed `other-warnings` is new here");
    let mut forged = issuer.sign(&version(3));
    *forged.last_mut().unwrap() = b' ';
    refused(&forged, &[], "the signature of the feed is not that of");

    // Who no longer listens does not forget what was newest.
    let removed = finish(tenant.enarx().args(["advisory", "rm", "group-warnings"]), b"");
    assert_eq!(code(&removed), 0, "{}", stderr(&removed));
    refused(&issuer.sign(MILAN), &["--issuer", &issuer.public()], "is older than version 2");
    accepted(&issuer.sign(&version(3)), &["--issuer", &issuer.public()]);
}

#[test]
fn a_feed_that_is_gone_or_damaged_ends_every_decision() {
    let issuer = Issuer::new();
    let tenant = listening(&issuer, MILAN);
    let folder = tenant.state().join("advisories");
    let feed = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&feed).unwrap();
    let list = tenant.state().join("advisories.json");
    let listed = fs::read(&list).unwrap();
    let expect = |expected: &str| {
        let output = finish(&mut tenant.run(example("cat")), b"in");
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    };
    fs::remove_file(&feed).unwrap();
    expect("version 1 of the feed `group-warnings`, which you imported, is not usable");
    fs::write(&feed, bytes.iter().map(|byte| byte ^ 1).collect::<Vec<_>>()).unwrap();
    expect("version 1 of the feed `group-warnings`, which you imported, is not usable");
    // An older feed of the same issuer in its place.
    fs::write(&feed, issuer.sign(&version(1).replace("milan", "turin"))).unwrap();
    expect("is another feed");
    fs::write(&feed, &bytes).unwrap();
    fs::remove_file(&list).unwrap();
    expect("the list of your feeds of advisories, is gone");
    fs::write(&list, b"{}").unwrap();
    expect("is not the list of your feeds of advisories");
    fs::write(&list, &listed).unwrap();
    assert_eq!(code(&finish(&mut tenant.run(example("cat")), b"")), 0, "amd/genoa, with everything in place");
    // A damaged feed is mended by importing it again.
    fs::remove_file(&feed).unwrap();
    let mended = import(&tenant, &issuer.sign(MILAN), &[]);
    assert_eq!(code(&mended), 0, "{}", stderr(&mended));
    assert_eq!(code(&finish(&mut tenant.run(example("cat")), b"")), 0);
}

#[test]
fn a_feed_past_its_last_day_refuses_or_warns_as_its_user_said() {
    let issuer = Issuer::new();
    let old = MILAN.replace("issuer = ", "expires = \"2021-01-01\"\nissuer = ").replace("2026", "2020");
    let tenant = listening(&issuer, &old);
    let run = || finish(&mut tenant.run(example("cat")), b"in");
    let refused = run();
    assert_eq!(code(&refused), 3, "{}", stderr(&refused));
    assert!(stderr(&refused).contains("advisory-feed-expired"), "{}", stderr(&refused));
    let imported = import(&tenant, &issuer.sign(&old), &["--when-expired", "warn"]);
    assert_eq!(code(&imported), 0, "{}", stderr(&imported));
    let warned = run();
    assert_eq!((code(&warned), stdout(&warned).as_str()), (0, "in"), "{}", stderr(&warned));
    assert!(
        stderr(&warned).contains("warning: the feed of advisories `group-warnings`"),
        "{}",
        stderr(&warned)
    );
    let milan = finish(tenant.run(example("cat")).args(["--simulate", "amd/milan"]), b"");
    assert_eq!(code(&milan), 3, "what it denies stays denied: {}", stderr(&milan));
}

#[test]
fn evidence_is_held_against_imported_and_given_feeds() {
    let issuer = Issuer::new();
    let tenant = Tenant::new();
    let (evidence, endorsements) = (tenant.path("milan.bin"), tenant.path("milan.pem"));
    let program = root().join(LOCAL_SIMULATOR);
    let keep = fs::read(enarx_tests::program("enarx-keep")).unwrap();
    let measurement = {
        let file = tenant.file("keep", keep);
        let sum = Command::new("sha384sum").arg(file).output().expect("sha384sum");
        String::from_utf8(sum.stdout).unwrap()[..96].to_owned()
    };
    let mut simulate = tenant.enarx();
    simulate.args([
        "evidence",
        "simulate",
        "--platform",
        "amd/milan",
        "--nonce",
        "01",
        "--measurement",
        &measurement,
    ]);
    let made = finish(simulate.arg("--out").arg(&evidence).arg("--endorsements-out").arg(&endorsements), b"");
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    let verify = |command: &str, options: &[&str]| {
        let mut verify = tenant.enarx();
        verify.arg(command).arg(&evidence).arg("--endorsement").arg(&endorsements).args(["--nonce", "01"]);
        finish(verify.arg("--policy").arg(&program).args(options), b"")
    };
    let accepted = verify("verify", &[]);
    assert_eq!(code(&accepted), 0, "{}", stderr(&accepted));
    let feed = tenant.file("given.feed", issuer.sign(MILAN));
    let feed = feed.to_str().unwrap();
    let unnamed = verify("verify", &["--advisory", feed]);
    assert_eq!(code(&unnamed), 3, "{}", stderr(&unnamed));
    assert!(stderr(&unnamed).contains("--advisory-issuer"), "{}", stderr(&unnamed));
    let denied = verify("verify", &["--advisory", feed, "--advisory-issuer", &issuer.public()]);
    assert_eq!(code(&denied), 3, "{}", stderr(&denied));
    assert!(stderr(&denied).contains("advisory-denies"), "{}", stderr(&denied));
    let imported = import(&tenant, &issuer.sign(MILAN), &["--issuer", &issuer.public()]);
    assert_eq!(code(&imported), 0, "{}", stderr(&imported));
    for command in ["verify", "explain"] {
        let denied = verify(command, &[]);
        assert_eq!(code(&denied), 3, "{}", stderr(&denied));
        let told = stdout(&denied) + &stderr(&denied);
        assert!(told.contains("advisory-denies") && told.contains("GROUP-2026-1"), "{told}");
    }
}

#[test]
fn the_feed_that_comes_with_enarx_can_be_signed_and_imported() {
    let issuer = Issuer::new();
    let mut names = 0;
    for entry in fs::read_dir(root().join("advisories")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            names += 1;
            let tenant = listening(&issuer, &fs::read_to_string(&path).unwrap());
            let old = finish(tenant.run(example("cat")).args(["--simulate", "amd/milan@snp=20"]), b"");
            assert_eq!(code(&old), 3, "{}", stderr(&old));
            assert!(stderr(&old).contains("`AMD-SB-3019`"), "{}", stderr(&old));
            let current = finish(tenant.run(example("cat")).args(["--simulate", "amd/milan"]), b"");
            assert_eq!(code(&current), 0, "{}", stderr(&current));
        }
    }
    assert_eq!(names, 1);
}
