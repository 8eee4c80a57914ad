// SPDX-License-Identifier: Apache-2.0

//! The tenant's certificate authority: what it is, and what it signs for a Keep that was accepted.

use std::fs;
use std::path::{Path, PathBuf};

use enarx_session::web::certificate::{Authority, KEEP_VALIDITY, Statement};
use enarx_session::wire::Command;
use enarx_verifier::AttestationResult;
use pem_rfc7468::LineEnding;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::args::{CaCommand, Format, OutputOptions};
use crate::failure::{Failure, Outcome};
use crate::progress::Progress;
use crate::state::{State, write_private};
use crate::terminal::{print_json, print_text};
use crate::trust;
use crate::wire::{Link, broken};
use crate::workload::Workload;

/// What listeners of one Keep are certified with.
pub(crate) struct Certifier {
    authority: Authority,
    names: Vec<String>,
    statement: Statement,
}

impl Certifier {
    /// What is needed to certify a Keep that was accepted for this workload; none if the workload does not listen.
    pub(crate) fn new(
        state: &State,
        workload: &Workload,
        owner: [u8; 32],
        tee: &str,
        result: &AttestationResult,
    ) -> Outcome<Option<Self>> {
        let mut names: Vec<String> = workload.certified_names();
        if names.is_empty() {
            return Ok(None);
        }
        names.sort();
        names.dedup();
        let (authority, _) = open(state)?;
        let statement = Statement {
            workload: *workload.digest.as_bytes(),
            manifest: workload.manifest_digest(),
            policy: result.policy_digest(),
            owner,
            tee: tee.to_owned(),
            simulated: result.simulated().is_some(),
            measurement: result.measurement().to_vec(),
        };
        Ok(Some(Self { authority, names, statement }))
    }

    /// Signs what the Keep asks for.
    pub(crate) fn answer(&self, link: &mut Link, request: &[u8], progress: &mut Progress) -> Outcome<()> {
        let names = self.names.iter().map(String::as_str);
        let certificate = self
            .authority
            .certify(request, names, &self.statement, trust::now())
            .map_err(|error| Failure::unreachable(error.to_string()))?;
        link.session().send(Command::Certificate(certificate)).map_err(|error| broken(&error))?;
        let hours = KEEP_VALIDITY / 3600;
        progress.step(
            "certified",
            &format!(
                "the Keep's key for {}, for {hours} hours; clients trust it by `enarx ca show`",
                self.names.join(", ")
            ),
            json!({ "names": self.names, "hours": hours }),
        );
        Ok(())
    }
}

/// `enarx ca`
pub(crate) fn perform(command: &CaCommand, output: &OutputOptions) -> Outcome<()> {
    let state = State::open()?;
    let existed = state.ca_certificate_file().exists();
    let (_, file) = open(&state)?;
    let pem = read(&file)?;
    match command {
        CaCommand::Init => {
            let mut progress = Progress::new(output);
            let what = if existed { "it was there already" } else { "made" };
            progress.step(
                "ca",
                &format!("{what}: {}", file.display()),
                json!({ "file": file, "made": !existed }),
            );
            Ok(())
        }
        CaCommand::Show if output.format == Format::Json => {
            let (_, der) = pem_rfc7468::decode_vec(pem.as_bytes()).map_err(|_| damaged(&file))?;
            let sha256 = hex::encode(Sha256::digest(&der));
            print_json(&json!({ "certificate": pem, "sha256": sha256, "file": file }))
        }
        CaCommand::Show => print_text(&pem),
    }
}

/// The authority, made on first use, and the file with its certificate. A certificate that is not its key's is what clients
/// trust and what no Keep could show, so that is an error before anything is certified.
fn open(state: &State) -> Outcome<(Authority, PathBuf)> {
    let (file, key) = (state.ca_certificate_file(), state.ca_key_file());
    if file.exists() && !key.exists() {
        let what = format!("{} is there, and its key {} is gone", file.display(), key.display());
        return Err(Failure::usage(what).hint(
            "put the key back; or move the certificate away, and `enarx ca init` makes another authority, which \
             clients have to be told of",
        ));
    }
    let secret = state.ca_key()?;
    let wrong = |error: &dyn std::fmt::Display| Failure::usage(format!("the key of the authority: {error}"));
    let authority = Authority::from_secret(&secret).map_err(|error| wrong(&error))?;
    if file.exists() {
        let pem = read(&file)?;
        let (_, der) = pem_rfc7468::decode_vec(pem.as_bytes()).map_err(|_| damaged(&file))?;
        if !authority.owns(&der) {
            return Err(Failure::usage(format!("{} is not of the key {}", file.display(), key.display()))
                .hint("put the one back that belongs to the other; or move the certificate away, and `enarx ca init` writes it anew from the key"));
        }
    } else {
        let certificate = authority.certificate(trust::now()).map_err(|error| wrong(&error))?;
        let pem = pem_rfc7468::encode_string("CERTIFICATE", LineEnding::LF, &certificate)
            .map_err(|error| wrong(&error))?;
        write_private(&file, pem.as_bytes())
            .map_err(|error| Failure::usage(format!("could not write {}: {error}", file.display())))?;
    }
    Ok((authority, file))
}

fn read(file: &Path) -> Outcome<String> {
    fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("could not read {}: {error}", file.display())))
}

fn damaged(file: &Path) -> Failure {
    Failure::usage(format!("{} is not a certificate", file.display()))
        .hint("move it away; `enarx ca init` writes it anew from the key")
}
