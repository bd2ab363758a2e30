//! `squall schema`: what editors need to complete and check scenario files.

use super::args::{self, SchemaOf};
use super::exit::{Exit, Failure};
use super::streams::Streams;
use crate::scenario;

pub(super) fn schema(typed: &args::Schema, streams: &Streams) -> Result<Exit, Failure> {
    let schema = match typed.of {
        SchemaOf::Scenario => scenario::schema(),
        SchemaOf::Strategies => scenario::strategies_schema(),
    };
    streams.data(|out| writeln!(out, "{schema:#}"))?;
    Ok(Exit::Good)
}
