// SPDX-License-Identifier: Apache-2.0

//! A connection that ended before the workload did: what the host knows about it. Nothing is decided by it; that the
//! Keep is gone is known from the session, and a host may say about the reason what it likes.

use std::time::Duration;

use enarx_hostd::api::{KeepExit, KeepInfo, KeepState};
use tokio::time::{sleep, timeout};

use crate::failure::{Cause, Failure, Outcome};

/// How long the host is asked. It has to reap a Keep before it knows how the Keep ended.
const PATIENCE: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_millis(50);

/// Adds to a lost connection what the host says about the Keep.
pub(crate) async fn explained<T>(outcome: Outcome<T>, ask: impl AsyncFn() -> Option<KeepInfo>) -> Outcome<T> {
    let Err(failure) = outcome else { return outcome };
    if failure.cause() != Cause::ConnectionLost {
        return Err(failure);
    }
    let ended = async {
        loop {
            let info = ask().await?;
            if info.state == KeepState::Ended {
                return info.exit;
            }
            sleep(AGAIN).await;
        }
    };
    match timeout(PATIENCE, ended).await {
        Ok(Some(exit)) => Err(told(failure, exit)),
        Ok(None) => Err(failure),
        Err(_) => {
            Err(failure.hint("the host says that the Keep still runs: it was the connection that was cut"))
        }
    }
}

fn told(failure: Failure, exit: KeepExit) -> Failure {
    if let Some(signal) = exit.signal {
        return failure
            .saying(format!("the Keep was killed in the middle, its host says: signal {signal}"))
            .hint("the host may have run out of memory, or somebody there ended it; its log tells more");
    }
    let (meaning, hint) = exit.code.and_then(meaning).unwrap_or_default();
    failure
        .saying(format!("the Keep ended in the middle, its host says: {exit}{meaning}"))
        .hint(if hint.is_empty() { "the log of the host tells more" } else { hint })
}

/// What the exit codes of docs/host-stream.md and docs/micro-vm-keep.md mean, and what to do.
fn meaning(code: i32) -> Option<(&'static str, &'static str)> {
    Some(match code {
        70 => (", the host broke the protocol", ""),
        71 => (", a layer of its sandbox is missing", ""),
        72 => (
            ", it could not start",
            "a virtual machine needs /dev/kvm or QEMU 10, and the unikernel that came with this `enarx`",
        ),
        73 => (
            ", its virtual machine crashed",
            "a KVM that does not execute every instruction cannot run it; `--backend qemu` needs no KVM",
        ),
        74 => (", its CPU lacks what a Keep needs", "a Keep needs RDRAND or RDSEED, and x2APIC"),
        75 => (", its source of randomness does not work", ""),
        76 => (", no memory was left", "`--memory` gives it more"),
        77 => (", it met an exception of the CPU", "this should not happen: please report it"),
        78 => (
            ", it met an error of its own",
            "if it ran out of memory, `--memory` gives it more; if not, please report it",
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_is_documented_has_a_meaning() {
        let documents =
            [include_str!("../../../docs/host-stream.md"), include_str!("../../../docs/micro-vm-keep.md")];
        let codes: Vec<i32> = documents
            .iter()
            .flat_map(|text| text.lines())
            .filter_map(|line| line.strip_prefix("| 7")?.get(..1)?.parse::<i32>().ok())
            .map(|digit| 70 + digit)
            .collect();
        assert!((70..=78).all(|code| codes.contains(&code)), "{codes:?}");
        assert!(codes.into_iter().all(|code| meaning(code).is_some()));
        assert_eq!(meaning(0), None);
    }
}
