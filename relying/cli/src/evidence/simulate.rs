// SPDX-License-Identifier: Apache-2.0

//! `enarx evidence simulate`: what the hardware of a platform and its host would give out, from this machine's
//! simulator.

use enarx_evidence::x509::Document;
use enarx_simulator::Simulator;
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
        .attest(&args.platform, &report_data, &measurement, &[0; 32])
        .map_err(|error| failed(&error))?;
    new_file(&args.out, &bundle.evidence.bytes)?;
    let texts = bundle.endorsements.items.iter().map(|item| pem(item)).collect::<Outcome<Vec<_>>>()?;
    new_file(&args.endorsements_out, texts.concat().as_bytes())?;

    let root = simulator
        .root_spki_sha256(args.platform.product.generation())
        .map(hex::encode)
        .map_err(|error| failed(&error))?;
    let text = format!(
        "SIMULATED evidence of {} in {}, which protects nothing\nits endorsements in {}\nits root sha256:{root}",
        args.platform.product,
        args.out.display(),
        args.endorsements_out.display(),
    );
    let fields = json!({
        "simulated": true,
        "product": args.platform.product.name(),
        "evidence": args.out,
        "endorsements": args.endorsements_out,
        "report_data": hex::encode(report_data),
        "root_spki_sha256": root,
    });
    Progress::new(output).step("simulated", &text, fields);
    Ok(())
}

fn pem(der: &[u8]) -> Outcome<String> {
    let label = match Document::parse(der) {
        Ok(Document::Certificate(_)) => "CERTIFICATE",
        _ => "X509 CRL",
    };
    pem_rfc7468::encode_string(label, LineEnding::LF, der).map_err(Failure::usage)
}
