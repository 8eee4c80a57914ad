// SPDX-License-Identifier: Apache-2.0

//! The system calls that are left. Any other kills the process.
//!
//! There is no way to open a file, to make a socket to the outside, to start a thread or a program, or to change
//! what was restricted. Executable memory is allowed: the workload is native code that its owner compiled.
//! The list was measured on the Keep's own tests; the C library uses more of it than the Keep.

use std::borrow::Cow;
use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter_all_threads,
};

/// Calls that take nothing that could do harm: memory and descriptors of the process itself, time, randomness.
const ALLOWED: &[libc::c_long] = &[
    // Streams.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_recvfrom,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    libc::SYS_shutdown,
    libc::SYS_ppoll,
    libc::SYS_close,
    // Memory.
    libc::SYS_brk,
    libc::SYS_mprotect,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Threads, time, randomness.
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_getrandom,
    // The end, orderly or by `abort`.
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
];

/// System calls, each with the arguments that it may have; without any, all.
pub type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Restricts all threads, for good.
pub fn restrict() -> Result<Cow<'static, str>, String> {
    restrict_to(Rules::new())
}

/// The same with further calls. Where a call is in both, `further` holds.
pub fn restrict_to(further: Rules) -> Result<Cow<'static, str>, String> {
    let mut rules = rules().map_err(|error| error.to_string())?;
    rules.extend(further);
    let count = rules.len();
    let program = filter(rules).map_err(|error| error.to_string())?;
    apply_filter_all_threads(&program).map_err(|error| error.to_string())?;
    Ok(Cow::Owned(format!("{count} system calls are left")))
}

/// How many calls [`conditional`] allows.
const CONDITIONAL: usize = 5;

fn rules() -> Result<Rules, seccompiler::Error> {
    let mut rules: Rules = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    rules.extend(conditional()?);
    Ok(rules)
}

fn filter(rules: Rules) -> Result<BpfProgram, seccompiler::Error> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, architecture)?;
    Ok(filter.try_into()?)
}

/// Calls that are allowed with certain arguments only.
fn conditional() -> Result<[(i64, Vec<SeccompRule>); CONDITIONAL], seccompiler::Error> {
    use SeccompCmpArgLen::{Dword, Qword};
    use SeccompCmpOp::{Eq, MaskedEq};
    let when = |index, length, operator, value: u64| -> Result<Vec<SeccompRule>, seccompiler::Error> {
        Ok(vec![SeccompRule::new(vec![SeccompCondition::new(index, length, operator, value)?])?])
    };
    let anonymous = u64::from(libc::MAP_ANONYMOUS.cast_unsigned());
    Ok([
        // Memory that is not a file's.
        (libc::SYS_mmap, when(3, Dword, MaskedEq(anonymous), anonymous)?),
        // Without an address: to no other socket than the connected one.
        (libc::SYS_sendto, when(4, Qword, Eq, 0)?),
        // The two ends of a stream, one of which is for the host.
        (libc::SYS_socketpair, when(0, Dword, Eq, u64::from(libc::AF_UNIX.cast_unsigned()))?),
        // What debug builds ask before they close a descriptor.
        (libc::SYS_fcntl, when(1, Dword, Eq, u64::from(libc::F_GETFD.cast_unsigned()))?),
        // `abort` signals the process itself.
        (libc::SYS_tgkill, when(0, Dword, Eq, u64::from(std::process::id()))?),
    ])
}
