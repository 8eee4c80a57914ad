// SPDX-License-Identifier: Apache-2.0

//! One HTTP GET: through a proxy if there is one, with redirects, with limits of size and time on everything.
//!
//! Nothing that a server answers is believed here. HTTPS keeps onlookers from seeing which chip is asked about;
//! what comes is signed by its vendor whatever the way.

pub(crate) mod connect;
mod proxy;
mod url;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response};
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConfig;

pub use proxy::{Proxies, Proxy};
pub use url::Url;

pub(crate) use proxy::percent_decode;

use crate::error::HttpError;

/// More redirects than that are a loop.
const MAX_REDIRECTS: usize = 4;

/// Limits of one request, redirects included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Time to reach the server or proxy, TLS included.
    pub connect_time: Duration,
    /// Time for the whole request, from its beginning to the last byte of the answer.
    pub answer_time: Duration,
    /// Length of the answer in bytes.
    pub max_body: usize,
}

impl Default for HttpLimits {
    /// 10 s, 30 s, and 256 KiB: the largest genuine answer, a TCB info, has 20 KiB.
    fn default() -> Self {
        Self {
            connect_time: Duration::from_secs(10),
            answer_time: Duration::from_secs(30),
            max_body: 256 * 1024,
        }
    }
}

/// A client: how it connects, and how patient it is.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) proxies: Proxies,
    pub(crate) limits: HttpLimits,
}

/// An answer of status 200.
pub(crate) struct Answer {
    headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A header's value, if it is there once and text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?;
        if values.next().is_some() {
            return None;
        }
        first.to_str().ok()
    }

    /// What the server calls the answer, fit for a terminal.
    pub(crate) fn content_type(&self) -> Option<String> {
        let kind = self.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        Some(kind.chars().filter(|c| !c.is_control()).take(60).collect())
    }
}

impl Client {
    /// Asks for an address.
    pub(crate) async fn get(&self, url: &Url) -> Result<Answer, HttpError> {
        let limit = self.limits.answer_time;
        let late = |_| HttpError::Timeout { url: url.to_string(), doing: "answer completely", limit };
        timeout(limit, self.follow(url)).await.map_err(late)?
    }

    async fn follow(&self, url: &Url) -> Result<Answer, HttpError> {
        let mut at = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.exchange(&at).await?;
            let status = response.status();
            if !status.is_redirection() {
                return if status.as_u16() == 200 {
                    self.read(&at, response).await
                } else {
                    Err(refusal(&at, &response))
                };
            }
            at = next(&at, &response)?;
        }
        let problem = format!("more than {MAX_REDIRECTS} times");
        Err(HttpError::Redirect { url: url.to_string(), problem })
    }

    async fn exchange(&self, url: &Url) -> Result<Response<Incoming>, HttpError> {
        let connection = connect::open(self, url).await?;
        let mut sender = connection.sender;
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.method_mut() = Method::GET;
        // A proxy without a tunnel has to be told the whole address (RFC 9112, section 3.2.2).
        let target = if connection.absolute { url.to_string() } else { url.path_and_query().to_owned() };
        let invalid =
            |_| HttpError::Redirect { url: url.to_string(), problem: "to what is no address".to_owned() };
        *request.uri_mut() = target.parse().map_err(invalid)?;
        let host = HeaderValue::from_str(&url.host_header());
        let headers = request.headers_mut();
        headers.insert(HOST, host.unwrap_or_else(|_| HeaderValue::from_static("")));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("enarx/", env!("CARGO_PKG_VERSION"))));
        if let Some(authorization) = connection.authorization {
            headers.insert(hyper::header::PROXY_AUTHORIZATION, authorization);
        }
        let broken = |source| HttpError::Broken { url: url.to_string(), source };
        sender.send_request(request).await.map_err(broken)
    }

    async fn read(&self, url: &Url, response: Response<Incoming>) -> Result<Answer, HttpError> {
        let limit = self.limits.max_body;
        let (parts, body) = response.into_parts();
        match Limited::new(body, limit).collect().await {
            Ok(collected) => Ok(Answer { headers: parts.headers, body: collected.to_bytes() }),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(HttpError::TooLarge { url: url.to_string(), limit })
            }
            Err(error) => match error.downcast::<hyper::Error>() {
                Ok(source) => Err(HttpError::Broken { url: url.to_string(), source: *source }),
                Err(_) => Err(HttpError::TooLarge { url: url.to_string(), limit }),
            },
        }
    }
}

fn refusal(url: &Url, response: &Response<Incoming>) -> HttpError {
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    HttpError::Status {
        url: url.to_string(),
        status: response.status().as_u16(),
        retry_after: retry_after.and_then(|text| delay(text, SystemTime::now())),
    }
}

/// Nobody waits longer than that because a server says so.
const LONGEST_DELAY: Duration = Duration::from_hours(24);

/// `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
fn delay(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds).min(LONGEST_DELAY));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default().min(LONGEST_DELAY))
}

/// Where a redirect leads, if it may be followed: never from HTTPS to HTTP or back.
fn next(url: &Url, response: &Response<Incoming>) -> Result<Url, HttpError> {
    let refused = |problem: String| HttpError::Redirect { url: url.to_string(), problem };
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Err(refusal(url, response));
    }
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(|| refused("to no address".to_owned()))?;
    let target = url.redirect(location).map_err(|error| refused(format!("to what {}", error.problem)))?;
    if target.tls() != url.tls() {
        return Err(refused(format!("to another scheme, `{target}`")));
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_seconds_or_dates() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(delay(" 17 ", now), Some(Duration::from_secs(17)));
        assert_eq!(delay("Sun, 06 Nov 1994 08:50:37 GMT", now), Some(Duration::from_mins(1)));
        assert_eq!(delay("Sun, 06 Nov 1994 08:40:37 GMT", now), Some(Duration::ZERO));
        assert_eq!(delay("18446744073709551615", now), Some(LONGEST_DELAY));
        assert_eq!(delay("Sat, 06 Nov 2094 08:40:37 GMT", now), Some(LONGEST_DELAY));
        assert_eq!(delay("soon", now), None);
        assert_eq!(delay("-1", now), None);
    }
}
