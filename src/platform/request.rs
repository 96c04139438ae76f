//! What is asked, as the platform's two APIs want it: the address, the parameters and where they go.

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{RequestBuilder, Url};
use serde_json::json;

use crate::config::{Api, EndDate, Platform, Send};
use crate::domain::series::{ALL_CHANNELS, Interval, Series, Window, day_after};

/// The request for these days of a series, without its token.
pub(super) fn request(http: &reqwest::Client, platform: &Platform, series: &Series, window: Window) -> RequestBuilder {
    let last = match platform.end_date {
        EndDate::Included => window.last,
        EndDate::Excluded => day_after(window.last, 1),
    };
    let (first, last) = (window.first.to_string(), last.to_string());
    let channel = (*series.channel != *ALL_CHANNELS).then_some(&*series.channel);
    let days = [("start_date", first.as_str()), ("end_date", last.as_str())];
    let (send, aggregation, url) = match platform.api {
        Api::V1(send) => {
            let aggregation = match series.interval {
                Interval::Hourly => "Hourly",
                Interval::Daily => "Daily",
            };
            (send, aggregation, url(platform, series, &["userEngagementTrend"]))
        }
        Api::V2 => (Send::Query, series.interval.name(), url(platform, series, &["v2", "userEngagementTrend"])),
    };
    let mut request = http.post(url).header(CONTENT_TYPE, "application/json");
    if send != Send::Body {
        request = request.query(&[("aggregation_type", aggregation)]).query(&days);
        request = request.query(&channel.map(|channel| [("channels", channel)]));
    }
    if platform.api == Api::V2 {
        request = request.query(&[("timeZoneOffset", series.bot.time_zone.iana_name().unwrap_or("UTC"))]);
    }
    if send == Send::Query {
        // Some servers insist on a length, also of nothing.
        return request.header(CONTENT_LENGTH, 0);
    }
    let mut filters = json!({"aggregation_type": aggregation, "start_date": first, "end_date": last});
    if let Some(channel) = channel {
        filters["channel"] = channel.into();
    }
    request.json(&json!({ "filters": filters }))
}

fn url(platform: &Platform, series: &Series, endpoint: &[&str]) -> Url {
    let mut url = platform.url.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["api", "public", "bot", &series.bot.id]).extend(endpoint);
    }
    url
}
