//! From the platform to VictoriaMetrics, which takes InfluxDB's writes, and back.

mod needs_victoriametrics {
    use std::collections::BTreeMap;

    use crate::support::expected::{BOTS, expected};
    use crate::support::platform::SimulatedPlatform;
    use crate::support::workspace::{Template, Workspace};
    use crate::support::{unique, victoriametrics};

    /// Labels, and what they hold by time.
    type Stored = BTreeMap<BTreeMap<String, String>, Vec<(i64, f64)>>;

    fn check_round_trip(api: &str) {
        let run = unique("run");
        let bots = BOTS.replace("tags = {", &format!("tags = {{ run = \"{run}\","));
        let platform = SimulatedPlatform::well(&bots);
        let sink = victoriametrics::config();
        let api_line = format!("api = \"{api}\"");
        let workspace = Workspace::with(&Template {
            platform_url: platform.url(),
            platform: &api_line,
            sink: &sink,
            bots: &bots,
            ..Template::default()
        });
        let mut all = Stored::new();
        for (first, last) in [("2026-03-28", "2026-03-30"), ("2025-10-25", "2025-10-27")] {
            workspace.run(&["--backfill", &format!("{first}..{last}")]).expect_code(0);
            for (measurement, mut labels, field, time, value) in expected(api == "v2", first, last) {
                labels.insert("__name__".to_owned(), format!("{measurement}_{field}"));
                labels.insert("run".to_owned(), run.clone());
                all.entry(labels).or_default().push((time, value as f64));
            }
        }
        all.values_mut().for_each(|samples| samples.sort_by_key(|sample| sample.0));
        let found: Stored =
            victoriametrics::export("run", &run).into_iter().map(|series| (series.labels, series.samples)).collect();
        assert_eq!(found.keys().collect::<Vec<_>>(), all.keys().collect::<Vec<_>>());
        assert_eq!(found, all);
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn every_point_of_v1_is_what_the_platform_held() {
        check_round_trip("v1");
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn every_point_of_v2_is_what_the_platform_held() {
        check_round_trip("v2");
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_check_is_well() {
        let platform = SimulatedPlatform::well(BOTS);
        let sink = victoriametrics::config();
        let template = Template { platform_url: platform.url(), sink: &sink, bots: BOTS, ..Template::default() };
        let output = Workspace::with(&template).run(&["--check"]).expect_code(0);
        assert!(
            output.stdout.lines().all(|line| line.starts_with("ok    ") || line.starts_with("note  ")),
            "{}",
            output.stdout
        );
    }
}
