// SPDX-License-Identifier: Apache-2.0

//! The cache: what is in it is not asked for again, nothing is used past its end, damage heals, and many can use
//! one directory at once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use enarx_collateral::{
    Cache, Clock, CollateralError, Config, Event, Fetcher, Item, OfflineBundle, Origin, What,
};
use support::amd::{kds, platform};
use support::der::revocation_list;
use support::{Reply, Server, config};

const LIST: &str = "amd/milan/vcek-crl";
const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;
/// 2026-01-01 00:00:00, from when the list is valid, for 31 days.
const START: u64 = 1_767_225_600;

fn what(text: &str) -> What {
    text.parse().unwrap()
}

fn january() -> Vec<u8> {
    revocation_list("ARK-Milan", "260101000000Z", "260201000000Z")
}

/// A cache, a server whose replies can be changed, and a clock.
struct World {
    dir: tempfile::TempDir,
    server: Server,
    reply: Arc<Mutex<Reply>>,
    now: Arc<AtomicU64>,
    origins: Arc<Mutex<Vec<&'static str>>>,
}

impl World {
    async fn new(reply: Reply) -> Self {
        let reply = Arc::new(Mutex::new(reply));
        let shown = Arc::clone(&reply);
        let server = Server::start(move |_| shown.lock().unwrap().clone()).await;
        let (now, origins) = (Arc::new(AtomicU64::new(START)), Arc::default());
        Self { dir: tempfile::tempdir().unwrap(), server, reply, now, origins }
    }

    fn config(&self) -> Config {
        let now = Arc::clone(&self.now);
        Config {
            cache: Some(Cache::open(self.dir.path(), Cache::DEFAULT_BYTES).unwrap()),
            clock: Clock::new(move || now.load(Ordering::Relaxed)),
            ..config(vec![kds(&self.server)])
        }
    }

    async fn fetch_with(&self, config: Config) -> Result<Vec<Item>, CollateralError> {
        let origins = Arc::clone(&self.origins);
        let fetcher = Fetcher::new(config).unwrap().watched(move |event| {
            if let Event::Found { origin, .. } = event {
                origins.lock().unwrap().push(match origin {
                    Origin::Bundle => "bundle",
                    Origin::Cache => "cache",
                    Origin::OldCache => "old cache",
                    Origin::Network(_) => "network",
                });
            }
        });
        fetcher.fetch(&what(LIST)).await
    }

    /// Fetches at a time after the start, and says where it came from.
    async fn fetch(&self, after: u64) -> Result<&'static str, CollateralError> {
        self.now.store(START + after, Ordering::Relaxed);
        let items = self.fetch_with(self.config()).await?;
        assert_eq!(items[0].bytes, january());
        Ok(self.origins.lock().unwrap().pop().unwrap())
    }

    fn files(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.file_name().unwrap() != "lock").collect()
    }
}

#[tokio::test]
async fn an_answer_is_asked_for_once_a_day() {
    let world = World::new(Reply::ok(january())).await;
    let mut origins = Vec::new();
    for after in [0, 1, DAY - 1, DAY, DAY + 1, 2 * DAY - 1, 2 * DAY] {
        origins.push(world.fetch(after).await.unwrap());
    }
    assert_eq!(origins, ["network", "cache", "cache", "network", "cache", "cache", "network"]);
    assert_eq!(world.server.targets().len(), 3);
}

#[tokio::test]
async fn what_cannot_be_refreshed_is_used_until_its_end_and_not_longer() {
    let world = World::new(Reply::ok(january())).await;
    world.fetch(0).await.unwrap();
    *world.reply.lock().unwrap() = Reply::status(500);
    assert_eq!(world.fetch(2 * DAY).await.unwrap(), "old cache");
    assert_eq!(world.fetch(31 * DAY).await.unwrap(), "old cache");
    let error = world.fetch(31 * DAY + 1).await.unwrap_err();
    assert!(matches!(error, CollateralError::Http(_)), "{error}");
    // The vendor is up again, but still has the old list.
    *world.reply.lock().unwrap() = Reply::ok(january());
    let error = world.fetch(31 * DAY + 1).await.unwrap_err();
    assert!(matches!(error, CollateralError::Stale { .. }), "{error}");
    // It was not even stored.
    let offline = Config { offline: true, ..world.config() };
    let error = world.fetch_with(offline).await.unwrap_err();
    assert!(matches!(error, CollateralError::Offline { .. }), "{error}");
}

#[tokio::test]
async fn a_mirror_that_is_behind_does_not_replace_what_is_newer() {
    let world = World::new(Reply::ok(january())).await;
    world.fetch(0).await.unwrap();
    let december = revocation_list("ARK-Milan", "251201000000Z", "260301000000Z");
    *world.reply.lock().unwrap() = Reply::ok(december.clone());
    assert_eq!(world.fetch(2 * DAY).await.unwrap(), "old cache");
    // Once the newer one is over, the older one, which is valid for longer, is better than none.
    world.now.store(START + 32 * DAY, Ordering::Relaxed);
    assert_eq!(world.fetch_with(world.config()).await.unwrap()[0].bytes, december);
}

#[tokio::test]
async fn offline_the_cache_is_used_as_long_as_it_is_valid() {
    let world = World::new(Reply::ok(january())).await;
    world.fetch(0).await.unwrap();
    for after in [HOUR, 2 * DAY, 31 * DAY] {
        world.now.store(START + after, Ordering::Relaxed);
        world.fetch_with(Config { offline: true, ..world.config() }).await.unwrap();
    }
    assert_eq!(world.server.targets().len(), 1);
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_make_answers_new() {
    let world = World::new(Reply::ok(january())).await;
    world.fetch(10 * DAY).await.unwrap();
    assert_eq!(world.fetch(5 * DAY).await.unwrap(), "network");
}

#[tokio::test]
async fn certificates_of_chips_are_kept_as_long_as_they_are_valid() {
    let platform = platform("amd/milan");
    let server = platform.server("vcek", "Milan").await;
    let dir = tempfile::tempdir().unwrap();
    let later = Arc::new(AtomicU64::new(0));
    let shown = Arc::clone(&later);
    let base = Clock::system().now();
    let config = Config {
        cache: Some(Cache::open(dir.path(), Cache::DEFAULT_BYTES).unwrap()),
        clock: Clock::new(move || base + shown.load(Ordering::Relaxed)),
        ..config(vec![kds(&server)])
    };
    let fetcher = Fetcher::new(config).unwrap();
    for after in [0, 40 * DAY] {
        later.store(after, Ordering::Relaxed);
        assert!(fetcher.fetch_for(&platform.bare()).await.unwrap().is_complete());
    }
    let keys = server.targets().into_iter().filter(|target| *target == platform.key_path("Milan")).count();
    assert_eq!((keys, server.targets().len()), (1, 5));
}

#[tokio::test]
async fn damaged_files_are_fetched_again() {
    let world = World::new(Reply::ok(january())).await;
    world.fetch(0).await.unwrap();
    let [file] = world.files().try_into().unwrap();
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let damages = [
        Vec::new(),
        whole[..whole.len() - 1].to_vec(),
        flipped,
        [&whole[..], b"x"].concat(),
        vec![0; 300_000],
    ];
    for damaged in damages {
        fs::write(&file, damaged).unwrap();
        assert_eq!(world.fetch(1).await.unwrap(), "network");
        assert_eq!(fs::read(&file).unwrap().len(), whole.len());
        assert_eq!(world.fetch(1).await.unwrap(), "cache");
    }
    // Whole, but the answer to another question.
    let other = World::new(Reply::ok(revocation_list("ARK-Genoa", "260101000000Z", "260201000000Z"))).await;
    other.now.store(START, Ordering::Relaxed);
    Fetcher::new(other.config()).unwrap().fetch(&what("amd/genoa/vcek-crl")).await.unwrap();
    fs::copy(&other.files()[0], &file).unwrap();
    assert_eq!(world.fetch(1).await.unwrap(), "network");
}

#[tokio::test]
async fn others_cannot_look_into_the_cache() {
    let world = World::new(Reply::ok(january())).await;
    let dir = world.dir.path().join("new/cache");
    let cache = Cache::open(&dir, Cache::DEFAULT_BYTES).unwrap();
    world.fetch_with(Config { cache: Some(cache), ..world.config() }).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for entry in fs::read_dir(&dir).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_is_no_reason_to_go_without() {
    let world = World::new(Reply::ok(january())).await;
    let config = world.config();
    fs::remove_dir_all(world.dir.path()).unwrap();
    assert_eq!(world.fetch_with(config).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_oldest_files_make_room() {
    let world = World::new(Reply::ok(january())).await;
    world.fetch(0).await.unwrap();
    let [file] = world.files().try_into().unwrap();
    let size = fs::metadata(&file).unwrap().len();
    let age = |name: &str, hours: u64| {
        let path = world.dir.path().join(name);
        fs::write(&path, vec![0; usize::try_from(size).unwrap()]).unwrap();
        let time = std::time::SystemTime::now() - Duration::from_hours(hours);
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        path
    };
    let (middle, oldest) = (age("b.collateral", 2), age("a.collateral", 3));
    let (abandoned, unfinished) = (age("c.01.new", 2), age("d.02.new", 0));
    let foreign = age("notes.txt", 99);
    let small = Cache::open(world.dir.path(), 2 * size).unwrap();
    world.now.store(START + DAY, Ordering::Relaxed);
    world.fetch_with(Config { cache: Some(small), ..world.config() }).await.unwrap();
    let there = [&file, &middle, &oldest, &abandoned, &unfinished, &foreign].map(|path| path.exists());
    assert_eq!(there, [true, true, false, false, true, true]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_ask_once() {
    let world = World::new(Reply::ok(january())).await;
    world.now.store(START, Ordering::Relaxed);
    let fetcher = Arc::new(Fetcher::new(world.config()).unwrap());
    for task in many(&fetcher) {
        assert_eq!(task.await.unwrap().unwrap()[0].bytes, january());
    }
    assert_eq!(world.server.targets().len(), 1);
}

type Task = tokio::task::JoinHandle<Result<Vec<Item>, CollateralError>>;

fn many(fetcher: &Arc<Fetcher>) -> Vec<Task> {
    let task = |_| {
        let fetcher = Arc::clone(fetcher);
        tokio::spawn(async move { fetcher.fetch(&what(LIST)).await })
    };
    (0..32).map(task).collect()
}

/// Without a cache, too; and who gives up leaves its turn to the others.
#[tokio::test]
async fn many_tasks_share_one_answer_without_a_cache() {
    let world = World::new(Reply::ok(january())).await;
    let config = Config { cache: None, ..world.config() }.at(START);
    let fetcher = Arc::new(Fetcher::new(config).unwrap());
    let tasks = many(&fetcher);
    // All of them wait for the first one's answer, since they share this thread.
    tokio::task::yield_now().await;
    tasks[0].abort();
    let mut answered = 0;
    for task in tasks {
        if let Ok(items) = task.await {
            assert_eq!(items.unwrap()[0].bytes, january());
            answered += 1;
        }
    }
    assert_eq!(answered, 31);
    assert!(world.server.targets().len() <= 2, "the one that gave up may have asked");
    // Afterwards it is asked for again.
    let before = world.server.targets().len();
    fetcher.fetch(&what(LIST)).await.unwrap();
    assert_eq!(world.server.targets().len(), before + 1);
}

/// What processes do to each other in one directory, by threads that share nothing else: each opens it itself.
#[tokio::test]
async fn many_tasks_share_one_failure() {
    let world = World::new(Reply::status(403)).await;
    let fetcher = Arc::new(Fetcher::new(Config { cache: None, ..world.config() }).unwrap());
    for task in many(&fetcher) {
        let error = task.await.unwrap().unwrap_err();
        assert!(error.to_string().ends_with("answered 403") && !error.is_retryable(), "{error}");
    }
    assert_eq!(world.server.targets().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_processes_never_see_half_a_file() {
    let world = World::new(Reply::ok(january())).await;
    world.now.store(START, Ordering::Relaxed);
    let failures = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let config = Config {
                // Half of them want everything anew, half have room for one file only.
                refresh_after: if number % 2 == 0 { Duration::ZERO } else { Duration::from_hours(24) },
                cache: Some(
                    Cache::open(world.dir.path(), if number % 4 < 2 { 1000 } else { 1_000_000 }).unwrap(),
                ),
                ..world.config()
            };
            let failures = Arc::clone(&failures);
            tokio::spawn(async move {
                for _ in 0..20 {
                    let items = Fetcher::new(config.clone()).unwrap().fetch(&what(LIST)).await;
                    if !items.is_ok_and(|items| items[0].bytes == january()) {
                        failures.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(failures.load(Ordering::Relaxed), 0);
    let left = world.files();
    assert!(left.iter().all(|path| path.extension().unwrap() == "collateral"), "{left:?}");
}

#[tokio::test]
async fn a_cache_can_be_shown_and_cleared() {
    let world = World::new(Reply::ok(january())).await;
    world.fetch(0).await.unwrap();
    let cache = world.config().cache.unwrap();
    let items = cache.items().unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!((items[0].what.to_string().as_str(), items[0].fetched_at), (LIST, START));
    cache.clear().unwrap();
    assert!(cache.items().unwrap().is_empty());
}

#[tokio::test]
async fn bundles_come_first_as_long_as_they_are_valid() {
    let world = World::new(Reply::ok(january())).await;
    world.now.store(START, Ordering::Relaxed);
    let mut bundle = OfflineBundle::default();
    for item in world.fetch_with(config(vec![kds(&world.server)]).at(START)).await.unwrap() {
        assert!(bundle.add(item));
    }
    let with = |offline| Config { bundles: vec![bundle.clone()], offline, cache: None, ..world.config() };
    world.origins.lock().unwrap().clear();
    world.fetch_with(with(true)).await.unwrap();
    assert_eq!(*world.origins.lock().unwrap(), ["bundle"]);
    world.now.store(START + 32 * DAY, Ordering::Relaxed);
    let error = world.fetch_with(with(true)).await.unwrap_err();
    assert!(matches!(error, CollateralError::Offline { .. }), "{error}");
    let error = world.fetch_with(with(false)).await.unwrap_err();
    assert!(matches!(error, CollateralError::Stale { .. }), "{error}");
}

trait At {
    fn at(self, now: u64) -> Self;
}

impl At for Config {
    /// The same at another time.
    fn at(self, now: u64) -> Self {
        Self { clock: Clock::new(move || now), ..self }
    }
}
