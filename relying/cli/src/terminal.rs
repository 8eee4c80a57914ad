// SPDX-License-Identifier: Apache-2.0

//! Text for people and programs that holds what others chose: names of files, words of hosts, what evidence says.
//! Whoever chose it must not move the cursor, colour the screen, or turn the reading direction around.
//! The workload's own output is not touched by this: it goes out as it is.

use std::fmt::Write as _;

use serde_json::Value;

use crate::failure::Outcome;
use crate::write::print;

/// Longest text of a host or a Keep that is repeated, in characters.
const MAX_SHOWN: usize = 300;

/// Text with every character escaped that a terminal would act on or not show; lines stay lines.
pub(crate) fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) && character != '\n' {
            visible.extend(character.escape_unicode());
        } else {
            visible.push(character);
        }
    }
    visible
}

/// One line of a host's or a Keep's words.
pub(crate) fn printable(text: &str) -> String {
    text.chars().take(MAX_SHOWN).map(|c| if is_hidden(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// JSON in one line, with the same characters escaped as JSON has it.
pub(crate) fn json_line(value: &Value) -> String {
    let mut line = String::new();
    // They are part of strings only: everything else in JSON is ASCII.
    for character in value.to_string().chars() {
        if is_hidden(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(line, "\\u{unit:04x}");
            }
        } else {
            line.push(character);
        }
    }
    line.push('\n');
    line
}

/// Writes text to standard output.
pub(crate) fn print_text(text: &str) -> Outcome<()> {
    print(visible(text).as_bytes())
}

/// Writes JSON to standard output, in one line.
pub(crate) fn print_json(value: &Value) -> Outcome<()> {
    print(json_line(value).as_bytes())
}

/// Control characters, and those that Unicode calls format characters or that take no place: joiners, marks and
/// embeddings of the reading direction, separators of lines, invisible operators, tags.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_in_a_text_acts_on_a_terminal() {
        assert_eq!(visible("a\x1b[2Jb\r\nc\u{202e}d\u{85}é"), "a\\u{1b}[2Jb\\u{d}\nc\\u{202e}d\\u{85}é");
        assert_eq!(printable("a\x1b[2Jb\n\u{2066}"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}");
        assert_eq!(printable(&"a".repeat(1000)).len(), MAX_SHOWN);
    }

    #[test]
    fn json_says_the_same_without_them() {
        let value = json!({ "name": "a\u{202e}b\u{e0041}\x1b\u{9b}é" });
        let line = json_line(&value);
        assert_eq!(line, "{\"name\":\"a\\u202eb\\udb40\\udc41\\u001b\\u009bé\"}\n");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
    }
}
