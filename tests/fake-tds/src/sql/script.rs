//! A batch as its statements. What T-SQL does between statements is read here. The text of a
//! statement stays tokens.

use super::lexer::{Token, closing, find, items};
use super::unknown;
use crate::fault::SqlError;
use crate::wire::types::Type;

#[derive(Debug)]
pub(crate) enum Statement {
    Block(Vec<Statement>),
    If {
        condition: Vec<Token>,
        then: Box<Statement>,
        otherwise: Option<Box<Statement>>,
    },
    /// Name, type and what it starts with.
    Declare(Vec<(String, Type, Option<Vec<Token>>)>),
    /// A variable and its new value.
    Assign(String, Vec<Token>),
    /// `SET XACT_ABORT ON` and its like: the names and the value.
    Option(Vec<Token>),
    Begin,
    Commit,
    RollBack,
    Execute {
        result: Option<String>,
        procedure: String,
        arguments: Vec<(String, Vec<Token>)>,
    },
    Throw(Vec<Token>),
    Return,
    Use(String),
    /// With whether its collation distinguishes upper and lower case.
    CreateDatabase(String, bool),
    DropDatabase(String),
    /// Anything that SQLite executes.
    Sql(Vec<Token>),
}

/// What a statement may begin with.
const STARTS: [&str; 26] = [
    "ALTER",
    "BEGIN",
    "COMMIT",
    "CREATE",
    "DECLARE",
    "DELETE",
    "DENY",
    "DROP",
    "ELSE",
    "END",
    "EXEC",
    "EXECUTE",
    "GRANT",
    "IF",
    "INSERT",
    "KILL",
    "RAISERROR",
    "RETURN",
    "REVOKE",
    "ROLLBACK",
    "SELECT",
    "SET",
    "THROW",
    "TRUNCATE",
    "UPDATE",
    "USE",
];

pub(crate) fn parse(tokens: &[Token]) -> Result<Vec<Statement>, SqlError> {
    let mut parser = Parser { tokens, at: 0 };
    let mut statements = Vec::new();
    while parser.more() {
        statements.push(parser.statement()?);
    }
    Ok(statements)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl<'a> Parser<'a> {
    /// Whether anything is left but `;`.
    fn more(&mut self) -> bool {
        while self.peek(0).is_some_and(|token| token.is(";")) {
            self.at += 1;
        }
        self.at < self.tokens.len()
    }

    fn peek(&self, ahead: usize) -> Option<&'a Token> {
        self.tokens.get(self.at + ahead)
    }

    fn says(&self, ahead: usize, keywords: &[&str]) -> bool {
        self.peek(ahead).is_some_and(|token| token.says_one_of(keywords))
    }

    fn statement(&mut self) -> Result<Statement, SqlError> {
        self.more();
        if self.says(0, &["BEGIN"]) && !self.says(1, &["TRAN", "TRANSACTION"]) {
            self.at += 1;
            let mut statements = Vec::new();
            while self.more() && !self.says(0, &["END"]) {
                statements.push(self.statement()?);
            }
            self.at += 1;
            return Ok(Statement::Block(statements));
        }
        if self.says(0, &["IF"]) {
            let start = self.at + 1;
            self.at =
                find(self.tokens, start, |token| token.says_one_of(&STARTS)).ok_or_else(|| self.unknown())?;
            let condition = self.tokens[start..self.at].to_vec();
            let then = Box::new(self.statement()?);
            let before = self.at;
            let otherwise = if self.more() && self.says(0, &["ELSE"]) {
                self.at += 1;
                Some(Box::new(self.statement()?))
            } else {
                self.at = before;
                None
            };
            return Ok(Statement::If { condition, then, otherwise });
        }
        let start = self.at;
        self.at = self.end();
        simple(&self.tokens[start..self.at])
    }

    /// Where the statement here ends: at a `;`, or at a word that begins the next one and is no
    /// part of this one.
    fn end(&self) -> usize {
        let start = self.at;
        let first = &self.tokens[start];
        if first.says_one_of(&["GRANT", "DENY", "REVOKE", "CREATE", "ALTER"]) {
            return find(self.tokens, start + 1, |token| token.is(";")).unwrap_or(self.tokens.len());
        }
        let mut parts: Vec<&str> = match first {
            _ if first.says("INSERT") => vec!["SELECT", "EXEC", "EXECUTE"],
            _ if first.says("UPDATE") => vec!["SET"],
            _ if first.says("WITH") => vec!["SELECT", "INSERT", "UPDATE", "DELETE", "SET"],
            _ => Vec::new(),
        };
        let mut at = start + 1;
        loop {
            let next = find(self.tokens, at, |token| token.is(";") || token.says_one_of(&STARTS));
            let Some(next) = next else { return self.tokens.len() };
            let token = &self.tokens[next];
            let joined = self.tokens[next - 1].says_one_of(&["UNION", "ALL", "EXCEPT", "INTERSECT"]);
            // CASE … END, and CASE … ELSE …
            let in_case = token.says_one_of(&["END", "ELSE"]) && open_case(&self.tokens[start..next]);
            let part = parts.iter().position(|part| token.says(part));
            if !(joined || in_case || part.is_some()) {
                return next;
            }
            if let Some(part) = part.filter(|_| !joined) {
                let found = parts.remove(part);
                if found == "INSERT" {
                    parts = vec!["SELECT"];
                }
            }
            at = next + 1;
        }
    }

    fn unknown(&self) -> SqlError {
        unknown(&super::lexer::text(&self.tokens[self.at..]))
    }
}

fn open_case(tokens: &[Token]) -> bool {
    let count = |word: &str| tokens.iter().filter(|token| token.says(word)).count();
    count("CASE") > count("END")
}

/// A statement of one piece.
fn simple(tokens: &[Token]) -> Result<Statement, SqlError> {
    let unknown = || unknown(&super::lexer::text(tokens));
    let says = |at: usize, words: &[&str]| tokens.get(at).is_some_and(|token| token.says_one_of(words));
    let name = |at: usize| tokens.get(at).and_then(Token::name).map(str::to_owned).ok_or_else(unknown);
    if says(0, &["BEGIN"]) {
        return Ok(Statement::Begin);
    }
    if says(0, &["COMMIT"]) {
        return Ok(Statement::Commit);
    }
    if says(0, &["ROLLBACK"]) {
        return Ok(Statement::RollBack);
    }
    if says(0, &["RETURN"]) {
        return Ok(Statement::Return);
    }
    if says(0, &["USE"]) {
        return Ok(Statement::Use(name(1)?));
    }
    if says(1, &["DATABASE"]) && says(0, &["CREATE"]) {
        let tells_case = tokens.iter().any(|token| {
            let token = token.to_string().to_uppercase();
            token.contains("_CS_") || token.contains("_BIN")
        });
        return Ok(Statement::CreateDatabase(name(2)?, tells_case));
    }
    if says(1, &["DATABASE"]) && says(0, &["DROP"]) {
        let at = if says(2, &["IF"]) { 4 } else { 2 };
        return Ok(Statement::DropDatabase(name(at)?));
    }
    if says(0, &["THROW", "RAISERROR"]) {
        return Ok(Statement::Throw(tokens[1..].to_vec()));
    }
    if says(0, &["DECLARE"]) {
        let declared = items(&tokens[1..]).into_iter().map(|item| {
            let [Token::Variable(name), rest @ ..] = item else { return Err(unknown()) };
            let equals = rest.iter().position(|token| token.is("=")).unwrap_or(rest.len());
            let kind = rest[..equals].iter().map(ToString::to_string).collect::<String>();
            let kind = Type::parse(kind.strip_prefix("AS ").unwrap_or(&kind)).ok_or_else(unknown)?;
            Ok((name.clone(), kind, rest.get(equals + 1..).map(<[Token]>::to_vec)))
        });
        return Ok(Statement::Declare(declared.collect::<Result<_, _>>()?));
    }
    if says(0, &["SET"]) {
        return Ok(match &tokens[1..] {
            [Token::Variable(name), equals, value @ ..] if equals.is("=") => {
                Statement::Assign(name.clone(), value.to_vec())
            }
            rest => Statement::Option(rest.to_vec()),
        });
    }
    if says(0, &["EXEC", "EXECUTE"]) {
        let (result, rest) = match &tokens[1..] {
            [Token::Variable(name), equals, rest @ ..] if equals.is("=") => (Some(name.clone()), rest),
            rest => (None, rest),
        };
        // The last part of a name with dots.
        let dots = rest.iter().skip(1).step_by(2).take_while(|token| token.is(".")).count();
        let procedure = rest.get(2 * dots).and_then(Token::name).ok_or_else(unknown)?;
        let arguments =
            items(&rest[2 * dots + 1..]).into_iter().filter(|item| !item.is_empty()).map(|item| match item {
                [Token::Variable(name), equals, value @ ..] if equals.is("=") => {
                    (name.clone(), value.to_vec())
                }
                value => (String::new(), value.to_vec()),
            });
        return Ok(Statement::Execute {
            result,
            procedure: procedure.into(),
            arguments: arguments.collect(),
        });
    }
    if !says(0, &STARTS) && !says(0, &["WITH"]) {
        return Err(unknown());
    }
    if let Some(open) = tokens.iter().position(|token| token.is("(")) {
        closing(tokens, open).ok_or_else(unknown)?;
    }
    Ok(Statement::Sql(tokens.to_vec()))
}
