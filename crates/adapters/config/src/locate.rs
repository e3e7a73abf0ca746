use serde::Deserialize;
use serde::Deserializer;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_saphyr::Location;
use serde_saphyr::Spanned;

use crate::error::Place;

/// The keys of a YAML text with their places, and nothing of the values: so that an error that knows only its place
/// can be given its path.
pub(crate) enum Outline {
    Leaf,
    List(Vec<Spanned<Outline>>),
    Mapping(Vec<(Spanned<String>, Spanned<Outline>)>),
}

impl Outline {
    /// The path of the innermost key that begins at or before the place, such as `auth_service.listen_addr`.
    pub(crate) fn path_at(&self, place: Place) -> String {
        let mut path = String::new();
        self.descend(place, &mut path);
        path
    }

    /// Where the key of a path stands.
    pub(crate) fn place_of(&self, path: &str) -> Option<Place> {
        match self {
            Self::Leaf => None,
            Self::List(items) => items.iter().enumerate().find_map(|(index, item)| {
                let rest = path.strip_prefix(&format!("[{index}]"))?;
                item.value.place_of(rest.strip_prefix('.').unwrap_or(rest))
            }),
            Self::Mapping(entries) => entries.iter().find_map(|(key, value)| {
                let rest = path.strip_prefix(key.value.as_str())?;
                if rest.is_empty() {
                    return Some(Place {
                        line: key.referenced.line(),
                        column: key.referenced.column(),
                    });
                }
                let rest = rest
                    .strip_prefix('.')
                    .or_else(|| rest.starts_with('[').then_some(rest))?;
                value.value.place_of(rest)
            }),
        }
    }

    fn descend(&self, place: Place, path: &mut String) {
        match self {
            Self::Leaf => {}
            Self::List(items) => {
                let mut begun = items
                    .iter()
                    .enumerate()
                    .filter(|(_, item)| begins_by(item.referenced, place));
                if let Some((index, item)) = begun.next_back() {
                    path.push_str(&format!("[{index}]"));
                    item.value.descend(place, path);
                }
            }
            Self::Mapping(entries) => {
                let mut begun = entries.iter().filter(|(key, _)| begins_by(key.referenced, place));
                if let Some((key, value)) = begun.next_back() {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&key.value);
                    value.value.descend(place, path);
                }
            }
        }
    }
}

fn begins_by(location: Location, place: Place) -> bool {
    (location.line(), location.column()) <= (place.line, place.column)
}

impl<'de> Deserialize<'de> for Outline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OutlineVisitor)
    }
}

struct OutlineVisitor;

impl<'de> Visitor<'de> for OutlineVisitor {
    type Value = Outline;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Outline, E> {
        Ok(Outline::Leaf)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Outline, E> {
        Ok(Outline::Leaf)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Outline, E> {
        Ok(Outline::Leaf)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Outline, E> {
        Ok(Outline::Leaf)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Outline, E> {
        Ok(Outline::Leaf)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Outline, E> {
        Ok(Outline::Leaf)
    }

    fn visit_str<E>(self, _: &str) -> Result<Outline, E> {
        Ok(Outline::Leaf)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Outline, E> {
        Ok(Outline::Leaf)
    }

    fn visit_unit<E>(self) -> Result<Outline, E> {
        Ok(Outline::Leaf)
    }

    fn visit_none<E>(self) -> Result<Outline, E> {
        Ok(Outline::Leaf)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Outline, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Outline, A::Error> {
        let mut outline = Vec::new();
        while let Some(item) = items.next_element()? {
            outline.push(item);
        }
        Ok(Outline::List(outline))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Outline, A::Error> {
        let mut outline = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            outline.push((key, entries.next_value()?));
        }
        Ok(Outline::Mapping(outline))
    }
}
