// SPDX-License-Identifier: Apache-2.0

//! The words of AR4SI: eight claims about an environment, each a number whose range says how much it is to be trusted
//! (draft-ietf-rats-ar4si-09, section 3).

use enarx_evidence::dcap::TcbStatus;

use crate::policy::Tee;
use crate::{AttestationResult, Claims, Code, Refusals};

/// How much something is to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Nobody knows.
    None,
    /// As it should be.
    Affirming,
    /// Not quite.
    Warning,
    /// Not at all.
    Contraindicated,
}

impl Tier {
    /// The name in a JSON web token.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Affirming => "affirming",
            Self::Warning => "warning",
            Self::Contraindicated => "contraindicated",
        }
    }

    /// The number in a CBOR web token.
    pub const fn number(self) -> i8 {
        match self {
            Self::None => 0,
            Self::Affirming => 2,
            Self::Warning => 32,
            Self::Contraindicated => 96,
        }
    }

    /// The tier of a claim.
    const fn of(claim: i8) -> Self {
        match claim {
            -1..=1 => Self::None,
            2..=31 | -32..=-2 => Self::Affirming,
            32..=95 | -96..=-33 => Self::Warning,
            _ => Self::Contraindicated,
        }
    }
}

/// What is claimed about an environment; 0 claims nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrustVector {
    /// Whether this very instance is known. Nothing here knows instances.
    pub instance_identity: i8,
    /// What the environment was launched to allow.
    pub configuration: i8,
    /// What was started in it.
    pub executables: i8,
    /// Its files. Evidence does not tell.
    pub file_system: i8,
    /// The processor and its firmware.
    pub hardware: i8,
    /// Who can see its memory.
    pub runtime_opaque: i8,
    /// Who can see its files. Evidence does not tell.
    pub storage_opaque: i8,
    /// Where its data come from. Evidence does not tell.
    pub sourced_data: i8,
}

const NO_CLAIM: i8 = 0;
const UNEXPECTED: i8 = 1;
const APPROVED_CONFIGURATION: i8 = 2;
const UNSUPPORTABLE_CONFIGURATION: i8 = 96;
const APPROVED_BOOT: i8 = 3;
const UNRECOGNIZED_EXECUTABLES: i8 = 33;
const GENUINE_HARDWARE: i8 = 2;
const VULNERABLE_HARDWARE: i8 = 32;
const CONTRAINDICATED_HARDWARE: i8 = 96;
const UNRECOGNIZED_HARDWARE: i8 = 97;
const ENCRYPTED_MEMORY: i8 = 2;
const ISOLATED_MEMORY: i8 = 32;
const VISIBLE_MEMORY: i8 = 96;
const CRYPTO_FAILED: i8 = 99;

impl TrustVector {
    /// The claims with their names and numbers in tokens, in the order of the draft.
    pub(super) const fn claims(self) -> [(&'static str, u8, i8); 8] {
        [
            ("instance-identity", 0, self.instance_identity),
            ("configuration", 1, self.configuration),
            ("executables", 2, self.executables),
            ("file-system", 3, self.file_system),
            ("hardware", 4, self.hardware),
            ("runtime-opaque", 5, self.runtime_opaque),
            ("storage-opaque", 6, self.storage_opaque),
            ("sourced-data", 7, self.sourced_data),
        ]
    }

    /// The tier of the worst claim.
    pub fn tier(self) -> Tier {
        self.claims().into_iter().map(|(_, _, claim)| Tier::of(claim)).max().unwrap_or(Tier::None)
    }

    /// What follows from evidence that was accepted. A policy may accept what protects nothing, for a trial; the
    /// vector says so all the same, for who reads the token and not the policy.
    pub(super) fn of_result(result: &AttestationResult) -> Self {
        let debug = result.claims().debug();
        let simulated = result.simulated().is_some();
        let opaque = match result.tee() {
            // Enclaves are kept from their instance by the hypervisor, and not all instances encrypt memory.
            Tee::Nitro => ISOLATED_MEMORY,
            // A measured machine hides nothing.
            Tee::Tpm => VISIBLE_MEMORY,
            // A report does not say whether the device is in confidential mode.
            Tee::NvGpu => NO_CLAIM,
            _ => ENCRYPTED_MEMORY,
        };
        Self {
            configuration: if debug { UNSUPPORTABLE_CONFIGURATION } else { APPROVED_CONFIGURATION },
            executables: APPROVED_BOOT,
            hardware: match (simulated, is_up_to_date(result.claims())) {
                (true, _) => CONTRAINDICATED_HARDWARE,
                (false, true) => GENUINE_HARDWARE,
                (false, false) => VULNERABLE_HARDWARE,
            },
            runtime_opaque: if debug || simulated { VISIBLE_MEMORY } else { opaque },
            ..Self::default()
        }
    }

    /// What follows from evidence that was refused: for each claim the worst that a reason says about it.
    pub(super) fn of_refusals(refusals: &Refusals) -> Self {
        let mut vector = Self::default();
        for code in refusals.codes() {
            vector.add(code);
        }
        vector
    }

    fn add(&mut self, code: Code) {
        match code {
            Code::EvidenceFormatUnsupported
            | Code::EvidenceMalformed
            | Code::ProfileUnsupported
            | Code::AdvisoryFeedExpired
            | Code::EndorsementsTooMany => {
                worse(&mut self.hardware, UNEXPECTED);
            }
            Code::MeasurementNotAccepted
            | Code::RegisterNotAccepted
            | Code::RegisterNotQuoted
            | Code::ReferenceValueMissing
            | Code::WorkloadNotAccepted
            | Code::OwnerNotAccepted => {
                worse(&mut self.executables, UNRECOGNIZED_EXECUTABLES);
            }
            Code::DebugAllowed => {
                worse(&mut self.configuration, UNSUPPORTABLE_CONFIGURATION);
                worse(&mut self.runtime_opaque, VISIBLE_MEMORY);
            }
            Code::MigrationAllowed
            | Code::VmplNotAccepted
            | Code::SmtAllowed
            | Code::VlekNotAccepted
            | Code::GuestPolicyUnknown
            | Code::AttributesUnknown
            | Code::ExtendedStateUnknown
            | Code::SeptVeEnabled
            | Code::ServiceTdNotAccepted
            | Code::SeveralSocketsAllowed
            | Code::CiphertextVisible
            | Code::PowerReadingsAllowed
            | Code::CxlAllowed
            | Code::LaunchKeyNotAccepted
            | Code::AttributeNotAccepted
            | Code::ExtendedStateNotAccepted => {
                worse(&mut self.configuration, UNSUPPORTABLE_CONFIGURATION);
            }
            Code::TcbTooOld
            | Code::TcbMinimumMissing
            | Code::TcbStatusNotAccepted
            | Code::AdvisoryNotAccepted
            | Code::TcbEvaluationTooOld
            | Code::TcbDateTooOld
            | Code::TdxModuleNotAccepted
            | Code::TdxModuleSignerNotAccepted
            | Code::TdxModuleTooOld
            | Code::PceTooOld
            | Code::QeTooOld
            | Code::AliasesUnchecked
            | Code::LifecycleNotSecured
            | Code::PlatformSoftwareNotAccepted
            | Code::ProductDenied
            | Code::AdvisoryDenies
            | Code::CertificateRevoked => {
                worse(&mut self.hardware, CONTRAINDICATED_HARDWARE);
            }
            Code::PlatformNotAllowed
            | Code::ProductUnknown
            | Code::RootNotTrusted
            | Code::SimulatedNotAccepted
            | Code::PlatformKeyMissing
            | Code::TpmKeyMissing
            | Code::TpmKeyNotEndorsed => worse(&mut self.hardware, UNRECOGNIZED_HARDWARE),
            // Everything else says that it is not proved what this is.
            _ => {
                for claim in [&mut self.configuration, &mut self.executables, &mut self.hardware] {
                    worse(claim, CRYPTO_FAILED);
                }
                worse(&mut self.runtime_opaque, CRYPTO_FAILED);
            }
        }
    }
}

/// Whether nothing is known that a vendor would have updated. A policy may accept platforms of which something is.
fn is_up_to_date(claims: &Claims) -> bool {
    let judged = match claims {
        Claims::Tdx(claims) | Claims::Sgx(claims) => &claims.tcb,
        Claims::AzureTdx(claims) => &claims.hardware.tcb,
        // Other vendors publish levels and no judgement; what a policy asks of them was checked.
        _ => return true,
    };
    judged.as_ref().is_some_and(|tcb| tcb.status == TcbStatus::UpToDate)
}

/// Higher numbers are worse among those above.
fn worse(claim: &mut i8, found: i8) {
    *claim = (*claim).max(found);
}
