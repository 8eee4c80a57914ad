// SPDX-License-Identifier: Apache-2.0

//! The Keep program, and the sandbox that it can put up here: found out by starting one.

use std::path::Path;

use enarx_hostd::api::SandboxLayer;
use enarx_hostd::{Backend, Host, HostConfig, HostError};
use sha2::{Digest as _, Sha384};

use super::Line;
use crate::failure::chain;
use crate::state::State;
use crate::terminal::printable;

/// The simulated platform with which the least has to be made for a Keep that nobody will attest.
const PLATFORM: &str = "aws/nitro";

/// Whether the program is there, and its measurement.
pub(super) fn program(named: Option<&Path>) -> Line {
    const ID: &str = "keep-program";
    let path = match enarx_hostd::keep_program(named) {
        Ok(path) => path,
        Err(error) => return refused(ID, &error),
    };
    match std::fs::read(&path) {
        Ok(program) => {
            let digest = hex::encode(Sha384::digest(&program));
            Line::ok(ID, format!("{}; policies mean sha384:{digest} by `release`", path.display()))
        }
        Err(error) => {
            Line::fail(ID, format!("{}: {error}", path.display()), "make it readable for this user")
        }
    }
}

/// Starts a Keep and looks at its layers. It never gets a workload.
pub(super) async fn sandbox(named: Option<&Path>) -> Vec<Line> {
    const ID: &str = "sandbox";
    let Ok(program) = enarx_hostd::keep_program(named) else { return Vec::new() };
    let layers = match layers(&program).await {
        Ok(layers) => layers,
        Err(line) => return vec![line],
    };
    let missing: Vec<_> = layers.iter().filter(|layer| !layer.active).collect();
    if missing.is_empty() {
        return vec![Line::ok(ID, format!("a Keep was started: {} of {0} layers", layers.len()))];
    }
    missing.into_iter().map(|layer| Line::warn(ID, describe(layer), advice(&layer.name))).collect()
}

async fn layers(program: &Path) -> Result<Vec<SandboxLayer>, Line> {
    const ID: &str = "keep";
    let state = State::open().map_err(|failure| Line::failed(ID, &failure))?;
    let platform = PLATFORM.parse().map_err(|error| Line::fail(ID, format!("{error}"), ""))?;
    let config =
        HostConfig::new(Backend::Process { program: program.to_owned() }, state.simulator_folder(), platform);
    let host = Host::new(config).map_err(|error| refused(ID, &error))?;
    let keep = host.create().await.map_err(|error| refused(ID, &error));
    host.shutdown().await;
    keep.map(|keep| keep.sandbox)
}

fn refused(id: &'static str, error: &HostError) -> Line {
    Line { fix: error.hint().map(str::to_owned), ..Line::fail(id, chain(error), "") }
}

fn describe(layer: &SandboxLayer) -> String {
    let why = if layer.detail.is_empty() { "the kernel refuses it" } else { &layer.detail };
    format!("a Keep was started without the layer `{}`: {}", printable(&layer.name), printable(why))
}

/// What gives a layer that is missing.
fn advice(layer: &str) -> &'static str {
    match layer {
        "landlock" => "use Linux 5.13 or later with `landlock` among the modules of the kernel option `lsm=`",
        "seccomp" => "use a kernel with CONFIG_SECCOMP_FILTER",
        "user-namespace" | "mount-namespace" | "pid-namespace" | "network-namespace" | "ipc-namespace"
        | "uts-namespace" | "cgroup-namespace" | "empty-root" => {
            "allow user namespaces: `sysctl user.max_user_namespaces`, on Ubuntu also \
             `kernel.apparmor_restrict_unprivileged_userns=0`, in containers a profile that allows `unshare`"
        }
        "unprivileged-user" => "run as a user other than root",
        _ => "docs/process-keep.md says what the layer is for; `--require-sandbox` refuses Keeps without it",
    }
}
