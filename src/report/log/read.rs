//! Reading a log, compressed or not; events are folded again on the way.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use super::events::{self, ReadError, Spool};
use super::{Head, Line, Log, LogError, VERSION};
use crate::analysis::{Parts, Scopes, TrialFold};
use crate::scenario::Plan;
use crate::trial::{self, TrialSpec};

/// What a file begins with that zstd wrote.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

impl Log {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is no log, or its figures do not follow from its events.
    pub fn read(input: impl Read) -> Result<Self, LogError> {
        let mut input = BufReader::with_capacity(1 << 16, input);
        if input.fill_buf()?.starts_with(&ZSTD_MAGIC) {
            let mut input = BufReader::with_capacity(1 << 16, zstd::Decoder::with_buffer(input)?);
            return Reader::new(&mut input).log();
        }
        Reader::new(&mut input).log()
    }
}

struct Reader<'r> {
    input: &'r mut dyn BufRead,
    /// How many lines were read.
    lines: usize,
    /// What trials are folded by; made for the first that brings its events.
    fold: Option<Folding>,
}

/// What it takes to fold events again.
struct Folding {
    plans: Vec<(Plan, Arc<Parts>)>,
    spool: Arc<Spool>,
}

impl<'r> Reader<'r> {
    fn new(input: &'r mut dyn BufRead) -> Self {
        Self { input, lines: 0, fold: None }
    }

    fn log(mut self) -> Result<Log, LogError> {
        let head: serde_json::Value = self.parsed()?.ok_or(LogError::Empty)?;
        // The version is looked at first: another version's fields are no mistakes.
        let version = head.get("squall_log").and_then(serde_json::Value::as_u64);
        if let Some(version) = version.filter(|version| *version != u64::from(VERSION)) {
            return Err(LogError::Version(u32::try_from(version).unwrap_or(u32::MAX)));
        }
        let head: Head = serde_json::from_value(head).map_err(|source| LogError::Line { line: 1, source })?;
        let mut lines = Vec::new();
        while let Some(mut line) = self.parsed::<Line>()? {
            self.events(&head, &mut line)?;
            lines.push(line);
        }
        Ok(Log { head, lines })
    }

    fn parsed<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>, LogError> {
        let mut text = Vec::new();
        if self.input.read_until(b'\n', &mut text)? == 0 {
            return Ok(None);
        }
        self.lines += 1;
        let line = self.lines;
        serde_json::from_slice(&text).map(Some).map_err(|source| LogError::Line { line, source })
    }

    /// Folds the events that follow a line again: they must come to what the line says.
    fn events(&mut self, head: &Head, line: &mut Line) -> Result<(), LogError> {
        let Some(count) = line.events.as_ref().map(super::Chunk::count) else { return Ok(()) };
        if self.fold.is_none() {
            self.fold = Some(Folding::of(head)?);
        }
        let at = self.lines;
        let unfounded = || LogError::Unfounded { line: at };
        let folding = self.fold.as_ref().ok_or_else(unfounded)?;
        let (plan, parts) = folding.plans.get(line.scenario).ok_or_else(unfounded)?;
        let named = |name: &str| plan.strategies.iter().position(|strategy| strategy.name == name);
        let strategy = named(&line.strategy).ok_or_else(unfounded)?;
        let header = trial::header(plan, TrialSpec { strategy, seed: line.seed, control: line.control });
        let mut fold = TrialFold::new(&header, Arc::clone(parts));
        let chunk = events::read(self.input, count, &mut fold, &folding.spool).map_err(|error| match error {
            ReadError::Io(error) => LogError::Io(error),
            ReadError::Line { after, source } => LogError::Line { line: at + after as usize, source },
        })?;
        self.lines += count as usize;
        if fold.finish() != line.metrics {
            return Err(unfounded());
        }
        line.events = Some(chunk);
        Ok(())
    }
}

impl Folding {
    fn of(head: &Head) -> Result<Self, LogError> {
        let plan = |text: &super::Text| {
            let plan = text.plan().map_err(|mistakes| LogError::Scenario(Box::new(mistakes)))?;
            let parts = Arc::new(Scopes::of(&plan).parts().clone());
            Ok((plan, parts))
        };
        let plans = head.scenarios.iter().map(plan).collect::<Result<_, LogError>>()?;
        Ok(Self { plans, spool: Spool::to(tempfile::tempfile().map_err(io::Error::other)?) })
    }
}
