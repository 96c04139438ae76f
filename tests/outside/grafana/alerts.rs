//! The alerts that Grafana evaluates itself: that it takes them, that they ask the provisioned data sources for what the
//! exporter writes, and that on a real database they fire for what they should and for nothing else.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use yaml_rust2::{Yaml, YamlLoader};

use crate::support::grafana::expand::{Chosen, expand};
use crate::support::grafana::words;

const LANGUAGES: [&str; 2] = ["influxql", "flux"];

/// A file of the provisioning, read as YAML.
pub(super) fn read(file: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana/provisioning").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let [document] = &YamlLoader::load_from_str(&text).unwrap()[..] else { panic!("{file}: one document") };
    value(document)
}

fn value(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::String(text) => json!(text),
        Yaml::Integer(number) => json!(number),
        Yaml::Real(number) => json!(number.parse::<f64>().unwrap()),
        Yaml::Boolean(flag) => json!(flag),
        Yaml::Array(items) => items.iter().map(value).collect(),
        Yaml::Hash(members) => {
            members.iter().map(|(key, member)| (key.as_str().unwrap().to_owned(), value(member))).collect()
        }
        other => panic!("not expected: {other:?}"),
    }
}

fn rules(language: &str) -> Vec<Value> {
    let file = read(&format!("alerting/kore-trend-{language}.yml"));
    assert_eq!(file["apiVersion"], 1);
    let [group] = &file["groups"].as_array().unwrap()[..] else { panic!("one group") };
    assert_eq!(group["orgId"], 1);
    for key in ["name", "folder", "interval"] {
        assert!(!words(&group[key]).is_empty(), "{key}");
    }
    group["rules"].as_array().unwrap().clone()
}

fn steps(rule: &Value) -> &[Value] {
    rule["data"].as_array().unwrap()
}

/// The steps that ask the database.
fn queries(rule: &Value) -> impl Iterator<Item = &Value> {
    steps(rule).iter().filter(|step| step["datasourceUid"] != "__expr__")
}

#[test]
fn both_languages_have_the_same_rules_with_names_of_their_own() {
    let (mut uids, mut titles) = (BTreeSet::new(), Vec::new());
    for language in LANGUAGES {
        let rules = rules(language);
        for rule in &rules {
            let uid = words(&rule["uid"]).to_owned();
            assert!(uid.starts_with(&format!("kore-trend-{language}-")) && uid.len() <= 40, "{uid}");
            assert!(uids.insert(uid), "a uid twice");
        }
        titles.push(rules.iter().map(|rule| words(&rule["title"]).to_owned()).collect::<Vec<_>>());
    }
    assert_eq!(titles[0], ["Data is old", "Users dropped to zero"]);
    assert_eq!(titles[0], titles[1]);
}

#[test]
fn each_rule_is_whole() {
    for rule in LANGUAGES.into_iter().flat_map(rules) {
        let title = words(&rule["title"]);
        assert!(["NoData", "OK"].contains(&words(&rule["noDataState"])), "{title}");
        assert!(["Error", "KeepLast"].contains(&words(&rule["execErrState"])), "{title}");
        assert!(words(&rule["for"]).ends_with('m'), "{title}");
        assert!(["critical", "warning"].contains(&words(&rule["labels"]["severity"])), "{title}");
        let annotations = &rule["annotations"];
        assert!(words(&annotations["summary"]).starts_with("{{ .Labels.bot }}/{{ .Labels.channel }}: "), "{title}");
        assert!(!words(&annotations["description"]).is_empty(), "{title}");
        // Grafana would take a variable of the environment's for what stands behind it in a file.
        assert!(!annotations.to_string().contains('$'), "{title}");
        // The text of this rule, and not that of another.
        let runbook = format!("docs/operations.md#{}", title.to_lowercase().replace(' ', "-"));
        assert_eq!(annotations["runbook_url"], runbook, "{title}");

        // Each step is called as Grafana finds it, builds upon earlier ones, and the last one decides.
        let mut known = BTreeSet::new();
        for step in steps(&rule) {
            let id = words(&step["refId"]);
            assert_eq!(step["model"]["refId"], id, "{title}");
            if let Some(expression) = step["model"]["expression"].as_str() {
                let used = expression.matches(|c: char| c.is_ascii_uppercase()).collect::<Vec<_>>();
                assert!(!used.is_empty() && used.iter().all(|id| known.contains(id)), "{title}: {expression}");
            } else {
                let range = &step["relativeTimeRange"];
                assert!(range["from"].as_i64().unwrap() > range["to"].as_i64().unwrap(), "{title}");
            }
            assert!(known.insert(id), "{title}: {id} twice");
        }
        assert_eq!(rule["condition"], steps(&rule).last().unwrap()["refId"], "{title}");
    }
}

#[test]
fn the_data_sources_are_provisioned() {
    for (language, files) in [("influxql", &["influxdb-1", "influxdb-2", "influxdb-3"][..]), ("flux", &["influxdb-2"])]
    {
        for file in files {
            let sources = read(&format!("datasources/{file}.yml"));
            let uids: Vec<&str> =
                sources["datasources"].as_array().unwrap().iter().map(|source| words(&source["uid"])).collect();
            for rule in rules(language) {
                assert!(queries(&rule).count() > 0);
                for query in queries(&rule) {
                    assert_eq!(query["datasourceUid"], format!("kore-trend-{language}"));
                    assert!(uids.contains(&words(&query["datasourceUid"])), "{file}");
                }
            }
        }
    }
}

#[test]
fn queries_name_what_the_contract_names() {
    for language in LANGUAGES {
        for rule in rules(language) {
            for query in queries(&rule).map(|query| words(&query["model"]["query"])) {
                let quoted: BTreeSet<&str> = query.split('"').skip(1).step_by(2).collect();
                let mut expected = BTreeSet::from(["user_engagement_hourly", "users", "bot", "channel"]);
                // A column of Flux's own, and its package.
                let more = ["_time", "date"].into_iter().filter(|name| language == "flux" && quoted.contains(name));
                expected.extend(more);
                assert_eq!(quoted, expected, "{query}");
                let columns = ["bot", "channel", "_time", "_value", "_measurement", "_field"];
                for column in query.split("r.").skip(1).filter(|_| language == "flux") {
                    let end = column.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap();
                    assert!(columns.contains(&&column[..end]), "{query}");
                }
                // Several may evaluate at once, of several organisations: the range comes from the rule alone.
                assert!(query.contains("$timeFilter") || query.contains("v.timeRangeStop"), "{query}");
                assert!(!query.contains("now()"), "{query}");
            }
        }
    }
}

#[test]
fn the_readme_tells_of_every_file_and_every_rule() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    for language in LANGUAGES {
        assert!(readme.contains(&format!("kore-trend-{language}.yml")), "{language}");
        for rule in rules(language) {
            assert!(readme.contains(words(&rule["title"])), "{}", rule["title"]);
        }
    }
}

/// A bot and its channel.
type Series = (String, String);

/// What Grafana makes of an answer: for each series its values.
type Curves = BTreeMap<Series, Vec<f64>>;

fn curves_of_influxql(answer: &Value) -> Curves {
    let none = Vec::new();
    let series = answer["results"][0]["series"].as_array().unwrap_or(&none);
    let curve = |series: &Value| {
        let tags = series["tags"].as_object().unwrap();
        assert_eq!(tags.len(), 2, "{tags:?}");
        let values = series["values"].as_array().unwrap().iter().map(|row| {
            assert_eq!(row.as_array().unwrap().len(), 2);
            row[1].as_f64().unwrap()
        });
        ((words(&tags["bot"]).to_owned(), words(&tags["channel"]).to_owned()), values.collect())
    };
    let curves: Curves = series.iter().map(curve).collect();
    assert_eq!(curves.len(), series.len(), "a series twice");
    curves
}

/// Grafana takes a table with `_time` and `_value` for a curve, and every other column for a label.
fn curves_of_flux(rows: Vec<BTreeMap<String, String>>) -> Curves {
    let mut curves = Curves::new();
    for row in rows {
        assert_eq!(row.keys().collect::<Vec<_>>(), ["_time", "_value", "bot", "channel"]);
        assert!(row["_time"].parse::<Timestamp>().is_ok());
        let series = (row["bot"].clone(), row["channel"].clone());
        let again = curves.insert(series, vec![row["_value"].parse().unwrap()]);
        assert!(again.is_none(), "a series twice");
    }
    curves
}

/// The series that a rule fires for at this time, as Grafana works it out, and what it has looked at: a number for each
/// series after `reduce`, joined by their labels in `math`, and compared by `threshold`.
fn evaluate(rule: &Value, now: Timestamp, ask: &dyn Fn(&str, &Chosen) -> Curves) -> (BTreeSet<Series>, usize) {
    let mut curves: BTreeMap<&str, Curves> = BTreeMap::new();
    let mut numbers: BTreeMap<&str, BTreeMap<Series, f64>> = BTreeMap::new();
    for step in steps(rule) {
        let (id, model) = (words(&step["refId"]), &step["model"]);
        if step["datasourceUid"] != "__expr__" {
            let ago = |end: &str| now - step["relativeTimeRange"][end].as_i64().unwrap().seconds();
            let chosen = Chosen { bots: None, channels: None, zone: "utc", from: ago("from"), to: ago("to") };
            curves.insert(id, ask(words(&model["query"]), &chosen));
            continue;
        }
        let expression = words(&model["expression"]);
        let result = match words(&model["type"]) {
            "reduce" => {
                let reduce = |values: &Vec<f64>| match words(&model["reducer"]) {
                    "sum" => values.iter().sum(),
                    "last" => *values.last().unwrap(),
                    other => panic!("no such reducer: {other}"),
                };
                curves[expression].iter().map(|(series, values)| (series.clone(), reduce(values))).collect()
            }
            "math" => {
                assert_eq!(expression, "$C * ($D == 0)");
                let product = |(series, last_week): (&Series, &f64)| {
                    let now = numbers["D"].get(series)?;
                    Some((series.clone(), if *now == 0.0 { *last_week } else { 0.0 }))
                };
                numbers["C"].iter().filter_map(product).collect()
            }
            "threshold" => {
                let evaluator = &model["conditions"][0]["evaluator"];
                let limit = evaluator["params"][0].as_f64().unwrap();
                let fires = |number: &f64| match words(&evaluator["type"]) {
                    "gt" => *number > limit,
                    "lt" => *number < limit,
                    other => panic!("no such comparison: {other}"),
                };
                let of = |(series, number): (&Series, &f64)| (series.clone(), f64::from(fires(number)));
                numbers[expression].iter().map(of).collect()
            }
            other => panic!("no such expression: {other}"),
        };
        numbers.insert(id, result);
    }
    let condition = &numbers[words(&rule["condition"])];
    let firing = condition.iter().filter(|(_, fires)| **fires != 0.0).map(|(series, _)| series.clone()).collect();
    (firing, condition.len())
}

/// A quarter of an hour after the tick at ten past has brought the hour that began at 11:00.
const NOW: &str = "2026-11-05T12:25:00Z";

/// Hourly points of nine days until an hour ago, of bots to which different things have happened.
fn history() -> String {
    let now: Timestamp = NOW.parse().unwrap();
    let mut lines = String::new();
    let mut write = |bot: &str, channel: &str, ago: i64, users: i64, minutes: i64| {
        let begun = now - 25.minutes() - ago.hours() + minutes.minutes();
        // The configuration was changed: the bot's own tags are others than before.
        let teams = if ago > 30 { ["old", "new\\ one"] } else { ["new\\ one", "new\\ one"] };
        // Of this one what was there before was exported again.
        for team in &teams[..if bot == "few" { 2 } else { 1 }] {
            lines += &format!(
                "user_engagement_hourly,bot={bot},bot_id=st-{bot},channel={channel},team={team} users={users}i {}\n",
                begun.as_second()
            );
        }
    };
    for ago in 1..=9 * 24 {
        write("fresh", "all", ago, 20, 0);
        // One channel of a bot fails, the other does not.
        write("half", "rtm", ago, 7, 0);
        if ago >= 4 {
            write("half", "msteams", ago, 7, 0);
        }
        // Hours that begin at half past, the newest one not here yet.
        if ago >= 2 {
            write("kolkata", "all", ago, 6, -30 + 60);
        }
        // Its last point is of three days ago.
        if ago > 72 {
            write("gone", "it's\\ \\\"so\\\"", ago, 9, 0);
        }
        // Nobody has written for four hours, and the platform says so.
        write("dropped", "all", ago, if ago <= 4 { 0 } else { 12 }, 0);
        // Nobody writes at this time of the day, nor last week.
        write("quiet", "all", ago, if (ago - 1) % 24 < 8 { 0 } else { 30 }, 0);
        // Too few to tell.
        write("few", "all", ago, if ago <= 4 { 0 } else { 4 }, 0);
        write("five", "all", ago, if ago <= 4 { 0 } else { 5 }, 0);
        // One user in the last three hours that must be there.
        write(
            "slow",
            "all",
            ago,
            if ago == 3 {
                1
            } else if ago <= 5 {
                0
            } else {
                40
            },
            0,
        );
        // Since the clocks went back its day begins an hour later in UTC: last week at ten there were users already.
        write("clocks", "all", ago, if ago > 24 && ago % 24 <= 2 { 50 } else { 0 }, 0);
        // Nothing for a week: no longer watched.
        if ago > 8 * 24 {
            write("retired", "all", ago, 9, 0);
        }
    }
    // Something else of the same names is not looked at.
    lines += &lines.replace("user_engagement_hourly", "user_engagement_daily").replace("bot=", "bot=daily-");
    lines
}

fn check(language: &str, ask: &dyn Fn(&str, &Chosen) -> Curves) {
    let now: Timestamp = NOW.parse().unwrap();
    let rules = rules(language);
    let fires = |rule: usize, now: Timestamp, expected: &[(&str, &str)], looked_at: usize| {
        let expected = expected.iter().map(|(bot, channel)| ((*bot).to_owned(), (*channel).to_owned())).collect();
        assert_eq!(
            evaluate(&rules[rule], now, ask),
            (expected, looked_at),
            "{language} {} at {now}",
            rules[rule]["title"]
        );
    };
    let (msteams, gone) = (("half", "msteams"), ("gone", "it's \\\"so\\\""));
    fires(0, now, &[msteams, gone], 11);
    // Until the next tick all is well, too; an hour that begins at half past is then nearly three hours old.
    fires(0, now + 44.minutes(), &[msteams, gone], 11);
    // The exporter has stopped: everything is old, and after a week there is nothing left to look at.
    let all = [
        ("clocks", "all"),
        ("dropped", "all"),
        ("few", "all"),
        ("five", "all"),
        ("fresh", "all"),
        gone,
        msteams,
        ("half", "rtm"),
        ("kolkata", "all"),
        ("quiet", "all"),
        ("slow", "all"),
    ];
    fires(0, now + 3.hours(), &all, 11);
    fires(0, now + (8 * 24).hours(), &[], 0);

    // Of those that had users at nine last week.
    fires(1, now, &[("dropped", "all"), ("five", "all"), gone], 11);
    // Before, there were still some in the three hours.
    fires(1, now - 3.hours(), &[gone], 11);
}

mod needs_influxdb2 {
    use super::{check, curves_of_flux, curves_of_influxql, expand, history};
    use crate::support::influxdb::Database;

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn rules_in_both_languages_fire_for_what_they_should() {
        let database = Database::fresh(None);
        database.write(&history()).success();
        check("influxql", &|query, chosen| {
            curves_of_influxql(&database.influxql(&expand(query, chosen, false, "1m", "")))
        });
        check("flux", &|query, chosen| {
            curves_of_flux(database.flux(&expand(query, chosen, true, "1m0s", &database.bucket)))
        });
    }
}

/// InfluxDB 1 has no Flux.
mod needs_influxdb1 {
    use super::{check, curves_of_influxql, expand, history};
    use crate::support::influxdb1::OldDatabase;

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn rules_in_influxql_fire_for_the_same_in_influxdb_1() {
        let database = OldDatabase::fresh();
        database.write(&history()).success();
        check("influxql", &|query, chosen| {
            curves_of_influxql(&database.influxql(&expand(query, chosen, false, "1m", "")))
        });
    }
}
