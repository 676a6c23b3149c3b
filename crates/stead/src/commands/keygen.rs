//! `stead keygen`: makes a secret key.

use core::fmt::Display;
use std::io;
use std::path::Path;

use stead_noise::keys::{PresharedKey, PublicKey, StaticSecret};

use crate::cli::KeygenArgs;
use crate::failure::Failure;
use crate::{key_file, terminal};

pub(crate) fn run(arguments: &KeygenArgs) -> Result<(), Failure> {
    let bytes = key_file::random_bytes()?;
    if arguments.preshared {
        return deliver(arguments, &PresharedKey::from_bytes(*bytes), None);
    }
    let secret = StaticSecret::from_random(*bytes);
    let public = secret.public_key();
    deliver(arguments, &secret, Some(&public))
}

/// To standard output, or to a file and the public part to standard output.
fn deliver(arguments: &KeygenArgs, key: &impl Display, public: Option<&PublicKey>) -> Result<(), Failure> {
    let Some(path) = &arguments.out else {
        return terminal::print(&key_file::line(key));
    };
    let written = if arguments.force { key_file::replace(path, key) } else { key_file::create(path, key) };
    written.map_err(|error| failure(path, &error))?;
    terminal::warn(&format!("Wrote {} with mode 0600\n", path.display()));
    match public {
        Some(public) => terminal::print(&format!("{public}\n")),
        None => Ok(()),
    }
}

fn failure(path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::refused(
            format!("`{}` exists already", path.display()),
            "choose another name, or --force if nobody needs the key in it any more",
        ),
        _ => Failure::file("write", path, error),
    }
}
