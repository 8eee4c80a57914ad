// SPDX-License-Identifier: Apache-2.0

//! The texts of `--simulate`: every platform and option has a meaning, and wrong ones are answered with what was meant.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use enarx_simulator::{KnownPlatform, Rehearsal};

fn error(text: &str) -> String {
    text.parse::<Rehearsal>().unwrap_err().to_string()
}

/// A value that the option takes, as its usage describes it.
fn example(usage: &str) -> String {
    let value = match usage.split_once('=') {
        None => return usage.to_owned(),
        Some(("pcrN", _)) => return "pcr7=00ff".to_owned(),
        Some(("version", _)) => "4",
        Some(("status", _)) => "OutOfDate",
        Some(("date", _)) => "2024-03-13",
        Some(("advisories", _)) => "INTEL-SA-00837+INTEL-SA-00960",
        Some(("module", "MAJOR.MINOR")) => "1.5",
        Some(("module", _)) => "i-0-enc0",
        Some(("tee", "TEE")) => "sgx",
        Some(("lifecycle", _)) => "secured",
        Some(("family", _)) => "granite-rapids",
        Some(("product", _)) => "turin",
        Some(("key", _)) => "p384",
        Some((_, "HEX")) => "00ff",
        Some((_, "N")) => "1",
        Some(other) => panic!("{other:?}"),
    };
    let (name, _) = usage.split_once('=').unwrap();
    format!("{name}={value}")
}

#[test]
fn every_platform_takes_every_option_of_its_list() {
    for platform in Rehearsal::known() {
        let sound: Rehearsal = platform.name.parse().unwrap();
        assert_eq!(sound.to_string(), platform.name);
        assert_eq!(sound.format(), platform.format);
        for option in platform.options() {
            let before =
                if option.name() == "fmc" && platform.name == "azure/snp" { "product=turin," } else { "" };
            let text = format!("{}@{before}{}", platform.name, example(option.usage));
            if let Err(error) = text.parse::<Rehearsal>() {
                panic!("{text}: {error}");
            }
        }
    }
}

#[test]
fn only_a_tpm_hides_nothing() {
    for platform in Rehearsal::known() {
        let rehearsal: Rehearsal = platform.name.parse().unwrap();
        assert_eq!(rehearsal.caveat().is_some(), platform.name == "tpm", "{}", platform.name);
    }
}

#[test]
fn the_order_of_options_does_not_matter() {
    let same = |one: &str, other: &str| {
        assert_eq!(one.parse::<Rehearsal>().unwrap(), other.parse::<Rehearsal>().unwrap(), "{one}");
    };
    same("azure/snp@debug,product=genoa,snp=3", "azure/snp@product=genoa,snp=3,debug");
    same("azure/tdx@debug,family=emerald-rapids", "azure/tdx@family=emerald-rapids,debug");
    same("intel/granite-rapids@version=4,tee=sgx", "intel/granite-rapids@tee=sgx,version=4");
}

#[test]
fn any_text_is_read_or_refused() {
    let options: Vec<_> =
        Rehearsal::known().iter().flat_map(KnownPlatform::options).map(|o| o.usage).collect();
    let pieces = ["@", ",", "=", ".", "pcr", "\u{0}", "é", "-1", "256", "00", "+", "", "4294967296", "1.5.5"];
    // Every platform with every option, and pieces of text in between: none of it may panic.
    for platform in Rehearsal::known() {
        for (number, option) in options.iter().enumerate() {
            let piece = pieces[number % pieces.len()];
            let name = option.split('=').next().unwrap();
            for text in [
                format!("{}@{option}", platform.name),
                format!("{}@{name}={piece}", platform.name),
                format!("{}@{name}{piece}={option}", platform.name),
                format!("{}{piece}@{name}", platform.name),
                format!("{}@{},{name}={piece}", platform.name, "debug,".repeat(number)),
            ] {
                if let Err(error) = text.parse::<Rehearsal>() {
                    assert!(!error.to_string().is_empty());
                }
            }
        }
    }
}

#[test]
fn wrong_names_are_answered_with_what_was_meant_and_with_the_list() {
    for (text, expected) in [
        (
            "amd/milna",
            "unknown platform `amd/milna` (did you mean `amd/milan`?), expected one of `amd/milan`, ",
        ),
        (
            "intel/saphire-rapids@debug",
            "unknown platform `intel/saphire-rapids` (did you mean `intel/sapphire-rapids`?), expected",
        ),
        ("", "unknown platform ``, expected one of `amd/milan`, `amd/genoa`, `amd/bergamo`, "),
        ("riscv/cove", "unknown platform `riscv/cove`, expected one of "),
        ("amd/\u{1b}[2J", "unknown platform `amd/\\u{1b}[2J`, expected one of "),
    ] {
        let error = error(text);
        assert!(error.starts_with(expected), "{error}");
        assert!(error.ends_with("`azure/snp`, `azure/tdx`, `tpm`"), "{error}");
    }
}

#[test]
fn wrong_options_are_answered_with_what_was_meant_and_with_the_list() {
    for (text, expected) in [
        (
            "intel/emerald-rapids@statos=OutOfDate",
            "unknown option `statos` for `intel/emerald-rapids` (did you mean `status=STATUS`?), expected one of `status=STATUS`, ",
        ),
        (
            "amd/milan@debug=1",
            "unknown option `debug` for `amd/milan` (did you mean `debug`?), expected one of ",
        ),
        ("amd/bergamo@fmc=1", "unknown option `fmc` for `amd/bergamo`, expected one of `bootloader=N`, "),
        ("aws/nitro@no-crl", "unknown option `no-crl` for `aws/nitro`, expected one of `debug`, "),
        (
            "aws/nitro@pcr2=00",
            "unknown option `pcr2` for `aws/nitro` (did you mean `pcrN=HEX`?), expected one of ",
        ),
        ("tpm@pcr11=00", "unknown option `pcr11` for `tpm`, expected one of "),
        ("tpm@pcr07=00", "unknown option `pcr07` for `tpm`, expected one of "),
        ("arm/cca@", "unknown option `` for `arm/cca`, expected one of "),
        (
            "intel/ice-lake-sp@migration",
            "unknown option `migration` for `intel/ice-lake-sp`, expected one of ",
        ),
        ("azure/tdx@tee=sgx", "unknown option `tee` for `azure/tdx`"),
        ("azure/tdx@version=5", "unknown option `version` for `azure/tdx`"),
        ("intel/ice-lake-sp@tee=tdx", "unknown option `tee` for `intel/ice-lake-sp`"),
    ] {
        let error = error(text);
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn wrong_values_are_answered_with_what_was_expected() {
    for (text, expected) in [
        ("amd/genoa@snp=256", "`snp` must be a number from 0 to 255, not `256`"),
        (
            "intel/sapphire-rapids@date=13.3.2024",
            "`date` must be a date such as `2024-03-13`, not `13.3.2024`",
        ),
        ("intel/sapphire-rapids@module=1", "`module` must be a version such as `1.5`, not `1`"),
        (
            "intel/sapphire-rapids@version=3",
            "`version` must be a quote version: 4 or 5, or 3 of an enclave, not `3`",
        ),
        ("intel/sapphire-rapids@tee=snp", "`tee` must be `tdx` or `sgx`, not `snp`"),
        (
            "intel/sapphire-rapids@advisories=A++B",
            "`advisories` must be names such as `INTEL-SA-00837`, with `+` between, not `A++B`",
        ),
        ("azure/snp@product=naples", "`product` must be milan, genoa, siena or turin, not `naples`"),
        ("arm/cca@profile=3", "`profile` must be 1 or 2, not `3`"),
        ("tpm@key=dsa", "`key` must be `rsa`, `rsa-pss`, `p256` or `p384`, not `dsa`"),
        ("tpm@pcr7=0", "`pcr7` must be an even number of hexadecimal digits that fits, not `0`"),
    ] {
        assert_eq!(error(text), expected);
    }
    let published = error("intel/sapphire-rapids@status=TDRelaunchAdvised");
    assert_eq!(
        published,
        "`status` must be a status that Intel publishes, such as `OutOfDate` or `SWHardeningNeeded`, not `TDRelaunchAdvised`"
    );
}
