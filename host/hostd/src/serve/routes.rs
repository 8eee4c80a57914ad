// SPDX-License-Identifier: Apache-2.0

//! What each path answers.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Version, header};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::admission::Admitted;
use super::{Shared, relay};
use crate::HostError;
use crate::api::{
    self, CONTROL_PROTOCOL, CreateKeep, ErrorInfo, ErrorReply, KeepId, KeepInfo, MAX_REQUEST_BODY,
    PlatformInfo,
};

type Daemon = State<Arc<Shared>>;

/// All paths.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route(api::KEEPS_PATH, post(create))
        .route(&format!("{}/{{id}}", api::KEEPS_PATH), get(info))
        .route(&format!("{}/{{id}}/control", api::KEEPS_PATH), get(control))
        .route(api::PLATFORM_PATH, get(platform))
        .route(api::HEALTH_PATH, get(|| async { "ok\n" }))
        .route(api::METRICS_PATH, get(metrics))
        .fallback(|| async {
            Failure::new(StatusCode::NOT_FOUND, "unknown-path", "there is nothing at this path")
        })
        .method_not_allowed_fallback(|| async {
            Failure::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "unknown-method",
                "this path does not answer that method",
            )
        })
        .layer(map_response(not_stored))
        .layer(from_fn(note_refusals))
        .with_state(shared)
}

/// Names of Keeps are permissions: no cache between client and host may hold them.
async fn not_stored(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

/// One line for every request that was refused. Neither its path, which may hold the name of a Keep, nor anything else
/// that the client chose is part of it.
async fn note_refusals(
    Extension(admitted): Extension<Arc<Admitted>>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    if let Some(Refused { code }) = response.extensions().get() {
        let (client, status) = (admitted.address, response.status().as_u16());
        tracing::info!(%client, status, code, "a request was refused");
    }
    response
}

async fn create(
    State(shared): Daemon,
    Extension(admitted): Extension<Arc<Admitted>>,
    request: Request,
) -> Result<(StatusCode, Json<KeepInfo>), Failure> {
    let CreateKeep {} = read_body(&shared, request.into_body()).await?;
    let keep = shared.host.create_for(Some(admitted.address)).await?;
    Ok((StatusCode::CREATED, Json(keep)))
}

async fn read_body(shared: &Shared, body: Body) -> Result<CreateKeep, Failure> {
    let read = axum::body::to_bytes(body, MAX_REQUEST_BODY);
    let bytes = timeout(shared.limits.client_timeout, read)
        .await
        .map_err(|_| {
            Failure::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "the body did not arrive in time")
        })?
        .map_err(|_| {
            Failure::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body-unreadable",
                "the body is too long or broken off",
            )
        })?;
    if bytes.is_empty() {
        return Ok(CreateKeep {});
    }
    let wrong = |why: &str| {
        Failure::new(StatusCode::BAD_REQUEST, "body-invalid", &format!("the body is wrong: {why}"))
    };
    // An array could stand for a structure, field by field; this API has objects only.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(wrong("a JSON object was expected"));
    }
    serde_json::from_slice(&bytes).map_err(|error| wrong(&error.to_string()))
}

async fn info(State(shared): Daemon, Path(id): Path<String>) -> Result<Json<KeepInfo>, Failure> {
    Ok(Json(shared.host.info(keep_id(&id)?)?))
}

async fn platform(State(shared): Daemon) -> Result<Json<PlatformInfo>, Failure> {
    Ok(Json(shared.host.platform().await?))
}

async fn metrics(State(shared): Daemon) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], shared.host.metrics_text())
}

async fn control(
    State(shared): Daemon,
    Extension(admitted): Extension<Arc<Admitted>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let id = keep_id(&id)?;
    if !asks_for_control(request.version(), request.headers()) {
        return Err(Failure::new(
            StatusCode::UPGRADE_REQUIRED,
            "upgrade-required",
            "a control stream needs `Connection: Upgrade` and `Upgrade: enarx-control`",
        ));
    }
    let keep = shared.host.control(id).await?;
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        match timeout(shared.limits.client_timeout, upgrade).await {
            Ok(Ok(client)) => relay::run(&shared, TokioIo::new(client), keep).await,
            Ok(Err(error)) => tracing::debug!(%error, "a control stream did not begin"),
            Err(_) => tracing::debug!("a control stream did not begin in time"),
        }
        // The connection counts as long as its stream is open.
        drop(admitted);
    });
    let headers = [(header::CONNECTION, "upgrade"), (header::UPGRADE, CONTROL_PROTOCOL)];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers).into_response())
}

fn asks_for_control(version: Version, headers: &HeaderMap) -> bool {
    let has = |name, wanted: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case(wanted))
    };
    version == Version::HTTP_11
        && has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, CONTROL_PROTOCOL)
}

/// A name that cannot be one is answered like one that nobody has.
fn keep_id(text: &str) -> Result<KeepId, Failure> {
    text.parse()
        .map_err(|_| Failure::new(StatusCode::NOT_FOUND, "unknown-keep", "there is no such Keep here"))
}

/// The code of a reply that is no success.
#[derive(Clone)]
struct Refused {
    code: String,
}

/// A reply that is no success.
struct Failure {
    status: StatusCode,
    error: ErrorInfo,
}

impl Failure {
    fn new(status: StatusCode, code: &str, message: &str) -> Self {
        Self { status, error: ErrorInfo { code: code.to_owned(), message: message.to_owned(), hint: None } }
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        let status = match &error {
            HostError::UnknownKeep { .. } => StatusCode::NOT_FOUND,
            HostError::KeepEnded { .. } => StatusCode::GONE,
            HostError::TooManyKeepsForClient { .. } | HostError::TooManyStreams { .. } => {
                StatusCode::TOO_MANY_REQUESTS
            }
            HostError::TooManyKeeps { .. }
            | HostError::ShuttingDown
            | HostError::SandboxIncomplete { .. } => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let hint = error.hint().map(str::to_owned);
        Self { status, error: ErrorInfo { code: error.code().to_owned(), message: error.to_string(), hint } }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let refused = Refused { code: self.error.code.clone() };
        let mut response = (self.status, Json(ErrorReply { error: self.error })).into_response();
        response.extensions_mut().insert(refused);
        if self.status == StatusCode::UPGRADE_REQUIRED {
            // RFC 9110, section 15.5.22: the reply names the protocol.
            let protocol = header::HeaderValue::from_static(CONTROL_PROTOCOL);
            response.headers_mut().insert(header::UPGRADE, protocol);
        }
        response
    }
}
