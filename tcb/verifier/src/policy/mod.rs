// SPDX-License-Identifier: Apache-2.0

//! The trust policy: which platforms a relying party trusts with its workloads.
//!
//! A policy is a TOML file in which everything that is not accepted is refused. [`Policy::parse`] reads it
//! and refuses what cannot be meant: unknown keys, wrong types, contradictions, rules without effect. So a
//! [`Policy`] in hand is one that can be evaluated, and its fields cannot be changed afterwards.
//!
//! ```toml
//! version = 1
//! on_refusal = "flag"                    # a Keep that is no longer accepted: "flag", "drain" or "stop"
//!
//! [keep]
//! measurements = ["release"]             # names of reference values, or "sha384:<96 hex digits>"
//!
//! [keep.registers]                       # absent: nothing may be started after the launch
//! rtmr0 = ["sha384:..."]                 # rtmr0 to rtmr3 (TDX), rem0 to rem3 (CCA), pcr0 to pcr31 (TPM, Nitro)
//!
//! [[allow]]                              # at least one; what no rule allows is refused
//! id = "amd"
//! vendor = "amd"
//! tee = "sev-snp"
//! products = ["milan", "genoa"]          # absent: every product of that vendor and TEE
//! minimum_tcb = "checked"                # or "not-checked"
//!
//! [[deny]]                               # overrides every allow
//! id = "no-milan"
//! vendor = "amd"
//! products = ["milan"]
//! reason = "..."
//!
//! [minimum_tcb.genoa]                    # for every product that is allowed and checked
//! bootloader = 10
//! tee = 0
//! snp = 27
//! microcode = 84
//!
//! [simulated]                            # absent: simulated platforms are refused
//! accept = true
//! roots = ["local"]                      # names of trust anchors, or "sha256:<64 hex digits>"
//!
//! [guest]                                # these are the defaults
//! debug = "refuse"
//! migration = "refuse"
//! vmpl = [0]
//! vlek = "refuse"
//! smt = "accept"
//!
//! [intel]                                # these are the defaults
//! tcb_status = ["UpToDate"]              # what Intel may think of the platform
//! advisories = "checked"                 # or "not-checked"
//! advisories_accepted = []               # such as "INTEL-SA-00615"
//! minimum_tcb_evaluation_data_number = 0 # the least for TCB info and the identity of the quoting enclave
//! minimum_tcb_date = "1970-01-01"        # the least for platform, TDX module and quoting enclave
//! sept_ve_enabled = "refuse"
//! service_tds = []                       # MRSERVICETD as "sha384:<96 hex digits>"
//! tdx_modules = []                       # MRSEAM likewise; empty: any of Intel's
//!
//! [[intel.signer]]                       # SGX enclaves by their signer, beside those that `keep` measures
//! mr_signer = "sha256:..."
//! isv_prod_id = 1
//! minimum_isv_svn = 2
//!
//! [cca]                                  # absent: no firmware of an Arm CCA platform is acceptable
//! software = ["rmm-1.2", "sha256:..."]   # measurements that components of platforms may have
//!
//! [tpm]                                  # this is the default
//! sha1 = "refuse"
//!
//! [collateral]
//! crl = "required"                       # or "absent-accepted"
//! tcb_info = "required"                  # TCB info and identity of the quoting enclave; or "absent-accepted"
//! ```

mod analysis;
mod canonical;
mod error;
#[macro_use]
mod model;
mod intel;
mod parse;
mod reader;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

use enarx_evidence::snp::TcbVersion;

pub use error::PolicyError;
pub use intel::{Advisories, Intel, Signer, TcbInfo};
pub use model::{
    AllowRule, Crl, DenyRule, DigestAlgorithm, Guest, Matcher, Measurement, MinimumTcb, OnRefusal, Product,
    SimulatedRoot, Switch, Tee, Tpm, Vendor, Vocabulary,
};

/// Longest policy that is read.
pub const MAX_POLICY_BYTES: usize = 1 << 20;

/// The version of the policy language that this crate reads.
pub const LANGUAGE_VERSION: u8 = 1;

/// A trust policy that was read and found free of contradictions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    measurements: BTreeSet<Measurement>,
    registers: BTreeMap<String, BTreeSet<Measurement>>,
    simulated_roots: BTreeSet<SimulatedRoot>,
    allow: BTreeMap<String, AllowRule>,
    deny: BTreeMap<String, DenyRule>,
    minimum_tcb: BTreeMap<Product, TcbVersion>,
    guest: Guest,
    intel: Intel,
    platform_software: BTreeSet<Measurement>,
    tpm: Tpm,
    crl: Crl,
    tcb_info: TcbInfo,
    on_refusal: OnRefusal,
}

/// A commented policy to start from: current AMD platforms, nothing simulated.
pub fn template() -> &'static str {
    include_str!("template.toml")
}

impl Policy {
    /// Reads a policy from TOML.
    pub fn parse(toml: &str) -> Result<Self, PolicyError> {
        parse::parse(toml)
    }

    /// The policy that accepts nothing.
    pub fn closed() -> Self {
        Self {
            measurements: BTreeSet::new(),
            registers: BTreeMap::new(),
            simulated_roots: BTreeSet::new(),
            allow: BTreeMap::new(),
            deny: BTreeMap::new(),
            minimum_tcb: BTreeMap::new(),
            guest: Guest::default(),
            intel: Intel::default(),
            platform_software: BTreeSet::new(),
            tpm: Tpm::default(),
            crl: Crl::Required,
            tcb_info: TcbInfo::Required,
            on_refusal: OnRefusal::Flag,
        }
    }

    /// What identifies the policy: SHA-256 of its canonical encoding, which is independent of comments,
    /// formatting, order of rules, and of whether defaults are written out.
    ///
    /// The encoding is described in `tcb/verifier/src/policy/canonical.rs`.
    pub fn digest(&self) -> [u8; 32] {
        canonical::digest(self)
    }

    /// The measurements of Keeps that are accepted; empty accepts none.
    pub fn measurements(&self) -> &BTreeSet<Measurement> {
        &self.measurements
    }

    /// The values of a measurement register that are accepted. `None` accepts zero only.
    pub fn register(&self, name: &str) -> Option<&BTreeSet<Measurement>> {
        self.registers.get(name)
    }

    /// The roots of simulated platforms that are accepted; empty accepts none.
    pub fn simulated_roots(&self) -> &BTreeSet<SimulatedRoot> {
        &self.simulated_roots
    }

    /// The rules of which at least one must match, in the order of their ids.
    pub fn allow_rules(&self) -> impl Iterator<Item = &AllowRule> {
        self.allow.values()
    }

    /// The rules of which none may match, in the order of their ids.
    pub fn deny_rules(&self) -> impl Iterator<Item = &DenyRule> {
        self.deny.values()
    }

    /// The rules that allow a product with this TEE.
    pub fn allowing(&self, tee: Tee, product: Product) -> impl Iterator<Item = &AllowRule> {
        self.allow_rules().filter(move |rule| rule.platforms.matches(tee, product))
    }

    /// The rules that deny a product with this TEE.
    pub fn denying(&self, tee: Tee, product: Product) -> impl Iterator<Item = &DenyRule> {
        self.deny_rules().filter(move |rule| rule.platforms.matches(tee, product))
    }

    /// The least security patch levels of a product: an FMC level exactly if the product has one. Every product that is allowed and checked, and not denied, has one.
    pub fn minimum_tcb(&self, product: Product) -> Option<&TcbVersion> {
        self.minimum_tcb.get(&product)
    }

    /// What is asked of the guest.
    pub fn guest(&self) -> &Guest {
        &self.guest
    }

    /// What is asked of platforms of Intel's.
    pub fn intel(&self) -> &Intel {
        &self.intel
    }

    /// What is asked of Intel's TCB info and identities of quoting enclaves.
    pub fn tcb_info(&self) -> TcbInfo {
        self.tcb_info
    }

    /// The measurements that components of an Arm CCA platform may have, unless a rule says that its products need no
    /// minimum TCB; empty accepts none.
    pub fn platform_software(&self) -> &BTreeSet<Measurement> {
        &self.platform_software
    }

    /// What is asked of TPM quotes.
    pub fn tpm(&self) -> &Tpm {
        &self.tpm
    }

    /// What happens to a Keep that runs and is no longer accepted.
    pub fn on_refusal(&self) -> OnRefusal {
        self.on_refusal
    }

    /// What is asked of certificate revocation lists.
    pub fn crl(&self) -> Crl {
        self.crl
    }
}
