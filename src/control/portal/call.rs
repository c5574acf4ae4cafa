//! One request of somebody who signed in: who, and what they sent.

use super::fields::Fields;
use super::nav::{self, Here};
use crate::control::desk::Control;
use crate::control::gate::Visit;
use crate::control::refusal::Refusal;
use crate::control::web::shared::Shared;
use crate::model::{Caller, Role};
use http::Method;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

/// One request. Cheap to clone.
#[derive(Clone)]
pub(super) struct Call(Arc<Inner>);

pub(super) struct Inner {
    pub(super) web: Shared,
    pub(super) visit: Visit,
    pub(super) method: Method,
    /// As it was asked for, without its query.
    pub(super) path: String,
    pub(super) ids: Vec<String>,
    pub(super) query: Fields,
    pub(super) form: Fields,
}

impl Deref for Call {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Call {
    pub(super) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    pub(super) fn control(&self) -> &Control {
        &self.web.control
    }

    pub(super) fn caller(&self) -> &Caller {
        &self.visit.caller
    }

    pub(super) fn is_any(&self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.caller().is(*role))
    }

    /// Refuses whoever the page is not for.
    pub(super) fn needs(&self, here: Here) -> Result<(), Refusal> {
        if self.is_any(nav::roles(here)) {
            return Ok(());
        }
        let names: Vec<&str> = nav::roles(here).iter().map(|it| it.as_str()).collect();
        Err(Refusal::forbidden(
            "portal.role",
            format!("This page is for these roles: {}.", names.join(", ")),
        ))
    }

    /// The id in the path. A text that is none is like one that does not exist.
    pub(super) fn id<T: FromStr>(&self) -> Result<T, Refusal> {
        let first = self.ids.first().and_then(|text| text.parse().ok());
        first.ok_or_else(Refusal::not_found)
    }
}
