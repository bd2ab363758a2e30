//! Requests that are streams, through retries and hedges: whoever answers OK has seen all of it, and the channel stops sending to
//! whoever has answered.
#![cfg(feature = "sim")]

mod peer;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use peer::{Heard, Raw, Reply, Server, target};
use squall::clock::{self, Simulation};
use squall::random::Key;
use squall::resilience::{Ambient, HedgeConfig, HedgeDelay, LayerConfig, RetryConfig, StopReason, Strategy, build};
use tonic::{Code, Status};

const MS: Duration = Duration::from_millis(1);

/// Five messages of ten bytes (15 with gRPC's prefix), one every 10 ms.
fn messages() -> impl Stream<Item = Vec<u8>> + Send + 'static {
    futures_util::stream::iter(0..5_u8).then(|n| async move {
        if n > 0 {
            clock::sleep(10 * MS).await;
        }
        vec![n; 10]
    })
}

/// What becomes of the stream: the server's answer, or the code; why there was no further attempt; how many the server saw.
fn upload(layer: LayerConfig, server: Server) -> (Result<String, Code>, Vec<StopReason>, usize) {
    let heard = Arc::new(Heard::default());
    let run = Simulation::new().run(async {
        let ambient = Ambient::new(Key::from_seed(1)).observed_by(heard.clone());
        let strategy = Strategy { name: "stream".to_owned(), layers: vec![layer], ..Strategy::default() };
        let client = build(&strategy, target(1), server.clone(), &ambient).unwrap();
        let mut grpc = tonic::client::Grpc::new(client);
        grpc.ready().await.map_err(Status::from_error).unwrap();
        let path = http::uri::PathAndQuery::from_static("/test.Echo/Collect");
        let call = grpc.client_streaming(tonic::Request::new(messages()), path, Raw);
        let answer = clock::timeout(Duration::from_secs(60), call).await.expect("it ends");
        answer.map(|response| String::from_utf8(response.into_inner()).unwrap()).map_err(|status| status.code())
    });
    (run.unwrap(), heard.stops(), server.served())
}

fn retry(buffer_bytes: usize) -> LayerConfig {
    LayerConfig::Retry(RetryConfig { buffer_bytes, ..RetryConfig::default() })
}

#[test]
fn a_retried_stream_is_sent_from_its_beginning() {
    let early = || Server::sequence([Reply::Early(Code::Unavailable), Reply::Size]);
    assert_eq!(upload(retry(1000), early()), (Ok("75".to_owned()), vec![], 2));
    // The first attempt is over before the buffer is full; from then on the stream is the second's alone.
    assert_eq!(upload(retry(20), early()), (Ok("75".to_owned()), vec![], 2));
    // Once more than the buffer holds has been sent, there is no second attempt.
    let late = Server::sequence([Reply::Status(Code::Unavailable), Reply::Size]);
    assert_eq!(upload(retry(20), late), (Err(Code::Unavailable), vec![StopReason::Committed], 1));
}

#[test]
fn a_hedged_stream_is_sent_whole_or_not_at_all() {
    let hedge = |buffer_bytes: usize, delay: Duration| {
        LayerConfig::Hedge(HedgeConfig { delay: HedgeDelay::Fixed(delay), buffer_bytes, ..HedgeConfig::default() })
    };
    let silent_first = || Server::new(|n| if n == 0 { Reply::Silence } else { Reply::Size });
    // The hedge starts in the middle of the stream, catches up, and reads the rest as it comes.
    assert_eq!(upload(hedge(1000, 15 * MS), silent_first()), (Ok("75".to_owned()), vec![], 2));
    // Two at once, and more than the buffer holds: one of them gets all of it, and decides.
    let (answer, stops, _) = upload(hedge(20, Duration::ZERO), Server::sequence([Reply::Size]));
    assert_eq!((answer, stops), (Ok("75".to_owned()), vec![]));
    // Too late for a hedge: what was sent is forgotten.
    let (answer, stops, served) =
        upload(hedge(20, 45 * MS), Server::sequence([Reply::After(90 * MS, Box::new(Reply::Size))]));
    assert_eq!((answer, stops, served), (Ok("75".to_owned()), vec![StopReason::Committed], 1));
}

/// An application that gives up its stream has given up the call: no attempt may look complete to the server.
#[test]
fn a_stream_that_its_application_gives_up_is_complete_for_nobody() {
    let server = Server::sequence([Reply::Size]);
    let hedge = HedgeConfig { attempts: 3, delay: HedgeDelay::Fixed(2 * MS), ..HedgeConfig::default() };
    let run = Simulation::new().run(async {
        use tower::{Service, ServiceExt};
        let layers = vec![LayerConfig::Hedge(hedge)];
        let strategy = Strategy { name: "stream".to_owned(), layers, ..Strategy::default() };
        let mut client = build(&strategy, target(1), server.clone(), &Ambient::new(Key::from_seed(1))).unwrap();
        let frames = futures_util::stream::iter([
            Ok(http_body::Frame::data(bytes::Bytes::from_static(&[0, 0, 0, 0, 1, 7]))),
            Err(Status::cancelled("changed my mind")),
        ]);
        let frames = frames.then(|frame| async {
            clock::sleep(5 * MS).await;
            frame
        });
        let mut request = http::Request::new(tonic::body::Body::new(http_body_util::StreamBody::new(Box::pin(frames))));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = "/test.Echo/Collect".parse().unwrap();
        let answer = client.ready().await.unwrap().call(request).await;
        clock::sleep(100 * MS).await;
        answer.is_ok_and(|response| !response.headers().contains_key("grpc-status"))
    });
    assert!(!run.unwrap(), "the server took a part for all");
}
