//! Statements that make things and give rights, and who may write.

use super::lexer::{Token, items, text};
use super::{Sql, ddl, unknown};
use crate::fault::SqlError;
use crate::server::lock;

impl Sql {
    /// CREATE, ALTER and DROP.
    pub(super) fn define(&mut self, tokens: &[Token]) -> Result<(), SqlError> {
        let unknown = || unknown(&text(tokens));
        if tokens.get(1).is_some_and(|token| token.says("SCHEMA")) {
            let name = tokens.get(2).and_then(Token::name).ok_or_else(unknown)?.to_owned();
            let database = self.database.clone();
            self.shared.create_schema(&database, &name)?;
            self.attach(&database, &name, &name)?;
            self.schemas.push(name);
            return Ok(());
        }
        if tokens.get(1).is_some_and(|token| token.says("SYNONYM")) {
            let (schema, name) = self.table(&tokens[2..]).ok_or_else(unknown)?;
            let stands_for = tokens.iter().position(|token| token.says("FOR")).ok_or_else(unknown)?;
            let base: String =
                tokens[stands_for + 1..].iter().map(|token| token.to_string().replace('`', "")).collect();
            lock(&self.shared.made.synonyms).push((self.database.clone(), schema, name, base));
            return Ok(());
        }
        if tokens.get(1).is_some_and(|token| token.says("TRIGGER")) {
            let on = tokens.iter().position(|token| token.says("ON")).ok_or_else(unknown)?;
            let (schema, table) = self.table(&tokens[on + 1..]).ok_or_else(unknown)?;
            let body = tokens.iter().position(|token| token.says("AS")).ok_or_else(unknown)?;
            let query = text(&tokens[body + 1..]);
            lock(&self.shared.made.triggers).push((self.database.clone(), schema, table, query));
            return Ok(());
        }
        if tokens.get(1).is_some_and(|token| token.says("DATABASE")) {
            let name = tokens.get(2).and_then(Token::name).ok_or_else(unknown)?;
            let name = if name.eq_ignore_ascii_case("CURRENT") { &self.database } else { name };
            if tokens.iter().any(|token| token.says("READ_ONLY")) {
                self.shared.forbid_writing(name);
            }
            return Ok(());
        }
        if tokens.get(1).is_some_and(|token| token.says_one_of(&["LOGIN", "USER"])) {
            let name = tokens.get(2).and_then(Token::name).ok_or_else(unknown)?;
            match tokens.iter().find(|token| matches!(token, Token::Text(_))) {
                Some(Token::Text(password)) => self.shared.rights.create(name, password),
                _ if tokens[0].says("DROP") => self.shared.rights.remove(name),
                _ => {}
            }
            return Ok(());
        }
        self.may_write(tokens)?;
        let sql = ddl::rewrite(tokens, |name| self.table(name)).ok_or_else(unknown)?;
        self.simple(&sql)
    }

    /// `GRANT SELECT, INSERT ON dbo.t TO u`.
    pub(super) fn grant(&self, tokens: &[Token]) -> Result<(), SqlError> {
        let unknown = || unknown(&text(tokens));
        let on = tokens.iter().position(|token| token.says("ON")).ok_or_else(unknown)?;
        let to = tokens.iter().position(|token| token.says("TO")).ok_or_else(unknown)?;
        let login = tokens.get(to + 1).and_then(Token::name).ok_or_else(unknown)?;
        for right in items(&tokens[1..on]) {
            self.shared.rights.grant(login, &text(right), &text(&tokens[on + 1..to]));
        }
        Ok(())
    }

    /// Refuses to write a database that is read-only.
    pub(super) fn may_write(&self, tokens: &[Token]) -> Result<(), SqlError> {
        let into_temporary =
            tokens.iter().take(5).any(|token| token.name().is_some_and(|name| name.starts_with('#')));
        if into_temporary {
            return Ok(());
        }
        let target = tokens
            .iter()
            .position(|token| token.says_one_of(&["INTO", "UPDATE", "FROM"]))
            .map_or(0, |at| at + 1);
        if let (true, Some((schema, table))) =
            (target > 0, self.table(tokens.get(target..).unwrap_or_default()))
        {
            let right = tokens[0].to_string().to_uppercase();
            if !self.shared.rights.may(&self.user, &right, &format!("{schema}.{table}")) {
                let message = format!(
                    "The {right} permission was denied on the object '{table}', database '{}', schema '{schema}'.",
                    self.database
                );
                return Err(SqlError::new(229, 14, message));
            }
        } else if !self.shared.rights.may(&self.user, "CREATE TABLE", &self.database) {
            let message = format!("CREATE TABLE permission denied in database '{}'.", self.database);
            return Err(SqlError::new(262, 14, message));
        }
        if self.shared.may_write(&self.database) {
            return Ok(());
        }
        let message =
            format!("Failed to update database \"{}\" because the database is read-only.", self.database);
        Err(SqlError::new(3906, 16, message))
    }
}
