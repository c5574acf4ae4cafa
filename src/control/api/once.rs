//! Idempotency: a call with a key is done once; sent again with the same body, its first answer is given again.

use super::input::Key;
use super::problem::Problem;
use super::reply::{Outcome, Reply};
use super::state::Api;
use crate::control::refusal::{Kind, Refusal};
use crate::model::Caller;
use crate::store::control::{Claim, Once};
use http::StatusCode;

/// Whether an answer may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answers {
    Kept,
    /// It holds a secret: only that it was given is kept.
    Secret,
}

/// A call that can be sent with a key.
pub(super) struct Doing {
    pub key: Key,
    /// The operation and what it is about, for the digest.
    pub what: String,
    /// Of the body.
    pub digest: String,
    pub answers: Answers,
}

/// Does `work`, at most once for the key where there is one.
pub(super) async fn once(
    api: &Api,
    caller: &Caller,
    doing: Doing,
    work: impl Future<Output = Outcome>,
) -> Outcome {
    let Some(key) = doing.key.0 else {
        return work.await;
    };
    let once = Once {
        key,
        person: caller.person.clone(),
        digest: format!("{} {}", doing.what, doing.digest),
    };
    if let Some(before) = claim(api, &once).await? {
        return before;
    }
    let outcome = work.await;
    settle(api, once, &outcome, doing.answers).await;
    outcome
}

/// What came of the call when it was sent before; `None`: it was not.
async fn claim(api: &Api, once: &Once) -> Result<Option<Outcome>, Problem> {
    let (claimed, now) = (once.clone(), api.control.now());
    let claim = api
        .control
        .run("claiming an idempotency key", move |tx| {
            Ok(tx.claim(&claimed, now)?)
        })
        .await?;
    let conflict = |reason, detail: &str| Some(Err(Refusal::conflict(reason, detail).into()));
    Ok(match claim {
        Claim::New => None,
        Claim::Busy => conflict(
            "idempotency.in-progress",
            "The same call is being done: ask again in a moment.",
        ),
        Claim::Lost => conflict(
            "idempotency.unknown-outcome",
            "The same call was begun before and never finished: look what came of it, then use a new key.",
        ),
        Claim::Other => Some(Err(Refusal::new(
            Kind::Invalid,
            "idempotency.other-call",
            "This key was used for another call: use a new one.",
        )
        .into())),
        Claim::Done(_, body) if body.is_empty() => conflict(
            "idempotency.secret-answer",
            "This was done before, and its one-time link is never shown twice: POST to start-link for a new one.",
        ),
        Claim::Done(_, body) => match serde_json::from_str::<Reply>(&body) {
            Ok(reply) => Some(Ok(reply.again())),
            Err(error) => {
                tracing::error!(%error, "a kept answer cannot be read");
                return Err(Problem::of_status(StatusCode::SERVICE_UNAVAILABLE));
            }
        },
    })
}

/// Keeps a yes; a no gives the key back, since nothing was done.
async fn settle(api: &Api, once: Once, outcome: &Outcome, answers: Answers) {
    let kept = match (outcome, answers) {
        (Ok(reply), Answers::Kept) => serde_json::to_string(reply)
            .ok()
            .map(|body| (reply.status(), body)),
        (Ok(reply), Answers::Secret) => Some((reply.status(), String::new())),
        (Err(_), _) => None,
    };
    let done = api
        .control
        .run("keeping an answer", move |tx| {
            match kept {
                Some((status, body)) => tx.answer(&once, status, &body)?,
                None => tx.unclaim(&once)?,
            }
            Ok(())
        })
        .await;
    if let Err(error) = done {
        // The key stays claimed: whoever sends it again is told that nobody knows, and nothing is done twice.
        tracing::error!(%error, "an answer could not be kept for its idempotency key");
    }
}
