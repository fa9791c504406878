use super::*;

const SETTLE: Duration = Duration::from_secs(20);

fn at(seconds: i64) -> Datetime {
    Datetime::from_micros(seconds * 1_000_000)
}

fn gap(first: i64, last: i64, seen: i64) -> Gap {
    Gap { first, last, seen: at(seen) }
}

fn position(scanned: i64, gaps: &[Gap]) -> KeyPosition {
    KeyPosition { gaps: gaps.to_vec(), ..KeyPosition::at(at(0), scanned) }
}

/// Without what it remembers of rows and of gaps that were given up.
fn bare(position: KeyPosition) -> KeyPosition {
    KeyPosition { marks: Vec::new(), given_up: Vec::new(), ..position }
}

/// Rows given as (id, seconds); a negative second stands for a malformed row.
fn page(rows: &[(i64, i64)], full: bool) -> Page {
    let mut page = Page { full, ..Page::default() };
    for &(id, seconds) in rows {
        if seconds < 0 {
            page.malformed.push(crate::reading::Malformed {
                id: Some(id),
                datetime: None,
                why: String::new(),
            });
        } else {
            page.readings.push(crate::reading::Reading {
                id: Some(id),
                datetime: at(seconds),
                variable: "T1".into(),
                value: Some(1.0),
                source_file: None,
            });
        }
    }
    page
}

#[test]
fn a_page_moves_the_position_and_leaves_gaps() {
    let (min, max) = (i64::MIN, i64::MAX);
    for (why, before, rows, now, after) in [
        ("nothing came", position(5, &[]), vec![], 9, position(5, &[])),
        ("the next ids", position(5, &[]), vec![(6, 0), (7, 0)], 9, position(7, &[])),
        (
            "an id in between is missing",
            position(5, &[]),
            vec![(6, 0), (9, 0)],
            9,
            position(9, &[gap(7, 8, 9)]),
        ),
        ("the first is missing", position(5, &[]), vec![(8, 0)], 9, position(8, &[gap(6, 7, 9)])),
        ("a malformed row was there", position(5, &[]), vec![(6, -1), (7, 0)], 9, position(7, &[])),
        ("a gap is filled", position(9, &[gap(7, 7, 1)]), vec![(7, 0)], 9, position(9, &[])),
        (
            "a gap is filled in its middle",
            position(9, &[gap(2, 6, 1)]),
            vec![(4, 0)],
            9,
            position(9, &[gap(2, 3, 1), gap(5, 6, 1)]),
        ),
        (
            "another writer's range: whoever wrote there may go on",
            position(300_000, &[gap(2, 250_000, 1)]),
            vec![(4, 0)],
            9,
            position(300_000, &[gap(2, 3, 1), gap(5, 250_000, 9)]),
        ),
        ("a gap just young enough", position(9, &[gap(7, 7, 1)]), vec![], 20, position(9, &[gap(7, 7, 1)])),
        ("a gap that is over", position(9, &[gap(7, 7, 1)]), vec![], 21, position(9, &[])),
        (
            "a gap that is over, filled at the last look",
            position(9, &[gap(7, 8, 1)]),
            vec![(7, 0)],
            21,
            position(9, &[]),
        ),
        ("the clock was set back", position(9, &[gap(7, 7, 500)]), vec![], 3, position(9, &[gap(7, 7, 3)])),
        ("the lowest ids", position(min, &[]), vec![(min + 1, 0)], 9, position(min + 1, &[])),
        ("an empty table's first", position(min, &[]), vec![(1, 0)], 9, position(1, &[gap(min + 1, 0, 9)])),
        (
            "the greatest id",
            position(max - 2, &[]),
            vec![(max, 0)],
            9,
            position(max, &[gap(max - 1, max - 1, 9)]),
        ),
        (
            "nothing beyond it",
            position(max, &[gap(max - 1, max - 1, 9)]),
            vec![(max - 1, 0)],
            9,
            position(max, &[]),
        ),
    ] {
        let mut found = before;
        let page = page(&rows, false);
        let taken = found.advance(&mut KeyScan::default(), page.clone(), at(now), SETTLE);
        assert_eq!((bare(found), taken), (after, PageOutcome::Accepted { page, too_late: 0 }), "{why}");
    }
}

#[test]
fn spans_are_the_gaps_and_then_all_that_is_new() {
    let gaps = [gap(2, 3, 0), gap(6, 8, 0)];
    for (scanned, looked_to, expected) in [
        (9, i64::MIN, vec![(2, 3), (6, 8), (10, i64::MAX)]),
        (9, 3, vec![(6, 8), (10, i64::MAX)]),
        (9, 7, vec![(8, 8), (10, i64::MAX)]),
        (9, 9, vec![(10, i64::MAX)]),
        (i64::MAX, 6, vec![(7, 8)]),
        (i64::MAX, i64::MAX, vec![]),
    ] {
        assert_eq!(position(scanned, &gaps).spans(&KeyScan { looked_to, certain: false }), expected);
    }
}

/// The position before each page is scanned up to 9 with the gaps 2..=3 and 6..=6, seen so long ago
/// that one look ends them.
#[test]
fn a_full_page_keeps_whole_datetimes_and_settles_only_what_it_reached() {
    let gaps = [gap(2, 3, 0), gap(6, 6, 0)];
    for (why, rows, kept, scanned, gaps_left) in [
        (
            "the last datetime goes",
            vec![(10, 1), (11, 1), (12, 2), (13, 2)],
            Some(vec![(10, 1), (11, 1)]),
            11,
            vec![],
        ),
        ("with the malformed among it", vec![(10, 1), (11, 2), (12, -1)], Some(vec![(10, 1)]), 10, vec![]),
        ("a malformed row before it stays", vec![(10, -1), (11, 2)], Some(vec![(10, -1)]), 10, vec![]),
        ("malformed rows only", vec![(10, -1), (11, -1)], Some(vec![(10, -1), (11, -1)]), 11, vec![]),
        ("one datetime, and a gap's row", vec![(3, 2), (10, 2), (11, 2)], Some(vec![(3, 2)]), 9, vec![]),
        ("one datetime and no more", vec![(10, 2), (11, 2)], None, 9, gaps.to_vec()),
        (
            "gaps' rows only: the second gap was not reached",
            vec![(2, 1)],
            Some(vec![(2, 1)]),
            9,
            vec![gap(3, 3, 0), gap(6, 6, 0)],
        ),
        ("the first gap reached to its end", vec![(3, 1)], Some(vec![(3, 1)]), 9, vec![gap(6, 6, 0)]),
    ] {
        let mut found = position(9, &gaps);
        let taken = found.advance(&mut KeyScan::default(), page(&rows, true), at(100), SETTLE);
        let expected = kept.map_or(PageOutcome::TooSmall, |kept| PageOutcome::Accepted {
            page: page(&kept, true),
            too_late: 0,
        });
        assert_eq!((bare(found), taken), (position(scanned, &gaps_left), expected), "{why}");
    }
}

#[test]
fn a_gap_is_looked_at_once_more_when_its_time_is_over() {
    // Seen in this very pass, with no settle time at all: the next pass looks, and only then gives
    // up.
    let mut found = position(0, &[]);
    let mut pass = KeyScan::default();
    found.advance(&mut pass, page(&[(2, 1), (3, 2)], true), at(0), Duration::ZERO);
    found.advance(&mut pass, page(&[(3, 2)], false), at(50), Duration::ZERO);
    assert_eq!(bare(found.clone()), position(3, &[gap(1, 1, 0)]));
    // The mark is where it was, and is not new.
    found.advance(&mut KeyScan::default(), page(&[(3, 2)], false), at(50), Duration::ZERO);
    assert_eq!(bare(found), position(3, &[]));
}

/// Ids up to 9 were read, and those at 5 and 9 are remembered.
#[test]
fn a_row_that_is_not_where_it_was_is_made_sense_of() {
    let mark = |id, second| ReadMark { id, datetime: at(second), variable: "T1".to_owned() };
    let remembering = || KeyPosition { marks: vec![mark(5, 5), mark(9, 9)], ..position(9, &[gap(7, 8, 1)]) };
    assert_eq!(remembering().spans(&KeyScan::default()), [(7, 8), (9, i64::MAX)]);
    let advance = |rows: &[(i64, i64)]| {
        let mut found = remembering();
        let taken = found.advance(&mut KeyScan::default(), page(rows, false), at(2), SETTLE);
        (taken, found.scanned)
    };
    let rows = |rows: &[(i64, i64)]| PageOutcome::Accepted { page: page(rows, false), too_late: 0 };
    assert_eq!(advance(&[(9, 9)]), (rows(&[]), 9), "it is where it was, and no news");
    assert_eq!(advance(&[(9, 9), (10, 11)]), (rows(&[(10, 11)]), 10));
    for (why, there) in [("gone", vec![]), ("gone, with news", vec![(10, 1)]), ("another", vec![(9, 4)])] {
        assert_eq!(advance(&there), (PageOutcome::Doubtful, 9), "{why}");
    }
    for (why, found, last, doubt, scanned) in [
        ("emptied", vec![], None, Doubt::Empty, 9),
        ("emptied and filled anew", vec![], Some(4), Doubt::StartedAgain, 9),
        ("filled anew, beyond it", vec![], Some(30), Doubt::StartedAgain, 9),
        ("other rows have the ids", vec![(5, 5), (9, 4)], Some(30), Doubt::StartedAgain, 9),
        ("the newest were deleted", vec![(5, 5)], Some(6), Doubt::Deleted, 6),
        ("one was deleted", vec![(5, 5)], Some(30), Doubt::Deleted, 9),
    ] {
        let mut position = remembering();
        let resolved = position.resolve(&page(&found, false), last);
        assert_eq!((resolved, position.scanned), (doubt, scanned), "{why}");
        assert!(position.gaps.iter().all(|gap| gap.first <= gap.last), "{why}: {position:?}");
    }
}

/// Two writers, one from 1 on and one from 1,000,000,000 on: however long the first rests, its next
/// row is found.
#[test]
fn a_range_of_ids_below_the_greatest_is_followed() {
    let mut found = position(0, &[]);
    let mut take = |rows: &[(i64, i64)], now: i64| {
        let spans = found.spans(&KeyScan::default());
        let asked = |id: i64| spans.iter().any(|(first, last)| (*first..=*last).contains(&id));
        assert!(rows.iter().all(|(id, _)| asked(*id)), "{rows:?} of {spans:?}");
        found.marks.clear();
        found.advance(&mut KeyScan::default(), page(rows, false), at(now), SETTLE);
    };
    take(&[(1, 1), (2, 1), (1_000_000_000, 1)], 1);
    take(&[], 10_000);
    take(&[(3, 2), (1_000_000_001, 2)], 10_001);
    take(&[(4, 3), (1_000_000_002, 3)], 90_000);
    assert_eq!(bare(found).gaps, [gap(5, 999_999_999, 90_000)]);
}

#[test]
fn a_page_too_large_for_memory_is_taken_in_the_middle_of_a_datetime() {
    let rows: Vec<(i64, i64)> = (1..=LARGEST_PAGE as i64).map(|id| (id, 7)).collect();
    let mut found = position(0, &[]);
    let taken = found.advance(&mut KeyScan::default(), page(&rows, true), at(0), SETTLE);
    let whole = PageOutcome::Accepted { page: page(&rows, true), too_late: 0 };
    assert_eq!((bare(found), taken), (position(LARGEST_PAGE as i64, &[]), whole));
}

#[test]
fn too_many_gaps_are_merged_where_least_lies_between_them() {
    // Gaps of one id, ten apart; but 301 and 303 are neighbours, as are 500 and 504.
    let apart = |n: i64| gap(10 * n, 10 * n, n);
    let mut gaps: Vec<Gap> = (0..64).map(apart).collect();
    gaps.insert(31, gap(303, 303, 99));
    gaps.insert(52, gap(504, 504, 2));
    let mut expected: Vec<Gap> = (0..64).map(apart).collect();
    expected[30] = gap(300, 303, 99);
    expected[50] = gap(500, 504, 50);
    merge_nearest(&mut gaps);
    assert_eq!(gaps, expected);
    merge_nearest(&mut gaps);
    assert_eq!(gaps, expected);
    let mut ends: Vec<Gap> = (0..65).map(|n| gap(n * 2, n * 2, 0)).collect();
    ends[0] = gap(i64::MIN, i64::MIN, 0);
    ends[64] = gap(i64::MAX, i64::MAX, 0);
    merge_nearest(&mut ends);
    assert_eq!((ends.len(), ends[0].last, ends[1].last, ends[63].first), (64, i64::MIN, 4, i64::MAX));
}

#[test]
fn a_new_worker_waits_for_inserts_in_flight_when_it_starts() {
    let since = 100;
    let lowest = 1_000 - IN_FLIGHT;
    for (why, first, last, before, scanned, gaps) in [
        ("an empty table", None, None, vec![], i64::MIN, vec![]),
        ("all ids are old", None, Some(2), vec![(1, 5), (2, 5)], 2, vec![gap(3 - IN_FLIGHT, 0, 7)]),
        (
            "an id is missing",
            Some(1_001),
            Some(2_000),
            vec![(998, 5), (1_000, 5)],
            1_000,
            vec![gap(lowest + 1, 997, 7), gap(999, 999, 7)],
        ),
        (
            "one came since the first was looked for",
            Some(1_001),
            Some(2_000),
            vec![(999, 100), (1_000, 5)],
            1_000,
            vec![gap(lowest + 1, 999, 7)],
        ),
        ("the lowest id of all", Some(i64::MIN), Some(0), vec![], i64::MIN, vec![gap(i64::MIN, i64::MIN, 7)]),
    ] {
        let found = KeyPosition::start(at(since), first, last, &page(&before, false), at(7));
        let gaps: Vec<Gap> = gaps;
        assert_eq!((found.since, found.scanned, found.gaps), (at(since), scanned, gaps), "{why}");
    }
}

#[test]
fn the_state_row_keeps_it_as_json() {
    let kept = crate::position::Position::Key(position(9, &[gap(2, 3, 60)]));
    let json = serde_json::json!({
        "by": "key", "since": "1970-01-01 00:00:00", "scanned": 9,
        "gaps": [{"first": 2, "last": 3, "seen": "1970-01-01 00:01:00"}],
    });
    assert_eq!(serde_json::to_value(&kept).ok(), Some(json.clone()));
    assert_eq!(serde_json::from_value(json).ok(), Some(kept));
}
