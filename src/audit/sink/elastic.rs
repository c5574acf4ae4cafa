//! Elasticsearch's and `OpenSearch`'s bulk API: each record is created under its own id, so that a repeat changes nothing.
//!
//! Shape: <https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk>

use super::http::Poster;
use super::settings::HttpSettings;
use super::view::View;
use super::{Delivery, DeliveryError, Record, Sink};
use crate::audit::error::StartError;
use crate::model::Timestamp;
use serde_json::{Value, json};

/// Keeps what comes back small.
const ONLY: &str =
    "filter_path=errors,items.create.status,items.create.error.type,items.create.error.reason";

pub(super) struct ElasticSink {
    poster: Poster,
}

impl ElasticSink {
    /// `url` names the index or data stream: `https://elastic.example:9200/locum-audit`.
    pub(super) fn new(name: &str, settings: &HttpSettings) -> Result<Self, StartError> {
        let poster = Poster::new(name, settings, "application/x-ndjson")?;
        Ok(Self {
            poster: poster.under("/_bulk", Some(ONLY)),
        })
    }

    async fn send(&mut self, batch: &[Record]) -> Result<(), DeliveryError> {
        let answer = self.poster.post(body(batch)?, None).await?;
        answer.judge()?;
        let said = answer.json()?;
        if said["errors"] == false {
            return Ok(());
        }
        let items = said["items"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        if items.len() != batch.len() {
            return Err(answer.later("the items are not as many as were sent"));
        }
        let mut never = None;
        for item in items {
            let item = &item["create"];
            match item["status"].as_u64() {
                // 409: it is there since an earlier try.
                Some(200..=299 | 409) => {}
                Some(400 | 413) => never = never.or(Some(reason(item))),
                _ => return Err(answer.later(&reason(item))),
            }
        }
        never.map_or(Ok(()), |detail| Err(answer.never(&detail)))
    }
}

fn reason(item: &Value) -> String {
    let text = |key: &str| item["error"][key].as_str().unwrap_or("?").to_owned();
    format!("{} {}: {}", item["status"], text("type"), text("reason"))
}

fn body(batch: &[Record]) -> Result<Vec<u8>, DeliveryError> {
    let mut out = Vec::new();
    for record in batch {
        let mut view = View::new(record)?;
        let head = json!({ "create": { "_id": view.uid() } });
        let at = Timestamp::from_millis(i64::try_from(view.millis()).unwrap_or(i64::MAX));
        // Data streams want it.
        if let Some(members) = view.json.as_object_mut() {
            members.insert("@timestamp".into(), Value::from(at.to_string()));
        }
        for json in [&head, &view.json] {
            serde_json::to_writer(&mut out, json).map_err(DeliveryError::later)?;
            out.push(b'\n');
        }
    }
    Ok(out)
}

impl Sink for ElasticSink {
    fn deliver<'a>(&'a mut self, batch: &'a [Record]) -> Delivery<'a> {
        Box::pin(self.send(batch))
    }
}
