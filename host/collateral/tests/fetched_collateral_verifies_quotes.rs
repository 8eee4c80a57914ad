// SPDX-License-Identifier: Apache-2.0

//! What Intel's service, or a cache of it, gives out for a simulated TD or enclave is enough for a verifier.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::time::{SystemTime, UNIX_EPOCH};

use enarx_collateral::{Config, Fetcher, OfflineBundle};
use enarx_evidence::dcap::{PckExtensions, Quote};
use enarx_evidence::x509::{Certificate, documents};
use enarx_evidence::{Bundle, Endorsements};
use enarx_simulator::{PckAuthority, SimulatedQuote};
use enarx_verifier::{Policy, Refusals, Request, TrustAnchors, UnixTime, appraise};
use support::amd::{MEASUREMENT, REPORT_DATA, pem, simulator};
use support::intel::{Dialect, percent_encode};
use support::{Reply, Server, config};

const POLICY: &str = r#"
version = 1
[keep]
measurements = ["sha384:TD", "sha256:ENCLAVE"]
[simulated]
accept = true
roots = ["local"]
[[allow]]
id = "tds"
vendor = "intel"
tee = "tdx"
[[allow]]
id = "enclaves"
vendor = "intel"
tee = "sgx"
"#;

fn judge(bundle: &Bundle) -> Result<(), Refusals> {
    let anchors =
        TrustAnchors::vendors().with_simulated("local", simulator().dcap_root_spki_sha256().unwrap());
    let (td, enclave) = (hex::encode(MEASUREMENT), hex::encode(&MEASUREMENT[..32]));
    appraise(&Request {
        bundle,
        report_data: &REPORT_DATA,
        anchors: &anchors,
        reference_values: &[],
        policy: &Policy::parse(&POLICY.replace("TD", &td).replace("ENCLAVE", &enclave)).unwrap(),
        advisories: &[],
        now: UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()),
    })
    .map(|_| ())
}

/// The certificates in a quote: of the platform, its authority, and the root.
fn chain(quote: &Quote) -> Vec<Vec<u8>> {
    let enarx_evidence::dcap::Certification::PckChain(chain) = &quote.signature.certification else {
        panic!("another kind of certification")
    };
    documents(chain, 8).unwrap().into_iter().map(std::borrow::Cow::into_owned).collect()
}

/// A service that has what the simulator gives out with a quote, at the paths of Intel's.
async fn service(bundle: &Bundle, dialect: Dialect, platform: &SimulatedQuote) -> Server {
    let [info, identity, signer, root_list, list] = bundle.endorsements.items.clone().try_into().unwrap();
    let quote = Quote::parse(&bundle.evidence.bytes).unwrap();
    let [pck, authority, root] = chain(&quote).try_into().unwrap();
    let extensions = Certificate::parse(&pck).unwrap().extensions;
    let fmspc = hex::encode(PckExtensions::find(&extensions).unwrap().unwrap().fmspc);
    let signers = percent_encode(&(pem(&signer) + &pem(&root)));
    let issuers = percent_encode(&(pem(&authority) + &pem(&root)));
    let version = if dialect == Dialect::Pccs3 { "v3" } else { "v4" };
    let tcb_header =
        if dialect == Dialect::Pccs3 { "SGX-TCB-Info-Issuer-Chain" } else { "TCB-Info-Issuer-Chain" };
    let tee = bundle.evidence.format.name();
    let ca = match platform.authority {
        PckAuthority::Platform => "platform",
        PckAuthority::Processor => "processor",
    };
    Server::start(move |request| {
        let lists = |list: &[u8]| match dialect {
            Dialect::Pccs3 => Reply::ok(hex::encode(list)),
            _ => Reply::ok(list),
        };
        let target = request.target.clone();
        if target == format!("/{tee}/certification/{version}/tcb?fmspc={fmspc}") {
            Reply::ok(info.clone()).with(tcb_header, signers.clone())
        } else if target == format!("/{tee}/certification/{version}/qe/identity") {
            Reply::ok(identity.clone()).with("SGX-Enclave-Identity-Issuer-Chain", signers.clone())
        } else if target == format!("/sgx/certification/{version}/pckcrl?ca={ca}&encoding=der") {
            lists(&list).with("SGX-PCK-CRL-Issuer-Chain", issuers.clone())
        } else if target == format!("/sgx/certification/{version}/rootcacrl") {
            Reply::ok(hex::encode(&root_list))
        } else if target == "/IntelSGXRootCA.der" {
            Reply::ok(root_list.clone())
        } else {
            Reply::status(404)
        }
    })
    .await
}

#[tokio::test]
async fn quotes_of_every_kind_at_every_service() {
    let td = SimulatedQuote::default();
    let processor = SimulatedQuote { authority: PckAuthority::Processor, ..SimulatedQuote::default() };
    let enclave = SimulatedQuote::enclave();
    let cases = [
        (&td, Dialect::Pcs),
        (&td, Dialect::Pccs4),
        (&processor, Dialect::Pcs),
        (&enclave, Dialect::Pcs),
        (&enclave, Dialect::Pccs3),
        (&enclave, Dialect::Pccs4),
    ];
    for (platform, dialect) in cases {
        let bundle = simulator().attest_quote(platform, &REPORT_DATA, &MEASUREMENT, |_| {}).unwrap();
        let bare = Bundle { endorsements: Endorsements::default(), ..bundle.clone() };
        assert!(judge(&bare).is_err(), "without collateral it is refused");
        let server = service(&bundle, dialect, platform).await;
        let fetcher = Fetcher::new(config(vec![dialect.source(&server)])).unwrap();
        let collected = fetcher.fetch_for(&bare).await.unwrap();
        assert!(collected.is_complete(), "{dialect:?}: {:?}", collected.missing);
        let shipped = Bundle { endorsements: collected.endorsements(), ..bundle.clone() };
        assert_eq!(judge(&shipped).map_err(|refusals| refusals.to_string()), Ok(()), "{dialect:?}");

        // The same out of a file, without any network.
        let mut offline = OfflineBundle::default();
        assert!(collected.items.into_iter().all(|item| offline.add(item)));
        let offline = OfflineBundle::decode(&offline.encode()).unwrap();
        let endorsements = offline.endorsements_for(&bundle.evidence).unwrap();
        assert_eq!(
            judge(&Bundle { endorsements, ..bundle.clone() }).map_err(|refusals| refusals.to_string()),
            Ok(())
        );
        let config = Config { bundles: vec![offline], offline: true, ..config(Vec::new()) };
        let collected = Fetcher::new(config).unwrap().fetch_for(&bare).await.unwrap();
        assert!(collected.is_complete(), "{:?}", collected.missing);
    }
}
