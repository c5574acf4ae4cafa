//! Small tapes for tests of what reads them.

use super::about::About;
use super::digest::{self, sha256};
use super::frame::{CHUNK, Effort};
use super::head::{self, Begin, BodyEnd, Data, Field, Head, Headers, MessageHead};
use super::holds;
use super::keyring::{Keyring, key_path};
use super::part::PartWriter;
use super::settings::Settings;
use super::taped::{From, Kind, Which};
use crate::model::{ExchangeId, GrantId, Happened, Ledger, SessionId, Tier, Timestamp};
use std::fs;

/// Keeps what is put on record.
#[derive(Debug, Default)]
pub struct Sheet(pub std::cell::RefCell<Vec<Happened>>);

impl Sheet {
    pub fn codes(&self) -> Vec<String> {
        let put = self.0.borrow();
        put.iter().map(|it| it.code.clone()).collect()
    }
}

impl Ledger for Sheet {
    type Error = String;

    fn put(&self, happened: Happened) -> Result<(), String> {
        self.0.borrow_mut().push(happened);
        Ok(())
    }
}

/// Takes nothing.
#[derive(Debug)]
pub struct Full;

impl Ledger for Full {
    type Error = String;

    fn put(&self, _: Happened) -> Result<(), String> {
        Err("the disk is full".into())
    }
}

/// A tape that a test writes, with times that it chooses: each step is `step` milliseconds after the one before.
pub struct Sample {
    pub session: SessionId,
    pub(super) part: PartWriter,
    now: i64,
}

impl Sample {
    /// Begins the recording of a new session in `settings.dir`: tenant `acme`, subject `jane`, operator `ada`, app `shop`.
    pub fn begin(settings: &Settings) -> Self {
        Self::of(settings, SessionId::fresh())
    }

    pub fn of(settings: &Settings, session: SessionId) -> Self {
        drop(holds::lock(&settings.dir).unwrap());
        let ring = Keyring::new(settings.keys.clone()).unwrap();
        let (key, wrapped) = ring.make(session).unwrap();
        let wrapped = serde_json::to_vec(&wrapped).unwrap();
        fs::write(key_path(&settings.dir, session), wrapped).unwrap();
        let now = 1_700_000_000_000;
        let at = Timestamp::from_millis(now);
        let about = About {
            version: 1,
            session,
            grant: GrantId::from_bits(session.to_bits()),
            app: "shop".into(),
            tenant: "acme".into(),
            subject: "jane".into(),
            operator: "ada".into(),
            tier: Tier::Ordinary,
            break_glass: false,
            opened_at: at,
            asked: None,
            erased: None,
        };
        about.write(&settings.dir).unwrap();
        let part = PartWriter::create(&settings.dir, session, 1, &key, at).unwrap();
        Self { session, part, now }
    }

    fn at(&mut self) -> Timestamp {
        self.now += 10;
        Timestamp::from_millis(self.now)
    }

    /// Begins an exchange with a URL such as `https://s1.shop.example/orders?page=2`.
    pub fn exchange(&mut self, method: &str, url: &str) -> ExchangeId {
        let x = ExchangeId::fresh();
        let url = url::Url::parse(url).unwrap();
        let origin = url.origin().ascii_serialization();
        let target = url.as_str().strip_prefix(&origin).unwrap().to_owned();
        let at = self.at();
        let begin = Begin {
            x,
            at,
            app: "shop".into(),
            origin,
            method: method.into(),
            target,
            protocol: "http/1.1".into(),
            rule: "orders".into(),
            action: "orders.read".into(),
            mode: "bodies".into(),
            again: false,
        };
        self.part.head(&Head::Begin(begin)).unwrap();
        x
    }

    /// A side's head and, where there is one, its whole body.
    pub fn side(
        &mut self,
        x: ExchangeId,
        side: Which,
        status: Option<u16>,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) {
        let at = self.at();
        let field = |(name, value): &(&str, &str)| Field {
            n: (*name).into(),
            v: Some((*value).into()),
            b: None,
        };
        let fields = headers.iter().map(field).collect();
        let headers = Headers {
            x,
            side,
            at,
            status,
            fields,
        };
        self.part.head(&Head::Headers(headers)).unwrap();
        let Some(body) = body else { return };
        for piece in body.chunks(CHUNK) {
            let at = self.at();
            let digest = self.part.chunk(piece, Effort::Compress).unwrap();
            let chunk = digest::encode(&digest);
            let data = Data { x, side, at, chunk };
            self.part.head(&Head::Data(data)).unwrap();
        }
        self.body_end(x, side, body, None);
    }

    /// The operator saw the same bytes as the app sent.
    pub fn shown_as_received(
        &mut self,
        x: ExchangeId,
        status: u16,
        headers: &[(&str, &str)],
        body: &[u8],
    ) {
        self.side(x, Which::Shown, Some(status), headers, None);
        self.body_end(x, Which::Shown, body, Some(Which::Received));
    }

    fn body_end(&mut self, x: ExchangeId, side: Which, body: &[u8], same: Option<Which>) {
        let end = BodyEnd {
            x,
            side,
            bytes: body.len() as u64,
            sha256: digest::encode(&sha256(body)),
            stored_sha256: None,
            whole: true,
            redacted: false,
            decoded: false,
            withheld: None,
            same,
        };
        self.part.head(&Head::Body(end)).unwrap();
    }

    pub fn message(&mut self, x: ExchangeId, from: From, kind: Kind, payload: &[u8]) {
        let at = self.at();
        let mut chunks = Vec::new();
        for piece in payload.chunks(CHUNK) {
            chunks.push(digest::encode(
                &self.part.chunk(piece, Effort::Compress).unwrap(),
            ));
        }
        let message = MessageHead {
            x,
            at,
            from,
            kind,
            bytes: payload.len() as u64,
            chunks,
            redacted: false,
            withheld: None,
        };
        self.part.head(&Head::Message(message)).unwrap();
    }

    pub fn end(&mut self, x: ExchangeId, outcome: &str) {
        let at = self.at();
        let outcome = outcome.into();
        let end = head::End { x, at, outcome };
        self.part.head(&Head::End(end)).unwrap();
    }

    /// Writes it all to the file.
    pub fn finish(mut self) -> SessionId {
        self.part.flush().unwrap();
        self.part.sync().unwrap();
        self.session
    }
}
