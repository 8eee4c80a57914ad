// SPDX-License-Identifier: Apache-2.0

//! The state directory: who may read it, that it lasts, and that damage is reported and nothing replaced.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;

use common::simulator;
use enarx_evidence::Bundle;
use enarx_evidence::snp::Generation;
use enarx_simulator::{SimulatedPlatform, Simulator, SimulatorError};
use tempfile::TempDir;

/// State of a simulated Milan, to damage. Its authorities are copies, since RSA keys take seconds to make.
fn copied() -> (TempDir, PathBuf) {
    simulator().attest(&"amd/milan".parse().unwrap(), &[1; 64], &[2; 48], &[3; 32]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    Simulator::open(&state).unwrap();
    for entry in ["milan", "milan/ark", "milan/ask"] {
        DirBuilder::new().mode(0o700).create(state.join(entry)).unwrap();
    }
    for file in ["ark/certificate.der", "ark/key.der", "ask/certificate.der", "ask/key.der"] {
        let file = Path::new("milan").join(file);
        fs::copy(common::state().join(&file), state.join(&file)).unwrap();
    }
    attest(&state).unwrap();
    (dir, state)
}

fn attest(state: &Path) -> Result<Bundle, SimulatorError> {
    let platform: SimulatedPlatform = "amd/milan".parse().unwrap();
    Simulator::open(state)?.attest(&platform, &[1; 64], &[2; 48], &[3; 32])
}

/// The one directory whose name begins so.
fn entry(state: &Path, prefix: &str) -> PathBuf {
    let entries = fs::read_dir(state.join("milan")).unwrap().map(|entry| entry.unwrap().path());
    let mut entries = entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(prefix));
    let found = entries.next().unwrap();
    assert_eq!(entries.next(), None);
    found
}

fn damage(state: &Path) -> (String, PathBuf) {
    let error = attest(state).unwrap_err();
    assert!(error.hint().unwrap().contains("to have it made anew"));
    let text = error.to_string();
    let SimulatorError::Damaged { path, problem } = error else { unreachable!("{error:?}") };
    assert_eq!(text, format!("the simulator's state in `{}` is damaged: {problem}", path.display()));
    (problem, path)
}

#[test]
fn only_the_user_can_read_it() {
    fn check(path: &Path) {
        let metadata = fs::metadata(path).unwrap();
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o777, expected, "{}", path.display());
        if metadata.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                check(&entry.unwrap().path());
            }
        }
    }
    let (_dir, state) = copied();
    check(&state);
}

#[test]
fn roots_and_certificates_last() {
    let (_dir, state) = copied();
    let first = attest(&state).unwrap();
    assert_eq!(first.endorsements, attest(&state).unwrap().endorsements);
    assert_eq!(first.endorsements.items.len(), 4);
    assert_eq!(first.endorsements.items[2], simulator().root_der(Generation::Milan).unwrap());
}

#[test]
fn each_simulator_has_roots_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let root = |simulator: &Simulator| simulator.root_spki_sha256(Generation::Milan).unwrap();
    assert_ne!(root(&Simulator::open(dir.path()).unwrap()), root(simulator()));
}

#[test]
fn two_that_start_at_once_agree() {
    let dir = tempfile::tempdir().unwrap();
    let endorsements = || attest(dir.path()).unwrap().endorsements;
    let all: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(endorsements)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(all.iter().all(|endorsements| *endorsements == all[0]));
}

#[test]
fn a_lost_file_is_reported() {
    for file in ["certificate.der", "key.der"] {
        for name in ["ark", "ask", "vcek-"] {
            let (_dir, state) = copied();
            let entry = entry(&state, name);
            fs::remove_file(entry.join(file)).unwrap();
            assert_eq!(damage(&state), (format!("`{file}` is missing"), entry));
        }
    }
}

#[test]
fn garbage_is_reported() {
    for (name, file, problem) in [
        ("ark", "certificate.der", "`certificate.der` is not a certificate"),
        ("ask", "certificate.der", "`certificate.der` is not a certificate"),
        ("vcek-", "certificate.der", "`certificate.der` is not a certificate"),
        ("vcek-", "key.der", "`key.der` does not belong to `certificate.der`"),
        ("crl", "list.der", "`list.der` is not a revocation list"),
    ] {
        let (_dir, state) = copied();
        let entry = entry(&state, name);
        for garbage in [Vec::new(), vec![0x30; 100_000]] {
            fs::write(entry.join(file), garbage).unwrap();
            assert_eq!(damage(&state), (problem.to_owned(), entry.clone()));
        }
    }
}

#[test]
fn one_flipped_bit_in_a_signature_is_reported() {
    for (name, file) in [
        ("ark", "certificate.der"),
        ("ask", "certificate.der"),
        ("vcek-", "certificate.der"),
        ("crl", "list.der"),
    ] {
        let (_dir, state) = copied();
        let entry = entry(&state, name);
        let mut bytes = fs::read(entry.join(file)).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(entry.join(file), bytes).unwrap();
        assert_eq!(damage(&state), (format!("`{file}` is not signed by its authority"), entry));
    }
}

#[test]
fn an_authority_key_that_is_not_its_own_is_reported_when_it_must_sign() {
    let (_dir, state) = copied();
    let ask = entry(&state, "ask");
    fs::copy(entry(&state, "ark").join("key.der"), ask.join("key.der")).unwrap();
    fs::remove_dir_all(entry(&state, "vcek-")).unwrap();
    assert_eq!(damage(&state), ("`key.der` does not belong to `certificate.der`".to_owned(), ask));
}

#[test]
fn a_new_root_does_not_adopt_the_authorities_of_the_old() {
    let (_dir, state) = copied();
    fs::remove_dir_all(entry(&state, "ark")).unwrap();
    let ask = entry(&state, "ask");
    assert_eq!(damage(&state), ("`certificate.der` is not signed by its authority".to_owned(), ask));
}

#[test]
fn what_an_interrupted_start_left_behind_is_cleared_away() {
    let (_dir, state) = copied();
    let list = entry(&state, "crl");
    fs::rename(&list, list.with_extension("new")).unwrap();
    fs::create_dir(list.with_extension("old")).unwrap();
    attest(&state).unwrap();
    assert!(list.join("list.der").is_file());
    assert!(!list.with_extension("new").exists());
    assert!(!list.with_extension("old").exists());
}

#[test]
fn a_directory_that_cannot_be_made_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Simulator::open(&file.join("state")).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot create `{}`", file.join("state").display()));
    assert!(matches!(error, SimulatorError::Io { .. }));
}
