// SPDX-License-Identifier: Apache-2.0

//! The options of `enarx advisory`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use enarx_verifier::advisory::IssuerKey;

#[derive(Debug, Subcommand)]
pub(crate) enum AdvisoryCommand {
    /// Write a commented feed to start from
    New {
        /// Where to write it; standard output when absent
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// Print the public key of an issuer, which others name when they import a feed
    Key {
        /// The file with the issuer's key, which whoever signs needs and nobody else may see
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Make the key; the file must not be there yet
        #[arg(long)]
        new: bool,
    },
    /// Sign a feed as its issuer
    ///
    /// The same feed and key always give the same bytes: nothing says when it was signed, or by which member of a group
    /// that shares the key.
    Sign {
        /// The feed, as `enarx advisory new` begins it
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// The file with the issuer's key, as `enarx advisory key --new` makes it
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        key: PathBuf,
        /// Where to write the signed feed; standard output when absent
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        out: Option<PathBuf>,
    },
    /// Check who signed a feed, and print what it says; nothing is imported
    Verify {
        /// The signed feed
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// A key that may have signed it; without one, those that you imported feeds of
        #[arg(long = "issuer", value_name = "KEY")]
        issuers: Vec<IssuerKey>,
    },
    /// Listen to a feed from now on: what it denies is refused in every later decision
    ///
    /// The first version of a feed needs its issuer's key, which you should know from elsewhere than the feed itself.
    /// Later versions have to be signed by the same key, and no older version is taken any more.
    Import(ImportArgs),
    /// List the feeds that you listen to
    Ls,
    /// No longer listen to a feed: what it denies is accepted again wherever your policy accepts it
    ///
    /// Its issuer and version stay on record, so that no older version can be imported afterwards.
    Rm {
        /// The name of the feed
        feed: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The signed feed
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// The key of its issuer, `ed25519:` and 64 hexadecimal digits
    #[arg(long, value_name = "KEY")]
    pub(crate) issuer: Option<IssuerKey>,

    /// What happens when the feed is past its last day; `refuse` when you never said
    #[arg(long, value_name = "WHAT")]
    pub(crate) when_expired: Option<WhenExpired>,
}

/// What happens when nobody knows what an issuer would deny today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WhenExpired {
    /// Everything is refused until there is a newer version
    #[default]
    Refuse,
    /// A warning is printed and what the feed denied stays denied; what became known since is not noticed
    Warn,
}
