// SPDX-License-Identifier: Apache-2.0

//! Two opinions about a quote of SGX or TDX.

use dcap_qvl::QuoteCollateralV3;
use dcap_qvl::configs::RingConfig;
use dcap_qvl::verify::QuoteVerifier;
use enarx_evidence::dcap::{Certification, Quote};
use enarx_evidence::{Bundle, Endorsements, Evidence, x509};
use enarx_verifier::crypto::{RustCrypto, SignatureVerifier};
use enarx_verifier::policy::{Crl, Freshness, TcbInfo};
use enarx_verifier::{Claims, TrustAnchors, UnixTime, Verification, verify_with};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Case, Item, Opinion};

/// The certificates of the key that signs collateral.
const CHAIN: &str = "tcb_signing_chain.pem";

/// The evidence and what endorses it, as a host would send them.
pub fn bundle(case: &Case) -> Bundle {
    Bundle {
        evidence: Evidence { format: case.format, bytes: case.evidence.clone() },
        endorsements: Endorsements { items: case.items.iter().map(|item| item.bytes.clone()).collect() },
    }
}

/// What Enarx says. Everything is asked for: revocation lists, TCB info, QE identity.
pub fn ours(case: &Case) -> Opinion {
    ours_by(case, &bundle(case), &TrustAnchors::vendors(), &mut RustCrypto)
}

/// The same, with other roots and another implementation of signatures.
pub fn ours_by(
    case: &Case,
    bundle: &Bundle,
    anchors: &TrustAnchors,
    crypto: &mut dyn SignatureVerifier,
) -> Opinion {
    let verification = Verification {
        bundle,
        report_data: &case.report_data,
        anchors,
        crl: Crl::Required,
        tcb_info: TcbInfo::Required,
        freshness: Freshness::default(),
        now: UnixTime(case.now),
    };
    Opinion(match verify_with(&verification, crypto) {
        Ok(verified) => match verified.claims() {
            Claims::Tdx(claims) | Claims::Sgx(claims) => {
                Ok(claims.tcb.as_ref().map_or_else(String::new, |tcb| tcb.status.name().to_owned()))
            }
            other => panic!("not a quote: {other:?}"),
        },
        Err(refusals) => {
            let reasons = refusals.iter().map(ToString::to_string);
            Err(reasons.collect::<Vec<_>>().join("; "))
        }
    })
}

/// What `dcap-qvl` says, with Intel's root. TDs under debug or bound to service TDs are genuine all the same: whether
/// to accept them is up to a policy.
pub fn theirs(case: &Case) -> Opinion {
    theirs_by(case, &collateral(case), &verifier(QuoteVerifier::new_prod()))
}

/// The same, with another root.
pub fn theirs_by(
    case: &Case,
    collateral: &Result<QuoteCollateralV3, String>,
    verifier: &QuoteVerifier<RingConfig>,
) -> Opinion {
    Opinion(collateral.as_ref().map_err(Clone::clone).and_then(|collateral| {
        let verified = verifier.verify(&case.evidence, collateral, case.now);
        verified.map(|report| report.status).map_err(|error| format!("{error:#}"))
    }))
}

/// An answer of Intel's service, taken apart for `dcap-qvl`, which asks its caller to do so.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, alias = "tcbInfo", alias = "enclaveIdentity")]
    content: &'a RawValue,
    signature: String,
}

/// The items as `dcap-qvl` wants them: by what they are. What is not there is left empty.
pub fn collateral(case: &Case) -> Result<QuoteCollateralV3, String> {
    let item = |name| case.item(name).unwrap_or_default();
    let answer = |name| -> Result<(String, Vec<u8>), String> {
        let Some(bytes) = case.item(name) else { return Ok(Default::default()) };
        let answer =
            serde_json::from_slice::<Answer<'_>>(bytes).map_err(|error| format!("{name}: {error}"))?;
        let signature = hex::decode(&answer.signature).map_err(|error| format!("{name}: {error}"))?;
        Ok((answer.content.get().to_owned(), signature))
    };
    let (tcb_info, tcb_info_signature) = answer("tcb_info.json")?;
    let (qe_identity, qe_identity_signature) = answer("qe_identity.json")?;
    let chain = String::from_utf8_lossy(item(CHAIN)).into_owned();
    Ok(QuoteCollateralV3 {
        pck_crl_issuer_chain: String::new(),
        root_ca_crl: item("root_ca_crl.der").to_vec(),
        pck_crl: item("pck_crl.der").to_vec(),
        tcb_info_issuer_chain: chain.clone(),
        tcb_info,
        tcb_info_signature,
        qe_identity_issuer_chain: chain,
        qe_identity,
        qe_identity_signature,
        pck_certificate_chain: None,
    })
}

/// The verifier with the choices above.
pub fn verifier(verifier: QuoteVerifier) -> QuoteVerifier<RingConfig> {
    verifier.with_config().allow_debug(true).allow_service_td(true)
}

/// A simulated quote with its collateral, in the order in which the simulator gives it out.
pub fn simulated(bundle: &Bundle, report_data: [u8; 64], now: u64) -> Case {
    let names = ["tcb_info.json", "qe_identity.json", CHAIN, "root_ca_crl.der", "pck_crl.der"];
    let items = names.iter().zip(&bundle.endorsements.items);
    let items = items.map(|(name, bytes)| {
        let bytes = if *name == CHAIN { pem(bytes) } else { bytes.clone() };
        Item { name: (*name).to_owned(), bytes }
    });
    Case {
        name: "simulated".to_owned(),
        format: bundle.evidence.format,
        evidence: bundle.evidence.bytes.clone(),
        report_data,
        items: items.collect(),
        now,
    }
}

/// The certificate of the root, which is the last one in a quote.
pub fn root(quote: &Quote) -> Vec<u8> {
    let Certification::PckChain(chain) = &quote.signature.certification else { panic!("no certificates") };
    x509::documents(chain, 8).unwrap().pop().unwrap().into_owned()
}

fn pem(der: &[u8]) -> Vec<u8> {
    pem_rfc7468::encode_string("CERTIFICATE", pem_rfc7468::LineEnding::LF, der).unwrap().into_bytes()
}
