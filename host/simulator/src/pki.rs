// SPDX-License-Identifier: Apache-2.0

//! The simulated vendor's certificates and revocation lists.
//!
//! Those for SEV-SNP have the shape of AMD's (publication 57230, chapters 2 and 3): the same hierarchy, algorithms
//! and parameters, extensions, serial numbers and periods of validity. Only keys and names differ. Other vendors
//! use elliptic curves, in hierarchies of their own ([`EcAuthority`]).

mod authority;
mod ec;
mod leaf;
mod x509;

pub(crate) use authority::{Authority, Role, revocation_list};
pub(crate) use ec::{EcAuthority, Subject, Use};
pub(crate) use leaf::{Leaf, LeafId};
pub(crate) use x509::{distribution_point, now, raw_extension};
