// SPDX-License-Identifier: Apache-2.0

//! Why something could not be had. Each kind says whether trying again may help. What caused an error is its
//! `source` and not repeated in its text.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use enarx_evidence::ParseError;
use thiserror::Error;

use crate::What;

/// Why one thing that a vendor gives out could not be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CollateralError {
    /// The exchange with the server failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The vendor must not be asked yet: it said so, or was asked about the same chip a moment ago.
    #[error("`{url}` must not be asked again for {} s", wait.as_secs())]
    TooSoon {
        /// The address.
        url: String,
        /// For how long not.
        wait: Duration,
    },
    /// The answer is not what was asked for.
    #[error("`{url}` gave something else")]
    Content {
        /// Where it came from.
        url: String,
        /// What is wrong with it.
        #[source]
        problem: ContentError,
    },
    /// The newest that there is says itself that it must not be used any more.
    #[error("`{url}` gave what was valid until {until} (seconds since 1970), and now it is {now}")]
    Stale {
        /// Where it came from.
        url: String,
        /// Its last second, since 1970.
        until: u64,
        /// The time of the request.
        now: u64,
    },
    /// It is not valid yet, so that one of two clocks is wrong.
    #[error("`{url}` gave what is valid from {from} (seconds since 1970), and now it is {now}")]
    NotYetValid {
        /// Where it came from.
        url: String,
        /// Its first second, since 1970.
        from: u64,
        /// The time of the request.
        now: u64,
    },
    /// It is neither in a bundle nor in the cache, and the network may not be used.
    #[error("{what} is not at hand, and the network must not be used")]
    Offline {
        /// What it is, in words.
        what: String,
    },
    /// Another task wanted the same at the same time and got this error for all.
    #[error(transparent)]
    Shared(Arc<CollateralError>),
    /// None of the sources gives it out.
    #[error("no source gives out {what}: {why}")]
    NotServed {
        /// What it is, in words.
        what: String,
        /// Why not.
        why: &'static str,
    },
}

impl CollateralError {
    /// Whether the same request may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Http(error) => error.is_retryable(),
            // The vendor will publish anew, and clocks get set.
            Self::TooSoon { .. } | Self::Stale { .. } | Self::NotYetValid { .. } => true,
            Self::Content { .. } | Self::Offline { .. } | Self::NotServed { .. } => false,
            Self::Shared(error) => error.is_retryable(),
        }
    }

    /// How long to wait before the next try, if the vendor said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Http(HttpError::Status { retry_after, .. }) => *retry_after,
            Self::TooSoon { wait, .. } => Some(*wait),
            Self::Shared(error) => error.retry_after(),
            _ => None,
        }
    }

    /// What to do about it, if there is something.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Http(error) => error.hint(),
            Self::TooSoon { .. } => Some("the vendor asks for patience: try again later"),
            Self::Content { .. } => Some("is that the address of the service, or of something before it?"),
            Self::Stale { .. } => Some("is the clock right? a mirror may be behind its vendor"),
            Self::NotYetValid { .. } => Some("is the clock right?"),
            Self::Offline { .. } => Some("fetch it with a network first, and give the bundle or the cache"),
            Self::NotServed { .. } => None,
            Self::Shared(error) => error.hint(),
        }
    }

    /// Whether the source does not have it, so that another one may.
    pub(crate) fn is_absence(&self) -> bool {
        if let Self::Shared(error) = self {
            return error.is_absence();
        }
        matches!(
            self,
            Self::NotServed { .. } | Self::Http(HttpError::Status { status: 404 | 410 | 461 | 462, .. })
        )
    }
}

/// What went wrong with one HTTP request, redirects included.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The name could not be resolved, or nothing accepts connections there.
    #[error("could not connect to `{server}`")]
    Connect {
        /// The server or proxy, with its port.
        server: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The server's certificate was not accepted, or it does not speak TLS.
    #[error("no HTTPS with `{server}`")]
    Tls {
        /// The server or proxy, with its port.
        server: String,
        /// What the TLS library said.
        #[source]
        source: io::Error,
    },
    /// The proxy did not connect to the server.
    #[error("the proxy `{proxy}` answered {status} when asked for `{server}`")]
    Proxy {
        /// The proxy, with its port.
        proxy: String,
        /// The server, with its port.
        server: String,
        /// The status.
        status: u16,
    },
    /// Nothing, or not everything, came in time.
    #[error("`{url}` took longer than {} s to {doing}", limit.as_secs_f32())]
    Timeout {
        /// The address.
        url: String,
        /// What took too long.
        doing: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// What came is no HTTP, or it broke off.
    #[error("the exchange with `{url}` broke off")]
    Broken {
        /// The address.
        url: String,
        /// What the HTTP library said.
        #[source]
        source: hyper::Error,
    },
    /// The answer is longer than anything genuine.
    #[error("`{url}` gave more than {limit} bytes")]
    TooLarge {
        /// The address.
        url: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The server said no, or not now.
    #[error("`{url}` answered {status}{}", retry_text(*retry_after))]
    Status {
        /// The address.
        url: String,
        /// The status.
        status: u16,
        /// How long to wait before the next request.
        retry_after: Option<Duration>,
    },
    /// A redirect that is not followed.
    #[error("`{url}` redirects {problem}")]
    Redirect {
        /// The address.
        url: String,
        /// Why it is not followed.
        problem: String,
    },
}

impl HttpError {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Timeout { .. } | Self::Broken { .. } => true,
            Self::Status { status, .. } | Self::Proxy { status, .. } => {
                matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
            }
            Self::Tls { .. } | Self::TooLarge { .. } | Self::Redirect { .. } => false,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Connect { .. } | Self::Timeout { .. } => {
                Some("is there a network? set HTTPS_PROXY if there is a proxy on the way")
            }
            Self::Tls { .. } => Some("set SSL_CERT_FILE to the certificate authority of the server"),
            Self::Proxy { status: 407, .. } => Some("give user and password in the address of the proxy"),
            Self::Status { status: 429, .. } => Some("the vendor asks for patience: try again later"),
            _ => None,
        }
    }
}

fn retry_text(after: Option<Duration>) -> String {
    after.map_or_else(String::new, |after| format!(", and to wait for {} s", after.as_secs()))
}

/// Bytes that are not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ContentError {
    /// They are not in the format that was asked for.
    #[error("not {expected}{}", content_type_text(content_type.as_deref()))]
    NotThat {
        /// What was asked for.
        expected: &'static str,
        /// What the parser found, if the bytes look like the format at all.
        #[source]
        source: Option<ParseError>,
        /// What the server said they are.
        content_type: Option<String>,
    },
    /// They are for another chip, TCB, platform, authority.
    #[error("the {field} is {found}, not {expected}")]
    Other {
        /// What differs.
        field: &'static str,
        /// What was asked for.
        expected: String,
        /// What came.
        found: String,
    },
    /// More bytes than an endorsement may have.
    #[error("longer than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The certificates of those who signed it did not come with it.
    #[error("the certificates of its issuers are missing")]
    IssuersMissing,
}

fn content_type_text(content_type: Option<&str>) -> String {
    content_type.map_or_else(String::new, |kind| format!(", but what the server calls `{kind}`"))
}

/// Why it cannot be said what evidence needs.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NeedsError {
    /// The evidence cannot be read.
    #[error("the evidence cannot be read")]
    Evidence(#[from] ParseError),
    /// Nothing says which product a report was made on.
    #[error("the report does not say which product it was made on")]
    ProductUnknown,
    /// The platform's certificate is neither in the quote nor in a form that names the platform.
    #[error("the quote has no certificate of its platform")]
    NoPlatformCertificate,
    /// Nothing can be fetched for this kind of evidence.
    #[error(
        "nothing is fetched for evidence of the format `{format}`: its vendor publishes nothing of the kind"
    )]
    Format {
        /// The format.
        format: &'static str,
    },
}

/// A configuration that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` {problem}")]
pub struct ConfigError {
    /// What was given.
    pub text: String,
    /// Why it cannot be.
    pub problem: String,
}

impl ConfigError {
    pub(crate) fn new(text: &str, problem: impl Into<String>) -> Self {
        Self { text: text.chars().take(200).collect(), problem: problem.into() }
    }
}

pub(crate) fn not_served(what: &What, why: &'static str) -> CollateralError {
    CollateralError::NotServed { what: what.describe(), why }
}
