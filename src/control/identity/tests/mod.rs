//! Identity from outside: through its router, with a real provider on loopback that signs real tokens.

mod assertion;
mod bench;
mod device;
mod left_open;
mod limits;
mod logins;
mod oidc;
mod personas;
mod provider;
mod sign_out;
mod step_up;
mod workloads;
