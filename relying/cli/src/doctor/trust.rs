// SPDX-License-Identifier: Apache-2.0

//! What decisions rest on: the clock, the policy, the simulator's roots, and the way to vendors.

use std::path::Path;

use enarx_collateral::Proxies;
use enarx_simulator::Simulator;

use super::Line;
use crate::failure::chain;
use crate::policy::PolicyFile;
use crate::state::State;
use crate::trust;

/// 2026-01-01: this version did not exist before.
const EARLIEST: u64 = 1_767_225_600;
/// 2100-01-01: certificates of vendors end before.
const LATEST: u64 = 4_102_444_800;

/// Certificates and lists are valid for a time, so a wrong clock refuses the right and accepts the old.
pub(super) fn clock() -> Line {
    const ID: &str = "clock";
    let now = trust::now();
    let shown = enarx_verifier::UnixTime(now);
    let fix = "set the clock, and keep it right by NTP";
    match now {
        0..EARLIEST => Line::fail(ID, format!("{shown} is before this version was made"), fix),
        LATEST.. => Line::fail(ID, format!("{shown} is after every certificate has ended"), fix),
        _ => Line::ok(ID, shown.to_string()),
    }
}

/// The policy that is going to be used.
pub(super) fn policy(file: Option<&Path>) -> Line {
    const ID: &str = "policy";
    let name = file.map_or_else(|| "the built-in policy".to_owned(), |file| file.display().to_string());
    match PolicyFile::read(file) {
        Err(failure) => Line::failed(ID, &failure),
        Ok(policy) if policy.accepts_simulated() => {
            let fix = "remove `[simulated]` before anything secret is deployed under it";
            Line::warn(ID, format!("{name} accepts simulated platforms, which protect nothing"), fix)
        }
        Ok(_) => Line::ok(ID, name),
    }
}

/// The roots that policies call `local`.
pub(super) fn simulator() -> Line {
    const ID: &str = "simulator";
    let roots = match State::place() {
        Ok(folder) => Simulator::roots(&folder.join(crate::state::SIMULATOR_FOLDER)),
        Err(failure) => return Line::failed(ID, &failure),
    };
    match roots {
        Ok(roots) if roots.is_empty() => Line::ok(ID, "it has no roots yet; they are made on first use"),
        Ok(roots) => Line::ok(ID, format!("{} roots, which policies call `local`", roots.len())),
        Err(error) => Line { fix: error.hint(), ..Line::fail(ID, chain(&error), "") },
    }
}

/// The way to what vendors publish.
pub(super) fn network() -> Vec<Line> {
    const PROXIES: [&str; 5] = ["https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY"];
    let named: Vec<_> = PROXIES.into_iter().filter(|name| std::env::var_os(name).is_some()).collect();
    let proxies = match Proxies::from_env() {
        Ok(_) if named.is_empty() => Line::ok("proxies", "none"),
        Ok(_) => Line::ok("proxies", format!("by {}", named.join(", "))),
        Err(error) => {
            Line::fail("proxies", chain(&error), "set the variable to http://HOST:PORT, or unset it")
        }
    };
    let found = rustls_native_certs::load_native_certs().certs.len();
    let roots = if found == 0 {
        let fix = "install the package `ca-certificates`, or set SSL_CERT_FILE";
        Line::warn("https-roots", "none: vendors cannot be asked, nor hosts over https://", fix)
    } else {
        Line::ok("https-roots", format!("{found} authorities of this system"))
    };
    vec![proxies, roots]
}
