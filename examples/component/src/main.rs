// SPDX-License-Identifier: Apache-2.0

//! A command for the target `wasm32-wasip2`: the same Rust, built as a component, with a bit of everything.

use std::env;
use std::fs;
use std::io::{self, Read};
use std::process::ExitCode;

fn main() -> io::Result<ExitCode> {
    let args: Vec<String> = env::args().skip(1).collect();
    println!("args {}", args.join(" "));
    println!("mode {}", env::var("MODE").unwrap_or_else(|_| "none".to_owned()));

    let mut input = String::new();
    io::stdin().read_to_string(&mut input)?;
    println!("stdin {} bytes", input.len());

    if let Some(path) = args.first() {
        fs::write(path, input.to_uppercase())?;
        println!("file {}", fs::read_to_string(path)?.trim_end());
    }
    eprintln!("done");
    Ok(ExitCode::from(3))
}
