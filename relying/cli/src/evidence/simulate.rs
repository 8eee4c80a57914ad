// SPDX-License-Identifier: Apache-2.0

//! `enarx evidence simulate`: what the hardware of a platform and its host would give out, from this machine's
//! simulator.

use enarx_evidence::x509::Document;
use enarx_simulator::{Launched, Simulator};
use pem_rfc7468::LineEnding;
use serde_json::json;

use crate::args::{Measurement, OutputOptions, ReportData, SimulateArgs};
use crate::failure::{Failure, Outcome, chain};
use crate::progress::Progress;
use crate::state::State;
use crate::write::new_file;

pub(super) fn simulate(args: &SimulateArgs, output: &OutputOptions) -> Outcome<()> {
    // One of the two is there: the command line asks for it.
    let Some(ReportData(report_data)) = args.report_data.or(args.nonce) else {
        return Err(Failure::usage("nothing says what the evidence is bound to").hint("give `--report-data`"));
    };
    let Measurement(measurement) = args.measurement.unwrap_or(Measurement([0; 48]));
    let failed = |error: &dyn std::error::Error| Failure::usage(chain(error));
    let simulator = Simulator::open(&State::open()?.simulator_folder()).map_err(|error| failed(&error))?;
    let bundle = simulator
        .rehearse(&args.platform, &report_data, &launched(&measurement))
        .map_err(|error| failed(&error))?;
    new_file(&args.out, &bundle.evidence.bytes)?;
    let texts = bundle.endorsements.items.iter().map(|item| pem(item)).collect::<Option<Vec<_>>>();
    let endorsements = match texts {
        Some(texts) if !texts.is_empty() => texts.concat().into_bytes(),
        _ => bundle.encode(),
    };
    new_file(&args.endorsements_out, &endorsements)?;

    let root = simulator
        .rehearsal_root_spki_sha256(&args.platform)
        .map(hex::encode)
        .map_err(|error| failed(&error))?;
    let mut text = format!(
        "SIMULATED evidence of {} in {}, which protects nothing\nits endorsements in {}\nits root sha256:{root}",
        args.platform,
        args.out.display(),
        args.endorsements_out.display(),
    );
    if let Some(caveat) = args.platform.caveat() {
        text.push_str("\nand ");
        text.push_str(caveat);
    }
    let fields = json!({
        "simulated": true,
        "platform": args.platform.name(),
        "tee": args.platform.format().name(),
        "caveat": args.platform.caveat(),
        "evidence": args.out,
        "endorsements": args.endorsements_out,
        "report_data": hex::encode(report_data),
        "root_spki_sha256": root,
    });
    Progress::new(output).step("simulated", &text, fields);
    Ok(())
}

/// What measures to this, or where a measurement has 32 bytes to the first ones.
pub(crate) fn launched(measurement: &[u8; 48]) -> Launched {
    let mut sha256 = [0; 32];
    sha256.iter_mut().zip(measurement).for_each(|(to, from)| *to = *from);
    Launched { sha384: *measurement, sha256, host_data: [0; 32] }
}

/// In PEM; `None` if it is neither a certificate nor a revocation list.
fn pem(der: &[u8]) -> Option<String> {
    let label = match Document::parse(der).ok()? {
        Document::Certificate(_) => "CERTIFICATE",
        Document::RevocationList(_) => "X509 CRL",
    };
    pem_rfc7468::encode_string(label, LineEnding::LF, der).ok()
}
