//! The map of the data model: pairs in one block, in the order of their encodings.

use super::{Key, TextKey, Value};

/// A map with integer or text keys, none twice, in the order that the canonical form demands.
///
/// The maps of a log are small: one block is read, searched and freed faster than a tree of nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Map(Vec<(Key, Value)>);

impl Map {
    /// An empty map.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Takes pairs whose keys ascend strictly already; none where they do not.
    pub(super) fn of_ascending(pairs: Vec<(Key, Value)>) -> Option<Self> {
        pairs.is_sorted_by(|(one, _), (next, _)| one < next).then_some(Self(pairs))
    }

    /// How many pairs it has.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, key: &Key) -> Result<usize, usize> {
        self.0.binary_search_by(|(held, _)| held.cmp(key))
    }

    /// The value of a key.
    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.find(key).ok().map(|at| &self.0[at].1)
    }

    /// The value of a key, to change it.
    pub fn get_mut(&mut self, key: &Key) -> Option<&mut Value> {
        self.find(key).ok().map(|at| &mut self.0[at].1)
    }

    /// Whether it has a key.
    pub fn contains_key(&self, key: &Key) -> bool {
        self.find(key).is_ok()
    }

    /// Sets the value of a key; gives the one before.
    pub fn insert(&mut self, key: Key, value: Value) -> Option<Value> {
        match self.find(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    /// Takes a key out; gives its value.
    pub fn remove(&mut self, key: &Key) -> Option<Value> {
        self.find(key).ok().map(|at| self.0.remove(at).1)
    }

    /// The value of the key that is this text, with its place among the pairs.
    pub fn find_text(&self, text: &str) -> Option<(usize, &Value)> {
        let found = self.0.binary_search_by(|(key, _)| match key {
            Key::Uint(_) | Key::Nint(_) => std::cmp::Ordering::Less,
            Key::Text(TextKey(key)) => {
                (key.len(), key.as_bytes()).cmp(&(text.len(), text.as_bytes()))
            }
        });
        found.ok().map(|at| (at, &self.0[at].1))
    }

    /// The pairs, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Key, &Value)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The pairs, in order, their values to be changed.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&Key, &mut Value)> {
        self.0.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Key> {
        self.iter().map(|(key, _)| key)
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.iter().map(|(_, value)| value)
    }
}

impl FromIterator<(Key, Value)> for Map {
    /// A later pair replaces an earlier one of the same key.
    fn from_iter<I: IntoIterator<Item = (Key, Value)>>(pairs: I) -> Self {
        let mut pairs: Vec<_> = pairs.into_iter().collect();
        // Stable: of equal keys, the last is the latest.
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        pairs.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
        Self(pairs)
    }
}

impl Extend<(Key, Value)> for Map {
    fn extend<I: IntoIterator<Item = (Key, Value)>>(&mut self, pairs: I) {
        for (key, value) in pairs {
            self.insert(key, value);
        }
    }
}

impl IntoIterator for Map {
    type Item = (Key, Value);
    type IntoIter = std::vec::IntoIter<(Key, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = Key> {
        prop_oneof![
            (-4_i64..4).prop_map(Key::from),
            "[ab]{0,2}".prop_map(|text| Key::from(text.as_str()))
        ]
    }

    proptest! {
        #[test]
        fn it_does_what_a_tree_does(
            first in prop::collection::vec((key(), any::<u8>()), 0..12),
            then in prop::collection::vec((key(), prop::option::of(any::<u8>())), 0..24),
        ) {
            let of = |number: u8| Value::from(u64::from(number));
            let pairs = first.into_iter().map(|(key, number)| (key, of(number)));
            let mut tree: BTreeMap<_, _> = pairs.clone().collect();
            let mut map: Map = pairs.collect();
            for (key, number) in then {
                if let Some(number) = number {
                    prop_assert_eq!(map.insert(key.clone(), of(number)), tree.insert(key, of(number)));
                } else {
                    prop_assert_eq!(map.remove(&key), tree.remove(&key));
                }
            }
            prop_assert!(map.iter().eq(&tree));
            prop_assert!(tree.keys().all(|key| map.contains_key(key) && map.get(key) == tree.get(key)));
            for text in ["", "a", "b", "ab", "ba", "c"] {
                let found = map.find_text(text).map(|(at, value)| (map.keys().nth(at), value));
                let (key, value) = tree.get_key_value(&Key::from(text)).unzip();
                prop_assert_eq!(found, value.map(|value| (key, value)));
            }
            prop_assert_eq!(map.len(), tree.len());
            prop_assert_eq!(Map::of_ascending(map.clone().into_iter().collect()), Some(map.clone()));
            let mut twice: Vec<_> = map.into_iter().collect();
            if let Some(last) = twice.last().cloned() {
                twice.push(last);
                prop_assert_eq!(Map::of_ascending(twice), None);
            }
        }
    }
}
