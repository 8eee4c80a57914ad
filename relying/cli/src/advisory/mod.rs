// SPDX-License-Identifier: Apache-2.0

//! `enarx advisory`: make and sign feeds of advisories, and listen to those of others.

mod show;
mod store;

use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey};
use enarx_verifier::UnixTime;
use enarx_verifier::advisory::{Draft, Feed, FeedError, IssuerKey, MAX_FEED_BYTES, template};
use serde_json::json;

use crate::args::{AdvisoryCommand, Format, ImportArgs, OutputOptions, WhenExpired};
use crate::failure::{Failure, Outcome, REFUSED, chain};
use crate::input;
use crate::state::{self, State};
use crate::terminal::{print_json, print_text};
use crate::trust;
use crate::write::{new_file, print};

pub(crate) use store::{FeedRecord, FeedStore};

pub(crate) fn perform(command: AdvisoryCommand, output: &OutputOptions) -> Outcome<u8> {
    match command {
        AdvisoryCommand::New { file: Some(file) } => {
            new_file(&file, template().as_bytes())?;
            told(output, &format!("wrote {}", file.display()));
        }
        AdvisoryCommand::New { file: None } => print(template().as_bytes())?,
        AdvisoryCommand::Key { file, new } => key(&file, new, output)?,
        AdvisoryCommand::Sign { file, key, out } => sign(&file, &key, out.as_deref(), output)?,
        AdvisoryCommand::Verify { file, issuers } => verify(&file, &issuers, output)?,
        AdvisoryCommand::Import(args) => import(&args, output)?,
        AdvisoryCommand::Ls => return list(output),
        AdvisoryCommand::Rm { feed } => remove(&feed, output)?,
    }
    Ok(0)
}

/// Reads a feed that one of these issuers has to have signed.
///
/// `option` is where the tenant names issuers.
pub(crate) fn read(file: &Path, issuers: &[IssuerKey], option: &str) -> Outcome<Feed> {
    let bytes = input::bytes(file, MAX_FEED_BYTES as u64)?;
    Feed::parse(&bytes, issuers).map_err(|error| match error {
        FeedError::IssuerNotNamed { .. } => {
            Failure::with_code(REFUSED, format!("{}: {error}", file.display())).hint(format!(
                "name the key by `{option}` if you know from elsewhere that it is that of somebody you trust"
            ))
        }
        error => wrong(file, &error),
    })
}

/// The keys of all issuers whom the tenant has named.
pub(crate) fn named(store: &FeedStore) -> Outcome<Vec<IssuerKey>> {
    Ok(store.records()?.iter().filter_map(|record| record.issuer.parse().ok()).collect())
}

fn wrong(file: &Path, error: &FeedError) -> Failure {
    let file = file.display();
    match error {
        FeedError::Body(error) => {
            let failure = Failure::usage(format!("{file}: {error}"));
            match &error.hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        }
        FeedError::Signature { .. } => Failure::with_code(REFUSED, format!("{file}: {error}"))
            .hint("it was changed after it was signed: get it from its issuer again"),
        FeedError::Head { .. } => Failure::usage(format!("{file}: {error}"))
            .hint("a feed is signed by `enarx advisory sign`; get one from its issuer"),
        error => Failure::usage(format!("{file}: {}", chain(error))),
    }
}

fn key(file: &Path, new: bool, output: &OutputOptions) -> Outcome<()> {
    let seed = if new { state::new_key(file)? } else { state::read_key(file)? };
    let issuer = public(&SigningKey::from_bytes(&seed)).to_string();
    match output.format {
        Format::Json => print_json(&json!({ "issuer": issuer })),
        Format::Text | Format::Ear => print_text(&format!("{issuer}\n")),
    }
}

fn public(key: &SigningKey) -> IssuerKey {
    IssuerKey(key.verifying_key().to_bytes())
}

fn sign(file: &Path, key: &Path, out: Option<&Path>, output: &OutputOptions) -> Outcome<()> {
    let draft = Draft::parse(&input::text(file)?).map_err(|error| wrong(file, &error))?;
    let key = SigningKey::from_bytes(&*state::read_key(key)?);
    let signature = key.sign(&draft.message()).to_bytes();
    let feed = draft.signed(public(&key), signature).map_err(|error| wrong(file, &error))?;
    match out {
        Some(out) => new_file(out, feed.text().as_bytes())?,
        None => print(feed.text().as_bytes())?,
    }
    let contents = feed.contents();
    told(
        output,
        &format!("signed version {} of the feed `{}` as {}", contents.version, contents.feed, feed.issuer()),
    );
    Ok(())
}

fn verify(file: &Path, issuers: &[IssuerKey], output: &OutputOptions) -> Outcome<()> {
    let known = match issuers {
        [] => named(&State::open()?.advisories())?,
        issuers => issuers.to_vec(),
    };
    let feed = read(file, &known, "--issuer")?;
    let now = UnixTime(trust::now());
    match output.format {
        Format::Json => print_json(&show::json(&feed, now)),
        Format::Text | Format::Ear => print_text(&show::text(&feed, now)),
    }
}

fn import(args: &ImportArgs, output: &OutputOptions) -> Outcome<()> {
    let store = State::open()?.advisories();
    let change = store.change()?;
    let known = match args.issuer {
        Some(issuer) => vec![issuer],
        None => named(&store)?,
    };
    let feed = read(&args.file, &known, "--issuer")?;
    let (contents, issuer) = (feed.contents(), feed.issuer());
    let refused =
        |message: String| Failure::with_code(REFUSED, format!("{}: {message}", args.file.display()));
    if let Some(other) = change.current(&contents.feed).filter(|other| other.issuer != issuer.to_string()) {
        let message = format!(
            "the feed `{}` is that of {}, and this one is signed by {issuer}",
            other.feed, other.issuer
        );
        let hint = format!("if its issuer has a new key: `enarx advisory rm {}`, then import it", other.feed);
        return Err(refused(message).hint(hint));
    }
    let before = change.by(&contents.feed, issuer);
    match before {
        None if args.issuer.is_none() => {
            let message = format!("the feed `{}` is new here, though its issuer is known", contents.feed);
            return Err(refused(message).hint(format!("to listen to it, say so by `--issuer {issuer}`")));
        }
        Some(before) => newer(&feed, before.version, &before.digest).map_err(refused)?,
        None => {}
    }
    let withdrawn = before.map(|before| store.open(before)).and_then(Result::ok);
    let withdrawn = withdrawn.map(|before| show::withdrawn(&before, &feed)).unwrap_or_default();
    let remembered = before.map(|before| before.when_expired).unwrap_or_default();
    let when_expired = args.when_expired.unwrap_or(remembered);
    change.put(&feed, when_expired)?;
    imported(&feed, &withdrawn, when_expired, output)
}

/// A version counts once and for all: nothing older replaces it, and nothing else that calls itself by its number.
fn newer(feed: &Feed, version: u32, digest: &str) -> Result<(), String> {
    let contents = feed.contents();
    if contents.version < version {
        return Err(format!(
            "version {} of the feed `{}` is older than version {version}, which you imported: whoever gave it to you keeps \
             warnings from you",
            contents.version, contents.feed
        ));
    }
    if contents.version == version && hex::encode(feed.digest()) != digest {
        return Err(format!(
            "this is another version {version} of the feed `{}` than the one that you imported: its issuer, or somebody with \
             the issuer's key, tells different people different things",
            contents.feed
        ));
    }
    Ok(())
}

fn imported(
    feed: &Feed,
    withdrawn: &[String],
    when_expired: WhenExpired,
    output: &OutputOptions,
) -> Outcome<()> {
    let (contents, now) = (feed.contents(), UnixTime(trust::now()));
    if output.format == Format::Json {
        let mut told = show::json(feed, now);
        if let serde_json::Value::Object(told) = &mut told {
            told.insert("withdrawn".to_owned(), json!(withdrawn));
            told.insert("when_expired".to_owned(), json!(when_expired));
        }
        return print_json(&told);
    }
    let (version, name, count) = (contents.version, &contents.feed, contents.advisories.len());
    told(
        output,
        &format!(
            "imported version {version} of the feed `{name}`: {count} advisories are denied from now on"
        ),
    );
    for id in withdrawn {
        told(output, &format!("its issuer has withdrawn `{id}`, which is no longer denied"));
    }
    if feed.expired(now) {
        let what = match when_expired {
            WhenExpired::Refuse => "everything is refused until you import a newer version",
            WhenExpired::Warn => "what became known since is not noticed",
        };
        tell!("warning: it is past its last day: {what}");
    }
    Ok(())
}

fn list(output: &OutputOptions) -> Outcome<u8> {
    let store = State::open()?.advisories();
    let (mut damaged, mut count) = (None, 0_usize);
    for record in store.records()?.iter().filter(|record| !record.removed) {
        count = count.saturating_add(1);
        match store.open(record) {
            Ok(feed) => show::row(&feed, record, UnixTime(trust::now()), output.format)?,
            Err(failure) => {
                show::damaged(record, failure.message(), output.format)?;
                damaged.get_or_insert(failure);
            }
        }
    }
    if count == 0 && output.format != Format::Json {
        told(output, "you listen to no feed; `enarx advisory import` begins");
    }
    damaged.map_or(Ok(0), Err)
}

fn remove(feed: &str, output: &OutputOptions) -> Outcome<()> {
    let store = State::open()?.advisories();
    let change = store.change()?;
    if change.current(feed).is_none() {
        return Err(Failure::usage(format!("you listen to no feed called `{feed}`"))
            .hint("`enarx advisory ls` lists those that you listen to"));
    }
    change.remove(feed)?;
    if output.format == Format::Json {
        return print_json(&json!({ "removed": feed }));
    }
    told(
        output,
        &format!("removed the feed `{feed}`: what it denied is accepted again wherever a policy accepts it"),
    );
    Ok(())
}

fn told(output: &OutputOptions, text: &str) {
    if !output.quiet {
        tell!("{text}");
    }
}
