// SPDX-License-Identifier: Apache-2.0

//! Intel's service and caches of it are asked as they want to be; what they answer, in whatever encoding, is kept in
//! one; and recorded quotes say what they need.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use enarx_collateral::{Clock, CollateralError, Config, ContentError, Fetcher, Item, Part, What, needs};
use enarx_evidence::{Endorsements, Evidence, Format};
use support::amd::platform;
use support::intel::{Dialect, FMSPC, VALID, identity, list, percent_encode, tcb_info};
use support::recorded::Recorded;
use support::{Reply, Server, config};

/// Certificates that stand for the TCB signing key and its root.
fn issuers() -> String {
    platform("amd/milan").chain
}

/// The same at a time when all is valid.
fn in_time(config: Config) -> Config {
    Config { clock: Clock::new(|| VALID.0 + 5), ..config }
}

async fn fetch(dialect: Dialect, server: &Server, what: &str) -> Result<Vec<Item>, CollateralError> {
    let config = in_time(config(vec![dialect.source(server)]));
    Fetcher::new(config).unwrap().fetch(&what.parse().unwrap()).await
}

#[tokio::test]
async fn every_service_gives_the_same() {
    let issuers = issuers();
    for dialect in [Dialect::Pcs, Dialect::Pccs3, Dialect::Pccs4] {
        let chain = issuers.clone();
        let server = Server::start(move |request| dialect.answer(request, &chain)).await;
        let tdx = format!("intel/tdx/tcb-info/{FMSPC}");
        let sgx = format!("intel/sgx/tcb-info/{FMSPC}");
        let cases = [
            (sgx.as_str(), tcb_info("sgx", FMSPC).into_bytes(), true),
            (&tdx, tcb_info("tdx", FMSPC).into_bytes(), true),
            ("intel/sgx/qe-identity", identity("QE").into_bytes(), true),
            ("intel/tdx/qe-identity", identity("TD_QE").into_bytes(), true),
            ("intel/pck-crl/platform", list("Intel SGX PCK Platform CA"), true),
            ("intel/pck-crl/processor", list("Intel SGX PCK Processor CA"), true),
            ("intel/root-crl", list("Intel SGX Root CA"), false),
        ];
        for (what, bytes, with_issuers) in cases {
            if dialect == Dialect::Pccs3 && what.starts_with("intel/tdx") {
                let error = fetch(dialect, &server, what).await.unwrap_err();
                assert!(matches!(error, CollateralError::NotServed { .. }), "{error}");
                continue;
            }
            let items = fetch(dialect, &server, what).await.unwrap();
            let mut expected = vec![(Part::Answer, bytes)];
            if with_issuers {
                expected.push((Part::Issuers, issuers.trim_end().as_bytes().to_vec()));
            }
            assert_eq!((items[0].validity.from, items[0].validity.until), VALID);
            let found: Vec<_> = items.into_iter().map(|item| (item.part, item.bytes)).collect();
            assert_eq!(found, expected, "{dialect:?} {what}");
        }
    }
}

#[tokio::test]
async fn documents_past_their_next_update_are_not_taken() {
    let issuers = issuers();
    let server = Server::start(move |request| Dialect::Pcs.answer(request, &issuers)).await;
    let info = format!("intel/tdx/tcb-info/{FMSPC}");
    for what in [info.as_str(), "intel/tdx/qe-identity", "intel/pck-crl/platform", "intel/root-crl"] {
        let config = config(vec![Dialect::Pcs.source(&server)]);
        let config = Config { clock: Clock::new(|| VALID.1 + 1), ..config };
        let error = Fetcher::new(config).unwrap().fetch(&what.parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, CollateralError::Stale { until, .. } if until == VALID.1), "{what}: {error}");
    }
}

#[tokio::test]
async fn answers_to_other_questions_are_not_taken() {
    let info = format!("intel/tdx/tcb-info/{FMSPC}");
    let cases = [
        (
            info.as_str(),
            tcb_info("tdx", "00906ed50000").into_bytes(),
            "the FMSPC is 00906ed50000, not b0c06f000000",
        ),
        (&info, tcb_info("sgx", FMSPC).into_bytes(), "the TEE is sgx, not tdx"),
        (&info, identity("TD_QE").into_bytes(), "not a TCB info"),
        (&info, b"{}".to_vec(), "not a TCB info"),
        (&info, b"".to_vec(), "not a TCB info"),
        ("intel/tdx/qe-identity", identity("QE").into_bytes(), "the enclave is QE, not TD_QE"),
        ("intel/sgx/qe-identity", identity("QVE").into_bytes(), "the enclave is QVE, not QE"),
        ("intel/sgx/qe-identity", tcb_info("sgx", FMSPC).into_bytes(), "not an enclave identity"),
        (
            "intel/pck-crl/platform",
            list("Intel SGX PCK Processor CA"),
            "the authority is Intel SGX PCK Processor CA, not Platform CA",
        ),
        (
            "intel/root-crl",
            list("Intel SGX PCK Platform CA"),
            "the authority is Intel SGX PCK Platform CA, not Root CA",
        ),
    ];
    for (what, body, words) in cases {
        let chain = percent_encode(&issuers());
        let headers =
            ["TCB-Info-Issuer-Chain", "SGX-Enclave-Identity-Issuer-Chain", "SGX-PCK-CRL-Issuer-Chain"];
        let reply = headers.into_iter().fold(Reply::ok(body), |reply, name| reply.with(name, chain.clone()));
        let server = Server::start(move |_| reply.clone()).await;
        let error = fetch(Dialect::Pcs, &server, what).await.unwrap_err();
        let CollateralError::Content { problem, .. } = error else { panic!("{error}") };
        assert_eq!(problem.to_string(), words);
    }
}

#[tokio::test]
async fn issuers_must_be_there_once_and_readable() {
    let name = "SGX-Enclave-Identity-Issuer-Chain";
    let good = percent_encode(&issuers());
    let body = || Reply::ok(identity("QE"));
    let missing = [
        body(),
        body().with(name, good.clone()).with(name, good.clone()),
        body().with(name, "%zz"),
        body().with("TCB-Info-Issuer-Chain", good.clone()),
    ];
    for reply in missing {
        let server = Server::start(move |_| reply.clone()).await;
        let error = fetch(Dialect::Pcs, &server, "intel/sgx/qe-identity").await.unwrap_err();
        let CollateralError::Content { problem, .. } = error else { panic!("{error}") };
        assert_eq!(problem, ContentError::IssuersMissing);
    }
    let reply = body().with(name, "no%20certificate");
    let server = Server::start(move |_| reply.clone()).await;
    let error = fetch(Dialect::Pcs, &server, "intel/sgx/qe-identity").await.unwrap_err();
    let CollateralError::Content { problem, .. } = error else { panic!("{error}") };
    assert_eq!(problem.to_string(), "not certificates in PEM");
}

#[test]
fn recorded_quotes_say_what_they_need() {
    let Some(recorded) = Recorded::find() else { return };
    let mut seen = 0;
    for case in recorded.cases() {
        let text = |key: &str| case.get(key).and_then(toml::Value::as_str);
        let (format, tee) = match text("tee") {
            Some("sgx") => (Format::Sgx, "sgx"),
            Some("tdx") => (Format::Tdx, "tdx"),
            _ => continue,
        };
        let (Some("valid"), Some(file), Some("raw")) = (text("expected"), text("file"), text("format"))
        else {
            continue;
        };
        // A certificate that is encrypted for Intel says nothing.
        let (Some(fmspc), Some(authority)) = (text("fmspc"), text("pck_ca")) else { continue };
        if case.get("cert_data_type").and_then(toml::Value::as_integer) != Some(5) {
            continue;
        }
        let evidence = Evidence { format, bytes: recorded.read(file) };
        let authority = if authority.contains("Platform") { "platform" } else { "processor" };
        let expected = [
            format!("intel/{tee}/tcb-info/{}", fmspc.to_lowercase()),
            format!("intel/{tee}/qe-identity"),
            format!("intel/pck-crl/{authority}"),
            "intel/root-crl".to_owned(),
        ];
        let wanted = needs(&evidence, &Endorsements::default(), None).unwrap().wanted;
        assert_eq!(wanted.iter().map(What::to_string).collect::<Vec<_>>(), expected, "{file}");
        seen += 1;
    }
    assert!(seen >= 20, "{seen} quotes");
}

#[tokio::test]
async fn recorded_collateral_is_taken_at_its_time() {
    let Some(recorded) = Recorded::find() else { return };
    let read = |name: &str| recorded.read(&format!("tdx/v4-emr-uptodate-near/{name}"));
    let chain = percent_encode(&String::from_utf8(read("tcb_signing_chain.pem")).unwrap());
    let (info, identity, pck, root) =
        (read("tcb_info.json"), read("qe_identity.json"), read("pck_crl.der"), read("root_ca_crl.der"));
    let served = [info.clone(), identity.clone(), pck.clone(), root.clone()];
    let server = Server::start(move |request| {
        let [info, identity, pck, root] = served.clone();
        match request.target.as_str() {
            "/tdx/certification/v4/tcb?fmspc=b0c06f000000" => {
                Reply::ok(info).with("TCB-Info-Issuer-Chain", chain.clone())
            }
            "/tdx/certification/v4/qe/identity" => {
                Reply::ok(identity).with("SGX-Enclave-Identity-Issuer-Chain", chain.clone())
            }
            "/sgx/certification/v4/pckcrl?ca=platform&encoding=der" => {
                Reply::ok(pck).with("SGX-PCK-CRL-Issuer-Chain", chain.clone())
            }
            "/IntelSGXRootCA.der" => Reply::ok(root),
            _ => Reply::status(404),
        }
    })
    .await;
    // 2026-08-28 05:00:00, the time for which it was recorded.
    let config = Config { clock: Clock::new(|| 1_787_893_200), ..config(vec![Dialect::Pcs.source(&server)]) };
    let evidence = Evidence { format: Format::Tdx, bytes: read("quote.bin") };
    let bundle = enarx_evidence::Bundle { evidence, endorsements: Endorsements::default() };
    let collected = Fetcher::new(config).unwrap().fetch_for(&bundle).await.unwrap();
    assert!(collected.is_complete(), "{:?}", collected.missing);
    let answers: Vec<_> = collected
        .items
        .iter()
        .filter(|item| item.part == Part::Answer)
        .map(|item| item.bytes.clone())
        .collect();
    assert_eq!(answers, [info, identity, pck, root]);
    // The issuers, which are the same three times, are shipped once.
    assert_eq!((collected.items.len(), collected.endorsements().items.len()), (7, 5));
}
