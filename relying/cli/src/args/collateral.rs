// SPDX-License-Identifier: Apache-2.0

//! The options of `enarx collateral`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::EvidenceArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum CollateralCommand {
    /// Fetch what some evidence needs, and write it into a bundle
    ///
    /// Certificates and revocation lists come from AMD, TCB info and enclave identities from Intel. Nothing of it is
    /// believed: each document carries its issuer's signature, and `enarx verify` checks it. Proxies are taken from the
    /// usual environment variables.
    Fetch(Box<FetchArgs>),
    /// Pack several bundles, or everything that was fetched before, into one
    Bundle {
        /// The bundles; everything in the cache when there is none
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        files: Vec<PathBuf>,
        /// Where to write the bundle
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        out: PathBuf,
    },
    /// List what is in a bundle, where it came from, and how long it is valid
    Show {
        /// The bundle
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    #[command(flatten)]
    pub(crate) evidence: EvidenceArgs,

    /// Where to write the bundle; `enarx verify` takes it by `--collateral-bundle`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,

    /// Certificates that came with the evidence: they can tell which product it is of
    #[arg(long = "endorsement", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) endorsements: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

/// Whom to ask, in the order of the options here; AMD's and Intel's own services when none is named.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// Ask any server for files, such as `https://host.example/{path}`; `{what}`, `{fmspc}` and others are filled in, too
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) from: Vec<String>,

    /// Ask a caching service of Intel's kind (PCCS), such as `https://localhost:8081`
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) pccs: Vec<String>,

    /// Ask a server with the paths of AMD's key distribution service
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) kds: Vec<String>,

    /// Look into this bundle before anybody is asked
    #[arg(long = "bundle", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) bundles: Vec<PathBuf>,

    /// Ask nobody: only bundles and what was fetched before
    #[arg(long)]
    pub(crate) offline: bool,
}
