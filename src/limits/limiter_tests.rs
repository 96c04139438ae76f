//! The limiter in virtual time: what the platform would count, whatever the travel times.

use proptest::prelude::*;
use tokio::task::JoinSet;

use super::super::usage::MINUTE;
use super::*;

fn wish(bot_id: &str, purpose: Purpose) -> Wish<'_> {
    Wish { bot_id, purpose, patience: Duration::from_secs(600) }
}

const LIMITS: Limits = Limits { per_minute: 60, per_hour: 1800, backfill_share: 0.5 };

/// Makes `count` requests side by side and returns when each arrived at the platform, in order.
async fn arrivals(limiter: Arc<Limiter>, purpose: Purpose, count: usize, travel: Vec<u64>) -> Vec<Instant> {
    let in_flight = InFlight::new(16);
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let (limiter, in_flight) = (Arc::clone(&limiter), in_flight.clone());
        let way = Duration::from_millis(travel[number % travel.len()]);
        tasks.spawn(async move {
            let permit = limiter.acquire(wish("st-1", purpose), &in_flight, None).await.unwrap();
            tokio::time::sleep(way).await;
            let arrived = Instant::now();
            tokio::time::sleep(Duration::from_millis(way.as_millis() as u64 / 3)).await;
            drop(permit);
            arrived
        });
    }
    let mut arrivals = tasks.join_all().await;
    arrivals.sort();
    arrivals
}

fn most_within(arrivals: &[Instant], window: Duration) -> usize {
    let within = |first: usize| arrivals[first..].partition_point(|arrival| *arrival <= arrivals[first] + window);
    (0..arrivals.len()).map(within).max().unwrap_or(0)
}

fn in_virtual_time<F: Future>(test: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(test)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn no_window_ever_holds_more_than_the_limit(
        per_minute in 1..80_u32,
        per_hour in 1..300_u32,
        travel in prop::collection::vec(0..25_000_u64, 1..20),
    ) {
        in_virtual_time(async {
            let limiter = Arc::new(Limiter::new(Limits { per_minute, per_hour, ..LIMITS }, None));
            let arrivals = arrivals(limiter, Purpose::Live, 400, travel).await;
            assert!(most_within(&arrivals, MINUTE) <= per_minute as usize);
            assert!(most_within(&arrivals, HOUR) <= per_hour as usize);
        });
    }
}

#[test]
fn the_whole_limit_is_used() {
    in_virtual_time(async {
        let start = Instant::now();
        let arrivals = arrivals(Arc::new(Limiter::new(LIMITS, None)), Purpose::Live, 3600, vec![10]).await;
        assert_eq!(most_within(&arrivals, HOUR), 1800);
        let expected = LIMITS.least_time(3600, Purpose::Live).unwrap();
        let took = arrivals[3599] - start;
        assert!(took >= expected && took < expected + Duration::from_secs(60), "{took:?} {expected:?}");
    });
}

#[test]
fn a_backfill_keeps_to_its_share_and_leaves_the_rest_to_live_requests() {
    in_virtual_time(async {
        let limiter = Arc::new(Limiter::new(LIMITS, None));
        let backfill = tokio::spawn(arrivals(Arc::clone(&limiter), Purpose::Backfill, 300, vec![10]));
        tokio::time::sleep(Duration::from_secs(5)).await;
        let before = Instant::now();
        let live = arrivals(limiter, Purpose::Live, 30, vec![10]).await;
        assert!(live[29] - before < Duration::from_secs(2), "live requests wait for no backfill");
        let mut all = backfill.await.unwrap();
        assert!(most_within(&all, MINUTE) <= 30);
        all.extend(live);
        all.sort();
        assert!(most_within(&all, MINUTE) <= 60);
    });
}

#[test]
fn a_denied_bot_is_left_alone_by_all_its_series_and_others_are_not() {
    in_virtual_time(async {
        let limiter = Limiter::new(LIMITS, None);
        let (in_flight, start) = (InFlight::new(8), Instant::now());
        let acquire = async |bot: &str| {
            let permit = limiter.acquire(wish(bot, Purpose::Live), &in_flight, None).await;
            permit.map(|permit| permit.request)
        };
        let denied = acquire("st-1").await.unwrap();
        assert_eq!(limiter.denied(&denied, Some(Duration::from_secs(7))), Some(Duration::from_secs(7)));
        drop(denied);
        drop(acquire("st-2").await);
        assert_eq!(start.elapsed(), Duration::ZERO);
        let probe = acquire("st-1").await.unwrap();
        assert!(start.elapsed() >= Duration::from_secs(7));
        assert!(limiter.usage("st-1").denied_for.is_some() && limiter.usage("st-2").denied_for.is_none());
        limiter.answered(&probe);
        drop(probe);
        assert_eq!(limiter.usage("st-1").denied_for, None);
        let [one, two] = [acquire("st-1").await.unwrap(), acquire("st-1").await.unwrap()];
        assert_eq!(limiter.denied(&one, None), Some(MINUTE));
        assert_eq!(limiter.denied(&two, None), None, "both were in flight");
    });
}

#[test]
fn a_denied_hour_costs_few_requests_and_a_tick_gives_up_after_ten_minutes() {
    in_virtual_time(async {
        let limiter = Arc::new(Limiter::new(LIMITS, None));
        let start = Instant::now();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let tick = async || {
            let mut tasks = JoinSet::new();
            for _ in 0..40 {
                let (limiter, asked) = (Arc::clone(&limiter), Arc::clone(&asked));
                tasks.spawn(async move {
                    let in_flight = InFlight::new(1);
                    loop {
                        let acquired = limiter.acquire(wish("st-1", Purpose::Live), &in_flight, None);
                        let request = match acquired.await {
                            Ok(permit) => permit.request,
                            Err(denied_for) => return denied_for,
                        };
                        asked.lock().push(start.elapsed().as_secs());
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        limiter.denied(&request, None);
                    }
                });
            }
            tasks.join_all().await
        };
        tick().await;
        let first_tick = asked.lock().clone();
        assert!(start.elapsed() < Duration::from_secs(600) && first_tick.len() <= 60 + 3, "{first_tick:?}");
        assert!(first_tick[first_tick.len() - 2..].windows(2).all(|two| two[1] - two[0] >= 120), "{first_tick:?}");
        tick().await;
        assert_eq!(asked.lock().len(), first_tick.len(), "the next tick knows the pause");
        tokio::time::sleep(HOUR).await;
        tick().await;
        assert_eq!(asked.lock().len(), first_tick.len() + 1, "one request probes for all");
    });
}

thread_local! {
    static START: Instant = Instant::now();
}

/// A clock that goes with virtual time.
fn virtual_clock() -> jiff::Timestamp {
    let passed = START.with(Instant::elapsed);
    jiff::Timestamp::from_millisecond(1_800_000_000_000 + i64::try_from(passed.as_millis()).unwrap()).unwrap()
}

#[test]
fn ten_restarts_in_an_hour_share_one_budget() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { per_minute: 60, per_hour: 100, ..LIMITS };
    in_virtual_time(async {
        let mut made = 0;
        for _ in 0..10 {
            let limiter = Limiter::new(limits, Some(Ledger::open(folder.path(), virtual_clock).unwrap()));
            let asking = async {
                while let Ok(permit) = limiter.acquire(wish("st-1", Purpose::Live), &InFlight::new(8), None).await {
                    made += 1;
                    drop(permit);
                }
            };
            let _restarted = tokio::time::timeout(Duration::from_secs(61), asking).await;
        }
        assert!((60..=100).contains(&made), "{made}");
    });
}

#[test]
fn a_pause_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    in_virtual_time(async {
        let limiter = || Limiter::new(LIMITS, Some(Ledger::open(folder.path(), virtual_clock).unwrap()));
        let (in_flight, start, first) = (InFlight::new(1), Instant::now(), limiter());
        let permit = first.acquire(wish("st-1", Purpose::Live), &in_flight, None).await.unwrap();
        first.denied(&permit.request, None);
        drop((permit, first));
        drop(limiter().acquire(wish("st-1", Purpose::Live), &in_flight, None).await.unwrap());
        assert!(start.elapsed() >= MINUTE);
    });
}

#[test]
fn processes_side_by_side_share_one_budget_however_long_their_requests_travel() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { per_minute: 4, ..LIMITS };
    in_virtual_time(async {
        let limiter = || Arc::new(Limiter::new(limits, Some(Ledger::open(folder.path(), virtual_clock).unwrap())));
        let one = tokio::spawn(arrivals(limiter(), Purpose::Live, 40, vec![1500, 10, 900]));
        let other = tokio::spawn(arrivals(limiter(), Purpose::Live, 40, vec![10, 1500, 1300]));
        let mut all = [one.await.unwrap(), other.await.unwrap()].concat();
        all.sort();
        assert_eq!(most_within(&all, MINUTE), 4);
    });
}

/// How many places are free.
async fn free_places(in_flight: &InFlight) -> usize {
    let mut places = Vec::new();
    while let Ok(place) = tokio::time::timeout(Duration::from_millis(1), in_flight.place()).await {
        places.push(place);
    }
    places.len()
}

#[tokio::test(start_paused = true)]
async fn a_place_is_kept_while_there_is_no_room_and_given_up_for_the_bots_own_limits() {
    let limiter = Arc::new(Limiter::new(Limits { per_minute: 1, ..LIMITS }, None));
    let in_flight = InFlight::new(1);
    let all = free_places(&in_flight).await;
    let ask = |bot: &'static str, place: Option<Place>| {
        let (limiter, in_flight) = (Arc::clone(&limiter), in_flight.clone());
        tokio::spawn(async move { limiter.acquire(wish(bot, Purpose::Live), &in_flight, place).await.unwrap() })
    };
    let first = ask("st-1", in_flight.place().await).await.unwrap();
    assert_eq!(free_places(&in_flight).await, all, "it may ask");
    let second = ask("st-2", in_flight.place().await);
    assert_eq!(free_places(&in_flight).await, all - 1, "there is no room");
    let behind = [ask("st-2", in_flight.place().await), ask("st-1", in_flight.place().await)];
    assert_eq!(free_places(&in_flight).await, all - 1, "one is behind the second, one behind the limit");
    drop(first);
    drop(second.await.unwrap());
    assert_eq!(free_places(&in_flight).await, all);
    behind.into_iter().for_each(|task| task.abort());
}
