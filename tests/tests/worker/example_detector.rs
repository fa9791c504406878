//! `examples/detector-threshold`, used like any other detector: it is built, opened in the sandbox,
//! judges in a real worker, and its checkpoint is kept over a restart.

use std::sync::Arc;

use host::counts::Counts;
use host::datetime::Datetime;
use host::detector::{Detector, Module, Series, Set, Trainer};
use tests::EXAMPLE;
use tests::fixture::{Fixture, Layout, open_set};
use tests::logs::Lines;

fn example(settings: &str) -> Arc<Set> {
    let module = Module { name: "detector_threshold.wasm".into(), bytes: EXAMPLE.into() };
    Arc::new(Set::new(module, Vec::new(), "models".into(), settings.into()))
}

#[tokio::test]
async fn it_learns_then_judges_and_goes_on_after_a_restart() {
    let bench = Fixture::new(Layout::Keyed);
    let times: Vec<String> = (0..14).map(|minute| format!("10:{minute:02}")).collect();
    // 9 and 11 in turn: after ten readings the mean is 10 and the deviation 1.05.
    let readings: Vec<_> = times
        .iter()
        .enumerate()
        .map(|(n, at)| (at.as_str(), "T1", if n % 2 == 0 { 9.0 } else { 11.0 }))
        .collect();
    let spike = [("10:20", "T1", 20.0)];
    let late = [("10:00:30", "T1", 20.0)];

    bench.insert(&readings);
    let (lines, _guard) = Lines::listen();
    let report = bench.worker(open_set(example("{}")).await).cycle(|| false).await.unwrap();
    assert_eq!(report.counts, Counts { judged: 4, withheld: 10, ..Counts::default() });
    // It has no models, and nothing is logged about models.
    let said = lines.take();
    assert!(said.iter().any(|line| line == "INFO 14 rows found: 14 datetimes, 1 variable"), "{said:#?}");

    // A new worker, with an instance that knows only the stored checkpoint.
    bench.insert(&spike);
    bench.insert(&late);
    let report = bench.worker(open_set(example("{}")).await).cycle(|| false).await.unwrap();
    assert_eq!(report.counts, Counts { judged: 2, anomalies: 2, ..Counts::default() });
    // The late reading of 10:00:30 comes first; it was judged by the same mean, and changed
    // nothing.
    let normal = ("T1".to_owned(), [false, false, false]);
    let anomaly = ("T1".to_owned(), [true, false, true]);
    let flags: Vec<_> = bench.flags().into_iter().map(|(variable, flags, _)| (variable, flags)).collect();
    assert_eq!(flags, [&anomaly, &normal, &normal, &normal, &normal, &anomaly].map(Clone::clone));
}

/// With a model of the past the first reading is judged. Without one it learns from ten.
#[tokio::test]
async fn what_it_trains_it_judges_by_from_the_first_reading() {
    let engine = tests::fixture::engine();
    let module = Module { name: "detector_threshold.wasm".into(), bytes: EXAMPLE.into() };
    let trainer = Trainer::new(&engine, &module).await.unwrap();
    let series = |values: &[f64]| Series {
        variable: "A/B".into(),
        datetimes: (0..).take(values.len()).map(Datetime::from_micros).collect(),
        values: values.to_vec(),
        columns: Vec::new(),
    };
    let past: Vec<f64> = (0..20).map(|n| if n % 2 == 0 { 9.0 } else { 11.0 }).collect();
    let trained = trainer.train(&series(&past), "{}", &[], &[]).await.unwrap();
    assert_eq!((&*trained.file.path, trained.report.rows), ("learnt_A_B.json", 20));
    assert!((trained.report.noise - 1.026).abs() < 1e-3, "{}", trained.report.noise);
    for (values, settings, said) in [
        (&[][..], "{}", "has no reading, and a mean needs 2"),
        (&[1.0, f64::NAN], "{}", "has readings at 1 instant, and a deviation needs 2"),
        (&past, r#"{"threshold": 3}"#, "has settings, and this training has none"),
    ] {
        let refused = trainer.train(&series(values), settings, &[], &[]).await.unwrap_err();
        assert_eq!(refused.to_string(), said);
    }

    let set = Set::new(module, vec![trained.file], "models".into(), "{}".into());
    let detector = Detector::open(&engine, Arc::new(set), None).await.unwrap();
    let bench = Fixture::new(Layout::Keyed);
    bench.insert(&[("10:00", "A/B", 10.0), ("10:01", "A/B", 20.0)]);
    let report = bench.worker(detector).cycle(|| false).await.unwrap();
    assert_eq!(report.counts, Counts { judged: 2, anomalies: 1, ..Counts::default() });
}

#[tokio::test]
async fn a_setting_that_it_does_not_know_is_refused_by_name() {
    let refused =
        host::detector::Detector::open(&tests::fixture::engine(), example(r#"{"treshold": 3}"#), None).await;
    let refused = refused.map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("unknown field `treshold`, expected `threshold`"), "{refused}");
}
