//! What loading, checking and testing policy files finds.

use super::*;

#[test]
fn cedar_mistakes_are_problems() {
    let when = |text: &str| problems(&row("c", "GET /c", &format!("when = '''{text}'''")));
    for bad in [
        "context.tikcet == \"x\"",
        "true }; permit(principal, action, resource) when { true",
        "1",
        "context.time == \"x\"",
        "context.client.isLoopback()",
    ] {
        assert!(
            when(bad)
                .iter()
                .any(|p| p.contains("p.toml:6") && p.contains("rows.when")),
            "{bad}: {:?}",
            when(bad)
        );
    }
    let text = row("c", "GET /c", "");
    let permit = load(&[
        ("p.toml", &text),
        ("x.cedar", "permit(principal, action, resource);"),
    ]);
    assert!(
        permit
            .err()
            .is_some_and(|p| p.to_string().contains("can only forbid"))
    );
}

#[test]
fn all_mistakes_at_once_with_line_key_and_remedy() {
    let text = "[[rows]]\nid = \"a b\"\nmatch = \"GET orders\"\naction = \"x.read\"\neffect = \"alow\"\nmesage = \"?\"\nrelax = [\"chunk\", \"nope\"]\n\n[[rows]]\nid = \"b\"\nmatch = \"GET /b/{c}\"\naction = \"x.read\"\neffect = \"allow\"\nresource = \"r:{d}\"\noverrides = [\"pack.nothing\"]\n[other]\n";
    let found = problems(text);
    for (line, key) in [
        (2, "rows.id"),
        (3, "rows.match"),
        (5, "rows.effect"),
        (6, "rows.mesage"),
        (7, "rows.relax"),
        (14, "rows.resource"),
        (15, "rows.overrides"),
        (16, "other"),
    ] {
        let place = format!("p.toml:{line}: {key}: ");
        assert!(
            found.iter().any(|problem| problem.contains(&place)),
            "{place} in {found:#?}"
        );
    }
    assert!(
        found
            .iter()
            .any(|problem| problem.contains("Did you mean \"message\"?"))
    );
}

#[test]
fn conflicts_shadows_and_duplicates_are_errors() {
    let deny = "effect = \"deny\"";
    let other = "action = \"b.read\"";
    for (rows, word) in [
        (
            row("a", "GET /x/{y}", "") + &row("b", "GET|POST /x/{z}", other),
            "conflict",
        ),
        (
            row("a", "GET|POST /x", "") + &row("b", "GET /x", ""),
            "shadowed",
        ),
        (
            row("a", "GET /x", "") + &row("c", "POST /x", "") + &row("b", "GET|POST /x", ""),
            "shadowed",
        ),
        (
            row("a", "* /x/{*r}", deny) + &row("b", "GET /X/y", ""),
            "shadowed",
        ),
        (
            row("a", "GET /x", deny) + &row("b", "GET /x", deny),
            "shadowed",
        ),
        (
            row("a", "GET /x", "") + &row("a", "GET /y", ""),
            "also the id",
        ),
    ] {
        let found = problems(&rows);
        assert!(
            found.iter().any(|problem| problem.contains(word)),
            "{word}: {found:?}\n{rows}"
        );
    }
    for rows in [
        row("a", "GET /x/{y}", "") + &row("b", "GET /x/y", other),
        row("a", "GET /x", "query = {a = \"1\"}")
            + &row("b", "GET /x", &format!("{other}\nquery = {{a = \"2\"}}")),
        row("a", "POST /x", "graphql = {type = \"query\"}")
            + &row(
                "b",
                "POST /x",
                &format!("{other}\ngraphql = {{type = \"mutation\"}}"),
            ),
        row("a", "GET /x", "app = \"one\"")
            + &row("b", "GET /x", &format!("{other}\napp = \"two\"")),
        row("a", "GET /x", &format!("{deny}\nquery = {{a = \"1\"}}")) + &row("b", "GET /x", ""),
    ] {
        assert_eq!(problems(&rows), Vec::<String>::new(), "{rows}");
    }
}

#[test]
fn the_shipped_policy_is_sound_and_its_cases_cover_it() {
    let paths = vec![PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/config/policy"
    ))];
    let report = check(&paths, &LoadOptions::default()).unwrap_or_else(|why| panic!("{why}"));
    assert!(report.warnings.is_empty(), "{report}");
    let report = test(&paths, &LoadOptions::default()).unwrap_or_else(|why| panic!("{why}"));
    assert!(report.passed() && report.uncovered.is_empty(), "{report}");
}

#[test]
fn a_deleted_row_fails_a_case() {
    let file = |name: &str| {
        std::fs::read_to_string(format!(
            "{}/config/policy/{name}",
            env!("CARGO_MANIFEST_DIR")
        ))
        .unwrap_or_default()
    };
    let (rows, cases) = (file("storefront.toml"), file("storefront.cases.toml"));
    let pieces: Vec<&str> = rows.split("[[rows]]").collect();
    for gone in 1..pieces.len() {
        let left: Vec<&str> = pieces
            .iter()
            .enumerate()
            .filter(|(nth, _)| *nth != gone)
            .map(|(_, piece)| *piece)
            .collect();
        let left = left.join("[[rows]]");
        let (_folder, paths) = folder(&[("s.toml", &left), ("s.cases.toml", &cases)]);
        let report = test(&paths, &LoadOptions::default()).unwrap_or_else(|why| panic!("{why}"));
        assert!(!report.passed(), "without {}", pieces[gone]);
    }
}

#[test]
fn a_deny_row_below_a_path_covers_the_path_itself() {
    let rows = row("a", "* /admin/{*r}", "effect = \"deny\"") + &row("b", "GET /Admin", "");
    assert!(
        problems(&rows)
            .iter()
            .any(|problem| problem.contains("shadowed"))
    );
    let wide = row("w", "GET /{*r}", "") + &row("a", "* /admin/{*r}", "effect = \"deny\"");
    assert_eq!(says(&policy(&wide), &ask("GET /ADMIN")), "deny a");
}
