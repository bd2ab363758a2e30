//! The peer: tonic in turmoil, on links of the same 250 us.

#![expect(clippy::disallowed_methods, reason = "turmoil runs on tokio's clock")]

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use squall::telemetry::proto::telemetry_service_client::TelemetryServiceClient;
use squall::telemetry::proto::telemetry_service_server::TelemetryServiceServer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;
use tonic::transport::{Endpoint, Server, Uri};
use tower::service_fn;
use turmoil::net::{TcpListener, TcpStream};

use crate::{Echo, Load, alert};

const PORT: u16 = 50051;

/// `clients` make `calls` calls each.
pub(crate) fn run(clients: u32, calls: u32, load: Load) {
    let mut sim = turmoil::Builder::new()
        .simulation_duration(Duration::from_secs(3600))
        .min_message_latency(Duration::from_micros(250))
        .max_message_latency(Duration::from_micros(250))
        .tcp_capacity(1024)
        .build();
    sim.host("telemetry", || async {
        let listener = TcpListener::bind((IpAddr::from(Ipv4Addr::UNSPECIFIED), PORT)).await?;
        let incoming = futures_util::stream::unfold(listener, |listener| async move {
            let accepted = listener.accept().await.map(|(stream, _)| Accepted(stream));
            Some((accepted, listener))
        });
        Server::builder().add_service(TelemetryServiceServer::new(Echo)).serve_with_incoming(incoming).await?;
        Ok(())
    });
    let done = Arc::new(AtomicU32::new(0));
    for client in 0..clients {
        let done = Arc::clone(&done);
        sim.client(format!("device-{client}"), async move {
            let connector =
                service_fn(|_: Uri| async { TcpStream::connect(("telemetry", PORT)).await.map(TokioIo::new) });
            let channel = Endpoint::from_static("http://telemetry:50051").connect_with_connector(connector).await?;
            let mut stub = TelemetryServiceClient::new(channel);
            for call in 0..calls {
                if let Some(pause) = load.pause(client, call) {
                    tokio::time::sleep(pause).await;
                }
                stub.report_alert(alert(client)).await?;
            }
            done.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
    }
    sim.run().expect("turmoil runs");
    assert_eq!(done.load(Ordering::Relaxed), clients);
}

/// tonic asks a connection about itself; turmoil's stream does not answer.
struct Accepted(TcpStream);

impl Connected for Accepted {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Accepted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
