// SPDX-License-Identifier: Apache-2.0

//! Tells the tenant, step by step, what was done and proved. Always on standard error: standard output belongs to the
//! workload.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use crate::args::{Format, OutputOptions};
use crate::terminal::visible;

/// Width of the column of step names: the longest is `provisioned`.
const NAME_WIDTH: usize = 11;

pub(crate) struct Progress {
    format: Format,
    quiet: bool,
    terminal: bool,
    started: Instant,
    last: Instant,
}

impl Progress {
    pub(crate) fn new(options: &OutputOptions) -> Self {
        let now = Instant::now();
        let terminal = std::io::stderr().is_terminal();
        Self { format: options.format, quiet: options.quiet, terminal, started: now, last: now }
    }

    #[cfg(test)]
    pub(crate) fn silent() -> Self {
        Self::new(&OutputOptions { quiet: true, format: Format::Text })
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Tells that a step is done. `detail` is for people, `fields` are the same facts for programs.
    pub(crate) fn step(&mut self, name: &str, detail: &str, fields: Value) {
        let now = Instant::now();
        let took = now.duration_since(std::mem::replace(&mut self.last, now));
        match self.format {
            Format::Json => {
                let mut event = Map::new();
                event.insert("event".to_owned(), json!("step"));
                event.insert("step".to_owned(), json!(name));
                event.insert("microseconds".to_owned(), json!(saturating_micros(took)));
                if let Value::Object(fields) = fields {
                    event.extend(fields);
                }
                tell_json!(&Value::Object(event));
            }
            Format::Text | Format::Ear if !self.quiet => self.line(name, detail),
            Format::Text | Format::Ear => {}
        }
    }

    fn line(&self, name: &str, detail: &str) {
        let detail = visible(detail);
        let mut lines = detail.lines();
        let (bold, dim, plain) = if self.terminal { ("\x1b[1m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
        let mut text = format!("{bold}{name:>NAME_WIDTH$}{plain}  {}\n", lines.next().unwrap_or_default());
        for line in lines {
            let _ = writeln!(text, "{:>NAME_WIDTH$}  {dim}{line}{plain}", "");
        }
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// Tells of something that went wrong without stopping the work.
    pub(crate) fn warning(&self, text: &str) {
        match self.format {
            Format::Json => tell_json!(&json!({ "event": "warning", "message": text })),
            Format::Text | Format::Ear => tell!("warning: {text}"),
        }
    }

    /// Tells the end: time since the start and whatever `fields` say.
    pub(crate) fn finish(&mut self, detail: &str, fields: &Value) {
        let total = self.started.elapsed();
        let mut all = json!({ "total_microseconds": saturating_micros(total) });
        if let (Value::Object(all), Value::Object(fields)) = (&mut all, fields) {
            all.extend(fields.clone());
        }
        self.step("finished", &format!("{detail}, {} ms in all", total.as_millis()), all);
    }

    /// A sign of life for long work of unknown length, where somebody is looking.
    pub(crate) fn spinner(&self) -> ProgressBar {
        if self.quiet || self.format == Format::Json || !self.terminal {
            return ProgressBar::hidden();
        }
        let spinner = ProgressBar::new_spinner();
        spinner.enable_steady_tick(Duration::from_millis(100));
        spinner
    }

    /// A bar for long work, where somebody is looking; it prints nothing otherwise.
    pub(crate) fn bar(&self, label: &str, length: u64) -> ProgressBar {
        if self.quiet || self.format == Format::Json || !self.terminal {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{prefix:>11}  {bar:30} {bytes}/{total_bytes}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(length).with_style(style);
        bar.set_prefix(label.to_owned());
        bar
    }
}

fn saturating_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
