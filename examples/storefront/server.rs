//! Binds, says where, serves until told to stop.

use crate::assertion::Verifier;
use crate::options::Options;
use crate::store::Store;
use crate::web::log::RequestLog;
use crate::{pages, web};
use axum::serve::ListenerExt as _;
use std::fmt;
use std::io;
use std::sync::Arc;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::broadcast;
use url::Url;

/// Order events that a slow reader may fall behind.
const EVENTS_KEPT: usize = 256;

/// All that a handler can reach.
pub(crate) struct Shop {
    pub(crate) store: Store,
    pub(crate) verifier: Option<Verifier>,
    pub(crate) log: RequestLog,
    pub(crate) public: Public,
    /// What happens to orders, as JSON, for `/events`.
    pub(crate) events: broadcast::Sender<String>,
}

/// The shop as customers reach it.
pub(crate) struct Public {
    url: Url,
    /// `https://shop.example`, without a slash at the end.
    pub(crate) origin: String,
}

impl Public {
    fn new(url: Url) -> Self {
        let origin = url.origin().ascii_serialization();
        Self { url, origin }
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The host without its port, for cookies' `Domain`.
    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}

/// Why the shop does not open.
#[derive(Debug)]
pub(crate) enum Closed {
    Data(rusqlite::Error),
    Directory(io::Error),
    Log(io::Error),
    Bind(io::Error),
    Serve(io::Error),
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(why) => write!(f, "cannot open the data file: {why}"),
            Self::Directory(why) => write!(f, "cannot make the data directory: {why}"),
            Self::Log(why) => write!(f, "cannot open the request log: {why}"),
            Self::Bind(why) => write!(f, "cannot listen: {why}"),
            Self::Serve(why) => write!(f, "stopped serving: {why}"),
        }
    }
}

impl std::error::Error for Closed {}

/// Opens the shop; returns when it was told to stop.
pub(crate) async fn run(options: Options) -> Result<(), Closed> {
    if let Some(dir) = &options.data {
        std::fs::create_dir_all(dir).map_err(Closed::Directory)?;
    }
    let store = Store::open(options.data.as_deref()).map_err(Closed::Data)?;
    let log = RequestLog::open(options.request_log.as_deref()).map_err(Closed::Log)?;
    let verifier = match (
        options.assertion_jwks,
        options.assertion_issuer,
        options.assertion_audience,
    ) {
        (Some(keys), Some(issuer), Some(audience)) => Some(Verifier::new(keys, issuer, audience)),
        _ => None,
    };
    let open = |public: Url| {
        let (events, _) = broadcast::channel(EVENTS_KEPT);
        let public = Public::new(public);
        Arc::new(Shop {
            store,
            verifier,
            log,
            public,
            events,
        })
    };
    let here = |text: &str| Url::parse(text).map_err(|why| Closed::Bind(io::Error::other(why)));
    if let Some(path) = options.unix {
        // A socket left behind by an earlier run would refuse the bind.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).map_err(Closed::Bind)?;
        let shop = open(
            options
                .public_url
                .map_or_else(|| here("http://localhost"), Ok)?,
        );
        ready(&path.display().to_string());
        serve(listener, shop).await
    } else {
        let listener = TcpListener::bind(options.listen)
            .await
            .map_err(Closed::Bind)?;
        let address = listener.local_addr().map_err(Closed::Bind)?;
        let shop = open(
            options
                .public_url
                .map_or_else(|| here(&format!("http://{address}")), Ok)?,
        );
        ready(&address.to_string());
        // Small writes (events, slow pages) must leave at once.
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        serve(listener, shop).await
    }
}

async fn serve<L>(listener: L, shop: Arc<Shop>) -> Result<(), Closed>
where
    L: axum::serve::Listener,
    L::Addr: fmt::Debug,
{
    let app = web::guarded(pages::routes(), &shop).with_state(shop);
    tokio::select! {
        served = async { axum::serve(listener, app).await } => served.map_err(Closed::Serve),
        () = told_to_stop() => Ok(()),
    }
}

/// One line for whoever started the shop.
fn ready(address: &str) {
    println!("{}", serde_json::json!({ "listening": address }));
}

async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut term) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
