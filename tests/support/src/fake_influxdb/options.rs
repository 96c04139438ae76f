//! What a fake database is to be like.

use std::net::SocketAddrV4;
use std::sync::Arc;

use super::{FakeInfluxDb, Generation, Reply, WriteRequest};
use crate::server::ANY_PORT;

/// What a write is answered, by the write and its number.
type Script = Arc<dyn Fn(&WriteRequest, usize) -> Option<Reply> + Send + Sync>;

/// What a database is to be like.
#[derive(Clone)]
pub struct Options {
    pub(super) address: SocketAddrV4,
    pub(super) generation: Generation,
    pub(super) retention: Option<i64>,
    pub(super) token: Option<String>,
    /// The buckets that are there; any where it is empty.
    pub(super) buckets: Vec<String>,
    pub(super) most_days_per_query: i64,
    pub(super) answered_queries: usize,
    pub(super) keeps: bool,
    pub(super) without: Vec<&'static str>,
    pub(super) script: Script,
}

impl Options {
    /// Of this generation; takes any token and bucket and keeps everything for ever.
    pub fn new(generation: Generation) -> Options {
        Options {
            address: ANY_PORT,
            generation,
            retention: None,
            token: None,
            buckets: Vec::new(),
            most_days_per_query: i64::MAX,
            answered_queries: usize::MAX,
            keeps: true,
            without: Vec::new(),
            script: Arc::new(|_, _| None),
        }
    }

    /// Where it listens.
    pub fn on(self, address: SocketAddrV4) -> Options {
        Options { address, ..self }
    }

    /// Points are dropped after so many days.
    pub fn retention_days(self, days: i64) -> Options {
        Options { retention: Some(86_400 * days), ..self }
    }

    /// Only this token is accepted.
    pub fn token(self, token: &str) -> Options {
        Options { token: Some(token.to_owned()), ..self }
    }

    /// Only these buckets are there.
    pub fn buckets(self, buckets: &[&str]) -> Options {
        Options { buckets: buckets.iter().map(|&bucket| bucket.to_owned()).collect(), ..self }
    }

    /// A query over more days is refused as InfluxDB 3 does: with 200, and an error within.
    pub fn most_days_per_query(self, days: i64) -> Options {
        Options { most_days_per_query: days, ..self }
    }

    /// So many questions for points are answered; those after them are refused.
    pub fn answered_queries(self, answered_queries: usize) -> Options {
        Options { answered_queries, ..self }
    }

    /// Answers 404 to requests for this path, as a proxy before it may.
    pub fn without(mut self, path: &'static str) -> Options {
        self.without.push(path);
        self
    }

    /// Answers a write by what this makes of it and of its number, where it makes something of it; the first is 1. It
    /// may block, which holds back its own answer only.
    pub fn script(self, script: impl Fn(&WriteRequest, usize) -> Option<Reply> + Send + Sync + 'static) -> Options {
        Options { script: Arc::new(script), ..self }
    }

    /// Answers as soon as this returns.
    #[track_caller]
    pub fn start(self) -> FakeInfluxDb {
        FakeInfluxDb::with(self)
    }
}
