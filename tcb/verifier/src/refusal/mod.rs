// SPDX-License-Identifier: Apache-2.0

//! What was checked, in order, and what refused: the whole account of a decision, for people and for programs.

mod code;
mod subject;

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

pub use code::Code;
pub(crate) use subject::Subject;

use crate::policy::Place;

/// The entry of a policy that a decision rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyEntry {
    /// Its path, such as `guest.debug`, or of a rule `deny.` and its id.
    pub entry: String,
    /// The file that says it; `None` for a default, and for a policy without a name.
    pub file: Option<String>,
    /// The line; `None` for a default, which nothing says.
    pub line: Option<usize>,
}

impl PolicyEntry {
    /// An entry that stands somewhere, or is a default.
    pub(crate) fn new(entry: impl Into<String>, place: Option<&Place>) -> Self {
        let file = place.and_then(Place::file).map(String::from);
        Self { entry: entry.into(), file, line: place.map(Place::line) }
    }
}

impl fmt::Display for PolicyEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.entry)?;
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, " in line {line} of {file}"),
            (None, Some(line)) => write!(f, " in line {line} of the policy"),
            (_, None) => f.write_str(", which the policy leaves at its default"),
        }
    }
}

/// One check: what was expected, what was found, and why it matters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked, such as `reported TCB`.
    pub name: &'static str,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// Whether it was as expected.
    pub passed: bool,
    /// The section of a specification that the check follows.
    pub section: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// The entry of the policy that asks for it, if one does.
    pub policy: Option<PolicyEntry>,
}

/// One reason to refuse: a check that did not pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// What programs go by.
    pub code: Code,
    /// What was checked, such as `reported TCB`.
    pub claim: &'static str,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// The section of a specification that the check follows.
    pub section: &'static str,
    /// What to do about it.
    pub hint: &'static str,
    /// The entry of the policy that decided, if one did.
    pub policy: Option<PolicyEntry>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, claim, expected, found, policy, .. } = self;
        write!(f, "{code}: {claim}: expected {expected}, found {found}")?;
        policy.as_ref().map_or(Ok(()), |entry| write!(f, "; decided by {entry}"))
    }
}

/// Why evidence is refused: all reasons, and all checks, passed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals {
    refusals: Vec<Refusal>,
    checks: Vec<Check>,
}

impl Refusals {
    /// An examination that refused nothing and proved nothing either.
    pub(crate) fn incomplete(checks: Vec<Check>) -> Self {
        let mut findings = Findings { refusals: Vec::new(), checks };
        findings.refuse(Subject::Root, Code::RootMissing, "a chain of certificates to a root", "none");
        Self { refusals: findings.refusals, checks: findings.checks }
    }

    /// The reasons, in the order of the checks; never empty.
    pub fn iter(&self) -> core::slice::Iter<'_, Refusal> {
        self.refusals.iter()
    }

    /// The codes of the reasons, in the order of the checks.
    pub fn codes(&self) -> impl Iterator<Item = Code> {
        self.refusals.iter().map(|refusal| refusal.code)
    }

    /// Whether this is among the reasons.
    pub fn contains(&self, code: Code) -> bool {
        self.codes().any(|found| found == code)
    }

    /// Everything that was checked, in order.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }
}

impl<'a> IntoIterator for &'a Refusals {
    type Item = &'a Refusal;
    type IntoIter = core::slice::Iter<'a, Refusal>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Refusals {
    /// One line for each reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, refusal) in self.refusals.iter().enumerate() {
            let separator = if number == 0 { "" } else { "\n" };
            write!(f, "{separator}{refusal}")?;
        }
        Ok(())
    }
}

impl core::error::Error for Refusals {}

impl Serialize for Refusals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Refusals", 3)?;
        fields.serialize_field("verdict", "refused")?;
        fields.serialize_field("refusals", &self.refusals)?;
        fields.serialize_field("checks", &self.checks)?;
        fields.end()
    }
}

/// The account while it is written.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    refusals: Vec<Refusal>,
    checks: Vec<Check>,
}

impl Findings {
    /// Notes a check: passed, or refused with `code`.
    pub(crate) fn check(
        &mut self,
        subject: Subject,
        code: Code,
        passed: bool,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) {
        let (expected, found) = (expected.to_string(), found.to_string());
        let (claim, section) = (subject.name(), subject.section());
        if !passed {
            let (expected, found) = (expected.clone(), found.clone());
            let hint = code.hint();
            self.refusals.push(Refusal { code, claim, expected, found, section, hint, policy: None });
        }
        let why = subject.why();
        self.checks.push(Check { name: claim, expected, found, passed, section, why, policy: None });
    }

    /// Notes a check that an entry of the policy asks for.
    pub(crate) fn check_by(
        &mut self,
        entry: PolicyEntry,
        subject: Subject,
        code: Code,
        passed: bool,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) {
        self.check(subject, code, passed, expected, found);
        if let (false, Some(refusal)) = (passed, self.refusals.last_mut()) {
            refusal.policy = Some(entry.clone());
        }
        if let Some(check) = self.checks.last_mut() {
            check.policy = Some(entry);
        }
    }

    /// Notes a check that refused.
    pub(crate) fn refuse(
        &mut self,
        subject: Subject,
        code: Code,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) {
        self.check(subject, code, false, expected, found);
    }

    /// Lets checks pass that refused, and says so in the account: `instead` is what they expected then.
    pub(crate) fn waive(&mut self, which: impl Fn(&Refusal) -> bool, instead: &str) {
        // There is one refusal for each check that did not pass, in the same order.
        let failed = self.checks.iter_mut().filter(|check| !check.passed);
        for (check, _) in failed.zip(&self.refusals).filter(|(_, refusal)| which(refusal)) {
            check.passed = true;
            check.expected = String::from(instead);
        }
        self.refusals.retain(|refusal| !which(refusal));
    }

    /// Every check, if none refused.
    pub(crate) fn into_checks(self) -> Result<Vec<Check>, Refusals> {
        let Self { refusals, checks } = self;
        if refusals.is_empty() { Ok(checks) } else { Err(Refusals { refusals, checks }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waived_passes_and_nothing_else() {
        let mut findings = Findings::default();
        findings.refuse(Subject::Debug, Code::DebugAllowed, "no", "yes");
        findings.refuse(Subject::ReportData, Code::ReportDataMismatch, "01", "02");
        findings.check(Subject::Smt, Code::SmtAllowed, true, "no", "no");
        findings.refuse(Subject::Vmpl, Code::VmplNotAccepted, "0", "1");
        findings.waive(|refusal| refusal.code == Code::ReportDataMismatch, "anything");
        let refusals = findings.into_checks().unwrap_err();
        assert!(refusals.codes().eq([Code::DebugAllowed, Code::VmplNotAccepted]));
        assert!(refusals.checks().iter().map(|check| check.passed).eq([false, true, true, false]));
        assert_eq!(refusals.checks()[1].expected, "anything");
        assert_eq!(refusals.checks()[1].found, "02");
    }
}
