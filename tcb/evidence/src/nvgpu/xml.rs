// SPDX-License-Identifier: Apache-2.0

//! As much of XML as NVIDIA's reference manifests use, and its canonical form.
//!
//! Signed XML has been forged in many ways that need entities, document types, comments, processing instructions or
//! character references. None of them is read here: elements with attributes, and text, of printable ASCII. What is
//! left has one tree and one canonical form (*Canonical XML 1.1*, section 2), which is written from the tree.

use alloc::vec::Vec;

use crate::{Fault, ParseError};

/// Limit of nesting. Manifests nest five deep.
const MAX_DEPTH: usize = 16;
/// Limit of the number of elements. Manifests have less than 300.
const MAX_ELEMENTS: usize = 2048;
/// Limit of attributes of an element, declarations of namespaces among them.
const MAX_ATTRIBUTES: usize = 64;

/// A prefix, empty for the default, and the namespace that it stands for.
pub(super) type Namespace<'a> = (&'a str, &'a str);

/// An element with everything in it.
pub(super) struct Element<'a> {
    /// As it is written, with its prefix.
    name: &'a str,
    namespace: &'a str,
    local: &'a str,
    declared: Vec<Namespace<'a>>,
    attributes: Vec<Attribute<'a>>,
    children: Vec<Node<'a>>,
}

struct Attribute<'a> {
    name: &'a str,
    namespace: &'a str,
    local: &'a str,
    value: &'a str,
}

enum Node<'a> {
    Element(Element<'a>),
    Text(&'a str),
}

impl<'a> Element<'a> {
    /// Whether it is of this name.
    pub(super) fn is(&self, namespace: &str, local: &str) -> bool {
        self.namespace == namespace && self.local == local
    }

    /// The elements in it.
    pub(super) fn elements(&self) -> impl Iterator<Item = &Element<'a>> {
        self.children.iter().filter_map(|child| match child {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The element of a name in it, if there is exactly one.
    pub(super) fn only(&self, namespace: &str, local: &str) -> Option<&Element<'a>> {
        let mut named = self.elements().filter(|element| element.is(namespace, local));
        named.next().filter(|_| named.next().is_none())
    }

    /// The value of an attribute; one without a prefix has no namespace.
    pub(super) fn attribute(&self, namespace: &str, local: &str) -> Option<&'a str> {
        let mut all = self.attributes.iter();
        all.find(|found| found.namespace == namespace && found.local == local).map(|found| found.value)
    }

    /// Its text, if nothing else is in it.
    pub(super) fn text(&self) -> Option<&'a str> {
        match self.children.as_slice() {
            [Node::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The namespaces that it declares.
    pub(super) fn declared(&self) -> &[Namespace<'a>] {
        &self.declared
    }

    /// The canonical form, without the elements directly in it that `left_out` names. `above` are the namespaces of
    /// the elements around it, outermost first: a part of a document declares what it inherits.
    pub(super) fn canonical(&self, above: &[Namespace<'a>], left_out: Option<(&str, &str)>) -> Vec<u8> {
        let mut inherited: Vec<Namespace<'a>> = Vec::new();
        for (prefix, uri) in above.iter().chain(&self.declared) {
            inherited.retain(|(other, _)| other != prefix);
            inherited.push((prefix, uri));
        }
        let mut out = Vec::new();
        self.write(&inherited, &[], left_out, &mut out);
        out
    }

    /// Writes the element with declarations of which those in `known` are written already around it.
    fn write(
        &self,
        declared: &[Namespace<'a>],
        known: &[Namespace<'a>],
        left_out: Option<(&str, &str)>,
        out: &mut Vec<u8>,
    ) {
        let mut new: Vec<_> = declared.iter().filter(|namespace| !known.contains(namespace)).collect();
        new.sort_unstable();
        push(out, &["<", self.name]);
        for (prefix, uri) in &new {
            let colon = if prefix.is_empty() { "" } else { ":" };
            push(out, &[" xmlns", colon, prefix, "=\"", uri, "\""]);
        }
        let mut attributes: Vec<_> = self.attributes.iter().collect();
        attributes.sort_unstable_by_key(|attribute| (attribute.namespace, attribute.local));
        for attribute in attributes {
            push(out, &[" ", attribute.name, "=\"", attribute.value, "\""]);
        }
        push(out, &[">"]);
        let replaced = |(prefix, _): &&Namespace<'a>| new.iter().any(|(other, _)| other == prefix);
        let mut inside: Vec<Namespace<'a>> = known.iter().filter(|known| !replaced(known)).copied().collect();
        inside.extend(new.iter().copied());
        for child in &self.children {
            match child {
                Node::Text(text) => push(out, &[text]),
                Node::Element(element) if left_out == Some((element.namespace, element.local)) => {}
                Node::Element(element) => element.write(&element.declared, &inside, None, out),
            }
        }
        push(out, &["</", self.name, ">"]);
    }
}

fn push(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Reads a document: a declaration of XML, if there is one, and one element.
pub(super) fn parse<'a>(format: &'static str, bytes: &'a [u8]) -> Result<Element<'a>, ParseError> {
    let allowed = |byte: &u8| matches!(byte, b'\n' | b'\t' | b' '..=b'~') && *byte != b'&';
    let wrong = bytes.iter().position(|byte| !allowed(byte));
    let malformed = |offset| ParseError { format, field: "text", offset, fault: Fault::Malformed };
    if let Some(offset) = wrong {
        return Err(malformed(offset));
    }
    let text = core::str::from_utf8(bytes).map_err(|_| malformed(0))?;
    let mut parser = Parser { format, text, at: 0, elements: 0 };
    if parser.take("<?xml ") {
        let end = parser.rest().find("?>").ok_or_else(|| parser.malformed("declaration"))?;
        let declaration = parser.rest().get(..end).unwrap_or_default();
        if declaration.contains(['<', '>']) {
            return Err(parser.malformed("declaration"));
        }
        parser.at = parser.at.saturating_add(end).saturating_add(2);
    }
    parser.space();
    let element = parser.element(&mut Vec::new(), 0)?;
    parser.space();
    match parser.rest().len() {
        0 => Ok(element),
        count => Err(parser.error("end", Fault::Trailing { count })),
    }
}

struct Parser<'a> {
    format: &'static str,
    text: &'a str,
    at: usize,
    elements: usize,
}

impl<'a> Parser<'a> {
    /// An element that starts here. `scope` are the namespaces of those around it.
    fn element(&mut self, scope: &mut Vec<Namespace<'a>>, depth: usize) -> Result<Element<'a>, ParseError> {
        self.elements = self.elements.saturating_add(1);
        if depth >= MAX_DEPTH || self.elements > MAX_ELEMENTS {
            return Err(self.error("elements", Fault::TooLarge { limit: MAX_ELEMENTS }));
        }
        self.expect("<")?;
        let name = self.name()?;
        let (declared, written, empty) = self.tag()?;
        let outer = scope.len();
        scope.extend_from_slice(&declared);
        let (prefix, local) = self.split(name)?;
        let namespace = self.resolve(scope, prefix)?;
        let mut attributes: Vec<Attribute<'a>> = Vec::new();
        for (name, value) in written {
            let (prefix, local) = self.split(name)?;
            // The default namespace is not that of attributes.
            let namespace = if prefix.is_empty() { "" } else { self.resolve(scope, prefix)? };
            if attributes.iter().any(|other| other.namespace == namespace && other.local == local) {
                return Err(self.error("attribute", Fault::Duplicate));
            }
            attributes.push(Attribute { name, namespace, local, value });
        }
        let children = if empty { Vec::new() } else { self.children(name, scope, depth)? };
        scope.truncate(outer);
        Ok(Element { name, namespace, local, declared, attributes, children })
    }

    /// Declarations and attributes up to the end of a tag, and whether that is the end of the element too.
    #[allow(clippy::type_complexity, reason = "the two lists are taken apart at once")]
    fn tag(&mut self) -> Result<(Vec<Namespace<'a>>, Vec<(&'a str, &'a str)>, bool), ParseError> {
        let (mut declared, mut written) = (Vec::<Namespace<'a>>::new(), Vec::new());
        for _ in 0..=MAX_ATTRIBUTES {
            let spaced = self.space();
            if self.take("/>") {
                return Ok((declared, written, true));
            }
            if self.take(">") {
                return Ok((declared, written, false));
            }
            if !spaced {
                return Err(self.malformed("attribute"));
            }
            let name = self.name()?;
            self.expect("=")?;
            let value = self.value()?;
            let prefix = if name == "xmlns" { Some("") } else { name.strip_prefix("xmlns:") };
            let Some(prefix) = prefix else {
                written.push((name, value));
                continue;
            };
            if value.is_empty() || prefix.starts_with("xml") {
                return Err(self.malformed("xmlns"));
            }
            if declared.iter().any(|(other, _)| *other == prefix) {
                return Err(self.error("xmlns", Fault::Duplicate));
            }
            declared.push((prefix, value));
        }
        Err(self.error("attribute", Fault::TooLarge { limit: MAX_ATTRIBUTES }))
    }

    fn children(
        &mut self,
        name: &str,
        scope: &mut Vec<Namespace<'a>>,
        depth: usize,
    ) -> Result<Vec<Node<'a>>, ParseError> {
        let mut children = Vec::new();
        loop {
            let text = self.until('<')?;
            if text.contains('>') {
                return Err(self.malformed("text"));
            }
            if !text.is_empty() {
                children.push(Node::Text(text));
            }
            if self.take("</") {
                if self.name()? != name {
                    return Err(self.malformed("end of element"));
                }
                self.space();
                self.expect(">")?;
                return Ok(children);
            }
            children.push(Node::Element(self.element(scope, depth.saturating_add(1))?));
        }
    }

    fn value(&mut self) -> Result<&'a str, ParseError> {
        let quote = if self.take("'") { '\'' } else { self.expect("\"").map(|()| '"')? };
        let value = self.until(quote)?;
        self.at = self.at.saturating_add(1);
        if value.contains(['<', '"', '\n', '\t']) {
            return Err(self.malformed("value"));
        }
        Ok(value)
    }

    /// A name with at most one colon.
    fn name(&mut self) -> Result<&'a str, ParseError> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
        let end = self.rest().find(|c| !is_name(c)).unwrap_or(self.rest().len());
        let name = self.rest().get(..end).unwrap_or_default();
        let starts = |part: &str| part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if name.matches(':').count() > 1 || !name.split(':').all(starts) {
            return Err(self.malformed("name"));
        }
        self.at = self.at.saturating_add(end);
        Ok(name)
    }

    fn split(&self, name: &'a str) -> Result<(&'a str, &'a str), ParseError> {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        if prefix.starts_with("xml") { Err(self.malformed("prefix")) } else { Ok((prefix, local)) }
    }

    fn resolve(&self, scope: &[Namespace<'a>], prefix: &str) -> Result<&'a str, ParseError> {
        let found = scope.iter().rev().find(|(other, _)| *other == prefix).map(|(_, uri)| *uri);
        match found {
            Some(uri) => Ok(uri),
            None if prefix.is_empty() => Ok(""),
            None => Err(self.malformed("prefix")),
        }
    }

    fn until(&mut self, end: char) -> Result<&'a str, ParseError> {
        let len = self.rest().find(end).ok_or_else(|| self.error("text", Fault::Truncated))?;
        let text = self.rest().get(..len).unwrap_or_default();
        self.at = self.at.saturating_add(len);
        Ok(text)
    }

    fn space(&mut self) -> bool {
        let trimmed = self.rest().trim_start_matches([' ', '\n', '\t']).len();
        let skipped = self.rest().len().saturating_sub(trimmed);
        self.at = self.at.saturating_add(skipped);
        skipped > 0
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at = self.at.saturating_add(token.len());
        }
        found
    }

    fn expect(&mut self, token: &str) -> Result<(), ParseError> {
        if self.take(token) { Ok(()) } else { Err(self.malformed("markup")) }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn malformed(&self, field: &'static str) -> ParseError {
        self.error(field, Fault::Malformed)
    }

    fn error(&self, field: &'static str, fault: Fault) -> ParseError {
        ParseError { format: self.format, field, offset: self.at, fault }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Result<alloc::string::String, Fault> {
        let element = parse("test", text.as_bytes()).map_err(|error| error.fault)?;
        Ok(alloc::string::String::from_utf8(element.canonical(&[], None)).unwrap())
    }

    /// From *Canonical XML 1.1*, section 3.3 ("Start and end tags"), what of it is read here.
    #[test]
    fn tags_are_written_as_the_specification_has_it() {
        let e3 = r#"<e3   name = "elem3"   id="elem3"   />"#;
        assert_eq!(canonical(e3), Err(Fault::Malformed));
        let e3 = r#"<e3   name="elem3"   id='elem3'   />"#;
        assert_eq!(canonical(e3).unwrap(), r#"<e3 id="elem3" name="elem3"></e3>"#);
        let e5 = r#"<e5 xmlns:a="http://www.w3.org" xmlns:b="http://www.ietf.org" attr="I'm" attr2="all" b:attr="sorted" a:attr="out"></e5>"#;
        let sorted = r#"<e5 xmlns:a="http://www.w3.org" xmlns:b="http://www.ietf.org" attr="I'm" attr2="all" b:attr="sorted" a:attr="out"></e5>"#;
        assert_eq!(canonical(e5).unwrap(), sorted);
        let e6 = r#"<e6 xmlns:a="http://www.w3.org"><e7 xmlns="http://www.ietf.org"><e8 xmlns:a="http://www.w3.org"/></e7></e6>"#;
        let plain = r#"<e6 xmlns:a="http://www.w3.org"><e7 xmlns="http://www.ietf.org"><e8></e8></e7></e6>"#;
        assert_eq!(canonical(e6).unwrap(), plain);
    }

    #[test]
    fn a_namespace_that_changes_and_changes_back_is_written_each_time() {
        let text = r#"<a xmlns="u:1"><b xmlns="u:2"><c xmlns="u:1"><d xmlns="u:1"/></c></b></a>"#;
        let written = r#"<a xmlns="u:1"><b xmlns="u:2"><c xmlns="u:1"><d></d></c></b></a>"#;
        assert_eq!(canonical(text).unwrap(), written);
    }

    #[test]
    fn a_part_declares_what_it_inherits() {
        let root = parse("test", br#"<a xmlns="u:1" xmlns:p="u:2"><b xmlns:q="u:3"><c/></b></a>"#).unwrap();
        let b = root.only("u:1", "b").unwrap();
        let above = [root.declared(), b.declared()].concat();
        let part = b.only("u:1", "c").unwrap().canonical(&above, None);
        assert_eq!(part, br#"<c xmlns="u:1" xmlns:p="u:2" xmlns:q="u:3"></c>"#);
        assert_eq!(root.canonical(&[], Some(("u:1", "b"))), br#"<a xmlns="u:1" xmlns:p="u:2"></a>"#);
    }

    #[test]
    fn nothing_else_is_read() {
        for text in [
            "<!DOCTYPE a><a/>",
            "<a><!-- b --></a>",
            "<a><?b?></a>",
            "<a><![CDATA[b]]></a>",
            "<a>&amp;</a>",
            "<a b=\"&#10;\"/>",
            "<a b=\"\n\"/>",
            "<a>\r</a>",
            "<a>></a>",
            "<a>\u{e9}</a>",
            "<a></b>",
            "<a b='1' b='2'/>",
            "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>",
            "<p:a/>",
            "<a xmlns=''/>",
            "<a xml:b='1'/>",
            "<a:b:c xmlns:a='u'/>",
            "<a/><b/>",
            "<a",
            "",
        ] {
            assert!(canonical(text).is_err(), "{text}");
        }
        let deep = ["<a>".repeat(17), "</a>".repeat(17)].concat();
        assert_eq!(canonical(&deep), Err(Fault::TooLarge { limit: MAX_ELEMENTS }));
        let many = ["<a>", &"<b/>".repeat(2048), "</a>"].concat();
        assert_eq!(canonical(&many), Err(Fault::TooLarge { limit: MAX_ELEMENTS }));
    }
}
