// SPDX-License-Identifier: Apache-2.0

//! The simulated vendor's certificates and revocation lists.
//!
//! They have the shape of AMD's (publication 57230, chapters 2 and 3): the same hierarchy, algorithms and
//! parameters, extensions, serial numbers and periods of validity. Only keys and names differ.

mod authority;
mod leaf;
mod x509;

pub(crate) use authority::{Authority, Role, revocation_list};
pub(crate) use leaf::{Leaf, LeafId};
