// SPDX-License-Identifier: Apache-2.0

//! What is asked of the secure processor: reports and keys (56860, sections 7.2 and 7.3; 56421, sections 4.1.7 and 4.1.8).

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use enarx_evidence::snp::{CertTable, Report};
use enarx_evidence::{Bundle, Endorsements, Evidence, Format};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::bytes::{array, put, word};
use super::ghcb::{Call, ExitCode, GhcbError, RAX, RBX};
use super::guest::Guest;
use super::message::{HEADER, Kind, LEN, MessageError, Sealed, Talk};
use super::{CERTIFICATE_PAGES, CERTIFICATES, Machine, PAGE, REQUEST, RESPONSE};

/// Bytes of a derived key.
pub const DERIVED_KEY: usize = 32;

/// The most privileged level, on which this guest runs.
const VMPL: u32 = 0;
const REPORT_REQUEST: usize = 0x60;
const KEY_REQUEST: usize = 0x20;
const KEY_RESPONSE: usize = 0x40;
/// Where a report, or a key, stands in its answer; status and, for reports, size are before.
const BODY: usize = 0x20;

/// The hypervisor is busy (56421, section 4.1.7: upper half of `SW_EXITINFO2`).
const BUSY: u32 = 2;
/// There are more certificates than pages for them.
const MORE_PAGES: u32 = 1;
/// How often a busy hypervisor is asked again.
const PATIENCE: u32 = 1_000_000;

/// Why there is no report or no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// In the message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// In speaking with the hypervisor.
    #[error(transparent)]
    Ghcb(#[from] GhcbError),
    /// The hypervisor did not carry the message.
    #[error("the hypervisor did not carry the request: {info:#x}")]
    NotCarried {
        /// `SW_EXITINFO2`.
        info: u64,
    },
}

/// A report about this guest, and what the host has to say for the key that signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attested {
    /// The report as it was signed.
    pub report: Box<[u8; Report::LEN]>,
    /// The host's certificate table (56421, section 4.1.8.1), the host's word; empty if it has none.
    pub certificates: Vec<u8>,
}

/// What a derived key depends on besides the CPU: the fields of [`KeyRequest::FIELDS`] that are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyRequest {
    /// `GUEST_FIELD_SELECT`.
    pub fields: u64,
    /// `GUEST_SVN`, not above the one of this guest.
    pub guest_svn: u32,
    /// `TCB_VERSION`, not above the committed one.
    pub tcb_version: u64,
}

impl KeyRequest {
    /// Policy, image, family, measurement, guest SVN, TCB version: the bits that version 1 of the message has.
    pub const FIELDS: u64 = 0b11_1111;
}

impl Attested {
    /// What travels to a tenant. Certificates that are none cost the host's own Keep its acceptance, and nobody else
    /// anything.
    pub fn into_bundle(self) -> Bundle {
        let table = CertTable::parse(&self.certificates).unwrap_or_default();
        let items = table.entries.into_iter().map(|(_, certificate)| certificate).collect();
        let evidence = Evidence { format: Format::SevSnp, bytes: self.report.to_vec() };
        Bundle { evidence, endorsements: Endorsements { items } }
    }
}

/// What HOST_DATA must be for a guest that was told this launch text: its SHA-256.
pub fn host_data(launch: &[u8]) -> [u8; 32] {
    Sha256::digest(launch).into()
}

impl<M: Machine> Guest<M> {
    /// Asks for a report over 64 bytes. It is checked to be one of this guest's over these bytes, launched with this HOST_DATA.
    pub fn report(
        &mut self,
        talk: &mut Talk,
        report_data: &[u8; 64],
        host_data: &[u8; 32],
    ) -> Result<Attested, RequestError> {
        let mut payload = [0; REPORT_REQUEST];
        put(&mut payload, 0, report_data);
        put(&mut payload, 64, &VMPL.to_le_bytes());
        let sealed = talk.seal(Kind::ReportRequest, Kind::ReportResponse, &payload)?;
        let certificates = self.carry(&sealed, ExitCode::ExtendedGuestRequest)?;
        let mut answer = self.answer();
        let length = talk.open(&sealed, &mut answer)?;
        let report = read_report(answer.get(HEADER..).unwrap_or_default(), length)?;
        check_report(&report, report_data, host_data)?;
        Ok(Attested { report, certificates })
    }

    /// Asks for a key that only this guest, on this CPU, can have.
    pub fn derived_key(
        &mut self,
        talk: &mut Talk,
        request: &KeyRequest,
    ) -> Result<Zeroizing<[u8; DERIVED_KEY]>, RequestError> {
        let mut payload = [0; KEY_REQUEST];
        // The root key is the CPU's own (0); what is not asked for stays out.
        put(&mut payload, 8, &(request.fields & KeyRequest::FIELDS).to_le_bytes());
        put(&mut payload, 16, &VMPL.to_le_bytes());
        put(&mut payload, 20, &request.guest_svn.to_le_bytes());
        put(&mut payload, 24, &request.tcb_version.to_le_bytes());
        let sealed = talk.seal(Kind::KeyRequest, Kind::KeyResponse, &payload)?;
        self.carry(&sealed, ExitCode::GuestRequest)?;
        let mut answer = self.answer();
        let length = talk.open(&sealed, &mut answer)?;
        let key = read_key(answer.get(HEADER..).unwrap_or_default(), length);
        answer.zeroize();
        Ok(key?)
    }

    /// Has a message carried, and gives the certificates that came with it. The same bytes are sent until they were carried:
    /// another message under this number would show its key stream.
    fn carry(&mut self, sealed: &Sealed, code: ExitCode) -> Result<Vec<u8>, RequestError> {
        let (request, response) = (self.shared_page(REQUEST), self.shared_page(RESPONSE));
        let mut room = if code == ExitCode::ExtendedGuestRequest { CERTIFICATE_PAGES } else { 0 };
        for _ in 0..PATIENCE {
            let machine = self.machine();
            machine.write_shared(offset(REQUEST), sealed.bytes());
            machine.write_shared(offset(RESPONSE), &[0; LEN]);
            let code = if room == 0 { ExitCode::GuestRequest } else { code };
            let mut call = Call::new(code, request, response);
            if room > 0 {
                for page in 0..room {
                    machine.write_shared(offset(CERTIFICATES + page), &[0; PAGE as usize]);
                }
                call = call.with(RAX, self.shared_page(CERTIFICATES)).with(RBX, room);
            }
            let page = self.ghcb();
            let info = call.make(self.machine(), page)?.info2();
            let [b0, b1, b2, b3, hypervisor @ ..] = info.to_le_bytes();
            match (u32::from_le_bytes([b0, b1, b2, b3]), u32::from_le_bytes(hypervisor)) {
                (0, 0) => return Ok(self.certificates(room)),
                (_, BUSY) => core::hint::spin_loop(),
                // More than there is room for: this time without them, and the message as it was.
                (_, MORE_PAGES) if room > 0 => room = 0,
                _ => return Err(RequestError::NotCarried { info }),
            }
        }
        Err(RequestError::NotCarried { info: u64::from(BUSY) << 32 })
    }

    /// One copy, out of the hypervisor's reach.
    fn answer(&mut self) -> Box<[u8; LEN]> {
        let mut answer = Box::new([0; LEN]);
        self.machine().read_shared(offset(RESPONSE), answer.as_mut_slice());
        answer
    }

    fn certificates(&mut self, pages: u64) -> Vec<u8> {
        let mut table = vec![0; usize::try_from(pages * PAGE).unwrap_or(0)];
        self.machine().read_shared(offset(CERTIFICATES), &mut table);
        // A host without certificates leaves the pages alone.
        if table.iter().all(|byte| *byte == 0) { Vec::new() } else { table }
    }
}

fn offset(page: u64) -> usize {
    usize::try_from(page.saturating_mul(PAGE)).unwrap_or(usize::MAX)
}

/// Reads `MSG_REPORT_RSP`: `length` bytes of `payload`.
pub fn read_report(payload: &[u8], length: usize) -> Result<Box<[u8; Report::LEN]>, MessageError> {
    let payload = payload.get(..length).ok_or(MessageError::Size { length })?;
    let (head, body) = payload.split_at_checked(BODY).ok_or(MessageError::Size { length })?;
    check_status(head)?;
    let size = word(head, 4);
    let (report, rest) = body.split_first_chunk().ok_or(MessageError::Size { length })?;
    if usize::try_from(size) != Ok(Report::LEN) || rest.iter().any(|byte| *byte != 0) {
        return Err(MessageError::Size { length });
    }
    Ok(Box::new(*report))
}

/// Reads `MSG_KEY_RSP`.
pub fn read_key(payload: &[u8], length: usize) -> Result<Zeroizing<[u8; DERIVED_KEY]>, MessageError> {
    let payload = payload.get(..length).ok_or(MessageError::Size { length })?;
    check_status(payload)?;
    if length != KEY_RESPONSE {
        return Err(MessageError::Size { length });
    }
    Ok(Zeroizing::new(array(payload, BODY)))
}

fn check_status(payload: &[u8]) -> Result<(), MessageError> {
    if payload.len() < 4 {
        return Err(MessageError::Size { length: payload.len() });
    }
    match word(payload, 0) {
        0 => Ok(()),
        status => Err(MessageError::Status { status }),
    }
}

/// A report that says something else than this guest knows would be of no use to it; a HOST_DATA that is not the digest
/// of the launch text means that the host launched one thing and told another.
fn check_report(
    report: &[u8; Report::LEN],
    report_data: &[u8; 64],
    host_data: &[u8; 32],
) -> Result<(), MessageError> {
    let wrong = |field| MessageError::Report { field };
    let report = Report::parse(report).map_err(|_| wrong("VERSION"))?;
    if report.vmpl != VMPL {
        return Err(wrong("VMPL"));
    }
    if report.report_data != *report_data {
        return Err(wrong("REPORT_DATA"));
    }
    if report.host_data != *host_data {
        return Err(wrong("HOST_DATA"));
    }
    Ok(())
}
