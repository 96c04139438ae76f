//! The daemon, as whoever runs it sees it: its log, its endpoint, its signals, its service manager.

mod schedule;
mod signals;
