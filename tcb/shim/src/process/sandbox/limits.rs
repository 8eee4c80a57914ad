// SPDX-License-Identifier: Apache-2.0

//! Resource limits, below which the Keep's own limits for its workload lie.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors: the standard three, the control streams, one for evidence, those of the network, and room to refuse more.
pub const DESCRIPTORS: u64 = 256;
/// Address space: a thousand linear memories, each of which has 4 GiB of addresses set aside for it. Real memory is the
/// host's to limit, by control groups.
const ADDRESS_SPACE: u64 = 4 << 40;

const LIMITS: [(Resource, u64); 5] = [
    (Resource::RLIMIT_AS, ADDRESS_SPACE),
    (Resource::RLIMIT_CORE, 0),
    (Resource::RLIMIT_FSIZE, 0),
    (Resource::RLIMIT_MEMLOCK, 0),
    (Resource::RLIMIT_MSGQUEUE, 0),
];

/// Sets all limits but the one on threads; `descriptors` is how many there may be open. What the host has limited
/// further stays so.
pub fn set(descriptors: u64) -> io::Result<()> {
    LIMITS.iter().chain(&[(Resource::RLIMIT_NOFILE, descriptors)]).try_for_each(|(resource, limit)| {
        let (_, already) = getrlimit(*resource)?;
        let limit = already.min(*limit);
        Ok(setrlimit(*resource, limit, limit)?)
    })
}

/// No thread or process beyond those that run now.
pub fn no_more_threads() -> io::Result<()> {
    Ok(setrlimit(Resource::RLIMIT_NPROC, 0, 0)?)
}
