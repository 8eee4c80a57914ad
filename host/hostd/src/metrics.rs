// SPDX-License-Identifier: Apache-2.0

//! Counters of a host, as Prometheus text. They say how much, never for whom.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// The counters. They only ever grow.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) keeps_created: AtomicU64,
    pub(crate) keeps_failed: AtomicU64,
    pub(crate) keeps_ended: AtomicU64,
    pub(crate) keeps_expired: AtomicU64,
    pub(crate) bytes_to_keeps: AtomicU64,
    pub(crate) bytes_from_keeps: AtomicU64,
    pub(crate) evidence_made: AtomicU64,
    pub(crate) evidence_refused: AtomicU64,
    pub(crate) protocol_violations: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) connections_refused: AtomicU64,
}

impl Metrics {
    /// Adds to a counter.
    pub(crate) fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }

    /// Prometheus text exposition format, version 0.0.4.
    pub(crate) fn render(&self, keeps_running: usize) -> String {
        let counters = [
            ("enarx_keeps_created_total", "Keeps that became ready", &self.keeps_created),
            ("enarx_keeps_failed_total", "Keeps that never became ready", &self.keeps_failed),
            ("enarx_keeps_ended_total", "Keeps that ended after they were ready", &self.keeps_ended),
            ("enarx_keeps_expired_total", "Keeps ended because nobody provisioned them", &self.keeps_expired),
            ("enarx_relayed_to_keeps_bytes_total", "bytes relayed to Keeps", &self.bytes_to_keeps),
            ("enarx_relayed_from_keeps_bytes_total", "bytes relayed from Keeps", &self.bytes_from_keeps),
            ("enarx_evidence_made_total", "evidence made for Keeps", &self.evidence_made),
            ("enarx_evidence_refused_total", "evidence refused or failed", &self.evidence_refused),
            ("enarx_protocol_violations_total", "Keeps ended for what they said", &self.protocol_violations),
            ("enarx_connections_total", "connections accepted", &self.connections),
            ("enarx_connections_refused_total", "connections over a limit", &self.connections_refused),
        ];
        let mut text = String::new();
        for (name, help, value) in counters {
            let value = value.load(Ordering::Relaxed);
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}");
        }
        let name = "enarx_keeps_running";
        let _ = writeln!(text, "# HELP {name} Keeps that run\n# TYPE {name} gauge\n{name} {keeps_running}");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_rendered_as_prometheus_text() {
        let metrics = Metrics::default();
        Metrics::add(&metrics.bytes_to_keeps, 7);
        let text = metrics.render(3);
        assert!(text.contains(
            "# TYPE enarx_relayed_to_keeps_bytes_total counter\nenarx_relayed_to_keeps_bytes_total 7\n"
        ));
        assert!(text.ends_with("# TYPE enarx_keeps_running gauge\nenarx_keeps_running 3\n"));
    }
}
