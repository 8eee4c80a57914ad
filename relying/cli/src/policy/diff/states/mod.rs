// SPDX-License-Identifier: Apache-2.0

//! What two policies say about platforms that both allow, in the states in which their demands tell them apart.
//!
//! The claims are those of a simulated platform, verified like any others and then changed: the verifier answers what a
//! policy would say to them, and nothing can be released on that answer.

mod dcap;
mod snp;

use std::collections::BTreeSet;
use std::path::PathBuf;

use enarx_evidence::dcap::Fmspc;
use enarx_simulator::{Launched, Rehearsal, Simulator};
use enarx_verifier::policy::{Crl, Feature, Features, Freshness, Platform, Product, TcbInfo, Tee};
use enarx_verifier::{
    AzureSnpClaims, AzureTdxClaims, Claims, Code, DcapClaims, Refusals, Rehearsed, SnpClaims, Supposition,
    TrustAnchors, UnixTime, Verification, suppose, verify,
};

use super::points::Point;
use super::{Change, Direction, Pair};
use crate::failure::{Failure, Outcome, chain};
use crate::trust::LOCAL;

/// What simulated evidence is bound to: nobody relies on it.
const REPORT_DATA: [u8; 64] = [0; 64];

/// Measurements are compared as the lists that they are.
const LEFT_OUT: [Code; 3] =
    [Code::MeasurementNotAccepted, Code::ReferenceValueMissing, Code::RegisterNotAccepted];

/// A platform in some state.
struct State<C> {
    /// What is special about it; empty if nothing is.
    label: String,
    claims: C,
}

impl<C> State<C> {
    fn new(label: impl Into<String>, claims: C) -> Self {
        Self { label: label.into(), claims }
    }

    fn map<D>(self, into: impl Fn(C) -> D) -> State<D> {
        State { label: self.label, claims: into(self.claims) }
    }
}

/// What there is to compare by.
pub(super) struct Simulated {
    simulator: Simulator,
    folder: PathBuf,
}

impl Simulated {
    /// The simulator of this machine, which keeps its keys in this folder.
    pub(super) fn open(folder: PathBuf) -> Outcome<Self> {
        let simulator = Simulator::open(&folder).map_err(|error| Failure::usage(chain(&error)))?;
        Ok(Self { simulator, folder })
    }

    /// What a platform of a product says; `None` if none can be simulated.
    fn claims(&self, tee: Tee, product: Product, now: UnixTime) -> Outcome<Option<Claims>> {
        let Some(platform) = platform(tee, product) else { return Ok(None) };
        let launched = Launched { sha384: [0; 48], sha256: [0; 32], host_data: [0; 32] };
        let bundle = self.simulator.rehearse(&platform, &REPORT_DATA, &launched);
        let bundle = bundle.map_err(|error| Failure::usage(chain(&error)))?;
        // The simulator has made the root by now, if there was none.
        let roots = Simulator::roots(&self.folder).map_err(|error| Failure::usage(chain(&error)))?;
        let anchors = TrustAnchors::vendors();
        let anchors = roots.into_iter().fold(anchors, |anchors, root| anchors.with_simulated(LOCAL, root));
        let verified = verify(&Verification {
            bundle: &bundle,
            report_data: &REPORT_DATA,
            anchors: &anchors,
            crl: Crl::Required,
            tcb_info: TcbInfo::Required,
            freshness: Freshness::default(),
            now,
        });
        let verified = verified.map_err(|refusals| {
            Failure::evidence_refused(format!("the simulated {platform} is not as it should be"), refusals)
        })?;
        Ok(Some(verified.claims().clone()))
    }

    /// Compares the states of a product at platforms that both policies allow. Gives how many states there were, or
    /// `None` if such a platform cannot be simulated.
    pub(super) fn compare(
        &self,
        points: &[Point],
        policies: &Pair<'_>,
        times: Times,
        changes: &mut Vec<Change>,
    ) -> Outcome<Option<usize>> {
        let Some(first) = points.first() else { return Ok(Some(0)) };
        let Some(claims) = self.claims(first.tee, first.product, times.simulated)? else { return Ok(None) };
        let mut count = None;
        for point in points {
            let Some(claims) = at(&claims, point, policies, times.decision) else { continue };
            for State { label, claims } in vary(&claims, policies, times.decision) {
                count = Some(count.unwrap_or(0_usize).saturating_add(1));
                let say = |policy| {
                    suppose(&Supposition {
                        claims: &claims,
                        policy,
                        leaving_out: &LEFT_OUT,
                        now: times.decision,
                    })
                };
                let (old, new) = (say(policies.old), say(policies.new));
                let (direction, because) = match (&old, &new) {
                    (Ok(_), Err(refusals)) => (Direction::Refused, why(refusals)),
                    (Err(refusals), Ok(new)) => (Direction::Accepted, no_longer(refusals, new)),
                    _ => continue,
                };
                let label = [point.label.as_str(), &label].into_iter().filter(|label| !label.is_empty());
                let label = label.collect::<Vec<_>>().join(", ");
                let (tee, product) = (point.tee, point.product);
                Change::add(changes, Change { direction, tee, product, label, because, alike: 0 });
            }
        }
        Ok(count)
    }
}

/// When simulated evidence is verified, and when a policy is asked: the evidence is made now.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) simulated: UnixTime,
    pub(super) decision: UnixTime,
}

fn why(refusals: &Refusals) -> Vec<String> {
    let because = refusals.iter().map(|refusal| match &refusal.policy {
        Some(entry) => format!("{} by {entry}", refusal.code),
        None => refusal.code.to_string(),
    });
    let mut because: Vec<String> = because.collect();
    because.dedup();
    because
}

/// What refused before, and the entry that accepts it now.
fn no_longer(before: &Refusals, now: &Rehearsed) -> Vec<String> {
    let mut because: Vec<String> = Vec::new();
    for refusal in before {
        let same = now.checks().iter().find(|check| check.name == refusal.claim);
        let accepted = same.and_then(|check| check.policy.as_ref());
        let text = match (&refusal.policy, accepted) {
            (_, Some(entry)) => format!("no longer {} by {entry}", refusal.code),
            (Some(entry), None) => format!("no longer {}, which was by {entry}", refusal.code),
            (None, None) => format!("no longer {}", refusal.code),
        };
        if !because.contains(&text) {
            because.push(text);
        }
    }
    because
}

/// The platform of the simulator that is of a product.
fn platform(tee: Tee, product: Product) -> Option<Rehearsal> {
    let text = match tee {
        Tee::SevSnp => format!("amd/{product}"),
        Tee::Tdx | Tee::Sgx => format!("intel/{product}@tee={tee}"),
        Tee::AzureSnp => format!("azure/snp@product={product}"),
        Tee::AzureTdx => format!("azure/tdx@family={product}"),
        Tee::Cca => "arm/cca".to_owned(),
        Tee::Nitro => "aws/nitro".to_owned(),
        Tee::Tpm => "tpm".to_owned(),
        Tee::NvGpu => return None,
    };
    text.parse().ok()
}

/// The claims of the platform at a point; `None` if they cannot be made such that both policies allow it.
fn at(claims: &Claims, point: &Point, policies: &Pair<'_>, now: UnixTime) -> Option<Claims> {
    let mut claims = claims.clone();
    match &mut claims {
        Claims::SevSnp(claims) => snp::place(claims, &point.features),
        Claims::AzureSnp(claims) => snp::place(&mut claims.hardware, &point.features),
        Claims::Tdx(claims) | Claims::Sgx(claims) => place(claims, &point.features),
        Claims::AzureTdx(claims) => place(&mut claims.hardware, &point.features),
        Claims::Cca(claims) => {
            put(&point.features, Feature::ImplementationIds, &mut claims.platform.implementation_id);
            put(&point.features, Feature::InstanceIds, &mut claims.platform.instance_id);
        }
        Claims::Nitro(claims) => {
            if let Some(name) = value(&point.features, Feature::ModuleIds) {
                claims.document.module_id = String::from_utf8_lossy(name).into_owned();
            }
        }
        _ => {}
    }
    let features = claims.features();
    let platform = Platform { tee: point.tee, product: point.product, features: &features };
    let both = [policies.old, policies.new].iter().all(|policy| policy.decide(&platform, now).is_accepted());
    (both && claims.products() == [point.product]).then_some(claims)
}

fn value(features: &Features, feature: Feature) -> Option<&[u8]> {
    features.get(&feature)?.first().map(Vec::as_slice)
}

/// Puts a value where it is told.
fn put<const N: usize>(features: &Features, feature: Feature, to: &mut [u8; N]) {
    if let Some(value) = value(features, feature).and_then(|value| value.try_into().ok()) {
        *to = value;
    }
}

fn place(claims: &mut DcapClaims, features: &Features) {
    let mut fmspc: Fmspc = claims.pck.fmspc;
    put(features, Feature::Fmspcs, &mut fmspc);
    claims.pck.fmspc = fmspc;
    put(features, Feature::Ppids, &mut claims.pck.ppid);
    if let Some(value) = value(features, Feature::PlatformInstances).and_then(|value| value.try_into().ok()) {
        claims.pck.platform_instance_id = Some(value);
    }
}

/// The states of a platform. Of Arm's, AWS's and TPMs there is one: what policies ask of them is compared as it stands.
fn vary(claims: &Claims, policies: &Pair<'_>, now: UnixTime) -> Vec<State<Claims>> {
    let of_snp = |claims: &SnpClaims| snp::states(claims, policies);
    let of_dcap = |claims: &DcapClaims| dcap::states(claims, policies, now);
    match claims {
        Claims::SevSnp(claims) => of_snp(claims)
            .into_iter()
            .map(|state| state.map(|claims| Claims::SevSnp(Box::new(claims))))
            .collect(),
        Claims::Tdx(claims) => of_dcap(claims)
            .into_iter()
            .map(|state| state.map(|claims| Claims::Tdx(Box::new(claims))))
            .collect(),
        Claims::Sgx(claims) => of_dcap(claims)
            .into_iter()
            .map(|state| state.map(|claims| Claims::Sgx(Box::new(claims))))
            .collect(),
        Claims::AzureSnp(claims) => {
            let whole = |hardware| {
                Claims::AzureSnp(Box::new(AzureSnpClaims { hardware, machine: claims.machine.clone() }))
            };
            of_snp(&claims.hardware).into_iter().map(|state| state.map(whole)).collect()
        }
        Claims::AzureTdx(claims) => {
            let whole = |hardware| {
                Claims::AzureTdx(Box::new(AzureTdxClaims { hardware, machine: claims.machine.clone() }))
            };
            of_dcap(&claims.hardware).into_iter().map(|state| state.map(whole)).collect()
        }
        others => vec![State::new("", others.clone())],
    }
}

/// The bits of a word in which a property shows.
fn bits(is_in: impl Fn(u64) -> bool) -> u64 {
    (0..u64::BITS).map(|bit| 1 << bit).filter(|mask| is_in(*mask)).fold(0, |all, mask| all | mask)
}

/// What both accept, if there is such a thing.
fn common<T: Ord + Copy>(old: &BTreeSet<T>, new: &BTreeSet<T>) -> Option<T> {
    old.intersection(new).next().copied()
}

/// What both accept, where an empty list accepts everything: `None` if anything does.
fn named_by_both<T: Ord + Copy>(old: &BTreeSet<T>, new: &BTreeSet<T>) -> Option<T> {
    common(old, new).or_else(|| if old.is_empty() { new.first() } else { old.first() }.copied())
}
