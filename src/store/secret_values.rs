//! What within the values of environment variables is secret, whatever they are called, and what is not, though they are
//! called so.

use std::borrow::Cow;
use std::path::Path;

use serde_json::Value;

use super::secret_names::is_secret;

/// Values that switch something, whatever it is called.
const SWITCHES: [&str; 17] = [
    "",
    "0",
    "1",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "none",
    "null",
    "nil",
    "auto",
    "enabled",
    "disabled",
    "default",
    "undefined",
];

/// Words that are nobody's secret: they stand in what every program says, and are the passwords that everybody knows. To
/// mask them would hide nothing but what was said.
const WORDS: [&str; 22] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "secrets",
    "token",
    "credentials",
    "required",
    "optional",
    "unknown",
    "localhost",
    "postgres",
    "postgresql",
    "mariadb",
    "mongodb",
    "rabbitmq",
    "elastic",
    "public",
    "private",
    "string",
    "example",
    "rille",
];

/// Returns whether a value is one that only switches something.
pub(super) fn is_switch(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| SWITCHES.contains(&text.trim().to_lowercase().as_str()))
}

/// Returns whether a value is known to everybody: a common word, or a place on this machine. To mask it would only make
/// unreadable what a run says.
pub(super) fn is_public(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    is_switch(value) || WORDS.contains(&text.to_lowercase().as_str()) || (text.starts_with('/') && exists(text))
}

/// Returns whether there is something at a path, or at every one of a list.
fn exists(text: &str) -> bool {
    text.split(':').all(|path| path.starts_with('/') && Path::new(path).symlink_metadata().is_ok())
}

/// Returns whether a value is a private key.
pub(super) fn is_private_key(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value);
    text.split_once("-----BEGIN ")
        .and_then(|(_, rest)| rest.split_once("-----"))
        .is_some_and(|(name, _)| name.ends_with("PRIVATE KEY"))
}

/// Returns the passwords in the URLs of a text, as they stand there and as they are meant.
pub(super) fn passwords_in_urls(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("://") {
        let scheme =
            text[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).next().unwrap_or_default();
        let rest = text[at + 3..].split(|c: char| c.is_whitespace() || "\"'<>".contains(c)).next().unwrap_or_default();
        let (authority, more) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if let Some((user, password)) = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':'))
            && ![user, scheme].contains(&password)
        {
            add(&mut found, password);
        }
        // Presigned URLs, and those of drivers of databases.
        let (_, query) = more.split_once('?').unwrap_or_default();
        for (name, value) in query.split(['&', ';', '#']).filter_map(|pair| pair.split_once('=')) {
            if is_secret(name) || name.eq_ignore_ascii_case("sig") || name.to_lowercase().ends_with("signature") {
                add(&mut found, value);
            }
        }
    }
    found
}

/// Returns the passwords in a text that tells how something is reached, by names and values: `Server=db;Password=…`.
pub(super) fn passwords_in_pairs(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let pairs = text.split([';', ' ']).filter_map(|pair| pair.split_once('='));
    for (_, value) in pairs.filter(|(name, _)| is_secret(name) || name.trim().eq_ignore_ascii_case("pwd")) {
        add(&mut found, value.trim_matches(['\'', '"']));
    }
    found
}

/// Returns the parts of a secret that are of use by themselves: what stands behind the name of a scheme, `Bearer …`, and what
/// a JSON text calls secret.
pub(super) fn parts_of_secrets(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Some((scheme, rest)) = text.trim().split_once(' ')
        && ["basic", "bearer", "token"].contains(&scheme.to_lowercase().as_str())
        && !rest.trim().contains(' ')
    {
        found.push(rest.trim().to_owned());
    }
    if text.trim_start().starts_with(['{', '[']) {
        let value = serde_json::from_str::<Value>(text).unwrap_or_default();
        collect_named("", &value, &mut found);
    }
    found
}

fn collect_named(name: &str, value: &Value, found: &mut Vec<String>) {
    let is_named = is_secret(name) || ["auth", "key", "pass", "pwd"].contains(&name);
    match value {
        Value::String(text) if is_named => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect_named(name, item, found)),
        Value::Object(map) => map.iter().for_each(|(name, value)| collect_named(name, value, found)),
        _ => {}
    }
}

fn add(found: &mut Vec<String>, password: &str) {
    // What stands for a password is none.
    if password.is_empty() || password.starts_with(['$', '<', '*']) {
        return;
    }
    if let Cow::Owned(meant) = decoded(password) {
        found.push(meant);
    }
    found.push(password.to_owned());
}

/// Returns a part of a URL as it is meant.
fn decoded(text: &str) -> Cow<'_, str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, more)) = rest.split_first() {
        let digits = more.get(..2).filter(|_| byte == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &more[2..];
            }
            None => {
                bytes.push(byte);
                rest = more;
            }
        }
    }
    if bytes == text.as_bytes() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_url_the_password_is_secret() {
        let cases: [(&str, &[&str]); 21] = [
            ("amqp://guest:amqp@mq.lab", &[]),
            ("url='git+ssh://me:git+ssh@x' amqp://me:git+ssh@y", &["git+ssh"]),
            ("see \"https://x.lab/y?token=hunter22\" for more", &["hunter22"]),
            ("https://x.lab/y?token=hunter22 https://z", &["hunter22"]),
            ("postgres://ada:***@db postgres://ada:<word>@db postgres://ada:@db", &[]),
            ("postgres://ada:hunter22@db.lab:5432/x", &["hunter22"]),
            ("postgres://ada:p%40ss%2Fw@db.lab/x?sslmode=require", &["p@ss/w", "p%40ss%2Fw"]),
            ("mysql+pymysql://ada:a:b@db", &["a:b"]),
            ("redis://:hunter22@cache:6379/0", &["hunter22"]),
            ("https://a:one@x/y https://b:two@z", &["one", "two"]),
            ("https://me:p@ss@proxy:3128", &["p@ss"]),
            ("url=\"https://me:hunter22@x\"", &["hunter22"]),
            ("https://x.lab/y?user=me&password=hunter22", &["hunter22"]),
            ("https://s3.lab/k?X-Amz-Date=1&X-Amz-Signature=abcdef0123", &["abcdef0123"]),
            ("https://a.blob.lab/c?sv=2020&sig=a%2Bb", &["a+b", "a%2Bb"]),
            ("postgres://postgres:postgres@localhost:5432/postgres", &[]),
            ("https://me@host/path", &[]),
            ("https://host:8080/path@v1", &[]),
            ("ssh://git@host:22/x", &[]),
            ("postgres://ada:$PASSWORD@db", &[]),
            ("a:b@c", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(passwords_in_urls(text), expected, "{text}");
        }
        assert_eq!(passwords_in_pairs("Server=db;User Id=me;Password=hunter22;"), ["hunter22"]);
        assert_eq!(passwords_in_pairs("host=db password='hunter22' Pwd=x"), ["hunter22", "x"]);
        assert_eq!(passwords_in_pairs("AccountName=a;AccountKey=abc==;EndpointSuffix=x"), ["abc=="]);
    }

    #[test]
    fn what_is_of_use_by_itself_is_secret_by_itself() {
        let cases: [(&str, &[&str]); 5] = [
            ("Bearer abcdef0123", &["abcdef0123"]),
            ("correct horse battery", &[]),
            (r#"{"auths": {"reg": {"auth": "dXNlcjpw"}}, "type": "x"}"#, &["dXNlcjpw"]),
            (
                r#"{"private_key": "-----BEGIN\nabc\n", "keys": ["no"], "api_tokens": ["one"]}"#,
                &["-----BEGIN\nabc\n", "one"],
            ),
            ("{no json", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(parts_of_secrets(text), expected, "{text}");
        }
    }

    #[test]
    fn what_everybody_knows_is_no_secret() {
        let public = ["Password", "postgres", "enabled", "/", "/usr/bin:/bin", "/etc/passwd", ""];
        let secret = ["hunter22", "/9j/4AAQSkZJRg==", "123456", "/etc/passwd-of-nobody", "pass word"];
        assert!(public.iter().all(|value| is_public(value.as_bytes())));
        assert!(secret.iter().all(|value| !is_public(value.as_bytes())) && !is_public(b"\xff"));
        assert!(is_switch(b" True\n") && is_switch(b"") && !is_switch(b"2"));
        assert!(
            is_private_key(b"x -----BEGIN RSA PRIVATE KEY-----\nabc") && is_private_key(b"-----BEGIN PRIVATE KEY-----")
        );
        assert!(!is_private_key(b"-----BEGIN PUBLIC KEY-----\nabc") && !is_private_key(b"-----BEGIN "));
    }
}
