//! The provisioning files fit the dashboards and their README.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::dashboards;
use crate::support::grafana::{with_rows, words};

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

const SOURCES: [&str; 4] = ["influxdb-1", "influxdb-2", "influxdb-3", "prometheus"];

/// The values of a key, by lines: the files are as simple as that.
fn values<'a>(yaml: &'a str, key: &str) -> Vec<&'a str> {
    let lines = yaml.lines().map(|line| line.trim().trim_start_matches("- "));
    lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(": ")).collect()
}

#[test]
fn every_dashboard_begins_with_a_data_source_that_is_provisioned() {
    let provisioned: BTreeSet<String> = SOURCES
        .iter()
        .flat_map(|file| {
            let yaml = read(&format!("provisioning/datasources/{file}.yml"));
            values(&yaml, "uid").into_iter().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let begun: BTreeSet<String> = dashboards::all()
        .iter()
        .map(|(_, dashboard)| words(&dashboard["templating"]["list"][0]["current"]["value"]).to_owned())
        .collect();
    assert_eq!(provisioned, begun);
}

/// Every key and value of the data sources, as Grafana's documentation calls them.
#[test]
fn the_data_sources_say_what_grafana_must_know() {
    let influxql = |generation: &str, url: Value, more: Value, secure: Value| {
        let mut source = json!({
            "name": "Kore trend (InfluxQL)", "uid": "kore-trend-influxql", "type": "influxdb", "access": "proxy", "url": url,
            "jsonData": { "version": "InfluxQL", "httpMode": "POST" }, "secureJsonData": secure,
        });
        if generation == "1" {
            source["user"] = json!("$INFLUXDB_USER");
        }
        source["jsonData"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        source
    };
    let url = json!("$INFLUXDB_URL");
    let one = influxql(
        "1",
        url.clone(),
        json!({ "dbName": "$INFLUXDB_DATABASE" }),
        json!({ "password": "$INFLUXDB_PASSWORD" }),
    );
    let two = influxql(
        "2",
        url.clone(),
        json!({ "dbName": "$INFLUXDB_BUCKET", "httpHeaderName1": "Authorization" }),
        json!({ "httpHeaderValue1": "Token $INFLUXDB_TOKEN" }),
    );
    let three = influxql(
        "3",
        url.clone(),
        json!({ "dbName": "$INFLUXDB_DATABASE", "httpHeaderName1": "Authorization" }),
        json!({ "httpHeaderValue1": "Bearer $INFLUXDB_TOKEN" }),
    );
    let flux = json!({
        "name": "Kore trend (Flux)", "uid": "kore-trend-flux", "type": "influxdb", "access": "proxy", "url": url,
        "jsonData": { "version": "Flux", "organization": "$INFLUXDB_ORG", "defaultBucket": "$INFLUXDB_BUCKET" },
        "secureJsonData": { "token": "$INFLUXDB_TOKEN" },
    });
    let prometheus = json!({
        "name": "Kore trend (Prometheus)", "uid": "kore-trend-prometheus", "type": "prometheus", "access": "proxy",
        "url": "$PROMETHEUS_URL", "jsonData": { "httpMethod": "POST" },
    });
    let expected = [vec![one], vec![flux, two], vec![three], vec![prometheus]];
    for (file, expected) in SOURCES.into_iter().zip(expected) {
        let file = super::alerts::read(&format!("datasources/{file}.yml"));
        assert_eq!(file, json!({ "apiVersion": 1, "datasources": expected }));
    }
}

/// The commands of the README that install dashboards leave out those in another language.
#[test]
fn the_readme_installs_the_dashboard_of_one_language() {
    let readme = read("README.md").replace("\\\n  ", "");
    let readme: String = readme.split_inclusive('\n').filter(|line| !line.starts_with("sed ")).collect();
    let files = readme.split([' ', '=', '\n']).filter_map(|word| word.strip_prefix("grafana/dashboards/"));
    let expected = ["user-engagement-influxql.json", "bot-fleet-influxql.json", "exporter-health.json"];
    assert_eq!(files.collect::<Vec<_>>(), [expected, expected].concat());
}

#[test]
fn a_generation_replaces_another_instead_of_quarrelling_with_it() {
    for file in ["influxdb-1", "influxdb-2", "influxdb-3"] {
        let yaml = read(&format!("provisioning/datasources/{file}.yml"));
        let pairs: Vec<(&str, &str)> = values(&yaml, "name").into_iter().zip(values(&yaml, "uid")).collect();
        assert!(pairs.contains(&("Kore trend (InfluxQL)", "kore-trend-influxql")), "{file}: {pairs:?}");
    }
}

#[test]
fn every_variable_stands_in_the_readme_and_no_secret_in_a_file() {
    let readme = read("README.md");
    let mut found = 0;
    for file in SOURCES {
        let yaml = read(&format!("provisioning/datasources/{file}.yml"));
        assert!(yaml.starts_with("# ") && yaml.contains("\napiVersion: 1\n"), "{file}");
        for variable in yaml.split('$').skip(1).map(|rest| rest.split_whitespace().next().unwrap()) {
            assert!(readme.contains(&format!("`{variable}`")), "{file}: {variable} is not in the README");
            found += 1;
        }
        for key in ["token", "password", "httpHeaderValue1"] {
            assert!(values(&yaml, key).iter().all(|value| value.contains('$')), "{file}: {key}");
        }
    }
    assert!(found > 10);
}

#[test]
fn the_readme_names_every_panel_and_every_file() {
    let readme = read("README.md");
    for (file, dashboard) in dashboards::all() {
        assert!(readme.contains(&format!("`dashboards/{file}`")), "{file}");
        for panel in with_rows(&dashboard) {
            let title = words(&panel["title"]);
            // The health dashboard is described by rows.
            if panel["type"] == "row" || file != "exporter-health.json" {
                let title = title
                    .strip_suffix("by channel")
                    .filter(|rest| rest.starts_with("Users per hour"))
                    .map_or(title, |_| "by channel");
                assert!(readme.contains(title), "{file}: {title}");
            }
        }
    }
    assert!(read("provisioning/dashboards/kore-trend.yml").contains("path: /var/lib/grafana/dashboards/kore-trend\n"));
    assert!(readme.contains("/var/lib/grafana/dashboards/kore-trend "));
}
