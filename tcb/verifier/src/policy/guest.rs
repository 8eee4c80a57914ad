// SPDX-License-Identifier: Apache-2.0

//! What a policy asks of the guest, of its launch, and of the workload that it is given.

use alloc::collections::BTreeSet;

use super::model::{Measurement, Switch};

/// What is asked of the guest that the evidence is about.
///
/// A switch that came later has the default that leaves the meaning of older policies as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// The host may read the guest's memory through the debug interface.
    pub debug: Switch,
    /// A migration agent may move the guest to another machine.
    pub migration: Switch,
    /// Acceptable privilege levels of the code that asked for the evidence; never empty.
    pub vmpl: BTreeSet<u8>,
    /// The report is signed with a key that AMD lends to a cloud provider, not with the chip's own.
    pub vlek: Switch,
    /// Simultaneous multi-threading is allowed to the guest.
    pub smt: Switch,
    /// The guest may run on several sockets.
    pub several_sockets: Switch,
    /// Neither platform nor guest policy hide the ciphertext in memory from the host.
    pub ciphertext_visible: Switch,
    /// The firmware has not checked memory for addresses that are aliases of others.
    pub aliases_unchecked: Switch,
    /// Neither platform nor guest policy switch power readings (RAPL) off.
    pub power_readings: Switch,
    /// Memory or devices may be attached by CXL.
    pub cxl: Switch,
    /// The guest was launched with an ID key or author key that the policy does not name.
    pub launch_keys: Switch,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            debug: Switch::Refuse,
            migration: Switch::Refuse,
            vmpl: BTreeSet::from([0]),
            vlek: Switch::Refuse,
            smt: Switch::Accept,
            several_sockets: Switch::Accept,
            ciphertext_visible: Switch::Accept,
            aliases_unchecked: Switch::Accept,
            power_readings: Switch::Accept,
            cxl: Switch::Accept,
            launch_keys: Switch::Accept,
        }
    }
}

impl Guest {
    /// The switches with their keys, in the order of the language.
    pub fn switches(&self) -> [(&'static str, Switch); 10] {
        [
            ("debug", self.debug),
            ("migration", self.migration),
            ("vlek", self.vlek),
            ("smt", self.smt),
            ("several_sockets", self.several_sockets),
            ("ciphertext_visible", self.ciphertext_visible),
            ("aliases_unchecked", self.aliases_unchecked),
            ("power_readings", self.power_readings),
            ("cxl", self.cxl),
            ("launch_keys", self.launch_keys),
        ]
    }
}

/// What is asked of SEV-SNP beside what is asked of every platform.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Snp {
    /// SHA-384 of ID keys that are acceptable where `launch_keys` are refused.
    pub id_keys: BTreeSet<[u8; 48]>,
    /// SHA-384 of author keys likewise.
    pub author_keys: BTreeSet<[u8; 48]>,
}

/// What is asked of the firmware of Arm CCA platforms.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Cca {
    /// Measurements that components may have.
    pub software: BTreeSet<Measurement>,
    /// Signers whose components are acceptable whatever their measurement; only digests.
    pub signers: BTreeSet<Measurement>,
}

/// What is asked of TPM quotes, also of those of Azure's virtual machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tpm {
    /// Only SHA-1 speaks for a register, or for the quote itself.
    pub sha1: Switch,
}

impl Default for Tpm {
    fn default() -> Self {
        Self { sha1: Switch::Refuse }
    }
}

/// What may be run under a policy, and for whom. Empty sets ask for nothing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Workload {
    /// Digests of workloads (`docs/workload-digest.md`).
    pub digests: BTreeSet<[u8; 32]>,
    /// Owner keys.
    pub owners: BTreeSet<[u8; 32]>,
}
