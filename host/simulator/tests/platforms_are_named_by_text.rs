// SPDX-License-Identifier: Apache-2.0

//! The texts of `--simulate`: what they mean and how wrong ones are refused.
#![allow(clippy::unwrap_used, reason = "tests")]

use enarx_evidence::snp::{Product, SigningKey, TcbVersion, Version};
use enarx_simulator::SimulatedPlatform;

fn platform(text: &str) -> SimulatedPlatform {
    text.parse().unwrap()
}

fn error(text: &str) -> String {
    text.parse::<SimulatedPlatform>().unwrap_err().to_string()
}

#[test]
fn a_product_alone_is_a_sound_platform() {
    for product in Product::ALL {
        let parsed = platform(&format!("amd/{product}"));
        assert_eq!(parsed, SimulatedPlatform::new(product));
        assert_eq!((parsed.debug, parsed.migration, parsed.smt, parsed.vmpl), (false, false, true, 0));
        assert_eq!(parsed.signing_key, SigningKey::Vcek);
    }
}

#[test]
fn levels_are_set_in_all_tcb_versions_or_in_one() {
    let genoa = SimulatedPlatform::new(Product::Genoa);
    let tcb = TcbVersion { fmc: None, bootloader: 9, tee: 1, snp: 20, microcode: 70 };
    assert_eq!(platform("amd/genoa@bootloader=9,tee=1,snp=20,microcode=70"), genoa.clone().with_tcb(tcb));

    let committed_tcb = TcbVersion { snp: 1, ..genoa.committed_tcb };
    assert_eq!(platform("amd/genoa@committed.snp=1"), SimulatedPlatform { committed_tcb, ..genoa.clone() });
    let current_tcb = TcbVersion { tee: 255, ..genoa.current_tcb };
    let launch_tcb = TcbVersion { microcode: 2, ..genoa.launch_tcb };
    let reported_tcb = TcbVersion { bootloader: 3, ..genoa.reported_tcb };
    assert_eq!(
        platform("amd/genoa@current.tee=255,launch.microcode=2,reported.bootloader=3"),
        SimulatedPlatform { current_tcb, launch_tcb, reported_tcb, ..genoa }
    );
    assert_eq!(platform("amd/turin@fmc=7").current_tcb.fmc, Some(7));
}

#[test]
fn guest_and_report_are_set() {
    let mut chip_id = [0; 64];
    chip_id[..2].copy_from_slice(&[0xab, 0xcd]);
    let expected = SimulatedPlatform {
        debug: true,
        migration: true,
        smt: false,
        vmpl: 2,
        report_version: Version::V3,
        chip_id: Some(chip_id),
        ..SimulatedPlatform::new(Product::Turin)
    };
    assert_eq!(platform("amd/turin@debug,migration,no-smt,vmpl=2,version=3,chip=abcd"), expected);
    assert_eq!(platform("amd/turin@vlek").signing_key, SigningKey::Vlek);
    assert_eq!(platform("amd/turin@unsigned").signing_key, SigningKey::None);
}

#[test]
fn wrong_texts_are_refused_with_what_was_expected() {
    let platforms = "expected one of `amd/milan`, `amd/genoa`, `amd/siena`, `amd/turin`";
    for (text, expected) in [
        ("", format!("unknown platform ``, {platforms}")),
        ("milan", format!("unknown platform `milan`, {platforms}")),
        ("amd/naples@debug", format!("unknown platform `amd/naples`, {platforms}")),
        ("amd/milan@", "unknown option `` for `amd/milan`".into()),
        ("amd/milan@debug,", "unknown option `` for `amd/milan`".into()),
        ("amd/milan@debugging", "unknown option `debugging` for `amd/milan`".into()),
        ("amd/milan@fmc=1", "unknown option `fmc` for `amd/milan`".into()),
        ("amd/milan@first.snp=1", "unknown option `first.snp` for `amd/milan`".into()),
        ("amd/milan@launch.uroc=1", "unknown option `launch.uroc` for `amd/milan`".into()),
        ("amd/milan@snp=256", "`snp` must be a number from 0 to 255, not `256`".into()),
        ("amd/milan@launch.snp=x", "`launch.snp` must be a number from 0 to 255, not `x`".into()),
        ("amd/milan@vmpl=-1", "`vmpl` must be a number, not `-1`".into()),
        ("amd/milan@version=1", "`version` must be a report version from 2 to 5, not `1`".into()),
        (
            "amd/turin@chip=112233445566778899",
            "`chip` must be an even number of hexadecimal digits that fits, not `112233445566778899`".into(),
        ),
        ("amd/turin@chip=", "`chip` must be an even number of hexadecimal digits that fits, not ``".into()),
    ] {
        assert_eq!(error(text), expected);
    }
}
