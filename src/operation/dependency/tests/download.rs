//! Tests of what is downloaded, from servers of their own on loopback.

use super::*;

/// Serves one answer for each connection, and counts them.
fn serve(answers: Vec<Vec<u8>>) -> (String, std::thread::JoinHandle<()>) {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            stream.write_all(&answer).unwrap();
        }
    });
    (url, served)
}

fn ok(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes()
}

#[test]
fn a_url_is_downloaded_once_and_whole() {
    let (url, served) = serve(vec![
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf".to_vec(),
        ok("wrong"),
        ok("right"),
    ]);
    let world = World::new(&[]);
    // The SHA-256 of "right".
    let sha256 = "27042f4e6eca7d0b2a7ee4026df2ecfa51d3339e6d122aa099118ecd8563bad9";
    let source = json!([{"url": format!("{url}/data.txt"), "sha256": sha256}]);
    let get = || world.resolve(&source);
    let kept = || {
        let folders = fs::read_dir(world.path("cache")).unwrap().map(|entry| entry.unwrap().path());
        folders.flat_map(|folder| fs::read_dir(folder).unwrap()).count()
    };
    let missing = get().result.unwrap_err().reason;
    assert!(missing.contains(&format!("cannot download {url}/data.txt: ")) && missing.contains("404"), "{missing}");
    let half = get().result.unwrap_err().reason;
    assert!(half.starts_with(&format!("cannot download {url}/data.txt: ")), "{half}");
    let wrong = get().result.unwrap_err().reason;
    assert!(wrong.contains(&format!("has an unexpected sha256 (expected {sha256} but got ")), "{wrong}");
    assert_eq!(kept(), 0);
    let right = get();
    assert_eq!(right.files, ["data.txt right"], "{:?}", right.result);
    assert_eq!(right.said[1], format!("Downloading {url}/data.txt (5 bytes)"));
    served.join().unwrap();
    // The server is gone: this is the cache's.
    fs::remove_file(world.path("runs/own/data.txt")).unwrap();
    let again = get();
    assert_eq!(
        (again.files, again.said),
        (vec!["data.txt right".to_owned()], vec!["Resolving res dependency".to_owned()])
    );
    assert_eq!(kept(), 1);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    drop(listener);
    let reason = World::new(&[]).resolve(&json!([{"url": url}])).result.unwrap_err().reason;
    assert!(reason.starts_with(&format!("cannot download {url}: ")), "{reason}");
}
