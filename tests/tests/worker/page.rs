//! The page over a real database, as a browser gets it: what it shows, to whom, how large it is,
//! and that whatever comes from outside is only text in it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use host::batch::Flags;
use host::datetime::Datetime;
use host::episode::{Direction, Episode, EpisodeChange, EpisodeKind, Priority, WorstReading};
use host::metrics::Metrics;
use host::secret::Secret;
use host::state::{ModelsInUse, SetAside, State};
use host::store::{Clock, Commit, Connector, SqliteStore};
use host::verdict::VerdictRow;
use host::web::{AccessRules, WebServer, WebSettings};
use tempfile::TempDir;
use tests::conformance::{at, state, verdict};
use tests::fixture::{Fixture, Layout};
use tests::http::{Answer, ask};

/// Names of a person who wants to do harm, and names of an unusual plant.
const NAMES: [&str; 7] = [
    "TEMP-03",
    "<script>alert('x')</script>",
    "\"><img src=x onerror=alert(1)>",
    "مرحبا\u{202e}txt.exe",
    "línea 1\nFLUJO",
    "{{ 7 * 7 }}{% raw %}",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
];

const NOW: &str = "2025-01-15 12:00:00";

/// The most bytes of a page with a chart.
const HEAVIEST: usize = 150_000;

struct Served {
    server: WebServer,
    store: SqliteStore,
    _directory: TempDir,
}

/// Two days of minutes of each name, the last hour of the first anomalous.
fn verdicts() -> Vec<VerdictRow> {
    let now = at(NOW).micros();
    let mut verdicts = Vec::new();
    for (nth, name) in NAMES.into_iter().enumerate() {
        let last = if nth == 1 { 300 } else { 1 };
        for minute in (last..1440).step_by(2) {
            let ds = Datetime::from_micros(now - minute * 60_000_000);
            let anomaly = (nth == 0 && minute < 70) || minute == 501;
            let y = 20.0 + (minute as f64 / 50.0).sin() + if anomaly { 9.0 } else { 0.0 };
            verdicts.push(VerdictRow {
                ds,
                y,
                yhat: 20.0,
                yhat_lower: 18.5,
                yhat_upper: 21.5,
                flags: Flags { anomaly, outside_interval: anomaly, ..Flags::default() },
                anomaly_score: if anomaly { 88.5 } else { 1.0 },
                ..verdict("2025-01-15 10:00:00", name)
            });
        }
    }
    verdicts
}

/// Episodes: an open one, one of silence, and one that is over. Some have names that are harmful.
fn episodes() -> Vec<EpisodeChange> {
    let open = Episode {
        end: at("2025-01-15 11:59"),
        peak_score: Some(88.5),
        worst: Some(WorstReading { ds: at("2025-01-15 11:01"), y: 29.5, yhat: Some(20.0) }),
        direction: Some(Direction::Above),
        readings: 35,
        flagged: 35,
        cause: Some("<u>level</u>".into()),
        priority: Priority::High,
        ..Episode::at(NAMES[0].into(), EpisodeKind::Anomaly, at("2025-01-15 10:51"))
    };
    let silent = Episode {
        priority: Priority::Medium,
        ..Episode::at(NAMES[1].into(), EpisodeKind::Silent, at("2025-01-15 07:00"))
    };
    let over = Episode {
        end: at("2025-01-15 03:40"),
        closed_at: Some(at("2025-01-15 03:42")),
        readings: 2,
        flagged: 1,
        ..Episode::at(NAMES[2].into(), EpisodeKind::Anomaly, at("2025-01-15 03:39"))
    };
    [open, silent, over].into_iter().map(EpisodeChange::new).collect()
}

async fn filled() -> (SqliteStore, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("plant.sqlite");
    let connection = rusqlite::Connection::open(&file).unwrap();
    let input = host::store::TableName::of("dbo", "datos_proceso");
    connection.execute_batch(&host::store::schema::sqlite::input(&input)).unwrap();
    let store = SqliteStore { clock: Clock::fixed(at(NOW)), ..SqliteStore::new(file) };
    let (_, mut output) = store.open().await.unwrap();
    output.ensure_tables().await.unwrap();
    let epoch = output.claim("default").await.unwrap().epoch;
    let refused = "`</p><script>alert(2)</script>` is no model".to_owned();
    let aged = host::aged::Aged { error: 2.0, usual: 1.0, model: "m".into() };
    let models = ModelsInUse {
        count: 7,
        directory: "models/<b>prophet</b>".into(),
        refused: Some(refused),
        aged: [("T1".to_owned(), aged)].into(),
    };
    let aside = SetAside { reason: "<i>it hangs</i>".into(), readings: 3, ..SetAside::empty(at(NOW)) };
    let state = State {
        watermark: Some(at("2025-01-15 11:59:00")),
        updated_at: at("2025-01-15 11:59:30"),
        set_digest: Some("3f2a9c41d07e3f2a9c41d07e".into()),
        models: Some(models),
        set_aside: BTreeMap::from([(NAMES[1].into(), aside)]),
        ..state(epoch)
    };
    let episodes = episodes();
    let verdicts = verdicts();
    let commit = Commit { episodes: &episodes, ..Commit::of(&verdicts, &state) };
    output.commit("default", &commit).await.unwrap();
    (store, directory)
}

fn serve(store: &SqliteStore, access: AccessRules) -> WebServer {
    serve_with(store, access, false)
}

fn serve_with(store: &SqliteStore, access: AccessRules, actions: bool) -> WebServer {
    let settings = WebSettings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        access,
        worker: "default".into(),
        interval: Duration::from_secs(60),
        live: None,
        metrics: Metrics::default(),
        actions,
        store: Box::new(store.clone()),
    };
    WebServer::start(settings).unwrap()
}

async fn served(access: AccessRules) -> Served {
    let (store, directory) = filled().await;
    Served { server: serve(&store, access), store, _directory: directory }
}

fn get(served: &Served, path: &str, headers: &[(&str, &str)]) -> Answer {
    ask(served.server.address(), "GET", path, headers, "")
}

fn encoded(name: &str) -> String {
    name.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn paths() -> Vec<String> {
    let mut paths: Vec<String> = [
        "/",
        "/?find=temp",
        "/anomalies",
        "/anomalies?range=1y&score=5&order=time",
        "/detector",
        "/episode?id=1",
        "/episode?id=2",
        "/episode?id=3",
    ]
    .map(str::to_owned)
    .to_vec();
    for name in NAMES {
        for range in ["24h", "1y"] {
            paths.push(format!("/variable?name={}&range={range}", encoded(name)));
        }
        paths.push(format!("/anomalies?variable={}", encoded(name)));
    }
    paths
}

#[tokio::test(flavor = "multi_thread")]
async fn every_view_is_a_page_of_its_language_and_nothing_in_it_runs() {
    let served = served(AccessRules::default()).await;
    for path in paths() {
        for language in ["en", "es"] {
            let answer = get(&served, &path, &[("Accept-Language", language)]);
            let body = &answer.body;
            assert_eq!(answer.status, 200, "{path}: {body}");
            assert!(body.contains(&format!("<html lang=\"{language}\">")), "{path}");
            assert!(body.len() < HEAVIEST, "{path} weighs {}", body.len());
            // Names and reasons are only text. The only script is our own, from its file.
            assert_eq!(body.matches("<script").count(), 1, "{path}: {body}");
            assert_eq!(body.matches("<img").count(), 0, "{path}");
            for inline in [
                "<style",
                " style=",
                "onerror=alert(1)>",
                " onclick",
                "javascript:",
                "<i>it",
                "<b>prophet",
                ">49<",
            ] {
                assert!(!body.contains(inline), "{path} has {inline}: {body}");
            }
            assert!(!body.contains('\u{202e}') || !path.starts_with("/?"), "{path} turns the writing");
            let policy = &answer.headers["content-security-policy"];
            assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_says_what_needs_looking_at_worst_first() {
    let served = served(AccessRules::default()).await;
    let body = get(&served, "/", &[]).body;
    let places: Vec<usize> =
        ["TEMP-03", "%3Cscript"].map(|name| body.find(&format!("variable?name={name}")).unwrap()).to_vec();
    assert!(places[0] < places[1], "an hour of anomalies comes before silence");
    for expected in [
        "p-high",
        "p-silent",
        "p-low",
        "3f2a9c41d07e",
        "7 models",
        "&lt;&#x2f;p&gt;&lt;script&gt;alert(2)",
        "Lag",
        "1 min",
    ] {
        assert!(body.contains(expected), "`{expected}` is missing in {body}");
    }
    let spanish = get(&served, "/", &[("Accept-Language", "es-ES,es;q=0.9")]).body;
    assert!(spanish.contains("Qué hay que mirar") && spanish.contains("7 modelos"), "{spanish}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_shows_its_time_and_the_errors_of_its_model() {
    let served = served(AccessRules::default()).await;
    let body = get(&served, "/variable?name=TEMP-03&from=2025-01-15T10:00&to=2025-01-15T12:00", &[]).body;
    assert_eq!(body.matches("<svg class=\"chart").count(), 2, "for a wide screen and a narrow one");
    assert!(body.contains("TEMP-03 from 2025-01-15 10:00:00 to 2025-01-15 12:00:00"), "{body}");
    for expected in ["Mean absolute error", "c-flag", "Readings within the band", "above the band", "88.5"] {
        assert!(body.contains(expected), "`{expected}` is missing");
    }
    let svg = get(&served, "/chart.svg?name=TEMP-03&range=2h", &[]);
    assert_eq!(svg.headers["content-type"], "image/svg+xml");
    assert!(svg.body.starts_with("<svg ") && svg.body.contains("prefers-color-scheme:dark"), "{}", svg.body);
    assert_eq!(get(&served, "/variable", &[]).status, 404);
    let nothing = get(&served, "/variable?name=none", &[]);
    assert!(nothing.status == 200 && nothing.body.contains("no readings in this time"), "{}", nothing.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_episode_says_why_and_what_else_was_in_trouble() {
    let served = served(AccessRules::default()).await;
    let body = get(&served, "/episode?id=1", &[]).body;
    for expected in [
        "Since 2025-01-15 10:51:00",
        "35 of 35 readings were flagged",
        "9.50 above the expected value (20.00)",
        "The same time a day before",
        "episode?id=2\"",
        "&lt;u&gt;level",
    ] {
        assert!(body.contains(expected), "`{expected}` is missing in {body}");
    }
    assert!(body.contains("class=\"c-episode\"") && !body.contains("episode?id=3\""), "{body}");
    for none in ["/episode?id=99", "/episode?id=x", "/episode"] {
        assert_eq!(get(&served, none, &[]).status, 404, "{none}");
    }
    let overview = get(&served, "/", &[]).body;
    let places: Vec<usize> =
        [1, 2, 3].map(|id| overview.find(&format!("episode?id={id}\"")).unwrap()).to_vec();
    assert!(places.is_sorted(), "open ones come before those of the day: {places:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_changes_something_only_where_that_is_on_and_by_a_form_of_ours() {
    let (store, directory) = filled().await;
    let served =
        Served { server: serve_with(&store, AccessRules::default(), true), store, _directory: directory };
    let address = served.server.address();
    let page = get(&served, "/episode?id=1", &[]).body;
    let (_, rest) = page.split_once("name=\"word\" value=\"").unwrap();
    let word = &rest[..32];
    let here = [("Content-Type", "application/x-www-form-urlencoded"), ("Sec-Fetch-Site", "same-origin")];
    let elsewhere = [("Content-Type", "application/x-www-form-urlencoded"), ("Sec-Fetch-Site", "cross-site")];
    let said = |word: &str| format!("word={word}&id=1&feedback=sensor&note=%3Cb%3Ecable");
    let shelved = |word: &str| format!("word={word}&name=TEMP-03&hours=4&reason=cleaning");
    for (path, form) in [("/feedback", said("0")), ("/shelve", shelved("0"))] {
        assert_eq!(ask(address, "POST", path, &here, &form).status, 403, "{path} with another word");
    }
    assert_eq!(ask(address, "POST", "/feedback", &elsewhere, &said(word)).status, 403);
    assert_eq!(get(&served, "/shelve", &[]).status, 405);
    let done = ask(address, "POST", "/feedback", &here, &said(word));
    assert_eq!((done.status, &*done.headers["location"]), (303, "/episode?id=1"), "{}", done.body);
    let page = get(&served, "/episode?id=1", &[]).body;
    assert!(page.contains("something was wrong with the sensor: &lt;b&gt;cable"), "{page}");
    let done = ask(address, "POST", "/shelve", &here, &shelved(word));
    assert_eq!((done.status, &*done.headers["location"]), (303, "/variable?name=TEMP-03"), "{}", done.body);
    let page = get(&served, "/variable?name=TEMP-03", &[]).body;
    assert!(page.contains("Shelved until 2025-01-15 16:00:00: cleaning"), "{page}");
    let end = format!("word={word}&name=TEMP-03&hours=0");
    assert_eq!(ask(address, "POST", "/shelve", &here, &end).status, 303);
    assert!(!get(&served, "/variable?name=TEMP-03", &[]).body.contains("Shelved until"));

    let reads = serve(&served.store, AccessRules::default());
    let page = ask(reads.address(), "GET", "/episode?id=1", &[], "").body;
    assert!(!page.contains("name=\"word\""), "{page}");
    assert_eq!(ask(reads.address(), "POST", "/feedback", &here, &said(word)).status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_the_screen_comes_as_csv() {
    let served = served(AccessRules::default()).await;
    let answer = get(&served, "/anomalies.csv?variable=TEMP-03&score=50&order=time&range=2h", &[]);
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
    let lines: Vec<&str> = answer.body.lines().collect();
    assert_eq!(lines[0], "ds,variable,y,yhat,yhat_lower,yhat_upper,anomaly_score,episode_cause");
    assert_eq!(lines.len(), 36, "{}", answer.body);
    assert!(lines[1].starts_with("2025-01-15 11:59:00,\"TEMP-03\",29."), "{}", lines[1]);
    assert!(lines[1].ends_with(",\"<u>level</u>\""), "{}", lines[1]);
    let page = get(&served, "/anomalies?variable=TEMP-03&range=2h", &[]).body;
    assert!(page.contains("; cause: &lt;u&gt;level&lt;&#x2f;u&gt;</td>"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_see_it_is_told_so() {
    let token = "correct horse battery staple";
    let access = AccessRules { token: Some(Secret::new(token)), ..AccessRules::default() };
    let served = served(access).await;
    let address = served.server.address();
    for path in ["/", "/variable?name=TEMP-03", "/anomalies.csv", "/events", "/metrics", "/none"] {
        let answer = get(&served, path, &[]);
        assert_eq!(answer.status, 401, "{path}");
        assert!(
            !answer.body.contains("TEMP-03") && !answer.body.contains("default"),
            "{path}: {}",
            answer.body
        );
    }
    let bearer = format!("Bearer {token}");
    assert_eq!(get(&served, "/", &[("Authorization", &bearer)]).status, 200);
    let evil = [("Host", "evil.example"), ("Authorization", &*bearer)];
    assert_eq!(get(&served, "/", &evil).status, 421);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(ask(address, "POST", "/login", &form, "token=wrong").status, 401);
    let done = ask(address, "POST", "/login", &form, "token=correct+horse+battery+staple");
    assert_eq!((done.status, &*done.headers["location"]), (303, "/"));
    let cookie = done.headers["set-cookie"].clone();
    assert!(cookie.contains("HttpOnly; SameSite=Strict") && !cookie.contains("horse"), "{cookie}");
    let shown = cookie.split(';').next().unwrap();
    assert_eq!(get(&served, "/", &[("Cookie", shown)]).status, 200);
    // Requests of a supervisor need no token.
    assert_eq!(get(&served, "/health", &[]).status, 200);
    assert_eq!(get(&served, "/ready", &[]).status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_others_reach_without_a_token_is_not_served() {
    let (store, _directory) = filled().await;
    let settings = WebSettings {
        listen: SocketAddr::from(([0, 0, 0, 0], 0)),
        access: AccessRules::default(),
        worker: "default".into(),
        interval: Duration::from_secs(60),
        live: None,
        metrics: Metrics::default(),
        actions: false,
        store: Box::new(store),
    };
    let error = WebServer::start(settings).err().unwrap().to_string();
    assert!(error.contains("web.token_file") && error.contains("127.0.0.1"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_at_once_are_answered_or_told_to_come_again() {
    let served = Arc::new(served(AccessRules::default()).await);
    let mut asking = Vec::new();
    for nth in 0..100 {
        let served = Arc::clone(&served);
        asking.push(std::thread::spawn(move || {
            let path = if nth % 2 == 0 { "/" } else { "/variable?name=TEMP-03&range=1y" };
            (0..10).map(|_| get(&served, path, &[]).status).collect::<Vec<_>>()
        }));
    }
    let mut found: BTreeMap<u16, usize> = BTreeMap::new();
    for status in asking.into_iter().flat_map(|thread| thread.join().unwrap()) {
        *found.entry(status).or_default() += 1;
    }
    assert!(found.keys().all(|status| [200, 503].contains(status)), "{found:?}");
    assert!(found[&200] > 0 && found.values().sum::<usize>() == 1000, "{found:?}");
    // A worker commits during and after that, and the page still answers.
    let (_, mut output) = served.store.open().await.unwrap();
    output.claim("default").await.unwrap();
    assert_eq!(get(&served, "/", &[]).status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_kept_by_a_browser_until_they_change() {
    let served = served(AccessRules::default()).await;
    for (path, kind) in [
        ("/static/page.css", "text/css"),
        ("/static/page.js", "text/javascript"),
        ("/static/icon.svg", "image/svg+xml"),
    ] {
        let first = get(&served, path, &[]);
        assert!(first.status == 200 && first.headers["content-type"].starts_with(kind), "{path}");
        assert!(first.body.len() < 20_000, "{path} weighs {}", first.body.len());
        let again = get(&served, path, &[("If-None-Match", &first.headers["etag"])]);
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
    }
    assert_eq!(get(&served, "/static/../Cargo.toml", &[]).status, 404);
    assert_eq!(get(&served, "/none", &[]).status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_beside_no_database_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::new(directory.path().join("none.sqlite"));
    let served = Served { server: serve(&store, AccessRules::default()), store, _directory: directory };
    for path in ["/", "/variable?name=T", "/detector"] {
        let answer = get(&served, path, &[]);
        assert_eq!(answer.status, 503, "{path}");
        assert!(answer.body.contains("There is no database yet"), "{}", answer.body);
    }
    assert_eq!(get(&served, "/ready", &[]).status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_no_names_and_the_lag_by_the_plants_clock() {
    let served = served(AccessRules::default()).await;
    let answer = get(&served, "/metrics", &[]);
    assert_eq!(answer.status, 200);
    for line in [
        "anomaly_worker_lag_seconds 60.0",
        "anomaly_worker_since_commit_seconds 30.0",
        "anomaly_worker_models{state=\"loaded\"} 7",
        "anomaly_worker_models{state=\"aged\"} 1",
        "anomaly_worker_variables{state=\"set_aside\"} 1",
        "anomaly_worker_files_refused 1",
    ] {
        assert!(answer.body.lines().any(|found| found == line), "`{line}` is missing in {}", answer.body);
    }
    assert!(!answer.body.contains("TEMP-03") && !answer.body.contains("script"), "{}", answer.body);
}

/// There is an event at each commit. Where no events arrive, the script asks.
#[tokio::test(flavor = "multi_thread")]
async fn who_watches_is_told_of_a_commit() {
    let served = served(AccessRules::default()).await;
    assert_eq!(get(&served, "/state", &[]).body, "{\"updated_at\":\"2025-01-15 11:59:30\"}");
    let mut stream = TcpStream::connect(served.server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    while !seen.contains("data: 2025-01-15 11:59:30") {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "the events ended: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    assert!(seen.contains("text/event-stream"), "{seen}");
}

/// On many systems a process may have a thousand files open, until it asks for more. A thousand
/// connections need more than that: both ends of each are in this process.
#[cfg(unix)]
fn ask_for_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    // Where that is not allowed, it stays as it is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// A thousand requests at once while a backlog is judged: each is answered or told to try again,
/// and every cycle ends in its interval, with the 20 ms that this store waits for a lock.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_at_once_hold_up_no_cycle() {
    const INTERVAL: Duration = Duration::from_secs(30);
    #[cfg(unix)]
    ask_for_files();
    let bench = Fixture::new(Layout::Keyed);
    let mut worker = bench.worker(tests::fixture::echo().await);
    worker.cycle(|| false).await.unwrap();
    let server = serve(&bench.store, AccessRules::default());
    let address = server.address();
    let crowd: Vec<_> = (0..1000)
        .map(|nth| {
            let path = ["/", "/variable?name=V-7&range=1y", "/anomalies?range=7d", "/detector"][nth % 4];
            let asks = move || ask(address, "GET", path, &[], "").status;
            std::thread::Builder::new().stack_size(256 << 10).spawn(asks).unwrap()
        })
        .collect();
    let mut cycles = 0;
    while cycles < 5 || crowd.iter().any(|asked| !asked.is_finished()) {
        let at = format!("11:{:02}:{:02}", cycles / 60, cycles % 60);
        let names: Vec<_> = (0..500).map(|nth| format!("V-{nth}")).collect();
        let readings: Vec<_> = names.iter().map(|name| (at.as_str(), name.as_str(), 1.0)).collect();
        bench.insert(&readings);
        let begun = Instant::now();
        let report = worker.cycle(|| false).await.unwrap();
        assert_eq!(report.counts.judged, 500);
        assert!(begun.elapsed() < INTERVAL, "cycle {cycles} took {:?}", begun.elapsed());
        cycles += 1;
    }
    let answers: Vec<u16> = crowd.into_iter().map(|asked| asked.join().unwrap()).collect();
    assert!(answers.iter().all(|status| [200, 503].contains(status)), "{answers:?}");
    assert!(answers.contains(&200));
    assert_eq!(ask(address, "GET", "/", &[], "").status, 200);
}
