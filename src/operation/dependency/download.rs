//! Downloads, and the cache that keeps them: a file is in it whole, or not at all.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha224, Sha256};

use super::file::{mismatch, verify};
use super::{Outcome, Problem};
use crate::operation::{Notice, hex};

/// How long a server may take to answer, and then for each piece.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long it may take to reach a server.
const CONNECT: Duration = Duration::from_secs(30);

/// Returns the path that a `file:` URL names; `None` for a URL that is to be downloaded.
pub(super) fn local_path(url: &str) -> Result<Option<PathBuf>, String> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(format!("'{url}' is no URL: it names no protocol"));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => Ok(None),
        "file" => {
            let path = rest.strip_prefix("//localhost").or_else(|| rest.strip_prefix("//")).unwrap_or(rest);
            match path.starts_with('/') {
                true => Ok(Some(PathBuf::from(decoded(path)))),
                false => Err(format!("'{url}' names a file of another machine, or not from the root")),
            }
        }
        other => Err(format!("'{url}' has the protocol '{other}', and not http, https or file")),
    }
}

/// Returns the file of a URL in the cache, downloading it if it is not there or not what it should be.
pub(super) fn download(
    url: &str,
    cache: &Path,
    sha256: Option<&str>,
    is_interrupted: &dyn Fn() -> bool,
    notify: &mut dyn FnMut(Notice),
) -> Outcome<PathBuf> {
    let folder = cache.join(hex(&Sha224::digest(url.as_bytes())));
    let path = folder.join(file_name(url));
    if path.is_file() && sha256.is_none_or(|expected| verify(&path, expected).is_ok()) {
        return Ok(path);
    }
    let cannot_keep =
        |error: io::Error| Problem::io(&error, format!("cannot keep {url} in {}: {error}", folder.display()));
    fs::create_dir_all(&folder).map_err(cannot_keep)?;
    let cannot_get = |error: &dyn std::fmt::Display| format!("cannot download {url}: {error}");
    let config = ureq::Agent::config_builder()
        .user_agent(concat!("rille/", env!("CARGO_PKG_VERSION")))
        // The bytes are to be those of the file: its digest may be known.
        .accept_encoding("identity")
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE))
        .build();
    let mut response = ureq::Agent::new_with_config(config).get(url).call().map_err(|error| cannot_get(&error))?;
    let size = response.body().content_length();
    let shown = size.map(|size| format!(" ({})", shown_size(size))).unwrap_or_default();
    notify(Notice::Info(format!("Downloading {url}{shown}")));
    let mut kept = tempfile::Builder::new().prefix(".download-").tempfile_in(&folder).map_err(cannot_keep)?;
    let mut digest = Sha256::new();
    let mut body = response.body_mut().as_reader();
    let mut buffer = vec![0; 128 << 10];
    let mut got = 0_u64;
    loop {
        if is_interrupted() {
            return Err(cannot_get(&"it was interrupted").into());
        }
        let count = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(format!("{} after {}", cannot_get(&error), shown_size(got)).into()),
        };
        digest.update(&buffer[..count]);
        kept.write_all(&buffer[..count]).map_err(cannot_keep)?;
        got += count as u64;
    }
    if let Some(size) = size.filter(|size| *size != got) {
        return Err(format!("{} of {size} bytes", cannot_get(&format!("the server sent only {got}"))).into());
    }
    let actual = hex(&digest.finalize());
    if let Some(expected) = sha256.filter(|expected| !actual.eq_ignore_ascii_case(expected.trim())) {
        return Err(mismatch(&path, expected, &actual).into());
    }
    kept.persist(&path).map_err(|error| cannot_keep(error.error))?;
    Ok(path)
}

/// Returns the name of the file that a URL stands for.
fn file_name(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let after_host = path.split_once("://").map_or(path, |(_, rest)| rest).split_once('/').map_or("", |(_, rest)| rest);
    let name = decoded(after_host.trim_end_matches('/').rsplit('/').next().unwrap_or_default());
    let is_name = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']) && name.len() < 200;
    if is_name { name } else { "download".to_owned() }
}

/// Returns a text with its `%20` and the like put back; what is none stays.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let code = bytes.get(index + 1..index + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if bytes[index] == b'%' => {
                out.push(byte);
                index += 3;
            }
            _ => {
                out.push(bytes[index]);
                index += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// Returns a size as people read it.
pub(super) fn shown_size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, shift)| bytes >= 1 << shift) {
        Some((unit, shift)) => {
            let tenths = bytes.saturating_mul(10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_names() {
        let cases = [
            ("http://h/a/b.tar.gz", "b.tar.gz"),
            ("http://h/a%20b.zip?x=1#y", "a b.zip"),
            ("http://h/", "download"),
            ("http://h", "download"),
            ("http://h/a/%2e%2e", "download"),
            ("http://h/..%2F..%2Fetc", "download"),
            ("https://h:80/data/", "data"),
        ];
        for (url, name) in cases {
            assert_eq!(file_name(url), name, "{url}");
        }
    }

    #[test]
    fn protocols_are_told_apart() {
        let cases = [
            ("http://h/a", Ok(None)),
            ("HTTPS://h/a", Ok(None)),
            ("file:///a%20b", Ok(Some("/a b"))),
            ("file:/a", Ok(Some("/a"))),
            ("file://localhost/a", Ok(Some("/a"))),
            ("file://h/a", Err("'file://h/a' names a file of another machine, or not from the root")),
            ("ftp://h/a", Err("'ftp://h/a' has the protocol 'ftp', and not http, https or file")),
            ("data.zip", Err("'data.zip' is no URL: it names no protocol")),
        ];
        for (url, expected) in cases {
            let expected = expected.map(|path| path.map(PathBuf::from)).map_err(str::to_owned);
            assert_eq!(local_path(url), expected);
        }
    }

    #[test]
    fn sizes_are_shown() {
        for (bytes, text) in [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (4 << 30, "4.0 GiB")] {
            assert_eq!(shown_size(bytes), text);
        }
    }
}
