// SPDX-License-Identifier: Apache-2.0

//! The codes of refusals. They are part of the interface: programs go by them, so none is renamed or reused.

use core::fmt;

use serde::{Serialize, Serializer};

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $name:literal, hint: $hint:literal;)+) => {
        /// Why evidence is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $code,)+ }

        impl Code {
            /// All of them, in the order of the checks.
            pub const ALL: &[Self] = &[$(Self::$code,)+];

            /// The code as programs and tests see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => $name,)+ }
            }

            /// What to do about it.
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$code => $hint,)+ }
            }
        }
    };
}

codes! {
    /// The evidence is of a kind that this version cannot appraise.
    EvidenceFormatUnsupported = "evidence-format-unsupported",
        hint: "update `enarx`, or ask the host for evidence of a kind that it supports";
    /// The evidence is not what its format prescribes.
    EvidenceMalformed = "evidence-malformed",
        hint: "the host sent damaged evidence, or a newer version of its format than this `enarx` knows";
    /// A certificate or revocation list is not what its format prescribes.
    EndorsementMalformed = "endorsement-malformed",
        hint: "the host sent damaged endorsements; it should fetch them again from the vendor";
    /// There are more certificates and lists, or larger ones, than any genuine set has.
    EndorsementsTooMany = "endorsements-too-many",
        hint: "the host should send the chain and the revocation list of its own processor and nothing \
               else";
    /// The host switched the signing key off, and the report proves nothing.
    SigningKeyNone = "signing-key-none", hint: "the host must set `MaskChipKey` to 0 (SNP_CONFIG)";
    /// The certificate of the key that signed the report is not among the endorsements.
    KeyCertificateMissing = "key-certificate-missing",
        hint: "the host should send the VCEK or VLEK certificate that goes with its reported TCB";
    /// The certified key cannot have signed a report.
    KeyUnsupported = "key-unsupported", hint: "the host sent the certificate of another key";
    /// The certificate of the intermediate authority is not among the endorsements.
    IssuerMissing = "issuer-missing",
        hint: "the host should send the certificate chain of its processor's generation";
    /// The certificate of the root authority is not among the endorsements.
    RootMissing = "root-missing",
        hint: "the host should send the certificate chain of its processor's generation";
    /// The chain ends in a root that is no vendor's.
    RootNotTrusted = "root-not-trusted", hint: "no genuine platform has this root: do not trust this host";
    /// The platform is simulated, and the policy does not accept this simulated root.
    SimulatedNotAccepted = "simulated-not-accepted",
        hint: "a simulated platform protects nothing; to accept it nevertheless, for a trial, add to the \
               policy: `[simulated]`, `accept = true`, `roots = [\"sha256:…\"]` with the root that was \
               found";
    /// A certificate was not signed by its issuer.
    CertificateSignatureInvalid = "certificate-signature-invalid",
        hint: "the host sent a forged or damaged certificate; it should fetch the chain again from the \
               vendor";
    /// A certificate is no longer valid.
    CertificateExpired = "certificate-expired",
        hint: "the host should fetch the certificate again from the vendor";
    /// A certificate is not valid yet.
    CertificateNotYetValid = "certificate-not-yet-valid", hint: "check the clock of this machine";
    /// A certificate has a critical extension that is not understood here.
    CertificateUnsupported = "certificate-unsupported", hint: "update `enarx`";
    /// A certificate that issued another one is not that of an authority.
    IssuerNotAuthority = "issuer-not-authority", hint: "the host sent a forged chain";
    /// The vendor revoked a certificate of the chain.
    CertificateRevoked = "certificate-revoked",
        hint: "the host should fetch the current chain from the vendor; if it is revoked too, do not trust \
               this platform";
    /// There is no revocation list of the root, so nobody knows what was revoked.
    CrlMissing = "crl-missing",
        hint: "the host should send the vendor's current list; a policy can do without by `[collateral]`, \
               `crl = \"absent-accepted\"`";
    /// The revocation list is too old.
    CrlExpired = "crl-expired", hint: "the host should fetch the vendor's current list";
    /// The revocation list is from the future.
    CrlNotYetValid = "crl-not-yet-valid", hint: "check the clock of this machine";
    /// The revocation list was not signed by the root.
    CrlSignatureInvalid = "crl-signature-invalid",
        hint: "the host sent a forged or damaged list; it should fetch it again from the vendor";
    /// The revocation list has a critical extension that is not understood here, or its root may not sign lists.
    CrlUnsupported = "crl-unsupported", hint: "update `enarx`";
    /// Nothing says which product the platform is.
    ProductUnknown = "product-unknown", hint: "update `enarx` if the processor is newer than it";
    /// Report, certificate and root are not of one generation of processors.
    ProductMismatch = "product-mismatch", hint: "the host sent the certificates of another machine";
    /// The certificate is that of another chip.
    ChipIdMismatch = "chip-id-mismatch",
        hint: "the host should send the VCEK certificate of the chip that the report names";
    /// The certificate is for another TCB version than the one reported.
    TcbMismatch = "tcb-mismatch", hint: "the host should send the certificate for its reported TCB";
    /// The report names a signature algorithm that is not defined.
    SignatureAlgorithmUnsupported = "signature-algorithm-unsupported", hint: "the host sent damaged evidence";
    /// The evidence was not signed by the certified key.
    ReportSignatureInvalid = "report-signature-invalid",
        hint: "the evidence was forged or damaged: do not trust this host";
    /// The evidence is not bound to this session.
    ReportDataMismatch = "report-data-mismatch",
        hint: "the evidence was made for another session or by another Keep: do not trust this host";
    /// The quote says that it was made by a quoting enclave that is not Intel's.
    QeVendorUnknown = "qe-vendor-unknown", hint: "update `enarx` if Intel has a new quoting enclave";
    /// The quoting enclave made another attestation key than the one in the quote.
    AttestationKeyMismatch = "attestation-key-mismatch",
        hint: "the evidence was forged or damaged: do not trust this host";
    /// The quote was not signed by the attestation key.
    QuoteSignatureInvalid = "quote-signature-invalid",
        hint: "the evidence was forged or damaged: do not trust this host";
    /// The certificate of the platform's key (PCK) is neither in the quote nor among the endorsements.
    PckCertificateMissing = "pck-certificate-missing",
        hint: "the host should configure its quoting service to fetch the PCK certificate, or send it";
    /// The report of the quoting enclave was not signed by the platform's key.
    QeReportSignatureInvalid = "qe-report-signature-invalid",
        hint: "the evidence was forged or damaged: do not trust this host";
    /// There is no TCB info, so nobody knows whether the platform is safe.
    TcbInfoMissing = "tcb-info-missing",
        hint: "the host should send Intel's current TCB info for its platform; a policy can do without by \
               `[collateral]`, `tcb_info = \"absent-accepted\"`";
    /// TCB info was not signed by Intel.
    TcbInfoSignatureInvalid = "tcb-info-signature-invalid",
        hint: "the host sent forged or damaged TCB info; it should fetch it again from Intel";
    /// TCB info is too old.
    TcbInfoExpired = "tcb-info-expired", hint: "the host should fetch Intel's current TCB info";
    /// TCB info is from the future.
    TcbInfoNotYetValid = "tcb-info-not-yet-valid", hint: "check the clock of this machine";
    /// TCB info is about another kind of trusted execution environment.
    TcbInfoMismatch = "tcb-info-mismatch",
        hint: "the host should send TCB info for the kind of evidence that it sends";
    /// TCB info is about another kind of platform.
    FmspcMismatch = "fmspc-mismatch", hint: "the host should send TCB info for its own platform";
    /// TCB info is about another provisioning certification enclave.
    PceIdMismatch = "pce-id-mismatch", hint: "the host should send TCB info for its own platform";
    /// There is no identity of the quoting enclave, so nobody knows whether it is Intel's.
    QeIdentityMissing = "qe-identity-missing",
        hint: "the host should send Intel's current identity of the quoting enclave; a policy can do without by \
               `[collateral]`, `tcb_info = \"absent-accepted\"`";
    /// The identity of the quoting enclave was not signed by Intel.
    QeIdentitySignatureInvalid = "qe-identity-signature-invalid",
        hint: "the host sent a forged or damaged identity; it should fetch it again from Intel";
    /// The identity of the quoting enclave is too old.
    QeIdentityExpired = "qe-identity-expired",
        hint: "the host should fetch Intel's current identity of the quoting enclave";
    /// The identity of the quoting enclave is from the future.
    QeIdentityNotYetValid = "qe-identity-not-yet-valid", hint: "check the clock of this machine";
    /// The identity is that of another enclave than the one that makes such quotes.
    QeIdentityMismatch = "qe-identity-mismatch",
        hint: "the host should send the identity `TD_QE` for TDX and `QE` for SGX";
    /// The certificate of the key that signs TCB info is not among the endorsements.
    TcbSignerMissing = "tcb-signer-missing",
        hint: "the host should send the issuer chain that Intel answers with TCB info";
    /// TCB info and the platform's certificate are of different vendors.
    TcbSignerMismatch = "tcb-signer-mismatch",
        hint: "what a simulated vendor says about platforms says nothing about genuine ones: do not trust this host";
    /// The quoting enclave was signed by another key than Intel's.
    QeSignerMismatch = "qe-signer-mismatch", hint: "the quote was not made by Intel's quoting enclave: do not trust this host";
    /// The quoting enclave was created with other options than Intel's.
    QeMiscSelectMismatch = "qe-misc-select-mismatch",
        hint: "the quote was not made by Intel's quoting enclave: do not trust this host";
    /// The quoting enclave was created with other attributes than Intel's, such as debugging.
    QeAttributesMismatch = "qe-attributes-mismatch",
        hint: "the quote was not made by Intel's quoting enclave: do not trust this host";
    /// The enclave is another product of Intel's than the quoting enclave.
    QeProductMismatch = "qe-product-mismatch",
        hint: "the quote was not made by Intel's quoting enclave: do not trust this host";
    /// The quoting enclave is older than every version that Intel says something about.
    QeVersionUnknown = "qe-version-unknown", hint: "the operator of the host should update its quoting enclave";
    /// The TDX module was signed by another key than Intel's.
    TdxModuleSignerMismatch = "tdx-module-signer-mismatch", hint: "the host runs a TDX module that is not Intel's";
    /// The TDX module has other attributes than Intel's.
    TdxModuleAttributesMismatch = "tdx-module-attributes-mismatch",
        hint: "the host runs a TDX module that is not for production";
    /// Intel says nothing about TDX modules of this major version.
    TdxModuleUnknown = "tdx-module-unknown",
        hint: "the host should update its TDX module, or fetch Intel's current TCB info";
    /// The TDX module is older than every version that Intel says something about.
    TdxModuleVersionUnknown = "tdx-module-version-unknown",
        hint: "the operator of the host should update its TDX module";
    /// The platform is older than every TCB level that Intel says something about.
    TcbLevelMissing = "tcb-level-missing",
        hint: "the operator of the host should update its firmware and microcode";
    /// The policy does not accept what Intel thinks of the platform's TCB.
    TcbStatusNotAccepted = "tcb-status-not-accepted",
        hint: "the operator of the host should update its firmware; a policy can accept the status by `[intel]`, \
               `tcb_status`";
    /// The platform is vulnerable to something that the policy does not accept.
    AdvisoryNotAccepted = "advisory-not-accepted",
        hint: "read the advisory; if it does not concern you, name it in `[intel]`, `advisories_accepted`";
    /// Intel judged the platform anew since, and the policy wants to know how.
    TcbEvaluationTooOld = "tcb-evaluation-too-old",
        hint: "the host should send the newest TCB info and identity (`update=early` in Intel's service)";
    /// The platform's TCB is of a time before the one that the policy wants.
    TcbDateTooOld = "tcb-date-too-old",
        hint: "the operator of the host should update its firmware, microcode, TDX module and quoting enclave";
    /// The TD or enclave was created with attributes that are not understood here.
    AttributesUnknown = "attributes-unknown", hint: "update `enarx`";
    /// The TD or enclave was created with processor states that are not understood here.
    ExtendedStateUnknown = "extended-state-unknown", hint: "update `enarx`";
    /// The host may inject exceptions into the TD by taking pages away.
    SeptVeEnabled = "sept-ve-enabled",
        hint: "the host must launch Keeps with SEPT_VE_DISABLE; a policy can accept it by `[intel]`, \
               `sept_ve_enabled = \"accept\"`";
    /// Service TDs are bound to the TD that the policy does not accept.
    ServiceTdNotAccepted = "service-td-not-accepted",
        hint: "name the digest in `[intel]`, `service_tds`, only if you know what these TDs do";
    /// The policy does not accept the measurement of the TDX module.
    TdxModuleNotAccepted = "tdx-module-not-accepted",
        hint: "add the measurement to `[intel]`, `tdx_modules`, if you trust this module";
    /// The evidence follows a profile that is not known here.
    ProfileUnsupported = "profile-unsupported",
        hint: "update `enarx`, or ask the host for evidence of a profile that it supports";
    /// Neither the key of the platform nor a certificate of it is among the endorsements.
    PlatformKeyMissing = "platform-key-missing",
        hint: "the host should send the attestation key of its platform, as a `COSE_Key`, or a certificate of it";
    /// The platform token was not signed by the platform's key.
    PlatformSignatureInvalid = "platform-signature-invalid",
        hint: "the evidence was forged or damaged, or is of another platform: do not trust this host";
    /// The realm token was not signed by the realm's attestation key.
    RealmSignatureInvalid = "realm-signature-invalid",
        hint: "the evidence was forged or damaged: do not trust this host";
    /// The platform vouches for another attestation key than that of the realm.
    RealmKeyMismatch = "realm-key-mismatch",
        hint: "the host put tokens of different machines together: do not trust this host";
    /// The evidence says that it was made when its key was not valid.
    TimestampOutsideValidity = "timestamp-outside-validity",
        hint: "the evidence was forged or damaged: do not trust this host";
    /// The evidence says that it was made in the future.
    TimestampInFuture = "timestamp-in-future", hint: "check the clock of this machine";
    /// No rule of the policy allows this platform.
    PlatformNotAllowed = "platform-not-allowed", hint: "add an `[[allow]]` rule if you trust this product";
    /// A rule of the policy denies this platform.
    ProductDenied = "product-denied", hint: "use another host, or remove the rule if you changed your mind";
    /// A security patch level is below the policy's minimum.
    TcbTooOld = "tcb-too-old", hint: "the operator of the host should update its firmware and microcode";
    /// The policy allows the product but states no minimum TCB for it.
    TcbMinimumMissing = "tcb-minimum-missing", hint: "add `[minimum_tcb.…]` for the product";
    /// The guest was launched with permissions that are not understood here.
    GuestPolicyUnknown = "guest-policy-unknown", hint: "update `enarx`";
    /// The host may read the Keep's memory by debug commands.
    DebugAllowed = "debug-allowed",
        hint: "the host must launch Keeps without debugging; for a trial a policy can accept it by \
               `[guest]`, `debug = \"accept\"`";
    /// A migration agent may move the Keep, and its memory, elsewhere.
    MigrationAllowed = "migration-allowed",
        hint: "the host must launch Keeps without a migration agent; a policy can accept it by `[guest]`, \
               `migration = \"accept\"`";
    /// The report was asked for by code of a privilege level that the policy does not accept.
    VmplNotAccepted = "vmpl-not-accepted",
        hint: "list the level in `[guest]`, `vmpl`, if you know which code has it";
    /// The report is signed with a key of the cloud provider, not of the chip.
    VlekNotAccepted = "vlek-not-accepted",
        hint: "use a host that signs with its chip's key; a policy can accept the other by `[guest]`, \
               `vlek = \"accept\"`";
    /// Other code may run on the second thread of a core.
    SmtAllowed = "smt-allowed",
        hint: "the host must launch Keeps without SMT; a policy can accept it by `[guest]`, `smt = \
               \"accept\"`";
    /// The platform's root of trust is not closed, so that others can use its keys.
    LifecycleNotSecured = "lifecycle-not-secured",
        hint: "use another host: this one is still being built, or was opened for repair";
    /// The platform runs firmware that the policy does not accept.
    PlatformSoftwareNotAccepted = "platform-software-not-accepted",
        hint: "add the measurement to `[cca]`, `software`, if you know what it is; a rule can accept any by \
               `minimum_tcb = \"not-checked\"`";
    /// The policy does not accept the Keep's measurement.
    MeasurementNotAccepted = "measurement-not-accepted",
        hint: "the host runs another Keep than you expect; add its measurement to `[keep]`, \
               `measurements`, only if you know who built it";
    /// More code was started after the launch, and the policy does not accept the measurement of it.
    RegisterNotAccepted = "register-not-accepted",
        hint: "the host started more than the Keep; if you know what, add the value to `[keep.registers]`";
    /// No attestation key of the TPM was sent, and no certificate of one.
    TpmKeyMissing = "tpm-key-missing", hint: "the host should send the certificate of its attestation key";
    /// Nobody that is known vouches for the attestation key.
    TpmKeyNotEndorsed = "tpm-key-not-endorsed",
        hint: "name the key as a trust root if you know whose TPM it is, or ask the host for its certificate";
    /// The attestation key is one that could also sign what did not come from the TPM.
    TpmKeyAttributes = "tpm-key-attributes",
        hint: "the host should quote with a restricted signing key that its TPM made itself";
    /// The attestation key did not sign the quote.
    TpmSignatureInvalid = "tpm-signature-invalid",
        hint: "the quote was forged or damaged, or is another machine's: do not trust this host";
    /// The host did not send the values of all registers that the quote is about.
    PcrValuesMissing = "pcr-values-missing", hint: "the host should send the values with the quote";
    /// The values of the registers are not those of the quote.
    PcrDigestMismatch = "pcr-digest-mismatch",
        hint: "the host sent other values than its TPM has, or read them at another time";
    /// The quote is not about a register that the policy names.
    RegisterNotQuoted = "register-not-quoted",
        hint: "the host should quote every register that the policy names";
    /// Only SHA-1 speaks for a register or for the quote, and collisions of it can be made.
    WeakHashNotAccepted = "weak-hash-not-accepted",
        hint: "the host should quote another bank; a policy can accept SHA-1 by `[tpm]`, `sha1 = \"accept\"`";
    /// The hardware does not vouch for the runtime data, which name the keys of the virtual TPM.
    RuntimeDataMismatch = "runtime-data-mismatch",
        hint: "the host exchanged the keys of the virtual TPM: do not trust this host";
    /// The TDREPORT in the HCL report is not that of the machine that the TD quote is about.
    TdReportMismatch = "td-report-mismatch",
        hint: "the host put parts of two machines together: do not trust this host";
    /// The key of the device was made for other firmware than the report names.
    FirmwareIdMismatch = "firmware-id-mismatch", hint: "the host sent the certificates of another device";
    /// The content of a reference manifest is not what its signature is about.
    ManifestDigestMismatch = "manifest-digest-mismatch",
        hint: "the host sent an altered manifest; it should fetch it again from NVIDIA";
    /// A reference manifest was not signed by the key that it names.
    ManifestSignatureInvalid = "manifest-signature-invalid",
        hint: "the host sent a forged or damaged manifest; it should fetch it again from NVIDIA";
    /// A reference manifest is about another driver or VBIOS than the device has.
    ManifestForeign = "manifest-foreign",
        hint: "the host should send the manifests of its own driver and VBIOS and no other";
    /// A measurement is not what a reference manifest says.
    ManifestMeasurementMismatch = "manifest-measurement-mismatch",
        hint: "the device runs other firmware than NVIDIA published: do not trust this host";
    /// The revocation list is older than the policy wants.
    CrlTooOld = "crl-too-old",
        hint: "the host should fetch the vendor's current list; the policy asks for a newer one by `[collateral]`, \
               `maximum_age_days`";
    /// TCB info is older than the policy wants.
    TcbInfoTooOld = "tcb-info-too-old",
        hint: "the host should fetch Intel's current TCB info; the policy asks for a newer one by `[collateral]`, \
               `maximum_age_days`";
    /// The identity of the quoting enclave is older than the policy wants.
    QeIdentityTooOld = "qe-identity-too-old",
        hint: "the host should fetch Intel's current identity of the quoting enclave; the policy asks for a newer one \
               by `[collateral]`, `maximum_age_days`";
    /// The guest may run on several sockets.
    SeveralSocketsAllowed = "several-sockets-allowed",
        hint: "launch the Keep with the guest policy bit SINGLE_SOCKET";
    /// Nothing hides the ciphertext in memory from the host.
    CiphertextVisible = "ciphertext-visible",
        hint: "the host must switch ciphertext hiding on, which processors from Turin on can";
    /// The firmware has not checked memory for addresses that are aliases of others.
    AliasesUnchecked = "aliases-unchecked",
        hint: "the operator of the host should update its firmware, which then checks memory modules at every start";
    /// The host may read how much power the processor draws.
    PowerReadingsAllowed = "power-readings-allowed",
        hint: "the host must switch RAPL off, or the Keep be launched with the guest policy bit RAPL_DIS";
    /// Memory or devices may be attached by CXL.
    CxlAllowed = "cxl-allowed", hint: "launch the Keep without the guest policy bit CXL_ALLOW";
    /// The guest was launched with a key that the policy does not name.
    LaunchKeyNotAccepted = "launch-key-not-accepted",
        hint: "launch the Keep without an ID block, or name its keys in `[snp]`, `id_keys` and `author_keys`";
    /// The provisioning certification enclave is older than the policy wants.
    PceTooOld = "pce-too-old",
        hint: "the operator of the host should update its SGX platform software and register the platform anew";
    /// The quoting enclave is older than the policy wants.
    QeTooOld = "qe-too-old", hint: "the operator of the host should update its quoting enclave";
    /// The TDX module is older than the policy wants.
    TdxModuleTooOld = "tdx-module-too-old", hint: "the operator of the host should update its TDX module";
    /// The TD has an attribute that the policy does not accept.
    AttributeNotAccepted = "attribute-not-accepted",
        hint: "launch the Keep without it, or name it in `[intel]`, `td_attributes`";
    /// A processor state is on that the policy does not accept.
    ExtendedStateNotAccepted = "extended-state-not-accepted",
        hint: "launch the Keep without it, or name it in `[intel]`, `extended_states`";
    /// The policy does not accept who signed the TDX module.
    TdxModuleSignerNotAccepted = "tdx-module-signer-not-accepted",
        hint: "add the signer to `[intel]`, `tdx_module_signers`, if you trust its modules";
    /// The policy is not about this workload.
    WorkloadNotAccepted = "workload-not-accepted",
        hint: "add the digest to `[workload]`, `digests`, if this workload may run under the policy";
    /// The policy is not for this owner.
    OwnerNotAccepted = "owner-not-accepted",
        hint: "add the key to `[workload]`, `owners`, if its owner may use the policy";
    /// A feed of advisories that the relying party listens to is about this platform or Keep.
    AdvisoryDenies = "advisory-denies",
        hint: "read the reference: the operator of the host may have to update its firmware; until then use another \
               host. To no longer listen to the feed: `enarx advisory rm`";
    /// A feed of advisories is past its last day, so that nobody knows what its issuer would deny today.
    AdvisoryFeedExpired = "advisory-feed-expired",
        hint: "get the feed's current version from its issuer and `enarx advisory import` it";
    /// The policy names a measurement that the relying party does not know.
    ReferenceValueMissing = "reference-value-missing",
        hint: "supply a reference value of that name, or write the measurement into the policy";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_code_has_its_own_kebab_case_name() {
        let names = Code::ALL.iter().map(|code| code.as_str()).collect::<BTreeSet<_>>();
        assert_eq!(names.len(), Code::ALL.len());
        for name in names {
            assert!(name.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase()), "{name}");
        }
    }
}
