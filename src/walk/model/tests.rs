//! Models, compared with what their languages say of every row.

use std::convert::Infallible;

use super::*;
use crate::walk::cover::{self, Constraints, Patience};

fn read(text: &str) -> Model {
    Model::read(text).expect("it is a model")
}

fn rows(model: &Model, strength: usize) -> Vec<Vec<String>> {
    let factors = model.factors(strength, 0, Vec::new());
    let mut constraints: Constraints<'_, Infallible> = Constraints { clauses: model.clauses.clone(), ask: None };
    let mut patience = Patience { keep_going: &mut |_, _| false, give_up: &mut || false };
    model.named(&cover::rows(&factors, &mut constraints, &mut patience).expect("there are rows").rows)
}

/// Returns all rows that the clauses of a model allow, their values joined by blanks.
fn allowed(model: &Model) -> Vec<String> {
    let all = model.parameters.iter().fold(vec![Vec::new()], |rows: Vec<Vec<u32>>, own| {
        let values = 0..u32::try_from(own.values.len()).expect("it is small");
        rows.iter().flat_map(|row| values.clone().map(move |value| [row.clone(), vec![value]].concat())).collect()
    });
    let is = |row: &&Vec<u32>| {
        let chosen: Vec<Option<u32>> = row.iter().copied().map(Some).collect();
        model.clauses.iter().all(|clause| clause.allows(&chosen))
    };
    let name = |row: &Vec<u32>| {
        let names = row.iter().zip(&model.parameters).map(|(value, own)| own.values[*value as usize].names[0].as_str());
        names.collect::<Vec<_>>().join(" ")
    };
    all.iter().filter(is).map(name).collect()
}

const VOLUMES: &str = "
# Volumes
Type:           Single, Span, Stripe, Mirror, RAID-5
Size:           10, 100, 500, 1000, 5000, 10000, 40000
Format method:  Quick (10), Slow
File system:    FAT, FAT32, NTFS
Cluster size:   512, 1024, 2048, 4096, 8192, 16384, 32768, 65536
Compression:    On, Off

{ Type, Size, File system } @ 3

IF [File system] = \"FAT\"   THEN [Size] <= 4096;
IF [File system] = \"FAT32\" THEN [Size] <= 32000;
IF [File system] in {\"fat\", \"FAT32\"} or ([File system] = \"NTFS\" and [Cluster size] > 4096)
  THEN [Compression] = \"Off\";
";

#[test]
fn a_model_of_volumes_is_read_and_covered() {
    let model = read(VOLUMES);
    assert_eq!(model.parameters.len(), 6);
    assert_eq!(model.parameters[2].values[0], ModelValue { weight: 10, ..ModelValue::plain("Quick") });
    assert_eq!(model.strengths, [(vec![0, 1, 3], 3)]);
    let all = allowed(&model);
    let is_right = |row: &str| {
        let items: Vec<&str> = row.split(' ').collect();
        let size: u32 = items[1].parse().expect("a number");
        let cluster: u32 = items[4].parse().expect("a number");
        let small = match items[3] {
            "FAT" => size <= 4096,
            "FAT32" => size <= 32000,
            _ => true,
        };
        small && (items[5] == "Off" || items[3] == "NTFS" && cluster <= 4096)
    };
    let free = Model { clauses: Vec::new(), ..model.clone() };
    let expected: Vec<String> = allowed(&free).into_iter().filter(|row| is_right(row)).collect();
    assert_eq!(all, expected);
    let rows = rows(&model, 2);
    assert!(rows.iter().all(|row| all.contains(&row.join(" "))));
    let triples: std::collections::BTreeSet<_> = rows.iter().map(|row| [&row[0], &row[1], &row[3]]).collect();
    assert_eq!(triples.len(), 5 * (4 + 6 + 7), "five sizes go with FAT but for those above");
}

#[test]
fn every_relation_is_that_of_the_language() {
    let base = "A: 1, 2, 10\nB: 1, 2, 10\nC: x, Yes, yellow\n";
    let table = [
        ("[A] = 10;", "10 * *"),
        ("[A] > 2 AND [B] <> 1;", "10 2 *, 10 10 *"),
        ("[A] < [B];", "1 2 *, 1 10 *, 2 10 *"),
        ("NOT [C] LIKE \"y*\";", "* * x"),
        ("[C] LIKE \"?e?\";", "* * Yes"),
        ("[C] IN {\"X\", \"yes\"} AND [A] >= 10;", "10 * x, 10 * Yes"),
        ("IF [A] = 1 THEN [B] = 1 ELSE [B] = 10;", "1 1 *, 2 10 *, 10 10 *"),
        ("NOT ([A] = 1 OR [B] <= 2) AND [C] = \"x\";", "2 10 x, 10 10 x"),
        ("[A] = [B]; [B] <> 2;", "1 1 *, 10 10 *"),
        ("if not [A] <> 2 then [B] = [A]; [A] <= 2 and [C] = \"x\";", "1 * x, 2 2 x"),
    ];
    for (constraints, expected) in table {
        let model = read(&format!("{base}{constraints}"));
        let is = |row: &String, pattern: &str| {
            row.split(' ').zip(pattern.split(' ')).all(|(item, wanted)| wanted == "*" || item == wanted)
        };
        let wanted: Vec<String> =
            allowed(&read(base)).into_iter().filter(|row| expected.split(", ").any(|p| is(row, p))).collect();
        assert_eq!(allowed(&model), wanted, "{constraints}");
    }
}

#[test]
fn values_have_weights_aliases_and_signs_and_may_be_those_of_others() {
    let model = read("A: ~-1, 0, 1 | one | uno (5)\nB: <A>, 2\nIF [A] = -1 THEN [B] = 0;\n[B] <> \"uno\";");
    assert_eq!(model.parameters[0].values[2].names, ["1", "one", "uno"]);
    assert_eq!((model.parameters[0].values[2].weight, model.parameters[1].values.len()), (5, 4));
    let rows = rows(&model, 2);
    assert!(rows.iter().filter(|row| row[0] == "~-1").all(|row| row[1] == "0"));
    assert!(rows.iter().all(|row| row.iter().filter(|value| value.starts_with('~')).count() < 2));
    let names: std::collections::BTreeSet<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert!(names.contains("one"), "aliases are used by turns: {names:?}");
}

#[test]
fn models_of_other_programs_say_the_same() {
    let acts = "[System]\nName: phone\n[Parameter]\nmail (boolean): true, false\nlines (int): 25, 26, 27\nshow (enum): big, small\n\
                [Relation]\nR1: (mail, lines, show, 3)\n[Constraint]\nmail = true => lines > 25\n!(show = \"big\" && lines == 27)\n";
    let wedge = "Model phone\nParameters:\n  mail: Boolean;\n  lines: [25 .. 27]\n  show: {big small}\nConstraints:\n  \
                 # mail => lines > 25 #\n  # !(show == big and\n lines = 27) #\n";
    let pict = "mail: true, false\nlines: 25, 26, 27\nshow: big, small\n\
                IF [mail] = \"true\" THEN [lines] > 25;\nNOT ([show] = \"big\" AND [lines] = 27);\n";
    let expected = allowed(&read(pict));
    assert_eq!(expected.len(), 12 - 2 - 2);
    assert_eq!(allowed(&read(acts)), expected);
    assert_eq!(allowed(&read(wedge)), expected);
    assert_eq!(read(acts).strengths, [(vec![0, 1, 2], 3)]);
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let table = [
        (
            "A: 1\nB 2",
            "line 2: a parameter such as 'Name: 1, 2', a strength such as '{A, B} @ 2', or a constraint was expected, not 'B 2'",
        ),
        ("A: 1\na: 2", "line 2: the parameter 'a' is defined twice"),
        ("A: 1\nB: ,", "line 2: the parameter 'B' has no values"),
        (
            "Size: 1\n\nIF [Sise] = 1 THEN [Size] = 1;",
            "line 3: 'Sise' is no parameter of the model; did you mean 'Size'?",
        ),
        ("A: 1\nIF [A] = 1\n[A] = 2;", "line 3: THEN was expected, not [A]"),
        ("A: 1\n[A] = 1", "line 2: AND, OR or ';' at the end of the constraint was expected, not the end"),
        ("A: 1\n[A] ~ 1;", "line 2: '~' is not understood here; names stand in [brackets], values in \"quotes\""),
        ("A: 1\nB: 2\n{A, B} @ 3", "line 3: the strength 3 does not go with 2 parameters"),
        ("\n# nothing\n", "line 2: the model has no parameters"),
        (
            "[System]\nName: x\n[Parameters]",
            "line 3: '[Parameters]' is not understood here; the sections are [System], [Parameter], [Relation], [Constraint] and [Test Set]",
        ),
        (
            "Model x\nParameters:\n a: Enum",
            "line 3: 'Enum' is not understood here; values are Boolean, {a b c} or [1 .. 9]",
        ),
        (
            "Model x\nParameters:\n a: {1 2}\nConstraints:\n # a + 1 > 2 #",
            "line 5: =, <>, <, <=, >, >=, IN or LIKE was expected, not '+'",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(Model::read(text).expect_err(text).to_string(), expected);
    }
}

#[test]
fn rows_of_the_seed_are_read_as_they_are_written() {
    let model = read("A: 1, 2\nB: x | y, z\n");
    let (rows, warnings) = model.seed_rows("B\tC\tA\ny\t0\t\nq\t0\t2\n");
    assert_eq!(rows, [vec![None, Some(0)], vec![Some(1), None]]);
    let expected =
        [(1, "the model has no parameter 'C'".to_owned()), (3, "the parameter 'B' has no value 'q'".to_owned())];
    assert_eq!(warnings, expected);
}
