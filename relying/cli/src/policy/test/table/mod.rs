// SPDX-License-Identifier: Apache-2.0

//! The table of cases: a TOML file beside the policy, read with the place of whatever is wrong in it.

mod syntax;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use enarx_simulator::Rehearsal;
use enarx_verifier::{Code, UnixTime};
use toml::Spanned;

use self::syntax::{Misplaced, RawCase, RawExpected, Read, meant};
use crate::args::{Measurement, ReportData, TeeArg, evidence};
use crate::failure::{Failure, Outcome};
use crate::input;

/// Longest name of a case, in characters.
const MAX_NAME: usize = 200;

/// A policy and what it should answer.
pub(in crate::policy) struct Table {
    /// The file of the policy.
    pub(in crate::policy) policy: PathBuf,
    pub(in crate::policy) cases: Vec<Case>,
}

/// A question and its answer.
pub(in crate::policy) struct Case {
    pub(in crate::policy) name: String,
    pub(in crate::policy) source: Source,
    pub(in crate::policy) at: Option<UnixTime>,
    pub(in crate::policy) expect: Expected,
}

/// Where evidence comes from.
pub(in crate::policy) enum Source {
    /// This machine's simulator.
    Simulated {
        platform: Rehearsal,
        /// The simulated root counts as if it were that of the vendor.
        as_genuine: bool,
        /// What runs there; the Keep program that came with this `enarx` if nothing is said.
        measurement: Option<[u8; 48]>,
    },
    /// Files, as `enarx verify` takes them.
    Recorded(Box<Recorded>),
}

/// Evidence in files.
pub(in crate::policy) struct Recorded {
    pub(in crate::policy) evidence: PathBuf,
    pub(in crate::policy) tee: TeeArg,
    pub(in crate::policy) with: Vec<PathBuf>,
    pub(in crate::policy) endorsements: Vec<PathBuf>,
    pub(in crate::policy) collateral_bundles: Vec<PathBuf>,
    pub(in crate::policy) trust_roots: Vec<PathBuf>,
    pub(in crate::policy) report_data: Option<ReportData>,
    pub(in crate::policy) accept_unbound: bool,
}

/// What a policy should answer.
pub(in crate::policy) enum Expected {
    Accepted,
    /// These codes and no other.
    Refused(BTreeSet<&'static str>),
}

impl Table {
    /// Reads the file; paths in it are relative to it.
    pub(in crate::policy) fn read(file: &Path) -> Outcome<Self> {
        let text = input::text(file)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        read(&text, folder).map_err(|Misplaced { offset, message, hint }| {
            let before = text.get(..offset).unwrap_or(&text);
            let line = before.matches('\n').count().saturating_add(1);
            let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()).saturating_add(1);
            let failure = Failure::usage(format!("{}:{line}:{column}: {message}", file.display()));
            match hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })
    }
}

fn read(text: &str, folder: &Path) -> Read<Table> {
    let raw = syntax::read(text)?;
    let mut names = BTreeSet::new();
    let mut cases = Vec::new();
    for case in raw.case {
        let case = read_case(case, folder)?;
        if !names.insert(case.1.name.clone()) {
            let message = format!("two cases are called `{}`", case.1.name.escape_debug());
            return Err(Misplaced::new(case.0, message));
        }
        cases.push(case.1);
    }
    Ok(Table { policy: folder.join(raw.policy), cases })
}

/// A case and where its name stands.
fn read_case(case: Spanned<RawCase>, folder: &Path) -> Read<(usize, Case)> {
    let offset = case.span().start;
    let raw = case.into_inner();
    let name = raw.name.get_ref().clone();
    let at_name = raw.name.span().start;
    if name.is_empty() || name.chars().count() > MAX_NAME {
        let message = format!("`name` must have 1 to {MAX_NAME} characters");
        return Err(Misplaced::new(at_name, message));
    }
    let expect = expected(&raw.expect)?;
    let at = parsed("at", raw.at.as_ref(), evidence::moment)?;
    let source = source(&raw, folder, offset)?;
    Ok((at_name, Case { name, source, at, expect }))
}

fn source(raw: &RawCase, folder: &Path, offset: usize) -> Read<Source> {
    let wrong = |message: &str| Err(Misplaced::new(offset, message));
    let of_files = raw.tee.is_some()
        || raw.report_data.is_some()
        || raw.nonce.is_some()
        || raw.accept_unbound.is_some()
        || [&raw.with, &raw.endorsements, &raw.collateral_bundles, &raw.trust_roots]
            .iter()
            .any(|files| !files.is_empty());
    match (&raw.simulate, &raw.evidence) {
        (Some(_), None) if of_files => wrong(
            "a case with `simulate` has its evidence from there: only `as_genuine` and `measurement` go with it",
        ),
        (Some(platform), None) => {
            let platform = parsed("simulate", Some(platform), |text| {
                text.parse::<Rehearsal>().map_err(|error| error.to_string())
            })?;
            let Some(platform) = platform else { return wrong("`simulate` is missing") };
            let measurement = parsed("measurement", raw.measurement.as_ref(), evidence::measurement)?;
            let measurement = measurement.map(|Measurement(measurement)| measurement);
            Ok(Source::Simulated { platform, as_genuine: raw.as_genuine.unwrap_or(false), measurement })
        }
        (None, Some(_)) if raw.as_genuine.is_some() || raw.measurement.is_some() => {
            wrong("`as_genuine` and `measurement` are for cases with `simulate`")
        }
        (None, Some(file)) => {
            if raw.report_data.is_some() && raw.nonce.is_some() {
                return wrong("`report_data` and `nonce` are two ways to say the same: give one");
            }
            let beside = |files: &[PathBuf]| files.iter().map(|file| folder.join(file)).collect();
            let tee = parsed("tee", raw.tee.as_ref(), |text| TeeArg::from_str(text, false))?;
            let report_data = parsed("report_data", raw.report_data.as_ref(), evidence::report_data)?;
            let nonce = parsed("nonce", raw.nonce.as_ref(), evidence::nonce)?;
            Ok(Source::Recorded(Box::new(Recorded {
                evidence: folder.join(file),
                tee: tee.unwrap_or(TeeArg::Auto),
                with: beside(&raw.with),
                endorsements: beside(&raw.endorsements),
                collateral_bundles: beside(&raw.collateral_bundles),
                trust_roots: beside(&raw.trust_roots),
                report_data: report_data.or(nonce),
                accept_unbound: raw.accept_unbound.unwrap_or(false),
            })))
        }
        _ => wrong("a case needs either `simulate` or `evidence`"),
    }
}

/// A text as something else, as the command line would read it.
fn parsed<T>(
    key: &str,
    text: Option<&Spanned<String>>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Read<Option<T>> {
    let read = |text: &Spanned<String>| {
        let wrong = |error| Misplaced::new(text.span().start, format!("`{key}` cannot be read: {error}"));
        parse(text.get_ref()).map_err(wrong)
    };
    text.map(read).transpose()
}

fn expected(raw: &Spanned<RawExpected>) -> Read<Expected> {
    let offset = raw.span().start;
    let known: Vec<&'static str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    match raw.get_ref() {
        RawExpected::Word(word) if word == "accepted" => Ok(Expected::Accepted),
        RawExpected::Word(word) => {
            let message =
                format!("`expect` must be \"accepted\" or a list of codes, not `{}`", word.escape_debug());
            Err(Misplaced::new(offset, message).hint("say `expect = [\"product-denied\"]` for a refusal"))
        }
        RawExpected::Codes(codes) if codes.is_empty() => {
            Err(Misplaced::new(offset, "`expect` lists no codes: what is refused has a reason")
                .hint("say `expect = \"accepted\"` if nothing is to be refused"))
        }
        RawExpected::Codes(codes) => {
            let find = |code: &String| {
                known.iter().copied().find(|known| known == code).ok_or_else(|| {
                    let message = format!("unknown code `{}`", code.escape_debug());
                    Misplaced::new(offset, message).hint(meant(code, &known))
                })
            };
            codes.iter().map(find).collect::<Read<_>>().map(Expected::Refused)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TABLE: &str = r#"version = 1
policy = "trust.toml"
[[case]]
name = "genoa"
simulate = "amd/genoa@microcode=80"
as_genuine = true
at = "2026-03-20T12:00:00Z"
expect = ["tcb-too-old"]
[[case]]
name = "the edge"
evidence = "edge/report.bin"
tee = "snp"
endorsements = ["edge/chain.pem"]
nonce = "00112233"
expect = "accepted"
"#;

    #[test]
    fn a_table_is_read_with_its_paths_beside_it() {
        let Ok(table) = read(TABLE, Path::new("team")) else { panic!("refused") };
        assert_eq!(table.policy, Path::new("team/trust.toml"));
        let [genoa, edge] = table.cases.as_slice() else { panic!("not two cases") };
        assert_eq!((genoa.name.as_str(), genoa.at), ("genoa", Some(UnixTime(1_774_008_000))));
        assert!(matches!(&genoa.expect, Expected::Refused(codes) if codes.iter().eq(["tcb-too-old"].iter())));
        assert!(matches!(genoa.source, Source::Simulated { as_genuine: true, measurement: None, .. }));
        let Source::Recorded(recorded) = &edge.source else { panic!("not recorded") };
        assert_eq!(recorded.evidence, Path::new("team/edge/report.bin"));
        assert_eq!(recorded.endorsements, [Path::new("team/edge/chain.pem")]);
        let Some(ReportData(data)) = recorded.report_data else { panic!("no report data") };
        assert_eq!(data.get(..5), Some(&[0x00, 0x11, 0x22, 0x33, 0][..]));
    }

    #[test]
    fn the_table_of_the_manual_is_read() {
        let page = include_str!("../../../../../../docs/testing-policies.md");
        let table =
            page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap_or_default();
        assert!(matches!(read(table, Path::new("")), Ok(table) if table.cases.len() == 3));
    }

    proptest! {
        /// Whatever stands in a table, reading it ends with cases or with a place in the text.
        #[test]
        fn any_text_is_read_or_refused(start in 0..TABLE.len(), length in 0..60_usize, noise in "[\\PC\n]{0,20}") {
            let end = TABLE.len().min(start + length);
            let text = format!("{}{noise}{}", &TABLE[..start], &TABLE[end..]);
            match read(&text, Path::new("")) {
                Ok(table) => prop_assert!(!table.cases.is_empty()),
                Err(Misplaced { offset, message, .. }) => {
                    prop_assert!(text.get(offset..).is_some(), "{offset} of {text:?}");
                    prop_assert!(!message.is_empty());
                }
            }
        }
    }
}
