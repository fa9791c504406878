//! A statement of T-SQL as one of SQLite: only the differences between the two are rewritten. If
//! others are left, SQLite refuses the statement, and the fake does not know it.

use super::collation;
use super::lexer::{Token, closing, find, items, text};

/// What casts; made for each connection in `function`.
pub(super) const CAST: &str = "tds_cast";

/// What `AT TIME ZONE` does.
pub(super) const AT_TIME_ZONE: &str = "at_time_zone";

/// Hints, which do not change the result.
const HINTS: [&str; 12] = [
    "NOLOCK",
    "HOLDLOCK",
    "UPDLOCK",
    "ROWLOCK",
    "TABLOCK",
    "TABLOCKX",
    "READPAST",
    "READCOMMITTED",
    "READCOMMITTEDLOCK",
    "SERIALIZABLE",
    "FORCESEEK",
    "INDEX",
];

/// Functions of another name in SQLite. Those of the same name, or made in `function`, stay.
const FUNCTIONS: [(&str, &str); 4] =
    [("COUNT_BIG", "COUNT"), ("ISNULL", "IFNULL"), ("LEN", "LENGTH"), ("DATALENGTH", "OCTET_LENGTH")];

/// Everything but names of tables, in one pass over a scope: a whole statement, or what stands in
/// parentheses.
pub(super) fn scope(tokens: &[Token]) -> Vec<Token> {
    let mut out = Vec::new();
    let mut limit: Option<Vec<Token>> = None;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let next = tokens.get(at + 1);
        let opens = next.is_some_and(|token| token.is("("));
        let group = if opens {
            closing(tokens, at + 1).map(|close| (&tokens[at + 2..close], close + 1))
        } else {
            None
        };
        match group {
            Some((inside, past))
                if token.says("WITH") && inside.first().is_some_and(|t| t.says_one_of(&HINTS)) =>
            {
                at = past;
                continue;
            }
            Some((_, past)) if token.says("OPTION") => {
                at = past;
                continue;
            }
            Some((inside, past)) if token.says_one_of(&["CAST", "TRY_CAST"]) => {
                if let Some(by) = inside.iter().rposition(|token| token.says("AS")) {
                    out.extend(cast(scope(&inside[..by]), &inside[by + 1..]));
                    at = past;
                    continue;
                }
            }
            Some((_, past))
                if ["AT", "TIME", "ZONE"]
                    .iter()
                    .enumerate()
                    .all(|(n, word)| tokens.get(past + n).is_some_and(|token| token.says(word)))
                    && tokens.get(past + 3).is_some() =>
            {
                out.extend([Token::word(AT_TIME_ZONE), Token::Symbol("(")]);
                out.extend(scope(&tokens[at..past]));
                out.extend([Token::Symbol(","), tokens[past + 3].clone(), Token::Symbol(")")]);
                at = past + 4;
                continue;
            }
            Some((inside, past)) if token.says("CONVERT") => {
                if let [kind, value, ..] = &items(inside)[..] {
                    out.extend(cast(scope(value), kind));
                    at = past;
                    continue;
                }
            }
            Some((inside, past)) if token.says("TOP") => {
                limit = Some(scope(inside));
                at = past;
                continue;
            }
            _ => {}
        }
        match token {
            Token::Word(_) if token.says("TOP") && matches!(next, Some(Token::Number(_))) => {
                limit = next.map(|number| vec![number.clone()]);
                at += 2;
            }
            Token::Word(_) if token.says_one_of(&["UNION", "EXCEPT", "INTERSECT"]) => {
                end(&mut out, limit.take());
                out.push(token.clone());
                at += 1;
            }
            Token::Word(word) if opens => {
                let renamed = FUNCTIONS.iter().find(|(theirs, _)| word.eq_ignore_ascii_case(theirs));
                out.push(renamed.map_or_else(|| token.clone(), |(_, ours)| Token::word(ours)));
                at += 1;
            }
            Token::Symbol("(") => {
                let Some(close) = closing(tokens, at) else {
                    out.push(token.clone());
                    at += 1;
                    continue;
                };
                let inside = &tokens[at + 1..close];
                at = close + 1;
                if let Some((rows, past)) = values(inside, tokens, at) {
                    out.extend(rows);
                    at = past;
                } else {
                    out.push(Token::Symbol("("));
                    out.extend(scope(inside));
                    out.push(Token::Symbol(")"));
                }
            }
            Token::Symbol("+") => {
                let is_text = |token: Option<&Token>| matches!(token, Some(Token::Text(_)));
                let before = at.checked_sub(1).and_then(|at| tokens.get(at));
                out.push(Token::Symbol(if is_text(next) || is_text(before) { "||" } else { "+" }));
                at += 1;
            }
            _ => {
                out.push(token.clone());
                at += 1;
            }
        }
    }
    end(&mut out, limit);
    out
}

fn end(out: &mut Vec<Token>, limit: Option<Vec<Token>>) {
    if let Some(limit) = limit {
        while out.last().is_some_and(|token| token.is(";")) {
            out.pop();
        }
        out.extend([Token::word("LIMIT"), Token::Symbol("(")]);
        out.extend(limit);
        out.push(Token::Symbol(")"));
    }
}

/// A value made one of a type.
pub(super) fn cast(value: Vec<Token>, kind: &[Token]) -> Vec<Token> {
    // The cast keeps the collation of its source, by which it is compared. A function's value would
    // not.
    let (value, collation) = collation::split(value);
    let mut out = vec![Token::word(CAST), Token::Symbol("(")];
    out.extend(value);
    out.extend([Token::Symbol(","), Token::Text(text(kind)), Token::Symbol(")")]);
    out.extend(collation.into_iter().flatten());
    out
}

/// `(VALUES …) AS a (x, y)`: SQLite has no names for the columns of such a table.
fn values(inside: &[Token], tokens: &[Token], after: usize) -> Option<(Vec<Token>, usize)> {
    if !inside.first()?.says("VALUES") {
        return None;
    }
    let named = after + usize::from(tokens.get(after)?.says("AS"));
    let alias = tokens.get(named).filter(|token| token.name().is_some())?;
    let open = named + 1;
    if !tokens.get(open)?.is("(") {
        return None;
    }
    let close = closing(tokens, open)?;
    let mut out = vec![Token::Symbol("("), Token::word("SELECT")];
    for (number, name) in items(&tokens[open + 1..close]).into_iter().enumerate() {
        if number > 0 {
            out.push(Token::Symbol(","));
        }
        out.extend([Token::word(&format!("column{}", number + 1)), Token::word("AS")]);
        out.extend_from_slice(name);
    }
    out.extend([Token::word("FROM"), Token::Symbol("(")]);
    out.extend(scope(inside));
    out.extend([Token::Symbol(")"), Token::Symbol(")"), Token::word("AS"), alias.clone()]);
    Some((out, close + 1))
}

/// The items between SELECT and what follows them, with the place of each.
pub(super) fn projection(tokens: &[Token]) -> Option<(usize, Vec<&[Token]>)> {
    let mut start = find(tokens, 0, |token| token.says("SELECT"))? + 1;
    while tokens.get(start)?.says_one_of(&["ALL", "DISTINCT"]) {
        start += 1;
    }
    const ENDS: [&str; 10] =
        ["FROM", "WHERE", "GROUP", "ORDER", "UNION", "EXCEPT", "INTERSECT", "LIMIT", "HAVING", "OPTION"];
    let end = find(tokens, start, |token| token.says_one_of(&ENDS)).unwrap_or(tokens.len());
    Some((start, items(&tokens[start..end])))
}

/// Takes a table's name from the front: its qualifiers and the name.
pub(super) fn qualified(tokens: &[Token]) -> Option<(Vec<String>, usize)> {
    let mut parts = vec![tokens.first()?.name()?.to_owned()];
    let mut at = 1;
    while tokens.get(at).is_some_and(|token| token.is(".")) {
        // Two dots: the default schema between.
        if tokens.get(at + 1)?.is(".") {
            parts.push("dbo".into());
            at += 1;
            continue;
        }
        parts.push(tokens.get(at + 1)?.name()?.to_owned());
        at += 2;
    }
    Some((parts, at))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::super::lexer::tokens;
    use super::*;

    #[test]
    fn what_the_two_write_differently_is_rewritten() {
        for (tsql, sqlite) in [
            (
                "SELECT TOP (@P1) [a] FROM [dbo].[t] ORDER BY [a]",
                "SELECT `a` FROM `dbo` . `t` ORDER BY `a` LIMIT ( @P1 )",
            ),
            ("SELECT TOP 0 a FROM #t", "SELECT a FROM `#t` LIMIT ( 0 )"),
            (
                "SELECT * FROM (SELECT TOP (2) a FROM t) AS x UNION ALL SELECT 1",
                "SELECT * FROM ( SELECT a FROM t LIMIT ( 2 ) ) AS x UNION ALL SELECT 1",
            ),
            ("SELECT CAST(NULL AS varchar(1)) AS [f]", "SELECT tds_cast ( NULL , 'varchar ( 1 ) ' ) AS `f`"),
            ("SELECT CONVERT(DATETIME, @P1)", "SELECT tds_cast ( @P1 , 'DATETIME ' )"),
            ("SELECT N'it''s' + x, COUNT_BIG(*)", "SELECT 'it''s' || x , COUNT ( * )"),
            ("SELECT 1 FROM t WITH (UPDLOCK, HOLDLOCK) OPTION (MAXDOP 1)", "SELECT 1 FROM t"),
            (
                "SELECT v.x FROM (VALUES (@P1, 2)) AS v ([x], y)",
                "SELECT v . x FROM ( SELECT column1 AS `x` , column2 AS y FROM ( VALUES ( @P1 , 2 ) ) ) AS v",
            ),
            ("SELECT a FROM t -- why", "SELECT a FROM t"),
            (
                "SELECT CAST(a COLLATE Latin1_General_CI_AS AS varchar(9)) AS b",
                "SELECT tds_cast ( a , 'varchar ( 9 ) ' ) COLLATE Latin1_General_CI_AS AS b",
            ),
        ] {
            assert_eq!(text(&scope(&tokens(tsql).unwrap())).trim_end(), sqlite, "{tsql}");
        }
    }
}
