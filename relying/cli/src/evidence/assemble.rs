// SPDX-License-Identifier: Apache-2.0

//! Putting evidence together that comes in parts: a TPM quote with its signature and registers, and what a virtual
//! machine of Azure has beside it.

use enarx_evidence::azure::{AzureEvidence, HardwareReport, HclReport};
use enarx_evidence::tpm::{Attest, AttestationKey, PcrValues, Public, Quote, Signature, TpmEvidence};
use enarx_evidence::{Evidence, Format, ParseError};

use super::recognise::Part;
use crate::failure::{Failure, Outcome};

/// The parts that were found, each kind in its place.
#[derive(Debug, Default)]
pub(super) struct Parts {
    hcl_reports: Vec<Vec<u8>>,
    quotes: Vec<Vec<u8>>,
    signed: Vec<(Vec<u8>, Part)>,
    signatures: Vec<Part>,
    publics: Vec<Vec<u8>>,
    registers: PcrValues,
}

impl Parts {
    pub(super) fn add(&mut self, part: Part) {
        match part {
            Part::HclReport(report) => self.hcl_reports.push(report),
            Part::Quote(attest) => self.quotes.push(attest),
            Part::SignedQuote(attest, signature) => self.signed.push((attest, *signature)),
            Part::Signature(_) | Part::BareSignature(_) => self.signatures.push(part),
            Part::Public(public) => self.publics.push(public),
            Part::Registers(values) => self.registers.banks.extend(values.banks),
        }
    }

    /// Whether there is a quote or a report around which the others can be put.
    pub(super) fn is_evidence(&self) -> bool {
        !(self.hcl_reports.is_empty() && self.quotes.is_empty() && self.signed.is_empty())
    }

    /// The evidence that they make, of Azure where there is an HCL report. `keys` are loose public keys, and `td_quote`
    /// the quote of the hardware.
    pub(super) fn assemble(self, keys: &[Vec<u8>], td_quote: Option<Evidence>) -> Outcome<Evidence> {
        let mut reports = self.hcl_reports.clone();
        let hcl_report = reports.pop();
        if !reports.is_empty() {
            return Err(Failure::usage("more than one HCL report was given"));
        }
        let public = self.publics.first().cloned();
        let quote = self.quote()?;
        let Some(hcl_report) = hcl_report else {
            let key = match (public, keys.first()) {
                (Some(public), _) => {
                    Some(AttestationKey::Public(Public::parse(&public).map_err(unreadable)?))
                }
                (None, Some(spki)) => Some(AttestationKey::Spki(spki.clone())),
                (None, None) => None,
            };
            return Ok(Evidence { format: Format::Tpm, bytes: TpmEvidence { quote, key }.encode() });
        };
        let hcl_report = HclReport::parse(&hcl_report).map_err(unreadable)?;
        let format = match hcl_report.hardware {
            HardwareReport::Snp(_) => Format::AzureSnp,
            HardwareReport::Tdx(_) => Format::AzureTdx,
        };
        let td_quote = td_quote.map(|quote| quote.bytes);
        if format == Format::AzureTdx && td_quote.is_none() {
            return Err(
                Failure::usage("the TD quote of the virtual machine is missing").hint("give it by `--with`")
            );
        }
        let evidence = AzureEvidence { hcl_report, quote, td_quote };
        Ok(Evidence { format, bytes: evidence.encode() })
    }

    fn quote(self) -> Outcome<Quote> {
        let missing = |what: &str| Failure::usage(format!("{what} is missing")).hint("give it by `--with`");
        let mut quotes: Vec<_> =
            self.signed.into_iter().map(|(attest, signature)| (attest, Some(signature))).collect();
        quotes.extend(self.quotes.into_iter().map(|attest| (attest, None)));
        let (attest, own) = quotes.pop().ok_or_else(|| missing("the quote of the TPM"))?;
        if !quotes.is_empty() {
            return Err(Failure::usage("more than one TPM quote was given"));
        }
        let mut signatures = self.signatures.into_iter();
        let signature = match (own, signatures.next(), signatures.next()) {
            (Some(own), _, _) | (None, Some(own), None) => own,
            (None, None, _) => return Err(missing("the signature of the TPM's quote")),
            (None, Some(_), Some(_)) => {
                return Err(Failure::usage("more than one signature of a TPM was given"));
            }
        };
        let signature = match signature {
            Part::BareSignature(bytes) => Signature::bare_rsa(&bytes),
            Part::Signature(bytes) => Signature::parse(&bytes).map_err(unreadable)?,
            _ => return Err(missing("the signature of the TPM's quote")),
        };
        let attest = Attest::parse(&attest).map_err(unreadable)?;
        Ok(Quote { attest, signature, values: self.registers })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "errors are mapped by it")]
fn unreadable(error: ParseError) -> Failure {
    Failure::usage(format!("the evidence cannot be read: {error}"))
}
