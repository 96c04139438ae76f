//! What the benchmarks stand on: a simulated platform and a database that takes everything, both in this process, and a
//! configuration that leads to them.

#![allow(dead_code, reason = "each benchmark needs a part of it")]

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::routing::post;
use jiff::Timestamp;
use kore_trend_exporter::config::{Environment, Source, load};
use kore_trend_exporter::demo::{Behaviour, Platform};

use self::tls::Front;

pub(crate) mod process;
pub(crate) mod tls;

/// Which bots there are, and how the platform is.
pub(crate) struct Setting<'a> {
    pub(crate) bots: usize,
    pub(crate) channels: &'a [&'a str],
    /// Until the platform answers.
    pub(crate) latency: Duration,
    /// Whether the platform speaks TLS, with a certificate next to the configuration.
    pub(crate) tls: bool,
    /// The configuration besides what leads to both ends and the bots.
    pub(crate) lines: &'a str,
}

/// Both ends, each in a thread of this process.
pub(crate) struct Services {
    pub(crate) writes: Arc<AtomicU64>,
    pub(crate) bytes: Arc<AtomicU64>,
}

impl Services {
    /// Starts them and writes the configuration that leads to them.
    pub(crate) fn start(folder: &Path, setting: &Setting) -> Services {
        let (writes, bytes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (counted_writes, counted_bytes) = (Arc::clone(&writes), Arc::clone(&bytes));
        let write = move |body: Body| {
            let (writes, bytes) = (Arc::clone(&counted_writes), Arc::clone(&counted_bytes));
            async move {
                let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                writes.fetch_add(1, Ordering::Relaxed);
                bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
                StatusCode::NO_CONTENT
            }
        };
        let database = serve(Router::new().route("/api/v2/write", post(write)), None);
        let configuration = |platform: &str| configuration(setting, platform, &database);
        let path = folder.join("config.toml");
        std::fs::write(&path, configuration("http://127.0.0.1:1")).unwrap();
        let bots = load(&Source::File(path.clone()), &Environment::default()).unwrap().bots;
        let latency = setting.latency;
        let late = middleware::from_fn(move |request: Request, next: Next| async move {
            tokio::time::sleep(latency).await;
            next.run(request).await
        });
        let platform = Platform::new(&bots, Behaviour::STEADY, Timestamp::now).router();
        let platform = if latency.is_zero() { platform } else { platform.layer(late) };
        let platform = serve(platform, setting.tls.then(|| Front::new(folder)));
        std::fs::write(&path, configuration(&platform)).unwrap();
        Services { writes, bytes }
    }
}

fn serve(router: Router, front: Option<Front>) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let scheme = if front.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            match front {
                None => axum::serve(listener, router).await,
                Some(front) => axum::serve(front.before(listener), router).await,
            }
        })
    });
    url
}

/// Limits that leave the pace to both ends.
fn configuration(setting: &Setting, platform: &str, database: &str) -> String {
    let mut text = format!(
        "{}\n[platform]\nurl = \"{platform}\"\nper_minute = 100000\nper_hour = 1000000\n\
         [influxdb]\nurl = \"{database}\"\norg = \"sre\"\nbucket = \"bench\"\ntoken = \"a token\"\n",
        setting.lines
    );
    for bot in 0..setting.bots {
        writeln!(
            text,
            "[bots.bot-{bot:04}]\nid = \"st-00000000-0000-4000-8000-{bot:012}\"\n\
             client_id = \"cs-00000000-0000-4000-8000-{bot:012}\"\nclient_secret = \"a secret of thirty-two octets {bot}\"\nchannels = {:?}",
            setting.channels
        )
        .unwrap();
    }
    text
}
