// SPDX-License-Identifier: Apache-2.0

//! Every key of the language: what may stand where, and in which form. The reader refuses what is not here, and the
//! published schema is made of it, so that the two cannot disagree.

use alloc::vec::Vec;

use enarx_evidence::dcap::TcbStatus;

use super::intel::{Advisories, ExtendedState, TcbInfo, TdAttribute};
use super::model::{Crl, MinimumTcb, OnRefusal, Product, Switch, Tee, Vendor, Vocabulary};
use super::registers;

/// A key of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// As it stands in a policy.
    pub(super) name: &'static str,
    /// What its value may be.
    pub(super) form: Form,
    /// What it means, in one sentence.
    pub(super) about: &'static str,
}

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// The version of the language.
    Version,
    /// `true` or `false`.
    Boolean,
    /// Any text.
    Text,
    /// A short name: of a rule, a reference value, a root.
    Name,
    /// So many hexadecimal digits.
    Digits(usize),
    /// A day, as `2024-03-13`.
    Date,
    /// One word of a vocabulary.
    Word(fn() -> Vec<&'static str>),
    /// Some words of a vocabulary.
    Words(fn() -> Vec<&'static str>),
    /// A number from 0 to this.
    Number(u32),
    /// Some numbers from 0 to this.
    Numbers(u8),
    /// A piece of text that a regular expression describes.
    OneText(&'static str),
    /// Some pieces of text that a regular expression describes.
    Texts(&'static str),
    /// A table.
    Table(&'static [Key]),
    /// Tables, each under `[[...]]`.
    Tables(&'static [Key]),
    /// A table in which every key is the name of a list of texts.
    Sets,
}

pub(super) const fn key(name: &'static str, form: Form, about: &'static str) -> Key {
    Key { name, form, about }
}

/// The words of a vocabulary.
fn words<T: Vocabulary>() -> Vec<&'static str> {
    T::ALL.iter().map(|word| word.name()).collect()
}

const SWITCH: Form = Form::Word(words::<Switch>);
const BYTE: Form = Form::Number(u8::MAX as u32);
const LONG: Form = Form::Number(u32::MAX);
const DAYS: Form = Form::Number(super::MAX_DAYS);
const ANY_TEXT: &str = "^.+$";
const MEASUREMENT: &str =
    "^(sha256:[0-9A-Fa-f]{64}|sha384:[0-9A-Fa-f]{96}|sha512:[0-9A-Fa-f]{128}|[A-Za-z0-9_.-]+)$";
pub(super) const MEASUREMENTS: Form = Form::Texts(MEASUREMENT);
const SHA256: &str = "^sha256:[0-9A-Fa-f]{64}$";
const SHA384: &str = "^sha384:[0-9A-Fa-f]{96}$";

/// The whole document.
pub(super) const ROOT: &[Key] = &[
    key("version", Form::Version, "The version of the policy language: 1."),
    key("extends", Form::Text, "The policy that this one narrows, as a path beside it."),
    key("extends_sha256", Form::Digits(64), "The digest that the policy it narrows must have."),
    key(
        "on_refusal",
        Form::Word(words::<OnRefusal>),
        "What happens to a running Keep that is no longer accepted.",
    ),
    key("sets", Form::Sets, "Lists of texts by name; `\"@name\"` in a list stands for all of them."),
    key("keep", Form::Table(KEEP), "The Keeps that may run your workloads."),
    key("workload", Form::Table(WORKLOAD), "What may be run under this policy, and for whom."),
    key("simulated", Form::Table(SIMULATED), "Simulated platforms, which protect nothing."),
    key("allow", Form::Tables(ALLOW), "Platforms that are trusted, if nothing else speaks against them."),
    key("deny", Form::Tables(DENY), "Platforms that are not trusted, whatever allows them."),
    key("minimum_tcb", Form::Table(MINIMUM_TCB), "The least security patch levels of AMD's products."),
    key("guest", Form::Table(GUEST), "What the Keep may have been launched to allow."),
    key("snp", Form::Table(SNP), "What is asked of SEV-SNP beside what is asked of every platform."),
    key("intel", Form::Table(INTEL), "What is asked of SGX and TDX beside what is asked of every platform."),
    key("cca", Form::Table(CCA), "What is asked of Arm CCA beside what is asked of every platform."),
    key("tpm", Form::Table(TPM), "What is asked of TPM quotes."),
    key("collateral", Form::Table(COLLATERAL), "What vendors must say about their hardware, and how lately."),
];

const KEEP: &[Key] = &[
    key("measurements", MEASUREMENTS, "Names of reference values, or digests."),
    key("registers", Form::Table(registers::KEYS), "Acceptable values of measurement registers."),
];

const WORKLOAD: &[Key] = &[
    key("digests", Form::Texts(SHA256), "Workloads that may be run; absent: any."),
    key("owners", Form::Texts("^[0-9A-Fa-f]{64}$"), "Owner keys that may run them; absent: any."),
];

const SIMULATED: &[Key] = &[
    key("accept", Form::Boolean, "Whether any is accepted."),
    key(
        "roots",
        Form::Texts("^(sha256:[0-9A-Fa-f]{64}|[A-Za-z0-9_.-]+)$"),
        "Whose: names of trust anchors, or digests.",
    ),
];

const ID: Key = key("id", Form::Name, "The name of the rule in results and refusals.");
const VENDOR: Key = key("vendor", Form::Word(words::<Vendor>), "Who makes the platform.");
const TEE: Key = key("tee", Form::Word(words::<Tee>), "The kind of trusted execution environment.");
const PRODUCTS: Key =
    key("products", Form::Words(words::<Product>), "The products; absent: every one of vendor and TEE.");
const REASON: Key = key("reason", Form::Text, "Why the rule is there.");
const FAMILIES: Key = key("families", Form::Numbers(u8::MAX), "Family by CPUID, of AMD and Intel.");
const MODELS: Key = key("models", Form::Numbers(u8::MAX), "Model by CPUID, of AMD and Intel.");
const STEPPINGS: Key = key("steppings", Form::Numbers(15), "Stepping by CPUID, of AMD and Intel.");
const CHIP_IDS: Key = key(
    "chip_ids",
    Form::Texts("^([0-9A-Fa-f]{16}|[0-9A-Fa-f]{128})$"),
    "AMD's identifiers of single chips.",
);
const PROVIDERS: Key =
    key("providers", Form::Texts(ANY_TEXT), "To whom AMD lent the key that signed (VLEK).");
const FMSPCS: Key =
    key("fmspcs", Form::Texts("^[0-9A-Fa-f]{12}$"), "Intel's identifiers of kinds of platforms.");
const PPIDS: Key =
    key("ppids", Form::Texts("^[0-9A-Fa-f]{32}$"), "Intel's identifiers of single processors.");
const PLATFORM_INSTANCES: Key = key(
    "platform_instances",
    Form::Texts("^[0-9A-Fa-f]{32}$"),
    "Intel's identifiers of single platforms of several processors.",
);
const IMPLEMENTATION_IDS: Key =
    key("implementation_ids", Form::Texts("^[0-9A-Fa-f]{64}$"), "Kinds of platforms of Arm CCA.");
const INSTANCE_IDS: Key =
    key("instance_ids", Form::Texts("^[0-9A-Fa-f]{66}$"), "Single platforms of Arm CCA.");
const MODULE_IDS: Key =
    key("module_ids", Form::Texts(ANY_TEXT), "Enclaves of AWS Nitro, or the instances beside them.");
const DRIVERS: Key = key("drivers", Form::Texts(ANY_TEXT), "Versions of NVIDIA's driver.");
const FIRMWARES: Key = key("firmwares", Form::Texts(ANY_TEXT), "Versions of NVIDIA's VBIOS.");

/// A list of keys with those that say which platforms are meant, which rules and advisories share.
macro_rules! with_platforms {
    ([$($before:expr),*], [$($after:expr),+ $(,)?]) => {
        &[
            $($before,)*
            VENDOR,
            TEE,
            PRODUCTS,
            FAMILIES,
            MODELS,
            STEPPINGS,
            CHIP_IDS,
            PROVIDERS,
            FMSPCS,
            PPIDS,
            PLATFORM_INSTANCES,
            IMPLEMENTATION_IDS,
            INSTANCE_IDS,
            MODULE_IDS,
            DRIVERS,
            FIRMWARES,
            $($after),+
        ]
    };
}

const ALLOW: &[Key] = with_platforms!(
    [ID],
    [
        key(
            "minimum_tcb",
            Form::Word(words::<MinimumTcb>),
            "Whether the minimum TCB of the product applies."
        ),
        key("expires", Form::Date, "The day from which on the rule allows nothing."),
        REASON,
    ]
);

const DENY: &[Key] = with_platforms!(
    [ID],
    [key("expires", Form::Date, "The day by which to look at the rule again; it denies for ever."), REASON,]
);

const MINIMUM_TCB: &[Key] = &[
    key("milan", Form::Table(FLOOR), "EPYC 7003."),
    key("genoa", Form::Table(FLOOR), "EPYC 9004."),
    key("siena", Form::Table(FLOOR), "EPYC 8004 and 97x4."),
    key("turin", Form::Table(FLOOR_WITH_FMC), "EPYC 9005."),
];

const BOOTLOADER: Key = key("bootloader", BYTE, "Of the secure processor's boot loader.");
const TEE_LEVEL: Key = key("tee", BYTE, "Of the secure processor's operating system.");
const SNP_LEVEL: Key = key("snp", BYTE, "Of the SNP firmware.");
const MICROCODE: Key = key("microcode", BYTE, "Of the microcode.");
const FMC: Key = key("fmc", BYTE, "Of the first mutable code.");
const LEVELS: &[Key] = &[BOOTLOADER, TEE_LEVEL, SNP_LEVEL, MICROCODE];
const LEVELS_WITH_FMC: &[Key] = &[BOOTLOADER, TEE_LEVEL, SNP_LEVEL, MICROCODE, FMC];

const FLOOR: &[Key] = &[
    BOOTLOADER,
    TEE_LEVEL,
    SNP_LEVEL,
    MICROCODE,
    key("current", Form::Table(LEVELS), "Other levels for what runs now."),
    key("committed", Form::Table(LEVELS), "Other levels for what the host can roll back to."),
    key("launch", Form::Table(LEVELS), "Other levels for what the Keep was launched under."),
    key("reported", Form::Table(LEVELS), "Other levels for what the signing key is for."),
];

const FLOOR_WITH_FMC: &[Key] = &[
    BOOTLOADER,
    TEE_LEVEL,
    SNP_LEVEL,
    MICROCODE,
    FMC,
    key("current", Form::Table(LEVELS_WITH_FMC), "Other levels for what runs now."),
    key("committed", Form::Table(LEVELS_WITH_FMC), "Other levels for what the host can roll back to."),
    key("launch", Form::Table(LEVELS_WITH_FMC), "Other levels for what the Keep was launched under."),
    key("reported", Form::Table(LEVELS_WITH_FMC), "Other levels for what the signing key is for."),
];

const GUEST: &[Key] = &[
    key("debug", SWITCH, "The host may read the memory of the Keep."),
    key("migration", SWITCH, "Another machine may take the Keep over."),
    key("vmpl", Form::Numbers(super::MAX_VMPL), "Privilege levels of the code that proves itself (SEV-SNP)."),
    key("vlek", SWITCH, "The key that signed is lent to a cloud provider (SEV-SNP)."),
    key("smt", SWITCH, "Code of others may run on the other thread of a core."),
    key("several_sockets", SWITCH, "The Keep may run on several sockets (SEV-SNP)."),
    key("ciphertext_visible", SWITCH, "The host may watch the encrypted memory change (SEV-SNP)."),
    key("aliases_unchecked", SWITCH, "Nobody checked memory modules for aliases of addresses (SEV-SNP)."),
    key("power_readings", SWITCH, "The host may read how much power the processor draws (SEV-SNP)."),
    key("cxl", SWITCH, "Memory or devices may be attached by CXL (SEV-SNP)."),
    key("launch_keys", SWITCH, "Whoever launched the Keep put keys of its own into the evidence (SEV-SNP)."),
];

const SNP: &[Key] = &[
    key(
        "id_keys",
        Form::Texts(SHA384),
        "ID keys that are acceptable where `guest.launch_keys` refuses others.",
    ),
    key("author_keys", Form::Texts(SHA384), "Author keys likewise."),
];

const INTEL: &[Key] = &[
    key("tcb_status", Form::Words(words::<TcbStatus>), "What Intel may think of the platform."),
    key("out_of_date_accepted_for_days", DAYS, "How long `OutOfDate` is accepted after newer levels came."),
    key("advisories", Form::Word(words::<Advisories>), "Whether advisories count."),
    key("advisories_accepted", Form::Texts(ANY_TEXT), "Advisories that a platform may be vulnerable to."),
    key("advisories_refused", Form::Texts(ANY_TEXT), "Advisories that refuse, whatever accepts them."),
    key("minimum_tcb_evaluation_data_number", LONG, "The least number of Intel's judgement."),
    key(
        "minimum_tcb_date",
        Form::Date,
        "The least date of the levels of platform, module and quoting enclave.",
    ),
    key(
        "minimum_pce_svn",
        Form::Number(u16::MAX as u32),
        "The least version of the provisioning certification enclave.",
    ),
    key("minimum_qe_svn", Form::Number(u16::MAX as u32), "The least version of the quoting enclave."),
    key("minimum_tdx_module", Form::Table(MINIMUM_TDX_MODULE), "The least version of the TDX module."),
    key("sept_ve_enabled", SWITCH, "The host may inject exceptions into a TD by taking its pages away."),
    key("td_attributes", Form::Words(words::<TdAttribute>), "Attributes that a TD may have."),
    key(
        "extended_states",
        Form::Words(words::<ExtendedState>),
        "Processor states beside x87 and SSE that may be on (XFAM, XFRM).",
    ),
    key("service_tds", Form::Texts(SHA384), "MRSERVICETD of TDs with service TDs that are acceptable."),
    key(
        "tdx_modules",
        Form::Texts(SHA384),
        "MRSEAM of TDX modules that are acceptable; absent: any of Intel's.",
    ),
    key("tdx_module_signers", Form::Texts(SHA384), "MRSIGNERSEAM likewise; absent: who TCB info says."),
    key("signer", Form::Tables(SIGNER), "SGX enclaves by their signer, beside those that `keep` measures."),
];

const MINIMUM_TDX_MODULE: &[Key] = &[
    key("version", BYTE, "Its major version."),
    key("svn", BYTE, "Its security version; of a higher major version any is enough."),
];

const SIGNER: &[Key] = &[
    key("mr_signer", Form::OneText(SHA256), "MRSIGNER."),
    key("isv_prod_id", Form::Number(u16::MAX as u32), "ISVPRODID."),
    key("minimum_isv_svn", Form::Number(u16::MAX as u32), "The least ISVSVN."),
];

const CCA: &[Key] = &[
    key("software", MEASUREMENTS, "Measurements that components of platforms may have."),
    key(
        "signers",
        Form::Texts("^sha(256:[0-9A-Fa-f]{64}|384:[0-9A-Fa-f]{96}|512:[0-9A-Fa-f]{128})$"),
        "Signers whose components are acceptable whatever their measurement.",
    ),
];

const TPM: &[Key] = &[key("sha1", SWITCH, "Only SHA-1 speaks for a register, or for the quote itself.")];

const COLLATERAL: &[Key] = &[
    key("crl", Form::Word(words::<Crl>), "Whether revocation lists are needed."),
    key(
        "tcb_info",
        Form::Word(words::<TcbInfo>),
        "Whether Intel's TCB info and identities of enclaves are needed.",
    ),
    key("maximum_age_days", DAYS, "How old lists and documents may be; absent: until they expire."),
    key(
        "expired_accepted_for_days",
        DAYS,
        "How long lists and documents are believed after they expired: what became known since is not.",
    ),
];

const EVERY_DIGEST: Form =
    Form::Texts("^(sha256:[0-9A-Fa-f]{64}|sha384:[0-9A-Fa-f]{96}|sha512:[0-9A-Fa-f]{128})$");

/// A feed of advisories, see [`crate::advisory`].
pub(super) const FEED: &[Key] = &[
    key("feed", Form::Name, "The name of the feed, the same in all of its versions."),
    key("version", LONG, "Which version this is, from 1."),
    key("issued", Form::Date, "When it was issued."),
    key("expires", Form::Date, "The last day on which it is fresh."),
    key("issuer", Form::Text, "What the issuer is called."),
    key("advisory", Form::Tables(ADVISORY), "What is no longer to be trusted."),
];

const ADVISORY: &[Key] = &[
    key("id", Form::Name, "The name of the advisory in refusals."),
    key("since", Form::Date, "Since when."),
    key("because", Form::Text, "Why."),
    key("references", Form::Texts("^https://[!-~]+$"), "Where to read more."),
    key("affects", Form::Tables(AFFECTS), "What it is about; one of them suffices."),
];

const AFFECTS: &[Key] = with_platforms!(
    [],
    [
        key("tcb_below", Form::Table(TCB_BELOW), "AMD: the first levels that are safe."),
        key("tcb_date_before", Form::Date, "Intel: the first day of a TCB that is safe."),
        key("tdx_modules", EVERY_DIGEST, "Intel: measurements of TDX modules."),
        key("components", EVERY_DIGEST, "Arm CCA: measurements of components of the platform."),
        key("keeps", EVERY_DIGEST, "Measurements of Keeps."),
    ]
);

const TCB_BELOW: &[Key] = &[
    key("fmc", BYTE, "The first mutable code, of Turin and later."),
    key("bootloader", BYTE, "The secure processor's boot loader."),
    key("tee", BYTE, "The secure processor's operating system."),
    key("snp", BYTE, "The SNP firmware."),
    key("microcode", BYTE, "The microcode."),
];
