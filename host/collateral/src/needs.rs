// SPDX-License-Identifier: Apache-2.0

//! What evidence needs: it says itself which chip, TCB and platform it is about.

use enarx_evidence::azure::{AzureEvidence, HardwareReport};
use enarx_evidence::dcap::{Certification, PckExtensions, Quote, TeeType};
use enarx_evidence::snp::cert::KeyExtensions;
use enarx_evidence::snp::{Generation, Product, Report, SigningKey};
use enarx_evidence::x509::{Certificate, documents};
use enarx_evidence::{Bundle, Endorsements, Evidence, Format};

use crate::error::NeedsError;
use crate::what::{AmdKey, IntelTee, PckAuthority, What};

/// What evidence needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// What vendors give out to anybody.
    pub wanted: Vec<What>,
    /// What they do not, so that the host has to send it: what it is, and why.
    pub from_host: Vec<(&'static str, &'static str)>,
}

/// What evidence needs. What the host sent along already, `known`, is only asked which product it is for and
/// whether it has what nobody else gives out; `product` is for reports that do not say it.
pub fn needs(
    evidence: &Evidence,
    known: &Endorsements,
    product: Option<Generation>,
) -> Result<Needs, NeedsError> {
    match hardware(evidence)? {
        Hardware::Amd(report) => snp(&report, known, product),
        Hardware::Intel(quote) => dcap(&quote, known),
        Hardware::SelfContained => Ok(Needs { wanted: Vec::new(), from_host: Vec::new() }),
    }
}

/// The generations that a report may be of, most likely first, if it does not say it.
pub(crate) fn candidates(evidence: &Evidence) -> &'static [Generation] {
    let Ok(Hardware::Amd(report)) = hardware(evidence) else { return &[] };
    match report.chip_id {
        // On Turin a chip has 8 bytes.
        [.., 0, 0, 0, 0, 0, 0, 0, 0] if !report.chip_id_masked() => &[Generation::Turin],
        _ => &[Generation::Milan, Generation::Genoa],
    }
}

/// What the hardware below all layers signed.
enum Hardware {
    Amd(Box<Report>),
    Intel(Box<Quote>),
    /// Everything is in the evidence but the root, which is known to who trusts it.
    SelfContained,
}

fn hardware(evidence: &Evidence) -> Result<Hardware, NeedsError> {
    let amd = |bytes: &[u8]| Ok(Hardware::Amd(Box::new(Report::parse(bytes)?)));
    let intel = |bytes: &[u8]| Ok(Hardware::Intel(Box::new(Quote::parse(bytes)?)));
    match evidence.format {
        Format::SevSnp => amd(&evidence.bytes),
        Format::Tdx | Format::Sgx => intel(&evidence.bytes),
        Format::Nitro => Ok(Hardware::SelfContained),
        Format::AzureSnp | Format::AzureTdx => {
            let azure = AzureEvidence::decode(&evidence.bytes)?;
            match (azure.hcl_report.hardware, azure.td_quote) {
                (HardwareReport::Snp(report), _) => Ok(Hardware::Amd(report)),
                (HardwareReport::Tdx(_), Some(quote)) => intel(&quote),
                (HardwareReport::Tdx(_), None) => Err(NeedsError::NoPlatformCertificate),
            }
        }
        other => Err(NeedsError::Format { format: other.name() }),
    }
}

fn snp(report: &Report, known: &Endorsements, product: Option<Generation>) -> Result<Needs, NeedsError> {
    let keys = key_certificates(known);
    let by_report = report.cpuid.and_then(Product::from_cpuid).map(Product::generation);
    let by_key = keys.iter().find_map(|key| Generation::from_product_name(&key.product_name));
    let generation = by_report.or(product).or(by_key).ok_or(NeedsError::ProductUnknown)?;
    let mut needs = Needs { wanted: Vec::new(), from_host: Vec::new() };
    let signing_key = report.key_info.signing_key;
    let sent = match signing_key {
        SigningKey::Vlek => keys.iter().any(|key| key.csp_id.is_some()),
        _ => keys.iter().any(|key| key.hwid.is_some()),
    };
    match signing_key {
        SigningKey::Vcek if !report.chip_id_masked() => {
            let hwid = report.chip_id.iter().copied().take(generation.chip_id_len()).collect();
            let tcb = report.reported_tcb.decode(generation.tcb_layout())?;
            needs.wanted.push(What::ChipKey { generation, hwid, tcb });
        }
        SigningKey::Vcek if !sent => {
            needs.from_host.push(("the VCEK certificate", "the report hides which chip it is from"));
        }
        SigningKey::Vlek if !sent => {
            needs.from_host.push(("the VLEK certificate", "AMD gives it to the cloud provider only"));
        }
        SigningKey::Vcek | SigningKey::Vlek | SigningKey::None => {}
    }
    let key = AmdKey::of(signing_key).unwrap_or(AmdKey::Vcek);
    needs
        .wanted
        .extend([What::AmdAuthorities { generation, key }, What::AmdRevocationList { generation, key }]);
    Ok(needs)
}

fn dcap(quote: &Quote, known: &Endorsements) -> Result<Needs, NeedsError> {
    let tee = match quote.body.tee() {
        TeeType::Sgx => IntelTee::Sgx,
        TeeType::Tdx => IntelTee::Tdx,
    };
    let chain = match &quote.signature.certification {
        Certification::PckChain(chain) => chain.as_slice(),
        _ => &[],
    };
    let known = known.items.iter().take(Bundle::MAX_ENDORSEMENTS).map(Vec::as_slice);
    let platform = std::iter::once(chain).chain(known).find_map(platform);
    let (fmspc, authority) = platform.ok_or(NeedsError::NoPlatformCertificate)?;
    let wanted = vec![
        What::TcbInfo { tee, fmspc },
        What::QeIdentity { tee },
        What::PckRevocationList { authority },
        What::IntelRootRevocationList,
    ];
    Ok(Needs { wanted, from_host: Vec::new() })
}

/// The kind of platform, and who certified it, that the first readable PCK certificate names.
fn platform(item: &[u8]) -> Option<([u8; 6], PckAuthority)> {
    let certificates = documents(item, Bundle::MAX_ENDORSEMENTS).ok()?;
    certificates.iter().find_map(|der| {
        let certificate = Certificate::parse(der).ok()?;
        let extensions = PckExtensions::find(&certificate.extensions).ok()??;
        let authority = match certificate.issuer_common_name() {
            name if name.contains("Platform CA") => PckAuthority::Platform,
            name if name.contains("Processor CA") => PckAuthority::Processor,
            // Only registered platforms have an identifier of their own.
            _ if extensions.platform_instance_id.is_some() => PckAuthority::Platform,
            _ => PckAuthority::Processor,
        };
        Some((extensions.fmspc, authority))
    })
}

/// What the readable certificates of report signing keys say that they are for.
fn key_certificates(known: &Endorsements) -> Vec<KeyExtensions> {
    let mut found = Vec::new();
    for item in known.items.iter().take(Bundle::MAX_ENDORSEMENTS) {
        for der in documents(item, Bundle::MAX_ENDORSEMENTS).unwrap_or_default() {
            let Ok(certificate) = Certificate::parse(&der) else { continue };
            let extensions = certificate.extensions.iter().map(|found| (found.oid, found.value));
            found.extend(KeyExtensions::parse(extensions).ok().flatten());
        }
    }
    found
}
