//! The little of protocol buffers that event files need: fields of a message, as bytes.
//!
//! The crates for it bring a compiler of schemas along; what is needed here is three kinds of fields. See
//! <https://protobuf.dev/programming-guides/encoding/>.

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field<'a> {
    /// A whole number, a boolean or a name of an enumeration.
    Varint(u64),
    /// Eight bytes, such as a double.
    Fixed64([u8; 8]),
    /// Bytes, text, a message, or packed numbers.
    Bytes(&'a [u8]),
    /// Four bytes, such as a float.
    Fixed32([u8; 4]),
}

/// What is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The fields of a message by their numbers, in order.
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Reads a message.
    pub(super) const fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn field(&mut self) -> Result<(u64, Field<'a>), Malformed> {
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(self.fixed()?),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
                self.0 = rest;
                Field::Bytes(bytes)
            }
            5 => Field::Fixed32(self.fixed()?),
            _ => return Err(Malformed),
        };
        Ok((key >> 3, field))
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (value, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*value)
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(Malformed)?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Field<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// Returns the numbers of a repeated varint that was packed.
pub(super) fn packed(bytes: &[u8]) -> Result<Vec<u64>, Malformed> {
    let mut fields = Fields::of(bytes);
    let mut numbers = Vec::new();
    while !fields.0.is_empty() {
        numbers.push(fields.varint()?);
    }
    Ok(numbers)
}

/// Adds a field to a message.
pub(super) fn put(message: &mut Vec<u8>, number: u64, field: Field<'_>) {
    let kind = match field {
        Field::Varint(_) => 0,
        Field::Fixed64(_) => 1,
        Field::Bytes(_) => 2,
        Field::Fixed32(_) => 5,
    };
    put_varint(message, number << 3 | kind);
    match field {
        Field::Varint(value) => put_varint(message, value),
        Field::Fixed64(bytes) => message.extend_from_slice(&bytes),
        Field::Bytes(bytes) => {
            put_varint(message, bytes.len() as u64);
            message.extend_from_slice(bytes);
        }
        Field::Fixed32(bytes) => message.extend_from_slice(&bytes),
    }
}

fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            message.push(low & 0x7f);
            return;
        }
        message.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_as_they_were_put() {
        let fields = [
            (1, Field::Varint(0)),
            (2, Field::Varint(u64::MAX)),
            (15, Field::Fixed64(1.5_f64.to_le_bytes())),
            (16, Field::Bytes(b"")),
            (5000, Field::Bytes(b"text")),
            (3, Field::Fixed32(0.5_f32.to_le_bytes())),
        ];
        let mut message = Vec::new();
        for (number, field) in fields {
            put(&mut message, number, field);
        }
        let read: Result<Vec<_>, _> = Fields::of(&message).collect();
        assert_eq!(read.unwrap(), fields);
        for length in 0..message.len() {
            // Nothing that was cut is read past its end, and it ends.
            assert!(Fields::of(&message[..length]).count() <= fields.len());
        }
    }

    #[test]
    fn what_is_no_message_says_so() {
        for bytes in [&[0x80][..], &[0x0b], &[0x0a, 5, 1], &[0x09, 1], &[0x0d], &[0xff; 12]] {
            assert_eq!(Fields::of(bytes).last(), Some(Err(Malformed)), "{bytes:?}");
        }
    }
}
