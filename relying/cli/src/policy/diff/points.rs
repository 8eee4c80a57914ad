// SPDX-License-Identifier: Apache-2.0

//! What the rules of two policies say about every product: at the features that their rules name, and beside them.

use std::collections::{BTreeMap, BTreeSet};

use enarx_evidence::dcap::{Family, Fmspc};
use enarx_evidence::snp::{self, Cpuid};
use enarx_verifier::UnixTime;
use enarx_verifier::policy::{
    Decided, Feature, Features, Matcher, Nearly, Place, Platform, Product, Tee, Vendor, Vocabulary as _,
};

use super::{Change, Direction, Pair};

/// Most points of one product: rules may name thousands of chips.
const MAX_POINTS: usize = 512;
/// Most pairs of a rule that allows and one that denies: their number grows with the square of the policy.
const MAX_PAIRS: usize = 4096;

/// A platform of a product.
pub(super) struct Point {
    pub(super) tee: Tee,
    pub(super) product: Product,
    /// What is told of it.
    pub(super) features: Features,
    /// What rules name of that, in words; empty if they name nothing.
    pub(super) label: String,
}

/// What a comparison of one product has found.
pub(super) struct Compared {
    pub(super) changes: Vec<Change>,
    /// How many platforms were compared.
    pub(super) count: usize,
    /// Whether there were more than that.
    pub(super) incomplete: bool,
    /// One platform for each choice of rules by which both policies allow it.
    pub(super) accepted: Vec<Point>,
}

/// Compares what is said about a product.
pub(super) fn compare(tee: Tee, product: Product, policies: &Pair<'_>, now: UnixTime) -> Compared {
    let (points, incomplete) = points(tee, product, policies);
    let count = points.len();
    let mut changed = Vec::new();
    let mut accepted = BTreeMap::new();
    for point in points {
        let platform = Platform { tee, product, features: &point.features };
        let (old, new) = (policies.old.decide(&platform, now), policies.new.decide(&platform, now));
        match (old.is_accepted(), new.is_accepted()) {
            (true, true) => {
                let ids = |decided: &Decided<'_>| {
                    decided.allowed_by.iter().map(|rule| rule.id.clone()).collect::<Vec<_>>()
                };
                accepted.entry((ids(&old), ids(&new))).or_insert(point);
            }
            (true, false) => changed.push((Direction::Refused, point.label, refused(&old, &new))),
            (false, true) => changed.push((Direction::Accepted, point.label, newly_accepted(&old, &new))),
            (false, false) => {}
        }
    }
    let one_way = changed.windows(2).all(|pair| matches!(pair, [one, other] if one.0 == other.0));
    let everywhere = changed.len() == count && one_way;
    let mut changes = Vec::new();
    for (direction, label, because) in changed {
        // Of a product of which nothing else is left, its features do not matter.
        let label = if everywhere { String::new() } else { label };
        Change::add(&mut changes, Change { direction, tee, product, label, because, alike: 0 });
    }
    Compared { changes, count, incomplete, accepted: accepted.into_values().collect() }
}

fn named(id: &str, place: &Place) -> String {
    let file = place.file().map_or_else(|| "the policy".to_owned(), str::to_owned);
    format!("rule `{id}` in line {} of {file}", place.line())
}

/// Why the new policy refuses what the old one accepted.
fn refused(old: &Decided<'_>, new: &Decided<'_>) -> Vec<String> {
    if !new.denied_by.is_empty() {
        return new.denied_by.iter().map(|(rule, _)| named(&rule.id, &rule.place)).collect();
    }
    let nearly = |(rule, why): &(&enarx_verifier::policy::AllowRule, Nearly)| {
        let rule = named(&rule.id, &rule.place);
        match why {
            Nearly::Expired(_) => format!("{rule} has expired"),
            Nearly::Other(feature) => format!("{rule} is about other `{}`", feature.name()),
            Nearly::Untold(feature) => format!("{rule} asks for `{}`, which is not told", feature.name()),
        }
    };
    if !new.nearly.is_empty() {
        return new.nearly.iter().map(nearly).collect();
    }
    let before = old.allowed_by.iter().map(|rule| format!("{} allowed it", named(&rule.id, &rule.place)));
    std::iter::once("no rule allows it".to_owned()).chain(before).collect()
}

/// Why the new policy accepts what the old one refused.
fn newly_accepted(old: &Decided<'_>, new: &Decided<'_>) -> Vec<String> {
    let now = new.allowed_by.iter().map(|rule| named(&rule.id, &rule.place));
    let before = old.denied_by.iter().map(|(rule, _)| format!("{} denied it", named(&rule.id, &rule.place)));
    now.chain(before).collect()
}

/// The platforms of a product that rules tell apart, and whether there are more.
fn points(tee: Tee, product: Product, policies: &Pair<'_>) -> (Vec<Point>, bool) {
    let (allow, deny) = rules(tee, product, policies);
    let mut names: BTreeMap<Feature, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for (feature, values) in allow.iter().chain(&deny).flat_map(|rule| &rule.features) {
        names.entry(*feature).or_default().extend(values.iter().cloned());
    }
    let names = Names { product, names };
    let mut points = Points { tee, names, seen: BTreeSet::new(), all: Vec::new(), incomplete: false };
    points.add(&[]);
    points.add_untold();
    for rule in allow.iter().chain(&deny) {
        points.add_each(rule);
    }
    let pairs = allow.iter().flat_map(|one| deny.iter().map(move |other| [*one, *other]));
    for (index, pair) in pairs.enumerate() {
        points.incomplete |= index >= MAX_PAIRS;
        if points.incomplete {
            break;
        }
        points.add(&pair);
    }
    (points.all, points.incomplete)
}

/// The rules of both policies about a product that ask for features: those that allow, and those that deny.
fn rules<'p>(tee: Tee, product: Product, policies: &Pair<'p>) -> (Vec<&'p Matcher>, Vec<&'p Matcher>) {
    let both = [policies.old, policies.new];
    let asks = |rule: &&Matcher| rule.matches(tee, product) && !rule.features.is_empty();
    let allow = both.iter().flat_map(|policy| policy.allow_rules().map(|rule| &rule.platforms)).filter(asks);
    let deny = both.iter().flat_map(|policy| policy.deny_rules().map(|rule| &rule.platforms)).filter(asks);
    (allow.collect(), deny.collect())
}

struct Points {
    tee: Tee,
    names: Names,
    seen: BTreeSet<Features>,
    all: Vec<Point>,
    incomplete: bool,
}

impl Points {
    /// A platform of which rules name these features, each by its first value, and otherwise nothing.
    fn add(&mut self, rules: &[&Matcher]) {
        let mut chosen = BTreeMap::new();
        for (feature, values) in rules.iter().flat_map(|rule| &rule.features) {
            let first = values.iter().find(|value| fits(self.names.product, *feature, value));
            let Some(first) = first else { return };
            chosen.insert(*feature, first.clone());
        }
        self.put(&chosen, &BTreeSet::new());
    }

    /// Platforms that a rule names, by each of its values.
    fn add_each(&mut self, rule: &Matcher) {
        let product = self.names.product;
        for (feature, values) in &rule.features {
            for value in values.iter().filter(|value| fits(product, *feature, value)) {
                if self.incomplete {
                    return;
                }
                let others = rule.features.iter().filter(|(other, _)| *other != feature);
                let others = others.filter_map(|(other, values)| Some((*other, values.first()?.clone())));
                let chosen = others.chain([(*feature, value.clone())]).collect();
                self.put(&chosen, &BTreeSet::new());
            }
        }
    }

    /// A platform whose host hides what it can.
    fn add_untold(&mut self) {
        let hidden = |feature: &Feature| {
            let cpuid = matches!(feature, Feature::Families | Feature::Models | Feature::Steppings);
            *feature == Feature::ChipIds || cpuid && self.names.product.vendor() == Vendor::Amd
        };
        let hidden: BTreeSet<Feature> = self.names.names.keys().copied().filter(hidden).collect();
        if !hidden.is_empty() {
            self.put(&BTreeMap::new(), &hidden);
        }
    }

    fn put(&mut self, chosen: &BTreeMap<Feature, Vec<u8>>, hidden: &BTreeSet<Feature>) {
        let mut features = Features::new();
        let mut label = Vec::new();
        for (feature, named) in &self.names.names {
            if hidden.contains(feature) {
                label.push(format!("`{}` not told", feature.name()));
                continue;
            }
            let value = if let Some(value) = chosen.get(feature) {
                label.push(format!("`{}` {}", feature.name(), shown(*feature, value)));
                value.clone()
            } else {
                label.push(format!("`{}` that no rule names", feature.name()));
                self.names.other(*feature, named)
            };
            features.insert(*feature, vec![value]);
        }
        if self.seen.contains(&features) {
            return;
        }
        if self.all.len() == MAX_POINTS {
            self.incomplete = true;
            return;
        }
        self.seen.insert(features.clone());
        let (tee, product) = (self.tee, self.names.product);
        self.all.push(Point { tee, product, features, label: label.join(", ") });
    }
}

pub(super) fn shown(feature: Feature, value: &[u8]) -> String {
    match feature {
        Feature::Families | Feature::Models | Feature::Steppings => {
            value.first().map_or_else(String::new, |number| format!("{number:#04x}"))
        }
        Feature::Providers | Feature::ModuleIds | Feature::Drivers | Feature::Firmwares => {
            String::from_utf8_lossy(value).escape_debug().to_string()
        }
        _ => hex::encode(value),
    }
}

/// The values of features that rules name.
struct Names {
    product: Product,
    names: BTreeMap<Feature, BTreeSet<Vec<u8>>>,
}

impl Names {
    /// A value that no rule names; one that the product has, as far as there is another.
    fn other(&self, feature: Feature, named: &BTreeSet<Vec<u8>>) -> Vec<u8> {
        let length = named.first().map_or(0, Vec::len);
        let candidates = (0..=u8::MAX).map(|last| match feature {
            Feature::Fmspcs => {
                let mut value = fmspc_of(self.product).to_vec();
                if let Some(end) = value.last_mut() {
                    *end = last;
                }
                value
            }
            Feature::Providers | Feature::ModuleIds | Feature::Drivers | Feature::Firmwares => {
                format!("another {last}").into_bytes()
            }
            _ => {
                // Zeros would be no chip at all.
                let mut value = vec![0xee; length];
                if let Some(end) = value.last_mut() {
                    *end = last;
                }
                value
            }
        });
        let candidates: Vec<_> = candidates.filter(|value| fits(self.product, feature, value)).collect();
        let other = candidates.iter().find(|value| !named.contains(*value));
        other.or(candidates.first()).cloned().unwrap_or_default()
    }
}

fn family(product: Product) -> Option<Family> {
    Family::ALL.into_iter().find(|family| Product::from(*family) == product)
}

fn fmspc_of(product: Product) -> Fmspc {
    family(product).map_or([0; 6], Family::fmspc)
}

/// Whether a platform of the product may have this value.
fn fits(product: Product, feature: Feature, value: &[u8]) -> bool {
    let amd = |family, model| {
        let cpuid = Cpuid { family, model, stepping: 0 };
        snp::Product::from_cpuid(cpuid).map(Product::from) == Some(product)
    };
    let intel =
        |fmspc: &Fmspc| Family::from_fmspc(fmspc).map_or(Product::IntelOther, Product::from) == product;
    match (feature, product.vendor(), value) {
        (Feature::Families, Vendor::Amd, [family]) => (0..=u8::MAX).any(|model| amd(*family, model)),
        (Feature::Models, Vendor::Amd, [model]) => [0x19, 0x1a].iter().any(|family| amd(*family, *model)),
        (Feature::Families, Vendor::Intel, [number]) => *number == 6 || product == Product::IntelOther,
        (Feature::Models, Vendor::Intel, [model]) => {
            // Where the model stands in an FMSPC: see `Family::from_fmspc`. Some models are known by stepping alone.
            (0..16).any(|stepping: u8| intel(&[0, model & 0xf0, 0x60 | model & 0xf, stepping << 4, 0, 0]))
        }
        (Feature::Steppings, _, [stepping]) => *stepping < 16,
        (Feature::Fmspcs, _, value) => value.try_into().is_ok_and(|fmspc: Fmspc| intel(&fmspc)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use enarx_verifier::Policy;

    const ALLOW: &str = "version = 1\n[keep]\nmeasurements = [\"release\"]\n[[allow]]\nid = \"amd\"\nvendor = \"amd\"\n\
                         tee = \"sev-snp\"\nminimum_tcb = \"not-checked\"\n";
    const NOW: UnixTime = UnixTime(1_750_000_000);

    fn changes(old: &str, new: &str, product: Product) -> Vec<(Direction, String)> {
        let (old, new) = (Policy::parse(old).unwrap(), Policy::parse(new).unwrap());
        let compared = compare(Tee::SevSnp, product, &Pair { old: &old, new: &new }, NOW);
        compared.changes.into_iter().map(|change| (change.direction, change.label)).collect()
    }

    #[test]
    fn a_rule_about_steppings_changes_those_and_whoever_hides_them() {
        let deny =
            format!("{ALLOW}[[deny]]\nid = \"old\"\nvendor = \"amd\"\nmodels = [0x11]\nsteppings = [0, 1]\n");
        // 0 and 1 are denied for the same reason, and so is what is not told; the first of them is named.
        let expected = "`models` not told, `steppings` not told".to_owned();
        assert!(changes(ALLOW, &deny, Product::Genoa) == [(Direction::Refused, expected.clone())]);
        assert!(changes(&deny, ALLOW, Product::Genoa) == [(Direction::Accepted, expected)]);
        // No Turin has that model; one whose host hides it may be anything.
        let hidden = changes(ALLOW, &deny, Product::Turin);
        assert!(hidden.iter().all(|(_, label)| label.contains("not told")) && hidden.len() == 1);
    }

    #[test]
    fn more_platforms_than_are_compared_are_told() {
        let chips: Vec<String> = (0..600).map(|chip| format!("\"{chip:0128x}\"")).collect();
        let text =
            format!("{ALLOW}[[deny]]\nid = \"chips\"\nvendor = \"amd\"\nchip_ids = [{}]\n", chips.join(", "));
        let (old, new) = (Policy::parse(ALLOW).unwrap(), Policy::parse(&text).unwrap());
        let compared = compare(Tee::SevSnp, Product::Milan, &Pair { old: &old, new: &new }, NOW);
        assert!(compared.incomplete);
        assert_eq!(compared.count, MAX_POINTS);
    }

    proptest! {
        /// What a rule that denies changes is refused, and taking it away is the opposite of adding it.
        #[test]
        fn a_deny_rule_refuses_only(
            products in proptest::sample::subsequence(vec!["milan", "genoa", "siena", "turin"], 1..=3),
            steppings in proptest::collection::btree_set(0_u8..16, 0..4),
        ) {
            let names: Vec<String> = products.iter().map(|product| format!("\"{product}\"")).collect();
            let mut deny = format!("{ALLOW}[[deny]]\nid = \"no\"\nvendor = \"amd\"\nproducts = [{}]\n", names.join(", "));
            if !steppings.is_empty() {
                let steppings: Vec<_> = steppings.iter().collect();
                deny = format!("{deny}steppings = {steppings:?}\n");
            }
            for product in [Product::Milan, Product::Genoa, Product::Siena, Product::Turin] {
                let (added, removed) = (changes(ALLOW, &deny, product), changes(&deny, ALLOW, product));
                prop_assert_eq!(added.is_empty(), !products.contains(&product.name()));
                prop_assert!(added.iter().all(|(direction, _)| *direction == Direction::Refused));
                prop_assert!(removed.iter().all(|(direction, _)| *direction == Direction::Accepted));
                prop_assert_eq!(added.len(), removed.len());
            }
        }
    }
}
