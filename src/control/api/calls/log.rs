//! Proofs from the journal's log: that a record is in it, and that it only grew.

use crate::audit::tree::{Hash, LogError, Proofs, Signed};
use crate::control::api::input::{Asked, Signed as Caller};
use crate::control::api::problem::Problem;
use crate::control::api::reply::{Outcome, Reply};
use crate::control::api::text::Within;
use crate::control::duties;
use crate::control::portal::LogOf;
use crate::control::refusal::{Kind, Refusal};
use axum::Extension;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The largest number that every JSON reader can hold.
const MOST: u64 = 9_007_199_254_740_991;

/// Which record.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct WhichRecord {
    /// The record's sequence number.
    #[param(value_type = u64, minimum = 1, maximum = 9_007_199_254_740_991i64)]
    seq: Within<1, MOST>,
    /// In the tree of this tenant instead of the whole one.
    #[param(min_length = 1, max_length = 256)]
    tenant: Option<String>,
}

/// Between which sizes.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct WhichSizes {
    /// The older size.
    #[param(value_type = u64, minimum = 1, maximum = 9_007_199_254_740_991i64)]
    from: Within<1, MOST>,
    /// The size of the newer checkpoint; the latest where nobody says.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 9_007_199_254_740_991i64)]
    to: Option<Within<1, MOST>>,
    /// Of the tree of this tenant instead of the whole one.
    #[param(min_length = 1, max_length = 256)]
    tenant: Option<String>,
}

/// A proof that a record is in the log.
#[derive(Serialize, ToSchema)]
pub(in crate::control::api) struct InclusionProof {
    origin: String,
    /// Leaves of the tree that the checkpoint signs.
    size: u64,
    /// Its root, in base64.
    root: String,
    /// The record's leaf, from 0.
    index: u64,
    /// From the leaf's sibling to the root's child, in base64.
    hashes: Vec<String>,
    /// The signed note.
    checkpoint: String,
    /// All of it as C2SP tlog-proof has it.
    proof: String,
}

/// A proof that a checkpoint continues an older one.
#[derive(Serialize, ToSchema)]
pub(in crate::control::api) struct ConsistencyProof {
    origin: String,
    /// Leaves of the tree that the checkpoint signs.
    size: u64,
    /// Its root, in base64.
    root: String,
    /// The older size.
    from: u64,
    /// The root at that size, in base64.
    from_root: String,
    /// In base64.
    hashes: Vec<String>,
    /// The signed note.
    checkpoint: String,
    /// All of it as C2SP tlog-witness has it.
    proof: String,
}

/// Prove that a record is in the log.
#[utoipa::path(
    get,
    path = "/api/v1/log/inclusion",
    operation_id = "logInclusion",
    tag = "log",
    params(WhichRecord),
    responses((status = 200, description = "The proof", body = InclusionProof))
)]
pub(in crate::control::api) async fn inclusion(
    Extension(log): Extension<LogOf>,
    Caller(who): Caller,
    Asked(asked): Asked<WhichRecord>,
) -> Outcome {
    let proof = made(&who, log, asked.tenant, move |proofs| {
        proofs.inclusion(asked.seq.0)
    })
    .await?;
    let told = text(&proof.checkpoint);
    Reply::ok(&InclusionProof {
        proof: proof.text(),
        origin: proof.checkpoint.origin,
        size: proof.checkpoint.size,
        root: proof.checkpoint.root.to_string(),
        index: proof.index,
        hashes: proof.hashes.iter().map(Hash::to_string).collect(),
        checkpoint: told,
    })
}

/// Prove that the log continues what it was.
#[utoipa::path(
    get,
    path = "/api/v1/log/consistency",
    operation_id = "logConsistency",
    tag = "log",
    params(WhichSizes),
    responses((status = 200, description = "The proof", body = ConsistencyProof))
)]
pub(in crate::control::api) async fn consistency(
    Extension(log): Extension<LogOf>,
    Caller(who): Caller,
    Asked(asked): Asked<WhichSizes>,
) -> Outcome {
    let (from, to) = (asked.from.0, asked.to.map(|to| to.0));
    let prove = move |proofs: &Proofs| {
        proofs.consistency_between(from, to.unwrap_or(proofs.checkpoint().size))
    };
    let (proof, root) = made(&who, log, asked.tenant, prove).await?;
    let told = text(&proof.checkpoint);
    Reply::ok(&ConsistencyProof {
        proof: proof.text(),
        origin: proof.checkpoint.origin,
        size: proof.checkpoint.size,
        root: proof.checkpoint.root.to_string(),
        from: proof.from,
        from_root: root.to_string(),
        hashes: proof.hashes.iter().map(Hash::to_string).collect(),
        checkpoint: told,
    })
}

fn text(signed: &Signed) -> String {
    String::from_utf8_lossy(&signed.bytes()).into_owned()
}

/// Makes a proof where blocking hurts nobody.
async fn made<T: Send + 'static>(
    who: &crate::model::Caller,
    log: LogOf,
    tenant: Option<String>,
    prove: impl FnOnce(&Proofs) -> Result<T, LogError> + Send + 'static,
) -> Result<T, Problem> {
    let sees = tenant
        .as_ref()
        .is_none_or(|tenant| duties::may_see_log_of(who, tenant));
    let Some(journal) = log.0.filter(|_| sees) else {
        return Err(Refusal::not_found().into());
    };
    let work = move || {
        let proofs = match &tenant {
            Some(tenant) => Proofs::of_tenant(&journal, tenant),
            None => Proofs::of_all(&journal),
        }?;
        prove(&proofs)
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(proof)) => Ok(proof),
        Ok(Err(LogError::Absent { what })) => {
            Err(Refusal::new(Kind::NotFound, "log.absent", format!("{what}.")).into())
        }
        Ok(Err(error)) => Err(unreadable(&error)),
        Err(error) => Err(unreadable(&error)),
    }
}

fn unreadable(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "the journal's log cannot be read");
    let detail = "The log cannot be read at present: try again in a moment.";
    Refusal::new(Kind::Unavailable, "log", detail).into()
}
