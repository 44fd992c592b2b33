//! Tests of archives: what they may hold, and what is refused without a trace.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use proptest::prelude::*;

use super::archive::{Problem, unpack};
use super::unpack::{ArchiveKind, Limits};

const LIMITS: Limits = Limits { bytes: 1 << 20, entries: 100, ratio: 500, ratio_from: 256 << 10 };

/// An entry of a tar archive that is made for a test.
enum Made<'a> {
    File(&'a str, &'a [u8]),
    Dir(&'a str),
    Link(&'a str, &'a str),
    HardLink(&'a str, &'a str),
    Fifo(&'a str),
}

/// Makes a tar archive. Names are written as they are, which the crate's own functions would refuse.
fn tar_of(entries: &[Made<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        let (name, kind, bytes, link): (&str, _, &[u8], _) = match entry {
            Made::File(name, bytes) => (name, tar::EntryType::Regular, bytes, None),
            Made::Dir(name) => (name, tar::EntryType::Directory, &[], None),
            Made::Link(name, target) => (name, tar::EntryType::Symlink, &[], Some(target)),
            Made::HardLink(name, target) => (name, tar::EntryType::Link, &[], Some(target)),
            Made::Fifo(name) => (name, tar::EntryType::Fifo, &[], None),
        };
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        if let Some(link) = link {
            header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        }
        header.set_cksum();
        builder.append(&header, bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    zip_by(zip::CompressionMethod::Deflated, entries)
}

fn zip_by(method: zip::CompressionMethod, entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in entries {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Unpacks bytes, and returns what is there then, with what links lead to.
fn check(name: &str, bytes: &[u8], kind: ArchiveKind) -> Result<Vec<String>, String> {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join(name);
    fs::write(&archive, bytes).unwrap();
    let folder = dir.path().join("in");
    fs::create_dir(&folder).unwrap();
    let done = unpack(&archive, kind, &folder, LIMITS, &|| false);
    let mut outside: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    outside.retain(|entry| entry != name && entry != "in");
    assert!(outside.is_empty(), "{outside:?}");
    match done {
        Ok(()) => {
            let mut found = Vec::new();
            list(&folder, &folder, &mut found);
            found.sort();
            Ok(found)
        }
        Err(Problem::Refused(what)) => Err(what),
        Err(Problem::Damaged(what)) => Err(format!("damaged: {what}")),
        Err(Problem::Io(error)) => panic!("{error}"),
    }
}

fn list(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if let Ok(target) = fs::read_link(&path) {
            found.push(format!("{name} -> {}", target.display()));
        } else if path.is_dir() {
            found.push(format!("{name}/"));
            list(root, &path, found);
        } else {
            found.push(format!("{name} {}", String::from_utf8_lossy(&fs::read(&path).unwrap())));
        }
    }
}

#[test]
fn a_tar_is_unpacked_whatever_compresses_it() {
    use Made::{Dir, File, HardLink, Link};
    let plain = tar_of(&[
        Dir("./"),
        Dir("./d/"),
        File("./d/a.txt", b"a"),
        File("deep/er/b", b"b"),
        Link("d/up", "../deep/er"),
        HardLink("c", "d/a.txt"),
        File("deep/er/b", b"again"),
    ]);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(&plain).unwrap();
    let mut bz = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    bz.write_all(&plain).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(&plain).unwrap();
    let all = [
        plain.clone(),
        gz.finish().unwrap(),
        bz.finish().unwrap(),
        xz.finish().unwrap(),
        zstd::encode_all(&plain[..], 1).unwrap(),
    ];
    let expected = ["c a", "d/", "d/a.txt a", "d/up -> ../deep/er", "deep/", "deep/er/", "deep/er/b again"];
    for bytes in all {
        assert_eq!(check("a.tar", &bytes, ArchiveKind::Tar).unwrap(), expected);
    }
}

#[test]
fn zip_and_gzip_are_unpacked() {
    use zip::CompressionMethod::{Bzip2, Stored, Zstd};
    let zip = zip_of(&[("d/a.txt", b"a"), ("b", b"b")]);
    assert_eq!(check("a.zip", &zip, ArchiveKind::Zip).unwrap(), ["b b", "d/", "d/a.txt a"]);
    for method in [Stored, Bzip2, Zstd] {
        let zip = zip_by(method, &[("b", &[b'b'; 40])]);
        assert_eq!(check("a.zip", &zip, ArchiveKind::Zip).unwrap(), [format!("b {}", "b".repeat(40))], "{method}");
    }
    // A stored entry that says that another method made it. Its bytes are a block of Deflate64 that holds `b`.
    let made_by = |method: u8| {
        let mut zip = zip_by(Stored, &[("b", b"\x01\x01\x00\xfe\xffb")]);
        let central = zip.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
        for (at_method, at_crc, at_size) in [(8, 14, 22), (central + 10, central + 16, central + 24)] {
            zip[at_method] = method;
            zip[at_crc..at_crc + 4].copy_from_slice(&0x71be_eff9_u32.to_le_bytes());
            zip[at_size..at_size + 4].copy_from_slice(&1_u32.to_le_bytes());
        }
        check("a.zip", &zip, ArchiveKind::Zip)
    };
    assert_eq!(made_by(9).unwrap(), ["b b"]);
    // LZMA.
    assert_eq!(made_by(14), Err("damaged: compression method not supported: 14".to_owned()));
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(b"x,y").unwrap();
    assert_eq!(check("data.csv.gz", &gz.finish().unwrap(), ArchiveKind::Gzip).unwrap(), ["data.csv x,y"]);
}

#[test]
fn what_leads_out_is_refused() {
    use Made::{Fifo, File, HardLink, Link};
    let cases: [(&[Made<'_>], &str); 16] = [
        (&[File("../x", b"")], "its entry '../x' leads out of it"),
        (&[File("a/../../x", b"")], "its entry 'a/../../x' leads out of it"),
        (&[File("a/../x", b"")], "its entry 'a/../x' leads out of it"),
        (&[File("/x", b"")], "its entry '/x' leads out of it"),
        (&[Link("a", "/etc")], "the link 'a' to '/etc' leaves it"),
        (&[Link("a", "..")], "the link 'a' to '..' leaves it"),
        (&[Link("d/a", "../../x")], "the link 'd/a' to '../../x' leaves it"),
        (&[Link("a", "d/../..")], "the link 'a' to 'd/../..' leaves it"),
        (&[Link("d", "."), Link("e", "d/../x")], "the link 'e' to 'd/../x' leaves it"),
        (&[Link("d", "."), Link("d/e", "..")], "'d/e' goes through what is no folder of it"),
        (&[Link("d", "e"), File("d/x", b"")], "'d/x' goes through what is no folder of it"),
        (&[Link("d", "e"), File("d", b"")], "'d' is in it twice, and not as a file"),
        (&[HardLink("a", "../x")], "its entry '../x' leads out of it"),
        (&[HardLink("a", "b")], "the link 'a' is to 'b', which is no file of it"),
        (&[Link("l", "b"), HardLink("a", "l")], "the link 'a' is to 'l', which is no file of it"),
        (&[Fifo("p")], "'p' is neither file, folder nor link"),
    ];
    for (entries, expected) in cases {
        assert_eq!(check("a.tar", &tar_of(entries), ArchiveKind::Tar), Err(expected.to_owned()));
    }
    let zip = zip_of(&[("../x", b"")]);
    assert_eq!(check("a.zip", &zip, ArchiveKind::Zip), Err("its entry '../x' leads out of it".to_owned()));
}

#[test]
fn too_much_is_refused() {
    let big = vec![b'x'; 2 << 20];
    let expected = Err("it holds more than 1.0 MiB".to_owned());
    assert_eq!(check("a.tar", &tar_of(&[Made::File("a", &big)]), ArchiveKind::Tar), expected);
    assert_eq!(check("a.zip", &zip_of(&[("a", &big)]), ArchiveKind::Zip), expected);
    let names: Vec<String> = (0..101).map(|number| format!("f{number}")).collect();
    let many: Vec<Made<'_>> = names.iter().map(|name| Made::File(name, b"")).collect();
    assert_eq!(check("a.tar", &tar_of(&many), ArchiveKind::Tar), Err("it holds more than 100 files".to_owned()));
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gz.write_all(&big).unwrap();
    let bomb = check("a.gz", &gz.finish().unwrap(), ArchiveKind::Gzip).unwrap_err();
    assert!(bomb.starts_with("it is a bomb: "), "{bomb}");
}

#[test]
fn what_is_cut_off_is_damaged() {
    let tar = tar_of(&[Made::File("a", &[b'x'; 4096])]);
    let zip = zip_of(&[("a", b"x")]);
    for (name, bytes, kind) in [
        ("a.tar", &tar[..1024], ArchiveKind::Tar),
        ("a.zip", &zip[..zip.len() - 8], ArchiveKind::Zip),
        ("a.gz", b"no gzip".as_slice(), ArchiveKind::Gzip),
        ("b.zip", b"".as_slice(), ArchiveKind::Zip),
    ] {
        let error = check(name, bytes, kind).unwrap_err();
        assert!(error.starts_with("damaged: "), "{name}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_archive_writes_outside(entries in prop::collection::vec(
        (0..4, "[ab./]{1,6}", "[ab./]{1,6}"), 1..8)) {
        let entries: Vec<Made<'_>> = entries.iter().map(|(kind, name, target)| match kind {
            0 => Made::File(name, b"x"),
            1 => Made::Dir(name),
            2 => Made::Link(name, target),
            _ => Made::HardLink(name, target),
        }).collect();
        let bytes = tar_of(&entries);
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("a.tar");
        fs::write(&archive, bytes).unwrap();
        let folder = dir.path().join("x/y/z");
        fs::create_dir_all(&folder).unwrap();
        let _ = unpack(&archive, ArchiveKind::Tar, &folder, LIMITS, &|| false);
        let root = fs::canonicalize(&folder).unwrap();
        for outside in [dir.path().join("x"), dir.path().join("x/y")] {
            prop_assert_eq!(fs::read_dir(outside).unwrap().count(), 1);
        }
        prop_assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        let mut links = vec![folder];
        while let Some(path) = links.pop() {
            if let Ok(real) = fs::canonicalize(&path) {
                prop_assert!(real.starts_with(&root), "{} leads to {}", path.display(), real.display());
            }
            if fs::symlink_metadata(&path).unwrap().is_dir() {
                links.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
    }
}
