// SPDX-License-Identifier: Apache-2.0

//! The differences that are known, each with its reason and as narrow as it can be told. Any other fails the test.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use enarx_evidence::dcap::{Body, Collateral, EnclaveIdentity, Quote};
use enarx_evidence::x509::{self, Document};
use enarx_evidence::{Format, ParseError};

use crate::change::{Change, How};
use crate::{Case, Opinion};

/// A kind of difference.
pub struct Difference {
    /// What differs, and why it stays so.
    pub name: &'static str,
    /// Whether an instance is of this kind.
    is: fn(&Instance<'_>) -> bool,
}

/// Two opinions that are not the same.
pub struct Instance<'a> {
    /// The case before it was changed.
    before: &'a Case,
    /// The case that was judged.
    case: &'a Case,
    /// What was changed, if anything.
    change: Option<&'a Change>,
    ours: &'a Opinion,
    theirs: &'a Opinion,
}

/// The kinds that are known.
pub const KNOWN: &[Difference] = &[
    Difference {
        name: "dcap-qvl refuses TDs that may migrate, ours leaves that to the policy, whose default refuses them",
        is: |found| found.is_whole() && found.they_refuse(&["TD migration is enabled"]),
    },
    Difference {
        name: "dcap-qvl refuses TDs without SEPT_VE_DISABLE, ours leaves that to the policy, whose default refuses them",
        is: |found| found.is_whole() && found.they_refuse(&["SEPT_VE_DISABLE is not enabled"]),
    },
    Difference {
        name: "dcap-qvl refuses TDs with reserved attributes, ours leaves that to the policy, which always refuses them",
        is: |found| found.is_whole() && found.they_refuse(&["Reserved bits in TD attributes are set"]),
    },
    Difference {
        name: "dcap-qvl refuses what is revoked, ours says so and leaves that to the policy",
        is: |found| {
            let revoked = found.ours.0.as_deref() == Ok("Revoked");
            revoked && found.is_whole() && found.they_refuse(&["TCB status is invalid: Revoked"])
        },
    },
    Difference {
        name: "dcap-qvl judges TEE_TCB_SVN_2 as a TCB of its own, ours asks it only whether launching again is enough, \
               as Intel's library did first",
        is: |found| {
            let unknown = found.they_refuse(&["Failed to evaluate the current TDX TCB (TEE_TCB_SVN2)"]);
            let revoked = found.they_refuse(&["TCB status is invalid: Revoked"]);
            found.is_whole() && found.is_updated() && (unknown || revoked || found.is_about_relaunching())
        },
    },
    Difference {
        name: "dcap-qvl does not compare the PCEID of TCB info with that of the platform",
        is: |found| found.overlooks("pce-id-mismatch"),
    },
    Difference {
        name: "dcap-qvl does not look at the zeros behind the hash in the report data of the quoting enclave",
        is: |found| found.overlooks("attestation-key-mismatch"),
    },
    Difference {
        name: "dcap-qvl masks the attributes in the identity of the quoting enclave too, Intel only those of the report",
        is: |found| found.overlooks("qe-attributes-mismatch"),
    },
    Difference {
        name: "dcap-qvl does not read TCB info of version 2, which older caches still serve for SGX",
        is: |found| {
            let info =
                String::from_utf8_lossy(found.case.item("tcb_info.json").unwrap_or_default()).into_owned();
            let old = info.contains("\"version\":2,");
            found.is_whole() && old && found.they_refuse(&["Failed to decode TcbInfo", "sgxtcbcomponents"])
        },
    },
    Difference {
        name: "dcap-qvl has its own certificate of the root and skips the one that was sent, ours refuses a damaged one",
        is: |found| {
            let codes = ["endorsement-malformed", "certificate-signature-invalid", "issuer-not-authority"];
            let codes = [&codes[..], &["certificate-not-yet-valid", "certificate-expired"]].concat();
            found.we_refuse(&codes) && found.is_inside(root_of)
        },
    },
    Difference {
        name: "dcap-qvl reads text that is almost PEM, ours only what RFC 7468 allows",
        is: |found| {
            let codes = ["endorsement-malformed", "pck-certificate-missing", "tcb-signer-missing"];
            let strict = found.ours.reason().contains("endorsement: `PEM`");
            found.we_refuse(&codes) && strict && same_certificates(found.before, found.case)
        },
    },
    Difference {
        name: "dcap-qvl ignores the type of certification data around the QE report, and what lengths leave over",
        is: |found| found.we_refuse(&["evidence-malformed"]) && found.is_inside(framing_of),
    },
    Difference {
        name: "dcap-qvl does not look at the thisUpdate of revocation lists",
        is: |found| {
            let moved = matches!(found.change, Some(Change { how: How::Moved(_), .. }));
            !found.is_report() && moved && found.we_refuse(&["crl-not-yet-valid"])
        },
    },
    Difference {
        name: "sev knows no revocation: it accepts a certificate that AMD took back",
        is: |found| found.is_whole() && found.is_report() && found.we_refuse(&["certificate-revoked"]),
    },
    Difference {
        name: "sev does not look at the reserved bytes behind the two numbers of a signature, which nobody signs",
        is: |found| {
            found.is_report() && found.we_refuse(&["evidence-malformed"]) && found.is_inside(unsigned_of)
        },
    },
    Difference {
        name: "sev writes zeros over the reserved bytes of TCB versions before it verifies, ours verifies what is there",
        is: |found| {
            let codes = ["evidence-malformed", "report-signature-invalid", "tcb-mismatch"];
            found.is_report() && found.we_refuse(&codes) && found.is_inside(reserved_of)
        },
    },
    Difference {
        name: "sev does not compare the algorithm outside a certificate with the one that is signed",
        is: |found| {
            let unread = ["key-certificate-missing", "product-unknown", "issuer-missing", "root-missing"];
            let codes = [&["endorsement-malformed"][..], &unread].concat();
            let differs = found.ours.reason().contains("X.509 certificate: `signature` at byte");
            found.is_report() && found.we_refuse(&codes) && differs && found.is_of_algorithm()
        },
    },
    Difference {
        name: "sev does not look at the validity of certificates",
        is: |found| {
            let moved = matches!(found.change, Some(Change { how: How::Moved(_), .. }));
            let codes = ["certificate-not-yet-valid", "certificate-expired"];
            found.is_report() && moved && found.we_refuse(&codes)
        },
    },
    Difference {
        name: "sev reads a PEM file that has nothing behind the certificate, ours skips text around it",
        is: |found| {
            let longer = matches!(found.change, Some(Change { how: How::Longer(_), .. }));
            found.is_report() && longer && found.they_refuse(&["invalid PEM"])
        },
    },
];

impl Instance<'_> {
    /// No byte was changed after it was signed.
    fn is_whole(&self) -> bool {
        self.change.is_none()
    }

    fn is_report(&self) -> bool {
        self.case.format == Format::SevSnp
    }

    /// They refuse alone, with all of these words.
    fn they_refuse(&self, words: &[&str]) -> bool {
        self.ours.accepts() && words.iter().all(|word| self.theirs.reason().contains(word))
    }

    /// We refuse alone, with no other codes than these.
    fn we_refuse(&self, codes: &[&str]) -> bool {
        let given = self.ours.codes();
        self.theirs.accepts() && !given.is_empty() && given.iter().all(|code| codes.contains(code))
    }

    /// Another TDX module, or other microcode, runs than the one with which the TD was launched.
    fn is_updated(&self) -> bool {
        let Ok(Quote { body: Body::Td(report), .. }) = Quote::parse(&self.case.evidence) else {
            return false;
        };
        report.extension.is_some_and(|extension| extension.tee_tcb_svn_2 != report.tee_tcb_svn)
    }

    /// One says that the TD should be launched again, the other one that the platform is out of date.
    fn is_about_relaunching(&self) -> bool {
        let (Ok(ours), Ok(theirs)) = (&self.ours.0, &self.theirs.0) else { return false };
        let both = [ours.as_str(), theirs.as_str()];
        let [old, relaunch] = [&["OutOfDate", "OutOfDateConfigurationNeeded"], RELAUNCH];
        [old, relaunch].iter().all(|kind| both.iter().any(|status| kind.contains(status)))
    }

    /// We refuse for something that they do not look at, first of all for this; and for nothing else.
    fn overlooks(&self, first: &str) -> bool {
        let (Ok(quote), Ok(identity)) = (Quote::parse(&self.case.evidence), identity(self.case)) else {
            return false;
        };
        let behind = quote.signature.qe.report.report_data[32..].iter().any(|byte| *byte != 0);
        let mut pairs = identity.attributes.iter().zip(identity.attributes_mask);
        let unmasked = pairs.any(|(value, mask)| value & !mask != 0);
        let codes = self.ours.codes();
        let known = codes.iter().all(|code| match *code {
            "pce-id-mismatch" => true,
            "attestation-key-mismatch" => behind,
            "qe-attributes-mismatch" => unmasked,
            _ => false,
        });
        self.is_whole() && self.theirs.accepts() && codes.first() == Some(&first) && known
    }

    /// Every byte that was changed is in some range of its part.
    fn is_inside(&self, range: fn(&Case, &str) -> Vec<Range<usize>>) -> bool {
        let Some(Change { part, how }) = self.change else { return false };
        let ranges = range(self.before, part);
        let inside = |at: &usize| ranges.iter().any(|range| range.contains(at));
        match how {
            How::Bytes(bytes) => bytes.iter().all(|(at, ..)| inside(at)),
            How::Without(at) | How::With(at, _) => inside(at),
            How::Cut(_) | How::Longer(_) | How::Absent | How::Moved(_) => false,
        }
    }
}

impl Instance<'_> {
    /// Nothing was changed but the algorithm between the signed bytes of a certificate and its signature.
    fn is_of_algorithm(&self) -> bool {
        let Some(Change { part, .. }) = self.change else { return false };
        let read = |case| x509::documents(bytes_of(case, part), 1).ok()?.pop().map(Cow::into_owned);
        let (Some(before), Some(after)) = (read(self.before), read(self.case)) else { return false };
        let Ok(Document::Certificate(certificate)) = Document::parse(&before) else { return false };
        // The header of the certificate and the signed bytes; the tag, length and unused bits of the signature.
        let start = 4 + certificate.tbs.len();
        let end = before.len() - certificate.signature.len() - 5;
        before.len() == after.len() && before[..start] == after[..start] && before[end..] == after[end..]
    }
}

const RELAUNCH: &[&str; 2] = &["TDRelaunchAdvised", "TDRelaunchAdvisedConfigurationNeeded"];

fn identity(case: &Case) -> Result<EnclaveIdentity, ParseError> {
    match Collateral::parse(case.item("qe_identity.json").unwrap_or_default())? {
        Collateral::EnclaveIdentity(identity) => Ok(identity.content),
        Collateral::TcbInfo(_) => panic!("not an identity"),
    }
}

/// A part of a case as it was.
fn bytes_of<'a>(case: &'a Case, part: &str) -> &'a [u8] {
    if part == "evidence" { &case.evidence } else { case.item(part).unwrap_or_default() }
}

/// Where the certificates of roots are in a part, in PEM; and what follows a quote, which both ignore.
fn root_of(case: &Case, part: &str) -> Vec<Range<usize>> {
    let bytes = bytes_of(case, part);
    let trailing = Quote::parse(bytes).map_or(0, |quote| quote.trailing.len());
    let is_root = |range: &Range<usize>| {
        let documents = x509::documents(&bytes[range.clone()], 1).unwrap_or_default();
        documents.iter().any(|der| {
            matches!(Document::parse(der), Ok(Document::Certificate(found)) if found.issuer == found.subject)
        })
    };
    let behind = bytes.len() - trailing..bytes.len();
    blocks(bytes).into_iter().filter(is_root).chain([behind]).collect()
}

/// Where PEM blocks are.
fn blocks(bytes: &[u8]) -> Vec<Range<usize>> {
    let (begin, end) = (b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----");
    let find = |wanted: &[u8], from: usize| {
        bytes[from..].windows(wanted.len()).position(|window| window == wanted).map(|at| from + at)
    };
    let (mut blocks, mut from) = (Vec::new(), 0);
    while let Some(start) = find(begin, from) {
        let Some(last) = find(end, start) else { break };
        from = last + end.len();
        blocks.push(start..from);
    }
    blocks
}

/// Where the types and lengths are that nobody signs: before the signature data, the QE report, and the certificates.
pub fn framing_of(case: &Case, part: &str) -> Vec<Range<usize>> {
    let bytes = &case.evidence;
    let (Some(version), true) = (bytes.first(), part == "evidence" && case.format != Format::SevSnp) else {
        return Vec::new();
    };
    let word = |at: usize| {
        bytes.get(at..at + 2).map_or(0, |word| usize::from(u16::from_le_bytes([word[0], word[1]])))
    };
    let body = match version {
        3 => 48 + 384,
        4 => 48 + 584,
        _ => 48 + 6 + word(50),
    };
    let mut ranges = Vec::new();
    let mut at = body + 4 + 64 + 64;
    if *version != 3 {
        ranges.push(at..at + 6);
        at += 6;
    }
    at += 384 + 64;
    let authentication = word(at);
    ranges.push(at..at + 2);
    at += 2 + authentication;
    ranges.extend([at..at + 6, body..body + 4]);
    ranges
}

/// Where the signature of a report has neither of its two numbers (56860, table 139).
fn unsigned_of(_: &Case, part: &str) -> Vec<Range<usize>> {
    let (signature, number, room) = (0x2a0, 48, 72);
    let ranges = [signature + number..signature + room, signature + room + number..0x4a0];
    if part == "evidence" { ranges.to_vec() } else { Vec::new() }
}

/// Where TCB versions in a report have reserved bytes: reported, current, committed and launch.
fn reserved_of(_: &Case, part: &str) -> Vec<Range<usize>> {
    // Of Turin the third byte is in use and the seventh is not; sev then reads another version and refuses.
    let ranges = [0x38, 0x180, 0x1e0, 0x1f0].map(|at| at + 2..at + 7);
    if part == "evidence" { ranges.to_vec() } else { Vec::new() }
}

/// Whether a lenient reader finds the same certificates in quote and signer's chain as before.
fn same_certificates(before: &Case, after: &Case) -> bool {
    let read = |case: &Case| {
        let quote = dcap_qvl::verify::Quote::parse(&case.evidence).ok()?;
        let inside = pem::parse_many(quote.raw_cert_chain().ok()?).ok()?;
        let beside = pem::parse_many(case.item("tcb_signing_chain.pem").unwrap_or_default()).ok()?;
        // The root's may be damaged: nobody looks at it there.
        let contents = |blocks: Vec<pem::Pem>, count| {
            blocks.into_iter().take(count).map(pem::Pem::into_contents).collect::<Vec<_>>()
        };
        Some((contents(inside, 2), contents(beside, 1)))
    };
    matches!((read(before), read(after)), (Some(before), Some(after)) if before == after)
}

/// Counts opinions.
#[derive(Debug, Default)]
pub struct Tally {
    both_accept: usize,
    both_refuse: usize,
    explained: BTreeMap<&'static str, usize>,
    unexplained: Vec<String>,
}

impl Tally {
    /// Counts two opinions about a case as it is.
    pub fn count(&mut self, case: &Case, ours: &Opinion, theirs: &Opinion) {
        self.add(&Instance { before: case, case, change: None, ours, theirs });
    }

    /// Counts two opinions about a case that was changed.
    pub fn count_changed(
        &mut self,
        before: &Case,
        (case, change): &(Case, Change),
        ours: &Opinion,
        theirs: &Opinion,
    ) {
        self.add(&Instance { before, case, change: Some(change), ours, theirs });
    }

    fn add(&mut self, instance: &Instance<'_>) {
        match (&instance.ours.0, &instance.theirs.0) {
            (Ok(ours), Ok(theirs)) if ours == theirs => self.both_accept += 1,
            (Err(_), Err(_)) => self.both_refuse += 1,
            (ours, theirs) => {
                if let Some(known) = KNOWN.iter().find(|known| (known.is)(instance)) {
                    *self.explained.entry(known.name).or_default() += 1;
                    return;
                }
                let change = instance.change.map_or_else(|| "as it is".to_owned(), ToString::to_string);
                let name = &instance.case.name;
                self.unexplained.push(format!("{name}: {change}: ours {ours:?}, theirs {theirs:?}"));
            }
        }
    }

    /// Says what was counted, and fails if there was a difference that nobody explained.
    pub fn finish(self, title: &str) {
        println!("{title}: {} accepted by both, {} refused by both", self.both_accept, self.both_refuse);
        for (name, count) in &self.explained {
            println!("{count:6} {name}");
        }
        assert!(self.unexplained.is_empty(), "not explained:\n{}", self.unexplained.join("\n"));
    }
}
