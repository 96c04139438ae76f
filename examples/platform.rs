//! The simulated platform as a server of its own, for several exporters at once: `platform CONFIG ADDRESS [MILLISECONDS]`
//! knows the bots of a configuration and answers with their final figures, after this time, until it is killed.

use std::error::Error;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};

use jiff::Timestamp;
use kore_trend_exporter::config::{Environment, Source, load};
use kore_trend_exporter::demo::{Behaviour, Platform};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err("usage: platform CONFIG ADDRESS [MILLISECONDS]".into());
    };
    let delay = Duration::from_millis(arguments.next().map_or(Ok(0), |text| text.parse())?);
    let config = load(&Source::File(file.into()), &Environment::of_process())?;
    let platform = Platform::new(&config.bots, Behaviour::STEADY, Timestamp::now);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        let late = from_fn(move |request: Request, next: Next| async move {
            tokio::time::sleep(delay).await;
            next.run(request).await
        });
        Ok(axum::serve(listener, platform.router().layer(late)).await?)
    })
}
