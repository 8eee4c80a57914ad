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
    match exit.signal {
        Some(signal) => failure
            .saying(format!("the Keep was killed in the middle, its host says: signal {signal}"))
            .hint("the host may have run out of memory, or somebody there ended it; its log tells more"),
        None => failure
            .saying(format!("the Keep ended in the middle, its host says: {exit}"))
            .hint("the log of the host tells more"),
    }
}
