//! Names that are equal in the output's collation (`TEMP-03` and `temp-03`): one is judged, the
//! other's readings are counted, and no verdict is shared.

use host::counts::Counts;
use host::detector::Detector;
use host::worker::backfill::{Backfill, BackfillPlan};
use tests::fixture::{Fixture, Layout, WORKER, datetime, hostile, open_set, verdicts};
use tests::logs::Lines;

const BOTH: [(&str, &str, f64); 4] = [
    ("10:00", "temp-03", 1.0),
    ("10:00", "TEMP-03", 2.0),
    ("10:05", "temp-03", 3.0),
    ("10:05", "TEMP-03", 4.0),
];

/// An output that another program made, whose names are in this collation.
fn bench(layout: Layout, collation: &str) -> Fixture {
    let bench = Fixture::new(layout);
    let ddl = host::store::schema::sqlite::output(&bench.store.tables.output);
    let column = format!("variable TEXT COLLATE {collation}");
    bench.execute(&ddl.replace("variable TEXT", &column));
    bench
}

async fn with_models(models: &[&str]) -> Detector {
    open_set(hostile("{}", models)).await
}

fn of(name: &str) -> Vec<(&'static str, &'static str, f64)> {
    BOTH.into_iter().filter(|(_, variable, _)| *variable == name).collect()
}

fn plan(variables: Option<&str>) -> BackfillPlan {
    BackfillPlan {
        worker: WORKER.into(),
        shard: None,
        from: datetime("09:00"),
        to: datetime("11:00"),
        variables: variables.map(|name| [name.into()].into()),
        replace: true,
        rules: Default::default(),
        batch_rows: 4000,
    }
}

async fn backfill(bench: &Fixture, plan: &BackfillPlan, detector: &mut Detector) -> (Counts, u64) {
    let mut backfill = Backfill::begin(plan, &bench.store, detector).await.unwrap();
    while backfill.step(detector).await.unwrap() {}
    let progress = backfill.progress();
    backfill.finish().await.unwrap();
    (progress.counts, progress.replaced)
}

/// The one that has a model is judged. Of several with models it is the first by its bytes, and
/// without models the one that came first.
#[tokio::test]
async fn of_equal_names_one_is_judged_and_the_other_named_once() {
    for (models, judged, other) in [
        (&["TEMP-03"][..], "TEMP-03", "temp-03"),
        (&["temp-03"], "temp-03", "TEMP-03"),
        (&["temp-03", "TEMP-03"], "TEMP-03", "temp-03"),
        (&["*"], "temp-03", "TEMP-03"),
    ] {
        for layout in Layout::BOTH {
            let (lines, _guard) = Lines::listen();
            let bench = bench(layout, "NOCASE");
            bench.insert(&BOTH);
            let mut worker = bench.worker(with_models(models).await);
            let report = worker.cycle(|| false).await.unwrap();
            let counts = Counts { judged: 2, equal_names: 2, ..Counts::default() };
            assert_eq!((report.rows, report.counts), (4, counts), "{models:?} {layout:?}");
            assert_eq!(bench.verdicts(), verdicts(&of(judged)), "{models:?} {layout:?}");
            let again = worker.cycle(|| false).await.unwrap();
            assert_eq!(
                (again.rows, again.counts),
                (0, Counts::default()),
                "{models:?} {layout:?}: news once"
            );
            bench.insert(&[("10:10", other, 5.0)]);
            worker.cycle(|| false).await.unwrap();
            assert_eq!(bench.state().await.unwrap().counts.equal_names, 3, "{models:?} {layout:?}");
            let said = lines.take();
            let said: Vec<_> = said.iter().filter(|line| line.contains("for one")).collect();
            assert_eq!(
                said,
                [&format!(
                    "WARN the output takes the names `{other}` and `{judged}` for one: `{judged}` is judged and readings of \
                     `{other}` pass unjudged; rename one, or give the column `variable` of the output a collation that \
                     tells them apart"
                )],
                "{models:?} {layout:?}"
            );
        }
    }
}

#[tokio::test]
async fn where_the_output_tells_names_apart_both_are_judged() {
    for layout in Layout::BOTH {
        let bench = bench(layout, "BINARY");
        bench.insert(&BOTH);
        let report = bench.worker(with_models(&["*"]).await).cycle(|| false).await.unwrap();
        assert_eq!(report.counts, Counts { judged: 4, ..Counts::default() }, "{layout:?}");
        assert_eq!(bench.verdicts(), verdicts(&BOTH), "{layout:?}");
    }
}

/// The name that was judged is judged also after a restart, whichever comes first. Another set may
/// change that.
#[tokio::test]
async fn the_choice_outlives_a_restart() {
    for layout in Layout::BOTH {
        let bench = bench(layout, "NOCASE");
        bench.insert(&[("10:00", "TEMP-03", 1.0)]);
        bench.worker(with_models(&["*"]).await).cycle(|| false).await.unwrap();
        bench.insert(&[("10:05", "temp-03", 2.0), ("10:05", "TEMP-03", 3.0), ("10:10", "temp-03", 4.0)]);
        let report = bench.worker(with_models(&["*"]).await).cycle(|| false).await.unwrap();
        assert_eq!(report.counts, Counts { judged: 1, equal_names: 2, ..Counts::default() }, "{layout:?}");
        let first = [("10:00", "TEMP-03", 1.0), ("10:05", "TEMP-03", 3.0)];
        assert_eq!(bench.verdicts(), verdicts(&first), "{layout:?}");

        bench.insert(&[("10:15", "temp-03", 5.0), ("10:15", "TEMP-03", 6.0)]);
        let report = bench.worker(with_models(&["temp-03"]).await).cycle(|| false).await.unwrap();
        assert_eq!(report.counts.equal_names, 1, "{layout:?}: {report:?}");
        let mut all = vec![first[0], first[1], ("10:15", "temp-03", 5.0)];
        if layout == Layout::Keyless {
            // Looked at again within the allowed lateness, and there is room for its verdict.
            all.push(("10:10", "temp-03", 4.0));
        }
        assert_eq!(bench.verdicts(), verdicts(&all), "{layout:?}");
    }
}

/// Two shares never see each other's names. By the models they make the same choice.
#[tokio::test]
async fn shares_agree_on_the_one_that_is_judged() {
    for layout in Layout::BOTH {
        let mut bench = bench(layout, "NOCASE");
        bench.insert(&BOTH);
        let mut counts = Counts::default();
        for number in 1..=5 {
            bench.settings.name = format!("default {number}/5");
            bench.settings.shard = Some(format!("{number}/5").parse().unwrap());
            let mut worker = bench.worker(with_models(&["temp-03", "TEMP-03"]).await);
            counts += worker.cycle(|| false).await.unwrap().counts;
        }
        assert_eq!(counts, Counts { judged: 2, equal_names: 2, ..Counts::default() }, "{layout:?}");
        assert_eq!(bench.verdicts(), verdicts(&of("TEMP-03")), "{layout:?}");
    }
}

/// A backfill that replaces: it replaces only the name's own verdicts, writes none for the other
/// name, and leaves those of other variables.
#[tokio::test]
async fn a_backfill_of_one_name_leaves_the_verdicts_of_the_other() {
    for layout in Layout::BOTH {
        let bench = bench(layout, "NOCASE");
        bench.insert(&BOTH);
        let mut detector = with_models(&["TEMP-03", "temp-03"]).await;
        bench.worker(with_models(&["TEMP-03", "temp-03"]).await).cycle(|| false).await.unwrap();
        for (variables, counts, replaced) in [
            (Some("temp-03"), Counts { equal_names: 2, ..Counts::default() }, 0),
            (Some("TEMP-03"), Counts { judged: 2, ..Counts::default() }, 2),
            (None, Counts { judged: 2, equal_names: 2, ..Counts::default() }, 2),
        ] {
            let found = backfill(&bench, &plan(variables), &mut detector).await;
            assert_eq!(found, (counts, replaced), "{layout:?} {variables:?}");
            assert_eq!(bench.verdicts(), verdicts(&of("TEMP-03")), "{layout:?} {variables:?}");
        }
        // The other has the model now. It is judged where there is no verdict yet, and replaces
        // none of the first.
        bench.insert(&[("10:10", "temp-03", 5.0)]);
        let mut other = with_models(&["temp-03"]).await;
        let (counts, replaced) = backfill(&bench, &plan(None), &mut other).await;
        let expected = Counts { judged: 1, already_judged: 2, equal_names: 2, ..Counts::default() };
        assert_eq!((counts, replaced), (expected, 0), "{layout:?}");
        let mut all = of("TEMP-03");
        all.push(("10:10", "temp-03", 5.0));
        assert_eq!(bench.verdicts(), verdicts(&all), "{layout:?}");
    }
}

/// Blanks at the end may be ignored too, and only a unique index may show that.
#[tokio::test]
async fn a_unique_index_of_its_own_collation_counts() {
    for layout in Layout::BOTH {
        let bench = bench(layout, "BINARY");
        bench.execute("CREATE UNIQUE INDEX u ON anomalies_detector (variable COLLATE RTRIM, ds)");
        bench.insert(&[("10:00", "T1 ", 1.0), ("10:00", "T1", 2.0), ("10:00", "t1", 3.0)]);
        let mut worker = bench.worker(with_models(&["T1", "t1"]).await);
        let report = worker.cycle(|| false).await.unwrap();
        assert_eq!(report.counts, Counts { judged: 2, equal_names: 1, ..Counts::default() }, "{layout:?}");
        assert_eq!(bench.verdicts(), verdicts(&[("10:00", "T1", 2.0), ("10:00", "t1", 3.0)]), "{layout:?}");
    }
}
