//! The `squall` command.

use std::process::ExitCode;

/// A call allocates dozens of small blocks in the gRPC stack below us, and trials run on every core.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    squall::cli::main()
}
