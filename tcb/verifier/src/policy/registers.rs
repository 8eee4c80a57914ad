// SPDX-License-Identifier: Apache-2.0

//! `[keep.registers]`: acceptable values of measurement registers, for every TEE that has one of the name, or for one kind
//! of TEE in a table of its own. What stands in that takes the place of what is said for all.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

use super::error::PolicyError;
use super::keys::{Form, Key, MEASUREMENTS, key};
use super::model::{Measurement, Tee, Vocabulary as _};
use super::parse::{distinct, measurement};
use super::reader::Table;

/// Values by register: `pcr11` for every TEE, `tpm.pcr11` for one.
pub(super) type Registers = BTreeMap<String, BTreeSet<Measurement>>;

/// Registers by the names of their vendors: CCA, TDX, and PCRs of TPMs and Nitro.
const NAMED: [Key; 40] = [
    register("rem0"),
    register("rem1"),
    register("rem2"),
    register("rem3"),
    register("rtmr0"),
    register("rtmr1"),
    register("rtmr2"),
    register("rtmr3"),
    register("pcr0"),
    register("pcr1"),
    register("pcr2"),
    register("pcr3"),
    register("pcr4"),
    register("pcr5"),
    register("pcr6"),
    register("pcr7"),
    register("pcr8"),
    register("pcr9"),
    register("pcr10"),
    register("pcr11"),
    register("pcr12"),
    register("pcr13"),
    register("pcr14"),
    register("pcr15"),
    register("pcr16"),
    register("pcr17"),
    register("pcr18"),
    register("pcr19"),
    register("pcr20"),
    register("pcr21"),
    register("pcr22"),
    register("pcr23"),
    register("pcr24"),
    register("pcr25"),
    register("pcr26"),
    register("pcr27"),
    register("pcr28"),
    register("pcr29"),
    register("pcr30"),
    register("pcr31"),
];
const REMS: &[Key] = NAMED.split_at(4).0;
const RTMRS: &[Key] = NAMED.split_at(8).0.split_at(4).1;
const PCRS: &[Key] = NAMED.split_at(8).1;
/// A machine of Azure on TDX has those of the TD and of the TPM.
const RTMRS_AND_PCRS: &[Key] = NAMED.split_at(4).1;

/// The kinds of TEE that have registers, with a table for each.
const TEES: [(Tee, &[Key], Key); 6] = [
    of(Tee::Tdx, "tdx", RTMRS),
    of(Tee::Cca, "cca", REMS),
    of(Tee::Nitro, "nitro", PCRS),
    of(Tee::Tpm, "tpm", PCRS),
    of(Tee::AzureSnp, "azure-snp", PCRS),
    of(Tee::AzureTdx, "azure-tdx", RTMRS_AND_PCRS),
];

/// The keys of the section.
pub(super) const KEYS: &[Key] = {
    const COUNT: usize = NAMED.len() + TEES.len();
    #[allow(clippy::indexing_slicing, reason = "what is out of range does not compile")]
    const ALL: [Key; COUNT] = {
        let mut all = [TEES[0].2; COUNT];
        let mut index = 0;
        while index < COUNT {
            all[index] = if index < NAMED.len() { NAMED[index] } else { TEES[index - NAMED.len()].2 };
            index += 1;
        }
        all
    };
    &ALL
};

const fn register(name: &'static str) -> Key {
    key(name, MEASUREMENTS, "Acceptable values; absent: zero only.")
}

const fn of(tee: Tee, name: &'static str, registers: &'static [Key]) -> (Tee, &'static [Key], Key) {
    (
        tee,
        registers,
        key(name, Form::Table(registers), "Values for this kind of TEE, instead of those for all."),
    )
}

/// Reads the section.
pub(super) fn read(table: &Table<'_>) -> Result<Registers, PolicyError> {
    let mut registers = Registers::new();
    add(table, &NAMED, "", &mut registers)?;
    for (tee, keys, _) in TEES {
        if let Some(table) = table.section(tee.name())? {
            add(&table, keys, &format!("{tee}."), &mut registers)?;
        }
    }
    Ok(registers)
}

fn add(table: &Table<'_>, keys: &[Key], prefix: &str, registers: &mut Registers) -> Result<(), PolicyError> {
    for name in keys.iter().map(|key| key.name) {
        let Some(texts) = table.texts(name)? else { continue };
        let values = distinct(table, &texts, |text| measurement(table, text))?;
        if values.is_empty() {
            let hint = "name the values to accept, or remove the register, which then must be zero";
            let message = format!("`{name}` is empty, so nothing is acceptable");
            return Err(table.error(table.offset_of(name), message).hint(hint));
        }
        registers.insert(format!("{prefix}{name}"), values);
    }
    Ok(())
}

/// What is said about a register of a kind of TEE, and the entry that says it: `keep.registers.` and this.
pub(super) fn find<'r>(
    registers: &'r Registers,
    tee: Tee,
    name: &str,
) -> (String, Option<&'r BTreeSet<Measurement>>) {
    let own = format!("{tee}.{name}");
    match registers.get(&own) {
        Some(values) => (own, Some(values)),
        None => (name.to_owned(), registers.get(name)),
    }
}

/// Every register of every kind of TEE, by its name.
pub(super) fn all() -> impl Iterator<Item = (Tee, &'static str)> {
    TEES.into_iter().flat_map(|(tee, keys, _)| keys.iter().map(move |key| (tee, key.name)))
}
