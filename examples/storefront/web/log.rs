//! One JSON line for each request that reached the shop, on disk before the answer.

use super::visitor::Visitor;
use axum::extract::Request;
use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// The log, or nothing where none was asked for.
pub(crate) struct RequestLog(Option<Mutex<File>>);

impl RequestLog {
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(|path| OpenOptions::new().create(true).append(true).open(path));
        Ok(Self(file.transpose()?.map(Mutex::new)))
    }

    /// Writes one request, unbuffered. `visitor` is `None` where its assertion was refused.
    pub(crate) fn write(&self, request: &Request, visitor: Option<&Visitor>) -> io::Result<()> {
        let Some(file) = &self.0 else { return Ok(()) };
        let header = |name: &str| {
            let value = request.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let customer = visitor.and_then(|visitor| visitor.customer.as_ref());
        let by = visitor.map_or("refused", |visitor| visitor.by.as_str());
        let mut line = serde_json::json!({
            "method": request.method().as_str(),
            "target": request.uri().path_and_query().map_or("*", |target| target.as_str()),
            "version": format!("{:?}", request.version()),
            "host": header("host").or_else(|| request.uri().authority().map(ToString::to_string)),
            "origin": header("origin"),
            "request_id": header("x-request-id"),
            "by": by,
            "subject": customer.map(|customer| &customer.email),
            "tenant": customer.map(|customer| &customer.tenant),
            "actor": visitor.and_then(|visitor| visitor.actor.as_ref()),
        })
        .to_string();
        line.push('\n');
        file.lock().write_all(line.as_bytes())
    }
}
