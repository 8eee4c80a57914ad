// SPDX-License-Identifier: Apache-2.0

//! `enarx verify`, `enarx explain` and `enarx evidence` on evidence of the simulator.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ed25519_dalek::{Signature, VerifyingKey};
use enarx_evidence::cmw::Cmw;
use enarx_evidence::snp::{CertTable, Guid};
use enarx_evidence::{Bundle, Endorsements, Evidence, Format};
use enarx_tests::{Tenant, code, finish, stderr, stdout};
use serde_json::{Value, json};

const NONCE: &str = "0123456789abcdef";

/// A policy for one measurement, under the simulator of this machine.
const POLICY: &str = r#"
version = 1
[keep]
measurements = ["sha384:MEASUREMENT"]
[simulated]
accept = true
roots = ["local"]
[[allow]]
id = "simulated"
vendor = "amd"
tee = "sev-snp"
minimum_tcb = "not-checked"
"#;

/// A tenant's machine with evidence of a simulated platform on it.
struct Desk {
    tenant: Tenant,
}

impl Desk {
    fn new(platform: &str) -> Self {
        let desk = Self { tenant: Tenant::new() };
        let output = desk.simulate(platform);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(stderr(&output).contains("SIMULATED"), "{}", stderr(&output));
        desk
    }

    fn simulate(&self, platform: &str) -> Output {
        let mut command = self.tenant.enarx();
        command.args(["evidence", "simulate", "--platform", platform, "--nonce", NONCE]);
        command.args(["--measurement", &"5a".repeat(48)]);
        command.args(["--out", &self.path("report"), "--endorsements-out", &self.path("chain.pem")]);
        finish(&mut command, b"")
    }

    fn path(&self, name: &str) -> String {
        self.tenant.path(name).display().to_string()
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        self.tenant.file(name, content).display().to_string()
    }

    fn report(&self) -> Vec<u8> {
        fs::read(self.path("report")).unwrap()
    }

    /// The endorsements, each in DER.
    fn endorsements(&self) -> Vec<Vec<u8>> {
        let text = fs::read(self.path("chain.pem")).unwrap();
        let documents = enarx_evidence::x509::documents(&text, 8).unwrap();
        documents.into_iter().map(std::borrow::Cow::into_owned).collect()
    }

    fn run(&self, command: &str, options: &[&str]) -> Output {
        let mut enarx = self.tenant.enarx();
        finish(enarx.arg(command).args(options), b"")
    }

    /// `enarx verify` of the simulated report, its root named, bound to the nonce.
    fn trusting(&self, evidence: &str) -> Command {
        let mut command = self.tenant.enarx();
        command.args(["verify", evidence, "--trust-root", &self.path("chain.pem"), "--nonce", NONCE]);
        command.args(["--format", "json"]);
        command
    }
}

fn answer(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap_or_else(|_| panic!("{}", stderr(output)))
}

fn codes(output: &Output) -> Vec<String> {
    let answer = answer(output);
    let refusals = answer["refusals"].as_array().unwrap().iter();
    refusals.map(|refusal| refusal["code"].as_str().unwrap().to_owned()).collect()
}

fn verified(output: &Output) {
    let answer = answer(output);
    assert_eq!((code(output), &answer["verdict"]), (0, &json!("verified")), "{answer}");
}

fn unusable(output: &Output, message: &str) {
    assert_eq!((code(output), stdout(output).as_str()), (2, ""), "{}", stderr(output));
    assert!(stderr(output).starts_with("error: ") && stderr(output).contains(message), "{}", stderr(output));
}

#[test]
fn simulated_evidence_is_refused_unless_its_root_is_named() {
    let desk = Desk::new("amd/genoa");
    let (report, chain) = (desk.path("report"), desk.path("chain.pem"));
    let options = [report.as_str(), "--endorsement", &chain, "--nonce", NONCE];
    let output = desk.run("verify", &options);
    assert_eq!((code(&output), stdout(&output).as_str()), (3, ""), "{}", stderr(&output));
    let told = stderr(&output);
    assert!(told.starts_with("error: the sev-snp evidence is refused\n"), "{told}");
    assert!(told.contains("simulated-not-accepted") && told.contains("\n\nhint: "), "{told}");
    let output = desk.run("verify", &[&options[..], &["--format", "json"]].concat());
    assert_eq!((code(&output), codes(&output)), (3, vec!["simulated-not-accepted".to_owned()]));
    assert_eq!(answer(&output)["verdict"], "refused");

    let output = desk.run("verify", &[&options[..], &["--trust-root", &chain]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let told = stdout(&output);
    assert!(told.starts_with("SIMULATED: this platform protects nothing\n"), "{told}");
    assert!(told.contains("Nothing was appraised"), "{told}");
    let output = finish(&mut desk.trusting(&report), b"");
    let answer = answer(&output);
    for (name, value) in [
        ("verdict", json!("verified")),
        ("appraised", json!(false)),
        ("bound", json!(true)),
        ("simulated", json!(true)),
        ("tee", json!("sev-snp")),
        ("product", json!("genoa")),
        ("tcb_status", json!(null)),
        ("measurement", json!("5a".repeat(48))),
        ("report_data", json!(format!("{NONCE}{}", "00".repeat(56)))),
        ("refusals", json!([])),
    ] {
        assert_eq!(answer[name], value, "{name}");
    }
    assert_eq!(answer["claims"]["generation"], "genoa");
}

#[test]
fn evidence_is_bound_unless_somebody_says_that_it_need_not_be() {
    let desk = Desk::new("amd/milan");
    let (report, chain) = (desk.path("report"), desk.path("chain.pem"));
    let options = ["--format", "json", report.as_str(), "--trust-root", &chain];
    let with = |more: &[&str]| desk.run("verify", &[&options[..], more].concat());
    let output = desk.run("verify", &options[2..]);
    unusable(&output, "nothing says whom the evidence was made for");
    assert!(stderr(&output).contains("hint: ") && stderr(&output).contains("--accept-unbound"));

    verified(&with(&["--report-data", &format!("{NONCE}{}", "00".repeat(56))]));
    assert_eq!(codes(&with(&["--nonce", "0123"])), ["report-data-mismatch"]);
    assert_eq!(codes(&with(&["--report-data", &"ab".repeat(64)])), ["report-data-mismatch"]);
    let output = with(&["--accept-unbound"]);
    verified(&output);
    assert_eq!(answer(&output)["bound"], false);
    let output = desk.run("verify", &[&options[2..], &["--accept-unbound"]].concat());
    assert!(stdout(&output).contains("NOT CHECKED"), "{}", stdout(&output));
    assert_eq!(code(&with(&["--accept-unbound", "--nonce", NONCE])), 2);
}

#[test]
fn evidence_is_recognised_in_every_encoding() {
    let desk = Desk::new("amd/genoa");
    let report = desk.report();
    let digits = hex::encode(&report);
    let base64 = pem_rfc7468::encode_string("REPORT", pem_rfc7468::LineEnding::LF, &report).unwrap();
    let base64: String = base64.lines().filter(|line| !line.starts_with('-')).collect();
    let bundle = Bundle {
        evidence: Evidence { format: Format::SevSnp, bytes: report },
        endorsements: Endorsements { items: desk.endorsements() },
    };
    let files = [
        desk.path("report"),
        desk.file("upper.hex", digits.to_uppercase()),
        desk.file(
            "lines.hex",
            digits.as_bytes().chunks(64).map(|line| [line, b"\n"].concat()).collect::<Vec<_>>().concat(),
        ),
        desk.file("base64", &base64),
        desk.file("base64url", base64.replace('+', "-").replace('/', "_").trim_end_matches('=')),
        desk.file("quote.json", json!({ "quote": base64 }).to_string()),
        desk.file("nested.json", json!([{ "evidence": { "report": digits } }]).to_string()),
        desk.file("bytes.json", json!({ "report": bundle.evidence.bytes }).to_string()),
        desk.file("bundle", bundle.encode()),
        desk.file("wrapped", Cmw::of_bundle(&bundle).to_cbor()),
        desk.file("wrapped.json", Cmw::of_bundle(&bundle).to_json().unwrap()),
        desk.file("bundle.hex", hex::encode(bundle.encode())),
    ];
    for file in files {
        verified(&finish(&mut desk.trusting(&file), b""));
        verified(&finish(desk.trusting(&file).args(["--tee", "snp"]), b""));
    }
    verified(&finish(&mut desk.trusting("-"), digits.as_bytes()));
}

#[test]
fn endorsements_are_recognised_in_every_encoding_and_order() {
    let desk = Desk::new("amd/turin");
    let items = desk.endorsements();
    assert_eq!(items.len(), 4);
    let root = desk.file("root.der", &items[2]);
    let entries = [Guid::VCEK, Guid::ASK, Guid::ARK, Guid::CRL].into_iter().zip(items.clone()).collect();
    let table = CertTable { entries };
    let evidence = Evidence { format: Format::SevSnp, bytes: desk.report() };
    let bundle = Bundle { evidence, endorsements: Endorsements { items: items.clone() } };
    let texts: Vec<_> = items.iter().map(hex::encode).collect();
    let together = [
        desk.file("table", table.encode()),
        desk.file("table.hex", hex::encode(table.encode())),
        desk.file("bundle", bundle.encode()),
        desk.file("list.json", json!(texts).to_string()),
        desk.file(
            "object.json",
            json!({ "chain": fs::read_to_string(desk.path("chain.pem")).unwrap() }).to_string(),
        ),
    ];
    let verify = |files: &[String]| {
        let mut command = desk.tenant.enarx();
        command.args(["verify", &desk.path("report"), "--nonce", NONCE, "--format", "json"]);
        command.args(["--trust-root", &root]);
        for file in files {
            command.args(["--endorsement", file]);
        }
        finish(&mut command, b"")
    };
    for file in together {
        verified(&verify(&[file]));
    }
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let raw = order.map(|i| desk.file(&format!("{i}.der"), &items[i]));
        verified(&verify(&raw));
        let digits = order.map(|i| desk.file(&format!("{i}.hex"), &texts[i]));
        verified(&verify(&digits));
    }
    let missing = [0, 1, 2].map(|i| desk.file(&format!("{i}.der"), &items[i]));
    assert_eq!(codes(&verify(&missing)), ["crl-missing"]);
    let mut command = desk.trusting(&desk.path("report"));
    command.args(["--accept-absent-crl", "--endorsement", &missing[0], "--at", "2020-01-01T00:00:00Z"]);
    assert!(codes(&finish(&mut command, b"")).contains(&"certificate-not-yet-valid".to_owned()));
}

#[test]
fn a_policy_decides_if_there_is_one() {
    let desk = Desk::new("amd/genoa");
    let policy = desk.file("policy.toml", POLICY.replace("MEASUREMENT", &"5a".repeat(48)));
    let (report, chain) = (desk.path("report"), desk.path("chain.pem"));
    let options = [report.as_str(), "--endorsement", &chain, "--nonce", NONCE, "--policy", &policy];
    let output = desk.run("verify", &options);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let told = stdout(&output);
    assert!(told.starts_with("SIMULATED") && told.contains("accepted by the policy"), "{told}");
    assert!(!told.contains("Nothing was appraised"), "{told}");
    let output = desk.run("verify", &[&options[..], &["--format", "json"]].concat());
    let answer = answer(&output);
    assert_eq!((&answer["verdict"], &answer["rule"]), (&json!("accepted"), &json!("simulated")));

    let other = desk.file("other.toml", POLICY.replace("MEASUREMENT", &"00".repeat(48)));
    let mut options = options.to_vec();
    options.extend(["--format", "json"]);
    options[6] = &other;
    let output = desk.run("verify", &options);
    assert_eq!((code(&output), codes(&output)), (3, vec!["measurement-not-accepted".to_owned()]));
    // A root that the command line names does not make the policy accept it.
    let closed = desk.file("closed.toml", closed(&POLICY.replace("MEASUREMENT", &"5a".repeat(48))));
    options[6] = &closed;
    options.extend(["--trust-root", &chain]);
    assert_eq!(codes(&desk.run("verify", &options)), ["simulated-not-accepted"]);
}

/// A policy without what it says about simulated platforms.
fn closed(policy: &str) -> String {
    policy.replace("[simulated]\naccept = true\nroots = [\"local\"]\n", "")
}

#[test]
fn a_result_is_signed_on_request() {
    let desk = Desk::new("amd/genoa");
    let policy = desk.file("policy.toml", POLICY.replace("MEASUREMENT", &"5a".repeat(48)));
    let (report, chain) = (desk.path("report"), desk.path("chain.pem"));
    let options = [report.as_str(), "--endorsement", &chain, "--nonce", NONCE, "--format", "ear"];
    unusable(&desk.run("verify", &options), "there is no policy");
    let with = |nonce: &str| {
        let mut options = [&options[..], &["--policy", &policy]].concat();
        options[4] = nonce;
        let output = desk.run("verify", &options);
        let token = stdout(&output);
        let parts: Vec<_> = token.trim_end().split('.').map(str::to_owned).collect();
        assert_eq!(parts.len(), 3, "{token}");
        (code(&output), parts, stderr(&output))
    };
    let (accepted, token, told) = with(NONCE);
    assert_eq!(accepted, 0, "{told}");
    assert!(told.starts_with("signed by ed25519:"), "{told}");
    let claims = |part: &str| -> Value {
        serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).unwrap()).unwrap()
    };
    assert_eq!(claims(&token[0])["alg"], "EdDSA");
    // Whoever accepts a simulated platform, nobody else should rely on it.
    let submod = &claims(&token[1])["submods"]["sev-snp"];
    assert_eq!(submod["ear_status"], "contraindicated", "{submod}");
    assert_eq!(submod["ear_enarx_appraisal"]["simulated"], true, "{submod}");
    let key = hex::decode(told.trim().trim_start_matches("signed by ed25519:")).unwrap();
    let signature = Base64UrlUnpadded::decode_vec(&token[2]).unwrap();
    let message = format!("{}.{}", token[0], token[1]);
    let key = VerifyingKey::from_bytes(&key.try_into().unwrap()).unwrap();
    assert!(key.verify_strict(message.as_bytes(), &Signature::from_slice(&signature).unwrap()).is_ok());

    let (refused, other, again) = with("ffff");
    assert_eq!((refused, &again), (3, &told), "the same key signs refusals");
    let submod = &claims(&other[1])["submods"]["sev-snp"];
    assert_eq!(submod["ear_enarx_appraisal"]["refusals"], json!(["report-data-mismatch"]), "{submod}");
    assert_eq!(code(&desk.run("explain", &options)), 2);
}

#[test]
fn what_cannot_be_read_is_told_with_exit_code_2() {
    let desk = Desk::new("amd/milan");
    let (report, chain) = (desk.path("report"), desk.path("chain.pem"));
    let verify = |options: &[&str]| desk.run("verify", &[options, &["--nonce", NONCE]].concat());
    unusable(&verify(&[&desk.path("nothing")]), "could not read");
    unusable(&verify(&[&desk.file("noise", [7; 500])]), "no evidence of a kind that is known here");
    unusable(&verify(&[&chain]), "certificates or other collateral are in it, and no evidence");
    // What comes along with damaged evidence does not hide that it is damaged.
    let mut short = desk.report();
    short.pop();
    let short = desk.file("short", short);
    unusable(&verify(&[&short, "--endorsement", &chain]), "no evidence of a kind that is known here");
    let named = verify(&[&short, "--endorsement", &chain, "--tee", "snp"]);
    assert_eq!(code(&named), 3, "{}", stderr(&named));
    assert!(stderr(&named).contains("evidence-malformed"), "{}", stderr(&named));
    unusable(&verify(&["https://host.example"]), "cannot be asked for its evidence yet");
    unusable(&verify(&[&report, "--tee", "tdx"]), "it is sev-snp evidence and not tdx");
    unusable(&verify(&[&report, "--endorsement", &desk.file("empty", "")]), "nothing that vouches");
    unusable(&verify(&[&report, "--trust-root", &report]), "no root is in it");
    unusable(&verify(&[&report, "--with", &report, "--at", "yesterday"]), "give it as 2026-11-23T12:00:00Z");
    let two = json!([
        hex::encode(desk.report()),
        hex::encode({
            let mut other = desk.report();
            other[0x50] ^= 1;
            other
        })
    ]);
    unusable(&verify(&[&desk.file("two.json", two.to_string())]), "more than one piece of evidence");
    // Evidence whose kind is said is refused for what is wrong with it.
    let output = verify(&[&desk.file("noise", [7; 500]), "--tee", "snp", "--format", "json"]);
    assert_eq!((code(&output), codes(&output)), (3, vec!["evidence-malformed".to_owned()]));
}

#[test]
fn simulated_evidence_overwrites_nothing() {
    let desk = Desk::new("amd/milan");
    let before = desk.report();
    unusable(&desk.simulate("amd/milan"), "is already there");
    assert_eq!(desk.report(), before);
}

#[test]
fn every_field_is_shown_by_its_name() {
    let desk = Desk::new("amd/turin@debug,version=5");
    let output = desk.run("evidence", &["show", &desk.path("report")]);
    let told = stdout(&output);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    for line in [
        "  DEBUG                     yes",
        "  SIGNING_KEY               vcek",
        "ATTESTATION_REPORT of SEV-SNP (56860, section 7.3)",
    ] {
        assert!(told.lines().any(|found| found == line), "`{line}` is missing in:\n{told}");
    }
    assert!(told.ends_with("nothing of this was verified\n"));
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
    let output = desk.run("evidence", &["show", &desk.path("chain.pem"), "--format", "json"]);
    let shown = answer(&output);
    assert_eq!(shown["verified"], false);
    let titles: Vec<_> =
        shown["records"].as_array().unwrap().iter().map(|record| record["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["certificate", "certificate", "certificate", "revocation list"]);
}

/// The account of evidence that is accepted and of evidence that is not, without what differs from run to run.
/// `ENARX_PRINTED=overwrite` writes the files anew, to be read before they are committed.
#[test]
fn explanations_are_as_written_down() {
    let desk = Desk::new("amd/genoa@debug,vmpl=2");
    desk.file("policy.toml", POLICY.replace("MEASUREMENT", &"5a".repeat(48)));
    let verified = ["--trust-root", "chain.pem"];
    let refused = ["--endorsement", "chain.pem", "--policy", "policy.toml"];
    for (file, options, expected) in
        [("explain-verified.txt", &verified[..], 0), ("explain-refused.txt", &refused[..], 3)]
    {
        // Paths are told as they were given, and those of a test are never the same.
        let mut explain = desk.tenant.enarx();
        explain.current_dir(desk.path("")).args(["explain", "report", "--nonce", NONCE]).args(options);
        let output = finish(&mut explain, b"");
        assert_eq!(code(&output), expected, "{}", stderr(&output));
        let told = stdout(&output);
        assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
        let told = masked(&told);
        let path = Path::new("tests/printed").join(file);
        if std::env::var_os("ENARX_PRINTED").is_some_and(|wish| wish == "overwrite") {
            fs::write(&path, &told).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(told, written, "{}", path.display());
    }
}

/// A time without its digits.
const TIME: &str = "0000-00-00T00:00:00Z";

/// The same text with `x` for the digits of everything long and hexadecimal, and `0` for those of times.
fn masked(text: &str) -> String {
    let shape: String =
        text.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    let mut letters: Vec<char> = text.chars().collect();
    for (at, _) in shape.match_indices(TIME) {
        let at = shape[..at].chars().count();
        letters.splice(at..at + TIME.len(), TIME.chars());
    }
    let mut masked = String::new();
    let mut cut = false;
    for line in letters.into_iter().collect::<String>().split_inclusive('\n') {
        let digits = line.trim().bytes().all(|letter| letter.is_ascii_hexdigit());
        // What was too long for one line goes on in the next.
        let least = if cut && digits { 1 } else { 16 };
        let line = without_digits(line, least);
        cut = line.ends_with("x\n");
        masked.push_str(&line);
    }
    masked
}

/// A line with `x` for hexadecimal digits of which there are at least so many in a row.
fn without_digits(line: &str, least: usize) -> String {
    let mut letters: Vec<char> = line.chars().collect();
    let mut run = 0;
    for at in 0..=letters.len() {
        if letters.get(at).is_some_and(char::is_ascii_hexdigit) {
            run += 1;
            continue;
        }
        if run >= least {
            letters[at - run..at].fill('x');
        }
        run = 0;
    }
    letters.into_iter().collect()
}
