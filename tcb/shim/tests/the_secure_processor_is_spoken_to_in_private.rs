// SPDX-License-Identifier: Apache-2.0

//! Reports and keys come from the secure processor, whatever the hypervisor does to what it carries.

mod hypervisor;

use enarx_evidence::snp::{CertTable, Guid, Report};
use enarx_evidence::{Evidence, Format};
use enarx_shim::snp::GhcbError;
use enarx_shim::snp::guest::Guest;
use enarx_shim::snp::message::{Kind, MAX_PAYLOAD, MessageError, Talk};
use enarx_shim::snp::request::{Attested, KeyRequest, RequestError, host_data};
use enarx_shim::snp::secrets::{LEN, SecretsError, Vmpck};
use hypervisor::Hypervisor;
use hypervisor::processor::{DERIVED, HOST_DATA, KEY};
use proptest::prelude::*;

const REPORT_DATA: [u8; 64] = [0x77; 64];

/// A secrets page as the firmware writes it.
fn secrets() -> [u8; LEN] {
    let mut page = [0; LEN];
    page[0] = 3;
    page[0x20..0x40].copy_from_slice(&KEY);
    page[0x40..0xa0].fill(0xcc);
    page
}

fn talk() -> Talk {
    Talk::new(&Vmpck::take(&mut secrets()).unwrap())
}

fn started() -> (Hypervisor, Guest<Hypervisor>, Talk) {
    let hypervisor = Hypervisor::new();
    let guest = hypervisor.start().unwrap();
    (hypervisor, guest, talk())
}

fn report(guest: &mut Guest<Hypervisor>, talk: &mut Talk) -> Result<Attested, RequestError> {
    guest.report(talk, &REPORT_DATA, &HOST_DATA)
}

/// What comes of a report after the processor was changed.
fn refusal(change: impl FnOnce(&mut hypervisor::processor::SecureProcessor)) -> RequestError {
    let (hypervisor, mut guest, mut talk) = started();
    hypervisor.change(|world| change(&mut world.processor));
    let refusal = report(&mut guest, &mut talk).unwrap_err();
    // After an answer that could not be opened nobody speaks again; one that could be is an answer.
    let again = talk.seal(Kind::ReportRequest, Kind::ReportResponse, &[]);
    let opened = matches!(
        refusal,
        RequestError::Message(MessageError::Report { .. } | MessageError::Status { .. })
    ) || matches!(refusal, RequestError::Message(MessageError::Size { length }) if length <= MAX_PAYLOAD);
    assert_eq!(again.err(), (!opened).then_some(MessageError::Ended), "{refusal}");
    refusal
}

#[test]
fn a_report_over_the_very_bytes_comes_back() {
    let (hypervisor, mut guest, mut talk) = started();
    for count in [2, 4, 6] {
        let attested = report(&mut guest, &mut talk).unwrap();
        let read = Report::parse(attested.report.as_slice()).unwrap();
        assert_eq!((read.report_data, read.host_data, read.vmpl), (REPORT_DATA, HOST_DATA, 0));
        assert_eq!(attested.certificates, b"");
        hypervisor.change(|world| assert_eq!(world.processor.count, count));
    }
}

#[test]
fn a_derived_key_comes_back() {
    let (_, mut guest, mut talk) = started();
    let request = KeyRequest { fields: KeyRequest::FIELDS, guest_svn: 1, tcb_version: 2 };
    assert_eq!(*guest.derived_key(&mut talk, &request).unwrap(), DERIVED);
    assert!(report(&mut guest, &mut talk).is_ok());
}

#[test]
fn certificates_of_the_host_come_along_where_there_are_some() {
    let (hypervisor, mut guest, mut talk) = started();
    hypervisor.change(|world| world.certificates = vec![0x42; 5000]);
    let attested = report(&mut guest, &mut talk).unwrap();
    assert_eq!(attested.certificates.len(), 16 * 4096);
    assert_eq!(attested.certificates[..5000], [0x42; 5000]);
    assert!(attested.certificates[5000..].iter().all(|byte| *byte == 0));
    // More of them than there is room for: none, and the report all the same.
    hypervisor.change(|world| world.certificates = vec![0x42; 16 * 4096 + 1]);
    assert_eq!(report(&mut guest, &mut talk).unwrap().certificates, b"");
    hypervisor.change(|world| assert_eq!(world.exits[3..], [0x8000_0012, 0x8000_0012, 0x8000_0011]));
}

#[test]
fn what_travels_is_the_report_with_the_certificates_of_the_table() {
    let (hypervisor, mut guest, mut talk) = started();
    let table = CertTable { entries: vec![(Guid::VCEK, vec![1; 900]), (Guid::ASK, vec![2; 1600])] };
    hypervisor.change(|world| world.certificates = table.encode());
    let attested = report(&mut guest, &mut talk).unwrap();
    let bundle = attested.clone().into_bundle();
    assert_eq!(bundle.evidence, Evidence { format: Format::SevSnp, bytes: attested.report.to_vec() });
    assert_eq!(bundle.endorsements.items, [vec![1; 900], vec![2; 1600]]);
    // A table that is none adds nothing.
    hypervisor.change(|world| world.certificates = vec![0x42; 5000]);
    assert!(report(&mut guest, &mut talk).unwrap().into_bundle().endorsements.items.is_empty());
}

#[test]
fn host_data_is_the_digest_of_the_launch_text() {
    // FIPS 180-2, B.1.
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let hex: String = host_data(b"abc").iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, abc);
}

#[test]
fn a_busy_host_is_asked_again_with_the_same_bytes() {
    let (hypervisor, mut guest, mut talk) = started();
    hypervisor.change(|world| world.busy = 7);
    assert!(report(&mut guest, &mut talk).is_ok());
    hypervisor.change(|world| assert_eq!(world.exits.len(), 3 + 8));
}

#[test]
fn a_message_that_was_not_carried_is_the_last_one() {
    for info in [1_u64, 0x27, 3 << 32, u64::from(u32::MAX) << 32] {
        let (hypervisor, mut guest, mut talk) = started();
        hypervisor.change(|world| {
            world.change_ghcb = Some(Box::new(move |_, mut page| {
                page[0x3a0..0x3a8].copy_from_slice(&info.to_le_bytes());
                page
            }));
        });
        assert_eq!(report(&mut guest, &mut talk), Err(RequestError::NotCarried { info }));
        hypervisor.change(|world| world.change_ghcb = None);
        assert_eq!(report(&mut guest, &mut talk), Err(RequestError::Message(MessageError::Ended)));
    }
}

#[test]
fn a_refused_exit_is_the_last_one() {
    let (hypervisor, mut guest, mut talk) = started();
    hypervisor.change(|world| {
        world.change_ghcb = Some(Box::new(|_, mut page| {
            page[0x398] = 2;
            page
        }));
    });
    let refused = GhcbError::Refused { exit: 0x8000_0012, info1: 2, info2: 0 };
    assert_eq!(report(&mut guest, &mut talk), Err(RequestError::Ghcb(refused)));
    assert_eq!(report(&mut guest, &mut talk), Err(RequestError::Message(MessageError::Ended)));
}

#[test]
fn the_answer_to_an_earlier_request_is_none_to_this_one() {
    let (hypervisor, mut guest, mut talk) = started();
    assert!(report(&mut guest, &mut talk).is_ok());
    // The hypervisor keeps the page with the first answer, and gives it again.
    let first = hypervisor.change(|world| world.shared[0x2000..0x3000].to_vec());
    hypervisor.change(|world| {
        world.processor.change_sealed = Some(Box::new(move |page| page.clone_from(&first)));
    });
    let wrong = MessageError::Header { field: "MSG_SEQNO" };
    assert_eq!(report(&mut guest, &mut talk), Err(RequestError::Message(wrong)));
}

#[test]
fn an_answer_of_another_kind_is_refused() {
    let refused = |place: usize, value: u8| {
        refusal(move |processor| {
            processor.change_header = Some(Box::new(move |header| header[place] = value))
        })
    };
    let wrong = |field| RequestError::Message(MessageError::Header { field });
    assert_eq!(refused(0, 0), wrong("ALGO"));
    assert_eq!(refused(1, 2), wrong("ALGO"));
    assert_eq!(refused(2, 0x61), wrong("ALGO"));
    assert_eq!(refused(4, 4), wrong("MSG_TYPE"));
    assert_eq!(refused(4, 5), wrong("MSG_TYPE"));
    assert_eq!(refused(5, 2), wrong("MSG_VERSION"));
    assert_eq!(refused(12, 1), wrong("MSG_VMPCK"));
    // Longer than a page has room for.
    assert_eq!(refused(7, 0x10), RequestError::Message(MessageError::Size { length: 0x10c0 }));
    assert_eq!(refusal(|processor| processor.skew = 2), wrong("MSG_SEQNO"));
}

#[test]
fn a_payload_that_is_no_report_of_this_guest_is_refused() {
    let refused = |change: fn(&mut Vec<u8>)| {
        refusal(move |processor| processor.change_payload = Some(Box::new(change)))
    };
    let message = RequestError::Message;
    let report = |field| message(MessageError::Report { field });
    assert_eq!(refused(|payload| payload[0] = 0x16), message(MessageError::Status { status: 0x16 }));
    assert_eq!(refused(|payload| payload[4] = 0), message(MessageError::Size { length: 0x4c0 }));
    assert_eq!(refused(|payload| payload.truncate(0x4bf)), message(MessageError::Size { length: 0x4bf }));
    assert_eq!(refused(|payload| payload.truncate(3)), message(MessageError::Size { length: 3 }));
    assert_eq!(refused(|payload| payload.push(1)), message(MessageError::Size { length: 0x4c1 }));
    assert_eq!(refused(|payload| payload[0x20] = 9), report("VERSION"));
    assert_eq!(refused(|payload| payload[0x20 + 0x30] = 1), report("VMPL"));
    assert_eq!(refused(|payload| payload[0x20 + 0x50] ^= 1), report("REPORT_DATA"));
    assert_eq!(refused(|payload| payload[0x20 + 0xc0] ^= 1), report("HOST_DATA"));
}

#[test]
fn a_launch_text_that_the_host_data_does_not_stand_for_is_refused() {
    let (_, mut guest, mut talk) = started();
    let wrong = MessageError::Report { field: "HOST_DATA" };
    assert_eq!(guest.report(&mut talk, &REPORT_DATA, &[0; 32]), Err(RequestError::Message(wrong)));
}

#[test]
fn the_secrets_page_is_read_strictly_and_its_keys_are_erased() {
    let take = |change: fn(&mut [u8; LEN])| {
        let mut page = secrets();
        change(&mut page);
        let taken = Vmpck::take(&mut page);
        assert!(page[0x20..0xa0].iter().all(|byte| *byte == 0), "keys are left");
        taken.map(drop)
    };
    assert_eq!(take(|_| ()), Ok(()));
    assert_eq!(take(|page| page[0] = 2), Ok(()));
    assert_eq!(take(|page| page[0] = 4), Ok(()));
    assert_eq!(take(|page| page[0] = 1), Err(SecretsError::Version { version: 1 }));
    assert_eq!(take(|page| page[0] = 5), Err(SecretsError::Version { version: 5 }));
    assert_eq!(take(|page| page[3] = 1), Err(SecretsError::Version { version: 0x0100_0003 }));
    assert_eq!(take(|page| page[4] = 1), Err(SecretsError::Flags { flags: 1 }));
    assert_eq!(take(|page| page[7] = 0x80), Err(SecretsError::Flags { flags: 0x8000_0000 }));
    assert_eq!(take(|page| page[0x20..0x40].fill(0)), Err(SecretsError::NoKey));
    assert_eq!(format!("{:?}", Vmpck::take(&mut secrets()).unwrap()), "[redacted]");
}

#[test]
fn a_request_that_does_not_fit_is_not_sealed() {
    let mut talk = talk();
    let long = vec![0; MAX_PAYLOAD + 1];
    let sealed = talk.seal(Kind::ReportRequest, Kind::ReportResponse, &long);
    assert_eq!(sealed.err(), Some(MessageError::TooLong { length: MAX_PAYLOAD + 1 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn a_changed_bit_of_an_answer_is_noticed(
        place in prop_oneof![0_usize..16, 0x20_usize..0x28, 0x30_usize..0x60 + 0x4c0],
        bit in 0_u32..8,
    ) {
        let (hypervisor, mut guest, mut talk) = started();
        hypervisor.change(|world| {
            world.processor.change_sealed = Some(Box::new(move |page| page[place] ^= 1_u8 << bit));
        });
        let refusal = report(&mut guest, &mut talk);
        prop_assert!(matches!(
            refusal,
            Err(RequestError::Message(
                MessageError::NotAuthentic | MessageError::Header { .. } | MessageError::Size { .. }
            ))
        ), "{:?}", refusal);
        prop_assert_eq!(report(&mut guest, &mut talk), Err(RequestError::Message(MessageError::Ended)));
    }
}
