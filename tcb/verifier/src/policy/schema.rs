// SPDX-License-Identifier: Apache-2.0

//! The JSON schema of the language (draft 2020-12), made of the keys that the reader knows.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value, json};

use super::LANGUAGE_VERSION;
use super::keys::{Form, Key, ROOT};

/// The JSON schema of the policy language, for editors and checks without `enarx`.
///
/// It says which keys may stand where and in which form; that rules do not contradict one another only
/// [`super::Policy::parse`] finds out. It ends with a line break.
pub fn schema() -> String {
    let mut schema = table(ROOT);
    schema.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".into(), json!("Trust policy of Enarx"));
    schema.insert("required".into(), json!(["version"]));
    let mut text = serde_json::to_string_pretty(&Value::Object(schema)).unwrap_or_default();
    text.push('\n');
    text
}

fn table(keys: &[Key]) -> Map<String, Value> {
    let properties = keys.iter().map(|key| (key.name.into(), Value::Object(property(key))));
    let mut schema = Map::new();
    schema.insert("type".into(), json!("object"));
    schema.insert("properties".into(), Value::Object(properties.collect()));
    schema.insert("additionalProperties".into(), json!(false));
    let needed: &[&str] = match keys.iter().map(|key| key.name).collect::<Vec<_>>().as_slice() {
        ["id", "vendor", "tee", .., "reason"] if keys.iter().any(|key| key.name == "minimum_tcb") => {
            &["id", "vendor", "tee"]
        }
        ["id", "vendor", ..] => &["id", "vendor"],
        _ => &[],
    };
    if !needed.is_empty() {
        schema.insert("required".into(), json!(needed));
    }
    schema
}

fn property(key: &Key) -> Map<String, Value> {
    let mut schema = form(key.form);
    schema.insert("description".into(), json!(key.about));
    schema
}

fn form(form: Form) -> Map<String, Value> {
    let value = match form {
        Form::Version => json!({ "const": LANGUAGE_VERSION }),
        Form::Boolean => json!({ "type": "boolean" }),
        Form::Text => json!({ "type": "string", "minLength": 1, "maxLength": 1024 }),
        Form::Name => json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]+$", "maxLength": 1024 }),
        Form::Digits(count) => {
            json!({ "type": "string", "pattern": alloc::format!("^[0-9A-Fa-f]{{{count}}}$") })
        }
        Form::Date => json!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" }),
        Form::Word(words) => json!({ "enum": words() }),
        Form::Words(words) => list(&json!({ "anyOf": [{ "enum": words() }, set()] })),
        Form::Number(max) => json!({ "type": "integer", "minimum": 0, "maximum": max }),
        Form::Numbers(max) => {
            json!({ "type": "array", "items": { "type": "integer", "minimum": 0, "maximum": max } })
        }
        Form::OneText(pattern) => json!({ "type": "string", "pattern": pattern }),
        Form::Texts(pattern) => {
            list(&json!({ "anyOf": [{ "type": "string", "pattern": pattern, "maxLength": 1024 }, set()] }))
        }
        Form::Table(keys) => return table(keys),
        Form::Tables(keys) => json!({ "type": "array", "items": table(keys) }),
        Form::Sets => json!({
            "type": "object",
            "additionalProperties": {
                "type": "array",
                "items": { "type": "string", "minLength": 1, "maxLength": 1024 },
                "minItems": 1,
            },
        }),
    };
    match value {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items, "uniqueItems": true })
}

/// What stands for the texts of a set.
fn set() -> Value {
    json!({ "type": "string", "pattern": "^@.+$" })
}
