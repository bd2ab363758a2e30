//! The same calls over both protocols, on the same simulated link.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use squall::clock::{self, Simulation};
use squall::net::{Address, ByteRate, HostConfig, LinkConfig, Network};
use squall::random::Key;
use squall::sim::Host;
use squall::telemetry::proto::telemetry_service_client::TelemetryServiceClient;
use squall::telemetry::proto::telemetry_service_server::{TelemetryService, TelemetryServiceServer};
use squall::telemetry::proto::{AlertRequest, AlertResponse};
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};

use crate::{json, messages};

const ONE_WAY: Duration = Duration::from_millis(5);
const BYTES_A_SECOND: f64 = 1e6;
const PORT: u16 = 50_051;
/// The first calls of a connection pay for its handshake, its window and its header table.
const WARM_UP: u32 = 20;
const CALLS: u32 = 50;

/// What a call costs once a connection is warm, both ways together.
pub(crate) struct Cost {
    pub(crate) bytes: f64,
    pub(crate) latency_ms: f64,
}

fn hosts() -> (Network, Host, Host) {
    let net = Network::new(Key::from_seed(1));
    let host = |name: &str| Host::new(net.clone(), net.add_host(HostConfig::named(name.to_owned())));
    let (client, server) = (host("client"), host("server"));
    net.set_default_link(LinkConfig {
        bandwidth: Some(ByteRate::per_second(BYTES_A_SECOND).expect("more than nothing")),
        ..LinkConfig::with_latency(ONE_WAY)
    });
    (net, client, server)
}

/// Measures `call` on a warm connection.
async fn measure<F: Future<Output = AlertResponse>>(net: &Network, mut call: impl FnMut() -> F) -> Cost {
    for _ in 0..WARM_UP {
        call().await;
    }
    let (bytes, began) = (net.bytes_written(), clock::now());
    for _ in 0..CALLS {
        assert_eq!(call().await, messages::answer());
    }
    let calls = f64::from(CALLS);
    Cost {
        bytes: (net.bytes_written() - bytes) as f64 / calls,
        latency_ms: (clock::now() - began).as_secs_f64() * 1e3 / calls,
    }
}

struct Echo;

#[tonic::async_trait]
impl TelemetryService for Echo {
    async fn report_alert(&self, _: Request<AlertRequest>) -> Result<Response<AlertResponse>, Status> {
        Ok(Response::new(messages::answer()))
    }
}

/// Protobuf over gRPC: tonic's own client and server.
pub(crate) fn grpc(alert: &AlertRequest) -> Cost {
    let alert = alert.clone();
    let run = Simulation::new().run(async move {
        let (net, client, server) = hosts();
        let listener = server.listen(PORT).expect("the port is free");
        let service = Server::builder().add_service(TelemetryServiceServer::new(Echo)).serve_with_incoming(listener);
        server.spawn(async move { service.await.expect("the server runs") });
        let endpoint = Endpoint::from_static("http://server:50051");
        let channel = endpoint.connect_with_connector(client.connector()).await.expect("connects");
        let stub = TelemetryServiceClient::new(channel);
        measure(&net, || {
            let (mut stub, alert) = (stub.clone(), alert.clone());
            async move { stub.report_alert(alert).await.expect("answers").into_inner() }
        })
        .await
    });
    run.expect("the simulation ends")
}

/// JSON over HTTP/1.1 with keep-alive: hyper's client and server.
pub(crate) fn http(alert: &AlertRequest) -> Cost {
    let alert = alert.clone();
    let run = Simulation::new().run(async move {
        let (net, client, server) = hosts();
        let listener = net.listen(server.id(), PORT, 16).expect("the port is free");
        net.spawn_on(server.id(), async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection = hyper::server::conn::http1::Builder::new()
                    .auto_date_header(false)
                    .serve_connection(TokioIo::new(stream), hyper::service::service_fn(answer));
                tokio::spawn(connection);
            }
        });
        let stream = net.connect(client.id(), Address::new(server.id(), PORT)).await.expect("connects");
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("no bytes are needed");
        tokio::spawn(connection);
        let sender = std::sync::Arc::new(tokio::sync::Mutex::new(sender));
        measure(&net, || {
            let (sender, alert) = (std::sync::Arc::clone(&sender), alert.clone());
            async move {
                let request = http::Request::post("/telemetry.TelemetryService/ReportAlert")
                    .header("host", "server:50051")
                    .header("content-type", "application/json")
                    .header("user-agent", "tonic/0.14.9")
                    .body(Full::new(Bytes::from(json::encode(&alert))))
                    .expect("a request");
                let response = sender.lock().await.send_request(request).await.expect("answers");
                let body = response.into_body().collect().await.expect("a whole body").to_bytes();
                json::decode_response(&body).expect("valid JSON")
            }
        })
        .await
    });
    run.expect("the simulation ends")
}

async fn answer(request: http::Request<hyper::body::Incoming>) -> Result<http::Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let alert = json::decode_request(&body);
    let text = alert.map(|_| json::encode_response(&messages::answer())).unwrap_or_default();
    let response = http::Response::builder().header("content-type", "application/json");
    Ok(response.body(Full::new(Bytes::from(text))).expect("a response"))
}
