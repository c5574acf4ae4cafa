//! `locum login`, `locum logout` and `locum whoami`.

use super::output::tell;
use super::remote::{
    Client, Credentials, Remote, SignedIn, Token, list, number, show, text, texts,
};
use super::{Context, Exit, Failure};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LOGIN_HELP: &str = "\
Shows an address and a code: open the address in any browser, type the code,
sign in as always. The token is kept in $XDG_STATE_HOME/locum/credentials.json
(else ~/.local/state), for its owner only, until its time is over, and is sent
to that portal only.

Scripts do without: --token-file or LOCUM_TOKEN.

Examples:
  locum login --url https://portal.example
  locum login --fresh        before `locum request activate`";

/// Sign in at the portal, for the commands that ask it.
#[derive(Debug, clap::Args)]
#[command(after_help = LOGIN_HELP)]
pub(super) struct Login {
    /// Sign in anew and as strongly as activating a request needs.
    #[arg(long)]
    fresh: bool,
    #[command(flatten)]
    remote: Remote,
}

/// Between two looks, whatever the portal says.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// The longest that anybody is waited for.
const PATIENCE: Duration = Duration::from_secs(3600);

impl Login {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        self.kept_in(&Credentials::standard()?, context)
    }

    fn kept_in(self, credentials: &Credentials, context: &mut Context) -> Result<Exit, Failure> {
        let client = self.remote.stranger(credentials)?;
        let (_, begun) = client.ask(&["login/device"], &json!({ "fresh": self.fresh }))?;
        invite(&begun);
        let given = wait(&client, &begun)?;
        let (token, until) = token_of(&given, &client)?;
        let portal = client.portal();
        let signed_in = SignedIn::new(&token, &until, self.remote.ca.as_deref());
        credentials.keep(&portal, signed_in)?;
        let answer = json!({ "url": portal, "expires_at": until });
        show(&mut context.out, &answer, |out, _| {
            out.line(format!("signed in at {portal} until {until}"))
        })
    }
}

/// Says where to go. On stderr: an answer for a program stays one.
fn invite(begun: &Value) {
    tell(&format!("Open   {}", text(begun, "/verification_uri")));
    tell(&format!("Code   {}", text(begun, "/user_code")));
    let complete = text(begun, "/verification_uri_complete");
    if !complete.is_empty() {
        tell(&format!("or     {complete}"));
    }
}

/// Looks until the person has signed in (RFC 8628 §3.5).
fn wait(client: &Client, begun: &Value) -> Result<Value, Failure> {
    let lasts = Duration::from_secs(number(begun, "/expires_in")).min(PATIENCE);
    let poll = json!({ "device_code": begun.pointer("/device_code").and_then(Value::as_str) });
    let until = Instant::now() + lasts;
    let mut pause = Duration::from_secs(number(begun, "/interval"));
    loop {
        std::thread::sleep(pause.clamp(SHORTEST, LONGEST));
        let (status, answer) = client.ask(&["login/device/token"], &poll)?;
        if status != StatusCode::ACCEPTED {
            return Ok(answer);
        }
        if Instant::now() >= until {
            return Err(Failure::sign_in(
                "nobody signed in in time",
                "begin again: `locum login`",
            ));
        }
        pause = Duration::from_secs(number(&answer, "/interval"));
    }
}

fn token_of(given: &Value, client: &Client) -> Result<(Token, String), Failure> {
    let token = given
        .pointer("/token")
        .and_then(Value::as_str)
        .and_then(Token::parse);
    let until = text(given, "/expires_at");
    let is_time = until.parse::<jiff::Timestamp>().is_ok();
    token
        .filter(|_| is_time)
        .map(|token| (token, until))
        .ok_or_else(|| {
            let message = format!("{} gave no token", client.portal());
            Failure::cannot(message, "see whether --url names Locum's portal")
        })
}

const LOGOUT_HELP: &str = "\
Makes the token void at the portal and removes it from this machine; sessions
go on. If the portal cannot be asked, it is removed here alone, and is good there
until its time is over (identity.token_max). Exits with 1 if there was none.";

/// Make the token that `locum login` kept void, and forget it.
#[derive(Debug, clap::Args)]
#[command(after_help = LOGOUT_HELP)]
pub(super) struct Logout {
    #[command(flatten)]
    remote: Remote,
}

impl Logout {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        self.of(&Credentials::standard()?, context)
    }

    fn of(self, credentials: &Credentials, context: &mut Context) -> Result<Exit, Failure> {
        // What is kept, and not a token that a script brings: that one is another's.
        let kept = Remote {
            token_file: None,
            ..self.remote.clone()
        };
        let asked = kept
            .client_of(Ok(credentials.clone()), None)
            .and_then(|client| client.act(&["logout"]));
        let Some(portal) = credentials.forget(self.remote.url.as_deref())? else {
            let message = format!("no sign-in is kept in {}", credentials.path().display());
            return Err(Failure::no(message, ""));
        };
        if let Err(why) = &asked {
            tell(&format!("{portal} could not be told: {why}"));
        }
        let answer = json!({ "url": portal, "void": asked.is_ok() });
        show(&mut context.out, &answer, |out, _| {
            if asked.is_ok() {
                return out.line(format!("signed out of {portal}"));
            }
            out.line(format!("signed out of {portal} on this machine alone"))
        })
    }
}

/// Show who the portal takes you for, and what you may do.
#[derive(Debug, clap::Args)]
pub(super) struct Whoami {
    #[command(flatten)]
    remote: Remote,
}

impl Whoami {
    pub(super) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let who = self.remote.client()?.get("whoami", &[])?;
        show(&mut context.out, &who, |out, who| {
            out.facts(&[
                ("person", text(who, "/person")),
                ("name", text(who, "/name")),
                ("kind", text(who, "/kind")),
                (
                    "proof",
                    format!(
                        "{} at {}",
                        text(who, "/proof/method"),
                        text(who, "/proof/at")
                    ),
                ),
                ("strength", text(who, "/proof/acr")),
            ])?;
            let everywhere = |one: &Value, at: &str| match one.pointer(at) {
                Some(Value::Array(_)) => texts(one, at),
                _ => "all".to_owned(),
            };
            let row = |seat: &Value| {
                vec![
                    text(seat, "/role").into(),
                    everywhere(seat, "/tenants").into(),
                    everywhere(seat, "/apps").into(),
                    text(seat, "/group").into(),
                ]
            };
            let rows: Vec<_> = list(who, "/seats").iter().map(row).collect();
            out.line("")?;
            if rows.is_empty() {
                return out.line("no role: ask an admin which group gives one");
            }
            out.table(&["ROLE", "TENANTS", "APPS", "BY GROUP"], &rows)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::output::Output;
    use super::super::remote::stand_in::{Portal, json_of};
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn signing_out_makes_the_token_void_at_the_portal() -> Result<(), Box<dyn std::error::Error>> {
        let portal = Portal::answering([json_of(204, "")])?;
        let dir = tempfile::tempdir()?;
        let credentials = Credentials::within(dir.path());
        let token = Token::parse("t-1").ok_or("a token")?;
        let remote = portal.remote();
        let url = remote.url.clone().ok_or("an address")?;
        let until = "2999-01-01T00:00:00Z";
        credentials.keep(&url, SignedIn::new(&token, until, remote.ca.as_deref()))?;
        let mut context = Context {
            config: PathBuf::new(),
            out: Output::stdout(true),
        };
        let logout = Logout {
            remote: remote.clone(),
        };
        assert_eq!(logout.of(&credentials, &mut context)?, Exit::Ok);
        let seen = portal.seen();
        let told = seen.first().ok_or("nothing was told")?;
        assert!(told.starts_with("POST /api/v1/logout HTTP/1.1"), "{told}");
        assert!(told.contains("authorization: Bearer t-1\r\n"), "{told}");
        let again = Logout { remote };
        assert!(
            again.of(&credentials, &mut context).is_err(),
            "nothing is kept"
        );
        Ok(())
    }

    #[test]
    fn signing_in_polls_until_the_person_is_there_and_keeps_the_token()
    -> Result<(), Box<dyn std::error::Error>> {
        let portal = Portal::answering([
            json_of(
                200,
                r#"{"device_code":"d-1","user_code":"ABCD","verification_uri":"https://id.example/device","interval":0,"expires_in":60}"#,
            ),
            json_of(202, r#"{"interval":0}"#),
            json_of(
                200,
                r#"{"token":"t-1","expires_at":"2999-01-01T00:00:00Z"}"#,
            ),
            json_of(200, r#"{"person":"ada"}"#),
        ])?;
        let dir = tempfile::tempdir()?;
        let credentials = Credentials::within(dir.path());
        let mut context = Context {
            config: PathBuf::new(),
            out: Output::stdout(true),
        };
        let remote = portal.remote();
        let login = Login {
            fresh: true,
            remote: remote.clone(),
        };
        assert_eq!(login.kept_in(&credentials, &mut context)?, Exit::Ok);

        let client = remote.client_of(Ok(credentials), None)?;
        assert_eq!(text(&client.get("whoami", &[])?, "/person"), "ada");
        let seen = portal.seen();
        let heads: Vec<&str> = seen.iter().filter_map(|it| it.lines().next()).collect();
        assert_eq!(
            heads,
            [
                "POST /api/v1/login/device HTTP/1.1",
                "POST /api/v1/login/device/token HTTP/1.1",
                "POST /api/v1/login/device/token HTTP/1.1",
                "GET /api/v1/whoami HTTP/1.1",
            ]
        );
        assert!(
            seen.first()
                .is_some_and(|it| it.ends_with(r#"{"fresh":true}"#))
        );
        assert!(
            seen.get(1)
                .is_some_and(|it| it.ends_with(r#"{"device_code":"d-1"}"#))
        );
        assert!(
            seen.get(3)
                .is_some_and(|it| it.contains("authorization: Bearer t-1\r\n"))
        );
        Ok(())
    }
}
