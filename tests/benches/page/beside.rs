//! What a cycle costs while the page is looked at and alerts are delivered, beside one without
//! either: taken in turns, so that the machine's moods meet both.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use host::alert::channel;
use host::alert::delivery::Outgoing;
use host::alert::outbox::Described;
use host::alert::service_status::ServiceStatus;
use host::alert::service_watch::CycleEnd;
use host::config::{AlertsSection, ChannelKind, ChannelSection};
use host::datetime::Datetime;
use host::metrics::Metrics;
use host::secret::Secret;
use host::web::{AccessRules, WebServer, WebSettings};
use tests::fixture::{Fixture, Layout, WORKER, datetime, hostile, open_set};
use tests::http::ask;

const VARIABLES: u64 = 25;

/// Cycles of a turn, and turns of each kind.
const CYCLES: u64 = 20;
const TURNS: u64 = 8;

/// How often the page is looked at: more often than anybody does.
const LOOKS: Duration = Duration::from_millis(250);

pub(super) async fn measure() {
    let mut bench = Fixture::new(Layout::Keyed);
    bench.settings.batch_rows = 10_000;
    bench.settings.initial_lookback = Duration::from_secs(60 * 86_400);
    // One bit of seven is set in half of the readings; it takes three in a row to be told.
    let mut worker = bench.worker(open_set(hostile(r#"{"do": "flag-bit-6"}"#, &["*"])).await);
    let (mut without, mut with) = (Vec::new(), Vec::new());
    let mut minute = 0;
    for turn in 0..2 * TURNS {
        let is_on = turn % 2 == 1;
        let on = is_on.then(|| On::start(&bench));
        for _ in 0..CYCLES {
            insert(&bench, minute);
            minute += 10;
            let begun = Instant::now();
            worker.cycle(|| false).await.unwrap();
            let took = 1e3 * begun.elapsed().as_secs_f64();
            if let Some(on) = &on {
                let now = Datetime::from_micros(datetime("12:00").micros());
                on.status.cycle_ended(&CycleEnd::Success { too_late: 0 }, None, Some(now));
            }
            if is_on {
                with.push(took);
            } else {
                without.push(took);
            }
            // A cycle begins some time after the last one.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if let Some(on) = on {
            on.finish().await;
        }
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (without, with) = (median(&mut without), median(&mut with));
    println!(
        "a cycle of 10 datetimes x {VARIABLES} variables: {without:.2} ms, with page and alerts {with:.2} ms, {:.2} times",
        with / without
    );
}

/// Ten minutes of each variable, of which every fortieth reading or so is flagged.
fn insert(bench: &Fixture, minute: u64) {
    let input = bench.input();
    let transaction = input.unchecked_transaction().unwrap();
    let sql = "INSERT INTO datos_proceso (datetime, variable_name, value) VALUES (?1, ?2, ?3)";
    let mut statement = transaction.prepare(sql).unwrap();
    for nth in minute..minute + 10 {
        let at = Datetime::from_micros(datetime("00:00").micros() - 40 * 86_400_000_000);
        let at = at.later(Duration::from_secs(60 * nth)).to_string();
        for variable in 0..VARIABLES {
            let value = if (nth * 7 + variable * 13) % 41 == 0 { 64.5 } else { (nth % 60) as f64 };
            statement.execute((&at, format!("VAR-{variable:02}"), value)).unwrap();
        }
    }
    drop(statement);
    transaction.commit().unwrap();
}

/// The page with somebody who looks at it, and a channel with its receiver.
struct On {
    server: WebServer,
    delivery: host::alert::delivery::Delivery,
    status: Arc<ServiceStatus>,
    goes_on: Arc<AtomicBool>,
    looker: std::thread::JoinHandle<u64>,
}

impl On {
    fn start(bench: &Fixture) -> Self {
        let settings = WebSettings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            access: AccessRules::default(),
            worker: WORKER.into(),
            interval: Duration::from_secs(600),
            live: None,
            metrics: Metrics::default(),
            actions: false,
            store: Box::new(bench.store.clone()),
        };
        let server = WebServer::start(settings).unwrap();
        let status = Arc::new(ServiceStatus::new(WORKER.into(), Duration::from_secs(600)));
        let hook = ChannelSection {
            url: Some(Secret::new(receiver())),
            ..ChannelSection::new("hook", ChannelKind::Webhook)
        };
        let alerts = AlertsSection { channels: vec![hook], ..AlertsSection::default() };
        let outgoing = Outgoing {
            channels: channel::channels(&alerts, WORKER, None).unwrap(),
            store: Box::new(bench.store.clone()),
            service_status: Arc::clone(&status),
            about: Box::new(|_| Described::default()),
            together: Duration::ZERO,
            worker: WORKER.into(),
            metrics: Metrics::default(),
        };
        let goes_on = Arc::new(AtomicBool::new(true));
        let (address, looks) = (server.address(), Arc::clone(&goes_on));
        let looker = std::thread::spawn(move || {
            let mut looked = 0;
            while looks.load(Ordering::Relaxed) {
                for path in ["/", "/variable?name=VAR-07"] {
                    looked += u64::from(ask(address, "GET", path, &[], "").status == 200);
                }
                std::thread::sleep(LOOKS);
            }
            looked
        });
        Self { server, delivery: outgoing.start(), status, goes_on, looker }
    }

    async fn finish(self) {
        self.goes_on.store(false, Ordering::Relaxed);
        assert!(self.looker.join().unwrap() > 0, "nobody saw the page");
        self.delivery.finish().await;
        drop(self.server);
    }
}

/// Takes whatever comes.
fn receiver() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let mut stream = BufReader::new(stream);
            let (mut length, mut line) = (0, String::new());
            while stream.read_line(&mut line).unwrap_or_default() > 2 {
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            let _ = stream.read_exact(&mut body);
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = stream.get_mut().write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}
