// SPDX-License-Identifier: Apache-2.0

//! Reads a policy from a file and an evidence bundle from standard input, and prints the result as JSON.
//!
//! `verifier POLICY REPORT-DATA [ROOT-NAME=SHA-256]…` exits with 0 if the policy accepts the evidence, with 3 if not, and
//! with 2 if something could not be read. The report data are 64 bytes in hexadecimal; roots are those of simulated
//! platforms, by the names that the policy uses.

use std::io::Read as _;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs, io};

use enarx_evidence::Bundle;
use enarx_verifier::{Policy, Request, TrustAnchors, UnixTime, appraise};

/// A bundle of the largest evidence and endorsements.
const MAX_INPUT: u64 = 4 << 20;

fn main() -> ExitCode {
    match judge() {
        Ok((accepted, json)) => {
            println!("{json}");
            ExitCode::from(if accepted { 0 } else { 3 })
        }
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

fn judge() -> Result<(bool, String), String> {
    let mut arguments = env::args().skip(1);
    let policy = arguments.next().ok_or("no policy is given")?;
    let report_data = arguments.next().ok_or("no report data are given")?;
    let mut anchors = TrustAnchors::vendors();
    for root in arguments {
        let (name, digest) = root.split_once('=').ok_or("a root is NAME=SHA-256")?;
        anchors = anchors.with_simulated(name, digits(digest)?);
    }
    let policy =
        fs::read_to_string(&policy).map_err(|error| format!("could not read `{policy}`: {error}"))?;
    let policy = Policy::parse(&policy).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    io::stdin().take(MAX_INPUT).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let bundle = Bundle::decode(&bytes).map_err(|error| error.to_string())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
    let request = Request {
        bundle: &bundle,
        report_data: &digits(&report_data)?,
        anchors: &anchors,
        reference_values: &[],
        policy: &policy,
        advisories: &[],
        now: UnixTime(now.as_secs()),
    };
    let json = |value: Result<String, serde_json::Error>| value.map_err(|error| error.to_string());
    match appraise(&request) {
        Ok(result) => Ok((true, json(serde_json::to_string_pretty(&result))?)),
        Err(refusals) => Ok((false, json(serde_json::to_string_pretty(&refusals))?)),
    }
}

fn digits<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes)
        .map_err(|_| format!("`{text}` is not {N} bytes in hexadecimal"))?;
    Ok(bytes)
}
