//! SQL's LIKE without regard to letter case: `%` is any text, `_` any one character. Linear but for the number of `%`.

use crate::records::fold;

/// A pattern, ready to be compared with folded text.
#[derive(Debug)]
pub(crate) enum Like {
    /// `%text%` without another wildcard: the common search.
    Contains(String),
    /// Anything else.
    Pattern(Vec<char>),
}

impl Like {
    pub(crate) fn new(pattern: &str) -> Self {
        let pattern = fold(pattern);
        let inner = pattern.strip_prefix('%').and_then(|rest| rest.strip_suffix('%'));
        match inner {
            Some(inner) if !inner.contains(['%', '_']) => Self::Contains(inner.to_owned()),
            _ => Self::Pattern(pattern.chars().collect()),
        }
    }

    /// Whether the text, folded already, matches as a whole.
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Contains(inner) => text.contains(inner.as_str()),
            Self::Pattern(pattern) => matches(pattern, &text.chars().collect::<Vec<_>>()),
        }
    }
}

/// Walks both; after a mismatch the last `%` swallows one character more.
fn matches(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('%') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '_' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_text_and_characters() {
        for (pattern, text, expected) in [
            ("%ada%", "lovelace, ada", true),
            ("%ADA%", "ada", true),
            ("%ada%", "ad", false),
            ("ada", "ada", true),
            ("ada", "ada@x", false),
            ("ada%", "ada@x", true),
            ("%@x", "ada@x", true),
            ("a_a", "aba", true),
            ("a_a", "aa", false),
            ("%a_a%", "xxabaxx", true),
            ("%a%b%c%", "a..b..c", true),
            ("%a%b%c%", "a..c..b", false),
            ("%", "", true),
            ("", "", true),
            ("_", "", false),
            ("%_%", "é", true),
            ("%%", "anything", true),
        ] {
            assert_eq!(Like::new(pattern).matches(text), expected, "{pattern} on {text}");
        }
    }
}
