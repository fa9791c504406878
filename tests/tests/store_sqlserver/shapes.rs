//! Tables of other types than ours: DATETIME and DATETIME2 with their hidden digits, FLOAT and
//! REAL, NVARCHAR, views.

use host::datetime::Datetime;
use host::store::{Commit, ErrorKind};
use tests::conformance::{Setup, TestDb};
use tests::conformance_sqlserver::SqlServerTestDb;

use super::{WORKER, at, error_of, on_server, state, verdict};

/// The bench with an input table of these columns, and rows in it.
async fn input_of(columns: &str, rows: &str) -> anyhow::Result<SqlServerTestDb> {
    let bench = SqlServerTestDb::start(&Setup { input: None, ..Setup::default() }).await?;
    let mut visitor = bench.input().await?;
    visitor.run(&format!("CREATE TABLE dbo.datos_proceso ({columns})")).await?;
    visitor.run(&format!("INSERT INTO dbo.datos_proceso VALUES {rows}")).await?;
    Ok(bench)
}

on_server! {
    /// A reading at the watermark is read exactly once, whatever digits its column hides.
    async fn windows_meet_at_every_digit_that_a_type_has() {
        let ticks: Vec<String> =
            (0..10).map(|n| format!("2025-01-15T10:00:00.{:03}", [0, 3, 7, 10, 13, 17, 20, 500, 503, 997][n])).collect();
        let fine: Vec<String> = ["0000000", "0000001", "0000010", "0000011", "0033333", "9999999"]
            .map(|digits| format!("2025-01-15T10:00:00.{digits}"))
            .to_vec();
        for (kind, times, distinct) in [("DATETIME", &ticks, 10), ("DATETIME2(7)", &fine, 4), ("DATETIME2(3)", &ticks, 10)] {
            for index in ["", "; CREATE INDEX i ON dbo.datos_proceso (datetime)"] {
                let rows: Vec<String> = times.iter().map(|time| format!("('{time}', 'T1', 1)")).collect();
                let bench = input_of(
                    &format!("id BIGINT IDENTITY PRIMARY KEY, datetime {kind} NOT NULL, variable_name VARCHAR(100) NOT NULL, value FLOAT"),
                    &rows.join(", "),
                ).await?;
                bench.input().await?.run(&format!("SELECT 1{index}")).await?;
                let mut input = bench.connector().open().await?.0;
                let all: Vec<Datetime> = input
                    .read_range(at("2025-01-15"), None, 100)
                    .await?
                    .readings
                    .iter()
                    .map(|reading| reading.datetime)
                    .collect();
                assert!(all.len() == times.len() && all.is_sorted(), "{kind}: {all:?}");
                let mut instants = all.clone();
                instants.dedup();
                assert_eq!(instants.len(), distinct, "{kind}");
                for window in instants.windows(2) {
                    let rows = all.iter().filter(|&&found| found == window[0]).count();
                    let page = input.read_range(window[0], Some(window[1]), 100).await?;
                    assert_eq!(page.readings.len(), rows, "{kind} {}", window[0]);
                    assert_eq!(input.count_range(window[0], window[1]).await?, rows as u64, "{kind}");
                    assert_eq!(input.read_at(&window[..1]).await?.readings.len(), rows, "{kind}");
                    let next = Datetime::from_micros(window[0].micros() + 1);
                    assert_eq!(input.read_range(next, Some(window[1]), 100).await?.readings.len(), 0, "{kind}");
                }
            }
        }
    }
}

on_server! {
    async fn numbers_and_texts_of_other_types_are_read() {
        for (value, written, expected) in [
            ("FLOAT", "0.1", 0.1),
            ("REAL", "0.5", 0.5),
            ("DECIMAL(38,10)", "-12345678901234567890.0123456789", -12_345_678_901_234_567_890.012_345_678_9),
            ("DECIMAL(18,6)", "123456789012.123456", 123_456_789_012.123_46),
            ("INT", "-7", -7.0),
            ("MONEY", "12.5", 12.5),
        ] {
            let bench = input_of(
                &format!("id INT NOT NULL PRIMARY KEY, datetime DATETIME2 NOT NULL, variable_name NVARCHAR(50) NOT NULL, value {value}"),
                &format!("(1, '2025-01-15T10:00:00.123456', N'Presión', {written}), (2, '2025-01-15T10:00:00', N'T2', NULL)"),
            ).await?;
            let mut input = bench.connector().open().await?.0;
            assert!(input.layout().await?.has_key);
            let page = input.read_keys(&[(1, 10)], 10).await?;
            let found: Vec<_> =
                page.readings.iter().map(|row| (row.id, row.datetime, row.variable.to_string(), row.value)).collect();
            assert_eq!(
                found,
                [
                    (Some(1), at("2025-01-15 10:00:00.123456"), "Presión".to_owned(), Some(expected)),
                    (Some(2), at("2025-01-15 10:00:00"), "T2".to_owned(), None),
                ],
                "{value}"
            );
        }
    }
}

on_server! {
    async fn what_is_no_table_of_readings_is_refused_by_its_column() {
        for (columns, row, words) in [
            ("datetime VARCHAR(30), variable_name VARCHAR(10), value FLOAT", "('x', 'T1', 1)", ["`datetime`", "varchar(30)"]),
            ("datetime DATETIME, variable_name INT, value FLOAT", "('2025-01-15', 1, 1)", ["`variable_name`", "int"]),
            ("datetime DATETIME, variable_name VARCHAR(10), value VARCHAR(10)", "('2025-01-15', 'T1', '1')", ["`value`", "varchar(10)"]),
            ("datetime DATETIME, variable_name VARCHAR(10)", "('2025-01-15', 'T1')", ["lacks", "`value`"]),
        ] {
            let bench = input_of(columns, row).await?;
            let mut input = bench.connector().open().await?.0;
            let (kind, message) = error_of(input.layout().await);
            assert_eq!(kind, ErrorKind::Schema, "{message}");
            assert!(words.iter().all(|word| message.contains(word)), "{message}");
        }
    }
}

on_server! {
    /// Rows without a variable are listed, and do not stop a reader that continues from the last
    /// datetime.
    async fn nameless_rows_are_told_and_do_not_count() {
        let rows: Vec<String> = (0..20)
            .map(|n| format!("('2025-01-15T10:00:{n:02}', {}, 1)", if n % 2 == 0 { "NULL" } else { "'T1'" }))
            .collect();
        let columns = "id INT IDENTITY PRIMARY KEY, datetime DATETIME, variable_name VARCHAR(10), value FLOAT";
        let bench = input_of(columns, &rows.join(", ")).await?;
        let mut input = bench.connector().open().await?.0;
        let page = input.read_range(at("2025-01-15"), None, 3).await?;
        let told: Vec<_> = page.malformed.iter().map(|row| row.id).collect();
        assert_eq!((page.readings.len(), page.full, told), (3, true, vec![Some(1), Some(3), Some(5)]));
        assert!(page.malformed[0].why.contains("variable_name is NULL"));
        let page = input.read_keys(&[(1, 4)], 10).await?;
        assert_eq!((page.readings.len(), page.malformed.len()), (2, 2));
        let page = input.read_keys(&[(1, 4)], 3).await?;
        assert_eq!((page.readings.len(), page.malformed.len(), page.full), (1, 2, true));
    }
}

on_server! {
    async fn an_output_of_other_types_takes_verdicts() {
        let bench = SqlServerTestDb::start(&Setup::default()).await?;
        bench.output().await?.run(
            "CREATE TABLE dbo.anomalies_detector (id BIGINT IDENTITY PRIMARY KEY, ds DATETIME2(3) NOT NULL, y FLOAT, yhat REAL, \
             yhat_lower DECIMAL(28,10), yhat_upper FLOAT, residual FLOAT, outside_interval BIT, high_residual BIT, is_anomaly BIT, \
             anomaly_score FLOAT, variable NVARCHAR(100) NOT NULL, prediction_error_pct DECIMAL(9,4), \
             processed_at DATETIME2 NOT NULL, extra VARCHAR(10) DEFAULT 'x')",
        ).await?;
        let mut output = bench.connector().open().await?.1;
        output.ensure_tables().await?;
        let epoch = output.claim(WORKER).await?.epoch;
        let rows = [verdict("2025-01-15 10:00:00.503", "Presión"), verdict("2025-01-15 10:00:00.507", "温度")];
        assert_eq!(output.commit(WORKER, &Commit::of(&rows, &state(epoch))).await?, 2);
        assert_eq!(output.commit(WORKER, &Commit::of(&rows, &state(epoch))).await?, 0);
        let found: Vec<_> = bench.verdicts().await?.into_iter().map(|row| row.verdict).collect();
        assert_eq!(found, rows);
        let keys: Vec<_> = rows.iter().map(|row| (row.variable.clone(), row.ds)).collect();
        assert_eq!(output.already_judged(&keys).await?.len(), 2);
        assert_eq!(output.newest(at("2025-01-16")).await?, Some(at("2025-01-15 10:00:00.507")));
    }
}

on_server! {
    async fn an_output_too_narrow_for_a_verdict_is_refused() {
        let bench = SqlServerTestDb::start(&Setup::default()).await?;
        let mut visitor = bench.output().await?;
        visitor.run(&host::store::schema::sqlserver::output(&"dbo.anomalies_detector".parse()?)).await?;
        visitor.run("ALTER TABLE dbo.anomalies_detector ALTER COLUMN y DECIMAL(10,6)").await?;
        let mut output = bench.connector().open().await?.1;
        let (kind, message) = error_of(output.ensure_tables().await);
        assert_eq!(kind, ErrorKind::Schema, "{message}");
        assert!(message.contains("`y`") && message.contains("decimal(10,6)") || message.contains("numeric(10,6)"), "{message}");
    }
}

on_server! {
    /// A name that its column would cut or change is reported, and never becomes the name of
    /// another variable.
    async fn a_name_that_the_column_would_change_is_foreign() {
        let bench = SqlServerTestDb::start(&Setup::default()).await?;
        let ddl = host::store::schema::sqlserver::output(&"dbo.anomalies_detector".parse()?);
        let narrow = ddl.replace("[variable] VARCHAR(100)", "[variable] VARCHAR(8)");
        assert_ne!(narrow, ddl);
        bench.output().await?.run(&narrow).await?;
        let mut output = bench.connector().open().await?.1;
        output.ensure_tables().await?;
        let names = ["T1", "Presión", "12345678", "123456789", "Nivel 04b", "t1"].map(std::sync::Arc::from);
        let mut foreign = output.foreign_names(&names).await?;
        foreign.sort();
        assert_eq!(foreign, ["123456789", "Nivel 04b"].map(std::sync::Arc::from));
        assert_eq!(output.foreign_names(&[]).await?, Vec::<std::sync::Arc<str>>::new());
    }
}
