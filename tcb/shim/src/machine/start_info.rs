// SPDX-License-Identifier: Apache-2.0

//! What a hypervisor hands over at start: `hvm_start_info` of the PVH boot protocol
//! (Xen, `public/arch-x86/hvm/start_info.h`).
//!
//! The host wrote all of it. Nothing is followed further than the address space that is mapped at start, every count
//! has a limit, and a second reading never happens: what is used later is a copy.

use core::ops::Range;

/// Longest command line that is read, its end mark not counted.
pub const MAX_COMMAND_LINE: usize = 4096;
/// Most regions of a memory map.
pub const MAX_REGIONS: usize = 64;
/// Physical addresses at or above this are not mapped at start.
pub const REACHABLE: u64 = 1 << 32;

const MAGIC: u32 = 0x336e_c578;
/// The first version with a memory map.
const VERSION: u32 = 1;
const RAM: u32 = 1;

const HEADER_LEN: usize = 56;
const ENTRY_LEN: usize = 24;

/// Reads physical memory while it is still as the hypervisor left it.
pub trait PhysicalMemory {
    /// Copies what is at `address` into `buffer`. Only called for addresses below [`REACHABLE`], and not for 0.
    fn read(&self, address: u64, buffer: &mut [u8]);

    /// Whether what is handed over may stand there. On a machine without a TEE that is everywhere.
    fn may_hold(&self, _range: &Range<u64>) -> bool {
        true
    }
}

/// One region of the memory map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// Its first byte.
    pub start: u64,
    /// Its length in bytes.
    pub size: u64,
    /// Whether it is memory; anything else is to be left alone.
    pub ram: bool,
}

/// A start info that was understood.
#[derive(Clone, Debug)]
pub struct StartInfo {
    regions: [Region; MAX_REGIONS],
    region_count: usize,
    command_line: [u8; MAX_COMMAND_LINE],
    command_line_len: usize,
}

/// A start info that a Keep does not start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A pointer to nothing, or to something outside of the memory that is mapped or in which it may be.
    #[error("{what} is absent or outside of where it may be")]
    OutOfReach {
        /// What the pointer should lead to.
        what: &'static str,
    },
    /// Something else than a start info.
    #[error("the start info does not begin with its magic number")]
    Magic,
    /// A version without memory map.
    #[error("the start info has version {version}, and there is no memory map before version 1")]
    Version {
        /// The version.
        version: u32,
    },
    /// No memory map, or one that is too long.
    #[error("the memory map has {count} regions; it must have 1 to {MAX_REGIONS}")]
    Regions {
        /// How many it has.
        count: u32,
    },
    /// A region whose end no address can name.
    #[error("a region of the memory map does not end")]
    Endless,
    /// A command line that does not end within [`MAX_COMMAND_LINE`].
    #[error("the command line is longer than {MAX_COMMAND_LINE} bytes")]
    CommandLine,
}

impl StartInfo {
    /// Reads the start info at `address`.
    pub fn read(memory: &impl PhysicalMemory, address: u64) -> Result<Self, StartError> {
        let mut header = [0; HEADER_LEN];
        fetch(memory, address, &mut header, "the start info")?;
        if word(&header, 0) != MAGIC {
            return Err(StartError::Magic);
        }
        let version = word(&header, 4);
        if version < VERSION {
            return Err(StartError::Version { version });
        }
        let mut info = Self {
            regions: [Region::default(); MAX_REGIONS],
            region_count: 0,
            command_line: [0; MAX_COMMAND_LINE],
            command_line_len: 0,
        };
        info.read_regions(memory, long(&header, 40), word(&header, 48))?;
        info.read_command_line(memory, long(&header, 24))?;
        Ok(info)
    }

    /// The memory map as it came.
    pub fn regions(&self) -> &[Region] {
        self.regions.get(..self.region_count).unwrap_or_default()
    }

    /// The command line without its end mark.
    pub fn command_line(&self) -> &[u8] {
        self.command_line.get(..self.command_line_len).unwrap_or_default()
    }

    fn read_regions(
        &mut self,
        memory: &impl PhysicalMemory,
        address: u64,
        count: u32,
    ) -> Result<(), StartError> {
        let known = usize::try_from(count).ok().filter(|count| (1..=MAX_REGIONS).contains(count));
        self.region_count = known.ok_or(StartError::Regions { count })?;
        let mut next = address;
        for region in self.regions.iter_mut().take(self.region_count) {
            let mut entry = [0; ENTRY_LEN];
            fetch(memory, next, &mut entry, "the memory map")?;
            let (start, size) = (long(&entry, 0), long(&entry, 8));
            start.checked_add(size).ok_or(StartError::Endless)?;
            *region = Region { start, size, ram: word(&entry, 16) == RAM };
            next = next.saturating_add(ENTRY_LEN as u64);
        }
        Ok(())
    }

    /// No command line is an empty one.
    fn read_command_line(&mut self, memory: &impl PhysicalMemory, address: u64) -> Result<(), StartError> {
        if address == 0 {
            return Ok(());
        }
        for index in 0..=MAX_COMMAND_LINE {
            let mut byte = [0];
            fetch(memory, address.saturating_add(index as u64), &mut byte, "the command line")?;
            if byte == [0] {
                self.command_line_len = index;
                return Ok(());
            }
            let place = self.command_line.get_mut(index).ok_or(StartError::CommandLine)?;
            [*place] = byte;
        }
        Err(StartError::CommandLine)
    }
}

fn fetch(
    memory: &impl PhysicalMemory,
    address: u64,
    buffer: &mut [u8],
    what: &'static str,
) -> Result<(), StartError> {
    let end = address.checked_add(buffer.len() as u64).filter(|end| *end <= REACHABLE);
    if address == 0 || end.is_none_or(|end| !memory.may_hold(&(address..end))) {
        return Err(StartError::OutOfReach { what });
    }
    memory.read(address, buffer);
    Ok(())
}

fn word(bytes: &[u8], offset: usize) -> u32 {
    bytes.get(offset..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn long(bytes: &[u8], offset: usize) -> u64 {
    bytes.get(offset..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
