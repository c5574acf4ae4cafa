//! Words that have a closed set of values, so that the document can list them.

use std::borrow::Cow;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

macro_rules! word {
    ($name:ident, $about:literal, [$($word:literal),+]) => {
        #[doc = $about]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
        #[serde(transparent)]
        pub(in crate::control::api) struct $name(pub &'static str);

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let object = ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some($about))
                    .enum_values(Some([$($word),+]));
                RefOr::T(Schema::Object(object.build()))
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    };
}

word!(
    RequestState,
    "Where a request is in its life.",
    [
        "queued",
        "pending",
        "approved",
        "denied",
        "cancelled",
        "expired",
        "activated"
    ]
);
word!(
    SubjectClass,
    "How sensitive the customer's account is.",
    ["ordinary", "vip", "admin", "regulated"]
);
word!(
    Tier,
    "How much a scope allows.",
    ["ordinary", "sensitive", "privileged"]
);
word!(
    RecordingState,
    "What is to become of a recording. `asked`: somebody asked for it to be erased, and nobody agreed yet.",
    ["kept", "held", "asked", "erased"]
);
word!(Verdict, "Agreed or not.", ["approve", "deny"]);
word!(Kind, "A person or a program.", ["human", "workload"]);
word!(
    Role,
    "What somebody may do in the control plane.",
    [
        "operator",
        "approver",
        "security",
        "auditor",
        "admin",
        "tenant-auditor",
        "break-glass"
    ]
);
word!(
    Method,
    "How somebody proved who they are.",
    ["oidc", "assertion", "demo", "mtls", "jwt"]
);
word!(
    SessionState,
    "Where a session is in its life: pending until its start link is used.",
    ["pending", "live", "ended"]
);
word!(
    EndCause,
    "Why a session is over.",
    [
        "operator",
        "expired",
        "revoked",
        "binding-broken",
        "idle",
        "locked",
        "ticket-closed",
        "signed-out",
        "signalled",
        "customer",
        "budget"
    ]
);
word!(
    ReviewState,
    "Where a review is.",
    ["due", "certified", "rejected"]
);
word!(
    ChangeState,
    "Where a change is in its life.",
    ["pending", "agreed", "taken", "denied", "expired", "void"]
);
word!(
    Brought,
    "How a change came: by a reload, or by a start that was refused.",
    ["reload", "start"]
);
word!(LockState, "Whether a lock was lifted.", ["held", "lifted"]);
word!(
    WorkloadState,
    "Whether a workload may act, or why not.",
    ["registered", "disabled", "lapsed", "ownerless"]
);

impl Kind {
    pub(in crate::control::api) const fn of(kind: crate::model::OperatorKind) -> Self {
        Self(match kind {
            crate::model::OperatorKind::Human => "human",
            crate::model::OperatorKind::Workload => "workload",
        })
    }
}

impl Method {
    pub(in crate::control::api) const fn of(method: crate::model::Method) -> Self {
        use crate::model::Method as Model;
        Self(match method {
            Model::Oidc => "oidc",
            Model::Assertion => "assertion",
            Model::Demo => "demo",
            Model::Mtls => "mtls",
            Model::Jwt => "jwt",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model;
    use serde::de::DeserializeOwned;

    /// Each word of `W` is one of the model's `M`, by the name that `M` gives itself.
    #[track_caller]
    fn agree<W: PartialSchema, M: DeserializeOwned>(name: fn(M) -> &'static str) {
        let schema = serde_json::to_value(W::schema()).unwrap();
        let words = schema["enum"].as_array().unwrap();
        assert!(words.len() > 1);
        for word in words {
            let read: M = serde_json::from_value(word.clone()).unwrap();
            assert_eq!(name(read), word.as_str().unwrap());
        }
    }

    #[test]
    fn the_words_are_the_models() {
        agree::<RequestState, model::RequestState>(model::RequestState::as_str);
        agree::<EndCause, model::EndCause>(model::EndCause::as_str);
        agree::<ChangeState, model::ChangeState>(model::ChangeState::as_str);
        agree::<Brought, model::Brought>(model::Brought::as_str);
        agree::<SubjectClass, model::SubjectClass>(model::SubjectClass::as_str);
        agree::<ReviewState, model::ReviewState>(model::ReviewState::as_str);
        agree::<Role, model::Role>(model::Role::as_str);
        agree::<Tier, model::Tier>(model::Tier::as_str);
        agree::<Verdict, model::Verdict>(model::Verdict::as_str);
        agree::<Kind, model::OperatorKind>(|it| Kind::of(it).0);
        agree::<Method, model::Method>(|it| Method::of(it).0);
    }
}
