// SPDX-License-Identifier: Apache-2.0

//! What a Keep is made of: read once into sealed memory, measured there, and executed from there.
//!
//! What is measured is what runs, also when the file is replaced or written to meanwhile.

use std::fs::File;
use std::io::{self, Seek as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use enarx_evidence::Format;
use enarx_measure::{Image, ImageError, MAX_IMAGE, snp, tdx};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use sha2::{Digest, Sha256, Sha384};

use crate::backend::Backend;
use crate::error::HostError;
use crate::locate::Wanted;

/// Largest program that is taken into memory.
const MAX_PROGRAM: u64 = 1 << 30;
const READ_SIZE: usize = 1 << 20;

/// What hardware that measures with SHA-384 says of what was launched.
pub(crate) type Measurement = [u8; 48];

/// What every Keep of one host is made of.
pub(crate) struct Program {
    executed: File,
    /// The unikernel, where it is not the program itself that is the Keep
    image: Option<File>,
    arguments: Vec<PathBuf>,
    sha384: OnceLock<Measurement>,
    snp: OnceLock<Measurement>,
    tdx: OnceLock<Measurement>,
    sha256: OnceLock<[u8; 32]>,
}

impl Program {
    /// Takes the files of a back end into sealed memory.
    pub(crate) fn load(backend: &Backend) -> Result<Arc<Self>, HostError> {
        let wanted = match backend {
            Backend::Process { .. } => Wanted::KeepProgram,
            Backend::Machine(_) => Wanted::Hypervisor,
        };
        let executed = take(backend.executed(), wanted)?;
        let image = match backend {
            Backend::Process { .. } => None,
            Backend::Machine(machine) => Some(take(&machine.image, Wanted::Image)?),
        };
        let (sha384, snp, tdx, sha256) = Default::default();
        Ok(Arc::new(Self { executed, image, arguments: backend.arguments(), sha384, snp, tdx, sha256 }))
    }

    /// What this kind of TEE would say of it, taken when it is first asked for; waits while somebody else takes it.
    ///
    /// Of an image for guests of the kind that is the measurement of its launch. Of everything else it is the digest of
    /// the file: nothing that is simulated was launched so that hardware could measure it.
    pub(crate) fn measurement(&self, format: Format) -> Measurement {
        let launched = match format {
            Format::SevSnp => Some((&self.snp, snp::launch_digest as Calculation)),
            Format::Tdx => Some((&self.tdx, tdx::mrtd as Calculation)),
            _ => None,
        };
        let file =
            || *self.sha384.get_or_init(|| measure::<Sha384>(self.measured()).map_or([0; 48], Into::into));
        match (&self.image, launched) {
            (Some(image), Some((known, calculate))) => {
                *known.get_or_init(|| of_launch(image, calculate).unwrap_or_else(file))
            }
            _ => file(),
        }
    }

    /// SHA-256 of the same, for TEEs that measure with it; likewise.
    pub(crate) fn sha256(&self) -> [u8; 32] {
        *self.sha256.get_or_init(|| measure::<Sha256>(self.measured()).map_or([0; 32], Into::into))
    }

    /// A path that leads a child of this process to the sealed program and to nothing else.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.executed.as_raw_fd()))
    }

    /// What it is told on its command line.
    pub(crate) fn arguments(&self) -> &[PathBuf] {
        &self.arguments
    }

    /// The sealed image, for a child of its own.
    pub(crate) fn image(&self) -> io::Result<Option<File>> {
        self.image.as_ref().map(File::try_clone).transpose()
    }

    fn measured(&self) -> &File {
        self.image.as_ref().unwrap_or(&self.executed)
    }
}

/// What predicts the measurement of an image's launch.
type Calculation = fn(&Image) -> Result<Measurement, ImageError>;

/// The measurement of an image's launch; `None` if it cannot be launched so.
fn of_launch(memory: &File, calculate: Calculation) -> Option<Measurement> {
    let limit = MAX_IMAGE.saturating_add(1);
    let mut file = vec![0; usize::try_from(memory.metadata().ok()?.len()).ok()?.min(limit)];
    memory.read_exact_at(&mut file, 0).ok()?;
    Image::parse(file).and_then(|image| calculate(&image)).ok()
}

fn take(path: &Path, wanted: Wanted) -> Result<File, HostError> {
    seal(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => HostError::ProgramNotFound { wanted, looked: vec![path.to_path_buf()] },
        _ => HostError::ProgramUnusable { path: path.to_path_buf(), source },
    })
}

fn seal(path: &Path) -> io::Result<File> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    if metadata.len() == 0 || metadata.len() > MAX_PROGRAM {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "its size is not that of a program"));
    }
    let mut memory = File::from(executable_memory()?);
    io::copy(&mut io::Read::take(&mut file, MAX_PROGRAM), &mut memory)?;
    memory.rewind()?;
    fcntl_add_seals(&memory, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(memory)
}

/// Linux before 6.3 does not know `MFD_EXEC` and makes every memory file executable.
fn executable_memory() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create("enarx-keep", flags | MemfdFlags::EXEC) {
        Err(rustix::io::Errno::INVAL) => Ok(memfd_create("enarx-keep", flags)?),
        other => Ok(other?),
    }
}

/// Reading sealed memory does not fail; were it to fail, there is no measurement, and zero is one that no reference
/// value has.
fn measure<D: Digest>(memory: &File) -> Option<sha2::digest::Output<D>> {
    let mut hash = D::new();
    let mut buffer = vec![0; READ_SIZE];
    let mut offset = 0;
    loop {
        match memory.read_at(&mut buffer, offset) {
            Ok(0) => return Some(hash.finalize()),
            Ok(count) => {
                hash.update(buffer.get(..count).unwrap_or_default());
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                tracing::error!(%error, "cannot read the sealed Keep program");
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(path: &Path) -> Result<Arc<Program>, HostError> {
        Program::load(&Backend::Process { program: path.to_owned() })
    }

    #[test]
    fn the_measurement_is_that_of_the_file_as_it_was_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        std::fs::write(&path, b"first").unwrap();
        let program = Program::load(&Backend::Process { program: path.clone() }).unwrap();
        std::fs::write(&path, b"second").unwrap();
        for format in [Format::SevSnp, Format::Tdx, Format::Cca] {
            assert_eq!(program.measurement(format), <Measurement>::from(Sha384::digest(b"first")));
        }
        assert_eq!(program.sha256(), <[u8; 32]>::from(Sha256::digest(b"first")));
        let write = program.executed.write_at(b"x", 0).unwrap_err();
        assert_eq!(write.kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn what_is_no_program_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(load(folder.path()), Err(HostError::ProgramUnusable { .. })));
        let missing = folder.path().join("absent");
        assert!(
            matches!(load(&missing), Err(HostError::ProgramNotFound { looked, .. }) if looked == [missing])
        );
        let empty = folder.path().join("empty");
        std::fs::write(&empty, b"").unwrap();
        assert!(matches!(load(&empty), Err(HostError::ProgramUnusable { .. })));
    }
}
