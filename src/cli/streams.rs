//! stdout and stderr: who gets colour, how wide they are, and how to write to them.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};

use super::args::Color;
use super::exit::Failure;
use crate::report::human::Paint;

/// How wide what is not a terminal counts as.
const WIDTH: usize = 100;

/// Both output streams.
#[derive(Debug)]
pub(super) struct Streams {
    stdout: ColorChoice,
    stderr: ColorChoice,
}

impl Streams {
    pub(super) fn new(color: Color) -> Self {
        let choice = |auto: ColorChoice| match color {
            Color::Auto => auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self { stdout: choice(AutoStream::choice(&io::stdout())), stderr: choice(AutoStream::choice(&io::stderr())) }
    }

    /// Lets `write` write data to stdout, all of it or a failure.
    pub(super) fn data(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        let mut stdout = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
        write(&mut stdout).and_then(|()| stdout.flush()).map_err(Failure::output)
    }

    /// Says a line on stderr. That nobody listens is no reason to fail.
    pub(super) fn say(&self, line: &str) {
        let mut stderr = AutoStream::new(io::stderr().lock(), self.stderr);
        let _ = writeln!(stderr, "{line}");
    }

    /// Says on stderr what went wrong.
    pub(super) fn error(&self, message: &str) {
        let style = anstyle::AnsiColor::Red.on_default().bold();
        self.say(&format!("{style}error{style:#}: {message}"));
    }

    /// How to colour data.
    pub(super) fn paint(&self) -> Paint {
        if self.stdout == ColorChoice::Never { Paint::Plain } else { Paint::Ansi }
    }

    pub(super) fn stderr_color(&self) -> bool {
        self.stderr != ColorChoice::Never
    }

    /// Whether somebody watches stderr.
    pub(super) fn watched(&self) -> bool {
        io::stderr().is_terminal()
    }

    pub(super) fn stdout_width(&self) -> usize {
        width(terminal_size::terminal_size_of(io::stdout()))
    }

    pub(super) fn stderr_width(&self) -> usize {
        width(terminal_size::terminal_size_of(io::stderr()))
    }
}

/// What `COLUMNS` says, as for other programs; else how wide the terminal is.
fn width(size: Option<(terminal_size::Width, terminal_size::Height)>) -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).filter(|columns| *columns > 0);
    said.or_else(|| size.map(|(width, _)| usize::from(width.0))).unwrap_or(WIDTH)
}
