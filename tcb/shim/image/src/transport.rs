// SPDX-License-Identifier: Apache-2.0

//! The registers of a virtio device (Virtual I/O Device 1.2, section 4.2.2). On a plain machine they are mapped; as guest of
//! SEV-SNP the hypervisor is asked for each.

use enarx_shim::machine::SLOT;
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};
use virtio_drivers::{Error, PhysAddr, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::snp;

const MAGIC: u64 = 0x00;
const VERSION: u64 = 0x04;
const DEVICE_ID: u64 = 0x08;
const DEVICE_FEATURES: u64 = 0x10;
const DEVICE_FEATURES_SELECT: u64 = 0x14;
const DRIVER_FEATURES: u64 = 0x20;
const DRIVER_FEATURES_SELECT: u64 = 0x24;
const QUEUE_SELECT: u64 = 0x30;
const QUEUE_SIZE_MAX: u64 = 0x34;
const QUEUE_SIZE: u64 = 0x38;
const QUEUE_READY: u64 = 0x44;
const QUEUE_NOTIFY: u64 = 0x50;
const INTERRUPT_STATUS: u64 = 0x60;
const INTERRUPT_ACKNOWLEDGE: u64 = 0x64;
const STATUS: u64 = 0x70;
const DESCRIPTORS: u64 = 0x80;
const DRIVER_AREA: u64 = 0x90;
const DEVICE_AREA: u64 = 0xa0;
const CONFIGURATION_GENERATION: u64 = 0xfc;
const CONFIGURATION: u64 = 0x100;

/// "virt"
const VIRTIO: u32 = 0x7472_6976;
/// The version that is not the one before the standard.
const MODERN: u32 = 2;

/// A device in its slot.
pub(crate) struct Registers {
    slot: u64,
    device: DeviceType,
}

impl Registers {
    /// The device in the slot at this address, if there is one.
    pub(crate) fn find(slot: u64) -> Option<Self> {
        if read(slot + MAGIC) != VIRTIO || read(slot + VERSION) != MODERN {
            return None;
        }
        let device = DeviceType::try_from(read(slot + DEVICE_ID)).ok()?;
        Some(Self { slot, device })
    }

    fn read(&self, register: u64) -> u32 {
        read(self.slot + register)
    }

    fn write(&self, register: u64, value: u32) {
        write(self.slot + register, value);
    }

    fn write_long(&self, register: u64, value: u64) {
        self.write(register, value as u32);
        self.write(register + 4, (value >> 32) as u32);
    }
}

impl Transport for Registers {
    fn device_type(&self) -> DeviceType {
        self.device
    }

    fn read_device_features(&mut self) -> u64 {
        let half = |which| {
            self.write(DEVICE_FEATURES_SELECT, which);
            u64::from(self.read(DEVICE_FEATURES))
        };
        half(0) | half(1) << 32
    }

    fn write_driver_features(&mut self, features: u64) {
        for (which, half) in [(0, features as u32), (1, (features >> 32) as u32)] {
            self.write(DRIVER_FEATURES_SELECT, which);
            self.write(DRIVER_FEATURES, half);
        }
    }

    fn max_queue_size(&mut self, queue: u16) -> u32 {
        self.write(QUEUE_SELECT, queue.into());
        self.read(QUEUE_SIZE_MAX)
    }

    fn notify(&mut self, queue: u16) {
        self.write(QUEUE_NOTIFY, queue.into());
    }

    fn get_status(&self) -> DeviceStatus {
        DeviceStatus::from_bits_truncate(self.read(STATUS))
    }

    fn set_status(&mut self, status: DeviceStatus) {
        self.write(STATUS, status.bits());
    }

    /// Only devices from before the standard have it.
    fn set_guest_page_size(&mut self, _size: u32) {}

    fn requires_legacy_layout(&self) -> bool {
        false
    }

    fn queue_set(
        &mut self,
        queue: u16,
        size: u32,
        descriptors: PhysAddr,
        driver_area: PhysAddr,
        device_area: PhysAddr,
    ) {
        self.write(QUEUE_SELECT, queue.into());
        self.write(QUEUE_SIZE, size);
        self.write_long(DESCRIPTORS, descriptors);
        self.write_long(DRIVER_AREA, driver_area);
        self.write_long(DEVICE_AREA, device_area);
        self.write(QUEUE_READY, 1);
    }

    fn queue_unset(&mut self, queue: u16) {
        self.write(QUEUE_SELECT, queue.into());
        self.write(QUEUE_READY, 0);
    }

    fn queue_used(&mut self, queue: u16) -> bool {
        self.write(QUEUE_SELECT, queue.into());
        self.read(QUEUE_READY) != 0
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        let status = self.read(INTERRUPT_STATUS);
        if status != 0 {
            self.write(INTERRUPT_ACKNOWLEDGE, status);
        }
        InterruptStatus::from_bits_truncate(status)
    }

    fn read_config_generation(&self) -> u32 {
        self.read(CONFIGURATION_GENERATION)
    }

    /// Words, which is what the configuration of a vsock device is read in.
    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T> {
        let register = CONFIGURATION + offset as u64;
        if size_of::<T>() != 4 || !offset.is_multiple_of(4) || register > SLOT - 4 {
            return Err(Error::ConfigSpaceTooSmall);
        }
        T::read_from_bytes(self.read(register).as_bytes()).map_err(|_| Error::ConfigSpaceTooSmall)
    }

    /// There is nothing to write in that of a vsock device.
    fn write_config_space<T: IntoBytes + Immutable>(&mut self, _offset: usize, _value: T) -> Result<()> {
        Err(Error::Unsupported)
    }
}

fn read(address: u64) -> u32 {
    if snp::is_active() {
        return snp::read_device(address);
    }
    // SAFETY: the address is that of a register in a slot, mapped as a device's for ever; whatever answers there, reading
    // touches no memory of ours.
    unsafe { (address as *const u32).read_volatile() }
}

fn write(address: u64, value: u32) {
    if snp::is_active() {
        return snp::write_device(address, value);
    }
    // SAFETY: as above; the device writes only to memory that it was given the addresses of.
    unsafe { (address as *mut u32).write_volatile(value) };
}
