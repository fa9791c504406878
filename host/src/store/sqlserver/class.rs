//! The class of a server's error, by its number; the text decides where a server has one number for
//! everything.
//!
//! The numbers are those of Microsoft's documentation; [`SOURCES`] in the tests names the source of
//! each group.

/// From this severity on the server closes the connection.
const FATAL: u8 = 20;

/// From this number on errors are those of a trigger or a program, raised by RAISERROR or THROW.
const OF_USERS: u32 = 50_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Shutting down, starting, moving to another node, throttled, or not available just now.
    Connection,
    Login,
    /// There is no database of this name, or none that this login may enter.
    Database,
    Right,
    ReadOnly,
    /// A deadlock's victim, or a row version that no longer exists.
    Conflict,
    Lock,
    /// The server lacks memory or time for this now.
    Short,
    Schema,
    Duplicate,
    /// A constraint, a trigger or a column's type refuses a row.
    Refused,
    Exists,
    /// No room for data, for the log or in tempdb.
    Full,
    Other,
}

/// Several numbers of one class.
const NUMBERS: &[(Class, &[u32])] = &[
    // The session or the server ends, or the network does.
    (
        Class::Connection,
        &[
            20, 64, 121, 233, 596, 617, 6002, 6005, 6006, 10_053, 10_054, 10_060, 10_061, 17_142, 17_148,
            17_197, 17_830, 18_401, 18_451,
        ],
    ),
    // A database that is recovered, restored, taken offline, mirrored, or changes its role in an
    // availability group.
    (
        Class::Connection,
        &[
            615, 904, 913, 921, 922, 923, 924, 926, 927, 941, 942, 945, 952, 954, 955, 956, 976, 978, 979,
            982, 983, 988, 4221,
        ],
    ),
    // Azure: a failover, a throttled or paused database, a session that was ended because of its
    // usage.
    (
        Class::Connection,
        &[
            10_928, 10_929, 10_930, 10_936, 40_020, 40_143, 40_166, 40_197, 40_501, 40_540, 40_549, 40_550,
            40_551, 40_552, 40_553, 40_613, 40_642, 40_648, 40_671, 40_675, 42_108, 42_109, 42_119, 49_510,
            49_918, 49_919, 49_920, 49_977, 49_983,
        ],
    ),
    (
        Class::Login,
        &[
            4062, 4064, 18_450, 18_452, 18_456, 18_461, 18_470, 18_486, 18_487, 18_488, 40_531, 40_532,
            40_607, 40_615, 40_914, 47_073,
        ],
    ),
    (Class::Database, &[911, 4060, 4063]),
    (Class::Right, &[229, 230, 262, 297, 300, 378, 916, 1088, 2760, 4613, 5011, 10_330, 15_151, 15_247]),
    (Class::ReadOnly, &[3906, 3908]),
    (
        Class::Conflict,
        &[
            1205, 1211, 3928, 3940, 3948, 3949, 3950, 3953, 3957, 3958, 3960, 3961, 3966, 3967, 41_301,
            41_302, 41_305, 41_325, 41_839,
        ],
    ),
    (Class::Lock, &[992, 1203, 1204, 1222, 3984]),
    (Class::Short, &[701, 802, 8628, 8645, 8651, 8657]),
    (Class::Schema, &[207, 208, 213, 271, 272, 273, 4121, 4902]),
    (Class::Duplicate, &[1505, 2601, 2627]),
    (
        Class::Refused,
        &[220, 232, 241, 242, 245, 248, 334, 515, 524, 544, 547, 550, 2628, 3609, 3616, 8114, 8115, 8152],
    ),
    (Class::Exists, &[1913, 2714]),
    (Class::Full, &[1101, 1105, 1121, 3959, 9002, 40_544]),
];

pub(super) fn classify(number: u32, severity: u8, text: &str) -> Class {
    let known = NUMBERS.iter().find(|(_, numbers)| numbers.contains(&number));
    match known {
        Some((class, _)) => *class,
        None if severity >= FATAL => Class::Connection,
        None if number >= OF_USERS => match by_text(text) {
            Class::Other => Class::Refused,
            class => class,
        },
        None => by_text(text),
    }
}

/// For servers whose numbers are not specific.
fn by_text(text: &str) -> Class {
    const WORDS: [(&str, Class); 15] = [
        ("permission denied", Class::Right),
        ("must be owner of", Class::Right),
        ("read-only", Class::ReadOnly),
        ("deadlock detected", Class::Conflict),
        ("could not serialize access", Class::Conflict),
        ("lock timeout", Class::Lock),
        ("lock request time out", Class::Lock),
        ("duplicate key", Class::Duplicate),
        ("could not create unique index", Class::Duplicate),
        ("violates check constraint", Class::Refused),
        ("violates foreign key constraint", Class::Refused),
        ("violates not-null constraint", Class::Refused),
        ("already exists", Class::Exists),
        ("already an object named", Class::Exists),
        ("does not exist", Class::Schema),
    ];
    let text = text.to_lowercase();
    WORDS.iter().find(|(words, _)| text.contains(words)).map_or(Class::Other, |(_, class)| *class)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Microsoft's lists, each with its numbers and our class of them. `errors-events` is
    /// learn.microsoft.com/sql/relational-databases/errors-events.
    const SOURCES: &[(&str, Class, &[u32])] = &[
        (
            "learn.microsoft.com/azure/azure-sql/database/troubleshoot-common-errors-issues, \
             'List of transient fault error codes'; 4060 of it is mostly a wrong name, and the next cycle tries that again too",
            Class::Connection,
            &[926, 40_197, 40_501, 40_613, 49_918, 49_919, 49_920, 4221, 615],
        ),
        (
            "the same page: codes that come within the text of 40197",
            Class::Connection,
            &[40_020, 40_143, 40_166, 40_540],
        ),
        (
            "the same page, 'Table of resource governance error messages': limits, and sessions that were ended",
            Class::Connection,
            &[10_928, 10_929, 10_936, 40_549, 40_550, 40_551, 40_552, 40_553],
        ),
        ("the same page: the size quota is reached", Class::Full, &[40_544]),
        (
            "github.com/dotnet/efcore SqlServerTransientExceptionDetector: what Microsoft's own client tries again on a new connection",
            Class::Connection,
            &[
                49_983, 49_977, 49_920, 49_919, 49_918, 40_613, 40_501, 40_197, 10_936, 10_929, 10_928,
                10_060, 10_054, 10_053, 4221, 233, 121, 64, 20,
            ],
        ),
        (
            "the same: transactions that are to be run again",
            Class::Conflict,
            &[1205, 41_839, 41_325, 41_305, 41_302, 41_301],
        ),
        (
            "errors-events/database-engine-events-and-errors-3000-to-3999, looked up by number: row versions and snapshots, and what is to \
             be tried again on a replica or at a commit",
            Class::Conflict,
            &[3928, 3940, 3948, 3949, 3950, 3953, 3957, 3958, 3960, 3961, 3966, 3967],
        ),
        (
            "errors-events/database-engine-events-and-errors-0-to-999, looked up by number from 921 on: databases in recovery, in restore, \
             offline, mirrored, and in availability groups. 925, 958 and 981 are none: a limit of a query, and words without an error",
            Class::Connection,
            &[
                904, 913, 921, 922, 923, 924, 926, 927, 941, 942, 945, 952, 954, 955, 956, 976, 978, 979,
                982, 983, 988,
            ],
        ),
        ("the same page: not what a new connection mends", Class::Other, &[925, 958, 981]),
        (
            "errors-events: the server stops, starts or is upgraded",
            Class::Connection,
            &[596, 6002, 6005, 6006, 17_142, 17_148, 17_197, 17_830, 18_401, 18_451],
        ),
        (
            "errors-events/mssqlserver-18456: the login",
            Class::Login,
            &[18_456, 18_452, 18_470, 18_486, 18_487, 18_488],
        ),
        ("errors-events/mssqlserver-4060 and -911: the database's name", Class::Database, &[4060, 911]),
        (
            "errors-events/database-engine-events-and-errors-1000-to-1999 (1222), 0-to-999 (992) and 3000-to-3999 (3984): locks",
            Class::Lock,
            &[992, 1204, 1222, 3984],
        ),
        (
            "errors-events/mssqlserver-701, -8645, -8651, -8628: memory and time",
            Class::Short,
            &[701, 802, 8628, 8645, 8651],
        ),
        ("errors-events: no room", Class::Full, &[1101, 1105, 9002]),
        (
            "errors-events: constraints, types and triggers",
            Class::Refused,
            &[515, 547, 550, 2628, 3609, 3616, 8115, 8152, 242],
        ),
    ];

    #[test]
    fn every_number_that_is_documented_has_its_class() {
        for (source, class, numbers) in SOURCES {
            for number in *numbers {
                assert_eq!(classify(*number, 16, "some text"), *class, "{number} of {source}");
            }
        }
    }

    #[test]
    fn no_number_has_two_classes() {
        let mut seen = std::collections::BTreeMap::new();
        for (class, numbers) in NUMBERS {
            for number in *numbers {
                assert_eq!(*seen.entry(number).or_insert(class), class, "{number}");
            }
        }
    }

    #[test]
    fn an_error_has_a_class_by_its_number_or_else_by_its_text() {
        for (number, severity, text, class) in [
            (18_456, 14, "Login failed for user 'w'.", Class::Login),
            (229, 14, "The INSERT permission was denied on the object 'a'.", Class::Right),
            (3906, 16, "Failed to update database \"d\" because the database is read-only.", Class::ReadOnly),
            (2601, 14, "Cannot insert duplicate key row in object 'a'.", Class::Duplicate),
            (2627, 14, "Violation of UNIQUE KEY constraint.", Class::Duplicate),
            (208, 16, "Invalid object name 'a'.", Class::Schema),
            (50_000, 16, "not in a locked month", Class::Refused),
            (51_234, 16, "permission denied for table a", Class::Right),
            (50_000, 20, "the server goes down", Class::Connection),
            (33_557_097, 16, "new row for relation \"a\" violates check constraint \"b\"", Class::Refused),
            (49_999, 20, "A severe error occurred on the current command.", Class::Connection),
            (49_999, 16, "relation \"dbo.a\" does not exist", Class::Schema),
            (49_999, 16, "permission denied for table a", Class::Right),
            (49_999, 16, "canceling statement due to lock timeout", Class::Lock),
            (8134, 16, "Divide by zero error encountered.", Class::Other),
        ] {
            assert_eq!(classify(number, severity, text), class, "{number} {text}");
        }
    }
}
