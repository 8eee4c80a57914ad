// SPDX-License-Identifier: Apache-2.0

//! The platform port: a Keep sends 64 bytes of report data and gets evidence over them.
//!
//! On hardware the CPU makes the report and the host only adds endorsements. Here the simulated vendor makes both, which
//! is why a simulated platform proves nothing against its host.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use enarx_evidence::Format;
use enarx_keep::wire::{EVIDENCE_REQUEST, encode_evidence};
use enarx_simulator::{Launched, Rehearsal, Simulator};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::api::{API_VERSION, PlatformInfo};
use crate::config::{HostConfig, HostLimits};
use crate::error::HostError;
use crate::metrics::Metrics;
use crate::process::Program;
use crate::recorder::Direction;
use crate::stream::Tap;

/// How long a Keep may take to send its request, and to read the answer.
const IDLE: Duration = Duration::from_secs(10);
/// The platform of Keeps that stand in a TEE: which one it is, their evidence says.
const REAL: &str = "this machine";
/// What tenants and hosts should know of those Keeps.
const UNTRIED: &str =
    "this back end was NEVER RUN ON HARDWARE: the launch follows the specifications, and no more is known";
/// Evidence that is made at the same time: signing keeps a processor busy.
const PARALLEL: usize = 2;

/// Makes evidence for the Keeps of one host.
pub(crate) struct Attester {
    simulator: Simulator,
    simulator_dir: PathBuf,
    platform: Rehearsal,
    program: Arc<Program>,
    backend: &'static str,
    /// Keeps stand in a TEE, which makes their evidence: nothing is simulated.
    in_tee: bool,
    places: Semaphore,
}

impl Attester {
    /// Opens the simulated vendor, and gets it and the measurement ready in the background: the first Keep starts
    /// meanwhile, and nobody needs either before that Keep asks for evidence.
    pub(crate) fn open(config: &HostConfig, program: Arc<Program>) -> Result<Arc<Self>, HostError> {
        let simulator_dir = config.simulator_dir.clone();
        let simulator = Simulator::open(&simulator_dir)
            .map_err(|source| HostError::Simulator { dir: simulator_dir.clone(), source })?;
        let platform = config.platform.clone();
        let places = Semaphore::new(PARALLEL);
        let attester = Arc::new(Self {
            simulator,
            simulator_dir,
            platform,
            program,
            backend: config.backend.name(),
            in_tee: config.backend.in_tee(),
            places,
        });
        if attester.in_tee {
            return Ok(attester);
        }
        let early = Arc::clone(&attester);
        std::thread::Builder::new()
            .name("enarx-prepare".to_owned())
            .spawn(move || early.prepare())
            .map_err(|source| HostError::Start { source })?;
        Ok(attester)
    }

    /// Keys that do not exist yet are made, those that exist are read. What fails here fails again, and is reported,
    /// when somebody needs it.
    fn prepare(&self) {
        let launched = self.launched([0; 32]);
        if let Err(error) = self.simulator.rehearse(&self.platform, &[0; EVIDENCE_REQUEST], &launched) {
            tracing::warn!(%error, "the simulated platform is not ready");
        }
    }

    /// The kind of TEE.
    pub(crate) fn tee(&self) -> &'static str {
        if self.in_tee { Format::SevSnp.name() } else { self.platform.format().name() }
    }

    /// Whether the TEE is simulated.
    pub(crate) fn simulated(&self) -> bool {
        !self.in_tee
    }

    /// The platform as text.
    pub(crate) fn platform(&self) -> &'static str {
        if self.in_tee { REAL } else { self.platform.name() }
    }

    /// What is launched, in the words of the simulator. Waits for the digests of the Keep program; the one that is
    /// not needed is not taken.
    fn launched(&self, host_data: [u8; 32]) -> Launched {
        let sha256 = if self.platform.measures_by_sha256() { self.program.sha256() } else { [0; 32] };
        Launched { sha384: self.program.measurement(self.platform.format()), sha256, host_data }
    }

    /// What the host offers. Waits for the measurement of the Keep program.
    pub(crate) fn describe(&self) -> Result<PlatformInfo, HostError> {
        let failed = |source| HostError::Simulator { dir: self.simulator_dir.clone(), source };
        if self.in_tee {
            return Ok(PlatformInfo {
                api: API_VERSION,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                backend: self.backend.to_owned(),
                tee: self.tee().to_owned(),
                platform: self.platform().to_owned(),
                simulated: false,
                caveat: Some(UNTRIED.to_owned()),
                simulated_root_spki_sha256: None,
                measurement: hex::encode(self.program.measurement(Format::SevSnp)),
            });
        }
        let root = self.simulator.rehearsal_root_spki_sha256(&self.platform).map_err(failed)?;
        Ok(PlatformInfo {
            api: API_VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            backend: self.backend.to_owned(),
            tee: self.tee().to_owned(),
            platform: self.platform().to_owned(),
            simulated: true,
            caveat: self.platform.caveat().map(str::to_owned),
            simulated_root_spki_sha256: Some(hex::encode(root)),
            measurement: hex::encode(self.platform.measurement(&self.launched([0; 32]))),
        })
    }

    /// Evidence over `report_data` for a Keep that was launched with a configuration of this digest.
    async fn attest(
        self: &Arc<Self>,
        report_data: [u8; EVIDENCE_REQUEST],
        host_data: [u8; 32],
    ) -> Option<Vec<u8>> {
        // A Keep in a TEE has evidence of its own, and gets none that is simulated.
        if self.in_tee {
            return None;
        }
        let _place = self.places.acquire().await.ok()?;
        let this = Arc::clone(self);
        let made = tokio::task::spawn_blocking(move || {
            this.simulator.rehearse(&this.platform, &report_data, &this.launched(host_data))
        });
        match made.await {
            Ok(Ok(bundle)) => Some(bundle.encode()),
            Ok(Err(error)) => {
                tracing::error!(%error, "cannot make evidence");
                None
            }
            Err(error) => {
                tracing::error!(%error, "making evidence failed");
                None
            }
        }
    }
}

/// The host data field of a report: SHA-256 of the launch configuration.
pub(crate) fn host_data(launch: &[u8]) -> [u8; 32] {
    Sha256::digest(launch).into()
}

/// Answers the one request of a platform stream, and closes it.
pub(crate) async fn serve(
    mut stream: UnixStream,
    attester: Arc<Attester>,
    rate: Arc<Rate>,
    host_data: [u8; 32],
    tap: Tap,
) {
    let mut report_data = [0; EVIDENCE_REQUEST];
    let Ok(Ok(_)) = timeout(IDLE, stream.read_exact(&mut report_data)).await else { return };
    tap.note(Direction::FromKeep, &report_data);
    let evidence = if rate.take() { attester.attest(report_data, host_data).await } else { None };
    let counter =
        if evidence.is_some() { &tap.metrics().evidence_made } else { &tap.metrics().evidence_refused };
    Metrics::add(counter, 1);
    let answer = encode_evidence(evidence.as_deref());
    if let Ok(Ok(())) = timeout(IDLE, stream.write_all(&answer)).await {
        tap.note(Direction::ToKeep, &answer);
    }
}

/// How often one Keep may ask for evidence: a bucket that fills at a steady rate.
pub(crate) struct Rate {
    burst: f64,
    per_second: f64,
    state: std::sync::Mutex<(f64, Instant)>,
}

impl Rate {
    pub(crate) fn new(limits: &HostLimits) -> Self {
        let burst = f64::from(limits.evidence_burst);
        Self {
            burst,
            per_second: f64::from(limits.evidence_per_minute) / 60.0,
            state: std::sync::Mutex::new((burst, Instant::now())),
        }
    }

    fn take(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (left, since) = *state;
        let now = Instant::now();
        let left = (left + now.duration_since(since).as_secs_f64() * self.per_second).min(self.burst);
        let allowed = left >= 1.0;
        *state = (if allowed { left - 1.0 } else { left }, now);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn evidence_is_limited_to_a_burst_and_a_rate() {
        let limits = HostLimits { evidence_burst: 2, evidence_per_minute: 60, ..HostLimits::default() };
        let rate = Rate::new(&limits);
        assert_eq!([rate.take(), rate.take(), rate.take()], [true, true, false]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!([rate.take(), rate.take()], [true, false]);
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!([rate.take(), rate.take(), rate.take()], [true, true, false]);
    }
}
