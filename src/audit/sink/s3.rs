//! An archive of sealed segments in an S3-compatible bucket: whole files, each under a name with its digest, written once, and
//! read back before it counts.

use super::settings::{LockMode, S3Settings};
use super::tls;
use super::view::View;
use super::{Delivery, DeliveryError, Record, Sink};
use crate::audit::error::StartError;
use crate::audit::escape;
use crate::audit::segment;
use crate::model::Timestamp;
use aws_lc_rs::digest;
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Certificate, ClientOptions, Error, HeaderMap, HeaderValue,
    ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, RetryConfig,
};

pub(super) struct S3Sink {
    settings: S3Settings,
    certificates: Vec<Certificate>,
}

impl S3Sink {
    pub(super) fn new(name: &str, settings: &S3Settings) -> Result<Self, StartError> {
        let wrong = |what: String| StartError::Setting {
            what: format!("sink {name}: {what}"),
        };
        let certificates = match &settings.ca {
            None => Vec::new(),
            Some(ca) => Certificate::from_pem_bundle(&tls::roots_pem(name, Some(ca))?)
                .map_err(|e| wrong(format!("ca: {e}")))?,
        };
        let made = Self {
            settings: settings.clone(),
            certificates,
        };
        made.store(None).map_err(|e| wrong(e.to_string()))?;
        Ok(made)
    }

    fn store(&self, headers: Option<HeaderMap>) -> object_store::Result<AmazonS3> {
        let from = &self.settings;
        let is_http = from
            .endpoint
            .as_ref()
            .is_some_and(|e| e.starts_with("http://"));
        let mut options = ClientOptions::new()
            .with_timeout(from.timeout)
            .with_connect_timeout(from.timeout)
            .with_allow_http(is_http);
        if !self.certificates.is_empty() {
            options = options.with_no_system_certificates(true);
        }
        for certificate in &self.certificates {
            options = options.with_root_certificate(certificate.clone());
        }
        if let Some(headers) = headers {
            options = options.with_default_headers(headers);
        }
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&from.bucket)
            .with_region(&from.region)
            .with_checksum_algorithm(Checksum::SHA256)
            .with_client_options(options)
            // The runner tries again, and says so.
            .with_retry(RetryConfig {
                max_retries: 0,
                ..RetryConfig::default()
            });
        if let Some(secret) = &from.secret_key {
            builder = builder
                .with_access_key_id(&from.access_key)
                .with_secret_access_key(secret.reveal());
        }
        if let Some(endpoint) = &from.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        builder.build()
    }

    /// What seals a segment sends it; all else waits in the journal until then.
    async fn send(&self, batch: &[Record]) -> Result<(), DeliveryError> {
        for record in batch {
            if memchr::memmem::find(&record.line, b"\"segment.sealed\"").is_none() {
                continue;
            }
            let view = View::new(record)?;
            if view.event() == "segment.sealed"
                && let Some(first) = view.number(&["locum", "first"])
            {
                self.archive(first, record.seq).await?;
            }
        }
        Ok(())
    }

    async fn archive(&self, first: u64, last: u64) -> Result<(), DeliveryError> {
        let path = segment::path(&self.settings.journal, first);
        let bytes = tokio::fs::read(&path).await.map_err(DeliveryError::later)?;
        let sum = hex(&bytes);
        let name = format!("{}{}.{sum}", self.settings.prefix, segment::name(first));
        let object = Path::parse(&name).map_err(DeliveryError::later)?;
        let attributes = Attributes::from_iter([
            (Attribute::ContentType, "application/x-ndjson".to_owned()),
            (Attribute::Metadata("sha256".into()), sum.clone()),
            (Attribute::Metadata("first".into()), first.to_string()),
            (Attribute::Metadata("last".into()), last.to_string()),
        ]);
        let options = PutOptions {
            mode: PutMode::Create,
            attributes,
            ..PutOptions::default()
        };
        let store = self.store(self.lock()).map_err(DeliveryError::later)?;
        match store.put_opts(&object, bytes.into(), options).await {
            // From an earlier try: whether it is whole is seen below.
            Ok(_) | Err(Error::AlreadyExists { .. }) => {}
            Err(error) => return Err(DeliveryError::later(error)),
        }
        let store = self.store(None).map_err(DeliveryError::later)?;
        let kept = store.get(&object).await.map_err(DeliveryError::later)?;
        let kept = kept.bytes().await.map_err(DeliveryError::later)?;
        if hex(&kept) != sum {
            return Err(DeliveryError::later(format!(
                "what the bucket has under {name} is not what was written"
            )));
        }
        Ok(())
    }

    /// Object Lock: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>
    fn lock(&self) -> Option<HeaderMap> {
        let (mode, span) = self.settings.lock?;
        let mode = match mode {
            LockMode::Governance => "GOVERNANCE",
            LockMode::Compliance => "COMPLIANCE",
        };
        let until = Timestamp::now().plus(span).to_string();
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-object-lock-mode", HeaderValue::from_static(mode));
        // Locked objects must come with a checksum; some want it announced.
        let algorithm = HeaderValue::from_static("SHA256");
        headers.insert("x-amz-sdk-checksum-algorithm", algorithm);
        headers.insert(
            "x-amz-object-lock-retain-until-date",
            HeaderValue::from_str(&until).ok()?,
        );
        Some(headers)
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(64);
    escape::lower_hex(&mut out, digest::digest(&digest::SHA256, bytes).as_ref());
    String::from_utf8(out).unwrap_or_default()
}

impl Sink for S3Sink {
    fn deliver<'a>(&'a mut self, batch: &'a [Record]) -> Delivery<'a> {
        Box::pin(self.send(batch))
    }
}
