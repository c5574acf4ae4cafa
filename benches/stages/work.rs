//! The stages of a request's life, each as something that can be done over and over: for the clock (`main.rs`) and for
//! counting instructions (`count.rs`).

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use locum::audit::{
    Banner, Closing, Durability, Journal, Opening, Outcome, PolicyPart, Protocol, SessionPart,
    Settings,
};
use locum::model::{
    Binding, Clock, Decision, Effect, ExchangeId, Grant, GrantId, Operator, OperatorKind, Record,
    Secret, Session, SessionId, Subject, Tenant, Tier, Timestamp,
};
use locum::policy::{Facts, GrantFacts, LoadOptions, Policy};
use locum::proxy::authenticate::{Shown, shown};
use locum::proxy::canonical::{Seen, canonical};
use locum::proxy::rewrite::banner::{self, Carry, Plan, Prepared};
use locum::store::live::{self, Found, Live, Starter};
use locum::store::sqlite::{self, Sqlite};
use locum::store::{GrantStore as _, Issue};
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(crate) type Failed = Box<dyn std::error::Error>;

/// A stage: its name, and one go at it.
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) go: Box<dyn FnMut()>,
}

impl Stage {
    fn new(name: impl Into<String>, go: impl FnMut() + 'static) -> Self {
        Self {
            name: name.into(),
            go: Box::new(go),
        }
    }
}

/// All stages, with what they need in `dir`. `full`: also those whose set-up takes seconds.
pub(crate) fn stages(dir: &Path, full: bool) -> Result<Vec<Stage>, Failed> {
    let mut all = vec![canonical_stage()?];
    for sessions in if full { &[1, 100_000][..] } else { &[1][..] } {
        all.push(authenticate_stage(
            &dir.join(format!("store-{sessions}")),
            *sessions,
        )?);
    }
    for rows in if full {
        &[10, 200, 10_000][..]
    } else {
        &[10, 200][..]
    } {
        all.push(decide_stage(&dir.join(format!("policy-{rows}")), *rows)?);
    }
    all.push(journal_stage(&dir.join("journal"))?);
    all.push(banner_stage("banner/32KiB", 380)?);
    all.push(banner_stage("banner/1KiB", 8)?);
    Ok(all)
}

/// What a browser sends for a page.
fn request(cookie: &str) -> Result<Parts, Failed> {
    let request = http::Request::builder()
        .uri("/area7/17/detail?tab=items&sort=asc")
        .header("host", "s0123456789abcdefghjkmnpqrs.shop.example")
        .header(
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        )
        .header(
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        )
        .header("accept-language", "en-GB,en;q=0.5")
        .header("accept-encoding", "gzip, deflate, br, zstd")
        .header("sec-fetch-dest", "document")
        .header("sec-fetch-mode", "navigate")
        .header(
            "referer",
            "https://s0123456789abcdefghjkmnpqrs.shop.example/orders",
        )
        .header("cookie", cookie);
    Ok(request.body(())?.into_parts().0)
}

fn grant() -> Result<Grant, Failed> {
    let now = Timestamp::now();
    Ok(Grant {
        id: GrantId::fresh(),
        app: "shop".into(),
        operator: Operator {
            id: "ada@support.example".into(),
            name: Some("Ada".into()),
            kind: OperatorKind::Human,
        },
        subject: Subject {
            id: "kim@acme.example".into(),
            name: Some("Kim".into()),
        },
        tenant: Tenant {
            id: "acme".into(),
            name: Some("Acme".into()),
        },
        scopes: vec!["view".parse()?],
        ticket: "SUP-1042".into(),
        reason: "Cannot see an invoice".into(),
        approvals: vec!["bo@support.example".into()],
        break_glass: false,
        not_before: now,
        expires_at: Timestamp::from_millis(now.millis() + 3_600_000),
        issued_at: now,
        issued_by: "cli:root".into(),
        external_id: None,
        budget: None,
    })
}

fn canonical_stage() -> Result<Stage, Failed> {
    let parts = request("theme=dark")?;
    Ok(Stage::new("canonical", move || {
        let read = canonical(black_box(&parts), &Seen::default());
        black_box(read.path_and_query().is_ok());
    }))
}

/// From the cookie to the live session, among `sessions`.
fn authenticate_stage(dir: &Path, sessions: usize) -> Result<Stage, Failed> {
    std::fs::create_dir_all(dir)?;
    let store = Sqlite::open(&sqlite::Settings {
        path: dir.join("locum.db"),
        busy_timeout: Duration::from_secs(5),
    })?;
    let mut last = None;
    for _ in 0..sessions {
        let (session, code) = (SessionId::fresh(), Secret::fresh()?);
        store.issue(&Issue {
            grant: grant()?,
            session,
            binding: Binding::default(),
            code: code.hash(),
            code_expires: Timestamp::from_millis(Timestamp::now().millis() + 3_600_000),
        })?;
        last = Some((session, code));
    }
    let (session, code) = last.ok_or("no session")?;
    let (live, _events) = Live::open(Arc::new(store), Clock::System, live::Settings::default())?;
    while live.is_reading() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let starter = Starter {
        binding: Binding::default(),
        client: None,
    };
    let redeemed = runtime.block_on(live.redeem(session, &code, starter))?;
    let cookie = format!("__Host-locum={session}.{}", redeemed.cookie.reveal());
    let parts = request(&cookie)?;
    Ok(Stage::new(
        format!("authenticate/{sessions} sessions"),
        move || {
            let Shown::Cookie(id, secret) = shown(black_box(&parts.headers)) else {
                unreachable!("a cookie was sent");
            };
            let Found::Live(session) = live.find(id) else {
                unreachable!("it lives for an hour");
            };
            assert!(session.cookie_matches(&secret));
        },
    ))
}

/// Route and decide, by the last of `rows` rows and the built-in pack.
fn decide_stage(dir: &Path, rows: usize) -> Result<Stage, Failed> {
    std::fs::create_dir_all(dir)?;
    let mut text = "[scopes]\nview = [\"*\"]\n".to_owned();
    for n in 0..rows {
        write!(
            text,
            "\n[[rows]]\nid = \"row-{n}\"\nmatch = \"GET /area{n}/{{item}}/detail\"\naction = \"area.read\"\nresource = \"item:{{item}}\"\neffect = \"allow\"\n"
        )?;
    }
    std::fs::write(dir.join("rows.toml"), text)?;
    let mut options = LoadOptions::default();
    options.settings.max_rows = options.settings.max_rows.max(2 * rows);
    options.settings.max_file = 64 << 20;
    let policy = Policy::load(&[dir.to_path_buf()], &options).map_err(|why| why.to_string())?;
    let (parts, grant) = (request("theme=dark")?, grant()?);
    Ok(Stage::new(format!("decide/{rows} rows"), move || {
        let facts = Facts {
            app: "shop",
            method: "GET",
            path: "/area7/17/detail",
            query: parts.uri.query(),
            headers: &parts.headers,
            is_websocket: false,
        };
        let holder = GrantFacts {
            scopes: &grant.scopes,
            operator: &grant.operator,
            subject: &grant.subject,
            tenant: &grant.tenant,
            ticket: &grant.ticket,
            approvals: &grant.approvals,
            break_glass: false,
            client: None,
            now: grant.issued_at,
        };
        let verdict = policy.route(black_box(&facts)).decide(&holder, Some(b""));
        assert!(verdict.is_permit());
    }))
}

/// The two records of an exchange, as a forwarded request without a body writes them.
fn journal_stage(dir: &Path) -> Result<Stage, Failed> {
    let journal = Journal::start(
        Settings {
            dir: dir.into(),
            durability: Durability::Process,
            ..Settings::default()
        },
        Clock::System,
    )?;
    let grant = grant()?;
    let session = Session {
        id: SessionId::fresh(),
        grant: grant.id,
        cookie: None,
        binding: Binding::default(),
        started_at: None,
        ended: None,
    };
    let session = SessionPart::new(&grant, &session, 8192);
    let policy = PolicyPart::new(&"ab".repeat(32));
    let decision = Decision {
        effect: Effect::Permit,
        rule: "row-7".into(),
        action: "area.read".into(),
        resource: "item:17".into(),
        tier: Tier::Ordinary,
        message: None,
    };
    let client = "192.0.2.7:50123".parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let exchange = move || {
        let opening = Opening {
            exchange: ExchangeId::fresh(),
            session: Some(&session),
            policy: Some(&policy),
            decision: Some(&decision),
            app: "shop",
            method: "GET",
            host: b"s0123456789abcdefghjkmnpqrs.shop.example",
            target: b"/area7/17/detail?tab=items",
            canonical: Some("/area7/17/detail?tab=items"),
            user_agent: Some(
                b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            ),
            client,
            upstream: Some("shop"),
            protocol: Protocol::Http2,
            record: Record::None,
        };
        let closing = Closing {
            outcome: Outcome::Done,
            status: Some(200),
            response_bytes: 512,
            banner: Banner::NotNeeded,
            upstream: Some("10.0.0.7:8443"),
            ..Closing::default()
        };
        runtime.block_on(async {
            let receipt = journal.open(&opening).await;
            receipt.map(|receipt| receipt.close(&closing))
        })
    };
    Ok(Stage::new("journal/two records", move || {
        assert!(exchange().is_ok());
    }))
}

/// A page that came in one piece.
fn banner_stage(name: &str, rows: usize) -> Result<Stage, Failed> {
    let mut page = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Orders</title></head>\n<body><table>".to_owned();
    for n in 0..rows {
        writeln!(
            page,
            "<tr><td>Order {n}</td><td><a href=\"/orders/{n}\">details</a></td><td class=\"num\">{n}.00</td></tr>"
        )?;
    }
    page.push_str("</table></body></html>");
    let page = Bytes::from(page);
    let origin = "https://s0123456789abcdefghjkmnpqrs.shop.example";
    let facts = banner::Facts::new(SessionId::fresh(), &grant()?, origin);
    let prepared = Arc::new(Prepared::new(&facts));
    let settings = banner::Settings::default();
    plan(&settings)?;
    Ok(Stage::new(name, move || {
        let rewritten = plan(&settings).and_then(|plan| {
            let mut stream = plan.stream(Arc::clone(&prepared), &settings)?;
            let first = stream.push(black_box(page.clone()))?;
            let first: usize = first.iter().map(bytes::Bytes::len).sum();
            Ok(first + stream.finish()?.len())
        });
        assert!(rewritten.is_ok_and(|bytes| bytes > page.len()));
    }))
}

fn plan(settings: &banner::Settings) -> Result<Plan, Failed> {
    let mut request = HeaderMap::new();
    request.insert("sec-fetch-dest", HeaderValue::from_static("document"));
    let mut response = HeaderMap::new();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.insert(header::CONTENT_TYPE, html);
    match banner::applies(&Method::GET, &request, StatusCode::OK, &response, settings) {
        Carry::Yes(plan) => Ok(plan),
        Carry::No | Carry::Refuse(_) => Err("a page carries the banner".into()),
    }
}
