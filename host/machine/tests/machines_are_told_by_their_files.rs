// SPDX-License-Identifier: Apache-2.0

//! Machines of every kind, each as the files that Linux would show there: what they have, what is missing, and that
//! nothing in those files can hurt.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;

use enarx_machine::{Architecture, Finding, Presence, Report, Role, State, Tee};
use tempfile::TempDir;

/// Paths and what stands in them; a path that ends with a slash is a folder.
type Files<'a> = &'a [(&'a str, &'a str)];

fn report(files: &[Files<'_>]) -> Report {
    let root = TempDir::new().unwrap();
    for (path, content) in files.iter().copied().flatten() {
        let path_below = root.path().join(path);
        if path.ends_with('/') {
            fs::create_dir_all(path_below).unwrap();
        } else {
            fs::create_dir_all(path_below.parent().unwrap()).unwrap();
            fs::write(path_below, content).unwrap();
        }
    }
    Report::of(root.path())
}

fn tee<'a>(report: &'a Report, name: &str, role: Role) -> &'a Tee {
    report.tees.iter().find(|tee| tee.tee == name && tee.role == role).unwrap()
}

fn finding<'a>(tee: &'a Tee, id: &str) -> &'a Finding {
    tee.findings.iter().find(|finding| finding.id == id).unwrap_or_else(|| panic!("no {id} in {tee:?}"))
}

/// What is not absent.
fn there(report: &Report) -> Vec<(&'static str, Role, State)> {
    let there = report.tees.iter().filter(|tee| tee.state != State::Absent);
    there.map(|tee| (tee.tee, tee.role, tee.state)).collect()
}

fn missing(tee: &Tee) -> Vec<&'static str> {
    let missing = tee.findings.iter().filter(|finding| finding.state == Presence::Missing);
    missing.map(|finding| finding.id).collect()
}

const MILAN: Files<'_> = &[
    (
        "proc/cpuinfo",
        "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC 7763 \
         64-Core Processor\nstepping\t: 1\nmicrocode\t: 0xa0011db\nflags\t\t: fpu sev sev_es sev_snp\n\nprocessor\t: 1\n\
         vendor_id\t: GenuineIntel\n",
    ),
    ("proc/sys/kernel/osrelease", "6.11.0-19-generic\n"),
    ("sys/module/kvm_amd/parameters/sev_snp", "Y\n"),
    ("sys/bus/pci/drivers/ccp/bind", ""),
    ("sys/bus/pci/drivers/ccp/0000:45:00.1/bootloader_version", "00.4.0.0.4\n"),
    ("dev/kvm", ""),
    ("dev/sev", ""),
];

const SAPPHIRE_RAPIDS: Files<'_> = &[
    (
        "proc/cpuinfo",
        "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: Intel(R) Xeon(R) \
         Platinum 8480+\nstepping\t: 8\nmicrocode\t: 0x2b000603\nflags\t\t: fpu sgx sgx_lc tme tdx_host_platform\n",
    ),
    ("proc/sys/kernel/osrelease", "6.16.3\n"),
    ("sys/module/kvm_intel/parameters/tdx", "Y\n"),
    ("dev/kvm", ""),
    ("dev/sgx_enclave", ""),
    ("dev/sgx_provision", ""),
];

const SGX: Files<'_> = &[
    (
        "proc/cpuinfo",
        "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 106\nstepping\t: 6\nflags\t\t: fpu sgx \
         sgx_lc\n",
    ),
    ("proc/sys/kernel/osrelease", "5.15.0-generic\n"),
    ("dev/sgx_enclave", ""),
    ("dev/sgx_provision", ""),
];

const SNP_GUEST: Files<'_> = &[
    (
        "proc/cpuinfo",
        "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nstepping\t: 1\nmicrocode\t: \
         0xa101148\nflags\t\t: fpu hypervisor\n",
    ),
    ("proc/sys/kernel/osrelease", "6.12.1\n"),
    ("sys/devices/system/cpu/sev/vmpl", "0\n"),
    ("sys/kernel/config/tsm/report/", ""),
    ("dev/sev-guest", ""),
];

const TD: Files<'_> = &[
    (
        "proc/cpuinfo",
        "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 207\nstepping\t: 2\nflags\t\t: hypervisor tdx_guest\n",
    ),
    ("proc/sys/kernel/osrelease", "6.8.0-1021-gcp\n"),
    ("dev/tdx_guest", ""),
];

const ARM: Files<'_> = &[
    (
        "proc/cpuinfo",
        "processor\t: 0\nBogoMIPS\t: 2000.00\nFeatures\t: fp asimd sve2\nCPU implementer\t: 0x41\nCPU architecture: 8\n",
    ),
    ("proc/sys/kernel/osrelease", "6.14.0\n"),
];

const REALM: Files<'_> = &[
    ("sys/bus/platform/devices/arm-cca-dev/", ""),
    ("sys/kernel/config/tsm/report/", ""),
    ("sys/hypervisor/type", "realm\n"),
];

const NOTHING: Files<'_> = &[
    (
        "proc/cpuinfo",
        "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 60\nstepping\t: 3\nflags\t\t: fpu sse2\n",
    ),
    ("proc/sys/kernel/osrelease", "6.1.0-31-amd64\n"),
];

#[test]
fn a_host_of_milan_has_everything() {
    let report = report(&[MILAN]);
    assert_eq!(there(&report), [("sev-snp", Role::Host, State::Ready)]);
    assert_eq!(report.processor.product, Some("milan"));
    assert_eq!((report.processor.family, report.processor.model), (Some(25), Some(1)));
    assert!(!report.virtual_machine);
    let host = tee(&report, "sev-snp", Role::Host);
    assert_eq!(finding(host, "microcode").found, "0xa0011db");
    assert_eq!(finding(host, "firmware").found, "boot loader 00.4.0.0.4, TEE unknown");
}

#[test]
fn each_thing_that_is_missing_is_named_with_what_to_do() {
    for (path, id, hint) in [
        ("dev/kvm", "device-kvm", "switch virtualisation on"),
        ("dev/sev", "device-sev", "module `ccp`"),
        ("sys/module/kvm_amd/parameters/sev_snp", "kvm-parameter", "`modprobe kvm_amd`"),
    ] {
        let files: Vec<_> = MILAN.iter().copied().filter(|(file, _)| *file != path).collect();
        let report = report(&[&files]);
        let host = tee(&report, "sev-snp", Role::Host);
        assert_eq!((host.state, missing(host)), (State::Incomplete, vec![id]));
        let fix = finding(host, id).fix.clone().unwrap();
        assert!(fix.contains(hint), "{fix}");
    }
    let off = report(&[MILAN, &[("sys/module/kvm_amd/parameters/sev_snp", "N\n")]]);
    let host = tee(&off, "sev-snp", Role::Host);
    assert_eq!(finding(host, "kvm-parameter").found, "kvm_amd.sev_snp is off");
}

#[test]
fn an_old_kernel_counts_unless_it_has_the_change_all_the_same() {
    let old: Files<'_> = &[("proc/sys/kernel/osrelease", "5.14.0-503.el9\n")];
    let carried = report(&[MILAN, old]);
    assert_eq!(tee(&carried, "sev-snp", Role::Host).state, State::Ready);
    let off = report(&[MILAN, old, &[("sys/module/kvm_amd/parameters/sev_snp", "N\n")]]);
    assert_eq!(missing(tee(&off, "sev-snp", Role::Host)), ["kernel", "kvm-parameter"]);
}

#[test]
fn firmware_that_leaves_snp_off_is_told_by_the_bit_that_the_kernel_clears() {
    let flags = MILAN.first().unwrap().1.replace(" sev_snp", "");
    let report = report(&[MILAN, &[("proc/cpuinfo", &flags)]]);
    let host = tee(&report, "sev-snp", Role::Host);
    assert_eq!(missing(host), ["cpuid"]);
    assert!(finding(host, "cpuid").fix.as_ref().unwrap().contains("SNP memory coverage"));
}

#[test]
fn a_host_of_sapphire_rapids_has_tdx_and_sgx() {
    let report = report(&[SAPPHIRE_RAPIDS]);
    assert_eq!(there(&report), [("tdx", Role::Host, State::Ready), ("sgx", Role::Host, State::Ready)]);
    assert_eq!(finding(tee(&report, "sev-snp", Role::Host), "cpu").found, "the processor is not AMD's");
}

#[test]
fn an_sgx_machine_has_no_tdx_and_says_why() {
    let report = report(&[SGX]);
    assert_eq!(there(&report), [("sgx", Role::Host, State::Ready)]);
    assert_eq!(report.processor.product, Some("ice-lake-sp"));
    let found = &finding(tee(&report, "tdx", Role::Host), "cpu").found;
    assert_eq!(found, "the processor is not one of the families that have TDX");
}

#[test]
fn sgx_that_the_firmware_hides_can_be_switched_on() {
    let flags = SGX.first().unwrap().1.replace("sgx sgx_lc", "");
    let report = report(&[&[("proc/cpuinfo", &flags)]]);
    let sgx = tee(&report, "sgx", Role::Host);
    assert_eq!(sgx.state, State::Incomplete);
    assert_eq!(missing(sgx), ["cpuid", "cpuid-launch-control", "device-sgx-enclave", "device-sgx-provision"]);
    assert_eq!(finding(sgx, "kernel").state, Presence::Unknown);
}

#[test]
fn a_guest_of_snp_knows_that_it_is_one_and_no_host() {
    let report = report(&[SNP_GUEST]);
    assert!(report.virtual_machine);
    assert_eq!(there(&report), [("sev-snp", Role::Guest, State::Ready)]);
    let host = tee(&report, "sev-snp", Role::Host);
    assert_eq!(finding(host, "cpu").found, "genoa below a hypervisor, which does not pass SEV-SNP on");
    assert_eq!(finding(tee(&report, "sev-snp", Role::Guest), "vmpl").found, "0");
}

#[test]
fn a_td_without_configfs_still_has_its_device() {
    let report = report(&[TD]);
    assert_eq!(there(&report), [("tdx", Role::Guest, State::Ready)]);
    let tsm = finding(tee(&report, "tdx", Role::Guest), "tsm-report");
    assert_eq!(tsm.state, Presence::Unknown);
    assert!(tsm.fix.as_ref().unwrap().contains("mount"));
}

#[test]
fn an_arm_machine_may_be_a_realm() {
    let plain = report(&[ARM]);
    assert_eq!(plain.processor.architecture, Architecture::Arm);
    assert_eq!(there(&plain), []);
    let realm = report(&[ARM, REALM]);
    assert_eq!(there(&realm), [("cca", Role::Guest, State::Ready)]);
    assert!(realm.virtual_machine);
    let without: Files<'_> = &[("sys/bus/platform/devices/arm-cca-dev/", "")];
    assert_eq!(missing(tee(&report(&[ARM, without]), "cca", Role::Guest)), ["tsm-report"]);
}

#[test]
fn instances_and_enclaves_of_aws_are_told() {
    let parent = report(&[NOTHING, &[("sys/class/dmi/id/sys_vendor", "Amazon EC2\n")]]);
    assert_eq!(parent.maker.as_deref(), Some("Amazon EC2"));
    assert_eq!(missing(tee(&parent, "nitro", Role::Host)), ["device-nitro-enclaves"]);
    let enclave = report(&[NOTHING, &[("dev/nsm", "")]]);
    assert_eq!(there(&enclave), [("nitro", Role::Guest, State::Ready)]);
}

#[test]
fn a_tpm_is_told_with_what_it_is_not() {
    let tpm: Files<'_> = &[("sys/class/tpm/tpm0/tpm_version_major", "2\n"), ("dev/tpmrm0", "")];
    let with = report(&[NOTHING, tpm]);
    assert_eq!(there(&with), [("tpm", Role::Guest, State::Ready)]);
    assert!(finding(tee(&with, "tpm", Role::Guest), "tpm").found.contains("hides nothing"));
    let azure: Files<'_> = &[("sys/class/dmi/id/chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77\n")];
    let machine = report(&[NOTHING, tpm, azure]);
    assert_eq!(finding(tee(&machine, "tpm", Role::Guest), "azure").state, Presence::Unknown);
    let old = report(&[NOTHING, &[("sys/class/tpm/tpm0/tpm_version_major", "1\n")]]);
    assert_eq!(missing(tee(&old, "tpm", Role::Guest)), ["tpm", "device-tpmrm"]);
}

#[test]
fn a_machine_with_nothing_says_why_for_each() {
    for report in [report(&[NOTHING]), report(&[])] {
        assert_eq!(there(&report), []);
        for tee in &report.tees {
            let [only] = tee.findings.as_slice() else { panic!("{tee:?}") };
            assert!(!only.found.is_empty(), "{tee:?}");
        }
    }
}

#[test]
fn reports_have_the_keys_that_programs_rely_on() {
    let json = serde_json::to_value(report(&[SNP_GUEST])).unwrap();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&json), ["kernel", "maker", "processor", "tees", "virtual_machine"]);
    let processor = ["architecture", "family", "microcode", "model", "name", "product", "stepping"];
    assert_eq!(keys(&json["processor"]), processor);
    let guest = json["tees"].as_array().unwrap().iter().find(|tee| tee["state"] == "ready").unwrap();
    assert_eq!((&guest["tee"], &guest["role"]), (&"sev-snp".into(), &"guest".into()));
    assert_eq!(keys(&guest["findings"][0]), ["found", "id", "state"]);
    assert_eq!(json["kernel"], "6.12.1");
}

#[test]
fn hostile_files_are_cut_and_cannot_control_a_terminal() {
    let long = format!("vendor_id: AuthenticAMD\nmodel name: \u{1b}[2J{}\n", "x".repeat(1 << 20));
    let maker = format!("\u{1b}]0;{}\u{7}\n", "y".repeat(1 << 20));
    let hostile = report(&[&[
        ("proc/cpuinfo", &long),
        ("sys/class/dmi/id/sys_vendor", &maker),
        ("proc/sys/kernel/osrelease", "99999999999999999999.1\n"),
    ]]);
    let name = hostile.processor.name.unwrap();
    assert!(name.len() <= 120 && !name.contains('\u{1b}'), "{name}");
    assert!(hostile.maker.unwrap().len() <= 120);
    assert_eq!(hostile.kernel, None);
    let folders = report(&[&[("proc/cpuinfo/", ""), ("proc/sys/kernel/osrelease/", "")]]);
    assert_eq!(folders.processor.architecture, Architecture::Other);
}
