// SPDX-License-Identifier: Apache-2.0

//! Reading `Enarx.toml`.
//!
//! The document is walked by hand rather than by derived code, because every refusal has to name the place, what
//! was expected there and, for a wrong key, the right one.

use alloc::borrow::ToOwned as _;
use alloc::string::{String, ToString as _};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::suggest::nearest;
use super::{MAX_MANIFEST_BYTES, Manifest, ManifestError, Problem, SecretSource};
use crate::limits::{self, Unit};
use crate::path::GuestPath;
use crate::socket::{ClientAuth, Connect, FileKind, Listen, Protocol};
use crate::stdio::Stdio;

const TOP_KEYS: &[&str] = &["program", "args", "env", "files", "data", "secrets", "limits", "steward"];
const FILE_KEYS: &[&str] =
    &["kind", "name", "addr", "host", "port", "prot", "names", "client_auth", "anchors", "server_name"];
const LISTEN_KEYS: &[&str] = &["kind", "name", "addr", "port", "prot", "names", "client_auth", "anchors"];
const CONNECT_KEYS: &[&str] = &["kind", "name", "host", "port", "prot", "anchors", "server_name"];
const KINDS: &[&str] = &["null", "stdin", "stdout", "stderr", "listen", "connect"];
const PROTOCOLS: &[&str] = &["tls", "tcp"];
const CLIENT_AUTH: &[&str] = &["none", "required"];
const DATA_KEYS: &[&str] = &["host", "guest"];
const SECRET_KEYS: &[&str] = &["env", "file"];

/// Defaults of Enarx 0.7.
const DEFAULT_ADDR: &str = "::";
const DEFAULT_PORT: u16 = 443;

type Value<'a> = Spanned<DeValue<'a>>;
/// A problem at a byte offset.
type Misplaced = (usize, Problem);
type Read<T> = Result<T, Misplaced>;

pub(super) fn manifest(text: &str) -> Result<Manifest, ManifestError> {
    read(text).map_err(|(offset, problem)| {
        let (line, column) = position(text, offset);
        ManifestError { line, column, problem }
    })
}

fn read(text: &str) -> Read<Manifest> {
    if text.len() > MAX_MANIFEST_BYTES {
        return Err((0, Problem::TooLarge { bytes: text.len() }));
    }
    let document = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        (offset, Problem::Syntax { message: error.message().to_lowercase() })
    })?;
    let top = Table::new(document.get_ref(), 0, "the manifest", TOP_KEYS)?;
    let mut manifest = Manifest::default();
    if let Some((path, at)) = top.optional_text("program")? {
        super::check_host_path(path).map_err(|problem| (at, problem))?;
        manifest.program = Some(path.to_owned());
    }
    for (arg, at) in top.texts("args")? {
        manifest.push_arg(arg).map_err(|problem| (at, problem))?;
    }
    read_env(&top, &mut manifest)?;
    read_files(&top, &mut manifest)?;
    for entry in top.tables("data", DATA_KEYS, "`[[data]]`")? {
        let entry = entry?;
        let (host, at_host) = entry.text("host")?;
        super::check_host_path(host).map_err(|problem| (at_host, problem))?;
        let (guest, at) = entry.text("guest")?;
        manifest.add_data(host, guest).map_err(|problem| (at, problem))?;
    }
    read_secrets(&top, &mut manifest)?;
    read_limits(&top, &mut manifest)?;
    manifest.steward = top.optional_text("steward")?.map(|(steward, _)| steward.to_owned());
    Ok(manifest)
}

fn read_env(top: &Table<'_>, manifest: &mut Manifest) -> Read<()> {
    let Some(env) = top.get("env") else { return Ok(()) };
    for (name, value) in as_table("env", env)? {
        let (text, _) = as_text(name.get_ref(), value)?;
        manifest.set_env(name.get_ref(), text).map_err(|problem| {
            let at = if matches!(problem, Problem::Value { .. }) { value.span() } else { name.span() };
            (at.start, problem)
        })?;
    }
    Ok(())
}

fn read_files(top: &Table<'_>, manifest: &mut Manifest) -> Read<()> {
    if top.get("files").is_some() {
        // An empty list says that no descriptor is open, which is not the same as saying nothing.
        manifest.files = Some(alloc::vec::Vec::new());
    }
    for entry in top.tables("files", FILE_KEYS, "`[[files]]`")? {
        let entry = entry?;
        let (kind, at_kind) = entry.text("kind")?;
        let allowed: &[&str] = match kind {
            "listen" => LISTEN_KEYS,
            "connect" => CONNECT_KEYS,
            _ => &["kind", "name"],
        };
        let file = match kind {
            "null" => FileKind::Stdio(Stdio::Null),
            "stdin" => FileKind::Stdio(Stdio::Stdin),
            "stdout" => FileKind::Stdio(Stdio::Stdout),
            "stderr" => FileKind::Stdio(Stdio::Stderr),
            "listen" => FileKind::Listen(entry.listen()?),
            "connect" => FileKind::Connect(entry.connect()?),
            other => return Err((at_kind, unknown_value("kind", other, KINDS))),
        };
        if let Some((key, _)) = entry.entries.iter().find(|(key, _)| !allowed.contains(&&**key.get_ref())) {
            let problem = Problem::NotForKind { key: key.get_ref().to_string(), kind: kind.to_owned() };
            return Err((key.span().start, problem));
        }
        let name = match &file {
            FileKind::Listen(_) => Some(entry.text("name")?),
            _ => entry.optional_text("name")?,
        };
        let at = name.map_or(at_kind, |(_, at)| at);
        manifest.add_file(name.map(|(name, _)| name), file).map_err(|problem| (at, problem))?;
    }
    Ok(())
}

fn read_secrets(top: &Table<'_>, manifest: &mut Manifest) -> Read<()> {
    let Some(secrets) = top.get("secrets") else { return Ok(()) };
    for (name, value) in as_table("secrets", secrets)? {
        let at = value.span().start;
        let table = as_table(name.get_ref(), value)?;
        let table = Table::new(table, at, "a secret", SECRET_KEYS)?;
        let (source, at) = match (table.optional_text("env")?, table.optional_text("file")?) {
            (Some((variable, at)), None) => (SecretSource::Variable(variable.to_owned()), at),
            (None, Some((path, at))) => (SecretSource::File(path.to_owned()), at),
            _ => return Err((at, Problem::SecretSource { name: name.get_ref().to_string() })),
        };
        manifest.add_secret(name.get_ref(), source).map_err(|problem| {
            let about_name = match &problem {
                Problem::Text { text, .. } => text == name.get_ref(),
                Problem::Value { .. } => false,
                _ => true,
            };
            (if about_name { name.span().start } else { at }, problem)
        })?;
    }
    Ok(())
}

fn read_limits(top: &Table<'_>, manifest: &mut Manifest) -> Read<()> {
    let Some(value) = top.get("limits") else { return Ok(()) };
    let keys = limits::FIELDS.map(|field| field.key);
    let table = Table::new(as_table("limits", value)?, value.span().start, "`[limits]`", &keys)?;
    for field in &limits::FIELDS {
        let Some(value) = table.get(field.key) else { continue };
        let at = value.span().start;
        let number = match (value.get_ref(), field.unit) {
            (DeValue::String(text), Unit::Bytes | Unit::Milliseconds) => field.parse(text),
            // A number without a unit is clear where there is only one unit.
            (DeValue::Integer(integer), Unit::Bytes | Unit::Count) => {
                let number = as_integer(value).and_then(|number| u64::try_from(number).ok());
                let out_of_range = || field.out_of_range(integer.as_str().to_owned());
                number.ok_or_else(out_of_range).and_then(|number| field.check(number))
            }
            _ => return Err(wrong_type(field.key, field.expected(), value)),
        };
        (field.set)(&mut manifest.limits, number.map_err(|error| (at, Problem::Limit(error)))?);
    }
    Ok(())
}

/// A table in which every key is known.
struct Table<'a> {
    entries: &'a DeTable<'a>,
    at: usize,
    place: &'static str,
}

impl<'a> Table<'a> {
    fn new(entries: &'a DeTable<'a>, at: usize, place: &'static str, known: &[&'static str]) -> Read<Self> {
        let unknown = entries.iter().filter(|(key, _)| !known.contains(&&**key.get_ref()));
        // The first in the file, not in the alphabet.
        if let Some((key, _)) = unknown.min_by_key(|(key, _)| key.span().start) {
            let suggestion = nearest(key.get_ref(), known);
            let key_text = key.get_ref().to_string();
            return Err((key.span().start, Problem::UnknownKey { key: key_text, place, suggestion }));
        }
        Ok(Self { entries, at, place })
    }

    fn get(&self, key: &str) -> Option<&'a Value<'a>> {
        self.entries.get(key)
    }

    fn text(&self, key: &'static str) -> Read<(&'a str, usize)> {
        let missing = || (self.at, Problem::MissingKey { key, place: self.place });
        self.optional_text(key)?.ok_or_else(missing)
    }

    fn optional_text(&self, key: &'static str) -> Read<Option<(&'a str, usize)>> {
        self.get(key).map(|value| as_text(key, value)).transpose()
    }

    fn texts(&self, key: &'static str) -> Read<alloc::vec::Vec<(&'a str, usize)>> {
        let Some(value) = self.get(key) else { return Ok(alloc::vec::Vec::new()) };
        let array =
            value.get_ref().as_array().ok_or_else(|| wrong_type(key, "an array of strings", value))?;
        array.iter().map(|item| as_text(key, item)).collect()
    }

    fn tables(
        &self,
        key: &'static str,
        known: &'static [&'static str],
        place: &'static str,
    ) -> Read<impl Iterator<Item = Read<Table<'a>>>> {
        let array = match self.get(key) {
            None => &[][..],
            Some(value) => {
                value.get_ref().as_array().ok_or_else(|| wrong_type(key, "an array of tables", value))?
            }
        };
        Ok(array.iter().map(move |item| Table::new(as_table(key, item)?, item.span().start, place, known)))
    }

    fn port(&self) -> Read<u16> {
        let Some(value) = self.get("port") else { return Ok(DEFAULT_PORT) };
        let DeValue::Integer(integer) = value.get_ref() else {
            return Err(wrong_type("port", "a whole number", value));
        };
        let problem = || Problem::Port { key: "port", value: integer.as_str().to_owned() };
        let port = as_integer(value).and_then(|number| u16::try_from(number).ok());
        port.ok_or_else(|| (value.span().start, problem()))
    }

    fn listen(&self) -> Read<Listen> {
        let names = self.texts("names")?.into_iter().map(|(name, _)| name.to_owned()).collect();
        let client_auth = match self.optional_text("client_auth")? {
            None | Some(("none", _)) => ClientAuth::None,
            Some(("required", _)) => ClientAuth::Required,
            Some((other, at)) => return Err((at, unknown_value("client_auth", other, CLIENT_AUTH))),
        };
        Ok(Listen {
            addr: self.optional_text("addr")?.map_or(DEFAULT_ADDR, |(addr, _)| addr).to_owned(),
            port: self.port()?,
            protocol: self.protocol()?,
            names,
            client_auth,
            anchors: self.anchors()?,
        })
    }

    fn connect(&self) -> Read<Connect> {
        Ok(Connect {
            host: self.text("host")?.0.to_owned(),
            port: self.port()?,
            protocol: self.protocol()?,
            server_name: self.optional_text("server_name")?.map(|(name, _)| name.to_owned()),
            anchors: self.anchors()?,
        })
    }

    fn anchors(&self) -> Read<Option<GuestPath>> {
        let Some((path, at)) = self.optional_text("anchors")? else { return Ok(None) };
        let problem = |why| (at, Problem::Path { path: path.to_owned(), why });
        GuestPath::parse(path).map(Some).map_err(problem)
    }

    fn protocol(&self) -> Read<Protocol> {
        match self.optional_text("prot")? {
            None | Some(("tls", _)) => Ok(Protocol::Tls),
            Some(("tcp", _)) => Ok(Protocol::Tcp),
            Some((other, at)) => Err((at, unknown_value("prot", other, PROTOCOLS))),
        }
    }
}

fn unknown_value(key: &'static str, value: &str, known: &'static [&'static str]) -> Problem {
    Problem::UnknownValue { key, value: value.to_owned(), known, suggestion: nearest(value, known) }
}

fn as_text<'a>(key: &str, value: &'a Value<'a>) -> Read<(&'a str, usize)> {
    let text = value.get_ref().as_str().ok_or_else(|| wrong_type(key, "a string", value))?;
    Ok((text, value.span().start))
}

fn as_table<'a>(key: &str, value: &'a Value<'a>) -> Read<&'a DeTable<'a>> {
    value.get_ref().as_table().ok_or_else(|| wrong_type(key, "a table", value))
}

fn as_integer(value: &Value<'_>) -> Option<i64> {
    let integer = value.get_ref().as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn wrong_type(key: &str, expected: &'static str, value: &Value<'_>) -> Misplaced {
    let found = match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    };
    (value.span().start, Problem::WrongType { key: String::from(key), expected, found })
}

/// Line and column of a byte, in characters from 1.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count();
    (before.matches('\n').count() + 1, column + 1)
}
