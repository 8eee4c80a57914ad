// SPDX-License-Identifier: Apache-2.0

//! The options of `enarx measure`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

#[derive(Debug, Args)]
pub(crate) struct MeasureArgs {
    /// The unikernel; by default enarx-keep.elf beside enarx
    #[arg(long, value_name = "FILE", env = "ENARX_IMAGE", value_hint = ValueHint::FilePath)]
    pub(crate) image: Option<PathBuf>,

    /// As what it is launched
    #[arg(long, value_name = "TEE", value_enum, default_value_t = Measured::All)]
    pub(crate) tee: Measured,
}

/// As what an image is launched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Measured {
    /// A guest of AMD SEV-SNP: MEASUREMENT in attestation reports
    Snp,
    /// A guest of Intel TDX: MRTD in quotes
    Tdx,
    /// A file, as simulated platforms of other kinds measure it
    Plain,
    /// Each of these
    All,
}
