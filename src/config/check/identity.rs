//! Who signs in: one way for people, issuers that say nothing else, roles that exist somewhere, personas on loopback only.

use super::Check;
use super::rest::web_url;
use crate::config::{ClientAuth, JwtAlgorithm, RoleName, RoleRow};
use std::time::Duration;

pub(super) fn check(check: &mut Check<'_>) {
    one_way(check);
    demo(check);
    oidc(check);
    assertion(check);
    workloads(check);
    times(check);
    reload_votes(check);
    for n in 0..check.config.roles.len() {
        if let Some(row) = check.config.roles.get(n) {
            role(check, &format!("roles[{n}]"), row);
        }
    }
}

/// Votes that nobody could cast would keep everything as it is for ever.
fn reload_votes(check: &mut Check<'_>) {
    let (config, key) = (check.config, "access.reload_votes");
    if config.access.reload_votes == 0 {
        return;
    }
    if !config.listeners.portal.enabled {
        let remedy = "set listeners.portal.enabled = true: people vote there";
        check.problem(key, "has no effect without the portal", remedy);
    }
    let votes = |row: &RoleRow| {
        let everywhere = |list: &[String]| list.iter().any(|it| it == "*");
        matches!(row.role, RoleName::Security | RoleName::Admin)
            && everywhere(&row.tenants)
            && everywhere(&row.apps)
    };
    if !config.roles.iter().any(votes) {
        let remedy =
            "give a group the role security or admin with tenants = [\"*\"] and apps = [\"*\"]";
        check.problem(key, "there is nobody who could vote", remedy);
    }
}

fn one_way(check: &mut Check<'_>) {
    let identity = &check.config.identity;
    let ways = [
        ("identity.demo", identity.demo),
        ("identity.assertion", identity.assertion.is_some()),
        ("identity.oidc", identity.oidc.is_some()),
    ];
    let on: Vec<&str> = ways
        .iter()
        .filter(|(_, on)| *on)
        .map(|(key, _)| *key)
        .collect();
    if let [key, others @ ..] = on.as_slice()
        && !others.is_empty()
    {
        check.problem(
            key,
            format!("{} is set too", others.join(" and ")),
            "people sign in one way: keep one",
        );
    }
}

fn demo(check: &mut Check<'_>) {
    let (config, key) = (check.config, "identity.demo");
    if !config.identity.demo {
        if check.is_written("personas") {
            let remedy = "set identity.demo = true for a demonstration on loopback, or remove them";
            check.problem("personas", "have no effect without identity.demo", remedy);
        }
        return;
    }
    let portal = &config.listeners.portal;
    if !portal.address.ip().is_loopback() {
        check.problem(
            key,
            format!(
                "anybody could be anybody, and others can reach {}",
                portal.address
            ),
            "let listeners.portal listen on loopback, or sign people in with identity.oidc",
        );
    }
    if !portal.trusted_proxies.is_empty() {
        let remedy =
            "remove listeners.portal.trusted_proxies, or sign people in with identity.oidc";
        check.problem(
            key,
            "a proxy in front would let others in as anybody",
            remedy,
        );
    }
    if config.personas.is_empty() {
        let remedy = "add [[personas]] with id and name";
        check.problem(key, "there is nobody to choose", remedy);
    }
    let ids: Vec<_> = config.personas.iter().map(|it| &it.id).collect();
    check.unique("personas", "id", &ids);
}

fn oidc(check: &mut Check<'_>) {
    let Some(oidc) = &check.config.identity.oidc else {
        return;
    };
    let key = "identity.oidc";
    web_url(check, &format!("{key}.issuer"), &oidc.issuer);
    issuer(check, key, &oidc.issuer, &oidc.algorithms);
    if oidc.client_secret_file.is_some() && oidc.client_secret_env.is_some() {
        let remedy = "set one of client_secret_file and client_secret_env";
        check.problem(&format!("{key}.client_secret_file"), "two secrets", remedy);
    }
    stale(check, key, oidc.refresh, oidc.max_stale);
}

fn assertion(check: &mut Check<'_>) {
    let Some(it) = &check.config.identity.assertion else {
        return;
    };
    let key = "identity.assertion";
    issuer(check, key, &it.issuer, &it.algorithms);
    keys(check, key, &it.jwks);
    stale(check, key, it.refresh, it.max_stale);
}

fn workloads(check: &mut Check<'_>) {
    let (config, key) = (check.config, "identity.workloads");
    let workloads = &config.identity.workloads;
    for (n, name) in workloads.trust_domains.iter().enumerate() {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        if !name.chars().all(fits) || name.len() > 255 {
            check.problem(
                &format!("{key}.trust_domains[{n}]"),
                "not a SPIFFE trust domain",
                "write only its name, as in \"prod.example\"",
            );
        }
    }
    let shows = |tls: &crate::config::Tls| tls.client_auth != ClientAuth::Off;
    let asked = config.listeners.portal.tls.as_ref().is_some_and(shows);
    if !workloads.trust_domains.is_empty() && !asked {
        check.problem(
            &format!("{key}.trust_domains"),
            "has no effect: the portal asks no client for a certificate",
            "set listeners.portal.tls.client_ca to the trust bundle and client_auth to \"optional\"",
        );
    }
    let names: Vec<_> = workloads.issuers.iter().map(|it| &it.issuer).collect();
    check.unique(&format!("{key}.issuers"), "issuer", &names);
    for (n, it) in workloads.issuers.iter().enumerate() {
        let key = format!("{key}.issuers[{n}]");
        issuer(check, &key, &it.issuer, &it.algorithms);
        keys(check, &key, &it.jwks);
        stale(check, &key, it.refresh, it.max_stale);
        if it.typ.is_empty() {
            check.problem(&format!("{key}.typ"), "empty", "name at least one");
        }
    }
}

/// An issuer says who somebody is. One whose tokens say for whom somebody stands in must not be it: a token of the one kind
/// could then be taken for the other.
fn issuer(check: &mut Check<'_>, key: &str, name: &str, algorithms: &[JwtAlgorithm]) {
    let config = check.config;
    let at = format!("{key}.issuer");
    if name.trim_end_matches('/') == config.portal_origin() {
        let remedy = "name the provider that people have their accounts with";
        check.problem(&at, "is Locum itself", remedy);
    }
    if config.issuers.iter().any(|it| it.issuer == name) {
        let remedy = "let another issuer, or another realm of it, sign grants";
        check.problem(&at, "is an issuer of grants too ([[issuers]])", remedy);
    }
    if algorithms.is_empty() {
        check.problem(&format!("{key}.algorithms"), "empty", "name at least one");
    }
}

fn keys(check: &mut Check<'_>, key: &str, jwks: &str) {
    if jwks.contains("://") {
        web_url(check, &format!("{key}.jwks"), jwks);
    }
}

fn stale(check: &mut Check<'_>, key: &str, refresh: Duration, max_stale: Duration) {
    if max_stale < refresh {
        let remedy = "make it at least as long as refresh";
        check.problem(&format!("{key}.max_stale"), "shorter than refresh", remedy);
    }
}

fn times(check: &mut Check<'_>) {
    let identity = &check.config.identity;
    if identity.login_idle > identity.login_max {
        let remedy = "make it at most identity.login_max";
        check.problem("identity.login_idle", "longer than login_max", remedy);
    }
}

fn role(check: &mut Check<'_>, key: &str, row: &RoleRow) {
    for (name, list) in [("tenants", &row.tenants), ("apps", &row.apps)] {
        let at = format!("{key}.{name}");
        if list.is_empty() {
            check.problem(&at, "empty", "name some, or write [\"*\"] for all");
        }
        if list.len() > 1 && list.iter().any(|it| it == "*") {
            check.problem(
                &at,
                "\"*\" beside names",
                "write [\"*\"] alone, or only names",
            );
        }
    }
    if row.role == RoleName::TenantAuditor && row.tenants.iter().any(|it| it == "*") {
        let remedy = "name the tenants whose people are in this group";
        check.problem(
            &format!("{key}.tenants"),
            "a customer's auditor would see every customer",
            remedy,
        );
    }
    for (n, app) in row.apps.iter().enumerate() {
        if app != "*" && check.config.app(app).is_none() {
            let known: Vec<_> = check.config.apps.iter().map(|a| a.name.as_str()).collect();
            let remedy = format!("there are: {}", known.join(", "));
            check.problem(&format!("{key}.apps[{n}]"), "no app has this name", remedy);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Files, parse};
    use std::path::Path;

    const BASE: &str = "\
[listeners.apps]
plain = true
[listeners.portal]
enabled = true
plain = true
ADDRESS
[[upstreams]]
name = 'storefront'
addresses = ['127.0.0.1:3000']
[[apps]]
name = 'shop'
upstream = 'storefront'
[[issuers]]
issuer = 'https://grants.example'
audience = 'locum'
jwks = 'k'
apps = ['shop']
";

    fn problems(address: &str, more: &str) -> String {
        let text = BASE.replace("ADDRESS", address) + more;
        let read = parse(Path::new("a.toml"), &text, [], Files::Ignore);
        read.map_or_else(|problems| problems.to_string(), |_| String::new())
    }

    #[test]
    fn votes_on_a_reload_need_somebody_who_can_cast_them() {
        let votes = "[access]\nreload_votes = 1\n";
        let found = problems("", votes);
        assert!(found.contains("there is nobody who could vote"), "{found}");
        let role = "[[roles]]\ngroup = 'g'\nrole = 'security'\ntenants = ['*']\napps = ['*']\n";
        assert_eq!(problems("", &format!("{votes}{role}")), "");
        let narrow = role.replace("tenants = ['*']", "tenants = ['acme']");
        let found = problems("", &format!("{votes}{narrow}"));
        assert!(found.contains("there is nobody who could vote"), "{found}");
    }

    const DEMO: &str = "[identity]\ndemo = true\n[[personas]]\nid = 'ada'\nname = 'Ada'\n";
    const OIDC: &str = "[identity.oidc]\nissuer = 'https://id.example'\nclient_id = 'locum'\n";

    #[test]
    fn personas_are_for_loopback_only() {
        assert_eq!(problems("", DEMO), "");
        assert_eq!(problems("address = '[::1]:8444'", DEMO), "");
        let open = "address = '0.0.0.0:8444'\ntrusted_proxies = ['10.0.0.0/8']";
        let found = problems(open, DEMO);
        assert!(
            found.contains("identity.demo = true: anybody could be anybody"),
            "{found}"
        );
        assert!(
            found.contains("a proxy in front would let others in"),
            "{found}"
        );
        let found = problems("trusted_proxies = ['127.0.0.1']", DEMO);
        assert!(
            found.contains("a proxy in front would let others in"),
            "{found}"
        );
        let found = problems("", "[identity]\ndemo = true\n");
        assert!(found.contains("there is nobody to choose"), "{found}");
        let found = problems("", "[[personas]]\nid = 'ada'\nname = 'Ada'\n");
        assert!(
            found.contains("have no effect without identity.demo"),
            "{found}"
        );
    }

    #[test]
    fn who_says_who_somebody_is_says_nothing_else() {
        assert_eq!(problems("", OIDC), "");
        for (issuer, part) in [
            ("http://id.example", "not https"),
            ("https://user:pw@id.example", "has a credential in it"),
            ("https://grants.example", "is an issuer of grants too"),
            ("http://localhost:8444", "is Locum itself"),
            ("http://localhost:8444/", "is Locum itself"),
        ] {
            let found = problems("", &OIDC.replace("https://id.example", issuer));
            assert!(found.contains(part), "{issuer}: {found}");
        }
        let found = problems("", &format!("{OIDC}algorithms = []\n"));
        assert!(found.contains("identity.oidc.algorithms"), "{found}");
        let found = problems("", &format!("{OIDC}algorithms = ['HS256']\n"));
        assert!(found.contains("not a known word"), "{found}");
        let found = problems(
            "",
            &format!("{OIDC}client_secret_file = 'a'\nclient_secret_env = 'B'\n"),
        );
        assert!(found.contains("two secrets"), "{found}");
        let both = format!("{OIDC}[identity]\ndemo = true\n[[personas]]\nid = 'a'\nname = 'A'\n");
        let found = problems("", &both);
        assert!(found.contains("people sign in one way"), "{found}");
    }

    #[test]
    fn workloads_need_a_bundle_and_plain_names() {
        let found = problems(
            "",
            "[identity.workloads]\ntrust_domains = ['prod.example']\n",
        );
        assert!(
            found.contains("the portal asks no client for a certificate"),
            "{found}"
        );
        let found = problems(
            "",
            "[identity.workloads]\ntrust_domains = ['spiffe://prod']\n",
        );
        assert!(found.contains("not a SPIFFE trust domain"), "{found}");
        let issuer = "[[identity.workloads.issuers]]\nissuer = 'https://grants.example'\naudience = 'a'\njwks = 'k'\n";
        let found = problems("", issuer);
        assert!(found.contains("is an issuer of grants too"), "{found}");
    }

    #[test]
    fn roles_are_somewhere() {
        let row = |more: &str| problems("", &format!("[[roles]]\ngroup = 'g'\n{more}\n"));
        assert_eq!(row("role = 'operator'\ntenants = ['*']"), "");
        assert_eq!(
            row("role = 'tenant-auditor'\ntenants = ['acme']\napps = ['shop']"),
            ""
        );
        for (more, part) in [
            ("role = 'operator'", "roles[0].tenants: missing"),
            ("role = 'operator'\ntenants = []", "empty"),
            (
                "role = 'operator'\ntenants = ['*', 'acme']",
                "\"*\" beside names",
            ),
            ("role = 'root'\ntenants = ['*']", "not a known word"),
            (
                "role = 'approver'\ntenants = ['*']\napps = ['shopp']",
                "no app has this name",
            ),
            (
                "role = 'tenant-auditor'\ntenants = ['*']",
                "a customer's auditor would see every customer",
            ),
        ] {
            let found = row(more);
            assert!(found.contains(part), "{more}: {found}");
        }
    }
}
