// SPDX-License-Identifier: Apache-2.0

//! Every message of the policy parser, with its position and its hint.
#![allow(clippy::unwrap_used, reason = "tests")]

use enarx_verifier::policy::{MAX_POLICY_BYTES, Policy};

/// A policy without faults, line by line, for the cases to damage.
const GOOD: &str = r#"version = 1
[keep]
measurements = ["release"]
[[allow]]
id = "amd"
vendor = "amd"
tee = "sev-snp"
products = ["milan", "genoa"]
[minimum_tcb.milan]
bootloader = 4
tee = 0
snp = 27
microcode = 219
[minimum_tcb.genoa]
bootloader = 10
tee = 0
snp = 27
microcode = 84
"#;

/// Replaces a piece of the good policy and renders the error.
fn damaged(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "`{from}` is not in the good policy");
    error_of(&GOOD.replacen(from, to, 1))
}

/// Appends to the good policy, from line 19 on, and renders the error.
fn extended(more: &str) -> String {
    error_of(&format!("{GOOD}{more}"))
}

fn error_of(policy: &str) -> String {
    let error = Policy::parse(policy).unwrap_err();
    match &error.hint {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

#[test]
fn the_policy_to_damage_is_good() {
    Policy::parse(GOOD).unwrap();
}

#[test]
fn syntax() {
    assert_eq!(
        damaged("snp = 27", "snp = "),
        "line 12, column 7: string values must be quoted, expected literal string"
    );
    assert_eq!(damaged("snp = 27", "tee = 1"), "line 12, column 1: duplicate key");
    assert_eq!(damaged("[keep]", "[keep"), "line 2, column 6: unclosed table, expected `]`");
}

#[test]
fn size() {
    let long = format!("{GOOD}#{}", "x".repeat(MAX_POLICY_BYTES));
    assert_eq!(
        error_of(&long),
        format!("line 1, column 1: the policy has {} bytes, more than {MAX_POLICY_BYTES}", long.len())
    );
    let deep = format!("{GOOD}[collateral]\ncrl = {}", "[".repeat(100_000));
    assert_eq!(error_of(&deep), "line 20, column 87: cannot recurse further; max recursion depth met");
}

#[test]
fn version() {
    let hint = "write `version = 1` at the top";
    assert_eq!(damaged("version = 1", ""), format!("line 1, column 1: `version` is missing; {hint}"));
    assert_eq!(
        damaged("version = 1", "version = 2"),
        format!("line 1, column 11: version 2 of the policy language is not known; {hint}")
    );
    assert_eq!(error_of(""), format!("line 1, column 1: `version` is missing; {hint}"));
}

#[test]
fn unknown_keys() {
    assert_eq!(
        damaged("[[allow]]", "[[alow]]"),
        "line 4, column 3: unknown key `alow`; did you mean `allow`?"
    );
    assert_eq!(
        damaged("microcode = 219", "microcod = 219"),
        "line 13, column 1: unknown key `microcod` in `minimum_tcb.milan`; did you mean `microcode`?"
    );
    assert_eq!(
        damaged("vendor = \"amd\"", "until = 2027-01-01"),
        "line 6, column 1: unknown key `until` in `allow`; known here: `id`, `vendor`, `tee`, `products`, `families`, \
         `models`, `steppings`, `chip_ids`, `providers`, `fmspcs`, `ppids`, `platform_instances`, \
         `implementation_ids`, `instance_ids`, `module_ids`, `drivers`, `firmwares`, `minimum_tcb`, `expires`, `reason`"
    );
    assert_eq!(
        damaged("[minimum_tcb.milan]", "[minimum_tcb.milano]"),
        "line 9, column 14: unknown key `milano` in `minimum_tcb`; did you mean `milan`?"
    );
    assert_eq!(
        damaged("bootloader = 4", "bootloader = 4\nfmc = 1"),
        "line 11, column 1: unknown key `fmc` in `minimum_tcb.milan`; known here: `bootloader`, `tee`, `snp`, \
         `microcode`, `current`, `committed`, `launch`, `reported`"
    );
    assert_eq!(
        extended("[guest]\ndebugging = \"refuse\"\nsmtp = \"accept\"\n"),
        "line 20, column 1: unknown key `debugging` in `guest`; known here: `debug`, `migration`, `vmpl`, \
         `vlek`, `smt`, `several_sockets`, `ciphertext_visible`, `aliases_unchecked`, `power_readings`, `cxl`, \
         `launch_keys`"
    );
}

#[test]
fn wrong_types() {
    for (from, to, expected) in [
        ("version = 1", "version = \"1\"", "line 1, column 11: `version` must be a number, not a string"),
        (
            "[keep]\nmeasurements = ",
            "keep = ",
            "line 2, column 8: `keep` must be a table, not a list; write `[keep]` above its keys",
        ),
        (
            "[\"release\"]",
            "\"release\"",
            "line 3, column 16: `keep.measurements` must be a list of strings, not a string",
        ),
        (
            "[\"release\"]",
            "[\"release\", 7]",
            "line 3, column 28: `keep.measurements` must be a string, not a number",
        ),
        (
            "[[allow]]",
            "[allow]",
            "line 4, column 1: `allow` must be an array of tables, not a table; write `[[allow]]` above each of them",
        ),
        ("id = \"amd\"", "id = 1979-05-27", "line 5, column 6: `allow.id` must be a string, not a date"),
        (
            "snp = 27",
            "snp = 27.5",
            "line 12, column 7: `minimum_tcb.milan.snp` must be a number, not a number with a fraction",
        ),
        (
            "snp = 27",
            "snp = true",
            "line 12, column 7: `minimum_tcb.milan.snp` must be a number, not `true` or `false`",
        ),
        ("snp = 27", "snp = {}", "line 12, column 7: `minimum_tcb.milan.snp` must be a number, not a table"),
        (
            "snp = 27",
            "snp = 256",
            "line 12, column 7: `minimum_tcb.milan.snp` must be from 0 to 255, not 256",
        ),
        ("snp = 27", "snp = -1", "line 12, column 7: `minimum_tcb.milan.snp` must be from 0 to 255, not -1"),
    ] {
        assert_eq!(damaged(from, to), expected);
    }
    assert_eq!(
        extended("[simulated]\naccept = \"yes\"\n"),
        "line 20, column 10: `simulated.accept` must be `true` or `false`, not a string"
    );
    assert_eq!(
        extended("[guest]\nvmpl = 0\n"),
        "line 20, column 8: `guest.vmpl` must be a list of numbers, not a number"
    );
}

#[test]
fn unknown_words() {
    for (from, to, expected) in [
        (
            "vendor = \"amd\"",
            "vendor = \"AMD\"",
            "line 6, column 10: `AMD` is not a value of `allow.vendor`; known here: `amd`, `intel`, `arm`, `aws`, `nvidia`, `tpm`",
        ),
        (
            "sev-snp",
            "sev_snp",
            "line 7, column 7: `sev_snp` is not a value of `allow.tee`; did you mean `sev-snp`?",
        ),
        (
            "\"milan\"",
            "\"millan\"",
            "line 8, column 13: `millan` is not a value of `allow.products`; did you mean `milan`?",
        ),
        (
            "\"milan\"",
            "\"naples\"",
            "line 8, column 13: `naples` is not a value of `allow.products`; known here: `milan`, `genoa`, `siena`, `turin`",
        ),
    ] {
        assert_eq!(damaged(from, to), expected);
    }
    assert_eq!(
        extended("[guest]\ndebug = \"refused\"\n"),
        "line 20, column 9: `refused` is not a value of `guest.debug`; did you mean `refuse`?"
    );
    assert_eq!(
        extended("[collateral]\ncrl = \"absent\"\n"),
        "line 20, column 7: `absent` is not a value of `collateral.crl`; known here: `required`, `absent-accepted`"
    );
}

#[test]
fn keep() {
    let hint =
        "write the Keeps that may run your workloads, such as `measurements = [\"release\"]` under `[keep]`";
    assert_eq!(
        damaged("[keep]\nmeasurements = [\"release\"]", ""),
        format!("line 1, column 1: `keep` is missing; {hint}")
    );
    assert_eq!(
        damaged("measurements = [\"release\"]", ""),
        format!("line 2, column 1: `keep.measurements` is missing; {hint}")
    );
    assert_eq!(
        damaged("\"release\"", "\"release\", \"release\""),
        "line 3, column 28: `release` is twice in `keep.measurements`"
    );
    let digits = "ab".repeat(48);
    assert_eq!(
        damaged("\"release\"", &format!("\"sha384:{digits}\", \"sha384:{}\"", digits.to_uppercase())),
        format!("line 3, column 124: `sha384:{}` is there already", digits.to_uppercase())
    );
    assert_eq!(
        damaged("release", "sha384:abcd"),
        "line 3, column 17: `sha384:abcd` does not have 96 hexadecimal digits"
    );
    assert_eq!(
        damaged("release", "sha256:abcd"),
        "line 3, column 17: `sha256:abcd` does not have 64 hexadecimal digits"
    );
    assert_eq!(damaged("release", ""), "line 3, column 17: `keep.measurements` must have 1 to 1024 bytes");
}

#[test]
fn simulated() {
    assert_eq!(
        extended("[simulated]\naccept = true\n"),
        "line 19, column 1: simulated platforms are accepted, but `roots` names none; name the root to accept, \
         such as `roots = [\"local\"]`"
    );
    assert_eq!(
        extended("[simulated]\naccept = true\nroots = []\n"),
        "line 21, column 9: simulated platforms are accepted, but `roots` names none; name the root to accept, \
         such as `roots = [\"local\"]`"
    );
    assert_eq!(
        extended("[simulated]\naccept = false\nroots = [\"local\"]\n"),
        "line 20, column 10: `roots` are named, but simulated platforms are refused; write `accept = true`, or \
         remove `roots`"
    );
    assert_eq!(
        extended("[simulated]\nroots = [\"local\"]\n"),
        "line 19, column 1: `simulated.accept` is missing"
    );
    assert_eq!(
        extended("[simulated]\naccept = true\nroots = [\"sha256:00\"]\n"),
        "line 21, column 10: `sha256:00` does not have 64 hexadecimal digits"
    );
}

#[test]
fn registers() {
    let with = |registers: &str| extended(&format!("[keep.registers]\n{registers}\n"));
    assert_eq!(
        with("rtmr9 = [\"x\"]").split_once("; ").unwrap().0,
        "line 20, column 1: unknown key `rtmr9` in `keep.registers`"
    );
    assert_eq!(
        with("rtmr0 = []"),
        "line 20, column 9: `rtmr0` is empty, so nothing is acceptable; name the values to accept, or remove the \
         register, which then must be zero"
    );
    assert_eq!(
        with("pcr4 = [\"sha512:00\"]"),
        "line 20, column 9: `sha512:00` does not have 128 hexadecimal digits"
    );
    assert_eq!(
        with("tdx.pcr4 = [\"x\"]").split_once("; ").unwrap().0,
        "line 20, column 5: unknown key `pcr4` in `keep.registers.tdx`"
    );
    assert_eq!(
        with("sgx.pcr4 = [\"x\"]").split_once("; ").unwrap().0,
        "line 20, column 1: unknown key `sgx` in `keep.registers`"
    );
    assert_eq!(
        with("nitro.pcr4 = []"),
        "line 20, column 14: `pcr4` is empty, so nothing is acceptable; name the values to accept, or remove the \
         register, which then must be zero"
    );
}

#[test]
fn rules_and_lists_that_nothing_can_meet() {
    assert_eq!(
        damaged("[\"release\"]", "[]"),
        "line 3, column 16: `keep.measurements` is empty, so no Keep is acceptable; write the Keeps that may run your \
         workloads, such as `measurements = [\"release\"]` under `[keep]`"
    );
    assert_eq!(
        extended("[[allow]]\nid = \"x\"\nvendor = \"intel\"\ntee = \"sev-snp\"\n"),
        "line 22, column 7: no platform of `intel` has `sev-snp`, so the rule can never match; platforms of `intel` have \
         `tdx`, `sgx`, `azure-tdx`"
    );
    assert_eq!(
        extended("[[deny]]\nid = \"x\"\nvendor = \"arm\"\ntee = \"tdx\"\n"),
        "line 22, column 7: no platform of `arm` has `tdx`, so the rule can never match; platforms of `arm` have `cca`"
    );
}

#[test]
fn rules_about_products_that_do_not_exist() {
    let rule = |vendor: &str, tee: &str, product: &str| {
        extended(&format!("[[deny]]\nid = \"x\"\nvendor = \"{vendor}\"\n{tee}products = [\"{product}\"]\n"))
    };
    let hint = "a rule is about the products of one vendor; write another rule for the others";
    assert_eq!(
        rule("amd", "", "hopper"),
        format!("line 22, column 12: `hopper` is a product of `nvidia`, not of `amd`; {hint}")
    );
    assert_eq!(
        rule("intel", "tee = \"tdx\"\n", "coffee-lake"),
        format!("line 23, column 12: `coffee-lake` has no `tdx`; {hint}")
    );
}

#[test]
fn rules_on_their_own() {
    assert_eq!(
        damaged("id = \"amd\"\n", ""),
        "line 4, column 1: `allow.id` is missing; refusals name the rule that decided: write a short name as `id`"
    );
    assert_eq!(
        damaged("id = \"amd\"", "id = \"a b\""),
        "line 5, column 6: `a b` is not a name; names consist of letters, digits, `-`, `_` and `.`; digests begin \
         with `sha256:`, `sha384:` or `sha512:`"
    );
    assert_eq!(
        damaged("vendor = \"amd\"\n", ""),
        "line 4, column 1: `allow.vendor` is missing; write one of `amd`, `intel`, `arm`, `aws`, `nvidia`, `tpm` as `vendor`"
    );
    assert_eq!(
        damaged("tee = \"sev-snp\"\n", ""),
        "line 4, column 1: `allow.tee` is missing; write one of `sev-snp`, `tdx`, `sgx`, `cca`, `nitro`, `tpm`, `azure-snp`, `azure-tdx`, `nvgpu` as `tee`"
    );
    assert_eq!(
        damaged("[\"milan\", \"genoa\"]", "[]"),
        "line 8, column 12: `products` is empty, so the rule can never match; name the products, or remove \
         `products` to mean every one of the vendor and TEE"
    );
    assert_eq!(damaged("\"genoa\"", "\"milan\""), "line 8, column 22: `milan` is twice in `allow.products`");
}

#[test]
fn contradictions_between_rules() {
    const SAME: &str =
        "[[deny]]\nid = \"no\"\nvendor = \"amd\"\ntee = \"sev-snp\"\nproducts = [\"genoa\", \"milan\"]\n";
    assert_eq!(
        extended(SAME),
        "line 4, column 1: rule `amd` allows exactly what rule `no` denies; remove one of them; a deny always wins"
    );
    assert_eq!(
        extended("[[deny]]\nid = \"no\"\nvendor = \"amd\"\n"),
        "line 4, column 1: rule `amd` can never match: all it allows is denied by `no`; remove the rule, or \
         narrow what is denied"
    );
    assert_eq!(
        extended(
            "[[deny]]\nid = \"x\"\nvendor = \"amd\"\nproducts = [\"milan\"]\n\
             [[deny]]\nid = \"y\"\nvendor = \"amd\"\nproducts = [\"turin\", \"genoa\"]\n"
        ),
        "line 4, column 1: rule `amd` can never match: all it allows is denied by `x`, `y`; remove the rule, or \
         narrow what is denied"
    );
    assert_eq!(
        extended("[[deny]]\nid = \"amd\"\nvendor = \"amd\"\nproducts = [\"milan\"]\n"),
        "line 20, column 6: there is another rule with the id `amd`; give each rule an id of its own"
    );
    assert_eq!(
        extended(&SAME.replace("deny", "allow")),
        "line 19, column 1: rule `no` is about the same platforms as rule `amd`; remove one of them"
    );
    let milan = "[[deny]]\nid = \"a\"\nvendor = \"amd\"\nproducts = [\"milan\"]\n";
    assert_eq!(
        extended(&format!("{milan}{}", milan.replace("\"a\"", "\"b\""))),
        "line 23, column 1: rule `b` is about the same platforms as rule `a`; remove one of them"
    );
    let start = GOOD.find("[[allow]]").unwrap();
    let end = GOOD.find("[minimum_tcb.milan]").unwrap();
    assert_eq!(
        damaged(&GOOD[start..end], ""),
        "line 1, column 1: no rule allows anything, so the policy accepts nothing; write an `[[allow]]` rule; \
         `enarx policy new` shows one"
    );
}

#[test]
fn minimum_tcb() {
    assert_eq!(
        damaged("\"genoa\"", "\"turin\""),
        "line 4, column 1: rule `amd` allows `turin`, which has no minimum TCB; write `[minimum_tcb.turin]`, or \
         `minimum_tcb = \"not-checked\"` in the rule to accept any"
    );
    assert_eq!(
        damaged("products = [\"milan\", \"genoa\"]\n", ""),
        "line 4, column 1: rule `amd` allows `siena`, which has no minimum TCB; write `[minimum_tcb.siena]`, or \
         `minimum_tcb = \"not-checked\"` in the rule to accept any"
    );
    assert_eq!(
        damaged("id = \"amd\"", "id = \"amd\"\nminimum_tcb = \"not-checked\""),
        "line 4, column 1: rule `amd` does not check the minimum TCB that `milan` has; remove \
         `minimum_tcb = \"not-checked\"` from the rule, or `[minimum_tcb.milan]`"
    );
    assert_eq!(
        damaged("snp = 27\n", ""),
        "line 9, column 1: `minimum_tcb.milan.snp` is missing; write `snp = 0` if any level of it is acceptable"
    );
    assert_eq!(
        extended("[minimum_tcb.turin]\nbootloader = 1\ntee = 1\nsnp = 4\nmicrocode = 81\n"),
        "line 19, column 1: `minimum_tcb.turin.fmc` is missing; write `fmc = 0` if any level of it is acceptable"
    );
}

#[test]
fn guest() {
    assert_eq!(
        extended("[guest]\nvmpl = []\n"),
        "line 20, column 8: `guest.vmpl` is empty, so no guest is acceptable; write `vmpl = [0]` for the most \
         privileged level only"
    );
    assert_eq!(
        extended("[guest]\nvmpl = [0, 4]\n"),
        "line 20, column 12: `guest.vmpl` must be from 0 to 3, not 4"
    );
}

/// CPUID as AMD's manuals of each processor have it: family, the first and last model.
#[test]
fn processors_that_a_product_can_be() {
    let products = [
        ("milan", 0x19, 0x00, 0x0f),
        ("genoa", 0x19, 0x10, 0x1f),
        ("siena", 0x19, 0xa0, 0xaf),
        ("turin", 0x1a, 0x00, 0x11),
    ];
    for (product, family, first, last) in products {
        let can = |feature: &str, value: i32| {
            let rule = format!("products = [\"{product}\"]\n{feature} = [{value}]\n");
            Policy::parse(&format!("{GOOD}[[deny]]\nid = \"x\"\nvendor = \"amd\"\n{rule}")).is_ok()
        };
        for (value, expected) in [(family, true), (family - 1, false), (family + 1, false), (6, false)] {
            assert_eq!(can("families", value), expected, "{product}, family {value:#x}");
        }
        for (value, expected) in [(first, true), (last, true), (last + 1, false)] {
            assert_eq!(can("models", value), expected, "{product}, model {value:#x}");
        }
        assert!(first == 0 || !can("models", first - 1), "{product}");
    }
}

#[test]
fn features_of_rules() {
    let deny = |vendor: &str, more: &str| {
        extended(&format!("[[deny]]\nid = \"x\"\nvendor = \"{vendor}\"\n{more}\n"))
    };
    assert_eq!(
        deny("intel", "chip_ids = [\"0011223344556677\"]"),
        "line 22, column 12: platforms of `intel` have no `chip_ids`; `chip_ids` is told by platforms of `amd`"
    );
    assert_eq!(
        deny("amd", "chip_ids = []"),
        "line 22, column 12: `chip_ids` is empty, so the rule can never match; write the values, or remove `chip_ids` \
         to mean any"
    );
    assert_eq!(
        deny("amd", "chip_ids = [\"00\"]"),
        "line 22, column 13: `00` does not have 16 hexadecimal digits"
    );
    assert_eq!(
        deny("intel", "fmspcs = [\"00806f050000\", \"00806F050000\"]"),
        "line 22, column 27: a value is twice in `fmspcs`"
    );
    let hint = "correct it, or name the products that have it";
    assert_eq!(
        deny("amd", "products = [\"milan\"]\nfamilies = [0x1a]"),
        format!("line 23, column 12: no product that the rule is about has `0x1a` in `families`; {hint}")
    );
    assert_eq!(
        deny("intel", "products = [\"ice-lake-sp\"]\nfmspcs = [\"00806f050000\"]"),
        format!(
            "line 23, column 10: no product that the rule is about has `00806f050000` in `fmspcs`; {hint}"
        )
    );
    assert_eq!(
        deny("amd", "steppings = [16]"),
        "line 22, column 14: `deny.steppings` must be from 0 to 15, not 16"
    );
    assert_eq!(
        deny("amd", "products = [\"milan\"]\nexpires = \"2027-13-01\""),
        "line 23, column 11: `2027-13-01` is not a date; write it as `2024-03-13`"
    );
}

#[test]
fn rules_that_deny_all_values_of_a_rule_that_allows() {
    let allow = |ppids: &str| {
        format!("[[allow]]\nid = \"spr\"\nvendor = \"intel\"\ntee = \"tdx\"\nppids = [{ppids}]\n")
    };
    let deny =
        |id: &str, ppid: &str| format!("[[deny]]\nid = \"{id}\"\nvendor = \"intel\"\nppids = [{ppid}]\n");
    let (one, two) = (format!("\"{}\"", "01".repeat(16)), format!("\"{}\"", "02".repeat(16)));
    let both = format!("{one}, {two}");
    assert_eq!(
        extended(&format!("{}{}{}", allow(&both), deny("x", &one), deny("y", &two))),
        "line 19, column 1: rule `spr` can never match: all it allows is denied by `x`, `y`; remove the rule, or narrow \
         what is denied"
    );
    Policy::parse(&format!("{GOOD}{}{}", allow(&both), deny("x", &one))).unwrap();
}

#[test]
fn sets() {
    let with = |sets: &str, item: &str| {
        extended(&format!("[sets]\n{sets}\n[[deny]]\nid = \"x\"\nvendor = \"intel\"\nppids = [\"{item}\"]\n"))
    };
    let ppid = "01".repeat(16);
    assert_eq!(with("", "@lab"), "line 24, column 10: there is no set `lab`; write it under `[sets]`");
    assert_eq!(
        with(&format!("lab = [\"{ppid}\"]"), "@lob"),
        "line 24, column 10: there is no set `lob`; did you mean `lab`?"
    );
    assert_eq!(
        with("lab = []", "@lab"),
        "line 20, column 1: the set `lab` is empty; remove it, or write what it stands for"
    );
    assert_eq!(
        with("lab = [\"@other\"]", "@lab"),
        "line 20, column 8: `@other` is in another set; write out what it stands for"
    );
    assert_eq!(
        with("lab = [\"no\"]", "@lab"),
        "line 24, column 10: `no` does not have 32 hexadecimal digits"
    );
    // A set that stands in many places costs what it stands for in each of them.
    let set = (0..11_000).map(|number| format!("\"{number:032x}\"")).collect::<Vec<_>>().join(", ");
    let rules = (0..10).map(|number| {
        format!(
            "[[deny]]\nid = \"r{number}\"\nvendor = \"intel\"\nsteppings = [{number}]\nppids = [\"@many\"]\n"
        )
    });
    let error = extended(&format!("[sets]\nmany = [{set}]\n{}", rules.collect::<String>()));
    assert_eq!(error, "line 70, column 10: the lists of the policy have more than 100000 items");
}

#[test]
fn what_contradicts_itself_in_a_section() {
    assert_eq!(
        extended("[intel]\nadvisories_accepted = [\"A\"]\nadvisories_refused = [\"A\"]\n"),
        "line 21, column 22: `A` is both in `intel.advisories_accepted` and in `advisories_refused`; remove it from one \
         of them"
    );
    assert_eq!(
        extended("[collateral]\nmaximum_age_days = 0\n"),
        "line 20, column 20: `collateral.maximum_age_days` is 0, so nothing that a vendor says is acceptable; write 1 \
         for what was made within a day"
    );
    assert_eq!(
        extended("[workload]\nowners = []\n"),
        "line 20, column 10: `workload.owners` is empty, so nothing is acceptable; remove it to accept any, or write \
         which"
    );
    assert_eq!(
        extended("[cca]\nsigners = [\"somebody\"]\n"),
        "line 20, column 11: `somebody` is not a digest; write `sha256:` and 64 hexadecimal digits"
    );
}
