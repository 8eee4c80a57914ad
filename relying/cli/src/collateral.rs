// SPDX-License-Identifier: Apache-2.0

//! `enarx collateral`: what vendors say about their hardware, fetched, kept, and packed for those without a network.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use enarx_collateral::{
    Cache, Collected, Config, Event, Fetcher, Item, OfflineBundle, Origin, PcsVersion, Proxies, Source,
    Template, Url,
};
use enarx_verifier::UnixTime;
use serde_json::{Value, json};

use crate::args::{CollateralCommand, FetchArgs, Format, OutputOptions, SourceArgs};
use crate::evidence;
use crate::failure::{Failure, Outcome, chain};
use crate::input;
use crate::layout;
use crate::progress::Progress;
use crate::state::cache_folder;
use crate::terminal::{print_json, print_text};
use crate::trust;
use crate::write::new_file;

/// The folder of collateral in the cache of `enarx`.
pub(crate) const FOLDER: &str = "collateral";
/// Width of the names of what is told of an item: the longest is `fetched`.
const NAME_WIDTH: usize = 7;

pub(crate) async fn perform(command: CollateralCommand, output: &OutputOptions) -> Outcome<()> {
    match command {
        CollateralCommand::Fetch(args) => fetch(&args, output).await,
        CollateralCommand::Bundle { files, out } => bundle(&files, &out, output),
        CollateralCommand::Show { file } => show(&read(&file)?, output),
    }
}

/// Reads a file of collateral.
pub(crate) fn read(file: &Path) -> Outcome<OfflineBundle> {
    let bytes = input::bytes(file, OfflineBundle::MAX_BYTES as u64)?;
    OfflineBundle::decode(&bytes).map_err(|error| {
        Failure::usage(format!("{}: it is no bundle of collateral: {error}", file.display()))
            .hint("`enarx collateral fetch` and `enarx collateral bundle` write such files")
    })
}

async fn fetch(args: &FetchArgs, output: &OutputOptions) -> Outcome<()> {
    let bundle = evidence::bundle(&args.evidence, &args.endorsements)?;
    let progress = Mutex::new(Progress::new(output));
    let fetcher = Fetcher::new(config(&args.source)?).map_err(|error| Failure::usage(chain(&error)))?;
    let fetcher = fetcher.watched(move |event| {
        tell(event, &mut progress.lock().unwrap_or_else(PoisonError::into_inner));
    });
    let collected = fetcher.fetch_for(&bundle).await.map_err(|error| Failure::usage(chain(&error)))?;
    let mut offline = OfflineBundle::default();
    for item in &collected.items {
        offline.add(item.clone());
    }
    if !offline.is_empty() {
        new_file(&args.out, &offline.encode())?;
    }
    complete(&collected, offline.len(), args)
}

/// Everything that the evidence needs is there, or what is not and why.
fn complete(collected: &Collected, written: usize, args: &FetchArgs) -> Outcome<()> {
    if collected.is_complete() {
        return Ok(());
    }
    let mut message = String::from("not everything that the evidence needs could be had");
    for missing in &collected.missing {
        message.push_str(&["\n  ", &missing.what, ": ", &chain(&missing.error)].concat());
    }
    let failure = Failure::unreachable(message);
    let hint = collected.missing.iter().find_map(|missing| missing.error.hint());
    Err(match hint {
        Some(hint) => failure.hint(hint),
        None if written > 0 => failure.hint(format!("the rest is in {}", args.out.display())),
        None => failure,
    })
}

/// Whom to ask.
fn config(args: &SourceArgs) -> Outcome<Config> {
    let wrong = |error: &dyn std::error::Error| Failure::usage(chain(error));
    let url = |text: &str| Url::parse(text).map_err(|error| wrong(&error));
    let mut sources = Vec::new();
    for text in &args.from {
        sources.push(Source::Template(text.parse::<Template>().map_err(|error| wrong(&error))?));
    }
    for text in &args.pccs {
        sources.push(Source::Pccs { base: url(text)?, version: PcsVersion::V4 });
    }
    for text in &args.kds {
        sources.push(Source::Kds { base: url(text)? });
    }
    if args.from.is_empty() && args.pccs.is_empty() && args.kds.is_empty() {
        sources.extend([Source::kds(), Source::pcs()]);
    }
    let bundles = args.bundles.iter().map(|file| read(file)).collect::<Outcome<_>>()?;
    let cache =
        Cache::open(&cache_folder()?.join(FOLDER), Cache::DEFAULT_BYTES).map_err(|error| wrong(&error))?;
    let proxies = Proxies::from_env().map_err(|error| wrong(&error))?;
    Ok(Config { sources, bundles, cache: Some(cache), offline: args.offline, proxies, ..Config::default() })
}

/// Tells of a step.
fn tell(event: &Event<'_>, progress: &mut Progress) {
    match event {
        Event::Waiting { what, wait, .. } => {
            let text = format!("{} s for {what}", wait.as_secs());
            progress.step("waiting", &text, json!({ "what": what.to_string(), "seconds": wait.as_secs() }));
        }
        Event::Found { what, origin, bytes, valid_until } => {
            let origin = match *origin {
                Origin::Bundle => "a bundle",
                Origin::Cache => "the cache",
                Origin::OldCache => "the cache, since nobody gave a newer one",
                Origin::Network(url) => url,
            };
            let until = UnixTime(*valid_until).to_string();
            let text = format!("{what}\n{bytes} bytes from {origin}, valid until {until}");
            let fields =
                json!({ "what": what.to_string(), "from": origin, "bytes": bytes, "valid_until": until });
            progress.step("found", &text, fields);
        }
        Event::Failed { what, error } => {
            let text = format!("{what}\n{}", chain(*error));
            progress.step("failed", &text, json!({ "what": what.to_string(), "why": chain(*error) }));
        }
        _ => {}
    }
}

/// Packs what is in bundles, or everything in the cache, into one.
fn bundle(files: &[PathBuf], out: &Path, output: &OutputOptions) -> Outcome<()> {
    let mut offline = OfflineBundle::default();
    let items: Vec<Item> = if files.is_empty() {
        let wrong = |error: &dyn std::error::Error| Failure::usage(chain(error));
        let cache = Cache::open(&cache_folder()?.join(FOLDER), Cache::DEFAULT_BYTES)
            .map_err(|error| wrong(&error))?;
        cache.items().map_err(|error| wrong(&error))?
    } else {
        let read = files.iter().map(|file| read(file)).collect::<Outcome<Vec<_>>>()?;
        read.iter().flat_map(|bundle| bundle.items().cloned().collect::<Vec<_>>()).collect()
    };
    for item in items {
        if !offline.add(item) {
            return Err(Failure::usage(format!("more than {} items", OfflineBundle::MAX_ITEMS)));
        }
    }
    if offline.is_empty() {
        return Err(
            Failure::usage("there is nothing to pack").hint("`enarx collateral fetch` fetches something")
        );
    }
    new_file(out, &offline.encode())?;
    let text = format!("{} items in {}", offline.len(), out.display());
    Progress::new(output).step("packed", &text, json!({ "items": offline.len(), "file": out }));
    Ok(())
}

fn show(bundle: &OfflineBundle, output: &OutputOptions) -> Outcome<()> {
    let now = trust::now();
    if output.format == Format::Json {
        let items: Vec<_> = bundle.items().map(|item| fields(item, now)).collect();
        return print_json(&json!({ "items": items }));
    }
    let mut text = String::new();
    for item in bundle.items() {
        text.push_str(&layout::paragraph(0, &format!("{} ({})", item.what, item.part.name())));
        let state = if item.validity.contains(now) { "" } else { ", NOT VALID NOW" };
        let (from, until) = (UnixTime(item.validity.from), UnixTime(item.validity.until));
        let entries = [
            ("is", item.what.describe()),
            ("valid", format!("from {from} to {until}{state}")),
            ("from", item.source.clone()),
            ("fetched", UnixTime(item.fetched_at).to_string()),
            ("bytes", item.bytes.len().to_string()),
        ];
        for (name, value) in entries {
            text.push_str(&layout::entry(2, name, NAME_WIDTH, &value));
        }
    }
    print_text(&text)
}

fn fields(item: &Item, now: u64) -> Value {
    json!({
        "what": item.what.to_string(),
        "part": item.part.name(),
        "source": item.source,
        "fetched_at": UnixTime(item.fetched_at),
        "valid_from": UnixTime(item.validity.from),
        "valid_until": UnixTime(item.validity.until),
        "valid_now": item.validity.contains(now),
        "bytes": item.bytes.len(),
    })
}
