//! A proxy before a server, with which a test can harm connections. It knows where packets end: a
//! packet of TDS, or a record of TLS where the connection is encrypted (each packet is one there).
//! It counts the packets of all connections and both directions, and does its harm at a given one.
//!
//! It runs on a thread of its own, so that it also works in a test whose clock is paused. Dropping
//! it closes everything.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// What happens at a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Both sides are closed before it is passed on.
    Cut,
    /// The same, with a reset instead of an end.
    Reset,
    /// Half of it is passed on, and both sides are closed.
    Half,
    /// It is passed on later.
    Delay(Duration),
}

/// The direction of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    Client,
    Server,
}

/// A packet that was passed on or harmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    pub from: Party,
    /// Its kind, by its first byte.
    pub kind: u8,
    pub length: usize,
}

#[derive(Default)]
struct Watch {
    packets: Vec<Packet>,
    harm: Option<(usize, Harm)>,
    struck: Option<Packet>,
}

/// A proxy in front of a server.
pub struct Proxy {
    port: u16,
    watch: Arc<Mutex<Watch>>,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
}

impl Proxy {
    /// In front of what listens on this port of 127.0.0.1.
    ///
    /// # Errors
    /// If no port can be had.
    pub fn start(server: u16) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let watch = Arc::new(Mutex::new(Watch::default()));
        let (stop, stopped) = oneshot::channel();
        let seen = Arc::clone(&watch);
        let running = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = listen(listener, SocketAddr::from((Ipv4Addr::LOCALHOST, server)), seen) => {}
                    _ = stopped => {}
                }
            });
        });
        Ok(Self { port, watch, stop: Some(stop), running: Some(running) })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Counts from 0 again, and does this harm at packet `at`, if it comes.
    pub fn harm(&self, at: usize, harm: Harm) {
        *lock(&self.watch) = Watch { harm: Some((at, harm)), ..Watch::default() };
    }

    /// Counts from 0 again, and does no harm. The packet that was harmed before, if it came.
    pub fn heal(&self) -> Option<Packet> {
        std::mem::take(&mut *lock(&self.watch)).struck
    }

    /// The packets since the count began.
    pub fn packets(&self) -> Vec<Packet> {
        lock(&self.watch).packets.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(running) = self.running.take() {
            let _ = running.join();
        }
    }
}

fn lock(watch: &Mutex<Watch>) -> MutexGuard<'_, Watch> {
    watch.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen(
    listener: std::net::TcpListener,
    server: SocketAddr,
    watch: Arc<Mutex<Watch>>,
) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let watch = Arc::clone(&watch);
        tokio::spawn(async move {
            // An error here ends both sides. A proxy cannot tell them more.
            if let Ok(server) = TcpStream::connect(server).await {
                let _ = pass(client, server, &watch).await;
            }
        });
    }
}

/// Passes packets on until one side is closed. Both are closed when this returns.
async fn pass(client: TcpStream, server: TcpStream, watch: &Mutex<Watch>) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut sides = [Side::new(client, Party::Client), Side::new(server, Party::Server)];
    loop {
        let [client, server] = &mut sides;
        // Both reads can be dropped at any time: the bytes that were read are in the buffer.
        let (read, other) = tokio::select! {
            read = client.stream.read_buf(&mut client.buffer) => (read?, (client, server)),
            read = server.stream.read_buf(&mut server.buffer) => (read?, (server, client)),
        };
        if read == 0 {
            return Ok(());
        }
        let (from, to) = other;
        while let Some(packet) = from.packet() {
            let seen = Packet { from: from.from, kind: packet[0], length: packet.len() };
            match note(watch, seen) {
                None => {}
                Some(Harm::Delay(time)) => tokio::time::sleep(time).await,
                Some(Harm::Cut) => return Ok(()),
                Some(Harm::Reset) => {
                    from.stream.set_zero_linger()?;
                    return to.stream.set_zero_linger();
                }
                Some(Harm::Half) => return to.stream.write_all(&packet[..packet.len() / 2]).await,
            }
            to.stream.write_all(&packet).await?;
        }
    }
}

/// Counts a packet; the harm that is to be done at it.
fn note(watch: &Mutex<Watch>, packet: Packet) -> Option<Harm> {
    let mut watch = lock(watch);
    let at = watch.packets.len();
    watch.packets.push(packet);
    let (_, harm) = watch.harm.filter(|(harmed, _)| *harmed == at)?;
    watch.struck = Some(packet);
    Some(harm)
}

struct Side {
    stream: TcpStream,
    from: Party,
    buffer: Vec<u8>,
}

impl Side {
    fn new(stream: TcpStream, from: Party) -> Self {
        Self { stream, from, buffer: Vec::new() }
    }

    /// The next whole packet or record.
    fn packet(&mut self) -> Option<Vec<u8>> {
        let number = |at: usize| -> Option<usize> {
            let bytes = self.buffer.get(at..at + 2)?;
            Some(usize::from(u16::from_be_bytes([bytes[0], bytes[1]])))
        };
        let length = match self.buffer.first()? {
            // TLS: the length of what follows the five bytes of its header.
            20..=23 => number(3)? + 5,
            _ => number(2)?.max(8),
        };
        (self.buffer.len() >= length).then(|| self.buffer.drain(..length).collect())
    }
}
