//! The simulated platform has the habits that the tests built on it rely on.

use kore_trend_exporter::domain::series::Window;
use serde_json::{Value, json};

use crate::support::http::send;
use crate::support::platform::habits::{BLOCKED, Denial, Denied, Desk, Habits, Limits};
use crate::support::platform::{Options, day};
use crate::support::workspace::{Template, Workspace, bots};

/// Backfills two days, and gives the exit code and the number of requests.
#[track_caller]
fn backfill(habits: Habits) -> (Option<i32>, usize, Vec<String>) {
    let bots = bots(["one"], "intervals = [\"daily\"]");
    let platform = Options::new(&bots).habits(habits).start();
    let workspace = Workspace::with(&Template { platform_url: platform.url(), bots: &bots, ..Template::default() });
    let output = workspace.run(&["--backfill", &format!("{}..{}", day(-3), day(-2))]);
    (output.code, platform.asked().len(), workspace.sorted_lines("engagement.lp"))
}

#[test]
fn without_habits_everything_is_answered() {
    let (code, requests, lines) = backfill(Habits::default());
    assert_eq!((code, requests, lines.len()), (Some(0), 1, 2));
}

#[test]
fn the_last_day_can_be_left_out() {
    let (_, _, lines) = backfill(Habits { excludes_end: true, ..Habits::default() });
    assert_eq!(lines.len(), 1);
}

#[test]
fn a_page_of_a_proxy_can_stand_in_the_place_of_every_answer() {
    let habits = Habits { blocks: Some(403), ..Habits::default() };
    let platform = Options::new(&bots(["one"], "")).habits(habits).start();
    let answer = send(|client| client.post(format!("{}/api/public/bot/st-one/userEngagementTrend", platform.url())));
    assert_eq!((answer.status, answer.body.as_str()), (403, BLOCKED));
}

#[test]
fn a_denial_begins_after_some_requests_and_lasts_its_time() {
    let denial = Denial { after: 2, seconds: 100, says_when: true };
    let habits = Habits { denies: Some(denial), ..Habits::default() };
    let mut desk = Desk::default();
    let mut ask = |seconds: i64| desk.admit(&habits, "one", 1000 * seconds);
    assert_eq!([ask(0), ask(1)], [Ok(()), Ok(())]);
    assert_eq!(ask(2), Err(Denied { retry_after: Some(100) }));
    assert_eq!(ask(100), Err(Denied { retry_after: Some(2) }));
    assert_eq!(ask(102), Ok(()));
    assert_eq!(desk.admit(&habits, "other", 3000), Ok(()), "each bot by itself");
}

#[test]
fn a_minute_and_an_hour_hold_so_many_requests_as_the_limits_say() {
    let limits = Limits { per_minute: 2, per_hour: 5, says_when: true };
    let habits = Habits { limits: Some(limits), ..Habits::default() };
    let mut desk = Desk::default();
    let mut ask = |seconds: i64| desk.admit(&habits, "one", 1000 * seconds);
    assert_eq!([ask(0), ask(10)], [Ok(()), Ok(())]);
    assert_eq!(ask(20), Err(Denied { retry_after: Some(40) }));
    assert_eq!([ask(60), ask(70), ask(130)], [Ok(()), Ok(()), Ok(())]);
    assert_eq!(ask(200), Err(Denied { retry_after: Some(3600) }), "the sixth within an hour");
    assert_eq!(ask(3700), Err(Denied { retry_after: Some(100) }), "who broke it is denied for an hour");
    assert_eq!(ask(3800), Ok(()));
}

#[test]
fn answers_have_the_oddities_that_are_switched_on() {
    let bots = bots(["one"], "intervals = [\"daily\"]");
    let asked_for = Window { first: day(-40), last: day(-30) };
    let habits = Habits {
        answers: Some(asked_for),
        forgets_after: Some(35),
        total_results: Some("{\"of\":-1}"),
        errors: Some("null"),
        ..Habits::default()
    };
    let platform = Options::new(&bots)
        .open()
        .habits(habits)
        .figures(|asked, _| support::platform::answer::v1(asked.window().unwrap(), asked.interval(), |_, _| Some(7)));
    let platform = platform.start();
    let url = format!(
        "{}/api/public/bot/st-one/userEngagementTrend?aggregation_type=Daily&start_date=2020-01-01&end_date=2020-01-02",
        platform.url()
    );
    let answer: Value = send(|client| client.post(url)).json();
    assert_eq!((&answer["totalResults"], &answer["errors"]), (&json!({ "of": -1 }), &Value::Null));
    let users: Vec<i64> =
        answer["results"].as_array().unwrap().iter().map(|day| day["users"].as_i64().unwrap()).collect();
    assert_eq!(users, [0, 0, 0, 0, 0, 0, 7, 7, 7, 7, 7]);
}
