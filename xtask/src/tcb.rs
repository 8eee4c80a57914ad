// SPDX-License-Identifier: Apache-2.0

//! How much code has to be trusted, and how much of it is unsafe.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::lint::{has_unsafe, sources};

/// The folders of `tcb/` with what they are, and the hypervisor, which is not trusted and may hold unsafe code too.
const FOLDERS: &[(&str, &str)] = &[
    ("tcb/evidence/src", "evidence formats"),
    ("tcb/verifier/src", "verifier"),
    ("tcb/package/src", "workload packages"),
    ("tcb/measure/src", "measurements of images"),
    ("tcb/session/src", "attested session"),
    ("tcb/runtime/src", "WASI and engine"),
    ("tcb/keep/src", "life of a Keep"),
    ("tcb/shim/src/machine", "micro-VM Keep: decisions"),
    ("tcb/shim/src/snp", "micro-VM Keep: decisions as guest of SEV-SNP"),
    ("tcb/shim/image/src", "micro-VM Keep: the machine"),
    ("tcb/shim/src/process", "process Keep"),
    ("tcb/shim/src/code.rs", "loading of compiled code"),
    ("host/vmm/src", "hypervisor (not trusted)"),
];

#[derive(Default)]
struct Count {
    lines: usize,
    unsafe_uses: usize,
}

/// Prints lines of code (without blank lines, comments and tests) and uses of the keyword `unsafe`, by folder.
pub(crate) fn print(root: &Path) -> Result<()> {
    let files = sources(root)?;
    let mut trusted = Count::default();
    eprintln!("{:>8} {:>7}  folder", "lines", "unsafe");
    for (folder, what) in FOLDERS {
        let mut count = Count::default();
        for file in files.iter().filter(|file| file.starts_with(root.join(folder))) {
            let text =
                fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))?;
            add(&mut count, &text, "//");
        }
        for file in assembly(&root.join(folder))? {
            add(&mut count, &file, "/*");
        }
        eprintln!("{:>8} {:>7}  {folder}: {what}", count.lines, count.unsafe_uses);
        if folder.starts_with("tcb/") {
            trusted.lines += count.lines;
            trusted.unsafe_uses += count.unsafe_uses;
        }
    }
    eprintln!("{:>8} {:>7}  tcb/ in all", trusted.lines, trusted.unsafe_uses);
    Ok(())
}

/// Tests stand last in a file.
fn add(count: &mut Count, text: &str, comment: &str) {
    let code = text.lines().take_while(|line| *line != "#[cfg(test)]");
    for line in code.filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with(comment)) {
        count.lines += 1;
        count.unsafe_uses += usize::from(has_unsafe(line));
    }
}

/// The assembly in a folder.
fn assembly(folder: &Path) -> Result<Vec<String>> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    let assembly =
        paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "s"));
    assembly.map(|path| Ok(fs::read_to_string(path)?)).collect()
}
