// SPDX-License-Identifier: Apache-2.0

//! The options of `enarx keep watch`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The Keeps: names in `enarx keep ls`, or unique beginnings of them; all of them when absent
    #[arg(value_name = "KEEP")]
    pub(crate) keeps: Vec<String>,

    /// How long to wait between two rounds, such as 30s, 10m or 6h
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = period)]
    pub(crate) every: Duration,

    /// End after one round: with 0 if all Keeps are accepted, 3 if one is refused, 4 if one cannot be reached
    #[arg(long, conflicts_with = "every")]
    pub(crate) once: bool,

    /// The trust policy of all of them; by default each has the one it was deployed under
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) policy: Option<PathBuf>,

    /// Where the policy says `redeploy`, start the workload anew on the first of these hosts whose Keep is accepted; may be
    /// given several times
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) redeploy_to: Vec<String>,

    /// Stop a Keep where the policy says `drain`, which no Keep of this version can; otherwise it goes on
    #[arg(long)]
    pub(crate) stop_instead_of_drain: bool,
}

fn period(text: &str) -> Result<Duration, String> {
    let unit = text.char_indices().next_back().map(|(at, _)| text.split_at(at));
    let seconds = match unit {
        Some((count, "s")) => Some((count, 1)),
        Some((count, "m")) => Some((count, 60)),
        Some((count, "h")) => Some((count, 60 * 60)),
        _ => None,
    };
    let seconds = seconds.and_then(|(count, unit)| {
        count.parse::<u32>().ok().filter(|count| *count > 0).map(|count| u64::from(count) * unit)
    });
    seconds.map(Duration::from_secs).ok_or_else(|| "give it as 30s, 10m or 6h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_number_and_a_unit() {
        let seconds = |text| period(text).map(|time| time.as_secs());
        assert_eq!([seconds("30s"), seconds("10m"), seconds("6h")], [Ok(30), Ok(600), Ok(21600)]);
        for wrong in ["", "s", "0m", "10", "-1s", "1d", "10 m", "1.5h", "99999999999s", "5\u{e9}"] {
            assert!(period(wrong).is_err(), "{wrong}");
        }
    }
}
