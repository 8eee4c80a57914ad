// SPDX-License-Identifier: Apache-2.0

//! Claims of Arm CCA tokens.

use enarx_evidence::ParseError;
use enarx_evidence::cca::{
    HashAlgorithm, MecPolicy, PlatformClaims, RealmClaims, SoftwareComponent, Token, Wrapping,
};
use enarx_evidence::cose::Sign1;

use super::Record;

pub(super) fn records(bytes: &[u8], records: &mut Vec<Record>) -> Result<(), ParseError> {
    let token = Token::parse(bytes)?;
    let mut record = Record::new("CCA token", "RMM, section A7.2; draft-ffm-rats-cca-token");
    record.field(
        "collection",
        match token.wrapping {
            Wrapping::Collection => "tag 399",
            Wrapping::Cmw => "tag 907",
        },
    );
    signature(&mut record, "platform", &token.platform)?;
    signature(&mut record, "realm", &token.realm)?;
    records.push(record);
    records.push(platform(&token.platform_claims));
    let components = token.platform_claims.components.iter().enumerate();
    records.extend(components.map(|(number, found)| component(number, found)));
    records.push(realm(&token.realm_claims));
    Ok(())
}

fn signature(record: &mut Record, whose: &str, message: &Sign1<'_>) -> Result<(), ParseError> {
    record.text(format!("{whose} algorithm"), format_args!("{:?}", message.algorithm()?));
    record.bytes(format!("{whose} signature"), message.signature);
    Ok(())
}

fn platform(claims: &PlatformClaims) -> Record {
    let mut record = Record::new("CCA platform claims", "RMM, section A7.2.3.2");
    record.field("profile", claims.profile.name());
    record.bytes("challenge", claims.challenge.as_bytes());
    record.bytes("implementation-id", claims.implementation_id);
    record.bytes("instance-id", claims.instance_id);
    record.bytes("config", &claims.config);
    record.text("lifecycle", claims.lifecycle);
    record.field("service indicator", claims.service.clone());
    record.text("hash-algo-id", claims.hash);
    record.field("client-id", claims.client_id);
    let optional = [
        ("manufacturing-config", &claims.manufacturing_config),
        ("extension", &claims.extension),
        ("tbb-rotpk", &claims.tbb_rotpk),
        ("peer-signers", &claims.peer_signers),
    ];
    for (name, value) in optional {
        record.field(name, value.as_ref().map(hex::encode));
    }
    record
}

fn component(number: usize, component: &SoftwareComponent) -> Record {
    let mut record = Record::new(format!("CCA software component {number}"), "RMM, section A7.2.3.2.7");
    record.field("measurement-type", component.kind.clone());
    record.bytes("measurement-value", component.measurement.as_bytes());
    record.field("version", component.version.clone());
    record.bytes("signer-id", component.signer.as_bytes());
    record.field("hash-algo-id", component.hash.map(HashAlgorithm::name));
    record
}

fn realm(claims: &RealmClaims) -> Record {
    let mut record = Record::new("CCA realm claims", "RMM, section A7.2.3.1");
    record.field("profile", claims.profile.name());
    record.bytes("challenge", claims.challenge);
    record.field("instance-id", claims.instance_id.map(hex::encode));
    record.bytes("personalization-value", claims.personalization);
    record.bytes("initial-measurement", claims.initial.as_bytes());
    for (number, value) in claims.extensible.iter().enumerate() {
        record.bytes(format!("extensible-measurement {number}"), value.as_bytes());
    }
    record.text("hash-algo-id", claims.hash);
    record.bytes("public-key", &claims.public_key);
    record.text("public-key-hash-algo-id", claims.public_key_hash);
    let policy = claims.mec_policy.map(|policy| match policy {
        MecPolicy::Shared => "shared",
        MecPolicy::Private => "private",
    });
    record.field("mec-policy", policy);
    record
}
