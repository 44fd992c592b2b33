//! Event files as a whole: written, read, torn, and read on.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use super::*;

fn scalar(tag: &str, value: f64, step: i64) -> Scalar {
    Scalar { tag: tag.to_owned(), value, step }
}

#[test]
fn what_is_written_is_read_and_read_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = ScalarWriter::new(folder.path());
    writer.flush().unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "silence leaves no file");
    writer.add(&scalar("loss", 0.5, 1)).unwrap();
    writer.flush().unwrap();
    let path = writer.path().to_owned();
    let mut found = Vec::new();
    let first = read_events(&path, 0, &mut |scalar| found.push(scalar)).unwrap();
    assert_eq!(found, [scalar("loss", 0.5, 1)]);
    writer.add(&scalar("loss", 0.25, 2)).unwrap();
    writer.add(&scalar("acc", 1.0, 2)).unwrap();
    writer.flush().unwrap();
    found.clear();
    let second = read_events(&path, first.offset, &mut |scalar| found.push(scalar)).unwrap();
    assert_eq!(found, [scalar("loss", 0.25, 2), scalar("acc", 1.0, 2)]);
    let length = fs::metadata(&path).unwrap().len();
    assert_eq!(second, ReadTo { offset: length, damage: None });

    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"torn").unwrap();
    assert_eq!(read_events(&path, length, &mut |_| ()).unwrap(), second);
    OpenOptions::new().append(true).open(&path).unwrap().write_all(&[7; 40]).unwrap();
    let damaged = read_events(&path, length, &mut |_| ()).unwrap();
    assert_eq!(damaged.offset, length);
    let summaries = read_scalars(folder.path());
    assert_eq!(summaries.scalars.len(), 2);
    let damage = summaries.damages.iter().map(|damage| (&damage.path, damage.offset)).collect::<Vec<_>>();
    assert_eq!(damage, [(&path, length)]);
}

#[test]
fn a_second_writer_has_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut writers = [ScalarWriter::new(folder.path()), ScalarWriter::new(folder.path())];
    for writer in &mut writers {
        writer.add(&scalar("a", 1.0, 1)).unwrap();
        writer.flush().unwrap();
    }
    assert_ne!(writers[0].path(), writers[1].path());
    let summaries = read_scalars(folder.path());
    assert_eq!(summaries.scalars[&(String::new(), "a".to_owned())].count, 2);
}

/// Returns the Python of the Guild that the tests are given, which has `TensorBoard`.
fn python() -> Option<PathBuf> {
    let guild = std::env::var_os("RILLE_TEST_GUILD").map(PathBuf::from);
    let python = guild.map(|guild| guild.with_file_name("python")).filter(|python| python.exists());
    if python.is_none() {
        crate::skipped::skipped("there is no TensorBoard; name a guild beside it with RILLE_TEST_GUILD");
    }
    python
}

fn run_python(python: &Path, script: &str, folder: &Path) -> String {
    let output = Command::new(python).args(["-c", script]).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn tensorboard_reads_what_is_written() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut writer = ScalarWriter::new(folder.path());
    for (tag, value, step) in [("loss", 0.5, 0), ("loss", 0.25, 10), ("a/b c", -1e30, i64::MAX), ("b\u{e9}", 1e300, 3)]
    {
        writer.add(&scalar(tag, value, step)).unwrap();
    }
    writer.flush().unwrap();
    let script = "
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
read = EventAccumulator(sys.argv[1])
read.Reload()
assert read.file_version == 2.0, read.file_version
for tag in sorted(read.Tags()['scalars']):
    print(tag, [(event.step, event.value) for event in read.Scalars(tag)])
";
    let expected =
        "a/b c [(9223372036854775807, -1.0000000150474662e+30)]\nb\u{e9} [(3, inf)]\nloss [(0, 0.5), (10, 0.25)]\n";
    assert_eq!(run_python(&python, script, folder.path()), expected);
}

#[test]
fn what_tensorboard_writes_is_read() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = "
import sys
import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util.tensor_util import make_tensor_proto
for folder in ['', '/logs/train']:
    writer = EventFileWriter(sys.argv[1] + folder)
    for step in range(3):
        simple = Summary(value=[Summary.Value(tag='simple', simple_value=step / 2), Summary.Value(tag='two', simple_value=2)])
        writer.add_event(Event(step=step, summary=simple))
        writer.add_event(Event(step=step, summary=scalar_pb('tensor', step / 4)))
    for tag, array in [('double', np.float64(0.1)), ('one', np.float32([[3]])), ('many', np.float32([1, 1])),
                       ('int', np.int64(7)), ('text', np.array(b'text'))]:
        value = Summary.Value(tag=tag, tensor=make_tensor_proto(array))
        writer.add_event(Event(step=5, summary=Summary(value=[value])))
    writer.close()
";
    run_python(&python, script, folder.path());
    let summaries = read_scalars(folder.path());
    assert_eq!(summaries.damages, []);
    let found: Vec<String> = (summaries.scalars.iter())
        .map(|((prefix, tag), scalar)| {
            let ScalarSummary { first, last, min, max, total, count } = scalar;
            let [first, last, min, max] =
                [first, last, min, max].map(|point| format!("{}@{}", point.value, point.step));
            format!("{prefix}#{tag} {first} {last} {min} {max} {total}/{count}={}", scalar.avg())
        })
        .collect();
    let one = |prefix: &str| {
        [
            format!("{prefix}#double 0.1@5 0.1@5 0.1@5 0.1@5 0.1/1=0.1"),
            format!("{prefix}#one 3@5 3@5 3@5 3@5 3/1=3"),
            format!("{prefix}#simple 0@0 1@2 0@0 1@2 1.5/3=0.5"),
            format!("{prefix}#tensor 0@0 0.5@2 0@0 0.5@2 0.75/3=0.25"),
            format!("{prefix}#two 2@0 2@2 2@0 2@0 6/3=2"),
        ]
    };
    assert_eq!(found, [one(""), one("logs/train")].concat());
}
