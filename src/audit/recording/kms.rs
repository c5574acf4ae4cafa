//! Keys wrapped elsewhere: one POST of JSON each way. `docs/recording.md` states both.

use super::error::RecordingError;
use super::settings::Kms;
use crate::model::SessionId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// How much of an answer is read. Bytes.
const ANSWER: usize = 64 * 1024;

#[derive(Deserialize)]
struct WrapAnswer {
    ciphertext: String,
}

#[derive(Deserialize)]
struct UnwrapAnswer {
    plaintext: String,
}

/// The KMS's own form of a session's key.
pub(super) fn wrap(
    kms: &Kms,
    id: &str,
    session: SessionId,
    key: &[u8; 32],
) -> Result<String, RecordingError> {
    let question = json!({
        "op": "wrap", "key_id": id, "plaintext": STANDARD.encode(key),
        "context": { "session": session },
    });
    let answer: WrapAnswer = ask(kms, id, &question)?;
    if answer.ciphertext.is_empty() {
        return Err(wrong(id, "its answer has an empty ciphertext"));
    }
    Ok(answer.ciphertext)
}

/// A session's key out of the KMS's form of it.
pub(super) fn unwrap(
    kms: &Kms,
    id: &str,
    session: SessionId,
    wrapped: &str,
) -> Result<[u8; 32], RecordingError> {
    let question = json!({
        "op": "unwrap", "key_id": id, "ciphertext": wrapped,
        "context": { "session": session },
    });
    let answer: UnwrapAnswer = ask(kms, id, &question)?;
    let plain = STANDARD.decode(answer.plaintext).ok();
    plain
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| wrong(id, "the plaintext that it gave is not 32 bytes in base64"))
}

fn wrong(id: &str, what: impl std::fmt::Display) -> RecordingError {
    RecordingError::Key {
        id: id.to_owned(),
        what: format!("the KMS did not help: {what}"),
    }
}

/// On a thread of its own, so that it may be called from anywhere: a session's first byte and a reader ask, nobody else.
fn ask<T: for<'de> Deserialize<'de> + Send>(
    kms: &Kms,
    id: &str,
    question: &serde_json::Value,
) -> Result<T, RecordingError> {
    let body = question.to_string();
    let asked = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|why| why.to_string())?;
            runtime.block_on(async {
                tokio::time::timeout(kms.timeout, post(kms, body))
                    .await
                    .unwrap_or_else(|_| Err("no whole answer in time".into()))
            })
        });
        asking
            .join()
            .unwrap_or_else(|_| Err("the call broke off".into()))
    });
    let bytes = asked.map_err(|why| wrong(id, why))?;
    serde_json::from_slice(&bytes)
        .map_err(|_| wrong(id, "its answer is not the JSON that is documented"))
}

async fn post(kms: &Kms, body: String) -> Result<Vec<u8>, String> {
    let root = |error: &dyn std::error::Error| {
        let mut last = error;
        while let Some(next) = last.source() {
            last = next;
        }
        last.to_string()
    };
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(kms)?)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .http1_only()
        .build()
        .map_err(|why| root(&why))?;
    let mut request = client
        .post(&kms.url)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(body);
    if let Some(token) = &kms.token {
        request = request.bearer_auth(token.reveal());
    }
    let mut answer = request
        .send()
        .await
        .map_err(|why| root(&why.without_url()))?;
    if !answer.status().is_success() {
        return Err(format!("it answered {}", answer.status().as_u16()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer
        .chunk()
        .await
        .map_err(|why| root(&why.without_url()))?
    {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > ANSWER {
            return Err(format!("its answer is longer than {ANSWER} bytes"));
        }
    }
    Ok(bytes)
}

fn tls(kms: &Kms) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = &kms.ca {
        let unusable = |why: String| format!("the CA in {} cannot be used: {why}", path.display());
        let found = CertificateDer::pem_file_iter(path).map_err(|why| unusable(why.to_string()))?;
        for certificate in found {
            let certificate = certificate.map_err(|why| unusable(why.to_string()))?;
            roots
                .add(certificate)
                .map_err(|why| unusable(why.to_string()))?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| why.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::time::Duration;

    /// A KMS that wraps by turning the text around, and says no to whoever has another token.
    fn service(questions: usize) -> (Kms, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let answering = std::thread::spawn(move || {
            (0..questions)
                .map(|_| answer(&listener))
                .collect::<Vec<String>>()
        });
        let kms = Kms {
            url,
            token: Some(crate::audit::settings::HeaderSecret::new("t0ken")),
            ca: None,
            timeout: Duration::from_secs(20),
        };
        (kms, answering)
    }

    fn answer(listener: &TcpListener) -> String {
        let (mut stream, _) = listener.accept().unwrap();
        let mut text = String::new();
        let mut piece = [0; 4096];
        while !text.ends_with('}') {
            let read = stream.read(&mut piece).unwrap();
            text.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        }
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let asked: serde_json::Value = serde_json::from_str(body).unwrap();
        let turned = |name: &str| {
            asked[name]
                .as_str()
                .unwrap()
                .chars()
                .rev()
                .collect::<String>()
        };
        let (status, told) = if !head.to_lowercase().contains("authorization: bearer t0ken") {
            (401, json!({}))
        } else if asked["op"] == "wrap" {
            (200, json!({ "ciphertext": turned("plaintext") }))
        } else {
            (200, json!({ "plaintext": turned("ciphertext") }))
        };
        let told = told.to_string();
        let length = told.len();
        let head =
            format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        stream.write_all((head + &told).as_bytes()).unwrap();
        text
    }

    #[test]
    fn a_key_comes_back_as_it_was_wrapped() {
        let (kms, answering) = service(2);
        let session = SessionId::fresh();
        let wrapped = wrap(&kms, "prod", session, &[7; 32]).unwrap();
        assert_eq!(unwrap(&kms, "prod", session, &wrapped).unwrap(), [7; 32]);
        let asked = answering.join().unwrap();
        assert!(
            asked[0].contains(&session.to_string()) && asked[0].contains("\"key_id\":\"prod\"")
        );
    }

    #[test]
    fn a_kms_that_says_no_or_nothing_is_an_error_without_secrets() {
        let (mut kms, answering) = service(1);
        kms.token = Some(crate::audit::settings::HeaderSecret::new("other"));
        let why = wrap(&kms, "prod", SessionId::fresh(), &[7; 32])
            .unwrap_err()
            .to_string();
        assert!(why.contains("401") && !why.contains("other"), "{why}");
        answering.join().unwrap();
        kms.url = "http://127.0.0.1:9/".into();
        assert!(wrap(&kms, "prod", SessionId::fresh(), &[7; 32]).is_err());
    }
}
