//! Compiles `proto/telemetry.proto` with a compiler written in Rust, so that building Squall needs no `protoc`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto/telemetry.proto");
    #[cfg(feature = "sim")]
    {
        let descriptors = protox::compile(["proto/telemetry.proto"], ["proto"])?;
        tonic_prost_build::configure().compile_fds(descriptors)?;
    }
    Ok(())
}
