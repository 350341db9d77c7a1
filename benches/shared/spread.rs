//! Medians with their spread, and numbers as a table shows them.

use serde::{Deserialize, Serialize};

/// The median of some values, and the smallest and largest of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        let (&least, &most) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Self { median, least, most })
    }

    /// Of a value that is known exactly, or was measured once.
    pub fn exact(value: f64) -> Self {
        Self { median: value, least: value, most: value }
    }

    pub fn ratio(self) -> String {
        self.shown(|value| format!("{value:.2}"))
    }

    pub fn value(self) -> String {
        self.shown(significant)
    }

    fn shown(self, show: fn(f64) -> String) -> String {
        let [median, least, most] = [self.median, self.least, self.most].map(show);
        if least == most { median } else { format!("{median} ({least}..{most})") }
    }
}

pub fn significant(value: f64) -> String {
    match value.abs() {
        10_000.0.. => grouped(value.round() as i64),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        0.0 => "0".to_string(),
        _ => format!("{value:.3}"),
    }
}

/// With spaces between groups of three digits, as a table shows it.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = if number < 0 { "-".to_string() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_two() {
        let spread = Spread::of(vec![4.0, 1.0, 3.0, 2.0]).expect("values");
        assert_eq!(spread, Spread { median: 2.5, least: 1.0, most: 4.0 });
        assert_eq!(spread.ratio(), "2.50 (1.00..4.00)");
        assert_eq!(Spread::of(vec![f64::NAN]), None);
        assert_eq!(Spread::exact(3.0).value(), "3.00");
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(grouped(-1_234_567), "-1 234 567");
        assert_eq!(significant(12_345.6), "12 346");
        assert_eq!(significant(0.0456), "0.046");
    }
}
