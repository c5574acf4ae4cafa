//! Reading one recorded exchange: its address, its media types, whether it was a page or a download.

use crate::audit::recording::{Side, Taped};

/// The first value of a field, where it is text. Names are in lower case.
pub fn field<'s>(side: &'s Side, name: &str) -> Option<&'s str> {
    let found = side.headers.iter().find(|(known, _)| known == name);
    found.and_then(|(_, value)| std::str::from_utf8(value).ok())
}

/// The media type without its parameters, in lower case; empty where there is none.
pub fn media(side: &Side) -> String {
    let named = field(side, "content-type").unwrap_or_default();
    let named = named.split(';').next().unwrap_or_default();
    named.trim().to_ascii_lowercase()
}

/// The `charset` of the content type.
pub fn charset(side: &Side) -> Option<String> {
    let named = field(side, "content-type")?;
    let mut parameters = named.split(';').skip(1);
    parameters.find_map(|it| {
        let (name, value) = it.split_once('=')?;
        let is_it = name.trim().eq_ignore_ascii_case("charset");
        is_it.then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// Whether a body of this media type is text that people read.
pub fn is_text(media: &str) -> bool {
    const TEXTS: [&str; 9] = [
        "application/json",
        "application/javascript",
        "application/x-javascript",
        "application/ecmascript",
        "application/xml",
        "application/xhtml+xml",
        "application/x-www-form-urlencoded",
        "application/graphql",
        "application/manifest+json",
    ];
    media.starts_with("text/")
        || media.ends_with("+json")
        || media.ends_with("+xml")
        || TEXTS.contains(&media)
}

/// The address that the operator's browser asked for.
pub fn url(taped: &Taped) -> String {
    format!("{}{}", taped.origin, taped.target)
}

/// The path, without its query.
pub fn path(taped: &Taped) -> &str {
    taped.target.split('?').next().unwrap_or_default()
}

/// Whether this was a page in a window or frame of its own, not a part of one.
pub fn is_page(taped: &Taped) -> bool {
    let Some(shown) = &taped.shown else {
        return false;
    };
    let html = matches!(media(shown).as_str(), "text/html" | "application/xhtml+xml");
    let asked = taped.request.as_ref();
    // Fetch Metadata says it (W3C Fetch Metadata §2.1); a client that has none is believed by what it accepts.
    let is_document = match asked.and_then(|it| field(it, "sec-fetch-dest")) {
        Some(dest) => dest == "document",
        None => asked
            .and_then(|it| field(it, "accept"))
            .is_some_and(|accept| accept.contains("text/html")),
    };
    html && is_document && shown.status.is_some_and(|it| it != 304)
}

/// The name under which a browser would have kept it, where it was sent to be kept.
pub fn download(taped: &Taped) -> Option<String> {
    let shown = taped.shown.as_ref()?;
    let disposition = field(shown, "content-disposition")?;
    let (kind, rest) = disposition.split_once(';').unwrap_or((disposition, ""));
    if !kind.trim().eq_ignore_ascii_case("attachment") {
        return None;
    }
    let named = rest.split(';').find_map(|it| {
        let (name, value) = it.split_once('=')?;
        let is_name = name.trim().eq_ignore_ascii_case("filename");
        is_name.then(|| value.trim().trim_matches('"').to_owned())
    });
    let last = path(taped).rsplit('/').next().unwrap_or_default();
    Some(named.unwrap_or_else(|| last.to_owned()))
}

/// The reason phrase, for formats that want one (RFC 9110 §15).
pub fn phrase(status: u16) -> &'static str {
    let known = http::StatusCode::from_u16(status).ok();
    known.and_then(|it| it.canonical_reason()).unwrap_or("")
}
