// SPDX-License-Identifier: Apache-2.0

//! Golden files for what `enarx` prints: help, templates, and the errors of every command that needs no Keep. A change
//! here is a change for users; `TRYCMD=overwrite` writes the files anew, to be read before they are committed.

use enarx_tests::{Tenant, program};

#[test]
fn help_templates_and_errors_are_as_written_down() {
    let tenant = Tenant::new();
    let state = tenant.state().display().to_string();
    let cache = tenant.path("cache").display().to_string();
    trycmd::TestCases::new()
        .register_bin("enarx", program("enarx"))
        .env("ENARX_STATE_DIR", state)
        .env("ENARX_CACHE_DIR", cache)
        .env("COLUMNS", "100")
        .case("tests/printed/*.trycmd")
        .run();
}
