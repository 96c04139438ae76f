//! What a simulated platform is to be like.

use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::habits::Habits;
use super::{Asked, SimulatedPlatform};
use crate::server::{ANY_PORT, Reply};

/// What an answer is made by: from a request, and its number over all bots.
type Answers<T> = Arc<dyn Fn(&Asked, usize) -> T + Send + Sync>;

/// What a platform is to be like.
#[derive(Clone)]
pub struct Options {
    pub(super) bots: String,
    pub(super) address: SocketAddrV4,
    pub(super) clock: fn() -> Timestamp,
    pub(super) latency: Duration,
    pub(super) certificates: Option<PathBuf>,
    pub(super) habits: Habits,
    pub(super) figures: Option<Answers<String>>,
    pub(super) is_open: bool,
    pub(super) script: Answers<Option<Reply>>,
}

impl Options {
    /// Knows the bots of these sections of a configuration, and answers with their final figures.
    pub fn new(bots: &str) -> Options {
        Options {
            bots: bots.to_owned(),
            address: ANY_PORT,
            clock: Timestamp::now,
            latency: Duration::ZERO,
            certificates: None,
            habits: Habits::default(),
            figures: None,
            is_open: false,
            script: Arc::new(|_, _| None),
        }
    }

    /// Where it listens.
    pub fn on(self, address: SocketAddrV4) -> Options {
        Options { address, ..self }
    }

    /// The time that it tells, also in its answers.
    pub fn by_clock(self, clock: fn() -> Timestamp) -> Options {
        Options { clock, ..self }
    }

    /// How long each answer takes.
    pub fn latency(self, latency: Duration) -> Options {
        Options { latency, ..self }
    }

    /// Speaks TLS, with a certificate that it leaves in [`CERTIFICATES`](crate::tls::CERTIFICATES) in this folder.
    pub fn tls(self, folder: &Path) -> Options {
        Options { certificates: Some(folder.to_owned()), ..self }
    }

    /// What it does besides what is documented.
    pub fn habits(self, habits: Habits) -> Options {
        Options { habits, ..self }
    }

    /// Answers with this body in the place of its own. The request is for the days that its habits leave.
    pub fn figures(self, figures: impl Fn(&Asked, usize) -> String + Send + Sync + 'static) -> Options {
        Options { figures: Some(Arc::new(figures)), ..self }
    }

    /// Answers whoever asks, without a look at the token.
    pub fn open(self) -> Options {
        Options { is_open: true, ..self }
    }

    /// Answers this before anything else is looked at, where it is something. Must not block.
    pub fn script(self, script: impl Fn(&Asked, usize) -> Option<Reply> + Send + Sync + 'static) -> Options {
        Options { script: Arc::new(script), ..self }
    }

    /// Answers as soon as this returns.
    #[track_caller]
    pub fn start(self) -> SimulatedPlatform {
        SimulatedPlatform::with(self)
    }
}
