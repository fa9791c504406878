//! The page in a real browser, Debian's Chromium by its driver: wide and narrow, in both languages
//! and both colour schemes; nothing is wider than the screen, the browser refuses nothing, and
//! screen readers have what they need.
//!
//! `just test-page` runs it. It needs `chromium` and `chromedriver`; pictures of all views go to
//! the directory that PAGE_PICTURES names, and those of the README into `docs/images` where
//! PAGE_README is set. Where AXE names the file `axe.min.js`, axe examines each view too.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use host::datetime::Datetime;
use host::metrics::Metrics;
use host::store::{Clock, SqliteStore, Store};
use host::web::{AccessRules, WebServer, WebSettings};
use serde_json::{Value, json};
use tests::http::ask;

/// A browser and its driver, until it is dropped.
struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    fn open() -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let driver = Command::new("chromedriver")
            .arg(format!("--port={}", address.port()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Self { driver, address, session: String::new(), _profile: profile };
        let begun = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(180), "chromedriver does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        let flags = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            &format!("--user-data-dir={}", browser._profile.path().display()),
        ];
        let asked = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": flags },
            "goog:loggingPrefs": { "browser": "ALL" },
        }}});
        let answer = browser.call("POST", "/session", &asked);
        browser.session = answer["sessionId"].as_str().unwrap().to_owned();
        // A view that waits for the connection of one that was left would wait for a minute.
        browser.command("timeouts", &json!({ "pageLoad": 30_000 }));
        browser
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let headers = [("Content-Type", "application/json")];
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let answer = ask(self.address, method, path, &headers, &body);
        let told: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(answer.status, 200, "{path}: {told}");
        told["value"].clone()
    }

    fn command(&self, command: &str, body: &Value) -> Value {
        self.call("POST", &format!("/session/{}/{command}", self.session), body)
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.command("goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    fn run(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Sets the screen, the language and the colour scheme.
    fn look_as(&self, width: u32, language: &str, scheme: &str) {
        let screen = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", &screen);
        let agent =
            json!({ "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Chromium", "acceptLanguage": language });
        self.devtools("Emulation.setUserAgentOverride", &agent);
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", &features);
    }

    fn go(&self, url: &str) {
        self.command("url", &json!({ "url": url }));
    }

    /// A picture of the whole page, or of its first screen.
    fn picture(&self, whole: bool, file: &Path) {
        let asked = json!({ "format": "png", "captureBeyondViewport": whole });
        let asked = if whole {
            let size = self.devtools("Page.getLayoutMetrics", &json!({}))["cssContentSize"].clone();
            let clip =
                json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
            json!({ "format": "png", "captureBeyondViewport": true, "clip": clip })
        } else {
            asked
        };
        let taken = self.devtools("Page.captureScreenshot", &asked);
        std::fs::write(file, decoded(taken["data"].as_str().unwrap())).unwrap();
    }

    /// What the browser complained about since it was asked last: a script that failed, a style
    /// that the policy refuses, a file that is not there.
    fn complaints(&self) -> Vec<String> {
        let told = self.command("se/log", &json!({ "type": "browser" }));
        told.as_array().unwrap().iter().map(|line| line["message"].to_string()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = ask(self.address, "DELETE", &format!("/session/{}", self.session), &[], "");
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn decoded(base64: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::with_capacity(base64.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for letter in base64.bytes().filter(|letter| *letter != b'=') {
        bits = bits << 6 | u32::try_from(LETTERS.iter().position(|known| *known == letter).unwrap()).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}

/// The demo's plant, as it is when the demo ends.
async fn plant() -> (WebServer, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("demo");
    let ran = Command::new(env!("CARGO_BIN_EXE_host-under-test"))
        .args(["demo", "--days", "3", "--dir"])
        .arg(&place)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(ran.success());

    let file = place.join("plant.sqlite");
    let store = SqliteStore::new(file);
    let last = store.open_page().await.unwrap().unwrap().newest(Datetime::from_micros(i64::MAX)).await;
    let now = last.unwrap().unwrap().later(Duration::from_secs(120));
    let settings = WebSettings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        access: AccessRules::default(),
        worker: "default".into(),
        interval: Duration::from_secs(600),
        live: None,
        metrics: Metrics::default(),
        actions: false,
        store: Box::new(SqliteStore { clock: Clock::fixed(now), ..store }),
    };
    (WebServer::start(settings).unwrap(), directory)
}

/// The views by their names, with their addresses.
const VIEWS: [(&str, &str); 7] = [
    ("overview", "/"),
    ("variable", "/variable?name=TEMP-03&range=24h"),
    ("days", "/variable?name=TEMP-03&range=7d"),
    ("episode", "/episode?id=1"),
    ("anomalies", "/anomalies?range=7d"),
    ("detector", "/detector"),
    ("nothing", "/none"),
];

/// Sentences on what is missing for a person who sees the page, hears it or uses the keyboard.
const CHECKS: &str = r#"
const wrong = [];
const shown = (node) => node.getClientRects().length > 0;
if (document.querySelectorAll("h1").length !== 1) wrong.push("there is not one h1");
for (const mark of ["header", "main", "footer", "nav"]) if (!document.querySelector(mark)) wrong.push("no " + mark);
let level = 0;
for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
  const now = Number(heading.tagName[1]);
  if (now > level + 1) wrong.push("a heading is skipped before " + heading.textContent);
  level = now;
}
for (const field of document.querySelectorAll("input:not([type=hidden]), select")) {
  if (!field.labels.length || !field.labels[0].textContent.trim()) wrong.push("no label: " + field.outerHTML);
}
for (const link of document.querySelectorAll("a, button")) if (!link.textContent.trim()) wrong.push("says nothing: " + link.outerHTML);
const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
if (new Set(ids).size !== ids.length) wrong.push("an id is there twice: " + ids.filter((id, at) => ids.indexOf(id) !== at));
for (const node of document.querySelectorAll("[aria-labelledby], [aria-describedby]")) {
  const names = [node.getAttribute("aria-labelledby"), node.getAttribute("aria-describedby")].filter(Boolean).join(" ").split(" ");
  for (const name of names) if (!document.getElementById(name)) wrong.push("named by nothing: " + name);
}
for (const svg of document.querySelectorAll("svg")) {
  if (svg.getAttribute("aria-hidden") !== "true" && !(svg.getAttribute("role") === "img" && svg.querySelector("title"))) wrong.push("a picture without words");
}
const wide = document.documentElement.scrollWidth;
if (wide > innerWidth) wrong.push("it spills over: " + wide + " of " + innerWidth + ": " +
  [...document.querySelectorAll("main *")].filter((node) => shown(node) && node.getBoundingClientRect().right > innerWidth + 1).slice(0, 3).map((node) => node.outerHTML.slice(0, 120)).join(" | "));
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const colour = (text) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
const light = ([red, green, blue]) => [red, green, blue].map((part) => part / 255).map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
  .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
const behind = (node) => {
  for (let at = node; at; at = at.parentElement) { const found = colour(getComputedStyle(at).backgroundColor); if (found[3] > 250) return found; }
  return colour("Canvas");
};
for (const node of document.querySelectorAll("body *")) {
  const says = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
  if (!says || !shown(node) || node.closest("svg, .skip")) continue;
  const [one, other] = [light(colour(getComputedStyle(node).color)), light(behind(node))].sort((a, b) => b - a);
  if ((one + 0.05) / (other + 0.05) < 4.5) wrong.push("hard to read: " + node.outerHTML.slice(0, 120) + " " + ((one + 0.05) / (other + 0.05)).toFixed(2));
}
return wrong;
"#;

const AXE: &str = r#"
const done = arguments[arguments.length - 1];
axe.run(document, { resultTypes: ["violations"] }).then((found) => done(found.violations
  .filter((fault) => ["serious", "critical"].includes(fault.impact))
  .map((fault) => fault.id + ": " + fault.nodes.map((node) => node.html.slice(0, 160)).join(" | "))));
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver: just test-page"]
async fn every_view_is_sound_on_every_screen() {
    let (server, _directory) = plant().await;
    let pictures = std::env::var_os("PAGE_PICTURES").map(PathBuf::from);
    let axe = std::env::var_os("AXE").map(|file| std::fs::read_to_string(file).unwrap());
    let browser = Browser::open();
    let mut wrong = Vec::new();
    for width in [1280, 390] {
        for language in ["en", "es"] {
            for scheme in ["light", "dark"] {
                browser.look_as(width, language, scheme);
                for (name, path) in VIEWS {
                    browser.go(&format!("http://{}{path}", server.address()));
                    let place = format!("{name}-{width}-{language}-{scheme}");
                    let mut found = browser.run(CHECKS).as_array().unwrap().clone();
                    if let Some(axe) = &axe {
                        browser.run(axe);
                        let asked = json!({ "script": AXE, "args": [] });
                        found.extend(browser.command("execute/async", &asked).as_array().unwrap().clone());
                    }
                    let complaints = browser.complaints();
                    // A page that is not there is said to be a failure to load.
                    found.extend(complaints.into_iter().filter(|_| name != "nothing").map(Value::from));
                    wrong.extend(found.into_iter().map(|fault| format!("{place}: {fault}")));
                    let said = browser.run("return document.documentElement.lang");
                    assert_eq!(said, language, "{place}");
                    if let Some(pictures) = &pictures {
                        browser.picture(true, &pictures.join(format!("{place}.png")));
                    }
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    if std::env::var_os("PAGE_README").is_some() {
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images");
        for (name, path, scheme) in [("overview", VIEWS[0].1, "light"), ("variable", VIEWS[1].1, "light")] {
            browser.look_as(1280, "en", scheme);
            browser.go(&format!("http://{}{path}", server.address()));
            browser.picture(false, &images.join(format!("page-{name}.png")));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver: just test-page"]
async fn pointer_and_keys_tell_numbers_and_a_drag_looks_closer() {
    let (server, _directory) = plant().await;
    let browser = Browser::open();
    browser.look_as(1280, "en", "light");
    browser.go(&format!("http://{}/variable?name=TEMP-03&range=24h", server.address()));
    let said =
        || browser.run("return document.getElementById('readout').textContent").as_str().unwrap().to_owned();
    let box_of = |part: &str| {
        let asked = format!(
            "const box = document.querySelector('svg.wide').getBoundingClientRect(); return Math.round(box.{part})"
        );
        browser.run(&asked).as_i64().unwrap()
    };
    browser.run("document.getElementById('plot').focus(); document.getElementById('plot').scrollIntoView()");
    let (left, top, width) = (box_of("left"), box_of("top"), box_of("width"));
    let mouse = |actions: Value| {
        let asked = json!({ "actions": [{ "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" }, "actions": actions }] });
        browser.command("actions", &asked);
    };
    let step = |share: i64| json!({ "type": "pointerMove", "duration": 0, "x": left + width * share / 100, "y": top + 120 });
    mouse(json!([step(50)]));
    let there = said();
    assert!(there.contains("expected band"), "{there}");
    let key = json!({ "actions": [{ "type": "key", "id": "keys", "actions": [
        { "type": "keyDown", "value": "\u{e012}" }, { "type": "keyUp", "value": "\u{e012}" },
    ]}]});
    browser.command("actions", &key);
    assert_ne!(said(), there, "the arrow goes to the point before");
    mouse(
        json!([step(30), { "type": "pointerDown", "button": 0 }, step(60), { "type": "pointerUp", "button": 0 }]),
    );
    let begun = Instant::now();
    let url = loop {
        let url = browser.run("return location.search").as_str().unwrap().to_owned();
        if url.contains("from=") {
            break url;
        }
        assert!(begun.elapsed() < Duration::from_secs(180), "nothing came of the drag: {url}");
    };
    assert!(url.contains("name=TEMP-03") && url.contains("to=") && !url.contains("range="), "{url}");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
