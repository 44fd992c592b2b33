//! Events as messages: which scalars one holds, and how one is made.
//!
//! The numbers of the fields are those of `TensorFlow`'s event.proto, summary.proto and tensor.proto.

use super::wire::{Field, Fields, Malformed, packed, put};

/// The version that the first event of a file names.
const FILE_VERSION: &str = "brain.Event:2";

/// The number of a float in `DataType`.
const DT_FLOAT: u64 = 1;
/// The number of a double in `DataType`.
const DT_DOUBLE: u64 = 2;

/// One value of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scalar {
    /// Its name.
    pub(crate) tag: String,
    /// The value.
    pub(crate) value: f64,
    /// The step; 0 where none was given.
    pub(crate) step: i64,
}

/// Returns the event that a file begins with.
pub(super) fn version_event(seconds: f64) -> Vec<u8> {
    let mut event = Vec::with_capacity(32);
    put(&mut event, 1, Field::Fixed64(seconds.to_le_bytes()));
    put(&mut event, 3, Field::Bytes(FILE_VERSION.as_bytes()));
    event
}

/// Makes `event` the event of one scalar at a time in seconds since 1970.
pub(super) fn scalar_event(event: &mut Vec<u8>, scalar: &Scalar, seconds: f64) {
    event.clear();
    put(event, 1, Field::Fixed64(seconds.to_le_bytes()));
    if scalar.step != 0 {
        put(event, 2, Field::Varint(scalar.step.cast_unsigned()));
    }
    let mut value = Vec::with_capacity(scalar.tag.len() + 16);
    put(&mut value, 1, Field::Bytes(scalar.tag.as_bytes()));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the format has single precision; what is too large is infinite"
    )]
    let single = scalar.value as f32;
    put(&mut value, 2, Field::Fixed32(single.to_le_bytes()));
    let mut summary = Vec::with_capacity(value.len() + 8);
    put(&mut summary, 1, Field::Bytes(&value));
    put(event, 5, Field::Bytes(&summary));
}

/// Hands over the scalars of an event: simple values, and tensors of one float or double.
pub(super) fn scalars(event: &[u8], heard: &mut dyn FnMut(Scalar)) -> Result<(), Malformed> {
    let mut step = 0;
    let mut summaries = Vec::new();
    for field in Fields::of(event) {
        match field? {
            (2, Field::Varint(number)) => step = number.cast_signed(),
            (5, Field::Bytes(summary)) => summaries.push(summary),
            _ => {}
        }
    }
    for summary in summaries {
        for field in Fields::of(summary) {
            if let (1, Field::Bytes(value)) = field?
                && let Some((tag, value)) = value_of(value)?
            {
                heard(Scalar { tag, value, step });
            }
        }
    }
    Ok(())
}

fn value_of(message: &[u8]) -> Result<Option<(String, f64)>, Malformed> {
    let (mut tag, mut value) = (String::new(), None);
    for field in Fields::of(message) {
        match field? {
            (1, Field::Bytes(name)) => tag = String::from_utf8_lossy(name).into_owned(),
            (2, Field::Fixed32(single)) => value = Some(f64::from(f32::from_le_bytes(single))),
            (8, Field::Bytes(tensor)) => value = single_float(tensor)?,
            _ => {}
        }
    }
    Ok(value.map(|value| (tag, value)))
}

/// Returns the value of a tensor that holds one float or double.
fn single_float(tensor: &[u8]) -> Result<Option<f64>, Malformed> {
    let (mut kind, mut elements, mut content) = (0, 1_u64, &[][..]);
    let mut values = Vec::new();
    for field in Fields::of(tensor) {
        match field? {
            (1, Field::Varint(number)) => kind = number,
            (2, Field::Bytes(shape)) => elements = size(shape)?,
            (4, Field::Bytes(bytes)) => content = bytes,
            (5, Field::Fixed32(single)) => values.push(f64::from(f32::from_le_bytes(single))),
            (5, Field::Bytes(bytes)) => values.extend(singles(bytes)),
            (6, Field::Fixed64(double)) => values.push(f64::from_le_bytes(double)),
            (6, Field::Bytes(bytes)) => values.extend(doubles(bytes)),
            _ => {}
        }
    }
    if !matches!(kind, DT_FLOAT | DT_DOUBLE) || elements != 1 {
        return Ok(None);
    }
    if !content.is_empty() {
        values = if kind == DT_FLOAT { singles(content).collect() } else { doubles(content).collect() };
    }
    Ok(match values[..] {
        [value] => Some(value),
        _ => None,
    })
}

/// Returns how many elements a tensor of this shape has.
fn size(shape: &[u8]) -> Result<u64, Malformed> {
    let mut elements = 1_u64;
    for field in Fields::of(shape) {
        let (2, Field::Bytes(dimension)) = field? else { continue };
        let mut length = 0;
        for field in Fields::of(dimension) {
            match field? {
                (1, Field::Varint(number)) => length = number,
                (1, Field::Bytes(bytes)) => length = packed(bytes)?.last().copied().unwrap_or_default(),
                _ => {}
            }
        }
        elements = elements.saturating_mul(length);
    }
    Ok(elements)
}

fn singles(bytes: &[u8]) -> impl Iterator<Item = f64> {
    bytes.as_chunks().0.iter().map(|chunk| f64::from(f32::from_le_bytes(*chunk)))
}

fn doubles(bytes: &[u8]) -> impl Iterator<Item = f64> {
    bytes.as_chunks().0.iter().map(|chunk| f64::from_le_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(event: &[u8]) -> Vec<(String, f64, i64)> {
        let mut found = Vec::new();
        scalars(event, &mut |scalar| found.push((scalar.tag, scalar.value, scalar.step))).unwrap();
        found
    }

    #[test]
    fn a_scalar_comes_back() {
        let mut event = Vec::new();
        for (value, step) in [(0.5, 0), (-2.0, 7), (f64::INFINITY, -1), (0.0, i64::MAX)] {
            scalar_event(&mut event, &Scalar { tag: "a/b".to_owned(), value, step }, 1.0);
            assert_eq!(read(&event), [("a/b".to_owned(), value, step)]);
        }
        assert_eq!(read(&version_event(1.0)), []);
    }

    #[test]
    fn tensors_of_one_float_are_scalars() {
        let tensor = |kind, dimensions: &[u64], more: &[(u64, Field<'_>)]| {
            let (mut tensor, mut shape) = (Vec::new(), Vec::new());
            for length in dimensions {
                let mut dimension = Vec::new();
                put(&mut dimension, 1, Field::Varint(*length));
                put(&mut shape, 2, Field::Bytes(&dimension));
            }
            put(&mut tensor, 1, Field::Varint(kind));
            put(&mut tensor, 2, Field::Bytes(&shape));
            for (number, field) in more {
                put(&mut tensor, *number, *field);
            }
            tensor
        };
        let half = 0.5_f32.to_le_bytes();
        let double = 0.25_f64.to_le_bytes();
        let cases: [(Vec<u8>, Option<f64>); 8] = [
            (tensor(1, &[], &[(4, Field::Bytes(&half))]), Some(0.5)),
            (tensor(1, &[], &[(5, Field::Fixed32(half))]), Some(0.5)),
            (tensor(1, &[1, 1], &[(5, Field::Bytes(&half))]), Some(0.5)),
            (tensor(2, &[], &[(4, Field::Bytes(&double))]), Some(0.25)),
            (tensor(2, &[], &[(6, Field::Bytes(&double))]), Some(0.25)),
            // A tensor of two whose values are the same is written with one.
            (tensor(1, &[2], &[(5, Field::Bytes(&half))]), None),
            // Text, and whole numbers.
            (tensor(7, &[], &[(8, Field::Bytes(b"text"))]), None),
            (tensor(3, &[], &[(4, Field::Bytes(&half))]), None),
        ];
        for (tensor, value) in cases {
            assert_eq!(single_float(&tensor), Ok(value), "{tensor:?}");
        }
    }
}
