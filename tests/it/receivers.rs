//! Alerts to real receivers: a mail server (aiosmtpd) and the reference verifier of Standard Webhooks, as
//! `tests/receivers/run.sh` installs them.

/// One Locum with a sink of every kind, all of them real.
mod sinks;

use locum::config::Config;
use locum::control::alerts::{Alerts, Counts, Settings};
use locum::control::desk::Alarm as _;
use locum::model::{
    Alert, AlertId, AlertState, Caller, Clock, Method, OperatorKind, Proof, Timestamp,
};
use locum::store::control::Book;
use locum::store::sqlite;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

const NEW: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const OTHER: &str = "whsec_plJ3nmyCDGBKInavdOK15jsl3jsmGvuD";

/// One of the programs in `tests/receivers`. Ends with the test.
pub(crate) struct Receiver {
    child: Child,
    told: Lines<BufReader<ChildStdout>>,
    pub(crate) port: String,
}

impl Receiver {
    pub(crate) fn new(program: &str, arguments: &[&str]) -> Self {
        let python = std::env::var("LOCUM_RECEIVERS");
        let python = python.expect("tests/receivers/run.sh runs these");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(python)
            .arg(root.join("tests/receivers").join(program))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let out = child.stdout.take().expect("its output");
        let mut told = BufReader::new(out).lines();
        let port = told.next().expect("its port").expect("text");
        Self { child, told, port }
    }

    /// What it says of the next message.
    pub(crate) fn next(&mut self) -> Value {
        let line = self.told.next().expect("a line").expect("text");
        serde_json::from_str(&line).expect("JSON")
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Files, a certificate for the mail server, and the alerts of one configuration.
pub(crate) struct Bench(tempfile::TempDir);

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Self(tempfile::tempdir().expect("a directory"));
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"));
        let ca = ca.expect("a CA");
        let key = KeyPair::generate().expect("a key");
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let params = CertificateParams::new(names).expect("parameters");
        let leaf = params.signed_by(&key, &ca).expect("a certificate");
        bench.file("ca.pem", &ca.pem());
        bench.file("mail.pem", &leaf.pem());
        bench.file("mail.key", &key.serialize_pem());
        bench.file("password", "correct horse\n");
        bench.file("wrong", "battery staple\n");
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    pub(crate) fn mail_server(&self, mode: &str, login: &[&str]) -> Receiver {
        let (cert, key) = (self.path("mail.pem"), self.path("mail.key"));
        let (cert, key) = (cert.display().to_string(), key.display().to_string());
        let mut arguments = vec![mode, &cert, &key];
        arguments.extend(login);
        Receiver::new("mail.py", &arguments)
    }

    /// An SMTP channel to this server, with more keys.
    fn mail(&self, server: &Receiver, tls: &str, more: &str) -> Alerts {
        let port = &server.port;
        self.alerts(&format!(
            "[[alerts]]\nname = \"one\"\nkind = \"smtp\"\nserver = \"localhost:{port}\"\ntls = {tls:?}\n\
             from = \"Locum <locum@support.example>\"\nto = [\"soc@example.com\", \"Duty <duty@example.com>\"]\n\
             {more}\n"
        ))
    }

    fn alerts(&self, keys: &str) -> Alerts {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let smallest = std::fs::read_to_string(root.join("tests/data/smallest.toml"));
        let portal = "\n[listeners.portal]\nenabled = true\nplain = true\n";
        let text = smallest.expect("a file") + portal + keys;
        let path = self.file("locum.toml", &text);
        let config = Config::load_without_files(&path, []).unwrap_or_else(|why| panic!("{why}"));
        let settings = Settings::from_config(&config).unwrap_or_else(|why| panic!("{why}"));
        let book = Book::open(&sqlite::Settings {
            path: self.path("locum.db"),
            ..sqlite::Settings::default()
        });
        let book = book.expect("a store");
        Alerts::new(book, Clock::System, settings, Counts::default())
    }
}

fn alert() -> Alert {
    let now = Timestamp::now();
    Alert {
        id: AlertId::fresh(),
        kind: "break-glass.activated".to_owned(),
        severity: "critical".to_owned(),
        summary: "Åda Byron breaks the glass in Acme (shop) as kim@acme.example: INC-7".to_owned(),
        app: "shop".to_owned(),
        tenant: "acme".to_owned(),
        operator: "ada@support.example".to_owned(),
        details: vec![
            ("incident".to_owned(), "INC-7".to_owned()),
            (
                "reason".to_owned(),
                "Line one\r\nBcc: mallory@evil.example".to_owned(),
            ),
        ],
        at: now,
        state: AlertState::Waiting,
        taken_by: Vec::new(),
        attempts: 0,
        next_at: now,
        version: 0,
    }
}

/// The word for what became of a test alert.
async fn tested(alerts: &Alerts) -> &'static str {
    let tess = Caller {
        person: "tess@support.example".to_owned(),
        account: "https://id.example|tess".to_owned(),
        name: None,
        kind: OperatorKind::Human,
        groups: Vec::new(),
        seats: Vec::new(),
        proof: Proof {
            method: Method::Oidc,
            at: Timestamp::now(),
            acr: None,
            amr: Vec::new(),
        },
    };
    let tried = alerts.test(Some("one"), &tess).await;
    tried.expect("it is tested")[0].result
}

#[tokio::test]
#[ignore = "needs what tests/receivers/run.sh installs"]
async fn a_webhook_is_verified_by_the_reference_library() {
    let bench = Bench::new();
    let (new, old) = (bench.file("new", NEW), bench.file("old", OLD));
    let cases = [
        (vec![&new], NEW, true),
        // During a rotation, whichever key the receiver has.
        (vec![&new, &old], NEW, true),
        (vec![&new, &old], OLD, true),
        (vec![&new, &old], OTHER, false),
        (vec![&old], NEW, false),
    ];
    for (ours, theirs, verifies) in cases {
        let mut receiver = Receiver::new("webhook.py", &[theirs]);
        let port = &receiver.port;
        let alerts = bench.alerts(&format!(
            "[[alerts]]\nname = \"one\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/in\"\n\
             secret_files = {ours:?}\n"
        ));
        let alert = alert();
        let raised = alerts.raise(&alert).await;
        assert_eq!(raised.is_ok(), verifies, "{ours:?} {theirs}: {raised:?}");
        let told = receiver.next();
        assert_eq!(told["verified"], verifies, "{told}");
        if verifies {
            assert_eq!(told["id"], alert.id.to_string());
            assert_eq!(told["payload"]["type"], "break-glass.activated");
            assert_eq!(told["payload"]["data"]["details"]["incident"], "INC-7");
            assert_eq!(told["payload"]["data"]["summary"], alert.summary);
        }
    }
}

#[tokio::test]
#[ignore = "needs what tests/receivers/run.sh installs"]
async fn a_mail_arrives_whole_by_each_kind_of_protection() {
    let bench = Bench::new();
    let ca = format!("ca = {:?}", bench.path("ca.pem"));
    let login = format!(
        "username = \"locum\"\nsecret_files = [{:?}]",
        bench.path("password")
    );
    let who = ["locum", "correct horse"];
    for (mode, more, login_needed) in [
        ("none", String::new(), false),
        ("starttls", ca.clone(), false),
        ("starttls", format!("{ca}\n{login}"), true),
        ("implicit", format!("{ca}\n{login}"), true),
    ] {
        let login: &[&str] = if login_needed { &who } else { &[] };
        let mut server = bench.mail_server(mode, login);
        let alerts = bench.mail(&server, mode, &more);
        let alert = alert();
        assert_eq!(
            alerts.raise(&alert).await,
            Ok(vec!["one".to_owned()]),
            "{mode}"
        );
        let told = server.next();
        assert_eq!(told["authenticated"], login_needed, "{mode}: {told}");
        assert_eq!(told["tls"], mode == "starttls", "{mode}: {told}");
        assert_eq!(told["from"], "locum@support.example");
        assert_eq!(
            told["to"],
            serde_json::json!(["soc@example.com", "duty@example.com"])
        );
        let headers = &told["headers"];
        assert_eq!(
            headers["subject"],
            format!("[Locum] critical: {}", alert.summary)
        );
        assert_eq!(
            headers["message-id"],
            format!("<{}@support.example>", alert.id)
        );
        assert_eq!(headers["auto-submitted"], "auto-generated");
        assert_eq!(
            headers["bcc"],
            Value::Null,
            "what people typed makes no header"
        );
        let body = told["body"].as_str().expect("a body");
        assert!(body.contains("incident: INC-7"), "{body}");
        assert!(body.contains("Line one  Bcc: mallory"), "{body}");
    }
}

#[tokio::test]
#[ignore = "needs what tests/receivers/run.sh installs"]
async fn a_mail_server_that_is_not_the_right_one_gets_nothing() {
    let bench = Bench::new();
    let ca = format!("ca = {:?}", bench.path("ca.pem"));
    let login = |file: &str| {
        let file = bench.path(file);
        format!("{ca}\nusername = \"locum\"\nsecret_files = [{file:?}]")
    };
    let who = ["locum", "correct horse"];

    let server = bench.mail_server("starttls", &who);
    let wrong = bench.mail(&server, "starttls", &login("wrong"));
    assert_eq!(tested(&wrong).await, "mail", "a wrong password");
    let nobody = bench.mail(&server, "starttls", &ca);
    assert_eq!(tested(&nobody).await, "mail", "no password");
    // The system's authorities do not know the certificate.
    let stranger = bench.mail(&server, "starttls", "");
    assert_eq!(tested(&stranger).await, "mail", "an unknown authority");
    let right = bench.mail(&server, "starttls", &login("password"));
    assert_eq!(tested(&right).await, "taken");

    // STARTTLS taken out on the way: the password is never sent in the clear.
    let plain = Receiver::new("mail.py", &["none"]);
    let stripped = bench.mail(&plain, "starttls", &login("password"));
    assert_eq!(tested(&stripped).await, "mail", "no STARTTLS");
}
