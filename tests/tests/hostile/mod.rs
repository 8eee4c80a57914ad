// SPDX-License-Identifier: Apache-2.0

//! A micro-VM of QEMU's whose device is played by the test, which has the whole memory of the guest to write lies into.

use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use enarx_shim::machine::packet::{Address, Header, Operation};
use tempfile::TempDir;
use vhost::vhost_user::{Listener, VhostUserProtocolFeatures, VhostUserVirtioFeatures};
use vhost_user_backend::{VhostUserBackend, VhostUserDaemon, VringRwLock, VringT};
use virtio_queue::QueueT as _;
use vm_memory::{Bytes as _, GuestAddress, GuestMemoryAtomic, GuestMemoryMmap};
use vmm_sys_util::epoll::EventSet;

use enarx_tests::program;

/// No guest here takes longer to get ready or to end, translated and beside other tests.
const PATIENCE: Duration = Duration::from_mins(1);
/// `VIRTIO_F_VERSION_1`.
pub(crate) const VERSION_1: u64 = 1 << 32;
/// What a host says that tells the truth.
pub(crate) const LAUNCH: &str = "enarx-launch-1 backend=qemu memory-mib=64 tsc-khz=1000000";
/// The guest's address.
pub(crate) const GUEST: u64 = 3;
/// The host's address.
pub(crate) const HOST: u64 = 2;
/// The port at which a Keep is spoken to.
const CONTROL: u32 = 1;
/// Room that the device says it has.
pub(crate) const ROOM: u32 = 1 << 16;

/// The memory that QEMU shares.
type Memory = GuestMemoryAtomic<GuestMemoryMmap>;

/// How a machine is started.
pub(crate) struct Start {
    /// The launch text.
    pub(crate) launch: String,
    /// QEMU's name of the processor.
    pub(crate) cpu: &'static str,
    /// Its memory in MiB.
    pub(crate) memory: u32,
    /// What the device offers.
    pub(crate) features: u64,
    /// What stands in the device's configuration: the guest's address.
    pub(crate) cid: u64,
}

impl Default for Start {
    fn default() -> Self {
        Self { launch: LAUNCH.to_owned(), cpu: "max", memory: 64, features: VERSION_1, cid: GUEST }
    }
}

/// What speaks to QEMU: tells where memory and queues are, and does nothing else.
struct Player {
    features: u64,
    cid: u64,
    memory: Memory,
    ready: SyncSender<Vec<VringRwLock<Memory>>>,
}

impl VhostUserBackend for Player {
    type Bitmap = ();
    type Vring = VringRwLock<Memory>;

    fn num_queues(&self) -> usize {
        2
    }

    fn max_queue_size(&self) -> usize {
        1024
    }

    fn features(&self) -> u64 {
        self.features | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits()
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::CONFIG
    }

    fn set_event_idx(&self, _enabled: bool) {}

    fn get_config(&self, offset: u32, size: u32) -> Vec<u8> {
        let (start, size) = (offset as usize, size as usize);
        self.cid.to_le_bytes().get(start..start + size).map(<[u8]>::to_vec).unwrap_or_default()
    }

    fn update_memory(&self, _memory: Memory) -> std::io::Result<()> {
        Ok(())
    }

    fn handle_event(
        &self,
        _event: u16,
        _set: EventSet,
        rings: &[VringRwLock<Memory>],
        _thread: usize,
    ) -> std::io::Result<()> {
        // Only the first is waited for.
        let _ = self.ready.try_send(rings.to_vec());
        Ok(())
    }
}

/// A machine, and the device that it has.
pub(crate) struct Machine {
    qemu: Child,
    memory: Memory,
    rings: Receiver<Vec<VringRwLock<Memory>>>,
    _folder: TempDir,
}

impl Machine {
    /// Starts a machine; `None`, said aloud, where there is no QEMU.
    pub(crate) fn start(start: &Start) -> Option<Self> {
        if Command::new("qemu-system-x86_64").arg("--version").output().is_err() {
            eprintln!("skipped: qemu-system-x86_64 is not installed");
            return None;
        }
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("device");
        let mut listener = Listener::new(&socket, true).unwrap();
        let memory = GuestMemoryAtomic::new(GuestMemoryMmap::new());
        let (ready, rings) = sync_channel(1);
        let player = Player { features: start.features, cid: start.cid, memory: memory.clone(), ready };
        let at = player.memory.clone();
        thread::spawn(move || {
            let mut daemon =
                VhostUserDaemon::new("device".to_owned(), std::sync::Arc::new(player), at).unwrap();
            daemon.start(&mut listener).unwrap();
            // Ends with QEMU.
            let _ = daemon.wait();
        });
        let qemu = Command::new("qemu-system-x86_64")
            .args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-monitor", "none"])
            .args(["-M", "microvm,acpi=off,pit=off,pic=off,rtc=off,auto-kernel-cmdline=off,isa-serial=off,memory-backend=m"])
            .args(["-accel", "tcg", "-smp", "1", "-cpu", start.cpu, "-m", &format!("{}M", start.memory)])
            .args(["-object", &format!("memory-backend-memfd,id=m,size={}M,share=on", start.memory)])
            .args(["-global", "virtio-mmio.force-legacy=false"])
            .args(["-chardev", &format!("socket,id=device,path={}", socket.display())])
            .args(["-device", "vhost-user-vsock-device,chardev=device,bus=virtio-mmio-bus.0"])
            .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-serial", "none"])
            .args(["-append", &start.launch, "-kernel"])
            .arg(program("enarx-keep.elf"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self { qemu, memory, rings, _folder: folder })
    }

    /// The device, once the guest has set it up.
    pub(crate) fn device(&self) -> Device {
        let rings = self.rings.recv_timeout(PATIENCE).expect("the guest set up its device");
        let place = |index: usize| {
            let state = rings[index].get_ref();
            let queue = state.get_queue();
            Ring {
                size: queue.size(),
                descriptors: queue.desc_table(),
                available: queue.avail_ring(),
                used: queue.used_ring(),
                seen: 0,
                done: 0,
            }
        };
        let mut device =
            Device { memory: self.memory.clone(), receive: place(0), send: place(1), next_port: 5000 };
        // The guest has said that there are buffers; that it has put all of them there may take a moment more.
        let full = device.receive.size;
        device.until("buffers", |device| (device.available(Queue::Receive) == full).then_some(()));
        device
    }

    /// The status that the guest ended with.
    pub(crate) fn end(mut self) -> Option<u8> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.qemu.try_wait().unwrap() {
                // `isa-debug-exit`: twice the status and one; anything else is a reset or QEMU's own end.
                let code = status.code().filter(|code| code & 1 == 1);
                return code.and_then(|code| u8::try_from(code >> 1).ok());
            }
            thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// Whether the machine runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.qemu.try_wait().unwrap().is_none()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// Which queue.
#[derive(Clone, Copy)]
pub(crate) enum Queue {
    /// To the guest.
    Receive,
    /// From it.
    Send,
}

/// A queue in the guest's memory (Virtual I/O Device 1.2, section 2.7).
struct Ring {
    size: u16,
    descriptors: u64,
    available: u64,
    used: u64,
    /// Entries of the available ring that were taken, and of the used ring that were made.
    seen: u16,
    done: u16,
}

/// The device, which may do as it ought to or anything else.
pub(crate) struct Device {
    memory: Memory,
    receive: Ring,
    send: Ring,
    next_port: u32,
}

impl Device {
    fn ring(&mut self, queue: Queue) -> &mut Ring {
        match queue {
            Queue::Receive => &mut self.receive,
            Queue::Send => &mut self.send,
        }
    }

    /// How many entries the guest has ever put into a queue, modulo 2^16.
    fn available(&mut self, queue: Queue) -> u16 {
        let at = self.ring(queue).available + 2;
        self.read(at)
    }

    fn read<T: vm_memory::ByteValued>(&self, at: u64) -> T {
        vm_memory::GuestAddressSpace::memory(&self.memory).read_obj(GuestAddress(at)).unwrap()
    }

    /// Writes anywhere in the guest.
    pub(crate) fn write(&self, at: u64, bytes: &[u8]) {
        vm_memory::GuestAddressSpace::memory(&self.memory).write_slice(bytes, GuestAddress(at)).unwrap();
    }

    fn until<T>(&mut self, what: &str, mut ready: impl FnMut(&mut Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = ready(self) {
                return found;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Overwrites the descriptors and the available ring of a queue, which are the guest's to write.
    pub(crate) fn overwrite(&mut self, queue: Queue, byte: u8) {
        let ring = self.ring(queue);
        let (descriptors, available, size) = (ring.descriptors, ring.available, usize::from(ring.size));
        self.write(descriptors, &vec![byte; 16 * size]);
        self.write(available + 4, &vec![byte; 2 * size]);
    }

    /// Says that the guest's buffer `id` was used, with `length` bytes written to it.
    pub(crate) fn used(&mut self, queue: Queue, id: u32, length: u32) {
        let ring = self.ring(queue);
        let (used, at) = (ring.used, ring.done % ring.size);
        let element = [id.to_le_bytes(), length.to_le_bytes()].concat();
        self.write(used + 4 + 8 * u64::from(at), &element);
        self.count(queue, 1);
    }

    /// Says that `by` more buffers were used, without saying which.
    pub(crate) fn count(&mut self, queue: Queue, by: u16) {
        let ring = self.ring(queue);
        ring.done = ring.done.wrapping_add(by);
        let (used, done) = (ring.used, ring.done);
        self.write(used + 2, &done.to_le_bytes());
    }

    /// The next buffers of the guest: the first one's number, and where each is and how long.
    fn take(&mut self, queue: Queue) -> Option<(u16, Vec<(u64, u32)>)> {
        if self.available(queue) == self.ring(queue).seen {
            return None;
        }
        let ring = self.ring(queue);
        let slot = u64::from(ring.seen % ring.size);
        ring.seen = ring.seen.wrapping_add(1);
        let (descriptors, available) = (ring.descriptors, ring.available);
        let head: u16 = self.read(available + 4 + 2 * slot);
        let (mut parts, mut index) = (Vec::new(), head);
        for _ in 0..8 {
            let at = descriptors + 16 * u64::from(index);
            parts.push((self.read(at), self.read(at + 8)));
            let flags: u16 = self.read(at + 12);
            if flags & 1 == 0 {
                break;
            }
            index = self.read(at + 14);
        }
        Some((head, parts))
    }

    /// Puts bytes into the guest's next buffer, and says that there are as many as there are.
    pub(crate) fn deliver(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).unwrap();
        let head = self.put(bytes);
        self.used(Queue::Receive, u32::from(head), length);
    }

    /// Puts bytes into the guest's next buffer, and says nothing.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> u16 {
        // A guest that is waiting for us to take what it sends does not give us buffers.
        let (head, parts) = self.until("a buffer", |device| {
            let _ = device.sent_now();
            device.take(Queue::Receive)
        });
        assert!(bytes.len() <= parts[0].1 as usize);
        self.write(parts[0].0, bytes);
        head
    }

    /// A packet that the guest has sent, if there is one.
    pub(crate) fn sent_now(&mut self) -> Option<Header> {
        let (head, parts) = self.take(Queue::Send)?;
        let mut packet = vec![0; parts.iter().map(|(_, length)| *length as usize).sum()];
        let mut at = 0;
        for (address, length) in parts {
            let end = at + length as usize;
            let memory = vm_memory::GuestAddressSpace::memory(&self.memory);
            memory.read_slice(&mut packet[at..end], GuestAddress(address)).unwrap();
            at = end;
        }
        self.used(Queue::Send, u32::from(head), 0);
        Some(Header::decode(&packet).expect("guests send packets").0)
    }

    /// Opens a connection to the Keep as hosts do. Returns its port here.
    pub(crate) fn open(&mut self) -> u32 {
        self.next_port += 1;
        let port = self.next_port;
        self.deliver(&packet(port, Operation::Request, b""));
        self.until("an answer", |device| {
            device.sent_now().filter(|sent| sent.to.port == port && sent.operation == Operation::Response)
        });
        port
    }
}

/// A packet from one of the host's ports to the Keep.
pub(crate) fn packet(port: u32, operation: Operation, body: &[u8]) -> Vec<u8> {
    let header = Header {
        from: Address { cid: HOST, port },
        to: Address { cid: GUEST, port: CONTROL },
        operation,
        length: u32::try_from(body.len()).unwrap(),
        room: ROOM,
        taken: 0,
    };
    [&header.encode(), body].concat()
}
