//! Dates as pandas writes them: `2024-03-17T12:00:00.000`, cut to milliseconds.
//!
//! A file has two for each row, most of them of one day with the one before.

use crate::time::{self, DAY};

/// Writes dates, and keeps the text of the last day.
#[derive(Default)]
pub(super) struct Dates {
    day: Option<i64>,
    /// `2024-03-17T`.
    text: Vec<u8>,
}

impl Dates {
    pub(super) fn write(&mut self, micros: i64, out: &mut Vec<u8>) {
        let day = micros.div_euclid(DAY);
        if self.day != Some(day) {
            self.day = Some(day);
            let midnight = time::text(day * DAY);
            let date = midnight.split_once('T').map_or(midnight.as_str(), |(date, _)| date);
            self.text = [date.as_bytes(), b"T"].concat();
        }
        out.extend_from_slice(&self.text);
        let millis = micros.rem_euclid(DAY) / 1_000;
        let mut clock = *b"00:00:00.000";
        for (place, unit, base) in [
            (0, 36_000_000, 10),
            (1, 3_600_000, 10),
            (3, 600_000, 6),
            (4, 60_000, 10),
            (6, 10_000, 6),
            (7, 1_000, 10),
            (9, 100, 10),
            (10, 10, 10),
            (11, 1, 10),
        ] {
            clock[place] += (millis / unit % base) as u8;
        }
        out.extend_from_slice(&clock);
    }

    pub(super) fn text(&mut self, micros: i64) -> String {
        let mut out = Vec::with_capacity(23);
        self.write(micros, &mut out);
        String::from_utf8(out).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_cut_to_milliseconds() {
        let mut dates = Dates::default();
        for (micros, expected) in [
            (0, "1970-01-01T00:00:00.000"),
            (-1, "1969-12-31T23:59:59.999"),
            (1_709_251_207_250_999, "2024-03-01T00:00:07.250"),
            (1_709_335_799_999_000, "2024-03-01T23:29:59.999"),
            (1_709_337_599_999_999, "2024-03-01T23:59:59.999"),
            (1_709_337_600_000_000, "2024-03-02T00:00:00.000"),
            (-8_000_000_000_000_000, "1716-06-28T09:46:40.000"),
        ] {
            assert_eq!(dates.text(micros), expected, "{micros}");
        }
    }
}
