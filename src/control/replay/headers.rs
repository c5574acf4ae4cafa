//! Header fields of what is replayed: the few recorded ones that the page itself may look at, and ours, which keep it where it is.

use super::view::Frame;
use crate::audit::recording::Side;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Recorded fields that are never passed on: they speak of the connection, of bytes that are not the same any more, of caches
/// and credentials, or set a policy that ours replaces.
const DROPPED: [&str; 44] = [
    "accept-ranges",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "age",
    "alt-svc",
    "authentication-info",
    "cache-control",
    "clear-site-data",
    "connection",
    "content-digest",
    "content-disposition",
    "content-length",
    "content-md5",
    "content-security-policy",
    "content-security-policy-report-only",
    "critical-ch",
    "date",
    "digest",
    "etag",
    "expires",
    "keep-alive",
    "last-modified",
    "link",
    "nel",
    "origin-agent-cluster",
    "permissions-policy",
    "proxy-authenticate",
    "refresh",
    "report-to",
    "reporting-endpoints",
    "repr-digest",
    "service-worker-allowed",
    "set-cookie",
    "speculation-rules",
    "strict-transport-security",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
    "x-frame-options",
];

/// Nothing that a page may be allowed to use of the viewer's machine.
const PERMISSIONS: &str = "accelerometer=(), autoplay=(), bluetooth=(), camera=(), clipboard-read=(), clipboard-write=(), \
    display-capture=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), local-fonts=(), \
    magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(), serial=(), \
    storage-access=(), usb=(), web-share=(), xr-spatial-tracking=()";

/// The recorded fields that are passed on, with addresses mapped.
pub(super) fn recorded(side: &Side, frame: &Frame) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &side.headers {
        let is_dropped = DROPPED.contains(&name.as_str())
            || name.starts_with("cross-origin-")
            || name.starts_with("sec-");
        let Ok(name) = HeaderName::try_from(name.as_str()) else {
            continue;
        };
        if is_dropped {
            continue;
        }
        if let Ok(value) = HeaderValue::try_from(frame.mapping.bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}

/// What every answer of a replay's host carries. `portal`: the one that may frame it; `origins`: the frame's own.
///
/// No network but the frame's own origins, no forms, no windows, no way to the top. `sandbox` holds even where the page is
/// opened by itself; `frame-src` of the portal's page holds the frame to its origins when it navigates.
pub(super) fn guard(headers: &mut HeaderMap, portal: &str, origins: &[String]) {
    let own = origins.join(" ");
    let policy = format!(
        "default-src 'none'; script-src {own} 'unsafe-inline' 'unsafe-eval' blob: data:; \
         style-src {own} 'unsafe-inline' blob: data:; img-src {own} blob: data:; font-src {own} blob: data:; \
         media-src {own} blob: data:; connect-src {own} blob: data:; frame-src {own} blob: data:; \
         worker-src {own} blob:; manifest-src {own}; object-src 'none'; base-uri {own}; form-action 'none'; \
         frame-ancestors {portal} {own}; webrtc 'block'; sandbox allow-scripts allow-same-origin"
    );
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_SECURITY_POLICY, &policy);
    set(header::CACHE_CONTROL, "no-store");
    set(header::REFERRER_POLICY, "same-origin");
    set(HeaderName::from_static("permissions-policy"), PERMISSIONS);
    set(HeaderName::from_static("x-dns-prefetch-control"), "off");
    set(HeaderName::from_static("origin-agent-cluster"), "?1");
    let policy = HeaderName::from_static("cross-origin-resource-policy");
    set(policy, "same-site");
}

/// Between the frame's own origins, what the app allowed between the session's.
pub(super) fn cross_origin(headers: &mut HeaderMap, asking: Option<&str>, origins: &[String]) {
    let Some(origin) = asking.filter(|it| origins.iter().any(|own| own == it)) else {
        return;
    };
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    set(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    set(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    set(header::VARY, "origin");
}
