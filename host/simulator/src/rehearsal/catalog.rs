// SPDX-License-Identifier: Apache-2.0

//! Every platform that can be rehearsed with, and its options: for lists, messages and the reader of texts.

use enarx_evidence::Format;
use enarx_evidence::dcap::Family;
use enarx_evidence::snp::Product;

/// A platform that can be rehearsed with.
#[derive(Debug, PartialEq, Eq)]
pub struct KnownPlatform {
    /// Its name.
    pub name: &'static str,
    /// The kind of evidence that it makes if no option says otherwise.
    pub format: Format,
    /// What it is, in a few words.
    pub about: &'static str,
    /// What can be said about it.
    pub options: &'static [&'static [PlatformOption]],
    pub(super) kind: Kind,
}

/// What can be said about a platform.
#[derive(Debug, PartialEq, Eq)]
pub struct PlatformOption {
    /// How it is written, such as `debug` or `vmpl=N`.
    pub usage: &'static str,
    /// What it means.
    pub about: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Snp(Product),
    Intel(Family),
    Cca,
    Nitro,
    Tpm,
    AzureSnp,
    AzureTdx,
}

impl KnownPlatform {
    /// All of its options.
    pub fn options(&self) -> impl Iterator<Item = &'static PlatformOption> {
        self.options.iter().flat_map(|options| options.iter())
    }

    /// Whether its vendor has revocation lists.
    pub(super) fn has_lists(&self) -> bool {
        !matches!(self.kind, Kind::Cca | Kind::Nitro)
    }
}

impl PlatformOption {
    /// The part before `=`.
    pub fn name(&self) -> &'static str {
        self.usage.split_once('=').map_or(self.usage, |(name, _)| name)
    }
}

const fn option(usage: &'static str, about: &'static str) -> PlatformOption {
    PlatformOption { usage, about }
}

const LISTS: &[PlatformOption] = &[option("no-crl", "the host sends no revocation lists")];

const AMD: &[PlatformOption] = &[
    option("bootloader=N", "level of the boot loader, in all four TCB versions"),
    option("tee=N", "level of the operating system of the secure processor"),
    option("snp=N", "level of the SNP firmware"),
    option("microcode=N", "level of the microcode"),
    option("committed.snp=N", "one level of one TCB version: current, committed, launch or reported"),
    option("debug", "the host may read the guest's memory"),
    option("migration", "a migration agent may take the guest elsewhere"),
    option("no-smt", "the guest forbids simultaneous multi-threading"),
    option("vmpl=N", "the privilege level that asked for the report"),
    option("version=N", "the version of the report, from 2 to 5"),
    option("vlek", "a key lent to a cloud provider signs"),
    option("unsigned", "no key signs"),
    option("chip=HEX", "the identity of the chip, zeros after it"),
    option("hidden-chip", "reports do not say which chip it is"),
];
const TURIN: &[PlatformOption] = &[option("fmc=N", "level of the first mutable code, which Turin alone has")];

const DCAP: &[PlatformOption] = &[
    option("status=STATUS", "what Intel thinks of the platform, such as OutOfDate or SWHardeningNeeded"),
    option("date=YYYY-MM-DD", "the date of the TCB level that the platform reaches"),
    option("evaluation=N", "the evaluation data number of Intel's documents"),
    option("advisories=ID+ID", "what the platform is vulnerable to, such as INTEL-SA-00837"),
    option("debug", "the host may debug the TD or enclave"),
    option("no-smt", "simultaneous multi-threading is off"),
    option("revoked", "Intel has revoked the key of the platform"),
    option("no-tcb-info", "the host sends no TCB info and no identity of the quoting enclave"),
];
const TD: &[PlatformOption] = &[
    option("migration", "the TD can be migrated"),
    option("sept-ve", "the host may inject exceptions into the TD"),
    option("module=MAJOR.MINOR", "the version of the TDX module; 1.5 is new, 1.3 old, 7.1 unknown"),
];
const KIND: &[PlatformOption] =
    &[option("tee=TEE", "tdx or sgx"), option("version=N", "the version of the quote: 3, 4 or 5")];
const VERSION: &[PlatformOption] = &[option("version=N", "the version of the quote: 3, 4 or 5")];
const FAMILY: &[PlatformOption] = &[option("family=NAME", "the processor, such as emerald-rapids")];
const PRODUCT: &[PlatformOption] = &[option("product=NAME", "the processor, such as genoa")];

const CCA: &[PlatformOption] = &[
    option("debug", "the platform can be debugged beside its root of trust"),
    option(
        "lifecycle=STATE",
        "secured, debug, root-debug, provisioning, assembly, decommissioned or unknown",
    ),
    option("bl2=HEX", "the measurement of the boot loader, zeros after it"),
    option("monitor=HEX", "the measurement of the monitor"),
    option("rmm=HEX", "the measurement of the realm manager"),
    option("implementation=HEX", "which implementation of the architecture it is"),
    option("profile=N", "the platform profile: 1 or 2"),
];
const NITRO: &[PlatformOption] = &[
    option("debug", "the console of the enclave can be read, and its image is not measured"),
    option("module=TEXT", "the enclave, with the instance that it belongs to"),
    option("pcrN=HEX", "a register from 3 to 15, zeros after it"),
];
const REGISTERS: &[PlatformOption] =
    &[option("pcrN=HEX", "a register of the TPM from 0 to 23 beside 11, zeros after it")];
const TPM: &[PlatformOption] = &[
    option("sha1", "only SHA-1 speaks for the registers"),
    option("key=KIND", "the attestation key: rsa, rsa-pss, p256 or p384"),
    option("uncertified", "nobody certifies the attestation key"),
];

const fn amd(name: &'static str, product: Product, about: &'static str) -> KnownPlatform {
    let options: &[&[_]] =
        if matches!(product, Product::Turin) { &[AMD, TURIN, LISTS] } else { &[AMD, LISTS] };
    KnownPlatform { name, format: Format::SevSnp, about, options, kind: Kind::Snp(product) }
}

const fn sgx(name: &'static str, family: Family, about: &'static str) -> KnownPlatform {
    let options: &[&[_]] = &[DCAP, VERSION, LISTS];
    KnownPlatform { name, format: Format::Sgx, about, options, kind: Kind::Intel(family) }
}

const fn tdx(name: &'static str, family: Family, about: &'static str) -> KnownPlatform {
    let options: &[&[_]] = &[DCAP, TD, KIND, LISTS];
    KnownPlatform { name, format: Format::Tdx, about, options, kind: Kind::Intel(family) }
}

pub(super) const PLATFORMS: &[KnownPlatform] = &[
    amd("amd/milan", Product::Milan, "EPYC 7003"),
    amd("amd/genoa", Product::Genoa, "EPYC 9004"),
    amd(
        "amd/bergamo",
        Product::Siena,
        "EPYC 97x4; its evidence and policies call it siena, to which it is alike",
    ),
    amd("amd/siena", Product::Siena, "EPYC 8004"),
    amd("amd/turin", Product::Turin, "EPYC 9005"),
    tdx("intel/sapphire-rapids", Family::SapphireRapids, "Xeon Scalable, 4th generation"),
    tdx("intel/emerald-rapids", Family::EmeraldRapids, "Xeon Scalable, 5th generation"),
    tdx("intel/granite-rapids", Family::GraniteRapids, "Xeon 6 with performance cores"),
    tdx("intel/sierra-forest", Family::SierraForest, "Xeon 6 with efficient cores"),
    sgx("intel/ice-lake-sp", Family::IceLakeSp, "Xeon Scalable, 3rd generation"),
    sgx("intel/ice-lake", Family::IceLake, "Core, 10th generation"),
    sgx("intel/rocket-lake", Family::RocketLake, "Xeon E-2300 and Core, 11th generation"),
    sgx("intel/coffee-lake", Family::CoffeeLake, "Xeon E and Core, 8th and 9th generation"),
    sgx("intel/gemini-lake", Family::GeminiLake, "Pentium Silver and Celeron J/N 4000"),
    KnownPlatform {
        name: "arm/cca",
        format: Format::Cca,
        about: "an Arm platform with realms",
        options: &[CCA],
        kind: Kind::Cca,
    },
    KnownPlatform {
        name: "aws/nitro",
        format: Format::Nitro,
        about: "an enclave of AWS Nitro",
        options: &[NITRO],
        kind: Kind::Nitro,
    },
    KnownPlatform {
        name: "azure/snp",
        format: Format::AzureSnp,
        about: "a confidential machine of Azure on SEV-SNP",
        options: &[PRODUCT, AMD, TURIN, REGISTERS, LISTS],
        kind: Kind::AzureSnp,
    },
    KnownPlatform {
        name: "azure/tdx",
        format: Format::AzureTdx,
        about: "a confidential machine of Azure on TDX",
        options: &[FAMILY, DCAP, TD, REGISTERS, LISTS],
        kind: Kind::AzureTdx,
    },
    KnownPlatform {
        name: "tpm",
        format: Format::Tpm,
        about: "a machine with a TPM 2.0, which HIDES NOTHING from its operator",
        options: &[TPM, REGISTERS, LISTS],
        kind: Kind::Tpm,
    },
];
