//! What every store promises, as a list of cases that each store runs whole:
//! [`conformance!`](crate::conformance) makes a test of each for a [`TestDb`], which sets up a
//! database and reads it without the store.
//!
//! A case is one promise. It starts on a fresh database, and fails by an error or a panic.

#![allow(clippy::expect_used, clippy::missing_errors_doc, reason = "a case that cannot go on fails")]

pub mod commit;
pub mod episodes;
pub mod history;
pub mod import;
pub mod key;
pub mod lead;
pub mod names;
pub mod page;
pub mod range;
pub mod replace;
pub mod state;
pub mod tables;
mod test_db;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use host::batch::Flags;
use host::counts::Counts;
use host::datetime::Datetime;
use host::position::{KeyPosition, Position};
use host::reading::Page;
use host::state::State;
use host::store::{Commit, ErrorKind, Input, Output, StoreError};
use host::verdict::VerdictRow;

pub use test_db::{InputKind, OutputKind, Row, Setup, TestDb, Written, row};

/// The name of the cases' worker.
const WORKER: &str = "line 1";

/// An empty page.
const EMPTY: Seen<'static> = Seen { readings: Vec::new(), full: false };

/// The instant that a text names.
///
/// # Panics
/// If it is not a datetime, which is an error of the suite.
pub fn at(text: &str) -> Datetime {
    Datetime::parse(text).expect("a datetime of the suite")
}

/// A reading as a case expects it: id, datetime, variable, value.
type Known<'a> = (Option<i64>, Datetime, &'a str, Option<f64>);

/// A page as a case expects it.
#[derive(Debug, PartialEq)]
struct Seen<'a> {
    readings: Vec<Known<'a>>,
    full: bool,
}

/// # Panics
/// If the page has malformed rows, which no case of the suite inserts.
fn seen(page: &Page) -> Seen<'_> {
    assert_eq!(page.malformed, [], "nothing here is malformed");
    let readings =
        page.readings.iter().map(|row| (row.id, row.datetime, &*row.variable, row.value)).collect();
    Seen { readings, full: page.full }
}

fn ids(page: &Page) -> Vec<i64> {
    page.readings.iter().filter_map(|reading| reading.id).collect()
}

/// A verdict in which all numbers are different.
pub fn verdict(ds: &str, variable: &str) -> VerdictRow {
    VerdictRow {
        ds: at(ds),
        variable: variable.into(),
        y: 21.25,
        yhat: 20.5,
        yhat_lower: 19.125,
        yhat_upper: 21.000_001,
        residual: 0.75,
        flags: Flags { outside_interval: true, anomaly: true, ..Flags::default() },
        anomaly_score: 33.33,
        prediction_error_pct: 3.66,
        source_file: Some("linea_1.csv".into()),
    }
}

/// The smallest state with this epoch.
pub fn state(epoch: i64) -> State {
    State {
        epoch,
        position: Position::Key(KeyPosition::at(at("2025-01-14 10:00:00"), 7)),
        watermark: Some(at("2025-01-15 10:00:00")),
        ahead: host::position::Ahead::default(),
        reconciliation: host::reconciliation::Reconciliation::default(),
        checkpoint: None,
        memory: Default::default(),
        set_digest: None,
        models: None,
        set_aside: BTreeMap::new(),
        counts: Counts::default(),
        updated_at: at("2025-01-15 10:00:05"),
    }
}

fn key(variable: &str, ds: &str) -> (Arc<str>, Datetime) {
    (variable.into(), at(ds))
}

/// A database set up as asked, both connections, and the output's tables made.
async fn begin<B: TestDb>(setup: impl Into<Setup>) -> Result<(B, Box<dyn Input>, Box<dyn Output>)> {
    let bench = B::start(&setup.into()).await?;
    let (input, mut output) = bench.connector().open().await?;
    output.ensure_tables().await?;
    Ok((bench, input, output))
}

/// The ds and the variable of each row of the output table.
async fn written<B: TestDb>(bench: &B) -> Result<Vec<(String, String)>> {
    let verdicts = bench.verdicts().await?;
    Ok(verdicts.iter().map(|row| (row.verdict.ds.to_string(), row.verdict.variable.to_string())).collect())
}

fn pairs(keys: &[(&str, &str)]) -> Vec<(String, String)> {
    keys.iter().map(|&(ds, variable)| (ds.to_owned(), variable.to_owned())).collect()
}

/// Asserts that a call failed in this way, with all of these words in its message.
fn expect_error<T: std::fmt::Debug>(done: Result<T, StoreError>, kind: ErrorKind, words: &[&str]) {
    let error = done.expect_err("this call had to fail");
    assert_eq!(error.kind, kind, "{error}");
    for word in words {
        assert!(error.message.contains(word), "`{word}` is missing in: {error}");
    }
}

/// Makes a `#[tokio::test]` of each case for a bench: `conformance!(SqliteBench);` in a file of a
/// crate's `tests/`. With attributes before the bench each test has them: `conformance!(#[ignore =
/// "needs a server"] ServerBench);`. The expression after `after` is evaluated before each.
#[macro_export]
macro_rules! conformance {
    ($(#[$about:meta])* $bench:ty $(, after $first:expr)?) => {
        $crate::conformance!(@tests [$(#[$about])*] [$($first)?] $bench;
            key {
                the_layout_says_what_the_table_has
                a_missing_input_table_is_named
                keys_come_in_order_up_to_the_limit
                several_spans_share_one_limit
                a_gap_is_read_once_it_is_filled
                nulls_and_duplicates_come_as_they_are
                any_text_is_a_variable
                an_empty_table_has_no_keys
                the_first_key_of_a_time_is_by_key_not_by_time
                without_a_key_it_is_read_by_datetime_only
            }
            range {
                a_range_is_half_open
                a_range_is_in_time_order_whatever_came_first
                a_full_page_says_so_and_the_next_goes_on
                a_limit_within_one_datetime_keeps_the_lowest_keys
                windows_that_meet_give_each_reading_once
                a_count_agrees_with_what_is_read
                given_datetimes_bring_all_their_rows
                the_end_of_all_time_is_a_range_too
            }
            tables {
                ensuring_makes_the_tables_once
                ensuring_keeps_what_is_there
                duplicates_of_the_python_worker_are_said_and_served
                an_output_without_source_file_is_served
                an_output_that_cannot_serve_is_refused_by_its_missing_columns
                odd_names_are_only_names
                a_closing_bracket_is_part_of_a_name
                input_and_output_may_be_two_databases
                a_database_that_cannot_be_written_is_a_matter_of_rights
                a_probe_leaves_no_trace
                a_probe_finds_what_would_keep_a_commit_from_working
            }
            commit {
                a_commit_writes_verdicts_whole
                the_same_commit_again_writes_nothing_twice
                of_a_key_given_twice_the_first_is_written
                a_commit_from_an_older_epoch_leaves_nothing
                a_commit_that_fails_in_the_middle_leaves_nothing
                a_commit_of_many_verdicts_is_one_commit
                already_judged_names_what_is_there_and_nothing_else
                of_many_keys_a_single_verdict_is_found
                already_judged_tells_close_instants_apart
                the_newest_verdict_is_the_latest_in_time
            }
            episodes {
                episodes_and_messages_go_with_their_verdicts_or_not_at_all
                a_row_that_somebody_else_has_changed_takes_the_commit_back
                episodes_are_found_by_their_range_and_by_their_number
                what_is_remembered_comes_back_beside_a_checkpoint_and_without_one
                a_person_shelves_a_variable_and_says_what_an_episode_was
                entries_come_due_in_order_and_are_settled
                names_that_the_output_tells_apart_have_episodes_of_their_own
            }
            names {
                names_are_the_same_where_the_output_takes_them_for_the_same
                another_spelling_is_the_one_that_the_output_holds
                a_verdict_is_replaced_by_one_of_its_very_name_only
                a_page_shows_the_verdicts_that_the_output_takes_for_one_variable
            }
            lead {
                of_workers_with_one_name_one_leads
            }
            state {
                a_state_comes_back_whole
                a_state_replaces_all_of_the_one_before
                parts_follow_the_last_commit
                parts_go_with_their_verdicts_or_not_at_all
                taking_a_name_fences_off_its_holder
                the_first_two_to_take_a_name_do_not_both_hold_it
                peeking_takes_nothing
                a_deleted_row_is_fenced_and_taken_anew
                workers_do_not_disturb_each_other
                a_new_connection_finds_what_the_last_one_left
                forgetting_deletes_the_row_of_its_holder_only
                what_is_set_aside_is_exchanged_under_a_worker_at_work
            }
            replace {
                replacing_exchanges_the_verdicts_of_these_keys
                replacing_makes_one_of_several
                a_replacement_that_fails_leaves_the_old_verdicts
                verdicts_are_read_back_as_they_stand
                verdicts_come_in_pages_by_time
                of_verdicts_the_anomalies_alone_may_be_asked_for
            }
            page {
                a_page_finds_every_variable_once
                a_stretch_is_read_from_either_end_up_to_its_limit
                the_extremes_of_a_stretch_are_found_without_its_rows
                a_verdict_comes_to_the_page_as_it_was_written
                anomalies_are_found_by_time_score_and_variable
                a_page_reads_beside_a_worker_and_sees_its_state
            }
            history {
                ids_that_start_again_are_read_again
                ids_that_are_given_out_anew_below_rows_that_stay_are_found
                a_writer_in_a_lower_range_of_ids_is_found_and_then_followed
                rows_dated_ahead_decide_nothing
                of_names_that_are_equal_one_is_judged_and_the_other_counted
                a_value_that_comes_later_is_judged
                what_is_committed_later_than_anybody_waits_for_is_found
                a_trigger_of_the_output_changes_no_account
                generated_columns_fill_themselves
            }
            import {
                readings_are_inserted_once
                a_null_does_not_stand_in_the_way_of_a_reading
                a_missing_input_table_is_made_only_if_asked_for
                a_table_without_key_or_file_takes_readings_too
                odd_names_and_values_are_imported_as_they_are
            }
        );
    };
    (@tests $about:tt $first:tt $bench:ty; $($module:ident { $($case:ident)* })*) => {
        $($crate::conformance!(@module $about $first $bench; $module { $($case)* });)*
    };
    (@module $about:tt $first:tt $bench:ty; $module:ident { $($case:ident)* }) => {
        mod $module {
            use super::*;
            $($crate::conformance!(@test $about $first $bench; $module $case);)*
        }
    };
    (@test [$(#[$about:meta])*] [$($first:expr)?] $bench:ty; $module:ident $case:ident) => {
        #[tokio::test]
        $(#[$about])*
        async fn $case() -> anyhow::Result<()> {
            $($first;)?
            $crate::conformance::$module::$case::<$bench>().await
        }
    };
}
