// SPDX-License-Identifier: Apache-2.0

//! What the names of measurements in a policy mean: the Keep program that came with this `enarx`, in the digest of each
//! TEE.
//!
//! Of the unikernel that is what launching it on SEV-SNP or TDX measures to. Of a process Keep no hardware measures
//! anything. Simulated platforms say what hardware would say if its measurement were a digest of the program, and here the
//! same is computed from the program itself.

use std::path::{Path, PathBuf};

use enarx_hostd::Wanted;
use enarx_measure::{Image, snp, tdx};
use enarx_simulator::{Launched, SIMULATED_PARAVISOR};
use enarx_verifier::ReferenceValue;
use sha2::{Digest as _, Sha256, Sha384};

use crate::failure::{Failure, Outcome, chain};

/// The name by which policies mean the Keep program that came with this `enarx`.
const RELEASE: &str = "release";
/// The name by which policies mean what the hardware measures under simulated machines of Azure's.
const PARAVISOR: &str = "simulated-paravisor";

/// The reference values of the Keep program and the unikernel that came with this `enarx`, or of the one given. Without
/// one, no Keep is "release".
pub(crate) fn reference_values(given: Option<&Path>) -> Outcome<Vec<ReferenceValue>> {
    let named = |name: &str, measurement: Vec<u8>| ReferenceValue { name: name.to_owned(), measurement };
    let mut values = vec![named(PARAVISOR, SIMULATED_PARAVISOR.to_vec())];
    for path in given.map_or_else(installed, |path| vec![path.to_owned()]) {
        let program = std::fs::read(&path)
            .map_err(|error| Failure::usage(format!("could not read {}: {error}", path.display())))?;
        let all = measurements(&program).into_iter().chain(of_launches(program));
        values.extend(all.map(|measurement| named(RELEASE, measurement)));
    }
    Ok(values)
}

/// The Keep program beside this `enarx`, as simulated platforms launch it.
pub(crate) fn launched() -> Outcome<Launched> {
    let path = enarx_hostd::keep_program(None).map_err(|error| Failure::usage(chain(&error)))?;
    let program = std::fs::read(&path)
        .map_err(|error| Failure::usage(format!("could not read {}: {error}", path.display())))?;
    let (sha384, sha256) = (Sha384::digest(&program).into(), Sha256::digest(&program).into());
    Ok(Launched { sha384, sha256, host_data: [0; 32] })
}

/// What is there of the files that are Keeps.
pub(crate) fn installed() -> Vec<PathBuf> {
    let known = [Wanted::KeepProgram, Wanted::Image];
    known.into_iter().filter_map(|wanted| enarx_hostd::locate(wanted, None).ok()).collect()
}

/// What a program measures to: SHA-384 for SEV-SNP, TDX, CCA and Nitro; SHA-256 for SGX; for TPMs register 11, extended
/// with that from zero, and the digest of this one register.
fn measurements(program: &[u8]) -> [Vec<u8>; 4] {
    // Both at once: a Keep that waits for its program waits for this.
    let (sha384, sha256) = std::thread::scope(|scope| {
        let sha256 = scope.spawn(|| Sha256::digest(program));
        (Sha384::digest(program).to_vec(), sha256.join().unwrap_or_else(|_| Sha256::digest(program)))
    });
    let register = Sha256::new().chain_update([0; 32]).chain_update(sha256).finalize();
    let quote = Sha256::digest(register);
    [sha384, sha256.to_vec(), register.to_vec(), quote.to_vec()]
}

/// What launching an image for guests of SEV-SNP and TDX measures to; nothing if the file is none.
fn of_launches(file: Vec<u8>) -> Vec<Vec<u8>> {
    let Ok(image) = Image::parse(file) else { return Vec::new() };
    let (snp, tdx) = std::thread::scope(|scope| {
        let tdx = scope.spawn(|| tdx::mrtd(&image));
        (snp::launch_digest(&image), tdx.join().unwrap_or_else(|_| tdx::mrtd(&image)))
    });
    [snp, tdx].into_iter().flatten().map(Vec::from).collect()
}

#[cfg(test)]
mod tests {
    use enarx_simulator::Rehearsal;

    use super::*;

    #[test]
    fn what_simulated_platforms_launch_is_what_is_expected_of_them() {
        let program = b"a Keep";
        let (sha384, sha256) = (Sha384::digest(program).into(), Sha256::digest(program).into());
        let launched = Launched { sha384, sha256, host_data: [0; 32] };
        for platform in Rehearsal::known() {
            let platform: Rehearsal = platform.name.parse().unwrap();
            let told = platform.measurement(&launched);
            let known = measurements(program).contains(&told) || told == SIMULATED_PARAVISOR;
            assert!(known, "{platform}");
        }
    }
}
