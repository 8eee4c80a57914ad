// SPDX-License-Identifier: Apache-2.0

//! What is checked: the name of each check, the section that it follows, and why it matters. 56860 and 57230 are
//! AMD's publications, see [`enarx_evidence::snp`]; those of Intel are named in [`enarx_evidence::dcap`].

macro_rules! subjects {
    ($($subject:ident = $name:literal, $section:literal, why: $why:literal;)+) => {
        /// The subject of a check.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Subject { $($subject,)+ }

        impl Subject {
            /// What is checked.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$subject => $name,)+ }
            }

            /// The section of a specification that the check follows.
            pub(crate) const fn section(self) -> &'static str {
                match self { $(Self::$subject => $section,)+ }
            }

            /// Why it matters.
            pub(crate) const fn why(self) -> &'static str {
                match self { $(Self::$subject => $why,)+ }
            }
        }
    };
}

subjects! {
    Evidence = "evidence", "56860, section 7.3",
        why: "bytes that are not what they claim to be can mean anything";
    Endorsements = "endorsements", "RFC 9334, section 8.2",
        why: "certificates and lists that cannot be read cannot vouch for anything";
    SigningKey = "signing key", "56860, section 7.3",
        why: "a report that no key signed can be written by anybody";
    KeyCertificate = "certificate of the signing key", "57230, chapter 3",
        why: "without it nobody knows whose key signed the report";
    Chain = "certificate chain", "RFC 5280, section 6.1",
        why: "only the vendor can say which keys are those of its processors";
    Root = "root", "RFC 5280, section 6.1.1",
        why: "whoever has the root's key can make any processor";
    Validity = "validity of certificates", "RFC 5280, section 6.1.3",
        why: "the vendor vouches for a key for a limited time";
    Authority = "authority of issuers", "RFC 5280, section 6.1.4",
        why: "a certificate of one processor must not certify another";
    Revocation = "revocation", "RFC 5280, section 6.3",
        why: "a vendor revokes authorities whose keys are no longer safe";
    Product = "product", "57230, chapter 3",
        why: "rules and minimum TCB depend on which processor it is";
    ChipId = "chip identifier", "57230, chapter 3",
        why: "a key of one chip must not speak for another";
    TcbBinding = "TCB of the certificate", "57230, chapter 3",
        why: "the key is derived for one TCB version, which only that firmware and later has";
    SignatureAlgorithm = "signature algorithm", "56860, chapter 10",
        why: "the algorithm decides what the signature proves";
    ReportSignature = "report signature", "56860, chapter 10",
        why: "it proves that the secure processor made the report";
    ReportData = "report data", "56860, section 7.3",
        why: "it proves that the report was made for this session and no other";
    Quote = "quote", "TDX Quoting, A.3",
        why: "bytes that are not what they claim to be can mean anything";
    QeVendor = "vendor of the quoting enclave", "TDX Quoting, table 3",
        why: "another vendor's quoting enclave may sign anything";
    AttestationKey = "attestation key", "TDX Quoting, A.3.11",
        why: "it proves that the quoting enclave made the key that signed the quote";
    QuoteSignature = "quote signature", "TDX Quoting, A.3.7",
        why: "it proves that the quoting enclave made the quote";
    QuoteReportData = "report data", "TDX Quoting, A.3.2",
        why: "it proves that the quote was made for this session and no other";
    PckCertificate = "certificate of the platform", "PCK Profile, section 1.3",
        why: "without it nobody knows which platform made the quote";
    QeReport = "report of the quoting enclave", "TDX Quoting, A.3.11",
        why: "it proves that the quoting enclave runs on the platform of the certificate";
    TcbInfo = "TCB info", "PCS, TCB info",
        why: "only Intel can say which firmware of its processors is safe";
    Fmspc = "kind of platform", "PCS, TCB info",
        why: "what is safe on one kind of platform is not on another";
    PceId = "provisioning certification enclave", "PCS, TCB info",
        why: "versions of different enclaves cannot be compared";
    QeIdentity = "identity of the quoting enclave", "PCS, enclave identity",
        why: "only Intel can say which enclaves are its quoting enclaves";
    TcbSigner = "signer of TCB info", "PCS, appendix B",
        why: "what one vendor says about another's platforms means nothing";
    QeSigner = "signer of the quoting enclave", "PCS, enclave identity",
        why: "anybody can write an enclave that signs anything";
    QeMiscSelect = "options of the quoting enclave", "PCS, enclave identity",
        why: "options can weaken an enclave";
    QeAttributes = "attributes of the quoting enclave", "PCS, enclave identity",
        why: "a quoting enclave under debug gives its keys away";
    QeProduct = "product of the quoting enclave", "PCS, enclave identity",
        why: "other enclaves of Intel's sign other things";
    QeVersion = "version of the quoting enclave", "PCS, enclave identity",
        why: "old versions may have given their keys away";
    ModuleSigner = "signer of the TDX module", "TDX Quoting, A.3.2",
        why: "the TDX module protects the Keep, or does not";
    ModuleAttributes = "attributes of the TDX module", "TDX Quoting, A.3.2",
        why: "a module for tests protects nothing";
    ModuleVersion = "version of the TDX module", "PCS, TCB info",
        why: "old versions may not protect the Keep";
    TcbLevel = "TCB level", "PCS, TCB info",
        why: "it says what is known to be wrong with the platform";
    TcbStatus = "TCB status", "policy, `[intel]`",
        why: "a platform with known holes does not protect the Keep";
    Advisories = "security advisories", "policy, `[intel]`",
        why: "each is a way to attack the platform";
    Evaluation = "TCB evaluation", "policy, `[intel]`",
        why: "a host may choose an older judgement that was kinder to it";
    TcbDate = "TCB date", "policy, `[intel]`",
        why: "what became known later was not taken account of";
    TdAttributes = "attributes of the TD", "TDX ABI, ATTRIBUTES",
        why: "an attribute that is not understood may give the host anything";
    ExtendedState = "processor states", "TDX ABI, XFAM",
        why: "a state that is not understood may not be protected";
    TdDebug = "debugging", "TDX ABI, ATTRIBUTES",
        why: "a host that may debug the Keep can read and write its memory";
    TdMigration = "migration", "TDX ABI, ATTRIBUTES",
        why: "a migration TD can take the Keep's memory elsewhere";
    PlatformSmt = "simultaneous multi-threading", "PCK Profile, section 1.3.5",
        why: "code on the other thread of a core can observe the Keep";
    SeptVe = "injected exceptions", "TDX ABI, ATTRIBUTES",
        why: "a host that can interrupt the Keep at any memory access can mislead it";
    ServiceTd = "service TDs", "TDX Quoting, A.3.3",
        why: "a TD that is bound to the Keep can read or move it";
    TdxModule = "TDX module", "policy, `[intel]`",
        why: "you trust the modules that you name and no other";
    EnclaveAttributes = "attributes of the enclave", "SDM, section 34.7.1",
        why: "an attribute that is not understood may give the host anything";
    EnclaveDebug = "debugging", "SDM, section 34.7.1",
        why: "a host that may debug the Keep can read and write its memory";
    Simulated = "simulated platform", "policy, `[simulated]`",
        why: "a simulated platform protects nothing from its host";
    Allowed = "allowed platforms", "policy, `[[allow]]`",
        why: "you trust the platforms that you name and no other";
    Denied = "denied platforms", "policy, `[[deny]]`",
        why: "you decided not to trust these, whatever else speaks for them";
    CurrentTcb = "current TCB", "56860, section 2.2",
        why: "it is what runs now";
    CommittedTcb = "committed TCB", "56860, section 2.2",
        why: "the host can roll its firmware back as far as this";
    LaunchTcb = "launch TCB", "56860, section 2.2",
        why: "the Keep was launched under this firmware";
    ReportedTcb = "reported TCB", "56860, section 2.2",
        why: "the signing key is safe from older firmware than this";
    GuestPolicy = "guest policy", "56860, section 4.3",
        why: "a permission that is not understood may give the host anything";
    Debug = "debugging", "56860, section 4.3",
        why: "a host that may debug the Keep can read and write its memory";
    Migration = "migration", "56860, section 4.3",
        why: "a migration agent can take the Keep's memory elsewhere";
    Vmpl = "privilege level", "56860, section 7.3",
        why: "code of a lower level speaks for less of the Keep";
    Vlek = "kind of signing key", "56860, section 7.3",
        why: "a loaded key is shared by many machines of one provider";
    Smt = "simultaneous multi-threading", "56860, section 4.3",
        why: "code on the other thread of a core can observe the Keep";
    Advised = "advisory feeds", "docs/advisories.md",
        why: "somebody whom you trust to warn you may know more than your policy says";
    AdvisoryFeed = "freshness of advisory feeds", "docs/advisories.md",
        why: "whoever keeps new versions of a feed from you keeps you from being warned";
    Measurement = "measurement", "56860, section 7.3",
        why: "it says which code the Keep started with";
    CoseAlgorithm = "signature algorithm", "RFC 9053, section 2",
        why: "the algorithm decides what the signature proves";
    NitroDocument = "evidence", "AWS Nitro, section 3.2.2",
        why: "bytes that are not what they claim to be can mean anything";
    NitroKey = "usage of the signing key", "AWS Nitro, section 3.2.3.3",
        why: "the key of an authority is not that of an enclave";
    NitroSignature = "document signature", "AWS Nitro, section 3.1",
        why: "it proves that the hypervisor made the document";
    NitroTimestamp = "time of the document", "AWS Nitro, section 2.2",
        why: "the key speaks for the enclave only while it is valid";
    NitroUserData = "report data", "AWS Nitro, section 2.2.2",
        why: "it proves that the document was made for this session and no other";
    NitroDebug = "debugging", "AWS Nitro user guide, `run-enclave`",
        why: "the instance beside an enclave in debug mode reads its console, and nothing of its image is measured";
    CcaToken = "evidence", "RMM, section A7.2.3",
        why: "bytes that are not what they claim to be can mean anything";
    CcaProfile = "profile", "RFC 9711, section 6",
        why: "claims of an unknown profile can mean anything";
    CcaPlatformKey = "platform key", "RMM, section A7.2.3",
        why: "Arm has no root, so you say whose platforms you trust";
    CcaPlatformSignature = "signature of the platform token", "RMM, section A7.2.3",
        why: "it proves that the platform made the token";
    CcaRealmSignature = "signature of the realm token", "RMM, section A7.2.3",
        why: "it proves that the realm manager made the token";
    CcaRealmKey = "attestation key of the realm", "RMM, section A7.2.3.2.2",
        why: "the platform vouches for the realm manager by naming its key";
    CcaChallenge = "report data", "RMM, section A7.2.3.1.1",
        why: "it proves that the token was made for this session and no other";
    CcaLifecycle = "life of the platform", "RMM, section A7.2.3.2.6",
        why: "a root of trust that is open can be made to sign anything";
    CcaDebug = "debugging", "RMM, section A7.2.3.2.6",
        why: "whoever debugs the realm manager sees the memory of every realm";
    CcaSoftware = "platform software", "RMM, section A7.2.3.2.7",
        why: "the firmware below a realm can read its memory";
    TpmEvidence = "evidence", "TPM 2.0, part 2, section 10.12.12",
        why: "bytes that are not what they claim to be can mean anything";
    TpmQuote = "signature of the quote", "TPM 2.0, part 2, section 10.12.12",
        why: "it proves that a TPM said which code the machine started";
    TpmKey = "attestation key", "TPM 2.0, part 1, section 9.5.3",
        why: "anybody can make a key; only a known one is in a TPM";
    TpmKeyAttributes = "attributes of the attestation key", "TPM 2.0, part 2, section 8.3",
        why: "a key that signs anything could sign a quote that no TPM made";
    QuoteData = "extra data of the quote", "TPM 2.0, part 2, section 10.12.12",
        why: "it proves that the quote was made for this session and no other";
    Registers = "registers of the quote", "TPM 2.0, part 2, section 10.12.4",
        why: "the quote is about those registers only that its maker selected";
    HashFunction = "hash function of the quote", "TPM 2.0, part 2, section 6.3",
        why: "with SHA-1 two kinds of code can have one measurement";
    HclReport = "evidence", "Azure, HCL report",
        why: "bytes that are not what they claim to be can mean anything";
    RuntimeData = "runtime data", "Azure, HCL report",
        why: "it proves that the hardware vouches for the keys of the virtual TPM";
    TdReport = "TDREPORT", "Azure, HCL report",
        why: "the TD quote proves nothing about another machine's TPM";
    Paravisor = "privilege level of the paravisor", "56860, section 7.3",
        why: "the guest itself could have a report made about keys that no TPM has";
    GpuReport = "evidence", "DSP0274, section 10.11",
        why: "bytes that are not what they claim to be can mean anything";
    GpuKey = "key of the device", "DSP0274, section 10.8",
        why: "without it nobody knows whose key signed the report";
    GpuSignature = "report signature", "DSP0274, section 10.11.1",
        why: "it proves that the device measured itself";
    GpuNonce = "nonce of the request", "DSP0274, section 10.11",
        why: "it proves that the report was made for this session and no other";
    GpuFirmware = "firmware of the device", "DICE attestation architecture, section 6.1.1",
        why: "the key is derived for one firmware, which no other has";
    GpuProduct = "product", "NVIDIA, certificates of devices",
        why: "rules depend on which device it is";
    Manifest = "reference manifest", "ISO/IEC 19770-2; XML Signature 1.1, section 3.2",
        why: "what NVIDIA did not sign says nothing about its firmware";
    ManifestMeasurements = "measurements by the reference manifest", "NVIDIA, reference manifests",
        why: "they say whether the firmware is one that NVIDIA published";
    Register = "measurement register", "RFC 9334, section 7",
        why: "code that is started after the launch is measured into it";
    CrlAge = "age of the revocation list", "policy, `[collateral]`",
        why: "what the vendor took back since it was made is not in it";
    TcbInfoAge = "age of TCB info", "policy, `[collateral]`",
        why: "what became known since it was made is not in it";
    QeIdentityAge = "age of the identity of the quoting enclave", "policy, `[collateral]`",
        why: "what became known since it was made is not in it";
    SeveralSockets = "sockets", "56860, section 4.3",
        why: "what goes from socket to socket can be watched outside of them";
    CiphertextVisible = "ciphertext in memory", "56860, section 7.3",
        why: "a host that sees ciphertext change can guess what is written";
    AliasesUnchecked = "aliases in memory", "56860, section 7.3",
        why: "a memory module that lies about its size gives the host another way to the Keep's memory";
    PowerReadings = "power readings", "56860, section 4.3",
        why: "how much power the processor draws tells something about what it computes";
    Cxl = "CXL", "56860, section 4.3",
        why: "what is attached by CXL is outside of the processor";
    IdKey = "ID key", "56860, section 7.3",
        why: "whoever launched the Keep vouches for it by this key";
    AuthorKey = "author key", "56860, section 7.3",
        why: "whoever has it decides which ID keys there are";
    PceVersion = "version of the provisioning certification enclave", "policy, `[intel]`",
        why: "it vouches for the key of the quoting enclave";
    QeLeast = "least version of the quoting enclave", "policy, `[intel]`",
        why: "old versions may have given their keys away";
    ModuleLeast = "least version of the TDX module", "policy, `[intel]`",
        why: "old versions may not protect the Keep";
    TdFeatures = "optional attributes of the TD", "TDX ABI, ATTRIBUTES",
        why: "each is something more that could be wrong";
    StateFeatures = "optional processor states", "SDM, volume 1, section 13.1",
        why: "each is something more that could be wrong";
    ModuleSignerNamed = "named signer of the TDX module", "policy, `[intel]`",
        why: "you trust the signers that you name and no other";
    Workload = "workload", "policy, `[workload]`",
        why: "you decided about the platforms for these workloads";
    Owner = "owner", "policy, `[workload]`",
        why: "whoever owns a Keep decides what it runs";
}
