//! `stead pubkey`: the public key of a secret key.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::Path;

use stead_config::value::key;
use zeroize::Zeroizing;

use crate::cli::PubkeyArgs;
use crate::failure::Failure;
use crate::terminal;

pub(crate) fn run(arguments: &PubkeyArgs) -> Result<(), Failure> {
    let file = arguments.file.as_deref().filter(|path| *path != Path::new("-"));
    let (text, source) = match file {
        Some(path) => {
            let opened = File::open(path).and_then(read);
            (opened.map_err(|error| Failure::file("read", path, &error))?, format!("`{}`", path.display()))
        }
        None => (from_stdin()?, "standard input".to_owned()),
    };
    let secret = key::secret(text.trim())
        .map_err(|fault| Failure::refused(format!("what is in {source} {fault}"), fault.hint()))?;
    let public = secret.public_key();
    if arguments.address {
        return terminal::print(&format!("{public}\n{}\n", public.virtual_address()));
    }
    terminal::print(&format!("{public}\n"))
}

fn from_stdin() -> Result<Zeroizing<String>, Failure> {
    if io::stdin().is_terminal() {
        terminal::warn("Reading a secret key from the terminal; end with Ctrl-D\n");
    }
    read(io::stdin().lock()).map_err(|error| {
        Failure::refused(format!("cannot read standard input: {error}"), "give one line with a secret key")
    })
}

/// A key and some white space; more than that is no key, whatever it begins with.
fn read(source: impl Read) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(LONGEST));
    source.take(LONGEST as u64).read_to_string(&mut text)?;
    Ok(text)
}

const LONGEST: usize = 1024;
