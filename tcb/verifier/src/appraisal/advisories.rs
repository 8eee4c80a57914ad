// SPDX-License-Identifier: Apache-2.0

//! Feeds of advisories: they deny, whatever the policy allows, and change nothing else.

use alloc::format;
use alloc::string::String;

use crate::advisory::{Advisory, Feed};
use crate::refusal::{Findings, Subject};
use crate::{Claims, Code, UnixTime};

/// How many advisories of a feed are told one by one.
const MAX_TOLD: usize = 16;

pub(super) fn check(claims: &Claims, feeds: &[Feed], now: UnixTime, findings: &mut Findings) {
    for feed in feeds {
        fresh(feed, now, findings);
        denied(claims, feed, findings);
    }
}

/// After its last day nobody knows what the issuer would deny today.
fn fresh(feed: &Feed, now: UnixTime, findings: &mut Findings) {
    let Some(expires) = feed.contents().expires else { return };
    let (expired, accepted) = (feed.expired(now), feed.accepts_expired());
    let expected = format_args!("{} that is fresh{}", name(feed), if accepted { ", or not" } else { "" });
    let found = if expired { "expired after" } else { "fresh until the end of" };
    let (code, found) = (Code::AdvisoryFeedExpired, format_args!("{found} {expires}"));
    findings.check(Subject::AdvisoryFeed, code, !expired || accepted, expected, found);
}

fn denied(claims: &Claims, feed: &Feed, findings: &mut Findings) {
    let advisories = &feed.contents().advisories;
    let expected = format!("nothing that {} denies", name(feed));
    let affecting = |advisory: &Advisory| advisory.affects.iter().find_map(|affects| affects.by(claims));
    let (code, subject) = (Code::AdvisoryDenies, Subject::Advised);
    let mut count: usize = 0;
    for advisory in advisories {
        let Some(by) = affecting(advisory) else { continue };
        count = count.saturating_add(1);
        if count <= MAX_TOLD {
            findings.refuse(subject, code, &expected, told(advisory, &by));
        }
    }
    if count == 0 {
        let found = format_args!("none of its {} advisories is about this", advisories.len());
        findings.check(subject, code, true, expected, found);
    } else if let Some(more) = count.checked_sub(MAX_TOLD).filter(|more| *more > 0) {
        findings.refuse(subject, code, expected, format_args!("{more} more of its advisories"));
    }
}

fn told(advisory: &Advisory, by: &str) -> String {
    let Advisory { id, since, because, references, .. } = advisory;
    format!("`{id}` about {by}, since {since}: {because} ({})", references.join(" "))
}

fn name(feed: &Feed) -> String {
    let contents = feed.contents();
    format!("feed `{}` version {}", contents.feed, contents.version)
}
