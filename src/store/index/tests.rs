//! What is in the index, and that the run directories hold over it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::thread;

use serde_json::json;

use super::database::Known;
use super::*;
use crate::store::{Lookup, Status};

/// A home whose index believes in what was written just before: the change times of its files are past.
struct Site {
    _folder: tempfile::TempDir,
    home: Home,
}

impl Site {
    fn new(runs: usize) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(folder.path())).unwrap();
        let site = Site { _folder: folder, home };
        for number in 0..runs {
            site.run(&format!("{number:032x}"), number);
        }
        site
    }

    fn run(&self, id: &str, number: usize) {
        let guild = self.path(id).join(".guild");
        fs::create_dir_all(guild.join("attrs")).unwrap();
        fs::write(guild.join("opref"), "guildfile:/p/guild.yml 1 m train").unwrap();
        self.attr(id, "exit_status", "0\n");
        self.attr(id, "started", &format!("{}\n", 1_700_000_000_000_000 + number));
        self.attr(id, "flags", &format!("lr: {}\nname: n{number}\n", number * 2));
        self.attr(id, "host", "vm\n");
    }

    fn path(&self, id: &str) -> PathBuf {
        self.home.runs_dir().join(id)
    }

    fn attr(&self, id: &str, name: &str, text: &str) {
        fs::write(self.path(id).join(".guild/attrs").join(name), text).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.home.index_file().unwrap()
    }

    /// Returns what is stored, as ids and labels.
    fn stored(&self) -> Vec<(String, Option<String>)> {
        let database = Database::open(&self.file()).unwrap();
        let mut rows = Vec::new();
        let all = |known: Known<'_>| {
            rows.push(known.row(PathBuf::new())?.unwrap());
            Ok(true)
        };
        database.go_through("", all).unwrap();
        rows.into_iter().map(|row| (row.info.id, row.info.label)).collect()
    }

    /// Stores rows whatever their change times are, as after a while.
    fn settle(&self) {
        let names = names(&self.home.runs_dir()).unwrap();
        let stored: Vec<Stored> = names
            .iter()
            .map(|name| Stored::unsettled(&RunRow::read(&self.path(name)), &self.path(name)).unwrap())
            .collect();
        Database::open(&self.file()).unwrap().store(&stored, &[]);
    }

    fn rows(&self) -> Vec<RunRow> {
        rows(&self.home).unwrap()
    }

    fn statuses(&self) -> Vec<Status> {
        self.rows().iter().map(|row| row.info.status).collect()
    }
}

fn id(number: usize) -> String {
    format!("{number:032x}")
}

#[test]
fn rows_are_the_same_from_the_index_and_from_the_directories() {
    let site = Site::new(3);
    site.attr(&id(1), "tags", "- best\n- 2\n");
    site.attr(&id(1), "comments", "- body: nice\n  host: vm\n  time: 1\n  user: me\n");
    site.attr(&id(2), "marked", "true\n");
    let shown = || {
        let rows = site.rows();
        let shown = rows.iter().map(|row| {
            let known = ["host", "comment", "tags", "op", "model", "gone", "status"].map(|name| row.attribute(name));
            format!("{:?} {:?} {known:?} {:?}", row.info, row.flags(), row.comments())
        });
        shown.collect::<Vec<_>>()
    };
    let direct = shown();
    site.settle();
    assert_eq!(site.stored().len(), 3);
    assert_eq!(shown(), direct);
    assert_eq!(site.rows()[0].flag("lr").as_deref(), Some(&json!(4)));
}

#[test]
fn what_the_index_says_holds_while_the_files_are_as_they_were() {
    let site = Site::new(2);
    site.settle();
    Connection::open(&site.file(), "UPDATE runs SET label = 'from the index'");
    let labels = || site.rows().into_iter().map(|row| row.info.label).collect::<Vec<_>>();
    let indexed = Some("from the index".to_owned());
    assert_eq!(labels(), [indexed.clone(), indexed.clone()], "the rows are not read from the index");
    // Into the file, as Guild does it; by a new file, as Rille does it.
    site.attr(&id(0), "flags", "lr: 7\n");
    assert_eq!(labels(), [indexed.clone(), None]);
    site.attr(&id(1), "label", "new\n");
    assert_eq!(labels(), [Some("new".to_owned()), None]);
}

/// Runs a statement on the file of an index.
struct Connection;

impl Connection {
    fn open(file: &Path, statement: &str) {
        rusqlite::Connection::open(file).unwrap().execute_batch(statement).unwrap();
    }
}

#[test]
fn every_kind_of_change_is_seen() {
    let site = Site::new(1);
    let run = site.path(&id(0));
    let changes: [(&str, &dyn Fn(), Status); 6] = [
        ("a new attribute", &|| site.attr(&id(0), "label", "x\n"), Status::Completed),
        ("into an attribute", &|| site.attr(&id(0), "exit_status", "1\n"), Status::Error),
        ("a marker", &|| drop(File::create(run.join(".guild/STAGED")).unwrap()), Status::Staged),
        ("no marker", &|| fs::remove_file(run.join(".guild/STAGED")).unwrap(), Status::Error),
        ("the opref", &|| fs::write(run.join(".guild/opref"), "x").unwrap(), Status::Corrupt),
        (
            "another folder in its place",
            &|| {
                fs::rename(&run, site.home.runs_dir().join("other")).unwrap();
                site.run(&id(0), 5);
                fs::remove_dir_all(site.home.runs_dir().join("other")).unwrap();
            },
            Status::Completed,
        ),
    ];
    for (what, change, status) in changes {
        site.settle();
        change();
        assert_eq!(site.statuses(), [status], "{what}");
    }
}

#[test]
fn runs_that_are_gone_are_dropped_and_those_under_way_are_not_kept() {
    let site = Site::new(3);
    site.settle();
    fs::remove_dir_all(site.path(&id(1))).unwrap();
    fs::write(site.path(&id(2)).join(".guild/PENDING"), "").unwrap();
    assert_eq!(site.statuses(), [Status::Pending, Status::Completed]);
    assert_eq!(site.rows().len(), 2);
    let stored: Vec<String> = site.stored().into_iter().map(|(id, _)| id).collect();
    assert_eq!(stored, [id(0), id(2)], "the row of what is under way is that of before");
    // Only just changed: it is not believed in yet.
    assert!(Stamp::of(&site.path(&id(2)), &[""; 0]).unwrap().settled().is_none());
}

#[test]
fn an_index_that_is_damaged_or_of_another_version_is_made_anew() {
    type Damage<'a> = (&'a str, &'a dyn Fn(&Path));
    let site = Site::new(2);
    let damages: [Damage<'_>; 5] = [
        ("garbage", &|file| fs::write(file, vec![0xa5_u8; 40_000]).unwrap()),
        ("cut", &|file| File::options().write(true).open(file).unwrap().set_len(5000).unwrap()),
        ("another version", &|file| Connection::open(file, "PRAGMA user_version = 99; DROP TABLE runs")),
        ("another table", &|file| Connection::open(file, "DROP TABLE runs; CREATE TABLE runs (x)")),
        ("other types", &|file| Connection::open(file, "UPDATE runs SET stamp = 5, tags = x'ff'")),
    ];
    for (what, damage) in damages {
        site.settle();
        // The journal belongs to the file that it is of.
        Connection::open(&site.file(), "PRAGMA journal_mode = delete");
        damage(&site.file());
        assert_eq!(site.statuses(), [Status::Completed, Status::Completed], "{what}");
        site.settle();
        assert_eq!(site.stored().len(), 2, "{what}");
    }
    fs::remove_file(site.file()).unwrap();
    fs::create_dir(site.file()).unwrap();
    assert_eq!(site.statuses().len(), 2, "a folder in its place");
}

#[test]
fn a_locked_index_is_done_without() {
    let site = Site::new(2);
    site.settle();
    let other = rusqlite::Connection::open(site.file()).unwrap();
    other.execute_batch("PRAGMA locking_mode = exclusive; BEGIN EXCLUSIVE; DELETE FROM runs").unwrap();
    site.attr(&id(0), "label", "x\n");
    let labels: Vec<_> = site.rows().into_iter().map(|row| row.info.label).collect();
    assert_eq!(labels, [None, Some("x".to_owned())]);
}

#[test]
fn threads_share_an_index() {
    let site = Site::new(40);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    site.settle();
                    assert_eq!(rows(&site.home).unwrap().len(), 40);
                }
            });
        }
    });
    assert_eq!(site.stored().len(), 40);
}

#[test]
fn the_newest_are_those_of_the_whole_list() {
    let site = Site::new(200);
    site.attr(&id(7), "started", "1900000000000000\n");
    site.attr(&id(9), "started", "[\n");
    fs::remove_file(site.path(&id(8)).join(".guild/attrs/started")).unwrap();
    fs::create_dir(site.home.runs_dir().join("f".repeat(32))).unwrap();
    fs::write(site.home.runs_dir().join("README"), "").unwrap();
    let all: Vec<String> = site.rows().into_iter().map(|row| row.info.id).collect();
    assert_eq!((all.len(), &all[0], &all[198]), (200, &id(7), &id(8)));
    for count in [0, 1, 20, 199, 200, 500] {
        let newest = newest(&site.home, count).unwrap();
        let ids: Vec<String> = newest.runs.into_iter().map(|run| run.info.id).collect();
        assert_eq!((newest.total, &ids[..]), (200, &all[..count.min(200)]));
    }
}
