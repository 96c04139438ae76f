//! What the program decides: which hour a bucket is, which days are owed, what a point looks like. Pure: everything here
//! takes `now` and returns values. It imports no other folder, reads no clock, opens no file and asks no service.

pub mod answer;
pub mod backoff;
pub mod bot;
pub mod calendar;
pub mod clock;
pub mod compare;
pub mod credentials;
pub mod event;
pub mod flatten;
pub mod interval;
pub mod live_buckets;
pub mod plan;
pub mod point;
pub mod series;
pub mod slots;
pub mod target;
pub mod words;
