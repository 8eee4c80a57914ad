// SPDX-License-Identifier: Apache-2.0

//! docs/tutorial-trust.md is run as a reader would run it: its files are written, its commands typed into one shell,
//! and what they print is compared with the page. `…` on the page stands for any text of a line, and as a whole line for
//! any lines. Ports are exchanged for ones that are free.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

use std::fmt::Write as _;
use std::net::TcpListener;
use std::process::Command;

use enarx_tests::{Tenant, code, finish, program, root, stderr, stdout};

const PAGE: &str = "docs/tutorial-trust.md";
const PORTS: [&str; 6] = ["7071", "7072", "7073", "7074", "7075", "7076"];
const ELLIPSIS: &str = "…";
/// Stands after the output of each command; nothing prints it.
const END: char = '\u{1e}';

/// A command of the page and what it should print.
struct Step {
    command: String,
    expected: Vec<String>,
}

/// The page as a script, and what its commands should print. Files are written by the script, too.
fn read(page: &str) -> (String, Vec<Step>) {
    let (mut script, mut steps) =
        (String::from("exec 2>&1\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n"), Vec::new());
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        let file = |key: &str| info.split(' ').find_map(|word| word.strip_prefix(key));
        let (written, appended) = (file("file="), file("append="));
        if let Some(name) = written.or(appended) {
            let arrow = if written.is_some() { ">" } else { ">>" };
            writeln!(script, "cat {arrow} {name} <<'END OF FILE'\n{}\nEND OF FILE", block.join("\n"))
                .unwrap();
        } else if info == "console" {
            for step in console(&block) {
                // What the command said is there for the next one to ask for.
                writeln!(script, "{}\nstatus=$?; printf '{END}\\n'; (exit $status)", step.command).unwrap();
                steps.push(step);
            }
        } else {
            panic!("a block of the page is neither a file nor a console: {line}");
        }
    }
    (script, steps)
}

fn console(block: &[&str]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block {
        match (line.strip_prefix("$ "), line.strip_prefix("> "), steps.last_mut()) {
            (Some(command), _, _) => steps.push(Step { command: command.to_owned(), expected: Vec::new() }),
            (None, Some(more), Some(step)) => step.command = format!("{}\n{more}", step.command),
            (None, None, Some(step)) => step.expected.push((*line).to_owned()),
            (None, _, None) => panic!("a console begins without a command: {line}"),
        }
    }
    steps
}

/// Whether lines are as the page says.
fn matches(expected: &[String], found: &[&str]) -> bool {
    match expected.split_first() {
        None => found.is_empty(),
        Some((first, rest)) if first == ELLIPSIS => {
            (0..=found.len()).any(|skipped| matches(rest, &found[skipped..]))
        }
        Some((first, rest)) => found
            .split_first()
            .is_some_and(|(line, others)| line_matches(first, line) && matches(rest, others)),
    }
}

fn line_matches(expected: &str, found: &str) -> bool {
    let Some((before, after)) = expected.split_once(ELLIPSIS) else { return expected == found };
    let Some(rest) = found.strip_prefix(before) else { return false };
    (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| line_matches(after, &rest[at..]))
}

/// The page with ports that nobody else uses.
fn with_free_ports(page: &str) -> String {
    let listeners = PORTS.map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    PORTS.iter().zip(&listeners).fold(page.to_owned(), |page, (port, listener)| {
        page.replace(port, &listener.local_addr().expect("its address").port().to_string())
    })
}

#[test]
fn the_tutorial_runs_word_for_word() {
    let tenant = Tenant::new();
    let page = std::fs::read_to_string(root().join(PAGE)).expect("the page");
    let (script, steps) = read(&with_free_ports(&page));
    let script = tenant.file("tutorial/script.sh", script);
    let programs = program("enarx").parent().unwrap().to_owned();
    // Hosts are in the group of processes that ends with the time.
    let mut command = Command::new("timeout");
    command
        .args(["50", "bash", "--noprofile", "--norc"])
        .arg(&script)
        .current_dir(script.parent().unwrap())
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .env("ENARX_STATE_DIR", tenant.state())
        .env("ENARX_CACHE_DIR", tenant.path("cache"))
        .env_remove("ENARX_KEEP")
        .env_remove("RUST_LOG")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let output = finish(&mut command, b"");
    let told = stdout(&output);
    let outputs: Vec<_> = told.split_terminator(&format!("{END}\n")).collect();
    for (step, found) in steps.iter().zip(&outputs) {
        let lines: Vec<_> = found.lines().collect();
        assert!(
            matches(&step.expected, &lines),
            "{PAGE}:\n$ {}\n{found}\nand not\n{}",
            step.command,
            step.expected.join("\n")
        );
    }
    assert_eq!((outputs.len(), code(&output)), (steps.len(), 3), "{told}{}", stderr(&output));
    assert!(steps.len() > 10, "the page has too few commands: {}", steps.len());
}

#[test]
fn an_ellipsis_stands_for_text_and_for_lines() {
    let page = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (expected, found, same) in [
        ("a", "a", true),
        ("a", "b", false),
        ("a…c", "abc", true),
        ("a…c", "ab", false),
        ("…b…", "abc", true),
        ("a\n…", "a", true),
        ("a\n…\nd", "a\nb\nc\nd", true),
        ("a\n…\nd", "a\nb", false),
        ("", "a", false),
    ] {
        assert_eq!(matches(&page(expected), &found.lines().collect::<Vec<_>>()), same, "{expected} {found}");
    }
}
