// SPDX-License-Identifier: Apache-2.0

//! Arm Confidential Compute Architecture (CCA).
//!
//! A token is two signed sets of claims: those of the platform, signed by a key that its manufacturer endorses,
//! and those of the realm, signed by a key of the realm manager (RAK) whose digest is the platform's challenge.
//! Two documents say what the bytes mean, and the documentation here names their sections:
//!
//! - *Realm Management Monitor specification*, DEN0137 ("RMM"), section A7.2: attestation token;
//! - *Arm's Confidential Compute Architecture Reference Attestation Token*, draft-ffm-rats-cca-token ("token
//!   draft"), of which version 00 has the collection of tag 399 and version 02 that of tag 907.

mod components;
mod hash;
mod platform;
mod realm;
mod token;

pub use components::SoftwareComponent;
pub use hash::{HashAlgorithm, Measurement};
pub use platform::{Lifecycle, LifecycleState, PlatformClaims, PlatformProfile};
pub use realm::{MecPolicy, RealmClaims, RealmProfile};
pub use token::{Token, Wrapping};
