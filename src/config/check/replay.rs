//! Where replays live: on a name that is nobody else's.

use super::Check;

pub(super) fn check(check: &mut Check<'_>) {
    let config = check.config;
    let Some(host) = config.replay.host.as_ref().map(ToString::to_string) else {
        return;
    };
    let below = |name: &str, domain: &str| name == domain || name.ends_with(&format!(".{domain}"));
    for app in &config.apps {
        let domain = config.app_domain(app.name.as_str());
        if below(&host, &domain) || below(&domain, &host) {
            check.problem(
                "replay.host",
                format!("sessions of the app live under {domain} already"),
                "give replays a name of their own, as in \"replay.portal.example.com\"",
            );
        }
    }
    if below(config.portal_host(), &host) {
        check.problem(
            "replay.host",
            "the portal's own name lies under it",
            "give replays a name beside the portal's or below it",
        );
    }
}
