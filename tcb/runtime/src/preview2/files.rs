// SPDX-License-Identifier: Apache-2.0

//! `wasi:filesystem`: the functions, each a few lines over the file system of [`crate::vfs`].

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};
use wasmtime::component::Resource;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream, Error as StreamFault};

use super::bindings::wasi::filesystem::preopens;
use super::bindings::wasi::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode, Filesize,
    MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use super::clocks::{datetime, nanos};
use super::descriptor::{Descriptor, Listing};
use super::failure::Failure;
use super::streams::{FileInput, FileOutput};
use crate::io::MAX_TRANSFER;
use crate::run::State;
use crate::vfs::{FileType, OpenOptions, SetTime, Stat, VfsError};

type Done<T = ()> = Result<T, Failure>;
type Handle = Resource<Descriptor>;

impl preopens::Host for State {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Handle, String)>> {
        let mut directories = Vec::new();
        for (name, node) in &self.start.preopens {
            let descriptor = self.table.push(Descriptor::preopen(node.clone()))?;
            directories.push((descriptor, name.clone()));
        }
        Ok(directories)
    }
}

impl types::Host for State {
    fn filesystem_error_code(&mut self, error: Resource<StreamFault>) -> wasmtime::Result<Option<ErrorCode>> {
        Ok(self.table.get(&error)?.downcast_ref::<VfsError>().map(|error| ErrorCode::from(*error)))
    }

    fn convert_error_code(&mut self, failure: Failure) -> wasmtime::Result<ErrorCode> {
        match failure {
            Failure::Refused(error) => Ok(error.into()),
            Failure::Trap(error) => Err(error),
        }
    }
}

impl types::HostDirectoryEntryStream for State {
    fn read_directory_entry(&mut self, listing: Resource<Listing>) -> Done<Option<DirectoryEntry>> {
        let entry = self.table.get_mut(&listing)?.next()?;
        Ok(entry
            .map(|entry| DirectoryEntry { type_: type_of(entry.file_type), name: entry.name.to_string() }))
    }

    fn drop(&mut self, listing: Resource<Listing>) -> wasmtime::Result<()> {
        self.table.delete(listing)?;
        Ok(())
    }
}

impl types::HostDescriptor for State {
    fn read_via_stream(&mut self, file: Handle, offset: Filesize) -> Done<Resource<DynInputStream>> {
        let node = self.table.get(&file)?.readable()?.clone();
        let stream: DynInputStream = Box::new(FileInput::new(node, offset));
        Ok(self.table.push(stream)?)
    }

    fn write_via_stream(&mut self, file: Handle, offset: Filesize) -> Done<Resource<DynOutputStream>> {
        self.output(&file, Some(offset))
    }

    fn append_via_stream(&mut self, file: Handle) -> Done<Resource<DynOutputStream>> {
        self.output(&file, None)
    }

    fn advise(&mut self, file: Handle, _offset: Filesize, _length: Filesize, _advice: Advice) -> Done {
        match self.table.get(&file)?.node.file_type() {
            // Everything is in memory, so there is nothing to do with good advice.
            FileType::Regular => Ok(()),
            _ => Err(VfsError::BadDescriptor.into()),
        }
    }

    fn sync_data(&mut self, descriptor: Handle) -> Done {
        self.sync(descriptor)
    }

    fn get_flags(&mut self, descriptor: Handle) -> Done<DescriptorFlags> {
        Ok(self.table.get(&descriptor)?.flags)
    }

    fn get_type(&mut self, descriptor: Handle) -> Done<DescriptorType> {
        Ok(type_of(self.table.get(&descriptor)?.node.file_type()))
    }

    fn set_size(&mut self, file: Handle, size: Filesize) -> Done {
        match self.table.get(&file)?.writable() {
            // As `ftruncate` on what was not opened for writing.
            Err(Failure::Refused(VfsError::BadDescriptor)) => Err(VfsError::Invalid.into()),
            node => Ok(node?.set_len(size)?),
        }
    }

    fn set_times(&mut self, descriptor: Handle, accessed: NewTimestamp, modified: NewTimestamp) -> Done {
        let node = self.table.get(&descriptor)?.mutable()?;
        Ok(node.set_times(set_time(accessed)?, set_time(modified)?)?)
    }

    fn read(&mut self, file: Handle, length: Filesize, offset: Filesize) -> Done<(Vec<u8>, bool)> {
        let node = self.table.get(&file)?.readable()?;
        let size = node.stat()?.size;
        let length = length.min(size.saturating_sub(offset)).min(MAX_TRANSFER as u64);
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| VfsError::Overflow)?];
        let read = node.read_at(offset, &mut bytes)?;
        bytes.truncate(read);
        Ok((bytes, offset.saturating_add(read as u64) >= size))
    }

    fn write(&mut self, file: Handle, buffer: Vec<u8>, offset: Filesize) -> Done<Filesize> {
        Ok(self.table.get(&file)?.writable()?.write_at(offset, &buffer)? as u64)
    }

    fn read_directory(&mut self, directory: Handle) -> Done<Resource<Listing>> {
        let listing = Listing::new(self.table.get(&directory)?.node.clone())?;
        Ok(self.table.push(listing)?)
    }

    fn sync(&mut self, descriptor: Handle) -> Done {
        // Nothing is behind the memory that it could be brought to.
        self.table.get(&descriptor)?;
        Ok(())
    }

    fn create_directory_at(&mut self, directory: Handle, path: String) -> Done {
        Ok(self.table.get(&directory)?.mutable()?.create_directory(&path)?)
    }

    fn stat(&mut self, descriptor: Handle) -> Done<DescriptorStat> {
        Ok(stat_of(&self.table.get(&descriptor)?.node.stat()?))
    }

    fn stat_at(&mut self, directory: Handle, flags: PathFlags, path: String) -> Done<DescriptorStat> {
        Ok(stat_of(&self.table.get(&directory)?.node.stat_at(&path, follows(flags))?))
    }

    fn set_times_at(
        &mut self,
        directory: Handle,
        flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> Done {
        let node = self.table.get(&directory)?.mutable()?;
        Ok(node.set_times_at(&path, follows(flags), set_time(accessed)?, set_time(modified)?)?)
    }

    fn link_at(
        &mut self,
        from: Handle,
        flags: PathFlags,
        path: String,
        to: Handle,
        new_path: String,
    ) -> Done {
        let (from, to) = (self.table.get(&from)?.mutable()?, self.table.get(&to)?.mutable()?);
        Ok(from.link(&path, follows(flags), to, &new_path)?)
    }

    fn open_at(
        &mut self,
        directory: Handle,
        path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> Done<Handle> {
        let options = OpenOptions {
            follow: follows(path_flags),
            write: flags.contains(DescriptorFlags::WRITE),
            create: open_flags.contains(OpenFlags::CREATE),
            exclusive: open_flags.contains(OpenFlags::EXCLUSIVE),
            truncate: open_flags.contains(OpenFlags::TRUNCATE),
            directory: open_flags.contains(OpenFlags::DIRECTORY),
        };
        let descriptor = self.table.get(&directory)?.open(&path, options, flags)?;
        Ok(self.table.push(descriptor)?)
    }

    fn readlink_at(&mut self, directory: Handle, path: String) -> Done<String> {
        Ok(self.table.get(&directory)?.node.read_link(&path)?)
    }

    fn remove_directory_at(&mut self, directory: Handle, path: String) -> Done {
        Ok(self.table.get(&directory)?.mutable()?.remove_directory(&path)?)
    }

    fn rename_at(&mut self, from: Handle, path: String, to: Handle, new_path: String) -> Done {
        let (from, to) = (self.table.get(&from)?.mutable()?, self.table.get(&to)?.mutable()?);
        Ok(from.rename(&path, to, &new_path)?)
    }

    fn symlink_at(&mut self, directory: Handle, target: String, path: String) -> Done {
        Ok(self.table.get(&directory)?.mutable()?.symlink(&target, &path)?)
    }

    fn unlink_file_at(&mut self, directory: Handle, path: String) -> Done {
        Ok(self.table.get(&directory)?.mutable()?.unlink(&path)?)
    }

    fn is_same_object(&mut self, one: Handle, other: Handle) -> wasmtime::Result<bool> {
        Ok(self.table.get(&one)?.node.is_same(&self.table.get(&other)?.node))
    }

    fn metadata_hash(&mut self, descriptor: Handle) -> Done<MetadataHashValue> {
        Ok(hash_of(&self.table.get(&descriptor)?.node.stat()?))
    }

    fn metadata_hash_at(
        &mut self,
        directory: Handle,
        flags: PathFlags,
        path: String,
    ) -> Done<MetadataHashValue> {
        Ok(hash_of(&self.table.get(&directory)?.node.stat_at(&path, follows(flags))?))
    }

    fn drop(&mut self, descriptor: Handle) -> wasmtime::Result<()> {
        self.table.delete(descriptor)?;
        Ok(())
    }
}

impl State {
    fn output(&mut self, file: &Handle, position: Option<u64>) -> Done<Resource<DynOutputStream>> {
        let node = self.table.get(file)?.writable()?.clone();
        let stream: DynOutputStream = Box::new(FileOutput::new(node, position));
        Ok(self.table.push(stream)?)
    }
}

fn follows(flags: PathFlags) -> bool {
    flags.contains(PathFlags::SYMLINK_FOLLOW)
}

fn set_time(new: NewTimestamp) -> Done<SetTime> {
    match new {
        NewTimestamp::NoChange => Ok(SetTime::Keep),
        NewTimestamp::Now => Ok(SetTime::Now),
        NewTimestamp::Timestamp(time) => Ok(SetTime::To(nanos(time).ok_or(VfsError::Overflow)?)),
    }
}

fn type_of(file_type: FileType) -> DescriptorType {
    match file_type {
        FileType::Regular => DescriptorType::RegularFile,
        FileType::Directory => DescriptorType::Directory,
        FileType::Symlink => DescriptorType::SymbolicLink,
    }
}

fn stat_of(stat: &Stat) -> DescriptorStat {
    DescriptorStat {
        type_: type_of(stat.file_type),
        link_count: stat.links,
        size: stat.size,
        data_access_timestamp: Some(datetime(stat.accessed)),
        data_modification_timestamp: Some(datetime(stat.modified)),
        status_change_timestamp: Some(datetime(stat.changed)),
    }
}

/// Hashes what changes when a file is modified or replaced.
fn hash_of(stat: &Stat) -> MetadataHashValue {
    let mut hash = Sha256::new();
    for value in [stat.inode, stat.size, stat.modified, stat.changed] {
        hash.update(value.to_le_bytes());
    }
    let hash = hash.finalize();
    let mut halves =
        hash.chunks_exact(8).map(|half| half.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)));
    MetadataHashValue { lower: halves.next().unwrap_or_default(), upper: halves.next().unwrap_or_default() }
}
