//! Where calls go: endpoints, targets made of them, and how to reach them.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

/// One address of a service, as an authority: `host:port`. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint(Arc<str>);

impl Endpoint {
    /// The endpoint at this authority.
    #[must_use]
    pub fn new(authority: &str) -> Self {
        Self(authority.into())
    }

    /// The authority.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A service by name, and where it runs.
#[derive(Clone)]
pub struct Target {
    /// The name, for events.
    pub name: String,
    /// Where it runs, in the order in which pick_first tries them.
    pub endpoints: Vec<Endpoint>,
    /// Who to ask again when connections fail; without one the endpoints stay.
    pub resolver: Option<Arc<dyn Resolver>>,
}

impl Target {
    /// A service that stays where it is.
    #[must_use]
    pub fn fixed<'a>(name: &str, authorities: impl IntoIterator<Item = &'a str>) -> Self {
        Self { name: name.to_owned(), endpoints: authorities.into_iter().map(Endpoint::new).collect(), resolver: None }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

/// Says where a service runs now.
pub trait Resolver: Send + Sync {
    /// The endpoints, in order of preference.
    fn resolve(&self) -> Pin<Box<dyn Future<Output = io::Result<Vec<Endpoint>>> + Send>>;
}

/// Opens byte streams to endpoints.
pub trait Connector: Clone + Send + Sync + 'static {
    /// The stream.
    type Io: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Connects. The channel bounds how long it may take, and drops the future then.
    fn connect(&self, endpoint: &Endpoint) -> impl Future<Output = io::Result<Self::Io>> + Send;

    /// Has the operating system give up a stream on which what was sent stays unacknowledged for longer than `timeout`: a channel
    /// with keepalive asks for it (gRFC A18). Streams that know no such thing leave it to the pings.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    fn give_up_after(&self, _stream: &Self::Io, _timeout: Duration) -> io::Result<()> {
        Ok(())
    }
}

/// Connects over TCP, without Nagle's delay.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

impl Connector for Tcp {
    type Io = tokio::net::TcpStream;

    async fn connect(&self, endpoint: &Endpoint) -> io::Result<Self::Io> {
        let stream = tokio::net::TcpStream::connect(endpoint.as_str()).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn give_up_after(&self, stream: &Self::Io, timeout: Duration) -> io::Result<()> {
        socket2::SockRef::from(stream).set_tcp_user_timeout(Some(timeout))
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    #[test]
    fn a_tcp_stream_is_given_up_after_the_keepalive_timeout() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::new(&listener.local_addr().unwrap().to_string());
        let stream = runtime.block_on(Tcp.connect(&endpoint)).unwrap();
        let user_timeout = || socket2::SockRef::from(&stream).tcp_user_timeout().unwrap();
        assert_eq!(user_timeout(), None, "without keepalive it is the system's");
        Tcp.give_up_after(&stream, Duration::from_secs(20)).unwrap();
        assert_eq!(user_timeout(), Some(Duration::from_secs(20)));
    }
}
