//! The stage: a fresh directory, certificates, a config file, the shop and Locum, running.

use crate::browser::{Browser, plain};
use crate::programs::{Programs, Running, said};
use crate::receiver::Receiver;
use crate::story::{Broken, While as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use url::Url;

/// What customers type; no such host needs to exist, since nobody but Locum speaks to the shop.
const PUBLIC: &str = "https://harbour-and-pine.example";
/// A debug build on a loaded machine starts within this.
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// Everything that the steps need.
pub(crate) struct Scene {
    pub(crate) programs: Programs,
    pub(crate) dir: PathBuf,
    /// `127.0.0.1:PORT` of the shop itself.
    pub(crate) shop: String,
    /// The port of session origins.
    pub(crate) port: u16,
    /// The port of the portal.
    pub(crate) portal: u16,
    /// Who is told when the glass is broken.
    pub(crate) receiver: Receiver,
    /// `127.0.0.1:PORT` of the ops listener.
    pub(crate) ops: String,
    pub(crate) locum: Running,
    _storefront: Running,
}

impl Scene {
    /// Sets everything up in `dir`, which is emptied first.
    pub(crate) async fn set(dir: &Path) -> Result<Self, Broken> {
        let programs = Programs::find()?;
        let dir = empty(dir)?;
        let (port, portal, ops) = (free(8443)?, free(8444)?, free(9090)?);
        let receiver = Receiver::open(&dir.join("webhook.key")).await?;
        let made = programs.locum(
            &dir,
            &[
                "certs",
                "dev",
                "--app",
                "shop",
                "--suffix",
                "localhost",
                "--dir",
                &text(&dir.join("certs")),
            ],
        )?;
        if !made.status.success() {
            return Err(Broken::new(
                "locum certs dev to make certificates",
                said(&made),
            ));
        }
        let arguments = [
            "--data",
            &text(&dir.join("shop")),
            "--public-url",
            PUBLIC,
            "--request-log",
            &text(&dir.join("requests.log")),
            "--assertion-jwks",
            &format!("http://127.0.0.1:{ops}/.well-known/jwks.json"),
            "--assertion-issuer",
            &origin(portal),
            "--assertion-audience",
            "storefront",
        ];
        let arguments = arguments.map(ToOwned::to_owned);
        let (storefront, shop) = programs.storefront(&dir, &arguments)?;
        write_config(&dir, &shop, [port, portal, ops, receiver.port])?;
        let checked = programs.locum(&dir, &["check-config"])?;
        if !checked.status.success() {
            return Err(Broken::new(
                "a config file without mistakes",
                said(&checked),
            ));
        }
        let locum = programs.serve(&dir)?;
        let mut scene = Self {
            programs,
            dir,
            shop,
            port,
            portal,
            receiver,
            ops: format!("127.0.0.1:{ops}"),
            locum,
            _storefront: storefront,
        };
        scene.wait().await?;
        Ok(scene)
    }

    async fn wait(&mut self) -> Result<(), Broken> {
        let began = Instant::now();
        while began.elapsed() < STARTS_WITHIN {
            if !self.locum.is_alive() {
                return Err(Broken::new("Locum to start", self.locum.tail()));
            }
            if plain(&self.ops, "/readyz")
                .await
                .is_ok_and(|page| page.status == 200)
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let expected = format!("Locum to be ready within {STARTS_WITHIN:?}");
        Err(Broken::new(expected, self.locum.tail()))
    }

    /// A browser that trusts the development CA and has no cookies.
    pub(crate) fn browser(&self) -> Result<Browser, Broken> {
        self.browser_at(self.port)
    }

    /// The same, for another listener of this machine.
    pub(crate) fn browser_at(&self, port: u16) -> Result<Browser, Broken> {
        Browser::new(&self.dir.join("certs/ca.pem"), port)
    }

    /// Where people ask, agree and look.
    pub(crate) fn portal_url(&self) -> Result<Url, Broken> {
        Url::parse(&origin(self.portal)).while_("the portal's URL")
    }

    /// The origin of a session, whether there is one or not.
    pub(crate) fn origin(&self, session: &str) -> Result<Url, Broken> {
        let url = format!("https://{session}.shop.localhost:{}/", self.port);
        Url::parse(&url).while_("a session's URL")
    }

    /// What reached the shop so far.
    pub(crate) fn requests(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.dir.join("requests.log")).unwrap_or_default();
        let lines = text.lines().map(serde_json::from_str);
        lines.filter_map(Result::ok).collect()
    }

    /// How many requests with this method and target reached the shop.
    pub(crate) fn reached(&self, method: &str, target: &str) -> usize {
        let same = |field: &serde_json::Value, text: &str| field.as_str() == Some(text);
        let requests = self.requests();
        let those = requests.iter().filter(|one| {
            one.get("method").is_some_and(|it| same(it, method))
                && one.get("target").is_some_and(|it| same(it, target))
        });
        those.count()
    }
}

pub(crate) fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Only a directory that an earlier run made is emptied: nothing of anybody's is deleted by a wrong `--dir`.
fn empty(dir: &Path) -> Result<PathBuf, Broken> {
    let mark = dir.join(".demo");
    let is_used = std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if is_used && !mark.exists() {
        return Err(Broken::new(
            "--dir to name a new directory",
            format_args!("{} is in use", dir.display()),
        ));
    }
    if is_used {
        std::fs::remove_dir_all(dir).while_(format_args!("to empty {}", dir.display()))?;
    }
    std::fs::create_dir_all(dir.join("policy"))
        .while_(format_args!("to make {}", dir.display()))?;
    std::fs::write(&mark, "made by the guided run\n").while_("to write into the directory")?;
    dir.canonicalize().while_("a full path")
}

/// `wanted` if it is free, else any port that is.
fn free(wanted: u16) -> Result<u16, Broken> {
    let bound =
        TcpListener::bind(("127.0.0.1", wanted)).or_else(|_| TcpListener::bind(("127.0.0.1", 0)));
    let address = bound.and_then(|listener| listener.local_addr());
    Ok(address.while_("a free port")?.port())
}

/// The portal's origin, which is also how the shop tells this Locum from another.
fn origin(portal: u16) -> String {
    format!("https://localhost:{portal}")
}

fn write_config(dir: &Path, shop: &str, ports: [u16; 4]) -> Result<(), Broken> {
    let [port, portal, ops, receiver] = ports.map(|port| port.to_string());
    let config = include_str!("locum.toml")
        .replace("{dir}", &text(dir))
        .replace("{port}", &port)
        .replace("{portal}", &portal)
        .replace("{ops}", &ops)
        .replace("{receiver}", &receiver)
        .replace("{storefront}", shop)
        .replace("{public}", PUBLIC);
    for (name, text) in [
        ("locum.toml", config.as_str()),
        (
            "policy/storefront.toml",
            include_str!("../../config/policy/storefront.toml"),
        ),
        (
            "policy/access.cedar",
            include_str!("../../config/policy/access.cedar"),
        ),
        ("subjects.csv", include_str!("subjects.csv")),
    ] {
        std::fs::write(dir.join(name), text).while_(format_args!("to write {name}"))?;
    }
    Ok(())
}
