//! A Prometheus of a test's own, by the program that `tests/run` brings.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use serde_json::Value;

use super::http::send;
use super::process::Running;
use super::workspace::Workspace;
use super::{from_tests_run, wait_for};

/// It scrapes one address every second; ends when dropped.
pub struct Prometheus {
    url: String,
    _running: Running,
    _folder: Workspace,
}

impl Prometheus {
    /// Starts it, and waits until it has scraped.
    #[track_caller]
    pub fn scraping(target: SocketAddr) -> Prometheus {
        let folder = Workspace::new();
        let config = format!(
            "global: {{ scrape_interval: 1s }}\nscrape_configs:\n  - job_name: kore-trend-exporter\n    \
             static_configs: [{{ targets: [\"{target}\"] }}]\n"
        );
        folder.write("prometheus.yml", &config);
        // Free when asked; nobody else on this machine is likely to take it in the moment until it is used.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(from_tests_run("KORE_TREND_TEST_PROMETHEUS"));
        command.current_dir(folder.path("")).args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        command.arg(format!("--web.listen-address={address}"));
        let running = Running::start(command);
        let prometheus = Prometheus { url: format!("http://{address}"), _running: running, _folder: folder };
        wait_for("Prometheus to listen", || std::net::TcpStream::connect(address).ok());
        wait_for("Prometheus to be ready", || {
            (send(|client| client.get(format!("{}/-/ready", prometheus.url))).status == 200).then_some(())
        });
        wait_for("a scrape", || (!prometheus.now("up == 1").is_empty()).then_some(()));
        prometheus
    }

    /// The samples of an expression now.
    #[track_caller]
    pub fn now(&self, expression: &str) -> Vec<Value> {
        self.ask("query", &[("query", expression)])
    }

    /// What it knows of each metric: type and help.
    #[track_caller]
    pub fn metadata(&self) -> Value {
        let answer = send(|client| client.get(format!("{}/api/v1/metadata", self.url)));
        serde_json::from_str::<Value>(&answer.body).unwrap()["data"].clone()
    }

    /// The curves of an expression over the last so many seconds, a sample each second.
    #[track_caller]
    pub fn past(&self, expression: &str, seconds: i64) -> Vec<Value> {
        let now = jiff::Timestamp::now().as_second();
        let (start, end) = ((now - seconds).to_string(), now.to_string());
        self.ask("query_range", &[("query", expression), ("start", &start), ("end", &end), ("step", "1")])
    }

    /// The values of a label of a metric.
    #[track_caller]
    pub fn label_values(&self, label: &str, metric: &str) -> Vec<Value> {
        self.ask(&format!("label/{label}/values"), &[("match[]", metric)])
    }

    #[track_caller]
    fn ask(&self, path: &str, query: &[(&str, &str)]) -> Vec<Value> {
        let answer = send(|client| client.get(format!("{}/api/v1/{path}", self.url)).query(query));
        assert_eq!(answer.status, 200, "{query:?}: {answer:?}");
        let answer: Value = serde_json::from_str(&answer.body).unwrap();
        let data = if answer["data"].is_array() { &answer["data"] } else { &answer["data"]["result"] };
        data.as_array().unwrap().clone()
    }
}
