// SPDX-License-Identifier: Apache-2.0

//! Addresses of servers and of what they serve.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use hyper::Uri;

use crate::error::ConfigError;

/// Longest address that is asked for. A VCEK's has about 250 characters.
const MAX_LEN: usize = 2048;

/// An `http://` or `https://` address without user, password and fragment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Url {
    tls: bool,
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
    /// Begins with `/`.
    path_and_query: String,
}

impl Url {
    /// Reads an address; what has no scheme, or another one, is refused.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let wrong = |problem: &str| ConfigError::new(text, problem);
        if text.len() > MAX_LEN {
            return Err(wrong("is longer than any address"));
        }
        if text.contains('#') {
            return Err(wrong("must not have a fragment"));
        }
        let uri: Uri = text.parse().map_err(|error| wrong(&format!("is not an address: {error}")))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("must begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("names no server"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("must not have a user or password"));
        }
        let host = server_name(authority.host()).ok_or_else(|| wrong("names no server"))?;
        // `Uri` takes `host:` and `host:99999` for addresses without a port.
        let rest = authority.as_str().rsplit(']').next().unwrap_or_default();
        if rest.contains(':') && authority.port_u16().is_none() {
            return Err(wrong("has a port that is none"));
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path_and_query = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { tls, host, port, path_and_query })
    }

    /// The address of something below this one, which is a folder with or without `/` at its end.
    pub(crate) fn join(&self, path_and_query: &str) -> Self {
        let folder = self.path_and_query.split('?').next().unwrap_or_default().trim_end_matches('/');
        Self { path_and_query: format!("{folder}/{path_and_query}"), ..self.clone() }
    }

    /// Where a redirect leads: another address, or another path on the same server.
    pub(crate) fn redirect(&self, location: &str) -> Result<Self, ConfigError> {
        if location.starts_with('/') && !location.starts_with("//") {
            let rest = location.split('#').next().unwrap_or_default();
            let target = Self { path_and_query: rest.to_owned(), ..self.clone() };
            return Self::parse(&target.to_string());
        }
        Self::parse(location.split('#').next().unwrap_or_default())
    }

    pub(crate) fn tls(&self) -> bool {
        self.tls
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// Server and port, as `CONNECT` names them.
    pub(crate) fn server(&self) -> String {
        format!("{}:{}", self.bracketed(), self.port)
    }

    /// The value of the header `Host`: without the port if it is the usual one.
    pub(crate) fn host_header(&self) -> String {
        let usual = if self.tls { 443 } else { 80 };
        if self.port == usual { self.bracketed() } else { self.server() }
    }

    fn bracketed(&self) -> String {
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.host.clone(),
        }
    }
}

/// A name, or an address without brackets, in its one form. `Uri` takes much for a name that is none.
fn server_name(host: &str) -> Option<String> {
    if let Some(bracketed) = host.strip_prefix('[') {
        return Some(bracketed.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?.to_string());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    (!host.is_empty() && host.chars().all(plain)).then(|| host.to_ascii_lowercase())
}

impl FromStr for Url {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        Self::parse(text)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.host_header(), self.path_and_query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_joined() {
        let base = Url::parse("https://Mirror.example:8081/amd/").unwrap();
        assert_eq!(
            base.join("vcek/v1/Milan/crl").to_string(),
            "https://mirror.example:8081/amd/vcek/v1/Milan/crl"
        );
        assert_eq!(Url::parse("http://[::1]:80").unwrap().to_string(), "http://[::1]/");
        assert_eq!(Url::parse("https://kdsintf.amd.com").unwrap().server(), "kdsintf.amd.com:443");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("http://host/{}", "a".repeat(MAX_LEN));
        let wrong = [
            "ftp://host/",
            "host",
            "/path",
            "http://",
            "http://user:password@host/",
            "http://host:99999/",
            "http://host/#fragment",
            "http://ho st/",
            "http://[:]/",
            "http://[127.0.0.1]/",
            "http://a%41/",
            &long,
        ];
        for text in wrong {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn redirects_lead_to_addresses_and_paths() {
        let url = Url::parse("https://host:444/a/b?c=d").unwrap();
        assert_eq!(url.redirect("/e?f").unwrap().to_string(), "https://host:444/e?f");
        assert_eq!(url.redirect("https://other/x#y").unwrap().to_string(), "https://other/x");
        for wrong in ["//other/x", "x", "", "file:///etc/passwd", "/ä b"] {
            assert!(url.redirect(wrong).is_err(), "{wrong}");
        }
    }
}
