//! Interruption: the first ctrl-c lets what runs come to its end and nothing new begin; whoever cannot wait that long is let
//! go without a report.
//!
//! Files are renamed into place when they are whole, so an exit at any moment leaves none of them torn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use super::exit::{Exit, Failure};

/// A trial may take seconds; a person who pressed ctrl-c should not.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Listens for SIGINT, SIGTERM and SIGHUP while it lives.
#[derive(Debug)]
pub(super) struct Interruption {
    flag: Arc<AtomicBool>,
    /// Dropped when the run is over: the waiting handler then has nothing to do any more.
    _over: mpsc::Sender<()>,
}

impl Interruption {
    pub(super) fn listen() -> Result<Self, Failure> {
        let flag = Arc::new(AtomicBool::new(false));
        let (over, is_over) = mpsc::channel::<()>();
        let raised = Arc::clone(&flag);
        ctrlc::set_handler(move || {
            let again = raised.swap(true, Ordering::SeqCst);
            if again || is_over.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                std::process::exit(Exit::Interrupted as i32);
            }
        })
        .map_err(|error| Failure::Internal("cannot listen for ctrl-c".to_owned(), error.into()))?;
        Ok(Self { flag, _over: over })
    }

    /// Set once somebody asks to stop.
    pub(super) fn flag(&self) -> &AtomicBool {
        &self.flag
    }
}
