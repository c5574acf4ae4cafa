//! Records as they were found.

use crate::audit::index::Fault;
use crate::control::evidence::Page;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What was found.
#[derive(Serialize, ToSchema)]
pub(in crate::control::api) struct Records {
    /// As they stand in the journal: `docs/record.schema.json` describes them.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Value>,
    /// Give it as `after` for the next page; `null`: that was all.
    next: Option<u64>,
    /// Records that are not what was indexed: the journal was changed after it was written.
    not_as_indexed: Vec<FaultView>,
    /// The last record that can be found.
    indexed: u64,
    /// The last record that there is.
    recorded: u64,
}

/// A record that is not what was indexed.
#[derive(Serialize, ToSchema)]
#[schema(as = RecordFault)]
pub(in crate::control::api) struct FaultView {
    sequence: u64,
    why: &'static str,
}

impl From<Page> for Records {
    fn from(page: Page) -> Self {
        Self {
            items: page.entries.into_iter().map(|it| it.json).collect(),
            next: page.next,
            not_as_indexed: page.faults.into_iter().map(FaultView::from).collect(),
            indexed: page.indexed,
            recorded: page.kept,
        }
    }
}

impl From<Fault> for FaultView {
    fn from(fault: Fault) -> Self {
        Self {
            sequence: fault.sequence,
            why: fault.why,
        }
    }
}
