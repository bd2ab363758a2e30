//! The measured programs over a real kernel; `measure.py` runs them in two network namespaces.
//!
//! - `kernel_load serve ADDRESS` answers calls.
//! - `kernel_load call ADDRESS BYTES COUNT` prints a line a call: its start in seconds since the first client began, and what
//!   it took in ms.
//! - `kernel_load connect ADDRESS` prints what each client's connect took, in ms.

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use squall::clock;
use squall::telemetry::proto::telemetry_service_server::TelemetryServiceServer;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint, Server};

use load::{CLIENTS, Calls, Ready, STAGGER};

#[path = "../fidelity/load.rs"]
mod load;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match *arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        ["serve", address] => serve(address).await,
        ["call", address, bytes, count] => {
            call(address, Calls { count: count.parse()?, payload: bytes.parse()? }).await
        }
        ["connect", address] => connect(address).await,
        _ => Err("usage: kernel_load serve ADDRESS | call ADDRESS BYTES COUNT | connect ADDRESS".into()),
    }
}

async fn serve(address: &str) -> Outcome<()> {
    Ok(Server::builder().add_service(TelemetryServiceServer::new(Ready)).serve(address.parse()?).await?)
}

async fn call(address: &str, calls: Calls) -> Outcome<()> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    let began = clock::now();
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let endpoint = endpoint.clone();
        clients.spawn(async move {
            clock::sleep_until(began + STAGGER * number).await;
            load::client(connect_in_the_end(endpoint), calls, |_| Duration::ZERO).await
        });
    }
    let mut out = std::io::stdout().lock();
    for call in clients.join_all().await.into_iter().flatten() {
        writeln!(out, "{:.6} {:.3}", (call.started - began).as_secs_f64(), call.ms())?;
    }
    Ok(())
}

/// The kernel's own patience may end before losses let a connection through.
async fn connect_in_the_end(endpoint: Endpoint) -> Channel {
    loop {
        match endpoint.connect().await {
            Ok(channel) => return channel,
            Err(_) => clock::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn connect(address: &str) -> Outcome<()> {
    let began = clock::now();
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let address = address.to_owned();
        clients.spawn(async move {
            clock::sleep_until(began + STAGGER * number).await;
            let began = clock::now();
            TcpStream::connect(address).await.map(|_| (clock::now() - began).as_secs_f64() * 1e3)
        });
    }
    let mut out = std::io::stdout().lock();
    for took in clients.join_all().await {
        writeln!(out, "{:.3}", took?)?;
    }
    Ok(())
}
