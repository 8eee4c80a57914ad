// SPDX-License-Identifier: Apache-2.0

//! Not written yet.

fn main() {}
