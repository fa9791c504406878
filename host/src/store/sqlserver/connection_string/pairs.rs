//! The pairs of a connection string, by the quoting rules of its program. Pure; errors contain
//! nothing of the text.

/// `key=value`.
#[derive(Debug, PartialEq)]
pub(super) struct Pair {
    pub(super) key: String,
    pub(super) value: String,
}

const JDBC: &str = "jdbc:sqlserver://";

/// The server at the beginning of a JDBC string, in ADO.NET's notation, and the pairs.
///
/// # Errors
/// A sentence on the form.
pub(super) fn read(text: &str) -> Result<(Option<String>, Vec<Pair>), String> {
    let jdbc = text.get(..JDBC.len()).is_some_and(|start| start.eq_ignore_ascii_case(JDBC));
    let all = if jdbc {
        let (server, rest) = text[JDBC.len()..].split_once(';').unwrap_or((&text[JDBC.len()..], ""));
        pairs(rest, &['{']).map(|pairs| (Some(comma(server)), pairs))
    } else {
        pairs(text, &['\'', '"', '{']).map(|pairs| (None, pairs))
    };
    all.ok_or_else(|| {
        "the connection string is neither ADO.NET's nor JDBC's: pairs `key=value` stand between `;`, and a value that holds a \
         `;` stands in quotes (JDBC: in braces)"
            .to_owned()
    })
}

/// `host:port` as `host,port`; the colons of an IPv6 address stay.
fn comma(server: &str) -> String {
    match server.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => format!("{host},{port}"),
        _ => server.to_owned(),
    }
}

/// None if a quote is not closed, something follows one, or a pair has no `=`.
fn pairs(text: &str, quotes: &[char]) -> Option<Vec<Pair>> {
    let mut pairs = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c == ';' || c.is_whitespace());
        if rest.is_empty() {
            return Some(pairs);
        }
        let (key, after) = rest.split_once('=')?;
        let key = key.trim();
        if key.is_empty() || key.contains(';') {
            return None;
        }
        let (value, past) = value(after.trim_start(), quotes)?;
        pairs.push(Pair { key: key.to_owned(), value });
        rest = past;
    }
}

/// A value, and what follows it from the `;` on.
fn value<'a>(text: &'a str, quotes: &[char]) -> Option<(String, &'a str)> {
    let Some(quote) = text.chars().next().filter(|first| quotes.contains(first)) else {
        let end = text.find(';').unwrap_or(text.len());
        return Some((text[..end].trim_end().to_owned(), &text[end..]));
    };
    let close = if quote == '{' { '}' } else { quote };
    let mut value = String::new();
    let mut rest = &text[1..];
    loop {
        let (part, after) = rest.split_once(close)?;
        value.push_str(part);
        // A doubled quote is part of the value.
        let Some(more) = after.strip_prefix(close) else {
            let after = after.trim_start();
            return (after.is_empty() || after.starts_with(';')).then_some((value, after));
        };
        value.push(close);
        rest = more;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_by_their_rules() {
        let pair = |key: &str, value: &str| Pair { key: key.into(), value: value.into() };
        for (text, expected) in [
            ("a=1; B c = 2 ;;", Some((None, vec![pair("a", "1"), pair("B c", "2")]))),
            ("a='x;y''z' ;b=\"q=\"\"\"", Some((None, vec![pair("a", "x;y'z"), pair("b", "q=\"")]))),
            ("a={x;}}y};b=p=q==", Some((None, vec![pair("a", "x;}y"), pair("b", "p=q==")]))),
            ("a=", Some((None, vec![pair("a", "")]))),
            ("jdbc:sqlserver://h:1;a='x", Some((Some("h,1".into()), vec![pair("a", "'x")]))),
            (r"JDBC:SQLServer://h\i", Some((Some(r"h\i".into()), vec![]))),
            ("jdbc:sqlserver://[::1]:1433", Some((Some("[::1],1433".into()), vec![]))),
            ("a='x", None),
            ("a='x'y", None),
            ("a={x", None),
            ("a;b=1", None),
            ("=1", None),
        ] {
            assert_eq!(read(text).ok(), expected, "{text}");
        }
    }
}
