//! The limiter in virtual time: what the platform would count, whatever the travel times.

use proptest::prelude::*;
use tokio::task::JoinSet;

use super::super::ledger::Clocks;
use super::*;
use crate::shutdown::Stop;

const LIMITS: Limits = Limits { per_minute: 60, per_hour: 1800, backfill_share: 0.5 };

/// Makes `count` requests side by side and returns when each arrived at the platform, in order.
async fn arrivals(limiter: Arc<Limiter>, purpose: Purpose, count: usize, travel: Vec<u64>) -> Vec<Instant> {
    let places = Places::new(16);
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let (limiter, places) = (Arc::clone(&limiter), places.clone());
        let way = Duration::from_millis(travel[number % travel.len()]);
        tasks.spawn(async move {
            let permit = limiter.acquire("st-1", purpose, &places, &Stop::never()).await.unwrap();
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
fn a_paused_bot_is_left_alone_and_others_are_not() {
    in_virtual_time(async {
        let limiter = Limiter::new(LIMITS, None);
        let (places, stop, start) = (Places::new(8), Stop::never(), Instant::now());
        drop(limiter.acquire("st-1", Purpose::Live, &places, &stop).await);
        limiter.pause("st-1", Some(Duration::from_secs(7)));
        drop(limiter.acquire("st-2", Purpose::Live, &places, &stop).await);
        assert_eq!(start.elapsed(), Duration::ZERO);
        drop(limiter.acquire("st-1", Purpose::Live, &places, &stop).await);
        assert!(start.elapsed() >= Duration::from_secs(7));
        limiter.pause("st-1", None);
        drop(limiter.acquire("st-1", Purpose::Live, &places, &stop).await);
        assert!(start.elapsed() >= MINUTE);
    });
}

#[test]
fn a_stop_ends_the_waiting() {
    in_virtual_time(async {
        let limiter = Limiter::new(LIMITS, None);
        limiter.pause("st-1", Some(HOUR));
        let stop = Stop::after(tokio::time::sleep(Duration::from_secs(1)));
        assert!(limiter.acquire("st-1", Purpose::Live, &Places::new(1), &stop).await.is_err());
    });
}

#[test]
fn ten_restarts_in_an_hour_share_one_budget() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("requests.ledger");
    let limits = Limits { per_minute: 60, per_hour: 100, ..LIMITS };
    let clocks = Clocks { clock: jiff::Timestamp::now, uptime: crate::platform::limits::uptime::read };
    in_virtual_time(async {
        let mut made = 0;
        for _ in 0..10 {
            let limiter = Limiter::new(limits, Some(Ledger::open(&path, clocks).unwrap()));
            let stop = Stop::after(tokio::time::sleep(Duration::from_secs(61)));
            while let Ok(permit) = limiter.acquire("st-1", Purpose::Live, &Places::new(8), &stop).await {
                made += 1;
                drop(permit);
            }
        }
        assert!((60..=100).contains(&made), "{made}");
    });
}

/// The machine has been up for as long as virtual time has passed, and a day.
fn virtual_uptime() -> Option<crate::platform::limits::uptime::Uptime> {
    thread_local! {
        static START: Instant = Instant::now();
    }
    let time = START.with(Instant::elapsed) + 24 * HOUR;
    Some(crate::platform::limits::uptime::Uptime { time, run: 1 })
}

#[test]
fn processes_side_by_side_share_one_budget_however_long_their_requests_travel() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("requests.ledger");
    let clocks = super::super::ledger::Clocks { clock: || jiff::Timestamp::UNIX_EPOCH, uptime: virtual_uptime };
    let limits = Limits { per_minute: 4, ..LIMITS };
    in_virtual_time(async {
        let limiter = || Arc::new(Limiter::new(limits, Some(Ledger::open(&path, clocks).unwrap())));
        let one = tokio::spawn(arrivals(limiter(), Purpose::Live, 40, vec![1500, 10, 900]));
        let other = tokio::spawn(arrivals(limiter(), Purpose::Live, 40, vec![10, 1500, 1300]));
        let mut all = [one.await.unwrap(), other.await.unwrap()].concat();
        all.sort();
        assert_eq!(most_within(&all, MINUTE), 4);
    });
}

#[test]
fn least_time_counts_whole_windows() {
    let seconds = |requests, purpose| LIMITS.least_time(requests, purpose).map(|time| time.as_secs());
    assert_eq!(seconds(0, Purpose::Live), Some(0));
    assert_eq!(seconds(60, Purpose::Live), Some(0));
    assert_eq!(seconds(61, Purpose::Live), Some(60));
    assert_eq!(seconds(1801, Purpose::Live), Some(3600));
    assert_eq!(seconds(61, Purpose::Backfill), Some(120));
    let none = Limits { backfill_share: 0.0, ..LIMITS };
    assert_eq!(none.least_time(1, Purpose::Backfill), None);
}
