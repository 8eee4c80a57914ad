// SPDX-License-Identifier: Apache-2.0

//! The options of the commands about evidence: `verify`, `explain` and `evidence`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use enarx_evidence::Format;
use enarx_simulator::Rehearsal;
use enarx_verifier::UnixTime;
use enarx_verifier::advisory::IssuerKey;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Which evidence, and how to read it.
#[derive(Debug, Args)]
pub(crate) struct EvidenceArgs {
    /// A file with the evidence, or `-` for standard input
    ///
    /// Raw, in hexadecimal, in base64, inside JSON, or a bundle of Enarx: it is recognised by its content.
    #[arg(value_name = "EVIDENCE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// What the evidence is; `auto` goes by its content
    #[arg(long, value_name = "TEE", default_value = "auto")]
    pub(crate) tee: TeeArg,

    /// Another part of evidence that comes in several files, such as the signature of a TPM quote
    #[arg(long = "with", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) with: Vec<PathBuf>,
}

/// The kinds of evidence, as they are called on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TeeArg {
    /// Whatever it is
    Auto,
    /// AMD SEV-SNP
    Snp,
    /// Intel TDX
    Tdx,
    /// Intel SGX
    Sgx,
    /// Arm CCA
    Cca,
    /// AWS Nitro Enclaves
    Nitro,
    /// TPM 2.0
    Tpm,
    /// A virtual machine of Azure on AMD SEV-SNP
    AzureSnp,
    /// A virtual machine of Azure on Intel TDX
    AzureTdx,
    /// A GPU or switch of NVIDIA
    Nvgpu,
}

impl TeeArg {
    /// The format, if one is named.
    pub(crate) fn format(self) -> Option<Format> {
        match self {
            Self::Auto => None,
            Self::Snp => Some(Format::SevSnp),
            Self::Tdx => Some(Format::Tdx),
            Self::Sgx => Some(Format::Sgx),
            Self::Cca => Some(Format::Cca),
            Self::Nitro => Some(Format::Nitro),
            Self::Tpm => Some(Format::Tpm),
            Self::AzureSnp => Some(Format::AzureSnp),
            Self::AzureTdx => Some(Format::AzureTdx),
            Self::Nvgpu => Some(Format::NvGpu),
        }
    }
}

/// What evidence is verified and appraised against; the same for `verify` and `explain`.
#[derive(Debug, Args)]
#[group(skip)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option that gives something else up")]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) evidence: EvidenceArgs,

    /// Certificates, revocation lists and other collateral
    ///
    /// In any order and in PEM, DER, hexadecimal, base64 or JSON, as a certificate table of SEV-SNP, or as a bundle of
    /// Enarx: each is recognised by its content.
    #[arg(long = "endorsement", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) endorsements: Vec<PathBuf>,

    /// A bundle of collateral, as `enarx collateral` writes it; what the evidence needs of it is taken
    #[arg(long = "collateral-bundle", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) collateral_bundles: Vec<PathBuf>,

    /// The time of the decision, such as 2026-11-23T12:00:00Z; now when absent
    #[arg(long, value_name = "RFC3339", value_parser = moment)]
    pub(crate) at: Option<UnixTime>,

    /// The 64 bytes that the evidence must be bound to
    #[arg(long, value_name = "HEX", value_parser = report_data, conflicts_with_all = ["nonce", "accept_unbound"])]
    pub(crate) report_data: Option<ReportData>,

    /// The challenge that the evidence must be bound to: at most 64 bytes, with zeros after them
    #[arg(long, value_name = "HEX", value_parser = nonce, conflicts_with = "accept_unbound")]
    pub(crate) nonce: Option<ReportData>,

    /// Do not ask whom the evidence was made for: it may be old, or a copy of somebody else's
    #[arg(long)]
    pub(crate) accept_unbound: bool,

    /// The trust policy that decides; without one, nothing is appraised
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) policy: Option<PathBuf>,

    /// Deny what this feed of advisories warns of, beside those that you imported
    #[arg(long = "advisory", value_name = "FILE", requires = "policy", value_hint = ValueHint::FilePath)]
    pub(crate) advisories: Vec<PathBuf>,

    /// A key that may have signed the feeds of `--advisory`, beside those that you imported feeds of
    #[arg(long = "advisory-issuer", value_name = "KEY", requires = "advisories")]
    pub(crate) advisory_issuers: Vec<IssuerKey>,

    /// Do without fresh feeds of `--advisory`: what became known after their last day is then not noticed
    #[arg(long, requires = "advisories")]
    pub(crate) accept_expired_advisories: bool,

    /// Trust the roots in this file, certificates or public keys, and no others
    ///
    /// A root that is not its vendor's counts as that of a simulated platform.
    #[arg(long = "trust-root", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) trust_roots: Vec<PathBuf>,

    /// Do without revocation lists: a key that its vendor took back is then not noticed
    #[arg(long, conflicts_with = "policy")]
    pub(crate) accept_absent_crl: bool,

    /// Do without Intel's TCB info and enclave identity: then nobody says whether the platform is up to date
    #[arg(long, conflicts_with = "policy")]
    pub(crate) accept_absent_tcb_info: bool,
}

/// What evidence repeats, and is so bound to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReportData(pub(crate) [u8; 64]);

#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Print every field of evidence, certificates and other collateral; nothing is verified
    Show(EvidenceArgs),
    /// Make evidence of a simulated platform, to try `verify`, `explain` and policies without hardware
    ///
    /// The formats and signatures are real, the root is this machine's simulator: it is worth nothing against a host,
    /// and refused wherever its root is not named.
    Simulate(Box<SimulateArgs>),
    /// List the platforms that can be simulated, with their options
    Platforms {
        /// Only this one
        platform: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The platform, for example amd/milan@snp=8,microcode=115,debug or arm/cca; `enarx evidence platforms` lists them
    #[arg(long, value_name = "PLATFORM", default_value = "amd/genoa")]
    pub(crate) platform: Rehearsal,

    /// The 64 bytes that the evidence is bound to
    #[arg(long, value_name = "HEX", value_parser = report_data, required_unless_present = "nonce")]
    pub(crate) report_data: Option<ReportData>,

    /// The challenge that the evidence is bound to: at most 64 bytes, with zeros after them
    #[arg(long, value_name = "HEX", value_parser = nonce, conflicts_with = "report_data")]
    pub(crate) nonce: Option<ReportData>,

    /// Measurement of what runs on the platform, 48 bytes; zero when absent
    ///
    /// Where a measurement has 32 bytes, the first ones; of a TPM, register 11 is extended with these.
    #[arg(long, value_name = "HEX", value_parser = measurement)]
    pub(crate) measurement: Option<Measurement>,

    /// Where to write the evidence
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,

    /// Where to write certificates and revocation lists in PEM; a bundle of Enarx where there is more than those
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) endorsements_out: PathBuf,
}

/// What a simulated platform says it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Measurement(pub(crate) [u8; 48]);

pub(crate) fn moment(text: &str) -> Result<UnixTime, String> {
    let wrong = |_| "give it as 2026-11-23T12:00:00Z".to_owned();
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(wrong)?;
    u64::try_from(time.unix_timestamp()).map(UnixTime).map_err(|_| "it is before 1970".to_owned())
}

pub(crate) fn report_data(text: &str) -> Result<ReportData, String> {
    digits(text).map(ReportData)
}

pub(crate) fn measurement(text: &str) -> Result<Measurement, String> {
    digits(text).map(Measurement)
}

fn digits<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let bytes = hex::decode(text).map_err(|error| error.to_string().to_lowercase())?;
    let len = bytes.len();
    bytes.try_into().map_err(|_| format!("it must be {N} bytes, not {len}"))
}

pub(crate) fn nonce(text: &str) -> Result<ReportData, String> {
    let bytes = hex::decode(text).map_err(|error| error.to_string().to_lowercase())?;
    let mut data = [0; 64];
    match data.get_mut(..bytes.len()) {
        Some(start) if !bytes.is_empty() => start.copy_from_slice(&bytes),
        _ => return Err(format!("it must be 1 to 64 bytes, not {}", bytes.len())),
    }
    Ok(ReportData(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_any_time_zone() {
        assert_eq!(moment("1970-01-02T00:00:00Z"), Ok(UnixTime(86400)));
        assert_eq!(moment("1970-01-02T01:00:00+01:00"), Ok(UnixTime(86400)));
        assert!(moment("1970-01-02").is_err());
        assert!(moment("1969-12-31T23:59:59Z").is_err());
    }

    #[test]
    fn a_nonce_is_padded_and_report_data_is_not() {
        let padded = nonce("0102").unwrap().0;
        assert_eq!((&padded[..2], padded[2..].iter().all(|byte| *byte == 0)), (&[1, 2][..], true));
        assert_eq!(report_data(&"ab".repeat(64)), Ok(ReportData([0xab; 64])));
        assert_eq!(report_data("0102").unwrap_err(), "it must be 64 bytes, not 2");
        assert!(nonce("").is_err());
        assert!(nonce(&"00".repeat(65)).is_err());
        assert!(nonce("0g").is_err());
    }
}
