// SPDX-License-Identifier: Apache-2.0

//! When to ask again: spacing of requests, and patience after refusals.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often and how long something is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Most requests for one thing to one source.
    pub attempts: u32,
    /// Most time for one thing from one source, waiting included.
    pub total_time: Duration,
    /// Longest wait after the first failure; it doubles with every further one.
    pub first_wait: Duration,
    /// Longest wait after any failure, unless the server asks for more.
    pub longest_wait: Duration,
    /// Whether requests about the same chip are spaced as AMD asks. Tests switch it off.
    pub spaced: bool,
}

impl Default for Patience {
    /// Five requests within two minutes, waits from 1 s to 30 s.
    fn default() -> Self {
        Self {
            attempts: 5,
            total_time: Duration::from_mins(2),
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(30),
            spaced: true,
        }
    }
}

impl Patience {
    /// How long to wait after a failure, the first one having number 1: between half of and all of a time that
    /// doubles, so that many who failed together do not come back together; at least what the server asked for.
    pub(crate) fn wait(&self, failure: u32, asked: Option<Duration>) -> Duration {
        let doublings = failure.saturating_sub(1).min(16);
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let longest = self.first_wait.saturating_mul(factor).min(self.longest_wait);
        let half = longest / 2;
        let wait = half.saturating_add(half.mul_f64(fraction()));
        asked.map_or(wait, |asked| asked.max(wait))
    }
}

/// A number from 0 to 1.
fn fraction() -> f64 {
    let mut bytes = [0; 4];
    // Without randomness the waits are shorter, and nothing else is lost.
    let _ = getrandom::fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

/// When which requests may be sent next.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    next: Mutex<BTreeMap<String, Instant>>,
}

impl Pacer {
    /// Most names that are remembered.
    const MAX_NAMES: usize = 4096;

    /// Takes the next turn for a name and says when it is. Turns of a name are `spacing` apart; the server may
    /// have postponed all of its own. If the turn would come after `latest`, it is not taken, and the wait is the
    /// error.
    pub(crate) fn turn(
        &self,
        name: &str,
        server: &str,
        spacing: Duration,
        latest: Instant,
    ) -> Result<Instant, Duration> {
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn =
            [name, server].iter().filter_map(|name| next.get(*name)).fold(now, |turn, at| turn.max(*at));
        if turn > latest {
            return Err(turn.saturating_duration_since(now));
        }
        if !spacing.is_zero() {
            if next.len() >= Self::MAX_NAMES {
                next.retain(|_, at| *at > now);
            }
            next.insert(name.to_owned(), turn.checked_add(spacing).unwrap_or(turn));
        }
        Ok(turn)
    }

    /// Lets nobody ask a server for a while, because it said so.
    pub(crate) fn postpone(&self, server: &str, wait: Duration) {
        let now = Instant::now();
        let until = now.checked_add(wait).unwrap_or(now);
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = next.entry(server.to_owned()).or_insert(until);
        *at = until.max(*at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_vary() {
        let patience = Patience::default();
        for (failure, longest) in [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (60, 30)] {
            let longest = Duration::from_secs(longest);
            for _ in 0..100 {
                let wait = patience.wait(failure, None);
                assert!(longest / 2 <= wait && wait <= longest, "{failure}: {wait:?}");
            }
        }
        let waits: Vec<_> = (0..100).map(|_| patience.wait(5, None)).collect();
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }

    #[test]
    fn servers_may_ask_for_more_and_not_for_less() {
        let patience = Patience::default();
        assert_eq!(patience.wait(1, Some(Duration::from_secs(77))), Duration::from_secs(77));
        assert!(patience.wait(4, Some(Duration::ZERO)) >= Duration::from_secs(4));
    }

    #[tokio::test(start_paused = true)]
    async fn turns_about_one_chip_are_spaced() {
        let (pacer, start) = (Pacer::default(), Instant::now());
        let space = Duration::from_secs(10);
        let latest = start + Duration::from_secs(70);
        let turn = |name: &str| {
            pacer
                .turn(name, "server", space, latest)
                .map(|turn| (turn - start).as_secs())
                .map_err(|wait| wait.as_secs())
        };
        assert_eq!([turn("one"), turn("one"), turn("other"), turn("one")], [Ok(0), Ok(10), Ok(0), Ok(20)]);
        pacer.postpone("server", Duration::from_mins(1));
        assert_eq!([turn("other"), turn("other"), turn("third")], [Ok(60), Ok(70), Ok(60)]);
        // A turn that comes too late is not taken.
        assert_eq!([turn("other"), turn("other")], [Err(80), Err(80)]);
    }
}
