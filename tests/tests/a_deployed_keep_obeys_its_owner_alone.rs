// SPDX-License-Identifier: Apache-2.0

//! `enarx host serve`, `enarx deploy` and `enarx keep`: two machines, one owner.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

use enarx_tests::{Tenant, code, example, finish, stderr, stdout, until};
use serde_json::Value;

/// The names of the tenant's Keeps.
fn keeps(tenant: &Tenant) -> Vec<Value> {
    let output = finish(tenant.enarx().args(["keep", "ls", "--format", "json"]), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    stdout(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn name(keep: &Value) -> String {
    keep["keep"].as_str().expect("a name").to_owned()
}

#[test]
fn deploy_streams_input_output_and_the_exit_code() {
    let tenant = Tenant::new();
    let host = tenant.host(&[]);
    let output = finish(&mut tenant.deploy(example("cat"), &host), b"through the host, unread");
    assert_eq!(
        (code(&output), stdout(&output).as_str()),
        (0, "through the host, unread"),
        "{}",
        stderr(&output)
    );
    let output = finish(tenant.deploy(example("exit-code"), &host).args(["--", "42"]), b"");
    assert_eq!(code(&output), 42, "{}", stderr(&output));
    let output = finish(&mut tenant.deploy(example("trap"), &host), b"");
    assert_eq!(code(&output), 134, "{}", stderr(&output));
    assert!(keeps(&tenant).is_empty(), "a Keep that was waited for is not left in the list");
    until("the host has no Keeps left", || host.keeps().is_empty());
}

#[test]
fn a_detached_keep_can_be_listed_read_attested_and_stopped() {
    let tenant = Tenant::new();
    let host = tenant.host(&[]);
    let output = finish(tenant.deploy(example("spin"), &host).arg("--detach"), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));

    let listed = keeps(&tenant);
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0]["state"].as_str(), listed[0]["simulated"].as_bool()),
        (Some("running"), Some(true))
    );
    let keep = name(&listed[0]);

    let attested = finish(tenant.enarx().args(["keep", "attest", &keep, "--format", "json"]), b"");
    assert_eq!(code(&attested), 0, "{}", stderr(&attested));
    let result: Value = serde_json::from_str(stdout(&attested).trim()).expect("one JSON object");
    assert_eq!((result["verdict"].as_str(), result["simulated"].as_bool()), (Some("accepted"), Some(true)));
    assert_eq!(result["workload_digest"], listed[0]["workload_digest"], "the proof says what runs");

    let stopped = finish(tenant.enarx().args(["keep", "stop", &keep]), b"");
    assert_eq!(code(&stopped), 0, "{}", stderr(&stopped));
    assert!(keeps(&tenant).is_empty());
    until("the host has no Keeps left", || host.keeps().is_empty());
}

#[test]
fn a_detached_keep_prints_its_name_and_takes_no_input() {
    let tenant = Tenant::new();
    let host = tenant.host(&[]);
    let output = finish(tenant.deploy(example("spin"), &host).args(["-q", "--detach"]), b"");
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    let full = name(&keeps(&tenant)[0]);
    assert_eq!(stdout(&output), format!("{}\n", &full[..12]));
    let output = finish(tenant.deploy(example("spin"), &host).args(["--format", "json", "--detach"]), b"");
    let printed: Value = serde_json::from_str(&stdout(&output)).expect("one JSON object");
    // Within one second no order is told.
    assert!(keeps(&tenant).iter().any(|keep| name(keep) != full && keep["keep"] == printed["keep"]));

    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, b"some").unwrap();
    let input = tenant.file("input", "some");
    for stdin in [reader.into(), std::process::Stdio::from(std::fs::File::open(input).unwrap())] {
        let mut command = tenant.deploy(example("cat"), &host);
        let output = command.arg("--detach").stdin(stdin).output().unwrap();
        assert_eq!(code(&output), 2, "{}", stderr(&output));
        assert!(stderr(&output).contains("gets no standard input, and some is given"), "{}", stderr(&output));
        assert!(stderr(&output).contains("hint: "), "{}", stderr(&output));
    }
    assert_eq!(keeps(&tenant).len(), 2);
}

#[test]
fn a_host_logs_keeps_and_refusals_and_nothing_of_workloads() {
    let tenant = Tenant::new();
    let host = tenant.host(&[]);
    let mut command = tenant.deploy(example("args-env"), &host);
    assert_eq!(code(&finish(command.args(["--env", "TOLD=secret-value", "--", "an-argument"]), b"")), 0);
    let mut stream = std::net::TcpStream::connect(host.url.strip_prefix("http://").unwrap()).unwrap();
    let request = b"POST /v1/keeps HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 2\r\n\r\n[]";
    std::io::Write::write_all(&mut stream, request).unwrap();
    let has = |message: &str| host.log().into_iter().find(|line| line["message"] == message);
    until("all was logged", || has("a Keep has ended").is_some() && has("a request was refused").is_some());
    let (made, ended) = (has("a Keep is ready").unwrap(), has("a Keep has ended").unwrap());
    assert_eq!(
        (&made["level"], &made["client"], &made["keep"]),
        (&"INFO".into(), &"127.0.0.1".into(), &ended["keep"])
    );
    assert_eq!((&ended["reason"], &ended["exit"]), (&"it exited by itself".into(), &"exit code 0".into()));
    assert!(ended["bytes_in"].as_u64() > Some(1000) && ended["bytes_out"].as_u64() > Some(1000), "{ended}");
    let refused = has("a request was refused").unwrap();
    assert_eq!((&refused["status"], &refused["code"]), (&400.into(), &"body-invalid".into()));
    let all = format!("{:?}", host.log());
    assert!(["secret-value", "an-argument", "args-env"].iter().all(|text| !all.contains(text)), "{all}");
}

#[test]
fn the_logs_of_a_detached_keep_are_kept_for_its_owner() {
    let tenant = Tenant::new();
    let host = tenant.host(&[]);
    let output = finish(tenant.deploy("examples/hello", &host).arg("--detach"), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let keep = name(&keeps(&tenant)[0]);
    let logs = finish(tenant.enarx().args(["keep", "logs", "--follow", &keep[..8]]), b"");
    assert_eq!(code(&logs), 0, "{}", stderr(&logs));
    assert!(stdout(&logs).contains("Hello, from inside a Keep!"), "{}", stdout(&logs));
    assert_eq!(keeps(&tenant)[0]["state"], "exited 0");
}

#[test]
fn every_end_of_a_keep_has_its_own_state() {
    let tenant = Tenant::new();
    let host = tenant.host(&[]);
    let detach = |workload: std::path::PathBuf, more: &[&str]| {
        let output = finish(tenant.deploy(workload, &host).args(["-q", "--detach"]).args(more), b"");
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        stdout(&output).trim().to_owned()
    };
    let before = host.keeps();
    let killed = detach(example("spin"), &[]);
    for pid in host.keeps().into_iter().filter(|pid| !before.contains(pid)) {
        let _ = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    }
    let (trapped, failed) = (detach(example("trap"), &[]), detach(example("exit-code"), &["--", "7"]));
    let listed = || {
        let output = finish(tenant.enarx().args(["keep", "ls"]), b"");
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        stdout(&output)
    };
    until("all have ended", || !listed().contains("running"));
    let text = listed();
    let state = |name: &str| {
        let row = text.lines().find(|row| row.starts_with(name)).expect("a row");
        (row[14..30].trim().to_owned(), row.to_owned())
    };
    assert!(text.starts_with("NAME          STATE             WORKLOAD"), "{text}");
    assert_eq!((state(&failed).0.as_str(), state(&trapped).0.as_str()), ("exited 7", "trapped"), "{text}");
    assert!(state(&trapped).1.contains("SIMULATED; the workload trapped: "), "{text}");
    assert_eq!(state(&killed).0, "gone", "{text}");
    assert!(state(&killed).1.ends_with("the host says that the Keep ended: signal 9"), "{text}");

    let logs = finish(tenant.enarx().args(["keep", "logs", &trapped]), b"");
    assert_eq!(code(&logs), 0, "{}", stderr(&logs));
    assert!(stderr(&logs).contains("the workload trapped: "), "{}", stderr(&logs));
    assert!(stderr(&logs).contains("turn_the_key"), "{}", stderr(&logs));
    let logs = finish(tenant.enarx().args(["keep", "logs", &failed, "--format", "json"]), b"");
    let event: Value = serde_json::from_str(stderr(&logs).lines().last().unwrap()).unwrap();
    assert_eq!(
        (&event["event"], &event["exit"], &event["status"]),
        (&"ended".into(), &"exited".into(), &7.into())
    );
}

#[test]
fn another_tenant_who_knows_everything_but_the_owner_key_gets_nothing() {
    let (owner, thief) = (Tenant::new(), Tenant::new());
    let host = owner.host(&[]);
    let output = finish(owner.deploy(example("spin"), &host).arg("--detach"), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let keep = name(&keeps(&owner)[0]);
    let records = thief.state().join("keeps");
    std::fs::create_dir_all(&records).unwrap();
    let record = format!("{keep}.json");
    std::fs::copy(owner.state().join("keeps").join(&record), records.join(&record)).unwrap();

    for command in ["logs", "stop"] {
        let output = finish(thief.enarx().args(["keep", command, &keep]), b"");
        assert_eq!(code(&output), 4, "{}", stderr(&output));
        assert!(stderr(&output).contains("owner"), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
    assert_eq!(keeps(&owner)[0]["state"], "running");
}

#[test]
fn an_interrupted_host_ends_its_keeps_and_leaves_nothing() {
    let tenant = Tenant::new();
    let host = tenant.host(&[]);
    let output = finish(tenant.deploy(example("spin"), &host).arg("--detach"), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let keeps = host.keeps();
    assert!(!keeps.is_empty());
    assert!(host.interrupt().success());
    until("every process of the Keep is gone", || {
        keeps.iter().all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists())
    });
    let listed = finish(tenant.enarx().args(["keep", "ls"]), b"");
    assert_eq!(code(&listed), 0, "{}", stderr(&listed));
    assert!(stdout(&listed).contains("host unreachable"), "{}", stdout(&listed));

    // Nobody is left who could end it: its owner can only forget it.
    let keep = name(&self::keeps(&tenant)[0]);
    let stopped = finish(tenant.enarx().args(["keep", "stop", &keep]), b"");
    assert_eq!(code(&stopped), 4, "{}", stderr(&stopped));
    let forgotten = finish(tenant.enarx().args(["keep", "forget", &keep]), b"");
    assert_eq!(code(&forgotten), 0, "{}", stderr(&forgotten));
    assert!(self::keeps(&tenant).is_empty());
}
