//! The address of a server, in the notation that people use.

/// Host, instance and port from `tcp:host\instance,port`, in which all but the host may be missing.
/// None if the notation is another, or the protocol is not TCP.
pub fn endpoint(text: &str) -> Option<(String, Option<String>, Option<u16>)> {
    let text = text.trim();
    let text = match text.get(..4) {
        Some(start) if start.eq_ignore_ascii_case("tcp:") => &text[4..],
        _ => text,
    };
    let (name, port) = match text.split_once(',') {
        Some((name, port)) => (name, Some(port.trim().parse().ok().filter(|&port| port > 0)?)),
        None => (text, None),
    };
    let (host, instance) = match name.split_once('\\') {
        Some((host, instance)) => (host, Some(instance.trim())),
        None => (name, None),
    };
    let host = match host.trim() {
        "." | "(local)" => "localhost",
        host => host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host),
    };
    let odd = |text: &str| {
        text.is_empty()
            || text.contains([';', '=', '\\', ',', '/', '(', '['])
            || text.contains(char::is_whitespace)
            // Several colons are an IPv6 address; one is another program's notation of a port, or
            // another protocol.
            || text.matches(':').count() == 1
    };
    if odd(host) || instance.is_some_and(odd) {
        return None;
    }
    Some((host.to_owned(), instance.map(str::to_owned), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_read_as_people_write_it() {
        let (host, instance) = (|name: &str| name.to_owned(), |name: &str| Some(name.to_owned()));
        for (text, expected) in [
            ("plant", Some((host("plant"), None, None))),
            ("tcp:plant.example,14330", Some((host("plant.example"), None, Some(14_330)))),
            (" plant , 1433 ", Some((host("plant"), None, Some(1433)))),
            (r"plant\sql2019", Some((host("plant"), instance("sql2019"), None))),
            (r"plant\sql2019,1500", Some((host("plant"), instance("sql2019"), Some(1500)))),
            (r".\SQLEXPRESS", Some((host("localhost"), instance("SQLEXPRESS"), None))),
            ("(local)", Some((host("localhost"), None, None))),
            ("10.0.0.5", Some((host("10.0.0.5"), None, None))),
            ("::1", Some((host("::1"), None, None))),
            ("[fe80::1],1433", Some((host("fe80::1"), None, Some(1433)))),
            ("", None),
            ("plant,", None),
            ("plant,0", None),
            ("plant,99999", None),
            (r"plant\", None),
            ("server=plant;user=sa", None),
            ("my plant", None),
            ("plant:1433", None),
            ("mssql://plant", None),
            (r"(localdb)\MSSQLLocalDB", None),
            (r"np:\\plant\pipe\sql\query", None),
        ] {
            assert_eq!(endpoint(text), expected, "{text}");
        }
    }
}
