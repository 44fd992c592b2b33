//! The values of options of `rille run`.

use std::fs;
use std::str::FromStr;
use std::time::Duration;

use crate::engine::Capacity;
use crate::model::parse_size;

/// A value of `--resource`.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) name: String,
    pub(super) amount: u64,
}

impl FromStr for Resource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, amount) = text.split_once('=').ok_or("write NAME=N, for example gpus=2")?;
        let amount = parse_size(amount).ok_or("N must be a whole number, with K, M, G or T behind it if you like")?;
        match name.is_empty() {
            true => Err("the name is empty".to_owned()),
            false => Ok(Self { name: name.to_owned(), amount }),
        }
    }
}

/// Reads the value of `--jobs`.
pub(super) fn jobs(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|jobs| *jobs >= 1).ok_or_else(|| "must be a whole number from 1".to_owned())
}

/// Reads the value of `--grace`.
pub(super) fn grace(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "must be a number of seconds from 0".to_owned())
}

/// Reads the value of `--output-limit`.
pub(super) fn output_limit(text: &str) -> Result<u64, String> {
    parse_size(text).filter(|size| *size >= 1024).ok_or_else(|| "must be a size from 1K, such as 64M".to_owned())
}

/// Returns how much there is of each resource: what the machine has, unless an option says otherwise.
pub(super) fn capacity(cpus: usize, given: &[Resource]) -> Capacity {
    let mut capacity = Capacity::from([
        ("cpus".to_owned(), u64::try_from(cpus).unwrap_or(u64::MAX)),
        ("gpus".to_owned(), gpus()),
        ("mem".to_owned(), memory()),
    ]);
    capacity.extend(given.iter().map(|resource| (resource.name.clone(), resource.amount)));
    capacity
}

/// Counts the GPUs that programs may use: those `CUDA_VISIBLE_DEVICES` leaves, else the device files there are.
fn gpus() -> u64 {
    let count = match std::env::var("CUDA_VISIBLE_DEVICES") {
        Ok(visible) => visible.split(',').filter(|device| !device.trim().is_empty()).count(),
        Err(_) => {
            let is_gpu = |name: &str| {
                name.strip_prefix("nvidia")
                    .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()) && !rest.is_empty())
            };
            let entries = fs::read_dir("/dev").into_iter().flatten();
            entries.filter(|entry| entry.as_ref().is_ok_and(|e| e.file_name().to_str().is_some_and(is_gpu))).count()
        }
    };
    u64::try_from(count).unwrap_or(0)
}

/// Returns the machine's memory in bytes.
fn memory() -> u64 {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok());
    kibibytes.map_or(u64::MAX, |kibibytes| kibibytes * 1024)
}
