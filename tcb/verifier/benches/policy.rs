// SPDX-License-Identifier: Apache-2.0

//! How long a policy of ten thousand rules takes to be read and to decide, which SPECIFICATION.md promises:
//! `cargo bench -p enarx-verifier --bench policy`.
//!
//! Signatures are remembered, as by a relying party that sees the same platform again, so that what is measured is the
//! policy: the difference to a policy with one rule is what the rules cost.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a program for developers")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use enarx_evidence::snp::Generation;
use enarx_simulator::Simulator;
use enarx_verifier::crypto::{Remembering, RustCrypto};
use enarx_verifier::{Policy, ReferenceValue, Request, TrustAnchors, UnixTime, appraise_with};

/// How many rules the large policy has, half of which allow and half of which deny.
const RULES: usize = 10_000;
/// Each thing is measured this often; the median counts.
const ROUNDS: usize = 51;
/// What SPECIFICATION.md promises.
const AIM: Duration = Duration::from_millis(5);

const HEAD: &str = r#"version = 1
[keep]
measurements = ["release"]
[simulated]
accept = true
roots = ["local"]
[minimum_tcb.milan]
bootloader = 4
tee = 0
snp = 27
microcode = 219
[[allow]]
id = "milan"
vendor = "amd"
tee = "sev-snp"
products = ["milan"]
"#;

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let simulator = Simulator::open(dir.path()).unwrap();
    let (report_data, measurement) = ([1; 64], [2; 48]);
    let bundle =
        simulator.attest(&"amd/milan".parse().unwrap(), &report_data, &measurement, &[0; 32]).unwrap();
    let anchors = TrustAnchors::vendors()
        .with_simulated("local", simulator.root_spki_sha256(Generation::Milan).unwrap());
    let reference_values = [ReferenceValue { name: "release".into(), measurement: measurement.to_vec() }];
    let now = UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    let mut crypto = Remembering::new(RustCrypto);

    let text = many();
    println!("a policy of {RULES} rules, {} bytes, one core", text.len());
    println!(
        "  read              {:>10.3?}",
        median(|| drop(black_box(Policy::parse(black_box(&text)).unwrap())))
    );
    let mut taken = Vec::new();
    for (name, text) in [("one rule", HEAD), ("all of them", text.as_str())] {
        let policy = Policy::parse(text).unwrap();
        let request = Request {
            bundle: &bundle,
            report_data: &report_data,
            anchors: &anchors,
            reference_values: &reference_values,
            policy: &policy,
            advisories: &[],
            now,
        };
        let time = median(|| drop(black_box(appraise_with(black_box(&request), &mut crypto)).unwrap()));
        println!("  appraise, {name:<11} {time:>8.3?}");
        taken.push(time);
    }
    let least = taken.iter().max().copied().unwrap_or_default();
    assert!(least < AIM, "an appraisal took {least:?}, more than {AIM:?}");
}

/// Rules about as many chips, all of which are looked at for every platform of the product.
fn many() -> String {
    let mut text = String::from(HEAD);
    for number in 0..RULES / 2 {
        let chip = |kind: u8| format!("{kind:02x}{number:014x}");
        write!(
            text,
            "[[allow]]\nid=\"a{number}\"\nvendor=\"intel\"\ntee=\"tdx\"\nppids=[\"{:0<32}\"]\n",
            chip(1)
        )
        .unwrap();
        write!(text, "[[deny]]\nid=\"d{number}\"\nvendor=\"amd\"\nchip_ids=[\"{}\"]\n", chip(2)).unwrap();
    }
    text
}

fn median(mut work: impl FnMut()) -> Duration {
    work();
    let mut times = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed()
    });
    let mut times = times.by_ref().collect::<Vec<_>>();
    times.sort_unstable();
    times.get(ROUNDS / 2).copied().unwrap_or_default()
}
