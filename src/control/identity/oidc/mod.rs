//! The OpenID provider, by the `openidconnect` crate: where it is, signing in with it, and what it tells later.

mod authorize;
mod device;
mod finish;
mod logout_token;
mod provider;
mod userinfo;

pub(super) use authorize::Wanted;
pub(super) use device::{DeviceBegun, Polled};
pub(super) use finish::plain;
pub(super) use logout_token::SignedOut;
pub(super) use provider::Provider;
