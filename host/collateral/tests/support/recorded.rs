// SPDX-License-Identifier: Apache-2.0

//! Recorded evidence, which is not part of this project. It is looked for where `ENARX_VECTORS` says, otherwise beside
//! the workspace; where it is absent a test prints a line that starts with `skipped: ` and ends.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

pub(crate) struct Recorded {
    dir: PathBuf,
    manifest: Table,
}

impl Recorded {
    #[allow(clippy::print_stdout, reason = "what is skipped is said")]
    pub(crate) fn find() -> Option<Self> {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
        let dir = std::env::var_os("ENARX_VECTORS").map_or(beside, PathBuf::from);
        let Ok(text) = std::fs::read_to_string(dir.join("manifest.toml")) else {
            println!("skipped: no recorded evidence in {}", dir.display());
            return None;
        };
        Some(Self { manifest: text.parse().unwrap(), dir })
    }

    pub(crate) fn cases(&self) -> &[Value] {
        self.manifest["case"].as_array().unwrap()
    }

    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.dir.join(path)).unwrap()
    }
}

/// The time for which a case was recorded, in seconds since 1970.
pub(crate) fn verify_time(case: &Value) -> u64 {
    let text = case["verify_time"].as_datetime().unwrap().to_string();
    text.parse::<der::DateTime>().unwrap().unix_duration().as_secs()
}

/// The texts of a list.
pub(crate) fn texts<'a>(case: &'a Value, key: &str) -> Vec<&'a str> {
    case.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}
