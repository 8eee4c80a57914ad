// SPDX-License-Identifier: Apache-2.0

//! What `enarx policy new` asks somebody who sits at a terminal and gave it no flags.
//!
//! Every question has the answer of the template as its default, so that pressing Enter throughout writes what the
//! command writes without a terminal. An answer that makes no policy is told why and asked for again.

use std::collections::BTreeMap;
use std::io::{self, BufRead, IsTerminal as _, Read as _, Write};
use std::path::PathBuf;

use enarx_verifier::policy::{Product, Vendor, Vocabulary};

use super::new::text;
use crate::args::{Format, NewPolicyArgs, OutputOptions, product};
use crate::failure::{Failure, Outcome};
use crate::layout::entry;
use crate::terminal::visible;

/// More than any sensible answer has, in bytes.
const MAX_ANSWER: u64 = 4096;
/// Width of the column of vendors: the longest is `nvidia`.
const VENDOR_WIDTH: usize = 6;

/// Whether somebody is there to answer, and wants to be asked: who gives a flag knows what to write.
pub(super) fn wanted(args: &NewPolicyArgs, output: &OutputOptions) -> bool {
    let flagged =
        args.simulated || args.extends.is_some() || !args.products.is_empty() || !args.without.is_empty();
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal();
    terminal && !flagged && !output.quiet && output.format == Format::Text
}

/// Somebody to ask.
pub(super) struct Dialogue<R, W> {
    answers: R,
    questions: W,
}

impl<R: BufRead, W: Write> Dialogue<R, W> {
    pub(super) fn new(answers: R, questions: W) -> Self {
        Self { answers, questions }
    }

    /// Asks for everything that has a flag.
    pub(super) fn complete(&mut self, mut args: NewPolicyArgs) -> Outcome<NewPolicyArgs> {
        self.say("A trust policy names the platforms that may run your workloads. Enter takes what is in brackets.\n\n")?;
        self.say(&catalog())?;
        args.products =
            self.until("Trust which products, separated by commas? [milan,genoa,turin]", |answer| {
                let products = products(answer)?;
                text(&NewPolicyArgs { products: products.clone(), ..NewPolicyArgs::default() })?;
                Ok(products)
            })?;
        let trusted = args.products.clone();
        args.without = self.until("Deny which products, whatever is allowed? [none]", |answer| {
            let without = products(answer)?;
            let args = NewPolicyArgs {
                products: trusted.clone(),
                without: without.clone(),
                ..NewPolicyArgs::default()
            };
            text(&args)?;
            Ok(without)
        })?;
        let question = "Accept what the simulator of this machine makes? It protects nothing. yes or [no]";
        args.simulated = self.until(question, yes)?;
        if args.file.is_none() {
            args.file = self.until("Write it into which file? [to standard output]", file)?;
        }
        Ok(args)
    }

    /// Asks until there is an answer that can be used.
    fn until<T>(&mut self, question: &str, read: impl Fn(&str) -> Outcome<T>) -> Outcome<T> {
        loop {
            self.say(&format!("{question} "))?;
            match read(&self.line()?) {
                Ok(answer) => return Ok(answer),
                Err(failure) => self.say(&format!("{}\n\n", visible(&failure.to_string())))?,
            }
        }
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = Vec::new();
        let read = self.answers.by_ref().take(MAX_ANSWER).read_until(b'\n', &mut line);
        read.map_err(|error| Failure::usage(format!("could not read an answer: {error}")))?;
        if !line.ends_with(b"\n") {
            let message = if line.is_empty() { "there was no answer" } else { "the answer has no end" };
            return Err(Failure::usage(message)
                .hint("nothing was written; `enarx policy new --help` lists the flags"));
        }
        // What is not UTF-8 is no answer to any question, and is told as such.
        Ok(String::from_utf8_lossy(&line).trim().to_owned())
    }

    fn say(&mut self, text: &str) -> Outcome<()> {
        let said = self.questions.write_all(text.as_bytes()).and_then(|()| self.questions.flush());
        said.map_err(|error| Failure::usage(format!("could not ask: {error}")))
    }
}

/// All products, a line for each vendor.
fn catalog() -> String {
    let mut vendors: BTreeMap<Vendor, Vec<&str>> = BTreeMap::new();
    for product in Product::ALL {
        vendors.entry(product.vendor()).or_default().push(product.name());
    }
    let line = |(vendor, products): (&Vendor, &Vec<&str>)| {
        entry(2, vendor.name(), VENDOR_WIDTH, &products.join(", "))
    };
    vendors.iter().map(line).chain(["\n".to_owned()]).collect()
}

fn products(answer: &str) -> Outcome<Vec<Product>> {
    let names = answer.split(',').map(str::trim).filter(|name| !name.is_empty());
    let read = |name: &str| {
        product(name).map_err(|known| Failure::usage(format!("no product is called `{name}`")).hint(known))
    };
    names.map(read).collect()
}

fn yes(answer: &str) -> Outcome<bool> {
    match answer.to_ascii_lowercase().as_str() {
        "" | "n" | "no" => Ok(false),
        "y" | "yes" => Ok(true),
        _ => Err(Failure::usage("the answer is `yes` or `no`")),
    }
}

fn file(answer: &str) -> Outcome<Option<PathBuf>> {
    let path = (!answer.is_empty()).then(|| PathBuf::from(answer));
    match path {
        Some(path) if path.exists() => Err(Failure::usage(format!("{} is already there", path.display()))
            .hint("give another name; nothing is overwritten")),
        path => Ok(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the answers make, and what was asked.
    fn asked(answers: &str) -> (Outcome<NewPolicyArgs>, String) {
        let mut questions = Vec::new();
        let args = Dialogue::new(answers.as_bytes(), &mut questions).complete(NewPolicyArgs::default());
        (args, String::from_utf8(questions).unwrap())
    }

    #[test]
    fn enter_throughout_writes_the_template() {
        let (args, questions) = asked("\n\n\n\n");
        assert_eq!(text(&args.unwrap()).unwrap(), enarx_verifier::policy::template());
        assert!(questions.contains("\n  intel   coffee-lake, "), "{questions}");
        assert_eq!(questions.matches('?').count(), 4, "{questions}");
    }

    #[test]
    fn answers_are_what_the_flags_would_be() {
        let args = asked("genoa, sapphire-rapids\r\nmilan\nYES\n no/such/folder.toml \n").0.unwrap();
        assert_eq!(args.products, [Product::Genoa, Product::SapphireRapids]);
        assert_eq!((args.without.as_slice(), args.simulated), ([Product::Milan].as_slice(), true));
        assert_eq!(args.file, Some(PathBuf::from("no/such/folder.toml")));
    }

    #[test]
    fn a_file_that_was_given_is_not_asked_for() {
        let given = NewPolicyArgs { file: Some("given.toml".into()), ..NewPolicyArgs::default() };
        let args = Dialogue::new("\n\n\n".as_bytes(), io::sink()).complete(given).unwrap();
        assert_eq!(args.file, Some(PathBuf::from("given.toml")));
    }

    #[test]
    fn what_makes_no_policy_is_asked_again() {
        let (args, questions) = asked("rome\x1b[2J\nsiena\nmilan\nmilan\n\nperhaps\ny\n.\n\n");
        let args = args.unwrap();
        assert_eq!((args.products.as_slice(), args.without.len()), ([Product::Milan].as_slice(), 0));
        assert_eq!((args.simulated, args.file), (true, None));
        for reason in [
            "error: no product is called `rome\\u{1b}[2J`\n\nhint: known are milan, genoa",
            "error: no levels of `siena` are known here that are safe",
            "error: the policy:",
            "error: the answer is `yes` or `no`",
            "error: . is already there",
        ] {
            assert!(questions.contains(reason), "{reason} in {questions}");
        }
    }

    #[test]
    fn without_an_answer_nothing_is_written() {
        for answers in ["", "\n", "milan\n\n\n", "milan"] {
            assert!(asked(answers).0.is_err(), "{answers:?}");
        }
        let endless = "a".repeat(10_000);
        assert_eq!(asked(&endless).0.unwrap_err().message(), "the answer has no end");
    }
}
