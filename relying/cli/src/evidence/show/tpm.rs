// SPDX-License-Identifier: Apache-2.0

//! Fields of TPM quotes. "Part 2" is that of the Trusted Platform Module Library Specification.

use enarx_evidence::ParseError;
use enarx_evidence::tpm::{
    Attest, AttestationKey, PcrValues, Public, PublicId, Quote, RsaPadding, Signature, TpmEvidence,
};

use super::{Record, endorsement};

pub(super) fn records(bytes: &[u8], records: &mut Vec<Record>) -> Result<(), ParseError> {
    let evidence = TpmEvidence::decode(bytes)?;
    quote(&evidence.quote, records);
    match &evidence.key {
        Some(AttestationKey::Public(key)) => records.push(public(key)),
        Some(AttestationKey::Spki(spki)) => records.push(endorsement::public_key(spki)?),
        None => {}
    }
    Ok(())
}

/// A quote with its signature and registers.
pub(super) fn quote(quote: &Quote, records: &mut Vec<Record>) {
    records.extend([attest(&quote.attest), signature(&quote.signature), registers(&quote.values)]);
}

pub(super) fn attest(attest: &Attest) -> Record {
    let mut record = Record::new("TPMS_ATTEST with TPMS_QUOTE_INFO", "Part 2, section 10.12.8");
    record.bytes("qualifiedSigner", &attest.qualified_signer);
    record.bytes("extraData", &attest.extra_data);
    record.field("clock", attest.clock.clock);
    record.field("resetCount", attest.clock.reset_count);
    record.field("restartCount", attest.clock.restart_count);
    record.field("safe", attest.clock.safe);
    record.text("firmwareVersion", format_args!("{:#018x}", attest.firmware_version));
    for selection in &attest.pcr_select {
        let numbers: Vec<_> = selection.numbers().map(|number| number.to_string()).collect();
        record.text("pcrSelect", format_args!("{} {}", selection.bank, numbers.join(", ")));
    }
    record.bytes("pcrDigest", &attest.pcr_digest);
    record
}

pub(super) fn signature(signature: &Signature) -> Record {
    let mut record = Record::new("TPMT_SIGNATURE", "Part 2, section 11.3.4");
    match signature {
        Signature::Rsa { padding, signature, .. } => {
            record.field(
                "sigAlg",
                match padding {
                    RsaPadding::Pkcs1 => "RSASSA",
                    RsaPadding::Pss => "RSAPSS",
                },
            );
            record.bytes("sig", signature);
        }
        Signature::Ecdsa { r, s, .. } => {
            record.field("sigAlg", "ECDSA");
            record.bytes("signatureR", r);
            record.bytes("signatureS", s);
        }
    }
    record.text("hash", signature.hash());
    record
}

pub(super) fn public(public: &Public) -> Record {
    let mut record = Record::new("TPMT_PUBLIC", "Part 2, section 12.2.4");
    record.text("nameAlg", public.name_alg);
    let attributes = public.attributes;
    record.text("objectAttributes", format_args!("{:#010x}", attributes.0));
    record.field("fixedTPM", attributes.fixed_tpm());
    record.field("fixedParent", attributes.fixed_parent());
    record.field("sensitiveDataOrigin", attributes.sensitive_data_origin());
    record.field("restricted", attributes.restricted());
    record.field("decrypt", attributes.decrypt());
    record.field("sign", attributes.sign());
    record.bytes("authPolicy", &public.auth_policy);
    record.text("scheme", format_args!("{:?}", public.scheme));
    match &public.id {
        PublicId::Rsa { bits, exponent, modulus } => {
            record.field("keyBits", *bits);
            record.field("exponent", *exponent);
            record.bytes("modulus", modulus);
        }
        PublicId::Ecc { curve, x, y } => {
            record.text("curveID", format_args!("{curve:?}"));
            record.bytes("x", x);
            record.bytes("y", y);
        }
    }
    record
}

pub(super) fn registers(values: &PcrValues) -> Record {
    let mut record = Record::new("values of platform configuration registers", "Part 2, section 10.9.7");
    for (bank, registers) in &values.banks {
        for (number, value) in registers {
            record.bytes(format!("{bank} PCR{number}"), value);
        }
    }
    record
}
