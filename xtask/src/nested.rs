// SPDX-License-Identifier: Apache-2.0

//! A Linux with a working KVM on machines that have none: Debian's cloud kernel under QEMU, which emulates a processor with
//! SVM. Slow, but every instruction and every exit is as on hardware.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

const QEMU: &str = "qemu-system-x86_64";
const BUSYBOX: &str = "/bin/busybox";
/// In the order in which they need each other, below a kernel's modules.
const MODULES: [&str; 3] =
    ["kernel/virt/lib/irqbypass.ko", "kernel/arch/x86/kvm/kvm.ko", "kernel/arch/x86/kvm/kvm-amd.ko"];
/// With what the inner Linux says how the program ended.
const ENDED: &str = "nested: the program ended with ";

/// Runs `program` with `arguments` in the inner Linux, which has `files` at the same places, and takes on its end.
pub(crate) fn run(program: &Path, arguments: &[String], files: &[PathBuf], limit: Duration) -> Result<()> {
    let (kernel, modules) = kernel()?;
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("root");
    for folder in ["bin", "dev", "proc", "sys", "tmp", "modules", "new"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::copy(BUSYBOX, root.join("bin/busybox")).context("there is no busybox (Debian: busybox-static)")?;
    symlink("busybox", root.join("bin/sh"))?;
    for module in MODULES {
        unpack(&modules.join(module), &root.join("modules"))?;
    }
    let program = fs::canonicalize(program).with_context(|| format!("no program `{}`", program.display()))?;
    bring(&program, &root)?;
    for file in files {
        bring(&fs::canonicalize(file).with_context(|| format!("no file `{}`", file.display()))?, &root)?;
    }
    script(&root.join("init"), FIRST)?;
    script(&root.join("second"), &second(&program, arguments))?;
    let archive = folder.path().join("initramfs");
    pack(&root, &archive)?;
    let status = boot(&kernel, &archive, limit)?;
    ensure!(status == 0, "the program ended with {status} in the inner Linux");
    Ok(())
}

/// A Linux that boots as fast as it can, says a word and has nothing else to do.
pub(crate) struct Tiny {
    folder: TempDir,
}

impl Tiny {
    /// Makes its kernel and its first file system.
    pub(crate) fn new() -> Result<Self> {
        let (kernel, _) = kernel()?;
        let folder = tempfile::tempdir()?;
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("bin"))?;
        fs::create_dir_all(root.join("dev"))?;
        fs::copy(BUSYBOX, root.join("bin/busybox"))
            .context("there is no busybox (Debian: busybox-static)")?;
        symlink("busybox", root.join("bin/sh"))?;
        script(&root.join("init"), "echo ready\nexec /bin/busybox sleep 60\n")?;
        pack(&root, &folder.path().join("initramfs"))?;
        fs::write(folder.path().join("kernel"), without_its_wrapping(&fs::read(kernel)?)?)?;
        Ok(Self { folder })
    }

    /// What starts it; the first thing on its standard output is the word.
    pub(crate) fn command(&self) -> Command {
        let mut qemu = Command::new(QEMU);
        qemu.args(["-accel", "tcg", "-cpu", "max", "-M", "microvm,rtc=on", "-m", "256"])
            .args(["-nodefaults", "-no-reboot", "-display", "none", "-monitor", "none", "-serial", "stdio"])
            .args(["-append", "console=ttyS0 quiet loglevel=0 panic=-1 tsc_early_khz=2300000"])
            .arg("-kernel")
            .arg(self.folder.path().join("kernel"))
            .arg("-initrd")
            .arg(self.folder.path().join("initramfs"));
        qemu
    }
}

/// The ELF file in a kernel that unpacks itself (Linux, `Documentation/arch/x86/boot.rst`): a hypervisor that is in a hurry
/// starts that.
fn without_its_wrapping(kernel: &[u8]) -> Result<Vec<u8>> {
    let word = |at: usize| -> Result<usize> {
        let bytes = kernel.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).context("no kernel")?;
        Ok(u32::from_le_bytes(bytes).try_into()?)
    };
    let sectors = usize::from(*kernel.get(0x1f1).context("no kernel")?);
    let start = (sectors + 1) * 512 + word(0x248)?;
    let packed = kernel.get(start..start + word(0x24c)?).context("a kernel that is cut off")?;
    ensure!(packed.starts_with(b"\xfd7zXZ\0"), "the kernel is not packed by xz");
    let mut unpacker = Command::new("xz")
        .args(["--decompress", "--stdout", "--single-stream"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("could not run `xz`")?;
    let mut input = unpacker.stdin.take().context("no input of `xz`")?;
    let packed = packed.to_vec();
    // The length of what was packed follows it, which is none of xz's business.
    let feeder = thread::spawn(move || input.write_all(&packed));
    let output = unpacker.wait_with_output()?.stdout;
    let _ = feeder.join();
    ensure!(output.starts_with(b"\x7fELF"), "there is no ELF file in the kernel");
    Ok(output)
}

/// The newest of Debian's cloud kernels that is installed, and its modules.
fn kernel() -> Result<(PathBuf, PathBuf)> {
    let mut versions = Vec::new();
    for entry in fs::read_dir("/boot").context("no kernel in /boot")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(version) = name.strip_prefix("vmlinuz-").filter(|name| name.ends_with("cloud-amd64")) {
            versions.push(version.to_owned());
        }
    }
    versions.sort();
    let version = versions.pop().context("no kernel (Debian: linux-image-cloud-amd64)")?;
    Ok((PathBuf::from(format!("/boot/vmlinuz-{version}")), PathBuf::from(format!("/lib/modules/{version}"))))
}

/// Puts a module into `folder`, unpacked.
fn unpack(module: &Path, folder: &Path) -> Result<()> {
    let name = module.file_name().context("a module without a name")?;
    let target = folder.join(name);
    if module.exists() {
        fs::copy(module, target)?;
        return Ok(());
    }
    let packed = PathBuf::from(format!("{}.xz", module.display()));
    let output = Command::new("xz").arg("--decompress").arg("--stdout").arg(&packed).output()?;
    ensure!(output.status.success(), "could not unpack `{}`", packed.display());
    fs::write(target, output.stdout)?;
    Ok(())
}

/// Copies a file to the same place below `root`, with the libraries that it is linked to.
fn bring(file: &Path, root: &Path) -> Result<()> {
    copy(file, root)?;
    let output = Command::new("ldd").arg(file).output().context("could not run `ldd`")?;
    let text = String::from_utf8_lossy(&output.stdout);
    for library in text.split_whitespace().filter(|word| word.starts_with('/')) {
        copy(Path::new(library), root)?;
    }
    Ok(())
}

fn copy(file: &Path, root: &Path) -> Result<()> {
    let target = root.join(file.strip_prefix("/").context("a relative path")?);
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(file, &target).with_context(|| format!("could not copy `{}`", file.display()))?;
    Ok(())
}

/// A first file system in memory cannot be left by `pivot_root`, so everything moves into a second one.
const FIRST: &str = "\
/bin/busybox mount -t tmpfs -o size=90%,mode=0755 new /new
for entry in /*; do
    case $entry in /new|/dev|/proc|/sys) ;; *) /bin/busybox cp -a $entry /new/ ;; esac
done
/bin/busybox mkdir /new/dev /new/proc /new/sys
exec /bin/busybox switch_root /new /second
";

fn second(program: &Path, arguments: &[String]) -> String {
    let program = program.display().to_string();
    let words: Vec<String> = std::iter::once(&program).chain(arguments).map(|word| quote(word)).collect();
    let names = MODULES.iter().filter_map(|module| module.rsplit('/').next());
    let modules: Vec<String> = names.map(|name| format!("/bin/busybox insmod /modules/{name}")).collect();
    let modules = modules.join("\n");
    format!(
        "/bin/busybox mount -t devtmpfs dev /dev\n\
         /bin/busybox mount -t proc proc /proc\n\
         /bin/busybox mount -t sysfs sys /sys\n\
         /bin/busybox chmod 1777 /tmp\n\
         {modules}\n\
         cd /tmp\n\
         {}\n\
         echo \"{ENDED}$?\"\n\
         /bin/busybox reboot -f\n",
        words.join(" ")
    )
}

fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

fn script(path: &Path, text: &str) -> Result<()> {
    fs::write(path, format!("#!/bin/sh\n{text}"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn pack(root: &Path, archive: &Path) -> Result<()> {
    let list = Command::new("find").arg(".").current_dir(root).output()?.stdout;
    let mut packer = Command::new("cpio")
        .args(["--create", "--format=newc", "--quiet", "--owner=0:0"])
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(fs::File::create(archive)?)
        .spawn()
        .context("could not run `cpio`")?;
    packer.stdin.take().context("no input of `cpio`")?.write_all(&list)?;
    ensure!(packer.wait()?.success(), "`cpio` failed");
    Ok(())
}

/// Boots, prints what the inner Linux prints, and returns how the program ended.
fn boot(kernel: &Path, archive: &Path, limit: Duration) -> Result<i32> {
    // Without the speed of its clock a Linux on this machine hangs now and then while it measures it.
    let line = "console=ttyS0 quiet panic=-1 reboot=t tsc_early_khz=2300000";
    let mut qemu = Command::new(QEMU)
        .args(["-accel", "tcg", "-cpu", "max,+svm", "-M", "microvm,rtc=on", "-m", "2048"])
        .args(["-nodefaults", "-no-reboot", "-display", "none", "-monitor", "none", "-serial", "stdio"])
        .args(["-append", line])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(archive)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not run `{QEMU}`"))?;
    let output = qemu.stdout.take().context("no output of QEMU")?;
    let reader = thread::spawn(move || {
        let mut status = None;
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            eprintln!("{line}");
            if let Some((_, code)) = line.split_once(ENDED) {
                status = code.parse().ok();
            }
        }
        status
    });
    wait(&mut qemu, limit)?;
    match reader.join() {
        Ok(Some(status)) => Ok(status),
        _ => bail!("the inner Linux ended before the program did"),
    }
}

fn wait(qemu: &mut Child, limit: Duration) -> Result<()> {
    let start = Instant::now();
    while qemu.try_wait()?.is_none() {
        if start.elapsed() > limit {
            qemu.kill()?;
            qemu.wait()?;
            bail!("the inner Linux took longer than {} s", limit.as_secs());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
