// SPDX-License-Identifier: Apache-2.0

//! Whatever a server does, it ends in bounded time with an error of its own kind, which says whether trying again
//! may help; and what may help is tried.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use enarx_collateral::{
    Clock, CollateralError, Config, ContentError, Event, Fetcher, HttpError, HttpLimits, Item, Patience,
    Source, Url, What,
};
use support::amd::{Platform, kds, platform};
use support::der::revocation_list;
use support::{Reply, Request, Server, config};

const LIST: &str = "amd/milan/vcek-crl";

fn what(text: &str) -> What {
    text.parse().unwrap()
}

async fn fetch(config: Config, text: &str) -> Result<Vec<Item>, CollateralError> {
    Fetcher::new(config).unwrap().fetch(&what(text)).await
}

async fn fail(server: &Server, text: &str) -> CollateralError {
    fetch(config(vec![kds(server)]), text).await.unwrap_err()
}

/// A server whose replies to requests are these, one after the other, the last one forever.
async fn script(replies: Vec<Reply>) -> Server {
    let next = AtomicUsize::new(0);
    Server::start(move |_| {
        let at = next.fetch_add(1, Ordering::Relaxed).min(replies.len() - 1);
        replies[at].clone()
    })
    .await
}

/// The name of a chip's key, as evidence would ask for it.
fn key(platform: &Platform) -> String {
    let path = platform.key_path("Milan");
    let chip = path.split(['/', '?']).nth(4).unwrap();
    format!("amd/milan/vcek/{chip}/bootloader=4,tee=0,snp=27,microcode=219")
}

#[tokio::test]
async fn refusals_are_final_and_failures_of_the_server_are_tried_again() {
    for status in [400, 401, 403, 404, 410, 461] {
        let server = Server::start(move |_| Reply::status(status)).await;
        let error = fail(&server, LIST).await;
        assert!(
            matches!(error, CollateralError::Http(HttpError::Status { status: found, retry_after: None, .. }) if found == status),
            "{error}"
        );
        assert!(!error.is_retryable());
        assert_eq!(server.targets().len(), 1, "{status}");
    }
    for status in [408, 429, 500, 502, 503, 504] {
        let server = Server::start(move |_| Reply::status(status)).await;
        let error = fail(&server, LIST).await;
        assert!(error.is_retryable(), "{error}");
        assert_eq!(server.targets().len(), 3, "{status}");
    }
}

#[tokio::test]
async fn what_fails_and_then_works_is_found() {
    let list = platform("amd/milan").list;
    let replies = vec![Reply::status(503), Reply::Truncated(list[..100].to_vec()), Reply::ok(list.clone())];
    let server = script(replies).await;
    let items = fetch(config(vec![kds(&server)]), LIST).await.unwrap();
    assert_eq!(items[0].bytes, list);
    assert_eq!(server.targets().len(), 3);
}

#[tokio::test]
async fn a_server_that_asks_for_patience_gets_it() {
    let list = platform("amd/milan").list;
    let busy = Reply::status(429).with("Retry-After", "1");
    let server = script(vec![busy, Reply::ok(list)]).await;
    let started = Instant::now();
    let waits = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&waits);
    let fetcher = Fetcher::new(config(vec![kds(&server)])).unwrap().watched(move |event| {
        if let Event::Waiting { wait, error: Some(error), .. } = event {
            assert_eq!(*wait, Duration::from_secs(1));
            assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
            seen.fetch_add(1, Ordering::Relaxed);
        }
    });
    fetcher.fetch(&what(LIST)).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(waits.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn more_patience_than_there_is_time_for_is_left_to_the_caller() {
    let server = Server::start(|_| Reply::status(429).with("Retry-After", "3600")).await;
    let started = Instant::now();
    let error = fail(&server, LIST).await;
    assert_eq!(error.retry_after(), Some(Duration::from_hours(1)));
    assert!(error.is_retryable());
    assert_eq!(server.targets().len(), 1);
    assert!(started.elapsed() < Duration::from_secs(10));
    let expected = format!("`{}vcek/v1/Milan/crl` answered 429, and to wait for 3600 s", server.url());
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_server_that_asked_for_patience_is_not_asked_for_other_things_either() {
    let server = Server::start(|_| Reply::status(429).with("Retry-After", "3600")).await;
    let config = config(vec![kds(&server)]);
    let patience = Patience { total_time: Duration::from_millis(500), ..config.patience };
    let fetcher = Fetcher::new(Config { patience, ..config }).unwrap();
    fetcher.fetch(&what(LIST)).await.unwrap_err();
    let error = fetcher.fetch(&what("amd/genoa/vcek-crl")).await.unwrap_err();
    assert_eq!(server.targets().len(), 1, "the second request was never sent");
    assert!(error.retry_after().is_some_and(|wait| wait > Duration::from_mins(50)), "{error}");
}

#[tokio::test]
async fn requests_about_one_chip_are_spaced() {
    let platform = platform("amd/milan");
    let key_of = |snp: u8| key(&platform).replace("snp=27", &format!("snp={snp}"));
    let server = Server::start(|_| Reply::status(404)).await;
    let config = config(vec![kds(&server)]);
    let patience = Patience { spaced: true, total_time: Duration::from_millis(500), ..config.patience };
    let fetcher = Fetcher::new(Config { patience, ..config }).unwrap();
    fetcher.fetch(&what(&key_of(27))).await.unwrap_err();
    // Another TCB of the same chip has to wait for ten seconds, for which there is no time.
    let error = fetcher.fetch(&what(&key_of(26))).await.unwrap_err();
    assert!(matches!(error, CollateralError::TooSoon { .. }), "{error}");
    assert!(error.retry_after().is_some_and(|wait| wait > Duration::from_secs(8)), "{error}");
    // Lists are not about the chip.
    fetcher.fetch(&what(LIST)).await.unwrap_err();
    assert_eq!(server.targets().len(), 2);
}

#[tokio::test]
async fn slow_servers_are_left() {
    for reply in [Reply::Silent, Reply::Trickle] {
        let server = script(vec![reply.clone()]).await;
        let config = config(vec![kds(&server)]);
        let limits = HttpLimits { answer_time: Duration::from_millis(200), ..config.limits };
        let started = Instant::now();
        let error = fetch(Config { limits, ..config }, LIST).await.unwrap_err();
        assert!(matches!(error, CollateralError::Http(HttpError::Timeout { .. })), "{reply:?}: {error}");
        assert!(error.is_retryable());
        assert_eq!(server.targets().len(), 3);
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn endless_answers_are_cut() {
    let server = script(vec![Reply::Endless]).await;
    let error = fail(&server, LIST).await;
    assert!(matches!(error, CollateralError::Http(HttpError::TooLarge { limit: 262_144, .. })), "{error}");
    assert!(!error.is_retryable());
    assert_eq!(server.targets().len(), 1);
    // What fits into an answer may still be more than an endorsement is.
    let server = script(vec![Reply::ok(vec![b'x'; 100_000])]).await;
    let error = fail(&server, LIST).await;
    let limit = ContentError::TooLarge { limit: 65_536 };
    assert!(matches!(&error, CollateralError::Content { problem, .. } if *problem == limit), "{error}");
}

#[tokio::test]
async fn what_is_no_http_is_broken() {
    let long = [b"HTTP/1.1 200 OK\r\nA: ".to_vec(), vec![b'a'; 200_000], b"\r\n\r\n".to_vec()].concat();
    let many = [b"HTTP/1.1 200 OK\r\n".to_vec(), b"A: b\r\n".repeat(200), b"\r\n".to_vec()].concat();
    for bytes in [b"".to_vec(), b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(), long, many] {
        let server = script(vec![Reply::Raw(bytes.clone())]).await;
        let error = fail(&server, LIST).await;
        assert!(matches!(error, CollateralError::Http(HttpError::Broken { .. })), "{error}");
        assert!(error.is_retryable());
    }
    let server = script(vec![Reply::Truncated(platform("amd/milan").list)]).await;
    let error = fail(&server, LIST).await;
    assert!(matches!(error, CollateralError::Http(HttpError::Broken { .. })), "{error}");
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let closed = { Server::start(|_| Reply::Silent).await.address };
    tokio::time::sleep(Duration::from_millis(50)).await;
    let base = Url::parse(&format!("http://{closed}")).unwrap();
    let error = fetch(config(vec![Source::Kds { base }]), LIST).await.unwrap_err();
    assert!(
        matches!(&error, CollateralError::Http(HttpError::Connect { server, .. }) if *server == closed.to_string()),
        "{error}"
    );
    assert!(error.is_retryable());
    assert!(error.hint().unwrap().contains("HTTPS_PROXY"));
}

#[tokio::test]
async fn redirects_are_followed_on_the_same_scheme_and_not_forever() {
    let list = platform("amd/milan").list;
    let handle = move |request: &Request| match request.target.as_str() {
        "/vcek/v1/Milan/crl" => Reply::status(302).with("Location", "/moved?here"),
        "/moved?here" => Reply::ok(list.clone()),
        "/vcek/v1/Genoa/crl" => Reply::status(301).with("Location", "/vcek/v1/Genoa/crl"),
        "/vcek/v1/Turin/crl" => Reply::status(307).with("Location", "https://127.0.0.1:1/crl"),
        "/vlek/v1/Milan/crl" => Reply::status(307).with("Location", "ftp://127.0.0.1/crl"),
        "/vlek/v1/Genoa/crl" => Reply::status(308),
        _ => Reply::status(304),
    };
    let server = Server::start(handle).await;
    assert_eq!(fetch(config(vec![kds(&server)]), LIST).await.unwrap().len(), 1);
    let cases = [
        ("amd/genoa/vcek-crl", "redirects more than 4 times", 5),
        ("amd/turin/vcek-crl", "redirects to another scheme, `https://127.0.0.1:1/crl`", 1),
        ("amd/milan/vlek-crl", "redirects to what must begin with http:// or https://", 1),
        ("amd/genoa/vlek-crl", "redirects to no address", 1),
        ("amd/turin/vlek-crl", "answered 304", 1),
    ];
    for (name, words, requests) in cases {
        let before = server.targets().len();
        let error = fail(&server, name).await;
        assert!(error.to_string().ends_with(words), "{error}");
        assert!(!error.is_retryable());
        assert_eq!(server.targets().len() - before, requests, "{name}");
    }
}

#[tokio::test]
async fn answers_that_are_something_else_are_not_taken() {
    let (milan, genoa) = (platform("amd/milan"), platform("amd/genoa"));
    let portal = Reply::ok("<html>please log in</html>").with("Content-Type", "text/html");
    let other_chip = platform(&format!("amd/milan@chip={}", "11".repeat(64)));
    let other_tcb = platform("amd/milan@reported.snp=26");
    let reversed = genoa.chain.clone();
    let [ark, ask] = [&milan.bundle.endorsements.items[2], &milan.bundle.endorsements.items[1]]
        .map(|der| support::amd::pem(der));
    let chip = key(&milan);
    let chain = "amd/milan/vcek-authorities";
    let cases = [
        (LIST, portal.clone(), "not a revocation list in DER, but what the server calls `text/html`"),
        (LIST, Reply::ok(""), "not a revocation list in DER"),
        (LIST, Reply::ok(milan.key.clone()), "not a revocation list in DER"),
        (LIST, Reply::ok(&milan.list[..milan.list.len() - 1]), "not a revocation list in DER"),
        (LIST, Reply::ok(genoa.list.clone()), "the authority is Simulated ARK Genoa, not ARK Milan"),
        (&chip, portal, "not a certificate in DER, but what the server calls `text/html`"),
        (&chip, Reply::ok(milan.bundle.endorsements.items[1].clone()), "not a VCEK certificate"),
        (
            &chip,
            Reply::ok(other_tcb.key),
            "the TCB is bootloader=4,tee=0,snp=26,microcode=219, not bootloader=4,tee=0,snp=27,microcode=219",
        ),
        (&chip, Reply::ok(genoa.key), "the product is genoa, not milan"),
        (chain, Reply::ok(reversed), "the authority is Simulated ASK Genoa, not Milan"),
        (chain, Reply::ok(ark.clone()), "not an intermediate and its root"),
        (chain, Reply::ok(ask.clone()), "not an intermediate and its root"),
        (chain, Reply::ok(milan.list.clone()), "not certificates in PEM"),
        (chain, Reply::ok((ask + &ark).repeat(5)), "not certificates in PEM"),
    ];
    for (name, reply, words) in cases {
        let server = script(vec![reply]).await;
        let error = fail(&server, name).await;
        let CollateralError::Content { problem, .. } = &error else { panic!("{error}") };
        assert_eq!(problem.to_string(), words);
        assert!(!error.is_retryable());
        assert_eq!(server.targets().len(), 1, "asking again would not help");
    }
    let server = script(vec![Reply::ok(other_chip.key)]).await;
    let CollateralError::Content { problem, .. } = fail(&server, &chip).await else {
        panic!("another error")
    };
    assert!(
        matches!(&problem, ContentError::Other { field: "chip", found, .. } if *found == "11".repeat(64)),
        "{problem}"
    );
}

#[tokio::test]
async fn other_encodings_of_the_same_are_taken() {
    let milan = platform("amd/milan");
    let list = pem_rfc7468::encode_string("X509 CRL", pem_rfc7468::LineEnding::LF, &milan.list).unwrap();
    for body in [
        list.into_bytes(),
        hex::encode(&milan.list).into_bytes(),
        hex::encode_upper(&milan.list).into_bytes(),
    ] {
        let server = script(vec![Reply::ok(body)]).await;
        let items = fetch(config(vec![kds(&server)]), LIST).await.unwrap();
        assert_eq!(items[0].bytes, milan.list);
    }
    // Root first, as some mirrors have it, and text around.
    let items = &milan.bundle.endorsements.items;
    let chain = format!(
        "subject=Root\n{}subject=Intermediate\n{}",
        support::amd::pem(&items[2]),
        support::amd::pem(&items[1])
    );
    let server = script(vec![Reply::ok(chain)]).await;
    fetch(config(vec![kds(&server)]), "amd/milan/vcek-authorities").await.unwrap();
}

/// 2026-01-01 00:00:00 and 2026-02-01 00:00:00.
const JANUARY: (u64, u64) = (1_767_225_600, 1_769_904_000);

#[tokio::test]
async fn lists_are_taken_from_this_update_to_next_update() {
    let list = revocation_list("ARK-Milan", "260101000000Z", "260201000000Z");
    let server = script(vec![Reply::ok(list)]).await;
    let at = |now: u64| {
        let config = Config { clock: Clock::new(move || now), ..config(vec![kds(&server)]) };
        async move { fetch(config, LIST).await }
    };
    let (from, until) = JANUARY;
    for now in [from, until] {
        let validity = at(now).await.unwrap()[0].validity;
        assert_eq!((validity.from, validity.until), JANUARY);
    }
    let stale = at(until + 1).await.unwrap_err();
    assert!(
        matches!(stale, CollateralError::Stale { until: found, now, .. } if (found, now) == (until, until + 1)),
        "{stale}"
    );
    let early = at(from - 1).await.unwrap_err();
    assert!(
        matches!(early, CollateralError::NotYetValid { from: found, now, .. } if (found, now) == (from, from - 1)),
        "{early}"
    );
    // The vendor will publish anew, but not within seconds.
    assert!(stale.is_retryable() && early.is_retryable());
    assert_eq!(server.targets().len(), 4);
}

#[tokio::test]
async fn expired_certificates_are_not_taken() {
    let platform = platform("amd/milan");
    let server = platform.server("vcek", "Milan").await;
    // The simulator's VCEKs live for seven years, its authorities for twenty-five.
    let in_ten_years = std::time::SystemTime::now() + Duration::from_hours(24 * 3653);
    let in_ten_years = in_ten_years.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let config = Config { clock: Clock::new(move || in_ten_years), ..config(vec![kds(&server)]) };
    let collected = Fetcher::new(config).unwrap().fetch_for(&platform.bare()).await.unwrap();
    assert_eq!(collected.items.len(), 1, "the authorities");
    let stale = |error: &CollateralError| matches!(error, CollateralError::Stale { .. });
    assert!(collected.missing.iter().all(|missing| stale(&missing.error)), "{:?}", collected.missing);
    assert!(collected.is_worth_retrying() && !collected.is_complete());
}

#[tokio::test]
async fn the_next_source_is_asked_and_the_more_telling_error_is_told() {
    let list = platform("amd/milan").list;
    let absent = Server::start(|_| Reply::status(404)).await;
    let broken = Server::start(|_| Reply::status(500)).await;
    let good = script(vec![Reply::ok(list.clone())]).await;
    let sources = vec![kds(&absent), kds(&broken), kds(&good)];
    let items = fetch(config(sources), LIST).await.unwrap();
    assert!(items[0].source.starts_with(&good.url().to_string()));
    for order in [[&absent, &broken], [&broken, &absent]] {
        let error = fetch(config(order.map(kds).to_vec()), LIST).await.unwrap_err();
        assert!(matches!(error, CollateralError::Http(HttpError::Status { status: 500, .. })), "{error}");
    }
}

#[tokio::test]
async fn without_a_source_or_a_network_nothing_is_asked() {
    let server = Server::start(|_| Reply::status(404)).await;
    let error = fetch(config(vec![kds(&server)]), "intel/root-crl").await.unwrap_err();
    assert!(matches!(error, CollateralError::NotServed { .. }), "{error}");
    let offline = Config { offline: true, ..config(vec![kds(&server)]) };
    let error = fetch(offline, LIST).await.unwrap_err();
    assert!(matches!(error, CollateralError::Offline { .. }), "{error}");
    assert!(server.targets().is_empty());
}
