//! Change windows: spans of time in which work on an app or a tenant was announced.

use crate::model::Timestamp;

/// A span of time, for one app, one tenant, both, or everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeWindow {
    pub app: Option<String>,
    pub tenant: Option<String>,
    /// From this moment on.
    pub from: Timestamp,
    /// Up to this moment, itself not in it.
    pub to: Timestamp,
}

impl ChangeWindow {
    pub(super) fn covers(&self, app: &str, tenant: &str, now: Timestamp) -> bool {
        self.app.as_deref().is_none_or(|it| it == app)
            && self.tenant.as_deref().is_none_or(|it| it == tenant)
            && self.from <= now
            && now < self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_of_its_app_and_tenant_and_its_end_is_not_in_it() {
        let at = Timestamp::from_millis;
        let window = |app: Option<&str>, tenant: Option<&str>| ChangeWindow {
            app: app.map(str::to_owned),
            tenant: tenant.map(str::to_owned),
            from: at(10),
            to: at(20),
        };
        let both = window(Some("shop"), Some("acme"));
        for (app, tenant, now, inside) in [
            ("shop", "acme", 10, true),
            ("shop", "acme", 19, true),
            ("shop", "acme", 9, false),
            ("shop", "acme", 20, false),
            ("desk", "acme", 15, false),
            ("shop", "globex", 15, false),
        ] {
            let found = both.covers(app, tenant, at(now));
            assert_eq!(found, inside, "{app} {tenant} {now}");
        }
        assert!(window(None, None).covers("any", "thing", at(15)));
        assert!(window(None, Some("acme")).covers("any", "acme", at(15)));
    }
}
