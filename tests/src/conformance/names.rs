//! Names that are equal in an output's collation: they are reported, and a verdict of one never
//! replaces that of the other.

use host::store::{AnomalyQuery, FirstOf, ReadFrom, Replaced, Stretch};

use super::*;

fn names(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|&name| name.into()).collect()
}

fn sorted(mut found: Vec<(Arc<str>, Arc<str>)>) -> Vec<(String, String)> {
    found.sort_unstable();
    found.into_iter().map(|(name, other)| (name.to_string(), other.to_string())).collect()
}

/// An output of this kind, prepared.
async fn output_of<B: TestDb>(kind: OutputKind) -> Result<(B, Box<dyn Output>)> {
    let bench = B::start(&Setup::default()).await?;
    bench.create_output(kind).await?;
    let (_, mut output) = bench.connector().open().await?;
    output.ensure_tables().await?;
    Ok((bench, output))
}

pub async fn names_are_the_same_where_the_output_takes_them_for_the_same<B: TestDb>() -> Result<()> {
    let asked = names(&["TEMP-03", "O2", "temp-03", "Temp-03", "o2", "T1"]);
    for (kind, expected) in [
        (OutputKind::EqualNames, &[("Temp-03", "TEMP-03"), ("o2", "O2"), ("temp-03", "TEMP-03")][..]),
        (OutputKind::ExactNames, &[]),
    ] {
        let (_bench, mut output) = output_of::<B>(kind).await?;
        assert_eq!(sorted(output.equal_names(&asked).await?), pairs(expected), "{kind:?}");
        assert_eq!(output.equal_names(&[]).await?, [], "{kind:?}");
    }
    Ok(())
}

pub async fn another_spelling_is_the_one_that_the_output_holds<B: TestDb>() -> Result<()> {
    let asked = names(&["TEMP-03", "temp-03", "T1", "t2"]);
    for (kind, expected) in
        [(OutputKind::EqualNames, &[("TEMP-03", "temp-03"), ("t2", "T2")][..]), (OutputKind::ExactNames, &[])]
    {
        let (bench, mut output) = output_of::<B>(kind).await?;
        for (ds, name) in
            [("10:00:00", "temp-03"), ("10:00:00", "T2"), ("10:05:00", "temp-03"), ("10:10:00", "T1")]
        {
            bench.insert_verdicts(&[(&format!("2025-01-15 {ds}"), name)]).await?;
        }
        assert_eq!(sorted(output.other_spellings(&asked).await?), pairs(expected), "{kind:?}");
    }
    Ok(())
}

pub async fn a_verdict_is_replaced_by_one_of_its_very_name_only<B: TestDb>() -> Result<()> {
    for (kind, expected, replaced) in [
        (
            OutputKind::EqualNames,
            &[("2025-01-15 10:00:00", "temp-03"), ("2025-01-15 10:05:00", "TEMP-03")][..],
            Replaced { removed: 1, inserted: 1 },
        ),
        (
            OutputKind::ExactNames,
            &[
                ("2025-01-15 10:00:00", "TEMP-03"),
                ("2025-01-15 10:00:00", "temp-03"),
                ("2025-01-15 10:05:00", "TEMP-03"),
            ],
            Replaced { removed: 1, inserted: 2 },
        ),
    ] {
        let (bench, mut output) = output_of::<B>(kind).await?;
        bench
            .insert_verdicts(&[("2025-01-15 10:00:00", "temp-03"), ("2025-01-15 10:05:00", "TEMP-03")])
            .await?;
        let epoch = output.claim(WORKER).await?.epoch;
        let new = [verdict("2025-01-15 10:00:00", "TEMP-03"), verdict("2025-01-15 10:05:00", "TEMP-03")];
        assert_eq!(output.replace(WORKER, &Commit::of(&new, &state(epoch))).await?, replaced, "{kind:?}");
        assert_eq!(written(&bench).await?, pairs(expected), "{kind:?}");
        let made: Vec<_> = bench.verdicts().await?.into_iter().map(|row| row.verdict).collect();
        assert!(made.contains(&new[1]), "{kind:?}: this one is new");
        assert_eq!(made.contains(&new[0]), kind == OutputKind::ExactNames, "{kind:?}: that one is another's");
    }
    Ok(())
}

/// Verdicts of names that the output takes for the same are those of one variable, whatever the
/// spelling in which it is asked for; else each name has its own.
pub async fn a_page_shows_the_verdicts_that_the_output_takes_for_one_variable<B: TestDb>() -> Result<()> {
    for (kind, of_each) in [
        (OutputKind::EqualNames, [("temp-03", &["10:00", "10:05"][..]), ("TEMP-03", &["10:00", "10:05"])]),
        (OutputKind::ExactNames, [("temp-03", &["10:00"][..]), ("TEMP-03", &["10:05"])]),
    ] {
        let (bench, mut output) = output_of::<B>(kind).await?;
        let epoch = output.claim(WORKER).await?.epoch;
        let flagged = |ds: &str, variable: &str| VerdictRow {
            flags: Flags { anomaly: true, ..Flags::default() },
            anomaly_score: 50.0,
            ..verdict(ds, variable)
        };
        let verdicts = [
            flagged("2025-01-15 10:00:00", "temp-03"),
            flagged("2025-01-15 10:05:00", "TEMP-03"),
            flagged("2025-01-15 10:05:00", "T1"),
        ];
        output.commit(WORKER, &Commit::of(&verdicts, &state(epoch))).await?;
        let mut page = bench.open_page().await?;
        let (from, to) = (at("2025-01-15 00:00:00"), at("2025-01-16 00:00:00"));
        for (variable, times) in of_each {
            let all = [Stretch { variable: variable.into(), from, to }];
            let found = page.stretches(&all, 9, ReadFrom::Start).await?.concat();
            let found: Vec<_> = found.iter().map(|row| (&*row.variable, row.ds)).collect();
            let expected: Vec<_> =
                times.iter().map(|time| (variable, at(&format!("2025-01-15 {time}:00")))).collect();
            assert_eq!(found, expected, "{kind:?}");
            let query = AnomalyQuery {
                variable: Some(variable.into()),
                from,
                to,
                least_score: 0.0,
                first: FirstOf::Newest,
                limit: 9,
            };
            let count = times.len() as u64;
            let anomalies = page.anomalies(&query).await?.len() as u64;
            let extents = page.extents(&all, 9).await?.iter().map(|extent| extent.verdicts).sum::<u64>();
            let counted = [page.count(&all, 9).await?[0], extents, anomalies];
            assert_eq!(counted, [count; 3], "{kind:?} {variable}");
        }
        let anomalies: &[u64] = if kind == OutputKind::EqualNames { &[1, 2] } else { &[1, 1, 1] };
        assert_eq!(page.variables(9).await?.len(), anomalies.len(), "{kind:?}");
        let tallies = page.tally(from, to).await?;
        assert_eq!(tallies.iter().map(|tally| tally.anomalies).collect::<Vec<_>>(), anomalies, "{kind:?}");
    }
    Ok(())
}
