//! How much this machine has of each resource.

use std::collections::BTreeMap;
use std::fs;

use super::values::Amount;

/// Returns how many CPUs this process may use.
pub(crate) fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Returns what there is of each resource where nobody says otherwise.
pub(crate) fn resources() -> BTreeMap<String, Amount> {
    let resources = [("cpus", u64::try_from(cpus()).unwrap_or(u64::MAX)), ("gpus", gpus()), ("mem", memory())];
    resources.into_iter().map(|(name, amount)| (name.to_owned(), Amount(amount))).collect()
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
