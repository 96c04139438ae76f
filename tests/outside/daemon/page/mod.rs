//! The status page: what its document holds, and what a browser makes of it, light and dark, on a desk and on a phone.
//!
//! `KORE_TREND_TEST_PICTURES=<folder> tests/run page::needs_chromium` leaves a picture of every look in the folder.

mod document;
mod whole;

mod needs_chromium {
    use std::collections::HashMap;

    use axum::Router;
    use axum::extract::Query;
    use axum::http::header::CONTENT_SECURITY_POLICY;
    use axum::response::Html;
    use axum::routing::get;
    use kore_trend_exporter::observe::endpoint::page::render;
    use kore_trend_exporter::observe::status::view::View;
    use serde_json::json;

    use crate::support::chromium::Chromium;
    use crate::support::http::send;
    use crate::support::process::Running;
    use crate::support::server::Server;
    use crate::support::workspace::Workspace;
    use crate::support::{views, wait_for};

    const LOOKS: [(&str, u32); 5] = [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390), ("light", 360)];

    const INSPECT: &str = include_str!("inspect.js");

    /// Whether the page of this address is well in every look. Leaves a picture of each, if a folder for them is named.
    #[track_caller]
    fn check(browser: &Chromium, url: &str, name: &str) {
        for (scheme, width) in LOOKS {
            browser.show_as(scheme, width);
            browser.open(url);
            if let Some(folder) = std::env::var_os("KORE_TREND_TEST_PICTURES") {
                let picture = std::path::Path::new(&folder).join(format!("{name}-{scheme}-{width}.png"));
                std::fs::write(picture, base64(&browser.picture())).unwrap();
            }
            assert_eq!(browser.run(INSPECT), json!([]), "{name}, {scheme}, {width} wide");
        }
        // What a screen reader is given: no picture and no figure without a name.
        let tree = browser.command("Accessibility.getFullAXTree", &json!({}));
        for node in tree["nodes"].as_array().unwrap() {
            let named = ["image", "img", "meter", "link", "heading", "table", "region"];
            if named.iter().any(|role| node["role"]["value"] == *role) && node["ignored"] == false {
                assert!(node["name"]["value"].as_str().is_some_and(|name| !name.is_empty()), "{name}: {node}");
            }
        }
        assert_eq!(browser.complaints(), [json!(null); 0], "{name}");
        for request in browser.requests() {
            let origin = url.split('/').take(3).collect::<Vec<_>>().join("/");
            assert!(request.starts_with(&format!("{origin}/")) || request.starts_with("data:"), "{name}: {request}");
        }
    }

    /// The bytes that base64 stands for.
    fn base64(text: &str) -> Vec<u8> {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let letters: Vec<u8> = text.bytes().filter(|letter| *letter != b'=').collect();
        let value = |letter: &u8| LETTERS.iter().position(|known| known == letter).unwrap() as u32;
        let group = |letters: &[u8]| {
            let bits = (0..4).fold(0, |bits, place| bits << 6 | letters.get(place).map_or(0, value));
            bits.to_be_bytes()[1..letters.len()].to_vec()
        };
        letters.chunks(4).flat_map(group).collect()
    }

    /// The demo and where its page is.
    fn demo(workspace: &Workspace) -> (Running, String) {
        let mut command = workspace.command();
        command.arg("--demo").env("KORE_TREND__ADMIN__LISTEN", "127.0.0.1:0");
        let mut running = Running::start(command);
        running.wait_for_stderr("listening on http://");
        let said = running.stderr();
        let (_, after) = said.split_once("listening on ").unwrap();
        let url = after.split_once(": ").unwrap().0.to_owned();
        wait_for("the first tick", || (send(|client| client.get(format!("{url}/readyz"))).status == 200).then_some(()));
        (running, url)
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn the_demo_is_seen_and_renews_itself() {
        let workspace = Workspace::new();
        let (_running, url) = demo(&workspace);
        let browser = Chromium::start();
        check(&browser, &format!("{url}/"), "demo");
        let text = |selector: &str| browser.run(&format!("return document.querySelector({selector:?}).innerText"));
        assert!(text("h1").as_str().unwrap().contains("12 series"), "{}", text("h1"));
        // The busiest hour or day of each series has the last shade.
        assert_eq!(browser.run("return document.querySelectorAll('svg path.d').length"), 12);

        let before = text("footer");
        browser.run("window.shown = true");
        wait_for("the page to renew itself", || browser.run("return window.shown ? null : true").as_bool());
        assert_ne!(text("footer"), before);

        browser.run("document.querySelector('h3 a[href=\"?bot=support\"]').click()");
        wait_for("the page of the bot", || text("h2").as_str()?.starts_with("1 bot, 6 series").then_some(()));
        check(&browser, browser.run("return location.href").as_str().unwrap(), "demo-support");
        browser.run("document.querySelector('.back a').click()");
        wait_for("the way back", || text("h2").as_str()?.starts_with("2 bots").then_some(()));
    }

    /// Serves views under their names, with the policy of the real page.
    fn serve(views: Vec<(&'static str, View)>, policy: &'static str) -> Server {
        let mut router = Router::new();
        for (name, view) in views {
            let answer = async move |Query(query): Query<HashMap<String, String>>| {
                ([(CONTENT_SECURITY_POLICY, policy)], Html(render(&view, query.get("bot").map(String::as_str))))
            };
            router = router.route(&format!("/{name}"), get(answer));
        }
        Server::start(router)
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn whatever_the_state_the_page_is_readable() {
        let views = vec![
            ("one-failing", views::one_failing()),
            ("all-failing", views::all_failing()),
            ("nothing-yet", views::nothing_yet()),
            ("many", views::many(50)),
            ("giant", views::giant(true)),
        ];
        let pages =
            ["one-failing", "one-failing?bot=sales", "all-failing", "nothing-yet", "many", "giant", "giant?bot=no"];
        let server = serve(views, "default-src 'none'; style-src 'unsafe-inline'; img-src data:");
        let browser = Chromium::start();
        for page in pages {
            check(&browser, &format!("{}/{page}", server.url()), &page.replace('?', "-"));
        }
    }
}
