// SPDX-License-Identifier: Apache-2.0

//! The bit fields of reports: what an enclave, a TD or the TDX module was started with.
//!
//! Bits that this crate does not know stay as they are; `unknown` tells, so that whoever decides can refuse what
//! it does not understand.

use core::fmt;

/// `TDATTRIBUTES`: what a TD was created with (TDX ABI, section on `TD_PARAMS.ATTRIBUTES`; TDX Quoting, A.3.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TdAttributes(pub u64);

impl TdAttributes {
    /// Everything in the group `TUD`, "TD under debug": the TD is not protected from its host.
    const UNTRUSTED: u64 = 0xff;
    const KNOWN: u64 = 1
        | 1 << 4
        | 1 << 5
        | 1 << 6
        | 1 << 16
        | 1 << 27
        | 1 << 28
        | 1 << 29
        | 1 << 30
        | 1 << 31
        | 1 << 62
        | 1 << 63;

    /// `DEBUG`: the host may read and write the TD's memory and registers.
    pub const fn debug(self) -> bool {
        self.bit(0)
    }

    /// `HGS_PLUS_PROF`, `PERF_PROF` or `PMT_PROF`: the host may profile the TD.
    pub const fn profiling(self) -> bool {
        self.bit(4) || self.bit(5) || self.bit(6)
    }

    /// Any bit of the group `TUD`, also a reserved one: the TD must not be trusted.
    pub const fn under_debug(self) -> bool {
        self.0 & Self::UNTRUSTED != 0
    }

    /// `ICSSD`: infrequent checks of single-step defence.
    pub const fn icssd(self) -> bool {
        self.bit(16)
    }

    /// `LASS`: the TD may use linear address space separation.
    pub const fn lass(self) -> bool {
        self.bit(27)
    }

    /// `SEPT_VE_DISABLE`: pages that the host takes away stop the TD instead of letting the host inject an
    /// exception into it.
    pub const fn sept_ve_disable(self) -> bool {
        self.bit(28)
    }

    /// `MIGRATABLE`: a migration TD may move it, and its memory, elsewhere.
    pub const fn migratable(self) -> bool {
        self.bit(29)
    }

    /// `PKS`: the TD may use supervisor protection keys.
    pub const fn pks(self) -> bool {
        self.bit(30)
    }

    /// `KL`: the TD may use Key Locker.
    pub const fn key_locker(self) -> bool {
        self.bit(31)
    }

    /// `TPA`: the TD is a TDX provisioning agent.
    pub const fn tpa(self) -> bool {
        self.bit(62)
    }

    /// `PERFMON`: the TD may use performance monitoring.
    pub const fn perfmon(self) -> bool {
        self.bit(63)
    }

    /// The bits that the specification reserves and that are nevertheless set.
    pub const fn unknown(self) -> u64 {
        self.0 & !Self::KNOWN
    }

    /// The same attributes with bit `number` (0 to 63) set or not.
    #[must_use]
    pub const fn with(self, number: u32, value: bool) -> Self {
        let bit = 1_u64.wrapping_shl(number);
        Self(if value { self.0 | bit } else { self.0 & !bit })
    }

    const fn bit(self, number: u32) -> bool {
        self.0 >> number & 1 == 1
    }
}

/// `XFAM`, and in an SGX report `XFRM`: the extended processor states that are switched on, as in XCR0 and
/// `IA32_XSS` (SDM, volume 1, section 13.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Xfam(pub u64);

impl Xfam {
    /// x87 and SSE, which are always on.
    pub const ALWAYS: Self = Self(0b11);
    /// x87, SSE, AVX, MPX, AVX-512, PT, PKU, PASID, CET, UINTR, LBR, AMX, APX: bits 0 to 12, 14, 15 and 17 to 19.
    const KNOWN: u64 = 0x000e_dfff;

    /// x87 and SSE are on.
    pub const fn legacy(self) -> bool {
        self.0 & Self::ALWAYS.0 == Self::ALWAYS.0
    }

    /// AVX.
    pub const fn avx(self) -> bool {
        self.bit(2)
    }

    /// AVX-512: all three of its states.
    pub const fn avx512(self) -> bool {
        self.0 & 0xe0 == 0xe0
    }

    /// Processor trace.
    pub const fn processor_trace(self) -> bool {
        self.bit(8)
    }

    /// Protection keys for user pages.
    pub const fn pku(self) -> bool {
        self.bit(9)
    }

    /// Control-flow enforcement, for user and supervisor.
    pub const fn cet(self) -> bool {
        self.0 & 0x1800 == 0x1800
    }

    /// AMX: tile configuration and data.
    pub const fn amx(self) -> bool {
        self.0 & 0x6_0000 == 0x6_0000
    }

    /// The bits that no state known here has.
    pub const fn unknown(self) -> u64 {
        self.0 & !Self::KNOWN
    }

    const fn bit(self, number: u32) -> bool {
        self.0 >> number & 1 == 1
    }
}

/// `SEAMATTRIBUTES`: those of the TDX module. None is defined: they must be zero (TDX Quoting, A.3.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeamAttributes(pub u64);

impl SeamAttributes {
    /// The bits that are set although none is defined.
    pub const fn unknown(self) -> u64 {
        self.0
    }
}

/// `ATTRIBUTES`: what an enclave was created with (SDM, volume 3D, section 34.7.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SgxAttributes {
    /// The attribute bits.
    pub flags: u64,
    /// `XFRM`, the extended states.
    pub xfrm: Xfam,
}

impl SgxAttributes {
    const KNOWN: u64 = 0b100_1111_0111;

    /// `INIT`: the enclave was initialised, as every enclave that runs.
    pub const fn init(self) -> bool {
        self.bit(0)
    }

    /// `DEBUG`: the host may read and write the enclave's memory.
    pub const fn debug(self) -> bool {
        self.bit(1)
    }

    /// `MODE64BIT`.
    pub const fn mode_64_bit(self) -> bool {
        self.bit(2)
    }

    /// `PROVISIONKEY`: the enclave may derive keys that identify the platform.
    pub const fn provision_key(self) -> bool {
        self.bit(4)
    }

    /// `EINITTOKENKEY`: the enclave may decide which others are launched.
    pub const fn einit_token_key(self) -> bool {
        self.bit(5)
    }

    /// `CET`: control-flow enforcement.
    pub const fn cet(self) -> bool {
        self.bit(6)
    }

    /// `KSS`: key separation and sharing, without which `CONFIGID` and its like mean nothing.
    pub const fn kss(self) -> bool {
        self.bit(7)
    }

    /// `AEXNOTIFY`: threads may be told of interruptions.
    pub const fn aex_notify(self) -> bool {
        self.bit(10)
    }

    /// The bits that the specification reserves and that are nevertheless set.
    pub const fn unknown(self) -> u64 {
        self.flags & !Self::KNOWN
    }

    /// The 16 bytes as they are in memory.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let (flags, xfrm) = bytes.split_at_mut(8);
        flags.copy_from_slice(&self.flags.to_le_bytes());
        xfrm.copy_from_slice(&self.xfrm.0.to_le_bytes());
        bytes
    }

    /// The inverse of [`SgxAttributes::to_bytes`].
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let both = u128::from_le_bytes(bytes).to_le_bytes();
        let (flags, xfrm) = both.split_at(8);
        let number = |half: &[u8]| half.first_chunk().copied().map_or(0, u64::from_le_bytes);
        Self { flags: number(flags), xfrm: Xfam(number(xfrm)) }
    }

    /// The same attributes with debugging or not.
    #[must_use]
    pub const fn with_debug(self, debug: bool) -> Self {
        let flags = if debug { self.flags | 0b10 } else { self.flags & !0b10 };
        Self { flags, ..self }
    }

    const fn bit(self, number: u32) -> bool {
        self.flags >> number & 1 == 1
    }
}

/// `MISCSELECT`: what an interruption of an enclave stores beside its registers (SDM, volume 3D, section 34.7.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MiscSelect(pub u32);

impl MiscSelect {
    /// `EXINFO`: information about page faults and general protection faults.
    pub const fn exinfo(self) -> bool {
        self.0 & 1 == 1
    }

    /// `CPINFO`: information about control protection faults.
    pub const fn cpinfo(self) -> bool {
        self.0 & 2 == 2
    }

    /// The bits that the specification reserves and that are nevertheless set.
    pub const fn unknown(self) -> u32 {
        self.0 & !0b11
    }
}

macro_rules! debug_hex {
    ($($name:ident)+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }
    )+};
}

debug_hex!(TdAttributes Xfam SeamAttributes MiscSelect);

impl fmt::Debug for SgxAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SgxAttributes({:#x}, {:#x})", self.flags, self.xfrm.0)
    }
}
