//! The keys of connection strings, as ADO.NET, ODBC, OLE DB and JDBC have them (SqlClient's
//! `ConnectionString` property, the ODBC driver's keywords, and JDBC's "Setting the connection
//! properties", as Microsoft documents them). Pure.

/// The meaning of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    Server,
    Port,
    Instance,
    Database,
    User,
    Password,
    Integrated,
    Encrypt,
    TrustAny,
    CaFile,
    HostInCertificate,
    Workstation,
    Intent,
    MultiSubnet,
    /// Known, and without effect on this program.
    PassedOver,
    /// It is not supported, for this reason.
    Refused(&'static str),
}

const ENTRA: Keyword =
    Keyword::Refused("logins of Microsoft Entra are not supported; use a SQL login, or a Windows account");
const DSN: Keyword =
    Keyword::Refused("an ODBC data source is not read; write its settings into the connection string");
const FILE: Keyword = Keyword::Refused("a database file is not attached; name a database of the server");

/// By meaning; the first name of a meaning is the one that is suggested.
const KEYS: [(Keyword, &[&str]); 18] = [
    (Keyword::Server, &["Server", "Data Source", "Address", "Addr", "Network Address", "Server Name"]),
    (Keyword::Port, &["Port", "Port Number"]),
    (Keyword::Instance, &["Instance Name", "Instance"]),
    (Keyword::Database, &["Database", "Initial Catalog", "Database Name"]),
    (Keyword::User, &["User ID", "UID", "User", "User Name"]),
    (Keyword::Password, &["Password", "PWD"]),
    (Keyword::Integrated, &["Integrated Security", "Trusted_Connection"]),
    (Keyword::Encrypt, &["Encrypt"]),
    (Keyword::TrustAny, &["TrustServerCertificate"]),
    (Keyword::CaFile, &["TrustServerCertificateCA"]),
    (Keyword::HostInCertificate, &["HostNameInCertificate"]),
    (Keyword::Workstation, &["Workstation ID", "WSID"]),
    (Keyword::Intent, &["ApplicationIntent"]),
    (Keyword::MultiSubnet, &["MultiSubnetFailover"]),
    (
        Keyword::PassedOver,
        &[
            "Application Name",
            "App",
            "Connect Timeout",
            "Connection Timeout",
            "Timeout",
            "Login Timeout",
            "Command Timeout",
            "Query Timeout",
            "Socket Timeout",
            "Lock Timeout",
            "Cancel Query Timeout",
            "Persist Security Info",
            "Pooling",
            "Max Pool Size",
            "Min Pool Size",
            "Multiple Active Result Sets",
            "MARS Connection",
            "Mars_Connection",
            "Packet Size",
            "Current Language",
            "Language",
            "Failover Partner",
            "Failover Partner SPN",
            "Server SPN",
            "Asynchronous Processing",
            "Async",
            "Column Encryption Setting",
            "Column Encryption",
            "Connect Retry Count",
            "Connect Retry Interval",
            "Connection Retry Count",
            "Connection Retry Interval",
            "Load Balance Timeout",
            "Connection Lifetime",
            "Connection Reset",
            "Network Library",
            "Network",
            "Net",
            "Pool Blocking Period",
            "Replication",
            "Transaction Binding",
            "Type System Version",
            "User Instance",
            "Enlist",
            "Context Connection",
            "IP Address Preference",
            "Attestation Protocol",
            "Enclave Attestation Url",
            "Driver",
            "Provider",
            "Regional",
            "AnsiNPW",
            "AutoTranslate",
            "Auto Translate",
            "QuotedId",
            "Description",
            "Data Type Compatibility",
            "Use Procedure for Prepare",
            "Use Encryption for Data",
            "Send String Parameters As Unicode",
            "Select Method",
            "Response Buffering",
            "Disable Statement Pooling",
            "Statement Pooling Cache Size",
            "Send Time As Datetime",
            "Last Update Count",
            "Xopen States",
            "Use Bulk Copy For Batch Insert",
            "Use Fmt Only",
            "Delay Loading Lobs",
            "Transparent Network IP Resolution",
            "Keep Alive",
            "Keep Alive Interval",
            "TDS_Version",
            "ClientCharset",
            "Authentication Scheme",
            "SSL Protocol",
        ],
    ),
    (
        ENTRA,
        &[
            "Authentication",
            "Access Token",
            "Access Token Callback Class",
            "Msi Client Id",
            "AAD Secure Principal Id",
        ],
    ),
    (DSN, &["DSN", "FileDSN", "SaveFile"]),
    (FILE, &["AttachDbFilename", "AttachDBFileName", "Extended Properties", "Initial File Name"]),
];

/// Programs ignore case and blanks in keys.
fn plain(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).flat_map(char::to_lowercase).collect()
}

fn all() -> impl Iterator<Item = (Keyword, &'static str)> {
    KEYS.iter().flat_map(|(key, names)| names.iter().map(|name| (*key, *name)))
}

/// None if there is no such key.
pub(super) fn known(written: &str) -> Option<Keyword> {
    let written = plain(written);
    all().find(|(_, name)| plain(name) == written).map(|(key, _)| key)
}

/// The known key that is most similar to a mistyped one, if any is similar enough.
pub(super) fn nearest(written: &str) -> Option<&'static str> {
    const LIKELY: f64 = 0.7;
    let written = plain(written);
    let mut best: Option<(f64, &'static str)> = None;
    for (_, name) in all() {
        let known = plain(name);
        // People remember the beginning of a long name.
        let begins = written.len() >= 8 && known.starts_with(&written);
        let likeness = strsim::normalized_damerau_levenshtein(&written, &known);
        let likeness = if begins { likeness.max(LIKELY) } else { likeness };
        // Of two that are equally similar, the first: `TrustServerCertificate` before
        // `TrustServerCertificateCA`.
        if likeness >= LIKELY && best.is_none_or(|(before, _)| likeness > before) {
            best = Some((likeness, name));
        }
    }
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_by_all_their_names() {
        for (written, key) in [
            ("server", Some(Keyword::Server)),
            ("DATA SOURCE", Some(Keyword::Server)),
            ("serverName", Some(Keyword::Server)),
            ("Trust Server Certificate", Some(Keyword::TrustAny)),
            ("trusted_connection", Some(Keyword::Integrated)),
            ("integratedSecurity", Some(Keyword::Integrated)),
            ("loginTimeout", Some(Keyword::PassedOver)),
            ("Sever", None),
        ] {
            assert_eq!(known(written), key, "{written}");
        }
        let mut names: Vec<_> = all().map(|(_, name)| plain(name)).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        // `MARS Connection` and `AttachDbFilename` have two spellings.
        assert!(count - names.len() <= 3, "{names:?}");
    }

    #[test]
    fn a_mistyped_key_is_recognised() {
        for (written, near) in [
            ("Sever", Some("Server")),
            ("Datasorce", Some("Data Source")),
            ("Databse", Some("Database")),
            ("User_IDs", Some("User ID")),
            ("TrustServerCert", Some("TrustServerCertificate")),
            ("Inital Catalog", Some("Initial Catalog")),
            ("s3cret", None),
            ("x", None),
        ] {
            assert_eq!(nearest(written), near, "{written}");
        }
    }
}
