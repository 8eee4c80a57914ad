// SPDX-License-Identifier: Apache-2.0

//! `enarx policy`, and policies that extend others: from files, with their mistakes told where they are, and kept whole
//! with a Keep that goes on running.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;

use enarx_tests::{LOCAL_SIMULATOR, Tenant, code, finish, root, stderr, stdout};
use serde_json::{Value, json};

/// A program that ends at once.
const PROGRAM: &str = "(module (memory (export \"memory\") 1) (func (export \"_start\")))";

fn base() -> String {
    fs::read_to_string(root().join(LOCAL_SIMULATOR)).unwrap()
}

fn check(tenant: &Tenant, name: &str, options: &[&str]) -> (i32, String) {
    let mut command = tenant.enarx();
    command.args(["policy", "check"]).arg(tenant.path(name)).args(options);
    let output = finish(&mut command, b"");
    let told = if options.contains(&"json") { stdout(&output) } else { stderr(&output) };
    (code(&output), told.replace(&format!("{}/", tenant.path("").display()).replace("//", "/"), ""))
}

fn digest(tenant: &Tenant, name: &str) -> String {
    let (status, told) = check(tenant, name, &["--format", "json"]);
    assert_eq!(status, 0, "{told}");
    serde_json::from_str::<Value>(&told).unwrap()["digest"].as_str().unwrap().to_owned()
}

#[test]
fn a_policy_is_checked_with_those_that_it_extends() {
    let tenant = Tenant::new();
    tenant.file("org/base.toml", base());
    tenant
        .file("org/teams/team.toml", "version = 1\nextends = \"../base.toml\"\n[guest]\nsmt = \"refuse\"\n");
    let (status, told) = check(&tenant, "org/teams/team.toml", &["--format", "json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((status, &told["valid"], &told["notices"]), (0, &json!(true), &json!([])));
    assert_eq!(told["extends"].as_array().unwrap().len(), 1);
    assert_ne!(told["digest"], json!(digest(&tenant, "org/base.toml")));
    tenant.file("org/teams/same.toml", "version = 1\nextends = \"../base.toml\"\n");
    assert_eq!(digest(&tenant, "org/teams/same.toml"), digest(&tenant, "org/base.toml"));

    tenant.file(
        "org/teams/wide.toml",
        "version = 1\nextends = \"../base.toml\"\n[guest]\ndebug = \"accept\"\n",
    );
    assert_eq!(
        check(&tenant, "org/teams/wide.toml", &[]),
        (
            2,
            "error: org/teams/wide.toml:4:1: `guest.debug` is wider than in the policy that is extended\n\n\
             hint: there it is `refuse`\n"
                .to_owned()
        )
    );
}

#[test]
fn what_a_policy_extends_is_a_file_beside_it_and_not_itself() {
    let tenant = Tenant::new();
    let extends = |name: &str, base: &str| {
        tenant.file(name, format!("version = 1\nextends = \"{base}\"\n"));
        let (status, told) = check(&tenant, name, &[]);
        assert_eq!(status, 2, "{told}");
        told.lines().next().unwrap().to_owned()
    };
    let form = "it must be a path beside the policy that names it, with `/` between its parts";
    for foreign in ["/etc/passwd", "https://host.example/base.toml", "..\\\\base.toml"] {
        let told = extends("foreign.toml", foreign);
        assert!(
            told.starts_with("error: foreign.toml:2:11: could not read") && told.ends_with(form),
            "{told}"
        );
    }
    assert_eq!(
        extends("missing.toml", "nothing.toml"),
        "error: missing.toml:2:11: could not read `nothing.toml`: No such file or directory (os error 2)"
    );
    assert_eq!(extends("folder.toml", "."), "error: folder.toml:2:11: could not read `.`: it is not a file");
    assert_eq!(extends("loop.toml", "./loop.toml"), "error: loop.toml:2:11: `loop.toml` extends itself");
    tenant.file("sub/two.toml", "version = 1\nextends = \"../one.toml\"\n");
    assert_eq!(extends("one.toml", "sub/two.toml"), "error: sub/two.toml:2:11: `one.toml` extends itself");
}

#[test]
fn a_new_policy_narrows_and_pins_another() {
    let tenant = Tenant::new();
    tenant.file("base.toml", base());
    let mut command = tenant.enarx();
    let arguments = ["policy", "new", "--extends", "base.toml", "--without", "milan"];
    command.args(arguments).arg(tenant.path("team.toml"));
    assert_eq!(code(&finish(&mut command, b"")), 0);
    assert_eq!(check(&tenant, "team.toml", &["--strict"]).0, 0);
    tenant.file("base.toml", format!("{}\n[tpm]\nsha1 = \"accept\"\n", base()));
    let (status, told) = check(&tenant, "team.toml", &[]);
    let now = digest(&tenant, "base.toml");
    assert_eq!(status, 2);
    assert!(
        told.contains(&format!("`base.toml` is not the policy that is pinned: its digest is {now}")),
        "{told}"
    );
}

#[test]
fn what_somebody_should_look_at_fails_where_that_is_asked_for() {
    let tenant = Tenant::new();
    let rule = "[[deny]]\nid = \"old\"\nvendor = \"nvidia\"\nexpires = \"2026-01-01\"\n";
    tenant.file("policy.toml", format!("{}\n{rule}", base()));
    let line = base().lines().count() + 2;
    let warning = format!(
        "warning: policy.toml:{line}:1: rule `old` was to be looked at by 2026-01-01 and still denies\n  hint: a rule \
         that denies does so until it is removed: remove it, or write a later date\n"
    );
    let (status, told) = check(&tenant, "policy.toml", &["--at", "2026-06-01T00:00:00Z"]);
    assert_eq!((status, told.split_once('\n').unwrap().1), (0, warning.as_str()));
    let (status, told) = check(&tenant, "policy.toml", &["--at", "2025-06-01T00:00:00Z", "--strict"]);
    assert_eq!((status, told.lines().count()), (0, 1), "{told}");
    let (status, told) = check(&tenant, "policy.toml", &["--at", "2026-06-01T00:00:00Z", "--strict"]);
    assert_eq!(status, 2);
    assert!(told.ends_with("error: policy.toml has one thing to look at\n"), "{told}");
}

#[test]
fn products_make_a_policy() {
    let tenant = Tenant::new();
    let new = |options: &[&str]| {
        let output = finish(tenant.enarx().args(["policy", "new"]).args(options), b"");
        (code(&output), stdout(&output), stderr(&output))
    };
    let (status, text, _) = new(&[
        "--products",
        "genoa,sapphire-rapids,nitro-system",
        "--without",
        "emerald-rapids",
        "--simulated",
    ]);
    assert_eq!(status, 0);
    tenant.file("made.toml", &text);
    assert_eq!(check(&tenant, "made.toml", &["--strict"]).0, 0);
    let rules = text.lines().filter(|line| line.starts_with("products = ")).collect::<Vec<_>>();
    let expected = ["genoa", "sapphire-rapids", "nitro-system", "emerald-rapids"];
    assert_eq!(rules, expected.map(|product| format!("products = [\"{product}\"]")));
    assert!(text.contains("[minimum_tcb.genoa]") && !text.contains("[minimum_tcb.milan]"), "{text}");
    let (status, text, told) = new(&["--products", "siena"]);
    assert_eq!((status, text.as_str()), (2, ""));
    assert!(told.starts_with("error: no levels of `siena` are known here that are safe\n"), "{told}");
    let (status, _, told) = new(&["--products", "milan", "--without", "milan"]);
    assert_eq!(status, 2);
    assert!(told.contains("rule `amd-sev-snp` can never match"), "{told}");
}

#[test]
fn a_policy_about_other_workloads_sends_nothing() {
    let tenant = Tenant::new();
    let policy = tenant
        .file("only.toml", format!("{}\n[workload]\ndigests = [\"sha256:{}\"]\n", base(), "00".repeat(32)));
    let mut command = tenant.enarx();
    let program = tenant.file("program.wat", PROGRAM);
    command.args(["run", "--format", "json", "--policy"]).arg(&policy).arg(program);
    let output = finish(&mut command, b"");
    assert_eq!((code(&output), stdout(&output).as_str()), (3, ""), "{}", stderr(&output));
    let last: Value = serde_json::from_str(stderr(&output).lines().last().unwrap()).unwrap();
    assert_eq!(last["refusals"][0]["code"], "workload-not-accepted");
    assert_eq!(last["refusals"][0]["policy"]["entry"], "workload.digests");
    assert_eq!(last["refusals"][0]["policy"]["file"], json!(policy.display().to_string()));
}

#[test]
fn a_keep_is_held_against_all_policies_that_it_was_deployed_under() {
    let tenant = Tenant::new();
    let host = tenant.host(&[]);
    let base = tenant.file("base.toml", base());
    let team = tenant.file("team.toml", "version = 1\nextends = \"base.toml\"\n");
    let mut command = tenant.enarx();
    let program = tenant.file("program.wat", PROGRAM);
    command.arg("deploy").arg(program).args(["--detach", "--to", &host.url, "--format", "json", "--policy"]);
    let output = finish(command.arg(&team), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let told = stderr(&output);
    let last: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    // What became of the files since makes no difference.
    fs::remove_file(base).unwrap();
    fs::remove_file(team).unwrap();
    let keep = last["keep"].as_str().unwrap();
    let output = finish(tenant.enarx().args(["keep", "attest", keep]), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let output = finish(tenant.enarx().args(["keep", "stop", keep]), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}
