// SPDX-License-Identifier: Apache-2.0

//! NVIDIA GPUs and switches: signed measurements of their firmware.
//!
//! A device answers the request `GET_MEASUREMENTS` of the *Security Protocol and Data Model Specification*
//! (DSP0274, version 1.1; "DSP0274" below), and request and answer together are the evidence. What NVIDIA puts into
//! the opaque data of the answer is described with its open *nvtrust* tools. Numbers are little-endian.

mod fwid;
mod opaque;
mod report;
mod rim;
mod xml;

pub use fwid::{encode_firmware_id, firmware_id};
pub use opaque::{OpaqueData, OpaqueField};
pub use report::{Measurement, Report};
pub use rim::Rim;
