//! What the daemon tells over HTTP: health, metrics and a page for people.

pub mod page;
