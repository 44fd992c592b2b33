//! What is asked for, checked before anything is made from it.

use super::{Error, Factors, MOST_BYTES, Warning};

/// A row of the seed with its index.
pub(super) type SeedRow = (usize, Vec<Option<u32>>);

/// The rows of the seed, by the invalid value that they have.
pub(super) struct Seeds {
    /// Those without one.
    pub(super) valid: Vec<SeedRow>,
    /// Every invalid value, an action and an option, with the rows that have it.
    pub(super) invalid: Vec<(usize, u32, Vec<SeedRow>)>,
}

impl Factors {
    /// Returns whether an option of an action is an invalid value.
    pub(super) fn is_invalid(&self, factor: usize, option: u32) -> bool {
        self.invalid.get(factor).and_then(|values| values.get(option as usize)).is_some_and(|is| *is)
    }

    /// Returns the weight of an option: 1 where none is given.
    pub(super) fn weight(&self, factor: usize, option: u32) -> u32 {
        self.weights.get(factor).and_then(|weights| weights.get(option as usize)).copied().unwrap_or(1)
    }
}

/// Returns how many combinations are asked for, if they can be counted one by one.
pub(crate) fn combinations(factors: &Factors) -> Result<u128, Error<std::convert::Infallible>> {
    let counts = checked(factors)?;
    Ok(counts.iter().map(|set| set.iter().map(|factor| factors.counts[*factor] as u128).product::<u128>()).sum())
}

/// Returns the sets of actions of which every combination is to be covered, each with its actions in order.
pub(super) fn checked<E>(factors: &Factors) -> Result<Vec<Vec<usize>>, Error<E>> {
    check_shapes(factors)?;
    let width = factors.counts.len();
    let strength = factors.strength;
    if strength == 0 {
        return Err(Error::NoStrength);
    }
    if strength > width {
        return Err(Error::Strength { strength, factors: width });
    }
    let whole: Vec<usize> = (0..width).collect();
    let mut wanted = vec![(whole, strength)];
    for (index, (columns, strength)) in factors.mixed.iter().enumerate() {
        let mut columns = columns.clone();
        columns.sort_unstable();
        let twice = columns.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
        if let Some(factor) = twice.or_else(|| columns.iter().copied().find(|column| *column >= width)) {
            return Err(Error::MixedFactor { index, factor });
        }
        if *strength == 0 || *strength > columns.len() {
            return Err(Error::MixedStrength { index, strength: *strength, factors: columns.len() });
        }
        wanted.push((columns, *strength));
    }
    let (mut tuples, mut bytes) = (0_u128, 0_u128);
    for (columns, strength) in &wanted {
        let counts: Vec<usize> = columns.iter().map(|column| factors.counts[*column]).collect();
        let combinations = symmetric(&counts, *strength);
        let sets = symmetric(&vec![1; counts.len()], *strength);
        let places = *strength as u128;
        tuples = tuples.saturating_add(combinations);
        // A bit in the making and a byte in the check for a combination; a set has its places twice over, for each place.
        let of_sets = sets.saturating_mul(80 + 8 * places * (places + 6));
        bytes = bytes.saturating_add(combinations.saturating_mul(9) / 8).saturating_add(of_sets);
    }
    if bytes > MOST_BYTES {
        return Err(Error::TooMany { tuples, bytes });
    }
    let mut sets = Vec::new();
    for (columns, strength) in &wanted {
        choose(columns, *strength, &mut Vec::new(), &mut sets);
    }
    // A set that is asked for twice counts once.
    sets.sort_by_key(Vec::len);
    let mut seen = std::collections::HashSet::new();
    sets.retain(|set| seen.insert(set.clone()));
    Ok(sets)
}

fn check_shapes<E>(factors: &Factors) -> Result<(), Error<E>> {
    for (factor, count) in factors.counts.iter().enumerate() {
        if *count == 0 || u32::try_from(*count).is_err() {
            return Err(Error::Empty { factor });
        }
    }
    let shapes = [
        ("weights", factors.weights.iter().map(Vec::len).collect::<Vec<_>>()),
        ("marks of invalid values", factors.invalid.iter().map(Vec::len).collect()),
    ];
    for (what, lengths) in shapes {
        for (factor, given) in lengths.into_iter().enumerate() {
            let options = factors.counts.get(factor).copied().unwrap_or(0);
            if given != options {
                return Err(Error::Shape { what, factor, given, options });
            }
        }
    }
    match factors.invalid.iter().position(|values| values.iter().all(|is| *is)) {
        Some(factor) => Err(Error::AllInvalid { factor }),
        None => Ok(()),
    }
}

/// Returns the sum of the products of all choices of `strength` of the counts.
fn symmetric(counts: &[usize], strength: usize) -> u128 {
    let mut sums = vec![0_u128; strength + 1];
    sums[0] = 1;
    for count in counts {
        for chosen in (1..=strength).rev() {
            sums[chosen] = sums[chosen].saturating_add(sums[chosen - 1].saturating_mul(*count as u128));
        }
    }
    sums[strength]
}

/// Adds all choices of `strength` of the columns to `sets`, in order.
fn choose(columns: &[usize], strength: usize, chosen: &mut Vec<usize>, sets: &mut Vec<Vec<usize>>) {
    if strength == 0 {
        return sets.push(chosen.clone());
    }
    for at in 0..=columns.len() - strength {
        chosen.push(columns[at]);
        choose(&columns[at + 1..], strength - 1, chosen, sets);
        chosen.pop();
    }
}

/// Returns the rows of the seed that can be used; the others are warned of.
pub(super) fn sorted_seeds(factors: &Factors, warnings: &mut Vec<Warning>) -> Seeds {
    let mut seeds = Seeds { valid: Vec::new(), invalid: Vec::new() };
    for (factor, count) in factors.counts.iter().enumerate() {
        let options = (0..*count).filter_map(|option| u32::try_from(option).ok());
        let invalid = options.filter(|option| factors.is_invalid(factor, *option));
        seeds.invalid.extend(invalid.map(|option| (factor, option, Vec::new())));
    }
    for (row, options) in factors.seed_rows.iter().enumerate() {
        if options.len() != factors.counts.len() {
            warnings.push(Warning::Length { row, length: options.len() });
            continue;
        }
        let chosen = || options.iter().enumerate().filter_map(|(factor, option)| Some((factor, (*option)?)));
        if let Some((factor, option)) = chosen().find(|(factor, option)| *option as usize >= factors.counts[*factor]) {
            warnings.push(Warning::Unknown { row, factor, option });
            continue;
        }
        let invalid: Vec<(usize, u32)> =
            chosen().filter(|(factor, option)| factors.is_invalid(*factor, *option)).collect();
        match invalid[..] {
            [] => seeds.valid.push((row, options.clone())),
            [(factor, option)] => {
                let mut parts = seeds.invalid.iter_mut();
                let part = parts.find(|part| part.0 == factor && part.1 == option).expect("it is an invalid value");
                part.2.push((row, options.clone()));
            }
            [(first, _), (second, _), ..] => {
                warnings.push(Warning::Invalid { row, factors: [first, second] });
            }
        }
    }
    seeds
}
