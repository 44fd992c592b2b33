//! The kind `asset`: a file is fetched into the cache of Avocado, unless it is there and what it should be.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use md5::Md5;
use serde_json::Value;
use sha1::Sha1;
use sha2::digest::Digest;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use super::{Work, interrupted, plain};
use crate::model::{Finished, Running, TestStatus, python_text_of};

/// The setting that names the folders of the cache.
pub(super) const CACHES: &str = "datadir.paths.cache_dirs";

/// How long a server may take to answer, and then for each piece.
const PATIENCE: Duration = Duration::from_mins(1);

/// Time between two signs of life.
const BEAT: Duration = Duration::from_millis(500);

/// What is wanted.
struct Asset {
    /// The name in the cache.
    name: String,
    /// Where it can be had, in the order in which it is tried.
    urls: Vec<String>,
    hash: Option<(Algorithm, String)>,
    /// How old it may be.
    expire: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("At least name should be passed as kwargs using name=\"uri\".")]
    NoName,
    #[error("'{0}' names no file")]
    NoFile(String),
    #[error("'{0}' is no known algorithm; there are md5, sha1, sha224, sha256, sha384 and sha512")]
    Algorithm(String),
    #[error("expire is '{0}', and no time such as 30s, 10m, 2h or 7d")]
    Expire(String),
    #[error("there is no HOME, and {CACHES} names no folder")]
    NoHome,
    #[error("{0} is not in the cache, and neither its name nor locations say where it can be had")]
    Nowhere(String),
    #[error("Failed to fetch {name} ({})", problems.iter().map(Refused::to_string).collect::<Vec<_>>().join("; "))]
    Failed { name: String, problems: Vec<Refused> },
    /// What went wrong with a URL, a file or a folder.
    #[error("{place}: {source}")]
    At { place: String, source: Box<Refused> },
    #[error("{}", plain(.0))]
    Io(#[from] io::Error),
    #[error(transparent)]
    Http(#[from] ureq::Error),
    #[error("it is none of http, https and file")]
    Scheme,
    #[error("its hash is {found}, and not {expected}")]
    Hash { found: String, expected: String },
    #[error("the runner got the signal {0}")]
    Interrupted(i32),
}

impl Refused {
    fn at(self, place: &dyn Display) -> Self {
        Refused::At { place: place.to_string(), source: Box::new(self) }
    }
}

/// Fetches it.
pub(super) fn run(work: &mut Work<'_>) -> Finished {
    let fetched = wanted(work).and_then(|asset| {
        let caches = caches(work)?;
        fetch(work, &asset, &caches)
    });
    let (stdout, stderr, finished) = match fetched {
        Ok(path) => (format!("File fetched at {}", path.display()), String::new(), Finished::new(TestStatus::Pass)),
        Err(Refused::Interrupted(signal)) => return interrupted(signal),
        Err(problem) => (String::new(), problem.to_string(), Finished::new(TestStatus::Error)),
    };
    work.say_stdout(&stdout);
    work.say_stderr(&stderr);
    finished
}

fn wanted(work: &Work<'_>) -> Result<Asset, Refused> {
    let given = work.parameter("name").filter(|name| !name.is_empty()).ok_or(Refused::NoName)?;
    let is_url = given.contains("://");
    let path = given.split(['?', '#']).next().unwrap_or(given);
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
    if name.is_empty() || name == "." || name == ".." || name.contains('\0') {
        return Err(Refused::NoFile(given.to_owned()));
    }
    let mut urls: Vec<String> = if is_url { vec![given.to_owned()] } else { Vec::new() };
    match work.runnable.kwargs.get("locations") {
        Some(Value::String(location)) => urls.push(location_of(location, &name)),
        Some(Value::Array(locations)) => {
            urls.extend(locations.iter().filter_map(Value::as_str).map(|location| location_of(location, &name)));
        }
        _ => {}
    }
    let algorithm = work.parameter("algorithm").map_or(Ok(Algorithm::Sha1), algorithm)?;
    let hash = work.parameter("asset_hash").filter(|hash| !hash.is_empty()).map(|hash| (algorithm, hash.to_owned()));
    let expire = work.runnable.kwargs.get("expire").filter(|value| !value.is_null());
    let expire = expire.map(|value| seconds(&python_text_of(value))).transpose()?;
    Ok(Asset { name, urls, hash, expire })
}

/// A location is a folder, or the file itself.
fn location_of(location: &str, name: &str) -> String {
    let is_file = location.rsplit('/').next() == Some(name);
    if is_file { location.to_owned() } else { format!("{}/{name}", location.trim_end_matches('/')) }
}

fn algorithm(name: &str) -> Result<Algorithm, Refused> {
    match name.to_ascii_lowercase().as_str() {
        "md5" => Ok(Algorithm::Md5),
        "sha1" => Ok(Algorithm::Sha1),
        "sha224" => Ok(Algorithm::Sha224),
        "sha256" => Ok(Algorithm::Sha256),
        "sha384" => Ok(Algorithm::Sha384),
        "sha512" => Ok(Algorithm::Sha512),
        _ => Err(Refused::Algorithm(name.to_owned())),
    }
}

/// Reads a time: a number of seconds, or one with `s`, `m`, `h` or `d`.
fn seconds(text: &str) -> Result<Duration, Refused> {
    let wrong = || Refused::Expire(text.to_owned());
    let (digits, factor) = match text.char_indices().next_back() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        Some((at, 'd')) => (&text[..at], 86_400),
        _ => (text, 1),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(factor).map(Duration::from_secs).ok_or_else(wrong)
}

fn caches(work: &Work<'_>) -> Result<Vec<PathBuf>, Refused> {
    let set = work.setting(CACHES).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let folders: Vec<PathBuf> = set.filter(|folder| !folder.is_empty()).map(PathBuf::from).collect();
    if !folders.is_empty() {
        return Ok(folders);
    }
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    let home = home.ok_or(Refused::NoHome)?;
    Ok(vec![Path::new(&home).join("avocado/data/cache")])
}

/// Returns where the file is to be in a cache.
fn place(asset: &Asset, cache: &Path) -> PathBuf {
    match (&asset.hash, asset.urls.first()) {
        (None, Some(url)) => {
            let folder = url.rsplit_once('/').map_or(url.as_str(), |(folder, _)| folder);
            cache.join("by_location").join(hex(&Sha1::digest(folder.as_bytes()))).join(&asset.name)
        }
        _ => cache.join("by_name").join(&asset.name),
    }
}

fn fetch(work: &mut Work<'_>, asset: &Asset, caches: &[PathBuf]) -> Result<PathBuf, Refused> {
    for cache in caches {
        let path = place(asset, cache);
        if path.is_file() && is_fresh(&path, asset.expire) && verify(&path, asset.hash.as_ref()).is_ok() {
            return Ok(path);
        }
    }
    if asset.urls.is_empty() {
        return Err(Refused::Nowhere(asset.name.clone()));
    }
    let mut problems = Vec::new();
    // The last folders are often for reading only.
    for cache in caches {
        let path = place(asset, cache);
        let folder = path.parent().unwrap_or(cache);
        let made =
            fs::create_dir_all(folder).and_then(|()| tempfile::Builder::new().prefix(".fetch-").tempfile_in(folder));
        let mut kept = match made {
            Ok(kept) => kept,
            Err(error) => {
                problems.push(Refused::Io(error).at(&folder.display()));
                continue;
            }
        };
        for url in &asset.urls {
            let fetched = download(work, url, kept.as_file_mut());
            match fetched.and_then(|()| verify(kept.path(), asset.hash.as_ref())) {
                Ok(()) => {}
                Err(interrupted @ Refused::Interrupted(_)) => return Err(interrupted),
                Err(problem) => {
                    problems.push(problem.at(url));
                    continue;
                }
            }
            kept.persist(&path).map_err(|error| Refused::Io(error.error).at(&path.display()))?;
            return Ok(path);
        }
        break;
    }
    Err(Refused::Failed { name: asset.name.clone(), problems })
}

fn is_fresh(path: &Path, expire: Option<Duration>) -> bool {
    let Some(expire) = expire else { return true };
    let written = fs::metadata(path).and_then(|data| data.modified());
    written.is_ok_and(|time| SystemTime::now().duration_since(time).is_ok_and(|age| age <= expire))
}

fn download(work: &mut Work<'_>, url: &str, file: &mut File) -> Result<(), Refused> {
    file.set_len(0)?;
    io::Seek::rewind(file)?;
    match url.split_once("://") {
        Some(("file", path)) => copy(work, &mut File::open(path)?, file),
        Some(("http" | "https", _)) => {
            let config = ureq::Agent::config_builder()
                .accept_encoding("identity")
                .timeout_connect(Some(PATIENCE))
                .timeout_recv_response(Some(PATIENCE))
                .timeout_per_read(Some(PATIENCE))
                .build();
            let mut response = ureq::Agent::new_with_config(config).get(url).call()?;
            copy(work, &mut response.body_mut().as_reader(), file)
        }
        _ => Err(Refused::Scheme),
    }
}

fn copy(work: &mut Work<'_>, source: &mut dyn Read, file: &mut File) -> Result<(), Refused> {
    let mut buffer = vec![0; 128 << 10];
    let mut beat = Instant::now();
    loop {
        if let Some(signal) = work.stop.signal() {
            return Err(Refused::Interrupted(signal));
        }
        if beat.elapsed() >= BEAT {
            beat = Instant::now();
            work.reporter.running(Running::Heartbeat);
        }
        match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => file.write_all(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Returns whether a file is what it should be; the error says what it is.
fn verify(path: &Path, hash: Option<&(Algorithm, String)>) -> Result<(), Refused> {
    let Some((algorithm, expected)) = hash else { return Ok(()) };
    let file = File::open(path)?;
    let found = match algorithm {
        Algorithm::Md5 => digest::<Md5>(file),
        Algorithm::Sha1 => digest::<Sha1>(file),
        Algorithm::Sha224 => digest::<Sha224>(file),
        Algorithm::Sha256 => digest::<Sha256>(file),
        Algorithm::Sha384 => digest::<Sha384>(file),
        Algorithm::Sha512 => digest::<Sha512>(file),
    }?;
    match found.eq_ignore_ascii_case(expected) {
        true => Ok(()),
        false => Err(Refused::Hash { found, expected: expected.clone() }),
    }
}

fn digest<D: Digest>(mut file: File) -> io::Result<String> {
    let mut digest = D::new();
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&digest.finalize())),
            count => digest.update(&buffer[..count]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
