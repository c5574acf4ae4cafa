//! Which app, origin and session a request's host stands for. Everything is decided on the exact host;
//! nothing is guessed from a prefix.

use crate::model::SessionId;
use std::collections::HashMap;

/// An origin of an app: the app's index in the setup, and the origin's among the app's (0 is the main one).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub app: usize,
    pub origin: usize,
}

/// What a host stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostMatch {
    /// The own origin of one session.
    Session(Place, SessionId),
    /// The app's own host name.
    App(Place),
    Unknown,
}

/// The table; built once per configuration.
#[derive(Debug, Default)]
pub struct Hosts {
    /// `shop.localhost` → app: what follows a session's label.
    families: HashMap<String, usize>,
    /// Names of further origins, per app: `api` → 1.
    origins: Vec<HashMap<String, usize>>,
    /// `shop.example` and its port, if it has one → place.
    own: HashMap<(String, Option<u16>), Place>,
    /// The port that clients must name; `None` where it is the scheme's own.
    port: Option<u16>,
    /// The scheme's own port.
    usual: u16,
}

impl Hosts {
    /// `port`: what browsers have in their address bar; `usual`: the port that they leave out.
    pub fn new(port: Option<u16>, usual: u16) -> Self {
        Self {
            port: port.filter(|port| *port != usual),
            usual,
            ..Self::default()
        }
    }

    /// Adds the next app: its session suffix (`shop.localhost`) and the names of its origins (the main one is empty).
    pub fn add_app(&mut self, family: &str, origin_names: &[String]) {
        let app = self.origins.len();
        self.families.insert(family.to_ascii_lowercase(), app);
        self.origins.push(
            origin_names
                .iter()
                .enumerate()
                .map(|(at, name)| (name.clone(), at))
                .collect(),
        );
    }

    /// Serves the app on its own host name as well (`shared` origin, or `inline` placement).
    /// `authority` is that of its public URL: `shop.example`, `shop.example:8443`.
    pub fn add_own(&mut self, authority: &str, place: Place) {
        let (name, port) = split_port(authority);
        self.own.insert(
            (
                name.to_ascii_lowercase(),
                port.filter(|port| *port != self.usual),
            ),
            place,
        );
    }

    /// Looks up the host of a request; `name` in lower case.
    pub fn find(&self, name: &str, port: Option<u16>) -> HostMatch {
        let port = port.filter(|port| *port != self.usual);
        if !self.own.is_empty()
            && let Some(place) = self.own.get(&(name.to_owned(), port))
        {
            return HostMatch::App(*place);
        }
        if port != self.port {
            return HostMatch::Unknown;
        }
        self.session(name).unwrap_or(HostMatch::Unknown)
    }

    fn session(&self, name: &str) -> Option<HostMatch> {
        let (label, family) = name.split_once('.')?;
        let app = *self.families.get(family)?;
        let (id, origin) = label.split_once("--").unwrap_or((label, ""));
        let origin = *self.origins.get(app)?.get(origin)?;
        Some(HostMatch::Session(Place { app, origin }, id.parse().ok()?))
    }
}

/// `name:port` → both; a name without a port, or with one that is no number, keeps `None`.
pub fn split_port(host: &str) -> (&str, Option<u16>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && !port.is_empty() => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (host, None),
        },
        _ => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_hosts_match() {
        let mut hosts = Hosts::new(Some(8443), 443);
        hosts.add_app("shop.localhost", &[String::new(), "api".into()]);
        hosts.add_own("shop.example", Place { app: 0, origin: 0 });
        let id = SessionId::fresh();
        let place = |origin| Place { app: 0, origin };
        let cases = [
            (
                format!("{id}.shop.localhost:8443"),
                HostMatch::Session(place(0), id),
            ),
            (
                format!("{id}--api.shop.localhost:8443"),
                HostMatch::Session(place(1), id),
            ),
            (
                format!("{id}--none.shop.localhost:8443"),
                HostMatch::Unknown,
            ),
            (format!("{id}.shop.localhost"), HostMatch::Unknown),
            (format!("{id}.shop.localhost:443"), HostMatch::Unknown),
            (format!("a.{id}.shop.localhost:8443"), HostMatch::Unknown),
            (format!("{id}.shop.localhost.evil:8443"), HostMatch::Unknown),
            ("shop.localhost:8443".into(), HostMatch::Unknown),
            ("shop.example:443".into(), HostMatch::App(place(0))),
            ("shop.example".into(), HostMatch::App(place(0))),
            ("shop.example:81".into(), HostMatch::Unknown),
            ("www.shop.example".into(), HostMatch::Unknown),
        ];
        for (host, want) in cases {
            let (name, port) = split_port(&host);
            assert_eq!(hosts.find(name, port), want, "{host}");
        }
    }
}
