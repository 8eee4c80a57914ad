// SPDX-License-Identifier: Apache-2.0

//! Quotes as Intel's quoting enclaves make them, and the collateral that Intel's service has for them.

mod collateral;
mod quote;

use std::time::Duration;

use enarx_evidence::dcap::{
    Body, Certification, Collateral, EnclaveIdentity, Family, PckExtensions, Quote, QuoteVersion, Signed,
    TcbInfo, TeeType,
};
use enarx_evidence::{Bundle, Endorsements, Evidence, Format};
use sha2::{Digest as _, Sha256};

use crate::keys::{Curve, EcKey};
use crate::pki::{EcAuthority, Subject, Use, now, raw_extension};
use crate::{Simulator, SimulatorError};

const ROOT: &str = "Simulated SGX Root CA";

const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(365 * 24);
/// Clocks of host and tenant differ a little.
const BACKDATED: Duration = Duration::from_hours(24);
/// How long revocation lists and collateral are current, as Intel's.
const CURRENT: Duration = Duration::from_hours(30 * 24);

/// Which of Intel's authorities certifies a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PckAuthority {
    /// Of platforms that may have several packages.
    Platform,
    /// Of single processors.
    Processor,
}

/// A simulated platform with a TD or an enclave on it. Keys and certificates below the root are made anew for each
/// quote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedQuote {
    /// The processor's family.
    pub family: Family,
    /// Whether it is about a TD or an enclave.
    pub tee: TeeType,
    /// The version of the quote. Version 3 is about enclaves only.
    pub version: QuoteVersion,
    /// Whether a TD's report is of version 1.5, which only quotes of version 5 have.
    pub extended: bool,
    /// Who certifies the platform.
    pub authority: PckAuthority,
}

impl Default for SimulatedQuote {
    fn default() -> Self {
        Self {
            family: Family::EmeraldRapids,
            tee: TeeType::Tdx,
            version: QuoteVersion::V5,
            extended: true,
            authority: PckAuthority::Platform,
        }
    }
}

impl SimulatedQuote {
    /// An enclave on a processor of one package.
    pub fn enclave() -> Self {
        Self {
            family: Family::CoffeeLake,
            tee: TeeType::Sgx,
            version: QuoteVersion::V3,
            extended: false,
            authority: PckAuthority::Processor,
        }
    }
}

/// Everything that is signed for a quote, before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DcapContent {
    /// The quote. Its two signatures and its certificates are put in afterwards.
    pub quote: Quote,
    /// What the certificate of the platform's key says.
    pub pck: PckExtensions,
    /// What is said about platforms of this kind.
    pub tcb_info: TcbInfo,
    /// What is said about the quoting enclave.
    pub identity: EnclaveIdentity,
    /// The platform's key is revoked.
    pub pck_revoked: bool,
    /// The authority that certified the platform's key is revoked.
    pub authority_revoked: bool,
    /// The key that signs collateral is revoked.
    pub tcb_signer_revoked: bool,
}

/// The authorities and keys for one quote.
struct Pki {
    root: EcAuthority,
    authority: EcAuthority,
    tcb_signer: EcKey,
    tcb_signer_certificate: Vec<u8>,
    platform: EcKey,
    from: Duration,
}

impl Simulator {
    /// What identifies the root of simulated platforms of Intel's: the SHA-256 of its subject public key info.
    pub fn dcap_root_spki_sha256(&self) -> Result<[u8; 32], SimulatorError> {
        Ok(Sha256::digest(&self.dcap_root()?.spki()?).into())
    }

    /// What a host would give out for a TD or an enclave: a quote with the certificates of its platform, and as
    /// endorsements, in this order, TCB info, the identity of the quoting enclave, the certificate of the key that
    /// signed both, and the revocation lists of the root and of the authority that certified the platform.
    ///
    /// An enclave's measurement is the first 32 bytes of `measurement`. `change` may change what is said before it
    /// is signed.
    pub fn attest_quote(
        &self,
        platform: &SimulatedQuote,
        report_data: &[u8; 64],
        measurement: &[u8; 48],
        change: impl FnOnce(&mut DcapContent),
    ) -> Result<Bundle, SimulatorError> {
        let (pki, attestation_key) = (self.dcap_pki(platform)?, EcKey::generate(Curve::P256)?);
        let from = pki.from.as_secs();
        let key = coordinates(&attestation_key)?;
        let mut content = DcapContent {
            quote: quote::unsigned(platform, report_data, measurement, key)?,
            pck: quote::pck(platform),
            tcb_info: collateral::tcb_info(platform, from),
            identity: collateral::identity(platform.tee, from),
            pck_revoked: false,
            authority_revoked: false,
            tcb_signer_revoked: false,
        };
        change(&mut content);
        let pck = pki.pck(&content.pck)?;
        let signature = &mut content.quote.signature;
        signature.qe.signature = fixed(&pki.platform, &signature.qe.report.encode())?;
        let chain = [&pck, &pki.authority.certificate, &pki.root.certificate];
        signature.certification = Certification::PckChain(pem(&chain.map(Vec::as_slice))?);
        content.quote.signature.signature = fixed(&attestation_key, &content.quote.encode_signed())?;
        let format = match content.quote.body {
            Body::Sgx(_) => Format::Sgx,
            Body::Td(_) => Format::Tdx,
        };
        let endorsements = Endorsements { items: pki.endorsements(&content, &pck)? };
        Ok(Bundle { evidence: Evidence { format, bytes: content.quote.encode() }, endorsements })
    }

    fn dcap_root(&self) -> Result<EcAuthority, SimulatorError> {
        EcAuthority::root(&self.store, "dcap/root", Curve::P256, ROOT)
    }

    fn dcap_pki(&self, platform: &SimulatedQuote) -> Result<Pki, SimulatorError> {
        let (root, from) = (self.dcap_root()?, now().saturating_sub(BACKDATED));
        let common_name = match platform.authority {
            PckAuthority::Platform => "Simulated SGX PCK Platform CA",
            PckAuthority::Processor => "Simulated SGX PCK Processor CA",
        };
        let used_for = Use::Authority { path_len: Some(0) };
        let authority = root.below(&Subject { common_name, used_for, from, valid_for: YEAR * 15 })?;
        let tcb_signer = EcKey::generate(Curve::P256)?;
        let common_name = "Simulated SGX TCB Signing";
        let subject = Subject { common_name, used_for: Use::Data, from, valid_for: YEAR * 7 };
        let tcb_signer_certificate = root.certify(&subject, &tcb_signer)?;
        let platform = EcKey::generate(Curve::P256)?;
        Ok(Pki { root, authority, tcb_signer, tcb_signer_certificate, platform, from })
    }
}

impl Pki {
    /// The certificate of the platform's key.
    fn pck(&self, extensions: &PckExtensions) -> Result<Vec<u8>, SimulatorError> {
        let subject = Subject {
            common_name: "Simulated SGX PCK Certificate",
            used_for: Use::Data,
            from: self.from,
            valid_for: YEAR * 7,
        };
        let extension = raw_extension(PckExtensions::OID, &extensions.encode())?;
        self.authority.certify_with(&subject, &self.platform, vec![extension])
    }

    fn endorsements(&self, content: &DcapContent, pck: &[u8]) -> Result<Vec<Vec<u8>>, SimulatorError> {
        let (info, identity) = (content.tcb_info.encode(), content.identity.encode());
        let info = Collateral::TcbInfo(Signed {
            content: content.tcb_info.clone(),
            signed: info.as_bytes(),
            signature: fixed(&self.tcb_signer, info.as_bytes())?,
        });
        let identity = Collateral::EnclaveIdentity(Signed {
            content: content.identity.clone(),
            signed: identity.as_bytes(),
            signature: fixed(&self.tcb_signer, identity.as_bytes())?,
        });
        let of_root = [
            (content.authority_revoked, &self.authority.certificate),
            (content.tcb_signer_revoked, &self.tcb_signer_certificate),
        ];
        let of_root = of_root.into_iter().filter(|(revoked, _)| *revoked);
        let of_root = of_root.map(|(_, certificate)| certificate.as_slice()).collect::<Vec<_>>();
        let of_authority = if content.pck_revoked { vec![pck] } else { vec![] };
        Ok(vec![
            info.encode(),
            identity.encode(),
            self.tcb_signer_certificate.clone(),
            self.root.revocation_list(&of_root, self.from, CURRENT)?,
            self.authority.revocation_list(&of_authority, self.from, CURRENT)?,
        ])
    }
}

/// A signature of 64 bytes: r and s, big-endian.
fn fixed(key: &EcKey, message: &[u8]) -> Result<[u8; 64], SimulatorError> {
    let signature = key.sign_fixed(message)?;
    signature.try_into().map_err(|_| SimulatorError::Crypto { action: "sign evidence" })
}

/// A key's point of P-256 without its first byte.
fn coordinates(key: &EcKey) -> Result<[u8; 64], SimulatorError> {
    let failed = SimulatorError::Crypto { action: "encode a public key" };
    key.point().last_chunk::<64>().copied().ok_or(failed)
}

/// Certificates as quotes have them, with a zero at the end.
fn pem(certificates: &[&[u8]]) -> Result<Vec<u8>, SimulatorError> {
    let mut text = Vec::new();
    for certificate in certificates {
        let block = pem_rfc7468::encode_string("CERTIFICATE", pem_rfc7468::LineEnding::LF, certificate);
        let failed = |_| SimulatorError::Crypto { action: "encode a certificate" };
        text.extend_from_slice(block.map_err(failed)?.as_bytes());
    }
    text.push(0);
    Ok(text)
}
