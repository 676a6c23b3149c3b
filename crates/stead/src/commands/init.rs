//! `stead init`: a first configuration and a key.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use stead_config::template::Template;
use stead_config::value::key;
use stead_noise::keys::StaticSecret;
use zeroize::Zeroizing;

use crate::cli::{Example, InitArgs};
use crate::failure::Failure;
use crate::{key_file, terminal};

pub(crate) fn run(arguments: &InitArgs) -> Result<(), Failure> {
    let configuration = configuration_path(&arguments.path);
    let directory = configuration.parent().unwrap_or(Path::new("")).to_owned();
    if configuration.symlink_metadata().is_ok() {
        return Err(Failure::refused(
            format!("`{}` exists already", configuration.display()),
            "choose another directory or name; `stead check` says what the one that is there means",
        ));
    }
    if !directory.as_os_str().is_empty() {
        make_private(&directory).map_err(|error| Failure::file("make the directory", &directory, &error))?;
    }
    let secret_path = directory.join(KEY_FILE);
    let (secret, is_new) = secret_at(&secret_path)?;
    write_new(&configuration, &text(arguments.like))
        .map_err(|error| Failure::file("write", &configuration, &error))?;
    terminal::print(&next_steps(&configuration, &secret_path, &secret, is_new))
}

/// `a/b.yaml` is a file; anything else is a directory.
fn configuration_path(path: &Path) -> PathBuf {
    let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    if is_yaml && !path.is_dir() { path.to_owned() } else { path.join("stead.yaml") }
}

/// The key that is there, or a new one.
fn secret_at(path: &Path) -> Result<(StaticSecret, bool), Failure> {
    let secret = StaticSecret::from_random(*key_file::random_bytes()?);
    match key_file::create(path, &secret) {
        Ok(()) => Ok((secret, true)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok((existing(path)?, false)),
        Err(error) => Err(Failure::file("write", path, &error)),
    }
}

fn existing(path: &Path) -> Result<StaticSecret, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
    let text = Zeroizing::new(text);
    key::secret(text.trim()).map_err(|fault| {
        let what = format!("`{}` exists already and {fault}", path.display());
        Failure::refused(what, "move it away, or choose another directory")
    })
}

fn text(example: Example) -> String {
    match example {
        Example::RoamingLaptop => Template::RoamingLaptop.without_strangers(),
        Example::PublicServer => Template::PublicServer.without_strangers(),
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())
}

/// Directories that did not exist are closed to others; one that did is left as it is.
#[cfg(unix)]
fn make_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(not(unix))]
fn make_private(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)
}

fn next_steps(configuration: &Path, secret_path: &Path, secret: &StaticSecret, is_new: bool) -> String {
    let (configuration, public) = (configuration.display(), secret.public_key());
    let deed = if is_new { "Wrote" } else { "Kept " };
    format!(
        "Wrote {configuration}: the configuration, every key explained\n\
         {deed} {}: the secret key, for this machine alone\n\
         \n\
         public key       {public}\n\
         virtual address  {}\n\
         \n\
         Next: take the `#` from a peer at the end of the configuration and enter its public key there,\n\
         give it yours (the same for a service, if both move about), then\n\
         \x20 stead check {configuration}\n\
         \x20 stead up {configuration}\n",
        secret_path.display(),
        public.virtual_address(),
    )
}

/// As the examples name it.
const KEY_FILE: &str = "private.key";
