// SPDX-License-Identifier: Apache-2.0

//! Each layer that the Keep reports is looked at from outside, on the real program.
//!
//! Layers that this machine does not offer are named and skipped; on a machine that offers all, nothing is.
#![cfg(feature = "process")]

mod host;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;

use host::{Host, LAUNCH, status_line};
use rustix::process::geteuid;

const LAYERS: [&str; 20] = [
    "host-watched",
    "unprivileged-user",
    "user-namespace",
    "mount-namespace",
    "pid-namespace",
    "network-namespace",
    "ipc-namespace",
    "uts-namespace",
    "cgroup-namespace",
    "no-new-privileges",
    "closed-descriptors",
    "empty-root",
    "resource-limits",
    "no-capabilities",
    "not-dumpable",
    "killed-with-first-process",
    "empty-environment",
    "landlock",
    "no-more-threads",
    "seccomp",
];

/// A Keep that says that this layer holds; none, loudly, where it says that it does not.
fn keep_with(layer: &str) -> Option<(Host, u32)> {
    let (host, report) = Host::launch(LAUNCH);
    let layer = report.layers.iter().find(|known| known.name == layer).expect("the layer is listed");
    if !layer.active {
        eprintln!("SKIPPED: this machine does not offer `{}`: {}", layer.name, layer.detail);
        return None;
    }
    let inside = host.inside();
    Some((host, inside))
}

/// Only the host's root may look further into a process that is not dumpable.
fn is_root() -> bool {
    geteuid().is_root()
}

#[test]
fn every_layer_is_listed_in_order() {
    let (_host, report) = Host::launch(LAUNCH);
    let names: Vec<_> = report.layers.iter().map(|layer| &*layer.name).collect();
    assert_eq!(names, LAYERS);
    for layer in report.missing() {
        eprintln!("not on this machine: {}: {}", layer.name, layer.detail);
    }
}

#[test]
fn the_namespaces_are_its_own() {
    for (layer, name) in [
        ("user-namespace", "user"),
        ("mount-namespace", "mnt"),
        ("pid-namespace", "pid"),
        ("network-namespace", "net"),
        ("ipc-namespace", "ipc"),
        ("uts-namespace", "uts"),
        ("cgroup-namespace", "cgroup"),
    ] {
        let Some((_host, inside)) = keep_with(layer) else { continue };
        let theirs = fs::read_link(format!("/proc/{inside}/ns/{name}"));
        if is_root() {
            assert_ne!(theirs.unwrap(), fs::read_link(format!("/proc/self/ns/{name}")).unwrap(), "{name}");
        } else {
            assert_eq!(theirs.unwrap_err().kind(), ErrorKind::PermissionDenied, "{name}");
        }
    }
}

#[test]
fn it_is_the_first_process_of_its_namespace() {
    let Some((_host, inside)) = keep_with("pid-namespace") else { return };
    assert_eq!(status_line(inside, "NSpid").split_whitespace().last(), Some("1"));
}

#[test]
fn it_is_nobody_without_capabilities_and_gets_none() {
    let Some((_host, inside)) = keep_with("no-capabilities") else { return };
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(status_line(inside, set), "0000000000000000", "{set}");
    }
    assert_eq!(status_line(inside, "NoNewPrivs"), "1");
    // Seen from this machine: not root, whoever started it.
    let user = status_line(inside, "Uid");
    assert!(user.split_whitespace().all(|id| id != "0"), "{user}");
    assert_eq!(
        status_line(inside, "Groups"),
        if is_root() { String::new() } else { status_line(std::process::id(), "Groups") }
    );
}

#[test]
fn only_allowed_system_calls_are_left() {
    let Some((_host, inside)) = keep_with("seccomp") else { return };
    let (mode, own) = (status_line(inside, "Seccomp"), status_line(std::process::id(), "Seccomp_filters"));
    assert_eq!(mode, "2");
    let own: u32 = own.parse().unwrap();
    assert_eq!(status_line(inside, "Seccomp_filters"), (own + 1).to_string());
    // The other thread is restricted too.
    for thread in fs::read_dir(format!("/proc/{inside}/task")).unwrap() {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        assert!(status.contains("Seccomp:\t2"), "{status}");
    }
}

#[test]
fn its_memory_is_nobody_elses() {
    let Some((_host, inside)) = keep_with("not-dumpable") else { return };
    // Linux gives the files of a process that is not dumpable to root, whoever runs it.
    let owner = fs::metadata(format!("/proc/{inside}/mem")).unwrap().uid();
    assert_eq!(owner, 0);
    assert_ne!(status_line(inside, "Uid").split_whitespace().next(), Some("0"));
}

#[test]
fn it_has_the_host_stream_the_life_line_and_standard_error() {
    let Some((_host, inside)) = keep_with("closed-descriptors") else { return };
    let open = fs::read_dir(format!("/proc/{inside}/fd"));
    if !is_root() {
        assert_eq!(open.unwrap_err().kind(), ErrorKind::PermissionDenied);
        return;
    }
    let mut open: Vec<_> =
        open.unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    open.sort();
    assert_eq!(open, ["0", "1", "2"]);
    let target = |number: &str| {
        let target = fs::read_link(format!("/proc/{inside}/fd/{number}")).unwrap();
        target.to_str().unwrap().split(':').next().unwrap().to_owned()
    };
    assert_eq!([target("0"), target("1")], ["socket", "pipe"]);
}

#[test]
fn it_sees_an_empty_root() {
    let Some((_host, inside)) = keep_with("empty-root") else { return };
    let mounts = fs::read_to_string(format!("/proc/{inside}/mounts"));
    if !is_root() {
        assert_eq!(mounts.unwrap_err().kind(), ErrorKind::PermissionDenied);
        return;
    }
    let mounts = mounts.unwrap();
    let line = mounts.lines().collect::<Vec<_>>();
    assert_eq!(line.len(), 1, "{mounts}");
    assert!(line[0].starts_with("keep / tmpfs ro,nosuid,nodev,noexec"), "{mounts}");
    assert_eq!(fs::read_dir(format!("/proc/{inside}/root")).unwrap().count(), 0);
}

#[test]
fn its_resources_are_limited() {
    let Some((_host, inside)) = keep_with("resource-limits") else { return };
    let limits = fs::read_to_string(format!("/proc/{inside}/limits")).unwrap();
    let limit = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let mut words = line.split_whitespace();
        (words.next().unwrap().to_owned(), words.next().unwrap().to_owned())
    };
    for (name, expected) in [
        ("Max open files", "256"),
        ("Max core file size", "0"),
        ("Max file size", "0"),
        ("Max processes", "0"),
        ("Max locked memory", "0"),
        ("Max msgqueue size", "0"),
        ("Max address space", "4398046511104"),
    ] {
        assert_eq!(limit(name), (expected.into(), expected.into()), "{name}");
    }
}

#[test]
fn it_has_two_threads_and_no_environment() {
    let Some((_host, inside)) = keep_with("empty-environment") else { return };
    assert_eq!(status_line(inside, "Threads"), "2");
    let environment = fs::read(format!("/proc/{inside}/environ"));
    if is_root() {
        assert_eq!(environment.unwrap(), b"");
    } else {
        assert_eq!(environment.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
}

#[test]
fn what_the_host_left_open_or_set_does_not_come_along() {
    use std::os::fd::AsRawFd;
    use std::process::Stdio;

    let file = fs::File::open("/proc/self/status").unwrap();
    // Inherited by everything that this process starts, as by a careless host.
    let secret = rustix::io::fcntl_dupfd_cloexec(&file, 500).unwrap();
    rustix::io::fcntl_setfd(&secret, rustix::io::FdFlags::empty()).unwrap();
    let host = Host::start_with(|command| {
        command.env("SECRET", "of the host").stderr(Stdio::null());
    });
    host.send(&enarx_keep::wire::ToKeep::Launch(LAUNCH.into()).encode(), &[]);
    let report = host.sandbox();
    for name in ["closed-descriptors", "empty-environment"] {
        assert!(report.layers.iter().any(|layer| layer.name == name && layer.active), "{name}");
    }
    let inside = host.inside();
    let open = fs::read_dir(format!("/proc/{inside}/fd"));
    if is_root() {
        assert_eq!(open.unwrap().count(), 3);
        assert_eq!(fs::read(format!("/proc/{inside}/environ")).unwrap(), b"");
        let number = secret.as_raw_fd();
        assert!(!fs::exists(format!("/proc/{}/fd/{number}", host.keep.id())).unwrap());
    } else {
        assert_eq!(open.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
}
