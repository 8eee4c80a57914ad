// SPDX-License-Identifier: Apache-2.0

//! The command line: every command, option and help text.

mod advisory;
mod collateral;
pub(crate) mod evidence;
mod measure;
mod policy;
mod watch;

use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use enarx_hostd::{Destination, PortRange};
use enarx_simulator::Rehearsal;

pub(crate) use advisory::{AdvisoryCommand, ImportArgs, WhenExpired};
pub(crate) use collateral::{CollateralCommand, FetchArgs, SourceArgs};
pub(crate) use evidence::{
    EvidenceArgs, EvidenceCommand, Measurement, ReportData, SimulateArgs, TeeArg, VerifyArgs,
};
pub(crate) use measure::{MeasureArgs, Measured};
pub(crate) use policy::{
    CheckPolicyArgs, DiffPolicyArgs, NewPolicyArgs, PolicyCommand, TestPolicyArgs, product,
};
pub(crate) use watch::WatchArgs;

/// Run secrets on machines you do not trust.
///
/// Enarx puts a WebAssembly program into a Keep, a protected environment inside a CPU. The Keep first proves what it
/// is; the proof is held against your trust policy; only then are the program and its data encrypted to it.
#[derive(Debug, Parser)]
#[command(name = "enarx", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

const EXIT_CODES: &str = "\
Exit codes:
  the workload's own, when it ran to its end; over 255 its low eight bits, or 1 if they are 0
  1    the policies that `enarx policy diff` compared differ
  2    wrong usage, or an input that cannot be read
  3    refused: not genuine, or not by the trust policy
  4    the host or the Keep could not be reached or started, or was lost
  5    the workload ran, but its output or its changed files could not all be written
  130  interrupted by Ctrl-C
  134  the workload trapped
  137  the workload was stopped: a limit, or its owner
  141  nobody reads the workload's output any more
  143  ended by SIGTERM, as the shell counts; the Keep ends with the command

Environment:
  ENARX_STATE_DIR  folder of the owner key, the records of Keeps and the simulator's keys
                   [default: $XDG_STATE_HOME/enarx, else ~/.local/state/enarx]
  ENARX_CACHE_DIR  folder of compiled programs and fetched collateral
                   [default: $XDG_CACHE_HOME/enarx, else ~/.cache/enarx]
  ENARX_KEEP       the Keep program [default: enarx-keep beside enarx]
  ENARX_IMAGE      the unikernel [default: enarx-keep.elf beside enarx]
  ENARX_VMM        what starts it [default: enarx-vmm beside enarx]
  ENARX_QEMU       QEMU [default: qemu-system-x86_64 in PATH]
  SSL_CERT_FILE    certificate authorities for https:// hosts, instead of the system's
  RUST_LOG         what `enarx host serve` logs [default: info]";

#[derive(Debug, Args)]
pub(crate) struct OutputOptions {
    /// Print nothing but the workload's output and errors
    #[arg(short, long, global = true, display_order = 900)]
    pub(crate) quiet: bool,

    /// How progress, results and errors are printed
    #[arg(long, value_name = "FORMAT", default_value = "text", global = true, display_order = 901)]
    pub(crate) format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Lines for people
    Text,
    /// One JSON object a line: progress and errors on standard error, lists on standard output
    Json,
    /// Of `enarx verify` alone: an EAT attestation result (EAR), signed with the key of this machine
    Ear,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a workload in a Keep on this machine
    Run(RunArgs),
    /// Run a workload in a Keep on another machine
    Deploy(DeployArgs),
    /// Look after the Keeps you deployed
    #[command(subcommand)]
    Keep(KeepCommand),
    /// Offer this machine to tenants
    #[command(subcommand)]
    Host(HostCommand),
    /// Your own certificate authority, which certifies the listeners of your Keeps
    #[command(subcommand)]
    Ca(CaCommand),
    /// Write, check and test trust policies
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Warn others of platforms and Keeps that are no longer to be trusted, and listen to such warnings
    #[command(subcommand)]
    Advisory(AdvisoryCommand),
    /// Decide whether evidence is genuine and, under a policy, acceptable
    ///
    /// Signatures, certificates, revocation and the binding to a challenge are checked offline, with nothing but the
    /// files you give. Exits with 0 if everything holds and with 3 if anything does not; `enarx explain` shows each check.
    Verify(VerifyArgs),
    /// Show every check of `enarx verify`: expected, found, why it matters, how to fix it
    Explain(VerifyArgs),
    /// Look into evidence, or make some of a simulated platform
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// Fetch, pack and list what vendors say about their hardware, for `enarx verify` without a network
    #[command(subcommand)]
    Collateral(CollateralCommand),
    /// Tell what the unikernel measures to on each TEE, to compare with evidence or to write into a policy
    ///
    /// It is calculated from the file; no machine is started. It depends on nothing but the image: not on how much memory
    /// a machine has, nor on what its host tells it, which evidence has in other fields.
    Measure(MeasureArgs),
    /// Tell which TEE this machine has, what is missing to use it, and what to do about it
    ///
    /// It is read from /proc, /sys and /dev; no device is opened, nothing is changed. It is the kernel's word and proves
    /// nothing: what others rely on is evidence.
    Platform(PlatformReportArgs),
    /// Check the rest of the installation: programs, folders, keys, sandbox, clock, policy
    ///
    /// Exits with 0 if nothing failed, and with 4 otherwise.
    Doctor(DoctorArgs),
    /// Write a commented Enarx.toml
    Init(InitArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell to complete for
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder
    Man {
        /// The folder; it is made when it is not there
        #[arg(value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
}

/// What is put into the Keep; the same for `run` and `deploy`.
#[derive(Debug, Args)]
pub(crate) struct WorkloadArgs {
    /// A .wasm or .wat file, or a folder with an Enarx.toml (or that file)
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) workload: PathBuf,

    /// Arguments of the workload; they replace those of its Enarx.toml
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) arguments: Vec<String>,

    /// The trust policy that the Keep's evidence must satisfy
    ///
    /// Without it the built-in policy is used: current AMD processors, nothing simulated. `enarx policy new` writes
    /// one to start from.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) policy: Option<PathBuf>,

    /// Set an environment variable of the workload
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = environment)]
    pub(crate) environment: Vec<(String, String)>,

    /// Provision a folder into the Keep, at the same path or at GUEST; the folder itself is never written
    #[arg(long = "dir", value_name = "HOST[::GUEST]", value_parser = folder)]
    pub(crate) folders: Vec<Folder>,

    /// Write files that the workload made or changed into this folder when it has ended
    #[arg(long = "out", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: Option<PathBuf>,

    /// Compile again instead of using the cache of compiled programs
    #[arg(long)]
    pub(crate) no_cache: bool,
}

/// A folder of this machine and the absolute path at which the workload sees a copy of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folder {
    pub(crate) host: PathBuf,
    pub(crate) guest: String,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) workload: WorkloadArgs,

    #[command(flatten)]
    pub(crate) platform: PlatformArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    #[command(flatten)]
    pub(crate) workload: WorkloadArgs,

    /// The host, for example `http://host.example:7070`
    #[arg(long = "to", value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) to: String,

    /// Leave the workload running and return; `enarx keep` looks after it
    ///
    /// The Keep's name is printed on standard output. The workload's standard input is empty.
    #[arg(long, conflicts_with = "out")]
    pub(crate) detach: bool,
}

/// How the host makes Keeps.
#[derive(Debug, Args)]
pub(crate) struct PlatformArgs {
    /// The platform to simulate, for example amd/milan@snp=8 or intel/sapphire-rapids@status=OutOfDate
    ///
    /// `enarx evidence platforms` lists them with their options. A simulated platform protects the host from the workload, not the workload from the host. It never passes a
    /// policy that does not name its root.
    #[arg(long, value_name = "PLATFORM", default_value = "amd/genoa")]
    pub(crate) simulate: Rehearsal,

    /// What Keeps are made of
    #[arg(long, value_name = "BACKEND", value_enum, default_value_t = BackendChoice::Process)]
    pub(crate) backend: BackendChoice,

    /// Memory of the Keep's virtual machine in MiB
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(16..=65536))]
    pub(crate) memory: u32,

    /// The unikernel; by default enarx-keep.elf beside enarx
    #[arg(long, value_name = "FILE", env = "ENARX_IMAGE", value_hint = ValueHint::FilePath)]
    pub(crate) image: Option<PathBuf>,

    /// Refuse to make a Keep that does not stand in a TEE of this machine
    #[arg(long)]
    pub(crate) require_tee: bool,

    /// Refuse to make a Keep when a layer of its sandbox is not available
    #[arg(long)]
    pub(crate) require_sandbox: bool,

    /// The Keep program; by default enarx-keep beside enarx
    #[arg(long, value_name = "FILE", env = "ENARX_KEEP", value_hint = ValueHint::FilePath)]
    pub(crate) keep_program: Option<PathBuf>,
}

/// What Keeps are made of, as the user says it. All protect the host from the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BackendChoice {
    /// A sandboxed process
    Process,
    /// The unikernel in a virtual machine on KVM
    Vm,
    /// The unikernel in QEMU, which works without KVM and is slow there
    Qemu,
    /// The unikernel as guest of this machine's SEV-SNP, which protects the workload from the host; never run on hardware
    Snp,
    /// The strongest that there is: SEV-SNP, else a virtual machine on KVM, else a process; says which
    Auto,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeepCommand {
    /// List your Keeps
    Ls,
    /// Print what a Keep's workload has written so far
    Logs {
        /// The Keep: its name in `enarx keep ls`, or a unique beginning of it
        keep: String,
        /// Go on until the workload ends
        #[arg(short, long)]
        follow: bool,
    },
    /// Ask a Keep for fresh evidence and hold it against a policy
    Attest {
        /// The Keep: its name in `enarx keep ls`, or a unique beginning of it
        keep: String,
        /// The trust policy; by default the one the Keep was deployed under
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        policy: Option<PathBuf>,
    },
    /// Hold Keeps against their policies again and again, and act when one is no longer accepted
    ///
    /// Each Keep is asked for fresh evidence on a schedule, and whenever the policy, an imported feed of advisories or
    /// the Keep program of this machine changes. What happens to a Keep that is refused, its policy says by
    /// `on_refusal`; a Keep that cannot be reached is reported as such, and is not accepted for it.
    Watch(WatchArgs),
    /// End a Keep and forget it
    Stop {
        /// The Keep: its name in `enarx keep ls`, or a unique beginning of it
        keep: String,
    },
    /// Forget a Keep without ending it, for example because its host is gone
    Forget {
        /// The Keep: its name in `enarx keep ls`, or a unique beginning of it
        keep: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum HostCommand {
    /// Make Keeps for tenants until interrupted
    Serve(ServeArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Make it; the first workload that listens does so by itself
    Init,
    /// Print its certificate (PEM), which clients of your Keeps have to trust
    Show,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7070")]
    pub(crate) listen: SocketAddr,

    #[command(flatten)]
    pub(crate) platform: PlatformArgs,

    /// How many Keeps may exist at once
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) max_keeps: usize,

    /// Let Keeps listen on these ports of this machine; may be repeated
    #[arg(long, value_name = "PORT[-PORT]", value_delimiter = ',')]
    pub(crate) allow_listen: Vec<PortRange>,

    /// Let Keeps connect to this host and port; may be repeated
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub(crate) allow_connect: Vec<Destination>,

    /// Certificate chain (PEM) for HTTPS; protects who talks to the host, the sessions inside protect themselves
    #[arg(long, value_name = "FILE", requires = "tls_key", value_hint = ValueHint::FilePath)]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Private key (PEM) of the certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert", value_hint = ValueHint::FilePath)]
    pub(crate) tls_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PlatformReportArgs {
    /// Show every check of what is not on this machine, too
    #[arg(short, long)]
    pub(crate) all: bool,

    /// Look at a copy of another machine's proc, sys and dev in this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) root: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The trust policy that is going to be used
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) policy: Option<PathBuf>,

    /// The Keep program; by default enarx-keep beside enarx
    #[arg(long, value_name = "FILE", env = "ENARX_KEEP", value_hint = ValueHint::FilePath)]
    pub(crate) keep_program: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder of the workload
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) folder: PathBuf,
}

fn environment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("give it as NAME=VALUE".to_owned()),
    }
}

fn folder(text: &str) -> Result<Folder, String> {
    let (host, guest) = match text.split_once("::") {
        None => (text, place_of(text)?),
        Some((_, "")) => return Err(format!("the path in the Keep is missing: say `{text}/GUEST`")),
        Some((host, guest)) => (host, guest.to_owned()),
    };
    if host.is_empty() {
        return Err("give it as HOST or HOST::GUEST".to_owned());
    }
    if !guest.starts_with('/') || guest.split('/').any(|part| part == "..") {
        return Err(format!(
            "the path in the Keep must be absolute and without `..`: `{guest}`; say HOST::/GUEST"
        ));
    }
    Ok(Folder { host: host.into(), guest })
}

/// Where a folder is seen that was given without a place: at the path by which it was named.
fn place_of(host: &str) -> Result<String, String> {
    let mut place = String::new();
    for part in Path::new(host).components() {
        match part {
            Component::Normal(name) => {
                place.push('/');
                place.push_str(&name.to_string_lossy());
            }
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                place.clear();
                break;
            }
        }
    }
    if place.is_empty() {
        return Err(format!(
            "`{host}` does not say where the Keep sees the folder: say `{host}::/GUEST`, for example `{host}::/data`"
        ));
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_folder_is_seen_at_its_own_path_unless_told_otherwise() {
        assert_eq!(folder("./data/in").unwrap().guest, "/data/in");
        assert_eq!(folder("data::/x").unwrap(), Folder { host: "data".into(), guest: "/x".to_owned() });
        assert!(folder("::/x").is_err());
        assert!(folder("data::x").is_err());
        assert!(folder("../data").is_err());
        assert_eq!(folder("/srv//data/").unwrap().guest, "/srv/data");
        for nowhere in [".", "./", "/", "..", "a/../b"] {
            let told = folder(nowhere).unwrap_err();
            assert!(told.ends_with(&format!("for example `{nowhere}::/data`")), "{told}");
        }
        assert_eq!(folder("data::").unwrap_err(), "the path in the Keep is missing: say `data::/GUEST`");
    }

    #[test]
    fn an_environment_variable_needs_a_name() {
        assert_eq!(environment("A=b=c").unwrap(), ("A".to_owned(), "b=c".to_owned()));
        assert!(environment("A").is_err());
        assert!(environment("=b").is_err());
    }
}
