//! Densities of what changes add up to, kept from row to row and from model to model.

use super::jump_density::Density;

/// Those that were needed last; models that were trained over the same days share them.
#[derive(Debug, Default)]
pub(super) struct Densities {
    known: Vec<Density>,
    next: usize,
}

/// A slice of rows has as many.
const MOST_DENSITIES: usize = 512;

impl Densities {
    pub(super) fn of(&mut self, expected: f64) -> &Density {
        let bits = expected.to_bits();
        let at = match self.known.iter().position(|density| density.expected.to_bits() == bits) {
            Some(at) => at,
            None if self.known.len() < MOST_DENSITIES => {
                self.known.push(Density::new(expected));
                self.known.len() - 1
            }
            None => {
                let at = self.next % MOST_DENSITIES;
                self.known[at] = Density::new(expected);
                self.next = at + 1;
                at
            }
        };
        &self.known[at]
    }
}
