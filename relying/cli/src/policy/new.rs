// SPDX-License-Identifier: Apache-2.0

//! `enarx policy new`: a commented policy to start from.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use enarx_verifier::policy::{self, Product, Tee, Vendor, Vocabulary};

use super::{PolicyFile, ask};
use crate::args::{NewPolicyArgs, OutputOptions};
use crate::failure::{Failure, Outcome};
use crate::write::{new_file, print, wrote};

/// Writes it.
pub(super) fn write(args: &NewPolicyArgs, output: &OutputOptions) -> Outcome<()> {
    let answered;
    let args = if ask::wanted(args, output) {
        let mut dialogue = ask::Dialogue::new(io::stdin().lock(), io::stderr());
        answered = dialogue.complete(args.clone())?;
        &answered
    } else {
        args
    };
    let text = text(args)?;
    match &args.file {
        Some(file) => new_file(file, text.as_bytes()).map(|()| wrote(file, output)),
        None => print(text.as_bytes()),
    }
}

pub(super) fn text(args: &NewPolicyArgs) -> Outcome<String> {
    let mut text = match (&args.extends, args.products.as_slice()) {
        (Some(base), _) => narrowing(base, args.file.as_deref())?,
        (None, []) => policy::template().to_owned(),
        (None, products) => of_products(policy::template(), products)?,
    };
    if args.simulated {
        let marked = "# [simulated]\n# accept = true\n# roots = [\"local\"]\n";
        text = text.replace(marked, "[simulated]\naccept = true\nroots = [\"local\"]\n");
    }
    for product in &args.without {
        text.push_str(&denial(*product));
    }
    // What is written has to be a policy, if only to tell that everything that is allowed is denied as well.
    if args.extends.is_none() {
        PolicyFile::parse("the policy", text.clone(), Vec::new())?;
    }
    Ok(text)
}

/// A policy that adds nothing to another one yet.
fn narrowing(base: &str, file: Option<&Path>) -> Outcome<String> {
    let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
    let digest = hex::encode(PolicyFile::read(Some(&folder.join(base)))?.policy().digest());
    let quoted = base.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!(
        "# Trust policy of Enarx that narrows another one: what is not said here is as it is there, and nothing can be\n\
         # accepted that is not accepted there. `enarx policy check` tells where it would be.\n\
         version = 1\n\
         extends = \"{quoted}\"\n\
         # The digest of that policy, as `enarx policy check` tells it. Remove it to follow changes without a look.\n\
         extends_sha256 = \"{digest}\"\n\n\
         # Platforms that this team does not trust, for example:\n\
         #\n\
         # [[deny]]\n\
         # id = \"no-milan-here\"\n\
         # vendor = \"amd\"\n\
         # products = [\"milan\"]\n\
         # reason = \"the bulletin or CVE that made you decide\"\n"
    ))
}

/// The template with rules for these products instead of its own.
fn of_products(template: &str, products: &[Product]) -> Outcome<String> {
    let mut kinds: BTreeMap<(Vendor, Tee), Vec<Product>> = BTreeMap::new();
    for &product in products {
        let known = kinds.entry((product.vendor(), tee(product))).or_default();
        if !known.contains(&product) {
            known.push(product);
        }
    }
    let mut rules = String::new();
    for ((vendor, tee), products) in &kinds {
        let names: Vec<String> = products.iter().map(|product| format!("\"{product}\"")).collect();
        let names = names.join(", ");
        let rule = format!("[[allow]]\nid = \"{vendor}-{tee}\"\nvendor = \"{vendor}\"\ntee = \"{tee}\"\n");
        rules.extend([rule, format!("products = [{names}]\n\n")]);
    }
    let (before, rest) = template.split_once("[[allow]]\n").unwrap_or((template, ""));
    let (_, after) = rest.split_once("\n\n").unwrap_or((rest, ""));
    let mut text = format!("{before}{rules}{after}");
    for product in Product::ALL.iter().filter(|product| product.has_minimum_tcb()) {
        let section = section(&text, *product).map(str::to_owned);
        match (section, products.contains(product)) {
            (None, true) => {
                let message = format!("no levels of `{product}` are known here that are safe");
                return Err(Failure::usage(message).hint(format!(
                    "write the policy without it, and add it with `[minimum_tcb.{product}]` by hand"
                )));
            }
            (Some(section), false) => text = text.replace(&section, ""),
            _ => {}
        }
    }
    if products.contains(&Product::CcaPlatform) {
        text.push_str(
            "\n# Firmware of Arm CCA platforms that you trust: measurements, or who signed it.\n\
             [cca]\nsoftware = []\n# signers = [\"sha256:<64 hexadecimal digits>\"]\n",
        );
    }
    Ok(text)
}

/// The levels of a product in the template, with the empty line behind.
fn section(text: &str, product: Product) -> Option<&str> {
    let start = text.find(&format!("[minimum_tcb.{product}]\n"))?;
    let rest = text.get(start..)?;
    let end = rest.find("\n\n").map_or(rest.len(), |end| end.saturating_add(2));
    rest.get(..end)
}

/// The TEE that a product is most likely used for.
fn tee(product: Product) -> Tee {
    let preferred = [Tee::SevSnp, Tee::Tdx];
    let has = |tee: &Tee| product.has(*tee);
    let found = preferred.iter().find(|tee| has(tee)).or_else(|| Tee::ALL.iter().find(|tee| has(tee)));
    found.copied().unwrap_or(Tee::Tpm)
}

fn denial(product: Product) -> String {
    format!(
        "\n[[deny]]\nid = \"no-{product}\"\nvendor = \"{}\"\nproducts = [\"{product}\"]\n\
         # reason = \"the bulletin or CVE that made you decide\"\n",
        product.vendor()
    )
}
