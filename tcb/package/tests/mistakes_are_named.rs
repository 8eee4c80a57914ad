// SPDX-License-Identifier: Apache-2.0

//! Every mistake in `Enarx.toml` is reported at its line and column, with a hint where one can be given.
#![allow(clippy::unwrap_used, reason = "a mistake that is accepted fails the test")]

use enarx_package::Manifest;
use enarx_package::manifest::{MAX_MANIFEST_BYTES, Problem};

/// The message, and the hint after a line break if there is one.
fn mistake(text: &str) -> String {
    let error = Manifest::parse(text).unwrap_err();
    match error.hint() {
        Some(hint) => format!("{error}\n{hint}"),
        None => error.to_string(),
    }
}

#[test]
fn unknown_keys_come_with_the_key_that_was_meant() {
    let cases = [
        ("arg = []", "line 1, column 1: unknown key `arg` in the manifest\ndid you mean `args`?"),
        ("\n\n  envv = {}", "line 3, column 3: unknown key `envv` in the manifest\ndid you mean `env`?"),
        ("Env = {}", "line 1, column 1: unknown key `Env` in the manifest\ndid you mean `env`?"),
        ("arguments = []", "line 1, column 1: unknown key `arguments` in the manifest\ndid you mean `args`?"),
        (
            "environment = {}",
            "line 1, column 1: unknown key `environment` in the manifest\ndid you mean `env`?",
        ),
        ("wat = 1", "line 1, column 1: unknown key `wat` in the manifest"),
        (
            "[[file]]\nkind = \"null\"",
            "line 1, column 3: unknown key `file` in the manifest\ndid you mean `files`?",
        ),
        (
            "[[files]]\nkimd = \"null\"",
            "line 2, column 1: unknown key `kimd` in `[[files]]`\ndid you mean `kind`?",
        ),
        ("[[data]]\nhst = \"a\"", "line 2, column 1: unknown key `hst` in `[[data]]`\ndid you mean `host`?"),
        (
            "[limits]\nmemroy = 1",
            "line 2, column 1: unknown key `memroy` in `[limits]`\ndid you mean `memory`?",
        ),
        (
            "[limits]\nfile-count = 1",
            "line 2, column 1: unknown key `file-count` in `[limits]`\ndid you mean `file_count`?",
        ),
        ("[secrets]\nA = { path = \"x\" }", "line 2, column 7: unknown key `path` in a secret"),
        // The first in the file, whatever the alphabet says.
        ("zzz = 1\naaa = 1", "line 1, column 1: unknown key `zzz` in the manifest"),
    ];
    for (text, expected) in cases {
        assert_eq!(mistake(text), expected, "{text}");
    }
}

#[test]
fn wrong_types_are_named_with_both_types() {
    let cases = [
        ("args = \"x\"", "line 1, column 8: `args` is a string, and must be an array of strings"),
        (
            "args = [\"x\",\n  1]",
            "line 2, column 3: `args` is an integer, and must be a string\nput the value of `args` in double quotes",
        ),
        ("env = []", "line 1, column 7: `env` is an array, and must be a table"),
        (
            "[env]\nA = 1",
            "line 2, column 5: `A` is an integer, and must be a string\nput the value of `A` in double quotes",
        ),
        (
            "[env]\n\"ÄÖ\" = true",
            "line 2, column 8: `ÄÖ` is a boolean, and must be a string\nput the value of `ÄÖ` in double quotes",
        ),
        ("files = \"x\"", "line 1, column 9: `files` is a string, and must be an array of tables"),
        ("files = [1.5]", "line 1, column 10: `files` is a float, and must be a table"),
        (
            "program = 1979-05-27",
            "line 1, column 11: `program` is a date, and must be a string\nput the value of `program` in double quotes",
        ),
        ("[env.A]", "line 1, column 1: `A` is a table, and must be a string"),
        (
            "[limits]\nmemory = true",
            "line 2, column 10: `memory` is a boolean, and must be a size such as `64KiB`, `256MiB` or `1GiB`",
        ),
        (
            "[limits]\ntime = 30",
            "line 2, column 8: `time` is an integer, and must be a time such as `500ms`, `30s`, `5m`, `2h` or `1d`",
        ),
        (
            "[limits]\ninstances = \"1\"",
            "line 2, column 13: `instances` is a string, and must be a whole number",
        ),
        ("[secrets]\nA = \"x\"", "line 2, column 5: `A` is a string, and must be a table"),
    ];
    for (text, expected) in cases {
        assert_eq!(mistake(text), expected, "{text}");
    }
}

#[test]
fn files_have_a_known_kind_and_only_its_keys() {
    let cases = [
        ("[[files]]\nname = \"x\"", "line 1, column 1: `[[files]]` needs the key `kind`"),
        (
            "[[files]]\nkind = \"stdinn\"",
            "line 2, column 8: `stdinn` is not a value of `kind`\ndid you mean `stdin`?",
        ),
        (
            "[[files]]\nkind = \"pipe\"",
            "line 2, column 8: `pipe` is not a value of `kind`\nknown values: `null`, `stdin`, `stdout`, `stderr`, `listen`, `connect`",
        ),
        (
            "[[files]]\nkind = \"stdin\"\nport = 1",
            "line 3, column 1: `port` has no meaning in a file of kind `stdin`",
        ),
        (
            "[[files]]\nkind = \"listen\"\nname = \"a\"\nhost = \"b\"",
            "line 4, column 1: `host` has no meaning in a file of kind `listen`",
        ),
        ("[[files]]\nkind = \"listen\"", "line 1, column 1: `[[files]]` needs the key `name`"),
        ("[[files]]\nkind = \"connect\"", "line 1, column 1: `[[files]]` needs the key `host`"),
        (
            "[[files]]\nkind = \"connect\"\nhost = \"\"",
            "line 2, column 8: an address is not empty, has at most 253 bytes and no control character",
        ),
        (
            "[[files]]\nkind = \"connect\"\nhost = \"a\"\nport = 65536",
            "line 4, column 8: `port` is 65536, and must be from 0 to 65535",
        ),
        (
            "[[files]]\nkind = \"connect\"\nhost = \"a\"\nport = -1",
            "line 4, column 8: `port` is -1, and must be from 0 to 65535",
        ),
        (
            "[[files]]\nkind = \"connect\"\nhost = \"a\"\nprot = \"udp\"",
            "line 4, column 8: `udp` is not a value of `prot`\nknown values: `tls`, `tcp`",
        ),
        (
            "[[files]]\nname = \"a:b\"\nkind = \"null\"",
            "line 2, column 8: `a:b`: the name of a descriptor has no `:` and no control character",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(mistake(text), expected, "{text}");
    }
}

#[test]
fn variables_have_names_that_a_program_can_read() {
    let cases = [
        ("[env]\n\"\" = \"x\"", "line 2, column 1: ``: the name of a variable is not empty"),
        (
            "[env]\n\"A=B\" = \"x\"",
            "line 2, column 1: `A=B`: the name of a variable has no `=`, no space and no control character",
        ),
        (
            "[env]\n\"A B\" = \"x\"",
            "line 2, column 1: `A B`: the name of a variable has no `=`, no space and no control character",
        ),
        ("[env]\nFD_COUNT = \"3\"", "line 2, column 1: `FD_COUNT`: this variable is set from `[[files]]`"),
        ("[env]\nA = \"x\\u0000\"", "line 2, column 5: an argument or value has no NUL"),
        ("args = [\"\\u0000\"]", "line 1, column 9: an argument or value has no NUL"),
        (
            "[env]\nA = \"x\"\n[secrets]\nA = { env = \"A\" }",
            "line 4, column 1: the variable `A` is given twice\na variable stands in `[env]` or in `[secrets]`, not in both",
        ),
        (
            "[secrets]\nA = {}",
            "line 2, column 5: the secret `A` needs one source, `env` or `file`\nwrite `A = { env = \"A\" }`",
        ),
        (
            "[secrets]\nA = { env = \"B\", file = \"c\" }",
            "line 2, column 5: the secret `A` needs one source, `env` or `file`\nwrite `A = { env = \"A\" }`",
        ),
        (
            "[secrets]\nA = { file = \"\" }",
            "line 2, column 14: a path on this machine is not empty, has at most 4096 bytes and no NUL",
        ),
        (
            "[secrets]\nA = { env = \"B C\" }",
            "line 2, column 13: `B C`: the name of a variable has no `=`, no space and no control character",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(mistake(text), expected, "{text}");
    }
}

#[test]
fn data_has_one_place_of_its_own() {
    let data = |guests: &[&str]| {
        let entries: Vec<String> =
            guests.iter().map(|guest| format!("{{ host = \"x\", guest = \"{guest}\" }}")).collect();
        format!("data = [{}]", entries.join(","))
    };
    let cases: &[(&[&str], &str)] = &[
        (
            &["data"],
            "line 1, column 31: `data`: a path inside the Keep begins with `/`\ndid you mean `/data`?",
        ),
        (
            &["/a/../b"],
            "line 1, column 31: `/a/../b`: a path inside the Keep has no empty, `.` or `..` component and no `/` at its end",
        ),
        (
            &["/a/"],
            "line 1, column 31: `/a/`: a path inside the Keep has no empty, `.` or `..` component and no `/` at its end",
        ),
        (&["/a", "/a"], "line 1, column 60: the data at `/a` overlaps the data at `/a`"),
        (&["/a", "/a/b"], "line 1, column 60: the data at `/a/b` overlaps the data at `/a`"),
        (&["/a/b", "/a"], "line 1, column 62: the data at `/a` overlaps the data at `/a/b`"),
        (&["/a", "/"], "line 1, column 60: the data at `/` overlaps the data at `/a`"),
    ];
    for (guests, expected) in cases {
        assert_eq!(mistake(&data(guests)), *expected, "{guests:?}");
    }
    assert_eq!(Manifest::parse(&data(&["/a", "/ab", "/b/a"])).unwrap().data().len(), 3);
    assert_eq!(mistake("[[data]]\nhost = \"x\""), "line 1, column 1: `[[data]]` needs the key `guest`");
}

#[test]
fn limits_stay_within_their_maxima() {
    let cases = [
        ("memory = \"65GiB\"", "line 2, column 10: limit `memory` is 65GiB, and must be from 64KiB to 64GiB"),
        ("memory = 1", "line 2, column 10: limit `memory` is 1B, and must be from 64KiB to 64GiB"),
        (
            "memory = \"256MB\"",
            "line 2, column 10: `256MB` is not a size such as `64KiB`, `256MiB` or `1GiB`",
        ),
        (
            "memory = \"99999999999999999999GiB\"",
            "line 2, column 10: `99999999999999999999GiB` is not a size such as `64KiB`, `256MiB` or `1GiB`",
        ),
        ("memory = \"\"", "line 2, column 10: `` is not a size such as `64KiB`, `256MiB` or `1GiB`"),
        ("time = \"0s\"", "line 2, column 8: limit `time` is 0ms, and must be from 1ms to 366d"),
        ("time = \"1y\"", "line 2, column 8: `1y` is not a time such as `500ms`, `30s`, `5m`, `2h` or `1d`"),
        (
            "time = \"18446744073709551615d\"",
            "line 2, column 8: limit `time` is 18446744073709551615ms, and must be from 1ms to 366d",
        ),
        ("file_count = 0", "line 2, column 14: limit `file_count` is 0, and must be from 1 to 1048576"),
        ("instances = -1", "line 2, column 13: limit `instances` is -1, and must be from 1 to 4096"),
    ];
    for (text, expected) in cases {
        assert_eq!(mistake(&format!("[limits]\n{text}")), expected, "{text}");
    }
}

#[test]
fn what_is_not_toml_is_reported_where_it_breaks() {
    assert_eq!(mistake("args = [\n\"a\"\n"), "line 2, column 4: unclosed array, expected `]`");
    assert_eq!(mistake("a = 1\na = 2"), "line 2, column 1: duplicate key");
    let deep = format!("args = {}", "[".repeat(100_000));
    assert!(matches!(Manifest::parse(&deep).unwrap_err().problem, Problem::Syntax { .. }));
}

#[test]
fn a_manifest_has_at_most_a_mebibyte() {
    let comment = "#".repeat(MAX_MANIFEST_BYTES);
    assert_eq!(Manifest::parse(&comment).unwrap(), Manifest::default());
    assert_eq!(
        mistake(&format!("{comment}#")),
        "line 1, column 1: the manifest has 1048577 bytes, more than 1048576"
    );
}
