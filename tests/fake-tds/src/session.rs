//! A connection, from its prelogin to its end.

use std::net::TcpStream;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};

use crate::fault::{SqlError, What};
use crate::server::Shared;
use crate::sql::{self, Sql, Stop};
use crate::wire::login::Login;
use crate::wire::packet::{self, kind};
use crate::wire::prelogin;
use crate::wire::request::{self, Call};
use crate::wire::tls::Stream;
use crate::wire::token::{Answer, Done, status};

/// From this severity on the server closes the connection.
const FATAL: u8 = 20;

/// Serves a connection to its end.
pub(crate) fn serve(mut tcp: TcpStream, number: u16, shared: &Arc<Shared>) -> Result<()> {
    tcp.set_nodelay(true)?;
    let Some((kind::PRELOGIN, asked)) = packet::read(&mut tcp)? else { bail!("no prelogin") };
    let tls = prelogin::wants_tls(&asked)?;
    packet::write(&mut tcp, kind::RESPONSE, &prelogin::answer(tls))?;
    let mut stream = if tls { Stream::secure(tcp, &shared.identity.config)? } else { Stream::Plain(tcp) };
    let Some((kind::LOGIN, login)) = packet::read(&mut stream)? else { bail!("no login") };
    let mut answer = Answer::default();
    let session = match log_in(&Login::parse(&login)?, number, shared, &mut answer) {
        Ok(session) => session,
        Err(Stop::Error(error)) => {
            answer.error(&error);
            answer.done(Done::Batch, status::ERROR, 0);
            None
        }
        Err(Stop::Close | Stop::Return) => return Ok(()),
    };
    packet::write(&mut stream, kind::RESPONSE, &answer.0)?;
    let Some(sql) = session else { return Ok(()) };
    let mut session = Session { stream, sql, shared: Arc::clone(shared), load: None };
    while let Some((kind, message)) = packet::read(&mut session.stream)? {
        match session.request(kind, &message) {
            Ok(true) => {}
            Ok(false) => break,
            // An error of the protocol is sent, if the client is still there.
            Err(error) => {
                let mut answer = Answer::default();
                answer.error(&SqlError::new(sql::UNKNOWN, FATAL, format!("the fake gives up: {error:#}")));
                answer.done(Done::Batch, status::ERROR, 0);
                packet::write(&mut session.stream, kind::RESPONSE, &answer.0)?;
                return Err(error);
            }
        }
    }
    Ok(())
}

/// None if the client is routed elsewhere.
fn log_in(
    login: &Login,
    number: u16,
    shared: &Arc<Shared>,
    answer: &mut Answer,
) -> Result<Option<Sql>, Stop> {
    match shared.login_fault() {
        Some(What::Fail(error)) => return Err(error.into()),
        Some(What::Hang) => return Err(Stop::Close),
        Some(What::Wait(time)) => std::thread::sleep(time),
        Some(What::Route { host, port }) => {
            answer.login();
            answer.routing(&host, port);
            answer.done(Done::Batch, status::FINAL, 0);
            return Ok(None);
        }
        None => {}
    }
    if !shared.rights.may_enter(&login.user, &login.password) {
        return Err(SqlError::new(18_456, 14, format!("Login failed for user '{}'.", login.user)).into());
    }
    let database = if login.database.is_empty() { "plant" } else { &login.database };
    let sql = Sql::open(shared, number, &login.user, database)?;
    answer.database(sql.database(), "master");
    answer.collation();
    answer.login();
    answer.packet_size(packet::SIZE);
    answer.done(Done::Batch, status::FINAL, 0);
    Ok(Some(sql))
}

struct Session {
    stream: Stream,
    sql: Sql,
    shared: Arc<Shared>,
    /// The table for the rows of the next message.
    load: Option<sql::Load>,
}

impl Session {
    /// Answers a request; false ends the connection.
    fn request(&mut self, kind: u8, message: &[u8]) -> Result<bool> {
        let mut answer = Answer::default();
        let mut done = Done::Batch;
        let ran = match kind {
            kind::BATCH => {
                let text = request::batch(message)?;
                self.shared.note(&text);
                match sql::Load::parse(&text) {
                    Some(load) => {
                        self.load = Some(load);
                        Ok(None)
                    }
                    None => self.sql.run(&text, Vec::new(), &mut answer, Done::Batch).map(|()| None),
                }
            }
            kind::RPC => {
                done = Done::Procedure;
                match request::call(message)? {
                    Call::Statement(text, parameters) => {
                        self.shared.note(&text);
                        self.sql.run(&text, parameters, &mut answer, Done::InProcedure).map(|()| {
                            answer.return_status(0);
                            None
                        })
                    }
                    Call::Procedure(name, parameters) => {
                        self.shared.note(&name);
                        self.sql.procedure(&name, parameters).map(|returned| {
                            answer.return_status(returned);
                            None
                        })
                    }
                }
            }
            kind::BULK => {
                let Some(load) = self.load.take() else { bail!("rows that nobody announced") };
                let (kinds, rows) = request::bulk(message)?;
                self.sql.bulk(&load, &kinds, &rows).map(Some)
            }
            kind::TRANSACTION => {
                self.sql.transaction(request::transaction(message)?, &mut answer).map(|()| None)
            }
            kind::ATTENTION => {
                answer.done(Done::Batch, status::ATTENTION, 0);
                packet::write(&mut self.stream, kind::RESPONSE, &answer.0)?;
                return Ok(true);
            }
            other => bail!("a message of kind {other}"),
        };
        let mut alive = true;
        match ran {
            Ok(None) => answer.done(done, status::FINAL, 0),
            Ok(Some(rows)) => answer.done(done, status::COUNT, rows),
            Err(Stop::Error(error)) => {
                alive = error.severity < FATAL;
                answer.error(&error);
                answer.done(done, status::ERROR, 0);
            }
            Err(Stop::Close | Stop::Return) => return Ok(false),
        }
        ensure!(!answer.0.is_empty(), "an answer");
        packet::write(&mut self.stream, kind::RESPONSE, &answer.0)?;
        Ok(alive)
    }
}
