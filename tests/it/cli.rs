//! The command line as people and scripts see it.

use insta::assert_snapshot;
use std::path::Path;
use std::process::Command;

/// What a run printed and how it ended; paths of the test's own directory as `DIR`.
fn locum_in(dir: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_locum"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir(dir)
        .output()
        .expect("the program starts");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    if !errors.is_empty() {
        text.push_str("--- stderr\n");
        text.push_str(&errors);
    }
    let code = output.status.code().unwrap_or(-1);
    let text = format!(
        "{text}--- exit {code}
"
    );
    text.replace(&dir.display().to_string(), "DIR")
}

/// As [`locum_in`], with this configuration file.
fn locum_with(configuration: &str, arguments: &[&str]) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir_all(dir.path().join("config/policy")).expect("a directory");
    std::fs::write(dir.path().join("config/locum.toml"), configuration).expect("a file");
    locum_in(dir.path(), arguments, &[])
}

const GOOD: &str = include_str!("../data/smallest.toml");

const ISSUE: &[&str] = &[
    "grant",
    "issue",
    "--scope=view,orders",
    "--operator=ada@support.example",
    "--subject=kim@acme.example",
    "--tenant=acme",
    "--ticket=SUP-1042",
    "--reason=Order 17 shows twice",
];

const THREE_MISTAKES: &str = "\
[listeners.apps]
plain = true

[[upstreams]]
name = 'storefront'
addresses = ['127.0.0.1:3000']

[[apps]]
name = 'shop'
upstream = 'storfront'
placment = 'inline'

[limits]
idle_timeout = '30 secs'
";

#[test]
fn help_tells_where_to_begin() {
    let dir = tempfile::tempdir().expect("a directory");
    assert_snapshot!(locum_in(dir.path(), &["-h"], &[]), @r"
    Let support stand in for a customer: only inside a grant, always with a banner, never unrecorded

    Usage: locum [OPTIONS] <COMMAND>

    Commands:
      run           Serve: check, record and forward requests until told to stop
      check-config  Check the configuration and list everything that is wrong with it
      policy        Check, test and explain policy, without serving
      grant         Give, look at and take back authority to stand in for a customer
      audit         Look at the journal and prove that it is whole
      recording     See what is recorded of sessions, keep it, prove it, erase it
      login         Sign in at the portal, for the commands that ask it
      logout        Make the token that `locum login` kept void, and forget it
      whoami        Show who the portal takes you for, and what you may do
      request       Ask for access to a customer's account, and turn a yes into a session
      approve       Agree to a request of somebody else
      deny          Refuse a request of somebody else
      session       See who stands in for whom now, and end it
      lock          Refuse present and future access by a key: an operator, a customer, a ticket, an
                    app, or all
      change        Agree, or not, to a change of Locum's own rules
      alert         Test the alert channels
      break-glass   Ask in an emergency and open the session at once
      review        Read and write the reviews that follow break-glass
      workload      Keep the inventory of automation and AI agents that may ask for access
      certs         Make certificates for development
      completions   Print a completion script for a shell
      man           Print the manual page, or write the pages of all commands

    Options:
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    Global options:
      -c, --config <FILE>  The configuration file [env: LOCUM_CONFIG] [default: config/locum.toml]
          --json           Answer in JSON, for a program to read

    Exit codes:
      0  done, and the answer is yes
      1  done, and the answer is no: a check, a test or a verification failed,
         or the portal refused the step and said why
      2  the command line makes no sense
      3  cannot: a file, the store or the network is out of reach, or the
         configuration cannot be used
      4  sign in first, or again: `locum login`

    Files:
      config/locum.toml   the configuration; every key is in docs/configuration.md
      config/policy/      route policy; see docs/policy.md
      $XDG_STATE_HOME/locum/credentials.json
                          what `locum login` keeps; nobody else may read it

    Begin with:
      locum certs dev          make certificates for this machine
      locum check-config       see whether the configuration is right
      locum run                serve
    --- exit 0
    ");
}

#[test]
fn help_of_a_command_tells_its_options() {
    let dir = tempfile::tempdir().expect("a directory");
    assert_snapshot!(locum_in(dir.path(), &["grant", "revoke", "-h"], &[]), @r"
    Take a grant back and end its session

    Usage: locum grant revoke [OPTIONS] [ID]

    Arguments:
      [ID]  The grant's id (g…) or its session's (s…)

    Options:
          --token <JTI>   The `jti` of an outside issuer's token, also one that was not used here yet
          --issuer <ISS>  With --token: the issuer, where several may use the same `jti`
      -h, --help          Print help

    Global options:
      -c, --config <FILE>  The configuration file [env: LOCUM_CONFIG] [default: config/locum.toml]
          --json           Answer in JSON, for a program to read

    The session ends at once: the next request is refused, and open downloads,
    event streams and WebSockets are cut within a tenth of a second. Revoking what
    is over already is no error. Exits with 1 if there is nothing of that name.

    Examples:
      locum grant revoke g01k9…
      locum grant revoke --token 7d1f… --issuer https://desk.example
    --- exit 0
    ");
}

#[test]
fn three_mistakes_are_told_at_once_with_line_and_remedy() {
    assert_snapshot!(locum_with(THREE_MISTAKES, &["check-config"]), @r#"
    --- stderr
    config/locum.toml:10: apps[0].upstream = "storfront": no upstream has this name; did you mean "storefront"?
    config/locum.toml:11: apps[0].placment: unknown key; did you mean "placement"?
    config/locum.toml:14: limits.idle_timeout = "30 secs": not a duration; write a whole number and ms, s, m, h or d, as in "30s"
    3 problems
    --- exit 1
    "#);
    assert_snapshot!(locum_with(THREE_MISTAKES, &["check-config", "--json"]), @r#"
    {"ok":false,"file":"config/locum.toml","problems":[{"file":"config/locum.toml","line":10,"key":"apps[0].upstream","value":"\"storfront\"","message":"no upstream has this name","remedy":"did you mean \"storefront\"?"},{"file":"config/locum.toml","line":11,"key":"apps[0].placment","message":"unknown key","remedy":"did you mean \"placement\"?"},{"file":"config/locum.toml","line":14,"key":"limits.idle_timeout","value":"\"30 secs\"","message":"not a duration","remedy":"write a whole number and ms, s, m, h or d, as in \"30s\""}]}
    --- exit 1
    "#);
}

#[test]
fn a_good_file_is_said_to_be() {
    assert_snapshot!(locum_with(GOOD, &["check-config"]), @r"
    config/locum.toml: ok (apps: shop)
    --- exit 0
    ");
    assert_snapshot!(locum_with(GOOD, &["check-config", "--json"]), @r#"
    {"ok":true,"file":"config/locum.toml","apps":1,"upstreams":1}
    --- exit 0
    "#);
}

#[test]
fn a_missing_file_is_another_matter_than_a_bad_one() {
    let dir = tempfile::tempdir().expect("a directory");
    assert_snapshot!(locum_in(dir.path(), &["check-config"], &[]), @r"
    --- stderr
    config/locum.toml: cannot be read: No such file or directory (os error 2); name another file with --config or LOCUM_CONFIG, or start from the example in docs/configuration.md
    --- exit 3
    ");
    assert_snapshot!(locum_in(dir.path(), &["run"], &[]), @r"
    --- stderr
    locum: config/locum.toml: cannot be read: No such file or directory (os error 2)
      try: name another file with --config or LOCUM_CONFIG, or start from the example in docs/configuration.md
    --- exit 3
    ");
}

#[test]
fn serving_needs_a_configuration_that_can_be_used() {
    assert_snapshot!(locum_with(THREE_MISTAKES, &["run"]), @r#"
    --- stderr
    locum: the configuration has 3 problems:
    config/locum.toml:10: apps[0].upstream = "storfront": no upstream has this name; did you mean "storefront"?
    config/locum.toml:11: apps[0].placment: unknown key; did you mean "placement"?
    config/locum.toml:14: limits.idle_timeout = "30 secs": not a duration; write a whole number and ms, s, m, h or d, as in "30s"
      try: mend what is listed, then run `locum check-config`
    --- exit 3
    "#);
}

#[test]
fn arguments_that_make_no_sense_exit_with_2() {
    assert_snapshot!(locum_with(GOOD, &["grant", "show", "17"]), @r"
    --- stderr
    error: invalid value '17' for '<ID>': is no grant's id (g and 26 characters) and no session's (s and 26 characters)

    For more information, try '--help'.
    --- exit 2
    ");
    assert_snapshot!(locum_with(GOOD, &["grnat"]), @r"
    --- stderr
    error: unrecognized subcommand 'grnat'

      tip: a similar subcommand exists: 'grant'

    Usage: locum [OPTIONS] <COMMAND>

    For more information, try '--help'.
    --- exit 2
    ");
    assert_snapshot!(locum_with(GOOD, &[ISSUE, &["--ttl", "9h"]].concat()), @r"
    --- stderr
    locum: --ttl 9h is longer than grants.max_ttl allows
      try: ask for 8h at most
    --- exit 2
    ");
}

#[test]
fn the_shipped_configuration_is_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = locum_in(root, &["check-config", "--no-files"], &[]);
    assert_eq!(text, "config/locum.toml: ok (apps: shop)\n--- exit 0\n");
}

#[test]
fn certificates_for_development_make_a_configuration_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::create_dir_all(dir.path().join("config/policy")).expect("a directory");
    std::fs::copy(
        root.join("config/locum.toml"),
        dir.path().join("config/locum.toml"),
    )
    .expect("copied");
    let before = locum_in(dir.path(), &["check-config"], &[]);
    assert!(
        before.contains("run `locum certs dev`") && before.ends_with("--- exit 1\n"),
        "{before}"
    );
    assert_snapshot!(locum_in(dir.path(), &["certs", "dev"], &[]), @r#"
    made in certs/dev:
      ca.pem     the CA, for browsers and tools to trust
      locum.pem  for *.shop.localhost, shop.localhost, localhost, 127.0.0.1, ::1, *.replay.localhost
      locum.key  its key, readable by you only

    In the configuration:
      tls = { cert = "certs/dev/locum.pem", key = "certs/dev/locum.key" }

    To trust the CA (it can vouch for these domains only):
      curl               curl --cacert certs/dev/ca.pem …
      Node               NODE_EXTRA_CA_CERTS=certs/dev/ca.pem
      Firefox            Settings, Certificates, Authorities, Import certs/dev/ca.pem
      Chromium on Linux  certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n locum-dev -i certs/dev/ca.pem
      macOS              security add-trusted-cert -k ~/Library/Keychains/login.keychain-db certs/dev/ca.pem
      Windows            certutil -user -addstore Root certs/dev/ca.pem
    --- exit 0
    "#);
    assert_snapshot!(locum_in(dir.path(), &["check-config"], &[]), @r"
    config/locum.toml: ok (apps: shop)
    --- exit 0
    ");
    assert_snapshot!(locum_in(dir.path(), &["certs", "dev"], &[]), @r"
    unchanged in certs/dev:
      ca.pem     the CA, for browsers and tools to trust
      locum.pem  for *.shop.localhost, shop.localhost, localhost, 127.0.0.1, ::1, *.replay.localhost
      locum.key  its key, readable by you only
    The CA is the same: what trusted it trusts it still.
    --- exit 0
    ");
}

#[test]
fn completions_and_manual_pages_come_out() {
    let dir = tempfile::tempdir().expect("a directory");
    for shell in ["bash", "zsh", "fish"] {
        let script = locum_in(dir.path(), &["completions", shell], &[]);
        assert!(
            script.contains("check-config") && script.ends_with("--- exit 0\n"),
            "{script}"
        );
    }
    let page = locum_in(dir.path(), &["man"], &[]);
    assert!(page.contains(".TH locum 1"), "{page}");
    locum_in(dir.path(), &["man", "--dir", "."], &[]);
    assert!(dir.path().join("locum-grant-issue.1").exists());
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_locum"))
        .args(["completions", "zsh"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

/// A directory with the smallest configuration and the shipped policy.
fn with_policy() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["config/policy", "config/policy/tenants"] {
        std::fs::create_dir_all(dir.path().join(folder)).expect("a directory");
        let files = std::fs::read_dir(root.join(folder)).expect("policy");
        for file in files.flatten().filter(|file| file.path().is_file()) {
            let to = dir.path().join(folder).join(file.file_name());
            std::fs::copy(file.path(), to).expect("copied");
        }
    }
    std::fs::write(dir.path().join("config/locum.toml"), GOOD).expect("a file");
    dir
}

fn json(text: &str) -> serde_json::Value {
    let line = text.lines().next().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_shipped_policy_is_right_and_its_cases_need_every_row() {
    let dir = with_policy();
    let run = |arguments: &[&str]| locum_in(dir.path(), arguments, &[]);
    let checked = run(&["policy", "check"]);
    assert!(checked.ends_with("--- exit 0\n"), "{checked}");
    let tested = run(&["policy", "test"]);
    assert!(tested.ends_with("--- exit 0\n"), "{tested}");

    // Without its first row the cases fail.
    let path = dir.path().join("config/policy/storefront.toml");
    let text = std::fs::read_to_string(&path).expect("policy");
    let rows: Vec<_> = text.match_indices("[[rows]]").map(|(at, _)| at).collect();
    let (first, second) = (rows[0], rows[1]);
    std::fs::write(&path, format!("{}{}", &text[..first], &text[second..])).expect("written");
    let tested = run(&["policy", "test"]);
    assert!(
        tested.contains("FAILED") && tested.ends_with("--- exit 1\n"),
        "{tested}"
    );
}

#[test]
fn explain_names_the_row_that_decides() {
    let dir = with_policy();
    let explain = |request: &str| {
        let text = locum_in(
            dir.path(),
            &["policy", "explain", "--json", "-s", "view", request],
            &[],
        );
        assert!(text.ends_with("--- exit 0\n"), "{text}");
        json(&text)
    };
    let allowed = explain("GET /orders/17");
    assert_eq!(allowed["effect"], "permit", "{allowed}");
    let denied = explain("POST /account/mfa/reset");
    assert_eq!(denied["effect"], "deny", "{denied}");
    assert_ne!(denied["rule"], "default-deny", "{denied}");
    let unlisted = explain("GET /nowhere/at/all");
    assert_eq!(unlisted["rule"], "default-deny", "{unlisted}");
    let nonsense = locum_in(
        dir.path(),
        &["policy", "explain", "-s", "view", "orders"],
        &[],
    );
    assert!(nonsense.ends_with("--- exit 2\n"), "{nonsense}");
}

#[test]
fn a_grant_is_issued_listed_shown_and_revoked() {
    let dir = with_policy();
    let run = |arguments: &[&str]| locum_in(dir.path(), arguments, &[("USER", "ada")]);
    assert!(run(&["grant", "list"]).starts_with("no grants match"));
    let made = json(&run(&[ISSUE, &["--ttl", "20m", "--json"]].concat()));
    let (grant, session) = (
        made["grant"].as_str().expect("id"),
        made["session"].as_str().expect("id"),
    );
    let start = format!("https://{session}.shop.localhost/.locum/start?code=");
    assert!(
        made["start_url"]
            .as_str()
            .is_some_and(|url| url.starts_with(&start)),
        "{made}"
    );

    let listed = run(&["grant", "list"]);
    assert!(
        listed.contains(grant) && listed.contains("pending"),
        "{listed}"
    );
    let shown = json(&run(&["grant", "show", session, "--json"]));
    assert_eq!(shown["issued_by"], "cli:ada", "{shown}");
    assert_eq!(
        shown["scopes"],
        serde_json::json!(["orders", "view"]),
        "{shown}"
    );

    let revoked = run(&["grant", "revoke", grant]);
    assert_eq!(
        revoked,
        format!("revoked: session {session} has ended\n--- exit 0\n")
    );
    let again = run(&["grant", "revoke", grant]);
    assert!(
        again.contains("was over already: ended by cli:ada"),
        "{again}"
    );
    assert!(again.ends_with("--- exit 0\n"), "{again}");
    assert!(run(&["grant", "list"]).starts_with("no grants match"));
    assert!(run(&["grant", "list", "--all"]).contains("ended"));

    let unknown = run(&["grant", "revoke", "g00000000000000000000000000"]);
    assert!(
        unknown.contains("nothing of that name") && unknown.ends_with("--- exit 1\n"),
        "{unknown}"
    );
    let token = run(&[
        "grant",
        "revoke",
        "--token",
        "jti-1",
        "--issuer",
        "https://desk.example",
    ]);
    assert_eq!(
        token,
        "revoked: the token is refused from now on\n--- exit 0\n"
    );
}

#[test]
fn a_journal_that_is_not_there_cannot_be_verified() {
    let dir = with_policy();
    let text = locum_in(dir.path(), &["audit", "verify", "nowhere"], &[]);
    assert!(text.ends_with("--- exit 3\n"), "{text}");
    let text = locum_in(dir.path(), &["audit", "tail", "nowhere"], &[]);
    assert!(text.ends_with("--- exit 3\n"), "{text}");
}
