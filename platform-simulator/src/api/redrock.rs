//! `RedRock/Query`: an honest subset of its SQL. What is not understood fails; nothing is guessed.
//!
//! `SELECT * | col, … FROM User | Role [WHERE col op 'literal' [AND …]] [ORDER BY col [ASC|DESC]]` with the operators
//! `=`, `<>`, `>`, `>=`, `<`, `<=` (in letter case) and `LIKE` (in any). A quote inside a literal is doubled.

use std::sync::Arc;

use serde_json::Value;

use super::Call;
use super::reports::args;
use crate::envelope::{Done, Failure, Outcome};
use crate::like::Like;
use crate::query::{self, Column, Row, Table};
use crate::records::fold;
use crate::state::State;

/// A script may be this long, in bytes.
const LONGEST: usize = 16 * 1024;

pub(super) fn query(call: &Call<'_>) -> Outcome {
    let texts = &call.profile.texts;
    let script = call
        .params
        .filled("Script")
        .ok_or_else(|| Failure::new(&texts.missing_parameter, "Script"))?;
    let select = Select::parse(&script).map_err(|reason| Failure::new(&texts.unsupported_query, &reason))?;
    let args = args(call.params.member("Args").unwrap_or(&Value::Null));
    let rows = query::rows(call.platform, script, args.caching, || {
        call.platform.read(|state| select.run(call, state))
    });
    Ok(Done::read(query::answer(
        call.platform,
        &rows,
        select.table,
        &select.columns,
        &args,
    )))
}

#[derive(Debug)]
struct Select {
    table: Table,
    columns: Vec<Column>,
    conditions: Vec<Condition>,
    order: Option<(Column, bool)>,
}

#[derive(Debug)]
struct Condition {
    column: &'static str,
    operator: Operator,
    literal: String,
    like: Like,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Like,
}

impl Condition {
    fn holds(&self, row: &Row) -> bool {
        let cell = row.text(self.column);
        match self.operator {
            Operator::Equal => cell == self.literal,
            Operator::Unequal => cell != self.literal,
            Operator::Greater => cell > self.literal,
            Operator::GreaterOrEqual => cell >= self.literal,
            Operator::Less => cell < self.literal,
            Operator::LessOrEqual => cell <= self.literal,
            Operator::Like => self.like.matches(&fold(&cell)),
        }
    }
}

impl Select {
    fn run(&self, call: &Call<'_>, state: &State) -> Vec<Row> {
        let mut rows: Vec<Row> = match (self.table, self.exact()) {
            (Table::User, Some(("ID", id))) => state.user(id).into_iter().cloned().map(Row::User).collect(),
            (Table::User, Some(("Username", name))) => {
                state.user_named(name).into_iter().cloned().map(Row::User).collect()
            }
            (Table::User, _) => state.users().map(|user| Row::User(Arc::clone(user))).collect(),
            (Table::Role, _) => {
                let groups = call.platform.groups_in_reports(state);
                groups.into_iter().map(Row::Group).collect()
            }
        };
        rows.retain(|row| match row {
            Row::User(user) => call.profile.shows(user),
            Row::Group(_) => true,
        });
        rows.retain(|row| self.conditions.iter().all(|condition| condition.holds(row)));
        if let Some(((column, _), ascending)) = self.order {
            rows.sort_by_cached_key(|row| row.text(column));
            if !ascending {
                rows.reverse();
            }
        }
        rows
    }

    /// A condition that an index answers; the others are checked on what it finds.
    fn exact(&self) -> Option<(&'static str, &str)> {
        let indexed = |condition: &&Condition| {
            condition.operator == Operator::Equal && matches!(condition.column, "ID" | "Username")
        };
        self.conditions
            .iter()
            .find(indexed)
            .map(|condition| (condition.column, condition.literal.as_str()))
    }

    fn parse(script: &str) -> Result<Self, String> {
        if script.len() > LONGEST {
            return Err("too long".to_owned());
        }
        let words = words(script)?;
        let mut words = Words { words: &words };
        words.expect("SELECT")?;
        let mut names = Vec::new();
        loop {
            names.push(words.name()?);
            if !words.take(",") {
                break;
            }
        }
        words.expect("FROM")?;
        let table = match words.name()? {
            name if name.eq_ignore_ascii_case("User") => Table::User,
            name if name.eq_ignore_ascii_case("Role") => Table::Role,
            name => return Err(format!("no table {name}")),
        };
        let column = |name: &str| table.column(name).ok_or_else(|| format!("no column {name}"));
        let columns = match names.as_slice() {
            ["*"] => table.columns().to_vec(),
            names => names.iter().map(|name| column(name)).collect::<Result<_, _>>()?,
        };
        let mut conditions = Vec::new();
        if words.take("WHERE") {
            loop {
                let (column, _) = column(words.name()?)?;
                let operator = words.operator()?;
                let literal = words.literal()?;
                conditions.push(Condition {
                    column,
                    operator,
                    like: Like::new(&literal),
                    literal,
                });
                if !words.take("AND") {
                    break;
                }
            }
        }
        let mut order = None;
        if words.take("ORDER") {
            words.expect("BY")?;
            let column = column(words.name()?)?;
            let descending = words.take("DESC");
            if !descending {
                words.take("ASC");
            }
            order = Some((column, !descending));
        }
        match words.words.first() {
            None => Ok(Self {
                table,
                columns,
                conditions,
                order,
            }),
            Some(word) => Err(format!("unexpected {word:?}")),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// A name, keyword or operator.
    Plain(String),
    Literal(String),
}

fn words(script: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut chars = script.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => {}
            '\'' => {
                let mut literal = String::new();
                loop {
                    match chars.next() {
                        Some('\'') if chars.next_if_eq(&'\'').is_some() => literal.push('\''),
                        Some('\'') => break,
                        Some(c) => literal.push(c),
                        None => return Err("a literal does not end".to_owned()),
                    }
                }
                words.push(Word::Literal(literal));
            }
            '<' | '>' | '=' => {
                let mut operator = c.to_string();
                while let Some(c) = chars.next_if(|c| matches!(c, '=' | '>')) {
                    operator.push(c);
                }
                words.push(Word::Plain(operator));
            }
            ',' | '*' => words.push(Word::Plain(c.to_string())),
            c if c.is_alphanumeric() || c == '_' => {
                let mut name = c.to_string();
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    name.push(c);
                }
                words.push(Word::Plain(name));
            }
            c => return Err(format!("unexpected {c}")),
        }
    }
    Ok(words)
}

struct Words<'a> {
    words: &'a [Word],
}

impl<'a> Words<'a> {
    fn take(&mut self, keyword: &str) -> bool {
        let found = matches!(self.words.first(), Some(Word::Plain(word)) if word.eq_ignore_ascii_case(keyword));
        if found {
            self.words = &self.words[1..];
        }
        found
    }

    fn expect(&mut self, keyword: &str) -> Result<(), String> {
        if self.take(keyword) {
            Ok(())
        } else {
            Err(format!("{keyword} is missing"))
        }
    }

    fn name(&mut self) -> Result<&'a str, String> {
        match self.words.split_first() {
            Some((Word::Plain(name), rest)) => {
                self.words = rest;
                Ok(name)
            }
            _ => Err("a name is missing".to_owned()),
        }
    }

    fn operator(&mut self) -> Result<Operator, String> {
        match self.name()?.to_ascii_uppercase().as_str() {
            "=" => Ok(Operator::Equal),
            "<>" => Ok(Operator::Unequal),
            ">" => Ok(Operator::Greater),
            ">=" => Ok(Operator::GreaterOrEqual),
            "<" => Ok(Operator::Less),
            "<=" => Ok(Operator::LessOrEqual),
            "LIKE" => Ok(Operator::Like),
            other => Err(format!("no operator {other}")),
        }
    }

    fn literal(&mut self) -> Result<String, String> {
        match self.words.split_first() {
            Some((Word::Literal(literal), rest)) => {
                self.words = rest;
                Ok(literal.clone())
            }
            _ => Err("a literal in quotes is missing".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subset_is_read_whole() {
        let select =
            Select::parse("select ID, Username from User where Username = 'o''neil@x' order by ID desc").unwrap();
        assert_eq!(select.conditions[0].literal, "o'neil@x");
        assert!(matches!(select.order, Some((("ID", _), false))));
        for good in [
            "SELECT * FROM Role",
            "SELECT * FROM User WHERE ID > 'a' AND SourceDs = 'CDS' ORDER BY ID",
            "SELECT Name FROM Role WHERE name LIKE '%x%'",
        ] {
            Select::parse(good).unwrap();
        }
    }

    #[test]
    fn what_is_outside_the_subset_fails() {
        for bad in [
            "",
            "SELECT",
            "SELECT FROM User",
            "SELECT ID, FROM User",
            "SELECT ID FROM Computer",
            "SELECT Password FROM User",
            "SELECT * FROM User WHERE Username = o",
            "SELECT * FROM User WHERE Username = 'o'neil'",
            "SELECT * FROM User WHERE Username = 'o",
            "SELECT * FROM User WHERE Username = 'a' OR 1 = '1'",
            "SELECT * FROM User; DELETE FROM User",
            "SELECT * FROM User ORDER ID",
            "SELECT COUNT(*) FROM User",
            "DELETE FROM User",
        ] {
            assert!(Select::parse(bad).is_err(), "{bad}");
        }
    }
}
