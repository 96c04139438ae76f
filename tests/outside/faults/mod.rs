//! What goes wrong on either side, in between, on the machine and with the process itself: what is said of it, and that
//! nothing is lost or falsified.

mod database;
mod generations;
mod habits;
mod kill;
mod needs_faketime;
mod needs_toxiproxy;
mod outages;
mod platform;
mod surroundings;
