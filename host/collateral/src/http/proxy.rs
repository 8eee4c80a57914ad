// SPDX-License-Identifier: Apache-2.0

//! Through which proxy a server is reached, as the usual environment variables say it.

use std::fmt;
use std::net::IpAddr;

use super::url::Url;
use crate::error::ConfigError;

/// The proxies for servers with and without TLS, and the servers that need none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    https: Option<Proxy>,
    http: Option<Proxy>,
    exceptions: Vec<Exception>,
}

/// A proxy: `http://`, or `https://` for TLS on the way to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(crate) url: Url,
    /// The value of `Proxy-Authorization`, if the address has a user and password.
    pub(crate) authorization: Option<String>,
}

/// An entry of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    Everything,
    /// This name and every name below it, maybe at one port only.
    Name(String, Option<u16>),
    /// Addresses that agree in so many bits.
    Network(IpAddr, u32),
}

impl Proxies {
    /// No proxy for anything.
    pub fn none() -> Self {
        Self::default()
    }

    /// What the environment of this process says.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// What variables say: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, of which the spelling in
    /// lower case comes first.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let get = |name: &str| {
            let value = variable(&name.to_ascii_lowercase()).or_else(|| variable(name));
            value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        // A web server hands a request's header `Proxy` to its programs under this name.
        let in_web_server = variable("REQUEST_METHOD").is_some();
        let http = if in_web_server { variable("http_proxy") } else { get("HTTP_PROXY") };
        let all = get("ALL_PROXY");
        let proxy =
            |text: Option<String>| text.or_else(|| all.clone()).map(|text| Proxy::parse(&text)).transpose();
        let exceptions = get("NO_PROXY").unwrap_or_default();
        let exceptions = exceptions.split([',', ' ']).filter(|entry| !entry.is_empty());
        Ok(Self {
            https: proxy(get("HTTPS_PROXY"))?,
            http: proxy(http)?,
            exceptions: exceptions.map(Exception::parse).collect(),
        })
    }

    /// The proxy for a server, if it needs one.
    pub(crate) fn of(&self, url: &Url) -> Option<&Proxy> {
        let proxy = if url.tls() { self.https.as_ref() } else { self.http.as_ref() };
        proxy.filter(|_| !self.exceptions.iter().any(|exception| exception.covers(url)))
    }
}

impl Proxy {
    /// Reads `http://[USER:PASSWORD@]HOST:PORT`; the scheme may be left out.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        // The text may hold a password, which no message repeats.
        let wrong = |problem: &str| ConfigError::new("the address of the proxy", problem);
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let (user, server) = match authority.rsplit_once('@') {
            Some((user, server)) => (Some(user), server),
            None => (None, authority),
        };
        let scheme = scheme.to_ascii_lowercase();
        let url = Url::parse(&format!("{scheme}://{server}")).map_err(|error| wrong(&error.problem))?;
        let authorization = match user {
            None => None,
            Some(user) => {
                let decoded = percent_decode(user).ok_or_else(|| wrong("has a `%` that encodes nothing"))?;
                let plain =
                    if decoded.contains(&b':') { decoded } else { [&decoded, b":".as_slice()].concat() };
                Some(format!("Basic {}", base64(&plain)))
            }
        };
        Ok(Self { url, authorization })
    }
}

impl fmt::Debug for Proxy {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Exception {
    fn parse(entry: &str) -> Self {
        if entry == "*" {
            return Self::Everything;
        }
        let (address, bits) = entry.split_once('/').map_or((entry, None), |(ip, bits)| (ip, Some(bits)));
        let address = address.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = address.parse::<IpAddr>() {
            let all = if address.is_ipv4() { 32 } else { 128 };
            return Self::Network(address, bits.and_then(|bits| bits.parse().ok()).unwrap_or(all).min(all));
        }
        let (name, port) = match entry.rsplit_once(':') {
            Some((name, port)) => (name, port.parse().ok()),
            None => (entry, None),
        };
        let name = name.trim_start_matches("*.").trim_start_matches('.');
        Self::Name(name.to_ascii_lowercase(), port)
    }

    fn covers(&self, url: &Url) -> bool {
        match self {
            Self::Everything => true,
            Self::Name(name, port) => {
                let below = url.host().strip_suffix(name.as_str());
                let same = below.is_some_and(|below| below.is_empty() || below.ends_with('.'));
                !name.is_empty() && same && port.is_none_or(|port| port == url.port())
            }
            Self::Network(network, bits) => {
                url.host().parse().is_ok_and(|address| agrees(*network, address, *bits))
            }
        }
    }
}

/// Whether two addresses agree in the first `bits` bits.
fn agrees(network: IpAddr, address: IpAddr, bits: u32) -> bool {
    let (different, width) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (u128::from(network.to_bits() ^ address.to_bits()), 32_u32)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits() ^ address.to_bits(), 128),
        _ => return false,
    };
    different.checked_shr(width.saturating_sub(bits)).unwrap_or(0) == 0
}

/// The bytes of a text with `%` and two hexadecimal digits for some of them (RFC 3986, section 2.1).
pub(crate) fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        decoded.extend(hex::decode(digits).ok()?);
        rest = after;
    }
    Some(decoded)
}

/// Base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| ALPHABET.get((bits & 0x3f) as usize).map_or('A', |digit| char::from(*digit));
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut padded = [0; 4];
        for (to, from) in padded.iter_mut().skip(1).zip(chunk) {
            *to = *from;
        }
        let bits = u32::from_be_bytes(padded);
        let digits = [bits >> 18, bits >> 12, bits >> 6, bits].map(digit);
        let count = chunk.len().saturating_add(1);
        text.extend(digits.iter().take(count));
        text.extend(core::iter::repeat_n('=', 4_usize.saturating_sub(count)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        let get = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Proxies::from_variables(get).unwrap()
    }

    fn of(proxies: &Proxies, url: &str) -> Option<String> {
        proxies.of(&Url::parse(url).unwrap()).map(|proxy| proxy.url.to_string())
    }

    #[test]
    fn variables_name_proxies() {
        let both = proxies(&[
            ("HTTPS_PROXY", "http://one:3128"),
            ("http_proxy", "two:8080"),
            ("HTTP_PROXY", "no:1"),
        ]);
        assert_eq!(of(&both, "https://a/").unwrap(), "http://one:3128/");
        assert_eq!(of(&both, "http://a/").unwrap(), "http://two:8080/");
        let all = proxies(&[("ALL_PROXY", "https://three"), ("HTTPS_PROXY", "")]);
        assert_eq!(of(&all, "https://a/").unwrap(), "https://three/");
        assert_eq!(of(&Proxies::none(), "https://a/"), None);
    }

    #[test]
    fn a_header_of_a_web_request_is_no_proxy() {
        let set = proxies(&[("HTTP_PROXY", "http://evil"), ("REQUEST_METHOD", "GET")]);
        assert_eq!(of(&set, "http://a/"), None);
    }

    #[test]
    fn exceptions_are_names_networks_and_everything() {
        let no_proxy = "localhost, .intel.com,host:8081 10.0.0.0/8,[::1],fd00::/8,*.corp.example";
        let set = proxies(&[("ALL_PROXY", "http://p"), ("NO_PROXY", no_proxy)]);
        let direct = [
            "http://localhost:99/",
            "https://api.intel.com/",
            "https://intel.com/",
            "https://HOST:8081/",
            "http://10.1.2.3/",
            "http://[::1]/",
            "http://[fd12::3]/",
            "http://x.corp.example/",
        ];
        for url in direct {
            assert_eq!(of(&set, url), None, "{url}");
        }
        for url in ["https://xintel.com/", "https://host/", "http://11.1.2.3/", "http://[fe00::1]/"] {
            assert_eq!(of(&set, url).as_deref(), Some("http://p/"), "{url}");
        }
        assert_eq!(of(&proxies(&[("ALL_PROXY", "http://p"), ("NO_PROXY", "*")]), "http://a/"), None);
    }

    #[test]
    fn users_are_sent_and_never_shown() {
        // RFC 7617, section 2.
        let proxy = Proxy::parse("http://Aladdin:open%20sesame@p:1").unwrap();
        assert_eq!(proxy.authorization.as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert!(!format!("{proxy:?}").contains("sesame"));
        let error = Proxy::parse("socks5://me:secret@p:1").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(Proxy::parse("http://%zz@p").is_err());
    }

    #[test]
    fn base64_is_that_of_its_standard() {
        // RFC 4648, section 10.
        let vectors = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(vectors, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }
}
