//! `host schema`: prints the statements that make the tables, for a DBA.
//!
//! They are those that the store itself runs if it finds no tables, and for a server also the least
//! rights. Opens nothing.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::Dialect;
use super::{Misconfigured, say, wiring};
use crate::config::Config;
use crate::store::TableNames;
use crate::store::schema::{sqlite, sqlserver};
use crate::store::table_name::quote_sql_server;

/// A login for the example, if the configuration names none.
const USER: &str = "anomaly_worker";

const EPISODES: &str =
    "When each variable was anomalous, silent or stuck; what others may read, see docs/episodes.md.";

const OUTBOX: &str = "What is to be told of that.";

const LEARNT: &str = "What the workers' detectors have learnt.";

/// Prints the statements for the names of the configuration.
pub(super) fn schema(config: &Config, dialect: Option<Dialect>) -> anyhow::Result<ExitCode> {
    let tables = wiring::tables(config).map_err(|why| Misconfigured(why.to_string()))?;
    let on_server = if config.is_on_server() { Dialect::Sqlserver } else { Dialect::Sqlite };
    match dialect.unwrap_or(on_server) {
        Dialect::Sqlite => say::lines(&in_sqlite(&tables)),
        Dialect::Sqlserver => say::lines(&in_sql_server(&tables, config)),
    }
    Ok(ExitCode::SUCCESS)
}

fn in_sqlite(tables: &TableNames) -> String {
    let mut text = input(&sqlite::input(&tables.input));
    add(&mut text, "The verdicts.", &sqlite::output(&tables.output));
    sqlite::indexes(&tables.output).iter().for_each(|index| line(&mut text, &format!("{index};")));
    add(&mut text, "How far each worker has come.", &sqlite::state(&tables.state));
    add(&mut text, LEARNT, &sqlite::parts(&tables.state.of_parts()));
    add(&mut text, EPISODES, &sqlite::episodes(&tables.episodes));
    sqlite::episode_indexes(&tables.episodes).iter().for_each(|index| line(&mut text, &format!("{index};")));
    add(&mut text, OUTBOX, &sqlite::outbox(&tables.outbox));
    sqlite::outbox_indexes(&tables.outbox).iter().for_each(|index| line(&mut text, &format!("{index};")));
    text
}

fn in_sql_server(tables: &TableNames, config: &Config) -> String {
    let database = |name: Option<&Path>| match name {
        Some(name) => format!("in database {}", quote_sql_server(&name.display().to_string())),
        None => "in the login's own database".to_owned(),
    };
    // The name of a file is not the name of a database.
    let named = |database: &Option<PathBuf>| database.clone().filter(|_| config.is_on_server());
    let (input_database, output_database) = (named(&config.input.database), named(&config.output.database));
    let from = database(input_database.as_deref());
    let to = database(output_database.as_deref().or(input_database.as_deref()));
    let user = quote_sql_server(config.input.access.user.as_deref().unwrap_or(USER));
    let output_user =
        config.output_access().user.map_or_else(|| user.clone(), |user| quote_sql_server(&user));
    let (input_table, output, state) =
        (tables.input.sql_server(), tables.output.sql_server(), tables.state.sql_server());
    let parts = tables.state.of_parts().sql_server();
    let (episodes, outbox) = (tables.episodes.sql_server(), tables.outbox.sql_server());

    let mut text = input(&sqlserver::input(&tables.input));
    add(&mut text, &format!("The verdicts, {to}."), &sqlserver::output(&tables.output));
    sqlserver::indexes(&tables.output).iter().for_each(|index| line(&mut text, &format!("{index};")));
    add(&mut text, &format!("How far each worker has come, {to}."), &sqlserver::state(&tables.state));
    add(&mut text, LEARNT, &sqlserver::parts(&tables.state.of_parts()));
    add(&mut text, EPISODES, &sqlserver::episodes(&tables.episodes));
    sqlserver::episode_indexes(&tables.episodes)
        .iter()
        .for_each(|index| line(&mut text, &format!("{index};")));
    add(&mut text, OUTBOX, &sqlserver::outbox(&tables.outbox));
    sqlserver::outbox_indexes(&tables.outbox).iter().for_each(|index| line(&mut text, &format!("{index};")));
    only_for(
        &mut text,
        "an output table that held duplicates, to have the worker try its unique index again once they are gone",
        &sqlserver::try_index_again(&tables.state, &sqlserver::noted(&sqlserver::KEY, true, &tables.output)),
    );
    add(
        &mut text,
        &format!("The least rights, for users of these databases. To read, {from}:"),
        &format!("GRANT SELECT ON {input_table} TO {user};"),
    );
    add(
        &mut text,
        &format!("To write verdicts, {to}:"),
        &format!(
            "GRANT SELECT, INSERT ON {output} TO {output_user};\nGRANT SELECT, INSERT, UPDATE ON {state} TO {output_user};\n\
             GRANT SELECT, INSERT, DELETE ON {parts} TO {output_user};\n\
             GRANT SELECT, INSERT, UPDATE, DELETE ON {episodes} TO {output_user};\n\
             GRANT SELECT, INSERT, UPDATE, DELETE ON {outbox} TO {output_user};"
        ),
    );
    only_for(
        &mut text,
        "`host backfill`, to clear up its own row",
        &format!("GRANT DELETE ON {state} TO {output_user};"),
    );
    only_for(&mut text, "`host backfill --replace`", &format!("GRANT DELETE ON {output} TO {output_user};"));
    only_for(&mut text, "`host import`", &format!("GRANT INSERT ON {input_table} TO {user};"));
    text
}

/// The input belongs to its users: a new table is printed as a comment.
fn input(statements: &str) -> String {
    let mut text =
        String::from("-- The readings are yours and are only read. A new table for them would be:\n");
    statements.lines().for_each(|statement| line(&mut text, &format!("-- {statement}")));
    text
}

/// A right that the service itself does not need, as a comment.
fn only_for(text: &mut String, what: &str, statement: &str) {
    add(text, &format!("Only for {what}:"), &format!("-- {statement}"));
}

fn add(text: &mut String, about: &str, statements: &str) {
    // Writing to a String cannot fail.
    let _ = write!(text, "\n-- {about}\n{statements}\n");
}

fn line(text: &mut String, statement: &str) {
    text.push_str(statement);
    text.push('\n');
}
