//! One customer's browser, as far as tests of a plain HTTP app need one: it keeps cookies and signs in.

use super::storefront::Storefront;
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, SET_COOKIE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;

/// Talks to one shop, a connection for each request.
pub(crate) struct Browser<'a> {
    pub(crate) shop: &'a Storefront,
    pub(crate) cookies: Vec<(String, String)>,
    /// Sent with each request.
    pub(crate) extra: HeaderMap,
}

/// Any request body.
pub(crate) type Body = BoxBody<Bytes, Infallible>;

/// A body that is there at once.
pub(crate) fn whole(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).boxed()
}

impl<'a> Browser<'a> {
    pub(crate) fn new(shop: &'a Storefront) -> Self {
        let (cookies, extra) = (Vec::new(), HeaderMap::new());
        Self {
            shop,
            cookies,
            extra,
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        let value = value.parse().expect("a header value");
        self.extra.insert(HeaderName::from_static(name), value);
        self
    }

    pub(crate) fn cookie(&self, name: &str) -> &str {
        let found = self.cookies.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        kind: &str,
        body: Body,
    ) -> Response<Incoming> {
        let stream = tokio::net::TcpStream::connect(self.shop.address)
            .await
            .expect("the shop listens");
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .expect("a connection");
        tokio::spawn(connection);
        let jar: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.shop.address.to_string())
            .header("cookie", jar.join("; "))
            .header("content-type", kind)
            .body(body)
            .expect("a request");
        request.headers_mut().extend(self.extra.clone());
        let response = sender.send_request(request).await.expect("a response");
        for cookie in response.headers().get_all(SET_COOKIE) {
            let cookie = cookie.to_str().expect("text");
            let (name, rest) = cookie.split_once('=').expect("name=value");
            let value = rest.split(';').next().unwrap_or_default();
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        response
    }

    pub(crate) async fn get(&mut self, path: &str) -> (StatusCode, HeaderMap, String) {
        let response = self.send(Method::GET, path, "text/plain", whole("")).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        (parts.status, parts.headers, text)
    }

    /// Posts a form with this browser's CSRF token; returns the status and where it leads.
    pub(crate) async fn post(&mut self, path: &str, form: &str) -> (StatusCode, String) {
        let form = format!("csrf={}&{form}", self.cookie("csrf"));
        let kind = "application/x-www-form-urlencoded";
        let response = self.send(Method::POST, path, kind, whole(form)).await;
        let location = response.headers().get("location");
        let location = location.map_or("", |to| to.to_str().unwrap_or_default());
        (response.status(), location.to_owned())
    }

    pub(crate) async fn sign_in(&mut self, email: &str) {
        self.get("/sign-in").await;
        let form = format!("email={email}&password=correct+horse&next=/orders");
        let answer = self.post("/sign-in", &form).await;
        let expected = format!("{}/orders", self.shop.url());
        assert_eq!(answer, (StatusCode::SEE_OTHER, expected));
    }
}
