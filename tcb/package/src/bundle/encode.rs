// SPDX-License-Identifier: Apache-2.0

//! Writing a bundle.

use alloc::vec::Vec;
use core::convert::Infallible;

use minicbor::encode::{Encoder, Error, Write};
use zeroize::Zeroizing;

use super::{Bundle, VERSION};
use crate::limits;
use crate::socket::{ClientAuth, FileKind};
use crate::stdio::Descriptor;
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
            write_descriptor(out, descriptor)?;
        }
        out.array(self.files.entries().len() as u64)?;
        for entry in &self.files {
            write_entry(out, entry)?;
        }
        out.bytes(&self.code)?;
        Ok(())
    }
}

fn write_descriptor<W: Write<Error = Infallible>>(
    out: &mut Encoder<W>,
    descriptor: &Descriptor,
) -> Result<(), Error<Infallible>> {
    let socket = descriptor.kind.socket();
    out.array(if socket.is_some() { 3 } else { 2 })?;
    out.u8(descriptor.kind.to_number())?.str(&descriptor.name)?;
    let Some((protocol, anchors)) = socket else { return Ok(()) };
    let (address, port, required, names) = match &descriptor.kind {
        FileKind::Stdio(_) => return Ok(()),
        FileKind::Listen(listen) => {
            (&listen.addr, listen.port, listen.client_auth == ClientAuth::Required, listen.names.as_slice())
        }
        FileKind::Connect(connect) => (&connect.host, connect.port, false, connect.server_name.as_slice()),
    };
    out.array(6)?.str(address)?.u16(port)?.u8(protocol.to_number())?.bool(required)?;
    match anchors {
        Some(path) => out.str(path.as_str())?,
        None => out.null()?,
    };
    out.array(names.len() as u64)?;
    names.iter().try_for_each(|name| out.str(name).map(drop))
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
