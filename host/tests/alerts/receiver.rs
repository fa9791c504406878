//! A receiver of webhooks, which checks each signature and fails as the test tells it to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use standardwebhooks::Webhook;

/// The key that signs the messages.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What it does with a message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// Answers with this status, and accepts the message if it is 200.
    Status(u16),
    /// Accepts it, and answers that it did not.
    Takes { and_answers: u16 },
    /// Ends the connection without an answer.
    HangsUp,
}

/// A message that was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) kind: String,
    /// The ids of its events.
    pub(crate) events: Vec<String>,
}

/// See the module.
pub(crate) struct Receiver {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    answer: Answer,
    refused: String,
    requests: Vec<String>,
    taken: Vec<Taken>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Mutex::new(Inner {
            answer: Answer::Status(200),
            refused: "nothing".to_owned(),
            requests: Vec::new(),
            taken: Vec::new(),
        }));
        let router = Router::new().route("/hook", post(receive)).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, inner }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn answers(&self, answer: Answer) {
        self.inner.lock().unwrap().answer = answer;
    }

    /// Answers 400 to a message that names this variable.
    pub(crate) fn refuses(&self, variable: &str) {
        self.inner.lock().unwrap().refused = variable.to_owned();
    }

    /// The ids of all messages that came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.inner.lock().unwrap().requests.clone()
    }

    /// The messages that were accepted.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.inner.lock().unwrap().taken.clone()
    }
}

async fn receive(State(inner): State<Arc<Mutex<Inner>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    Webhook::new(SECRET).unwrap().verify(&body, &headers).unwrap();
    let message: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let mut inner = inner.lock().unwrap();
    inner.requests.push(headers["webhook-id"].to_str().unwrap().to_owned());
    let events = message["data"]["events"].as_array().unwrap();
    if events.iter().any(|event| event["variable"] == inner.refused.as_str()) {
        return StatusCode::BAD_REQUEST;
    }
    let (takes, status) = match inner.answer {
        Answer::Status(status) => (status == 200, status),
        Answer::Takes { and_answers } => (true, and_answers),
        // A panic ends the connection.
        Answer::HangsUp => {
            drop(inner);
            std::panic::resume_unwind(Box::new(()));
        }
    };
    if takes {
        let events = events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
        inner.taken.push(Taken { kind: message["type"].as_str().unwrap().to_owned(), events });
    }
    StatusCode::from_u16(status).unwrap()
}
