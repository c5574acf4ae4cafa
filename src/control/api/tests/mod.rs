//! The API over its router, with a real store and the real control plane behind it.

mod document;
mod duties;
mod fixture;
mod forms;
mod isolation;
mod recordings;
mod records;
mod repeats;
mod things;
