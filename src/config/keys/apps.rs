//! `[[apps]]`: the apps that operators may be in.

use crate::config::net::{Label, Origin};
use crate::config::schema::{choice, section};
use crate::config::units::{Size, TIB};

section! {
    /// An app that operators may be in.
    pub struct App {
        /// Its label in session origins, and its name in grants and policy.
        name: Label = required;
        /// The upstream that serves it.
        upstream: Label = required;
        /// `gate`: only support sessions get through, on their own origin. `inline`: Locum carries
        /// everybody's traffic; ordinary requests pass untouched but for claims of impersonation.
        placement: Placement = "gate";
        /// `session`: each session has an origin of its own, so that browser storage never mixes two
        /// customers. `shared`: sessions live on the app's own host, where subdomains are not possible.
        origin: OriginKind = "session";
        /// The app's own origin, as customers know it. It is mapped to the session's in redirects,
        /// `Origin`, `Referer`, CORS and CSP. Unset: the app is told the session's origin.
        public_url: Option<Origin> = unset;
        /// Further origins of the app (api, static): each becomes an origin of the session,
        /// `https://<session>--<name>.<app>.<suffix>/`.
        origins: Vec<AppOrigin> = [];
        /// Replace the app's declared origins in HTML, JavaScript, JSON and CSS too, while streaming.
        /// For apps that write their own absolute URLs.
        rewrite_origins: bool = false;
        /// Cookies of the app that the browser must hold, because scripts read them (CSRF tokens).
        /// All others stay in Locum, so that the operator never holds a customer's credential.
        browser_cookies: Vec<String> = [];
        /// `no-store`: whatever is answered in a session carries `Cache-Control: no-store`. `pass`: what
        /// the app says.
        cache: Cache = "no-store";
        /// Instead of `limits.max_request_body`. 0: unbounded. Unset: as there.
        max_request_body: Option<Size> = unset in [0, 1024 * TIB];
        /// The banner.
        banner: Banner = {};
        /// What a session is tied to besides its cookie.
        binding: Binding = {};
    }
}

section! {
    /// A further origin of an app.
    pub struct AppOrigin {
        /// Its part in the session's origin; 1 to 32 characters.
        name: Label = required;
        /// The origin as customers know it.
        public_url: Origin = required;
        /// The upstream that serves it. Unset: the app's.
        upstream: Option<Label> = unset;
    }
}

section! {
    /// The banner in an app's pages.
    pub struct Banner {
        /// Compress pages again after the banner was added. Off saves time where the browser is near.
        reencode: bool = true;
        /// Begin the page's title with `[Support: <tenant>]`.
        title: bool = true;
    }
}

section! {
    /// What a session is tied to besides its cookie. A mismatch ends the session and raises an alert
    /// record.
    pub struct Binding {
        /// The client certificate that it was started with. Needs `client_auth` on the apps listener.
        certificate: bool = false;
        /// The network that it was started from.
        network: bool = false;
        /// With `network`: leading bits of an IPv4 address that must stay the same.
        network_prefix_v4: u8 = 24 in [1, 32], "bits";
        /// With `network`: leading bits of an IPv6 address that must stay the same.
        network_prefix_v6: u8 = 56 in [1, 128], "bits";
    }
}

choice! {
    /// Whose traffic Locum carries.
    pub enum Placement {
        Gate = "gate",
        Inline = "inline",
    }
}

choice! {
    /// Where sessions live.
    pub enum OriginKind {
        Session = "session",
        Shared = "shared",
    }
}

choice! {
    /// What happens to an app's `Cache-Control`.
    pub enum Cache {
        NoStore = "no-store",
        Pass = "pass",
    }
}
