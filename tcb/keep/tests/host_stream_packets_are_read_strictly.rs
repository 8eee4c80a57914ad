// SPDX-License-Identifier: Apache-2.0

//! Both ends of the host stream read each other's packets and nothing else.

use std::borrow::Cow;

use enarx_keep::launch::{Backend, Launch, LaunchError};
use enarx_keep::wire::{
    EVIDENCE_HEADER, Layer, MAX_EVIDENCE, MAX_LAUNCH, MAX_PACKET, PacketError, SandboxReport, ToHost, ToKeep,
    decode_evidence_header, encode_evidence,
};

fn layer(name: &'static str, active: bool, detail: &'static str) -> Layer {
    Layer { name: Cow::Borrowed(name), active, detail: Cow::Borrowed(detail) }
}

#[test]
fn packets_survive_the_way() {
    let launch = ToKeep::Launch("enarx-launch-1 backend=process".into());
    assert_eq!(ToKeep::decode(&launch.encode()), Ok(launch));
    let open = ToKeep::Open { port: 0x0102_0304 };
    assert_eq!(open.encode(), [3, 4, 3, 2, 1]);
    assert_eq!(ToKeep::decode(&open.encode()), Ok(open));
    let connect = ToHost::Connect { port: 2 };
    assert_eq!(connect.encode(), [4, 2, 0, 0, 0]);
    assert_eq!(ToHost::decode(&connect.encode()), Ok(connect));
    let report = SandboxReport {
        layers: vec![layer("user-namespace", true, ""), layer("landlock", false, "no \"such\" call")],
    };
    let sandbox = ToHost::Sandbox(report.clone());
    assert_eq!(ToHost::decode(&sandbox.encode()), Ok(sandbox));
    assert_eq!(report.missing().map(|layer| &*layer.name).collect::<Vec<_>>(), ["landlock"]);
}

#[test]
fn the_report_is_the_documented_json() {
    let report = SandboxReport { layers: vec![layer("user-namespace", true, "")] };
    let packet = ToHost::Sandbox(report).encode();
    assert_eq!(packet[0], 2);
    assert_eq!(&packet[1..], br#"{"layers":[{"name":"user-namespace","active":true,"detail":""}]}"#);
}

#[test]
fn a_report_that_is_too_long_keeps_its_layers() {
    let long = Layer { name: "seccomp".into(), active: false, detail: "x".repeat(MAX_PACKET).into() };
    let packet = ToHost::Sandbox(SandboxReport { layers: vec![long] }).encode();
    let Ok(ToHost::Sandbox(report)) = ToHost::decode(&packet) else { panic!("not a report") };
    assert_eq!(report.layers, [layer("seccomp", false, "")]);
}

#[test]
fn other_packets_are_refused() {
    assert_eq!(ToKeep::decode(&[]), Err(PacketError::Empty));
    assert_eq!(ToHost::decode(&[]), Err(PacketError::Empty));
    // Each direction has its own kinds.
    assert_eq!(ToKeep::decode(&[4, 1, 0, 0, 0]), Err(PacketError::Kind { kind: 4 }));
    assert_eq!(ToHost::decode(&[3, 1, 0, 0, 0]), Err(PacketError::Kind { kind: 3 }));
    assert_eq!(ToKeep::decode(&[3, 1, 0, 0]), Err(PacketError::Length { kind: "open", length: 3 }));
    assert_eq!(ToKeep::decode(&[3, 1, 0, 0, 0, 0]), Err(PacketError::Length { kind: "open", length: 5 }));
    assert_eq!(ToKeep::decode(&[1, 0xff]), Err(PacketError::Text));
    assert_eq!(ToHost::decode(&[5, 0]), Err(PacketError::Length { kind: "provisioned", length: 1 }));
    assert_eq!(ToHost::decode(b"\x02{}"), Err(PacketError::Report));
    assert_eq!(ToHost::decode(b"\x02{\"layers\":[],\"more\":1}"), Err(PacketError::Report));
    let long = [&[1][..], &vec![b'a'; MAX_LAUNCH + 1]].concat();
    assert_eq!(ToKeep::decode(&long), Err(PacketError::Length { kind: "launch", length: MAX_LAUNCH + 1 }));
}

#[test]
fn evidence_has_a_length_in_front_and_a_limit() {
    let answer = encode_evidence(Some(b"bundle"));
    let header: [u8; EVIDENCE_HEADER] = answer[..EVIDENCE_HEADER].try_into().unwrap();
    assert_eq!(decode_evidence_header(header), Ok(Some(6)));
    assert_eq!(&answer[EVIDENCE_HEADER..], b"bundle");
    assert_eq!(encode_evidence(None), [0; 4]);
    assert_eq!(encode_evidence(Some(&vec![0; MAX_EVIDENCE + 1])), [0; 4]);
    assert_eq!(decode_evidence_header([0; 4]), Ok(None));
    let over = MAX_EVIDENCE + 1;
    assert_eq!(
        decode_evidence_header(u32::try_from(over).unwrap().to_le_bytes()),
        Err(PacketError::Length { kind: "evidence", length: over })
    );
}

#[test]
fn a_launch_configuration_is_understood_whole_or_refused() {
    let launch = Launch::parse("enarx-launch-1 backend=process require-sandbox=all").unwrap();
    assert_eq!((launch.backend, launch.require_sandbox), (Backend::Process, true));
    assert!(!Launch::parse("enarx-launch-1 backend=process").unwrap().require_sandbox);
    assert_eq!(Launch::parse(""), Err(LaunchError::Version));
    assert_eq!(Launch::parse("enarx-launch-2 backend=process"), Err(LaunchError::Version));
    assert_eq!(Launch::parse("enarx-launch-1"), Err(LaunchError::Missing { name: "backend" }));
    let second = Err(LaunchError::Setting { number: 2 });
    assert_eq!(Launch::parse("enarx-launch-1 backend=process require-sandbox=some"), second);
    assert_eq!(Launch::parse("enarx-launch-1 backend=process backend=process"), second);
    assert_eq!(Launch::parse("enarx-launch-1 backend=process "), second);
    assert_eq!(Launch::parse("enarx-launch-1 backend"), Err(LaunchError::Setting { number: 1 }));
}

#[test]
fn a_launch_configuration_of_a_virtual_machine_says_how_large_it_is() {
    let text = "enarx-launch-1 backend=vm memory-mib=512 tsc-khz=2400000";
    let launch = Launch::parse(text).unwrap();
    assert_eq!((launch.backend, launch.memory_mib, launch.tsc_khz), (Backend::Vm, 512, Some(2_400_000)));
    assert_eq!(launch.text, text);
    let launch = Launch::parse("enarx-launch-1 memory-mib=16 backend=qemu").unwrap();
    assert_eq!((launch.backend, launch.memory_mib, launch.tsc_khz), (Backend::Qemu, 16, None));
    assert!(Launch::parse("enarx-launch-1 backend=vm memory-mib=65536").is_ok());
    assert_eq!(Launch::parse("enarx-launch-1 backend=vm"), Err(LaunchError::Missing { name: "memory-mib" }));
    for (setting, name) in [("memory-mib=512", "memory-mib"), ("tsc-khz=2400000", "tsc-khz")] {
        let text = format!("enarx-launch-1 backend=process {setting}");
        assert_eq!(Launch::parse(&text), Err(LaunchError::NotForProcess { name }));
    }
    for setting in [
        "memory-mib=15",
        "memory-mib=65537",
        "memory-mib=+512",
        "memory-mib=0512",
        "memory-mib=",
        "memory-mib=99999999999999999999",
        "tsc-khz=99999",
        "tsc-khz=10000001",
        "tsc-khz=2400000 tsc-khz=2400000",
        "backend=qemu",
    ] {
        let text = format!("enarx-launch-1 backend=vm memory-mib=512 {setting}");
        let refused = if setting.starts_with("tsc-khz=2") { 4 } else { 3 };
        assert_eq!(Launch::parse(&text), Err(LaunchError::Setting { number: refused }), "{setting}");
    }
}
