// SPDX-License-Identifier: Apache-2.0

//! Runs one workload to its end, whatever that end is.

mod limits;
mod state;
mod stop;

pub use limits::{Exceeded, Limit, Limits};
pub use state::Exit;
pub(crate) use state::State;
pub use stop::Stop;
