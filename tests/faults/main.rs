//! Every kind of fault bites, and counts what it did: one row a kind at least, each trial beside its twin without the fault.
//!
//! `fired` is counted from what the trial showed, on the wire and in its events, not from the fault's own books.
#![cfg(feature = "sim")]

mod capture;
mod connection;
mod grpc;
mod matrix;
mod network;
mod rates;
mod server;
mod timing;
mod world;

use squall::scenario::FAULTS;
use world::{Fired, Row};

fn rows() -> Vec<Row> {
    [network::rows(), connection::rows(), grpc::rows(), server::rows()].concat()
}

#[test]
fn every_kind_of_fault_bites_and_counts() {
    let wrong: Vec<String> =
        rows().iter().filter_map(|row| Some(format!("{}: {}", row.fault, row.check().err()?))).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A kind without a row is a fault that nobody has seen bite; one that nobody else has counted may count anything.
#[test]
fn no_kind_is_left_out() {
    let rows = rows();
    for info in FAULTS {
        let counted = |row: &&Row| row.kind == info.kind && matches!(row.fired, Fired::As(_));
        assert!(rows.iter().any(|row| counted(&row)), "{} has no row that counts", info.kind);
    }
    for row in rows {
        if let Fired::Unseen(why) = row.fired {
            assert!(!why.is_empty(), "{} does not say why nobody else can count it", row.fault);
        }
    }
}
