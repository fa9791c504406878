//! The style sheet and the script. A browser caches them until they change.

use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// A file that is embedded in the program.
pub(super) struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
    digest: String,
}

pub(super) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("page.css", "text/css; charset=utf-8", include_str!("templates/page.css")));

pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("page.js", "text/javascript; charset=utf-8", include_str!("templates/page.js"))
});

pub(super) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon.svg", "image/svg+xml", include_str!("templates/icon.svg")));

impl Asset {
    fn new(name: &'static str, kind: &'static str, text: &'static str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let digest = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { name, kind, text, digest }
    }

    /// Its URL, which holds its digest.
    pub(super) fn link(&self) -> String {
        format!("/static/{}?{}", self.name, self.digest)
    }

    pub(super) fn answer(&self, headers: &HeaderMap) -> Response {
        let tag = format!("\"{}\"", self.digest);
        let kept = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let common = [(ETAG, tag.clone()), (CACHE_CONTROL, "max-age=86400".to_owned())];
        if kept.is_some_and(|kept| kept.split(',').any(|kept| kept.trim() == tag)) {
            return (StatusCode::NOT_MODIFIED, common).into_response();
        }
        (common, [(CONTENT_TYPE, self.kind)], self.text).into_response()
    }
}
