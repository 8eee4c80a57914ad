// SPDX-License-Identifier: Apache-2.0

//! What launches measure to, by our calculation and by those of other people: AMD's crate for SEV-SNP, Microsoft's for
//! SEV-SNP and TDX.

#[path = "../../../tcb/measure/tests/elf/mod.rs"]
mod elf;

use std::path::Path;

use elf::{Elf, PAGES};
use enarx_measure::{Image, Launch, PAGE_BYTES, PageKind, Table, Vcpu, snp, tdx};
use igvm::measurement::{generate_snp_measurement, generate_tdx_measurement};
use igvm::snp_defs::{SevFeatures, SevSelector, SevVmsa};
use igvm::{IgvmDirectiveHeader, IgvmInitializationHeader};
use igvm_defs::{IgvmPageDataFlags, IgvmPageDataType};
use sev::measurement::snp::{SnpMeasurementArgs, snp_calc_launch_digest};
use sev::measurement::vcpu_types::CpuType;
use sev::measurement::vmsa::{GuestFeatures, VMMType, VMSA};
use zerocopy::FromZeros as _;

/// The kind of guest that a page is for, in files of Microsoft's format.
const MASK: u32 = 1;

/// Images of several shapes: with zeros behind the code, with a segment of zeros, and the Keep's own where it was built.
fn images() -> Vec<Image> {
    let code: Vec<u8> = (0..9000_u32).map(|n| (n * 7 % 251).to_le_bytes()[0]).collect();
    let small = Elf { code: vec![0xf4], pages: vec![PAGES.to_vec()], ..Elf::default() };
    let large = Elf {
        code,
        memory: Some(20_000),
        more: vec![(16 << 20, 4097)],
        pages: vec![vec![0x9000, 0x1000, 0x2000, 0x5000]],
        ..Elf::default()
    };
    let mut files = vec![small.build(), large.build()];
    if let Some(path) = std::env::var_os("ENARX_IMAGE") {
        files.push(std::fs::read(path).expect("the image"));
    }
    files.into_iter().map(|file| Image::parse(file).expect("an image")).collect()
}

/// The pages of a launch in Microsoft's format.
fn directives(launch: &Launch<'_>) -> Vec<IgvmDirectiveHeader> {
    let page = |page: enarx_measure::Page<'_>| {
        let (data_type, unmeasured) = match page.kind {
            PageKind::Measured => (IgvmPageDataType::NORMAL, false),
            PageKind::Host => (IgvmPageDataType::NORMAL, true),
            PageKind::Cpuid => (IgvmPageDataType::CPUID_DATA, false),
            PageKind::Secrets => (IgvmPageDataType::SECRETS, false),
        };
        let flags = IgvmPageDataFlags::new().with_unmeasured(unmeasured);
        let data = page.contents().to_vec();
        IgvmDirectiveHeader::PageData { gpa: page.address, compatibility_mask: MASK, flags, data_type, data }
    };
    launch.pages().map(page).collect()
}

fn selector(table: Table) -> SevSelector {
    let Table { selector, attributes, limit, base } = table;
    SevSelector { selector, attrib: attributes, limit, base }
}

/// The state of a processor in Microsoft's layout, by names.
fn state(vcpu: &Vcpu) -> Box<SevVmsa> {
    let mut vmsa = Box::new(SevVmsa::new_zeroed());
    let data = selector(vcpu.ds);
    (vmsa.ds, vmsa.es, vmsa.fs, vmsa.gs) = (data, data, data, data);
    (vmsa.cs, vmsa.ss, vmsa.tr) = (selector(vcpu.cs), selector(vcpu.ss), selector(vcpu.tr));
    (vmsa.gdtr, vmsa.ldtr, vmsa.idtr) = (selector(vcpu.gdt), selector(vcpu.ldt), selector(vcpu.idt));
    (vmsa.efer, vmsa.cr0, vmsa.cr4) = (0x1000, vcpu.cr0, 0x40);
    (vmsa.dr6, vmsa.dr7, vmsa.rflags) = (0xffff_0ff0, 0x400, 2);
    (vmsa.rip, vmsa.rbx, vmsa.rdx, vmsa.rsi) = (vcpu.rip, vcpu.rbx, vcpu.rdx, vcpu.rsi);
    (vmsa.pat, vmsa.xcr0, vmsa.mxcsr, vmsa.x87_fcw) = (0x0007_0406_0007_0406, 1, 0x1f80, 0x37f);
    vmsa.sev_features = SevFeatures::new().with_snp(true);
    vmsa
}

#[test]
fn microsofts_calculation_for_snp_gives_the_same() {
    for image in images() {
        let launch = Launch::snp(&image).unwrap();
        let mut directives = directives(&launch);
        directives.push(IgvmDirectiveHeader::SnpVpContext {
            gpa: 0xffff_ffff_f000,
            compatibility_mask: MASK,
            vp_index: 0,
            vmsa: state(&launch.vcpu().unwrap()),
        });
        let policy = [IgvmInitializationHeader::GuestPolicy { policy: 0x3_0000, compatibility_mask: MASK }];
        let theirs = generate_snp_measurement(&policy, &directives, MASK).unwrap();
        assert_eq!(hex::encode(theirs), hex::encode(snp::launch_digest(&image).unwrap()));
    }
}

#[test]
fn microsofts_calculation_for_tdx_gives_the_same() {
    for image in images() {
        let theirs = generate_tdx_measurement(&directives(&Launch::tdx(&image).unwrap()), MASK).unwrap();
        assert_eq!(hex::encode(theirs), hex::encode(tdx::mrtd(&image).unwrap()));
    }
}

/// A processor as QEMU starts one: in real mode, 16 bytes below 4 GiB.
fn qemus(cpu: CpuType) -> Vcpu {
    let table = |attributes| Table { selector: 0, attributes, limit: 0xffff, base: 0 };
    Vcpu {
        cs: Table { selector: 0xf000, base: 0xffff_0000, ..table(0x9b) },
        ds: table(0x93),
        ss: table(0x93),
        gdt: table(0),
        ldt: table(0x82),
        idt: table(0),
        tr: table(0x8b),
        cr0: 0x10,
        rip: 0xfff0,
        rbx: 0,
        rdx: u64::try_from(cpu.sig()).unwrap(),
        rsi: 0,
    }
}

#[test]
fn amds_state_of_a_processor_is_the_same() {
    for features in [1, 0x21] {
        let theirs = VMSA::new(0, CpuType::EpycV4, VMMType::QEMU, Some(1), GuestFeatures(features));
        assert_eq!(theirs.pages(1).unwrap(), [snp::vmsa(&qemus(CpuType::EpycV4), features).to_vec()]);
    }
}

/// A firmware of AMD's kind: pages that end at 4 GiB, with tables that name a page of secrets and one of CPUID values.
fn firmware(path: &Path) -> Vec<u8> {
    let guid = |text: &str| {
        let bytes: Vec<u8> = hex::decode(text.replace('-', "")).unwrap();
        // The first three numbers of these are stored with their lowest byte first.
        let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
        order.map(|at: usize| bytes[at])
    };
    let mut data: Vec<u8> = (0..8192_u32).map(|n| (n % 253).to_le_bytes()[0]).collect();
    let mut put = |at: usize, bytes: &[u8]| data[at..at + bytes.len()].copy_from_slice(bytes);
    // Sections: address, size, type; they stand 512 bytes before the end.
    let sections: [(u32, u32, u8); 2] = [(0x5000, 0x1000, 2), (0x4000, 0x1000, 3)];
    put(8192 - 512, b"ASEV");
    for (at, word) in [(4, 16 + 24), (8, 1), (12, 2_u32)] {
        put(8192 - 512 + at, &word.to_le_bytes());
    }
    for (number, (address, size, kind)) in sections.into_iter().enumerate() {
        let at = 8192 - 512 + 16 + 12 * number;
        put(at, &address.to_le_bytes());
        put(at + 4, &size.to_le_bytes());
        put(at + 8, &[kind]);
    }
    // Entries are read from the end: value, size, name.
    let mut at = 8192 - 32 - 18;
    put(at, &(18_u16 + 2 * 22).to_le_bytes());
    put(at + 2, &guid("96b582de-1fb2-45f7-baea-a366c55a082d"));
    for (name, value) in
        [("00f771de-1a7e-4fcb-890e-68c77e2fb44e", 0_u32), ("dc886566-984a-4798-a75e-5585a7bf67cc", 512)]
    {
        at -= 22;
        put(at, &value.to_le_bytes());
        put(at + 4, &22_u16.to_le_bytes());
        put(at + 6, &guid(name));
    }
    std::fs::write(path, &data).unwrap();
    data
}

#[test]
fn amds_calculation_gives_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("firmware");
    let data = firmware(&path);
    let theirs = snp_calc_launch_digest(SnpMeasurementArgs {
        vcpus: 1,
        vcpu_type: CpuType::EpycV4,
        ovmf_file: path,
        guest_features: GuestFeatures(1),
        kernel_file: None,
        initrd_file: None,
        append: None,
        ovmf_hash_str: None,
        vmm_type: Some(VMMType::QEMU),
    });
    let mut ours = snp::Digest::default();
    let start = (1 << 32) - data.len() as u64;
    for (address, page) in (start..).step_by(PAGE_BYTES).zip(data.chunks_exact(PAGE_BYTES)) {
        ours.add(snp::PageType::Normal, address, page.try_into().unwrap());
    }
    ours.add(snp::PageType::Secrets, 0x5000, &[0; 4096]);
    ours.add(snp::PageType::Cpuid, 0x4000, &[0; 4096]);
    ours.add_vmsa(&snp::vmsa(&qemus(CpuType::EpycV4), 1));
    assert_eq!(theirs.unwrap().get_hex_ld(), hex::encode(ours.value()));
}
