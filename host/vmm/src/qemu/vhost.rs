// SPDX-License-Identifier: Apache-2.0

//! The device for QEMU: QEMU has the registers, this process the queues, by the vhost-user protocol
//! (qemu/docs/interop/vhost-user.rst). Its own thread does all of it, so that there is no second one to race with.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use vhost::VhostUserMemoryRegionBase;
use vhost::vhost_user::message::{
    VhostTransferStateDirection, VhostTransferStatePhase, VhostUserConfigFlags, VhostUserInflight,
    VhostUserLog, VhostUserMemoryRegion, VhostUserShMemConfig, VhostUserSharedMsg,
    VhostUserSingleMemoryRegion, VhostUserVringAddrFlags, VhostUserVringState,
};
use vhost::vhost_user::{
    BackendReqHandler, Error, GpuBackend, Result, VhostUserBackendReqHandlerMut, VhostUserProtocolFeatures,
    VhostUserVirtioFeatures,
};
use virtio_queue::{Queue, QueueT as _};
use vm_memory::{FileOffset, GuestAddress, GuestMemoryMmap, GuestRegionMmap};

use crate::guest::{Guest, Line, SharedGuest};
use crate::mmio::FEATURES;
use crate::serve::Transport;
use crate::vsock::{GUEST_CID, Ring};

/// To the guest and from it; QEMU keeps the third, of events.
const QUEUES: usize = 2;
/// Most buffers in a queue.
const QUEUE_SIZE: u16 = 1024;
const EVENT_IDX: u64 = 1 << 29;

/// The connection to QEMU.
pub(crate) struct Vhost {
    requests: BackendReqHandler<Mutex<State>>,
    state: Arc<Mutex<State>>,
    guest: SharedGuest,
}

/// What QEMU has said.
struct State {
    guest: SharedGuest,
    regions: Vec<Region>,
    features: u64,
    queues: [Setup; QUEUES],
    new_kicks: Vec<RawFd>,
}

/// A piece of the guest's memory: where it is in QEMU and in the guest.
struct Region {
    user: u64,
    size: u64,
    guest: u64,
}

#[derive(Default)]
struct Setup {
    size: u16,
    /// Descriptors, available and used ring, in the guest.
    rings: Option<[u64; 3]>,
    base: u16,
    kick: Option<File>,
    enabled: bool,
}

impl Vhost {
    pub(crate) fn new(socket: UnixStream, guest: SharedGuest) -> Self {
        let state = State {
            guest: guest.clone(),
            regions: Vec::new(),
            features: 0,
            queues: Default::default(),
            new_kicks: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        Self { requests: BackendReqHandler::from_stream(socket, Arc::clone(&state)), state, guest }
    }

    /// What to listen to.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.requests.as_raw_fd()
    }
}

impl Transport for Vhost {
    fn ready(&mut self) -> Vec<RawFd> {
        match self.requests.handle_request() {
            // What is not done is answered so.
            Ok(()) | Err(Error::ReqHandlerError(_) | Error::InvalidOperation(_) | Error::InvalidParam) => {}
            // QEMU has ended, and how it did is known to the first process.
            Err(_) => {
                self.guest.lock().end.get_or_insert(Ok(0));
                self.guest.wake();
            }
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.new_kicks)
    }
}

impl State {
    fn queue(&mut self, index: u32) -> Result<&mut Setup> {
        usize::try_from(index).ok().and_then(|index| self.queues.get_mut(index)).ok_or(Error::InvalidParam)
    }

    /// Where an address of QEMU's is in the guest.
    fn translate(&self, user: u64) -> Result<u64> {
        let within =
            |region: &&Region| user.checked_sub(region.user).is_some_and(|offset| offset < region.size);
        let region = self.regions.iter().find(within).ok_or(Error::InvalidParam)?;
        region.guest.checked_add(user - region.user).ok_or(Error::InvalidParam)
    }

    fn has_protocol_features(&self) -> bool {
        self.features & VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits() != 0
    }

    /// Has those queues served that may be.
    fn start(&mut self) {
        let always_enabled = !self.has_protocol_features();
        let event_idx = self.features & EVENT_IDX != 0;
        let mut guest = self.guest.lock();
        let Guest { memory: Some(memory), receive, transmit, .. } = &mut *guest else { return };
        for (setup, line) in self.queues.iter_mut().zip([receive, transmit]) {
            let runs = setup.kick.is_some() && (setup.enabled || always_enabled);
            if runs && line.ring.is_none() {
                line.ring = setup.ring(memory, event_idx);
            } else if !runs && let Some(ring) = line.ring.take() {
                setup.base = ring.position();
            }
        }
        drop(guest);
        self.guest.wake();
    }
}

impl Setup {
    fn ring(&self, memory: &GuestMemoryMmap, event_idx: bool) -> Option<Ring> {
        let [descriptors, available, used] = self.rings?.map(halves);
        let mut queue = Queue::new(QUEUE_SIZE).ok()?;
        queue.set_size(self.size);
        queue.set_desc_table_address(descriptors.0, descriptors.1);
        queue.set_avail_ring_address(available.0, available.1);
        queue.set_used_ring_address(used.0, used.1);
        queue.set_event_idx(event_idx);
        queue.set_ready(true);
        if !queue.is_valid(memory) {
            return None;
        }
        let used = queue.used_idx(memory, std::sync::atomic::Ordering::Relaxed).ok()?;
        queue.set_next_avail(self.base);
        queue.set_next_used(used.0);
        Ring::new(queue, memory).ok()
    }
}

fn halves(address: u64) -> (Option<u32>, Option<u32>) {
    let half = |shifted: u64| u32::try_from(shifted & u64::from(u32::MAX)).ok();
    (half(address), half(address >> 32))
}

fn line(guest: &mut Guest, index: u8) -> Result<&mut Line> {
    match index {
        0 => Ok(&mut guest.receive),
        1 => Ok(&mut guest.transmit),
        _ => Err(Error::InvalidParam),
    }
}

const UNSUPPORTED: Error = Error::InvalidOperation("not offered");

impl VhostUserBackendReqHandlerMut for State {
    fn set_owner(&mut self) -> Result<()> {
        Ok(())
    }

    fn reset_owner(&mut self) -> Result<()> {
        self.reset_device()
    }

    fn reset_device(&mut self) -> Result<()> {
        self.queues.iter_mut().for_each(|setup| setup.enabled = false);
        self.queues.iter_mut().for_each(|setup| setup.kick = None);
        self.guest.lock().was_reset = true;
        self.start();
        Ok(())
    }

    fn get_features(&mut self) -> Result<u64> {
        Ok(FEATURES | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits())
    }

    fn set_features(&mut self, features: u64) -> Result<()> {
        self.features = features;
        Ok(())
    }

    fn set_mem_table(
        &mut self,
        regions: &[VhostUserMemoryRegion],
        files: Vec<File>,
        _postcopy: Option<bool>,
    ) -> Result<Option<Vec<VhostUserMemoryRegionBase>>> {
        let mut mapped = Vec::new();
        self.regions.clear();
        for (region, file) in regions.iter().zip(files) {
            let size = usize::try_from(region.memory_size).map_err(|_| Error::InvalidParam)?;
            let file = FileOffset::new(file, region.mmap_offset);
            let address = GuestAddress(region.guest_phys_addr);
            mapped.push(
                GuestRegionMmap::from_range(address, size, Some(file)).map_err(|_| Error::InvalidParam)?,
            );
            self.regions.push(Region {
                user: region.user_addr,
                size: region.memory_size,
                guest: region.guest_phys_addr,
            });
        }
        let memory = GuestMemoryMmap::from_regions(mapped).map_err(|_| Error::InvalidParam)?;
        self.guest.lock().memory = Some(memory);
        Ok(None)
    }

    fn set_vring_num(&mut self, index: u32, size: u32) -> Result<()> {
        let size = u16::try_from(size).map_err(|_| Error::InvalidParam)?;
        self.queue(index)?.size = size;
        Ok(())
    }

    fn set_vring_addr(
        &mut self,
        index: u32,
        _flags: VhostUserVringAddrFlags,
        descriptors: u64,
        used: u64,
        available: u64,
        _log: u64,
    ) -> Result<()> {
        let rings = [self.translate(descriptors)?, self.translate(available)?, self.translate(used)?];
        self.queue(index)?.rings = Some(rings);
        Ok(())
    }

    fn set_vring_base(&mut self, index: u32, base: u32) -> Result<()> {
        self.queue(index)?.base = u16::try_from(base).map_err(|_| Error::InvalidParam)?;
        Ok(())
    }

    fn get_vring_base(&mut self, index: u32) -> Result<VhostUserVringState> {
        self.queue(index)?.kick = None;
        self.start();
        // QEMU stops the queues when the guest's driver begins anew or the machine ends.
        self.guest.lock().was_reset = true;
        Ok(VhostUserVringState::new(index, u32::from(self.queue(index)?.base)))
    }

    fn set_vring_kick(&mut self, index: u8, kick: Option<File>) -> Result<()> {
        let kick = kick.ok_or(Error::InvalidParam)?;
        self.new_kicks.push(kick.as_raw_fd());
        self.queue(u32::from(index))?.kick = Some(kick);
        self.start();
        Ok(())
    }

    fn set_vring_call(&mut self, index: u8, call: Option<File>) -> Result<()> {
        line(&mut self.guest.lock(), index)?.interrupt = call.map(|call| -> crate::guest::Interrupt {
            let call = Mutex::new(call);
            Box::new(move || {
                let mut call = call.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = call.write(&1_u64.to_ne_bytes());
            })
        });
        Ok(())
    }

    fn set_vring_err(&mut self, _index: u8, _error: Option<File>) -> Result<()> {
        Ok(())
    }

    fn get_protocol_features(&mut self) -> Result<VhostUserProtocolFeatures> {
        Ok(VhostUserProtocolFeatures::CONFIG)
    }

    fn set_protocol_features(&mut self, _features: u64) -> Result<()> {
        Ok(())
    }

    fn get_queue_num(&mut self) -> Result<u64> {
        Ok(QUEUES as u64)
    }

    fn set_vring_enable(&mut self, index: u32, enable: bool) -> Result<()> {
        self.queue(index)?.enabled = enable;
        self.start();
        Ok(())
    }

    fn get_config(&mut self, offset: u32, size: u32, _flags: VhostUserConfigFlags) -> Result<Vec<u8>> {
        let range = |offset: u32, size: u32| {
            let start = usize::try_from(offset).ok()?;
            GUEST_CID
                .to_le_bytes()
                .get(start..start.checked_add(usize::try_from(size).ok()?)?)
                .map(<[u8]>::to_vec)
        };
        range(offset, size).ok_or(Error::InvalidParam)
    }

    fn set_config(&mut self, _offset: u32, _buf: &[u8], _flags: VhostUserConfigFlags) -> Result<()> {
        Err(UNSUPPORTED)
    }

    fn set_gpu_socket(&mut self, _gpu: GpuBackend) -> Result<()> {
        Err(UNSUPPORTED)
    }

    fn get_shared_object(&mut self, _uuid: VhostUserSharedMsg) -> Result<File> {
        Err(UNSUPPORTED)
    }

    fn get_inflight_fd(&mut self, _inflight: &VhostUserInflight) -> Result<(VhostUserInflight, File)> {
        Err(UNSUPPORTED)
    }

    fn set_inflight_fd(&mut self, _inflight: &VhostUserInflight, _file: File) -> Result<()> {
        Err(UNSUPPORTED)
    }

    fn get_max_mem_slots(&mut self) -> Result<u64> {
        Err(UNSUPPORTED)
    }

    fn add_mem_region(
        &mut self,
        _region: &VhostUserSingleMemoryRegion,
        _file: File,
        _postcopy: Option<bool>,
    ) -> Result<Option<VhostUserMemoryRegionBase>> {
        Err(UNSUPPORTED)
    }

    fn remove_mem_region(&mut self, _region: &VhostUserSingleMemoryRegion) -> Result<()> {
        Err(UNSUPPORTED)
    }

    fn set_device_state_fd(
        &mut self,
        _direction: VhostTransferStateDirection,
        _phase: VhostTransferStatePhase,
        _file: File,
    ) -> Result<Option<File>> {
        Err(UNSUPPORTED)
    }

    fn check_device_state(&mut self) -> Result<()> {
        Err(UNSUPPORTED)
    }

    fn get_shmem_config(&mut self) -> Result<VhostUserShMemConfig> {
        Err(UNSUPPORTED)
    }

    fn set_log_base(&mut self, _log: &VhostUserLog, _file: File) -> Result<()> {
        Err(UNSUPPORTED)
    }
}
