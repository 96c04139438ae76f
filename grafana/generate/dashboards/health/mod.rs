//! How the exporter is: everything that it tells Prometheus.

mod events;
mod looks;
mod resources;
mod series;
mod work;

use serde_json::Value;

use super::frame::Frame;
use super::layout;
use super::query::Language;
use super::variables::{data_source, values};

/// The dashboard.
pub(crate) fn dashboard() -> Value {
    let language = Language::PromQl;
    let rows =
        vec![series::glance(), series::freshness(), work::platform(), work::writes(), work::ticks(), resources::row()];
    Frame {
        uid: "kore-trend-exporter-health",
        title: "Exporter health",
        description: "Health of kore-trend-exporter: freshness, failures, limits, ticks, writes and resources",
        from: "now-24h",
        refresh: "1m",
        variables: vec![
            data_source(language, "kore-trend-prometheus"),
            values(
                language,
                "instance",
                "Instance",
                "The exporters that Prometheus knows",
                "label_values(kore_trend_build_info, instance)",
            ),
            values(
                language,
                "bot",
                "Bot",
                "The bots of the chosen exporters",
                "label_values(kore_trend_series_failing{instance=~\"$instance\"}, bot)",
            ),
        ],
        annotations: events::annotations(),
        panels: layout::panels(language, rows),
    }
    .json()
}
