// SPDX-License-Identifier: Apache-2.0

//! Arguments of `enarx policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use enarx_verifier::UnixTime;
use enarx_verifier::policy::{Product, Vocabulary};

use super::evidence::moment;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Write a commented trust policy
    ///
    /// On a terminal, and without a flag that says what should be in it, it asks.
    New(NewPolicyArgs),
    /// Check a trust policy for mistakes and contradictions
    ///
    /// Also tells what somebody should look at, such as rules that have expired or add nothing, and the digest by which
    /// other policies can pin this one.
    Check(CheckPolicyArgs),
    /// Test a policy against recorded and simulated evidence, for CI
    ///
    /// FILE is a table kept beside the policy: which evidence, and what the policy should answer. Exits with 0 if every
    /// answer is as expected, and with 3 if one is not. A simulated platform of a case that says `as_genuine = true` is
    /// REHEARSED: its root counts as its vendor's for this case, and for nothing else.
    Test(TestPolicyArgs),
    /// Tell what a change of a policy newly refuses and newly accepts
    ///
    /// Rules are compared at every known product, at the features that they name and beside them; what is asked of
    /// platforms that both policies allow, in states around what either asks for; everything else entry by entry. These are
    /// points, and not all that evidence may say: where no verdict is told to change, one may change between them. Exits with
    /// 0 if the two have the same digest, and with 1 if they differ in anything.
    Diff(DiffPolicyArgs),
    /// Print the JSON schema of the policy language, for editors
    Schema,
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct NewPolicyArgs {
    /// Where to write it; standard output when absent
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,

    /// Allow these products and no others, for example milan,sapphire-rapids; by default current AMD products
    #[arg(long, value_name = "PRODUCT", value_delimiter = ',', value_parser = product)]
    pub(crate) products: Vec<Product>,

    /// Deny these products, whatever is allowed
    #[arg(long, value_name = "PRODUCT", value_delimiter = ',', value_parser = product)]
    pub(crate) without: Vec<Product>,

    /// Accept platforms that the simulator of this machine makes; they protect nothing
    #[arg(long)]
    pub(crate) simulated: bool,

    /// Narrow this policy instead of writing a whole one, and pin what it says now
    #[arg(
        long,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        conflicts_with_all = ["products", "simulated"]
    )]
    pub(crate) extends: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckPolicyArgs {
    /// The policy
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Fail also if there is something to look at
    #[arg(long)]
    pub(crate) strict: bool,

    /// Look at dates as of this time instead of now, for example 2027-01-01T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) at: Option<UnixTime>,
}

#[derive(Debug, Args)]
pub(crate) struct TestPolicyArgs {
    /// The table of cases
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct DiffPolicyArgs {
    /// The policy as it was
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) old: PathBuf,

    /// The policy as it is to be
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) new: PathBuf,

    /// Also ask both about this evidence, whomever it was made for; may be given several times
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) evidence: Vec<PathBuf>,

    /// Certificates, revocation lists and vendors' documents for it; may be given several times
    #[arg(long = "endorsement", value_name = "FILE", value_hint = ValueHint::FilePath, requires = "evidence")]
    pub(crate) endorsements: Vec<PathBuf>,

    /// What `enarx collateral fetch` packed for it; may be given several times
    #[arg(long = "collateral-bundle", value_name = "FILE", value_hint = ValueHint::FilePath, requires = "evidence")]
    pub(crate) collateral_bundles: Vec<PathBuf>,

    /// Trust the roots in this file for it, certificates or public keys, and no others; may be given several times
    #[arg(long = "trust-root", value_name = "FILE", value_hint = ValueHint::FilePath, requires = "evidence")]
    pub(crate) trust_roots: Vec<PathBuf>,

    /// Also ask both about the evidence of a table for `enarx policy test`, whatever that expects
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) cases: Option<PathBuf>,

    /// The time of the decisions, such as 2026-11-23T12:00:00Z; now when absent
    #[arg(long, value_name = "RFC3339", value_parser = super::evidence::moment)]
    pub(crate) at: Option<UnixTime>,
}

pub(crate) fn product(text: &str) -> Result<Product, String> {
    let known = || Product::ALL.iter().map(|product| product.name()).collect::<Vec<_>>().join(", ");
    let found = Product::ALL.iter().copied().find(|product| product.name() == text);
    found.ok_or_else(|| format!("known are {}", known()))
}
