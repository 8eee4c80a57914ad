// SPDX-License-Identifier: Apache-2.0

//! Inputs that cannot be used: exit code 2, one line that says what and where, a hint where there is something to do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

use std::fs::File;

use enarx_tests::{LOCAL_SIMULATOR, Tenant, code, example, finish, stderr, stdout};

#[track_caller]
fn unusable(command: &mut std::process::Command, messages: &[&str]) {
    let output = finish(command, b"");
    let told = stderr(&output);
    assert_eq!(code(&output), 2, "{told}");
    assert_eq!(stdout(&output), "");
    for message in messages {
        assert!(told.contains(message), "`{message}` is missing in:\n{told}");
    }
    assert!(!told.contains("panicked"), "{told}");
    assert_eq!(told.matches("error: ").count(), 1, "{told}");
}

#[test]
fn a_host_whose_port_is_no_port_is_not_looked_for_elsewhere() {
    let tenant = Tenant::new();
    for (url, why) in [
        ("http://127.0.0.1:", "its port must be a number from 1 to 65535"),
        ("http://127.0.0.1:99999", "its port must be a number from 1 to 65535"),
        ("http://127.0.0.1:0", "its port must be a number from 1 to 65535"),
        ("http://somebody:secret@127.0.0.1:7070", "it must have no user and no password"),
    ] {
        let output = finish(tenant.enarx().args(["deploy", "examples/hello", "--to", url]), b"");
        assert_eq!(code(&output), 2, "{}", stderr(&output));
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
}

#[test]
fn nobody_reading_what_is_told_changes_nothing() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Tenant::new().run("examples/hello").stderr(full.try_clone().unwrap()).output().unwrap();
    assert_eq!((code(&output), stdout(&output).as_str()), (0, "Hello, from inside a Keep!\n"));
    let output = Tenant::new().enarx().args(["run", "no-such-program"]).stderr(full).output().unwrap();
    assert_eq!(code(&output), 2);
}

#[test]
fn a_file_that_is_not_webassembly() {
    let tenant = Tenant::new();
    let path = tenant.file("picture.wasm", b"\x89PNG\r\n\x1a\n and so on");
    unusable(&mut tenant.run(path), &["picture.wasm", "not a WebAssembly program"]);
}

#[test]
fn a_program_that_is_no_file_is_not_waited_for() {
    let tenant = Tenant::new();
    let pipe = tenant.path("pipe.wasm");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [pipe, "/dev/zero".into(), "/dev/null".into()] {
        unusable(&mut tenant.run(path), &["is not a regular file", "hint: "]);
    }
}

#[test]
fn a_place_for_changed_files_is_tried_before_anything_runs() {
    let tenant = Tenant::new();
    let file = tenant.file("taken", "mine");
    for (out, why) in [
        (file.clone(), "it is not a folder"),
        (file.join("below"), "it is not a folder"),
        ("/proc/out".into(), "/proc/out"),
        ("/proc".into(), "cannot be written into /proc"),
    ] {
        let mut command = tenant.run(example("spin"));
        unusable(command.arg("--out").arg(out), &["changed files cannot be written into ", why, "hint: "]);
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), "mine");
}

#[test]
fn an_owner_key_that_others_may_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt;

    let tenant = Tenant::new();
    let key = tenant.file("state/owner.key", "00".repeat(32));
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o777)).unwrap();
    let hint = format!("hint: `chmod 600 {}`", key.display());
    unusable(&mut tenant.run("examples/hello"), &["owner.key", "its mode is 0777", &hint]);
    unusable(tenant.enarx().args(["keep", "ls"]), &["owner.key", &hint]);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(code(&finish(tenant.enarx().args(["keep", "ls"]), b"")), 0);
}

#[test]
fn a_standard_input_that_breaks_is_not_one_that_ends() {
    let tenant = Tenant::new();
    let mut command = tenant.run(example("cat"));
    // A directory can be opened and not be read.
    let output = command.arg("-q").stdin(File::open("/").unwrap()).output().unwrap();
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    assert!(stderr(&output).contains("could not read standard input: Is a directory"), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
}

#[test]
fn a_keep_program_that_is_none_is_found_before_a_tenant_asks() {
    let tenant = Tenant::new();
    let mut command = tenant.enarx();
    command.args(["host", "serve", "--listen", "127.0.0.1:0", "--keep-program", "/bin/true"]);
    let output = finish(&mut command, b"");
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    let told = stderr(&output);
    assert!(told.contains("error: no Keep can be made with /bin/true: "), "{told}");
    assert!(told.contains("hint: is the Keep program of the host the `enarx-keep`"), "{told}");
    let output = finish(tenant.run("examples/hello").args(["--keep-program", "/bin/true"]), b"");
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert!(stderr(&output).contains("hint: is the Keep program"), "{}", stderr(&output));
}

#[test]
fn a_truncated_program() {
    let tenant = Tenant::new();
    let bytes = std::fs::read(example("cat")).unwrap();
    let path = tenant.file("half.wasm", &bytes[..bytes.len() / 2]);
    unusable(&mut tenant.run(path), &["half.wasm"]);
}

#[test]
fn a_gibibyte_of_zeros() {
    let tenant = Tenant::new();
    let path = tenant.path("zeros.wasm");
    File::create(&path).unwrap().set_len(1 << 30).unwrap();
    unusable(&mut tenant.run(path), &["zeros.wasm", "not a WebAssembly program"]);
}

#[test]
fn a_component_with_imports_that_no_keep_has_names_them_all() {
    let tenant = Tenant::new();
    let path = tenant.file(
        "odd.wat",
        r#"(component
             (import "acme:printer/spool@1.0.0" (instance))
             (import "wasi:sockets/tcp@0.2.0" (instance))
             (import "wasi:cli/environment@0.2.0" (instance)))"#,
    );
    unusable(&mut tenant.run(path), &["acme:printer/spool@1.0.0", "wasi:sockets/tcp@0.2.0"]);
}

#[test]
fn a_program_of_other_types_than_a_command_is_not_sent() {
    let tenant = Tenant::new();
    let import = tenant.file(
        "import.wat",
        r#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32))) (func (export "_start")))"#,
    );
    unusable(&mut tenant.run(import), &["import.wat: ", "in another form", "fd_write", "hint: "]);
    let start = tenant.file("start.wat", r#"(module (func (export "_start") (param i32)))"#);
    unusable(&mut tenant.run(start), &["start.wat: the program cannot be started", "hint: "]);
}

#[test]
fn a_manifest_with_a_wrong_type_says_line_and_column() {
    let tenant = Tenant::new();
    tenant.file("app/Enarx.toml", "program = \"app.wasm\"\nargs = \"one\"\n");
    tenant.file("app/app.wasm", b"\0asm\x01\0\0\0");
    unusable(&mut tenant.run(tenant.path("app")), &["Enarx.toml:2:8", "args"]);
}

#[test]
fn a_manifest_with_an_unknown_key_suggests_the_right_one() {
    let tenant = Tenant::new();
    tenant.file("app/Enarx.toml", "program = \"app.wasm\"\narg = [\"one\"]\n");
    unusable(&mut tenant.run(tenant.path("app")), &["Enarx.toml:2:1", "`arg`", "`args`"]);
}

#[test]
fn a_policy_that_contradicts_itself_says_where() {
    let tenant = Tenant::new();
    let policy = std::fs::read_to_string(enarx_tests::root().join(LOCAL_SIMULATOR)).unwrap()
        + "\n[[deny]]\nid = \"all-amd\"\nvendor = \"amd\"\n";
    let policy = tenant.file("policy.toml", policy);
    let mut command = tenant.enarx();
    command.arg("run").arg("--policy").arg(&policy).arg(example("cat"));
    unusable(&mut command, &["policy.toml:", "all-amd"]);
}

#[test]
fn a_simulated_root_that_nobody_knows_is_told_before_a_keep_is_refused_for_it() {
    let tenant = Tenant::new();
    let policy = std::fs::read_to_string(enarx_tests::root().join(LOCAL_SIMULATOR)).unwrap();
    let policy = tenant.file("policy.toml", policy.replace("\"local\"", "\"loacl\""));
    let mut command = tenant.enarx();
    command.arg("run").arg("--policy").arg(&policy).arg(example("cat"));
    unusable(&mut command, &["accepts the simulated root `loacl`", "`local`", "hint: "]);
}

#[test]
fn a_workload_that_is_not_there() {
    let tenant = Tenant::new();
    unusable(&mut tenant.run(tenant.path("nothing.wasm")), &["nothing.wasm"]);
}

#[test]
fn a_folder_without_a_manifest_says_how_to_make_one() {
    let tenant = Tenant::new();
    let folder = tenant.path("empty");
    std::fs::create_dir(&folder).unwrap();
    unusable(&mut tenant.run(folder), &["Enarx.toml", "hint: ", "enarx init"]);
}

#[test]
fn a_misspelt_table_of_a_manifest_gets_a_suggestion() {
    let tenant = Tenant::new();
    tenant.file("app/Enarx.toml", "program = \"app.wasm\"\n[evn]\nA = \"b\"\n");
    unusable(&mut tenant.run(tenant.path("app")), &["unknown key `evn`", "hint: did you mean `env`?"]);
}

#[test]
fn a_name_that_no_keep_can_have_is_told() {
    use std::os::unix::ffi::OsStrExt;

    let tenant = Tenant::new();
    for (name, told) in [
        (&b"a\nb"[..], "data/a\\nb` into the Keep: a path inside the Keep has no control characters"),
        (b"a\xff", "data/a\u{fffd}` into the Keep: its name is not UTF-8"),
    ] {
        let folder = tenant.path("data");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(std::ffi::OsStr::from_bytes(name));
        std::fs::write(&file, "").unwrap();
        let mut command = tenant.run(example("cat"));
        unusable(command.arg("--dir").arg(format!("{}::/data", folder.display())), &[told, "hint: "]);
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn a_manifest_stands_for_its_folder() {
    let output = finish(Tenant::new().run("examples/hello/Enarx.toml").arg("-q"), b"");
    assert_eq!((code(&output), stdout(&output).as_str()), (0, "Hello, from inside a Keep!\n"));
}

#[test]
fn wrong_usage_is_json_where_that_was_asked_for() {
    let tenant = Tenant::new();
    let output = finish(tenant.enarx().args(["--format", "json", "run", "--oops"]), b"");
    let event: serde_json::Value = serde_json::from_str(&stderr(&output)).expect("one line of JSON");
    assert_eq!((code(&output), &event["event"], &event["exit_code"]), (2, &"error".into(), &2.into()));
    assert_eq!(event["message"], "unexpected argument '--oops' found");
    let folder = tenant.path("new");
    let output = finish(tenant.enarx().args(["init", "--format", "json"]).arg(&folder), b"");
    let event: serde_json::Value = serde_json::from_str(&stderr(&output)).expect("one line of JSON");
    assert_eq!((code(&output), &event["step"]), (0, &"wrote".into()));
    let output = finish(tenant.enarx().args(["policy", "check", LOCAL_SIMULATOR, "--format", "json"]), b"");
    let event: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("one line of JSON");
    assert_eq!((code(&output), &event["valid"]), (0, &true.into()));
}

#[test]
fn a_workload_that_wants_sockets_without_tls_is_refused_before_anything_is_sent() {
    let tenant = Tenant::new();
    tenant.file(
        "app/Enarx.toml",
        "program = \"app.wat\"\n[[files]]\nkind = \"listen\"\nname = \"web\"\nprot = \"tcp\"\nport = 1\n",
    );
    tenant.file("app/app.wat", "(module (memory (export \"memory\") 1) (func (export \"_start\")))");
    unusable(&mut tenant.run(tenant.path("app")), &["network"]);
}

#[test]
fn a_cache_that_cannot_be_written_is_a_warning() {
    let tenant = Tenant::new();
    // A file where the folder should be: cannot be written whoever we are, root included, as on a full disk.
    let blocked = tenant.file("blocked", b"");
    let output = finish(tenant.run(example("cat")).env("ENARX_CACHE_DIR", blocked.join("cache")), b"in");
    assert_eq!((code(&output), stdout(&output).as_str()), (0, "in"), "{}", stderr(&output));
    assert!(stderr(&output).contains("warning: "), "{}", stderr(&output));
}

#[test]
fn a_full_disk_for_the_cache_is_a_warning() {
    let tenant = Tenant::new();
    let folder = tenant.path("small");
    std::fs::create_dir(&folder).unwrap();
    // A mount namespace of its own with a file system that is too small for any compiled program.
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c"]);
    command.arg("mount -t tmpfs -o size=16k none \"$1\" && shift && exec \"$@\"").arg("sh").arg(&folder);
    let run = tenant.run(example("cat"));
    command.arg(run.get_program()).args(run.get_args()).current_dir(enarx_tests::root());
    command.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("ENARX_CACHE_DIR", folder.join("cache"));
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let output = finish(&mut command, b"in");
    assert_eq!((code(&output), stdout(&output).as_str()), (0, "in"), "{}", stderr(&output));
    assert!(stderr(&output).contains("warning: "), "{}", stderr(&output));
}

#[test]
fn limits_end_the_workload_with_their_name() {
    let tenant = Tenant::new();
    let program = example("spin").display().to_string();
    tenant.file("app/Enarx.toml", format!("program = {program:?}\n[limits]\ntime = \"300ms\"\n"));
    let output = finish(&mut tenant.run(tenant.path("app")), b"");
    assert_eq!(code(&output), 137, "{}", stderr(&output));
    assert!(stderr(&output).contains("error: the workload ran into its time limit: "), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("\nhint: raise `time` under [limits] of Enarx.toml\n"),
        "{}",
        stderr(&output)
    );
}
