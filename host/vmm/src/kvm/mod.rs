// SPDX-License-Identifier: Apache-2.0

//! A virtual machine on KVM: memory, one processor, the image in it, and the device's registers.

mod cpu;
mod memory;
mod run;
mod snp;

use std::fs::File;
use std::io;
use std::os::fd::IntoRawFd as _;
use std::sync::{Arc, mpsc};
use std::thread;

use enarx_measure::{Guest, Image, Launch, Vcpu, boot};
use kvm_bindings::{KVM_CAP_SPLIT_IRQCHIP, kvm_enable_cap, kvm_msi};
use kvm_ioctls::{Cap, IoEventAddress, Kvm, NoDatamatch, VcpuFd, VmFd};
use sha2::{Digest as _, Sha256};
use vm_memory::GuestMemoryMmap;
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use crate::fatal::Fatal;
use crate::guest::{Interrupt, SharedGuest};
use crate::mmio::{ADDRESS, Interrupts, NOTIFY, Registers};

/// The version of KVM's interface; there never was another.
const API_VERSION: i32 = 12;
/// Pages that KVM wants for itself on processors of Intel's, away from memory and devices.
const TSS_ADDRESS: usize = 0xfffb_d000;
/// Device events: a message to the processor with APIC id 0 ...
const MSI_ADDRESS: u32 = 0xfee0_0000;
/// ... as this vector.
const MSI_VECTOR: u32 = 0x31;
/// The thread of the processor.
const STACK: usize = 256 * 1024;

/// A machine that has not started.
pub(crate) struct Machine {
    cpu: VcpuFd,
    vm: Arc<VmFd>,
    // After the two above, which refer to it.
    memory: GuestMemoryMmap,
    kvm: Kvm,
    size: u64,
    /// `/dev/sev`, if it is to be a guest of SEV-SNP.
    firmware: Option<File>,
}

impl Machine {
    /// A machine with `memory_mib` MiB of memory and one processor. `kvm` is `/dev/kvm`; with `/dev/sev` it is to be a
    /// guest of SEV-SNP.
    pub(crate) fn new(kvm: File, firmware: Option<File>, memory_mib: u32) -> Result<Self, Fatal> {
        let failed = "make a virtual machine";
        let kvm = adopt(kvm);
        if kvm.get_api_version() != API_VERSION || !kvm.check_extension(Cap::SplitIrqchip) {
            let source = io::Error::other("this KVM lacks the split interrupt controller");
            return Err(Fatal::start(failed)(source));
        }
        let vm = match &firmware {
            None => kvm.create_vm().map_err(Fatal::start(failed))?,
            Some(firmware) => {
                let vm = snp::create(&kvm).map_err(Fatal::start(failed))?;
                snp::init(&mut snp::Kernel { vm: &vm, firmware }).map_err(Fatal::start(failed))?;
                vm
            }
        };
        vm.set_tss_address(TSS_ADDRESS).map_err(Fatal::start(failed))?;
        // The kernel has the processor's own interrupt controller and nothing of a PC's.
        let cap = kvm_enable_cap { cap: KVM_CAP_SPLIT_IRQCHIP, ..Default::default() };
        vm.enable_cap(&cap).map_err(Fatal::start("set up interrupts"))?;
        let size = u64::from(memory_mib) << 20;
        let memory = memory::allocate(&vm, size, firmware.is_some())?;
        let cpu = vm.create_vcpu(0).map_err(Fatal::start("make a processor"))?;
        Ok(Self { cpu, vm: Arc::new(vm), memory, kvm, size, firmware })
    }

    /// How fast the guest's time stamp counter runs. If `demanded` is another speed, the counter is set to it.
    pub(crate) fn tsc_khz(&self, demanded: Option<u32>) -> Result<u32, Fatal> {
        let own = self.cpu.get_tsc_khz().map_err(Fatal::start("read the speed of the time stamp counter"))?;
        match demanded {
            Some(khz) if khz != own => {
                self.cpu.set_tsc_khz(khz).map_err(Fatal::start("set the speed of the time stamp counter"))?;
                Ok(khz)
            }
            _ => Ok(own),
        }
    }

    /// Puts the image and `launch` into memory and the processor at the image's first instruction.
    pub(crate) fn load(&self, image: &Image, launch: &str) -> Result<(), Fatal> {
        if let Some(firmware) = &self.firmware {
            return self.launch(image, launch, firmware);
        }
        let address = image.guest_pages().map_or(boot::BOOT_DATA, |pages| pages.host.start);
        let data = boot::data(address, self.size, launch).ok_or(Fatal::Protocol)?;
        memory::write(&self.memory, address, &data)?;
        for segment in image.segments() {
            memory::write(&self.memory, segment.address, image.contents(segment))?;
        }
        let start_info = u32::try_from(address).map_err(|_| Fatal::Protocol)?;
        let start = Vcpu::start(image.entry(), start_info, Guest::Plain);
        cpu::set_up(&self.kvm, &self.cpu, &start).map(drop)
    }

    /// Launches the image as guest of SEV-SNP: from then on its memory and its processor are its own.
    fn launch(&self, image: &Image, text: &str, firmware: &File) -> Result<(), Fatal> {
        let launch = Launch::snp(image)?;
        let boot_data = boot::data(launch.host().start, self.size, text).ok_or(Fatal::Protocol)?;
        let cpuid = cpu::set_up(&self.kvm, &self.cpu, &launch.vcpu()?)?;
        let failed = "launch the guest of SEV-SNP";
        let contents = snp::Contents {
            memory: self.size,
            boot_data: &boot_data,
            cpuid: snp::cpuid_page(cpuid.as_slice()).map_err(Fatal::start(failed))?,
            host_data: Sha256::digest(text).into(),
        };
        let mut kernel = snp::Kernel { vm: &self.vm, firmware };
        snp::launch(&mut kernel, &mut &self.memory, &launch, &contents).map_err(Fatal::start(failed))
    }

    /// Makes the thread of the processor, which starts when it is told.
    pub(crate) fn prepare(self, guest: &SharedGuest, console: bool) -> Result<Prepared, Fatal> {
        let Self { mut cpu, vm, memory, size, firmware, .. } = self;
        warm_up(&mut cpu)?;
        let kick = EventFd::new(EFD_NONBLOCK).map_err(Fatal::start("make an event"))?;
        vm.register_ioevent(&kick, &IoEventAddress::Mmio(ADDRESS + NOTIFY), NoDatamatch)
            .map_err(Fatal::start("listen to the guest"))?;
        let interrupts = Interrupts::default();
        let registers = Registers::new(interrupts.clone())
            .map_err(|error| Fatal::start("set up the device")(io::Error::other(error)))?;
        let interrupt = || -> Interrupt {
            let (vm, interrupts) = (Arc::clone(&vm), interrupts.clone());
            Box::new(move || {
                interrupts.used_buffers();
                let msi = kvm_msi { address_lo: MSI_ADDRESS, data: MSI_VECTOR, ..Default::default() };
                // A guest whose interrupt controller is off hears nothing, by its own choice.
                let _ = vm.signal_msi(msi);
            })
        };
        guest.lock().receive.interrupt = Some(interrupt());
        guest.lock().transmit.interrupt = Some(interrupt());
        let guest = guest.clone();
        let vm = firmware.map(|firmware| run::Protected { vm, memory: size, _firmware: firmware });
        let processor = run::Processor::new(cpu, registers, memory, guest, console, vm);
        let (go, gate) = mpsc::channel();
        let (arrives, arrived) = mpsc::channel();
        let thread = move || {
            // Until here a thread needs calls of the system that are not left for long.
            let _ = arrives.send(());
            // Otherwise nobody starts it any more.
            if gate.recv().is_ok() {
                processor.run();
            }
        };
        thread::Builder::new()
            .name("processor".to_owned())
            .stack_size(STACK)
            .spawn(thread)
            .map_err(Fatal::start("start the processor"))?;
        arrived.recv().map_err(|error| Fatal::start("start the processor")(io::Error::other(error)))?;
        Ok(Prepared { kick, go })
    }
}

/// A machine whose thread waits.
pub(crate) struct Prepared {
    /// With this the guest asks to be served.
    pub(crate) kick: EventFd,
    /// With this it starts.
    pub(crate) go: mpsc::Sender<()>,
}

/// Enters the processor without running the guest. The kernel starts a thread of its own in this process the first time,
/// which later is not allowed any more.
fn warm_up(cpu: &mut VcpuFd) -> Result<(), Fatal> {
    cpu.set_kvm_immediate_exit(1);
    let outcome = cpu.run().map(|_| ()).map_err(io::Error::from);
    cpu.set_kvm_immediate_exit(0);
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => {
            Err(Fatal::start("start the processor")(error))
        }
        _ => Ok(()),
    }
}

/// KVM from a descriptor that somebody else opened: this process has no file system to open it in.
#[allow(unsafe_code, reason = "see the safety argument")]
fn adopt(kvm: File) -> Kvm {
    use std::os::fd::FromRawFd as _;
    // SAFETY: the descriptor is open and nobody else's, since it comes out of the `File` that owned it. That it is KVM's
    // is not needed for memory safety: calls on another kind of file fail, and the version is asked for first.
    unsafe { Kvm::from_raw_fd(kvm.into_raw_fd()) }
}
