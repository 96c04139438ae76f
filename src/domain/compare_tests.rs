use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3600;

fn point(hour: i64, users: i64) -> Point {
    Point { timestamp: hour * HOUR, figures: Figures { users: Some(users), ..Figures::default() } }
}

fn fields(users: i64) -> Fields {
    Fields::from([("users".to_owned(), Value::Integer(users))])
}

fn stored(points: &[Point]) -> Stored {
    points.iter().map(|point| (point.timestamp, fields_of(&point.figures))).collect()
}

fn everything() -> Bounds {
    Bounds { compared: i64::MIN..i64::MAX, withheld: Vec::new(), late_from: i64::MAX }
}

#[test]
fn each_kind_of_difference_is_told() {
    let expected: Vec<Point> = (0..6).map(|hour| point(hour, 10 + hour)).collect();
    let mut database = stored(&expected);
    database.remove(&HOUR);
    database.insert(2 * HOUR, fields(13));
    database.insert(3 * HOUR, Fields::from([("users".to_owned(), Value::Float(13.0))]));
    database.get_mut(&(4 * HOUR)).unwrap().insert("new_users".to_owned(), Value::Integer(1));
    database.insert(7 * HOUR, fields(1));
    let found = compare(&expected, &database, &everything());
    let kinds: Vec<(i64, Kind)> = found.differences.iter().map(|one| (one.timestamp / HOUR, one.kind)).collect();
    use Kind::{Different, Missing, Unexpected};
    assert_eq!(kinds, [(1, Missing), (2, Different), (3, Different), (4, Different), (7, Unexpected)]);
    assert_eq!(found.equal, 2);
    assert_eq!(found.differences[1].platform, Some(fields(12)));
    assert_eq!(found.differences[1].database, Some(fields(13)));
    assert_eq!((&found.differences[4].platform, &found.differences[0].database), (&None, &None));
}

#[test]
fn what_is_withheld_or_out_of_bounds_is_not_compared() {
    let expected = [point(1, 1), point(5, 5)];
    let database = stored(&[point(0, 7), point(3, 7), point(5, 6)]);
    let withheld = vec![3 * HOUR..4 * HOUR, 9 * HOUR..i64::MAX];
    let bounds = Bounds { compared: HOUR..6 * HOUR, withheld, late_from: 5 * HOUR };
    let found = compare(&expected, &database, &bounds);
    let told: Vec<_> =
        found.differences.iter().map(|one| (one.timestamp / HOUR, one.kind, one.late_revision)).collect();
    assert_eq!(told, [(1, Kind::Missing, false), (5, Kind::Different, true)]);
}

#[test]
fn all_figures_of_a_point_count() {
    let figures = Figures { users: Some(12), new_users: Some(3), returning_users: Some(9) };
    let expected = [Point { timestamp: 0, figures }];
    assert_eq!(compare(&expected, &stored(&expected), &everything()).equal, 1);
    let mut database = stored(&expected);
    database.get_mut(&0).unwrap().insert("returning_users".to_owned(), Value::Integer(8));
    assert_eq!(compare(&expected, &database, &everything()).differences[0].kind, Kind::Different);
}

#[test]
fn a_shift_is_told_by_how_much() {
    let expected: Vec<Point> = (0..200).map(|hour| point(hour, hour * hour % 97)).collect();
    let moved = |by: &dyn Fn(i64) -> i64| -> Stored {
        stored(&expected).into_iter().map(|(time, fields)| (time + by(time), fields)).collect()
    };
    let shift = |database: &Stored| {
        let mut shifts = Shifts::default();
        shifts.add(&expected, database);
        shifts.shift()
    };
    assert_eq!(shift(&moved(&|_| 0)), None);
    assert_eq!(shift(&moved(&|_| -2 * HOUR)), Some(vec![-2 * HOUR]));
    assert_eq!(shift(&moved(&|_| 19_800)), Some(vec![19_800]));
    assert_eq!(shift(&moved(&|time| if time < 80 * HOUR { HOUR } else { 2 * HOUR })), Some(vec![2 * HOUR, HOUR]));
    assert_eq!(shift(&Stored::new()), None);
    assert_eq!(shift(&moved(&|time| time % (7 * HOUR))), None);
}

/// What happens to a point of a database.
#[derive(Clone, Copy, Debug)]
enum Damage {
    None,
    Lost,
    Changed,
    OtherType,
    OtherFields,
}

fn damage() -> impl Strategy<Value = Damage> {
    use Damage::{Changed, Lost, None, OtherFields, OtherType};
    prop_oneof![6 => Just(None), 1 => Just(Lost), 1 => Just(Changed), 1 => Just(OtherType), 1 => Just(OtherFields)]
}

proptest! {
    /// Damage drawn by lot is found in full; writing what is missing or different, and nothing else, repairs it.
    #[test]
    fn damage_is_found_in_full_and_repaired(
        damage in prop::collection::vec(damage(), 1..120),
        surplus in prop::collection::btree_set(200..260_i64, 0..9),
    ) {
        let expected: Vec<Point> = (0..damage.len() as i64).map(|hour| point(hour, hour % 7)).collect();
        let mut database = stored(&expected);
        for (point, damage) in expected.iter().zip(&damage) {
            let time = point.timestamp;
            match damage {
                Damage::None => {}
                Damage::Lost => drop(database.remove(&time)),
                Damage::Changed => drop(database.insert(time, fields(point.figures.users.unwrap() + 1))),
                Damage::OtherType => {
                    let value = Value::Float(point.figures.users.unwrap() as f64);
                    database.insert(time, Fields::from([("users".to_owned(), value)]));
                }
                Damage::OtherFields => drop(database.insert(time, Fields::from([("visits".to_owned(), Value::Integer(1))]))),
            }
        }
        database.extend(surplus.iter().map(|hour| (hour * HOUR, fields(1))));

        let found = compare(&expected, &database, &everything());
        let harmed = damage.iter().filter(|damage| !matches!(damage, Damage::None)).count();
        let (unexpected, repairable): (Vec<_>, Vec<_>) =
            found.differences.iter().partition(|difference| difference.kind == Kind::Unexpected);
        prop_assert_eq!(repairable.len(), harmed);
        prop_assert_eq!(unexpected.len(), surplus.len());
        prop_assert_eq!(found.equal as usize, expected.len() - harmed);

        let before = database.clone();
        for difference in repairable {
            database.insert(difference.timestamp, difference.platform.clone().unwrap());
        }
        let again = compare(&expected, &database, &everything());
        prop_assert_eq!(again.equal as usize, expected.len());
        prop_assert_eq!(again.differences.len(), surplus.len());
        let touched = before.iter().filter(|(time, fields)| database.get(time) != Some(fields)).count();
        let lost = damage.iter().filter(|damage| matches!(damage, Damage::Lost)).count();
        prop_assert_eq!(touched, harmed - lost, "nothing else is touched");
    }
}
