//! The daemon, as whoever runs it sees it: its log, its endpoint, its signals, its service manager.

mod demo;
mod destination;
mod endpoint;
mod logs;
mod manager;
mod metrics;
mod odd_files;
mod page;
mod reload;
mod reload_in_ticks;
mod schedule;
mod secrets;
mod siege;
mod signals;
mod soak;
mod state;
