//! The output and the state table: made, found as others left them, or not to be used.

use host::store::{SchemaChanges, TableName, TableNames};

use super::*;

pub async fn ensuring_makes_the_tables_once<B: TestDb>() -> Result<()> {
    let bench = B::start(&Setup::default()).await?;
    let (_, mut output) = bench.connector().open().await?;
    expect_error(output.claim(WORKER).await, ErrorKind::Schema, &["anomaly_worker_state"]);
    assert!(!output.ensure_tables().await?.created.is_empty(), "what was made is said");
    assert_eq!((bench.verdicts().await?, bench.workers().await?), (vec![], vec![]));
    let indexes = bench.output_indexes().await?;
    let pair = vec!["ds".to_owned(), "variable".to_owned()];
    assert!(indexes.contains(&(pair, true)), "no unique index on (ds, variable): {indexes:?}");
    for columns in
        [vec!["ds"], vec!["ds", "variable", "y"], vec!["ds", "is_anomaly", "variable"], vec!["processed_at"]]
    {
        let index = (columns.iter().map(ToString::to_string).collect(), false);
        assert!(indexes.contains(&index), "no index on {columns:?}: {indexes:?}");
    }
    assert_eq!(
        output.ensure_tables().await?,
        SchemaChanges::default(),
        "a second time there is nothing to do"
    );
    assert_eq!(bench.output_indexes().await?, indexes);
    Ok(())
}

pub async fn ensuring_keeps_what_is_there<B: TestDb>() -> Result<()> {
    let bench = B::start(&Setup::default()).await?;
    bench.create_output(OutputKind::Python).await?;
    let before = [("2025-01-15 09:55:00", "T1"), ("2025-01-15 10:00:00", "T1")];
    bench.insert_verdicts(&before).await?;
    let (_, mut output) = bench.connector().open().await?;
    output.ensure_tables().await?;
    assert_eq!(written(&bench).await?, pairs(&before));
    assert!(bench.output_indexes().await?.iter().any(|(_, unique)| *unique), "nothing stood in its way");
    assert_eq!(output.newest(at("2025-01-16")).await?, Some(at("2025-01-15 10:00:00")));
    Ok(())
}

pub async fn duplicates_of_the_python_worker_are_said_and_served<B: TestDb>() -> Result<()> {
    let bench = B::start(&Setup::default()).await?;
    bench.create_output(OutputKind::Python).await?;
    let before =
        [("2025-01-15 10:00:00", "T1"), ("2025-01-15 10:00:00", "T1"), ("2025-01-15 10:00:00.503", "T1")];
    bench.insert_verdicts(&before).await?;
    let (_, mut output) = bench.connector().open().await?;
    let notes = output.ensure_tables().await?.warnings;
    let told = notes.iter().find(|note| note.contains("HAVING COUNT(*) > 1"));
    assert!(told.is_some_and(|note| note.contains("anomalies_detector")), "{notes:?}");
    assert!(bench.output_indexes().await?.iter().all(|(_, unique)| !unique));
    let pair = vec!["ds".to_owned(), "variable".to_owned()];
    assert!(bench.output_indexes().await?.contains(&(pair, false)), "look-ups need an index all the same");

    // Without the unique index the worker itself must not add a second one.
    let epoch = output.claim(WORKER).await?.epoch;
    let verdicts = [verdict("2025-01-15 10:00:00", "T1"), verdict("2025-01-15 10:05:00", "T1")];
    assert_eq!(output.commit(WORKER, &Commit::of(&verdicts, &state(epoch))).await?, 1);
    assert_eq!(output.commit(WORKER, &Commit::of(&verdicts, &state(epoch))).await?, 0);
    let after = [before[0], before[1], before[2], ("2025-01-15 10:05:00", "T1")];
    let found = written(&bench).await?;
    assert_eq!(found.len(), 4);
    assert_eq!((&found[0], &found[3]), (&pairs(&after)[0], &pairs(&after)[3]));
    Ok(())
}

pub async fn an_output_without_source_file_is_served<B: TestDb>() -> Result<()> {
    let bench = B::start(&Setup::default()).await?;
    bench.create_output(OutputKind::WithoutSourceFile).await?;
    let (_, mut output) = bench.connector().open().await?;
    output.ensure_tables().await?;
    let epoch = output.claim(WORKER).await?.epoch;
    assert_eq!(
        output.commit(WORKER, &Commit::of(&[verdict("2025-01-15 10:00:00", "T1")], &state(epoch))).await?,
        1
    );
    let expected = VerdictRow { source_file: None, ..verdict("2025-01-15 10:00:00", "T1") };
    let found: Vec<VerdictRow> = bench.verdicts().await?.into_iter().map(|row| row.verdict).collect();
    assert_eq!(found, [expected]);
    Ok(())
}

pub async fn an_output_that_cannot_serve_is_refused_by_its_missing_columns<B: TestDb>() -> Result<()> {
    let bench = B::start(&Setup::default()).await?;
    bench.create_output(OutputKind::WithoutResidual).await?;
    let (_, mut output) = bench.connector().open().await?;
    let words = ["anomalies_detector", "`residual`", "`anomaly_score`"];
    expect_error(output.ensure_tables().await, ErrorKind::Schema, &words);
    assert_eq!(bench.workers().await?, vec![], "what was refused left nothing behind");
    Ok(())
}

pub async fn odd_names_are_only_names<B: TestDb>() -> Result<()> {
    names_are_only_names::<B>("dbo.[datos [de \"planta\"]", "dbo.[salida; DROP TABLE x --]").await
}

/// A server that does not know doubled brackets in quoted names has no such table. Only this is
/// tested.
pub async fn a_closing_bracket_is_part_of_a_name<B: TestDb>() -> Result<()> {
    names_are_only_names::<B>("dbo.datos", "dbo.[salida]]; DROP TABLE x --]").await
}

async fn names_are_only_names<B: TestDb>(input: &str, output: &str) -> Result<()> {
    let tables = TableNames {
        input: input.parse()?,
        output: output.parse()?,
        state: "[estado d'él]".parse()?,
        episodes: "[episodios d'él]".parse()?,
        outbox: "[salida \"d'él\"]".parse()?,
    };
    let (bench, mut input, mut output) = begin::<B>(Setup { tables, ..Setup::default() }).await?;
    bench.insert(&[Row { id: None, ..row(1, "2025-01-15 10:00:00", "T1") }]).await?;
    assert_eq!(ids(&input.read_keys(&[(1, 1)], 10).await?), [1]);
    let epoch = output.claim("o'worker \"1\"").await?.epoch;
    let verdicts = [verdict("2025-01-15 10:00:00", "T1")];
    assert_eq!(output.commit("o'worker \"1\"", &Commit::of(&verdicts, &state(epoch))).await?, 1);
    assert_eq!(output.peek("o'worker \"1\"").await?, Some(state(epoch)));
    assert_eq!(written(&bench).await?, pairs(&[("2025-01-15 10:00:00", "T1")]));
    Ok(())
}

pub async fn input_and_output_may_be_two_databases<B: TestDb>() -> Result<()> {
    let (bench, mut input, mut output) =
        begin::<B>(Setup { two_databases: true, ..Setup::default() }).await?;
    bench.insert(&[row(1, "2025-01-15 10:00:00", "T1")]).await?;
    assert_eq!(input.last_key().await?, Some(1));
    let epoch = output.claim(WORKER).await?.epoch;
    assert_eq!(
        output.commit(WORKER, &Commit::of(&[verdict("2025-01-15 10:00:00", "T1")], &state(epoch))).await?,
        1
    );
    assert_eq!(written(&bench).await?, pairs(&[("2025-01-15 10:00:00", "T1")]));

    // Each table is looked for in its own database.
    let names = TableNames { input: TableName::of("dbo", "anomalies_detector"), ..TableNames::default() };
    let setup = Setup { input: None, two_databases: true, tables: names };
    let (_bench, mut input, _output) = begin::<B>(setup).await?;
    expect_error(input.layout().await, ErrorKind::Schema, &["anomalies_detector"]);
    Ok(())
}

pub async fn a_database_that_cannot_be_written_is_a_matter_of_rights<B: TestDb>() -> Result<()> {
    let (bench, input, mut output) = begin::<B>(Setup { two_databases: true, ..Setup::default() }).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    output.commit(WORKER, &Commit::of(&[verdict("2025-01-15 10:00:00", "T1")], &state(epoch))).await?;
    output.close().await?;
    drop(input);
    bench.forbid_writing().await?;

    let (_, mut output) = bench.connector().open().await?;
    expect_error(output.claim(WORKER).await, ErrorKind::Permission, &["right"]);
    let second = [verdict("2025-01-15 10:05:00", "T1")];
    expect_error(
        output.commit(WORKER, &Commit::of(&second, &state(epoch))).await,
        ErrorKind::Permission,
        &["right"],
    );
    assert_eq!(
        output.probe().await?.problems.first().map(|problem| problem.kind),
        Some(ErrorKind::Permission)
    );
    // Reading still works.
    assert_eq!(output.peek(WORKER).await?, Some(state(epoch)));
    assert_eq!(output.newest(at("2025-01-16")).await?, Some(at("2025-01-15 10:00:00")));
    assert_eq!(written(&bench).await?, pairs(&[("2025-01-15 10:00:00", "T1")]));
    Ok(())
}

pub async fn a_probe_leaves_no_trace<B: TestDb>() -> Result<()> {
    let bench = B::start(&Setup::default()).await?;
    let (_, mut output) = bench.connector().open().await?;
    assert!(output.probe().await?.problems.is_empty(), "tables that are missing can be made");
    expect_error(output.peek(WORKER).await, ErrorKind::Schema, &["anomaly_worker_state"]);
    output.ensure_tables().await?;
    let epoch = output.claim(WORKER).await?.epoch;
    assert!(output.probe().await?.problems.is_empty());
    assert_eq!((bench.verdicts().await?, bench.workers().await?), (vec![], vec![(WORKER.to_owned(), epoch)]));
    Ok(())
}

pub async fn a_probe_finds_what_would_keep_a_commit_from_working<B: TestDb>() -> Result<()> {
    let bench = B::start(&Setup::default()).await?;
    bench.create_output(OutputKind::WithoutResidual).await?;
    let (_, mut output) = bench.connector().open().await?;
    let problems = output.probe().await?.problems;
    let said: Vec<(ErrorKind, bool)> =
        problems.iter().map(|problem| (problem.kind, problem.message.contains("`residual`"))).collect();
    assert_eq!(said, [(ErrorKind::Schema, true)], "{problems:?}");
    assert_eq!(bench.workers().await?, vec![]);
    Ok(())
}
