//! Lets the banner's own script, style, status stream and End form through the app's Content-Security-Policy
//! (CSP Level 3), and nothing else. `Content-Security-Policy-Report-Only` is not touched.
//!
//! The script and the style go by hash, which `'strict-dynamic'` and nonces admit beside themselves; the status
//! stream and the form by the URL of the reserved path. No `'unsafe-inline'`, no host, is ever added.

use std::fmt::Write as _;

/// What the banner needs of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// `'sha256-…'` of the inline script.
    pub script: String,
    /// `'sha256-…'` of the inline style.
    pub style: String,
    /// `https://<session origin>/.locum/`: a path that ends in a slash admits what is under it.
    pub reserved: String,
}

/// The directives of one policy, in order.
struct Policy<'a> {
    directives: Vec<(String, Vec<&'a str>, &'a str)>,
}

impl<'a> Policy<'a> {
    fn parse(text: &'a str) -> Self {
        let directives = text
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| {
                let mut words = part.split_ascii_whitespace();
                let name = words.next().unwrap_or_default().to_ascii_lowercase();
                (name, words.collect(), part)
            })
            .collect();
        Self { directives }
    }

    /// The first directive of the first of `names` that is present; later ones of a name are ignored (CSP3 §2.2.1).
    fn effective(&self, names: &[&str]) -> Option<usize> {
        names
            .iter()
            .find_map(|name| self.directives.iter().position(|(have, ..)| have == name))
    }
}

/// How an addition is made to one policy.
enum Change {
    /// Source list of the directive at this place is extended.
    Extend(usize, String),
    /// A directive of this name is added with the sources of `default-src` and one more.
    Derive(&'static str, usize, String),
}

fn is_hash_or_nonce(source: &str) -> bool {
    let lower = source.to_ascii_lowercase();
    ["'nonce-", "'sha256-", "'sha384-", "'sha512-"]
        .iter()
        .any(|prefix| lower.starts_with(prefix))
}

/// CSP3 §6.7.3.2 "Does a source list allow all inline behavior".
fn allows_inline(sources: &[&str]) -> bool {
    let has = |word: &str| sources.iter().any(|s| s.eq_ignore_ascii_case(word));
    has("'unsafe-inline'")
        && !has("'strict-dynamic'")
        && !sources.iter().any(|source| is_hash_or_nonce(source))
}

fn allows_own_origin(sources: &[&str]) -> bool {
    sources
        .iter()
        .any(|s| s.eq_ignore_ascii_case("'self'") || *s == "*")
}

/// What one need asks of a policy, if anything.
fn change(
    policy: &Policy<'_>,
    names: &[&'static str],
    derived: &'static str,
    source: &str,
    allowed: impl Fn(&[&str]) -> bool,
) -> Option<Change> {
    let at = policy.effective(names)?;
    let (name, sources, _) = policy.directives.get(at)?;
    if allowed(sources) || sources.contains(&source) {
        return None;
    }
    Some(if name == "default-src" {
        Change::Derive(derived, at, source.to_owned())
    } else {
        Change::Extend(at, source.to_owned())
    })
}

/// The source list with one more; `'none'` admits nothing beside itself, so it gives way.
fn with(sources: &[&str], more: &[&str]) -> String {
    let kept = sources.iter().filter(|s| !s.eq_ignore_ascii_case("'none'"));
    kept.chain(more).copied().collect::<Vec<_>>().join(" ")
}

/// One serialized policy (no commas), extended by what the banner needs; `None` where it already allows it.
fn extend_one(text: &str, needs: &Needs) -> Option<String> {
    let policy = Policy::parse(text);
    let changes: Vec<Change> = [
        change(
            &policy,
            &["script-src-elem", "script-src", "default-src"],
            "script-src",
            &needs.script,
            allows_inline,
        ),
        change(
            &policy,
            &["style-src-elem", "style-src", "default-src"],
            "style-src",
            &needs.style,
            allows_inline,
        ),
        change(
            &policy,
            &["connect-src", "default-src"],
            "connect-src",
            &needs.reserved,
            allows_own_origin,
        ),
        change(
            &policy,
            &["form-action"],
            "form-action",
            &needs.reserved,
            allows_own_origin,
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    if changes.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(text.len() + 256);
    for (at, (name, sources, raw)) in policy.directives.iter().enumerate() {
        let more: Vec<&str> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Extend(place, source) if *place == at => Some(source.as_str()),
                _ => None,
            })
            .collect();
        let gap = if out.is_empty() { "" } else { "; " };
        let _ = if more.is_empty() {
            write!(out, "{gap}{raw}")
        } else {
            write!(out, "{gap}{name} {}", with(sources, &more))
        };
    }
    for change in &changes {
        if let Change::Derive(name, at, source) = change {
            let sources = policy.directives.get(*at).map(|(_, sources, _)| sources);
            let list = with(sources.map_or(&[], Vec::as_slice), &[source.as_str()]);
            let _ = write!(out, "; {name} {list}");
        }
    }
    Some(out)
}

/// A header value or a `<meta>` content: policies set apart by commas, each extended on its own, since each is
/// enforced. `None` where nothing has to change.
pub fn extend(value: &str, needs: &Needs) -> Option<String> {
    let mut changed = false;
    let policies: Vec<String> = value
        .split(',')
        .map(|policy| match extend_one(policy, needs) {
            Some(extended) => {
                changed = true;
                extended
            }
            None => policy.trim().to_owned(),
        })
        .collect();
    changed.then(|| policies.join(", "))
}

/// Whether a policy in the response's head sandboxes the document without `allow-scripts`.
pub fn sandboxes_scripts(response: &http::HeaderMap) -> bool {
    let values = response.get_all(http::header::CONTENT_SECURITY_POLICY);
    values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| {
            value.split(',').any(|text| {
                let policy = Policy::parse(text);
                let sandbox = policy
                    .effective(&["sandbox"])
                    .and_then(|at| policy.directives.get(at));
                sandbox.is_some_and(|(_, flags, _)| {
                    !flags
                        .iter()
                        .any(|flag| flag.eq_ignore_ascii_case("allow-scripts"))
                })
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs() -> Needs {
        Needs {
            script: "'sha256-S'".into(),
            style: "'sha256-T'".into(),
            reserved: "https://s.app.test/.locum/".into(),
        }
    }

    #[track_caller]
    fn check(policy: &str, want: Option<&str>) {
        assert_eq!(extend(policy, &needs()).as_deref(), want, "{policy}");
    }

    #[test]
    fn leaves_what_already_allows_the_banner() {
        check("", None);
        check("img-src 'none'; frame-ancestors 'none'", None);
        check("script-src 'unsafe-inline'; connect-src 'self'", None);
        check("default-src * 'unsafe-inline'", None);
        check("sandbox", None);
        check("require-trusted-types-for 'script'", None);
    }

    #[test]
    fn adds_hashes_to_the_directive_in_force() {
        check("script-src 'self'", Some("script-src 'self' 'sha256-S'"));
        check(
            "script-src 'self' 'unsafe-inline'; script-src-elem 'self'",
            Some("script-src 'self' 'unsafe-inline'; script-src-elem 'self' 'sha256-S'"),
        );
        check("STYLE-SRC 'self'", Some("style-src 'self' 'sha256-T'"));
        check(
            "script-src 'nonce-abc' 'strict-dynamic' 'unsafe-inline' https:",
            Some("script-src 'nonce-abc' 'strict-dynamic' 'unsafe-inline' https: 'sha256-S'"),
        );
    }

    #[test]
    fn none_gives_way_to_exactly_what_is_needed() {
        check("script-src 'none'", Some("script-src 'sha256-S'"));
        check("script-src", Some("script-src 'sha256-S'"));
        check(
            "connect-src 'none'; form-action 'none'",
            Some("connect-src https://s.app.test/.locum/; form-action https://s.app.test/.locum/"),
        );
    }

    #[test]
    fn a_default_is_copied_not_widened() {
        check(
            "default-src 'none'; img-src 'self'",
            Some(
                "default-src 'none'; img-src 'self'; script-src 'sha256-S'; style-src 'sha256-T'; \
                 connect-src https://s.app.test/.locum/",
            ),
        );
        check(
            "default-src 'self'",
            Some("default-src 'self'; script-src 'self' 'sha256-S'; style-src 'self' 'sha256-T'"),
        );
        check(
            "default-src 'self' 'unsafe-inline' https://cdn.test; connect-src https://api.test",
            Some(
                "default-src 'self' 'unsafe-inline' https://cdn.test; \
                 connect-src https://api.test https://s.app.test/.locum/",
            ),
        );
    }

    #[test]
    fn every_policy_in_a_list_is_extended() {
        check(
            "script-src 'self', img-src *, style-src 'self'",
            Some("script-src 'self' 'sha256-S', img-src *, style-src 'self' 'sha256-T'"),
        );
    }

    #[test]
    fn a_repeated_directive_counts_once() {
        check(
            "script-src 'self'; script-src 'none'",
            Some("script-src 'self' 'sha256-S'; script-src 'none'"),
        );
    }

    #[test]
    fn never_adds_unsafe_words() {
        for policy in [
            "default-src 'none'",
            "script-src 'none'",
            "default-src 'self'",
        ] {
            let out = extend(policy, &needs()).unwrap_or_default();
            assert!(!out.contains("unsafe") && !out.contains('*'), "{out}");
        }
    }
}
