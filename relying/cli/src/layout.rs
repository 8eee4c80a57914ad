// SPDX-License-Identifier: Apache-2.0

//! Text in 80 columns.

/// Longest line in characters.
pub(crate) const WIDTH: usize = 80;

/// A paragraph, each line indented. Words that are longer than a line, such as digests, are cut.
pub(crate) fn paragraph(indent: usize, text: &str) -> String {
    let mut paragraph = String::new();
    for line in lines(text, WIDTH.saturating_sub(indent)) {
        paragraph.push_str(&" ".repeat(indent));
        paragraph.push_str(&line);
        paragraph.push('\n');
    }
    paragraph
}

/// A name and beside it a text, in a column of its own; below it, if the name is longer than its column.
pub(crate) fn entry(indent: usize, name: &str, name_width: usize, text: &str) -> String {
    let column = indent.saturating_add(name_width).saturating_add(2);
    let mut entry = String::new();
    let mut name = name;
    if name.chars().count() > name_width {
        entry = paragraph(indent, name);
        name = "";
    }
    for (number, line) in lines(text, WIDTH.saturating_sub(column)).enumerate() {
        let name = if number == 0 { name } else { "" };
        let line = format!("{:indent$}{name:<name_width$}  {line}", "");
        entry.push_str(line.trim_end());
        entry.push('\n');
    }
    entry
}

/// The lines of a text, at least one.
fn lines(text: &str, width: usize) -> impl Iterator<Item = String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    let mut room = width;
    for word in text.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        let space = usize::from(room < width);
        if letters.len().saturating_add(space) <= room {
            if let (Some(line), 1) = (lines.last_mut(), space) {
                line.push(' ');
                room = room.saturating_sub(1);
            }
        } else if room < width {
            lines.push(String::new());
            room = width;
        }
        for (number, part) in letters.chunks(width).enumerate() {
            if number > 0 {
                lines.push(String::new());
                room = width;
            }
            if let Some(line) = lines.last_mut() {
                line.extend(part);
            }
            room = room.saturating_sub(part.len());
        }
    }
    lines.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_and_digests_are_cut() {
        let cut = |text, width| lines(text, width).collect::<Vec<_>>();
        assert_eq!(cut("one two three", 7), ["one two", "three"]);
        assert_eq!(cut("one two three", 8), ["one two", "three"]);
        assert_eq!(cut("a 0123456789ab c", 5), ["a", "01234", "56789", "ab c"]);
        assert_eq!(cut("01234 5", 5), ["01234", "5"]);
        assert_eq!(cut("", 5), [""]);
    }

    #[test]
    fn entries_have_two_columns() {
        assert_eq!(entry(2, "name", 6, "value"), "  name    value\n");
        assert_eq!(entry(2, "a long name", 6, "value"), "  a long name\n          value\n");
        let long = entry(2, "name", 6, &"word ".repeat(20));
        assert!(long.lines().all(|line| line.len() <= WIDTH));
        assert_eq!(long.lines().nth(1).unwrap().find('w'), Some(10));
    }
}
