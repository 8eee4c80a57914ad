// SPDX-License-Identifier: Apache-2.0

//! Two opinions about a report of SEV-SNP.

use enarx_evidence::x509;
use enarx_verifier::crypto::{RustCrypto, SignatureVerifier};
use enarx_verifier::policy::{Crl, Freshness, TcbInfo};
use enarx_verifier::{TrustAnchors, UnixTime, Verification, verify_with};
use sev::certs::snp::{Certificate, Chain, Verifiable as _, builtin, ca};
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser as _;

use crate::intel::bundle;
use crate::{Case, Opinion};

/// What Enarx says. Revocation lists count where there are any.
pub fn ours(case: &Case) -> Opinion {
    ours_by(case, &mut RustCrypto)
}

/// The same, with another implementation of signatures.
pub fn ours_by(case: &Case, crypto: &mut dyn SignatureVerifier) -> Opinion {
    let (anchors, bundle) = (TrustAnchors::vendors(), bundle(case));
    let verification = Verification {
        bundle: &bundle,
        report_data: &case.report_data,
        anchors: &anchors,
        crl: Crl::AbsentAccepted,
        tcb_info: TcbInfo::Required,
        freshness: Freshness::default(),
        now: UnixTime(case.now),
    };
    Opinion(match verify_with(&verification, crypto) {
        Ok(_) => Ok(String::new()),
        Err(refusals) => {
            let reasons = refusals.iter().map(ToString::to_string);
            Err(reasons.collect::<Vec<_>>().join("; "))
        }
    })
}

/// What `sev` says: it verifies the signatures from ARK to report. That the ARK is AMD's and the report data are those
/// of the session is left to its caller, so both are compared here.
pub fn theirs(case: &Case, roles: &Roles) -> Opinion {
    Opinion(judge(case, roles).map(|()| String::new()))
}

fn judge(case: &Case, roles: &Roles) -> Result<(), String> {
    let chain = chain(case, roles)?;
    let text = |error: std::io::Error| error.to_string();
    let report = AttestationReport::from_bytes(&case.evidence).map_err(text)?;
    (&chain, &report).verify().map_err(text)?;
    let roots = [builtin::milan::ark(), builtin::genoa::ark(), builtin::turin::ark()];
    let known = |root: &Certificate| root.public_key_sec1() == chain.ca.ark.public_key_sec1();
    if !roots.iter().flatten().any(known) {
        return Err("the ARK is not AMD's".to_owned());
    }
    if report.report_data != case.report_data {
        return Err("the report data are others".to_owned());
    }
    Ok(())
}

/// The certificates, read by `sev`.
pub fn chain(case: &Case, roles: &Roles) -> Result<Chain, String> {
    let certificate = |name: &str| {
        let bytes = case.item(name).ok_or("a certificate is missing")?;
        let pem = bytes.starts_with(b"-");
        let certificate = if pem { Certificate::from_pem(bytes) } else { Certificate::from_der(bytes) };
        certificate.map_err(|error| error.to_string())
    };
    let (ark, ask, vek) = (certificate(&roles.ark)?, certificate(&roles.ask)?, certificate(&roles.vek)?);
    Ok(Chain { ca: ca::Chain { ark, ask }, vek })
}

/// Which item is which certificate, by name: `sev` does not find out by itself.
#[derive(Debug, Clone, Default)]
pub struct Roles {
    /// AMD's root key.
    pub ark: String,
    /// The key that signs the keys of chips or providers.
    pub ask: String,
    /// The key that signs reports.
    pub vek: String,
}

impl Roles {
    /// Those of a case in its unchanged state.
    pub fn of(case: &Case) -> Self {
        let mut roles = Self::default();
        for item in &case.items {
            let Ok(documents) = x509::documents(&item.bytes, 8) else { continue };
            let Some(Ok(x509::Document::Certificate(found))) =
                documents.first().map(|der| x509::Document::parse(der))
            else {
                continue;
            };
            let name = found.common_name();
            let role = match name {
                "SEV-VCEK" | "SEV-VLEK" => &mut roles.vek,
                _ if name.starts_with("ARK-") => &mut roles.ark,
                _ => &mut roles.ask,
            };
            role.clone_from(&item.name);
        }
        roles
    }
}
