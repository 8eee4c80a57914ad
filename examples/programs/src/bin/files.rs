// SPDX-License-Identifier: Apache-2.0

//! Reads, writes, renames and removes files of the in-Keep file system.
//!
//! Wants a directory with a file `input.txt` at `/data`, or at its first argument, and leaves there: `output.txt`, which
//! is the input in capitals, a directory `made` with `note.txt`, and no `scratch.txt`.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

fn main() -> io::Result<()> {
    let root = env::args().nth(1).unwrap_or_else(|| "/data".to_owned());
    let root = Path::new(&root);

    let input = fs::read_to_string(root.join("input.txt"))?;
    println!("read {} bytes", input.len());

    let scratch = root.join("scratch.txt");
    fs::write(&scratch, input.to_uppercase())?;
    fs::rename(&scratch, root.join("output.txt"))?;
    println!("renamed: scratch exists {}", scratch.exists());

    fs::create_dir(root.join("made"))?;
    let note = root.join("made/note.txt");
    File::create(&note)?.write_all(b"one\n")?;
    OpenOptions::new().append(true).open(&note)?.write_all(b"two\n")?;
    println!("note {:?}", fs::read_to_string(&note)?);

    println!("tail {:?}", tail(&root.join("output.txt"), 4)?);

    let gone = root.join("gone.txt");
    fs::write(&gone, "x")?;
    fs::remove_file(&gone)?;
    println!("removed: {}", fs::read(&gone).is_err_and(|error| error.kind() == io::ErrorKind::NotFound));

    let mut names: Vec<_> = fs::read_dir(root)?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()?;
    names.sort();
    println!("names {}", names.join(" "));
    Ok(())
}

fn tail(path: &Path, bytes: i64) -> io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-bytes))?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}
