//! The `squall` command: arguments in, reports out, one exit code.
//!
//! Rule: data goes to stdout, everything else to stderr, and nothing outside this module prints. A command returns what it
//! found or why it could not; turning that into words and an exit code happens in one place, [`exit`].

mod args;
mod baseline;
mod check;
mod compare;
mod completions;
mod conclude;
mod doctor;
mod exit;
mod explain;
mod files;
mod journal;
mod list;
mod logging;
mod net;
mod new;
mod one;
mod parameters;
mod places;
mod plans;
mod progress;
mod report;
mod request;
mod run;
mod schema;
mod service_config;
mod settings;
mod signals;
mod streams;
mod trace;
mod trials;
mod validate;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use self::args::{Args, Command};
use self::exit::{Exit, Failure};
use self::streams::Streams;

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let typed: Vec<OsString> = std::env::args_os().collect();
    let command_line = match settings::applied(Args::command(), &typed) {
        Ok(command_line) => command_line,
        Err(failure) => return exit::fail(&failure, &Streams::new(args::Color::Auto)),
    };
    let matches = command_line.try_get_matches_from(&typed);
    let args = match matches.and_then(|matches| Args::from_arg_matches(&matches)) {
        Ok(args) => args,
        Err(told) => return exit::usage(&told, settings::origin(&told, &typed)),
    };
    let streams = Streams::new(args.color);
    logging::start(args.verbose, &streams);
    match command(args.command, &streams) {
        Ok(exit) => exit.into(),
        Err(failure) => exit::fail(&failure, &streams),
    }
}

fn command(command: Command, streams: &Streams) -> Result<Exit, Failure> {
    match command {
        Command::Run(typed) => run::run(typed, streams),
        Command::Compare(typed) => compare::compare(typed, streams),
        Command::Baseline(typed) => baseline::baseline(typed, streams),
        Command::Merge(typed) => report::merge(typed, streams),
        Command::Report(typed) => report::report(typed, streams),
        Command::Explain(typed) => explain::explain(&typed, streams),
        Command::Trace(typed) => trace::trace(&typed, streams),
        Command::Watch(typed) => watch::watch(typed, streams),
        Command::Check(typed) => check::check(&typed, streams),
        Command::Fmt(typed) => check::fmt(&typed, streams),
        Command::List(typed) => list::list(&typed, streams),
        Command::Schema(typed) => schema::schema(&typed, streams),
        Command::New(typed) => new::new(&typed, streams),
        Command::Export(typed) => service_config::export(&typed, streams),
        Command::Import(typed) => service_config::import(&typed, streams),
        Command::Validate(typed) => validate::validate(&typed, streams),
        Command::Net(typed) => net::net(&typed, streams),
        Command::Doctor(typed) => doctor::doctor(&typed, streams),
        Command::Completions(typed) => completions::completions(&typed, streams),
    }
}
