//! What tests of the layers share: a scripted gRPC server on raw HTTP/2, a connector to it, a caller, and a listener.
#![allow(dead_code, clippy::allow_attributes, reason = "every test file uses another part of it")]

mod raw;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use squall::clock;
use squall::resilience::{Connector, Endpoint, Event, EventKind, Observer, StopReason, Target};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tonic::{Code, Status};

pub(crate) use self::raw::Raw;

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// One message, then OK in trailers.
    Ok,
    /// The same; the message says how many bytes the request had.
    Size,
    /// A status in Trailers-Only headers before the request is read, which nobody ever reads to the end.
    Early(Code),
    /// A status in Trailers-Only headers.
    Status(Code),
    /// The same, with `grpc-retry-pushback-ms`.
    Pushback(Code, &'static str),
    /// Headers, a message, and then a status in trailers.
    Late(Code),
    /// RST_STREAM.
    Reset(h2::Reason),
    /// Headers, and then RST_STREAM.
    LateReset(h2::Reason),
    /// Nothing, ever.
    Silence,
    /// Headers, and then nothing.
    LateSilence,
    /// The connection ends.
    Disconnect,
    /// This reply, after a while.
    After(Duration, Box<Reply>),
}

/// A server that answers the n-th request (from 0) as a script says.
#[derive(Clone)]
pub(crate) struct Server {
    script: Arc<dyn Fn(usize) -> Reply + Send + Sync>,
    served: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
    /// What happens to a connection attempt, by number from 0.
    door: Arc<dyn Fn(usize) -> Door + Send + Sync>,
    connections: Arc<AtomicUsize>,
    /// When connection attempts came.
    knocks: Arc<Mutex<Vec<clock::Instant>>>,
}

/// What happens to a connection attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Door {
    Open,
    Refused,
    /// Accepted, and closed at once.
    Slammed,
    /// Nothing ever comes back.
    BlackHole,
    /// SETTINGS, and then nothing, not even to pings.
    GoesSilent,
    /// SETTINGS, and GOAWAY with `too_many_pings` at the first ping.
    TooManyPings,
    /// SETTINGS, and as soon as a request comes, GOAWAY with a last stream before it.
    TurnsAway,
}

impl Server {
    pub(crate) fn new(script: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        Self {
            script: Arc::new(script),
            served: Arc::default(),
            seen: Arc::default(),
            door: Arc::new(|_| Door::Open),
            connections: Arc::default(),
            knocks: Arc::default(),
        }
    }

    /// Answers in this order, then repeats the last.
    pub(crate) fn sequence(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies: Vec<Reply> = replies.into_iter().collect();
        Self::new(move |n| replies[n.min(replies.len() - 1)].clone())
    }

    pub(crate) fn with_door(mut self, door: impl Fn(usize) -> Door + Send + Sync + 'static) -> Self {
        self.door = Arc::new(door);
        self
    }

    /// How many requests it has seen.
    pub(crate) fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn knocks(&self) -> Vec<clock::Instant> {
        self.knocks.lock().unwrap().clone()
    }

    /// The headers of the n-th request.
    pub(crate) fn headers(&self, n: usize) -> HeaderMap {
        self.seen.lock().unwrap()[n].clone()
    }

    /// Serves one connection.
    pub(crate) async fn serve<Io: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, io: Io) {
        let Ok(mut connection) = h2::server::handshake(io).await else { return };
        while let Some(Ok((request, respond))) = connection.accept().await {
            let n = self.served.fetch_add(1, Ordering::Relaxed);
            self.seen.lock().unwrap().push(request.headers().clone());
            match (self.script)(n) {
                Reply::Disconnect => return,
                reply => {
                    tokio::spawn(answer(request, respond, reply));
                }
            }
        }
    }
}

async fn answer(request: Request<h2::RecvStream>, mut respond: h2::server::SendResponse<Bytes>, reply: Reply) {
    let mut body = request.into_body();
    if let Reply::Early(code) = reply {
        let mut response = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        response.headers_mut().insert("grpc-status", HeaderValue::from(code as i32));
        let _stream = respond.send_response(response, true);
        clock::sleep(Duration::from_secs(1)).await;
        return;
    }
    let mut size = 0;
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
        size += data.len();
    }
    let mut reply = reply;
    while let Reply::After(pause, then) = reply {
        clock::sleep(pause).await;
        reply = *then;
    }
    let head = || {
        let builder = Response::builder().header("content-type", "application/grpc");
        builder.body(()).unwrap()
    };
    let message = |reply: &Reply| {
        let text = if matches!(reply, Reply::Size) { size.to_string() } else { "ok".to_owned() };
        Bytes::from([&[0, 0, 0, 0, text.len() as u8], text.as_bytes()].concat())
    };
    let trailers = |code: Code| {
        let mut map = HeaderMap::new();
        map.insert("grpc-status", HeaderValue::from(code as i32));
        map
    };
    match reply {
        Reply::Ok | Reply::Size | Reply::Late(_) => {
            let message = message(&reply);
            let code = if let Reply::Late(code) = reply { code } else { Code::Ok };
            let Ok(mut stream) = respond.send_response(head(), false) else { return };
            let _ = stream.send_data(message, false);
            let _ = stream.send_trailers(trailers(code));
        }
        Reply::Status(_) | Reply::Pushback(..) => {
            let mut response = head();
            if let Reply::Status(code) | Reply::Pushback(code, _) = reply {
                response.headers_mut().extend(trailers(code));
            }
            if let Reply::Pushback(_, after) = reply {
                response.headers_mut().insert("grpc-retry-pushback-ms", HeaderValue::from_static(after));
            }
            let _ = respond.send_response(response, true);
        }
        Reply::Reset(reason) => respond.send_reset(reason),
        Reply::LateReset(reason) => {
            let Ok(mut stream) = respond.send_response(head(), false) else { return };
            clock::sleep(Duration::from_millis(5)).await;
            stream.send_reset(reason);
        }
        Reply::Silence => std::future::pending::<()>().await,
        Reply::LateSilence => {
            let _stream = respond.send_response(head(), false);
            std::future::pending::<()>().await;
        }
        Reply::Disconnect | Reply::Early(_) | Reply::After(..) => unreachable!("handled before"),
    }
}

/// Frames by hand: h2's server never disowns a stream it has accepted.
async fn turn_away(mut io: DuplexStream) {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let _ = io.write_all(&SETTINGS).await;
    clock::sleep(Duration::from_millis(10)).await;
    let _ = io.write_all(&GOAWAY).await;
    let mut rest = Vec::new();
    let _ = io.read_to_end(&mut rest).await;
}

/// A server that wants no pings: reads frames until one comes.
async fn complain(mut io: DuplexStream) {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const GOAWAY: [u8; 17] = [0, 0, 22, 7, 0, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 11];
    const PREFACE: usize = 24;
    const PING: u8 = 6;
    let _ = io.write_all(&SETTINGS).await;
    let mut frame = vec![0; PREFACE];
    let mut read = io.read_exact(&mut frame).await;
    while read.is_ok() {
        let mut head = [0; 9];
        read = io.read_exact(&mut head).await;
        frame.resize(usize::from(head[1]) << 8 | usize::from(head[2]), 0);
        if read.is_ok() && head[3] == PING {
            let _ = io.write_all(&GOAWAY).await;
            let _ = io.write_all(b"too_many_pings").await;
            return;
        }
        read = io.read_exact(&mut frame).await;
    }
}

/// Reads for ever, answers nothing.
async fn go_silent(mut io: DuplexStream) {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let _ = io.write_all(&SETTINGS).await;
    let mut rest = Vec::new();
    let _ = io.read_to_end(&mut rest).await;
}

/// The first endpoint is one server, all others another.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) first: Server,
    pub(crate) others: Server,
}

impl Connector for Pair {
    type Io = DuplexStream;

    async fn connect(&self, endpoint: &Endpoint) -> io::Result<DuplexStream> {
        let first = endpoint.as_str() == "server-0:1";
        if first { self.first.connect(endpoint).await } else { self.others.connect(endpoint).await }
    }
}

/// Every endpoint leads to the server, 1 ms away.
impl Connector for Server {
    type Io = DuplexStream;

    async fn connect(&self, _: &Endpoint) -> io::Result<DuplexStream> {
        let n = self.connections.fetch_add(1, Ordering::Relaxed);
        self.knocks.lock().unwrap().push(clock::now());
        clock::sleep(Duration::from_millis(1)).await;
        let (client, server) = tokio::io::duplex(1 << 20);
        match (self.door)(n) {
            Door::Open => {
                tokio::spawn(self.clone().serve(server));
            }
            Door::Refused => return Err(io::ErrorKind::ConnectionRefused.into()),
            Door::Slammed => drop(server),
            Door::BlackHole => std::future::pending().await,
            Door::GoesSilent => {
                tokio::spawn(go_silent(server));
            }
            Door::TooManyPings => {
                tokio::spawn(complain(server));
            }
            Door::TurnsAway => {
                tokio::spawn(turn_away(server));
            }
        }
        Ok(client)
    }
}

/// One unary call, as generated code makes it.
pub(crate) async fn call<S, B>(service: S) -> Result<Vec<u8>, Status>
where
    S: tower::Service<Request<tonic::body::Body>, Response = Response<B>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    request(service, tonic::Request::new(b"alert".to_vec())).await
}

/// The same, with a request of one's own.
pub(crate) async fn request<S, B>(service: S, request: tonic::Request<Vec<u8>>) -> Result<Vec<u8>, Status>
where
    S: tower::Service<Request<tonic::body::Body>, Response = Response<B>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    ask(service, "/test.Echo/Say", request).await
}

/// The same, of a method of one's own.
pub(crate) async fn ask<S, B>(
    service: S,
    path: &'static str,
    request: tonic::Request<Vec<u8>>,
) -> Result<Vec<u8>, Status>
where
    S: tower::Service<Request<tonic::body::Body>, Response = Response<B>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut grpc = tonic::client::Grpc::new(service);
    grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
    let path = http::uri::PathAndQuery::from_static(path);
    grpc.unary(request, path, Raw).await.map(tonic::Response::into_inner)
}

/// Three endpoints, all the same server.
pub(crate) fn target(endpoints: usize) -> Target {
    let names: Vec<String> = (0..endpoints).map(|n| format!("server-{n}:1")).collect();
    Target::fixed("test", names.iter().map(String::as_str))
}

/// Remembers every event.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Vec<Event>>);

impl Observer for Heard {
    fn on(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Heard {
    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, pick: impl Fn(&EventKind) -> bool) -> usize {
        self.events().iter().filter(|event| pick(&event.kind)).count()
    }

    /// Why calls were not retried.
    pub(crate) fn stops(&self) -> Vec<StopReason> {
        let stop =
            |event: Event| if let EventKind::RetryStopped { reason, .. } = event.kind { Some(reason) } else { None };
        self.events().into_iter().filter_map(stop).collect()
    }

    /// The pauses before retries.
    pub(crate) fn pauses(&self) -> Vec<Duration> {
        let pause =
            |event: Event| if let EventKind::RetryScheduled { after, .. } = event.kind { Some(after) } else { None };
        self.events().into_iter().filter_map(pause).collect()
    }
}
