//! Covers that are known without a search: orthogonal arrays from polynomials over a finite field (Bush 1952), and how
//! one with more options than are needed gets smaller (fusion, Colbourn 2008).

use super::space::UNSET;

/// The largest field whose tables are made.
pub(super) const LARGEST_FIELD: usize = 128;

/// Returns rows that cover all combinations of `strength` actions with these numbers of options, or nothing where no
/// construction is worth it, that is, gives at most `most` rows. Digits that may be anything are unset.
pub(super) fn array(counts: &[u32], strength: usize, most: usize) -> Option<Vec<Vec<u32>>> {
    if strength < 2 || counts.len() <= strength {
        return None;
    }
    let options = *counts.iter().max()?;
    if strength == 2 && options == 2 {
        return Some(halves(counts.len())).filter(|rows| rows.len() <= most);
    }
    if counts.len() == strength + 1 {
        return sums(counts, strength, most);
    }
    let needed = usize::try_from(options).ok()?.max(counts.len() - 1);
    // There is a power of a prime between any number and its double.
    let q = (needed.max(2)..=needed.max(2).saturating_mul(2)).find(|q| power_of(*q).is_some())?;
    // Fusing takes two rows for every option less; more than twice what is wanted is never made up for.
    let size = q.checked_pow(u32::try_from(strength).ok()?).filter(|size| *size <= most.saturating_mul(2))?;
    if q > LARGEST_FIELD {
        return None;
    }
    let field = Field::new(q)?;
    let mut rows: Vec<Vec<u32>> = (0..size).map(|number| polynomial(&field, number, strength, counts.len())).collect();
    for top in (options..u32::try_from(q).ok()?).rev() {
        fuse(&mut rows, top);
    }
    for (digit, count) in rows.iter_mut().flat_map(|row| row.iter_mut().zip(counts)) {
        if *digit >= *count {
            *digit = UNSET;
        }
    }
    Some(rows).filter(|rows| rows.len() <= most)
}

/// Returns the least cover of all pairs of so many actions of two options (Kleitman & Spencer 1973, Katona 1973): one action
/// for every way to choose half of the rows, the first one never among them.
fn halves(width: usize) -> Vec<Vec<u32>> {
    let half = |rows: usize| rows.div_ceil(2);
    let ways = |rows: usize| {
        (0..half(rows)).fold(1_u128, |ways, at| ways.saturating_mul((rows - 1 - at) as u128) / (at as u128 + 1))
    };
    let size = (4..=width + 4).find(|rows| ways(*rows) >= width as u128).expect("the ways grow with the rows");
    let chosen = half(size);
    let mut columns = Vec::with_capacity(width);
    // The places of the ones of a column, counted up like the digits of a number.
    let mut places: Vec<usize> = (1..=chosen).collect();
    for _ in 0..width {
        columns.push((0..size).map(|row| u32::from(places.contains(&row))).collect::<Vec<u32>>());
        let Some(at) = (0..chosen).rev().find(|at| places[*at] < size - chosen + at) else { break };
        let next = places[at] + 1;
        for (step, place) in places[at..].iter_mut().enumerate() {
            *place = next + step;
        }
    }
    (0..size).map(|row| columns.iter().map(|column| column[row]).collect()).collect()
}

/// Returns the rows in which the action with the fewest options has the sum of the others.
fn sums(counts: &[u32], strength: usize, most: usize) -> Option<Vec<Vec<u32>>> {
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|factor| std::cmp::Reverse(counts[*factor]));
    let size = order[..strength].iter().try_fold(1_usize, |size, at| size.checked_mul(counts[*at] as usize))?;
    if size > most {
        return None;
    }
    let (last, modulus) = (order[strength], counts[order[strength - 1]]);
    let row = |number: usize| {
        let mut rest = number;
        let mut row = vec![0; counts.len()];
        for factor in &order[..strength] {
            row[*factor] = u32::try_from(rest % counts[*factor] as usize).expect("it is less than a count");
            rest /= counts[*factor] as usize;
        }
        let sum = row.iter().fold(0, |sum, digit| (sum + digit) % modulus);
        row[last] = if sum < counts[last] { sum } else { UNSET };
        row
    };
    Some((0..size).map(row).collect())
}

/// Returns the values of a polynomial at all elements, and its leading coefficient behind them.
fn polynomial(field: &Field, number: usize, strength: usize, width: usize) -> Vec<u32> {
    let mut rest = number;
    let mut coefficients = Vec::with_capacity(strength);
    for _ in 0..strength {
        coefficients.push(rest % field.q);
        rest /= field.q;
    }
    let value = |at: usize| {
        let value = match at == field.q {
            true => coefficients[strength - 1],
            false => coefficients.iter().rev().fold(0, |sum, next| field.plus(field.times(sum, at), *next)),
        };
        u32::try_from(value).expect("the field is small")
    };
    (0..width).map(value).collect()
}

/// Takes the option `top` of every action away, which is the last one, and two rows with it: one that is made to have
/// nothing else, and any other, because the rest may have that one's option where `top` was.
fn fuse(rows: &mut Vec<Vec<u32>>, top: u32) {
    let first = rows.swap_remove(0);
    for row in rows.iter_mut() {
        for (digit, renamed) in row.iter_mut().zip(&first) {
            match *digit {
                digit_now if digit_now == *renamed => *digit = top,
                digit_now if digit_now == top => *digit = *renamed,
                _ => {}
            }
        }
    }
    let spare = rows.swap_remove(0);
    for row in rows.iter_mut() {
        for (digit, spared) in row.iter_mut().zip(&spare) {
            if *digit == top {
                *digit = if *spared == top { 0 } else { *spared };
            }
        }
    }
}

/// A finite field of `q` elements, which are numbers below `q`.
pub(super) struct Field {
    q: usize,
    sums: Vec<usize>,
    products: Vec<usize>,
}

impl Field {
    /// Returns the field of `q` elements, if there is one.
    pub(super) fn new(q: usize) -> Option<Field> {
        let (prime, degree) = power_of(q)?;
        // The elements are polynomials, the digits of the number being their coefficients, modulo an irreducible one.
        let fields = (0..q).map(|modulus| {
            let cell = |number: usize, of: &dyn Fn(usize, usize) -> usize| of(number / q, number % q);
            let sums = (0..q * q).map(|number| cell(number, &|a, b| add(a, b, prime))).collect();
            let products = (0..q * q).map(|number| cell(number, &|a, b| multiply(a, b, prime, degree, modulus)));
            Field { q, sums, products: products.collect() }
        });
        let has_inverses = |field: &Field| (1..q).all(|a| (1..q).any(|b| field.times(a, b) == 1));
        fields.into_iter().find(has_inverses)
    }

    pub(super) fn plus(&self, a: usize, b: usize) -> usize {
        self.sums[a * self.q + b]
    }

    pub(super) fn times(&self, a: usize, b: usize) -> usize {
        self.products[a * self.q + b]
    }
}

/// Returns the prime that a number is a power of, and which power.
pub(super) fn power_of(q: usize) -> Option<(usize, usize)> {
    let prime = (2..=q).find(|prime| q.is_multiple_of(*prime))?;
    let powers = std::iter::successors(Some(q), |rest| rest.is_multiple_of(prime).then_some(rest / prime));
    Some((prime, powers.into_iter().position(|rest| rest == 1)?))
}

/// Returns the sum of two polynomials, digit by digit.
fn add(mut a: usize, mut b: usize, prime: usize) -> usize {
    let (mut sum, mut place) = (0, 1);
    while a > 0 || b > 0 {
        sum += (a % prime + b % prime) % prime * place;
        (a, b, place) = (a / prime, b / prime, place * prime);
    }
    sum
}

/// Returns the product of two polynomials, where `x^degree` is replaced by `modulus`.
fn multiply(a: usize, b: usize, prime: usize, degree: usize, modulus: usize) -> usize {
    let q = prime.pow(u32::try_from(degree).expect("the degree is small"));
    let scaled = |a: usize, by: usize| (0..by).fold(0, |sum, _| add(sum, a, prime));
    let mut product = 0;
    // Horner's rule, the highest digit of b first.
    for place in (0..degree).rev() {
        let shifted = product * prime;
        product = add(shifted % q, scaled(modulus, shifted / q), prime);
        let digit = b / prime.pow(u32::try_from(place).expect("the degree is small")) % prime;
        product = add(product, scaled(a, digit), prime);
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_there_for_powers_of_primes() {
        let orders: Vec<usize> = (0..30).filter(|q| Field::new(*q).is_some()).collect();
        assert_eq!(orders, [2, 3, 4, 5, 7, 8, 9, 11, 13, 16, 17, 19, 23, 25, 27, 29]);
    }

    #[test]
    fn arrays_have_the_known_sizes() {
        let size = |count, width, strength| array(&vec![count; width], strength, 10_000).map(|rows| rows.len());
        let table = [
            ((3, 4, 2), Some(9)),
            ((4, 5, 2), Some(16)),
            ((9, 10, 2), Some(81)),
            ((10, 10, 2), Some(119)),
            ((10, 12, 2), Some(119)),
            ((20, 3, 2), Some(400)),
            ((6, 8, 2), Some(47)),
            ((3, 4, 3), Some(27)),
            ((4, 5, 3), Some(64)),
            ((2, 2, 2), None),
        ];
        for ((count, width, strength), expected) in table {
            assert_eq!(size(count, width, strength), expected, "{count}^{width} at {strength}");
        }
    }
}
