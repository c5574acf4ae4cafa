//! What is offered is what policy gives, and what is listed is what was.

use super::stage::{MINUTE, Stage, ada, person};
use crate::control::changes::HOST;
use crate::model::{Lock, LockId, LockKey, Role};
use crate::policy::access::{AccessPolicy, Options};
use crate::store::control::Book;

/// Rules of which the sensitive scopes last a quarter of an hour at most, and break-glass ten minutes.
const SHORT: &str = r#"
@id("view") @approvals("0") @max_time("1h")
permit (principal, action == Action::"request", resource) when { context.tier == Tier::"ordinary" };
@id("orders") @approvals("1") @max_time("15m")
permit (principal, action == Action::"request", resource) when { context.tier == Tier::"sensitive" };
@id("glass") @approvals("0") @max_time("10m")
permit (principal, action == Action::"break-glass", resource);
"#;

fn short() -> Stage {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("access.cedar");
    std::fs::write(&path, SHORT).expect("written");
    let policy = AccessPolicy::load(&[path], &Options::default());
    let policy = policy.unwrap_or_else(|why| panic!("{why}"));
    Stage::with(move |settings| settings.access = policy)
}

#[tokio::test]
async fn only_times_that_policy_gives_are_offered() {
    let stage = short();
    let path = "/requests/new?tenant=acme&subject=kim@acme.example";
    let all = stage.get(&ada(), path).await;
    all.shows("id=\"minutes-60\"");
    let orders = stage.get(&ada(), &format!("{path}&scopes=orders")).await;
    orders.shows("id=\"minutes-15\"");
    orders.hides("id=\"minutes-30\"");
    // Together with another scope the shorter time holds, and what was chosen before is gone.
    let form = [
        ("app", "shop"),
        ("tenant", "acme"),
        ("subject", "kim@acme.example"),
        ("scopes", "view"),
        ("scopes", "orders"),
        ("minutes", "60"),
    ];
    let checked = stage.post(&ada(), "/requests/check", &form).await;
    checked.shows("value=\"15\" id=\"minutes-15\" checked");
    checked.hides("id=\"minutes-60\"");
}

#[tokio::test]
async fn break_glass_says_how_long_it_really_lasts() {
    let ben = person("ben", &[(Role::BreakGlass, "*")]);
    short()
        .get(&ben, "/break-glass")
        .await
        .shows("It lasts 10 minutes at most.");
}

#[tokio::test]
async fn a_session_that_was_never_opened_is_no_visit() {
    let stage = Stage::new();
    let request = stage.used(|_| {});
    let tia = person("tia", &[(Role::TenantAuditor, "acme")]);
    let page = stage.get(&tia, "/customer").await;
    page.shows("Support was in none of your accounts in the last 30 days");
    page.shows("Not opened yet");
    stage.pass(MINUTE * 60);
    stage.get(&tia, "/customer").await.shows("Never opened");
    open(
        &stage.control.book,
        &request.session.expect("used").to_string(),
    );
    let page = stage.get(&tia, "/customer").await;
    page.shows("Support was in your accounts once in the last 30 days");
}

/// As its operator does with the start link.
fn open(book: &Book, session: &str) {
    let done = book.write("testing", |tx| tx.start_for_tests(session));
    done.expect("the store works");
}

#[tokio::test]
async fn locks_beyond_a_hundred_are_on_further_pages() {
    let stage = Stage::new();
    let now = stage.control.now();
    stage.put(|tx| {
        for n in 0..130_u128 {
            let mut lock = Lock {
                id: LockId::from_bits(n),
                key: LockKey::Ticket(format!("SUP-{n}")),
                reason: "Smells wrong".to_owned(),
                by: HOST.to_owned(),
                at: now,
                until: None,
                // The very oldest holds still.
                lifted_at: (n > 0).then_some(now),
                lifted_by: (n > 0).then(|| HOST.to_owned()),
                version: 0,
            };
            tx.insert(&mut lock)?;
        }
        Ok(())
    });
    let sam = person("sam", &[(Role::Security, "*")]);
    let first = stage.get(&sam, "/locks").await;
    first.shows("<code>ticket:SUP-0</code>");
    first.shows("<code>ticket:SUP-129</code>");
    first.hides("<code>ticket:SUP-29</code>");
    let older = first.text.split("href=\"/locks?after=").nth(1);
    let older = older
        .and_then(|it| it.split('"').next())
        .expect("a next page");
    let second = stage.get(&sam, &format!("/locks?after={older}")).await;
    second.shows("<code>ticket:SUP-29</code>");
    second.hides("<code>ticket:SUP-129</code>");
    second.hides("Lock and end what is open");
}
