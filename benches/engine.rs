//! What a call costs: bare tonic, Squall, turmoil.

fn main() {}
