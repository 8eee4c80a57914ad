// SPDX-License-Identifier: Apache-2.0

//! Whoever started a Keep may be killed without a chance to tidy up: its processes go with it, on every back end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use enarx_tests::{PATIENCE, Tenant, example};

/// The parent of a process that runs.
fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name is in brackets and may have any in it; the state and the parent follow.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// All that a process started, and what these started.
fn descendants(of: u32) -> Vec<u32> {
    let mut found = vec![of];
    let running: Vec<u32> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    loop {
        let more: Vec<u32> = running
            .iter()
            .copied()
            .filter(|process| !found.contains(process))
            .filter(|process| parent(*process).is_some_and(|parent| found.contains(&parent)))
            .collect();
        if more.is_empty() {
            found.remove(0);
            return found;
        }
        found.extend(more);
    }
}

fn is_left_of_nothing(tenant: &Tenant, least: usize) {
    let mut run = tenant.run(example("spin")).spawn().unwrap();
    let mut said = [0; 8];
    run.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
    assert_eq!(&said, b"spinning");
    let started = descendants(run.id());
    assert!(started.len() >= least, "{started:?}");
    run.kill().unwrap();
    run.wait().unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left: Vec<u32> = started
            .iter()
            .copied()
            .filter(|process| Path::new(&format!("/proc/{process}")).exists())
            .collect();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{left:?} of {started:?} are left");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn of_a_process() {
    is_left_of_nothing(&Tenant::new(), 2);
}

#[test]
fn of_a_virtual_machine() {
    if let Some(tenant) = Tenant::with_backend("qemu") {
        // The hypervisor's two and QEMU.
        is_left_of_nothing(&tenant, 3);
    }
}
