//! Numbers as they are written. Stan's parameters come as `x`, `[x, …]` or
//! `[[x, …], …]`, integers among them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Unexpected, Visitor};

use super::python::{in_words, token};

/// The numbers of one parameter, row after row. Which shape they stood in has no meaning: it
/// differs between versions of Prophet, and between a trained model and a constant series.
#[derive(Debug, PartialEq)]
pub(super) struct Numbers(Vec<f64>);

impl From<Vec<f64>> for Numbers {
    fn from(numbers: Vec<f64>) -> Self {
        Self(numbers)
    }
}

impl Numbers {
    pub(super) fn leaves(&self) -> &[f64] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut numbers = Self(Vec::new());
        deserializer.deserialize_any(NumberSink(&mut numbers.0))?;
        Ok(numbers)
    }
}

/// Appends what it visits. Depth is limited by `serde_json`.
struct NumberSink<'a>(&'a mut Vec<f64>);

impl<'de> Visitor<'de> for NumberSink<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "numbers or lists of numbers")
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.0.push(number);
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.visit_f64(number as f64)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.visit_f64(number as f64)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        match token(text) {
            Some(number) => self.visit_f64(number),
            None => Err(E::invalid_type(Unexpected::Str(text), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Element(self.0))?.is_some() {}
        Ok(())
    }
}

struct Element<'a>(&'a mut Vec<f64>);

impl<'de> serde::de::DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(NumberSink(self.0))
    }
}

/// A number, from JSON as from the compact form.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    if deserializer.is_human_readable() {
        deserializer.deserialize_any(Number)
    } else {
        f64::deserialize(deserializer)
    }
}

/// A list of numbers.
pub(super) fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    Numbers::deserialize(deserializer).map(|numbers| numbers.leaves().to_vec())
}

/// A whole number that is not negative.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    if !deserializer.is_human_readable() {
        return u32::deserialize(deserializer);
    }
    let number = deserializer.deserialize_any(Number)?;
    if number >= 0.0 && number <= f64::from(u32::MAX) && number.fract() == 0.0 {
        return Ok(number as u32);
    }
    Err(D::Error::custom(format!("`fourier_order` is {}; expected a whole number", in_words(number))))
}

struct Number;

impl Visitor<'_> for Number {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number")
    }

    fn visit_f64<E>(self, number: f64) -> Result<f64, E> {
        Ok(number)
    }

    fn visit_i64<E>(self, number: i64) -> Result<f64, E> {
        Ok(number as f64)
    }

    fn visit_u64<E>(self, number: u64) -> Result<f64, E> {
        Ok(number as f64)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
        token(text).ok_or_else(|| E::invalid_type(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_the_same_numbers() {
        for (json, expected) in [
            ("0", Some(vec![0.0])),
            ("[[0]]", Some(vec![0.0])),
            ("[1.5]", Some(vec![1.5])),
            ("[[1, 2.5], [-3, 4e-5]]", Some(vec![1.0, 2.5, -3.0, 4e-5])),
            ("[]", Some(vec![])),
            ("[[]]", Some(vec![])),
            ("[[null]]", None),
            ("\"1\"", None),
            ("[1e999]", None),
            ("[NaN]", None),
        ] {
            assert_eq!(serde_json::from_str::<Numbers>(json).ok().map(|n| n.0), expected, "{json}");
        }
    }
}
