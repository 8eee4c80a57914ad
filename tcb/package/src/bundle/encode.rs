// SPDX-License-Identifier: Apache-2.0

//! Writing a bundle.

use alloc::vec::Vec;
use core::convert::Infallible;

use minicbor::encode::{Encoder, Error, Write};
use zeroize::Zeroizing;

use super::{Bundle, VERSION};
use crate::limits;
use crate::tree::{Entry, EntryKind};

impl Bundle {
    /// The bytes to seal. They hold every secret and are erased when dropped.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        // Measured first: a buffer that grows would leave unerased copies of secrets behind.
        let mut length = Length(0);
        let measured = self.write(&mut Encoder::new(&mut length));
        let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
        let written = self.write(&mut Encoder::new(&mut *bytes));
        debug_assert!(measured.is_ok() && written.is_ok(), "neither of these two writers has an end");
        bytes
    }

    fn write<W: Write<Error = Infallible>>(&self, out: &mut Encoder<W>) -> Result<(), Error<Infallible>> {
        out.array(8)?.u64(VERSION)?.u8(self.program.to_number())?;
        out.array(limits::FIELDS.len() as u64)?;
        for field in &limits::FIELDS {
            out.u64((field.get)(&self.limits))?;
        }
        out.array(self.args.len() as u64)?;
        for arg in &self.args {
            out.str(arg)?;
        }
        out.array(self.env.len() as u64)?;
        for (name, value) in &self.env {
            out.array(2)?.str(name)?.str(value.expose())?;
        }
        out.array(self.stdio.len() as u64)?;
        for descriptor in &self.stdio {
            out.array(2)?.u8(descriptor.kind.to_number())?.str(&descriptor.name)?;
        }
        out.array(self.files.entries().len() as u64)?;
        for entry in &self.files {
            write_entry(out, entry)?;
        }
        out.bytes(&self.code)?;
        Ok(())
    }
}

fn write_entry<W: Write<Error = Infallible>>(
    out: &mut Encoder<W>,
    entry: &Entry,
) -> Result<(), Error<Infallible>> {
    out.array(3)?.str(entry.path.as_str())?;
    match &entry.kind {
        EntryKind::Directory => out.u8(0)?.null()?,
        EntryKind::File(contents) => out.u8(1)?.bytes(contents)?,
        EntryKind::Symlink(target) => out.u8(2)?.str(target)?,
    };
    Ok(())
}

struct Length(usize);

impl Write for Length {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0 += bytes.len();
        Ok(())
    }
}
