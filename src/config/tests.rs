//! What the configuration promises as a whole.

use super::document::parse_value;
use super::problem::Found;
use super::schema::{Field, Measure, Section as _, Shape};
use super::*;
use std::time::Duration;

const SMALLEST: &str = include_str!("../../tests/data/smallest.toml");

fn read_with(text: &str, environment: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let environment = environment.iter().map(|(n, v)| ((*n).into(), (*v).into()));
    parse(Path::new("a.toml"), text, environment, Files::Ignore)
        .map(|(config, _)| config)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn read(text: &str) -> Result<Config, Vec<String>> {
    read_with(text, &[])
}

/// The problems that `more` brings when it is put after the smallest file.
pub(super) fn problems(more: &str) -> Vec<String> {
    read(&format!("{SMALLEST}{more}")).err().unwrap_or_default()
}

#[track_caller]
pub(super) fn has(list: &[String], part: &str) {
    assert!(
        list.iter().any(|p| p.contains(part)),
        "{part:?} in {list:#?}"
    );
}

#[test]
fn the_smallest_file_has_all_defaults() {
    let config = read(SMALLEST).expect("it is right");
    assert_eq!(config.limits.idle_timeout, Duration::from_secs(75));
    assert_eq!(config.limits.max_head_bytes.bytes(), 65_536);
    assert_eq!(config.limits.max_request_body.bound(), None);
    assert_eq!(config.grants.code_ttl, Duration::from_secs(30));
    assert_eq!(config.database(), Path::new("var/locum.db"));
    assert_eq!(
        config.session_origin("s1", "shop"),
        "https://s1.shop.localhost"
    );
    assert_eq!(
        config.apps.first().map(|a| a.placement),
        Some(Placement::Gate)
    );
    assert_eq!(
        config.upstreams.first().map(Upstream::audience),
        Some("storefront")
    );
}

#[test]
fn every_key_is_documented_and_its_default_is_good() {
    fn each(fields: &'static [Field], path: &str) {
        for field in fields {
            let key = format!("{path}{}", field.name);
            let doc = field.doc.join(" ");
            assert!(
                doc.trim_end().ends_with(['.', '?']),
                "{key}: {doc:?} is no sentence"
            );
            assert!(
                !field.name.contains("__"),
                "{key}: its environment name would be ambiguous"
            );
            if !field.is_required() && !field.is_unset() {
                assert!(
                    parse_value(field.default, &Place::Default).is_some(),
                    "{key}"
                );
            }
            if let Shape::Table(_, inner) | Shape::List(&Shape::Table(_, inner)) = field.shape {
                each(inner, &format!("{key}."));
            }
        }
    }
    each(Config::FIELDS, "");
    // Reading an empty table reads every default, and checks it against its bounds.
    let mut found = Found::new(Path::new("-"));
    let empty = document::Table::default();
    let limits = Limits::read_table(&empty, &Place::Default, "limits", &mut found);
    assert!(limits.is_some() && found.is_empty(), "{found:?}");
}

#[test]
fn every_limit_has_a_default_bounds_and_a_unit() {
    for field in Limits::FIELDS {
        assert!(!field.is_required() && !field.is_unset(), "{}", field.name);
        assert!(field.bounds.is_some(), "{}", field.name);
        assert_ne!(field.measure, Measure::None, "{}", field.name);
        let is_counted = field.measure == Measure::Count;
        assert_eq!(is_counted, !field.unit.is_empty(), "{}", field.name);
    }
}

#[test]
fn defaults_lie_within_bounds() {
    fn each(fields: &'static [Field], path: &str) {
        for field in fields {
            let key = format!("{path}{}", field.name);
            if let (Some((low, high)), false) =
                (field.bounds, field.is_unset() || field.is_required())
            {
                let text = field.default.trim_matches('"').replace('_', "");
                let value = units::measure(&text, field.measure);
                assert!(value.is_some_and(|v| (low..=high).contains(&v)), "{key}");
            }
            if let Shape::Table(_, inner) | Shape::List(&Shape::Table(_, inner)) = field.shape {
                each(inner, &format!("{key}."));
            }
        }
    }
    each(Config::FIELDS, "");
}

#[test]
fn all_problems_come_at_once_with_line_and_remedy() {
    let text = SMALLEST
        .replace("plain", "plian")
        .replace("'storefront'\naddr", "'store'\naddr");
    let text = format!("{text}placment = 'gate'\n[limits]\nidle_timeout = '30 secs'\n");
    let problems = read(&text).expect_err("it is wrong");
    assert_eq!(
        problems,
        [
            "a.toml:2: listeners.apps.plian: unknown key; did you mean \"plain\"?",
            "a.toml:10: apps[0].upstream = \"storefront\": no upstream has this name; there are: \
             store; or add an [[upstreams]] of this name",
            "a.toml:11: apps[0].placment: unknown key; did you mean \"placement\"?",
            "a.toml:13: limits.idle_timeout = \"30 secs\": not a duration; write a whole number \
             and ms, s, m, h or d, as in \"30s\"",
        ]
    );
}

#[test]
fn a_syntax_error_does_not_hide_the_others() {
    let problems = problems("placment = 'gate'\nname = 'twice'\ncache = \n");
    has(&problems, "a.toml:11: apps[0].placment: unknown key");
    has(&problems, "a.toml:12: not TOML");
    has(&problems, "a.toml:13: not TOML");
    assert!(
        !problems.iter().any(|p| p.contains("missing;")),
        "{problems:#?}"
    );
}

#[test]
fn what_cannot_be_read_does_not_hide_what_does_not_fit() {
    let text = SMALLEST.replace("'127.0.0.1:3000'", "'nowhere'");
    let text = format!(
        "{text}cache = 'of'\npublic_ulr = 'https://a'\nplacement = 'inline'\n\
         [[apps]]\nname = 'desk'\nupstream = 'storfront'\n[grants]\nmax_ttl = '10m'\n"
    );
    let problems = read(&text).expect_err("it is wrong");
    let keys: Vec<_> = problems
        .iter()
        .filter_map(|p| p.split(": ").nth(1))
        .collect();
    assert_eq!(
        keys,
        [
            "upstreams[0].addresses[0] = \"nowhere\"",
            "apps[0].cache = \"of\"",
            "apps[0].public_ulr",
            "apps[1].upstream = \"storfront\"",
            "grants.default_ttl",
            "grants.break_glass_max_ttl",
        ],
        "{problems:#?}"
    );
}

#[test]
fn what_is_missing_is_said_where_it_belongs() {
    has(
        &problems("\n[[apps]]\nname = 'other'\n"),
        "a.toml:12: apps[1].upstream: missing; add upstream to it",
    );
    has(
        &read("").expect_err("nothing is there"),
        "upstreams: missing",
    );
}

#[test]
fn values_of_the_wrong_kind_and_range_are_named() {
    for (more, part) in [
        (
            "cache = true",
            "apps[0].cache = true: a text is needed, this is true or false",
        ),
        (
            "cache = 'of'",
            "not a known word; write one of \"no-store\", \"pass\"",
        ),
        (
            "[limits]\nmax_headers = '9'",
            "a whole number is needed, this is a text",
        ),
        ("[limits]\nmax_headers = -1", "out of range"),
        ("[limits]\nmax_headers = 5", "out of range; write 8 to 1000"),
        (
            "[limits]\nidle_timeout = '0'",
            "out of range; write \"100ms\" to \"1d\"",
        ),
        (
            "[limits]\nidle_timeout = 30",
            "a duration with its unit is needed, this is a number",
        ),
        (
            "[log]\nlevel = 1.5",
            "log.level = 1.5: a text in quotes is needed",
        ),
        (
            "[policy]\npaths = 'x'",
            "policy.paths = \"x\": a list is needed",
        ),
        ("public_url = 'https://a/b'", "more than an origin"),
        (
            "public_url = 'https://u:p@a'",
            "\"https://…@a\": more than an origin",
        ),
        ("[limits.x]", "limits.x: unknown key; known here: "),
    ] {
        has(&problems(&format!("{more}\n")), part);
    }
}

#[test]
fn the_environment_overrides_keys() {
    let config = read_with(
        SMALLEST,
        &[
            ("LOCUM_LISTENERS__APPS__ADDRESS", "127.0.0.1:9443"),
            ("LOCUM_LIMITS__MAX_HEADERS", "50"),
            ("LOCUM_APPS__SHOP__CACHE", "pass"),
            ("LOCUM_UPSTREAMS__0__ADDRESSES", "a:1, https://b:2"),
            ("LOCUM_APPS__SHOP__BANNER__REENCODE", "false"),
            ("LOCUM_CONFIG", "not a key"),
            ("LOCUM_BACKEND_PASSWORD", "somebody's"),
            ("HOME", "/"),
        ],
    )
    .expect("all are keys");
    assert_eq!(config.listeners.apps.address.port(), 9443);
    assert_eq!(config.limits.max_headers, 50);
    assert_eq!(config.apps.first().map(|a| a.cache), Some(Cache::Pass));
    assert_eq!(config.apps.first().map(|a| a.banner.reencode), Some(false));
    assert_eq!(config.upstreams.first().map(|u| u.addresses.len()), Some(2));
}

#[test]
fn the_environment_is_checked_like_the_file() {
    let wrong = [
        ("LOCUM_LIMITS__MAX_HEADERS", "many"),
        ("LOCUM_LIMITS__MAX_HEADRES", "5"),
        ("LOCUM_SUFIX", "x"),
        ("LOCUM_APPS__STORE__CACHE", "pass"),
        ("LOCUM_LIMITS", "x"),
    ];
    let problems = read_with(SMALLEST, &wrong).expect_err("all are wrong");
    for part in [
        "environment LOCUM_LIMITS__MAX_HEADERS: limits.max_headers = \"many\": a whole number",
        "environment LOCUM_LIMITS__MAX_HEADRES: \"MAX_HEADRES\" is no key; did you mean MAX_HEADERS?",
        "environment LOCUM_SUFIX: \"SUFIX\" is no key; did you mean SUFFIX?",
        "environment LOCUM_APPS__STORE__CACHE: apps has no \"STORE\"; there are: shop",
    ] {
        has(&problems, part);
    }
    assert_eq!(problems.len(), 4, "{problems:#?}");
}

#[test]
fn keys_that_do_not_fit_together_are_refused() {
    for (more, part) in [
        (
            "[[apps]]\nname='shop'\nupstream='storefront'",
            "a.toml:12: apps[1].name = \"shop\": apps[0] has it",
        ),
        (
            "[[apps]]\nname='b'\nupstream='storfront'",
            "apps[1].upstream = \"storfront\": no upstream",
        ),
        (
            "placement = 'inline'",
            "a.toml:8: apps[0].public_url: missing: inline",
        ),
        (
            "origin = 'shared'",
            "apps[0].public_url: missing: with a shared origin",
        ),
        (
            "rewrite_origins = true",
            "apps[0].rewrite_origins = true: has no effect",
        ),
        (
            "binding = { certificate = true }",
            "clients are not asked for a certificate",
        ),
        (
            "public_url = 'https://a.shop.localhost'",
            "lies among the session origins",
        ),
        (
            "[listeners.ops]\naddress = '0.0.0.0:9090'",
            "listeners.ops.address = \"0.0.0.0:9090\": others",
        ),
        (
            "[listeners.ops]\naddress = '127.0.0.1:8443'",
            "is the apps listener's",
        ),
        (
            "[listeners.portal]\nenabled = true\nplain = true\npublic_url = 'https://x.shop.localhost'",
            "lies on an origin of the app",
        ),
    ] {
        has(&problems(&format!("{more}\n")), part);
    }
}

#[test]
fn sinks_grants_and_issuers_that_do_not_fit_are_refused() {
    for (more, part) in [
        ("[grants]\ndefault_ttl = '9h'", "longer than max_ttl"),
        (
            "[grants]\nbreak_glass_max_ttl = '9h'",
            "longer than max_ttl",
        ),
        (
            "[[audit.sinks]]\nname='a'\nkind='webhook'\nurl='http://siem'",
            "not https",
        ),
        (
            "[[audit.sinks]]\nname='a'\nkind='stdout'\npath='x'",
            "has no effect on a sink of kind",
        ),
        (
            "[[audit.sinks]]\nname='a'\nkind='file'",
            "audit.sinks[0].path: missing",
        ),
        (
            "[[issuers]]\nissuer='i'\naudience='a'\njwks='k'\napps=['shopp']",
            "no app has this name",
        ),
        (
            "[[issuers]]\nissuer='i'\naudience='a'\njwks='k'\napps=[]\nalgorithms=['HS256']",
            "not a known word",
        ),
        ("[policy]\npaths = []", "without policy nothing is allowed"),
    ] {
        has(&problems(&format!("{more}\n")), part);
    }
}

#[test]
fn a_listener_needs_tls_or_an_explicit_plain() {
    let off = SMALLEST.replace("plain = true", "plain = false");
    has(
        &read(&off).expect_err("neither"),
        "listeners.apps.tls: missing",
    );
    let open = SMALLEST.replace("plain = true", "plain = true\naddress = '0.0.0.0:80'");
    has(
        &read(&open).expect_err("open"),
        "plain HTTP on an address that others can reach",
    );
    let known = open.replace(
        "plain = true",
        "plain = true\ntrusted_proxies = ['10.0.0.0/8']",
    );
    assert!(read(&known).is_ok());
    let header = SMALLEST.replace("plain = true", "plain = true\nproxy_protocol = 'v2'");
    has(
        &read(&header).expect_err("anyone"),
        "anyone could say any address",
    );
    let both = SMALLEST.replace("plain", "tls = { cert = 'c', key = 'k' }\nplain");
    has(&read(&both).expect_err("both"), "contradicts tls");
}

#[test]
fn identity_takes_the_keys_of_its_mode() {
    let with = |identity: &str| {
        let text = SMALLEST.replace(
            "\n[[apps]]",
            &format!("identity = {{ {identity} }}\n[[apps]]"),
        );
        read(&text).err().unwrap_or_default()
    };
    assert_eq!(
        with("mode = 'headers', headers = { X-User = '{subject.id}' }"),
        [""; 0]
    );
    assert_eq!(with("mode = 'bearer', secret_env = 'TOKEN'"), [""; 0]);
    has(
        &with("mode = 'headers'"),
        "upstreams[0].identity.headers: missing",
    );
    has(
        &with("mode = 'headers', headers = { X = '{user}' }"),
        "\"{user}\" is no placeholder",
    );
    has(
        &with("mode = 'none', audience = 'x'"),
        "has no effect in mode \"none\"",
    );
    has(&with("mode = 'basic', username = 'u'"), "takes one secret");
    has(
        &with("mode = 'mint'"),
        "upstreams[0].identity.mint_path: missing",
    );
}

#[test]
fn files_must_be_there() {
    let text = SMALLEST.replace(
        "plain = true",
        "tls = { cert = '/none.pem', key = '/none.key' }",
    );
    let problems = parse(Path::new("a.toml"), &text, [], Files::Check)
        .expect_err("there are no such files")
        .to_string();
    assert!(problems.contains("a.toml:2: listeners.apps.tls.cert = \"/none.pem\": cannot be read"));
    assert!(problems.contains("run `locum certs dev`"), "{problems}");
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "[a-z\\[\\]\\.=\"'\\n{}, 0-9_-]{0,200}") {
        let _ = read(&text);
        let _ = read(&format!("{SMALLEST}{text}"));
    }
}
