//! Interruption: the first ctrl-c lets what runs come to its end and nothing new begin; whoever cannot wait that long is let
//! go without a report.
//!
//! Files are renamed into place when they are whole, so an exit at any moment leaves none of them torn.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::exit::{Exit, Failure};

/// A trial may take seconds; a person who pressed ctrl-c should not.
const PATIENCE: Duration = Duration::from_millis(1500);

/// A process has one handler, and may run several times (`squall watch`): this is what runs now.
static RUNNING: Mutex<Option<Running>> = Mutex::new(None);
static LISTENING: AtomicBool = AtomicBool::new(false);

struct Running {
    flag: Arc<AtomicBool>,
    /// Closed when the run is over.
    over: mpsc::Receiver<()>,
}

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
        let (sender, over) = mpsc::channel::<()>();
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = Some(Running { flag: Arc::clone(&flag), over });
        if !LISTENING.swap(true, Ordering::SeqCst) {
            let cannot = |error: ctrlc::Error| Failure::Internal("cannot listen for ctrl-c".to_owned(), error.into());
            ctrlc::set_handler(interrupted).map_err(cannot)?;
        }
        Ok(Self { flag, _over: sender })
    }

    /// Set once somebody asks to stop.
    pub(super) fn flag(&self) -> &AtomicBool {
        &self.flag
    }
}

/// Lets what runs come to its end. If nothing runs, it was asked for before, or it takes too long: ends the process.
fn interrupted() {
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner).take();
    let patient = running.is_some_and(|running| {
        let runs = running.over.try_recv() == Err(TryRecvError::Empty);
        running.flag.store(true, Ordering::SeqCst);
        runs && running.over.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout)
    });
    if !patient {
        std::process::exit(Exit::Interrupted as i32);
    }
}
