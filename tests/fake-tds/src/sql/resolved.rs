//! Puts into a statement what only the session knows: counts, functions of the session, names with
//! a database.

use rusqlite::types::Value;

use super::lexer::{self, Token, closing, items};
use super::{DEFAULT, Sql, Variables, catalogue, rewrite, unknown};
use crate::fault::SqlError;
use crate::server::lock;

impl Sql {
    /// Puts in what only the session knows: `@@ROWCOUNT`, `OBJECT_ID(…)`, names with a database.
    pub(super) fn resolved(&self, tokens: &[Token], variables: &Variables) -> Result<Vec<Token>, SqlError> {
        let mut out = Vec::new();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let close =
                tokens.get(at + 1).filter(|token| token.is("(")).and_then(|_| closing(tokens, at + 1));
            let called = match (token, close) {
                (Token::Word(word), Some(close)) => {
                    let arguments = items(&tokens[at + 2..close]);
                    self.session_function(word, &arguments, variables)?.map(|value| (value, close + 1))
                }
                _ => None,
            };
            if let Some((value, past)) = called {
                out.push(value);
                at = past;
                continue;
            }
            if let Token::Global(name) = token {
                out.push(match &**name {
                    "ROWCOUNT" => Token::Number(self.row_count.to_string()),
                    "TRANCOUNT" => Token::Number(self.depth.to_string()),
                    "SPID" => Token::Number(self.number.to_string()),
                    "VERSION" => Token::Text("fake-tds: not SQL Server".into()),
                    other => return Err(unknown(&format!("@@{other}"))),
                });
                at += 1;
                continue;
            }
            let start_of_name =
                token.name().is_some() && !at.checked_sub(1).is_some_and(|at| tokens[at].is("."));
            if let Some((parts, length)) = rewrite::qualified(&tokens[at..]).filter(|_| start_of_name) {
                match &parts[..] {
                    [.., table] if length > 1 && table.starts_with('#') => {
                        out.push(Token::Name(table.clone()));
                    }
                    [database, schema, table] if self.shared.schemas(database).is_some() => {
                        let alias = if database.eq_ignore_ascii_case(&self.database) {
                            schema.clone()
                        } else {
                            format!("{database}.{schema}")
                        };
                        // Attached before, where this fails.
                        if alias != *schema {
                            let _ = self.attach(database, schema, &alias);
                        }
                        out.extend([Token::Name(alias), Token::Symbol("."), Token::Name(table.clone())]);
                    }
                    _ => out.extend_from_slice(&tokens[at..at + length]),
                }
                at += length;
                continue;
            }
            out.push(token.clone());
            at += 1;
        }
        Ok(out)
    }

    fn session_function(
        &self,
        word: &str,
        arguments: &[&[Token]],
        variables: &Variables,
    ) -> Result<Option<Token>, SqlError> {
        let argument = |at: usize| -> Result<String, SqlError> {
            match arguments.get(at).map(|argument| self.value(argument, variables)).transpose()? {
                Some(Value::Text(text)) => Ok(text),
                _ => Ok(String::new()),
            }
        };
        let object = |name: &str| -> Option<(String, String)> {
            let (schema, table) = self.table(&lexer::tokens(name).ok()?)?;
            let is_synonym = lock(&self.shared.made.synonyms)
                .iter()
                .any(|(database, of, name, _)| *database == self.database && *of == schema && *name == table);
            (is_synonym || self.columns_of(&schema, &table).is_ok()).then_some((schema, table))
        };
        let null = || Token::word("NULL");
        Ok(Some(match &*word.to_ascii_uppercase() {
            "OBJECT_ID" => object(&argument(0)?).map_or_else(null, |(schema, table)| {
                Token::Number(catalogue::object_id(&schema, &table).to_string())
            }),
            // Which of a column's properties is asked stands in the view.
            "COLUMNPROPERTY" => match arguments.first().copied() {
                Some([alias, dot, _]) if dot.is(".") => {
                    Token::word(&format!("{}.generated_always_type", alias.to_string().trim()))
                }
                _ => null(),
            },
            "APPLOCK_MODE" => {
                let resource = format!("{}/{}", self.database, argument(1)?);
                let has = self.shared.locks.has(&resource, self.number);
                Token::Text(if has { "Exclusive" } else { "NoLock" }.into())
            }
            "DB_NAME" => Token::Text(self.database.clone()),
            "DB_ID" => {
                let found = self
                    .shared
                    .databases()
                    .iter()
                    .position(|name| argument(0).is_ok_and(|asked| asked == *name));
                found.map_or_else(null, |at| Token::Number((at + 5).to_string()))
            }
            "SCHEMA_ID" => {
                let asked = argument(0)?;
                let found = self.schemas.iter().position(|name| *name == asked);
                found.map_or_else(null, |at| Token::Number((at + 1).to_string()))
            }
            "SCHEMA_NAME" => Token::Text(DEFAULT.into()),
            "SERVERPROPERTY" => Token::Text("16.0.1000.6".into()),
            "HAS_PERMS_BY_NAME" => {
                let (securable, class) = (argument(0)?, argument(1)?);
                let there = match &*class.to_ascii_uppercase() {
                    "OBJECT" => object(&securable).is_some(),
                    _ => true,
                };
                let may = self.shared.rights.may(&self.user, &argument(2)?, &securable);
                if there { Token::Number(i32::from(may).to_string()) } else { null() }
            }
            _ => return Ok(None),
        }))
    }
}
