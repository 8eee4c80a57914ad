// SPDX-License-Identifier: Apache-2.0

//! What is executed was compiled by this user from this program for this engine; everything else is compiled again.
#![allow(clippy::unwrap_used, reason = "a test fails where something cannot be set up")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use enarx_compiler::{CacheError, Compiled, Compiler};
use enarx_runtime::engine::EngineSpec;

const ONE: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;
const TWO: &str = r#"(module (memory (export "memory") 2) (func (export "_start")))"#;

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn cache(&self) -> PathBuf {
        self.directory.path().join("cache")
    }

    fn key(&self) -> PathBuf {
        self.directory.path().join("keys/cache.key")
    }

    fn compiler(&self) -> Compiler {
        Compiler::new(Some(self.cache())).key_file(self.key())
    }

    fn compile(&self, program: &str) -> Compiled {
        compile(&self.compiler(), program)
    }

    /// The entries, oldest first.
    fn entries(&self) -> Vec<PathBuf> {
        let mut entries: Vec<_> =
            fs::read_dir(self.cache()).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
        entries
    }

    fn entry(&self) -> PathBuf {
        let [entry] = self.entries().try_into().unwrap();
        entry
    }
}

fn compile(compiler: &Compiler, program: &str) -> Compiled {
    let compiled = compiler.compile(program.as_bytes(), &EngineSpec::pulley(), &mut |_| ()).unwrap();
    assert!(compiled.warning.is_none(), "{:?}", compiled.warning);
    compiled
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The entry was changed: it is compiled again, gives what it gave, and is right from then on.
fn assert_recompiled(place: &Place, program: &str, code: &[u8]) {
    let again = place.compile(program);
    assert!(!again.cached, "a changed entry was used");
    assert_eq!(again.code, code);
    let then = place.compile(program);
    assert!(then.cached);
    assert_eq!(then.code, code);
}

#[test]
fn a_second_compilation_is_a_cache_hit() {
    let place = Place::new();
    let first = place.compile(ONE);
    let second = place.compile(ONE);
    assert!(!first.cached && second.cached);
    assert_eq!((first.kind, first.code), (second.kind, second.code));
}

#[test]
fn everything_is_for_this_user_alone() {
    let place = Place::new();
    place.compile(ONE);
    assert_eq!(mode(&place.cache()), 0o700);
    assert_eq!(mode(place.key().parent().unwrap()), 0o700);
    assert_eq!(mode(&place.key()), 0o600);
    assert_eq!(mode(&place.entry()), 0o600);
}

#[test]
fn any_flipped_bit_is_found() {
    let place = Place::new();
    let code = place.compile(ONE).code;
    let entry = place.entry();
    let bytes = fs::read(&entry).unwrap();
    for position in [0, 1, code.len() / 2, code.len() - 1, code.len(), code.len() + 1, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[position] ^= 1;
        fs::write(&entry, changed).unwrap();
        assert_recompiled(&place, ONE, &code);
    }
}

#[test]
fn a_truncated_extended_or_empty_entry_is_found() {
    let place = Place::new();
    let code = place.compile(ONE).code;
    let entry = place.entry();
    let bytes = fs::read(&entry).unwrap();
    for length in [0, 1, 32, 33, bytes.len() - 1] {
        fs::write(&entry, &bytes[..length]).unwrap();
        assert_recompiled(&place, ONE, &code);
    }
    fs::write(&entry, [&bytes[..], b"x"].concat()).unwrap();
    assert_recompiled(&place, ONE, &code);
}

#[test]
fn swapped_entries_are_found() {
    let place = Place::new();
    let one = place.compile(ONE).code;
    let entry_one = place.entry();
    let two = place.compile(TWO).code;
    let entry_two = place.entries().into_iter().find(|entry| *entry != entry_one).unwrap();
    let aside = place.directory.path().join("aside");
    fs::rename(&entry_one, &aside).unwrap();
    fs::rename(&entry_two, &entry_one).unwrap();
    fs::rename(&aside, &entry_two).unwrap();
    assert_recompiled(&place, ONE, &one);
    assert_recompiled(&place, TWO, &two);
}

#[test]
fn an_entry_from_another_key_is_found() {
    let (mine, theirs) = (Place::new(), Place::new());
    let code = mine.compile(ONE).code;
    theirs.compile(ONE);
    assert_ne!(fs::read(mine.key()).unwrap(), fs::read(theirs.key()).unwrap());
    fs::copy(theirs.entry(), mine.entry()).unwrap();
    assert_recompiled(&mine, ONE, &code);
}

#[test]
fn an_entry_for_another_engine_is_found() {
    let place = Place::new();
    let pulley = place.compile(ONE).code;
    let entry = place.entry();
    let native = EngineSpec::of_this_machine();
    place.compiler().compile(ONE.as_bytes(), &native, &mut |_| ()).unwrap();
    let other = place.entries().into_iter().find(|other| *other != entry).unwrap();
    fs::rename(other, entry).unwrap();
    assert_recompiled(&place, ONE, &pulley);
}

#[test]
fn an_entry_that_is_a_link_is_not_followed() {
    let place = Place::new();
    let code = place.compile(ONE).code;
    let moved = place.directory.path().join("moved");
    fs::rename(place.entry(), &moved).unwrap();
    let name = place.cache().join(entry_name(ONE));
    symlink(&moved, &name).unwrap();
    assert_recompiled(&place, ONE, &code);
    assert!(!fs::symlink_metadata(&name).unwrap().is_symlink());
}

fn entry_name(program: &str) -> String {
    let place = Place::new();
    place.compile(program);
    place.entry().file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_directory_that_others_can_write_is_not_used() {
    let place = Place::new();
    place.compile(ONE);
    fs::set_permissions(place.cache(), fs::Permissions::from_mode(0o770)).unwrap();
    let compiled = place.compiler().compile(ONE.as_bytes(), &EngineSpec::pulley(), &mut |_| ()).unwrap();
    assert!(!compiled.cached);
    let warning = compiled.warning.unwrap();
    assert!(
        matches!(warning, CacheError::NotPrivate { path, why: "is open to other users" } if path == place.cache())
    );
}

#[test]
fn a_directory_of_another_user_is_not_used() {
    // Every system has a directory of root, and root can give one away.
    let place = Place::new();
    let directory = if rustix::process::geteuid().is_root() {
        fs::create_dir(place.cache()).unwrap();
        std::os::unix::fs::chown(place.cache(), Some(12_345), None).unwrap();
        place.cache()
    } else {
        PathBuf::from("/usr")
    };
    let compiler = Compiler::new(Some(directory)).key_file(place.key());
    let warning =
        compiler.compile(ONE.as_bytes(), &EngineSpec::pulley(), &mut |_| ()).unwrap().warning.unwrap();
    assert!(matches!(warning, CacheError::NotPrivate { why: "belongs to another user", .. }), "{warning}");
}

#[test]
fn a_key_that_others_can_read_is_not_used() {
    let place = Place::new();
    place.compile(ONE);
    fs::set_permissions(place.key(), fs::Permissions::from_mode(0o640)).unwrap();
    let compiled = place.compiler().compile(ONE.as_bytes(), &EngineSpec::pulley(), &mut |_| ()).unwrap();
    assert!(!compiled.cached);
    assert!(matches!(compiled.warning.unwrap(), CacheError::NotPrivate { path, .. } if path == place.key()));
}

#[test]
fn a_damaged_key_is_not_replaced_behind_the_users_back() {
    let place = Place::new();
    place.compile(ONE);
    for damaged in [&b"short"[..], &[7; 65]] {
        fs::write(place.key(), damaged).unwrap();
        let compiled = place.compiler().compile(ONE.as_bytes(), &EngineSpec::pulley(), &mut |_| ()).unwrap();
        assert!(!compiled.cached);
        assert!(matches!(compiled.warning.unwrap(), CacheError::Key { path, .. } if path == place.key()));
        assert_eq!(fs::read(place.key()).unwrap(), damaged);
    }
}

#[test]
fn a_cache_that_cannot_be_made_is_a_warning() {
    let place = Place::new();
    fs::write(place.cache(), "a file").unwrap();
    let compiled = place.compiler().compile(ONE.as_bytes(), &EngineSpec::pulley(), &mut |_| ()).unwrap();
    assert!(matches!(compiled.warning.unwrap(), CacheError::Directory { path, .. } if path == place.cache()));
}

/// A limit on the size of files stands for a full disk: the write fails in the middle. The limit is for a whole
/// process, so this test runs itself again in one of its own.
#[test]
fn a_full_disk_is_a_warning_and_leaves_nothing_behind() {
    const PLACE: &str = "ENARX_TEST_FULL_DISK";
    if let Some(directory) = std::env::var_os(PLACE) {
        let cache = Path::new(&directory).join("cache");
        let compiler = Compiler::new(Some(cache.clone()));
        let compiled = compiler.compile(ONE.as_bytes(), &EngineSpec::pulley(), &mut |_| ()).unwrap();
        assert!(!compiled.code.is_empty());
        assert!(matches!(compiled.warning.unwrap(), CacheError::Store { path, .. } if path == cache));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // The key still fits into one block of 512 bytes.
    let status = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" --exact \"$1\" --test-threads 1"])
        .arg(std::env::current_exe().unwrap())
        .arg("a_full_disk_is_a_warning_and_leaves_nothing_behind")
        .env(PLACE, directory.path())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let left: Vec<_> =
        fs::read_dir(directory.path().join("cache")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["cache.key"]);
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let place = Place::new();
    let bytes = {
        place.compile(ONE);
        fs::metadata(place.entry()).unwrap().len()
    };
    let one = place.entry();
    place.compile(TWO);
    let two = place.entries().into_iter().find(|entry| *entry != one).unwrap();
    let foreign = place.cache().join("notes.txt");
    fs::write(&foreign, vec![0; 1 << 20]).unwrap();
    let abandoned = place.cache().join(".unfinished-0123456789abcdef");
    fs::write(&abandoned, "x").unwrap();
    let long_ago = SystemTime::now() - Duration::from_hours(24);
    for path in [&one, &two, &abandoned] {
        fs::File::open(path).unwrap().set_modified(long_ago).unwrap();
    }
    // Used now, so the other one is the oldest.
    assert!(place.compile(ONE).cached);
    let compiler = place.compiler().cache_limit(2 * bytes + bytes / 2);
    compile(&compiler, r#"(module (memory (export "memory") 3) (func (export "_start")))"#);
    assert!(one.exists() && !two.exists() && foreign.exists() && !abandoned.exists());
}

#[test]
fn a_result_larger_than_the_cache_is_a_warning() {
    let place = Place::new();
    let compiler = place.compiler().cache_limit(10);
    let compiled = compiler.compile(ONE.as_bytes(), &EngineSpec::pulley(), &mut |_| ()).unwrap();
    assert!(matches!(compiled.warning.unwrap(), CacheError::OverLimit { limit: 10, .. }));
    assert!(place.entries().is_empty());
}

#[test]
fn processes_that_start_at_once_agree_on_one_key() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| place.compile(ONE));
        }
    });
    assert!(place.compile(ONE).cached);
    let keys: Vec<_> = fs::read_dir(place.key().parent().unwrap()).unwrap().collect();
    assert_eq!(keys.len(), 1);
}
