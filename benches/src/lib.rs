// SPDX-License-Identifier: Apache-2.0

//! Arithmetic for benchmarks: these machines are noisy, so medians of interleaved runs, and ratios.

use std::time::Duration;

/// The middle of the measurements, and their lower and upper quartile.
///
/// # Panics
///
/// When there are none.
pub fn quartiles(mut measured: Vec<Duration>) -> (Duration, Duration, Duration) {
    assert!(!measured.is_empty(), "nothing was measured");
    measured.sort_unstable();
    let at = |quarter: usize| measured.get((measured.len() - 1) * quarter / 4).copied().unwrap_or_default();
    (at(1), at(2), at(3))
}

/// Milliseconds with two digits behind the point.
pub fn milliseconds(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_of_five_are_the_second_third_and_fourth() {
        let measured = [5, 1, 4, 2, 3].map(Duration::from_secs).to_vec();
        let expected = (2, 3, 4);
        let (low, middle, high) = quartiles(measured);
        assert_eq!((low.as_secs(), middle.as_secs(), high.as_secs()), expected);
    }
}
