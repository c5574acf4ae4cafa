//! Style sheet, script and mark: in the binary, under names that change with their content, so that browsers may keep
//! them for good.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderValue, StatusCode, header};
use std::sync::LazyLock;

/// One file.
struct Asset {
    name: &'static str,
    ending: &'static str,
    kind: &'static str,
    body: &'static str,
}

const CSS: Asset = Asset {
    name: "portal",
    ending: "css",
    kind: "text/css; charset=utf-8",
    body: include_str!("static/portal.css"),
};

const JS: Asset = Asset {
    name: "portal",
    ending: "js",
    kind: "text/javascript; charset=utf-8",
    body: include_str!("static/portal.js"),
};

const MARK: Asset = Asset {
    name: "mark",
    ending: "svg",
    kind: "image/svg+xml",
    body: include_str!("static/mark.svg"),
};

/// Where pages find the files.
#[derive(Debug)]
pub(super) struct Assets {
    pub(super) css: String,
    pub(super) js: String,
    pub(super) mark: String,
}

static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    css: CSS.path(),
    js: JS.path(),
    mark: MARK.path(),
});

/// The addresses of the files.
pub(super) fn assets() -> &'static Assets {
    &ASSETS
}

impl Asset {
    fn path(&self) -> String {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.body.as_bytes());
        let hash = URL_SAFE_NO_PAD.encode(hash.as_ref().get(..9).unwrap_or_default());
        format!("/assets/{}-{hash}.{}", self.name, self.ending)
    }
}

/// The mark, where browsers look for it by themselves.
pub(super) async fn icon() -> Response {
    let kind = [(header::CONTENT_TYPE, MARK.kind)];
    (kind, MARK.body).into_response()
}

/// Serves one file. An old name is gone: the page that named it is never kept.
pub(super) async fn serve(Path(name): Path<String>) -> Response {
    let wanted = format!("/assets/{name}");
    let known = [
        (&CSS, &ASSETS.css),
        (&JS, &ASSETS.js),
        (&MARK, &ASSETS.mark),
    ];
    let Some((asset, _)) = known.into_iter().find(|(_, path)| **path == wanted) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = asset.body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    let keep = HeaderValue::from_static("public, max-age=31536000, immutable");
    headers.insert(header::CACHE_CONTROL, keep);
    response
}
