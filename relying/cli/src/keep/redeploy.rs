// SPDX-License-Identifier: Apache-2.0

//! A workload whose Keep is refused starts anew in the first Keep of another host that the same policy accepts.

use enarx_session::OwnerKey;
use enarx_session::wire::Status;

use super::status;
use crate::args::{Format, OutputOptions, WorkloadArgs};
use crate::connect::{self, HostAddress};
use crate::failure::{Failure, Outcome};
use crate::progress::Progress;
use crate::provision::Job;
use crate::run::detached;
use crate::state::{KeepRecord, State};
use crate::trust::Trust;
use crate::workload::Workload;

/// Gives the workload of a Keep to the first of these hosts whose Keep is accepted. It is the very workload, or none.
pub(super) async fn elsewhere(
    record: &KeepRecord,
    hosts: &[String],
    (state, owner, trust): (&State, &OwnerKey, &Trust),
) -> Outcome<KeepRecord> {
    // What has done its work is not done a second time.
    if let Status { exit: Some(_), .. } = status(record, owner).await? {
        return Err(Failure::usage("its workload has ended, and is not started again"));
    }
    let mut failures = Vec::new();
    for host in hosts.iter().filter(|host| **host != record.host) {
        match on(host, record, (state, owner, trust)).await {
            Ok(record) => return Ok(record),
            Err(failure) => failures.push(format!("{host}: {}", failure.message())),
        }
    }
    if failures.is_empty() {
        return Err(Failure::usage("no other host is named; `--redeploy-to` does"));
    }
    Err(Failure::unreachable(failures.join("; ")))
}

async fn on(
    host: &str,
    record: &KeepRecord,
    (state, owner, trust): (&State, &OwnerKey, &Trust),
) -> Outcome<KeepRecord> {
    let workload = read(record)?;
    let address = HostAddress::parse(host)?;
    let keep = connect::create(&address).await?;
    let stream = connect::control(&address, keep.id).await?;
    let job = Job { owner, trust, state, attach: false, cache: true };
    let mut progress = Progress::new(&OutputOptions { quiet: true, format: Format::Text });
    detached(stream, workload, &job, &address, &keep, &mut progress).await
}

/// The workload as it was deployed, from where it was read then.
fn read(record: &KeepRecord) -> Outcome<Workload> {
    let Some(source) = record.source.clone() else {
        return Err(Failure::usage(
            "where its workload came from was not recorded by the version that deployed it",
        ));
    };
    let workload = Workload::read(&WorkloadArgs::from(source))?;
    let found = hex::encode(workload.digest.as_bytes());
    if found != record.workload_digest {
        return Err(Failure::usage(format!(
            "{} has changed since: it is workload {found} now, and not {}",
            workload.path.display(),
            record.workload_digest
        )));
    }
    Ok(workload)
}
