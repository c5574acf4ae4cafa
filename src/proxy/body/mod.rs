//! Bodies on their way through: counted, digested, bounded, and cut the moment their session ends.

pub mod cut;
pub mod end;
pub mod request;
pub mod response;
pub mod tally;
pub mod trailers;

pub use cut::Cut;
pub use request::RequestBody;
pub use response::{ResponseBody, Transform};
pub use tally::{Failure, Tally};
