//! One HTTP/2 connection: establishing it, and keeping it until it ends.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use h2::{Ping, PingPong};

use super::io::{Activity, Watched};
use super::pool::Link;
use super::{Connector, Endpoint, Keepalive};
use crate::clock::{self, Instant, Sleep};

/// An established connection, not yet handed to a task.
pub(super) struct Established<Io: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> {
    pub(super) link: Link,
    connection: Connection<Watched<Io>, Bytes>,
    activity: Arc<Activity>,
}

/// The streams of cancelled calls are remembered for as long as the connection lives: h2 measures the time with a clock that a
/// simulation cannot move, and forgetting one too early closes the connection.
const REMEMBER_RESETS: Duration = Duration::from_secs(24 * 3600);
const RESETS_MAX: usize = 4096;
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 5 * 1024 * 1024;

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_max_send_streams(100)
        .max_header_list_size(16 * 1024)
        .max_send_buffer_size(1024 * 1024)
        .max_concurrent_reset_streams(RESETS_MAX)
        .reset_stream_duration(REMEMBER_RESETS)
        .max_local_error_reset_streams(None)
        .enable_push(false);
    builder
}

/// Connects, and waits for the server's SETTINGS.
pub(super) async fn establish<C: Connector>(
    connector: &C,
    endpoint: &Endpoint,
    keepalive: Option<Keepalive>,
    deadline: Instant,
) -> Result<Established<C::Io>, String> {
    let attempt = async {
        let io = connector.connect(endpoint).await.map_err(|error| error.to_string())?;
        if let Some(Keepalive { timeout, .. }) = keepalive {
            // Where the system refuses, the pings find out.
            let _ = connector.give_up_after(&io, timeout);
        }
        let (io, activity) = Watched::new(io);
        let handshake = builder().handshake::<_, Bytes>(io).await;
        let (send, mut connection): (SendRequest<Bytes>, _) = handshake.map_err(|error| error.to_string())?;
        poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
            Poll::Ready(ended) => {
                let why = ended.err().map_or_else(|| "closed".to_owned(), |error| error.to_string());
                Poll::Ready(Err(format!("before SETTINGS: {why}")))
            }
            Poll::Pending if activity.has_settings() => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        })
        .await?;
        let authority = endpoint.as_str().parse().map_err(|_| "not an authority".to_owned())?;
        let link = Link { send, endpoint: endpoint.clone(), authority, traffic: Arc::default() };
        Ok::<_, String>(Established { link, connection, activity })
    };
    match clock::timeout_at(deadline, attempt).await {
        Ok(result) => result.map_err(|reason| format!("{endpoint}: {reason}")),
        Err(_) => Err(format!("{endpoint}: connecting timed out")),
    }
}

/// Why a connection stopped taking calls.
#[expect(clippy::large_enum_variant, reason = "made once a connection")]
pub(super) enum End<Io: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> {
    /// It is over.
    Lost(Farewell),
    /// It takes no new calls; those under way go on.
    Leaving(Draining<Io>, Farewell),
}

/// The last words of a connection.
pub(super) struct Farewell {
    /// For people.
    pub(super) reason: String,
    /// The server has had enough of our pings: the next connection must wait longer before it sends one (gRFC A8).
    pub(super) too_many_pings: bool,
}

impl Farewell {
    fn saying(reason: &str) -> Self {
        Self { reason: reason.to_owned(), too_many_pings: false }
    }

    fn of(error: &h2::Error, reason: String) -> Self {
        // h2 keeps the debug data of a GOAWAY to itself, but for its words.
        let calm = error.is_remote() && error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM);
        Self { reason, too_many_pings: calm && error.to_string().contains("too_many_pings") }
    }
}

/// A connection that only finishes what is under way.
pub(super) struct Draining<Io: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(Connection<Watched<Io>, Bytes>);

impl<Io: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Draining<Io> {
    pub(super) async fn finish(self) {
        // Its calls have heard of the error, if there was one.
        let _ = self.0.await;
    }
}

/// Keeps a connection until it ends, the server says GOAWAY, it grows too old, or `leaving` says so.
pub(super) async fn keep<Io: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    established: Established<Io>,
    keepalive: Option<Keepalive>,
    retire_at: Instant,
    mut leaving: impl FnMut() -> Option<h2::Error>,
) -> End<Io> {
    let Established { link, mut connection, activity } = established;
    // The task must not hold the link: a connection ends when its last handle is dropped.
    let traffic = Arc::clone(&link.traffic);
    let mut alive = Alive::new(keepalive, &mut connection, &activity);
    drop(link);
    let mut retirement = pin!((retire_at != Instant::NEVER).then(|| clock::sleep_until(retire_at)));
    enum Why {
        Lost(Farewell),
        Leaving(Farewell),
    }
    let why = poll_fn(|cx| {
        if let Poll::Ready(ended) = Pin::new(&mut connection).poll(cx) {
            return Poll::Ready(Why::Lost(match ended {
                Ok(()) => Farewell::saying("closed by the peer"),
                Err(error) => Farewell::of(&error, error.to_string()),
            }));
        }
        if let Some(error) = leaving() {
            return Poll::Ready(Why::Leaving(Farewell::of(&error, "the server is going away".to_owned())));
        }
        if let Some(alive) = &mut alive
            && alive.poll_dead(cx, || traffic.is_used()).is_ready()
        {
            return Poll::Ready(Why::Lost(Farewell::saying("keepalive ping was not answered")));
        }
        if let Some(retirement) = retirement.as_mut().as_pin_mut()
            && retirement.poll(cx).is_ready()
        {
            return Poll::Ready(Why::Leaving(Farewell::saying("the connection has reached its maximum age")));
        }
        Poll::Pending
    })
    .await;
    match why {
        Why::Lost(farewell) => End::Lost(farewell),
        Why::Leaving(farewell) => End::Leaving(Draining(connection), farewell),
    }
}

/// gRFC A8: pings a silent connection, and finds it dead when nothing comes back.
struct Alive {
    config: Keepalive,
    pings: PingPong,
    activity: Arc<Activity>,
    timer: Pin<Box<Sleep>>,
    /// When the ping under way was sent.
    pinged: Option<Instant>,
}

impl Alive {
    fn new<Io>(
        config: Option<Keepalive>,
        connection: &mut Connection<Io, Bytes>,
        activity: &Arc<Activity>,
    ) -> Option<Self>
    where
        Io: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let config = config?;
        let pings = connection.ping_pong()?;
        let timer = Box::pin(clock::sleep(config.time));
        Some(Self { config, pings, activity: Arc::clone(activity), timer, pinged: None })
    }

    fn poll_dead(&mut self, cx: &mut Context<'_>, has_calls: impl Fn() -> bool) -> Poll<()> {
        while self.pinged.is_some() && self.pings.poll_pong(cx).is_ready() {
            self.pinged = None;
            self.timer.as_mut().reset(clock::now() + self.config.time);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = clock::now();
            let quiet_since = self.activity.last_read();
            let next = match self.pinged {
                // Any byte is a sign of life; the pong may still be on its way.
                Some(pinged) if quiet_since > pinged => quiet_since + self.config.timeout,
                Some(_) => return Poll::Ready(()),
                None if now - quiet_since < self.config.time => quiet_since + self.config.time,
                None if !self.config.without_calls && !has_calls() => now + self.config.time,
                None if self.pings.send_ping(Ping::opaque()).is_ok() => {
                    self.pinged = Some(now);
                    now + self.config.timeout
                }
                None => now + self.config.time,
            };
            if let Some(pinged) = &mut self.pinged
                && quiet_since > *pinged
            {
                *pinged = quiet_since;
            }
            self.timer.as_mut().reset(next);
        }
        Poll::Pending
    }
}
