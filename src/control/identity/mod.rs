//! Who is asking, apart from what they may do: people by OpenID Connect, an access proxy's assertion or, in a
//! demonstration, a persona; workloads by X.509-SVID or JWT. What comes out is a [`crate::model::Caller`].
//!
//! Nothing here is authority over a customer. A login is a 256-bit secret that its holder shows and we keep hashed; the
//! seats that its groups give are looked up anew at each use.

mod answers;
mod api;
mod bearer;
mod claims;
mod cookies;
mod demo_device;
mod derive;
mod device;
mod flow;
mod front;
mod gate;
mod logins;
mod oidc;
mod outbound;
mod pages;
mod person;
mod personas;
mod proxied;
mod refused;
mod returns;
mod routes;
mod seats;
mod settings;
mod sign_in;
mod sign_out;
mod svid;
mod workload;

pub use api::document;
pub use device::{DevicePoll, DeviceRequest, DeviceStarted, DeviceToken, DeviceWaiting};
pub use front::{Identity, Prepared};
pub use routes::router;
pub use settings::{
    AssertionSettings, HumanSettings, OidcSettings, Persona, RoleRow, Settings, SettingsError,
    WorkloadSettings,
};

#[cfg(test)]
mod tests;
