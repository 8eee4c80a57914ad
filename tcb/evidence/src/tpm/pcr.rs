// SPDX-License-Identifier: Apache-2.0

//! Platform configuration registers: which ones a quote is about, and their values.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use minicbor::Encoder;

use super::HashAlgorithm;
use super::wire;
use crate::cbor::{Label, Reader, Written};
use crate::cursor::Cursor;
use crate::{Fault, ParseError};

/// Limit of the number of banks: there are not more hash functions here.
const MAX_BANKS: usize = HashAlgorithm::ALL.len();
/// Registers of a bank: as many as the largest selection has bits.
const MAX_REGISTERS: usize = 32;
/// Sizes of a selection in bytes. TPMs have 24 registers; the specification leaves room for more.
const SIZES: core::ops::RangeInclusive<u8> = 1..=4;

/// `TPMS_PCR_SELECTION` (Part 2, section 10.6.2): registers of one bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PcrSelection {
    /// `hash`: the bank.
    pub bank: HashAlgorithm,
    /// `sizeofSelect`: how many bytes the selection is long, from 1 to 4.
    pub size: u8,
    /// `pcrSelect`: register n is bit n.
    pub registers: u32,
}

impl PcrSelection {
    /// Registers of a bank, by their numbers below 24, in the three bytes that TPMs use.
    pub fn of(bank: HashAlgorithm, registers: &[u8]) -> Self {
        let bits = registers.iter().filter(|number| **number < 24).fold(0, |bits, number| bits | 1 << number);
        Self { bank, size: 3, registers: bits }
    }

    /// The numbers of the registers, ascending.
    pub fn numbers(self) -> impl Iterator<Item = u8> {
        (0..32_u8).filter(move |number| self.registers >> number & 1 == 1)
    }
}

/// `TPML_PCR_SELECTION` (Part 2, section 10.9.7). A bank twice is refused: it would make two quotes of one.
pub(super) fn parse_selections(cursor: &mut Cursor<'_>) -> Result<Vec<PcrSelection>, ParseError> {
    let at = cursor.offset();
    let count = cursor.u32_be("pcrSelect.count")?;
    if u64::from(count) > MAX_BANKS as u64 {
        return Err(cursor.error("pcrSelect.count", at, Fault::TooLarge { limit: MAX_BANKS }));
    }
    let mut selections: Vec<PcrSelection> = Vec::new();
    for _ in 0..count {
        let at = cursor.offset();
        let selection = parse_selection(cursor)?;
        if selections.iter().any(|other| other.bank == selection.bank) {
            return Err(cursor.error("pcrSelect.hash", at, Fault::Duplicate));
        }
        selections.push(selection);
    }
    Ok(selections)
}

fn parse_selection(cursor: &mut Cursor<'_>) -> Result<PcrSelection, ParseError> {
    let bank = wire::hash(cursor, "pcrSelect.hash")?;
    let at = cursor.offset();
    let size = cursor.u8("sizeofSelect")?;
    if !SIZES.contains(&size) {
        return Err(cursor.error("sizeofSelect", at, Fault::Unsupported { found: u64::from(size) }));
    }
    let bytes = cursor.take("pcrSelect", usize::from(size))?;
    let registers = bytes.iter().rev().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
    Ok(PcrSelection { bank, size, registers })
}

pub(super) fn encode_selections(selections: &[PcrSelection], out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(selections.len()).unwrap_or(u32::MAX).to_be_bytes());
    for selection in selections {
        out.extend_from_slice(&selection.bank.number().to_be_bytes());
        out.push(selection.size);
        out.extend(selection.registers.to_le_bytes().iter().take(usize::from(selection.size)));
    }
}

/// The values of registers, by bank. What is not there was not sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PcrValues {
    /// The value of each register, as long as a digest of its bank.
    pub banks: BTreeMap<HashAlgorithm, BTreeMap<u8, Vec<u8>>>,
}

impl PcrValues {
    /// The value of a register, if it was sent.
    pub fn get(&self, bank: HashAlgorithm, register: u8) -> Option<&[u8]> {
        self.banks.get(&bank)?.get(&register).map(Vec::as_slice)
    }

    pub(super) fn encode(&self, encoder: &mut Encoder<Vec<u8>>) -> Written {
        encoder.map(self.banks.len() as u64)?;
        for (bank, registers) in &self.banks {
            encoder.u16(bank.number())?.map(registers.len() as u64)?;
            for (register, value) in registers {
                encoder.u8(*register)?.bytes(value)?;
            }
        }
        Ok(())
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let mut banks = BTreeMap::new();
        let mut entries = reader.map("banks", MAX_BANKS)?;
        let mut at = reader.offset();
        while let Some(label) = reader.label(&mut entries, "bank")? {
            let bank = number(label).and_then(HashAlgorithm::from_number);
            let bank = bank.ok_or_else(|| reader.error("bank", at, Fault::Malformed))?;
            banks.insert(bank, registers(reader, bank)?);
            at = reader.offset();
        }
        Ok(Self { banks })
    }
}

fn registers(reader: &mut Reader<'_>, bank: HashAlgorithm) -> Result<BTreeMap<u8, Vec<u8>>, ParseError> {
    let mut registers = BTreeMap::new();
    let mut entries = reader.map("registers", MAX_REGISTERS)?;
    let mut at = reader.offset();
    while let Some(label) = reader.label(&mut entries, "register")? {
        let register = number(label).filter(|register| usize::from(*register) < MAX_REGISTERS);
        let register = register.ok_or_else(|| reader.error("register", at, Fault::Malformed))?;
        let value = reader.bytes("value", bank.digest_len())?;
        if value.len() != bank.digest_len() {
            return Err(reader.error("value", at, Fault::Truncated));
        }
        registers.insert(register, value.to_vec());
        at = reader.offset();
    }
    Ok(registers)
}

fn number<T: TryFrom<i64>>(label: Label<'_>) -> Option<T> {
    match label {
        Label::Int(number) => T::try_from(number).ok(),
        Label::Text(_) => None,
    }
}
