// SPDX-License-Identifier: Apache-2.0

//! What Intel says about a TCB.

use core::fmt;

/// The status of a TCB: that of a level as Intel publishes it (PCS, TCB info), or the result of putting those of
/// platform, module and quoting enclave together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TcbStatus {
    /// Everything is as Intel wants it.
    UpToDate,
    /// Up to date, but the code inside must protect itself against known attacks.
    SwHardeningNeeded,
    /// Up to date, but the platform must be configured differently.
    ConfigurationNeeded,
    /// Both of the above.
    ConfigurationAndSwHardeningNeeded,
    /// The platform is up to date, but the TD was launched before the TDX module was updated. Never published,
    /// always a result.
    TdRelaunchAdvised,
    /// The same, and the platform must be configured differently. Never published, always a result.
    TdRelaunchAdvisedConfigurationNeeded,
    /// Updates with security fixes are missing.
    OutOfDate,
    /// The same, and the platform must be configured differently.
    OutOfDateConfigurationNeeded,
    /// Nothing that this TCB says can be trusted.
    Revoked,
}

impl TcbStatus {
    /// All of them, from good to bad.
    pub const ALL: [Self; 9] = [
        Self::UpToDate,
        Self::SwHardeningNeeded,
        Self::ConfigurationNeeded,
        Self::ConfigurationAndSwHardeningNeeded,
        Self::TdRelaunchAdvised,
        Self::TdRelaunchAdvisedConfigurationNeeded,
        Self::OutOfDate,
        Self::OutOfDateConfigurationNeeded,
        Self::Revoked,
    ];

    /// The name that Intel gives it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UpToDate => "UpToDate",
            Self::SwHardeningNeeded => "SWHardeningNeeded",
            Self::ConfigurationNeeded => "ConfigurationNeeded",
            Self::ConfigurationAndSwHardeningNeeded => "ConfigurationAndSWHardeningNeeded",
            Self::TdRelaunchAdvised => "TDRelaunchAdvised",
            Self::TdRelaunchAdvisedConfigurationNeeded => "TDRelaunchAdvisedConfigurationNeeded",
            Self::OutOfDate => "OutOfDate",
            Self::OutOfDateConfigurationNeeded => "OutOfDateConfigurationNeeded",
            Self::Revoked => "Revoked",
        }
    }

    /// The status with a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether Intel publishes levels with this status.
    pub const fn is_published(self) -> bool {
        !matches!(self, Self::TdRelaunchAdvised | Self::TdRelaunchAdvisedConfigurationNeeded)
    }

    /// Whether the platform must be configured differently.
    pub const fn needs_configuration(self) -> bool {
        matches!(
            self,
            Self::ConfigurationNeeded
                | Self::ConfigurationAndSwHardeningNeeded
                | Self::OutOfDateConfigurationNeeded
                | Self::TdRelaunchAdvisedConfigurationNeeded
        )
    }
}

impl fmt::Display for TcbStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
