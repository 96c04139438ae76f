//! What needs InfluxDB 2 behind the proxy: faults before it, runs that end, and both sides at random.

mod before_the_database;
mod late;
mod runs;
mod weather;
