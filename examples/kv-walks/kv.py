#!/usr/bin/env python3
"""A small key-value store in one SQLite file.

  kv.py FILE set KEY VALUE
  kv.py FILE get KEY
  kv.py FILE delete KEY
  kv.py FILE list PREFIX
  kv.py FILE transaction commit|rollback CHANGE...     CHANGE is KEY=VALUE, or KEY to delete it
  kv.py FILE reopen
  kv.py FILE vacuum

With --list PREFIX it lists in the end, too: keys that begin with PREFIX/, and the lengths of their values.

Exit codes: 0 done, 1 the key is not there, 2 wrong usage, 3 the file is damaged.

With --fault the store has a mistake in it, for the sake of the example: it takes long values out of the way before a
transaction deletes them, and a rollback does not bring them back.
"""

import argparse
import sqlite3
import sys


def connect(path):
    # Several walks use the store at once; a writer waits for the others.
    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
    connection.execute("CREATE TABLE IF NOT EXISTS pairs (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
    return connection


def put(connection, key, value):
    connection.execute("INSERT OR REPLACE INTO pairs VALUES (?, ?)", (key, value))


def delete(connection, key):
    return connection.execute("DELETE FROM pairs WHERE key = ?", (key,)).rowcount


def transaction(connection, end, changes, fault):
    if fault:
        for key in (change for change in changes if "=" not in change):
            connection.execute("DELETE FROM pairs WHERE key = ? AND length(value) > 100", (key,))
    connection.execute("BEGIN IMMEDIATE")
    for change in changes:
        key, sign, value = change.partition("=")
        if sign:
            put(connection, key, value)
        else:
            delete(connection, key)
    connection.execute("COMMIT" if end == "commit" else "ROLLBACK")


def show(connection, prefix):
    # '0' is the character after '/'.
    rows = connection.execute(
        "SELECT key, length(value) FROM pairs WHERE key >= ? AND key < ? ORDER BY key", (prefix + "/", prefix + "0")
    )
    for key, length in rows:
        print(key, length)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fault", action="store_true", help="have the mistake of the example")
    parser.add_argument("--list", metavar="PREFIX", dest="listed", help="list what begins with PREFIX/ in the end")
    parser.add_argument("file")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, words in [("set", ["key", "value"]), ("get", ["key"]), ("delete", ["key"]), ("list", ["prefix"])]:
        command = commands.add_parser(name)
        for word in words:
            command.add_argument(word)
    command = commands.add_parser("transaction")
    command.add_argument("end", choices=["commit", "rollback"])
    command.add_argument("changes", nargs="+")
    commands.add_parser("reopen")
    commands.add_parser("vacuum")
    args = parser.parse_args()

    connection = connect(args.file)
    code = 0
    try:
        if args.command == "set":
            put(connection, args.key, args.value)
        elif args.command == "get":
            row = connection.execute("SELECT value FROM pairs WHERE key = ?", (args.key,)).fetchone()
            if row is None:
                return 1
            print(row[0])
        elif args.command == "delete":
            code = 0 if delete(connection, args.key) else 1
        elif args.command == "list":
            show(connection, args.prefix)
        elif args.command == "transaction":
            transaction(connection, args.end, args.changes, args.fault)
        elif args.command == "reopen":
            connection.close()
            connection = connect(args.file)
            found = connection.execute("PRAGMA integrity_check").fetchone()[0]
            if found != "ok":
                print(found)
                return 3
        else:
            connection.execute("VACUUM")
        if args.listed is not None:
            show(connection, args.listed)
    finally:
        connection.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
