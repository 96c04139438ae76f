//! A Chromium of a test's own, driven by the chromedriver that `tests/run` brings, over the plain WebDriver protocol.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::from_tests_run;
use super::http::send;

/// The browser with one page; gone when dropped.
pub struct Chromium {
    session: String,
    /// Its profile, new and empty.
    _profile: TempDir,
}

impl Chromium {
    /// Starts it. It resolves no name, so that nothing it does by itself leaves this machine.
    pub fn start() -> Chromium {
        let profile = tempfile::Builder::new().prefix("kore-trend-chromium-").tempdir().unwrap();
        let folder = format!("--user-data-dir={}", profile.path().display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-proxy-server",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            // It ends with the driver, whatever ends that.
            "--remote-debugging-pipe",
            &folder,
        ];
        let driver = from_tests_run("KORE_TREND_TEST_CHROMEDRIVER_URL");
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } });
        let session = post(&format!("{driver}/session"), &wanted);
        let id = session["sessionId"].as_str().unwrap();
        Chromium { session: format!("{driver}/session/{id}"), _profile: profile }
    }

    /// Shows the page of this address.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// What the body of a JavaScript function returns.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// A command of the browser's own protocol.
    #[track_caller]
    pub fn command(&self, name: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": name, "params": parameters }))
    }

    /// Pages are shown this wide, in this colour scheme, from now on.
    #[track_caller]
    pub fn show_as(&self, scheme: &str, width: u32) {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.command("Emulation.setEmulatedMedia", &media);
        let is_phone = width < 500;
        let size = json!({ "width": width, "height": 844, "deviceScaleFactor": 1, "mobile": is_phone });
        self.command("Emulation.setDeviceMetricsOverride", &size);
    }

    /// The whole page as a picture, in PNG and base64.
    #[track_caller]
    pub fn picture(&self) -> String {
        let picture = json!({ "format": "png", "captureBeyondViewport": true });
        self.command("Page.captureScreenshot", &picture)["data"].as_str().unwrap().to_owned()
    }

    /// What the page and the browser complained of since this was asked last: errors, refusals by policy.
    #[track_caller]
    pub fn complaints(&self) -> Vec<Value> {
        self.log("browser")
    }

    /// The addresses that pages asked for since this was asked last, their own included; not what Chromium's own first
    /// page brings.
    #[track_caller]
    pub fn requests(&self) -> Vec<String> {
        let mut requests = Vec::new();
        for event in self.log("performance") {
            let event: Value = serde_json::from_str(event["message"].as_str().unwrap()).unwrap();
            let (method, request) = (&event["message"]["method"], &event["message"]["params"]["request"]);
            if method == "Network.requestWillBeSent" {
                requests.push(request["url"].as_str().unwrap().to_owned());
            }
        }
        requests.retain(|url| !url.starts_with("chrome://"));
        requests
    }

    #[track_caller]
    fn log(&self, kind: &str) -> Vec<Value> {
        self.post("/se/log", &json!({ "type": kind })).as_array().unwrap().clone()
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        post(&format!("{}{path}", self.session), body)
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // A driver that is gone took the browser along.
        let session = self.session.clone();
        let _ended = std::panic::catch_unwind(|| send(|client| client.delete(session)));
    }
}

#[track_caller]
fn post(url: &str, body: &Value) -> Value {
    send(|client| client.post(url).json(body)).json()["value"].take()
}
