//! The portal as browsers see it: every page for every role, every form, and what nobody may see.

mod actions;
mod changes;
mod choices;
mod duties;
mod evidence;
mod forms;
mod isolation;
mod outside;
mod pages;
mod recordings;
mod stage;
mod templates;
