// SPDX-License-Identifier: Apache-2.0

//! The published schema, the parser, the reference page and the examples agree about every key of the policy language.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use enarx_verifier::Policy;
use enarx_verifier::policy::{self, Base};
use serde_json::{Map, Value, json};

const EVERY_KEY: &str = include_str!("every_key.toml");
/// Keys of which one document cannot have all: these make it extend another one.
const EXTENDING: [&str; 2] = ["extends", "extends_sha256"];

fn docs(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn schema() -> Value {
    serde_json::from_str(&policy::schema()).unwrap()
}

fn document(text: &str) -> Value {
    to_json(&toml::from_str::<toml::Value>(text).unwrap())
}

fn to_json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => json!(text),
        toml::Value::Integer(number) => json!(number),
        toml::Value::Boolean(yes) => json!(yes),
        toml::Value::Array(items) => items.iter().map(to_json).collect(),
        toml::Value::Table(table) => {
            Value::Object(table.iter().map(|(key, value)| (key.clone(), to_json(value))).collect())
        }
        other => panic!("nothing of a policy is {other:?}"),
    }
}

/// Where a value is not what a schema says, by the words of the schema that the language needs. Any other word fails.
fn faults(schema: &Value, value: &Value, path: &str, faults: &mut Vec<String>) {
    let schema = schema.as_object().unwrap();
    for (word, rule) in schema {
        let good = match word.as_str() {
            // What is in tables is looked at below.
            "$schema" | "title" | "description" | "properties" | "additionalProperties" => true,
            "type" => is_of_type(rule.as_str().unwrap(), value),
            "const" => rule == value,
            "enum" => rule.as_array().unwrap().contains(value),
            "pattern" => value.as_str().is_none_or(|text| is_like(rule.as_str().unwrap(), text)),
            "minimum" => value.as_i64().is_none_or(|number| number >= rule.as_i64().unwrap()),
            "maximum" => value.as_i64().is_none_or(|number| number <= rule.as_i64().unwrap()),
            "minLength" => value.as_str().is_none_or(|text| text.len() as u64 >= rule.as_u64().unwrap()),
            "maxLength" => value.as_str().is_none_or(|text| text.len() as u64 <= rule.as_u64().unwrap()),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap()),
            "uniqueItems" => value.as_array().is_none_or(|items| {
                items.iter().map(ToString::to_string).collect::<BTreeSet<_>>().len() == items.len()
            }),
            "required" => {
                rule.as_array().unwrap().iter().all(|key| value.get(key.as_str().unwrap()).is_some())
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    self::faults(rule, item, &format!("{path}[{index}]"), faults);
                }
                true
            }
            "anyOf" => rule.as_array().unwrap().iter().any(|choice| {
                let mut found = Vec::new();
                self::faults(choice, value, path, &mut found);
                found.is_empty()
            }),
            other => panic!("nothing here knows what `{other}` means"),
        };
        if !good {
            faults.push(format!("{path}: {value} against {word} {rule}"));
        }
    }
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    for (key, value) in value.as_object().unwrap_or(&none) {
        let path = format!("{path}.{key}");
        match (properties.get(key), schema.get("additionalProperties")) {
            (None, Some(Value::Bool(false))) => faults.push(format!("{path} is not known")),
            (Some(schema), _) | (None, Some(schema)) => self::faults(schema, value, &path, faults),
            (None, None) => {}
        }
    }
}

fn is_of_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        other => panic!("nothing here knows the type `{other}`"),
    }
}

fn is_like(pattern: &str, text: &str) -> bool {
    regex_automata::meta::Regex::new(pattern).unwrap().is_match(text)
}

fn check(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    faults(&schema(), &document(text), "", &mut found);
    found
}

/// Every key of a schema, by its path.
fn keys(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    let table = schema.get("items").unwrap_or(schema);
    for (key, value) in table.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        keys(value, &path, found);
        found.insert(path);
    }
}

fn written(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                written(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| written(item, path, found)),
        _ => {}
    }
}

fn all_keys() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    keys(&schema(), "", &mut found);
    found
}

#[test]
fn the_published_schema_is_that_of_the_parser() {
    assert!(docs("trust-policy.schema.json") == policy::schema(), "write it anew by `enarx policy schema`");
}

#[test]
fn the_parser_reads_every_key_of_the_schema_and_no_other() {
    Policy::parse(EVERY_KEY).unwrap();
    let mut found = BTreeSet::new();
    written(&document(EVERY_KEY), "", &mut found);
    found.retain(|path| !path.starts_with("sets."));
    // Levels of their own are alike for every version of the TCB.
    let of_versions = |path: &String| {
        let parts = path.split('.').collect::<Vec<_>>();
        matches!(parts.as_slice(), ["minimum_tcb", _, "current" | "committed" | "launch" | "reported", ..])
    };
    let shared = [
        "chip_ids",
        "families",
        "models",
        "providers",
        "fmspcs",
        "ppids",
        "platform_instances",
        "implementation_ids",
        "instance_ids",
        "module_ids",
        "drivers",
        "firmwares",
    ];
    let mut expected = all_keys();
    expected.retain(|path| {
        let denies = path.strip_prefix("deny.").is_some_and(|key| shared.contains(&key));
        !EXTENDING.contains(&path.as_str()) && !of_versions(path) && !denies
    });
    found.retain(|path| !of_versions(path));
    assert_eq!(found.difference(&expected).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(expected.difference(&found).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn leaving_any_key_out_changes_the_policy_or_is_an_error() {
    let whole = Policy::parse(EVERY_KEY).unwrap();
    // These say what is so anyway.
    let defaults = [
        "debug",
        "migration",
        "vmpl",
        "sept_ve_enabled",
        "sha1",
        "crl",
        "tcb_info",
        "advisories",
        "minimum_tcb",
    ];
    let mut sections = String::new();
    for (number, line) in EVERY_KEY.lines().enumerate() {
        if line.starts_with('[') {
            sections = line.to_owned();
        }
        let Some((key, _)) = line.split_once(" = ") else { continue };
        if key.starts_with('#') || defaults.contains(&key) {
            continue;
        }
        let without =
            EVERY_KEY.lines().enumerate().filter(|(other, _)| *other != number).map(|(_, line)| line);
        if let Ok(policy) = Policy::parse(&without.collect::<Vec<_>>().join("\n")) {
            assert_ne!(policy, whole, "`{key}` of {sections}");
        }
    }
}

#[test]
fn every_example_is_as_the_schema_says() {
    assert_eq!(check(EVERY_KEY), Vec::<String>::new());
    assert_eq!(check(policy::template()), Vec::<String>::new());
    let base = Base { name: "base.toml".into(), text: policy::template().into() };
    let page = docs("trust-policy.md");
    let examples = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut count = 0;
    for example in examples.filter(|example| example.contains("version = 1")) {
        assert_eq!(check(example), Vec::<String>::new(), "{example}");
        let mut find = |_: &str, _: Option<&str>| Ok(base.clone());
        Policy::parse_with("example", example, &mut find)
            .unwrap_or_else(|error| panic!("{error}:\n{example}"));
        count += 1;
    }
    assert!(count >= 3, "only {count} examples");
}

#[test]
fn what_the_schema_refuses_the_parser_refuses() {
    let cases = [
        ("version = 1", "version = 2"),
        ("on_refusal = \"stop\"", "on_refusal = \"halt\""),
        ("on_refusal = \"stop\"", "on_refuse = \"stop\""),
        ("families = [0x19]", "families = [256]"),
        ("families = [0x19]", "families = [\"25\"]"),
        ("chip_ids = [\"@lab-chips\"]", "chip_ids = [\"00\"]"),
        ("fmspcs = [\"00806F050000\"]", "fmspcs = [\"00806F05000\"]"),
        ("expires = \"2031-01-01\"", "expires = \"2031-1-1\""),
        ("accept = true", "accept = \"yes\""),
        ("tee = \"cca\"\n", ""),
        ("maximum_age_days = 30", "maximum_age_days = 1000000"),
        ("td_attributes = [\"pks\", ", "td_attributes = [\"debug\", "),
        ("lab-chips = [\"0011223344556677\"]", "lab-chips = []"),
    ];
    for (from, to) in cases {
        let changed = EVERY_KEY.replacen(from, to, 1);
        assert_ne!(changed, EVERY_KEY, "{from}");
        assert_ne!(check(&changed), Vec::<String>::new(), "{to}");
        Policy::parse(&changed).unwrap_err();
    }
}

#[test]
fn the_reference_page_is_about_every_key() {
    let page = docs("trust-policy.md");
    for path in all_keys() {
        let key = path.rsplit('.').next().unwrap();
        let register = ["rtmr", "rem", "pcr"].iter().any(|kind| key.starts_with(kind));
        assert!(register || page.contains(&format!("`{key}`")), "`{path}` is not in docs/trust-policy.md");
    }
}
