//! The testbed for services that are not ours, as its users meet it: faults from a scenario's list, processes that end by
//! themselves, and wrong use, which is told and never a hang.
#![cfg(feature = "sim")]

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use squall::clock::{self, Stalled};
use squall::net::{BalancePolicy, BalancerConfig, Counts, LinkConfig};
use squall::scenario::Diagnostics;
use squall::sim::{Connector, Error, Host, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::Service;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// Answers every byte with itself.
fn echo(sim: &Sim, name: &str) -> Host {
    sim.server(name, |host| async move {
        let listener = host.listen(80)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            host.spawn(async move {
                let mut byte = [0];
                while stream.read_exact(&mut byte).await.is_ok() && stream.write_all(&byte).await.is_ok() {}
            });
        }
    })
}

/// A byte there and back.
async fn ask(host: &Host, to: &str) -> io::Result<()> {
    let mut stream = host.connect(to).await?;
    stream.write_all(b"?").await?;
    stream.read_exact(&mut [0]).await.map(|_| ())
}

fn text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or(panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_default()
}

/// Every kind that is not about the service of scenarios, on a service that is not: it bites, and says how often.
#[test]
fn faults_of_a_scenario_strike_any_service() {
    let faults = [
        "partition: { from: client, to: echo }",
        "black_hole: { hosts: echo/0 }",
        "slow_link: { between: [client, echo], add: 100ms }",
        "jitter: { between: [client, echo], up_to: 100ms }",
        "loss: { between: [client, echo], rate: 50% }",
        "reorder: { between: [client, echo], rate: 50% }",
        "duplicate: { between: [client, echo], rate: 50% }",
        "bandwidth: { between: [client, echo], limit: 100kbit/s }",
        "flap: { between: [client, echo], down: 500ms, up: 500ms }",
        "refuse: { server: echo/0 }",
        "backlog_full: { server: echo }",
        "crash: { server: echo }",
        "crash: { server: echo/0, how: power_loss }",
        "crash_loop: { server: echo }",
        "rolling_restart: { server: echo, how: kill }",
        "pause: { server: echo }",
    ];
    for fault in faults {
        let run = Sim::new(1).run(|sim| async move {
            echo(&sim, "echo/0");
            echo(&sim, "echo/1");
            let client = sim.host("client");
            sim.sleep(SECOND).await;
            let storm = sim.faults(&format!("faults: [{{ name: it, at: 1s, for: 10s, {fault} }}]"))?;
            clock::sleep(1500 * MS).await;
            for _ in 0..10 {
                clock::timeout(SECOND, ask(&client, "echo/0:80")).await.ok();
                clock::sleep(200 * MS).await;
            }
            assert!(storm.counts("it").is_some_and(|counts| counts.fired > 0) && storm.unfired().is_empty(), "{fault}");
            clock::sleep(20 * SECOND).await;
            // Whatever it was is over, and every server runs.
            ask(&client, "echo/0:80").await?;
            ask(&client, "echo/1:80").await?;
            Ok(())
        });
        run.unwrap_or_else(|error| panic!("{fault}: {error}"));
    }
}

/// What strikes connections at one moment, or when they were silent.
#[test]
fn faults_of_a_scenario_strike_connections() {
    let faults = [
        ("{ name: it, at: 1s, reset: { between: [client, echo] } }", io::ErrorKind::ConnectionReset),
        ("{ name: it, at: 1s, half_open: { clients: client, server: echo } }", io::ErrorKind::ConnectionReset),
        ("{ name: it, at: 0s, nat_expiry: { between: [client, echo], idle: 1s } }", io::ErrorKind::TimedOut),
    ];
    for (fault, kind) in faults {
        let run = Sim::new(1).run(|sim| async move {
            echo(&sim, "echo");
            let client = sim.host("client");
            let mut stream = client.connect("echo:80").await?;
            let storm = sim.faults(&format!("faults: [{fault}]"))?;
            sim.sleep(2 * SECOND).await;
            let asked = async {
                stream.write_all(b"?").await?;
                stream.read_exact(&mut [0]).await
            };
            Ok((asked.await.unwrap_err().kind(), storm.counts("it")))
        });
        assert_eq!(run.unwrap(), (kind, Some(Counts { matched: 1, fired: 1 })), "{fault}");
    }
}

/// A file names hosts that are not there, or asks for what only the service of scenarios has: all of it is told, with a way out.
#[test]
fn a_bad_fault_list_is_explained() {
    let text = "faults:
  - { at: 1s, crash: { server: ecoh } }
  - { at: 1s, crash: { server: client } }
  - { at: 1s, grpc: { server: echo, status: UNAVAILABLE } }
  - { at: 1s, for: 1m, rolling_restart: { server: echo } }
  - { at: 2h, crash: { server: echo } }
";
    let run: Result<(), Error> = Sim::new(1).run(|sim| async move {
        echo(&sim, "echo");
        let _ = sim.host("client");
        sim.faults(text)?;
        Ok(())
    });
    let error = run.unwrap_err();
    let told: Vec<_> = error.downcast_ref::<Diagnostics>().unwrap().positions();
    let told: Vec<_> = told.iter().map(|at| (at.line, &*at.message)).collect();
    assert_eq!(
        told,
        [
            (2, "no server is named `ecoh`"),
            (3, "`client` is no server"),
            (4, "`grpc` strikes inside the service of scenarios, not inside others"),
            (5, "only the service of scenarios can be asked to drain"),
            (6, "the fault begins at 2h, when the run is over"),
        ]
    );
    let alone = Sim::new(1).run(|sim| async move { sim.faults(text).map(|_| ()) });
    assert!(alone.unwrap_err().downcast_ref::<Diagnostics>().is_some(), "hosts are added before faults name them");
}

/// A process that panics is gone, as one that returns or is killed: its connections close, nobody listens, and it can be
/// started again. Linux: `exit` closes what was open.
#[test]
fn a_process_that_panics_is_dead() {
    let run = Sim::new(1).run(|sim| async move {
        sim.server("server", |host| async move {
            let listener = host.listen(80)?;
            // As tonic does: connections are served by tasks of their own.
            let (mut stream, _) = listener.accept().await?;
            tokio::spawn(async move { while stream.read_u8().await.is_ok() {} });
            clock::sleep(SECOND).await;
            panic!("a bug in the server");
        });
        let client = sim.host("client");
        let mut stream = client.connect("server:80").await?;
        assert_eq!(clock::timeout(2 * SECOND, stream.read(&mut [0])).await??, 0, "its kernel says FIN");
        assert!(!sim.net().is_up(sim.host("server").id()));
        assert_eq!(client.connect("server:80").await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        sim.restart("server");
        client.connect("server:80").await?;
        Ok(())
    });
    run.unwrap();
}

/// The panic of a test comes out as it is, however much was going on.
#[test]
fn a_failing_test_fails_with_its_own_words() {
    let run = catch_unwind(|| {
        Sim::new(1).run(|sim| async move {
            echo(&sim, "echo");
            let client = sim.host("client");
            let mut stream = client.connect("echo:80").await?;
            tokio::spawn(async move { while stream.write_all(&[0; 10_000]).await.is_ok() {} });
            sim.sleep(SECOND).await;
            panic!("what the test says");
            #[expect(unreachable_code, reason = "says what the test returns")]
            Ok(())
        })
    });
    assert_eq!(text(&*run.unwrap_err()), "what the test says");
}

#[test]
fn a_slip_of_the_pen_makes_no_new_host() {
    for slip in [Sim::crash, Sim::power_off, Sim::restart] {
        let run = Sim::new(1).run(|sim| async move {
            let _ = sim.host("echo");
            let _ = sim.host("client");
            let panic = catch_unwind(AssertUnwindSafe(|| slip(&sim, "ecoh"))).unwrap_err();
            Ok(text(&*panic))
        });
        assert_eq!(run.unwrap(), "no host is called `ecoh`; there are: echo, client");
    }
}

/// Where to connect: a port is said, or the usual one of the scheme; whoever forgets it is told.
#[test]
fn ports_are_said_or_usual() {
    let run = Sim::new(1).run(|sim| async move {
        let server = sim.host("server");
        let _listeners = [server.listen(80)?, server.listen(443)?, server.listen(8080)?];
        let client = sim.host("client");
        let port = async |uri: &'static str| {
            let mut connector: Connector = client.connector();
            let stream = connector.call(http::Uri::from_static(uri)).await?;
            io::Result::Ok(stream.inner().info().peer.port)
        };
        assert_eq!(port("http://server").await?, 80);
        assert_eq!(port("https://server").await?, 443);
        assert_eq!(port("https://server:8080").await?, 8080);
        for bad in ["server", "server:", "server:99999"] {
            let error = client.connect(bad).await.unwrap_err();
            assert_eq!(error.to_string(), format!("`{bad}` is no name and port: write it as `echo:50051`"));
        }
        Ok(())
    });
    run.unwrap();
}

/// A balancer that has nobody to send connections to refuses them, as fast as the network is: a round trip, not no time.
/// kube-proxy rejects for a service without endpoints.
#[test]
fn a_balancer_without_backends_refuses_after_a_round_trip() {
    let run = Sim::new(1).run(|sim| async move {
        sim.net().set_default_link(LinkConfig::with_latency(5 * MS));
        let nobody = BalancerConfig { backends: Vec::new(), policy: BalancePolicy::RoundRobin, health_check: None };
        sim.net().add_balancer("echo", nobody);
        let refused = sim.host("client").connect("echo:80").await.unwrap_err().kind();
        Ok((refused, clock::now() - clock::Instant::ORIGIN))
    });
    assert_eq!(run.unwrap(), (io::ErrorKind::ConnectionRefused, 10 * MS));
}

/// Two hosts of one name, or a balancer before a server of its name: the second would be reached by nobody.
#[test]
fn a_name_leads_to_one_host() {
    let run = Sim::new(1).run(|sim| async move {
        echo(&sim, "echo");
        let nobody = BalancerConfig { backends: Vec::new(), policy: BalancePolicy::RoundRobin, health_check: None };
        let panic = catch_unwind(AssertUnwindSafe(|| sim.net().add_balancer("echo", nobody))).unwrap_err();
        assert_eq!(text(&*panic), "another host is called `echo`");
        // The network is as it was.
        ask(&sim.host("client"), "echo:80").await?;
        Ok(())
    });
    run.unwrap();
}

/// A heartbeat goes on for ever: a test that waits beside it for what never comes ends all the same.
#[test]
fn a_test_that_is_never_over_is_given_up() {
    let limit = 60 * SECOND;
    let run: Result<(), Error> = Sim::new(1).within(limit).run(|_| async move {
        tokio::spawn(async {
            loop {
                clock::sleep(SECOND).await;
            }
        });
        std::future::pending().await
    });
    assert_eq!(run.unwrap_err().downcast_ref(), Some(&Stalled::Busy(limit)));
    let run: Result<(), Error> = Sim::new(1).within(limit).run(|_| std::future::pending());
    assert_eq!(run.unwrap_err().downcast_ref(), Some(&Stalled::Idle));
}
