//! The one parser of the language: filters, PATCH paths, keys of path-less values, `attributes`.
//!
//! Recursive descent over bytes, in one pass. Its limits keep any input harmless; its errors give the position, counted in
//! characters from 1, and what was expected there.

use serde_json::Number;

use crate::{
    error::{Error, ErrorKind},
    filter::{CompareOp, Filter, Literal},
    path::{AttrPath, Path},
};

/// How long a filter or path may be, in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 64 * 1024;
/// How deep parentheses and brackets may nest.
pub const MAX_NESTING: usize = 64;
/// How many comparisons a filter may make: it is asked of many resources.
pub const MAX_COMPARISONS: usize = 1_000;

/// One reading of one expression.
pub(crate) struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    comparisons: usize,
    kind: ErrorKind,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str, kind: ErrorKind) -> Result<Self, Error> {
        if text.len() > MAX_EXPRESSION_BYTES {
            let detail = format!(
                "the expression has {} bytes; at most {MAX_EXPRESSION_BYTES} are read",
                text.len()
            );
            return Err(Error::new(kind, detail));
        }
        Ok(Self {
            text,
            at: 0,
            depth: 0,
            comparisons: 0,
            kind,
        })
    }

    /// Nothing but blanks may be left.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        self.blanks();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(self.expected("the end"))
        }
    }

    /// `a or b or c`
    pub(crate) fn filter(&mut self) -> Result<Filter, Error> {
        let first = self.conjunction()?;
        let mut rest = Vec::new();
        while self.keyword("or") {
            rest.push(self.conjunction()?);
        }
        Ok(if rest.is_empty() {
            first
        } else {
            Filter::or(std::iter::once(first).chain(rest))
        })
    }

    /// `a and b and c`
    fn conjunction(&mut self) -> Result<Filter, Error> {
        let first = self.factor()?;
        let mut rest = Vec::new();
        while self.keyword("and") {
            rest.push(self.factor()?);
        }
        Ok(if rest.is_empty() {
            first
        } else {
            Filter::and(std::iter::once(first).chain(rest))
        })
    }

    /// `(…)`, `not (…)`, or one comparison.
    fn factor(&mut self) -> Result<Filter, Error> {
        self.blanks();
        if self.peek() == Some(b'(') {
            return self.group(b'(', b')', Self::filter);
        }
        let before = self.at;
        if self.keyword("not") {
            self.blanks();
            if self.peek() == Some(b'(') {
                return Ok(Filter::Not(Box::new(self.group(b'(', b')', Self::filter)?)));
            }
            // An attribute may be called `not…`; only a parenthesis makes it the operator.
            self.at = before;
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Filter, Error> {
        self.comparisons += 1;
        if self.comparisons > MAX_COMPARISONS {
            return Err(self.error(&format!("makes more than {MAX_COMPARISONS} comparisons")));
        }
        let path = self.attr_path()?;
        if self.peek() == Some(b'[') {
            return self.value_path(path);
        }
        if self.keyword("pr") {
            return Ok(Filter::Present(path));
        }
        let op = self.operator()?;
        let value = self.literal()?;
        Ok(Filter::Compare { path, op, value })
    }

    /// `emails[type eq "work"]`, and leniently `emails[…].value eq "x"`, `emails[…] eq "x"` (Q46): one value has both. So
    /// does `emails[…] pr`.
    fn value_path(&mut self, attr: AttrPath) -> Result<Filter, Error> {
        let inside = self.group(b'[', b']', Self::filter)?;
        let sub = self.dotted()?;
        if let Some(sub) = sub {
            let path = AttrPath::new(&sub);
            let more = if self.keyword("pr") {
                Filter::Present(path)
            } else {
                let op = self.operator()?;
                Filter::Compare {
                    path,
                    op,
                    value: self.literal()?,
                }
            };
            return Ok(Filter::ValuePath {
                attr,
                filter: Box::new(Filter::and([inside, more])),
            });
        }
        if self.keyword("pr") {
            return Ok(Filter::ValuePath {
                attr,
                filter: Box::new(inside),
            });
        }
        if let Some(op) = self.try_operator() {
            let more = Filter::Compare {
                path: AttrPath::new("value"),
                op,
                value: self.literal()?,
            };
            return Ok(Filter::ValuePath {
                attr,
                filter: Box::new(Filter::and([inside, more])),
            });
        }
        Ok(Filter::ValuePath {
            attr,
            filter: Box::new(inside),
        })
    }

    /// A PATCH path.
    pub(crate) fn path(&mut self) -> Result<Path, Error> {
        let attr = self.attr_path()?;
        if self.peek() != Some(b'[') {
            return Ok(Path {
                attr,
                filter: None,
                sub: None,
            });
        }
        let filter = self.group(b'[', b']', Self::filter)?;
        let sub = self.dotted()?;
        Ok(Path {
            attr,
            filter: Some(filter),
            sub,
        })
    }

    /// An attribute's name with its URN and part.
    pub(crate) fn attr_path(&mut self) -> Result<AttrPath, Error> {
        self.blanks();
        let start = self.at;
        let word = self.take_while(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$' | b'.' | b':' | b'%' | b'+')
        });
        let path = AttrPath::split(word);
        let named = |name: &str| begins_a_name(name) && !name.contains(['.', '%', '+']);
        let version_tail = path.urn.is_some() && path.sub.as_deref().is_some_and(|sub| !sub.is_empty());
        let parts = named(&path.attribute) && path.sub.as_deref().is_none_or(|sub| named(sub) || version_tail);
        let urn = path
            .urn
            .as_deref()
            .is_none_or(|urn| urn.len() > 4 && urn[..4].eq_ignore_ascii_case("urn:"));
        if parts && urn {
            return Ok(path);
        }
        self.at = start;
        Err(self.expected("an attribute's name"))
    }

    /// `.name` directly after a bracket.
    fn dotted(&mut self) -> Result<Option<String>, Error> {
        if self.peek() != Some(b'.') {
            return Ok(None);
        }
        self.at += 1;
        let start = self.at;
        let name = self.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$'));
        if begins_a_name(name) {
            return Ok(Some(name.to_owned()));
        }
        self.at = start;
        Err(self.expected("a part's name"))
    }

    fn operator(&mut self) -> Result<CompareOp, Error> {
        let op = self.try_operator();
        op.ok_or_else(|| self.expected("an operator (eq ne co sw ew gt ge lt le pr)"))
    }

    /// Takes an operator, if one stands here. To look costs no more than the word, so a long filter stays linear.
    fn try_operator(&mut self) -> Option<CompareOp> {
        self.blanks();
        let start = self.at;
        let word = self.take_while(|byte| byte.is_ascii_alphabetic());
        let op = CompareOp::ALL
            .into_iter()
            .find(|op| op.name().eq_ignore_ascii_case(word));
        if op.is_none() {
            self.at = start;
        }
        op
    }

    /// A JSON literal; leniently also a bare word, which is a text (`userName sw O`).
    fn literal(&mut self) -> Result<Literal, Error> {
        self.blanks();
        if self.peek() == Some(b'"') {
            return self.string();
        }
        let start = self.at;
        let word =
            self.take_while(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b'(' | b')' | b'[' | b']' | b'"'));
        if word.is_empty() {
            self.at = start;
            return Err(self.expected("a value"));
        }
        Ok(match word.to_ascii_lowercase().as_str() {
            "true" => Literal::Boolean(true),
            "false" => Literal::Boolean(false),
            "null" => Literal::Null,
            // A number that would not print as it was written is kept as it was: a text may be compared with it.
            _ => number(word)
                .filter(|number| number.to_string() == word)
                .map_or_else(|| Literal::String(word.to_owned()), Literal::Number),
        })
    }

    fn string(&mut self) -> Result<Literal, Error> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut end = start + 1;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
                None => {
                    self.at = self.text.len();
                    return Err(self.expected("a closing quote"));
                }
            }
        }
        let quoted = &self.text[start..=end];
        let text = serde_json::from_str(quoted).map_err(|_| self.expected("a JSON text"))?;
        self.at = end + 1;
        Ok(Literal::String(text))
    }

    fn group(
        &mut self,
        open: u8,
        close: u8,
        inside: impl Fn(&mut Self) -> Result<Filter, Error>,
    ) -> Result<Filter, Error> {
        debug_assert_eq!(self.peek(), Some(open), "the caller looked");
        if self.depth == MAX_NESTING {
            return Err(self.error(&format!("nests deeper than {MAX_NESTING}")));
        }
        self.depth += 1;
        self.at += 1;
        let filter = inside(self)?;
        self.blanks();
        if self.peek() != Some(close) {
            return Err(self.expected(if close == b')' { "`)`" } else { "`]`" }));
        }
        self.at += 1;
        self.depth -= 1;
        Ok(filter)
    }

    /// Takes a keyword in any letter case, if it stands here as a word of its own.
    fn keyword(&mut self, word: &str) -> bool {
        let before = self.at;
        self.blanks();
        let rest = &self.text.as_bytes()[self.at..];
        let stands = rest
            .get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
        let alone = rest
            .get(word.len())
            .is_none_or(|next| next.is_ascii_whitespace() || matches!(next, b'(' | b')' | b']'));
        if stands && alone {
            self.at += word.len();
            return true;
        }
        self.at = before;
        false
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        // Only ASCII ends a word, so the cut is always between characters.
        let end = rest.bytes().position(|byte| !wanted(byte)).unwrap_or(rest.len());
        let end = (0..=end).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(0);
        self.at += end;
        &rest[..end]
    }

    fn blanks(&mut self) {
        self.take_while(|byte| byte.is_ascii_whitespace());
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn expected(&self, what: &str) -> Error {
        // What stands there may be part of a person's value, so only its kind is told.
        let found = match self.text[self.at..].trim_start().chars().next() {
            None => "the end".to_owned(),
            Some('"') => "a text".to_owned(),
            Some(mark) if mark.is_ascii_punctuation() => format!("`{mark}`"),
            Some(_) => "a word".to_owned(),
        };
        self.error(&format!("expected {what}, found {found}"))
    }

    fn error(&self, problem: &str) -> Error {
        let position = self.text[..self.at].chars().count() + 1;
        Error::new(self.kind, format!("at position {position}: {problem}"))
    }
}

fn begins_a_name(text: &str) -> bool {
    text.bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'$')
}

/// A JSON number, read to the nearest double: serde_json's own reading may be one step off, and a printed filter must read
/// back as itself.
fn number(word: &str) -> Option<Number> {
    let number: Number = serde_json::from_str(word).ok()?;
    if number.is_f64() {
        Number::from_f64(word.parse().ok()?)
    } else {
        Some(number)
    }
}
