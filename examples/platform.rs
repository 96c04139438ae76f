//! The simulated platform as a server of its own, for several exporters at once: `platform CONFIG ADDRESS` knows the bots
//! of a configuration and answers with their final figures until it is killed.

use std::error::Error;

use jiff::Timestamp;
use kore_trend_exporter::config::{Environment, Source, load};
use kore_trend_exporter::demo::{Behaviour, Platform};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err("usage: platform CONFIG ADDRESS".into());
    };
    let config = load(&Source::File(file.into()), &Environment::of_process())?;
    let platform = Platform::new(&config.bots, Behaviour::STEADY, Timestamp::now);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        Ok(axum::serve(listener, platform.router()).await?)
    })
}
